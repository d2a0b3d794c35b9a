"""Operations that make tensors and rearrange their elements: shapes, slices, gathers, concatenation.

A rearrangement's gradient puts each element back where it came from. Knows nothing of sums and products.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastreg.compat.v1.common_shapes import Shape, dry_run, shown
from fastreg.compat.v1.conversion import (
    IndexedSlices,
    check_dtype,
    constant,
    convert_list,
    convert_to_tensor,
    either,
    has_operand,
    sum_rows,
)
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.errors import InvalidArgumentError
from fastreg.compat.v1.graph import Operand, Operation, Tensor, as_outputs, make, name_scope
from fastreg.compat.v1.math_ops import cast, identity, zeros_like
from fastreg.compat.v1.tensor_shape import TensorShape, as_whole


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
        sizes = None if isinstance(shape, Tensor) else [None if isinstance(d, Tensor) or d == -1 else d for d in shape]
        return cast(convert_to_tensor(shape), "i4"), TensorShape(sizes).raw
    known = TensorShape(shape)
    if any(d is not None and not -(2**31) <= d < 2**31 for d in known.raw or ()):
        raise ValueError(f"shape must have sizes that int32 holds, got {known}")
    return constant(np.array(known.as_list(), np.int32), name="shape"), known.raw


def _any_tensor(shape: Any) -> bool:
    return isinstance(shape, Tensor) or any(isinstance(d, Tensor) for d in shape)


def fill(dims: Any, value: Any, name: str | None = None) -> Any:
    """Return a tensor of one value."""
    with name_scope(name, "Fill") as scope:
        sizes, known = shape_tensor(dims)
        x = convert_to_tensor(value, name="value")

        def gradient(op: Operation, g: Tensor) -> list[Any]:
            again = lambda op, h: [fill(sizes, h)]  # noqa: E731
            return [None, make("Sum", None, [g], lambda a: np.asarray(a.sum()), g.dtype, (), again)]

        return make("Fill", scope, [sizes, x], lambda d, v: np.full(tuple(d), v, v.dtype), x.dtype.base_dtype, known, gradient)


def zeros(shape: Any, dtype: Any = "f4", name: str | None = None) -> Any:
    """Return zeros."""
    return fill(shape, np.zeros((), as_dtype(dtype).dtype), name or "zeros")


def ones(shape: Any, dtype: Any = "f4", name: str | None = None) -> Any:
    """Return ones."""
    return fill(shape, np.ones((), as_dtype(dtype).dtype), name or "ones")


def eye(num_rows: Any, num_columns: Any = None, batch_shape: None = None, dtype: Any = "f4", name: str | None = None) -> Any:
    """Return the identity matrix. Its sizes may be tensors."""
    if batch_shape is not None:
        raise NotImplementedError("eye: fastreg.compat.v1 has no batch_shape; tf.tile a tf.eye")
    with name_scope(name, "eye"):
        kind = as_dtype(dtype)
        sizes, known = shape_tensor([num_rows, num_rows if num_columns is None else num_columns])
        last = "diag" if num_columns is None else "set_diag"
        return make("MatrixDiag", last, [sizes], lambda n: np.eye(*n, dtype=kind.dtype), kind, known, lambda op, g: [None])


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


def rearranged(
    kind: str,
    x: Tensor,
    name: str | None,
    move: Callable[..., Any],
    back: Callable[..., Any],
    shape: Any,
    more: Sequence[Tensor] = (),
    undone: str | None = None,
) -> Any:
    """Make an operation that is linear in `x`: it moves, repeats or adds elements.

    Parameters
    ----------
    move : callable
        Computes it, from the array of `x` and those of `more`.
    back : callable
        Computes the gradient, from the result's gradient, the array of `x` and those of `more`. It is linear too, and the
        gradient of it is `move` again.
    undone : str, optional
        The name of the gradient's operation.
    """

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        again = lambda op, h: [rearranged(kind, h, kind, move, back, shape, more, undone), *[None] * (len(more) + 1)]  # noqa: E731
        return [make(kind + "Grad", undone, [g, x, *more], back, g.dtype, x.shape, again), *[None] * len(more)]

    return make(kind, name, [x, *more], move, x.dtype.base_dtype, shape, gradient)


def _reshaped_back(a: Any, like: Any, *more: Any) -> Any:
    return a.reshape(like.shape)


def _put_back(key: Any) -> Callable[..., Any]:
    """Return what puts a gradient where the index `key` took elements from, each once."""

    def back(a: Any, like: Any) -> Any:
        out = np.zeros(like.shape, a.dtype)
        out[key] = a
        return out

    return back


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """Return the elements in another shape."""
    x = convert_to_tensor(tensor)
    with name_scope(name, "Reshape", [x]) as scope:
        sizes, known = shape_tensor(shape)
    if known is not None:
        total, rest = x.shape.num_elements(), [d for d in known if d != -1]
        if -1 in known and total is not None and None not in rest and total % max(1, math.prod(rest)):  # type: ignore[arg-type]
            to = str(["?" if d == -1 else d for d in known]).replace(" ", "").replace("'", "")
            where = f"{_where('Reshape', scope[:-1], x)}, [{len(known)}] and with input tensors computed as partial shapes: "
            where += f"input[1] = {to}."
            raise ValueError(f"Dimension size must be evenly divisible by {math.prod(rest)} but is {total} {where}")  # type: ignore[arg-type]
        guess = total // max(1, math.prod(rest)) if total is not None and None not in rest else None  # type: ignore[arg-type]
        known = tuple(guess if d == -1 else d for d in known)
        if total is not None and None not in known and math.prod(known) != total:  # type: ignore[arg-type]
            to = str(list(known)).replace(" ", "")
            raise ValueError(
                f"Cannot reshape a tensor with {total} elements to shape {to} ({math.prod(known)} elements) for "  # type: ignore[arg-type]
                f"{scope[:-1]!r} (op: 'Reshape') with input shapes: {shown(x)}, [{len(known)}] and with input tensors "
                f"computed as partial shapes: input[1] = {to}."
            )
    again = lambda op, h: [reshape(h, shape), None]  # noqa: E731
    back = lambda op, g: [make("Reshape", None, [g, x], _reshaped_back, g.dtype, x.shape, again), None]  # noqa: E731
    return make("Reshape", scope, [x, sizes], lambda a, d: a.reshape(tuple(d)), x.dtype.base_dtype, known, back)


def _where(kind: str, name: str | None, *tensors: Tensor) -> str:
    return f"for {name or kind!r} (op: {kind!r}) with input shapes: {', '.join(map(shown, tensors))}"


def transpose(a: Any, perm: Any = None, name: str = "transpose", conjugate: bool = False) -> Any:
    """Return the array with its axes in the order `perm`, in reverse order by default."""
    x = convert_to_tensor(a, name="a")
    if conjugate and x.dtype.dtype.kind == "c":
        raise NotImplementedError("transpose: fastreg.compat.v1 conjugates nothing")
    order = None if perm is None else [int(i) for i in perm]
    if (
        order is not None
        and x.shape.ndims is not None
        and sorted(i % len(order) for i in order) != list(builtins.range(x.shape.ndims))
    ):
        raise ValueError(f"perm must name each of the {x.shape.ndims} axes once, got {order}")
    move = lambda a: np.transpose(a, order)  # noqa: E731
    back = lambda a, like: np.transpose(a, None if order is None else np.argsort(np.mod(order, len(order))))  # noqa: E731
    return rearranged("Transpose", x, name, move, back, dry_run(move, x), undone="transpose")


def expand_dims(input: Any, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Any:
    """Return the array with a new axis of one element."""
    x: Tensor = convert_to_tensor(input, name="input")
    at, rank = int(either("axis", axis, "dim", dim)), x.shape.ndims
    if rank is not None and not -rank - 1 <= at <= rank:
        raise ValueError(
            f"dim {at} not in the interval [{-rank - 1}, {rank}]. {_where('ExpandDims', name, x)}, [] and with computed input "
            f"tensors: input[1] = <{at}>."
        )
    move = lambda a: np.expand_dims(a, at)  # noqa: E731
    return rearranged("ExpandDims", x, name, move, _reshaped_back, dry_run(move, x), undone="Reshape")


def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Any:
    """Return the array without its axes of one element, or without those that are given."""
    x: Tensor = convert_to_tensor(input, name="input")
    axis = either("axis", axis, "squeeze_dims", squeeze_dims)
    gone = None if axis is None else tuple(as_whole(i, "axis") for i in np.ravel(axis))
    for i in gone or ():
        size = _length_along(x, i)
        if size not in (None, 1):
            raise ValueError(
                f"Can not squeeze dim[{i % (x.shape.ndims or 1)}], expected a dimension of 1, got {size} "
                f"{_where('Squeeze', name, x)}."
            )
    move = lambda a: np.squeeze(a, gone or None)  # noqa: E731
    known = None if gone is None and not x.shape.is_fully_defined() else _squeezed(x.shape.raw, gone)
    return rearranged("Squeeze", x, name, move, _reshaped_back, known, undone="Reshape")


def _squeezed(shape: Shape, gone: tuple[int, ...] | None) -> Shape:
    if shape is None:
        return None
    axes = [i for i, n in enumerate(shape) if n == 1] if not gone else [i % len(shape) for i in gone]
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def tile(input: Any, multiples: Any, name: str | None = None) -> Any:
    """Return the array, repeated along each axis."""
    with name_scope(name, "Tile", [input]) as scope:
        x, times = convert_to_tensor(input, name="input"), convert_to_tensor(multiples, name="multiples")
    counts = None if _is_dynamic(multiples) else tuple(int(n) for n in multiples)
    if counts is not None and x.shape.ndims not in (None, len(counts)):
        raise ValueError(f"Shape must be rank {x.shape.ndims} but is rank {len(counts)} {_where('Tile', scope[:-1], x, times)}.")

    def back(a: Any, like: Any, n: Any) -> Any:
        pairs = [size for pair in zip(n, like.shape, strict=True) for size in pair]
        return a.reshape(pairs).sum(axis=tuple(builtins.range(0, len(pairs), 2)))

    known = (None,) * x.shape.ndims if x.shape.ndims is not None else None
    if counts is not None and x.shape.raw is not None:
        known = tuple(None if d is None else d * n for d, n in zip(x.shape.raw, counts, strict=True))  # type: ignore[misc]
    return rearranged("Tile", x, scope, np.tile, back, known, [times], "Sum")


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Any:
    """Return the array with the elements along these axes in reverse order."""
    x: Tensor = convert_to_tensor(tensor, name="tensor")
    axes = tuple(as_whole(i, "axis") for i in np.ravel(axis))
    return rearranged("ReverseV2", x, name, lambda a: np.flip(a, axes), lambda a, like: np.flip(a, axes), x.shape)


def diag_part(input: Any, name: str | None = None) -> Any:
    """Return the diagonal."""
    x: Tensor = convert_to_tensor(input, name="input")

    def back(a: Any, like: Any) -> Any:
        out = np.zeros(like.shape, a.dtype)
        np.fill_diagonal(out, a)
        return out

    return rearranged("DiagPart", x, name, np.diagonal, back, dry_run(np.diagonal, x))


def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", name: str | None = None, constant_values: float = 0) -> Any:
    """Return the array with elements put before and behind along each axis: a constant, or its own ones mirrored."""
    x: Tensor = convert_to_tensor(tensor, name="tensor")
    margins = [(int(before), int(behind)) for before, behind in paddings]
    form = mode.upper()
    if form not in ("CONSTANT", "REFLECT", "SYMMETRIC"):
        raise ValueError(f"Unknown padding mode: {form}")
    kind = "MirrorPad" if form != "CONSTANT" else "PadV2" if constant_values != 0 else "Pad"
    if x.shape.ndims not in (None, len(margins)):
        raise ValueError(
            f"Shape must be rank {len(margins)} but is rank {x.shape.ndims} {_where(kind, name, x)}, [{len(margins)},2]."
        )
    options: Any = {"constant_values": constant_values} if form == "CONSTANT" else {}
    move = lambda a: np.pad(a, margins, form.lower(), **options)  # type: ignore[call-overload]  # noqa: E731

    def back(a: Any, like: Any) -> Any:
        if form == "CONSTANT":
            return a[tuple(np.s_[before : before + n] for (before, _), n in zip(margins, like.shape, strict=True))]
        for i, ((before, behind), n) in enumerate(zip(margins, like.shape, strict=True)):
            rows, skip = np.moveaxis(a, i, 0), form == "REFLECT"
            own = rows[before : before + n].copy()
            own[skip : skip + before] += rows[:before][::-1]
            own[n - skip - behind : n - skip] += rows[before + n :][::-1]
            a = np.moveaxis(own, 0, i)
        return a

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        again = lambda op, h: [pad(h, margins, mode), None]  # noqa: E731
        return [make(kind + "Grad", None, [g, x], back, g.dtype, x.shape, again)]

    return make(kind, name, [x], move, x.dtype.base_dtype, dry_run(move, x), gradient)


def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Any:
    """Return `size` elements along each axis from `begin` on; all that are left where `size` is -1."""
    with name_scope(name, "Slice", [input_]) as scope:
        x: Tensor = convert_to_tensor(input_, name="input")
        starts, counts = convert_to_tensor(begin, name="begin"), convert_to_tensor(size, name="size")

    def key(b: Any, n: Any) -> Any:
        return tuple(np.s_[i : None if c == -1 else i + c] for i, c in zip(b.tolist(), n.tolist(), strict=True))

    def move(a: Any, b: Any, n: Any) -> Any:
        for i, (start, count, whole) in enumerate(zip(b, n, a.shape, strict=True)):
            if count != -1 and start + count > whole:
                raise InvalidArgumentError(out.op, f"Expected size[{i}] in [0, {whole - start}], but got {count}")
        return a[key(b, n)]

    back = lambda a, like, b, n: _put_back(key(b, n))(a, like)  # noqa: E731
    known: Any = None if x.shape.ndims is None else (None,) * x.shape.ndims
    if not (_is_dynamic(begin) or _is_dynamic(size)) and x.shape.raw is not None:
        spans = zip(x.shape.raw, np.ravel(begin), np.ravel(size), strict=True)
        known = tuple((None if d is None else d - int(b)) if n == -1 else int(n) for d, b, n in spans)
    out = rearranged("Slice", x, scope, move, back, known, [starts, counts])
    return out


def strided_slice(
    input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, var: None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Return x[begin:end:strides]; a bit of a mask says of one axis that the limit is left open or the axis dropped."""
    if ellipsis_mask or new_axis_mask or var is not None:
        raise NotImplementedError("strided_slice: write x[..., tf.newaxis] in fastreg.compat.v1")
    steps = [1] * len(begin) if strides is None else strides
    key: list[Any] = []
    for i, (b, e, s) in enumerate(zip(begin, end, steps, strict=True)):
        span = np.s_[None if begin_mask >> i & 1 else b : None if end_mask >> i & 1 else e : s]
        key.append(b if shrink_axis_mask >> i & 1 else span)
    return _indexed(convert_to_tensor(input_), tuple(key), name or "StridedSlice")


def _indexed(value: Any, key: Any, name: str = "strided_slice") -> Any:
    """Return the elements at an index as Python writes it, in which numbers may be tensors."""
    x: Tensor = convert_to_tensor(value)
    keys = key if isinstance(key, tuple) else (key,)
    tensors: list[Tensor] = []

    def hold(n: Any) -> Any:
        """Return what stands for a number until its value is known: itself, or the place of its tensor."""
        if isinstance(n, Operand):
            tensors.append(convert_to_tensor(n))
            return Operand, len(tensors) - 1
        if not (n is None or isinstance(n, (int, np.integer))) or isinstance(n, bool):
            raise TypeError(
                "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are "
                f"valid indices, got {n!r}"
            )
        return n

    spans = [tuple(map(hold, (k.start, k.stop, k.step))) if type(k) is _SLICE else k if k is Ellipsis else hold(k) for k in keys]

    def settled(numbers: Sequence[Any], first: bool = False) -> Any:
        """Return the index; with `first`, one that takes the first element wherever it takes one."""

        def number(n: Any) -> Any:
            return int(numbers[n[1]]) if isinstance(n, tuple) else n

        def part(s: Any) -> Any:
            if isinstance(s, tuple) and s[0] is not Operand:
                return _SLICE(*map(number, s))
            return s if s is None or s is Ellipsis else 0 if first else number(s)

        return tuple(map(part, spans))

    def move(a: Any, *numbers: Any) -> Any:
        return a[settled(numbers)]

    def back(a: Any, like: Any, *numbers: Any) -> Any:
        return _put_back(settled(numbers))(a, like)

    return rearranged("StridedSlice", x, name, move, back, _indexed_shape(x, settled, len(tensors)), tensors)


_SLICE = builtins.slice


def _indexed_shape(x: Tensor, settled: Callable[..., Any], count: int) -> Shape:
    """Return the shape of x[key] as far as it is known: sizes that are not are tried, and numbers that are tensors."""
    if x.shape.raw is None:
        return None
    rank, where = len(x.shape.raw), _where("StridedSlice", "strided_slice", x)
    if sum(k is not None and k is not Ellipsis for k in settled([0] * count)) > rank:
        raise ValueError(f"Index out of range using input dim {rank}; input has only {rank} dims {where}.")
    tried: list[tuple[int, ...]] = []
    for size, number in (6, 0), (12, 1), (1, 0):
        blank = np.broadcast_to(np.zeros((), "?"), [size if n is None else n for n in x.shape.raw])
        try:
            tried.append(blank[settled([number] * count, size == 1)].shape)
        except IndexError as error:
            if x.shape.is_fully_defined():
                raise ValueError(f"{error} {where}.") from None
            return None
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*tried, strict=True))


setattr(Operand, "__getitem__", _indexed)  # noqa: B010


def _length_along(x: Tensor, axis: int) -> int | None:
    """Return the size of an axis, None where it is not known."""
    raw = x.shape.raw
    if raw is None:
        return None
    if not -len(raw) <= axis < len(raw):
        raise ValueError(f"axis must be in the range [{-len(raw)}, {len(raw)}), got {axis}")
    return raw[axis]


def split(value: Any, num_or_size_splits: Any, axis: int = 0, num: int | None = None, name: str = "split") -> list[Any]:
    """Return the parts of an array along an axis: so many equal ones, or those of the given sizes."""
    x: Tensor = convert_to_tensor(value, name="value")
    length = _length_along(x, axis)
    scope = x.graph.unique_name(name) + "/"
    equal = isinstance(num_or_size_splits, (int, np.integer))
    if equal and not 0 < num_or_size_splits < 2**31:
        raise ValueError(f"num_or_size_splits must be from 1 to 2**31 - 1, got {num_or_size_splits}")
    sizes: list[int | None] = [None] * int(num_or_size_splits) if equal else [int(n) for n in num_or_size_splits]
    count = len(sizes)
    if equal and length is not None:
        if length % count:
            where = f"{_where('Split', scope[:-1])}[], {shown(x)} and with computed input tensors: input[0] = <{axis}>."
            raise ValueError(
                f"Dimension size must be evenly divisible by {count} but is {length}\n\tNumber of ways to split should evenly "
                f"divide the split dimension {where}"
            )
        sizes = [length // count] * count
    elif not equal and length is not None:
        rest = length - sum(n for n in sizes if n != -1)  # type: ignore[misc]
        sizes = [rest if n == -1 else n for n in sizes]
        if sum(sizes) != length or rest < 0:  # type: ignore[arg-type]
            shapes, pieces = f"{shown(x)}, [{count}], []", ",".join(map(str, sizes))
            raise ValueError(
                f"can't split axis of size {length} into pieces of size [{pieces}] for {scope[:-1]!r} (op: 'SplitV') "
                f"with input shapes: {shapes} and with computed input tensors: input[1] = <{pieces.replace(',', ' ')}>, "
                f"input[2] = <{axis}>."
            )

    def key(i: int, whole: int) -> Any:
        left = whole - sum(n for n in sizes if n not in (None, -1))
        ends = np.cumsum([whole // count if n is None else left if n == -1 else n for n in sizes])
        return (*[np.s_[:]] * (axis % max(1, x.shape.ndims or axis + 1)), np.s_[ends[i - 1] if i else 0 : ends[i]])

    def part(i: int) -> Any:
        move = lambda a: a[key(i, a.shape[axis])]  # noqa: E731
        back = lambda a, like: _put_back(key(i, like.shape[axis]))(a, like)  # noqa: E731
        known = None if x.shape.raw is None else list(x.shape.raw)
        if known is not None:
            known[axis] = None if sizes[i] == -1 else sizes[i]
        return rearranged("Split", x, scope, move, back, known)

    return as_outputs([part(i) for i in builtins.range(count)])


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Any]:
    """Return the slices of an array along an axis, without that axis."""
    x: Tensor = convert_to_tensor(value)
    length = _length_along(x, axis)
    count = length if num is None else num
    if count is None:
        raise ValueError(f"Cannot infer num from shape {x.shape}")
    scope = x.graph.unique_name(name) + "/"
    if length not in (None, count):
        raise ValueError(f"Dimension must be {count} but is {length} {_where('Unpack', scope[:-1], x)}.")

    def part(i: int) -> Any:
        move = lambda a: a[(np.s_[:],) * (axis % a.ndim) + (i,)]  # noqa: E731
        back = lambda a, like: _put_back((np.s_[:],) * (axis % like.ndim) + (i,))(a, like)  # noqa: E731
        return rearranged("Unpack", x, scope, move, back, dry_run(move, x))

    return as_outputs([part(i) for i in builtins.range(count)])


def _is_dynamic(value: Any) -> bool:
    return isinstance(value, Operand) or has_operand(value)


def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: int | None = None, dtype: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Return an array that has `on_value` where the index along a new axis, the last by default, is the given one."""
    with name_scope(name, "one_hot", [indices, depth, on_value, off_value]) as scope:
        given = {"on_value": on_value, "off_value": off_value}
        known_values = {what: convert_to_tensor(value, name=what) for what, value in given.items() if value is not None}
        result = as_dtype(dtype if dtype is not None else next((t.dtype.base_dtype for t in known_values.values()), "f4"))
        for what, t in known_values.items():
            if t.dtype.base_dtype != result:
                raise TypeError(f"dtype {t.dtype.base_dtype} of {what} does not match dtype parameter {result}")
        on, off = (
            known_values[what] if what in known_values else constant(np.array(other, result.dtype), name="Const")
            for what, other in (("on_value", 1), ("off_value", 0))
        )
        at: Tensor = convert_to_tensor(indices, name="indices")
        check_dtype(at, "indices", "uint8, int32, int64")
        n: Tensor = convert_to_tensor(depth, name="depth")
    place = -1 if axis is None else axis

    def compute(i: Any, count: Any, p: Any, q: Any) -> Any:
        where = np.expand_dims(i, place) == np.arange(count).reshape([-1] + [1] * (0 if place == -1 else i.ndim - place))
        return np.where(where, p, q)

    known = None
    if at.shape.raw is not None:
        spot = len(at.shape.raw) if place == -1 else place
        known = (*at.shape.raw[:spot], None if _is_dynamic(depth) else int(depth), *at.shape.raw[spot:])
    return make("OneHot", scope, [at, n, on, off], compute, result, known, lambda op, g: [None] * 4)


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Any:
    """Return the numbers from `start` up to but without `limit`, in steps of `delta`."""
    first, end = (0, start) if limit is None else (start, limit)
    with name_scope(name, "Range", [v for v in (first, end, delta) if isinstance(v, Operand)]) as scope:
        names = zip((first, end, delta), ("start", "limit", "delta"), strict=True)
        numbers = [convert_to_tensor(v, dtype, what) for v, what in names]
    kind = np.result_type(*(t.dtype.dtype for t in numbers)) if dtype is None else as_dtype(dtype).dtype
    kind = np.dtype("f4") if kind == "f8" and all(t.dtype.base_dtype != "float64" for t in numbers) else kind
    known = (None,) if any(isinstance(v, Operand) for v in (first, end, delta)) else np.arange(first, end, delta).shape
    compute = lambda a, b, c: np.arange(a, b, c).astype(kind)  # noqa: E731
    return make("Range", scope, numbers, compute, kind, known, lambda op, g: [None] * 3)


def boolean_mask(tensor: Any, mask: Any, name: str = "boolean_mask", axis: int | None = None) -> Any:
    """Return the slices at which `mask`, of the first axes or of those from `axis` on, holds."""
    x, chosen = convert_to_tensor(tensor, name="tensor"), convert_to_tensor(mask, name="mask")
    if chosen.shape.ndims is None:
        raise ValueError(
            "Number of mask dimensions must be specified, even if some dimensions are None.  E.g. shape=[None] is ok, but "
            "shape=None is not."
        )
    if chosen.shape.ndims == 0:
        raise ValueError("mask cannot be scalar.")
    at = axis or 0
    known = None if x.shape.raw is None else (*x.shape.raw[:at], None, *x.shape.raw[at + chosen.shape.ndims :])

    def key(m: Any) -> Any:
        return (*[np.s_[:]] * at, m)

    with name_scope(name, "boolean_mask", [x, chosen]) as scope:
        back = lambda a, like, m: _put_back(key(m))(a, like)  # noqa: E731
        return rearranged("BooleanMask", x, scope + "GatherV2/", lambda a, m: a[key(m)], back, known, [chosen])


def gather(
    params: Any, indices: Any, validate_indices: bool | None = None, name: str | None = None, axis: int | None = None,
    batch_dims: int = 0,
) -> Any:  # fmt: skip
    """Return the rows of these indices; slices along another axis if `axis` is not 0. The gradient by rows is IndexedSlices."""
    if batch_dims:
        raise NotImplementedError("gather: batch_dims is outside fastreg.compat.v1")
    with name_scope(name, "GatherV2", [params, indices]) as scope:
        x, at = convert_to_tensor(params, name="params"), convert_to_tensor(indices, name="indices")
    check_dtype(at, "indices", "int32, int64")
    along = axis or 0

    def compute(a: Any, i: Any) -> Any:
        wrong = np.flatnonzero((i < 0) | (i >= a.shape[along]))
        if wrong.size:
            place = ",".join(map(str, np.unravel_index(wrong[0], i.shape)))
            what = f"indices[{place}]" if i.ndim else "indices"
            raise InvalidArgumentError(out.op, f"{what} = {i.ravel()[wrong[0]]} is not in [0, {a.shape[along]})")
        return np.take(a, i, along)

    def back(a: Any, like: Any, i: Any) -> Any:
        rows = np.moveaxis(a, builtins.range(along, along + i.ndim), builtins.range(i.ndim))
        rest = np.moveaxis(like, along, 0).shape
        return np.moveaxis(sum_rows(rows.reshape(-1, *rest[1:]), i.ravel(), rest[0]), 0, along)

    def rows(op: Operation, g: Tensor) -> list[Any]:
        values = reshape(g, [-1, *x.shape.raw[1:]]) if x.shape.raw and None not in x.shape.raw[1:] else _as_rows(g, x)
        whole = constant(x.shape.as_list(), "i4") if x.shape.is_fully_defined() else shape(x)
        return [IndexedSlices(values, reshape(at, [-1]), whole), None]

    known = None
    if x.shape.raw is not None and at.shape.raw is not None:
        along = along % max(1, len(x.shape.raw))
        known = x.shape.raw[:along] + at.shape.raw + x.shape.raw[along + 1 :]
    out = rearranged("GatherV2", x, scope, compute, back, known, [at])
    if along == 0:
        out.op.gradient = rows
    return out


def _as_rows(g: Tensor, x: Tensor) -> Any:
    move = lambda a, like: a.reshape(-1, *like.shape[1:])  # noqa: E731
    back = lambda a, like, more: a.reshape(like.shape)  # noqa: E731
    return rearranged("Reshape", g, None, move, back, None if x.shape.raw is None else (None, *x.shape.raw[1:]), [x])


def embedding_lookup(
    params: Any, ids: Any, partition_strategy: str = "mod", name: str | None = None, validate_indices: bool = True,
    max_norm: float | None = None,
) -> Any:  # fmt: skip
    """Return the rows of an embedding table."""
    tables = list(params) if isinstance(params, (list, tuple)) else [params]
    if len(tables) > 1:
        raise NotImplementedError("embedding_lookup over several tables is outside fastreg.compat.v1; tf.concat them")
    if max_norm is not None:
        raise NotImplementedError("embedding_lookup: max_norm is outside fastreg.compat.v1; tf.clip_by_norm what it returns")
    with name_scope(name, "embedding_lookup", [ids]) as scope:
        return identity(gather(tables[0], ids, name=scope), name=scope + "Identity/")


def concat(values: Any, axis: int, name: str = "concat") -> Any:
    """Return the tensors joined along `axis`."""
    if not isinstance(values, (list, tuple)):
        values = [values]
    if not values:
        raise ValueError("values must be a list of at least one tensor, got []")
    if len(values) == 1:
        with name_scope(name) as scope:
            return identity(values[0], name=f"{scope}{name}/")
    tensors = convert_list(values, "ConcatV2")
    along = as_whole(axis, "axis")
    scope = tensors[0].graph.unique_name(name) + "/"
    raws = [t.shape.raw for t in tensors]
    where = f"{_where('ConcatV2', scope[:-1], *tensors)}, [] and with computed input tensors: input[{len(raws)}] = <{along}>."
    for raw in raws:
        if raw is not None and not -len(raw) <= along < len(raw):
            raise ValueError(f"Shape must be at least rank {along + 1 if along >= 0 else -along} but is rank {len(raw)} {where}")
    known = [raw for raw in raws if raw is not None]
    for raw in known[1:]:
        rests = [[n for i, n in enumerate(r) if i != along % len(r)] for r in (known[0], raw)]
        for i, (p, q) in enumerate(zip(*rests, strict=False)):
            if None not in (p, q) and p != q:
                shapes = " and ".join(str(r).replace("None", "?").replace(" ", "") for r in rests)
                raise ValueError(f"Dimension {i} in both shapes must be equal, but are {p} and {q}. Shapes are {shapes}. {where}")

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        def part(i: int) -> Callable[..., Any]:
            def cut(a: Any, *like: Any) -> Any:
                start = sum(b.shape[along] for b in like[:i])
                return a[(*[np.s_[:]] * (along % a.ndim), np.s_[start : start + like[i].shape[along]])]

            return cut

        return [_cut(g, tensors, i, part(i), along) for i in builtins.range(len(tensors))]

    join = lambda *arrays: np.concatenate(arrays, along)  # noqa: E731
    return make("ConcatV2", scope, tensors, join, tensors[0].dtype.base_dtype, dry_run(join, *tensors), gradient)


def _cut(g: Tensor, tensors: list[Tensor], i: int, cut: Callable[..., Any], along: int) -> Any:
    """Return the part of a gradient that belongs to the tensor at place `i` of those that were joined."""

    def again(op: Operation, h: Tensor) -> list[Any]:
        return [concat([h if j == i else zeros_like(t) for j, t in enumerate(tensors)], along), *[None] * len(tensors)]

    return make("ConcatGrad", None, [g, *tensors], cut, g.dtype, tensors[i].shape, again)


def cumsum(x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Any:
    """Return the sums of the elements up to each one along an axis; without itself, or from the end."""
    t: Tensor = convert_to_tensor(x, name="x")

    def total(a: Any, from_the_end: bool) -> Any:
        a = np.flip(a, axis) if from_the_end else a
        out = np.cumsum(a, axis, a.dtype) - (a if exclusive else 0)
        return np.flip(out, axis) if from_the_end else out

    return rearranged(
        "Cumsum", t, name, lambda a: total(a, reverse), lambda a, like: total(a, not reverse), t.shape, undone="Cumsum"
    )
