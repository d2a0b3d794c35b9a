"""A network by tf.contrib.slim: weight decay by arg_scope, batch norm in the convolutions, dropout switched off to compare."""
import numpy as np
import tensorflow as tf

slim = tf.contrib.slim
GLYPHS = ["757557", "262227", "716747", "717117", "557111", "747117", "747557", "711222", "757757", "757117"]


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


def numpy_initializer(shape, dtype=tf.float32, partition_info=None):
    """He's initializer with NumPy's numbers, which are the same everywhere."""
    rng = np.random.RandomState(np.prod(shape) % 1000)
    return tf.constant(rng.randn(*shape) * np.sqrt(2.0 / np.prod(shape[:-1])), dtype)


def digits_arg_scope(weight_decay=0.0005, is_training=True):
    batch_norm_params = {"is_training": is_training, "decay": 0.9, "epsilon": 0.001, "scale": True}
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected],
        weights_regularizer=slim.l2_regularizer(weight_decay),
        weights_initializer=numpy_initializer,
        activation_fn=tf.nn.relu,
    ):
        with slim.arg_scope([slim.conv2d], normalizer_fn=slim.batch_norm, normalizer_params=batch_norm_params) as sc:
            return sc


def digits_net(images, num_classes=10, is_training=True, keep_prob=1.0, scope="digits"):
    end_points = {}
    with tf.variable_scope(scope, "digits", [images]):
        net = slim.conv2d(images, 6, [3, 3], scope="conv1")
        net = end_points["pool1"] = slim.max_pool2d(net, [2, 2], 2, scope="pool1")
        net = slim.repeat(net, 2, slim.conv2d, 8, [3, 3], padding="VALID", scope="conv2")
        net = end_points["flat"] = slim.flatten(net, scope="flatten")
        net = slim.fully_connected(net, 20, scope="fc3")
        net = slim.dropout(net, keep_prob, is_training=is_training, scope="dropout3")
        logits = slim.fully_connected(net, num_classes, activation_fn=None, normalizer_fn=None, biases_initializer=tf.zeros_initializer(), scope="logits")
    return logits, end_points


def main():
    images, labels = read_digits(300, 7)
    x = tf.placeholder(tf.float32, [None, 12, 12, 1])
    y = tf.placeholder(tf.int32, [None])
    training = tf.placeholder_with_default(False, [])
    with slim.arg_scope(digits_arg_scope(is_training=training)):
        logits, end_points = digits_net(x, is_training=training)
    for name in sorted(end_points):
        print(name, end_points[name].get_shape())
    for variable in slim.get_model_variables():
        print(variable.op.name, variable.get_shape())

    one_hot_labels = slim.one_hot_encoding(y, 10)
    tf.losses.softmax_cross_entropy(one_hot_labels, logits, label_smoothing=0.1)
    total_loss = tf.losses.get_total_loss()
    regularization = tf.add_n(slim.losses.get_regularization_losses())
    print(total_loss.name, [loss.op.name for loss in tf.losses.get_regularization_losses()])

    global_step = tf.train.get_or_create_global_step()
    rate = tf.train.polynomial_decay(0.03, global_step, 90, 0.003)
    optimizer = tf.train.AdamOptimizer(rate, epsilon=0.01)
    update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(update_ops):
        train_op = optimizer.minimize(total_loss, global_step)
    accuracy = tf.reduce_mean(tf.to_float(tf.nn.in_top_k(logits, y, 1)))

    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        for step in range(90):
            batch = slice(step % 15 * 20, step % 15 * 20 + 20)
            _, loss, penalty = sess.run([train_op, total_loss, regularization], {x: images[batch], y: labels[batch], training: True})
            if step % 15 == 0:
                print("step %d: loss %.2f of which %.4f is the penalty" % (step, loss, penalty))
        test_images, test_labels = read_digits(200, 8)
        print("accuracy %.2f on the training pictures, %.2f on others" % (sess.run(accuracy, {x: images, y: labels}), sess.run(accuracy, {x: test_images, y: test_labels})))
        print("rate %.4f at step %d" % tuple(sess.run([rate, global_step])))


if __name__ == "__main__":
    main()
