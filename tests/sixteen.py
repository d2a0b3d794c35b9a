"""What the tests of 16-bit arrays share: the dtypes, and arrays from and to the twin's bits."""

import numpy as np
import pytest
from kernel_calls import BFLOAT16
from twin import sixteen

KINDS = {"float16": np.dtype(np.float16), "bfloat16": BFLOAT16}
kinds = pytest.mark.parametrize("kind", KINDS)


def ml_bfloat16():
    """Return the bfloat16 that most libraries share, or skip the test."""
    return np.dtype(pytest.importorskip("ml_dtypes", reason="no ml_dtypes").bfloat16)


def halves(x, kind):
    """Return the nearest 16-bit array of an array, in its memory order."""
    return keeping_order(sixteen.narrow(x, kind), x).view(KINDS[kind])


def floats(x, kind, dtype=np.float32):
    """Return a 16-bit array as float32 or float64, in its memory order."""
    return keeping_order(sixteen.widen(x.view(np.uint16), kind, dtype), x)


def assert_same_bits(found, right):
    """Compare two 16-bit arrays, NaN as any other number."""
    assert found.shape == right.shape
    assert (found.view(np.uint16) == right.view(np.uint16)).all()


def copied(x):
    """Return a copy with the tag of its dtype, which `numpy.copy` may drop."""
    return x.copy(order="K").view(x.dtype)


def keeping_order(result, x):
    return np.asarray(result).copy(order="C" if x.flags.c_contiguous else "F")


def rounded(results, kind):
    """Return what a 16-bit call gives where a call of the widened arrays gives these: arrays are rounded, values are not."""
    with np.errstate(invalid="ignore"):
        return {name: floats(halves(x, kind), kind) if isinstance(x, np.ndarray) else x for name, x in results.items()}


def widened(results, kind):
    """Return the results of a 16-bit call as float32; whatever is an array must be of the 16-bit dtype."""
    assert {x.dtype for x in results.values() if isinstance(x, np.ndarray)} <= {KINDS[kind]}
    return {name: floats(x, kind) if isinstance(x, np.ndarray) else x for name, x in results.items()}
