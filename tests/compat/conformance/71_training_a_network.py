"""training a small convolutional network in float64, where rounding does not show: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
rng = np.random.RandomState(12)
X = rng.rand(40, 12, 12, 2).astype("f8")
Y = (X[:, :6].mean((1, 2, 3)) > X[:, 6:].mean((1, 2, 3))).astype("i4") + 2 * (X[..., 0].mean((1, 2)) > 0.5)
def weights(name, *shape):
    start = (rng.randn(*shape) * np.sqrt(2.0 / np.prod(shape[:-1]))).astype("f8")
    return tf.get_variable(name, initializer=start, regularizer=L.l2_regularizer(1e-3)), tf.get_variable(name + "_b", [shape[-1]], tf.float64, initializer=tf.zeros_initializer())
for rule in ("GradientDescent", "Momentum", "Adam", "RMSProp", "Adagrad"):
    with tf.Graph().as_default():
        rng.seed(3)
        x, y, keep = tf.placeholder(tf.float64, [None, 12, 12, 2]), tf.placeholder(tf.int32, [None]), tf.placeholder(tf.float64)
        k, b = weights("c1", 3, 3, 2, 6)
        h = tf.nn.max_pool(tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, k, [1, 1, 1, 1], "SAME"), b)), [1, 3, 3, 1], [1, 2, 2, 1], "SAME")
        k, b = weights("c2", 3, 3, 6, 8)
        h = tf.nn.conv2d(h, k, [1, 2, 2, 1], "VALID")
        m, v = tf.nn.moments(h, [0, 1, 2])
        h = tf.nn.avg_pool(tf.nn.elu(tf.nn.batch_normalization(h, m, v, b, tf.get_variable("gamma", [8], tf.float64, initializer=tf.ones_initializer()), 1e-3)), 2, 1, "VALID")
        w, b = weights("d", 8, 4)
        logits = tf.nn.xw_plus_b(tf.nn.dropout(tf.reshape(h, [-1, 8]), keep), w, b)
        tf.losses.add_loss(0.5*tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y,logits=logits)))
        total = tf.losses.get_total_loss()
        opt = getattr(tf.train, rule + "Optimizer")(*((0.05, 0.9) if rule == "Momentum" else (0.01,)))
        grads, params = zip(*opt.compute_gradients(total))
        clipped, norm = tf.clip_by_global_norm(grads, 0.5)
        step = opt.apply_gradients(zip(clipped, params))
        accuracy = tf.reduce_mean(tf.cast(tf.nn.in_top_k(tf.to_float(logits), y, 1), tf.float32))
        print(total, norm, logits, accuracy, [p.name for p in params])
        with tf.Session() as s:
            s.run(tf.global_variables_initializer())
            for i in range(15):
                _, l, n = s.run([step, total, norm], {x: X, y: Y, keep: 1.0})
                if i % 5 == 0 or i == 14:
                    print(i, "%.4f %.4f" % (l, n))
            print("%.3f" % s.run(accuracy, {x: X, y: Y, keep: 1.0}), ["%.4f" % np.abs(q).sum() for q in s.run(params)])
