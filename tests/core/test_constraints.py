"""Constraints: by their twin bit for bit, by what makes a projection, by Keras' numbers, and special values by hand."""

import copy
import pickle

import numpy as np
import pytest
from constraints import BOUNDS, KINDS, VECTORS, kinds, pair
from regularizers import dtypes
from twin.compare import assert_same
from twin.inputs import SIZES, offset, weights

import fastreg as fr

C = fr.constraints
PROJECTIONS = [kind for kind in KINDS if kind not in ("unit_norm", "min_max_norm", "on its way")]  # onto convex sets
CASES = [
    ((), None), ((7,), 0), ((1,), 0), ((0,), 0), ((0, 3), 0), ((0, 3), 1), ((6, 7), 0), ((6, 7), 1), ((6, 7), None), ((6, 7), -1),
    ((41, 300), 0), ((300, 41), (1,)), ((3, 1, 5), 1), ((3, 4, 5), (0, 2)), ((3, 4, 5, 6), (0, 1, 2)), ((3, 4, 5, 6), [0, 1, 3]),
    ((3, 4, 5, 6), (1, -2)), ((2, 3, 2, 3, 2), (3, 1)),
]  # fmt: skip
cases = pytest.mark.parametrize(("shape", "axis"), CASES, ids=str)


# ---------------------------------------------------------------------------------------------------------------- the twin
@dtypes
@kinds
@cases
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_layout_is_its_twin_bit_for_bit(kind, dtype, shape, axis, order):
    constraint, twin = pair(kind, axis)
    w = weights(shape, dtype, 4).copy(order)
    expected, before = twin(w), w.tobytes()
    new = constraint(w)
    assert w.tobytes() == before and type(new) is np.ndarray
    assert_same(new, expected)
    assert new.flags[f"{order}_CONTIGUOUS"]
    out = np.full_like(w, 9.0)
    assert constraint.project(w, out=out) is out
    assert_same(out, expected)
    assert constraint.project(w, w) is w
    assert_same(w, expected)


@dtypes
@pytest.mark.parametrize("kind", BOUNDS)
@pytest.mark.parametrize("size", SIZES)
def test_bounds_at_every_size_and_offset(kind, size, dtype):
    constraint, twin = BOUNDS[kind]
    for n_bytes in (0, np.dtype(dtype).itemsize):
        w = offset(weights(size, dtype, 2), n_bytes)
        expected = twin(w)
        constraint.project(w, out=w)
        assert_same(w, expected)


@pytest.mark.parametrize("kind", [kind for kind in VECTORS if kind not in ("simplex", "l1_ball")])
def test_a_vector_has_the_same_bits_in_every_array(kind):
    w = weights((40, 9, 21), np.float32)
    whole = pair(kind, (1, 2))[0](w)
    assert_same(pair(kind, (1, 2))[0](np.asfortranarray(w)), np.asfortranarray(whole))
    assert_same(np.ascontiguousarray(pair(kind, (0, 1))[0](np.ascontiguousarray(w.transpose(1, 2, 0))).transpose(2, 0, 1)), whole)
    assert_same(pair(kind, (1, 2))[0](w[7:20]), whole[7:20])
    assert_same(pair(kind, None)[0](w[3]), whole[3])


# ------------------------------------------------------------------------------------------------- what makes a projection
def inside(kind, shape, axis, dtype):
    """Return weights in the set, some of them at its border."""
    w = weights(shape, dtype, 8)
    found = pair(kind, axis)[0](w)
    if kind != "simplex":
        found *= dtype(0.5)
    return found


@dtypes
@pytest.mark.parametrize("kind", PROJECTIONS)
@cases
def test_what_is_inside_keeps_its_bits(kind, dtype, shape, axis):
    w = inside(kind, shape, axis, dtype)
    assert pair(kind, axis)[0](w).tobytes() == w.tobytes()


@pytest.mark.parametrize(
    "constraint",
    [C.max_norm(5.0), C.l2_ball(5.0), C.min_max_norm(5.0, 5.0), C.min_max_norm(0.0, 5.0, rate=0.3), C.box(-4.0, 3.0)],
    ids=repr,
)
@dtypes
def test_the_border_is_inside(constraint, dtype):
    w = np.array([3.0, -4.0, -0.0], dtype)
    assert constraint(w).tobytes() == w.tobytes()
    unit = np.array([1.0, -0.0], dtype)
    assert C.unit_norm()(unit).tobytes() == unit.tobytes()


@dtypes
@kinds
@cases
def test_a_second_projection_changes_no_bit(kind, dtype, shape, axis):
    if kind == "on its way":
        return
    constraint = pair(kind, axis)[0]
    for seed in range(10):
        once = constraint(weights(shape, dtype, seed))
        twice = constraint(once)
        if kind == "simplex" and dtype is np.float64:  # rounded differences of large weights and a threshold
            np.testing.assert_allclose(twice, once, rtol=0, atol=32 * np.finfo(dtype).eps)
        else:
            assert twice.tobytes() == once.tobytes()


@dtypes
def test_how_much_is_rounding(dtype):
    unit = np.finfo(dtype).eps
    w = np.array([1.0 + 3 * unit, 0.0], dtype)
    further = np.array([1.0 + 6 * unit, 0.0], dtype)
    for constraint in (C.max_norm(1.0), C.unit_norm(), C.min_max_norm(), C.l2_ball()):
        assert constraint(w).tobytes() == w.tobytes()
        assert constraint(further).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("kind", PROJECTIONS)
@pytest.mark.parametrize(("shape", "axis"), [((50,), 0), ((6, 30), 1), ((30, 6), 0), ((4, 5, 6), (0, 2))], ids=str)
def test_the_angle_to_every_point_of_the_set_is_obtuse(kind, shape, axis):
    """The projection p of w is the only point of a convex set with (w - p)'(x - p) <= 0 for each x of it."""
    constraint = pair(kind, axis)[0]
    w = 3 * weights(shape, np.float64, 1)
    p = constraint(w)
    for seed in range(20):
        x = constraint(weights(shape, np.float64, 50 + seed) * 2.0 ** (seed % 5 - 2))
        assert np.sum((w - p) * (x - p)) <= 1e-12 * np.sum((w - p) ** 2)
        assert np.sum((w - p) ** 2) <= np.sum((w - x) ** 2) * (1 + 1e-15)


# ---------------------------------------------------------------------------------------------------------- Keras' numbers
def example():
    array = np.random.RandomState(3537).random_sample((100, 100)) * 100 - 50
    array[0, 0] = 0.0
    return array


@pytest.mark.parametrize("m", [0.1, 0.5, 3, 8, 1e-7])
def test_norms_by_keras_numbers(m):
    norms = np.linalg.norm(C.max_norm(m)(example()), axis=0)
    np.testing.assert_allclose(norms, m, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(C.min_max_norm(m, 2 * m)(example()), axis=0), 2 * m, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(C.min_max_norm(1000 + m, 1001 + m)(example()), axis=0), 1000 + m, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(C.l2_ball(m, axis=1)(example()), axis=1), m, rtol=1e-14)


def test_keras_example_of_max_norm():
    x = np.array([[0, 0, 0], [1.0, 0, 0], [3, 0, 0], [3, 3, 3]]).T
    target = np.array([[0, 0, 0], [1.0, 0, 0], [2.0, 0, 0], [2.0 / np.sqrt(3), 2.0 / np.sqrt(3), 2.0 / np.sqrt(3)]]).T
    np.testing.assert_allclose(C.max_norm(2.0)(x), target, rtol=1e-15)
    assert C.max_norm(2.0)(x)[:, :3].tolist() == target[:, :3].tolist()


def test_keras_other_examples():
    assert C.non_neg()(example()).min() == 0 and np.array_equal(C.non_neg()(example()), np.maximum(example(), 0))
    np.testing.assert_allclose(np.linalg.norm(C.unit_norm()(example()), axis=0), 1, rtol=1e-14)
    mixed = C.min_max_norm(1.0, 2.0, rate=0.25)(np.array([[4.0, 0.0], [0.0, 0.5]]))
    assert mixed.tolist() == [[3.5, 0.0], [0.0, 0.625]]


# ------------------------------------------------------------------------------------------------------------ special values
@dtypes
def test_nan_stays_nan_and_bounds_replace_infinities(dtype):
    w = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 5.0], dtype)
    assert_same(C.non_neg()(w), np.array([np.nan, np.inf, 0.0, -0.0, 0.0, 5.0], dtype))
    assert_same(C.box(-2.0, 3.0)(w), np.array([np.nan, 3.0, -2.0, -0.0, 0.0, 3.0], dtype))
    assert_same(C.linf_ball(1.0)(w), np.array([np.nan, 1.0, -1.0, -0.0, 0.0, 1.0], dtype))
    assert_same(C.box(-np.inf, np.inf)(w), w)


@dtypes
@pytest.mark.parametrize("kind", VECTORS)
def test_a_vector_with_nan_becomes_nan_and_no_other_one(kind, dtype):
    w = weights((5, 40), dtype)
    expected = pair(kind, 1)[0](w)
    w[2, 7] = np.nan
    expected[2] = np.nan
    assert_same(pair(kind, 1)[0](w), expected)


@dtypes
@pytest.mark.parametrize("kind", [kind for kind in VECTORS if kind not in ("simplex", "l1_ball")])
def test_a_vector_without_a_direction_is_left_as_it_is(kind, dtype):
    w = np.array([[0.0, -0.0, 0.0], [np.inf, 1.0, -2.0], [-np.inf, np.inf, 0.0]], dtype)
    assert pair(kind, 1)[0](w).tobytes() == w.tobytes()


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-170, 1e-155, 1e150, 1e160, 1e300])
def test_squares_that_overflow_or_vanish(scale):
    w = np.array([[3.0, -4.0, 0.0], [0.0, 0.0, 0.0], [1.0, 2.0, 2.0]]) * scale
    w[2] /= scale
    shortened = C.max_norm(1e-310 if scale == 1e-320 else scale / 2, axis=1)(w)
    if scale >= 1e-300:
        np.testing.assert_allclose(shortened[0] / scale, [0.3, -0.4, 0.0], rtol=1e-15)
        np.testing.assert_allclose(C.unit_norm(axis=1)(w), [[0.6, -0.8, 0.0], [0.0, 0.0, 0.0], [1 / 3, 2 / 3, 2 / 3]], rtol=1e-15)
    else:  # no finite factor exists
        assert C.unit_norm(axis=1)(w)[0].tobytes() == w[0].tobytes()
        assert shortened[0].tobytes() == w[0].tobytes()
    tiny = np.full((1, 3), 1e-30, np.float32)
    np.testing.assert_allclose(C.unit_norm(axis=1)(tiny), 1 / np.sqrt(3), rtol=1e-6)


def test_a_norm_of_zero_is_a_set_of_one_point():
    w = np.array([1.0, -2.0])
    for constraint in (C.max_norm(0.0), C.l2_ball(0.0), C.l1_ball(0.0), C.linf_ball(0.0), C.box(0.0, 0.0)):
        assert np.array_equal(constraint(w), [0.0, 0.0])


def test_bounds_are_rounded_to_the_dtype():
    w = np.array([-1.0, 1.0], np.float32)
    assert C.box(-0.1, 0.1)(w).tolist() == [float(np.float32(-0.1)), float(np.float32(0.1))]


# ----------------------------------------------------------------------------------------------------------- wrong arguments
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: C.max_norm("2"), TypeError, "max_value must be a finite number of at least 0, got '2' of type str"),
        (lambda: C.max_norm(True), TypeError, "max_value must be a finite number of at least 0, got True of type bool"),
        (lambda: C.max_norm(-1.0), ValueError, "max_value must be a finite number of at least 0, got -1.0"),
        (lambda: C.max_norm(np.nan), ValueError, "max_value must be a finite number of at least 0, got nan"),
        (lambda: C.max_norm(np.inf), ValueError, "max_value must be a finite number of at least 0, got inf"),
        (lambda: C.l2_ball(10**400), ValueError, "radius must be a finite number of at least 0, got 1000"),
        (lambda: C.simplex(0.0), ValueError, "radius must be a finite number above 0, got 0.0"),
        (lambda: C.l1_ball(-0.5), ValueError, "radius must be a finite number of at least 0, got -0.5"),
        (lambda: C.linf_ball(None), TypeError, "radius must be a finite number of at least 0, got None of type NoneType"),
        (lambda: C.min_max_norm(rate=1.5), ValueError, "rate must be a finite number of at least 0 and at most 1, got 1.5"),
        (lambda: C.min_max_norm(2.0, 1.0), ValueError, "min_value must not be above max_value, got 2.0 and 1.0"),
        (lambda: C.box(1.0, 0.5), ValueError, "lower must not be above upper, got 1.0 and 0.5"),
        (lambda: C.box(np.nan, 0.5), ValueError, "lower must be a number, got nan"),
        (lambda: C.box(0.5, "1"), TypeError, "upper must be a number, got '1' of type str"),
        (lambda: C.box(np.inf, np.inf), ValueError, "lower must be below infinity, got inf"),
        (lambda: C.box(-np.inf, -np.inf), ValueError, "upper must be above minus infinity, got -inf"),
        (lambda: C.unit_norm("0"), TypeError, "axis must be an axis, a tuple of at least one axis, or None for all, got '0'"),
        (lambda: C.unit_norm(0.0), TypeError, "axis must be an axis, a tuple of at least one axis, or None for all, got 0.0"),
        (lambda: C.unit_norm(()), TypeError, "axis must be an axis, a tuple of at least one axis, or None for all, got ()"),
        (lambda: C.unit_norm((0, True)), TypeError, "axis must be an axis, a tuple of at least one axis, or None for all, got"),
        (lambda: C.unit_norm((0, None)), TypeError, "axis must be an axis, a tuple of at least one axis, or None for all, got"),
        (lambda: C.max_norm(axis=2)(np.ones((2, 2))), ValueError, "axis of max_norm is 2, and weights has 2 dimensions"),
        (lambda: C.l1_ball(axis=-3)(np.ones((2, 2))), ValueError, "axis of l1_ball is -3, and weights has 2 dimensions"),
        (lambda: C.max_norm()(np.ones(())), ValueError, "axis of max_norm is 0, and weights has 0 dimensions"),
        (lambda: C.simplex(axis=(1, -1))(np.ones((2, 2))), ValueError, "axis of simplex is (1, -1), which names an axis of"),
    ],
)
def test_a_wrong_argument_is_named(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value).startswith(message)


@kinds
@pytest.mark.parametrize(
    ("w", "error", "message"),
    [
        ([1.0, 2.0], TypeError, "weights must be a numpy.ndarray, got list"),
        (np.ones((4, 3), np.float16), TypeError, "weights must be a float32 or float64 array, got dtype float16"),
        (np.ones((4, 3), int), TypeError, "weights must be a float32 or float64 array, got dtype int64"),
        (np.ones((4, 3))[:, ::2], ValueError, "weights must be contiguous"),
        (np.ma.masked_array(np.ones((4, 3))), TypeError, "weights must not be a masked array"),
    ],
    ids=["list", "float16", "int", "strided", "masked"],
)
def test_weights_that_do_not_fit(kind, w, error, message):
    with pytest.raises(error, match=message):
        pair(kind, None)[0](w)


@kinds
def test_an_out_that_does_not_fit_is_not_written(kind):
    constraint, w = pair(kind, 1)[0], weights((4, 3), np.float64)
    memory = np.full(20, 7.0)
    memory[:12] = w.ravel()
    for out, error, message in [
        (np.full((4, 3), 7.0, np.float32), TypeError, "out must have the dtype of weights"),
        (np.full((3, 4), 7.0), ValueError, "out must have the shape of weights"),
        (np.full((4, 3), 7.0, order="F"), ValueError, "out must have the memory order of weights"),
        (np.broadcast_to(np.full((1, 3), 7.0), (4, 3)), ValueError, "out must be contiguous"),
        ([7.0], TypeError, "out must be a numpy.ndarray"),
    ]:
        before = np.array(out)
        with pytest.raises(error, match=message):
            constraint.project(w, out=out)
        assert np.array_equal(out, before)
    given, out = memory[:12].reshape(4, 3), memory[1:13].reshape(4, 3)
    before = memory.tobytes()
    with pytest.raises(ValueError, match="out overlaps weights in part"):
        constraint.project(given, out=out)
    frozen = np.full((4, 3), 7.0)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        constraint.project(w, out=frozen)
    assert memory.tobytes() == before and np.all(frozen == 7.0)


# --------------------------------------------------------------------------------------------------------------- as objects
MADE = [
    C.max_norm(3.0, (0, 1)), C.unit_norm(-1), C.min_max_norm(0.5, 2.0, 0.25, None), C.non_neg(), C.box(-1.0, 2.0),
    C.simplex(2.0, 1), C.l1_ball(), C.l2_ball(0.5, 0), C.linf_ball(0.25),
]  # fmt: skip
made = pytest.mark.parametrize("constraint", MADE, ids=repr)


def test_each_constraint_has_a_repr_that_makes_it():
    assert [repr(constraint) for constraint in MADE] == [
        "max_norm(max_value=3.0, axis=(0, 1))",
        "unit_norm(axis=-1)",
        "min_max_norm(min_value=0.5, max_value=2.0, rate=0.25, axis=None)",
        "non_neg()",
        "box(lower=-1.0, upper=2.0)",
        "simplex(radius=2.0, axis=1)",
        "l1_ball(radius=1.0, axis=None)",
        "l2_ball(radius=0.5, axis=0)",
        "linf_ball(radius=0.25)",
    ]
    assert [eval(repr(constraint), vars(C).copy()) for constraint in MADE] == MADE


@made
def test_copies_and_pickles_are_equal_and_work(constraint):
    w = weights((4, 3), np.float32)
    for other in (pickle.loads(pickle.dumps(constraint)), copy.copy(constraint), copy.deepcopy(constraint)):
        assert type(other) is type(constraint) and other == constraint and other is not constraint
        assert_same(other(w), constraint(w))
    assert sum(constraint == other for other in MADE) == 1
    assert constraint != "max_norm"


def test_the_defaults():
    assert [C.max_norm(), C.unit_norm(), C.min_max_norm(), C.simplex(), C.l1_ball(), C.l2_ball(), C.linf_ball()] == [
        C.max_norm(2.0, 0), C.unit_norm(0), C.min_max_norm(0.0, 1.0, 1.0, 0), C.simplex(1.0, None), C.l1_ball(1.0, None),
        C.l2_ball(1.0, None), C.linf_ball(1.0),
    ]  # fmt: skip


def test_attributes_are_checked_when_they_are_set():
    box, norms = C.box(-1.0, 1.0), C.min_max_norm(1.0, 2.0)
    box.upper = 3
    assert box == C.box(-1.0, 3.0) and type(box.upper) is float
    assert box(np.array([5.0])).tolist() == [3.0]
    for constraint, name, value, error in [
        (box, "lower", 4.0, ValueError),
        (box, "upper", -2.0, ValueError),
        (box, "upper", None, TypeError),
        (norms, "min_value", 2.5, ValueError),
        (norms, "max_value", 0.5, ValueError),
        (norms, "rate", -0.5, ValueError),
        (norms, "axis", "rows", TypeError),
    ]:
        before = repr(constraint)
        with pytest.raises(error, match=name):
            setattr(constraint, name, value)
        assert repr(constraint) == before
    norms.axis = [1, 0]
    assert norms.axis == (1, 0)


def test_a_variable_is_taken_as_its_array():
    with fr.Graph().as_default():
        v = fr.get_variable("v", initializer=np.array([-1.0, 2.0]))
    assert C.non_neg()(v).tolist() == [0.0, 2.0]


# ------------------------------------------------------------------------------------------------------------------ by name
def test_rules_by_name():
    params = {"a/kernel": np.ones((2, 3)), "a/bias": np.ones(3), "b": {"kernel": np.ones((3, 1), np.float32), "bias": np.ones(1)}}
    norm, own = C.max_norm(1.0), abs
    pairs = fr.constrain(params, [("*/bias", None), ("b/*", own), ("*", norm)])
    assert [(variable.name, variable.pattern, constraint) for variable, constraint in pairs] == [
        ("a/kernel", "*", norm),
        ("b/kernel", "b/*", own),
    ]
    assert pairs[0][0].value is params["a/kernel"] and pairs[1][0].value is params["b"]["kernel"]
    params["a/kernel"] = np.zeros((2, 3))
    assert pairs[0][0].value is params["a/kernel"]


@pytest.mark.parametrize(
    ("params", "rules", "error", "message"),
    [
        (3, [], TypeError, "params must map names to arrays, not int"),
        ({"w": np.ones(3)}, {"*": C.non_neg()}, TypeError, "rules must be a list of pairs (pattern, constraint), such as"),
        ({"w": np.ones(3)}, [("*",)], TypeError, "rules[0] must be a pair of a pattern and a constraint or None"),
        ({"w": np.ones(3)}, [("*", 3)], TypeError, "rules[0]: the constraint must be a function of the weights or None, not 3"),
        ({"w": np.ones(3)}, [("v", C.non_neg())], ValueError, "rules[0]: 'v' matches none of the names ['w']"),
        (
            {"w": np.ones(3)},
            [("*", C.max_norm)],
            TypeError,
            "the constraint of 'w' is max_norm, which makes constraints; call it:",
        ),
        ({"w": np.ones(3)}, [("*", C.max_norm(axis=1))], ValueError, "axis of max_norm is 1, and w has 1 dimensions"),
        ({"w": np.ones(3, int)}, [("*", C.non_neg())], TypeError, "w must be a float32 or float64 array, got dtype int64"),
        ({"w": np.ones(6)[::2]}, [("*", C.non_neg())], ValueError, "w must be contiguous"),
    ],
)
def test_wrong_rules(params, rules, error, message):
    with pytest.raises(error) as caught:
        fr.constrain(params, rules)
    assert str(caught.value).startswith(message)
