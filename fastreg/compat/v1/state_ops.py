"""Operations that read and change a variable's array.

Know a variable by the cell that holds its array and by its operation, not how it is made or found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg import variables as core
from fastreg.compat.v1.common_shapes import mismatch, shown, shown_sizes
from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.errors import FailedPreconditionError, InvalidArgumentError
from fastreg.compat.v1.graph import Operand, make
from fastreg.compat.v1.tensor_shape import TensorShape


def read_cell(variable: Any) -> Any:
    """Return a variable's array, or say that it has none yet."""
    array, op = variable.cell[0], variable.op
    if array is None:
        raise FailedPreconditionError(op, f"Attempting to use uninitialized value {op.name}\n\t [[{{{{node {op.name}/read}}}}]]")
    return array


def _assignment(kind: str, combine: Callable[[Any, Any], Any] | None) -> Callable[..., Any]:
    def function(
        ref: Any, value: Any, validate_shape: bool | None = None, use_locking: bool | None = None, name: str | None = None
    ) -> Any:
        if not (isinstance(ref, core.Variable) and isinstance(ref, Operand)):
            raise TypeError(f"{kind}: ref must be a variable, not {ref!r}")
        target, cell = ref._as_graph_element(), ref.cell
        x = convert_to_tensor(value, target.dtype.base_dtype, name="value")
        if validate_shape is not False and (differ := mismatch(target, x)):
            raise ValueError(f"{differ} for {name or kind!r} (op: {kind!r}) with input shapes: {shown(target)}, {shown(x)}.")

        def compute(value: Any) -> Any:
            held = cell[0] if combine is None else read_cell(ref)
            if combine is not None:
                if value.shape != held.shape:
                    raise InvalidArgumentError(out.op, "Parameters and update must be the same size")
                value = combine(held, value)
            elif validate_shape is not False:
                shape = target.shape if held is None else TensorShape(held.shape)
                if not shape.is_compatible_with(value.shape):
                    lhs, rhs = shown_sizes(shape.raw), shown_sizes(value.shape)
                    message = f"Assign requires shapes of both tensors to match. lhs shape= {lhs} rhs shape= {rhs}"
                    raise InvalidArgumentError(out.op, message)
            if held is None or held.shape != value.shape:
                cell[0] = np.array(value, target.dtype.dtype, order="C")
            else:
                cell[0][...] = value
            return cell[0]

        out = make(kind, name, [x], compute, target.dtype, target.shape, writes=[ref.op.name])
        return out

    return function


assign = _assignment("Assign", None)
assign_add = _assignment("AssignAdd", np.add)
assign_sub = _assignment("AssignSub", np.subtract)
