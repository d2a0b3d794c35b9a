"""convolution gradients: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
import itertools
rng = np.random.RandomState(1)
def val(*s): return np.asarray(rng.randint(-4, 5, s) / 2.0).astype("f4")
def show(label, ys, xs):
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    gs = tf.gradients(ys, xs, [tf.constant(val(*y.shape.as_list())) for y in ys])
    with tf.Session() as s:
        vs = s.run(ys + [tf.convert_to_tensor(g) for g in gs if g is not None])
    print(label, [g if g is None else "rows" if isinstance(g, tf.IndexedSlices) else "whole" for g in gs])
    for v in vs:
        print(" ", v.shape, (np.round(v.astype("f8"), 3) + 0.0).ravel().tolist()[:12], "%.2f" % np.abs(v.astype("f8")).sum())
for pad, st, ks in itertools.product(["SAME", "VALID", [[0, 0], [1, 2], [0, 1], [0, 0]]], [1, 2, (1, 3)], [(3, 2), (1, 1), 4]):
    x, k = tf.constant(val(2, 5, 6, 3)), tf.constant(val(*(ks if isinstance(ks, tuple) else (ks, ks)), 3, 2))
    y = tf.nn.conv2d(x, k, st, pad)
    print(y)
    show((str(pad), st, ks), y, [x, k])
x, k = tf.constant(val(2, 5, 6, 3)), tf.constant(val(3, 3, 3, 2))
show("transposed", tf.nn.conv2d_transpose(tf.constant(val(2, 3, 3, 2)), tf.constant(val(3, 3, 4, 2)), [2, 6, 6, 4], 2), [])
show("by input", tf.nn.conv2d_backprop_input([2, 5, 6, 3], k, tf.constant(val(2, 5, 6, 2)), [1, 1, 1, 1], "SAME"), [k])
show("by filter", tf.nn.conv2d_backprop_filter(x, [3, 3, 3, 2], tf.constant(val(2, 3, 3, 2)), [1, 2, 2, 1], "SAME"), [x])
y = tf.reduce_sum(tf.nn.relu(tf.nn.conv2d(x, k, 1, "SAME")))
gx = tf.gradients(y, x)[0]
show("twice", tf.reduce_sum(gx * gx, [1, 2, 3]), [k])
b = tf.constant(val(3))
for t, form in [(tf.constant(val(2, 3)), None), (x, "NHWC"), (tf.constant(val(2, 3, 4)), "NCHW"), (tf.constant(val(2, 3, 4, 2)), "NCHW")]:
    show(("bias", form), tf.nn.bias_add(t, b, form), [t, b])
x = tf.ones([1, 5, 5, 2])
k = tf.ones([3, 3, 2, 4])
for bad in (lambda: tf.nn.conv2d(x, k, 1, "FOO"), lambda: tf.nn.conv2d(x, k, [1, 1, 1], "SAME"), lambda: tf.nn.conv2d(x, k, 1), lambda: tf.nn.conv2d(x, k, 1, "SAME", data_format="NHCW"), lambda: tf.nn.conv2d(x, k, 1, [[0, 0], [1, 2], [1, 0]]),
            lambda: tf.nn.conv2d(x, k, 1, [[0, 0], [1, 2], [1, 0], 3]), lambda: tf.nn.conv2d(x, k, 1, [[0, 0], [1, 2], [1, 0], [3]]), lambda: tf.nn.conv2d(x, k, 1, "EXPLICIT"), lambda: tf.nn.conv2d(x, tf.ones([3, 3, 2, 4], tf.float64), 1, "VALID"),
            lambda: tf.nn.conv2d(tf.ones([1, 5, 5, 2], tf.int32), tf.ones([3, 3, 2, 4], tf.int32), 1, "VALID"), lambda: tf.nn.bias_add(x, tf.ones([3])), lambda: tf.nn.bias_add(x, tf.ones([2, 1])), lambda: tf.nn.bias_add(x, tf.ones([2]), "CN"), lambda: tf.nn.bias_add(tf.ones([3]), tf.ones([3])),
            lambda: tf.nn.bias_add(tf.ones([3, 2]), tf.ones([3]), "NCHW")):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
for i, bad in enumerate((lambda n: tf.nn.conv2d(x, tf.ones([3, 3, 3, 4]), 1, "SAME", name=n), lambda n: tf.nn.conv2d(x[0], k, 1, "SAME", name=n), lambda n: tf.nn.conv2d(x, tf.ones([7, 3, 2, 1]), 1, "VALID", name=n), lambda n: tf.nn.conv2d(x, k, 0, "VALID", name=n),
            lambda n: tf.nn.conv2d(x, k, 1, "VALID", dilations=3, name=n), lambda n: tf.nn.conv2d(x, k, 1, "VALID", dilations=0, name=n), lambda n: tf.nn.conv2d(x, k, 1, [[1, 0], [1, 2], [1, 0], [0, 0]], name=n))):
    try:
        print(bad("n%d" % i))
    except Exception as e:
        print(type(e).__name__, e)
