# -*- coding: utf-8 -*-
"""A fully connected network on pictures of digits: L2 regularization, a decaying rate, moving averages, checkpoints."""
from __future__ import print_function

import os
import tempfile

import numpy as np
import tensorflow as tf

flags = tf.app.flags
FLAGS = flags.FLAGS
flags.DEFINE_integer("max_steps", 120, "Number of steps to run the trainer.")
flags.DEFINE_integer("batch_size", 25, "Batch size.")
flags.DEFINE_float("learning_rate", 0.4, "Initial learning rate.")
flags.DEFINE_float("learning_rate_decay", 0.9, "Decay of the learning rate.")
flags.DEFINE_float("regularization_rate", 0.002, "Scale of the L2 penalty.")
flags.DEFINE_float("moving_average_decay", 0.95, "Decay of the moving averages.")
flags.DEFINE_string("model_dir", "", "Where checkpoints go; a temporary folder by default.")
flags.DEFINE_boolean("restore", True, "Whether to read the last checkpoint back.")

INPUT_NODE, LAYER1_NODE, OUTPUT_NODE = 64, 30, 10

GLYPHS = ["757557", "262227", "716747", "717117", "557111", "747117", "747557", "711222", "757757", "757117"]


def read_digits(n, seed):
    """Pictures of 8 x 8 with noise, and their classes as rows."""
    rng = np.random.RandomState(seed)
    classes = rng.randint(0, 10, n)
    images = np.zeros((n, 8, 8), np.float32)
    for i, digit in enumerate(classes):
        y, x = rng.randint(0, 3), rng.randint(0, 5)
        for row, bits in enumerate(GLYPHS[digit]):
            for col in range(3):
                images[i, y + row, x + col] = int(bits) >> (2 - col) & 1
    images += 0.2 * rng.randn(n, 8, 8)
    return images.reshape(n, 64).astype(np.float32), np.eye(10, dtype=np.float32)[classes]


def get_weight_variable(shape, regularizer, rng):
    weights = tf.get_variable("weights", shape, initializer=tf.constant_initializer(rng.randn(*shape) * 0.1))
    if regularizer is not None:
        tf.add_to_collection("losses", regularizer(weights))
    return weights


def inference(input_tensor, regularizer, rng):
    with tf.variable_scope("layer1"):
        weights = get_weight_variable([INPUT_NODE, LAYER1_NODE], regularizer, rng)
        biases = tf.get_variable("biases", [LAYER1_NODE], initializer=tf.constant_initializer(0.1))
        layer1 = tf.nn.relu(tf.matmul(input_tensor, weights) + biases)
    with tf.variable_scope("layer2"):
        weights = get_weight_variable([LAYER1_NODE, OUTPUT_NODE], regularizer, rng)
        biases = tf.get_variable("biases", [OUTPUT_NODE], initializer=tf.constant_initializer(0.1))
        return tf.matmul(layer1, weights) + biases


def train(images, labels, model_dir):
    x = tf.placeholder(tf.float32, [None, INPUT_NODE], name="x-input")
    y_ = tf.placeholder(tf.float32, [None, OUTPUT_NODE], name="y-input")
    regularizer = tf.contrib.layers.l2_regularizer(FLAGS.regularization_rate)
    y = inference(x, regularizer, np.random.RandomState(1))
    global_step = tf.Variable(0, trainable=False)

    variable_averages = tf.train.ExponentialMovingAverage(FLAGS.moving_average_decay, global_step)
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=y, labels=tf.argmax(y_, 1))
    cross_entropy_mean = tf.reduce_mean(cross_entropy)
    loss = cross_entropy_mean + tf.add_n(tf.get_collection("losses"))
    learning_rate = tf.train.exponential_decay(
        FLAGS.learning_rate, global_step, len(images) / FLAGS.batch_size, FLAGS.learning_rate_decay, staircase=True
    )
    train_step = tf.train.GradientDescentOptimizer(learning_rate).minimize(loss, global_step=global_step)
    with tf.control_dependencies([train_step]):
        train_op = variable_averages.apply(tf.trainable_variables())

    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session() as sess:
        tf.global_variables_initializer().run()
        for i in range(FLAGS.max_steps):
            start = i * FLAGS.batch_size % len(images)
            feed = {x: images[start:start + FLAGS.batch_size], y_: labels[start:start + FLAGS.batch_size]}
            _, loss_value, step = sess.run([train_op, loss, global_step], feed_dict=feed)
            if i % 30 == 0:
                print("After %d training step(s), loss on training batch is %.4f." % (i + 1, loss_value))
                saver.save(sess, os.path.join(model_dir, "model.ckpt"), global_step=global_step)
        print("rate %.6f, penalty %.5f" % (sess.run(learning_rate), sess.run(tf.add_n(tf.get_collection("losses")))))
        saver.save(sess, os.path.join(model_dir, "model.ckpt"), global_step=global_step)
    print([os.path.basename(path) for path in saver.last_checkpoints])


def evaluate(images, labels, model_dir):
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [None, INPUT_NODE], name="x-input")
        y_ = tf.placeholder(tf.float32, [None, OUTPUT_NODE], name="y-input")
        y = inference(x, None, np.random.RandomState(2))
        correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
        accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
        variable_averages = tf.train.ExponentialMovingAverage(FLAGS.moving_average_decay)
        saver = tf.train.Saver(variable_averages.variables_to_restore())
        with tf.Session() as sess:
            ckpt = tf.train.get_checkpoint_state(model_dir)
            if ckpt and ckpt.model_checkpoint_path:
                saver.restore(sess, ckpt.model_checkpoint_path)
                step = ckpt.model_checkpoint_path.split("/")[-1].split("-")[-1]
                print("After %s training step(s), accuracy = %.3f" % (step, sess.run(accuracy, {x: images, y_: labels})))
                print("norms", ["%.3f" % np.sqrt((v ** 2).sum()) for v in sess.run(tf.trainable_variables())])
            else:
                print("No checkpoint file found")


def main(argv=None):
    model_dir = FLAGS.model_dir or tempfile.mkdtemp()
    images, labels = read_digits(500, 3)
    train(images, labels, model_dir)
    if FLAGS.restore:
        evaluate(*read_digits(300, 4), model_dir=model_dir)


if __name__ == "__main__":
    tf.app.run()
