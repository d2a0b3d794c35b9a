"""sums: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
# sums, None, dtypes of regularizers
w = tf.constant([1.0, -2.0, 3.0])
d = tf.constant(np.array([1.0, -2.0, 3.0]))
rs = [L.sum_regularizer([L.l1_regularizer(0.1), None, L.l2_regularizer(0.2)]), L.sum_regularizer([L.l1_regularizer(0.0), L.l2_regularizer(0.5)]), L.sum_regularizer([L.sum_regularizer([L.l1_regularizer(0.5)]), L.l1_l2_regularizer(0.5, 0.5)], scope="both")]
for r in rs:
    a, b = r(w), r(d)
    print(a, b)
with tf.variable_scope("v"):
    for i, r in enumerate(rs):
        tf.get_variable("w%d" % i, [2], regularizer=r, initializer=tf.ones_initializer())
print([t.name for t in tf.losses.get_regularization_losses()])
print(L.apply_regularization(lambda t: None, [w]))
print(len(tf.losses.get_regularization_losses()))
x = L.apply_regularization(L.l1_regularizer(0.5), [w, tf.ones([2, 2])])
y = L.apply_regularization(rs[0], (w, w))
tf.add_to_collection(tf.GraphKeys.WEIGHTS, w)
z = L.apply_regularization(L.l2_regularizer(2.0))
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(["%.6g" % v for v in s.run([x, y, z, tf.losses.get_regularization_loss()])])
for bad in (lambda: L.apply_regularization(L.l1_regularizer(0.5), [tf.constant([1.0]), d]), lambda: L.l2_regularizer(-1e-3), lambda: L.l1_regularizer(np.int64(1)), lambda: L.l1_regularizer(np.float32(0.5))(w), lambda: L.l1_regularizer(np.float32(-0.5)), lambda: L.l2_regularizer(False)):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, str(e)[:150])
