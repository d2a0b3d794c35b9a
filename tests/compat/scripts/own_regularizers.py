# Regularizers of a script's own in contrib.layers: orthogonal, by groups, towards the start, and a norm held by assignments.
import numpy as np
import tensorflow as tf
from tensorflow.contrib.layers import fully_connected, l1_regularizer, l2_regularizer, sum_regularizer
from tensorflow.contrib.framework import arg_scope
he_init = lambda shape, dtype=None, partition_info=None: tf.constant(np.random.RandomState(shape[0]).randn(*shape) * np.sqrt(2.0 / shape[0]), dtype)

def max_norm_regularizer(threshold, axes=1, name="max_norm", collection="max_norm"):
    def max_norm(weights):
        clipped = tf.clip_by_norm(weights, clip_norm=threshold, axes=axes)
        clip_weights = tf.assign(weights, clipped, name=name)
        tf.add_to_collection(collection, clip_weights)
        return None
    return max_norm

def orthogonal(scale):
    def reg(w):
        g = tf.matmul(w, w, transpose_a=True)
        return scale * tf.reduce_sum(tf.square(g - tf.eye(tf.shape(g)[0])))
    return reg

def group_lasso(scale):
    return lambda w: tf.multiply(scale, tf.reduce_sum(tf.sqrt(tf.reduce_sum(w ** 2, axis=1) + 1e-8)), name="group_lasso")

X = tf.placeholder(tf.float32, [None, 8], name="X"); y = tf.placeholder(tf.int64, [None], name="y"); is_training = tf.placeholder(tf.bool, shape=(), name='is_training')
bn_params = {'is_training': is_training, 'decay': 0.9, 'updates_collections': None, 'scale': True}
with tf.name_scope("dnn"), arg_scope([fully_connected], activation_fn=tf.nn.elu, weights_initializer=he_init, normalizer_fn=tf.contrib.layers.batch_norm, normalizer_params=bn_params):
    h1 = fully_connected(X, 10, scope="h1", weights_regularizer=sum_regularizer([l1_regularizer(0.001), l2_regularizer(0.002)]))
    h2 = fully_connected(h1, 6, scope="h2", weights_regularizer=orthogonal(0.01))
    h3 = fully_connected(h2, 5, scope="h3", weights_regularizer=max_norm_regularizer(1.0), normalizer_fn=None)
    logits = fully_connected(h3, 3, scope="out", activation_fn=None, normalizer_fn=None, weights_regularizer=group_lasso(0.01), biases_regularizer=l2_regularizer(.1))
start = {v.op.name: np.float32(0.1) for v in tf.trainable_variables()}
l2sp = tf.add_n([tf.nn.l2_loss(v - start[v.op.name]) for v in tf.trainable_variables() if v.op.name.endswith('weights')]) * 1e-3
xent = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=tf.one_hot(y, 3), logits=logits))
reg = tf.reduce_sum(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES))
loss = xent + reg + l2sp
print([t.name for t in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)])
lr = tf.placeholder_with_default(0.05, [])
opt = tf.train.MomentumOptimizer(lr, momentum=0.9, use_nesterov=True)
train_op = opt.minimize(loss)
clip_all = tf.get_collection("max_norm")
W = tf.get_default_graph().get_tensor_by_name("h1/weights:0")
sat = tf.reduce_mean(tf.to_float(tf.abs(W) < 0.05))
r = np.random.RandomState(9); Xd = r.randn(60, 8); yd = (Xd[:, :3]).argmax(1)
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(12):
        for i in range(0, 60, 20):
            sess.run(train_op, feed_dict={X: Xd[i:i + 20], y: yd[i:i + 20], is_training: True, lr: 0.05 * 0.9 ** epoch})
            sess.run(clip_all)
        if epoch % 4 == 3:
            a, b, c = sess.run([xent, reg, l2sp], {X: Xd, y: yd, is_training: False})
            print(epoch, "%.3f %.4f %.5f" % (a, b, c), sess.run(sat), np.linalg.norm(sess.run("h3/weights:0"), axis=1).max().round(4))
    print([v.op.name for v in tf.global_variables()])
    print(tf.get_default_graph().get_collection("max_norm")[0].name, tf.trainable_variables()[0])
