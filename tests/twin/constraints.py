"""Constraints in plain NumPy, vector by vector, in the order of operations that fastreg states."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twin.groups import Layout
from twin.lines import onto_l1_ball, onto_simplex, project

Array = NDArray[Any]
Axes = int | tuple[int, ...] | None


class Constraint(Protocol):
    """What weights are put through after a step."""

    def __call__(self, w: Array) -> Array:
        """Return the constrained weights."""
        ...

    def by_row(self, ndim: int) -> bool:
        """Tell whether a row is constrained by itself."""
        ...


@dataclass(frozen=True)
class Between:
    """Elements between two bounds, which are rounded to the dtype of the weights."""

    lower: float
    upper: float

    def __call__(self, w: Array) -> Array:
        """Return the constrained weights."""
        low, high = w.dtype.type(self.lower), w.dtype.type(self.upper)
        return np.where(w < low, low, np.where(w > high, high, w))

    def by_row(self, ndim: int) -> bool:
        """Tell whether a row is constrained by itself."""
        return True


@dataclass(frozen=True)
class OfVectors:
    """Vectors along axes."""

    axis: Axes

    def axes(self, ndim: int) -> tuple[int, ...]:
        """Return the axes of a vector, from 0 on and rising."""
        given = range(ndim) if self.axis is None else (self.axis,) if isinstance(self.axis, int) else self.axis
        return tuple(sorted(one % ndim for one in given))

    def by_row(self, ndim: int) -> bool:
        """Tell whether a row is constrained by itself."""
        return 0 not in self.axes(ndim)


@dataclass(frozen=True)
class Rescaled(OfVectors):
    """Vectors that are multiplied so that they have another norm."""

    desired: Callable[[float], float]  # of the norm; the norm itself leaves the vector alone

    def __call__(self, w: Array) -> Array:
        """Return the constrained weights."""
        layout = Layout(w, self.axes(w.ndim))
        with np.errstate(all="ignore"):
            norms = layout.norms(w)
            factors = np.vectorize(self.factor, otypes=[float])(norms, 4 * float(np.finfo(w.dtype).eps))
            return np.asarray((layout.spread(factors, w) * w).astype(w.dtype))

    def factor(self, norm: float, tolerance: float) -> float:
        """Return what the members of a vector with this norm are multiplied by."""
        desired = self.desired(norm)
        factor = desired / norm if norm != 0 else inf
        return 1.0 if inf in (norm, factor) or abs(norm - desired) <= tolerance * desired else factor


def at_most(limit: float) -> Callable[[float], float]:
    """Return a norm's limit."""
    return lambda norm: norm if norm <= limit else limit


def toward(low: float, high: float, rate: float) -> Callable[[float], float]:
    """Return what a norm becomes that is on its way to an interval."""
    return lambda norm: norm if low <= norm <= high else rate * (low if norm < low else high) + (1 - rate) * norm


@dataclass(frozen=True)
class OfLines(OfVectors):
    """Projections that need a vector's elements in order."""

    onto: Callable[..., Array]
    radius: float

    def __call__(self, w: Array) -> Array:
        """Return the constrained weights."""
        return project(self.onto, w, self.axes(w.ndim), self.radius)


def simplex(radius: float, axis: Axes) -> OfLines:
    """Return the projection onto the simplex."""
    return OfLines(axis, onto_simplex, radius)


def l1_ball(radius: float, axis: Axes) -> OfLines:
    """Return the projection onto the L1 ball."""
    return OfLines(axis, onto_l1_ball, radius)
