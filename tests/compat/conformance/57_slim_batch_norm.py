"""slim batch_norm and training: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
slim = tf.contrib.slim
rng = np.random.RandomState(8)
X, H = (rng.randn(6, 5, 5, 3) * 2 + 1).astype(np.float32), (rng.randn(7, 4) * 3 - 1).astype(np.float32)
images, rows = tf.placeholder(tf.float32, [None, 5, 5, 3]), tf.placeholder(tf.float32, [None, 4])
flag = tf.placeholder_with_default(False, [])
def both(one, other):
    union = dict(one)
    union.update(other)
    return union
def show(name, *arrays):
    print(name, *[" ".join("%.4g" % (v + 0.0) for v in np.ravel(a)[:5]) for a in arrays])
feed = {images: X, rows: H}
cases = {
    "images": lambda **k: slim.batch_norm(images, decay=0.8, **k),
    "forced": lambda **k: slim.batch_norm(images, decay=0.8, scale=True, updates_collections=None, **k),
    "rows": lambda **k: slim.batch_norm(rows, decay=0.5, scale=True, **k),
    "rows_forced": lambda **k: slim.batch_norm(rows, decay=0.5, updates_collections=None, **k),
    "rows_unfused": lambda **k: slim.batch_norm(rows, decay=0.5, fused=False, center=False, **k),
    "debiased": lambda **k: slim.batch_norm(rows, decay=0.5, zero_debias_moving_mean=True, **k),
}
for name in ("images", "forced", "rows", "rows_forced", "rows_unfused", "debiased"):
    for training in (True, False, flag):
        kind = "flag" if training is flag else str(training)
        if name == "debiased" and training is flag:
            continue
        with tf.variable_scope("%s_%s" % (name, kind)) as scope:
            first = len(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
            y = cases[name](is_training=training, activation_fn=tf.nn.relu)
            updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)[first:]
            grads = tf.gradients(tf.reduce_sum(tf.square(y) * 0.1), [rows if "rows" in name or name == "debiased" else images] + scope.trainable_variables())
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for value in ([False, True] if training is flag else [None]):
                more = {flag: value} if training is flag else {}
                for _ in range(2):
                    sess.run([y] + updates, both(feed, more))
                show("%s %s %s" % (name, kind, value), *sess.run(grads, both(feed, more)))
                show("   moving", *sess.run([v for v in scope.global_variables() if "moving" in v.name]))
