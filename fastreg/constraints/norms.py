"""Constraints of the L2 norms of vectors: each vector is multiplied by a factor of its norm.

The norms and the factors are those of the groups of a penalty: the same loops, in the same order. A weight is multiplied by the
factor in float64 and rounded once.

A norm is right where it differs from the desired one by rounding alone, 4 units in the last place of the dtype. So a second call
changes no bit.
"""

from __future__ import annotations

import math
from typing import Any

from fastreg.axes import Axis
from fastreg.constraints.base import AlongAxes, Array, number
from fastreg.kernels import rescale


class NormConstraint(AlongAxes):
    """Base of the constraints of norms."""

    def limits(self) -> tuple[float, float, float]:
        """Return the least norm, the largest one, and the rate: how much of the way to them is gone at once."""
        raise NotImplementedError

    def rescaling(self, ndim: int) -> tuple[float, float, float, tuple[int, ...]]:
        """Return the limits and the axes of a vector in an array of so many dimensions, as the compiled loops take them."""
        return *self.limits(), self.axes(ndim)

    def _put(self, w: Array, out: Array) -> None:
        rescale(w, self.rescaling(w.ndim), out)


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
    .. [1] N. Srebro and A. Shraibman, "Rank, trace-norm and max-norm", 2005; Keras' MaxNorm.

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

    def limits(self) -> tuple[float, float, float]:
        """Return the least norm, the largest one, and the rate."""
        return 0.0, self.max_value, 1.0


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

    def limits(self) -> tuple[float, float, float]:
        """Return the least norm, the largest one, and the rate."""
        return 1.0, 1.0, 1.0


class MinMaxNorm(NormConstraint):
    """Vectors with a norm from `min_value` to `max_value`, or on their way there.

    Parameters
    ----------
    min_value, max_value : float, optional
        At least 0; `min_value` must not be above `max_value`.
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
        low, high = arguments.get("min_value", 0.0), arguments.get("max_value", math.inf)
        if low > high:
            raise ValueError(f"min_value must not be above max_value, got {low!r} and {high!r}")

    def limits(self) -> tuple[float, float, float]:
        """Return the least norm, the largest one, and the rate."""
        return self.min_value, self.max_value, self.rate


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

    def limits(self) -> tuple[float, float, float]:
        """Return the least norm, the largest one, and the rate."""
        return 0.0, self.radius, 1.0
