"""training: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
# a small training script: softmax regression weights, manual data gradient fed, l2 by collection
rng = np.random.RandomState(0)
X = rng.randn(20, 4)
Y = (X[:, 0] > 0).astype(np.float64)
with tf.variable_scope("model", regularizer=tf.contrib.layers.l2_regularizer(0.1), dtype=tf.float64):
    w = tf.get_variable("w", [4], initializer=tf.zeros_initializer())
    b = tf.get_variable("b", [], initializer=tf.zeros_initializer(), regularizer=tf.no_regularizer)
gw, gb = tf.placeholder(tf.float64, [4]), tf.placeholder(tf.float64, [])
reg = tf.losses.get_regularization_loss(scope="model")
global_step = tf.train.get_or_create_global_step()
print(global_step, global_step.dtype, tf.train.get_global_step() is global_step)
opt = tf.train.AdagradOptimizer(0.5)
train = opt.apply_gradients([(gw + tf.gradients(reg, w)[0], w), (gb, b)], global_step=global_step)
print(train.name, train.type)
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    for i in range(5):
        wv, bv = s.run([w, b])
        p = 1 / (1 + np.exp(-(X @ wv + bv)))
        d = (p - Y) / len(Y)
        r, step = s.run([reg, global_step])
        s.run(train, {gw: X.T @ d, gb: d.sum()})
        print("%.6f" % r, type(step).__name__)
    print(["%.5f" % q for q in s.run(w)], "%.5f" % s.run(b), s.run(global_step))
    print([v.name for v in tf.global_variables()])
print([k for k in sorted(tf.get_default_graph().get_all_collection_keys()) if not str(k).startswith("__")])
