"""several assignments in one run: written with fastreg, printed by TensorFlow 1.15.5 with TF_NUM_INTEROP_THREADS=1.

With more threads TensorFlow leaves it open which of two operations comes first that do not wait for each other.
"""
def run(op, *fetches, **kwargs):
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        for _ in range(kwargs.get("times", 1)):
            s.run(op)
        print([v.round(5).tolist() for v in s.run(list(fetches))])
def two():
    return tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])
x, y = tf.constant([[1.0, 2.0], [3.0, -1.0]]), tf.constant([[1.0], [0.0]])
w1, w2 = tf.Variable([[0.5, -0.25], [0.75, 1.0]]), tf.Variable([[1.0], [-0.5]])
h = tf.matmul(x, w1)
e = tf.matmul(h, w2) - y
g1, g2 = tf.matmul(x, tf.matmul(e, w2, transpose_b=True), transpose_a=True), tf.matmul(h, e, transpose_a=True)
run(tf.group(tf.assign_sub(w1, 0.01 * g1), tf.assign_sub(w2, 0.01 * g2)), w1, w2, times=5)
a, b = two()
run(tf.group(tf.assign(a, b * 1.0), tf.assign(b, a * 1.0)), a, b)
a, b = two()
loss = tf.reduce_sum(a * a * b * b)
run([tf.train.GradientDescentOptimizer(0.01).minimize(loss, var_list=[v]) for v in (a, b)], a, b)
a, b = two()
run(tf.group(tf.train.GradientDescentOptimizer(0.5).minimize(tf.nn.l2_loss(a), var_list=[a]), tf.assign(b, a * 1.0)), a, b)
a, b = two()
run(tf.train.GradientDescentOptimizer(0.5).minimize(tf.reduce_sum(a * b), var_list=[a, b]), a, b, times=2)
a, b = two()
run(tf.group(tf.assign_add(a, [1.0, 1.0]), tf.assign_add(a, [2.0, 2.0])), a)
a = tf.Variable(1.0)
first = tf.assign(a, 2.0)
with tf.control_dependencies([first]):
    second = tf.assign(a, a * 10.0)
with tf.control_dependencies([second]):
    third = tf.assign_add(a, 1.0)
run(third, a)
a, b = two()
with tf.control_dependencies([tf.assign(a, [5.0, 6.0])]):
    after = [tf.nn.l2_loss(a), a.read_value(), tf.identity(a), a + 1.0, tf.assign_add(a, a)]
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print([s.run(t).tolist() for t in after], s.run(a).tolist())
a = tf.Variable([1.0, 2.0])
b = tf.Variable(a.initialized_value() * 2.0)
run(tf.no_op(), a, b)
