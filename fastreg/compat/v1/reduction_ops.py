"""Sums, means, extremes and products over axes, with their gradients.

Float32 is summed in float64. Knows elementwise functions and shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastreg.compat.v1.array_ops import rearranged
from fastreg.compat.v1.common_shapes import Shape, shown
from fastreg.compat.v1.conversion import check_dtype, convert_to_tensor, either
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.graph import Operation, Tensor, as_outputs, make, name_scope
from fastreg.compat.v1.math_ops import exp
from fastreg.compat.v1.tensor_shape import as_whole

_NUMBERS = (
    "float32, float64, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, uint16, complex128, "
    "float16, uint32, uint64"
)


def _axes(axis: Any, rank: int | None) -> tuple[int, ...] | None:
    if axis is None:
        return None
    axes = tuple(as_whole(a, "axis") for a in (axis if hasattr(axis, "__iter__") else [axis]))
    return axes if rank is None else tuple(a + rank if a < 0 else a for a in axes)


def _reduced(shape: Shape, axes: tuple[int, ...] | None, keepdims: bool) -> Shape:
    if shape is None:
        return () if axes is None and not keepdims else None
    gone = range(len(shape)) if axes is None else axes
    if any(a >= len(shape) or a < 0 for a in gone):
        raise ValueError(f"Invalid reduction dimension {list(gone)} for input with {len(shape)} dimensions")
    return tuple(1 if i in gone else n for i, n in enumerate(shape) if keepdims or i not in gone)


def _spread_over(kind: str, x: Tensor, y: Tensor, g: Tensor, count: Callable[..., int]) -> Any:
    """Return `g`, whose axes that were summed have one element, for each element of `x`, divided by `count` of two sizes."""

    def compute(a: Any, like: Any, summed: Any) -> Any:
        n = count(like.size, summed.size)
        return np.broadcast_to(a if n == 1 else a / a.dtype.type(n), like.shape)

    def back(b: Any, small: Any, like: Any, summed: Any) -> Any:
        axes = tuple(i for i, n in enumerate(small.shape) if n != b.shape[i])
        return b.sum(axis=axes, keepdims=True) / b.dtype.type(count(like.size, summed.size))

    return rearranged(kind, g, None, compute, back, x.shape, [x, y])


def _sum_gradient(x: Any, y: Any, g: Any, spread: Callable[[Any], Any]) -> Any:
    return _spread_over("Tile", x, y, spread(g), lambda whole, summed: 1)


def _reduction(
    kind: str, compute: Callable[..., Any], gradient: Callable[..., Any] | None, dtype: Any = None, last: str = ""
) -> Any:
    def function(
        input_tensor: Any, axis: Any = None, keepdims: bool | None = None, name: str | None = None, reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Any:  # fmt: skip
        x = convert_to_tensor(input_tensor, name="input")
        if dtype is None:
            check_dtype(x, "input", _NUMBERS)
        axis = reduction_indices if axis is None else axis
        keep = bool(keepdims or keep_dims)
        axes = _axes(axis, x.shape.ndims)
        if axes is None:
            x.graph.unique_name("Const")  # TensorFlow makes a constant of the axes, which later names count
        reduced = _reduced(x.shape.raw, axes, True)

        def backward(op: Operation, g: Tensor) -> list[Any]:
            def spread(t: Tensor) -> Tensor:
                if keep:
                    return t
                kept = lambda a, like: a.reshape(_reduced(like.shape, axes, True))  # noqa: E731
                back = lambda b, small, like: b.reshape(small.shape)  # noqa: E731
                return rearranged("Reshape", t, None, kept, back, reduced, [x])  # type: ignore[no-any-return]

            return [gradient(x, op.outputs[0], g, spread)]  # type: ignore[misc]

        in_dtype_of_x = lambda a: np.asarray(compute(a, axis=axes, keepdims=keep)).astype(dtype or a.dtype, copy=False)  # noqa: E731
        shape = _reduced(x.shape.raw, axes, keep)
        scope = f"{x.graph.unique_name(name or kind)}/{last}/" if last else name or kind
        return make(kind, scope, [x], in_dtype_of_x, dtype or x.dtype.base_dtype, shape, backward if gradient else None)

    return function


def _wide(f: Callable[..., Any]) -> Callable[..., Any]:
    """Let `f` sum float32 in float64, so that the error does not grow with the size."""
    return lambda a, **kwargs: f(a, dtype=np.float64 if a.dtype.kind == "f" else a.dtype, **kwargs)


def _mean(a: Any, axis: Any, keepdims: bool) -> Any:
    if a.dtype.kind == "f":
        return np.mean(a, axis, np.float64, keepdims=keepdims)
    total = np.sum(a, axis, a.dtype, keepdims=keepdims)  # as TensorFlow's sum, it wraps in the dtype of `a`
    total = total.astype("u8" if a.dtype.kind == "u" else "i8")
    count = total.dtype.type(max(1, a.size // max(1, total.size)))
    down = total // count
    return down + ((total < 0) & (down * count != total))  # rounded towards 0, as in C


def _mean_gradient(x: Any, y: Any, g: Any, spread: Callable[[Any], Any]) -> Any:
    return _spread_over("truediv", x, y, spread(g), lambda whole, summed: whole // max(1, summed))


def _extreme_gradient(x: Any, y: Any, g: Any, spread: Callable[[Any], Any]) -> Any:
    def compute(a: Any, extreme: Any, gradient: Any) -> Any:
        hit = (a == extreme).astype(a.dtype)
        reduced = tuple(i for i, n in enumerate(extreme.shape) if n != a.shape[i])
        return hit * gradient / hit.sum(axis=reduced, keepdims=True)

    return make("ExtremeGrad", None, [x, spread(y), spread(g)], compute, g.dtype, x.shape)


def _prod_gradient(x: Any, y: Any, g: Any, spread: Callable[[Any], Any]) -> Any:
    """Return the gradient by the product of the other elements, which holds where some are 0."""

    def compute(a: Any, extreme: Any, gradient: Any) -> Any:
        reduced = [i for i, n in enumerate(extreme.shape) if n != a.shape[i]]
        front = np.moveaxis(a, reduced, range(len(reduced)))
        rows = front.reshape(-1, *front.shape[len(reduced) :])
        ones = np.ones_like(rows[:1])
        left = np.cumprod(np.concatenate([ones, rows[:-1]]), axis=0)
        right = np.cumprod(np.concatenate([ones, rows[:0:-1]]), axis=0)[::-1]
        return gradient * np.moveaxis((left * right).reshape(front.shape), range(len(reduced)), reduced)

    return make("ProdGrad", None, [x, spread(y), spread(g)], compute, g.dtype, x.shape)


def _logsumexp(a: Any, axis: Any, keepdims: bool) -> Any:
    top = np.max(a, axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(a.dtype)
    total = np.log(np.sum(np.exp(a - top), axis, np.float64, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis)


reduce_sum = _reduction("Sum", _wide(np.sum), _sum_gradient)
reduce_mean = _reduction("Mean", _mean, _mean_gradient)
reduce_max = _reduction("Max", np.max, _extreme_gradient)
reduce_min = _reduction("Min", np.min, _extreme_gradient)
reduce_prod = _reduction("Prod", np.prod, _prod_gradient)
reduce_logsumexp = _reduction("ReduceLogSumExp", _logsumexp, lambda x, y, g, spread: spread(g) * exp(x - spread(y)), last="Add")
reduce_any = _reduction("Any", np.any, None, np.dtype("?"))
reduce_all = _reduction("All", np.all, None, np.dtype("?"))


def _position(kind: str, find: Callable[..., Any]) -> Any:
    def function(
        input: Any, axis: int | None = None, name: str | None = None, dimension: int | None = None, output_type: Any = "i8"
    ) -> Any:
        x: Tensor = convert_to_tensor(input, name="input")
        check_dtype(x, "input", _NUMBERS)
        given, wanted = either("axis", axis, "dimension", dimension), as_dtype(output_type)
        along, rank = 0 if given is None else as_whole(given, "axis"), x.shape.ndims
        if rank is not None and not -rank <= along < rank:
            raise ValueError(
                f"Dimension ({along}) must be in the range [{-rank}, {rank}), where {rank} is the number of dimensions in the "
                f"input. for {name or kind!r} (op: {kind!r}) with input shapes: {shown(x)}, [] and with computed input tensors: "
                f"input[1] = <{along}>."
            )
        known = None if rank is None else _reduced(x.shape.raw, (along % rank,), False)
        compute = lambda a: find(a, along).astype(wanted.dtype)  # noqa: E731
        return make(kind, name or kind, [x], compute, wanted, known, lambda op, g: [None])

    function.__name__ = kind.lower()
    return function


argmax, argmin = _position("ArgMax", np.argmax), _position("ArgMin", np.argmin)


def in_top_k(predictions: Any, targets: Any, k: int, name: str | None = None) -> Any:
    """Say of each row whether fewer than `k` of its predictions are above that of the target's class."""
    with name_scope(name, "in_top_k") as scope:
        x, at = convert_to_tensor(predictions, name="predictions"), convert_to_tensor(targets, name="targets")
        check_dtype(at, "targets", "int32, int64")
        own_name = f"{scope}{name.rstrip('/').split('/')[-1] if name else 'InTopKV2'}"
        rows = [None if t.shape.raw is None else t.shape.raw[0] for t in (x, at)]
        if None not in rows and rows[0] != rows[1]:
            raise ValueError(
                f"Dimensions must be equal, but are {rows[0]} and {rows[1]} for {own_name!r} (op: 'InTopKV2') with input "
                f"shapes: {shown(x)}, {shown(at)}, []."
            )

        def compute(a: Any, i: Any) -> Any:
            inside = (i >= 0) & (i < a.shape[1])
            own = np.take_along_axis(a, np.where(inside, i, 0)[:, None], 1)
            return inside & ((a > own).sum(1) < k) & np.isfinite(a).all(1)

        return make("InTopKV2", own_name + "/", [x, at], compute, "?", at.shape, lambda op, g: [None, None])


class TopKV2(NamedTuple):
    """The largest elements of each row, and where they stand."""

    values: Any
    indices: Any


def top_k(input: Any, k: int = 1, sorted: bool = True, name: str | None = None) -> TopKV2:
    """Return the `k` largest elements along the last axis, and their places; of equal ones, the first come first."""
    x: Tensor = convert_to_tensor(input, name="input")
    scope = x.graph.unique_name(name or "TopKV2") + "/"
    known = None if x.shape.raw is None else (*x.shape.raw[:-1], as_whole(k, "k"))
    find = lambda a: np.argsort(-a, -1, kind="stable")[..., :k].astype(np.int32)  # noqa: E731
    places: Tensor = make("TopKV2", scope, [x], find, "i4", known, lambda op, g: [None])

    def back(a: Any, like: Any, i: Any) -> Any:
        out = np.zeros(like.shape, a.dtype)
        np.put_along_axis(out, i, a, -1)
        return out

    values = rearranged("TopKV2", x, scope, lambda a, i: np.take_along_axis(a, i, -1), back, known, [places])
    return TopKV2(*as_outputs([values, places]))
