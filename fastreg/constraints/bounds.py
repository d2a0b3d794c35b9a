"""Constraints of single elements: between two bounds. An update rule applies them in the pass of its step."""

from __future__ import annotations

import math
from typing import Any

from fastreg.constraints.base import Array, Constraint, number
from fastreg.kernels import clamp


class Bounds(Constraint):
    """Base of the constraints of single elements: what is below or above the bounds becomes the bound.

    The bounds are rounded to the weights' dtype. An infinite element becomes the bound on its side; NaN stays NaN, and -0.0 stays
    where 0 may be.
    """

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value."""
        raise NotImplementedError

    def acts_within_rows(self, ndim: int) -> bool:
        """Tell that each element is constrained by itself."""
        return True

    def _put(self, w: Array, out: Array) -> None:
        clamp(w, *self.bounds, out)


class NonNeg(Bounds):
    """Weights of at least 0: negative ones become 0.

    References
    ----------
    Keras' NonNeg.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.constraints.non_neg()(np.array([-1.0, 0.5]))
    array([0. , 0.5])
    """

    name = "non_neg"

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value."""
        return 0.0, math.inf


class Box(Bounds):
    """Weights from `lower` to `upper`.

    Parameters
    ----------
    lower, upper : float
        `lower` must not be above `upper`; infinity leaves its side open.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.constraints.box(-0.5, 2.0)(np.array([-1.0, 0.5, 3.0]))
    array([-0.5,  0.5,  2. ])
    """

    name = "box"
    arguments = "lower", "upper"
    lower = number(finite=False)
    upper = number(finite=False)

    def __init__(self, lower: float, upper: float) -> None:
        self.lower = lower
        self.upper = upper

    def _agree(self, **arguments: Any) -> None:
        lower, upper = arguments.get("lower", -math.inf), arguments.get("upper", math.inf)
        if lower == math.inf:
            raise ValueError("lower must be below infinity, got inf")
        if upper == -math.inf:
            raise ValueError("upper must be above minus infinity, got -inf")
        if lower > upper:
            raise ValueError(f"lower must not be above upper, got {lower!r} and {upper!r}")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value."""
        return self.lower, self.upper


class LInfBall(Bounds):
    """Weights from -`radius` to `radius`: the projection onto the ball of the largest magnitude.

    Parameters
    ----------
    radius : float, optional
        At least 0.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.constraints.linf_ball(0.75)(np.array([-1.0, 0.5]))
    array([-0.75,  0.5 ])
    """

    name = "linf_ball"
    arguments = ("radius",)
    radius = number(least=0)

    def __init__(self, radius: float = 1.0) -> None:
        self.radius = radius

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value."""
        return -self.radius, self.radius
