"""One run of a session: the order in which operations are computed, and what they see of variables that others change.

An operation's stage is the number of writes to variables, one after the other, that it waits for. In each stage, the operations
that write nothing are computed first. Then the writes are made together: each gets its inputs as they were before any of them.
A variable is read when an operation that uses it is computed; a value, once computed, stays as it is. TensorFlow leaves all that
open.

Knows operations by their inputs, their functions and the flags `reads` and `writes`, and variables by the cells of their arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastreg.compat.v1.common_shapes import shown_sizes
from fastreg.compat.v1.errors import InvalidArgumentError
from fastreg.compat.v1.graph import Graph, Operation, Tensor


class Run:
    """The values of one run.

    Parameters
    ----------
    graph : Graph
        Its variables are read and written.
    fed : dict
        Values that are given, by operation.
    """

    def __init__(self, graph: Graph, fed: dict[Operation, Any]) -> None:
        self._cells, self._values = graph.cells, dict(fed)
        self._known = set(fed)
        self._plain: set[Operation] = set()  # those that may not be computed in their fused way

    def fetch(self, elements: Sequence[Tensor | Operation]) -> list[Any]:
        """Compute the elements, and return copies of the tensors' values as they were right then; None for an operation."""
        results: list[Any] = [None] * len(elements)
        places: dict[Operation, list[int]] = {}
        targets = [element.op if isinstance(element, Tensor) else element for element in elements]
        for i, element in enumerate(elements):
            if isinstance(element, Tensor):
                places.setdefault(element.op, []).append(i)
                if element.op in self._values:
                    results[i] = _copy(self._values[element.op])
        self._known.update(targets)
        stages = self._stages(targets)
        while overtaken := self._overtaken(stages):
            self._plain.update(overtaken)
            stages = self._stages(targets)

        def turn(op: Operation) -> tuple[int, bool]:
            return stages[op], bool(op.writes)

        order, done = sorted(stages, key=turn), 0
        for _, group in itertools.groupby(order, turn):
            together = list(group)
            done += len(together)
            settled = self._settled(together, order[done:]) if together[0].writes else {}
            for op in together:
                inputs, compute = self._way(op)
                value = _computed(op, compute, settled[op] if op.writes else [self._value(t.op) for t in inputs])
                value = value if value is None else np.asarray(value)
                if not op.reads:
                    self._values[op] = value
                for i in places.get(op, ()):
                    results[i] = _copy(value)
        return results

    def _way(self, op: Operation) -> tuple[list[Tensor], Callable[..., Any]]:
        """Return an operation's inputs and function: the fused ones, unless what they skip is fed or fetched."""
        if op.fused is not None and op not in self._plain and self._known.isdisjoint(op.fused.skipped):
            return op.fused.inputs, op.fused.compute
        return op.inputs, op.compute

    def _overtaken(self, stages: dict[Operation, int]) -> list[Operation]:
        """Return the fused steps whose variables another operation may change before it is their turn to read them."""
        writers = [op for op in stages if op.writes]
        return [
            op
            for op in writers
            if op.fused is not None
            and op not in self._plain
            and any(b is not op and stages[b] <= stages[op] and not b.writes.isdisjoint(op.fused.reads) for b in writers)
        ]

    def _stages(self, targets: list[Operation]) -> dict[Operation, int]:
        """Return the stages of the targets and of what they need, each operation after what it waits for."""
        stages: dict[Operation, int] = {}
        stack = targets[::-1]
        while stack:
            op = stack[-1]
            if op in stages or op in self._values:
                stack.pop()
                continue
            before = [b for b in [t.op for t in self._way(op)[0]] + op.control_inputs if not (b.reads or b in self._values)]
            if missing := [b for b in before if b not in stages]:
                stack += reversed(missing)
                continue
            stages[op] = max((stages[b] + bool(b.writes) for b in before), default=0)
            stack.pop()
        return stages

    def _value(self, op: Operation) -> Any:
        if op in self._values:
            return self._values[op]
        return np.asarray(_computed(op, op.compute, [self._value(t.op) for t in op.inputs]))

    def _settled(self, writers: list[Operation], later: list[Operation]) -> dict[Operation, list[Any]]:
        """Return the writers' arguments; copy, of these and of what later operations need, what shares a variable's memory."""
        owners = {id(_owner(cell[0])) for cell in self._cells if cell[0] is not None}

        def settled(op: Operation) -> Any:
            array = self._value(op)
            if id(_owner(array)) in owners:
                array = array.copy()
                if op in self._values:
                    self._values[op] = array
            return array

        for op in later:
            for t in self._way(op)[0]:
                if t.op in self._values:
                    settled(t.op)
        return {op: [settled(t.op) for t in self._way(op)[0]] for op in writers}


def _computed(op: Operation, compute: Callable[..., Any], arrays: Sequence[Any]) -> Any:
    """Return an operation's value. Where NumPy refuses the arrays, say which operation got them."""
    try:
        return compute(*arrays)
    except (ValueError, IndexError) as error:
        shapes = [shown_sizes(np.shape(a)) for a in arrays]
        what = str(error)
        if what.startswith("operands could not be broadcast together") and len(shapes) == 2:
            what = f"Incompatible shapes: {shapes[0]} vs. {shapes[1]}"
        where = f"for {op.name!r} (op: {op.type!r}) with input shapes: {', '.join(shapes)}"
        raise InvalidArgumentError(op, f"{what}\n\t {where}") from error


def _owner(array: Any) -> Any:
    """Return the array that owns the memory that `array` is a view of."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def _copy(value: Any) -> Any:
    array = np.array(value)
    return array[()] if array.ndim == 0 else array
