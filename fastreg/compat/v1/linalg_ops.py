"""Matrix products and norms.

Knows elementwise functions and reductions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastreg.compat.v1.array_ops import diag_part
from fastreg.compat.v1.common_shapes import broadcast_shapes, dry_run, shown
from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.errors import InvalidArgumentError
from fastreg.compat.v1.graph import Operand, Operation, Tensor, make, name_scope
from fastreg.compat.v1.math_ops import abs, check_operands, sqrt, summed_to
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

    scope = f"{x.graph.unique_name(name or 'MatMul')}/"
    known, where = None, f"for {scope[:-1]!r} (op: 'MatMul') with input shapes: {shown(x)}, {shown(y)}."
    for t in (x, y):
        if t.shape.raw is not None and len(t.shape.raw) < 2:
            raise ValueError(f"Shape must be rank 2 but is rank {len(t.shape.raw)} {where}")
    if x.shape.raw is not None and y.shape.raw is not None:
        (n, k), (m, p) = x.shape.raw[-2:][:: -1 if left else 1], y.shape.raw[-2:][:: -1 if right else 1]
        if k is not None and m is not None and k != m:
            raise ValueError(f"Dimensions must be equal, but are {k} and {m} {where}")
        batch = broadcast_shapes(x.shape.raw[:-2], y.shape.raw[:-2], where)
        known = (*batch, n, p)
    check_operands("MatMul", x, y)

    def gradient(op: Operation, g: Tensor) -> list[Tensor]:
        gx = matmul(y, g, right, True) if left else matmul(g, y, False, not right)
        gy = matmul(g, x, True, left) if right else matmul(x, g, not left, False)
        return [summed_to(gx, x), summed_to(gy, y)] if x.shape.ndims != 2 or y.shape.ndims != 2 else [gx, gy]

    def compute(p: Any, q: Any) -> Any:
        try:
            return np.matmul(flip(p, left), flip(q, right))
        except ValueError:
            pair = f"In[0]: {list(p.shape)}, In[1]: {list(q.shape)}".replace(", ", ",").replace(",In", ", In")
            raise InvalidArgumentError(out.op, f"Matrix size-incompatible: {pair}") from None

    out = make("MatMul", scope, [x, y], compute, x.dtype.base_dtype, known, gradient)
    return out


setattr(Operand, "__matmul__", lambda x, y: matmul(x, y, name="matmul"))  # noqa: B010
setattr(Operand, "__rmatmul__", lambda x, y: matmul(y, x, name="matmul"))  # noqa: B010


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Any:
    """Return the product over the given axes: so many of the last of `a` and the first of `b`, or two lists."""
    x, y = convert_to_tensor(a), convert_to_tensor(b)

    def sides(p: Any, q: Any) -> tuple[list[int], list[int], list[int], list[int]]:
        """Return of each array the axes that stay and those that are summed over, in pairs."""
        if isinstance(axes, (int, np.integer)):
            mine, its = list(range(p.ndim - int(axes), p.ndim)), list(range(int(axes)))
        else:
            mine, its = ([int(i) % t.ndim for i in np.ravel(part)] for part, t in zip(axes, (p, q), strict=True))
        return [i for i in range(p.ndim) if i not in mine], mine, [i for i in range(q.ndim) if i not in its], its

    def by_left(g: Any, p: Any, q: Any) -> Any:
        stay, mine, other, its = sides(p, q)
        product = np.tensordot(g, q, (range(len(stay), g.ndim), other))
        return product.transpose(np.argsort([*stay, *(mine[i] for i in np.argsort(its))]))

    def by_right(g: Any, p: Any, q: Any) -> Any:
        stay, mine, other, its = sides(p, q)
        product = np.tensordot(p, g, (stay, range(len(stay))))
        return product.transpose(np.argsort([*(its[i] for i in np.argsort(mine)), *other]))

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        return [make("MatMul", None, [g, x, y], f, g.dtype, t.shape) for f, t in ((by_left, x), (by_right, y))]

    f = lambda p, q: np.tensordot(p, q, axes)  # noqa: E731
    return make("Tensordot", name, [x, y], f, x.dtype.base_dtype, dry_run(f, x, y), gradient)


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
