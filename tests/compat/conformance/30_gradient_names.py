"""gradient names: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
w = tf.get_variable("w", [2, 2], regularizer=L.l2_regularizer(0.5))
u = tf.get_variable("u", [2, 2], regularizer=L.l1_regularizer(0.5))
v = tf.get_variable("v", [2, 2], regularizer=L.l1_l2_regularizer(0.5, 0.5))
z = tf.get_variable("z", [2, 2], regularizer=L.sum_regularizer([L.l1_regularizer(0.5), L.l2_regularizer(0.5)]))
y = tf.get_variable("y", [2, 2], regularizer=lambda t: 0.5 * tf.reduce_sum(tf.square(t)))
loss = tf.losses.get_regularization_loss()
for g in tf.gradients(loss, [w, u, v, z, y]):
    print(g)
for g in tf.gradients(tf.losses.get_regularization_losses(), [w, u, v, z, y]):
    print(g)
for f in (tf.nn.l2_loss(w), 2.0 * tf.nn.l2_loss(w), tf.reduce_sum(tf.abs(w)), tf.reduce_sum(w), tf.reduce_mean(tf.square(w)), tf.reduce_sum(w * w), tf.nn.l2_loss(w) + tf.nn.l2_loss(u), tf.add_n([tf.nn.l2_loss(w), tf.nn.l2_loss(w)]), tf.reduce_sum(w + u), tf.reduce_sum(tf.sqrt(w)), w):
    print([None if g is None else g.name for g in tf.gradients(f, [w, u])])
opt = tf.train.GradientDescentOptimizer(0.1)
for g, q in opt.compute_gradients(loss):
    print(g, q)
