"""user regularizers: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
def group(scale):
    def r(w):
        return scale * tf.reduce_sum(tf.sqrt(tf.reduce_sum(tf.square(w), 0)))
    return r
def ortho(w):
    m = tf.matmul(w, w, transpose_a=True) - tf.eye(3)
    return 0.5 * tf.reduce_sum(tf.square(m))
def smooth(w):
    d = w[1:] - w[:-1]
    return tf.reduce_mean(tf.abs(d)) + tf.maximum(tf.reduce_max(w) - 1.0, 0.0)
c = np.linspace(-1, 2, 12).reshape(4, 3).astype(np.float32)
with tf.variable_scope("s", regularizer=group(0.5)):
    a = tf.get_variable("w", initializer=c)
    b = tf.get_variable("b", initializer=c, regularizer=ortho)
    d = tf.get_variable("d", initializer=c, regularizer=smooth)
    e = tf.get_variable("e", initializer=c, regularizer=lambda w: None)
    f = tf.get_variable("f", initializer=c, regularizer=lambda w: tf.nn.l2_loss(w) * 0.1)
    g = tf.get_variable("g", initializer=c, regularizer=tf.nn.l2_loss)
    h = tf.get_variable("h", initializer=c, regularizer=tf.contrib.layers.sum_regularizer([group(0.1), tf.contrib.layers.l1_regularizer(0.3), None]))
ls = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
for l in ls:
    print(l)
loss = tf.add_n(ls)
gs = tf.gradients(loss, [a, b, d, e, f, g, h])
opt = tf.train.GradientDescentOptimizer(0.05)
step = opt.minimize(loss)
print(step.name)
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(["%.5g" % x for x in s.run(ls)], "%.5g" % s.run(loss))
    for q in gs:
        print(None if q is None else ["%.4g" % x for x in s.run(q).ravel()])
    for _ in range(3):
        s.run(step)
        print("%.5g" % s.run(loss))
    print([["%.4g" % x for x in s.run(v)[0]] for v in tf.trainable_variables()])
