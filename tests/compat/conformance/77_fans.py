"""initializers that scale by the fans: written with fastreg, printed by TensorFlow 1.15.5."""
tf.set_random_seed(3)
made = {"he_normal": 2.0, "he_uniform": 2.0, "lecun_normal": 1.0, "lecun_uniform": 1.0}
variables = [tf.get_variable(name, [100, 300], initializer=getattr(tf.initializers, name)()) for name in sorted(made)]
variables += [tf.get_variable("k_" + name, [3, 3, 40, 50], initializer=getattr(tf.keras.initializers, name)(seed=5)) for name in sorted(made)]
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    for v in variables:
        a, fan = s.run(v), 100.0 if len(v.shape) == 2 else 360.0
        scale = made[v.op.name.replace("k_", "")]
        print(v.name, v.shape, bool(abs(a.mean()) < 0.005), bool(abs(a.var() * fan / scale - 1) < 0.05), bool(abs(a).max() < 3 * (scale / fan) ** 0.5))
