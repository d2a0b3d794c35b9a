"""Operations without a value, which only wait for others.

Knows graphs alone.
"""

from __future__ import annotations

from typing import Any

from fastreg.compat.v1.graph import Operand, Operation, make_operation, operation_of


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
