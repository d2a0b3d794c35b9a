"""products, slices and other rearrangements: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(7)
def val(*s): return np.asarray(rng.randint(-4, 5, s) / 2.0).astype("f4")
def show(label, ys, xs):
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    gs = tf.gradients(ys, xs, [tf.constant(val(*y.shape.as_list())) for y in ys])
    with tf.Session() as s:
        vs = s.run(ys + [tf.convert_to_tensor(g) for g in gs if g is not None])
    print(label, [g if g is None else "rows" if isinstance(g, tf.IndexedSlices) else "whole" for g in gs])
    for v in vs:
        print(" ", v.shape, (np.round(v.astype("f8"), 3) + 0.0).ravel().tolist()[:12], "%.2f" % np.abs(v.astype("f8")).sum())
a, b, c, d = tf.constant(val(3, 4)), tf.constant(val(3, 4)), tf.constant(val(4)), tf.constant(val(3, 1))
m, m2, m3, m4 = tf.constant(val(2, 3, 4)), tf.constant(val(2, 4, 5)), tf.constant(val(1, 4, 5)), tf.constant(val(4, 5))
def both(y, xs):
    print(y)
    show("", y, xs)
for x, y in [(m, m2), (m, m3), (m, m4), (a, m4)]:
    both(tf.matmul(x, y), [x, y])
both(tf.matmul(m, m, transpose_a=True), [m]); both(tf.matmul(m, m, transpose_b=True), [m]); both(tf.matmul(a, b, transpose_a=True), [a, b]); both(tf.matmul(a, m4[:, :3], transpose_a=True, transpose_b=True), [a, m4]); both(a @ m4, [a])
both(tf.tensordot(m, m4, 1), [m, m4]); both(tf.tensordot(m, b, [[2], [1]]), [m, b]); both(tf.tensordot(m, b, [[1, 2], [0, 1]]), [m, b]); both(tf.tensordot(m, b, [[2, 1], [1, 0]]), [m, b])
both(tf.concat([a, d, b], 1), [a, d, b]); both(tf.stack([a, b], 1), [a, b]); both(tf.stack([a, b], -1), [a, b]); both(tf.split(a, 2, 1), [a]); both(tf.split(a, [1, -1], 1)[1], [a]); both(tf.unstack(a, axis=1), [a]); both(tf.unstack(a)[0], [a])
both(tf.pad(a, [[1, 2], [0, 1]]), [a]); both(tf.pad(a, [[1, 2], [0, 1]], constant_values=3), [a]); both(tf.pad(a, [[1, 2], [0, 1]], "REFLECT"), [a]); both(tf.pad(a, [[2, 1], [3, 1]], "SYMMETRIC"), [a])
both(tf.tile(a, [2, 3]), [a]); both(tf.transpose(m, [2, 0, 1]), [m]); both(tf.reshape(m, [4, -1]), [m]); both(tf.squeeze(d, 1), [d]); both(tf.squeeze(d), [d]); both(tf.expand_dims(a, 1), [a]); both(tf.reverse(a, [1]), [a]); both(tf.cumsum(a, 1), [a]); both(tf.cumsum(a, 0, exclusive=True, reverse=True), [a])
for k in [np.s_[0], np.s_[:, 1], np.s_[1:, ::2], np.s_[::-1, None], np.s_[..., -1], np.s_[-2:], np.s_[:, 1:3], np.s_[:, tf.newaxis]]:
    both(a[k], [a])
both(a[tf.constant(1)], [a]); both(tf.slice(a, [0, 1], [2, 2]), [a]); both(tf.strided_slice(a, [0, 1], [2, 4], [1, 2]), [a]); both(tf.nn.top_k(b + tf.constant(np.arange(12).reshape(3, 4) / 64.0, tf.float32), 2)[0], [b])
p = tf.placeholder(tf.float32, [None, 5])
print(p[0], p[:, 0], p[:3], p[1:], p[..., None], tf.split(p, 5, 1)[3], tf.unstack(p, axis=1)[0], tf.tile(p, [1, 2]), tf.reshape(p, [-1]), tf.concat([p, p], 0), tf.stack([p, p]), tf.expand_dims(p, 0), tf.squeeze(p[:, :1], 1), tf.pad(p, [[0, 0], [1, 1]]), tf.transpose(p))
with tf.Session() as s:
    n = tf.shape(p)[0]
    print([v.shape for v in s.run([p[: n - 1], p[n // 2 :, 1], tf.tile(p, [n, 1]), tf.reshape(p, [n * 5]), tf.fill([n, 2], 1.0), p[n - 1]], {p: np.zeros((4, 5))})])
    for v in s.run([tf.range(5), tf.range(1, 6, 2), tf.range(0.0, 1.0, 0.25), tf.range(n), tf.one_hot([0, 2, -1, 5], 3), tf.one_hot([[0, 2], [1, 1]], 3, axis=0), tf.one_hot([0, 2], 3, 5.0, -1.0), tf.one_hot([1], 2, dtype=tf.int32), tf.where(a > 0), tf.boolean_mask(a, [True, False, True]), tf.round([0.5, 1.5, 2.5, -0.5])], {p: np.zeros((3, 5))}):
        print(v.dtype, v.shape, v.ravel().tolist())
for t in (tf.range(5), tf.range(0.0, 1.0, 0.25), tf.one_hot([0, 2], 3), tf.one_hot(tf.placeholder(tf.int32, [None]), 10), tf.where(a > 0), tf.boolean_mask(a, [True, False, True]), tf.to_int32(a), tf.to_double(a), tf.to_int64(a), tf.to_float(tf.range(3))):
    print(t)
x = tf.constant(np.arange(12, dtype="f4").reshape(3, 4))
for bad in (lambda: tf.matmul(x, x, name="a0"), lambda: tf.matmul(x[0], x, name="a1"), lambda: tf.concat([x, tf.ones([1, 1])], 0, name="a2"), lambda: tf.concat([x, x], 2, name="a3"), lambda: tf.split(x, 5, name="a4"), lambda: tf.split(x, [1, 1], 1, name="a5"), lambda: tf.unstack(p), lambda: tf.unstack(x, num=2, name="a6"),
            lambda: tf.pad(x, [[1, 1]], name="a8"), lambda: tf.pad(x, [[1, 1], [1, 1]], "foo"), lambda: tf.tile(x, [2], name="a9"), lambda: tf.squeeze(tf.ones([1, 3, 1]), [1], name="b0"), lambda: tf.expand_dims(x, 5, name="b1"), lambda: tf.reshape(x, [5, -1], name="b2"), lambda: tf.one_hot([0.5], 3), lambda: tf.one_hot([0, 1], 3, on_value=1.0, dtype=tf.int32), lambda: x[1.0], lambda: tf.gather(x, [0.0])):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
