"""initializers by name: written with fastreg, printed by TensorFlow 1.15.5."""
x = tf.constant([[1.0, 2.0, 3.0]])
y = tf.layers.dense(x, 2, kernel_initializer="ones", bias_initializer="ones", name="d")
z = tf.layers.conv2d(tf.ones([1, 4, 4, 2]), 3, 3, kernel_initializer="zeros", name="c")
for name in ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"):
    print(tf.layers.dense(x, 4, kernel_initializer=name, name=name))
try: tf.layers.dense(x, 2, kernel_initializer="nothing", name="n")
except ValueError as e: print(e)
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(s.run(y).tolist(), float(s.run(z).sum()), s.run("he_normal/kernel:0").shape)
