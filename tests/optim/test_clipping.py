"""Clipping by the norm of gradients whose squares overflow or vanish, compared with fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from optimizers import refused
from twin.exact import exact_sums
from twin.inputs import weights

import fastreg as fr

TINY = Fraction(2) ** -1074


def assert_clipped(arrays, given, clip_norm):
    """Compare what a step of gradient descent with a rate of 1 took off with fractions."""
    squares = sum(exact_sums(g)[1] for g in given.values())
    digits = 2400  # enough for the root of the square of the smallest number
    norm = Fraction(math.isqrt(int(squares * 4**digits)), 2**digits)
    factor = min(Fraction(clip_norm) / norm, Fraction(1))
    for key, w in arrays.items():
        for found, g in zip(w.ravel().tolist(), given[key].ravel().tolist(), strict=True):
            exact = Fraction(g) * factor
            assert abs(Fraction(-found) - exact) <= abs(exact) / 2**50 + (abs(Fraction(g)) + 1) * TINY


@pytest.mark.parametrize("clip_norm", [1e-3, 1.0, 1e150, 1e307])
@pytest.mark.parametrize("exponent", [-1000, 400, 505, 515, 600, 900, 1010])
@pytest.mark.parametrize("size", [1, 5000])
def test_clipping_of_gradients_whose_squares_overflow(size, exponent, clip_norm):
    arrays = {"v": np.zeros(size), "w": np.zeros((9, 9)), "x": np.zeros(5, np.float32)}
    given = {
        "v": np.ldexp(weights((size,), np.float64, 1), exponent),
        "w": np.ldexp(weights((9, 9), np.float64, 2), exponent - 3),
        "x": weights((5,), np.float32, 3) if exponent > 0 else np.zeros(5, np.float32),
    }
    optimizer = fr.optim.GradientDescent(1.0, clip_norm=clip_norm, check_finite=True)
    if exponent - 149 > math.log2(clip_norm) + 15:
        with refused(optimizer, ValueError, "clip_norm is .* the factor between them is 0 in the dtype of 'x'", *arrays.values()):
            optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()})
        del arrays["x"], given["x"]
    optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()})
    arrays.pop("x", None)  # its factor, in float32, may have few digits
    assert_clipped(arrays, given, clip_norm)


@pytest.mark.parametrize("clip_norm", [5e-324, 1e-310, 1e-200, 1e-140])
@pytest.mark.parametrize("exponent", [-1074, -1050, -700, -600, -480])
def test_clipping_of_gradients_whose_squares_vanish(exponent, clip_norm):
    arrays, given = {"v": np.zeros(700)}, {"v": np.ldexp(weights((700,), np.float64, 1), exponent)}
    optimizer = fr.optim.GradientDescent(1.0, clip_norm=clip_norm)
    optimizer.apply_gradients({"v": (given["v"], arrays["v"])})
    assert_clipped(arrays, given, clip_norm)


def test_clipping_measures_penalties_and_rows_that_overflow():
    w, table = np.full(3, 2e200), np.zeros((5, 2))
    rows = (np.full((2, 2), 1e200), np.array([1, 3]))
    optimizer = fr.optim.GradientDescent(1.0, clip_norm=8.0, check_finite=True)
    optimizer.apply_gradients(
        {"w": (np.zeros(3), w), "table": (rows, table)}, fr.regularize({"w": w}, [("w", fr.l2_regularizer(1.0))])
    )
    assert table[1].tolist() == table[3].tolist() == pytest.approx([-2.0, -2.0], rel=1e-15)  # the norm is 4e200


@pytest.mark.parametrize("options", [{"check_finite": True}, {"check_finite": True, "clip_norm": 1.0}], ids=str)
def test_finite_gradients_are_not_called_infinite(options):
    w = np.zeros(2)
    fr.optim.GradientDescent(1e-300, **options).apply_gradients({"w": (np.array([3e300, -4e300]), w)})
    assert np.isfinite(w).all() and (w != 0).any()
    with refused(fr.optim.GradientDescent(1.0, **options), ValueError, "gradient of 'w' is not finite", w):
        fr.optim.GradientDescent(1.0, **options).apply_gradients({"w": (np.array([3e300, np.inf]), w)})


def test_a_step_that_clipping_would_freeze_is_refused():
    w = np.zeros(2, np.float32)
    optimizer = fr.optim.GradientDescent(1.0, clip_norm=1e-9)
    with refused(
        optimizer, ValueError, "clip_norm is 1e-09, so far below the norm .* in the dtype of 'w'; nothing was updated", w
    ):
        optimizer.apply_gradients({"w": (np.full(2, 2e38, np.float32), w)})
    wide = np.zeros(2)
    fr.optim.GradientDescent(1.0, clip_norm=1e-9).apply_gradients({"w": (np.full(2, 2e38), wide)})
    assert (wide < 0).all()
