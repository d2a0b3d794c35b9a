"""Convolution against plain loops, and what layers register."""

import itertools
import threading

import numpy as np
import pytest

import fastreg.compat.v1 as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def same_padding(n, window, stride):
    """TensorFlow's arithmetic: what is missing, the smaller half before."""
    out = -(-n // stride)
    missing = max(0, (out - 1) * stride + window - n)
    return out, missing // 2


def plain_conv2d(x, k, strides, padding, dilations):
    """Convolve by loops over every place and every weight."""
    windows = [(w - 1) * d + 1 for w, d in zip(k.shape[:2], dilations, strict=True)]
    if padding == "SAME":
        (rows, top), (columns, left) = (same_padding(n, w, s) for n, w, s in zip(x.shape[1:3], windows, strides, strict=True))
    else:
        rows, columns = (-(-(n - w + 1) // s) for n, w, s in zip(x.shape[1:3], windows, strides, strict=True))
        top = left = 0
    out = np.zeros((x.shape[0], rows, columns, k.shape[3]))
    for r, c, i, j in itertools.product(range(rows), range(columns), range(k.shape[0]), range(k.shape[1])):
        y, z = r * strides[0] - top + i * dilations[0], c * strides[1] - left + j * dilations[1]
        if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
            out[:, r, c] += x[:, y, z] @ k[i, j]
    return out


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size", [(7, 6), (5, 9)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 2), (4, 5)])
@pytest.mark.parametrize(("strides", "dilations"), [((1, 1), (1, 1)), ((2, 3), (1, 1)), ((1, 1), (1, 2)), ((2, 1), (1, 2))])
def test_conv2d(size, kernel, padding, strides, dilations):
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(2, *size, 3)), rng.normal(size=(*kernel, 3, 4))
    if padding == "VALID" and any((w - 1) * d + 1 > n for w, d, n in zip(kernel, dilations, size, strict=True)):
        with pytest.raises(ValueError, match=r"^Negative dimension size caused by subtracting"):
            tf.nn.conv2d(x, k, [1, *strides, 1], padding, dilations=[1, *dilations, 1])
        return
    expected = plain_conv2d(x, k, strides, padding, dilations)
    last = tf.nn.conv2d(x, k, [1, *strides, 1], padding, dilations=[1, *dilations, 1])
    first = tf.nn.conv2d(np.moveaxis(x, -1, 1), k, [1, 1, *strides], padding, data_format="NCHW", dilations=[1, 1, *dilations])
    assert last.shape == expected.shape and first.shape == np.moveaxis(expected, -1, 1).shape
    with tf.Session() as sess:
        np.testing.assert_allclose(sess.run(last), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(sess.run(first), np.moveaxis(expected, -1, 1), rtol=1e-12, atol=1e-12)


def test_an_empty_batch_is_convolved():
    x = tf.placeholder(tf.float32, [None, 5, 5, 2])
    y = tf.layers.conv2d(x, 3, 2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(y, {x: np.zeros((0, 5, 5, 2))}).shape == (0, 4, 4, 3)


def names():
    return [t.name for t in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)]


@pytest.mark.parametrize("layer", [lambda x, **kw: tf.layers.conv2d(x, 3, 2, **kw), lambda x, **kw: tf.layers.dense(x, 3, **kw)])
def test_regularizers_register_once_and_activities_at_every_call(layer):
    r = tf.contrib.layers.l2_regularizer(0.5)
    x = tf.ones([2, 4, 4, 2])
    layer(x, name="a", kernel_regularizer=r, bias_regularizer=r, activity_regularizer=r)
    assert names() == [f"a/{what}:0" for what in (
        "kernel/Regularizer/l2_regularizer", "bias/Regularizer/l2_regularizer", "ActivityRegularizer/truediv")]  # fmt: skip
    layer(x, name="a", reuse=True, kernel_regularizer=r, bias_regularizer=r, activity_regularizer=r)
    assert names()[3:] == ["a_1/ActivityRegularizer/truediv:0"]
    layer(x, name="b")
    assert len(names()) == 4


def test_a_scopes_regularizer_and_the_layers_own_both_count():
    with tf.variable_scope("s", regularizer=tf.contrib.layers.l1_regularizer(0.5)):
        tf.layers.dense(tf.ones([1, 2]), 2, use_bias=False, name="d", kernel_regularizer=tf.contrib.layers.l2_regularizer(0.5))
    assert names() == ["s/d/kernel/Regularizer/l1_regularizer:0", "s/d/kernel/Regularizer/l2_regularizer:0"]


def test_the_activity_loss_is_divided_by_the_batch():
    for batch in (1, 5):
        tf.layers.dense(
            tf.ones([batch, 2]),
            3,
            kernel_initializer=tf.ones_initializer(),
            activity_regularizer=tf.contrib.layers.l1_regularizer(0.5),
        )
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)) == [3.0, 3.0]


def test_a_layer_object_keeps_its_weights():
    dense = tf.layers.Dense(2, kernel_initializer=tf.ones_initializer(), trainable=False, kernel_constraint=abs)
    one, two = dense(tf.ones([1, 3])), dense(2.0 * tf.ones([1, 3]))
    assert [v.name for v in dense.variables] == ["dense/kernel:0", "dense/bias:0"] == [v.name for v in tf.global_variables()]
    assert dense.trainable_variables == [] == tf.trainable_variables() and dense.kernel.constraint is abs
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert [a.tolist() for a in sess.run([one, two])] == [[[3.0, 3.0]], [[6.0, 6.0]]]


def test_a_partitioned_kernel_is_regularized_by_its_parts():
    with tf.variable_scope("p", partitioner=tf.fixed_size_partitioner(2)):
        y = tf.layers.dense(tf.ones([1, 5]), 2, use_bias=False, kernel_initializer=tf.ones_initializer(),
                            kernel_regularizer=tf.contrib.layers.l2_regularizer(1.0), name="d")  # fmt: skip
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(y).tolist() == [[5.0, 5.0]]
        assert sess.run(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)) == [3.0, 2.0]


@pytest.mark.parametrize("shape", [[20, 7], [7, 20], [3, 3, 4, 16]])
def test_orthogonal_initializer(shape):
    w = tf.orthogonal_initializer(gain=2.0, seed=1)(shape, tf.float64)
    with tf.Session() as sess:
        m = sess.run(w).reshape(-1, shape[-1])
    square = m.T @ m if m.shape[0] >= m.shape[1] else m @ m.T
    np.testing.assert_allclose(square, 4 * np.eye(len(square)), atol=1e-12)


@pytest.mark.parametrize(
    ("initializer", "mean", "deviation", "limit"),
    [
        (tf.random_uniform_initializer(-1.0, 3.0), 1.0, 4 / 12**0.5, 3.0),
        (tf.random_normal_initializer(1.0, 2.0), 1.0, 2.0, None),
        (tf.truncated_normal_initializer(0.0, 2.0), 0.0, 2.0 * 0.8796, 4.0),
        (tf.glorot_uniform_initializer(), 0.0, (2 / 300) ** 0.5, (6 / 300) ** 0.5),
        (tf.glorot_normal_initializer(), 0.0, (2 / 300) ** 0.5, 2 * (2 / 300) ** 0.5 / 0.8796),
        (tf.contrib.layers.xavier_initializer(), 0.0, (2 / 300) ** 0.5, (6 / 300) ** 0.5),
        (tf.contrib.layers.xavier_initializer(uniform=False), 0.0, 0.8796 * (2.6 / 300) ** 0.5, 2 * (2.6 / 300) ** 0.5),
        (tf.contrib.layers.variance_scaling_initializer(), 0.0, 0.8796 * (2.6 / 100) ** 0.5, 2 * (2.6 / 100) ** 0.5),
        (tf.contrib.layers.variance_scaling_initializer(1.0, "FAN_OUT", True), 0.0, (1 / 200) ** 0.5, (3 / 200) ** 0.5),
        (tf.variance_scaling_initializer(2.0), 0.0, (2 / 100) ** 0.5, None),
    ],
)
def test_initializers_by_their_moments(initializer, mean, deviation, limit):
    tf.set_random_seed(0)
    v = tf.get_variable("v", [100, 200], initializer=initializer)
    with tf.Session() as sess:
        sess.run(v.initializer)
        value = sess.run(v)
    assert value.dtype == np.float32
    assert value.mean() == pytest.approx(mean, abs=0.05 * deviation) and value.std() == pytest.approx(deviation, rel=0.02)
    assert limit is None or np.abs(value).max() <= limit * (1 + 1e-6)


@pytest.mark.parametrize(
    "drop",
    [
        lambda x, training: tf.layers.dropout(x, 0.25, training=training),
        lambda x, training: tf.contrib.slim.dropout(x, 0.75, is_training=training),
        lambda x, training: tf.layers.Dropout(0.25, seed=1)(x, training=training),
    ],
)
def test_dropout_while_training_and_otherwise(drop):
    tf.set_random_seed(0)
    flag = tf.placeholder(tf.bool, [])
    x = tf.get_variable("x", initializer=np.ones((100, 200), np.float32))
    always, never, told = drop(x, True), drop(x, False), drop(x, flag)
    gradient = tf.gradients(told, x)[0]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for y in (sess.run(always), *sess.run([told, gradient], {flag: True})):
            assert set(np.unique(y)) == {0, np.float32(1) / np.float32(0.75)} and np.mean(y == 0) == pytest.approx(0.25, abs=0.01)
        kept, slope = sess.run([told, gradient], {flag: True})
        assert np.array_equal(kept, slope)
        for y in (sess.run(never), *sess.run([told, gradient], {flag: False})):
            assert (y == 1).all()


def test_arg_scope_belongs_to_its_thread():
    slim = tf.contrib.slim

    @slim.add_arg_scope
    def scaled(x, by=1.0):
        return x * by

    found = []
    with slim.arg_scope([scaled], by=3.0):
        other = threading.Thread(target=lambda: found.append(scaled(2.0)))
        other.start()
        other.join()
        found.append(scaled(2.0))
    assert [*found, scaled(2.0)] == [2.0, 6.0, 2.0]


def test_a_layer_of_ones_own():
    class Scale(tf.layers.Layer):
        def build(self, input_shape):
            self.by = self.add_weight("by", [int(input_shape[-1])], initializer=tf.ones_initializer(), regularizer=regularizer)

        def call(self, inputs):
            return inputs * self.by

    regularizer = tf.contrib.layers.l2_regularizer(2.0)
    layer = Scale(name="scale")
    twice = layer(layer(tf.ones([2, 3])))
    assert (
        layer.built
        and names() == ["scale/by/Regularizer/l2_regularizer:0"]
        and [v.name for v in layer.variables] == ["scale/by:0"]
    )
    with pytest.raises(NotImplementedError, match="Layer has no method `call`"):
        tf.layers.Layer()(tf.ones([1]))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(twice).tolist() == [[1.0] * 3] * 2 and sess.run(layer.losses) == [3.0]


def test_what_batch_normalization_has_not():
    x = tf.ones([2, 3])
    for wrong in (
        lambda: tf.layers.batch_normalization(x, renorm=True),
        lambda: tf.layers.batch_normalization(x, axis=[0, 1]),
        lambda: tf.layers.batch_normalization(x, virtual_batch_size=1),
        lambda: tf.contrib.slim.batch_norm(x, batch_weights=tf.ones([2])),
    ):
        with pytest.raises(NotImplementedError, match=r"outside fastreg\.compat\.v1"):
            wrong()
