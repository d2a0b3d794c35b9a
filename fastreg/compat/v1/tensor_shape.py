# ruff: noqa: D102 - the methods are TensorFlow's
"""Shapes of which some sizes, or even their number, are unknown until a session runs.

Knows integers alone: not the tensors that have the shapes, nor how operations change them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


class Dimension(int):
    """A known size: an int with a `value`, as TensorFlow 1's."""

    @property
    def value(self) -> int:
        return int(self)

    def __repr__(self) -> str:
        return f"Dimension({int(self)})"

    def __str__(self) -> str:
        return str(int(self))


class _UnknownDimension:
    value = None

    def __repr__(self) -> str:
        return "Dimension(None)"

    def __str__(self) -> str:
        return "?"


UNKNOWN = _UnknownDimension()


def as_whole(value: Any, name: str) -> int:
    """Return a number as an int."""
    try:
        return int(value)
    except OverflowError:
        raise ValueError(f"{name} must be a whole number, got {value!r}") from None


class TensorShape:
    """Sizes of which some, or even their number, may be unknown until a session runs."""

    def __init__(self, dims: Any) -> None:
        if isinstance(dims, TensorShape):
            dims = dims.raw
        elif dims is not None:
            dims = tuple(dims) if hasattr(dims, "__iter__") else (dims,)
            dims = tuple(None if d is None or d is UNKNOWN else as_whole(d, "a size of a shape") for d in dims)
        self.raw: tuple[int | None, ...] | None = dims

    @property
    def ndims(self) -> int | None:
        return None if self.raw is None else len(self.raw)

    rank = ndims
    dims = property(lambda self: None if self.raw is None else list(self))

    def as_list(self) -> list[int | None]:
        if self.raw is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self.raw)

    def is_fully_defined(self) -> bool:
        return self.raw is not None and None not in self.raw

    def num_elements(self) -> int | None:
        return int(np.prod(self.raw)) if self.is_fully_defined() else None  # type: ignore[arg-type]

    def is_compatible_with(self, other: Any) -> bool:
        mine, its = self.raw, TensorShape(other).raw
        if mine is None or its is None:
            return True
        return len(mine) == len(its) and all(None in pair or pair[0] == pair[1] for pair in zip(mine, its, strict=True))

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {TensorShape(other)} are incompatible")

    def __iter__(self) -> Iterator[Any]:
        if self.raw is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter([UNKNOWN if d is None else Dimension(d) for d in self.raw])

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return TensorShape(None if self.raw is None else self.raw[key])
        return UNKNOWN if self.raw is None else list(self)[key]

    def __len__(self) -> int:
        if self.raw is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self.raw)

    def __bool__(self) -> bool:
        return self.raw is not None

    def __eq__(self, other: object) -> bool:
        try:
            return self.raw == TensorShape(other).raw
        except TypeError:
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __str__(self) -> str:
        if self.raw is None:
            return "<unknown>"
        return str(self.raw).replace("None", "?")

    def __repr__(self) -> str:
        return "TensorShape(None)" if self.raw is None else f"TensorShape({list(self)})"
