"""graphs: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
r = L.l2_regularizer(0.5)
g1, g2 = tf.Graph(), tf.Graph()
with g1.as_default():
    a = tf.get_variable("w", shape=[2], initializer=tf.ones_initializer(), regularizer=r)
    with g2.as_default():
        b = tf.get_variable("w", shape=[3], initializer=tf.ones_initializer(), regularizer=r)
        print(tf.get_default_graph() is g2, len(tf.trainable_variables()))
    print(tf.get_default_graph() is g1, len(tf.trainable_variables()), a.graph is g1, b.graph is g1)
    l1 = tf.losses.get_regularization_loss()
with g2.as_default():
    l2 = tf.losses.get_regularization_loss()
c = tf.get_variable("w", shape=[4], initializer=tf.ones_initializer())
print(a.name, b.name, c.name, tf.losses.get_regularization_losses())
for g, l, v in ((g1, l1, a), (g2, l2, b)):
    with tf.Session(graph=g) as s:
        s.run(tf.global_variables_initializer())
        print("%.6g" % s.run(l), s.run(v))
with tf.Session(graph=g1) as s:
    try:
        s.run(a)
    except tf.errors.FailedPreconditionError as e:
        print(type(e).__name__, e.message.splitlines()[0])
    s.run(a.initializer)
    s.run(a.assign([5.0, 6.0]))
    print(s.run(a), a.eval(), a.eval(s))
    try:
        s.run(l2)
    except ValueError as e:
        print(e)
try:
    with g1.as_default():
        a + b
except ValueError as e:
    print(e)
print(g1.get_collection("regularization_losses")[0].name, g1.get_all_collection_keys() and sorted(k for k in g1.get_all_collection_keys() if isinstance(k, str)))
g1.clear_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
print(g1.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES), len(g1.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)))
with g1.as_default():
    print(tf.losses.get_regularization_loss())
    try:
        with tf.Session(graph=g1) as s:
            print(s.run(tf.losses.get_regularization_loss()))
    except Exception as e:
        print(type(e), e)
tf.reset_default_graph()
print(tf.global_variables())
d = tf.get_variable("w", shape=[4], initializer=tf.ones_initializer())
print(d.name)
try:
    with tf.Graph().as_default():
        tf.reset_default_graph()
except AssertionError as e:
    print(e)
try:
    tf.get_variable("w", shape=[4])
except ValueError as e:
    print(str(e).split(" Originally")[0])
s = tf.Session()
try:
    d.eval()
except ValueError as e:
    print(e)
x = tf.placeholder(tf.float32, [2, None], name="x")
y = x * 2.0
for feed in ({x: [[1], [2]]}, {x: [1, 2]}, {}, {y: [[7.0], [8.0]]}, {"x:0": np.ones((2, 1))}):
    try:
        print(s.run(y, feed).tolist())
    except Exception as e:
        print(type(e).__name__, str(e).splitlines()[0])
for f in (None, 3, "nope:0", "x", [y, None]):
    try:
        s.run(f)
    except Exception as e:
        print(type(e).__name__, str(e).splitlines()[0])
s.close()
try:
    s.run(y)
except RuntimeError as e:
    print(e)
