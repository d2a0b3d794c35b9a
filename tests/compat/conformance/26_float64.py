"""float64: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
with tf.variable_scope("d", dtype=tf.float64, regularizer=L.l1_l2_regularizer(0.1, 0.3)):
    w = tf.get_variable("w", initializer=tf.constant(np.linspace(-1, 1, 7)))
    u = tf.get_variable("u", shape=[2, 2], initializer=tf.ones_initializer())
    k = tf.layers.dense(tf.constant(np.ones((2, 3))), 4, kernel_initializer=tf.constant_initializer(0.5), activity_regularizer=L.l1_regularizer(0.25), kernel_regularizer=L.l2_regularizer(0.125))
print(w.dtype, u.dtype, k.dtype, [v.dtype.name for v in tf.global_variables()])
for t in tf.get_collection("regularization_losses"):
    print(t)
loss = tf.losses.get_regularization_loss()
print(loss)
g = tf.gradients(loss, [w, u])
print([x.dtype for x in g], [x.shape for x in g])
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print("%.12g" % s.run(loss), [["%.10g" % q for q in np.ravel(x)] for x in s.run(g)])
    r = s.run([loss, {"a": w, "b": (u, loss)}])
    print(type(r[0]).__name__, sorted(r[1]), type(r[1]["b"]).__name__, r[1]["a"].dtype)
v32 = tf.get_variable("x32", shape=[2], regularizer=L.l2_regularizer(0.1))
for bad in (lambda: tf.losses.get_regularization_loss(), lambda: tf.add_n([]), lambda: w + v32,
            lambda: tf.add_n([w, u]), lambda: tf.constant(1.5, dtype=tf.int32), lambda: tf.constant(1) * 2.5):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
