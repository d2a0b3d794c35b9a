"""Every sum against the exact one: float32 is rounded once, float64 is within 2 units in the last place for these weights.

For any weights the bound of float64 is higher: tests/core/test_exactness.py draws them.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_calls import evaluate, penalty
from regularizers import TWINS, dtypes, twins
from twin.compare import assert_same
from twin.exact import exact_value, ulps
from twin.inputs import weights
from twin.penalties import Elastic

import fastreg as fr


def assert_exact(regularizer, twin, w):
    """float32: the exact value rounded once, but for ties within the float64 sum's error; float64: within 2 ulp."""
    found, exact = regularizer(w), exact_value(twin, w)
    limit = 2.0 if w.dtype == np.float64 else 0.5 + 1e-9 * 2**24
    assert ulps(found, exact) <= limit, f"{found!r} is {ulps(found, exact):.3f} ulp from {float(exact)!r}"


# Constants whose running sums, of w or of its square, lose most to roundings that all go one way.
CONSTANTS = (0.1, 1 / 3, 1.7897712913200632, 1.9245597235444425, 1.9524417964702803, 1.9772492060459341, 1.0317437098077085)


@dtypes
@twins
@pytest.mark.parametrize("size", [1, 31, 32, 33, 511, 512, 513, 4095, 4096, 4097, 100_003, 1 << 18])
def test_sum_of_spread_weights_is_exact(twin, dtype, size):
    assert_exact(penalty(twin), twin, weights(size, dtype))


@dtypes
@twins
@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("size", [3, 31, 512, 1000, 4096, 100_003])
def test_sum_of_equal_weights_is_exact(twin, dtype, size, constant):
    assert_exact(penalty(twin), twin, np.full(size, constant, dtype))


@twins
@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("size", [3, 1000, 2048, 4096, 100_003])
def test_total_of_equal_float32_weights_is_exact_in_float64(twin, size, constant):
    w = np.full(size, constant, np.float32)
    assert ulps(evaluate([w], [penalty(twin)], ["w"]), exact_value(twin, w)) <= 2.0


@dtypes
@twins
@pytest.mark.parametrize("exponent", ["tiny", "small", "huge"])
@pytest.mark.parametrize("size", [5, 513, 10_000])
def test_sum_of_extreme_magnitudes_is_exact(twin, dtype, size, exponent):
    binades = {np.float32: {"tiny": -145, "small": -60, "huge": 50}, np.float64: {"tiny": -1062, "small": -480, "huge": 490}}
    w = np.ldexp(weights(size, dtype), binades[dtype][exponent])
    with np.errstate(over="ignore"):
        assert_same(penalty(twin)(w), twin.value(w))
    if (dtype, exponent) != (np.float64, "tiny") or twin.l2 == 0:  # a float64's square may vanish: the twin's case
        assert_exact(penalty(twin), twin, w)


@dtypes
def test_mixed_magnitudes_are_exact(dtype):
    w = weights(20_000, dtype)
    w[::7] *= dtype(1e12)
    w[::11] *= dtype(1e-18)
    for twin in TWINS.values():
        assert_exact(penalty(twin), twin, w)


@dtypes
def test_denormal_weights_are_counted(dtype):
    w = np.full(1000, np.finfo(dtype).smallest_subnormal)
    assert fr.l1_regularizer(1.0)(w) == w[0] * 1000 > 0
    assert_same(fr.l2_regularizer(1.0).gradient(w), w)


def test_float32_that_overflows_is_inf_and_that_does_not_is_finite():
    w = np.full(1000, 3e38, np.float32)
    assert fr.l1_regularizer(1.0)(w) == np.inf
    assert_exact(fr.l1_regularizer(1e-3), Elastic(1e-3, 0.0), w)
    assert_exact(fr.l2_regularizer(1e-42), Elastic(0.0, 1e-42), w)


@pytest.mark.parametrize("twin", [Elastic(0.0, 1e-46), Elastic(1e-46, 0.0), Elastic(1e-46, 1e-46)], ids=str)
def test_a_coefficient_below_float32_still_counts_in_the_value(twin):
    w = np.full(1000, 2e25 if twin.l2 == 0 else 2e19, np.float32)
    assert_exact(penalty(twin), twin, w)
    found, slope = penalty(twin).value_and_gradient(w)
    assert_same(found, penalty(twin)(w))
    assert_same(slope, np.zeros_like(w))


@given(hnp.arrays(np.float32, st.integers(0, 700), elements=st.floats(-(2**60), 2**60, width=32)), st.floats(2**-20, 2**20))
def test_any_float32_sum_is_exact(w, l1):
    for twin in (Elastic(l1, 0.0), Elastic(0.0, 0.5), Elastic(l1, 0.5)):
        if 2.0**-120 < exact_value(twin, w) < 2.0**127:
            assert_exact(penalty(twin), twin, w)


@pytest.mark.parametrize(
    "make",
    [fr.l1_regularizer, fr.l2_regularizer, lambda scale: fr.group_lasso_regularizer(scale, 0)],
    ids=["l1", "l2", "group_lasso"],
)
def test_strengths_that_add_up_to_infinity_are_refused_before_anything_is_written(make):
    first, second, w = make(1e308), make(0.5), np.array([0.0, 1.0])
    both = fr.sum_regularizer([first, second])
    assert np.isfinite(both(np.zeros(2)))
    second.scale = 1e308
    out, optimizer = np.full(2, 7.0), fr.optim.GradientDescent(0.5)
    terms = fr.regularize({"w": w}, [("w", both)])
    for call in (
        lambda: both(w),
        lambda: both.gradient(w, out=out),
        lambda: both.prox(w, 0.5, out=out),
        lambda: fr.value_and_gradients(terms, out={"w": out}),
        lambda: optimizer.apply_gradients({"w": (np.zeros(2), w)}, terms),
    ):
        with pytest.raises(ValueError, match=r"the strengths of sum_regularizer\(.*\) add up to more than float64 holds"):
            call()
    assert out.tolist() == [7.0, 7.0] and w.tolist() == [0.0, 1.0] and optimizer.iterations == 0
    second.scale = 0.0
    assert both(w) == first(w)


@pytest.mark.parametrize("make", [fr.l1_regularizer, fr.l2_regularizer])
def test_a_multiple_whose_strength_is_infinite_is_refused(make):
    w = np.zeros(3)
    total = 1e10 * fr.add_n(fr.regularize({"w": w}, [("w", make(1e300))]))
    with pytest.raises(ValueError, match=r"a strength of 10000000000\.0 \* .* is more than float64 holds"):
        fr.value_and_gradients(total)
    with pytest.raises(ValueError, match="more than float64 holds"):
        fr.optim.GradientDescent(0.5).apply_gradients({"w": (np.ones(3), w)}, total)
    assert not w.any()
    assert fr.value_and_gradients(1e-10 * total)[0] == 0
