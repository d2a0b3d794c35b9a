"""Operations that only wait for others, and what depends on a condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.graph import Operand, Operation, Tensor, make, make_operation, name_scope, operation_of
from fastreg.compat.v1.math_ops import zeros_like


def group(*inputs: Any, name: str | None = None) -> Operation:
    """Return an operation that runs all of `inputs`."""
    flat: list[Any] = []
    for item in inputs:
        flat += list(item) if isinstance(item, (list, tuple)) else [item]
    for item in flat:
        if not isinstance(item, (Operand, Operation)) and not hasattr(item, "op"):
            raise TypeError(f"Expected tf.group() expected Tensor arguments not '{item}' with type '{type(item)}'")
    return make_operation("NoOp", name or "group_deps", [], lambda: None, [operation_of(item) for item in flat])


def no_op(name: str | None = None) -> Operation:
    """Return an operation that does nothing."""
    return make_operation("NoOp", name, [], lambda: None, [])


def constant_value(x: Any) -> Any:
    """Return the value that `x` has in every run, None if it is a tensor that may have several."""
    if not isinstance(x, Operand):
        return x
    op = operation_of(x)
    return op.compute() if op.type == "Const" else None


def smart_cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any], name: str = "cond") -> Any:
    """Return what one of two functions returns. If `pred` is a tensor, both results are computed and a run takes one."""
    known = constant_value(pred)
    if known is not None:
        return true_fn() if known else false_fn()
    with name_scope(name) as scope:
        return _chosen(pred, true_fn(), false_fn(), scope + "Merge/")


def _chosen(pred: Any, x: Any, y: Any, name: str | None = None) -> Any:
    def gradient(op: Operation, g: Tensor) -> list[Any]:
        nothing = zeros_like(g)
        return [None, _chosen(op.inputs[0], g, nothing), _chosen(op.inputs[0], nothing, g)]

    tensors = [convert_to_tensor(pred, np.bool_), x := convert_to_tensor(x), convert_to_tensor(y)]
    return make("Merge", name, tensors, lambda c, a, b: a if c else b, x.dtype.base_dtype, x.shape, gradient)
