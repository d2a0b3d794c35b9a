"""Sums without any rounding, as fractions."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.penalties import Elastic

Array = NDArray[Any]


def exact_sums(w: Array) -> tuple[Fraction, Fraction]:
    """Return (sum(|w|), sum(w**2))."""
    mantissa, exponent = np.frexp(np.abs(w.astype(np.float64)).ravel())
    mantissa = np.ldexp(mantissa, 53).astype(np.int64)
    absolute = square = Fraction(0)
    for e in np.unique(exponent):
        integers = mantissa[exponent == e].tolist()
        unit = Fraction(2) ** (int(e) - 53)
        absolute += sum(integers) * unit
        square += sum(i * i for i in integers) * unit**2
    return absolute, square


def exact_value(penalty: Elastic, w: Array) -> Fraction:
    """Return the penalty's exact value."""
    absolute, square = exact_sums(w)
    return Fraction(penalty.l1) * absolute + Fraction(penalty.l2) / 2 * square


def ulps(value: np.floating[Any], exact: Fraction) -> float:
    """Return how far a finite value is from the exact one, in units in the last place of the exact one in its dtype."""
    kind = type(value)
    return float(abs(Fraction(float(value)) - exact) / Fraction(float(np.spacing(kind(float(exact))))))
