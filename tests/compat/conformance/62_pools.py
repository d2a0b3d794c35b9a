"""pools: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
import itertools
rng = np.random.RandomState(2)
def val(*s): return np.asarray(rng.randint(-4, 5, s) / 2.0).astype("f4")
def show(label, ys, xs):
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    gs = tf.gradients(ys, xs, [tf.constant(val(*y.shape.as_list())) for y in ys])
    with tf.Session() as s:
        vs = s.run(ys + [tf.convert_to_tensor(g) for g in gs if g is not None])
    print(label, [g if g is None else "rows" if isinstance(g, tf.IndexedSlices) else "whole" for g in gs])
    for v in vs:
        print(" ", v.shape, (np.round(v.astype("f8"), 3) + 0.0).ravel().tolist()[:12], "%.2f" % np.abs(v.astype("f8")).sum())
for pad, st, ks, f in itertools.product(["SAME", "VALID"], [1, 2, 3], [2, (3, 2), [1, 1, 2, 1]], [tf.nn.max_pool, tf.nn.avg_pool]):
    x = tf.constant(val(2, 5, 7, 2))
    y = f(x, ks, st, pad)
    print(y)
    show((pad, st, ks), y, [x])
equal = tf.constant(np.zeros((1, 4, 4, 1), "f4"))
show("all equal", tf.nn.max_pool(equal, 3, 1, "SAME"), [equal])
print(tf.nn.max_pool(tf.placeholder(tf.float32, [None, None, 7, 2]), 2, 2, "SAME"), tf.nn.avg_pool(tf.placeholder(tf.float32, [None, 9, 7, 2]), [1, 3, 3, 1], [1, 2, 2, 1], "VALID", name="pool"))
with tf.Session() as s:
    print(s.run(tf.nn.max_pool(tf.constant(np.arange(16).reshape(1, 4, 4, 1).astype("i4")), 2, 2, "VALID")).ravel().tolist())
x = tf.ones([1, 5, 5, 2])
for i, bad in enumerate((lambda n: tf.nn.max_pool(x, [1, 6, 6, 1], 1, "VALID", name=n), lambda n: tf.nn.max_pool(x, 0, 1, "VALID", name=n), lambda n: tf.nn.max_pool(x[0], 2, 2, "SAME", name=n), lambda n: tf.nn.max_pool(x, 2, 2, "foo", name=n), lambda n: tf.nn.max_pool(x, 2, 2, [[0, 0], [1, 1], [1, 1], [0, 0]], name=n),
            lambda n: tf.nn.avg_pool(tf.ones([1, 4, 4, 1], tf.int32), 2, 2, "SAME", name=n), lambda n: tf.nn.max_pool(tf.ones([1, 4, 4, 1], tf.bool), 2, 2, "SAME", name=n), lambda n: tf.nn.max_pool(x, [1, 2, 2], 2, "SAME", name=n), lambda n: tf.nn.avg_pool(x, 2, 0, "SAME", name=n))):
    try:
        print(bad("n%d" % i))
    except Exception as e:
        print(type(e).__name__, e)
