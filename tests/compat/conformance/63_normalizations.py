"""normalizations and dropout: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(3)
def val(*s): return np.asarray(rng.randint(-4, 5, s) / 2.0).astype("f4")
def show(label, ys, xs):
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    gs = tf.gradients(ys, xs, [tf.constant(val(*y.shape.as_list())) for y in ys])
    with tf.Session() as s:
        vs = s.run(ys + [tf.convert_to_tensor(g) for g in gs if g is not None])
    print(label, [g if g is None else "rows" if isinstance(g, tf.IndexedSlices) else "whole" for g in gs])
    for v in vs:
        print(" ", v.shape, (np.round(v.astype("f8"), 3) + 0.0).ravel().tolist()[:12], "%.2f" % np.abs(v.astype("f8")).sum())
x = tf.constant(val(3, 4, 5, 2))
scale, offset = tf.constant([1.5, -2.0]), tf.constant([0.5, 1.0])
y, mean, variance = tf.nn.fused_batch_norm(x, scale, offset)
print(y, mean, variance)
show("fused", [y], [x, scale, offset])
with tf.Session() as s:
    print([np.round(v.astype("f8"), 4).tolist() for v in s.run([mean, variance])])
y = tf.nn.fused_batch_norm(x, scale, offset, tf.constant([0.5, 0.25]), tf.constant([1.0, 2.0]), is_training=False, epsilon=0.01, name="infer")[0]
print(y)
show("inference", y, [x, scale, offset])
m, v = tf.nn.moments(x, [0, 1, 2])
print(m, v)
y = tf.nn.batch_normalization(x, m, v, offset, scale, 1e-3)
print(y)
show("composed", y, [x, scale, offset])
show("moments", [m, v], [x])
m, v = tf.nn.moments(x[0, 0], 1, keep_dims=True, name="mom")
print(m, v, tf.nn.batch_normalization(x, m, v, None, None, 0.1))
show("kept", [m, v], [x])
show("xw_plus_b", tf.nn.xw_plus_b(x[0, 0], tf.constant(val(2, 3)), tf.constant(val(3))), [x])
for bad in (lambda: tf.nn.fused_batch_norm(x, tf.ones([3]), tf.ones([2]), name="a"), lambda: tf.nn.fused_batch_norm(x[0], scale, offset, name="b"), lambda: tf.nn.fused_batch_norm(x, scale, offset, mean=scale), lambda: tf.nn.dropout(x, rate=1.0), lambda: tf.nn.dropout(x), lambda: tf.nn.dropout(x, "a"),
            lambda: tf.nn.dropout(x, 0.5, rate=0.1), lambda: tf.nn.dropout(x, tf.constant([0.5])), lambda: tf.nn.dropout(tf.constant([1]), 0.5), lambda: tf.nn.dropout(x, 0.0)):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
with tf.Graph().as_default():
    keep = tf.placeholder_with_default(0.5, [])
    big = tf.ones([200, 100])
    d = tf.nn.dropout(big, keep, seed=3)
    rows = tf.nn.dropout(big, rate=0.25, noise_shape=[200, 1])
    g = tf.gradients(tf.reduce_sum(d * d), big)[0]
    print(d, rows, tf.nn.dropout(big, 1.0) is big, tf.nn.dropout(tf.placeholder(tf.float32, [None, 3]), 0.5, name="q"))
    with tf.Session() as s:
        a, b, c = s.run([d, g, rows])
        print(sorted(set(a.ravel().tolist())), abs(a.mean() - 1) < 0.05, np.array_equal(b, a * 4), sorted(set(np.round(c, 4).ravel().tolist())) == sorted(set(np.round(np.float32([0, 1 / 0.75]), 4).tolist())), set((c == c[:, :1]).ravel().tolist()))
        print(s.run(d, {keep: 1.0}).mean(), np.array_equal(*[s.run(d) for _ in range(2)]))
image = tf.constant((np.arange(24).reshape(1, 2, 2, 6) % 7 / 2.0).astype("f4"))
for y in (tf.nn.lrn(image, 2, bias=1.0, alpha=0.5, beta=0.75), tf.nn.local_response_normalization(image, name="norm")):
    print(y)
    show("lrn", y, [image])
z = tf.nn.zero_fraction(image)
yes, no = tf.constant([True, False]), tf.constant([True, True])
with tf.Session() as s:
    print(z, "%.5f" % s.run(z))
    for t in (yes & no, yes | no, ~yes, yes ^ no, tf.logical_xor(yes, no)):
        print(t, s.run(t).tolist())
show("log_sigmoid", tf.log_sigmoid(image), [image])
