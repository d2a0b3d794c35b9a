"""decays: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
step = tf.Variable(0, trainable=False, name="global_step")
at = tf.placeholder(tf.int32, [])
move = tf.assign(step, at)
long_step = tf.Variable(0, trainable=False, name="long_step", dtype=tf.int64)
T = tf.train
decays = [
    T.exponential_decay(0.1, step, 10, 0.96), T.exponential_decay(0.1, step, 10, 0.96, staircase=True),
    T.exponential_decay(tf.constant(0.5, tf.float64), step, 7, 0.5, True, name="wide"),
    T.natural_exp_decay(0.1, step, 10, 0.5), T.natural_exp_decay(0.1, step, 10, 0.5, staircase=True),
    T.inverse_time_decay(0.1, step, 10, 0.5), T.inverse_time_decay(0.1, step, 10, 0.5, True),
    T.polynomial_decay(0.1, step, 12), T.polynomial_decay(0.1, step, 12, 0.01, power=2.0), T.polynomial_decay(0.1, step, 12, 0.01, cycle=True),
    T.cosine_decay(0.1, step, 15), T.cosine_decay(0.1, step, 15, alpha=0.25),
    T.piecewise_constant(step, [5, 12], [1.0, 0.5, 0.1]), T.piecewise_constant(step, [12], [1.0, 0.5], name="two"),
    T.piecewise_constant(long_step, [3], [0.5, 0.25]), T.piecewise_constant(3.0, [1.0, 2.0, 4.0], [1, 2, 3, 4]),
]
for d in decays:
    print(d)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for n in (0, 1, 5, 6, 10, 12, 13, 15, 23, 24, 40):
        sess.run(move, {at: n})
        print(n, " ".join("%.5g" % v for v in sess.run(decays)))
w = tf.get_variable("w", initializer=np.array([1.0, -2.0], np.float32))
train = T.GradientDescentOptimizer(T.exponential_decay(0.5, step, 2, 0.5, staircase=True)).minimize(tf.nn.l2_loss(w), global_step=step)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(5):
        sess.run(train)
        print(sess.run(step), sess.run(w))
for wrong in (
    lambda: T.exponential_decay(0.1, None, 100, 0.96), lambda: T.polynomial_decay(0.1, None, 10), lambda: T.cosine_decay(0.1, None, 10),
    lambda: T.natural_exp_decay(0.1, None, 10, 0.5), lambda: T.inverse_time_decay(0.1, None, 10, 0.5),
    lambda: T.piecewise_constant(None, [5, 10], [1.0, 0.5, 0.3]), lambda: T.piecewise_constant(step, [5, 10], [1.0, 0.5]),
    lambda: T.piecewise_constant(step, [5.0, 10.0], [1.0, 0.5, 0.1]), lambda: T.piecewise_constant(step, [5, 10], [1, 0.5, 0.1]),
):
    try:
        print(wrong())
    except (ValueError, TypeError) as error:
        print(type(error).__name__, error)
