"""gradients of arithmetic, broadcasting and ties: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(6)
def val(*s): return np.asarray(rng.randint(-4, 5, s) / 2.0).astype("f4")
def show(label, ys, xs):
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    gs = tf.gradients(ys, xs, [tf.constant(val(*y.shape.as_list())) for y in ys])
    with tf.Session() as s:
        vs = s.run(ys + [tf.convert_to_tensor(g) for g in gs if g is not None])
    print(label, [g if g is None else "rows" if isinstance(g, tf.IndexedSlices) else "whole" for g in gs])
    for v in vs:
        print(" ", v.shape, (np.round(v.astype("f8"), 3) + 0.0).ravel().tolist()[:12], "%.2f" % np.abs(v.astype("f8")).sum())
a, b, c, d, s0 = tf.constant(val(3, 4)), tf.constant(val(3, 4) + np.float32(0.25)), tf.constant(val(4)), tf.constant(val(3, 1)), tf.constant(1.5)
p = tf.constant(np.abs(val(3, 4)) + np.float32(0.5))
for f in (tf.add, tf.subtract, tf.multiply, tf.maximum, tf.minimum, tf.squared_difference):
    for l, r in [(a, b), (a, c), (c, a), (a, d), (d, c), (a, s0), (a, a)]:
        show("", f(l, r), [l, r])
for f in (tf.truediv, tf.floordiv, tf.floormod, tf.div, tf.div_no_nan):
    for l, r in [(a, p), (c, p), (p, b)]:
        show("", f(l, r), [l, r])
for l, r in [(p, a), (p, c), (p, d), (s0, a)]:
    show("pow", tf.pow(l, r), [l, r])
for f in (tf.reduce_sum, tf.reduce_mean, tf.reduce_max, tf.reduce_min, tf.reduce_prod, tf.reduce_logsumexp):
    for kw in [dict(), dict(axis=0), dict(axis=1, keepdims=True), dict(axis=[0, 1]), dict(axis=-1)]:
        y = f(a, **kw)
        print(y)
        show(sorted(kw), y, [a])
show("where", tf.where(a > 0, a, b), [a, b])
show("rows", tf.where([True, False, True], a, b), [a, b])
show("clip", tf.clip_by_value(a, -1.0, 1.0), [a])
show("sum", tf.add_n([a, b, a]), [a, b])
show("many", [a * b, tf.reduce_sum(a)], [a, b, c])
t1 = tf.constant(2.0)
t2 = t1 * t1
with tf.Session() as s:
    print(["%g" % v for v in s.run(tf.gradients([t2, t2 * t1], [t1, t2], stop_gradients=[t2]))], ["%g" % v for v in s.run(tf.gradients(t2 * 3.0, [t1, t2], grad_ys=[tf.constant(0.5)]))])
    print(["%g" % v for v in s.run([tf.constant(1.0) / tf.constant(0.0), tf.log(tf.constant(0.0)), tf.div_no_nan(1.0, 0.0)])])
print(tf.gradients(a, b), tf.gradients(a + 1.0, [b, a])[0], tf.gradients(tf.cast(a, tf.int32), a))
print(tf.gradients(a, b, unconnected_gradients=tf.UnconnectedGradients.ZERO)[0].shape)
for bad in (lambda: tf.gradients([a, b], [a], [a]), lambda: tf.where(a > 0, a), lambda: tf.where(a, a, a), lambda: tf.where([True, False], a, b, name="w0"), lambda: tf.where(a > 0, a, 1.0, name="w1")):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
