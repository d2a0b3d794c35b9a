"""data and penalty: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
w = tf.get_variable("w", initializer=np.array([[1.0, -2.0], [0.0, 3.0]], np.float32), regularizer=tf.contrib.layers.l1_l2_regularizer(0.5, 0.25))
loss = tf.losses.get_regularization_loss()
print(loss, loss.op.name, loss.graph is tf.get_default_graph())
for t in (w[0], w[:, 1], w + 1.0, 1.0 - w, w / 2.0, w * w, -w, abs(w), tf.transpose(w), w ** 2.0, w > 0.0, tf.matmul(w, w)):
    print(t.name, t.shape, t.dtype)
x = tf.placeholder(tf.float32, [None, 2], "x")
y = tf.matmul(x, w)
err = tf.reduce_mean(tf.square(y - 1.0))
total = err + loss
tf.add_to_collection("my", total)
tf.losses.add_loss(err)
print(tf.losses.get_total_loss(), total, err)
g = tf.gradients(total, w)[0]
print(g.shape, g.dtype)
opt = tf.train.AdamOptimizer(0.1)
gv = opt.compute_gradients(tf.losses.get_total_loss())
clipped = [(tf.clip_by_value(q, -0.5, 0.5), v) for q, v in gv]
train = opt.apply_gradients(clipped)
feed = {x: np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]])}
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(["%.5f" % q for q in s.run([err, loss, total], feed)], s.run(g, feed).round(5).tolist())
    for _ in range(3):
        _, l = s.run([train, total], feed_dict=feed)
        print("%.5f" % l)
    print(s.run(w).round(4).tolist(), s.run(tf.shape(y), feed), s.run({"a": [loss, (w,)]})["a"][1][0].shape)
