"""A variable that is kept in parts and used as one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastreg.operators import Operators
from fastreg.partitions import sliced_axis
from fastreg.terms import as_value


class PartitionedVariable(Operators):
    """A variable that is kept in parts, each a :class:`Variable` with a loss of its own.

    It is calculated with as the whole array, and ``w -= step`` writes to the parts. Iterating and ``len`` are over the parts.
    ``==`` compares objects.

    Attributes
    ----------
    name : str
        The name that ``get_variable`` was given, with its scope; the parts are named ``<name>/part_0:0`` and so on.
    parts : list of Variable
        The parts, in order along `axis`; iterating over the variable yields them too.
    partitions : list of int
        How many parts each axis is cut into.
    axis : int
        The axis that is cut.
    """

    def __init__(self, name: str, shape: tuple[int, ...], parts: list[Any], partitions: list[int]) -> None:
        self.name, self._shape, self.parts, self.partitions = name, shape, parts, partitions
        self.axis = sliced_axis(partitions)[0]

    @property
    def shape(self) -> Any:
        """The shape of the whole."""
        return self._shape

    @property
    def dtype(self) -> Any:
        """The parts' dtype."""
        return self.parts[0].dtype

    @property
    def value(self) -> Any:
        """The whole, as a new array; a new value is written into the parts."""
        return np.concatenate([part.array for part in self.parts], axis=self.axis)

    @value.setter
    def value(self, value: Any) -> None:
        value = as_value(value, self._shape, self.dtype, self.name)
        stops = np.cumsum([part.shape[self.axis] for part in self.parts])[:-1]
        for part, piece in zip(self.parts, np.split(value, stops, axis=self.axis), strict=True):
            np.copyto(part.array, piece, casting="same_kind")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if copy is False:
            raise ValueError(f"{self.name!r} is kept in parts and cannot be given as an array without a copy")
        return np.asarray(self.value, dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        arrays = [x.value if isinstance(x, PartitionedVariable) else x for x in inputs]
        if out is None:
            return getattr(ufunc, method)(*arrays, **options)
        outs = tuple(x.value if isinstance(x, PartitionedVariable) else x for x in out)
        result = getattr(ufunc, method)(*arrays, out=outs, **options)
        for target, new in zip(out, outs, strict=True):
            if isinstance(target, PartitionedVariable):
                target.value = new
        return out[0] if len(out) == 1 and result is outs[0] else result

    def __iter__(self) -> Iterator[Any]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} shape={self.shape} parts={len(self)}>"
