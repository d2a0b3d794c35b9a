"""what does not fit: written with fastreg, printed by TensorFlow 1.15.5."""
x = tf.placeholder(tf.float32, [None, 4], name="x")
z = tf.placeholder(tf.float32, name="z")
w = tf.get_variable("w", [4, 2], initializer=tf.zeros_initializer())
u = tf.Variable(z, validate_shape=False, name="u")
with tf.Graph().as_default():
    stranger = tf.constant(1.0, name="stranger")
def shows(f, lines=1):
    try: print(f())
    except Exception as e: print(type(e).__name__, "|", *str(e).split("\n")[:lines])
s = tf.Session()
s.run(w.initializer)
s.run(u.initializer, {z: [1.0, 2.0, 3.0]})
small, row, number, fits = [[1.0] * 3] * 3, [1.0, 1.0], 1.0, [[1.0, 1.0]] * 4
for change in (tf.assign(w, z), tf.assign_add(w, z), tf.assign_sub(w, z), tf.assign(w, z, validate_shape=False)):
    for value in (small, row, number, fits):
        shows(lambda: (float(s.run(change, {z: value}).sum()), s.run(w).shape))
for change in (tf.assign(u, z), tf.assign_add(u, z), tf.assign(u, z, validate_shape=False)):
    for value in (small, [2.0, 2.0, 2.0]):
        shows(lambda: (float(s.run(change, {z: value}).sum()), s.run(u).shape))
for key in ("y:0", "x", "x:1", "w/Assign", 3, None, 2.5, stranger, x.op, w.initializer, object):
    shows(lambda: s.run(w, {key: 1.0}))
shows(lambda: s.run(w, [1]))
shows(lambda: s.run(x + z, {x: [[1.0] * 4] * 2, z: small}))
shows(lambda: s.run(x * z, {x: [[1.0] * 4] * 2, z: small}))
for op in (tf.concat([z, x], 0), tf.reshape(z, [-1, 4]), tf.squeeze(z, 0), tf.reduce_mean(z, 3), tf.nn.bias_add(z, w[0])):
    try: s.run(op, {z: small, x: [[1.0] * 4]})
    except tf.errors.InvalidArgumentError: print(op.op.type, "InvalidArgumentError")
for index in (lambda: x[0, 0, 0], lambda: x[..., 0, 0, 0], lambda: x[0, 0, tf.newaxis, 0]):
    try: index()
    except ValueError as e: print(str(e).split(" for ")[0])
