"""Sums, means, extremes and products over axes, with their gradients.

Float32 is summed in float64. Knows elementwise functions and shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.compat.v1.array_ops import size
from fastreg.compat.v1.common_shapes import Shape
from fastreg.compat.v1.conversion import check_dtype, convert_to_tensor
from fastreg.compat.v1.graph import Operation, Tensor, make
from fastreg.compat.v1.math_ops import cast, maximum

_NUMBERS = (
    "float32, float64, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, uint16, complex128, "
    "float16, uint32, uint64"
)


def _axes(axis: Any, rank: int | None) -> tuple[int, ...] | None:
    if axis is None:
        return None
    axes = tuple(int(a) for a in (axis if hasattr(axis, "__iter__") else [axis]))
    return axes if rank is None else tuple(a + rank if a < 0 else a for a in axes)


def _reduced(shape: Shape, axes: tuple[int, ...] | None, keepdims: bool) -> Shape:
    if shape is None:
        return () if axes is None and not keepdims else None
    gone = range(len(shape)) if axes is None else axes
    if any(a >= len(shape) or a < 0 for a in gone):
        raise ValueError(f"Invalid reduction dimension {list(gone)} for input with {len(shape)} dimensions")
    return tuple(1 if i in gone else n for i, n in enumerate(shape) if keepdims or i not in gone)


def _sum_gradient(x: Any, y: Any, g: Any, spread: Callable[[Any], Any]) -> Any:
    return make("Tile", None, [spread(g), x], lambda a, like: np.broadcast_to(a, like.shape), g.dtype, x.shape)


def _reduction(kind: str, compute: Callable[..., Any], gradient: Callable[..., Any] | None, dtype: Any = None) -> Any:
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
                back = lambda a, like: a.reshape(_reduced(like.shape, axes, True))  # noqa: E731
                return make("Reshape", None, [t, x], back, t.dtype, reduced)  # type: ignore[no-any-return]

            return [gradient(x, op.outputs[0], g, spread)]  # type: ignore[misc]

        in_dtype_of_x = lambda a: np.asarray(compute(a, axis=axes, keepdims=keep)).astype(dtype or a.dtype, copy=False)  # noqa: E731
        shape = _reduced(x.shape.raw, axes, keep)
        return make(kind, name or kind, [x], in_dtype_of_x, dtype or x.dtype.base_dtype, shape, backward if gradient else None)

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
    count = cast(size(x), g.dtype) / maximum(cast(size(y), g.dtype), 1)
    return _sum_gradient(x, y, g, spread) / count


def _extreme_gradient(x: Any, y: Any, g: Any, spread: Callable[[Any], Any]) -> Any:
    def compute(a: Any, extreme: Any, gradient: Any) -> Any:
        hit = (a == extreme).astype(a.dtype)
        reduced = tuple(i for i, n in enumerate(extreme.shape) if n != a.shape[i])
        return hit * gradient / hit.sum(axis=reduced, keepdims=True)

    return make("ExtremeGrad", None, [x, spread(y), spread(g)], compute, g.dtype, x.shape)


reduce_sum = _reduction("Sum", _wide(np.sum), _sum_gradient)
reduce_mean = _reduction("Mean", _mean, _mean_gradient)
reduce_max = _reduction("Max", np.max, _extreme_gradient)
reduce_min = _reduction("Min", np.min, _extreme_gradient)
reduce_prod = _reduction("Prod", np.prod, None)
reduce_any = _reduction("Any", np.any, None, np.dtype("?"))
reduce_all = _reduction("All", np.all, None, np.dtype("?"))
