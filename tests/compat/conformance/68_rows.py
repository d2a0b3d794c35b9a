"""gradients by rows: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(8)
def val(*s): return np.asarray(rng.randint(-4, 5, s) / 2.0).astype("f4")
def show(label, ys, xs):
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    gs = tf.gradients(ys, xs, [tf.constant(val(*y.shape.as_list())) for y in ys])
    with tf.Session() as s:
        vs = s.run(ys + [tf.convert_to_tensor(g) for g in gs if g is not None])
    print(label, [g if g is None else "rows" if isinstance(g, tf.IndexedSlices) else "whole" for g in gs])
    for v in vs:
        print(" ", v.shape, (np.round(v.astype("f8"), 3) + 0.0).ravel().tolist()[:12], "%.2f" % np.abs(v.astype("f8")).sum())
a, c = tf.constant(val(3, 4)), tf.constant(val(4))
show("rows", tf.gather(a, [0, 2, 0]), [a]); show("columns", tf.gather(a, [[3, 1], [1, 1]], axis=1), [a]); show("numbers", tf.gather(c, [1, 1]), [c]); show("lookup", tf.nn.embedding_lookup(a, [[1, 2], [2, 2]]), [a])
show("two", [tf.gather(a, [0, 2]), tf.gather(a, [2])], [a]); show("mixed", [tf.gather(a, [0, 2]), a * 2.0], [a]); show("through", tf.reshape(tf.gather(tf.reshape(a, [4, 3]), [0, 0]), [3, 2]), [a]); show("identity", tf.gather(tf.identity(a), [1]), [a]); show("scaled", tf.gather(a * 2.0, [1, 1]), [a])
print(tf.gather(a, [0, 1]), tf.nn.embedding_lookup(a, [1], name="e"), tf.gather(a, 1), tf.gather(a, tf.placeholder(tf.int32, [None, 2])))
v = tf.get_variable("emb", [5, 3], initializer=tf.ones_initializer(), regularizer=tf.contrib.layers.l2_regularizer(0.1))
ids = tf.placeholder(tf.int32, [None], name="ids")
e = tf.nn.embedding_lookup(v, ids)
g = tf.gradients(tf.reduce_sum(e * e), v)[0]
print(type(g).__name__, g.dtype, g.values.shape, g.indices.shape)
O = tf.train
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    r = s.run(g, {ids: [1, 3, 1]})
    print(type(r).__name__, r.values.tolist(), r.indices.tolist(), r.dense_shape.tolist())
    clipped, norm = tf.clip_by_global_norm([g, tf.constant([3.0])], 1.0)
    by_norm, by_value = tf.clip_by_norm(g, 2.0), tf.clip_by_value(g, -0.5, 1.5)
    print(type(clipped[0]).__name__, type(by_norm).__name__, type(by_value).__name__)
    for q in s.run([clipped[0], norm, by_norm, by_value], {ids: [1, 3, 1]}):
        print((np.round(np.asarray(q.values if hasattr(q, "values") else q, "f8"), 4)).tolist())
    for loss in (tf.reduce_sum(e * e) + tf.reduce_mean(tf.nn.embedding_lookup(v, [[0, 1]])), tf.reduce_sum(e * e) + tf.losses.get_regularization_loss()):
        for opt in (O.GradientDescentOptimizer(0.1), O.MomentumOptimizer(0.1, 0.9), O.AdagradOptimizer(0.1), O.AdamOptimizer(0.1), O.RMSPropOptimizer(0.1), O.FtrlOptimizer(0.1)):
            step = opt.minimize(loss)
            s.run(tf.global_variables_initializer())
            for _ in range(3):
                s.run(step, {ids: [1, 3, 1]})
            print((np.round(s.run(v).astype("f8"), 4) + 0.0).ravel().tolist())
    for wrong in ([0, 5], [-1]):
        try:
            s.run(e, {ids: wrong})
        except tf.errors.InvalidArgumentError as err:
            print(err.message.split("\n")[0])
