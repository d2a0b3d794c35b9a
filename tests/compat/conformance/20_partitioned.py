"""partitioned: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
part = tf.fixed_size_partitioner(3)
with tf.variable_scope("net", partitioner=part, regularizer=L.l2_regularizer(0.5), initializer=tf.constant_initializer(2.0)):
    w = tf.get_variable("w", shape=[7, 2])
    s = tf.get_variable("s", shape=[])
    b = tf.get_variable("b", shape=[4], regularizer=L.l1_regularizer(0.1))
print(type(w).__name__, w.name, w.get_shape(), w.dtype, s.name, len(w))
for p in w:
    print(p.name, p.shape, p.dtype.name)
print([v.name for v in tf.global_variables()])
print([t.name for t in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)])
x = tf.constant(np.ones((1, 7), np.float32))
y = tf.matmul(x, w)
print(y)
c = tf.convert_to_tensor(w)
print(c)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    print(sess.run(y), "%.6g" % sess.run(tf.losses.get_regularization_loss()))
    print([ "%.6g" % v for v in sess.run(tf.losses.get_regularization_losses())])
with tf.variable_scope("net", reuse=True, partitioner=part):
    print(tf.get_variable("w", shape=[7, 2]) is w)
for kw in (dict(shape=[7, 2]), dict(shape=[6, 2], partitioner=part)):
    try:
        with tf.variable_scope("net", reuse=True):
            r = tf.get_variable("w", **kw)
            print("ok", r is w)
    except ValueError as e:
        print(type(e).__name__, e)
try:
    with tf.variable_scope("net"):
        tf.get_variable("w", shape=[7, 2], partitioner=part)
except ValueError as e:
    print(type(e).__name__, e)
try:
    with tf.variable_scope("net"):
        tf.get_variable("w", shape=[7, 2])
except ValueError as e:
    print(type(e).__name__, e)
v = tf.get_variable("mm", shape=[10, 3], partitioner=tf.min_max_variable_partitioner(max_partitions=2, min_slice_size=16))
print([p.name for p in v])
v2 = tf.get_variable("vv", shape=[5, 8], partitioner=tf.variable_axis_size_partitioner(64))
print([(p.name, p.shape) for p in v2])
