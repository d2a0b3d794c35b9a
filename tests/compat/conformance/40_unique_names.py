"""unique names: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
# uniqueness and case, deep name scopes, scope re-entry, custom names for losses
for n in ("Foo", "foo", "FOO", "foo_1"):
    print(tf.constant(1.0, name=n).name)
with tf.name_scope("A"):
    with tf.name_scope("b") as b:
        x = tf.constant(1.0)
        print(x.name, tf.get_default_graph().unique_name("q", mark_as_used=False), tf.get_default_graph().unique_name("q"))
    with tf.name_scope("b"):
        print(tf.constant(1.0).name)
    with tf.name_scope(b):
        print(tf.constant(1.0).name)
        with tf.name_scope(""):
            print(tf.constant(1.0).name)
with tf.name_scope("v", "default", [x]) as s:
    print(s)
with tf.name_scope(None, "default", [x]) as s:
    print(s, tf.get_default_graph().get_name_scope())
with tf.name_scope(None, "default") as s:
    print(s)
with tf.variable_scope("m") as m:
    with tf.name_scope("n"):
        v = tf.get_variable("v", [2], regularizer=tf.contrib.layers.l2_regularizer(1.0))
        u = tf.Variable([1.0], name="u")
        print(v.name, u.name, (v * 2.0).name)
with tf.variable_scope(m, auxiliary_name_scope=False):
    print(tf.constant(1.0).name, tf.get_variable("z", []).name)
with tf.variable_scope("m", reuse=True):
    print(tf.get_variable("v", [2]) is v, tf.constant(0.0).name)
with tf.name_scope(m.original_name_scope):
    print(tf.constant(1.0, name="k").name)
print([t.name for t in tf.losses.get_regularization_losses()])
r = lambda w: tf.multiply(0.5, tf.nn.l2_loss(w), name="mine")
q = lambda w: tf.identity(tf.reduce_sum(w))
for i, f in enumerate((r, r, q)):
    with tf.variable_scope("t%d" % i, regularizer=f):
        tf.get_variable("w", [2]); tf.get_variable("w2", [2])
print([t.name for t in tf.losses.get_regularization_losses("t")])
a = tf.add_n([x, x], name="total")
b2 = tf.add_n([x, x], name="total")
print(a.name, b2.name, tf.group(a, name="g").name, tf.global_variables_initializer().name, tf.variables_initializer([u], name="just_u").name)
print((x + 1.0).name, (x + 1.0).op.name, (1.0 + x).name, (x - x).name, (x * x).op.inputs[0].name, tf.stop_gradient(x).name)
print(tf.train.AdamOptimizer(0.1).minimize(tf.nn.l2_loss(v)).name, tf.train.AdamOptimizer(0.1, name="Mine").minimize(tf.nn.l2_loss(v), name="step").name)
print(sorted(w.name for w in tf.global_variables()))
