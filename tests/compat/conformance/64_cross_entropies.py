"""cross entropies: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(4)
def val(*s): return np.asarray(rng.randint(-4, 5, s) / 2.0).astype("f4")
def show(label, ys, xs):
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    gs = tf.gradients(ys, xs, [tf.constant(val(*y.shape.as_list())) for y in ys])
    with tf.Session() as s:
        vs = s.run(ys + [tf.convert_to_tensor(g) for g in gs if g is not None])
    print(label, [g if g is None else "rows" if isinstance(g, tf.IndexedSlices) else "whole" for g in gs])
    for v in vs:
        print(" ", v.shape, (np.round(v.astype("f8"), 3) + 0.0).ravel().tolist()[:12], "%.2f" % np.abs(v.astype("f8")).sum())
N = tf.nn
z = tf.constant(val(4, 5) * 2)
lab = tf.constant((np.abs(val(4, 5)) + 0.5))
lab /= tf.reduce_sum(lab, 1, keepdims=True)
def both(label, y, xs):
    print(y)
    show(label, y, xs)
both("v1", N.softmax_cross_entropy_with_logits(labels=lab, logits=z), [z, lab])
both("v2", N.softmax_cross_entropy_with_logits_v2(labels=lab, logits=z, name="xe"), [z, lab])
both("axis", N.softmax_cross_entropy_with_logits_v2(labels=tf.transpose(lab), logits=tf.transpose(z), axis=0), [z, lab])
both("rank 3", N.softmax_cross_entropy_with_logits_v2(labels=tf.reshape(lab, [2, 2, 5]), logits=tf.reshape(z, [2, 2, 5])), [z, lab])
both("integers", N.softmax_cross_entropy_with_logits(labels=tf.one_hot([1, 2, 0, 3], 5, dtype=tf.int32), logits=z), [z])
both("sparse", N.sparse_softmax_cross_entropy_with_logits(labels=[1, 2, 0, 4], logits=z), [z])
both("sparse named", N.sparse_softmax_cross_entropy_with_logits(labels=tf.constant([1, 2, 0, 4], tf.int64), logits=z, name="sp"), [z])
both("sparse 3", N.sparse_softmax_cross_entropy_with_logits(labels=[[1, 2], [0, 4]], logits=tf.reshape(z, [2, 2, 5])), [z])
both("sigmoid", N.sigmoid_cross_entropy_with_logits(labels=lab, logits=z), [z, lab])
both("weighted", N.weighted_cross_entropy_with_logits(lab, z, 2.5), [z, lab])
both("targets", N.weighted_cross_entropy_with_logits(targets=lab, logits=z, pos_weight=0.5, name="w"), [z])
big = tf.constant([[1e4, -1e4, 0.0], [-800.0, -900.0, -1000.0]])
both("large", N.softmax_cross_entropy_with_logits_v2(labels=[[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]], logits=big), [big])
both("large sigmoid", N.sigmoid_cross_entropy_with_logits(labels=tf.zeros([2, 3]), logits=big), [big])
L = lambda *a: tf.ones(a)
F = [lambda: N.softmax_cross_entropy_with_logits(L(2, 3), L(2, 3)), lambda: N.softmax_cross_entropy_with_logits(logits=L(2, 3)), lambda: N.softmax_cross_entropy_with_logits_v2(labels=L(2, 4), logits=L(2, 3), name="bad"),
     lambda: N.softmax_cross_entropy_with_logits_v2(labels=L(2, 3), logits=tf.ones([2, 3], tf.int32)), lambda: N.sparse_softmax_cross_entropy_with_logits(labels=[[1], [1]], logits=L(2, 3)),
     lambda: N.sparse_softmax_cross_entropy_with_logits(labels=[1, 1, 1], logits=L(2, 3)), lambda: N.sparse_softmax_cross_entropy_with_logits(labels=[1.0, 1.0], logits=L(2, 3)), lambda: N.sparse_softmax_cross_entropy_with_logits(labels=1, logits=tf.constant(1.0)),
     lambda: N.sparse_softmax_cross_entropy_with_logits([1, 2], L(2, 3)), lambda: N.sigmoid_cross_entropy_with_logits(labels=L(2, 1), logits=L(2, 3)), lambda: N.sigmoid_cross_entropy_with_logits(labels=tf.ones([2, 3], tf.int32), logits=L(2, 3)),
     lambda: N.weighted_cross_entropy_with_logits(L(2, 3), L(2, 1), 2.0), lambda: N.weighted_cross_entropy_with_logits(labels=L(1), targets=L(1), logits=L(1), pos_weight=1.0)]
for bad in F:
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
with tf.Session() as s:
    for wrong in ([1, 3], [1, -1]):
        try:
            s.run(N.sparse_softmax_cross_entropy_with_logits(labels=wrong, logits=L(2, 3)))
        except tf.errors.InvalidArgumentError as e:
            print(e.message.split("\n")[0])
