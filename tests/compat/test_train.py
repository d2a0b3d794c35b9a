"""tf.train's optimizers over the core's rules."""

import numpy as np
import pytest

import fastreg as fr
import fastreg.compat.v1 as tf

T = tf.train
MAKERS = {
    "GradientDescent": (lambda: T.GradientDescentOptimizer(0.25), lambda: fr.optim.GradientDescent(0.25)),
    "Momentum": (
        lambda: T.MomentumOptimizer(0.25, 0.5, use_nesterov=True), lambda: fr.optim.Momentum(0.25, 0.5, use_nesterov=True),
    ),
    "Adagrad": (lambda: T.AdagradOptimizer(0.25), lambda: fr.optim.Adagrad(0.25)),
    "RMSProp": (lambda: T.RMSPropOptimizer(0.25, 0.5, 0.25, 0.5), lambda: fr.optim.RMSProp(0.25, 0.5, 0.25, 0.5)),
    "RMSProp centered": (
        lambda: T.RMSPropOptimizer(0.25, 0.5, 0.25, 0.5, centered=True),
        lambda: fr.optim.RMSProp(0.25, 0.5, 0.25, 0.5, centered=True),
    ),
    "Adam": (lambda: T.AdamOptimizer(0.25, 0.5, 0.75, 0.5), lambda: fr.optim.Adam(0.25, 0.5, 0.75, 0.5)),
    "AdamW": (
        lambda: tf.contrib.opt.AdamWOptimizer(0.125, 0.25, 0.5, 0.75, 0.5),
        lambda: fr.optim.AdamW(weight_decay=0.125, learning_rate=0.25, beta1=0.5, beta2=0.75, epsilon=0.5),
    ),
    "MomentumW": (
        lambda: tf.contrib.opt.MomentumWOptimizer(0.125, 0.25, 0.5),
        lambda: fr.optim.MomentumW(weight_decay=0.125, learning_rate=0.25, momentum=0.5),
    ),
    "ProximalGradientDescent": (
        lambda: T.ProximalGradientDescentOptimizer(0.25, 0.5, 0.125), lambda: fr.optim.ProximalGradientDescent(0.25, 0.5, 0.125),
    ),
    "ProximalAdagrad": (lambda: T.ProximalAdagradOptimizer(0.25, 0.5, 0.125), lambda: fr.optim.ProximalAdagrad(0.25, 0.5, 0.125)),
    "Ftrl": (
        lambda: T.FtrlOptimizer(0.25, -0.5, 0.5, 0.125, 0.25, l2_shrinkage_regularization_strength=0.125),
        lambda: fr.optim.Ftrl(0.25, -0.5, 0.5, 0.125, 0.25, 0.125),
    ),
}  # fmt: skip
W = [np.array([[1.0, -2.0, 0.5]]), np.array([3.0, -0.25])]
G = [np.array([[0.5, 0.25, -1.0]]), np.array([-2.0, 0.125])]


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def variables(dtype=np.float64):
    return [tf.get_variable(f"w{i}", initializer=w.astype(dtype)) for i, w in enumerate(W)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", MAKERS)
def test_a_step_is_the_cores_step(rule, dtype):
    """The numbers are powers of two, so that float32 does not change them."""
    compat, core = (make() for make in MAKERS[rule])
    vs = variables(dtype)
    step = compat.apply_gradients([(tf.constant(g.astype(dtype)), v) for g, v in zip(G, vs, strict=True)])
    arrays = [w.astype(dtype) for w in W]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run(step)
            core.apply_gradients({f"w{i}": (g.astype(dtype), a) for i, (g, a) in enumerate(zip(G, arrays, strict=True))})
        for found, expected in zip(sess.run(vs), arrays, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6 if "Adam" in rule else 1e-15)
        assert not np.array_equal(arrays[0], W[0])


@pytest.mark.parametrize("rule", MAKERS)
def test_the_initializer_starts_the_slots_anew(rule):
    vs = variables()
    step = MAKERS[rule][0]().apply_gradients([(tf.constant(G[0]), vs[0])])
    with tf.Session() as sess:
        seen = []
        for _ in range(2):
            sess.run(tf.global_variables_initializer())
            for _ in range(3):
                sess.run(step)
            seen.append(sess.run(vs[0]))
    assert np.array_equal(*seen)


def test_sessions_do_not_share_slots():
    (v, _) = variables()
    step = T.AdamOptimizer(0.1).apply_gradients([(tf.constant(G[0]), v)])
    one, two = tf.Session(), tf.Session()
    for sess in (one, two):
        sess.run(tf.global_variables_initializer())
    for sess in (one, one, two, one, two, two):
        sess.run(step)
    assert np.array_equal(one.run(v), two.run(v))


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("GradientDescent", []),
        ("Momentum", ["w0/Momentum:0", "w1/Momentum:0"]),
        ("Adam", ["beta1_power:0", "beta2_power:0", "w0/Adam:0", "w0/Adam_1:0", "w1/Adam:0", "w1/Adam_1:0"]),
        ("Ftrl", ["w0/Ftrl:0", "w0/Ftrl_1:0", "w1/Ftrl:0", "w1/Ftrl_1:0"]),
        ("AdamW", ["beta1_power:0", "beta2_power:0", "w0/AdamW:0", "w0/AdamW_1:0", "w1/AdamW:0", "w1/AdamW_1:0"]),
    ],
)
def test_slots_are_variables_with_tensorflows_names(rule, names):
    opt = MAKERS[rule][0]()
    opt.apply_gradients([(tf.constant(g), v) for g, v in zip(G, variables(), strict=True)])
    assert [v.name for v in opt.variables()] == names
    assert {v.name for v in tf.global_variables()} == {*names, "w0:0", "w1:0"}
    assert len(tf.trainable_variables()) == 2


def test_a_scopes_regularizer_and_partitioner_leave_slots_alone():
    r = tf.contrib.layers.l2_regularizer(0.5)
    with tf.variable_scope("s", regularizer=r):
        v = tf.get_variable("v", shape=[4])
        with tf.variable_scope("t", partitioner=tf.fixed_size_partitioner(2)):
            opt = T.MomentumOptimizer(0.1, 0.9)
            opt.apply_gradients([(tf.ones([4]), v)])
    assert opt.get_slot(v, "momentum").shape == [4]
    assert [t.name for t in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)] == ["s/v/Regularizer/l2_regularizer:0"]


@pytest.mark.parametrize("rule", MAKERS)
def test_half_precision_steps_by_way_of_float32(rule):
    half, single = (
        tf.get_variable(name, initializer=W[0].astype(dtype)) for name, dtype in (("h", np.float16), ("s", np.float32))
    )
    steps = [MAKERS[rule][0]().apply_gradients([(tf.cast(tf.constant(G[0]), v.dtype), v)]) for v in (half, single)]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(steps)
        h, s = sess.run([half, single])
    assert h.dtype == np.float16
    np.testing.assert_allclose(h, s, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("rule", ["GradientDescent", "Momentum", "Adagrad", "Adam", "ProximalAdagrad", "Ftrl", "RMSProp"])
def test_rows(rule):
    """Rows that are not touched stay, but under Adam, whose slots move them as TensorFlow's do."""
    table = tf.get_variable("table", initializer=np.arange(8.0).reshape(4, 2))
    rows = tf.IndexedSlices(tf.constant(np.ones((3, 2))), tf.constant([2, 0, 2]), tf.constant([4, 2]))
    whole = tf.constant(np.array([[1.0], [0], [2], [0]]) * np.ones((4, 2)))
    dense = tf.get_variable("dense", initializer=np.arange(8.0).reshape(4, 2))
    steps = [MAKERS[rule][0]().apply_gradients([pair]) for pair in ((rows, table), (whole, dense))]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(steps)
        t, d = sess.run([table, dense])
    np.testing.assert_allclose(t[[0, 2]], d[[0, 2]], rtol=1e-12)
    assert np.array_equal(t[[1, 3]], [[2.0, 3.0], [6.0, 7.0]])


def test_minimize_on_the_regularization_loss():
    r = tf.contrib.layers.l1_l2_regularizer(0.5, 0.25)
    v = tf.get_variable("v", initializer=np.array([1.0, -2.0, 0.0]), regularizer=r)
    other = tf.get_variable("other", initializer=np.array([1.0]))
    step = tf.train.GradientDescentOptimizer(0.5).minimize(
        tf.losses.get_regularization_loss(), global_step=T.get_or_create_global_step()
    )
    assert T.get_global_step() is T.get_or_create_global_step() and step in tf.get_collection(tf.GraphKeys.TRAIN_OP)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        assert [a.tolist() for a in sess.run([v, other])] == [[0.625, -1.5, 0.0], [1.0]] and sess.run(T.get_global_step()) == 1


def test_numbers_may_be_tensors_and_functions():
    v = tf.get_variable("v", initializer=np.array([1.0]))
    rate = tf.placeholder(tf.float32, [])
    steps = [
        T.MomentumOptimizer(r, lambda: 0.0).apply_gradients([(tf.constant([1.0], tf.float64), v)]) for r in (rate, lambda: 0.5)
    ]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(steps[0], {rate: 0.25})
        assert sess.run(v) == 0.75
        sess.run(steps[1])
        assert sess.run(v) == 0.25


def test_constraints_hold_after_the_step():
    v = tf.get_variable("v", initializer=np.array([1.0, -1.0]), constraint=lambda x: tf.clip_by_value(x, 0.0, 0.75))
    step = T.GradientDescentOptimizer(0.5).apply_gradients([(tf.constant([0.1, 0.1], tf.float64), v)])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        assert sess.run(v).tolist() == [0.75, 0.0]


def test_decay_for_some_variables():
    vs = variables()
    opt = tf.contrib.opt.extend_with_decoupled_weight_decay(T.GradientDescentOptimizer)(0.5, 0.25)
    zero = [tf.zeros_like(v) for v in vs]
    step = opt.apply_gradients(list(zip(zero, vs, strict=True)), decay_var_list=[vs[1]])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        assert np.array_equal(sess.run(vs[0]), W[0]) and np.array_equal(sess.run(vs[1]), W[1] / 2)


def test_minimize_says_once_that_it_decays_every_variable(run_python):
    done = run_python("""
import fastreg.compat.v1 as tf
a, b = tf.Variable(1.0), tf.Variable(1.0)
opt = tf.contrib.opt.extend_with_decoupled_weight_decay(tf.train.GradientDescentOptimizer)(0.5, 0.0)
steps = [opt.minimize(a + b, decay_var_list=[a]) for _ in range(2)]
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    sess.run(steps[0])
    print(*sess.run([a, b]))
try:
    tf.train.GradientDescentOptimizer(0.1).minimize(a, decay_var_list=[a])
except TypeError as error:
    print(error)
""")
    assert done.stdout.splitlines()[0] == "0.5 0.5" and "has no decay_var_list" in done.stdout
    assert done.stderr.count("decays every variable") == 1 and "pass the list to apply_gradients" in done.stderr


def test_an_uninitialized_variable_is_not_stepped():
    vs = variables()
    step = T.AdamOptimizer().apply_gradients([(tf.constant(g), v) for g, v in zip(G, vs, strict=True)])
    with tf.Session() as sess:
        sess.run(vs[0].initializer)
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value"):
            sess.run(step)
        assert np.array_equal(sess.run(vs[0]), W[0])


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda opt, v: opt.apply_gradients([]), ValueError, r"^No variables provided\.$"),
        (lambda opt, v: opt.apply_gradients([(v, v)], decay_var_list=[v]), TypeError, "has no decay_var_list"),
        (lambda opt, v: opt.apply_gradients([(None, v)]), ValueError, "^No gradients provided for any variable: "),
        (lambda opt, v: opt.minimize(tf.constant(1.0), var_list=[]), ValueError, r"^No variables to optimize\.$"),
        (lambda opt, v: opt.minimize(tf.constant(1.0)), ValueError, "^No gradients provided for any variable, check your graph"),
        (
            lambda opt, v: opt.apply_gradients([(tf.ones([1, 3]), tf.ones([1, 3]))]),
            NotImplementedError,
            "Trying to update a Tensor",
        ),
        (
            lambda opt, v: opt.apply_gradients([({}, v)]),
            TypeError,
            "^Gradient must be convertible to a Tensor or IndexedSlices, or None",
        ),
    ],
)
def test_bad_steps(wrong, error, message):
    vs = variables()
    with pytest.raises(error, match=message):
        wrong(T.GradientDescentOptimizer(0.1), vs[0])
