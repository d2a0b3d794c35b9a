"""A small convolutional network by tf.layers: batch normalization, dropout, L2 on the kernels by apply_regularization."""
import tempfile

import numpy as np
import tensorflow as tf

GLYPHS = ["757557", "262227", "716747", "717117", "557111", "747117", "747557", "711222", "757757", "757117"]
WEIGHT_DECAY = 1e-3


def read_digits(n, seed):
    rng = np.random.RandomState(seed)
    classes = rng.randint(0, 10, n)
    images = np.zeros((n, 12, 12, 1), np.float32)
    for i, digit in enumerate(classes):
        y, x = rng.randint(1, 6, 2)
        for row, bits in enumerate(GLYPHS[digit]):
            for col in range(3):
                images[i, y + row, x + col, 0] = int(bits) >> (2 - col) & 1
    return images + 0.1 * rng.randn(n, 12, 12, 1).astype(np.float32), classes


def weights(*shape):
    rng = np.random.RandomState(sum(shape))
    return tf.constant_initializer(rng.randn(*shape) * np.sqrt(2.0 / np.prod(shape[:-1])))


class Model(object):
    def __init__(self):
        self.images = tf.placeholder(tf.float32, [None, 12, 12, 1], name="images")
        self.labels = tf.placeholder(tf.int64, [None], name="labels")
        self.training = tf.placeholder_with_default(False, shape=(), name="training")
        self.logits = self.build()
        self.cross_entropy = tf.losses.sparse_softmax_cross_entropy(labels=self.labels, logits=self.logits)
        kernels = [v for v in tf.trainable_variables() if "kernel" in v.name]
        self.penalty = tf.contrib.layers.apply_regularization(tf.contrib.layers.l2_regularizer(WEIGHT_DECAY), kernels)
        self.loss = self.cross_entropy + self.penalty
        self.global_step = tf.train.get_or_create_global_step()
        self.learning_rate = tf.train.piecewise_constant(self.global_step, [40, 60], [0.02, 0.01, 0.002])
        update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        with tf.control_dependencies(update_ops):
            optimizer = tf.train.MomentumOptimizer(self.learning_rate, 0.9, use_nesterov=True)
            self.train_op = optimizer.minimize(self.loss, self.global_step)
        correct = tf.equal(tf.argmax(self.logits, axis=1), self.labels)
        self.accuracy = tf.reduce_mean(tf.cast(correct, tf.float32), name="accuracy")
        tf.summary.scalar("loss", self.loss)
        tf.summary.scalar("accuracy", self.accuracy)
        self.summary = tf.summary.merge_all()

    def build(self):
        net = tf.layers.conv2d(
            self.images, 8, 3, padding="same", use_bias=False, kernel_initializer=weights(3, 3, 1, 8), name="conv1"
        )
        net = tf.layers.batch_normalization(net, momentum=0.9, training=self.training, name="bn1")
        net = tf.nn.relu(net)
        net = tf.layers.max_pooling2d(net, pool_size=2, strides=2, name="pool1")
        net = tf.layers.conv2d(
            net, 16, [3, 3], padding="valid", activation=tf.nn.relu, kernel_initializer=weights(3, 3, 8, 16), name="conv2"
        )
        net = tf.layers.average_pooling2d(net, [2, 2], [2, 2], name="pool2")
        net = tf.layers.flatten(net)
        net = tf.layers.dense(net, 24, use_bias=False, kernel_initializer=weights(64, 24), name="fc1")
        net = tf.layers.batch_normalization(net, momentum=0.9, training=self.training, name="bn2")
        net = tf.layers.dropout(tf.nn.relu(net), rate=0.0, training=self.training)
        return tf.layers.dense(net, 10, kernel_initializer=weights(24, 10), name="fc2")


def main():
    images, labels = read_digits(400, 5)
    test_images, test_labels = read_digits(200, 6)
    model = Model()
    print("%d weights in %s" % (sum(np.prod(v.shape.as_list()) for v in tf.trainable_variables()), [v.op.name for v in tf.trainable_variables()]))
    print([v.op.name for v in tf.global_variables() if "moving" in v.name])
    print([loss.name for loss in tf.losses.get_regularization_losses()], [loss.name for loss in tf.losses.get_losses()])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        writer = tf.summary.FileWriter(tempfile.mkdtemp(), sess.graph)
        for epoch in range(4):
            for i in range(0, len(images), 20):
                feed = {model.images: images[i:i + 20], model.labels: labels[i:i + 20], model.training: True}
                _, loss, summary = sess.run([model.train_op, model.loss, model.summary], feed_dict=feed)
                writer.add_summary(summary, sess.run(model.global_step))
            accuracy, cross_entropy, penalty = sess.run(
                [model.accuracy, model.cross_entropy, model.penalty], {model.images: test_images, model.labels: test_labels}
            )
            step, rate = sess.run([model.global_step, model.learning_rate])
            print("epoch %d step %d rate %.4f: loss %.2f, test accuracy %.2f, cross entropy %.2f, penalty %.4f" % (epoch, step, rate, loss, accuracy, cross_entropy, penalty))
        writer.close()
        for v in tf.global_variables():
            if "moving" in v.name:
                print(v.op.name, "%.2f" % np.abs(sess.run(v)).sum())


if __name__ == "__main__":
    main()
