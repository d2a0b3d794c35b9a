"""integers divided, and what has no integers: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
def show(f):
    try:
        t = f()
        if not isinstance(t, tf.Tensor):
            print(type(t).__name__, t)
            return
        with tf.Session() as s:
            v = s.run(t)
        print(t.name, t.dtype.name, t.shape, v.dtype, v.tolist())
    except (TypeError, ValueError) as err:
        print(type(err).__name__, err)
    except tf.errors.InvalidArgumentError as err:
        print(type(err).__name__, str(err).split("\n")[0])
i, j = tf.constant([7, -7]), tf.constant([2, 2])
for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16"):
    a = tf.constant([7, 100], kind)
    for f in (lambda: a / 2, lambda: 2 / a, lambda: tf.truediv(a, a), lambda: tf.divide(a, 3), lambda: tf.div(a, 3), lambda: a // 2):
        show(f)
print("division")
for f in (
    lambda: i / 2, lambda: i // 2, lambda: i % 4, lambda: tf.div(i, j), lambda: tf.mod(i, 4), lambda: tf.floormod(i, 4),
    lambda: tf.divide(7, 2), lambda: tf.divide(7, 2, name="x"), lambda: tf.truediv(7, 2), lambda: tf.div(7, 2), lambda: tf.div(7.0, 2),
    lambda: tf.truediv(tf.constant(7.0, "float64"), 2.0), lambda: tf.divide(2.0, tf.constant(7.0, "float64")),
    lambda: tf.div(tf.constant(7.0, "float64"), 2), lambda: tf.truediv(tf.constant([7], "int8"), 2), lambda: tf.truediv(True, False),
    lambda: i / 2.5, lambda: tf.div(i, 2.5), lambda: 2.5 / i, lambda: i / tf.constant(2.0), lambda: tf.div(i, j, name="nm"),
    lambda: tf.truediv(i, j, name="nm2"), lambda: tf.divide(i, j, name="nm3"), lambda: tf.math.divide(i, j),
    lambda: 1 / tf.size(tf.ones([2, 3])), lambda: tf.reduce_sum(tf.ones([2, 3])) / tf.size(tf.ones([2, 3])),
    lambda: tf.constant([7], "uint32") / 2, lambda: tf.constant([7], "int8") % 2,
):
    show(f)
print("by zero")
for f in (lambda: i // 0, lambda: i % 0, lambda: tf.div(i, 0), lambda: i // np.array([0, 1], np.int32), lambda: 2 ** i):
    show(f)
print("floats only")
for name in ("exp", "log", "log1p", "sqrt", "rsqrt", "tanh", "sigmoid", "floor", "ceil"):
    show(lambda: getattr(tf, name)(i))
for f in (lambda: tf.nn.softmax(i), lambda: tf.norm(i), lambda: tf.norm(i, 1), lambda: tf.nn.l2_loss(i), lambda: tf.pow(tf.constant([2], "int8"), 7)):
    show(f)
for f in (tf.negative, tf.abs, tf.sign, tf.square):
    show(lambda: f(tf.constant([1], "uint8")))
print("means")
for f in (
    lambda: tf.reduce_mean([-7, 2]), lambda: tf.reduce_mean([7, 2]), lambda: tf.reduce_mean(tf.constant([100, 100, 100], "int8")),
    lambda: tf.reduce_mean(tf.constant([[2147483647, 2147483647]]), 1), lambda: tf.reduce_mean(tf.constant([[-7, 2], [3, 4]], "int64"), 0),
    lambda: tf.reduce_mean(tf.zeros([0], "int32")), lambda: tf.reduce_mean(tf.constant([True, False])), lambda: tf.reduce_sum(tf.constant([True, False])),
):
    show(f)
print("penalties")
w = tf.get_variable("w", initializer=[[1.0, -2.0, 3.0]], regularizer=lambda v: tf.reduce_sum(tf.abs(v)) * tf.cast(1 / tf.size(v), tf.float32))
loss = tf.losses.get_regularization_loss()
grads = tf.gradients(loss, w)
print(tf.gradients(tf.reduce_sum(tf.cast(i, tf.float32)), i), tf.gradients(tf.reduce_sum(tf.cast(tf.cast(w, tf.int32), tf.float32)), w))
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(loss.name, s.run(loss).round(6), s.run(grads)[0].round(6).tolist())
