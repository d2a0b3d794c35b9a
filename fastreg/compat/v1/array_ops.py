"""Operations that make tensors and rearrange their elements: shapes, slices, gathers, concatenation.

A rearrangement's gradient puts each element back where it came from. Knows nothing of sums and products.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.compat.v1.common_shapes import Shape, dry_run, shown
from fastreg.compat.v1.conversion import constant, convert_list, convert_to_tensor
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.errors import InvalidArgumentError
from fastreg.compat.v1.graph import Operand, Operation, Tensor, make, name_scope
from fastreg.compat.v1.math_ops import cast
from fastreg.compat.v1.tensor_shape import TensorShape


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Any:
    """Return a tensor whose value each run is given in `feed_dict`."""
    kind, sizes = as_dtype(dtype), TensorShape(shape)

    def compute() -> Any:
        known = "" if sizes.raw is None else f" and shape {shown(out)}"
        label = {"float32": "float", "float64": "double"}.get(kind.name, kind.name)
        raise InvalidArgumentError(
            out.op, f"You must feed a value for placeholder tensor {out.op.name!r} with dtype {label}{known}"
        )

    out = make("Placeholder", name, [], compute, kind, sizes)
    return out


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Any:
    """Return a tensor that is `input` unless it is fed."""
    x = convert_to_tensor(input)
    return make("PlaceholderWithDefault", name, [x], lambda a: a, x.dtype, shape, lambda op, g: [g])


def shape_tensor(shape: Any) -> tuple[Tensor, Shape]:
    """Return a shape as a tensor, and the sizes in it that are known."""
    if isinstance(shape, (Tensor, list, tuple)) and _any_tensor(shape):
        return cast(convert_to_tensor(shape), "i4"), None
    known = TensorShape(shape)
    return constant(np.array(known.as_list(), np.int32), name="shape"), known.raw


def _any_tensor(shape: Any) -> bool:
    return isinstance(shape, Tensor) or any(isinstance(d, Tensor) for d in shape)


def fill(dims: Any, value: Any, name: str | None = None) -> Any:
    """Return a tensor of one value."""
    with name_scope(name, "Fill") as scope:
        sizes, known = shape_tensor(dims)
        x = convert_to_tensor(value, name="value")
        return make("Fill", scope, [sizes, x], lambda d, v: np.full(tuple(d), v, v.dtype), x.dtype.base_dtype, known)


def zeros(shape: Any, dtype: Any = "f4", name: str | None = None) -> Any:
    """Return zeros."""
    return fill(shape, np.zeros((), as_dtype(dtype).dtype), name or "zeros")


def ones(shape: Any, dtype: Any = "f4", name: str | None = None) -> Any:
    """Return ones."""
    return fill(shape, np.ones((), as_dtype(dtype).dtype), name or "ones")


def eye(
    num_rows: int, num_columns: int | None = None, batch_shape: None = None, dtype: Any = "f4", name: str | None = None
) -> Any:
    """Return the identity matrix."""
    if batch_shape is not None:
        raise NotImplementedError("eye: fastreg.compat.v1 has no batch_shape; tf.tile a tf.eye")
    with name_scope(name, "eye"):
        return constant(np.eye(num_rows, num_columns, dtype=as_dtype(dtype).dtype), name="diag")


def shape(input: Any, name: str | None = None, out_type: Any = "i4") -> Any:
    """Return the shape as a tensor."""
    x, kind = convert_to_tensor(input), as_dtype(out_type)
    return make("Shape", name, [x], lambda a: np.array(a.shape, kind.dtype), kind, (x.shape.ndims,))


def size(input: Any, name: str | None = None, out_type: Any = "i4") -> Any:
    """Return the number of elements as a tensor."""
    kind = as_dtype(out_type)
    return make("Size", name, [convert_to_tensor(input)], lambda a: np.array(a.size, kind.dtype), kind, ())


def rank(input: Any, name: str | None = None) -> Any:
    """Return the number of dimensions as a tensor."""
    return make("Rank", name, [convert_to_tensor(input)], lambda a: np.array(a.ndim, np.int32), "i4", ())


def _rearranged(kind: str, x: Tensor, name: str | None, compute: Callable[..., Any], shape: Shape) -> Any:
    """Make an operation that only rearranges elements; its gradient puts each element back where it came from."""

    def gradient(op: Operation, g: Tensor) -> list[Tensor]:
        def back(a: Any, like: Any) -> Any:
            out = np.zeros(like.shape, a.dtype)
            np.add.at(out.reshape(-1), compute(np.arange(like.size).reshape(like.shape)), a)
            return out

        return [make("MovedBack", None, [g, x], back, g.dtype, x.shape)]

    return make(kind, name, [x], compute, x.dtype.base_dtype, shape, gradient)


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """Return the elements in another shape."""
    x = convert_to_tensor(tensor)
    with name_scope(name, "Reshape", [x]) as scope:
        sizes, known = shape_tensor(shape)
    if known is not None:
        total, rest = x.shape.num_elements(), [d for d in known if d != -1]
        guess = total // max(1, math.prod(rest)) if total is not None and None not in rest else None  # type: ignore[arg-type]
        known = tuple(guess if d == -1 else d for d in known)
        if total is not None and None not in known and math.prod(known) != total:  # type: ignore[arg-type]
            to = str(list(known)).replace(" ", "")
            raise ValueError(
                f"Cannot reshape a tensor with {total} elements to shape {to} ({math.prod(known)} elements) for "  # type: ignore[arg-type]
                f"{scope[:-1]!r} (op: 'Reshape') with input shapes: {shown(x)}, [{len(known)}] and with input tensors "
                f"computed as partial shapes: input[1] = {to}."
            )
    back = lambda op, g: [make("Reshape", None, [g, x], lambda a, like: a.reshape(like.shape), g.dtype, x.shape), None]  # noqa: E731
    return make("Reshape", scope, [x, sizes], lambda a, d: a.reshape(tuple(d)), x.dtype.base_dtype, known, back)


def _rearrangement(kind: str, prepare: Callable[..., Callable[[Any], Any]]) -> Any:
    """Make a function whose other arguments are known when the graph is made."""

    def function(value: Any, *args: Any, name: str | None = None, **kwargs: Any) -> Any:
        x = convert_to_tensor(value)
        compute = prepare(*args, **kwargs)
        return _rearranged(kind, x, name, compute, dry_run(compute, x))

    function.__name__ = kind.lower()
    return function


transpose = _rearrangement("transpose", lambda perm=None: lambda a: np.transpose(a, perm))
expand_dims = _rearrangement("ExpandDims", lambda axis=None, dim=None: lambda a: np.expand_dims(a, dim if axis is None else axis))
squeeze = _rearrangement("Squeeze", lambda axis=None: lambda a: np.squeeze(a, None if axis is None else tuple(np.ravel(axis))))
tile = _rearrangement("Tile", lambda multiples: lambda a: np.tile(a, multiples))
reverse = _rearrangement("ReverseV2", lambda axis: lambda a: np.flip(a, axis))
diag_part = _rearrangement("DiagPart", lambda: np.diagonal)
slice = _rearrangement(
    "Slice",
    lambda begin, size: operator.itemgetter(
        tuple(np.s_[b : None if n == -1 else b + n] for b, n in zip(begin, size, strict=True))
    ),
)
_strided_slice = _rearrangement("strided_slice", operator.itemgetter)
setattr(Operand, "__getitem__", lambda x, key: _strided_slice(x, _plain_key(key)))  # noqa: B010


def _plain_key(key: Any) -> Any:
    keys = key if isinstance(key, tuple) else (key,)
    if any(isinstance(k, Tensor) for k in keys):
        raise NotImplementedError("a tensor as an index is outside fastreg.compat.v1; use tf.gather")
    return key


def gather(params: Any, indices: Any, name: str | None = None, axis: int = 0) -> Any:
    """Return the rows of these indices; slices along another axis if `axis` is not 0."""
    x, rows = convert_to_tensor(params), convert_to_tensor(indices)

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        def back(a: Any, at: Any, like: Any) -> Any:
            out = np.zeros(like.shape, a.dtype)
            np.add.at(np.moveaxis(out, axis, 0), at, np.moveaxis(a, range(axis, axis + at.ndim), range(at.ndim)))
            return out

        return [make("GatherGrad", None, [g, rows, x], back, g.dtype, x.shape), None]

    known = (
        None if x.shape.raw is None or rows.shape.raw is None else x.shape.raw[:axis] + rows.shape.raw + x.shape.raw[axis + 1 :]
    )
    return make("GatherV2", name or "GatherV2", [x, rows], lambda a, i: np.take(a, i, axis), x.dtype.base_dtype, known, gradient)


def embedding_lookup(params: Any, ids: Any, partition_strategy: str = "mod", name: str | None = None) -> Any:
    """Return the rows of an embedding table."""
    tables = list(params) if isinstance(params, (list, tuple)) else [params]
    if len(tables) > 1:
        raise NotImplementedError("embedding_lookup over several tables is outside fastreg.compat.v1; tf.concat them")
    return gather(tables[0], ids, name=name or "embedding_lookup")


def concat(values: Any, axis: int, name: str = "concat") -> Any:
    """Return the tensors joined along `axis`."""
    tensors = convert_list(values, "ConcatV2")
    join = lambda *arrays: np.concatenate(arrays, axis)  # noqa: E731

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        def part(i: int) -> Callable[..., Any]:
            def cut(a: Any, *like: Any) -> Any:
                start = sum(b.shape[axis] for b in like[:i])
                return np.take(a, range(start, start + like[i].shape[axis]), axis)

            return cut

        return [make("ConcatGrad", None, [g, *tensors], part(i), g.dtype, t.shape) for i, t in enumerate(tensors)]

    return make("ConcatV2", name, tensors, join, tensors[0].dtype.base_dtype, dry_run(join, *tensors), gradient)
