"""all optimizers: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(1)
T, O = tf.train, tf.contrib.opt
makers = [
    ("gd", lambda: T.GradientDescentOptimizer(0.1)), ("mom", lambda: T.MomentumOptimizer(0.1, 0.8)), ("nag", lambda: T.MomentumOptimizer(0.1, 0.8, use_nesterov=True)),
    ("ada", lambda: T.AdagradOptimizer(0.3, initial_accumulator_value=0.5)), ("rms", lambda: T.RMSPropOptimizer(0.05)), ("rmsc", lambda: T.RMSPropOptimizer(0.05, decay=0.7, momentum=0.3, epsilon=1e-3, centered=True)),
    ("adam", lambda: T.AdamOptimizer(0.05, beta1=0.7, beta2=0.9, epsilon=1e-4)), ("ftrl", lambda: T.FtrlOptimizer(0.3, l1_regularization_strength=0.05, l2_regularization_strength=0.1)),
    ("ftrlp", lambda: T.FtrlOptimizer(0.3, learning_rate_power=-0.7, initial_accumulator_value=0.3, l1_regularization_strength=0.05, l2_shrinkage_regularization_strength=0.1)),
    ("pgd", lambda: T.ProximalGradientDescentOptimizer(0.1, 0.2, 0.3)), ("pada", lambda: T.ProximalAdagradOptimizer(0.1, 0.2, 0.2, 0.3)),
    ("adamw", lambda: O.AdamWOptimizer(0.01, 0.05)), ("momw", lambda: O.MomentumWOptimizer(0.01, 0.05, 0.9, use_nesterov=True)),
]
w0 = rng.randn(3, 2).astype(np.float32)
gs = [rng.randn(3, 2).astype(np.float32) for _ in range(7)]
for name, make in makers:
    for sparse in (False, True):
        if sparse and name in ("adamw", "momw", "nag"):
            continue
        tf.reset_default_graph()
        w = tf.get_variable("w", initializer=w0)
        g = tf.placeholder(tf.float32, [None, 2])
        i = tf.placeholder(tf.int32, [None])
        o = make()
        step = o.apply_gradients([(tf.IndexedSlices(g, i, tf.constant([3, 2])) if sparse else g, w)])
        with tf.Session() as s:
            s.run(tf.global_variables_initializer())
            for k, x in enumerate(gs):
                s.run(step, {g: x, i: [[0, 2, 0], [1, 1, 1], [2, 0, 1]][k % 3]})
            print(name, sparse, ["%.5g" % (q + 0.0) for q in s.run(w).ravel()], [(v.name, "%.5g" % np.sum(s.run(v))) for v in o.variables()])
