"""What flags, whole numbers and names are checked for, on every floor. Arrays are checked in `_arrays.pyx`."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

MOST_WHOLE = 2**63 - 1
"""What the compiled code can count."""


def check_flag(value: object, name: str) -> bool:
    """Return True or False."""
    if value is True or value is False:
        return value
    if not isinstance(value, np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_whole(value: object, name: str, least: int = 0) -> int:
    """Return a whole number as an int."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r} of type {type(value).__name__}")
    found = int(value)
    if found < least:
        raise ValueError(f"{name} must be at least {least}, got {found}")
    if found > MOST_WHOLE:
        raise ValueError(f"{name} must be below 2**63, got {found}")
    return found


def check_seed(seed: object, name: str = "seed") -> int | None:
    """Return the seed of a generator, or None for one from the system."""
    return None if seed is None else check_whole(seed, name)


def check_name(name: object, what: str = "name") -> str:
    """Return a name."""
    if not isinstance(name, str) or not name:
        raise TypeError(f"{what} must be a non-empty string, got {name!r}")
    return name


def is_masked(x: object) -> bool:
    """Tell whether something is a masked array. NumPy's module of them is not imported for that: without it there are none."""
    return isinstance(x, getattr(sys.modules.get("numpy.ma"), "MaskedArray", ()))


def is_listed(x: object) -> bool:
    """Tell whether something can be read item by item, and is neither a text nor a mapping."""
    if isinstance(x, (list, tuple)):
        return True
    return isinstance(x, Iterable) and not isinstance(x, (str, bytes, Mapping)) and not (isinstance(x, np.ndarray) and not x.ndim)


def check_dtype(dtype: Any, name: str = "dtype") -> np.dtype[Any]:
    """Return a dtype of numbers."""
    try:
        found: np.dtype[Any] | None = np.dtype(dtype)
    except (TypeError, ValueError):
        found = None
    if found is None or found.kind in "OSUMmT" or found.type is np.void:
        raise TypeError(f"{name} must be a dtype of numbers, got {dtype!r}")
    return found
