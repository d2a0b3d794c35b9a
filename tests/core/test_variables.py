"""Variables, scopes, reuse, partitions and regularizers that change."""

import numpy as np
import pytest

import fastreg as fr

L1, L2 = fr.l1_regularizer(0.25), fr.l2_regularizer(0.5)


@pytest.fixture(autouse=True)
def graph():
    with fr.Graph().as_default() as graph:
        yield graph


def ones(shape, dtype):
    return np.ones(shape, dtype)


def losses():
    return [(t.name, float(t)) for t in fr.get_regularization_losses()]


def names(items):
    return [item.name for item in items]


# Making


def test_get_variable_makes_a_named_array():
    v = fr.get_variable("w", shape=[2, 3], initializer=ones)
    assert (v.name, v.op_name, v.shape, v.dtype, v.trainable) == ("w:0", "w", (2, 3), np.float32, True)
    assert np.array_equal(v.value, np.ones((2, 3)))
    assert repr(v) == "<Variable 'w:0' shape=(2, 3) dtype=float32>"


@pytest.mark.parametrize(
    ("initializer", "given", "dtype"),
    [
        (np.arange(3.0), None, "f8"),
        (np.arange(3), None, "i8"),
        ([1.0, 2.0], None, "f4"),
        (4, None, "i4"),
        ([1.0, 2.0], np.float64, "f8"),
        (4, np.int32, "i4"),
        (lambda: [2.0], None, "f4"),
        (np.float64(2), None, "f8"),
    ],
)
def test_dtype_of_a_value(initializer, given, dtype):
    assert fr.get_variable("w", initializer=initializer, dtype=given).dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "limit"), [((), 3**0.5), (4, 0.75**0.5), ((100, 200), 0.02**0.5), ((3, 3, 8, 16), (6 / 216) ** 0.5)]
)
def test_default_initializer_is_glorots(shape, limit, dtype):
    fr.set_random_seed(0)
    w = fr.get_variable("w", shape=shape, dtype=dtype).value
    assert w.dtype == dtype and np.abs(w).max() <= limit and (w.size < 100 or np.abs(w).max() > 0.95 * limit)


def test_glorot_with_a_seed_of_its_own():
    draw = [fr.glorot_uniform_initializer(3)((2, 2), np.float64) for _ in range(2)]
    assert np.array_equal(*draw)


def test_integers_start_at_zero():
    assert fr.get_variable("step", shape=(), dtype=np.int64).value == 0


def test_an_initial_array_is_copied_in_its_order():
    a = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    v = fr.get_variable("w", initializer=a)
    a[:] = 0
    assert v.value.sum() == 15 and v.value.flags.f_contiguous


def test_an_initializer_class_is_instantiated():
    class Twos:
        def __call__(self, shape, dtype):
            return np.full(shape, 2, dtype)

    assert fr.get_variable("w", shape=3, initializer=Twos).value.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        (dict(shape=[2], initializer=np.ones(2)), ValueError, "If initializer is a constant, do not specify shape."),
        (dict(), ValueError, "Shape of a new variable (w) must be fully defined, but instead was <unknown>."),
        (dict(shape=[2, None]), ValueError, "Shape of a new variable (w) must be fully defined, but instead was (2, None)."),
        (dict(shape=[-1]), ValueError, "shape must have sizes of at least 0, not (-1,)"),
        (dict(initializer=np.ones(2), dtype=np.float32), ValueError,
         "Initializer type 'float64' and explicit dtype 'float32' don't match."),
        (dict(initializer={}), TypeError, "the initial value of 'w' must be an array of numbers, not {}"),
        (dict(initializer=ones), ValueError, "shape is needed: the initializer is a function of a shape and a dtype"),
        (dict(shape=[2], collections="mine"), ValueError,
         "collections argument to Variable constructor must be a list, tuple, or set."),
        (dict(shape=[2], regularizer=0.1), TypeError, "regularizer of 'w' must be a function of the weights or None, not 0.1"),
        (dict(shape=[2], dtype=np.int32, regularizer=L2), TypeError, "w must be a float32 or float64 array, got dtype int32"),
        (dict(shape=[2], regularizer=np.abs), ValueError,
         "regularizer must return a scalar Tensor instead of a Tensor with rank 1."),
        (dict(shape=[2], name="a b"), ValueError, "'a b' is not a valid scope name"),
        (dict(shape=[2], name=3), TypeError, "name must be a string, not 3"),
        (dict(shape=[2], custom_getter=1), ValueError, "Passed a custom_getter which is not callable: 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_leaves_nothing_behind(graph, kwargs, error, message):
    with pytest.raises(error) as caught:
        fr.get_variable(**{"name": "w"} | kwargs)
    assert str(caught.value).startswith(message)
    assert graph.collections == [] and graph.variables == {} == graph.elements
    assert fr.get_variable("w", shape=[1]).name == "w:0"


def test_collections():
    fr.get_variable("a", shape=[1])
    fr.get_variable("b", shape=[1], trainable=False)
    fr.get_variable("c", shape=[1], collections=["mine"])
    fr.get_variable("d", shape=[1], collections=["mine"], trainable=False)
    assert names(fr.global_variables()) == ["a:0", "b:0"]
    assert names(fr.trainable_variables()) == ["a:0", "c:0"]
    assert names(fr.get_collection("mine")) == ["c:0", "d:0"]
    assert names(fr.trainable_variables("c")) == ["c:0"] and names(fr.global_variables(scope="b")) == ["b:0"]


def test_variable_directly_takes_the_name_scope_and_a_free_name(graph):
    with graph.name_scope("n"):
        assert [fr.Variable(1.0, name="v").name for _ in range(2)] == ["n/v:0", "n/v_1:0"]
        assert fr.get_variable("v", shape=[1]).name == "v:0"


def test_assign_writes_into_the_array():
    v = fr.get_variable("w", shape=[2])
    array = v.value
    v.assign([1, 2.5])
    assert array.tolist() == [1, 2.5] and v.value is array
    for bad in (3.0, [1.0], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match=r"value must have the shape \(2,\) of 'w:0', not"):
            v.assign(bad)
    with pytest.raises(TypeError):
        v.assign([1j, 0])
    assert array.tolist() == [1, 2.5]


def test_value_takes_numpys_in_place_operators_and_writes_what_is_set():
    v = fr.get_variable("w", shape=[2], initializer=np.ones)
    array = v.value
    v.value -= 0.5
    assert v.value is array and array.tolist() == [0.5, 0.5]
    v.value = [1, 2]
    assert v.value is array and array.tolist() == [1, 2]
    with pytest.raises(ValueError, match="value must have the shape"):
        v.value = np.ones(3)


# Scopes


def test_scope_hands_its_defaults_down():
    with fr.variable_scope("net", regularizer=L2, initializer=ones, dtype=np.float64):
        assert fr.get_variable("w", shape=[4]).dtype == np.float64
        with fr.variable_scope("inner"):
            fr.get_variable("w", shape=[8])
        with fr.variable_scope("l1", regularizer=L1):
            fr.get_variable("w", shape=[8])
        with fr.variable_scope("off", regularizer=fr.no_regularizer):
            fr.get_variable("w", shape=[8])
        fr.get_variable("own", shape=[8], regularizer=L1)
        fr.get_variable("none", shape=[8], regularizer=fr.no_regularizer)
        fr.get_variable("bias", shape=[4], trainable=False)
    fr.get_variable("outside", shape=[9])
    assert losses() == [
        ("net/w/Regularizer/l2_regularizer:0", 1.0),
        ("net/inner/w/Regularizer/l2_regularizer:0", 2.0),
        ("net/l1/w/Regularizer/l1_regularizer:0", 2.0),
        ("net/own/Regularizer/l1_regularizer:0", 2.0),
        ("net/bias/Regularizer/l2_regularizer:0", 1.0),
    ]


def test_scope_object_brings_its_own_regularizer_not_the_current_ones():
    with fr.variable_scope("a", regularizer=L1) as a:
        pass
    with fr.variable_scope("b", regularizer=L2):
        with fr.variable_scope(a):
            fr.get_variable("w", shape=[1])
        with fr.variable_scope(a, regularizer=L2) as again:
            fr.get_variable("v", shape=[1])
    assert names(fr.get_regularization_losses()) == ["a/w/Regularizer/l1_regularizer:0", "a/v/Regularizer/l2_regularizer:0"]
    assert a.regularizer is L1 and again.regularizer is L2


def test_set_regularizer_counts_for_later_variables_only():
    with fr.variable_scope("a", regularizer=L1):
        fr.get_variable("u", shape=[1])
        fr.get_variable_scope().set_regularizer(L2)
        fr.get_variable("v", shape=[1])
        fr.get_variable_scope().set_regularizer(fr.no_regularizer)
        fr.get_variable("w", shape=[1])
    fr.get_variable("x", shape=[1])
    assert names(fr.get_regularization_losses()) == ["a/u/Regularizer/l1_regularizer:0", "a/v/Regularizer/l2_regularizer:0"]


def test_setters_reach_later_variables():
    scope = fr.get_variable_scope()
    scope.set_initializer(np.zeros)
    scope.set_dtype(np.float64)
    scope.set_partitioner(lambda shape, dtype: [2])
    v = fr.get_variable("w", shape=[3])
    scope.set_custom_getter(lambda getter, name, **kwargs: getter(name + "_x", **{**kwargs, "partitioner": None}))
    w = fr.get_variable("w", shape=[3])
    assert [p.name for p in v] == ["w/part_0:0", "w/part_1:0"] and v.value.tolist() == [0, 0, 0] and v.dtype == np.float64
    assert w.name == "w_x:0"


def test_scope_collections():
    with fr.variable_scope("a_") as other:
        fr.get_variable("w", shape=[1])
    with fr.variable_scope("a") as a:
        fr.get_variable("w", shape=[1])
        fr.get_variable("v", shape=[1], trainable=False)
        fr.get_variable("u", shape=[1], trainable=False, collections=[fr.GraphKeys.LOCAL_VARIABLES])
    assert names(a.trainable_variables()) == ["a/w:0"] and names(a.global_variables()) == ["a/w:0", "a/v:0"]
    assert names(a.local_variables()) == ["a/u:0"] and names(other.global_variables()) == ["a_/w:0"]
    assert len(fr.get_variable_scope().global_variables()) == 3


def test_default_names_are_unique_and_count_anew_in_each_scope():
    def made():
        with fr.variable_scope(None, "layer"):
            return fr.get_variable("w", shape=[1]).name

    assert [made(), made()] == ["layer/w:0", "layer_1/w:0"]
    with fr.variable_scope("outer") as outer:
        assert [made(), made()] == ["outer/layer/w:0", "outer/layer_1/w:0"]
        with fr.variable_scope(outer):
            pass
        assert made() == "outer/layer_2/w:0"
    with fr.variable_scope("outer", reuse=True):
        assert made() == "outer/layer/w:0"


def test_name_scopes_follow_variable_scopes(graph):
    with graph.name_scope("n"), fr.variable_scope("a") as a:
        assert (a.name, a.original_name_scope, graph.get_name_scope()) == ("a", "n/a/", "n/a")
        with fr.variable_scope("b", auxiliary_name_scope=False) as b:
            assert (b.name, b.original_name_scope, graph.get_name_scope()) == ("a/b", "n/a/", "n/a")
    with graph.name_scope("m"), fr.variable_scope(a) as again:
        assert (again.name, again.original_name_scope, graph.get_name_scope()) == ("a", "n/a/", "m/a")
    with graph.name_scope("k"), fr.variable_scope(fr.get_variable_scope()) as root:
        assert (root.name, graph.get_name_scope()) == ("", "k")


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "message"),
    [
        ((None,), {}, TypeError, "If default_name is None then name_or_scope is required"),
        ((3,), {}, TypeError, "VariableScope: name_or_scope must be a string or VariableScope."),
        (("a",), dict(reuse=2), ValueError, "The reuse parameter must be True or False or None."),
        ((None, "d"), dict(reuse=True), ValueError, "reuse=True cannot be used without a name_or_scope"),
        (("a",), dict(auxiliary_name_scope=1), TypeError, "The auxiliary_name_scope must be `True` or `False`, while get 1"),
        (("a b",), {}, ValueError, "'a b' is not a valid scope name"),
    ],
)
def test_bad_scopes(args, kwargs, error, message):
    with pytest.raises(error, match=f"^{message}$"), fr.variable_scope(*args, **kwargs):
        pass
    assert fr.get_variable_scope().name == ""


def test_improper_nesting():
    outer, inner = fr.variable_scope("a"), fr.variable_scope("b")
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match=r"^Improper nesting of variable_scope\.$"):
        outer.__exit__(None, None, None)
    inner.__exit__(None, None, None)
    outer.__exit__(None, None, None)
    assert fr.get_variable_scope().name == ""


def test_a_scope_is_left_by_an_exception(graph):
    with pytest.raises(KeyError), fr.variable_scope("a"):
        raise KeyError
    assert (fr.get_variable_scope().name, graph.get_name_scope()) == ("", "")


# Reuse


def test_reuse_finds_the_same_variable_and_registers_nothing():
    calls = []

    def regularizer(w):
        calls.append(w)
        return w.sum()

    def get():
        return fr.get_variable("w", shape=[2, 3], regularizer=regularizer)

    with fr.variable_scope("a", reuse=fr.AUTO_REUSE):
        one = get()
    with fr.variable_scope("a", reuse=True):
        two = get()
        assert fr.get_variable("w") is one
    with fr.variable_scope("a") as scope:
        scope.reuse_variables()
        three = get()
    assert one is two is three and len(calls) == 1 and len(losses()) == 1


@pytest.mark.parametrize(
    ("reuse", "name", "kwargs", "message"),
    [
        (None, "w", dict(shape=[2]),
         "Variable a/w already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"),
        (True, "v", dict(shape=[2]),
         "Variable a/v does not exist, or was not created with tf.get_variable(). "
         "Did you mean to set reuse=tf.AUTO_REUSE in VarScope?"),
        (True, "w", dict(shape=[3, 2]), "Trying to share variable a/w, but specified shape (3, 2) and found shape (2,)."),
        (fr.AUTO_REUSE, "w", dict(shape=[3]), "Trying to share variable a/w, but specified shape (3,) and found shape (2,)."),
        (True, "w", dict(dtype=np.float64), "Trying to share variable a/w, but specified dtype float64 and found dtype float32."),
        (True, "d", {}, "Trying to share variable a/d, but specified dtype float32 and found dtype float64."),
    ],
)  # fmt: skip
def test_reuse_errors(graph, reuse, name, kwargs, message):
    with fr.variable_scope("a"):
        fr.get_variable("w", shape=[2])
        fr.get_variable("d", shape=[2], dtype=np.float64)
    with fr.variable_scope("a", reuse=reuse), pytest.raises(ValueError) as caught:
        fr.get_variable(name, **kwargs)
    assert str(caught.value) == message
    assert len(fr.global_variables()) == 2


def test_reuse_is_inherited_and_cannot_be_undone():
    with fr.variable_scope("a", reuse=True) as a, fr.variable_scope("b", reuse=False) as b:
        assert b.reuse is True
    with fr.variable_scope(a, reuse=False) as again:
        assert again.reuse is True
    assert fr.get_variable_scope().reuse is False


def test_unknown_sizes_match_when_sharing():
    w = fr.get_variable("w", shape=[2, 3])
    with fr.variable_scope(fr.get_variable_scope(), reuse=True):
        assert fr.get_variable("w", shape=[None, 3]) is w


def test_custom_getters_nest_from_the_inside():
    def suffix(text):
        return lambda getter, name, **kwargs: getter(name + text, **kwargs)

    with fr.variable_scope("a", custom_getter=suffix("_1")), fr.variable_scope("b", custom_getter=suffix("_2")):
        assert fr.get_variable("w", shape=[1]).name == "a/b/w_2_1:0"
        assert fr.get_variable("w", shape=[1], custom_getter=suffix("_3")).name == "a/b/w_3:0"


# Partitions


def test_a_partitioned_variable_is_its_parts():
    halves = lambda shape, dtype: [1, 2]  # noqa: E731
    value = np.arange(10.0).reshape(2, 5)
    v = fr.get_variable("w", initializer=value, partitioner=halves, regularizer=L2)
    assert [(p.name, p.shape) for p in v] == [("w/part_0:0", (2, 3)), ("w/part_1:0", (2, 2))]
    assert len(v) == 2 and v.name == "w" and v.shape == (2, 5) and v.dtype == np.float64
    assert np.array_equal(v.value, value)
    assert [t.name for t in fr.get_regularization_losses()] == [f"w/part_{i}/Regularizer/l2_regularizer:0" for i in range(2)]
    assert float(fr.get_regularization_loss()) == 0.25 * (value**2).sum()
    with fr.variable_scope(fr.get_variable_scope(), reuse=True):
        assert fr.get_variable("w", dtype=np.float64) is v
        assert fr.get_variable("w", shape=(2, 5), dtype=np.float64, partitioner=halves) is v


def test_an_initializer_is_told_which_part_it_makes():
    seen = []

    def initializer(shape, dtype, partition_info=None):
        seen.append((tuple(shape), partition_info))
        return np.zeros(shape, dtype)

    fr.get_variable("w", shape=[5], initializer=initializer, partitioner=lambda shape, dtype: [2])
    assert [s for s, _ in seen] == [(3,), (2,)]
    assert [tuple(info) for _, info in seen] == [([5], [0]), ([5], [3])]


def test_scalars_are_not_partitioned():
    assert fr.get_variable("s", shape=(), partitioner=lambda shape, dtype: []).name == "s:0"


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        (2, "Partitioner must return a sequence, but saw: 2"),
        ([2], "Partitioner returned a partition list that does not match the Variable's rank: [2] vs. (4, 4)"),
        ([0, 1], "Partitioner returned zero partitions for some axes: [0, 1]"),
        ([2, 2], "Can only slice a variable along one dimension: shape: (4, 4), partitioning: [2, 2]"),
    ],
)
def test_bad_partitions(graph, partitions, message):
    with pytest.raises(ValueError) as caught:
        fr.get_variable("w", shape=[4, 4], partitioner=lambda shape, dtype: partitions)
    assert str(caught.value) == message and graph.variables == {}


def test_a_part_that_cannot_be_made_leaves_none_behind(graph):
    def initializer(shape, dtype, partition_info):
        return np.zeros(shape, dtype) if partition_info.var_offset == [0] else {}

    kept = fr.get_variable("kept", shape=[2], regularizer=L2)
    with pytest.raises(TypeError):
        fr.get_variable("w", shape=[4], initializer=initializer, partitioner=lambda shape, dtype: [2], regularizer=L2)
    assert list(graph.variables) == ["kept"] and fr.global_variables() == [kept] == fr.trainable_variables()
    assert names(fr.get_regularization_losses()) == ["kept/Regularizer/l2_regularizer:0"]
    assert next(p.name for p in fr.get_variable("w", shape=[4], partitioner=lambda shape, dtype: [2])) == "w/part_0:0"


def test_partitioned_and_whole_do_not_mix(graph):
    fr.get_variable("p", shape=[4], partitioner=lambda shape, dtype: [2])
    fr.get_variable("w", shape=[4])
    root = fr.get_variable_scope()
    with pytest.raises(
        ValueError, match=r"^No partitioner was provided, but a partitioned version of the variable was found: p/"
    ):
        fr.get_variable("p", shape=[4])
    with pytest.raises(
        ValueError, match=r"^A partitioner was provided, but an unpartitioned version of the variable was found: w\."
    ):
        fr.get_variable("w", shape=[4], partitioner=lambda shape, dtype: [2])
    with pytest.raises(ValueError, match=r"^Partitioned variable with name p already exists\."):
        fr.get_variable("p", shape=[4], partitioner=lambda shape, dtype: [2])
    with fr.variable_scope(root, reuse=True):
        with pytest.raises(ValueError, match=r"specified partitions \[4\] and found partitions \[2\]\.$"):
            fr.get_variable("p", shape=[4], partitioner=lambda shape, dtype: [4])
        with pytest.raises(ValueError, match=r"^PartitionedVariable q does not exist"):
            fr.get_variable("q", shape=[4], partitioner=lambda shape, dtype: [2])


# Regularizers that change


def test_term_follows_the_variables_regularizer():
    v = fr.get_variable("v", shape=[2], initializer=ones)
    total = None
    for regularizer, expected in [
        (L2, [("v/Regularizer/l2_regularizer:0", 0.5)]),
        (L1, [("v/Regularizer/l1_regularizer:0", 0.5)]),
        (L1, [("v/Regularizer/l1_regularizer:0", 0.5)]),
        (None, []),
        (fr.no_regularizer, []),
        (fr.l2_regularizer(0.0), []),
        (fr.l2_regularizer(4.0), [("v/Regularizer/l2_regularizer:0", 4.0)]),
    ]:
        v.regularizer = regularizer
        assert losses() == expected
        if total is None:
            total = fr.get_regularization_loss()
        assert float(total) == sum(value for _, value in expected)
    assert v.regularizer.scale == 4.0


def test_a_regularizer_that_does_not_fit_changes_nothing():
    v = fr.get_variable("v", shape=[2], initializer=ones, regularizer=L1)
    for bad, error in [(3, TypeError), (np.abs, ValueError)]:
        with pytest.raises(error):
            v.regularizer = bad
        assert v.regularizer is L1 and losses() == [("v/Regularizer/l1_regularizer:0", 0.5)]


def test_term_sees_a_changed_scale_and_changed_weights():
    l2 = fr.l2_regularizer(1.0)
    v = fr.get_variable("v", shape=[2], initializer=ones, regularizer=l2)
    total = fr.get_regularization_loss()
    assert float(total) == 1.0
    l2.scale = 0.5
    assert float(total) == 0.5
    v.value[...] = 2
    assert float(total) == 2.0


@pytest.mark.parametrize("more", [{}, {"partitioner": fr.fixed_size_partitioner(2)}], ids=["whole", "parts"])
def test_a_cell_that_runs_twice_is_told_about_reset_default_graph(more):
    fr.get_variable("w", shape=[2], **more)
    with pytest.raises(ValueError) as caught:
        fr.get_variable("w", shape=[2], **more)
    assert str(caught.value).endswith("in VarScope?")
    assert any("call reset_default_graph() first" in note for note in caught.value.__notes__)
