"""The natural logarithm from + - * / and integers alone, in the kernels' order of operations."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ROOT = np.uint64(0x3FE6A09E667F3BCD)  # the bits of sqrt(1/2)
MANTISSA = np.uint64((1 << 52) - 1)
LOG2 = 0.6931471805598903  # with 42 bits, so that its multiples by an exponent are exact
LOG2_REST = 5.497923018708371e-14


def log_of_sum(x: Array, rest: Array) -> Array:
    """Return log(x + rest) of normal numbers x above 0, where rest is below the last bit of x."""
    shifted = x.view(np.uint64) + (np.float64(1).view(np.uint64) - ROOT)
    k = (shifted >> np.uint64(52)).astype(np.float64) - 1023.0
    f = ((shifted & MANTISSA) + ROOT).view(np.float64) - 1.0
    s, half_square = f / (2.0 + f), 0.5 * f * f
    z = s * s
    series = np.zeros_like(x)
    for divisor in range(21, 1, -2):
        series = 2.0 / divisor + z * series
    series = z * series
    return np.asarray(k * LOG2 + (f - (half_square - (s * (half_square + series) + (rest / x + k * LOG2_REST)))))


def log_one_plus_ratio(m: Array, d: float) -> Array:
    """Return log(1 + m/d), also where m/d overflows."""
    m = np.asarray(m, np.float64)
    ratio = m / d
    x = 1.0 + ratio
    above = x - 1.0
    rest = (1.0 - (x - above)) + (ratio - above)
    far = log_of_sum(m, np.zeros_like(m)) - log_of_sum(np.full_like(m, d), np.zeros_like(m))
    return np.where(m < np.inf, np.where(ratio == np.inf, far, log_of_sum(x, rest)), m)
