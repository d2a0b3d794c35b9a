"""tf.gradients: from a tensor back to what it is computed from, by the gradient of each operation on the way.

Knows no particular operation but add_n, which sums what arrives on several paths.
"""

from __future__ import annotations

from typing import Any

from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.graph import Operand, Operation, Tensor, name_scope, operation_of
from fastreg.compat.v1.math_ops import ones_like
from fastreg.compat.v1.penalties import add_n


def gradients(
    ys: Any, xs: Any, grad_ys: Any = None, name: str = "gradients", colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False, aggregation_method: Any = None, stop_gradients: Any = None,
) -> list[Any]:  # fmt: skip
    """Return the derivative of the sum of `ys` by each of `xs`, None where there is no way from the one to the other.

    Raises
    ------
    LookupError
        If the way leads through a function that has no gradient here.
    """
    ys, xs = (list(v) if isinstance(v, (list, tuple)) else [v] for v in (ys, xs))
    tops = [convert_to_tensor(y) for y in ys]
    sources = [x._as_graph_element() if isinstance(x, Operand) else x for x in xs]
    given = list(grad_ys) if isinstance(grad_ys, (list, tuple)) else [grad_ys] * len(tops)
    stops = {operation_of(s) for s in stop_gradients or ()}
    order = _upstream([y.op for y in tops])
    wanted = {x.op for x in sources}
    leads: set[Operation] = set()
    for op in order:
        if op in wanted or (op not in stops and any(t.op in leads for t in op.inputs)):
            leads.add(op)
    arrived: dict[Operation, list[Tensor]] = {}
    with name_scope(name, "gradients", tops):
        for y, g in zip(tops, given, strict=True):
            arrived.setdefault(y.op, []).append(
                ones_like(y, name="Fill") if g is None else convert_to_tensor(g, y.dtype.base_dtype)
            )
        for op in reversed(order):
            if op not in leads or op not in arrived:
                continue
            if len(arrived[op]) > 1:
                arrived[op] = [add_n(arrived[op])]
            if op in stops or not any(t.op in leads for t in op.inputs):
                continue
            if op.gradient is None:
                raise LookupError(f"No gradient defined for operation {op.name!r} (op type: {op.type})")
            with op.graph.name_scope(op.gradient_scope or op.graph.get_name_scope() + "/"):
                for t, g in zip(op.inputs, op.gradient(op, arrived[op][0]), strict=True):
                    if g is not None and t.op in leads:
                        arrived.setdefault(t.op, []).append(g)
    return [arrived[x.op][0] if x.op in arrived and x.op in leads else None for x in sources]


def _upstream(ops: list[Operation]) -> list[Operation]:
    """Return all that `ops` are computed from, each after its inputs."""
    order: dict[Operation, None] = {}
    todo = [(op, False) for op in ops]
    while todo:
        op, ready = todo.pop()
        if op in order:
            continue
        if ready:
            order[op] = None
        else:
            todo.append((op, True))
            todo += [(t.op, False) for t in op.inputs if t.op not in order]
    return list(order)
