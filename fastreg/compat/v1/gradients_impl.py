"""tf.gradients: from a tensor back to what it is computed from, by the gradient of each operation on the way.

Knows no particular operation but those that sum what arrives on several paths.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

from fastreg.compat.v1.array_ops import concat
from fastreg.compat.v1.conversion import IndexedSlices, convert_to_tensor
from fastreg.compat.v1.graph import Operand, Operation, Tensor, name_scope, operation_of, rename
from fastreg.compat.v1.math_ops import cast, identity, ones_like, zeros_like
from fastreg.compat.v1.penalties import add_n


class UnconnectedGradients(enum.Enum):
    """What the gradient is where there is no way from the one to the other."""

    NONE = "none"
    ZERO = "zero"


def gradients(
    ys: Any, xs: Any, grad_ys: Any = None, name: str = "gradients", colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False, aggregation_method: Any = None, stop_gradients: Any = None,
    unconnected_gradients: Any = UnconnectedGradients.NONE,
) -> list[Any]:  # fmt: skip
    """Return the derivative of the sum of `ys` by each of `xs`, None where there is no way from the one to the other.

    A derivative by rows that gathers alone take is IndexedSlices.

    Raises
    ------
    LookupError
        If the way leads through a function that has no gradient here.
    """
    ys, xs = (list(v) if isinstance(v, (list, tuple)) else [v] for v in (ys, xs))
    tops = [convert_to_tensor(y) for y in ys]
    sources = [x._as_graph_element() if isinstance(x, Operand) else x for x in xs]
    given = [None] * len(tops) if grad_ys is None else list(grad_ys) if isinstance(grad_ys, (list, tuple)) else [grad_ys]
    if len(given) != len(tops):
        raise ValueError(f"Passed {len(given)} grad_ys for {len(tops)} ys")
    stops = {operation_of(s) for s in _listed(stop_gradients)}
    order = _upstream([y.op for y in tops])
    wanted = {x.op for x in sources}
    leads: set[Operation] = set()
    for op in order:
        if op in wanted or (op not in stops and any(t.op in leads for t in op.inputs)):
            leads.add(op)
    arrived: dict[Operation, list[Any]] = {}
    with name_scope(name, "gradients", tops):
        for i, (y, g) in enumerate(zip(tops, given, strict=True)):
            arrived.setdefault(y.op, []).append(
                ones_like(y, name="Fill")
                if g is None
                else g
                if isinstance(g, IndexedSlices)
                else convert_to_tensor(g, y.dtype.base_dtype, f"grad_ys_{i}")
            )
        for op in _downwards(tops, leads, stops):
            if len(arrived.get(op, ())) > 1:
                arrived[op] = [_sum(arrived[op])]
            if op not in arrived or op in stops or not any(t.op in leads for t in op.inputs):
                continue
            if op.gradient is None:
                if not op.outputs[0].dtype.is_floating:
                    continue
                raise LookupError(f"No gradient defined for operation {op.name!r} (op type: {op.type})")
            with op.graph.name_scope(op.gradient_scope or op.graph.get_name_scope() + "/"):
                g = arrived[op][0]
                g = g if op.type == "Identity" else convert_to_tensor(g)
                parts = op.gradient(op, g)
                if gate_gradients and sum(part is not None for part in parts) > 1:
                    parts = _named_as_tuple(parts, g)
                for t, part in zip(op.inputs, parts, strict=True):
                    if part is not None and t.op in leads:
                        arrived.setdefault(t.op, []).append(part)
    zero = UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO
    found = [arrived[x.op][0] if x.op in arrived and x.op in leads else None for x in sources]
    return [zeros_like(x) if zero and g is None else g for g, x in zip(found, sources, strict=True)]


def _listed(items: Any) -> Sequence[Any]:
    return [] if items is None else items if isinstance(items, (list, tuple)) else [items]


def _sum(parts: list[Any]) -> Any:
    """Return the sum of what arrived on several ways: of IndexedSlices alone, their rows one after the other.

    Gradients of penalties come last, for a step that forms them by itself adds them to the rest.
    """
    if not all(isinstance(part, IndexedSlices) for part in parts):
        tensors = [convert_to_tensor(part) for part in parts]
        return add_n(sorted(tensors, key=lambda t: t.op.differentiated is not None))
    values, indices = ([getattr(part, what) for part in parts] for what in ("values", "indices"))
    wide = [cast(i, "i8") for i in indices] if len({str(i.dtype) for i in indices}) > 1 else indices
    return IndexedSlices(concat(values, 0), concat(wide, 0), parts[0].dense_shape)


def _named_as_tuple(parts: list[Any], g: Any) -> list[Any]:
    """Give gradients the names that TensorFlow gives those that it computes together."""
    named = list(parts)
    for i, part in enumerate(parts):
        if isinstance(part, Tensor):
            name = part.graph.unique_name("tuple/control_dependency") + "/"
            alone = part is not g and len(part.op.outputs) == 1 and all(part is not other for other in parts[:i])
            named[i] = rename(part, name) if alone else identity(part, name=name)
    return named


def _downwards(tops: list[Tensor], leads: set[Operation], stops: set[Operation]) -> Iterator[Operation]:
    """Yield the operations that lead to the sources, each after all that use it, in TensorFlow's order."""
    users = Counter(t.op for op in leads - stops for t in op.inputs)
    queue = deque(op for op in dict.fromkeys(t.op for t in tops) if op in leads and not users[op])
    while queue:
        op = queue.popleft()
        yield op
        for t in op.inputs if op not in stops else ():
            users[t.op] -= 1
            if t.op in leads and not users[t.op]:
                queue.append(t.op)


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
