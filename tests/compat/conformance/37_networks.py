"""networks: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
def net(x, reuse=None, reg=None):
    with tf.variable_scope("net", reuse=reuse, regularizer=reg):
        with tf.name_scope("pre"):
            x = x / 255.0
        h = tf.layers.conv2d(x, 4, 3, padding="same", activation=tf.nn.relu, name="c1", kernel_regularizer=L.l2_regularizer(0.1))
        h = tf.layers.conv2d(h, 2, 3, strides=(2, 1), name="c2", use_bias=False)
        h = tf.layers.flatten(h)
        with tf.variable_scope("head"):
            h = tf.layers.dense(h, 3, activation=tf.nn.relu)
            return tf.layers.dense(h, 1, bias_regularizer=L.l1_regularizer(0.1))
x = tf.placeholder(tf.float32, [None, 6, 5, 1], name="images")
a = net(x)
b = net(x, reuse=True)
c = net(x, reuse=tf.AUTO_REUSE, reg=L.l1_regularizer(5.0))
print(a, b, c)
print([v.name for v in tf.trainable_variables()])
print([t.name for t in tf.losses.get_regularization_losses()])
print([t.name for t in tf.losses.get_regularization_losses("net/head")])
kernels = [v for v in tf.trainable_variables() if v.op.name.endswith("kernel")]
manual = tf.add_n([0.5 * tf.reduce_sum(tf.square(v)) for v in kernels], name="manual")
print(manual, manual.op.inputs[0].name, [i.name for i in manual.op.inputs][1:])
with tf.name_scope("losses"):
    reg = tf.losses.get_regularization_loss()
    total = tf.add(manual, reg, name="total")
print(reg, total)
d = tf.layers.Dense(2, name="shared", kernel_regularizer=L.l2_regularizer(1.0))
with tf.variable_scope("one"):
    p = d(tf.ones([1, 3]))
with tf.variable_scope("two"):
    q = d.apply(tf.ones([1, 3]))
print(p, q, d.kernel.name, len(tf.losses.get_regularization_losses("one")), len(tf.losses.get_regularization_losses("two")), [t.name for t in tf.losses.get_regularization_losses()][2:])
e1 = tf.layers.Dense(2)
e2 = tf.layers.Dense(2)
print(e1.name, e2.name, e1(tf.ones([1, 3])).name, e2(tf.ones([1, 3])).name, tf.layers.Flatten().name, tf.layers.Conv2D(1, 1).name)
with tf.variable_scope("w", partitioner=tf.fixed_size_partitioner(2)):
    r = tf.layers.dense(tf.ones([1, 4]), 3, kernel_regularizer=L.l2_regularizer(1.0), kernel_initializer=tf.ones_initializer())
print(r, [t.name for t in tf.losses.get_regularization_losses("w/")])
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    o = s.run([a, b, c], {x: np.ones((2, 6, 5, 1))})
    print(np.allclose(o[0], o[1]), np.allclose(o[0], o[2]), o[0].shape, s.run(r).tolist(), ["%g" % q for q in s.run(tf.losses.get_regularization_losses("w/"))])
