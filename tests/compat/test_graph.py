"""The lazy graph: one kernel call, sessions, feeds, gradients, the border."""

import ast
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import fastreg as fr
import fastreg.compat.v1 as tf
from fastreg.compat.v1 import penalties
from fastreg.compat.v1.variables import ACCEPTED


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def collection(n=5, dtype=np.float32):
    rng = np.random.default_rng(0)
    for i in range(n):
        tf.get_variable(
            f"w{i}", initializer=rng.normal(size=(3, i + 1)).astype(dtype), regularizer=tf.contrib.layers.l2_regularizer(0.5)
        )
    return tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)


# One kernel call


@pytest.fixture
def calls(monkeypatch):
    """Count the calls of the kernels for a collection, and forbid those for one tensor."""
    seen = []
    evaluate = penalties.evaluate

    def counted(terms):
        seen.append(len(terms))
        return evaluate(terms)

    monkeypatch.setattr(penalties, "evaluate", counted)
    monkeypatch.setattr(penalties, "as_kernel_array", lambda f: lambda a: pytest.fail("a penalty was computed by itself"))
    return seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_collection_is_one_kernel_call(calls, dtype):
    keys = collection(dtype=dtype)
    total = tf.add_n(keys)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        value = sess.run(total)
        expected = 0.25 * sum((a.astype(float) ** 2).sum() for a in sess.run(tf.trainable_variables()))
    assert calls == [5] and value.dtype == dtype and value == pytest.approx(expected, rel=1e-6)


def test_a_total_loss_is_one_kernel_call_beside_the_data_loss(calls):
    collection(3)
    tf.losses.add_loss(tf.constant(2.0))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        total, regularization = sess.run([tf.losses.get_total_loss(), tf.losses.get_regularization_loss()])
    assert calls == [3, 3] and total == pytest.approx(regularization + 2.0)


def test_l2_losses_are_one_kernel_call_too(calls):
    tensors = [tf.constant(np.full(4, i, np.float32)) for i in range(3)]
    with tf.Session() as sess:
        assert sess.run(0.5 * tf.add_n([tf.nn.l2_loss(t) for t in tensors])) == 5.0
    assert calls == [3]


def test_a_penalty_that_is_fed_or_fetched_counts_as_it_is():
    keys = collection(3)
    total = tf.add_n(keys)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        values, whole = sess.run([keys, total])
        assert whole == pytest.approx(sum(values), rel=1e-6)
        assert sess.run(total, {keys[0]: 100.0}) == pytest.approx(100 + sum(values[1:]), rel=1e-6)


# The core sees the same collection


def test_the_core_takes_the_collection_as_terms():
    keys = collection(3, np.float64)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        loss, grads = fr.value_and_gradients(fr.get_collection(fr.GraphKeys.REGULARIZATION_LOSSES))
        assert loss == sess.run(tf.losses.get_regularization_loss()) == float(fr.add_n(keys))
        for v, g in zip(tf.trainable_variables(), sess.run(tf.gradients(tf.add_n(keys), tf.trainable_variables())), strict=True):
            assert np.array_equal(grads[v.name], g)


def test_a_regularizers_scale_may_change_between_runs():
    regularizer = tf.contrib.layers.l2_regularizer(1.0)
    tf.get_variable("w", shape=[2], initializer=tf.ones_initializer(), regularizer=regularizer)
    loss = tf.losses.get_regularization_loss()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(loss) == 1.0
        regularizer.scale = 0.25
        assert sess.run(loss) == 0.25


def test_a_regularizer_of_the_core_works_on_variables():
    v = tf.get_variable("w", shape=[2], initializer=tf.ones_initializer(), regularizer=fr.l1_regularizer(0.5))
    assert tf.losses.get_regularization_losses()[0].name == "w/Regularizer/l1_regularizer:0"
    v.regularizer = tf.contrib.layers.l2_regularizer(3.0)
    assert [t.name for t in tf.losses.get_regularization_losses()] == ["w/Regularizer/l2_regularizer:0"]
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(tf.losses.get_regularization_loss()) == 3.0
    v.regularizer = None
    assert tf.losses.get_regularization_losses() == []


@pytest.mark.parametrize("w", [np.array([1.0, -2.0]), np.ones((2, 3), np.float32)])
def test_regularizers_work_on_arrays_as_well(w):
    assert tf.contrib.layers.l2_regularizer(0.5)(w) == fr.l2_regularizer(0.5)(w)


# Sessions


def test_each_session_has_values_of_its_own():
    v = tf.get_variable("v", shape=[], initializer=tf.constant_initializer(1.0))
    one, two = tf.Session(), tf.Session()
    one.run(v.initializer)
    one.run(v.assign(5.0))
    with pytest.raises(tf.errors.FailedPreconditionError, match=r"^Attempting to use uninitialized value v\n"):
        two.run(v)
    two.run(v.initializer)
    assert (one.run(v), two.run(v), one.run(v)) == (5.0, 1.0, 5.0)


def test_results_are_copies():
    v = tf.get_variable("v", initializer=np.zeros(2))
    with tf.Session() as sess:
        sess.run(v.initializer)
        before = sess.run(v)
        sess.run(v.assign_add([1.0, 1.0]))
        before[0] = 7.0
        assert sess.run(v).tolist() == [1.0, 1.0]


def test_what_changes_nothing_is_computed_first():
    v = tf.get_variable("v", initializer=np.ones(2))
    loss = tf.nn.l2_loss(v)
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run([step, loss, {"v": v}]) == [None, 1.0, {"v": pytest.approx([1.0, 1.0])}]
        assert sess.run(loss) == 0.25


def run_once(op, *fetches):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(op)
        return [a.tolist() for a in sess.run(list(fetches))]


@pytest.mark.parametrize(
    "value", [lambda v: v, tf.identity, lambda v: v.read_value(), lambda v: tf.reshape(v, [2]), lambda v: v * 1.0]
)
@pytest.mark.parametrize("grouped", [tf.group, lambda *ops: list(ops)])
def test_assignments_of_one_run_start_from_the_values_before_it(value, grouped):
    a, b = tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])
    assert run_once(grouped(a.assign(value(b)), b.assign(value(a))), a, b) == [[3.0, 4.0], [1.0, 2.0]]


def test_a_step_starts_from_the_values_before_it_too():
    a, b, c = tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0]), tf.Variable([0.0, 0.0])
    step = tf.train.GradientDescentOptimizer(0.5).apply_gradients([(b, a), (a, b)])
    assert run_once(tf.group(step, c.assign(a)), a, b, c) == [[-0.5, 0.0], [2.5, 3.0], [1.0, 2.0]]


def test_writes_that_wait_for_writes_are_made_together_as_well():
    """Momentum by hand: all new velocities, then all new weights."""
    a, b, m, n = (tf.Variable([x]) for x in (1.0, 3.0, 0.5, 0.25))
    steps = [a.assign(a - m.assign(m + b) * b), b.assign(b - n.assign(n + a) * a)]
    assert run_once(tf.group(*steps), a, b, m, n) == [[1 - 3.5 * 3], [3 - 1.25 * 1], [3.5], [1.25]]


def test_additions_to_one_variable_all_count():
    a = tf.Variable([1.0])
    assert run_once(tf.group(a.assign_add([1.0]), a.assign_sub([4.0]), a.assign_add(a)), a) == [[-1.0]]


def test_a_value_stays_what_it_was_when_computed():
    v = tf.Variable([1.0])
    before = tf.identity(v)
    with tf.control_dependencies([v.assign([5.0])]):
        both = tf.stack([before, tf.identity(v)])
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(both).tolist() == [[1.0], [5.0]]


def test_a_variable_can_be_read_in_the_run_that_initializes_it():
    v = tf.Variable([1.0, 2.0])
    with tf.control_dependencies([v.initializer]):
        loss = tf.nn.l2_loss(v) + tf.reduce_sum(v.read_value())
    with tf.Session() as sess:
        assert sess.run(loss) == 5.5


def test_deep_expressions_do_not_recurse():
    x = tf.constant(0.0)
    for _ in range(3000):
        x = x + 1.0
    with tf.Session() as sess:
        assert sess.run(x) == 3000
        assert sess.run(tf.gradients(x, x.op.inputs[0])[0]) == 1.0


def test_control_dependencies_run_first():
    v = tf.get_variable("v", shape=[], initializer=tf.zeros_initializer())
    with tf.control_dependencies([v.assign_add(2.0)]):
        after = v.read_value()
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(after) == 2.0


@pytest.mark.parametrize("wrong", [1, None, np.ones(2), [1]])
def test_only_tensors_and_operations_can_be_waited_for(wrong):
    with (
        pytest.raises(TypeError, match=f"^Can not convert a {type(wrong).__name__} into a Tensor or Operation"),
        tf.control_dependencies([wrong]),
    ):
        pass


@pytest.mark.parametrize("wrong", [1, None, np.ones(2)])
def test_only_tensors_and_operations_can_be_grouped(wrong):
    with pytest.raises(TypeError, match=r"^Expected tf.group\(\) expected Tensor arguments not "):
        tf.group(tf.no_op(), wrong)


def test_a_penalty_waits_for_what_it_depends_on_in_a_sum_too():
    v = tf.get_variable("v", shape=[2], initializer=tf.zeros_initializer())
    with tf.control_dependencies([v.assign([3.0, 4.0])]):
        late = tf.nn.l2_loss(v)
    total = tf.add_n([late, tf.nn.l2_loss(tf.ones([2]))])
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(total) == 13.5


def test_random_numbers_are_new_at_each_run_and_repeatable_by_seed():
    def draw():
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.set_random_seed(3)
            x = tf.random_normal([4])
            return [sess.run(x) for _ in range(2)]

    first, second = draw(), draw()
    assert np.array_equal(first, second) and not np.array_equal(first[0], first[1])


# Gradients


W = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75]])


@pytest.mark.parametrize(
    "f",
    [
        lambda w: tf.reduce_sum(tf.square(w) * 3.0 - w / 2.0 + 1.0 / (w + 9.0)),
        lambda w: tf.reduce_sum(tf.sqrt(tf.reduce_sum(w * w, 0))),
        lambda w: tf.reduce_mean(tf.abs(w), axis=1)[1],
        lambda w: tf.norm(tf.matmul(w, w, transpose_b=True) - tf.eye(2, dtype=tf.float64)),
        lambda w: tf.reduce_sum(tf.matmul(w, tf.transpose(w)) ** 2.0),
        lambda w: tf.reduce_sum(tf.matmul(w, w, transpose_a=True) * tf.constant(np.arange(9.0).reshape(3, 3))),
        lambda w: tf.reduce_max(w) * 2.0 + tf.reduce_min(w, axis=0)[2],
        lambda w: tf.reduce_sum(tf.maximum(w, 0.1) * tf.minimum(w, 0.6)),
        lambda w: tf.reduce_sum(tf.exp(w) + tf.log(tf.abs(w)) + tf.log1p(tf.square(w)) + tf.rsqrt(tf.square(w) + 1.0)),
        lambda w: tf.reduce_sum(tf.pow(tf.abs(w), 1.5)),
        lambda w: tf.reduce_sum(tf.concat([w, 2.0 * w], 1) * tf.concat([w[:, ::-1], w], 1)),
        lambda w: tf.reduce_sum(tf.gather(w, [1, 1, 0]) * tf.reshape(tf.gather(w, [0, 1, 1]), [3, 3])),
        lambda w: tf.reduce_sum(tf.tile(w, [2, 1]) * tf.constant(np.arange(12.0).reshape(4, 3))),
        lambda w: tf.reduce_sum(tf.stack([w[0], w[1] * 2.0]) * tf.expand_dims(w[0], 0)),
        lambda w: tf.nn.l2_loss(w) * tf.cast(tf.reduce_sum(w), tf.float64),
        lambda w: tf.contrib.layers.l1_l2_regularizer(0.3, 0.7)(w) * 2.0,
        lambda w: tf.reduce_sum(tf.squared_difference(w[:, 1:], w[:, :-1])) + tf.trace(w[:, :2]),
        lambda w: tf.add_n([tf.reduce_sum(w), tf.reduce_sum(w, keepdims=True)[0, 0], tf.nn.l2_loss(w)]),
        lambda w: tf.reduce_sum(tf.nn.l2_normalize(w, 1) * w),
        lambda w: tf.reduce_sum(tf.identity(w) - tf.clip_by_value(w, -1.1, 1.2)),
    ],
)
def test_gradients_by_central_differences(f):
    v = tf.placeholder(tf.float64, W.shape)
    y = f(v)
    g = tf.convert_to_tensor(tf.gradients(y, v)[0])
    assert g.shape == W.shape and g.dtype == tf.float64
    with tf.Session() as sess:
        found = sess.run(g, {v: W})
        for at in np.ndindex(W.shape):
            step = np.zeros_like(W)
            step[at] = 1e-6
            slope = (sess.run(y, {v: W + step}) - sess.run(y, {v: W - step})) / 2e-6
            assert found[at] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_l1s_gradient_is_zero_at_zero_and_stop_gradient_stops():
    w = tf.constant([0.0, -2.0, 3.0])
    g = tf.gradients(tf.reduce_sum(tf.abs(w)) + tf.reduce_sum(tf.stop_gradient(w) * w), w)[0]
    with tf.Session() as sess:
        assert sess.run(g).tolist() == [0.0, -3.0, 4.0]
    assert tf.gradients(tf.stop_gradient(w), w) == [None] and tf.gradients(tf.constant(1.0), [w]) == [None]


def test_equal_extremes_share_the_gradient():
    w = tf.constant([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    with tf.Session() as sess:
        by_row, by_all = sess.run([tf.gradients(tf.reduce_max(w, 1), w)[0], tf.gradients(tf.reduce_min(w), w)[0]])
    np.testing.assert_allclose(by_row, [[0, 0.5, 0.5], [1 / 3] * 3], rtol=1e-6)
    assert by_all.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


def test_a_function_without_a_gradient_says_so():
    x = tf.get_variable("x", shape=[2, 3])
    slope = tf.gradients(tf.contrib.layers.l2_regularizer(0.5)(x), x)[0]
    curvature = tf.gradients(slope, x)[0]
    with pytest.raises(
        LookupError, match=r"^No gradient defined for operation 'gradients_1/.*mul' \(op type: PenaltyGradGrad\)$"
    ):
        tf.gradients(curvature * x, slope)


# The border


@pytest.mark.parametrize(
    ("where", "name"),
    [(tf, "while_loop"), (tf, "cond"), (tf, "nothing"), (tf.nn, "conv3d"), (tf.train, "Coordinator"), (tf.contrib, "rnn")],
)
def test_what_is_outside_says_so(where, name):
    with pytest.raises(AttributeError, match=f"has no attribute '{name}': "):
        getattr(where, name)
    assert not hasattr(where, name)


def test_unknown_arguments_are_refused():
    for wrong in (
        lambda: tf.get_variable("v", [1], regulariser=None),
        lambda: tf.layers.dense(tf.ones([1, 2]), 2, kernel_regulariser=None),
        lambda: tf.train.AdamOptimizer(0.1, amsgrad=True),
        lambda: tf.zeros_initializer(seed=1),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_a_file_imports_only_from_those_above_it_in_the_list():
    table = [line.split("|")[1].strip() for line in tf.__doc__.splitlines() if line.startswith("| ")]
    above = []
    for name in ", ".join(table[1:]).split(", "):
        tree = ast.parse((Path(tf.__file__).parent / f"{name}.py").read_text())
        imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert all(node in tree.body for node in imports), f"{name} imports inside a function"
        for node in imports:
            module = (getattr(node, "module", None) or node.names[0].name).split(".")
            if module[:3] == ["fastreg", "compat", "v1"]:
                taken = module[3:] or [alias.name for alias in node.names]
                assert set(taken) <= set(above), f"{name} imports from {taken}"
        above.append(name)
    assert {*above, "__init__", "__main__"} == {path.stem for path in Path(tf.__file__).parent.glob("*.py")}


def test_the_arguments_that_are_not_looked_at_are_those_listed():
    """Read from the source: what a public function takes and never uses."""
    unused = set()
    silent = Path(tf.__file__).parent / "summary.py"  # whose calls do nothing, and say so
    for path in {*Path(tf.__file__).parent.glob("*.py")} - {silent}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                used = {n.id for part in node.body for n in ast.walk(part) if isinstance(n, ast.Name)}
                taken = {a.arg for a in [*node.args.args, *node.args.kwonlyargs]}
                unused |= taken - used
    ours = {"self", "cls", "op", "part", "name", "input_shape", "shape", "x", "y"}  # of functions that share a signature
    always = {"trainable"}  # get_local_variable has it, as TensorFlow's, and makes what is not trained
    assert unused - ours - always == ACCEPTED


def test_a_variable_scope_takes_its_graph_from_values(graph):
    with tf.Graph().as_default(), tf.variable_scope(None, "s", [tf.ones([1])]):
        assert tf.get_default_graph() is not graph
    x = tf.ones([1])
    with tf.Graph().as_default(), tf.variable_scope(None, "s", [x]):
        assert tf.get_default_graph() is graph and tf.get_variable("v", [1]).name == "s/v:0"


def test_a_variable_and_its_loss_are_tensors_where_the_cores_are_arrays_and_numbers():
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=np.ones(3, np.float32), regularizer=tf.contrib.layers.l2_regularizer(0.5))
        loss = tf.losses.get_regularization_losses()[0]
        session.run(tf.global_variables_initializer())
        same = v
        v -= 1.0
        assert type(v) is tf.Tensor and v.op.type == "Sub" and session.run(same).tolist() == [1.0, 1.0, 1.0]
        for made in (1.0 - same, same * np.ones(3, np.float32), np.float32(2) * loss, loss + 1.0, loss / 2.0, -loss, loss < 1.0):
            assert type(made) is tf.Tensor
        doubled = loss
        doubled *= 2.0
        assert type(doubled) is tf.Tensor and session.run(doubled) == 1.5
        assert bool(same)
        for wrong in (len, iter, float, lambda x: x.__setitem__(0, 1.0)):
            with pytest.raises(TypeError):
                wrong(same)
        for symbolic in (same, loss):
            with pytest.raises(NotImplementedError, match=r"^Cannot convert a symbolic Tensor \(v"):
                np.asarray(symbolic)


def test_a_subclass_that_replaces_the_call_is_called_with_the_variable():
    """Also where penalties are summed by one call of the kernels, which know only the base."""

    class Cubes(type(tf.contrib.layers.l2_regularizer(0.5))):
        def __call__(self, w):
            return tf.reduce_sum(w * w * w)

    with tf.Graph().as_default(), tf.Session() as session:
        for name, regularizer in (("a", Cubes(0.5, "cubes")), ("b", tf.contrib.layers.l2_regularizer(0.5))):
            tf.get_variable(name, initializer=np.array([1.0, 2.0], np.float32), regularizer=regularizer)
        total = tf.losses.get_regularization_loss()
        slopes = tf.gradients(total, tf.trainable_variables())
        session.run(tf.global_variables_initializer())
        value, (cubes, squares) = session.run((total, slopes))
        assert (value, cubes.tolist(), squares.tolist()) == (9.0 + 1.25, [3.0, 12.0], [0.5, 1.0])


def test_sessions_of_one_graph_run_in_threads():
    """Each has values of its own, whichever thread computes at a moment; threads of one session take turns."""
    w = tf.get_variable(
        "w", [200, 20], initializer=tf.constant_initializer(0.5), regularizer=tf.contrib.layers.l2_regularizer(0.1)
    )
    x = tf.placeholder(tf.float32, [None, 200])
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - 1.0)) + tf.losses.get_regularization_loss()
    step = tf.train.MomentumOptimizer(0.001, 0.9).minimize(loss)
    count = tf.get_variable("count", [], initializer=tf.zeros_initializer())
    init, counted = tf.global_variables_initializer(), tf.assign(count, count + 1.0)
    data = np.random.default_rng(3).random((20, 200))

    def train(session):
        session.run(init)
        for _ in range(100):
            session.run(step, {x: data})
        return session.run(loss, {x: data}).item()

    with ThreadPoolExecutor(4) as threads, tf.Session() as shared:
        graph = tf.get_default_graph()
        assert len({*threads.map(train, [tf.Session(graph=graph) for _ in range(8)])}) == 1
        shared.run(init)
        list(threads.map(lambda _: shared.run(counted), range(400)))
        assert shared.run(count) == 400
