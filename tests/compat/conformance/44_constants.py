"""Python's integers beyond int32, and numbers of the wrong kind: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
def show(f):
    try:
        t = f()
        with tf.Session() as s:
            v = s.run(t)
        print(t.dtype.name, t.shape, v.dtype, v.tolist())
    except (TypeError, ValueError, OverflowError) as err:
        print(type(err).__name__, err)
for c in (
    3000000000, -3000000000, [1, 3000000000], 2147483647, 2147483648, -2147483648, -2147483649, 2 ** 63 - 1, -2 ** 63,
    -2 ** 63 - 1, 2 ** 64, [[1, 2], [3, 2 ** 40]], True, [True, 2], [1, 2.5], [np.int64(5)], [np.int64(3000000000)], [np.float64(2.0)],
    [np.int8(5)], [1, np.int64(3)], np.int64(5), np.array([1, 2]), np.array(2 ** 40), ["a", 1], [1, [2, 3]], [None], [],
):
    show(lambda: tf.constant(c))
print("with a dtype")
for c, d in (
    (3000000000, "int64"), (3000000000, "int32"), (300, "int8"), (-1, "uint8"), (2 ** 63, "int64"), (2 ** 63, "uint64"), (2 ** 70, "int64"),
    (2 ** 70, "float32"), (2.5, "int32"), ([1, 2.5], "int32"), ([np.float64(2.5)], "int32"), (np.array([2.7]), "int32"), (1, "float32"),
    (1, "bool"), (0.0, "bool"), ([True, 1], "bool"), ([], "bool"), (True, "int32"), (np.array([1]), "bool"), ("a", "float32"), (1j, "float32"),
    ([None], "float32"),
):
    show(lambda: tf.constant(c, d))
print("operations")
i, k, d = tf.constant([1, 2]), tf.constant([1], "int64"), tf.constant([1.0], "float64")
for f in (
    lambda: k + 3000000000, lambda: k * 2, lambda: tf.fill([2], 3000000000), lambda: tf.fill([2], 7), lambda: tf.convert_to_tensor(3000000000),
    lambda: tf.stack([1, 3000000000]), lambda: tf.stack([1.5, 2]), lambda: tf.stack([[1, 2], [3, 4]], axis=1), lambda: tf.stack([[3], k]),
    lambda: tf.cast(3000000000, tf.float64), lambda: tf.reduce_sum([3000000000, 1]), lambda: tf.square(3000000000), lambda: i + np.array([1, 2]),
    lambda: tf.gather([3000000000, 5], [0]), lambda: tf.constant([1.5]) * 3000000000, lambda: i + 1.5, lambda: tf.ones_like([3000000000]),
    lambda: tf.concat([k, [3]], 0), lambda: tf.concat([[3.5], d], 0), lambda: tf.concat([[1], [3000000000]], 0), lambda: tf.stack([k, [3.5]]),
    lambda: tf.stack([tf.constant([1.0]), d]), lambda: tf.concat([tf.constant([1.0]), d], 0), lambda: tf.add_n([d, [2.0]]),
    lambda: tf.constant([1, 3000000000], shape=[3]),
):
    show(f)
print("feeds")
p, f = tf.placeholder(tf.int32, None), tf.placeholder(tf.float32, None)
with tf.Session() as s:
    for t, v in ((p, 7), (p, 3000000000), (p, -3000000000), (p, 2.7), (p, True), (f, 16777216), (f, 16777217), (tf.placeholder(tf.uint8, None), -1)):
        try:
            print(s.run(tf.identity(t), {t: v}).tolist())
        except TypeError as err:
            print(err)
print("variables")
v = tf.Variable(3000000000)
w = tf.get_variable("w", initializer=[3000000000, 1])
x = tf.get_variable("x", [2], tf.int64, tf.constant_initializer(3000000000))
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(v.dtype, w.dtype, s.run([v, w, x])[0].tolist(), s.run(w).tolist(), s.run(x).tolist())
