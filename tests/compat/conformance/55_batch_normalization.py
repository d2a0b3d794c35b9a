"""batch normalization: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(5)
X = (rng.randn(6, 5, 5, 3) * 2 + 1).astype(np.float32)
H = (rng.randn(7, 4) * 3 - 1).astype(np.float32)
def show(name, *arrays):
    print(name, *[" ".join("%.4g" % (v + 0.0) for v in np.ravel(a)[:6]) for a in arrays])
images, rows = tf.placeholder(tf.float32, [None, 5, 5, 3]), tf.placeholder(tf.float32, [None, 4])
flag = tf.placeholder_with_default(False, [])
R = tf.contrib.layers
def gammas(n):
    return tf.constant_initializer(np.linspace(0.5, 1.5, n))
cases = {
    "images": (images, 3, lambda t: tf.layers.batch_normalization(images, momentum=0.9, gamma_initializer=gammas(3), beta_initializer=tf.constant_initializer(0.25), training=t)),
    "unfused": (images, 3, lambda t: tf.layers.batch_normalization(images, momentum=0.9, fused=False, gamma_initializer=gammas(3), training=t)),
    "axis": (images, 5, lambda t: tf.layers.batch_normalization(images, axis=1, fused=False, epsilon=0.1, gamma_initializer=gammas(5), training=t)),
    "middle": (images, 5, lambda t: tf.layers.batch_normalization(images, axis=2, gamma_initializer=gammas(5), training=t)),
    "rows": (rows, 4, lambda t: tf.layers.batch_normalization(rows, momentum=0.5, gamma_initializer=gammas(4), gamma_regularizer=R.l2_regularizer(0.1), training=t)),
    "bare": (rows, 4, lambda t: tf.layers.batch_normalization(rows, center=False, scale=False, training=t)),
}
feed = {images: X, rows: H}
def both(one, other):
    union = dict(one)
    union.update(other)
    return union
for name, (x, n, make) in cases.items():
    for training in (True, False, flag):
        kind = "flag" if training is flag else str(training)
        with tf.variable_scope("%s_%s" % (name, kind)) as scope:
            first = len(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
            y = make(training)
            updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)[first:]
            loss = tf.reduce_sum(tf.square(y) * y * 0.1)
            grads = tf.gradients(loss, [x] + scope.trainable_variables())
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for value in ([False, True] if training is flag else [None]):
                more = {flag: value} if training is flag else {}
                for _ in range(2):
                    sess.run(updates, both(feed, more))
                show("%s %s %s" % (name, kind, value), *sess.run([y] + grads, both(feed, more)))
                show("   moving", *sess.run(scope.global_variables()[-2:]))
print([t.name for t in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)])
# the usual training step
labels = tf.placeholder(tf.float32, [None, 2])
h = tf.layers.dense(rows, 5, use_bias=False, kernel_initializer=tf.constant_initializer(np.linspace(-1, 1, 20).reshape(4, 5)), kernel_regularizer=R.l2_regularizer(0.01))
h = tf.nn.relu(tf.layers.batch_normalization(h, training=flag, momentum=0.8))
logits = tf.layers.dense(h, 2, kernel_initializer=tf.constant_initializer(np.linspace(-1, 1, 10).reshape(5, 2)))
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits)) + tf.losses.get_regularization_loss()
updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)[-2:]
with tf.control_dependencies(updates):
    step = tf.train.AdamOptimizer(0.05).minimize(loss)
feed = {rows: H, labels: np.eye(2, dtype=np.float32)[[0, 1, 1, 0, 1, 0, 0]]}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(6):
        _, value = sess.run([step, loss], both(feed, {flag: True}))
        print("%.4f" % value, end=" ")
    print("%.4f" % sess.run(loss, feed))
    show("moving", *[sess.run(v) for v in tf.global_variables() if "moving" in v.name][-2:])
