"""names of gradients of networks: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
x = tf.placeholder(tf.float32, [None, 4])
y = tf.placeholder(tf.float32, [None, 3])
with tf.variable_scope("net", regularizer=tf.contrib.layers.l2_regularizer(0.1)):
    w = tf.get_variable("w", [4, 5])
    b = tf.get_variable("b", [5], regularizer=tf.no_regularizer)
    h = tf.nn.relu(tf.matmul(x, w) + b)
    h = tf.nn.dropout(tf.layers.dense(h, 6, activation=tf.nn.tanh, name="d1"), 0.5)
    w2 = tf.get_variable("w2", [6, 3], regularizer=tf.no_regularizer)
    z = tf.nn.xw_plus_b(h, w2, tf.get_variable("b2", [3], regularizer=tf.no_regularizer))
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=z))
mse = tf.reduce_mean(tf.square(tf.sigmoid(z) - y))
total = loss + tf.losses.get_regularization_loss()
opt = tf.train.GradientDescentOptimizer(0.1)
for l in (loss, mse, tf.losses.softmax_cross_entropy(y, z), total):
    for g, v in opt.compute_gradients(l):
        print(g, v.name)
    for g in tf.gradients(l, tf.trainable_variables()) + tf.gradients(l, [h, x]):
        print(g.name)
im = tf.placeholder(tf.float32, [None, 8, 8, 1])
c = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(im, tf.get_variable("k", [3, 3, 1, 4]), 1, "SAME"), tf.get_variable("kb", [4])))
c, _, _ = tf.nn.fused_batch_norm(tf.nn.max_pool(c, 2, 2, "VALID"), tf.get_variable("gamma", [4]), tf.get_variable("beta", [4]))
q = tf.matmul(tf.reshape(c, [-1, 64]), tf.get_variable("out", [64, 2]))
l = tf.losses.sparse_softmax_cross_entropy(tf.placeholder(tf.int32, [None]), q)
names = ["k", "kb", "gamma", "beta", "out"]
some = [v for v in tf.trainable_variables() if v.op.name in names]
for g, v in opt.compute_gradients(l, some):
    print(g, v.name)
for g in tf.gradients(l, some + [im]):
    print(g.name)
e = tf.get_variable("e", [5, 3])
for g, v in opt.compute_gradients(tf.nn.l2_loss(e) + tf.reduce_sum(tf.matmul(e, e, transpose_b=True)), [e]):
    print(g, v.name)
for f in (e + e[0], e - e[:, :1], e / e[0], tf.concat([e, e], 0), tf.reshape(e, [-1]), tf.transpose(e), tf.expand_dims(e, 0), tf.squeeze(tf.expand_dims(e, 0)), tf.tile(e, [2, 1]), tf.cumsum(e), tf.squeeze(e[:1]), tf.stack([e, e]), tf.where(e > 0, e, -e), tf.abs(e), tf.exp(e), tf.nn.softmax(e), tf.nn.log_softmax(e), tf.reduce_mean(e, 0), tf.nn.l2_normalize(e, 1), tf.nn.elu(e), tf.square(e), tf.sqrt(e), tf.norm(e)):
    print([g.name for g in tf.gradients(f, e)])
