"""losses: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(5)
T = tf.losses
R = T.Reduction
y0 = rng.randint(0, 2, (4, 3)).astype("f4")
x0 = (rng.randint(1, 9, (4, 3)) / 10.0).astype("f4")
x, y = tf.placeholder(tf.float32, [4, 3], name="x"), tf.constant(y0)
u = tf.placeholder(tf.float32, [None, 3], name="u")
L = lambda *a: tf.ones(a)
all_weights = [1.0, 2.0, 3, 0.0, [[1.0], [0.0], [2.0], [1.0]], [[1.0, 0.0, 2.0]], np.eye(4, 3, dtype="f4")]
made = []
for f in (T.mean_squared_error, T.absolute_difference, T.huber_loss, T.hinge_loss, T.log_loss, T.sigmoid_cross_entropy):
    for w in all_weights:
        made.append(f(y, x, w))
    for r in R.all():
        made.append(f(y, x, 0.5, reduction=r))
made += [T.huber_loss(y, x, delta=0.3), T.log_loss(y, x, epsilon=0.1, scope="log"), T.cosine_distance(y, x, 1), T.cosine_distance(y, x, axis=0, weights=[[2.0, 0.0, 1.0]])]
for w in (1.0, 2.0, [1.0, 0.0, 2.0, 0.5], 0.0):
    for s in (0, 0.25):
        made.append(T.softmax_cross_entropy(y, x, w, label_smoothing=s))
    made += [T.sparse_softmax_cross_entropy([0, 2, 1, 1], x, w), T.sparse_softmax_cross_entropy([[0], [2], [1], [1]], x, w, scope="sparse")]
made += [T.sigmoid_cross_entropy(y, x, label_smoothing=0.2), T.sigmoid_cross_entropy(tf.cast(y, tf.int32), x), T.compute_weighted_loss(x * x, 2.0), T.compute_weighted_loss(u, u), T.compute_weighted_loss(tf.cast(x, tf.float64), 2.0, scope="wide"), T.mean_squared_error(tf.cast(y, tf.int32), tf.cast(x, tf.float64)),
         T.mean_squared_error(y, x, loss_collection=None), T.mean_squared_error(y, x, loss_collection="mine"), T.mean_squared_error(y, x, tf.placeholder_with_default(2.0, None))]
for t in made:
    print(t)
print([t.name for t in T.get_losses()] == [t.name for t in made[:-3] + made[-1:]], [t.name for t in T.get_losses("sparse/")], len(T.get_losses(loss_collection="mine")), tf.GraphKeys.LOSSES)
with tf.Session() as s:
    for t in made:
        g = tf.gradients(t, [x, u])
        v, d = s.run([t, [q for q in g if q is not None]], {x: x0, u: x0})
        print(np.round(np.asarray(v, "f8"), 4).ravel().tolist(), [(np.round(q.astype("f8"), 4) + 0.0).ravel().tolist() for q in d])
with tf.Graph().as_default(), tf.Session() as s:
    w = tf.get_variable("w", [2], initializer=tf.ones_initializer(), regularizer=tf.contrib.layers.l2_regularizer(0.5))
    T.mean_squared_error([1.0, 2.0], w * 2)
    T.add_loss(tf.constant(3.0, name="mine"))
    s.run(tf.global_variables_initializer())
    print(T.get_total_loss(), ["%g" % q for q in s.run([T.get_total_loss(), T.get_total_loss(False), T.get_total_loss(scope="mean"), T.get_regularization_loss()])], [t.name for t in T.get_losses()])
p3, p4 = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None, 4])
for bad in (lambda: T.mean_squared_error(L(2, 3), L(2, 1)), lambda: T.mean_squared_error(L(2, 3), L(2, 3), L(2)), lambda: T.mean_squared_error(L(2, 3), L(2, 3), L(3, 1)), lambda: T.mean_squared_error(L(2, 3), L(2, 3), reduction="foo"), lambda: T.mean_squared_error(None, L(2)), lambda: T.mean_squared_error(L(2), None),
            lambda: T.hinge_loss(L(2), None), lambda: T.sigmoid_cross_entropy(None, L(2)), lambda: T.softmax_cross_entropy(None, L(2)), lambda: T.sparse_softmax_cross_entropy(None, L(2)), lambda: T.softmax_cross_entropy(L(2, 3), L(2, 4)), lambda: T.sigmoid_cross_entropy(L(2, 1), L(2, 3)), lambda: T.cosine_distance(L(2), L(2)),
            lambda: T.sparse_softmax_cross_entropy([0, 1, 2], L(2, 3)), lambda: T.log_loss(L(2, 3), L(3, 2)), lambda: T.mean_squared_error(p3, p4)):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
