"""convolution: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(0)
x0 = rng.randn(2, 7, 6, 3).astype(np.float32)
k0 = rng.randn(3, 2, 3, 4).astype(np.float32)
x, k = tf.constant(x0), tf.constant(k0)
outs = []
for pad in ("SAME", "VALID"):
    for st in (1, 2, 3):
        outs.append(tf.nn.conv2d(x, k, [1, st, st, 1], pad))
        outs.append(tf.nn.conv2d(x, k, strides=[1, st, 1, 1], padding=pad, data_format="NHWC"))
outs.append(tf.layers.conv2d(x, 5, [3, 3], dilation_rate=(2, 1), padding="same", kernel_initializer=tf.constant_initializer(0.1), name="d1"))
outs.append(tf.layers.conv2d(x, 5, 2, dilation_rate=2, padding="valid", kernel_initializer=tf.constant_initializer(0.1), bias_initializer=tf.constant_initializer(1.0), activation=tf.nn.relu))
outs.append(tf.layers.conv2d(x, 5, (1, 7), padding="same", use_bias=False, kernel_initializer=tf.constant_initializer(0.1)))
y = tf.layers.conv2d(tf.transpose(x, [0, 3, 1, 2]), 5, 3, strides=2, padding="same", data_format="channels_first", name="cf")
print(y, y.op.name)
print(tf.layers.flatten(y), tf.layers.flatten(x).name)
p = tf.placeholder(tf.float32, [None, 9, None, 3])
z = tf.layers.conv2d(p, 2, 3, strides=2, name="dyn")
print(z, tf.layers.flatten(z), tf.layers.flatten(tf.placeholder(tf.float32, [None, 4, 5])))
for o in outs:
    print(o)
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    for o in outs:
        v = s.run(o)
        print(v.shape, "%.4f %.4f" % (v.sum(), np.abs(v).max()))
    print(s.run(z, {p: np.zeros((2, 9, 8, 3))}).shape)
for f in (lambda: tf.layers.conv2d(x, 2, 3, padding="full"), lambda: tf.layers.conv2d(x, 2, 3, data_format="NHWC"), lambda: tf.layers.conv2d(x, 2, (1, 2, 3)),
          lambda: tf.layers.conv2d(tf.constant([1.0]), 2, 3), lambda: tf.layers.dense(tf.constant([1.0]), 2), lambda: tf.layers.dense(tf.placeholder(tf.float32), 2),
          lambda: tf.layers.dense(tf.placeholder(tf.float32, [3, None]), 2), lambda: tf.layers.conv2d(x, 2, 3, strides=2, dilation_rate=2)):
    try:
        print(f())
    except Exception as e:
        print(type(e).__name__, e)
print([v.name for v in tf.trainable_variables()])
