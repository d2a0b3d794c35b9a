"""sizes that are known when a session runs: written with fastreg, printed by TensorFlow 1.15.5."""
x = tf.placeholder(tf.float32, [None, 4], name="x")
n = tf.placeholder(tf.int32, [], name="n")
z = tf.zeros([tf.shape(x)[0], 3])
print(z, tf.ones([n, 2]), tf.fill(tf.stack([n, 2]), 1.5).dtype, tf.eye(3), tf.eye(3, 2), tf.eye(n), tf.eye(2, n, name="E"))
h = tf.layers.dense(tf.concat([x, z + 1.0], 1), 2, kernel_initializer=tf.constant_initializer(0.25))
w = tf.get_variable("w", initializer=[[1.0, 0.5], [0.0, -1.0], [0.5, 0.25]])
gram = tf.matmul(w, w, transpose_a=True)
orthogonal = 0.1 * tf.reduce_sum(tf.square(gram - tf.eye(tf.shape(gram)[0])))
slope, = tf.gradients(orthogonal, [w])
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(s.run(h, {x: [[1, 2, 3, 4], [0, 0, 0, 1]]}).tolist(), "%.5f" % s.run(orthogonal), s.run(slope).round(4).tolist())
    print(s.run([tf.eye(n), tf.eye(2, n, dtype=tf.float64)], {n: 3})[1].tolist(), s.run(tf.eye(n, 1), {n: 2}).tolist())
