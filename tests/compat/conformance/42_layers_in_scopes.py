"""layers in scopes: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
r = L.l2_regularizer(0.5)
with tf.name_scope("ns"):
    a = tf.layers.dense(tf.ones([1, 2]), 2, kernel_regularizer=r, activity_regularizer=r, name="d")
    b = tf.layers.conv2d(tf.ones([1, 4, 4, 1]), 2, 2, kernel_regularizer=r)
    lay = tf.layers.Dense(3, kernel_regularizer=r, activity_regularizer=lambda t: tf.reduce_mean(tf.abs(t)), name="obj")
    c = lay(tf.ones([2, 2]))
with tf.name_scope("other"):
    d = lay(tf.ones([2, 2]))
    e = tf.layers.dense(tf.ones([1, 2]), 2, name="d", reuse=True)
for t in (a, b, c, d, e):
    print(t)
print([v.name for v in tf.global_variables()])
print([t.name for t in tf.losses.get_regularization_losses()])
with tf.variable_scope("vs") as vs:
    f = tf.layers.flatten(tf.ones([2, 3, 4]))
    g = tf.layers.flatten(tf.ones([2, 3, 4]), name="flat")
    h = tf.layers.dense(f, 1, name="x", kernel_regularizer=r, bias_regularizer=r)
with tf.variable_scope(vs, reuse=True):
    i = tf.layers.dense(f, 1, name="x", kernel_regularizer=r)
print(f, g, h, i, len(tf.losses.get_regularization_losses("vs")))
with tf.variable_scope("vs", reuse=tf.AUTO_REUSE):
    j = tf.layers.dense(f, 1, name="x", kernel_regularizer=r, bias_regularizer=r)
    k = tf.layers.dense(f, 1, name="y", kernel_regularizer=r)
print(j, k, [t.name for t in tf.losses.get_regularization_losses("vs")])
l = tf.layers.dense(tf.constant(np.ones((2, 3, 4), np.float64)), 2, activation=tf.nn.softmax, use_bias=False)
print(l, l.op.name, l.dtype)
m = tf.layers.Conv2D(3, 2, activation=tf.tanh, padding="SAME", kernel_initializer=tf.zeros_initializer(), bias_initializer=tf.ones_initializer(), activity_regularizer=r)
n = m(tf.ones([2, 3, 3, 1]))
print(n, m.name, m.kernel.name, m.losses, m.padding, m.strides, m.kernel_size, m.data_format, m.dilation_rate)
o = tf.layers.Dense(2, kernel_constraint=lambda w: w * 0.0)
o(tf.ones([1, 2]))
print(o.kernel.constraint is not None, o.bias.constraint, o.trainable_weights == o.variables, o.compute_output_shape([None, 2]))
try:
    tf.layers.dense(tf.ones([1, 5]), 2, name="d", reuse=True)
except ValueError as err:
    print(err)
with tf.variable_scope("in", initializer=tf.constant_initializer(3.0), dtype=tf.float64):
    p = tf.layers.dense(tf.ones([1, 2]), 2)
    q = tf.get_variable("q", [1])
print(p.dtype, q.dtype)
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(s.run(p).tolist(), s.run(n)[0, 0, 0].tolist(), s.run(l).sum().round(6))
