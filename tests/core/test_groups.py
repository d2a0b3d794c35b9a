"""Group lassos: every layout by its twin, what holds for any group, the prox by its definition, and sums and steps with them."""

import copy
import itertools
import math
import pickle
import re
from functools import partial

import numpy as np
import pytest
from kernel_calls import Penalty, evaluate, set_axes, set_pair, set_profile
from optimizers import PROXIMAL, VARIANTS, gradients, make, names, network, refused, rule_of, slots_of
from own import GroupLasso
from regularizers import dtypes
from scipy.optimize import check_grad, minimize
from twin.compare import assert_same
from twin.forms import expected, outcomes
from twin.inputs import offset, weights
from twin.penalties import Elastic, Groups, Linear, Mcp, Scad, Sum
from twin.steps import Stepper

import fastreg as fr


def bare(twin):
    """Return a Penalty with the twin's pair and its profile of groups."""
    groups, found = twin.profiles[0], Penalty()
    set_pair(found, twin.pair.l1, twin.pair.l2)
    if isinstance(groups.profile, Mcp):
        set_profile(found, "mcp", groups.profile.scale, groups.profile.gamma)
    else:
        set_profile(found, "linear", groups.profile.scale, groups.profile.size_power)
    set_axes(found, groups.axes)
    return found


def twins_of(axes):
    return (
        Groups(Linear(0.3, 0.5), axes),
        Sum(Elastic(0.1, 0.2), (Groups(Linear(0.7, -0.5), axes),)),
        Groups(Mcp(0.7, 3.0), axes),
    )


def subsets(shape):
    return [axes for n in range(len(shape) + 1) for axes in itertools.combinations(range(len(shape)), n)]


def in_group(w, axis, l1, l21, step=1.0):
    """Return what NumPy makes of the formulas: the prox of the sparse group lasso."""
    w = np.sign(w) * np.maximum(np.abs(w) - step * l1, 0)
    norms = np.sqrt(np.sum(w**2, axis=axis, keepdims=True))
    return w * np.maximum(1 - step * l21 / np.where(norms > 0, norms, 1.0), 0)


# --------------------------------------------------------------------------------------------- non-convex ones of norms
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2), (-1,)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("make", "profile"),
    [(partial(fr.mcp_regularizer, 0.7, gamma=3.0), Mcp(0.7, 3.0)), (partial(fr.scad_regularizer, 0.7, a=2.5), Scad(0.7, 2.5))],
    ids=["mcp", "scad"],
)
def test_mcp_and_scad_with_an_axis_are_of_norms(make, profile, axes, dtype):
    w, base = (weights((30, 5, 7), dtype, seed) for seed in (0, 1))
    p, twin = make(axis=axes if len(axes) > 1 else axes[0]), Groups(profile, axes)
    assert_same(p(w), twin.value(w))
    assert_same(p.gradient(w), twin.gradient(w))
    assert_same(p.gradient(w, out=base.copy(), accumulate=True), twin.gradient(w, base))
    for step in (0.25, 2.0, 5.0):  # from the convex range to the hard threshold
        assert_same(p.prox(w, step), twin.prox(w, step))
    again = pickle.loads(pickle.dumps(p))
    assert (again.axis, repr(again)) == (p.axis, repr(p))
    again.scale = 0.25
    assert again(w) < p(w)


# ------------------------------------------------------------------------------------------------------------ the numbers
SMALL = [(), (7,), (40,), (5, 9), (64, 130), (3, 3, 6, 7), (5, 1, 7), (1, 1), (2, 3, 4, 5, 3), (2, 2, 3, 2, 1, 4), (0, 5), (5, 0)]
memories = pytest.mark.parametrize(("dtype", "order"), [(np.float32, "C"), (np.float64, "C"), (np.float64, "F")], ids=str)


@memories
@pytest.mark.parametrize("shape", SMALL, ids=str)
def test_every_operation_over_every_axes_is_its_twin_bit_for_bit(shape, dtype, order):
    w, base = (weights(shape, dtype, seed).copy(order) for seed in (2, 3))
    for axes in subsets(shape):
        for twin in twins_of(axes):
            assert_same(outcomes(bare(twin), w, base, (0.5,)), expected(twin, w, base, (0.5,)))


# Beyond 32768 elements or 2048 groups a chunk cannot hold groups whole; a segment is 1024 members; rows of deeper levels.
LARGE = [
    ((33_000,), (0,)),
    ((1030, 33), (0,)),
    ((1030, 33), (1,)),
    ((33, 1030), (0, 1)),
    ((2, 2100), (0,)),
    ((1030, 3, 12), (0, 2)),
    ((2, 300, 130), (1,)),
    ((1100, 3, 2), (0, 2)),
    ((3, 1100, 2, 2, 3), (1, 3)),
    ((3, 1100, 2, 2, 3), (1, 2, 4)),
]


@memories
@pytest.mark.parametrize(("shape", "axes"), LARGE, ids=str)
def test_large_and_many_groups_are_their_twin_bit_for_bit(shape, axes, dtype, order):
    w, base = (weights(shape, dtype, seed).copy(order) for seed in (2, 3))
    for twin in twins_of(axes):
        penalty = bare(twin)
        assert_same(penalty(w), twin.value(w))
        assert_same(penalty.gradient(w), twin.gradient(w))
        assert_same(penalty.gradient(w, out=base.copy(order), accumulate=True), twin.gradient(w, base))
        assert_same(penalty.prox(w, 0.5), twin.prox(w, 0.5))


@dtypes
@pytest.mark.parametrize(("shape", "axes"), [*LARGE, ((64, 130), (0,)), ((64, 130), (1,)), ((5, 9, 7), (0, 2))], ids=str)
def test_a_value_is_the_exact_sum_of_its_norms(shape, axes, dtype):
    """Rounded once, the value of float32 weights is that of the exact sum, or its neighbour at a tie; of float64 4 units off."""
    w, twin = weights(shape, dtype), Groups(Linear(0.5), axes)
    exact = 0.5 * math.fsum(twin.norms(w).ravel().tolist())
    found = fr.group_lasso_regularizer(0.5, axes)(w)
    assert type(found) is dtype
    assert abs(float(found) - exact) <= (1.01 if dtype is np.float32 else 4) * np.spacing(dtype(exact))


@dtypes
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("shape", [(300, 40), (40, 1500), (1100, 33)], ids=str)
def test_the_memory_order_of_a_matrix_changes_a_group_by_rounding_alone(shape, axes, dtype):
    w = weights(shape, dtype)
    one, other = (bare(Groups(Linear(0.7), axes)) for _ in range(2))
    f = np.asfortranarray(w)
    for operation in (lambda p, x: p.gradient(x), lambda p, x: p(x)):
        np.testing.assert_allclose(operation(one, w), operation(other, f), rtol=4 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(50, 33), (1100, 40), (2, 2500), (3000, 5)], ids=str)
def test_a_group_has_the_same_bits_beside_whatever_groups(shape, axis, dtype):
    w = weights(shape, dtype)
    w = w if axis == 0 else w.T.copy()
    penalty = fr.group_lasso_regularizer(0.7, axis)
    order = np.argsort(weights(shape[1], np.float64, 5))
    for operation in (lambda p, x: p.gradient(x), lambda p, x: p.prox(x, 0.5)):
        whole = operation(penalty, w)
        for some in (order, slice(1, 4)):
            taken = np.s_[:, some] if axis == 0 else np.s_[some]
            assert_same(operation(penalty, w[taken].copy()), whole[taken].copy())
        if axis == 1:
            for j in (0, 3):
                assert_same(operation(fr.group_lasso_regularizer(0.7, None), w[j].copy()), whole[j].copy())


@dtypes
@pytest.mark.parametrize(("shape", "axes"), LARGE[1:5], ids=str)
def test_no_bit_depends_on_where_arrays_start_and_on_threads(num_threads, shape, axes, dtype):
    w, base, twin = weights(shape, dtype), weights(shape, dtype, 1), Groups(Linear(0.7, 0.5), axes)
    right, penalty = (twin.value(w), twin.gradient(w, base), twin.prox(w, 0.5)), bare(twin)
    for threads, first in itertools.product((1, 2, 5), (0, 1, 5)):
        num_threads(threads)
        x, out = (offset(y, (first + k) * y.itemsize % 64) for k, y in ((0, w), (5, base)))
        value, slope = penalty.value_and_gradient(x, out=out, accumulate=True)
        assert_same(value, right[0])
        assert_same(slope, right[1])
        assert_same(penalty.prox(x, 0.5, out=offset(base, (first + 10) * w.itemsize % 64)), right[2])


def test_a_large_output_is_the_twin_though_it_goes_around_the_caches():
    w = np.resize(weights(4097, np.float32), (4100, 2051))
    leading, contiguous = Groups(Linear(0.7), (0,)), Groups(Linear(0.7), (1,))
    assert_same(bare(leading).prox(w, 0.5), leading.prox(w, 0.5))
    assert_same(bare(contiguous).gradient(w), contiguous.gradient(w))


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2), (0, 1, 2), ()])
def test_the_gradient_agrees_with_differences_of_the_value(axes):
    w = weights((3, 4, 5), np.float64)
    w[np.abs(w) < 1e-3] = 1.0  # away from the kink at 0, and by this the norms, too

    def flat(function, x):
        return np.ravel(function(x.reshape(w.shape)))

    for twin in twins_of(axes):
        penalty = bare(twin)
        found = check_grad(partial(flat, penalty), partial(flat, penalty.gradient), w.ravel())
        assert found < 1e-5 * np.linalg.norm(w)


@pytest.mark.parametrize(("size_power", "factor"), [(0.0, 1.0), (0.5, np.sqrt(6.0)), (-0.5, 1 / np.sqrt(6.0)), (0, 1.0)])
@pytest.mark.parametrize("axis", [(0, 1), (1, 0), (-2, -3), None, (0, 1, 2)], ids=str)
def test_three_conventions_of_the_size(size_power, factor, axis):
    w = weights((2, 3, 1), np.float64, 4)
    found = fr.group_lasso_regularizer(0.5, axis, size_power=size_power)
    np.testing.assert_allclose(found(w), 0.5 * factor * np.linalg.norm(w), rtol=1e-15)
    np.testing.assert_allclose(found.gradient(w), 0.5 * factor * w / np.linalg.norm(w), rtol=1e-14)
    np.testing.assert_allclose(found.prox(w, 0.25), in_group(w, None, 0.0, 0.5 * factor, 0.25), rtol=1e-14)
    both = fr.sparse_group_lasso_regularizer(0.25, 0.5, axis, size_power)
    np.testing.assert_allclose(both(w), 0.25 * np.abs(w).sum() + 0.5 * factor * np.linalg.norm(w), rtol=1e-15)
    np.testing.assert_allclose(both.prox(w, 0.25), in_group(w, None, 0.25, 0.5 * factor, 0.25), rtol=1e-14)


# ---------------------------------------------------------------------------------------------------------- special values
@dtypes
@pytest.mark.parametrize("axis", [0, 1, (0, 1)], ids=str)
def test_a_group_of_zeros_has_a_gradient_of_zeros_and_a_prox_of_zeros(axis, dtype):
    w = np.zeros((3, 40), dtype)
    w[1, ::2] = -0.0
    both = fr.sparse_group_lasso_regularizer(0.25, 0.5, axis)
    for found in (fr.group_lasso_regularizer(0.5, axis), fr.group_lasso_regularizer(0.5, axis, 0.5), both):
        assert_same(found(w), dtype(0))
        assert_same(found.gradient(w), np.zeros_like(w))
        for step in (0.0, 0.5):
            assert (found.prox(w, step) == 0).all()


def test_a_group_that_is_almost_zero_has_a_gradient_of_length_1():
    """tensorflow#12071: NaN at 0, and an infinite slope at 1e-19, whose square vanishes in float32."""
    w = np.array([[1e-19, 0.0], [0.0, 0.0], [-1e-45, 0.0]], np.float32)
    rows, columns = fr.group_lasso_regularizer(1.0, 1), fr.group_lasso_regularizer(1.0, 0)
    assert rows.gradient(w).tolist() == [[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]
    assert np.linalg.norm(columns.gradient(w)[:, 0]) == 1.0
    assert not columns.prox(w, 0.5).any()
    assert_same(rows(w), np.float32(1e-19))


@dtypes
def test_nan_stays_in_its_group(dtype):
    w = weights((8, 30), dtype, 3)
    right = {axis: fr.sparse_group_lasso_regularizer(0.25, 0.5, axis) for axis in (0, 1)}
    clean = {axis: (p.gradient(w), p.prox(w, 0.5)) for axis, p in right.items()}
    w[3, 7] = np.nan
    for axis, p in right.items():
        with_nan = np.zeros(w.shape, bool)
        with_nan[(slice(None), 7) if axis == 0 else 3] = True
        assert np.isnan(p(w))
        for found, before in zip((p.gradient(w), p.prox(w, 0.5)), clean[axis], strict=True):
            assert np.array_equal(np.isnan(found), with_nan)
            assert_same(found[~with_nan], before[~with_nan])


@dtypes
def test_infinity_is_left_alone_by_the_prox(dtype):
    w = np.array([[np.inf, 2.0, -0.0], [-3.0, -np.inf, 1.0], [0.25, 0.0, 0.0]], dtype)
    p = fr.group_lasso_regularizer(0.5, 1)
    assert_same(p.prox(w, 1.0), np.array([[np.inf, 2.0, -0.0], [-3.0, -np.inf, 1.0], [0.0, 0.0, 0.0]], dtype))
    assert p(w) == np.inf
    slope = p.gradient(w)
    assert np.isnan(slope[[0, 1], [0, 1]]).all() and not slope[[0, 1], [1, 0]].any() and slope[2, 0] == 0.5
    assert_same(slope, Groups(Linear(0.5), (1,)).gradient(w))


@pytest.mark.parametrize("size", [1e-307, 1e-170, 1e-158, 1.0, 1e155, 1e307])
@pytest.mark.parametrize("shape", [(2,), (40,), (2, 3), (2, 40_000), (1500, 30)], ids=str)
def test_squares_that_overflow_or_vanish_in_float64_are_formed_again(size, shape):
    w = np.zeros(shape)
    w[0], w[-1] = 3 * size, -4 * size
    p = fr.group_lasso_regularizer(0.5, 0)
    n_groups = w[0].size
    np.testing.assert_allclose(p(w), 0.5 * 5 * size * n_groups, rtol=1e-13)
    np.testing.assert_allclose(p.gradient(w)[[0, -1]], 0.5 * np.sign(w[[0, -1]]) * np.abs(w[[0, -1]]) / (5 * size), rtol=1e-13)
    half = fr.group_lasso_regularizer(2.5 * size, 0).prox(w, 1.0)
    np.testing.assert_allclose(half, w / 2, rtol=1e-13)
    assert_same(fr.group_lasso_regularizer(2.5 * size, 0).gradient(w), Groups(Linear(2.5 * size), (0,)).gradient(w))


def test_the_gradient_of_a_subnormal_norm_is_0():
    w = np.array([[3e-320, 4e-320], [0.0, 0.0]])
    assert_same(fr.group_lasso_regularizer(0.5, 1).gradient(w), np.zeros((2, 2)))


@dtypes
def test_zeros_of_the_prox_keep_the_sign_of_the_weight_except_behind_l1(dtype):
    w = np.array([[0.25, -0.25, -0.0], [3.0, -4.0, -0.0]], dtype)
    assert_same(fr.group_lasso_regularizer(2.5, 1).prox(w, 1.0), np.array([[0.0, -0.0, -0.0], [1.5, -2.0, -0.0]], dtype))
    assert_same(fr.sparse_group_lasso_regularizer(0.5, 1.0, 1).prox(w, 1.0)[0], np.array([0.0, -0.0, 0.0], dtype))


# --------------------------------------------------------------------------------------------------------------- the prox
@pytest.mark.parametrize("step", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("l1", [0.0, 0.5])
@pytest.mark.parametrize("l2", [0.0, 0.75])
def test_the_prox_is_the_minimum_of_a_grid(step, l1, l2):
    p = fr.sum_regularizer([fr.sparse_group_lasso_regularizer(l1, 1.0, 0), fr.l2_regularizer(l2)])
    side = np.linspace(-4, 4, 401)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"))
    of_grid = l1 * np.abs(grid).sum(0) + np.hypot(*grid) + l2 / 2 * (grid**2).sum(0)
    w = np.array([[3.0, -2.0, 0.5, 0.02, 3.9], [1.0, 3.5, -0.5, 0.0, -3.9]])
    z = p.prox(w, step)
    for x, found in zip(w.T, z.T, strict=True):
        costs = step * of_grid + ((grid - x[:, None, None]) ** 2).sum(0) / 2
        cost = step * float(p(found[:, None].copy())) + ((found - x) ** 2).sum() / 2
        assert cost <= costs.min() + 1e-12
    assert (z[:, 3] == 0).all()


@dtypes
@pytest.mark.parametrize("axis", [0, 1, (0, 2), None], ids=str)
@pytest.mark.parametrize("step", [0.125, 1.0, 20.0])
def test_three_points(axis, step, dtype):
    """f(z) <= f(y) - |y - z|**2 / 2 for every y, with f what the prox minimizes."""
    w = weights((6, 7, 8), dtype)
    p = fr.sparse_group_lasso_regularizer(0.25, 1.5, axis)
    z = p.prox(w, step).astype(np.float64)
    w = w.astype(np.float64)

    def cost(y):
        return step * float(p(y)) + ((y - w) ** 2).sum() / 2

    for seed in range(5):
        y = z + weights(w.shape, np.float64, seed) * (0.0 if seed == 0 else 0.01**seed)
        assert cost(z) <= cost(y) - ((y - z) ** 2).sum() / 2 + 1e3 * np.finfo(dtype).eps * max(cost(z), 1.0)
    assert cost(z) <= cost(np.zeros_like(w)) - (z**2).sum() / 2 + 1e3 * np.finfo(dtype).eps * max(cost(z), 1.0)


def test_groups_of_one_are_l1():
    w = weights((5, 1, 30), np.float64)
    one, l1 = fr.group_lasso_regularizer(0.5, 1), fr.l1_regularizer(0.5)
    np.testing.assert_allclose(one(w), l1(w), rtol=1e-15)
    np.testing.assert_allclose(one.gradient(w), l1.gradient(w), rtol=1e-15)
    np.testing.assert_allclose(one.prox(w, 0.5), l1.prox(w, 0.5), rtol=1e-13)


# ------------------------------------------------------------------------------------------------------------------- sums
W = weights((20, 30), np.float64)


@dtypes
def test_terms_over_the_same_axes_are_one_term(dtype):
    w = weights((20, 30), dtype)
    parts = [fr.group_lasso_regularizer(0.5, 0), fr.l1_regularizer(0.25), fr.group_lasso_regularizer(0.25, (0,)), None]
    total = fr.sum_regularizer([*parts, fr.sum_regularizer([fr.sparse_group_lasso_regularizer(0.5, 0.125, 0)])])
    twin = Sum(Elastic(0.75), (Groups(Linear(0.875), (0,)),))
    assert_same(outcomes(total, w, w), expected(twin, w, w))


def test_other_axes_or_sizes_or_profiles_are_not_one_term():
    for other in (fr.group_lasso_regularizer(0.25, 1), fr.group_lasso_regularizer(0.25, 0, 0.5)):
        part = fr.group_lasso_regularizer(0.5, 0)
        total = fr.sum_regularizer([part, other])
        np.testing.assert_allclose(total(W), part(W) + other(W), rtol=1e-15)
        assert_same(total.gradient(W), other.gradient(W, out=part.gradient(W), accumulate=True))


NESTED = [
    ([(0.5, None), (0.25, 0)], 0.0, 0.0),
    ([(0.25, 1), (0.5, (0, 1))], 0.125, 0.25),
    ([(0.25, 0), (0.125, (2, 0)), (0.5, None)], 0.0, 0.25),
    ([(0.5, None), (0.125, (-1, 0)), (0.25, 2)], 0.125, 0.0),
]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("groups", "l1", "l2"), NESTED, ids=str)
def test_nested_groups_have_a_prox_the_smallest_first(groups, l1, l2, order):
    shape = (4, 5, 3) if len(groups) == 3 else (4, 5)
    w, step = weights(shape, np.float64, 2).copy(order), 0.75
    parts = [fr.group_lasso_regularizer(scale, axis) for scale, axis in groups]
    total = fr.sum_regularizer([*parts, fr.l2_regularizer(l2), fr.l1_regularizer(l1)])
    axes = [axis if axis is None or isinstance(axis, tuple) else (axis,) for _, axis in groups]
    pairs = zip(groups, axes, strict=True)
    twin = Sum(Elastic(l1, l2), tuple(Groups(Linear(scale), axis) for (scale, _), axis in pairs))
    assert_same(outcomes(total, w, w), expected(twin, w, w))
    z = total.prox(w, step)

    def cost(y):
        return step * float(total(y.reshape(shape))) + ((y.reshape(shape) - w) ** 2).sum() / 2

    for seed in range(20):
        y = z + 1e-2 * weights(shape, np.float64, seed)
        assert cost(z) <= cost(y) - ((y - z) ** 2).sum() / 2 + 1e-12
    found = minimize(cost, z.ravel() + 1e-3, method="Powell", options={"maxiter": 3})
    assert cost(z) <= found.fun + 1e-12


UNEQUAL = {
    "crossing": lambda: [fr.group_lasso_regularizer(0.5, 0), fr.group_lasso_regularizer(0.25, 1)],
    "one size_power among others": lambda: [
        fr.group_lasso_regularizer(0.5, 0), fr.group_lasso_regularizer(0.5, 1), fr.group_lasso_regularizer(0.5, None)
    ],
    "mcp": lambda: [fr.group_lasso_regularizer(0.5, 0), fr.mcp_regularizer(0.25)],
}  # fmt: skip


@pytest.mark.parametrize("parts", UNEQUAL.values(), ids=UNEQUAL)
def test_the_prox_of_groups_that_are_not_nested_is_an_error_that_writes_nothing(parts):
    for into in (None, np.full_like(W, 9.0), W.copy()):
        before = None if into is None else into.tobytes()
        with pytest.raises(ValueError, match=r"has no closed prox: it is a sum, and only l1, l2 and group lassos .* nested can"):
            fr.sum_regularizer(parts()).prox(W, 0.5, out=into)
        assert into is None or into.tobytes() == before


# --------------------------------------------------------------------------------------------------------- its parameters
def test_new_scales_are_seen_by_every_later_call():
    plain, both = fr.group_lasso_regularizer(0.5, 0), fr.sparse_group_lasso_regularizer(0.5, 0.5, 1, -0.5)
    total = fr.sum_regularizer([plain, fr.l1_regularizer(0.25)])
    for given in (0.25, 0.0, np.float32(2.0)):
        plain.scale = both.scale_l1 = both.scale_l21 = given
        scale = float(given)
        twin = Groups(Linear(scale), (0,))
        assert_same(outcomes(plain, W, W), expected(twin, W, W))
        assert_same(outcomes(total, W, W), expected(Sum(Elastic(0.25), twin.profiles), W, W))
        sparse = Sum(Elastic(scale), Groups(Linear(scale, -0.5), (1,)).profiles)
        assert_same(outcomes(both, W, W), expected(sparse, W, W))
        assert (type(plain.scale), type(both.scale_l1), type(both.scale_l21)) == (float, float, float)


def test_attributes_and_repr():
    plain, both = fr.group_lasso_regularizer(0.5, (1, 0), size_power=0.5), fr.sparse_group_lasso_regularizer(0.25, 0.5, -1)
    assert (plain.scale, plain.axis, plain.size_power, plain.name) == (0.5, (1, 0), 0.5, "group_lasso_regularizer")
    assert (both.scale_l1, both.scale_l21, both.axis, both.size_power) == (0.25, 0.5, -1, 0.0)
    assert (both.name, fr.group_lasso_regularizer(0.5, None, scope="mine").name) == ("sparse_group_lasso_regularizer", "mine")
    reprs = {
        "group_lasso_regularizer(0.5, axis=(1, 0), size_power=0.5)": plain,
        "sparse_group_lasso_regularizer(0.25, 0.5, axis=-1)": both,
        "group_lasso_regularizer(0.5, axis=None)": fr.group_lasso_regularizer(0.5, None),
        "group_lasso_regularizer(0.5, axis=1)": fr.group_lasso_regularizer(0.5, [np.int64(1)]),
    }
    for text, made in reprs.items():
        assert repr(made) == text
        assert_same(eval(text, vars(fr))(W), made(W))
    for attribute in ("axis", "size_power"):
        with pytest.raises(AttributeError):
            setattr(plain, attribute, 0)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_compute_the_same_and_go_their_own_way(duplicate):
    plain = fr.group_lasso_regularizer(0.5, (0,), 0.5, scope="mine")
    both = fr.sparse_group_lasso_regularizer(0.25, 0.5, None)
    again, again_both = duplicate(plain), duplicate(both)
    value, of_both = plain(W), both(W)
    plain.scale = both.scale_l1 = both.scale_l21 = 4.0
    assert (type(again), again.scale, again.axis, again.size_power, again.name) == (type(plain), 0.5, 0, 0.5, "mine")
    assert (again_both.scale_l1, again_both.scale_l21, again_both.axis) == (0.25, 0.5, None)
    assert_same(again(W), value)
    assert_same(again_both(W), of_both)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: fr.group_lasso_regularizer(1, 0), ValueError, "scale cannot be an integer: 1"),
        (lambda: fr.group_lasso_regularizer(-0.5, 0), ValueError, "Setting a scale less than 0 on a regularizer: -0.5"),
        (lambda: fr.group_lasso_regularizer(np.nan, 0), ValueError, "scale must be finite, got nan"),
        (lambda: fr.group_lasso_regularizer("x", 0), TypeError, "scale must be a real number, got 'x' of type str"),
        (lambda: fr.sparse_group_lasso_regularizer(1, 0.5, 0), ValueError, "scale_l1 cannot be an integer: 1"),
        (lambda: fr.sparse_group_lasso_regularizer(0.5, True, 0), ValueError, "scale_l21 cannot be an integer: True"),
        (lambda: fr.group_lasso_regularizer(0.5), TypeError, "missing 1 required positional argument: 'axis'"),
        (lambda: fr.group_lasso_regularizer(0.5, "a"), TypeError, "axis must be an axis, .*, got 'a'"),
        (lambda: fr.group_lasso_regularizer(0.5, 1.0), TypeError, "axis must be an axis, .*, got 1.0"),
        (lambda: fr.group_lasso_regularizer(0.5, True), TypeError, "axis must be an axis, .*, got True"),
        (
            lambda: fr.group_lasso_regularizer(0.5, ()),
            TypeError,
            "axis must be an axis, a tuple of at least one axis, .*",
        ),
        (lambda: fr.group_lasso_regularizer(0.5, (0, 0)), ValueError, r"axis must not name an axis twice, got \(0, 0\)"),
        (lambda: fr.group_lasso_regularizer(0.5, 64), ValueError, "axis must be from -64 to 63, got 64"),
        (lambda: fr.group_lasso_regularizer(0.5, -65), ValueError, "axis must be from -64 to 63, got -65"),
        (lambda: fr.group_lasso_regularizer(0.5, 0, 1.0), ValueError, "size_power must be 0, 0.5 or -0.5, got 1.0"),
        (lambda: fr.group_lasso_regularizer(0.5, 0, "0.5"), TypeError, "size_power must be a real number, got '0.5' of type str"),
        (
            lambda: fr.group_lasso_regularizer(0.5, 2)(W),
            ValueError,
            "axis 2 of .* groups is out of bounds for weights, which has 2",
        ),
        (lambda: fr.group_lasso_regularizer(0.5, -3)(W), ValueError, "axis -3 of .* groups is out of bounds for weights"),
        (
            lambda: fr.group_lasso_regularizer(0.5, 0)(np.array(1.0)),
            ValueError,
            "axis 0 .* out of bounds for weights, which has 0",
        ),
        (
            lambda: fr.group_lasso_regularizer(0.5, (0, -2))(W),
            ValueError,
            "axis 0 and axis -2 of the penalty's groups are the same",
        ),
    ],
)
def test_bad_arguments_are_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_bad_scales_and_axes_change_nothing():
    plain, both = fr.group_lasso_regularizer(0.5, 0), fr.sparse_group_lasso_regularizer(0.25, 0.5, 2)
    for regularizer, attribute in ((plain, "scale"), (both, "scale_l1"), (both, "scale_l21")):
        kept = getattr(regularizer, attribute)
        for bad in (1, -0.5, np.inf, None):
            with pytest.raises((ValueError, TypeError)):
                setattr(regularizer, attribute, bad)
        assert getattr(regularizer, attribute) == kept
    out = np.full_like(W, 9.0)
    for call in (both.gradient, lambda w, out: both.prox(w, 0.5, out=out), lambda w, out: both.value_and_gradient(w, out, True)):
        with pytest.raises(ValueError, match="axis 2 of the penalty's groups is out of bounds"):
            call(W, out=out)
    assert (out == 9.0).all()


def test_a_scale_that_the_size_of_a_group_could_make_infinite_is_refused_when_it_is_set():
    message = re.escape("* 2**32 must be finite in float64 with size_power=0.5")
    for build in (lambda s, p: fr.group_lasso_regularizer(s, 0, p), lambda s, p: fr.sparse_group_lasso_regularizer(0.5, s, 0, p)):
        with pytest.raises(ValueError, match=message):
            build(1e308, 0.5)
        for power in (0.0, -0.5):
            assert build(1e308, power)(np.zeros((9, 2))) == 0
        lasso = build(1e290, 0.5)
        name = "scale" if hasattr(lasso, "scale") else "scale_l21"
        with pytest.raises(ValueError, match=message):
            setattr(lasso, name, 1e300)
        assert getattr(lasso, name) == 1e290 and lasso(np.zeros((9, 2))) == 0


def test_a_scale_of_0_disables_the_factory(caplog):
    with caplog.at_level("INFO", logger="fastreg"):
        off = fr.group_lasso_regularizer(0.0, 0)
        also = fr.sparse_group_lasso_regularizer(0.0, 0.0, 0)
    assert caplog.messages == ["Scale of 0 disables regularizer."] * 2
    assert fr.regularize({"w": W}, [("w", off)]) == fr.regularize({"w": W}, [("w", also)]) == []
    w = np.array([np.inf, np.nan, -0.0, 2.0])
    for regularizer in (off, also):
        assert_same(outcomes(regularizer, w, W[0, :4].copy()), expected(Elastic(), w, W[0, :4].copy()))


# ------------------------------------------------------------------------------------------------------------ collections
def grouped_network():
    arrays = network()
    return arrays | {"h": weights((1100, 40), np.float64, 3), "i": weights((9, 5, 4), np.float32, 4)}


def grouped_terms(arrays):
    """Return terms that mix L1, MCP and groups of several axes, of which some lie over one array, and their twins."""
    rules = [
        ("c", fr.group_lasso_regularizer(0.3, 0)),
        ("[gh]", fr.sparse_group_lasso_regularizer(0.25, 0.7, 0, 0.5)),
        ("i", fr.sum_regularizer([fr.group_lasso_regularizer(0.3, (0, 2)), fr.l2_regularizer(0.5)])),
        ("*", fr.group_lasso_regularizer(0.7, None)),
    ]
    of = {
        "c": Groups(Linear(0.3), (0,)),
        "g": Sum(Elastic(0.25), (Groups(Linear(0.7, 0.5), (0,)),)),
        "i": Sum(Elastic(0.0, 0.5), (Groups(Linear(0.3), (0, 2)),)),
    }
    return fr.regularize(arrays, rules), {key: of.get("g" if key == "h" else key, Groups(Linear(0.7), None)) for key in arrays}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("accumulate", [False, True])
def test_collections_mix_layouts_and_penalties(num_threads, threads, accumulate):
    num_threads(threads)
    arrays = grouped_network()
    terms, twins = grouped_terms(arrays)
    more = [("c", fr.group_lasso_regularizer(0.5, 1)), ("h", fr.mcp_regularizer(0.3))]
    for pattern, regularizer in more:
        terms += fr.regularize(arrays, [(pattern, regularizer)])
    bases = gradients(arrays, 7)
    out = {key: base.copy(order="K") for key, base in bases.items()}
    total, found = fr.value_and_gradients(terms, out=out, accumulate=accumulate)
    last = {"c": Groups(Linear(0.5), (1,)), "h": Mcp(0.3)}
    values = [twin.value64(arrays[key]) for key, twin in twins.items()] + [
        twin.value64(arrays[key]) for key, twin in last.items()
    ]
    assert_same(total, sum(values, start=np.float64(0.0)))
    for key, w in arrays.items():
        profiles = twins[key].profiles + (last[key].profiles if key in last else ())
        assert_same(found[key], Sum(twins[key].pair, profiles).gradient(w, bases[key] if accumulate else None))


def test_a_term_over_axes_that_its_array_lacks_names_it_and_writes_nothing():
    arrays = {"v": np.ones((2, 3)), "w": np.ones(3)}
    out = {key: np.full_like(w, 9.0) for key, w in arrays.items()}
    terms = fr.regularize(arrays, [("*", fr.group_lasso_regularizer(0.5, 1))])
    for call in (lambda: fr.value_and_gradients(terms, out=out), lambda: evaluate([arrays["w"]], [terms[0].regularizer], ["w"])):
        with pytest.raises(ValueError, match=r"axis 1 of the penalty's groups is out of bounds for .*w.*, which has 1 dim"):
            call()
    assert all((x == 9.0).all() for x in out.values())
    optimizer = fr.optim.GradientDescent(0.5)
    with refused(optimizer, ValueError, "axis 1 of the penalty's groups is out of bounds for 'w'", *arrays.values()):
        optimizer.apply_gradients({key: (np.ones_like(w), w) for key, w in arrays.items()}, terms)


# -------------------------------------------------------------------------------------------------------------- the rules
GRADIENT_RULES = [variant for variant in VARIANTS if variant not in PROXIMAL]
PROX_RULES = [variant for variant in PROXIMAL if rule_of(variant) == "ProximalGradientDescent"]
OTHER_RULES = [variant for variant in PROXIMAL if rule_of(variant) != "ProximalGradientDescent"]
L1, L2 = fr.l1_regularizer(0.25), fr.l2_regularizer(0.5)
WITH_GROUPS = {
    "leading": (lambda: fr.group_lasso_regularizer(0.3, -1), Groups(Linear(0.3), (-1,))),
    "sparse": (
        lambda: fr.sparse_group_lasso_regularizer(0.25, 0.7, (-2, -1)),
        Sum(Elastic(0.25), (Groups(Linear(0.7), (-2, -1)),)),
    ),
    "with l1 and l2": (
        lambda: fr.sum_regularizer([L1, fr.group_lasso_regularizer(0.7, -2, -0.5), L2]),
        Sum(Elastic(0.25, 0.5), (Groups(Linear(0.7, -0.5), (-2,)),)),
    ),
    "nested": (
        lambda: fr.sum_regularizer([fr.group_lasso_regularizer(0.7, (-1, -2)), fr.group_lasso_regularizer(0.3, -1), L2]),
        Sum(Elastic(0.0, 0.5), (Groups(Linear(0.7), (-1, -2)), Groups(Linear(0.3), (-1,)))),
    ),
}


@dtypes
@pytest.mark.parametrize("options", [{}, {"clip_norm": 5.0, "check_finite": True}], ids=["whole", "clipped"])
@pytest.mark.parametrize("case", WITH_GROUPS)
@names([*GRADIENT_RULES, *PROX_RULES])
def test_every_rule_with_groups_is_its_twin_bit_for_bit(name, case, options, dtype):
    build, twin = WITH_GROUPS[case]
    shapes = {"w": (3, 40, 20), "table": (9, 7, 11)} | ({"large": (1100, 40)} if name == PROX_RULES[0] else {})
    arrays = {key: weights(shape, dtype, 5) for key, shape in shapes.items()}
    right = {key: w.copy() for key, w in arrays.items()}
    terms = fr.regularize(arrays, [("*", build())])
    optimizer, stepper = make(name, **options), Stepper(rule_of(name), VARIANTS[name], options.get("clip_norm"))
    for t in (1, 2):
        given = {key: weights(shape, dtype, seed=t) for key, shape in shapes.items()}
        given["table"] = given["table"][:3].copy(), np.array([1, 2, 6])
        loss = optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, regularization=terms)
        assert_same(loss, stepper.step(given, right, dict.fromkeys(right, twin)))
        assert_same(arrays, right)
    for variable in right:
        for slot, array in stepper.slots[variable].items():
            assert_same(optimizer.get_slot(variable, slot), array)


@pytest.mark.parametrize("options", [{}, {"clip_norm": 1e9, "check_finite": True}], ids=str)
@names(GRADIENT_RULES)
def test_folded_is_accumulated_first_bit_for_bit(name, options):
    folded, plain = grouped_network(), grouped_network()
    (terms, _), (same, _) = grouped_terms(folded), grouped_terms(plain)
    one, other = make(name, **options), make(name, **options)
    for step in range(2):
        total, given = gradients(plain, step), gradients(folded, step)
        loss, _ = fr.value_and_gradients(same, out=total, accumulate=True)
        other.apply_gradients({key: (total[key], w) for key, w in plain.items()})
        assert_same(one.apply_gradients({key: (given[key], w) for key, w in folded.items()}, regularization=terms), loss)
        assert_same(given, gradients(folded, step))
    assert_same(folded, plain)
    assert_same(slots_of(one), slots_of(other))


def test_clipped_and_folded_is_accumulated_first_but_for_the_order_of_the_norms_sum():
    """Chunks that hold groups whole have another size, so the last bit of the norm, in float64, may be another one."""
    folded, plain = grouped_network(), grouped_network()
    (terms, _), (same, _) = grouped_terms(folded), grouped_terms(plain)
    total, given = gradients(plain, 1), gradients(folded, 1)
    fr.value_and_gradients(same, out=total, accumulate=True)
    fr.optim.GradientDescent(0.5, clip_norm=0.5).apply_gradients({key: (total[key], w) for key, w in plain.items()})
    fr.optim.GradientDescent(0.5, clip_norm=0.5).apply_gradients({key: (given[key], w) for key, w in folded.items()}, terms)
    for key, w in folded.items():
        np.testing.assert_allclose(w, plain[key], rtol=8 * np.finfo(w.dtype).eps)


@dtypes
@pytest.mark.parametrize("strengths", [{}, {"l1_regularization_strength": 0.5, "l2_regularization_strength": 2.0}], ids=str)
def test_proximal_gradient_descent_ends_in_the_prox(strengths, dtype):
    w, g = weights((30, 50), dtype), weights((30, 50), dtype, 1)
    penalty = fr.sum_regularizer([fr.sparse_group_lasso_regularizer(1.0, 4.0, 0), fr.l2_regularizer(0.5)])
    terms = fr.regularize({"w": w}, [("w", penalty)])
    l1, l2 = strengths.get("l1_regularization_strength", 0.0), strengths.get("l2_regularization_strength", 0.0)
    given = w.astype(np.float64) - 0.125 * (g + 0.5 * w.astype(np.float64))
    right = in_group(given, 0, 1.0 + l1, 4.0, 0.125) / (1 + 0.125 * l2)
    fr.optim.ProximalGradientDescent(0.125, **strengths).apply_gradients({"w": (g, w)}, terms)
    np.testing.assert_allclose(w, right, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-6 if dtype is np.float32 else 0)
    assert (w == 0).all(0).sum() == (right == 0).all(0).sum()


def test_steps_make_whole_groups_exactly_zero():
    w = np.array([[3.0, 0.3], [4.0, 0.4]])
    terms = fr.regularize({"w": w}, [("w", fr.group_lasso_regularizer(1.0, 0))])
    loss = fr.optim.ProximalGradientDescent(1.0).apply_gradients({"w": (np.zeros((2, 2)), w)}, terms)
    assert loss == 5.5
    np.testing.assert_allclose(w[:, 0], [2.4, 3.2], rtol=1e-15)
    assert w[:, 1].tolist() == [0.0, 0.0]


@names(OTHER_RULES)
def test_rules_of_another_metric_refuse_groups_and_name_what_to_use(name):
    arrays = {"v": np.ones(3), "w": np.ones((3, 2))}
    pairs = {key: (np.ones_like(w), w) for key, w in arrays.items()}
    optimizer = make(name)
    optimizer.apply_gradients(pairs)
    terms = fr.regularize(arrays, [("v", L1), ("w", fr.group_lasso_regularizer(0.5, 0))])
    message = "a regularizer of 'w' has a prox of its own, .* no closed form; use ProximalGradientDescent"
    with refused(optimizer, ValueError, message, *arrays.values()):
        optimizer.apply_gradients(pairs, terms)
    with pytest.raises(ValueError, match="no closed form"):
        Stepper(rule_of(name), VARIANTS[name]).step({"w": np.ones(3)}, {"w": np.ones(3)}, {"w": Groups(Linear(0.5), None)})


CROSSING = {
    "crossing groups": [fr.group_lasso_regularizer(0.5, 0), fr.group_lasso_regularizer(0.5, 1)],
    "a prox of the user's own": [fr.group_lasso_regularizer(0.5, 0), GroupLasso(0.5)],
    "an mcp beside": [fr.group_lasso_regularizer(0.5, 0), fr.mcp_regularizer(0.5)],
}


@pytest.mark.parametrize("regularizers", CROSSING.values(), ids=CROSSING)
def test_what_has_no_closed_prox_together_is_refused(regularizers):
    arrays = {"v": np.ones((3, 2)), "w": np.ones((3, 2))}
    terms = fr.regularize(arrays, [("v", fr.group_lasso_regularizer(0.5, 0))])
    terms += [term for regularizer in regularizers for term in fr.regularize(arrays, [("w", regularizer)])]
    optimizer = fr.optim.ProximalGradientDescent(0.125)
    with refused(optimizer, ValueError, "a regularizer of 'w' has a prox of its own, .* no closed prox", *arrays.values()):
        optimizer.apply_gradients({key: (np.ones_like(w), w) for key, w in arrays.items()}, terms)


@names(["GradientDescent", "Adam", PROX_RULES[0]])
def test_a_step_gives_what_each_term_is_and_follows_the_scales(name):
    arrays = grouped_network()
    (terms, _), frozen = grouped_terms(arrays), {"still": weights((30, 7), np.float64)}
    terms += fr.regularize(frozen, [("*", fr.group_lasso_regularizer(0.5, 0))])
    optimizer = make(name)
    for scale in (0.5, 2.0):
        terms[0].regularizer.scale = scale
        before = {term.name: float(fr.add_n([term])) for term in terms}
        given = gradients(arrays, 0)
        pairs = {key: (given[key], w) for key, w in arrays.items()}
        loss, values = optimizer.apply_gradients(pairs, terms, per_term=True)
        assert values == before
        assert loss == pytest.approx(sum(before.values()), rel=1e-14)


def test_the_strengths_of_groups_are_saved_and_restored():
    arrays = grouped_network()
    terms, _ = grouped_terms(arrays)
    optimizer = fr.optim.Adam(0.1)
    state = fr.optim.save(optimizer, arrays, terms)
    both = next(term.regularizer for term in terms if hasattr(term.regularizer, "scale_l21"))
    plain = next(term.regularizer for term in terms if type(term.regularizer) is type(fr.group_lasso_regularizer(0.5, 0)))
    kept = both.scale_l1, both.scale_l21, plain.scale
    both.scale_l1 = both.scale_l21 = plain.scale = 9.0
    fr.optim.restore(state, optimizer, arrays, terms)
    assert (both.scale_l1, both.scale_l21, plain.scale) == kept


@names(["GradientDescent", "Adam", PROX_RULES[0]])
def test_groups_across_rows_need_a_gradient_of_all_rows(name):
    table = weights((9, 7), np.float64)
    optimizer, rows = make(name), (np.ones((2, 7)), np.array([1, 4]))
    for axis in (0, None, -2, (0, 1)):
        terms = fr.regularize({"t": table}, [("t", fr.group_lasso_regularizer(0.5, axis))])
        with refused(
            optimizer, ValueError, "groups of a penalty of 't' run over its rows, .* pass a gradient of all rows", table
        ):
            optimizer.apply_gradients({"t": (rows, table)}, terms)


@names(["GradientDescent", "Adam", PROX_RULES[0]])
def test_a_step_with_a_failing_term_beside_it_writes_nothing(name):
    class Failing:
        def __call__(self, w):
            return 0.0

        def gradient(self, w):
            raise RuntimeError("of its own")

    arrays = {"v": np.ones((3, 2)), "w": np.ones((3, 2))}
    terms = fr.regularize(arrays, [("v", fr.group_lasso_regularizer(0.5, 0)), ("w", Failing())])
    optimizer = make(name, check_finite=True)
    with refused(optimizer, RuntimeError, "of its own", *arrays.values()):
        optimizer.apply_gradients({key: (np.ones_like(w), w) for key, w in arrays.items()}, terms)
    given = {"v": (np.ones((3, 2)), arrays["v"]), "w": (np.full((3, 2), np.nan), arrays["w"])}
    with refused(optimizer, ValueError, "gradient of 'w' is not finite", *arrays.values()):
        optimizer.apply_gradients(given, terms[:1])


# --------------------------------------------------------------------------------------------------------- other programs
def test_numbers_of_other_packages():
    # ProximalOperators.jl, test/test_results.jl: NormL2(0.5) at gamma 0.3
    x = np.array([
        -1.472658469388188, -0.2715944116787317, -0.05323943816203797, 1.0714599486778327, -1.5331256392574706,
        0.4083764366610342, -0.9444383691511559, -0.7504607478410741, 0.7438914169983039, -0.15652009656239366,
    ])  # fmt: skip
    y = np.array([
        -1.3942822988967276, -0.2571399197807538, -0.0504059887445427, 1.0144359140099486, -1.4515313531517497,
        0.38664228587878424, -0.8941745339321049, -0.7105205711181053, 0.7043008658028084, -0.14818996026228431,
    ])  # fmt: skip
    norm = fr.group_lasso_regularizer(0.5, None)
    np.testing.assert_allclose([norm(x), norm(y)], [1.4092215084194275, 1.3342215084194275], rtol=1e-15)
    np.testing.assert_allclose(norm.prox(x, 0.3), y, rtol=1e-14)
    # pyunlocbox, structured_sparsity: strength 10, weights 2 and 1 of two groups of unequal size
    parts = {"0": np.array([2, 2.5]), "1": np.array([-0.5, 0.3, 0.01])}
    rules = [("0", fr.group_lasso_regularizer(20.0, 0)), ("1", fr.group_lasso_regularizer(10.0, 0))]
    terms = fr.regularize(parts, rules)
    np.testing.assert_allclose(fr.value_and_gradients(terms)[0], 69.86305169905782, rtol=1e-15)
    zeros = {key: (np.zeros_like(w), w) for key, w in parts.items()}
    fr.optim.ProximalGradientDescent(0.1).apply_gradients(zeros, terms)
    np.testing.assert_allclose(np.concatenate(list(parts.values())), [0.7506099, 0.93826238, 0, 0, 0], atol=5e-9)


@pytest.mark.parametrize(("shape", "axis"), [((7, 5, 3, 13), (0, 1, 2)), ((5, 5, 11, 13), (0, 1, 3)), ((3, 4), 0)], ids=str)
def test_the_mean_forms_of_morphnet_and_the_sums_of_tensorlayer(shape, axis):
    w = weights(shape, np.float64)
    roots = np.sqrt(np.mean(w**2, axis=axis))
    np.testing.assert_allclose(fr.group_lasso_regularizer(1.0, axis, size_power=-0.5)(w), roots.sum(), rtol=1e-14)
    mean = fr.sparse_group_lasso_regularizer(0.5 / (w.size // roots.size), 0.5, axis, size_power=-0.5)
    np.testing.assert_allclose(mean(w), (0.5 * np.mean(np.abs(w), axis=axis) + 0.5 * roots).sum(), rtol=1e-14)
    np.testing.assert_allclose(fr.group_lasso_regularizer(0.25, axis)(w), 0.25 * np.sqrt((w**2).sum(axis)).sum(), rtol=1e-14)


def test_multi_task_lasso_by_a_proximal_method_is_scikit_learns():
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    x, n_tasks = rng.normal(size=(60, 12)), 4
    right = rng.normal(size=(12, n_tasks)) * (np.arange(12) < 5)[:, None]
    y = x @ right + 0.1 * rng.normal(size=(60, n_tasks))
    fitted = linear_model.MultiTaskLasso(alpha=0.3, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(x, y)
    penalty, step = fr.group_lasso_regularizer(0.3, axis=1), 60 / np.linalg.norm(x, 2) ** 2
    w = np.zeros((12, n_tasks))
    for _ in range(600):
        w = penalty.prox(w - step * (x.T @ (x @ w - y)) / 60, step)
    np.testing.assert_allclose(w, fitted.coef_.T, atol=1e-9)
    zero = (w == 0).all(axis=1)
    assert 0 < zero.sum() < 12 and np.array_equal(zero, (fitted.coef_ == 0).all(axis=0))
