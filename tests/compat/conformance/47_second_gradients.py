"""second gradients of penalties: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
w = tf.Variable(np.array([1.0, -2.0, 3.0], np.float32))
b = tf.Variable(0.5)
r = L.l2_regularizer(0.5)
cases = [r(w) * r(w), tf.nn.l2_loss(w) * 3.0, L.l1_l2_regularizer(0.5, 0.25)(w), L.l1_regularizer(0.5)(w) * L.l2_regularizer(0.5)(w), tf.square(tf.nn.l2_loss(w) - b)]
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for y in cases:
        g = tf.gradients(y, w)[0]
        again = tf.gradients(tf.reduce_sum(tf.square(g)), [w, b])
        print(sess.run(g).tolist(), [None if a is None else np.round(sess.run(a), 4).tolist() for a in again])
