"""layers: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
r = L.l2_regularizer(0.5)
x = tf.constant(np.ones((2, 3), np.float32))
with tf.variable_scope("s", regularizer=L.l1_regularizer(0.25), initializer=tf.ones_initializer()):
    a = tf.layers.dense(x, 2, kernel_regularizer=r, bias_regularizer=r, name="fc")
    b = tf.layers.dense(a, 2, kernel_regularizer=r, name="fc2", activity_regularizer=r)
with tf.variable_scope("s", reuse=True):
    a2 = tf.layers.dense(x, 2, kernel_regularizer=r, name="fc")
    b2 = tf.layers.dense(a, 2, kernel_regularizer=r, name="fc2", activity_regularizer=r)
c = tf.layers.dense(x, 2)
d = tf.layers.dense(x, 2, trainable=False, kernel_regularizer=r)
layer = tf.layers.Dense(3, activation=tf.nn.relu, kernel_regularizer=r, activity_regularizer=L.l1_regularizer(0.1), name="obj")
e = layer(x)
f = layer(x + 1.0)
print(layer.name, len(layer.losses), layer.kernel.name, [v.name for v in layer.variables], layer.built)
for t in (a, b, a2, b2, c, d, e, f):
    print(t.name, t.shape)
print([v.name for v in tf.trainable_variables()], len(tf.global_variables()))
ls = tf.get_collection("regularization_losses")
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    for l in ls:
        print(l.name)
    print(["%.5g" % q for q in s.run(ls[:8])])
try:
    tf.layers.dense(x, 2, name="obj")
except ValueError as e:
    print(str(e).split(" Originally")[0])
h = tf.layers.dense(tf.constant(np.ones((2, 3, 4), np.float32)), 5, name="td")
print(h)
k = tf.layers.conv2d(tf.ones([1, 5, 5, 2]), 3, 3, activity_regularizer=lambda t: tf.reduce_sum(t) * 0.5, kernel_regularizer=lambda t: tf.reduce_mean(t), name="c")
print([t.name for t in tf.get_collection("regularization_losses", scope="c/")])
