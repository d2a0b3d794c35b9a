"""getters and jumps: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
def getter(getter, name, *args, **kwargs):
    v = getter(name, *args, **kwargs)
    return tf.identity(v, name="wrapped") * 2.0
with tf.variable_scope("cg", custom_getter=getter, regularizer=L.l2_regularizer(0.5), initializer=tf.ones_initializer()):
    v = tf.get_variable("v", [3])
    u = tf.layers.dense(tf.ones([1, 2]), 2, name="d")
print(v, u, [x.name for x in tf.trainable_variables()], [t.name for t in tf.losses.get_regularization_losses()])
with tf.variable_scope("x", reuse=tf.AUTO_REUSE):
    a = tf.get_variable("a", [2], regularizer=L.l1_regularizer(0.1))
    a2 = tf.get_variable("a", [2], regularizer=L.l2_regularizer(0.1))
print(a is a2, len(tf.losses.get_regularization_losses("x")))
with tf.variable_scope("outer") as sc:
    with tf.variable_scope("inner", regularizer=L.l1_regularizer(1.0)) as inner:
        pass
with tf.variable_scope("elsewhere", regularizer=L.l2_regularizer(9.0)):
    with tf.variable_scope(inner):
        b = tf.get_variable("b", [2])
        with tf.variable_scope("deep"):
            c = tf.get_variable("c", [2])
    with tf.variable_scope(inner, regularizer=L.l2_regularizer(2.0)):
        d = tf.get_variable("d", [2])
print([t.name for t in tf.losses.get_regularization_losses("outer")])
with tf.variable_scope(None, default_name="auto") as s1:
    print(s1.name, tf.get_variable("w", [1]).name)
with tf.variable_scope(None, default_name="auto") as s2:
    print(s2.name, tf.get_variable("w", [1]).name)
with tf.variable_scope("auto", "other") as s3:
    print(s3.name)
print(tf.get_variable_scope().name == "", tf.get_variable_scope().original_name_scope == "")
