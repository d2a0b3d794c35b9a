"""Projections of lines: by their twin bit for bit, by a sort, by what makes a point the nearest, and special values by hand."""

import sys
from functools import partial

import numpy as np
import pytest
from kernel_calls import project_l1_ball, project_simplex
from regularizers import dtypes
from twin.compare import assert_same
from twin.inputs import SIZES, weights
from twin.lines import by_line, onto_l1_ball, onto_simplex, project

KINDS = {
    "simplex": (project_simplex, partial(project, onto_simplex)),
    "l1 ball": (project_l1_ball, partial(project, onto_l1_ball)),
}
kinds = pytest.mark.parametrize(("found", "right"), KINDS.values(), ids=KINDS)

# Every place that the lines can have among the axes, sizes of 1, empty ones, more lines than are gathered together.
CASES = [
    ((), ()), ((7,), (0,)), ((1,), (0,)), ((5,), ()), ((0,), (0,)), ((0, 3), (0,)), ((0, 3), (1,)), ((6, 7), (0,)),
    ((6, 7), (1,)), ((6, 7), (0, 1)), ((40, 700), (0,)), ((300, 41), (1,)), ((3, 1, 5), (1,)), ((3, 1, 5), (0, 1)),
    ((3, 4, 5), (1,)), ((3, 4, 5), (0, 2)), ((3, 4, 5, 6), (0, 1, 2)), ((3, 4, 5, 6), (0, 1, 3)), ((3, 4, 5, 6), (1, 2)),
    ((2, 3, 2, 3, 2), (1, 3)), ((2, 3, 2, 3, 2), (0, 2, 4)), ((1100, 2), (0,)), ((2, 1100), (1,)), ((1,) * 30 + (4, 5), (3, 31)),
]  # fmt: skip
cases = pytest.mark.parametrize(("shape", "axes"), CASES, ids=str)


@dtypes
@kinds
@cases
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("radius", [0.0, 1.0, 37.5])
def test_every_layout_is_its_twin_bit_for_bit(found, right, dtype, shape, axes, order, radius):
    w = weights(shape, dtype, 4).copy(order)
    expected, before = right(w, axes, radius), w.tobytes()
    new = found(w, axes, radius)
    assert w.tobytes() == before
    assert_same(new, expected)
    assert new.flags[f"{order}_CONTIGUOUS"]
    out = np.full_like(w, 9.0)
    assert found(w, axes, radius, out) is out
    assert_same(out, expected)
    assert found(w, axes, radius, w) is w
    assert_same(w, expected)


@dtypes
@kinds
@pytest.mark.parametrize("size", SIZES)
def test_every_size_is_its_twin_bit_for_bit(found, right, dtype, size):
    w = weights(size, dtype, 2)
    for radius in (0.25, 30.0):
        assert_same(found(w, (0,), radius), right(w, (0,), radius))


def by_sorting(x, radius):
    """Held, Wolfe and Crowder 1974."""
    down = np.sort(x)[::-1]
    t = (np.cumsum(down) - radius) / np.arange(1, x.size + 1)
    return np.maximum(x - t[np.nonzero(down > t)[0][-1]], 0)


@kinds
@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("radius", [0.125, 1.0, 20.0])
def test_they_agree_with_sorting(found, right, size, radius):
    for seed in range(20):
        x = weights(size, np.float64, seed)
        if found is project_simplex:
            expected = by_sorting(x, radius)
        else:
            expected = x if np.abs(x).sum() <= radius else np.sign(x) * by_sorting(np.abs(x), radius)
        np.testing.assert_allclose(found(x, (0,), radius), expected, rtol=0, atol=1e-13)


def test_numbers_of_a_public_test():
    """ProximalOperators.jl, test_results.jl: IndBallL1(3.5)."""
    x = np.array([
        0.183227263001437, -1.029767543566621, 0.949221831131023, 0.307061919146703, 0.135174942099456, 0.515246335524849,
        0.261406324055383, -0.941485770955434, -0.162337672803828, -0.146054634331526, -0.532011376808821, 1.682103594663179,
        -0.875729346160017, -0.483815050110121, -0.712004549027422, -1.174212331456816, -0.192239517539275, -0.274070229932602,
        1.530072514424096, -0.249024742513714, -1.064213412889327, 1.603457298120044, 1.234679146890778, -0.229626450963180,
        -1.506159703979719, -0.444627816446985, -0.155941035724769, 0.276068253931536, -0.261163645776479, 0.443421912904091,
    ])  # fmt: skip
    expected = np.zeros(30)
    expected[[1, 2, 7, 11, 15, 18, 20, 21, 22, 24]] = [
        -1.0823022875891708e-01, 2.7684516323319142e-02, -1.9948456147730109e-02, 7.6056627985547520e-01, -2.5267501664911218e-01,
        6.0853519961639224e-01, -1.4267609808162318e-01, 6.8191998331234005e-01, 3.1314183208307422e-01, -5.8462238917201514e-01,
    ]  # fmt: skip
    z = project_l1_ball(x, (0,), 3.5)
    np.testing.assert_allclose(z, expected, rtol=0, atol=1e-15)
    assert ((z == 0) == (expected == 0)).all()


@dtypes
@pytest.mark.parametrize("shape", [(3, 500), (2, 40_000)])
@pytest.mark.parametrize("level", [0.0, 1000.0])
def test_optimality_conditions_of_the_simplex(dtype, shape, level):
    """The nearest point is at least 0, sums to the radius, and w - z is one number where z > 0, and no larger where z = 0."""
    w = weights(shape, dtype, 1) + dtype(level)
    z = project_simplex(w, (1,), 2.5)
    assert z.min() >= 0
    np.testing.assert_allclose(z.sum(axis=1, dtype=np.float64), 2.5, rtol=4 * np.finfo(dtype).eps)
    for x, found in zip(w.astype(np.float64), z.astype(np.float64), strict=True):
        t = (x - found)[found > 0]
        assert np.ptp(t) <= 4 * np.finfo(dtype).eps * 2.5
        assert (x[found == 0] <= t.max()).all()


@dtypes
@kinds
@pytest.mark.parametrize("size", [1, 3, 50, 4097, 100_003])
@pytest.mark.parametrize("radius", [0.3, 1.0, 700.0])
def test_a_projected_line_is_left_alone_to_the_bit(found, right, dtype, size, radius):
    for seed in range(5):
        once = found(weights(size, dtype, seed), (0,), radius)
        assert_same(found(once, (0,), radius), once)


@dtypes
def test_a_line_inside_is_left_alone_to_the_bit(dtype):
    w = np.array([[0.25, -0.0, -0.75], [0.5, 2.0, 0.0]], dtype)
    assert_same(project_l1_ball(w, (1,), 1.0), np.array([[0.25, -0.0, -0.75], [0.0, 1.0, 0.0]], dtype))
    assert_same(project_simplex(np.array([[0.25, -0.0, 0.75]], dtype), (1,), 1.0), np.array([[0.25, -0.0, 0.75]], dtype))
    tenth = np.full((1, 10), 0.1, dtype)  # whose sum is 1 but for rounding
    assert_same(project_simplex(tenth, (1,), 1.0), tenth)
    assert_same(project_l1_ball(tenth, (1,), 1.0), tenth)


@dtypes
@kinds
def test_ties_are_treated_alike(found, right, dtype):
    zero = -0.0 if found is project_l1_ball else 0.0
    w = np.array([2.0, 2.0, -1.0, 2.0, 2.0], dtype)
    assert_same(found(w, (0,), 2.0), np.array([0.5, 0.5, zero, 0.5, 0.5], dtype))


inf, nan = np.inf, np.nan
SPECIAL = {
    "nan": ([1.0, nan, 2.0], [nan, nan, nan], [nan, nan, nan]),
    "nan beside infinity": ([inf, nan, -inf], [nan, nan, nan], [nan, nan, nan]),
    "infinity": ([1.0, inf, -0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]),
    "two": ([inf, 3.0, inf], [0.5, 0.0, 0.5], [0.5, 0.0, 0.5]),
    "below": ([1.0, -inf, 0.5], [0.75, 0.0, 0.25], [0.0, -1.0, 0.0]),
    "both": ([inf, -inf, 0.5], [1.0, 0.0, 0.0], [0.5, -0.5, 0.0]),
    "all below": ([-inf, -inf], [0.5, 0.5], [-0.5, -0.5]),
    "negative": ([-3.0, -3.5, -9.0], [0.75, 0.25, 0.0], [-0.0, -0.0, -1.0]),
    "zeros": ([0.0, -0.0], [0.5, 0.5], [0.0, -0.0]),
}  # fmt: skip


@dtypes
@pytest.mark.parametrize(("line", "simplex", "ball"), SPECIAL.values(), ids=SPECIAL)
def test_special_values_by_hand(dtype, line, simplex, ball):
    w = np.array([line, [0.5] + [0.25] * (len(line) - 1)], dtype)
    for found, expected in ((project_simplex, simplex), (project_l1_ball, ball)):
        assert_same(found(w, (1,), 1.0)[0], np.array(expected, dtype))
        assert_same(found(w.T.copy(), (0,), 1.0)[:, 0], np.array(expected, dtype))
        assert np.isfinite(found(w, (1,), 1.0)[1]).all()


@kinds
def test_numbers_of_every_size(found, right):
    top = np.finfo(np.float64).max
    for x in ([top, top, -top], [5e-324, -5e-324, 0.0], [1e300, 1e-300, 1.0]):
        for radius in (5e-324, 1.0, top / 4):
            w = np.array(x)
            assert_same(found(w, (0,), radius), right(w, (0,), radius))
            assert np.isfinite(found(w, (0,), radius)).all()


@kinds
def test_bad_arguments_are_refused_and_nothing_is_written(found, right):
    w = np.arange(6.0).reshape(2, 3)
    for arguments, error, message in (
        ((w, (0,), -1.0), ValueError, "radius must be at least 0 and finite, got -1.0"),
        ((w, (0,), nan), ValueError, "radius must be at least 0 and finite, got nan"),
        ((w, (0,), inf), ValueError, "radius must be at least 0 and finite, got inf"),
        ((w.astype(int), (0,), 1.0), TypeError, "weights must be a float32 or float64 array"),
        ((w, (0,), 1.0, w.astype(np.float32)), TypeError, "out must have the dtype of weights"),
        ((w, (0,), 1.0, w.copy("F")), ValueError, "out must have the memory order of weights"),
        ((w[:, :2], (0,), 1.0), ValueError, "weights must be contiguous"),
    ):
        with pytest.raises(error, match=message):
            found(*arguments)
    assert w.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_twin_puts_lines_back_where_it_took_them_from():
    w = weights((3, 4, 5), np.float32)
    for x in (w, w.copy("F")):
        assert_same(by_line(x, (0, 2), lambda line: line), x)


@pytest.mark.skipif(sys.platform != "linux", reason="limits this process's memory as Linux does")
def test_without_memory_it_is_an_error_and_nothing_is_written(run_python):
    done = run_python(
        "import resource, numpy as np\n"
        "from fastreg.kernels import project_simplex\n"
        "w = np.ones(1 << 24, np.float32)\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 27), used + (1 << 27)))\n"
        "try: project_simplex(w, (0,), 1.0, w)\n"
        "except MemoryError: print('refused', (w == 1).all())"
    )
    assert done.stdout.split() == ["refused", "True"], done.stderr
