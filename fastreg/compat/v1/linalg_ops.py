"""Matrix products and norms.

Knows elementwise functions, reductions and penalties.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastreg.compat.v1.array_ops import diag_part
from fastreg.compat.v1.common_shapes import dry_run, shown
from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.graph import Operation, Tensor, make, name_scope
from fastreg.compat.v1.math_ops import abs, sqrt
from fastreg.compat.v1.penalties import add_n, l2_loss
from fastreg.compat.v1.reduction_ops import reduce_max, reduce_sum


def matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False, adjoint_b: bool = False,
    a_is_sparse: bool = False, b_is_sparse: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Return the matrix product."""
    x = convert_to_tensor(a, name="a")
    y = convert_to_tensor(b, x.dtype.base_dtype, name="b")
    left, right = transpose_a or adjoint_a, transpose_b or adjoint_b

    def flip(m: Any, yes: bool) -> Any:
        return np.swapaxes(m, -1, -2) if yes else m

    known = None
    if x.shape.raw is not None and y.shape.raw is not None:
        (n, k), (m, p) = x.shape.raw[-2:][:: -1 if left else 1], y.shape.raw[-2:][:: -1 if right else 1]
        if k is not None and m is not None and k != m:
            raise ValueError(
                f"Dimensions must be equal, but are {k} and {m} for {name or 'MatMul'!r} (op: 'MatMul') with input shapes: "
                f"{shown(x)}, {shown(y)}."
            )
        known = (*x.shape.raw[:-2], n, p)

    def gradient(op: Operation, g: Tensor) -> list[Tensor]:
        gx = matmul(y, g, right, True) if left else matmul(g, y, False, not right)
        gy = matmul(g, x, True, left) if right else matmul(x, g, not left, False)
        return [gx, gy]

    return make(
        "MatMul",
        name or "MatMul",
        [x, y],
        lambda p, q: np.matmul(flip(p, left), flip(q, right)),
        x.dtype.base_dtype,
        known,
        gradient,
    )


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Any:
    """Return the product over the given axes."""
    x, y = convert_to_tensor(a), convert_to_tensor(b)
    f = lambda p, q: np.tensordot(p, q, axes)  # noqa: E731
    return make("Tensordot", name, [x, y], f, x.dtype.base_dtype, dry_run(f, x, y))


def trace(x: Any, name: str | None = None) -> Any:
    """Return the sum of the diagonal."""
    return reduce_sum(diag_part(x), name=name or "Trace")


def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None, name: str | None = None) -> Any:
    """Return the Euclidean, the 1- or the largest-element norm."""
    with name_scope(name, "norm", [tensor]) as scope:
        last = scope if keepdims else scope + "Squeeze/"
        x: Any = convert_to_tensor(tensor)
        if ord in ("euclidean", 2, "fro"):
            return sqrt(reduce_sum(x * x, axis, keepdims), name=last)
        if ord == 1:
            return reduce_sum(abs(x), axis, keepdims, name=last)
        if ord == np.inf:
            return reduce_max(abs(x), axis, keepdims, name=last)
        raise NotImplementedError(f"norm: ord must be 'euclidean', 1, 2 or inf in fastreg.compat.v1, not {ord!r}")


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Any:
    """Return the norm of all tensors as one vector."""
    with name_scope(name, "global_norm"):
        return sqrt(2.0 * add_n([l2_loss(t) for t in t_list if t is not None]), name="global_norm")
