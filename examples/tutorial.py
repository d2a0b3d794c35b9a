"""The tutorial: two ways to the same L2 loss, by the collection and by the trainable variables."""

import numpy as np

import fastreg.compat.v1 as tf

weight_decay = 1e-4
regularizer = tf.contrib.layers.l2_regularizer(weight_decay)
input_tensor = tf.get_variable(shape=[64, 40, 200, 1], regularizer=regularizer, dtype=tf.float32, name="w1")
x = tf.layers.conv2d(
    input_tensor,
    64,
    (3, 3),
    kernel_initializer=tf.orthogonal_initializer(),
    use_bias=True,
    trainable=True,
    kernel_regularizer=regularizer,
    name="conv",
)
att = tf.nn.relu(x, name="relu")
keys = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
print("list variables in tf.GraphKeys.REGULARIZATION_LOSSES")
for k in keys:
    print(k)
loss = tf.add_n(keys)
l2_loss = weight_decay * tf.reduce_sum([tf.nn.l2_loss(n) for n in tf.trainable_variables() if "bias" not in n.name])
init = tf.global_variables_initializer()
init_local = tf.local_variables_initializer()
with tf.Session() as sess:
    sess.run([init, init_local])
    a = sess.run(att)
    print(a.shape, a.dtype, bool((a >= 0).all()))
    one, two = sess.run([loss, l2_loss])
    print(type(one).__name__, np.allclose(one, two, rtol=1e-6), 4e-4 < one < 7e-4)
    print("list all trainable variables:")
    for n in tf.trainable_variables():
        print(n.name)
