"""A penalty in the loss is folded into the step, and no bit of the weights shows it."""

import functools

import numpy as np
import pytest

import fastreg.compat.v1 as tf
from fastreg.compat.v1 import penalties

L = tf.contrib.layers
T = tf.train
RULES = {
    "GradientDescent": lambda: T.GradientDescentOptimizer(0.1),
    "Momentum": lambda: T.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "Adagrad": lambda: T.AdagradOptimizer(0.1),
    "RMSProp": lambda: T.RMSPropOptimizer(0.1, centered=True),
    "Adam": lambda: T.AdamOptimizer(0.1),
    "AdamW": lambda: tf.contrib.opt.AdamWOptimizer(0.01, 0.1),
    "MomentumW": lambda: tf.contrib.opt.MomentumWOptimizer(0.01, 0.1, 0.9),
    "a tensor as rate": lambda: T.MomentumOptimizer(tf.constant(0.1) * 1.5, 0.9),
}
PENALTIES = {
    "l1": lambda: L.l1_regularizer(0.3),
    "l2": lambda: L.l2_regularizer(0.07),
    "both": lambda: L.l1_l2_regularizer(0.3, 0.07),
    "sum": lambda: L.sum_regularizer([L.l1_regularizer(0.3), L.l2_regularizer(0.07)]),
}


def losses():
    return tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)


FORMS = {
    "add_n": lambda data, vs: data + tf.add_n(losses()),
    "one add_n": lambda data, vs: tf.add_n([data, *losses()]),
    "first": lambda data, vs: tf.add_n(losses()) + data,
    "reduce_sum": lambda data, vs: data + tf.reduce_sum(losses()),
    "get_regularization_loss": lambda data, vs: data + tf.losses.get_regularization_loss(),
    "get_total_loss": lambda data, vs: (tf.losses.add_loss(data), tf.losses.get_total_loss())[1],
    "multiple": lambda data, vs: data + 0.3 * tf.add_n(losses()),
    "nested": lambda data, vs: (data + 3.0 * (tf.add_n([tf.add_n(losses()), 0.5 * losses()[1]]) + 1.0)) / 7.0,
    "negative": lambda data, vs: data - 0.01 * tf.add_n(losses()),
    "zero": lambda data, vs: data + 0.0 * tf.add_n(losses()),
    "squared": lambda data, vs: data + 0.01 * tf.square(tf.add_n(losses())),
    "by a tensor": lambda data, vs: data + tf.reduce_sum(tf.abs(vs[0])) * tf.add_n(losses()),
    "l2_loss": lambda data, vs: data + 0.01 * tf.add_n([tf.nn.l2_loss(v) for v in vs]),
    "apply": lambda data, vs: data + 2.0 * L.apply_regularization(L.l2_regularizer(0.03), vs),
    "twice": lambda data, vs: data + tf.add_n(losses()) + 0.1 * tf.add_n([tf.nn.l2_loss(v) for v in vs]),
}


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def network(penalty, dtype=np.float32):
    rng = np.random.default_rng(3)
    regularizer = penalty()
    vs = [
        tf.get_variable(name, initializer=rng.normal(size=shape).astype(dtype), regularizer=regularizer)
        for name, shape in (("a", (50, 7)), ("b", (7,)))
    ]
    bias = tf.get_variable("bias", initializer=rng.normal(size=3).astype(dtype))
    data = tf.reduce_sum(tf.square(vs[0] - 0.3)) + tf.reduce_sum(vs[1] * vs[1] * vs[1]) + tf.reduce_sum(tf.square(bias))
    return data, vs, bias


def weights_after(make_step, penalty, form, dtype=np.float32, steps=4):
    with tf.Graph().as_default():
        data, vs, _ = network(penalty, dtype)
        step = make_step(FORMS[form](data, vs))
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(steps):
                sess.run(step)
            return sess.run(sorted(tf.global_variables(), key=lambda v: v.name))


def unfolded(rule, loss):
    """Apply gradients that are no sums, but equal to them."""
    opt = RULES[rule]()
    return opt.apply_gradients([(tf.identity(g), v) for g, v in opt.compute_gradients(loss)])


def folded(rule, loss):
    return RULES[rule]().minimize(loss)


def assert_same(found, expected):
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("rule", RULES)
def test_no_bit_changes_under_any_rule(rule, penalty, dtype):
    one, other = (weights_after(functools.partial(f, rule), PENALTIES[penalty], "add_n", dtype) for f in (folded, unfolded))
    assert_same(one, other)


@pytest.mark.parametrize("penalty", ["l2", "both"])
@pytest.mark.parametrize("form", FORMS)
def test_no_bit_changes_however_the_loss_is_written(form, penalty):
    one, other = (weights_after(functools.partial(f, "Momentum"), PENALTIES[penalty], form) for f in (folded, unfolded))
    assert_same(one, other)


@pytest.fixture
def passes(monkeypatch):
    """Count the gradients of penalties that are formed in a pass of their own."""
    count = []
    plain = penalties._gradient_times
    monkeypatch.setattr(penalties, "_gradient_times", lambda *args: count.append(1) or plain(*args))
    return count


@pytest.mark.parametrize(
    ("form", "expected"),
    [(form, 0) for form in FORMS if form not in ("negative", "zero", "twice")]
    + [("negative", 2), ("zero", 2)]
    + [("twice", 2)],  # of the two penalties of a variable one is folded
)
def test_which_penalties_are_folded(passes, form, expected):
    weights_after(functools.partial(folded, "Adam"), PENALTIES["l2"], form, steps=1)
    assert len(passes) == expected


@pytest.mark.parametrize(
    "rule",
    [
        lambda: T.ProximalGradientDescentOptimizer(0.1),
        lambda: T.ProximalAdagradOptimizer(0.1),
        lambda: T.FtrlOptimizer(0.1),
    ],
)
def test_a_proximal_rule_takes_the_gradient_of_l1_as_tensorflows_does(passes, rule):
    weights_after(lambda loss: rule().minimize(loss), PENALTIES["l1"], "add_n", steps=1)
    assert len(passes) == 2


def test_clipped_gradients_are_not_folded(passes):
    def clipped(loss):
        opt = RULES["Adam"]()
        return opt.apply_gradients([(tf.clip_by_value(g, -0.1, 0.1), v) for g, v in opt.compute_gradients(loss)])

    weights_after(clipped, PENALTIES["l2"], "add_n", steps=1)
    assert len(passes) == 2


def test_gradients_that_are_fetched_beside_the_step_are_those_it_used(passes):
    data, vs, _ = network(PENALTIES["l2"])
    opt = T.GradientDescentOptimizer(0.5)
    pairs = opt.compute_gradients(FORMS["add_n"](data, vs))
    step = opt.apply_gradients(pairs)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before = sess.run(vs[0])
        gradient, _ = sess.run([pairs[0][0], step])
        assert np.array_equal(sess.run(vs[0]), before - np.float32(0.5) * gradient) and passes


def test_what_is_fed_counts():
    """The value of a variable may be fed, and so may the gradient."""
    data, vs, _ = network(PENALTIES["l2"])
    opt = T.GradientDescentOptimizer(0.5)
    pairs = opt.compute_gradients(FORMS["add_n"](data, vs))
    step = opt.apply_gradients(pairs)
    ones, zero = np.ones((50, 7), np.float32), np.zeros((50, 7), np.float32)
    with tf.Session() as sess:
        for feed, gradient in (({vs[0]: ones}, 2 * (1 - 0.3) + 0.07), ({pairs[0][0]: zero}, 0.0), ({vs[0].value(): zero}, -0.6)):
            sess.run(tf.global_variables_initializer())
            before = sess.run(vs[0])
            sess.run(step, feed)
            np.testing.assert_allclose(sess.run(vs[0]), before - 0.5 * gradient, rtol=1e-5, atol=1e-6)


def test_steps_that_share_a_variable_in_one_run_see_it_as_it_was():
    found = []
    for wrap in (lambda g: g, tf.identity):
        with tf.Graph().as_default():
            data, vs, _ = network(PENALTIES["both"])
            loss = FORMS["add_n"](data, vs)
            opts = [T.GradientDescentOptimizer(0.5), T.GradientDescentOptimizer(0.25)]
            steps = [opt.apply_gradients([(wrap(g), v) for g, v in opt.compute_gradients(loss)]) for opt in opts]
            with tf.control_dependencies([vs[0].assign(tf.zeros_like(vs[0]))]):
                after = T.GradientDescentOptimizer(0.5).apply_gradients(
                    [(wrap(g), v) for g, v in T.GradientDescentOptimizer(0.5).compute_gradients(loss)]
                )
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                sess.run(steps)
                found.append(sess.run(vs))
                sess.run(after)
                found[-1] += sess.run(vs)
    assert_same(*found)


def test_a_step_after_updates_is_folded(passes):
    """As minimize within control_dependencies(update_ops)."""
    data, vs, _ = network(PENALTIES["l2"])
    moving = tf.Variable(0.0, trainable=False)
    with tf.control_dependencies([tf.assign_add(moving, 1.0)]):
        step = T.AdamOptimizer(0.1).minimize(FORMS["add_n"](data, vs), global_step=T.get_or_create_global_step())
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        assert sess.run([moving, T.get_global_step()]) == [1.0, 1] and not passes


def test_a_scale_may_change_between_steps():
    found = []
    for f in (folded, unfolded):
        with tf.Graph().as_default():
            regularizer = L.l2_regularizer(0.5)
            data, vs, _ = network(lambda r=regularizer: r)
            step = f("Momentum", FORMS["multiple"](data, vs))
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                for scale in (0.5, 0.25, 0.0):
                    regularizer.scale = scale
                    sess.run(step)
                found.append(sess.run(vs))
    assert_same(*found)


def test_constrained_variables_are_folded_too(passes):
    w = tf.get_variable("w", initializer=np.array([1.0, -1.0], np.float32), constraint=lambda x: tf.clip_by_value(x, 0.0, 0.75))
    step = T.GradientDescentOptimizer(0.5).minimize(tf.reduce_sum(w) + 0.5 * tf.nn.l2_loss(w))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        assert sess.run(w).tolist() == [0.25, 0.0] and not passes


def test_the_penalties_of_layers_are_folded(passes):
    """By scopes, by layers' arguments, by arg_scope and by a list of tf.nn.l2_loss, in one network."""
    slim = tf.contrib.slim
    x, y = tf.placeholder(tf.float32, [None, 6, 6, 2]), tf.placeholder(tf.int32, [None])
    with slim.arg_scope([slim.conv2d], weights_regularizer=slim.l2_regularizer(5e-4)):
        net = slim.conv2d(x, 3, [3, 3], normalizer_fn=slim.batch_norm)
        net = slim.repeat(slim.max_pool2d(net, 2), 2, slim.conv2d, 4, [2, 2])
    net = tf.layers.dense(tf.layers.flatten(net), 5, tf.nn.tanh, kernel_regularizer=L.l1_regularizer(1e-3))
    with tf.variable_scope("last", regularizer=L.l1_l2_regularizer(1e-3, 1e-3)):
        net = tf.layers.dense(net, 4)
    extra = tf.get_variable("extra", [4], initializer=tf.ones_initializer())
    tf.losses.sparse_softmax_cross_entropy(y, net * extra)
    loss = tf.losses.get_total_loss() + 1e-3 * tf.nn.l2_loss(extra)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = T.MomentumOptimizer(0.1, 0.9).minimize(loss, T.get_or_create_global_step())
    rng = np.random.default_rng(0)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before = sess.run(tf.trainable_variables())
        value = sess.run([step, loss], {x: rng.normal(size=(8, 6, 6, 2)), y: rng.integers(4, size=8)})[1]
        after = sess.run(tf.trainable_variables())
    assert np.isfinite(value) and not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert len(tf.losses.get_regularization_losses()) == 6 and not passes
