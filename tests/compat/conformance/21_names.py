"""names: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
a = tf.constant(1.0, name="a")
b = tf.constant(2.0, name="a")
print(a.name, b.name)
with tf.name_scope("s") as sc:
    print(sc)
    c = a + b
    d = a * 2.0
    e = tf.multiply(a, b)
    print(c.name, d.name, e.name, (3.0 - a).name, (a / b).name, (-a).name, abs(a).name, (a ** 2.0).name)
    print(tf.reduce_sum([a, b]).name, tf.reduce_mean(tf.ones([2])).name, tf.square(a).name, tf.nn.l2_loss(tf.ones([2])).name)
with tf.name_scope("s") as sc:
    print(sc, tf.identity(a).name)
with tf.name_scope(None) as sc:
    print(repr(sc))
with tf.name_scope("s/") as sc:
    print(sc, (a + b).name)
print((a + b).name, (a + b).name, tf.add(a, b).name, tf.add(a, b).name, tf.add_n([a, b]).name, tf.add_n([a]).name, tf.add_n([a], name="one").name)
print(tf.add(a, b, name="sum").name, tf.nn.relu(a).name, tf.nn.l2_loss(a, name="L").name)
v = tf.get_variable("v", shape=[2], initializer=tf.zeros_initializer())
print(v.name, v.op.name, v, v.value().name, v.initializer.name, v.dtype)
print((v + 1.0).name, tf.convert_to_tensor(v).name, v.read_value().name)
with tf.name_scope("ns"):
    u = tf.get_variable("u", shape=[2], regularizer=tf.contrib.layers.l2_regularizer(0.1))
    w = tf.Variable(tf.zeros([3]), name="w")
    w2 = tf.Variable([1.0, 2.0], name="w")
    print(u.name, w.name, w2.name, w)
print(tf.Variable(1).name, tf.Variable(2).name, tf.Variable(2).dtype)
print([t.name for t in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)])
r = tf.contrib.layers.l2_regularizer(0.1)
print(r(v).name, r(v).name, tf.contrib.layers.l1_regularizer(0.1)(v).name, tf.contrib.layers.l1_l2_regularizer(0.1, 0.2)(v).name)
print(tf.contrib.layers.sum_regularizer([r, r])(v).name, tf.contrib.layers.l1_regularizer(0.1, scope="mine")(v).name)
print(tf.contrib.layers.apply_regularization(r, [v, u]).name, tf.contrib.layers.apply_regularization(r, [v]).name)
print(tf.losses.get_regularization_loss().name, tf.losses.get_regularization_loss().name, tf.losses.get_total_loss().name)
with tf.variable_scope("a"):
    k = tf.get_variable("k", shape=[1], initializer=tf.constant_initializer(1.0))
    print(tf.square(k).name, k.name)
    with tf.name_scope("in"):
        print(tf.get_variable("k2", shape=[1]).name, tf.square(k).name)
with tf.variable_scope("a"):
    print(tf.square(k).name)
print(tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float64), tf.placeholder(tf.float32, name="x"))
for bad in ("_x", "a b", "x:0"):
    try:
        with tf.name_scope(bad):
            pass
        print("fine", bad)
    except ValueError as e:
        print(e)
print(repr(a), str(v), repr(tf.float32), str(tf.float32), a.shape, repr(a.shape))
print(tf.get_default_graph().get_tensor_by_name("a:0") is a, tf.get_default_graph().get_operation_by_name("a_1").name)
print(tf.global_variables_initializer().name, tf.global_variables_initializer().name, tf.group(a.op, b.op).name, tf.no_op().name)
print(tf.assign(v, [1.0, 2.0]), tf.assign_add(v, [1.0, 1.0]).name, v.assign_sub([1.0, 1.0]).name)
