"""decay lists: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
def variables():
    tf.reset_default_graph()
    return tf.get_variable("a", initializer=np.array([1.0, -2.0], np.float32)), tf.get_variable("b", initializer=np.array([3.0], np.float32))
for make in (lambda: tf.contrib.opt.AdamWOptimizer(0.25, learning_rate=0.125), lambda: tf.contrib.opt.MomentumWOptimizer(0.25, 0.125, 0.5),
             lambda: tf.contrib.opt.extend_with_decoupled_weight_decay(tf.train.AdagradOptimizer)(weight_decay=0.25, learning_rate=0.125)):
    for kind in ("minimize", "minimize a", "apply", "apply a"):
        a, b = variables()
        loss = 0.5 * tf.reduce_sum(a) + tf.reduce_sum(b)
        some = {"decay_var_list": [a]} if kind.endswith(" a") else {}
        opt = make()
        step = opt.minimize(loss, **some) if kind.startswith("minimize") else opt.apply_gradients(opt.compute_gradients(loss), **some)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            sess.run(step)
            print(kind, ["%.4f" % v for v in np.concatenate(sess.run([a, b]))])
