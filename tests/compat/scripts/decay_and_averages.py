# A small convolutional network: weight decay in a collection, averages of losses and variables, a rate in stairs.
from __future__ import absolute_import, division, print_function
import argparse, re
import numpy as np
import tensorflow as tf
parser = argparse.ArgumentParser()
parser.add_argument('--batch_size', type=int, default=8)
FLAGS = parser.parse_args([])
NUM_CLASSES = 4
TOWER_NAME = 'tower'

def _activation_summary(x):
    tensor_name = re.sub('%s_[0-9]*/' % TOWER_NAME, '', x.op.name)
    tf.summary.histogram(tensor_name + '/activations', x)
    tf.summary.scalar(tensor_name + '/sparsity', tf.nn.zero_fraction(x))

def _variable_on_cpu(name, shape, initializer):
    with tf.device('/cpu:0'):
        dtype = tf.float32
        var = tf.get_variable(name, shape, initializer=initializer, dtype=dtype)
    return var

def _variable_with_weight_decay(name, shape, stddev, wd):
    vals = np.random.RandomState(sum(shape)).randn(*shape) * stddev
    var = _variable_on_cpu(name, shape, tf.constant_initializer(vals, dtype=tf.float32))
    if wd is not None:
        weight_decay = tf.multiply(tf.nn.l2_loss(var), wd, name='weight_loss')
        tf.add_to_collection('losses', weight_decay)
    return var

def inference(images):
    with tf.variable_scope('conv1') as scope:
        kernel = _variable_with_weight_decay('weights', shape=[5, 5, 3, 8], stddev=5e-2, wd=None)
        conv = tf.nn.conv2d(images, kernel, [1, 1, 1, 1], padding='SAME')
        biases = _variable_on_cpu('biases', [8], tf.constant_initializer(0.0))
        pre_activation = tf.nn.bias_add(conv, biases)
        conv1 = tf.nn.relu(pre_activation, name=scope.name)
        _activation_summary(conv1)
    pool1 = tf.nn.max_pool(conv1, ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding='SAME', name='pool1')
    norm1 = tf.nn.lrn(pool1, 4, bias=1.0, alpha=0.001 / 9.0, beta=0.75, name='norm1')
    with tf.variable_scope('conv2') as scope:
        kernel = _variable_with_weight_decay('weights', shape=[5, 5, 8, 8], stddev=5e-2, wd=None)
        conv2 = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(norm1, kernel, [1, 1, 1, 1], padding='SAME'), _variable_on_cpu('biases', [8], tf.constant_initializer(0.1))), name=scope.name)
        _activation_summary(conv2)
    pool2 = tf.nn.max_pool(tf.nn.lrn(conv2, 4, bias=1.0, alpha=0.001 / 9.0, beta=0.75), ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding='SAME', name='pool2')
    with tf.variable_scope('local3') as scope:
        reshape = tf.reshape(pool2, [images.get_shape().as_list()[0], -1])
        dim = reshape.get_shape()[1].value
        weights = _variable_with_weight_decay('weights', shape=[dim, 24], stddev=0.04, wd=0.004)
        local3 = tf.nn.relu(tf.matmul(reshape, weights) + _variable_on_cpu('biases', [24], tf.constant_initializer(0.1)), name=scope.name)
    with tf.variable_scope('softmax_linear') as scope:
        weights = _variable_with_weight_decay('weights', [24, NUM_CLASSES], stddev=1 / 24.0, wd=None)
        softmax_linear = tf.add(tf.matmul(local3, weights), _variable_on_cpu('biases', [NUM_CLASSES], tf.constant_initializer(0.0)), name=scope.name)
    return softmax_linear

def loss(logits, labels):
    labels = tf.cast(labels, tf.int64)
    ce = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name='cross_entropy_per_example')
    tf.add_to_collection('losses', tf.reduce_mean(ce, name='cross_entropy'))
    return tf.add_n(tf.get_collection('losses'), name='total_loss')

def _add_loss_summaries(total_loss):
    loss_averages = tf.train.ExponentialMovingAverage(0.9, name='avg')
    losses = tf.get_collection('losses')
    loss_averages_op = loss_averages.apply(losses + [total_loss])
    for l in losses + [total_loss]:
        tf.summary.scalar(l.op.name + ' (raw)', l)
        tf.summary.scalar(l.op.name, loss_averages.average(l))
    return loss_averages_op, loss_averages

def train(total_loss, global_step):
    lr = tf.train.exponential_decay(0.1, global_step, 5, 0.1, staircase=True)
    tf.summary.scalar('learning_rate', lr)
    loss_averages_op, la = _add_loss_summaries(total_loss)
    with tf.control_dependencies([loss_averages_op]):
        opt = tf.train.GradientDescentOptimizer(lr)
        grads = opt.compute_gradients(total_loss)
    apply_gradient_op = opt.apply_gradients(grads, global_step=global_step)
    for var in tf.trainable_variables():
        tf.summary.histogram(var.op.name, var)
    for grad, var in grads:
        if grad is not None:
            tf.summary.histogram(var.op.name + '/gradients', grad)
    variable_averages = tf.train.ExponentialMovingAverage(0.99, global_step)
    with tf.control_dependencies([apply_gradient_op]):
        variables_averages_op = variable_averages.apply(tf.trainable_variables())
    return variables_averages_op, variable_averages, la, lr

with tf.Graph().as_default():
    global_step = tf.train.get_or_create_global_step()
    r = np.random.RandomState(1)
    X, Y = r.rand(8, 12, 12, 3) * 2 - 1, r.randint(0, 4, 8)
    images = tf.placeholder(tf.float32, (FLAGS.batch_size, 12, 12, 3)); labels = tf.placeholder(tf.int32, FLAGS.batch_size)
    logits = inference(images)
    total = loss(logits, labels)
    train_op, va, la, lr = train(total, global_step)
    top_k_op = tf.nn.in_top_k(logits, labels, 1)
    saver = tf.train.Saver(va.variables_to_restore())
    print(sorted(va.variables_to_restore())[:5], train_op.name, train_op.type)
    with tf.Session(config=tf.ConfigProto(log_device_placement=False)) as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(9):
            _, l = sess.run([train_op, total], {images: X, labels: Y})
            if i % 2 == 0: print('step %d, loss = %.4f lr %g avg %.4f' % (i, sess.run(total, {images: X, labels: Y}), sess.run(lr), sess.run(la.average(total))))
        print(np.sum(sess.run(top_k_op, {images: X, labels: Y})), sess.run(global_step))
        print(sess.run(va.average(tf.trainable_variables()[0])).std().round(5), [v.op.name for v in tf.moving_average_variables()][:3], len(tf.get_collection(tf.GraphKeys.SUMMARIES)))
