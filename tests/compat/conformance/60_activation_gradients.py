"""activation gradients: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(0)
def val(*s): return np.asarray(rng.randint(-4, 5, s) / 2.0).astype("f4")
def show(label, ys, xs):
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    gs = tf.gradients(ys, xs, [tf.constant(val(*y.shape.as_list())) for y in ys])
    with tf.Session() as s:
        vs = s.run(ys + [tf.convert_to_tensor(g) for g in gs if g is not None])
    print(label, [g if g is None else "rows" if isinstance(g, tf.IndexedSlices) else "whole" for g in gs])
    for v in vs:
        print(" ", v.shape, (np.round(v.astype("f8"), 3) + 0.0).ravel().tolist()[:12], "%.2f" % np.abs(v.astype("f8")).sum())
z = tf.constant(val(4, 5) * 2)
F = [("relu", tf.nn.relu), ("relu6", tf.nn.relu6), ("elu", tf.nn.elu), ("selu", tf.nn.selu), ("softplus", tf.nn.softplus), ("softsign", tf.nn.softsign), ("leaky", tf.nn.leaky_relu),
     ("leaky2", lambda t: tf.nn.leaky_relu(t, alpha=0.5, name="lk")), ("sigmoid", tf.sigmoid), ("tanh", tf.tanh), ("softmax", tf.nn.softmax), ("log_softmax", tf.nn.log_softmax), ("softmax0", lambda t: tf.nn.softmax(t, axis=0)),
     ("log_softmax0", lambda t: tf.nn.log_softmax(t, axis=0)), ("exp", tf.exp), ("expm1", tf.expm1), ("sin", tf.sin), ("cos", tf.cos), ("abs", tf.abs), ("sign", tf.sign), ("square", tf.square), ("l2n", lambda t: tf.nn.l2_normalize(t, 1))]
for name, f in F:
    y = f(z)
    print(y)
    show(name, y, [z])
p = tf.constant(np.abs(val(3, 4)) + 0.5)
for name, f in [("sqrt", tf.sqrt), ("rsqrt", tf.rsqrt), ("log", tf.log), ("log1p", tf.log1p), ("reciprocal", tf.reciprocal)]:
    show(name, f(p), [p])
x = tf.constant(val(2, 3))
w = tf.constant(val(3, 2))
for name, act in [("relu", tf.nn.relu), ("tanh", tf.tanh), ("sigmoid", tf.sigmoid), ("elu", tf.nn.elu), ("softplus", tf.nn.softplus)]:
    y = tf.reduce_sum(act(tf.matmul(act(tf.matmul(x, w) + 0.3), w, transpose_b=True)))
    gx = tf.gradients(y, x)[0]
    show("penalty of " + name, tf.reduce_sum(tf.square(gx)) + 0.5 * tf.reduce_sum(gx, 1), [w])
for bad in (lambda: tf.nn.relu(True), lambda: tf.nn.elu(1), lambda: tf.nn.softplus(1), lambda: tf.nn.relu6(True), lambda: tf.nn.softmax(1), lambda: tf.nn.softmax(tf.ones([3]), axis=1), lambda: tf.floor(1)):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
print(tf.gradients(tf.floor(z), z), tf.gradients(tf.stop_gradient(z), z), tf.gradients(tf.argmax(z), z), tf.gradients(tf.round(z), z))
