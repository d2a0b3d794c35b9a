"""How numbers, arrays, lists and variables become tensors, and whether a tensor's dtype fits an operation.

Knows graphs, dtypes and shapes. The only operations it makes are Const, Pack and the sum of IndexedSlices; callers say which
dtypes theirs take.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastreg.compat.v1.common_shapes import mismatch, shown
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.graph import Operand, Operation, Tensor, make
from fastreg.compat.v1.tensor_shape import TensorShape


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = "Const", verify_shape: bool = False) -> Tensor:
    """Return a tensor of a value: Python's floats become float32, its integers int32 or int64, an array keeps its dtype."""
    wanted = None if dtype is None else as_dtype(dtype).dtype
    if value is None:
        raise ValueError("None values not supported.")
    array = np.array(value, wanted) if isinstance(value, (np.ndarray, np.generic)) else _array_of(value, wanted)
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


_FITTING: dict[str, Any] = {  # what a Python value may be where a dtype of this kind is wanted
    "b": (bool, np.bool_),
    "i": (numbers.Integral, np.bool_),
    "u": (numbers.Integral, np.bool_),
    "f": (numbers.Real, np.bool_),
    "c": (numbers.Number, np.bool_),
    "O": object,
}


def _array_of(value: Any, wanted: np.dtype[Any] | None) -> Any:
    """Return a Python value as an array of the dtype that is wanted, or else of the one that TensorFlow infers."""
    if wanted is not None:
        for leaf in _leaves(value):
            if not isinstance(leaf, _FITTING[wanted.kind]):
                plain = leaf.item() if isinstance(leaf, np.generic) else leaf
                raise TypeError(f"Expected {wanted}, got {plain!r} of type '{type(leaf).__name__}' instead.")
    try:
        array = np.array(value)
    except ValueError:  # the lists within are of different lengths
        array = np.array(None)
    if wanted is None:
        text = array.dtype.kind in "US"
        if array.dtype == object or (text and not all(isinstance(leaf, (str, bytes)) for leaf in _leaves(value))):
            raise TypeError(
                f"Failed to convert object of type {type(value)} to Tensor. Contents: {value}. "
                "Consider casting elements to a supported type."
            )
        if text:
            wanted = np.dtype(object)
        elif array.dtype == np.float64:
            wanted = np.dtype(np.float32)
        else:
            fits = array.dtype == np.int64 and np.array_equal(array, array.astype(np.int32))
            wanted = np.dtype(np.int32) if fits else array.dtype
    elif array.dtype == np.uint64 and wanted.kind == "i":
        raise OverflowError("Python int too large to convert to C long")
    return array.astype(wanted)


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the values in nested lists."""
    if isinstance(value, (list, tuple, np.ndarray)):
        for item in value.ravel() if isinstance(value, np.ndarray) else value:
            yield from _leaves(item)
    else:
        yield value


def convert_to_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """Return `value` as a tensor: itself, a variable's value, a stack of tensors, or a constant."""
    if isinstance(value, Operand):
        tensor = value._as_tensor()
        if dtype is not None and tensor.dtype.base_dtype != as_dtype(dtype).base_dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {as_dtype(dtype).name} for Tensor with dtype {tensor.dtype.name}: {tensor!r}"
            )
        return tensor
    if isinstance(value, IndexedSlices):
        return dense(value)
    if isinstance(value, TensorShape):
        value = np.array(value.as_list(), np.int32)
    if isinstance(value, (list, tuple)) and any(has_operand(v) for v in value):
        packed: Tensor = stack(value, name=name or "packed", dtype=dtype)
        return packed
    return constant(value, dtype, name=name or "Const")


def has_operand(value: Any) -> bool:
    """Whether a value is a tensor or variable, or a list with one in it."""
    return isinstance(value, Operand) or (isinstance(value, (list, tuple)) and any(has_operand(v) for v in value))


def either(name: str, value: Any, old_name: str, old_value: Any) -> Any:
    """Return the value of an argument that has two names, of which one at most may be given."""
    if old_value is None:
        return value
    if value is not None:
        raise ValueError(f"Cannot specify both '{old_name}' and '{name}'")
    return old_value


def check_dtype(x: Tensor, parameter: str, allowed: str) -> None:
    """Refuse a tensor whose dtype is not in `allowed`, a list of names as TensorFlow's message has it."""
    if x.dtype.base_dtype.name not in allowed.split(", "):
        kind = x.dtype.base_dtype.name
        raise TypeError(f"Value passed to parameter {parameter!r} has DataType {kind} not in list of allowed values: {allowed}")


def check_same_dtype(tensors: Sequence[Tensor], parameter: str, kind: str) -> None:
    """Refuse tensors of several dtypes, for an operation of this kind."""
    if any(t.dtype.base_dtype != tensors[0].dtype.base_dtype for t in tensors):
        names = ", ".join(t.dtype.base_dtype.name for t in tensors)
        raise TypeError(f"Tensors in list passed to {parameter!r} of {kind!r} Op have types [{names}] that don't all match.")


def convert_list(values: Sequence[Any], kind: str, dtype: Any = None) -> list[Tensor]:
    """Return tensors of one dtype. A value that is not a tensor yet gets the dtype of the first tensor among them."""
    wanted = next((as_dtype(v.dtype).base_dtype for v in values if isinstance(v, Operand)), dtype)  # type: ignore[attr-defined]
    tensors: list[Tensor] = []
    for value in values:
        try:
            tensors.append(value._as_tensor() if isinstance(value, Operand) else convert_to_tensor(value, wanted))
        except (TypeError, ValueError):
            tensors.append(convert_to_tensor(value))
    check_same_dtype(tensors, "values", kind)
    return tensors


def stack(values: Any, axis: int = 0, name: str = "stack", dtype: Any = None) -> Any:
    """Return the tensors joined along a new axis."""
    if axis == 0 and not any(has_operand(v) for v in values):
        return constant(values, dtype, name=name)
    tensors = convert_list(values, "Pack", dtype)
    first = tensors[0].shape.raw
    scope = tensors[0].graph.unique_name(name) + "/"
    for t in tensors[1:]:
        if differ := mismatch(tensors[0], t):
            raise ValueError(
                f"{differ}\n\tFrom merging shape 0 with other shapes. for {scope[:-1]!r} (op: 'Pack') with input shapes: "
                f"{', '.join(map(shown, tensors))}."
            )
    place = axis if axis >= 0 or first is None else axis + len(first) + 1
    shape = None if first is None else (*first[:place], len(tensors), *first[place:])

    def gradient(op: Operation, g: Tensor) -> list[Tensor]:
        return [part(g, i) for i in range(len(tensors))]

    def part(g: Tensor, i: int) -> Tensor:
        def again(op: Operation, h: Tensor) -> list[Tensor]:
            zeros = [make("ZerosLike", None, [t], np.zeros_like, h.dtype, first) for t in tensors]
            return [stack([*zeros[:i], h, *zeros[i + 1 :]], axis)]

        taken: Tensor = make("Unstack", None, [g], lambda a: np.moveaxis(a, axis, 0)[i], g.dtype, first, again)
        return taken

    return make("Pack", scope, tensors, lambda *arrays: np.stack(arrays, axis), tensors[0].dtype.base_dtype, shape, gradient)


class IndexedSlicesValue(NamedTuple):
    """What a session returns for IndexedSlices."""

    values: Any
    indices: Any
    dense_shape: Any


class IndexedSlices:
    """A gradient of some rows only; where an index occurs more than once, its rows are to be added."""

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values, self.indices, self.dense_shape = convert_to_tensor(values), convert_to_tensor(indices), dense_shape

    dtype = property(lambda self: self.values.dtype)
    graph = property(lambda self: self.values.graph)
    op = property(lambda self: self.values.op)
    name = property(lambda self: self.values.name)

    @property
    def shape(self) -> TensorShape:
        """What is known of the whole's shape: nothing, as in TensorFlow."""
        return TensorShape(None)

    def __repr__(self) -> str:
        shape = "" if self.dense_shape is None else f", dense_shape={self.dense_shape}"
        return f"IndexedSlices(indices={self.indices}, values={self.values}{shape})"


def dense(slices: IndexedSlices) -> Tensor:
    """Return the rows of IndexedSlices in an array of the whole."""
    if slices.dense_shape is None:
        raise ValueError(f"Tensor conversion requested for IndexedSlices without dense_shape: {slices}")
    sizes = convert_to_tensor(slices.dense_shape)
    known: Any = sizes.op.compute() if sizes.op.type == "Const" else None
    total = lambda v, i, d: sum_rows(v, i, int(d[0]))  # noqa: E731
    whole: Tensor = make("UnsortedSegmentSum", None, [slices.values, slices.indices, sizes], total, slices.values.dtype, known)
    return whole


def sum_rows(rows: Any, indices: Any, count: int) -> Any:
    """Return an array of `count` rows, each the sum of the `rows` that have its index."""
    out = np.zeros((count, *rows.shape[1:]), rows.dtype)
    if len(indices):
        order = np.argsort(indices, kind="stable")
        at = indices[order]
        starts = np.flatnonzero(np.concatenate([[True], at[1:] != at[:-1]]))
        out[at[starts]] = np.add.reduceat(rows[order], starts, axis=0)
    return out
