# ruff: noqa: D102 - the methods are TensorFlow's
"""TensorFlow's dtypes over NumPy's.

Knows NumPy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class DType:
    """A TensorFlow dtype over a NumPy one; `ref` marks the dtype of a variable."""

    def __init__(self, dtype: np.dtype[Any], ref: bool = False) -> None:
        self.dtype, self._ref = dtype, ref

    @property
    def name(self) -> str:
        plain = "string" if self.dtype == object else self.dtype.name
        return plain + "_ref" if self._ref else plain

    @property
    def as_numpy_dtype(self) -> type:
        return self.dtype.type

    @property
    def base_dtype(self) -> DType:
        return as_dtype(self.dtype)

    size = property(lambda self: self.dtype.itemsize)
    is_floating = property(lambda self: self.dtype.kind == "f")
    is_integer = property(lambda self: self.dtype.kind in "iu")
    is_bool = property(lambda self: self.dtype.kind == "b")

    def is_compatible_with(self, other: Any) -> bool:
        return self.dtype == as_dtype(other).dtype

    def __eq__(self, other: object) -> bool:
        try:
            return self.name == as_dtype(other).name
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return f"<dtype: {self.name!r}>"

    def __repr__(self) -> str:
        return "tf." + self.name


_DTYPES = {
    np.dtype(t): DType(np.dtype(t))
    for t in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16", "O")
}


_OTHER_NAMES: dict[Any, str] = {"float": "f4", float: "f4", "half": "f2", "string": "O"}


def as_dtype(dtype: Any) -> DType:
    """Return the TensorFlow dtype of a NumPy one, of a name or of itself."""
    if isinstance(dtype, DType):
        return dtype
    try:
        return _DTYPES[np.dtype(_OTHER_NAMES.get(dtype, dtype) if isinstance(dtype, (str, type)) else dtype)]
    except (TypeError, KeyError):
        raise TypeError(f"Cannot convert value {dtype!r} to a TensorFlow DType.") from None
