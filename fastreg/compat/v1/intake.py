"""How an optimizer's step takes its gradients: whole, or as a sum of which the core's rule forms the last part itself.

The gradient of ``data_loss + tf.add_n(regularization_losses)`` is such a sum: its last part is the gradient of a penalty. The
rule gets the penalty as a term and forms its gradient while it updates the weights, without passes over memory of its own. That
changes no bit, so it is done wherever such a sum came from. A gradient that was clipped or scaled before it is applied is no such
sum.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from fastreg.compat.v1.conversion import IndexedSlices
from fastreg.compat.v1.graph import Operation, Tensor
from fastreg.compat.v1.penalties import times
from fastreg.compat.v1.state_ops import read_cell
from fastreg.compat.v1.variables import Variable
from fastreg.terms import RegularizationLoss


class Taken(NamedTuple):
    """A gradient as the core's rule takes it: an array, the rows that it is of, and a term whose gradient the rule adds."""

    gradient: Any
    rows: Any = None
    term: RegularizationLoss | None = None


class Whole:
    """A gradient that is computed before the step."""

    reads: Sequence[str] = ()
    skipped: Sequence[Operation] = ()

    def __init__(self, gradient: Any) -> None:
        self.inputs = [gradient.values, gradient.indices] if isinstance(gradient, IndexedSlices) else [gradient]

    def take(self, arrays: Iterator[Any]) -> Taken:
        """Take its inputs' values from `arrays`."""
        return Taken(*itertools.islice(arrays, len(self.inputs)))


class Folded:
    """A gradient that is the sum of `parts` and of a penalty's gradient by `variable`."""

    def __init__(self, variable: Variable, parts: list[Tensor], penalty: Operation, skipped: list[Operation]) -> None:
        self._variable, self._penalty, self._n_parts = variable, penalty, len(parts)
        self.inputs = [*parts, penalty.inputs[1]]
        self.reads, self.skipped = [variable.op.name], [*skipped, variable.op, variable.value().op]

    def take(self, arrays: Iterator[Any]) -> Taken:
        """Take its inputs' values from `arrays`. The penalty is a term, if the kernels can compute its multiple."""
        first, *others = itertools.islice(arrays, self._n_parts)
        gradient, factor = sum(others, start=first), next(arrays)
        assert self._penalty.differentiated is not None
        regularizer = times(self._penalty.differentiated, float(factor))
        if regularizer is None:
            return Taken(gradient + self._penalty.compute(read_cell(self._variable), factor))
        return Taken(gradient, term=RegularizationLoss(self._variable, regularizer, self._penalty.name))


def fold(gradient: Any, variable: Variable, step: Operation) -> Whole | Folded:
    """Return a gradient with the penalty taken out of it: the last part of the sum, or one of two, whose order changes no bit."""
    if not isinstance(gradient, Tensor) or gradient.op.type != "AddN" or gradient.dtype.base_dtype.name == "float16":
        return Whole(gradient)
    parts = gradient.op.inputs
    for i in (1, 0) if len(parts) == 2 else (len(parts) - 1,):
        penalty = parts[i].op
        if penalty.differentiated is None or penalty.inputs[0] is not variable.value():
            continue
        if {*gradient.op.control_inputs, *penalty.control_inputs} <= set(step.control_inputs):
            return Folded(variable, parts[:i] + parts[i + 1 :], penalty, [gradient.op, penalty])
    return Whole(gradient)
