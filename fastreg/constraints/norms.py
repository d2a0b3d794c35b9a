"""Constraints of the L2 norms of vectors: each vector is multiplied by a factor of its norm.

Norm and factor are float64. A weight is multiplied by the factor in float64 and rounded once. The squares of a vector are added
in a tree of neighbours, in the order of the array's indices, so the bits depend on the vector alone, not on its array.

A norm is right where it differs from the desired one by rounding alone, 4 units in the last place of the dtype. So a second call
changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.constraints.base import AlongAxes, Array, Axis, number

_LEAST_SQUARES = 2.0**-900  # below such a sum, squares of single elements may have vanished


def rescale(w: Array, axes: tuple[int, ...], desired_norm: Callable[[Array], Array], out: Array) -> None:
    """Give each vector along `axes` the desired norm, a function of its norm, and write it into `out`, which may be `w`."""
    if w.size:
        with np.errstate(all="ignore"):
            norms = _norms(w, axes)
            factors = _factors(norms, desired_norm(norms), 4 * float(np.finfo(w.dtype).eps))
            np.multiply(w, factors, out=out, dtype=np.float64, casting="same_kind")


def _factors(norms: Array, desired: Array, tolerance: float) -> Array:
    """Return the factors that give vectors the desired norms.

    The factor is exactly 1 where the norm is right, and also where no finite factor exists: for a vector that is 0, or whose norm
    is infinite. NaN stays NaN.
    """
    right = np.abs(norms - desired) <= tolerance * desired
    factors = np.where(right, 1.0, desired / norms)
    return np.where(np.isinf(norms) | np.isinf(factors) | (norms == 0), 1.0, factors)


def _norms(w: Array, axes: tuple[int, ...]) -> Array:
    """Return the norms along these axes in float64, with axes of length 1 in their places."""
    x = w.astype(np.float64)
    squares = _sums(np.square(x), axes)
    rescued = (squares == np.inf) | (squares < _LEAST_SQUARES)
    if not rescued.any():
        return np.sqrt(squares)
    # Squares of float64 weights may overflow or vanish. Scaled by a power of two, a vector keeps its digits.
    largest = np.max(np.abs(x), axis=axes, keepdims=True)
    exponents = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
    scaled = np.ldexp(np.sqrt(_sums(np.square(np.ldexp(x, -exponents)), axes)), exponents)
    return np.where(rescued, scaled, np.sqrt(squares))


def _sums(x: Array, axes: tuple[int, ...]) -> Array:
    kept = [k for k in range(x.ndim) if k not in axes]
    shape = tuple(1 if k in axes else n for k, n in enumerate(x.shape))
    sums = x.transpose(*kept, *axes).reshape(-1, np.prod([x.shape[k] for k in axes], dtype=int))
    while sums.shape[1] > 1:
        pairs = sums[:, 0:-1:2] + sums[:, 1::2]
        sums = np.concatenate([pairs, sums[:, -1:]], axis=1) if sums.shape[1] % 2 else pairs
    return sums.reshape(shape)


class NormConstraint(AlongAxes):
    """Base of the constraints of norms."""

    def desired_norm(self, norms: Array) -> Array:
        """Return what each norm is to become; a norm that satisfies the constraint stays as it is, and NaN stays NaN."""
        raise NotImplementedError

    def _put(self, w: Array, out: Array) -> None:
        rescale(w, self.axes(w.ndim), self.desired_norm, out)


class MaxNorm(NormConstraint):
    """Vectors with a norm of at most `max_value`: longer ones are shortened to it.

    A vector with a norm of at most `max_value` keeps its bits. Keras' max_norm adds an epsilon to the norm and so shrinks it.

    Parameters
    ----------
    max_value : float, optional
        At least 0.
    axis : int or tuple of int, optional
        The axes of one vector; 0 by default, as in Keras: the weights of one unit of a dense layer of shape (in, out). None for
        the whole array. For convolutions see docs/axes.md.

    Notes
    -----
    A vector with an infinite element has no direction and is left as it is.

    References
    ----------
    N. Srebro and A. Shraibman, "Rank, trace-norm and max-norm", 2005; Keras' MaxNorm.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> w = np.array([[3.0, 0.5], [4.0, 0.5]])
    >>> fr.constraints.max_norm(2.5, axis=0)(w)
    array([[1.5, 0.5],
           [2. , 0.5]])
    """

    name = "max_norm"
    arguments = "max_value", "axis"
    max_value = number(least=0)

    def __init__(self, max_value: float = 2.0, axis: Axis = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def desired_norm(self, norms: Array) -> Array:
        """Return what each norm is to become."""
        shortened: Array = np.minimum(norms, self.max_value)
        return shortened


class UnitNorm(NormConstraint):
    """Vectors with a norm of 1. A vector that is 0 has no direction and stays 0, as in Keras.

    Parameters
    ----------
    axis : int or tuple of int, optional
        As for `max_norm`.

    Notes
    -----
    A vector with an infinite element is left as it is.

    References
    ----------
    Keras' UnitNorm.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.constraints.unit_norm(axis=1)(np.array([[0.5, 0.0], [0.0, 0.0]]))
    array([[1., 0.],
           [0., 0.]])
    """

    name = "unit_norm"
    arguments = ("axis",)

    def __init__(self, axis: Axis = 0) -> None:
        self.axis = axis

    def desired_norm(self, norms: Array) -> Array:
        """Return what each norm is to become."""
        return np.ones_like(norms)


class MinMaxNorm(NormConstraint):
    """Vectors with a norm from `min_value` to `max_value`, or on their way there.

    Parameters
    ----------
    min_value, max_value : float, optional
        From 0 on; `min_value` must not be above `max_value`.
    rate : float, optional
        From 0 to 1: how much of the way is gone at once. A norm n outside becomes rate*limit + (1 - rate)*n.
    axis : int or tuple of int, optional
        As for `max_norm`.

    Notes
    -----
    A vector that is 0 has no direction and stays 0, and one with an infinite element is left as it is.

    References
    ----------
    Keras' MinMaxNorm.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.constraints.min_max_norm(1.0, 2.0, axis=1)(np.array([[0.0, 4.0], [0.5, 0.0], [0.0, 1.5]]))
    array([[0. , 2. ],
           [1. , 0. ],
           [0. , 1.5]])
    """

    name = "min_max_norm"
    arguments = "min_value", "max_value", "rate", "axis"
    min_value = number(least=0)
    max_value = number(least=0)
    rate = number(least=0, most=1)

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def _agree(self, **arguments: Any) -> None:
        low, high = arguments.get("min_value", 0.0), arguments.get("max_value", np.inf)
        if low > high:
            raise ValueError(f"min_value must not be above max_value, got {low!r} and {high!r}")

    def desired_norm(self, norms: Array) -> Array:
        """Return what each norm is to become."""
        limits = np.clip(norms, self.min_value, self.max_value)
        return np.where(norms == limits, norms, self.rate * limits + (1 - self.rate) * norms)


class L2Ball(NormConstraint):
    """The projection onto the ball of L2 norm `radius`: a longer vector is shortened to it.

    The same map as `max_norm`, with the arguments of the other projections.

    Parameters
    ----------
    radius : float, optional
        At least 0.
    axis : int or tuple of int, optional
        The axes of one vector; None, the default, for the whole array.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.constraints.l2_ball(2.5)(np.array([3.0, 4.0]))
    array([1.5, 2. ])
    """

    name = "l2_ball"
    arguments = "radius", "axis"
    radius = number(least=0)

    def __init__(self, radius: float = 1.0, axis: Axis = None) -> None:
        self.radius = radius
        self.axis = axis

    def desired_norm(self, norms: Array) -> Array:
        """Return what each norm is to become."""
        shortened: Array = np.minimum(norms, self.radius)
        return shortened
