"""more regularizers: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
def huber(w):
    a = tf.abs(w)
    return tf.reduce_sum(tf.where(a < 1.0, 0.5 * tf.square(w), a - 0.5), name="huber")
w = tf.get_variable("w", initializer=np.array([0.5, -3.0, 1.5], np.float32), regularizer=huber)
e = tf.get_variable("e", initializer=np.array([0.2, 0.3, 0.5], np.float32), regularizer=lambda p: -tf.reduce_sum(p * tf.log(p)) * 0.1)
m = tf.get_variable("m", initializer=np.arange(6, dtype=np.float32).reshape(2, 3), regularizer=lambda t: 0.01 * tf.reduce_sum(tf.norm(t, axis=1)))
t = tf.get_variable("t", initializer=np.arange(6, dtype=np.float32).reshape(2, 3), regularizer=lambda t: tf.add_n([tf.nn.l2_loss(t), tf.reduce_max(tf.abs(t))], name="both"))
loss = tf.losses.get_regularization_loss()
print([x.name for x in tf.losses.get_regularization_losses()])
gs = tf.gradients(loss, [w, e, m, t])
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(["%.5g" % x for x in s.run(tf.losses.get_regularization_losses())])
    for g in gs[:2] + gs[3:]:
        print(["%.4g" % x for x in s.run(g).ravel()])
    o = tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss)
    s.run(tf.global_variables_initializer())
    for _ in range(3):
        s.run(o)
    print("%.5g" % s.run(tf.math.reduce_sum(tf.square(w))), "%.4f" % s.run(tf.linalg.norm(w)), s.run(tf.math.add(1.0, 2.0)))
