"""clipping and accuracy: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(9)
def val(*s): return np.asarray(rng.randint(-4, 5, s) / 2.0).astype("f4")
def show(label, ys, xs):
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    gs = tf.gradients(ys, xs, [tf.constant(val(*y.shape.as_list())) for y in ys])
    with tf.Session() as s:
        vs = s.run(ys + [tf.convert_to_tensor(g) for g in gs if g is not None])
    print(label, [g if g is None else "rows" if isinstance(g, tf.IndexedSlices) else "whole" for g in gs])
    for v in vs:
        print(" ", v.shape, (np.round(v.astype("f8"), 3) + 0.0).ravel().tolist()[:12], "%.2f" % np.abs(v.astype("f8")).sum())
a, b = tf.constant(val(3, 4)), tf.constant(val(3, 4))
for norm in (2.0, 200.0, tf.constant(1.5)):
    y = tf.clip_by_norm(a, norm)
    print(y)
    show("", y, [a])
    ys, n = tf.clip_by_global_norm([a, None, b], norm)
    print(ys, n)
    show("", [ys[0], ys[2], n], [a, b])
show("axes", tf.clip_by_norm(a, 2.0, axes=[1]), [a]); show("zeros", tf.clip_by_norm(a * 0.0, 2.0), [a]); show("used", tf.clip_by_global_norm([a, b], 2.0, use_norm=tf.constant(5.0))[0], [a]); show("norm", tf.global_norm([a, b]), [a, b])
x = tf.constant(np.arange(12, dtype=np.float32).reshape(3, 4) % 5)
F = [tf.argmax(x, 1), tf.argmax(x), tf.argmax(x, axis=-1, output_type=tf.int32), tf.argmax(x, dimension=1, name="foo"), tf.argmin(x, 1), tf.argmin(x), tf.equal(tf.argmax(x, 1), [3, 0, 2]), tf.nn.in_top_k(x, [3, 0, 2], 1), tf.nn.in_top_k(x, [3, 0, 2], 2), tf.nn.in_top_k([[1.0, 1.0, 2.0]], [0], 2), tf.nn.in_top_k([[1.0, 1.0, 2.0]], [5], 2),
     tf.nn.in_top_k(tf.constant([[1.0, np.inf]]), [0], 2), tf.reduce_mean(tf.cast(tf.equal(tf.argmax(x, 1), tf.argmax(x + 1.0, 1)), tf.float32)), tf.reduce_mean(tf.to_float(tf.nn.in_top_k(x, tf.constant([3, 0, 2], tf.int64), 1))), tf.logical_not(x > 2.0), tf.is_nan(x), tf.is_finite(x), tf.argmax([3, 7, 7])]
with tf.Session() as s:
    for t in F:
        print(t, s.run(t).tolist())
    bad = tf.clip_by_global_norm([tf.constant([np.nan, 1.0])], 1.0)[0][0]
    print(s.run(bad).tolist())
for bad in (lambda: tf.argmax(x, 2, name="c0"), lambda: tf.argmax(tf.constant([True])), lambda: tf.nn.in_top_k(x, [1.0, 2.0, 3.0], 2), lambda: tf.nn.in_top_k(x, [3, 0], 2, name="c1"), lambda: tf.global_norm(a), lambda: tf.clip_by_global_norm(a, 1.0), lambda: tf.argmax(x, axis=1, dimension=1)):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
w = tf.get_variable("w", initializer=val(4, 2))
loss = tf.reduce_sum(tf.square(tf.matmul(x, w)))
opt = tf.train.GradientDescentOptimizer(0.1)
pairs = opt.compute_gradients(loss)
step = opt.apply_gradients([(tf.clip_by_norm(g, 1.0), v) for g, v in pairs])
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    for _ in range(3):
        s.run(step)
    print((np.round(s.run(w).astype("f8"), 4) + 0.0).tolist())
