"""What needs a whole line at once in plain NumPy: total variation, maxima, and projections by a threshold.

A line is formed in float64, member by member in memory order, and rounded once. Sums have their fixed order: blocks of 128 terms,
and a tree of neighbours over the blocks.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.sums import fold_neighbours

Array = NDArray[Any]
BLOCK = 128


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
