"""The argument `axis` of what works on groups, lines and vectors of weights: along which axes the members of one lie."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Axis: TypeAlias = int | Sequence[int] | None
Axes: TypeAlias = int | tuple[int, ...] | None

MOST_AXES = 64
"""What an array of NumPy can have."""


def check_axis(axis: Any, name: str = "axis") -> Axes:
    """Return an axis or several, as an int or a tuple, or None for all axes."""
    if axis is None:
        return None
    several = isinstance(axis, (tuple, list))
    try:
        found = tuple(_index(one) for one in (axis if several else (axis,)))
    except TypeError:
        found = ()
    if not found:
        raise TypeError(f"{name} must be an axis, a tuple of at least one axis, or None for all, got {axis!r}")
    for one in found:
        _check_bounds(one, name)
    if len(set(found)) < len(found):
        raise ValueError(f"{name} must not name an axis twice, got {axis!r}")
    return found if len(found) > 1 else found[0]


def check_one_axis(axis: Any, name: str = "axis") -> int:
    """Return one axis as an int."""
    try:
        found = _index(axis)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {axis!r}") from None
    return _check_bounds(found, name)


def _check_bounds(axis: int, name: str) -> int:
    if not -MOST_AXES <= axis < MOST_AXES:
        raise ValueError(f"{name} must be from -{MOST_AXES} to {MOST_AXES - 1}, got {axis}")
    return axis


def as_tuple(axes: Axes) -> tuple[int, ...] | None:
    """Return the axes as a tuple, or None for all."""
    return (axes,) if isinstance(axes, int) else axes


def _index(axis: Any) -> int:
    if isinstance(axis, (bool, np.bool_)):
        raise TypeError
    return operator.index(axis)
