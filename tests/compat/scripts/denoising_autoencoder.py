"""A denoising autoencoder of what users clicked: dropout on the inputs, log-softmax, apply_regularization, checkpoints."""
import os
import shutil
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.contrib.layers import apply_regularization, l2_regularizer


class MultiDAE(object):
    def __init__(self, p_dims, q_dims=None, lam=0.01, lr=1e-3, random_seed=None):
        self.p_dims = p_dims
        self.q_dims = q_dims or p_dims[::-1]
        self.dims = self.q_dims + self.p_dims[1:]
        self.lam, self.lr, self.random_seed = lam, lr, random_seed
        self.construct_placeholders()

    def construct_placeholders(self):
        self.input_ph = tf.placeholder(dtype=tf.float32, shape=[None, self.dims[0]])
        self.keep_prob_ph = tf.placeholder_with_default(1.0, shape=None)

    def build_graph(self):
        self.construct_weights()
        saver, logits = self.forward_pass()
        log_softmax_var = tf.nn.log_softmax(logits)
        neg_ll = -tf.reduce_mean(tf.reduce_sum(log_softmax_var * self.input_ph, axis=1))
        reg = l2_regularizer(self.lam)
        reg_var = apply_regularization(reg, self.weights)
        # tensorflow's l2 multiplies by 0.5, so that the penalty is multiplied by 2 here
        loss = neg_ll + 2 * reg_var
        train_op = tf.train.AdamOptimizer(self.lr).minimize(loss)
        tf.summary.scalar("negative_multi_ll", neg_ll)
        tf.summary.scalar("loss", loss)
        merged = tf.summary.merge_all()
        return saver, logits, loss, train_op, merged

    def forward_pass(self):
        h = tf.nn.l2_normalize(self.input_ph, 1)
        h = tf.nn.dropout(h, self.keep_prob_ph)
        for i, (w, b) in enumerate(zip(self.weights, self.biases)):
            h = tf.matmul(h, w) + b
            if i != len(self.weights) - 1:
                h = tf.nn.tanh(h)
        return tf.train.Saver(), h

    def construct_weights(self):
        self.weights, self.biases = [], []
        rng = np.random.RandomState(self.random_seed)
        for i, (d_in, d_out) in enumerate(zip(self.dims[:-1], self.dims[1:])):
            scale = np.sqrt(6.0 / (d_in + d_out))
            self.weights.append(
                tf.get_variable(name="weight_{}to{}".format(i, i + 1), initializer=rng.uniform(-scale, scale, (d_in, d_out)).astype("float32"))
            )
            self.biases.append(tf.get_variable(name="bias_{}".format(i + 1), shape=[d_out], initializer=tf.constant_initializer(0.001)))
            tf.summary.histogram("weight_{}to{}".format(i, i + 1), self.weights[-1])
            tf.summary.histogram("bias_{}".format(i + 1), self.biases[-1])


def ndcg_at_k(scores, heldout, k):
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    hits = np.take_along_axis(heldout, top, axis=1) * discount
    ideal = np.array([discount[:int(min(n, k))].sum() for n in heldout.sum(axis=1)])
    return np.mean(hits.sum(axis=1) / ideal)


def read_clicks(n_users, n_items, seed):
    rng = np.random.RandomState(seed)
    taste = rng.randint(0, 5, n_users)
    likes = (np.arange(n_items)[None, :] % 5 == taste[:, None]) * 0.5 + 0.04
    clicks = (rng.rand(n_users, n_items) < likes).astype("float32")
    clicks[:, :2] = 1
    return clicks


def main():
    n_items, batch_size = 40, 32
    train_data, vad_data_tr, vad_data_te = read_clicks(256, n_items, 1), read_clicks(64, n_items, 2), None
    hidden = np.random.RandomState(3).rand(*vad_data_tr.shape) < 0.3
    vad_data_te, vad_data_tr = vad_data_tr * hidden, vad_data_tr * ~hidden
    vad_data_te[:, 0] = 1
    chkpt_dir = tempfile.mkdtemp()

    tf.reset_default_graph()
    dae = MultiDAE([12, n_items], lam=0.01 / 2, lr=0.02, random_seed=98765)
    saver, logits_var, loss_var, train_op_var, merged_var = dae.build_graph()
    print([v.name for v in tf.trainable_variables()], logits_var.get_shape())
    print([t.name for t in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)])
    best_ndcg = -np.inf
    with tf.Session() as sess:
        init = tf.global_variables_initializer()
        sess.run(init)
        for epoch in range(6):
            for start in range(0, len(train_data), batch_size):
                feed_dict = {dae.input_ph: train_data[start:start + batch_size], dae.keep_prob_ph: 1.0}
                sess.run(train_op_var, feed_dict=feed_dict)
            scores = sess.run(logits_var, feed_dict={dae.input_ph: vad_data_tr})
            scores[vad_data_tr.nonzero()] = -np.inf
            ndcg = ndcg_at_k(scores, vad_data_te, 5)
            print("epoch %d: loss %.3f, NDCG@5 %.2f" % (epoch, sess.run(loss_var, {dae.input_ph: train_data}), ndcg))
            if ndcg > best_ndcg:
                saver.save(sess, "{}/model".format(chkpt_dir))
                best_ndcg = ndcg

    tf.reset_default_graph()
    dae = MultiDAE([12, n_items], lam=0.01 / 2, random_seed=1)
    saver, logits_var, _, _, _ = dae.build_graph()
    with tf.Session() as sess:
        saver.restore(sess, "{}/model".format(chkpt_dir))
        scores = sess.run(logits_var, feed_dict={dae.input_ph: vad_data_tr})
        scores[vad_data_tr.nonzero()] = -np.inf
        print("the best model again: NDCG@5 %.2f %s" % (ndcg_at_k(scores, vad_data_te, 5), os.path.basename(tf.train.latest_checkpoint(chkpt_dir))))
    shutil.rmtree(chkpt_dir)


if __name__ == "__main__":
    main()
