"""names of dtypes: written with fastreg, printed by TensorFlow 1.15.5."""
x = tf.placeholder("float", [None, 3], name="x")
y = tf.placeholder(float, [None, 1], name="y")
w = tf.Variable(tf.fill([3, 1], 0.5), name="w")
b = tf.get_variable("b", [1], dtype="float", initializer=tf.zeros_initializer())
mse = tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))
loss = mse + tf.contrib.layers.l2_regularizer(0.01)(w)
step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
close = tf.reduce_mean(tf.cast(tf.less(tf.abs(tf.matmul(x, w) + b - y), 0.1), "float"))
print(x, y, b, close)
print(tf.zeros([2], "double"), tf.as_dtype("half"), tf.as_dtype(float), tf.as_dtype("float") == tf.float32)
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    feed = {x: [[1, 2, 3], [0, 1, 0], [2, 0, 1], [1, 1, 1]], y: [[1], [2], [0], [1]]}
    for _ in range(20): s.run(step, feed)
    print("%.4f" % s.run(loss, feed), s.run(close, feed), s.run(w).ravel().round(3))
