"""What is made into a tensor: numbers, arrays, lists, variables.

Knows graphs, dtypes and shapes; of operations it makes Const and Pack alone, and it knows
which dtypes an operation takes only by what it is told.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.graph import Operand, Operation, Tensor, make
from fastreg.compat.v1.tensor_shape import TensorShape


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = "Const", verify_shape: bool = False) -> Tensor:
    """Return a tensor of a value: Python's floats and integers become float32 and int32, an array keeps its dtype."""
    wanted = None if dtype is None else as_dtype(dtype).dtype
    if value is None:
        raise ValueError("None values not supported.")
    if isinstance(value, dict):
        raise TypeError(
            f"Failed to convert object of type {type(value)} to Tensor. Contents: {value}. "
            "Consider casting elements to a supported type."
        )
    array = np.array(value)
    if isinstance(value, (np.ndarray, np.generic)):
        array = array if wanted is None else array.astype(wanted)
    else:
        if array.dtype.kind in "US":
            array = array.astype(object)
        if wanted is not None and wanted.kind in "iu" and array.dtype.kind == "f" and array.size:
            raise TypeError(f"Expected {wanted}, got {value} of type '{type(np.ravel(array)[0].item()).__name__}' instead.")
        default = {np.dtype("f8"): "f4", np.dtype("i8"): "i4"}.get(array.dtype, array.dtype)
        array = array.astype(default if wanted is None else wanted)
    if shape is not None:
        sizes: Any = TensorShape(shape).as_list()
        if verify_shape and list(array.shape) != sizes:
            raise TypeError(f"Expected Tensor's shape: {tuple(sizes)}, got {array.shape}.")
        if array.size > np.prod(sizes):
            raise ValueError(f"Too many elements provided. Needed at most {int(np.prod(sizes))}, but received {array.size}")
        flat = np.empty(int(np.prod(sizes)), array.dtype)
        flat[: array.size] = array.ravel()
        flat[array.size :] = array.ravel()[-1:]
        array = flat.reshape(sizes)
    array.flags.writeable = False
    out: Tensor = make("Const", name, [], lambda: array, array.dtype, array.shape)
    return out


def convert_to_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """Return `value` as a tensor: itself, a variable's value, a stack of tensors, or a constant."""
    if isinstance(value, Operand):
        tensor = value._as_tensor()
        if dtype is not None and tensor.dtype.base_dtype != as_dtype(dtype).base_dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {as_dtype(dtype).name} for Tensor with dtype {tensor.dtype.name}: {tensor!r}"
            )
        return tensor
    if isinstance(value, TensorShape):
        value = np.array(value.as_list(), np.int32)
    if isinstance(value, (list, tuple)) and any(_has_operand(v) for v in value):
        packed: Tensor = stack(value, name=name or "packed", dtype=dtype)
        return packed
    return constant(value, dtype, name=name or "Const")


def _has_operand(value: Any) -> bool:
    return isinstance(value, Operand) or (isinstance(value, (list, tuple)) and any(_has_operand(v) for v in value))


def check_dtype(x: Tensor, parameter: str, allowed: str) -> None:
    """Refuse a tensor that an operation has no arithmetic for; `allowed` are the dtypes' names as TensorFlow lists them."""
    if x.dtype.base_dtype.name not in allowed.split(", "):
        kind = x.dtype.base_dtype.name
        raise TypeError(f"Value passed to parameter {parameter!r} has DataType {kind} not in list of allowed values: {allowed}")


def stack(values: Any, axis: int = 0, name: str = "stack", dtype: Any = None) -> Any:
    """Return the tensors in one more dimension."""
    kind = next((as_dtype(v.dtype).base_dtype for v in values if isinstance(v, Operand)), dtype)  # type: ignore[attr-defined]
    tensors = [convert_to_tensor(v, kind) for v in values]
    first = tensors[0].shape.raw
    shape = None if first is None else (*first[:axis], len(tensors), *first[axis:]) if axis >= 0 else None

    def gradient(op: Operation, g: Tensor) -> list[Tensor]:
        return [make("Unstack", None, [g], lambda a, i=i: np.take(a, i, axis), g.dtype, first) for i in range(len(tensors))]

    return make("Pack", name, tensors, lambda *arrays: np.stack(arrays, axis), tensors[0].dtype.base_dtype, shape, gradient)


class IndexedSlices:
    """A gradient that touches some rows only."""

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values, self.indices, self.dense_shape = convert_to_tensor(values), convert_to_tensor(indices), dense_shape

    dtype = property(lambda self: self.values.dtype)
    graph = property(lambda self: self.values.graph)
    op = property(lambda self: self.values.op)
    name = property(lambda self: self.values.name)
