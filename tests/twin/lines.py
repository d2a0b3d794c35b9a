"""What needs a whole line at once in plain NumPy: total variation, maxima, and projections by a threshold.

A line is formed in float64, member by member in memory order, and rounded once. Sums have their fixed order: blocks of 128 terms,
and a tree of neighbours over the blocks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.sums import fold_neighbours

Array = NDArray[Any]
BLOCK, CHUNK, WIDTH = 128, 4096, 16


def sum_of(terms: Array) -> float:
    """Return the sum of a vector."""
    if terms.size == 0:
        return 0.0
    blocks = np.zeros(-(-terms.size // BLOCK) * BLOCK)
    blocks[: terms.size] = terms
    return float(fold_neighbours(np.cumsum(blocks.reshape(-1, BLOCK), axis=1)[:, -1]))


def in_lines(w: Array, axes: tuple[int, ...]) -> Array:
    """Return the lines in memory order, as the rows of a new array in float64."""
    if not w.flags.c_contiguous:
        w, axes = w.T, tuple(w.ndim - 1 - axis for axis in axes)
    kept = [axis for axis in range(w.ndim) if axis not in axes]
    n = int(np.prod([w.shape[axis] for axis in axes]))
    return w.transpose([*kept, *sorted(axes)]).reshape(w.size // n if n else 0, n).astype(np.float64)


def from_lines(lines: Array, w: Array, axes: tuple[int, ...]) -> Array:
    """Put lines back to where `in_lines` took them from, rounded to the dtype of w."""
    if not w.flags.c_contiguous:
        turned: Array = from_lines(lines, w.T, tuple(w.ndim - 1 - axis for axis in axes)).T
        return turned
    kept = [axis for axis in range(w.ndim) if axis not in axes]
    order = [*kept, *sorted(axes)]
    out = np.empty_like(w)
    with np.errstate(all="ignore"):
        out.transpose(order)[...] = lines.reshape([w.shape[axis] for axis in order]).astype(w.dtype)
    return out


def by_line(w: Array, axes: tuple[int, ...], change: Callable[[Array], Array]) -> Array:
    """Return w with each line changed."""
    lines = in_lines(w, axes)
    with np.errstate(all="ignore"):
        for i, line in enumerate(lines):
            lines[i] = change(line)
    return from_lines(lines, w, axes)


def with_sign(magnitude: Array, x: Array) -> Array:
    """Return the magnitude with the sign of x, and 0.0 where x is 0."""
    return np.where(x == 0, 0.0, np.copysign(magnitude, x))


# ------------------------------------------------------------------------------------------------------------- projections
def excess(x: Array, radius: float) -> float:
    """Return t with sum(max(x - t, 0)) = radius, for x of at most 0 with a maximum of 0, by Michelot's method."""
    t, kept = -radius, 0
    while radius > 0:
        x = x[x > t]
        if x.size in (kept, 0):
            break
        kept = x.size
        t = (sum_of(x) - radius) / kept
    return float(t) if radius > 0 else 0.0


def threshold(x: Array, radius: float) -> Array:
    """Return max(x - t, 0) with the sum of `radius`; infinite maxima share it."""
    top = x.max()
    if np.isinf(top):
        return np.where(x == top, radius / np.sum(x == top), 0.0)
    shifted = x - top
    return np.maximum(shifted - excess(shifted, radius), 0.0)


def onto_simplex(x: Array, radius: float, tolerance: float) -> Array:
    """Return the nearest point of the simplex."""
    if np.isnan(x).any():
        return np.full_like(x, np.nan)
    if np.isfinite(x).all() and x.min() >= 0 and abs(sum_of(x) - radius) <= tolerance * radius:
        return x
    return threshold(x, radius)


def onto_l1_ball(x: Array, radius: float, tolerance: float) -> Array:
    """Return the nearest point of the ball."""
    if np.isnan(x).any():
        return np.full_like(x, np.nan)
    if sum_of(np.abs(x)) <= radius + tolerance * radius:
        return x
    return with_sign(threshold(np.abs(x), radius), x)


def project(onto: Callable[..., Array], w: Array, axes: tuple[int, ...], radius: float) -> Array:
    """Project each line; a sum is the radius where it is so within 4 units in the last place of the dtype."""
    tolerance = 4 * float(np.finfo(w.dtype).eps)
    return by_line(w, axes, partial(onto, radius=radius, tolerance=tolerance))


# --------------------------------------------------------------------------------------------------------------- penalties
@dataclass(frozen=True)
class Lines(ABC):
    """A penalty that is the sum over lines of scale * phi(line); a scale of 0 leaves it out."""

    scale: float
    axis: int | tuple[int, ...] | None

    @abstractmethod
    def phi(self, x: Array) -> float:
        """Return what a line costs at a scale of 1."""

    @abstractmethod
    def slope(self, x: Array) -> Array:
        """Return the gradient of scale * phi."""

    @abstractmethod
    def nearest(self, x: Array, strength: float) -> Array:
        """Return argmin over z of strength * phi(z) + |z - x|**2 / 2."""

    def axes(self, w: Array) -> tuple[int, ...]:
        """Return the axes of a line's members."""
        if self.axis is None:
            return tuple(range(w.ndim))
        given: Sequence[int] = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return tuple(axis % w.ndim for axis in given)

    def value64(self, w: Array) -> np.float64:
        """Return the value in float64: the lines of a chunk, then the chunks."""
        lines = in_lines(w, self.axes(w))
        per_chunk = self.lines_per_chunk(w)
        with np.errstate(all="ignore"):
            values = np.array([self.phi(line) for line in lines])
            sums = [sum_of(values[start : start + per_chunk]) for start in range(0, len(lines), per_chunk)]
            return np.float64(self.scale * sum_of(np.array(sums)) if self.scale else 0.0)

    def lines_per_chunk(self, w: Array) -> int:
        """Return how many lines leave one sum; it depends on the shape and on whether lines are neighbours in memory."""
        axes = self.axes(w)
        shape = [w.shape[axis] for axis in range(w.ndim)]
        order = range(w.ndim) if w.flags.c_contiguous else reversed(range(w.ndim))
        last = [axis for axis in order if shape[axis] > 1][-1:]
        n = int(np.prod([shape[axis] for axis in axes]))
        n_lines = w.size // max(n, 1)
        width = 1 if not last or last[0] in axes else max(min(WIDTH, n_lines // 16), 1)
        return max(width, CHUNK // max(n, 1))

    def value(self, w: Array) -> np.floating[Any]:
        """Return the value, rounded once to the dtype of w."""
        with np.errstate(all="ignore"):
            rounded: np.floating[Any] = w.dtype.type(self.value64(w))
        return rounded

    def gradient(self, w: Array, base: Array | None = None) -> Array:
        """Return base + the gradient, which is rounded first."""
        if self.scale == 0:
            return np.zeros_like(w) if base is None else base.copy(order="K")
        slope = by_line(w, self.axes(w), self.slope)
        with np.errstate(all="ignore"):
            return slope if base is None else base + slope

    def prox(self, w: Array, step: float) -> Array:
        """Return the prox of each line."""
        if self.scale == 0:
            return np.where(w == 0, w.dtype.type(0), w)
        strength = min(step * self.scale, float(np.finfo(np.float64).max))
        return by_line(w, self.axes(w), partial(self.nearest, strength=strength))


@dataclass(frozen=True)
class Linf(Lines):
    """scale * the sum over lines of max(|w|)."""

    axis: int | tuple[int, ...] | None = None

    def phi(self, x: Array) -> float:
        """Return max(|x|)."""
        return float(np.max(np.abs(x), initial=0.0))

    def slope(self, x: Array) -> Array:
        """Return a gradient that the members of the largest magnitude share."""
        if np.isnan(x).any():
            return np.full_like(x, np.nan)
        largest = np.abs(x) == self.phi(x)
        return np.where(largest, with_sign(self.scale / np.sum(largest), x), 0.0)

    def nearest(self, x: Array, strength: float) -> Array:
        """Return x, its magnitudes cut down to one number."""
        top = self.phi(x)
        if np.isnan(top):
            return np.full_like(x, np.nan)
        if np.isinf(top):
            return x
        inside = sum_of(np.abs(x)) <= strength
        t = 0.0 if inside else max(top + excess(np.abs(x) - top, strength), 0.0)
        return with_sign(np.minimum(np.abs(x), t), x)


def differences(x: Array) -> Array:
    """Return x[i+1] - x[i]; 0 between equal infinities."""
    return np.where(x[1:] == x[:-1], 0.0, x[1:] - x[:-1])


Knot = tuple[int, float]


class TautString:
    """The shortest way through the tube around the sums of a line, pulled tight from left to right."""

    def __init__(self, x: Array, radius: float, start: float, end: float) -> None:
        self.x, self.radius = x, radius
        self.high, self.low = [0.0], [0.0]
        for member in x.tolist():
            high = self.high[-1] + member
            added = high - self.high[-1]
            self.low.append(self.low[-1] + ((self.high[-1] - (high - added)) + (member - added)))
            self.high.append(high)
        self.apex: Knot = (0, start)
        self.chains: dict[float, list[Knot]] = {1.0: [], -1.0: []}
        self.out = np.empty_like(x)
        for i in range(1, x.size):
            self.extend(1.0, (i, 1.0))
            self.extend(-1.0, (i, -1.0))
        self.extend(1.0, (x.size, end))
        for knot in self.chains[1.0]:
            self.reach(knot)

    def rise(self, a: Knot, b: Knot) -> float:
        """Return the rise for each member."""
        low = (self.low[b[0]] - self.low[a[0]]) + self.radius * (b[1] - a[1])
        return ((self.high[b[0]] - self.high[a[0]]) + low) / (b[0] - a[0])

    def reach(self, knot: Knot) -> None:
        """Level the members up to a knot, which is the apex from now on."""
        start, stop = self.apex[0], knot[0]
        members = self.x[start:stop]
        rise = sum_of(members - members[0]) + self.radius * (knot[1] - self.apex[1])
        self.out[start:stop] = members[0] + rise / (stop - start)
        self.apex = knot

    def extend(self, side: float, new: Knot) -> None:
        """Append a knot to the chain of a side."""
        chain, other = self.chains[side], self.chains[-side]
        while chain:
            before = chain[-2] if len(chain) > 1 else self.apex
            if side * self.rise(chain[-1], new) > side * self.rise(before, chain[-1]):
                break
            chain.pop()
        if not chain:
            while other and side * self.rise(self.apex, new) < side * self.rise(self.apex, other[0]):
                self.reach(other.pop(0))
        chain.append(new)


@dataclass(frozen=True)
class TotalVariation(Lines):
    """scale * the sum over lines of |w[i+1] - w[i]|."""

    axis: int | tuple[int, ...] | None = -1

    def phi(self, x: Array) -> float:
        """Return sum(|x[i+1] - x[i]|)."""
        return sum_of(np.abs(differences(x)))

    def slope(self, x: Array) -> Array:
        """Return scale * (the sign of the step before a member - the sign of the one behind it)."""
        signs = np.concatenate([[0.0], np.sign(differences(x)), [0.0]])
        return self.scale * (signs[:-1] - signs[1:])

    def nearest(self, x: Array, strength: float) -> Array:
        """Return the rises of the taut string of each run of finite members; infinite ones stay, and pull at its ends."""
        if np.isnan(x).any():
            return np.full_like(x, np.nan)
        if strength == 0:
            return x
        out, borders = x.copy(), [-1, *np.nonzero(np.isinf(x))[0], x.size]
        for before, after in pairwise(borders):
            if after - before > 1:
                start = 0.0 if before < 0 else -float(np.sign(x[before]))
                end = 0.0 if after == x.size else float(np.sign(x[after]))
                out[before + 1 : after] = TautString(x[before + 1 : after], strength, start, end).out
        return out


LINES = {"total_variation": TotalVariation, "linf": Linf}
