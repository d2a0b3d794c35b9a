"""tf.train.ExponentialMovingAverage: shadows of variables and tensors that follow them with a decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastreg.compat.v1.array_ops import zeros
from fastreg.compat.v1.control_flow_ops import group
from fastreg.compat.v1.conversion import constant, convert_to_tensor
from fastreg.compat.v1.graph import Operation, get_default_graph, name_scope
from fastreg.compat.v1.init_ops import zeros_initializer
from fastreg.compat.v1.math_ops import cast, minimum, pow
from fastreg.compat.v1.scopes import get_variable, variable_scope
from fastreg.compat.v1.slot_creator import create_slot
from fastreg.compat.v1.state_ops import assign, assign_add, assign_sub
from fastreg.compat.v1.variables import Variable
from fastreg.graph import GraphKeys, get_collection
from fastreg.terms import plain_name
from fastreg.variables import global_variables, trainable_variables


def rest_of(decay: Any) -> Any:
    """Return 1 - `decay`."""
    try:
        return 1.0 - decay
    except OverflowError:
        raise ValueError(f"decay must be a number that float64 holds, got {decay!r}") from None


def assign_moving_average(variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None) -> Any:
    """Return the tensor of a variable after it has moved towards `value` by the fraction 1 - `decay`.

    With `zero_debias` the variable, which must start at 0, is divided by 1 - decay ** n after the n-th move.
    """
    with name_scope(name, "AssignMovingAvg", [variable, value, decay]) as scope:
        fraction = cast(convert_to_tensor(rest_of(decay), name="decay"), variable.dtype.base_dtype)
        if not zero_debias:
            return assign_sub(variable, (variable - value) * fraction, name=scope)
        with variable_scope(variable.op.name):
            known = {plain_name(v.name) for v in global_variables()}

            def unique(base: str) -> str:
                taken = (name for name in known if name.startswith(f"{variable.op.name}/{base}"))
                return f"{base}_{n}" if (n := len(list(taken))) else base

            kind = variable.dtype.base_dtype
            biased = get_variable(unique("biased"), variable.shape, kind, zeros_initializer(), trainable=False)
            local_step = get_variable(unique("local_step"), [], kind, zeros_initializer(), trainable=False)
        moved = assign_sub(biased, (biased - value) * fraction)
        steps = assign_add(local_step, constant(1.0, kind))
        return assign(variable, moved / (1 - pow(1.0 - fraction, steps)), name=scope)


class ExponentialMovingAverage:
    """Keeps an average of each variable: average = decay * average + (1 - decay) * variable at every run of `apply`'s operation.

    Parameters
    ----------
    decay : float or Tensor
    num_updates : int, Variable or Tensor, optional
        The decay is at most (1 + num_updates) / (10 + num_updates) then, so that the average moves fast at first.
    zero_debias : bool
        Whether averages of tensors, which start at 0, are corrected for that.
    name : str
    """

    def __init__(
        self, decay: Any, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage"
    ) -> None:
        self._decay, self._num_updates, self._zero_debias, self.name = decay, num_updates, zero_debias, name
        self._averages: dict[Any, Variable] = {}

    def apply(self, var_list: Sequence[Any] | None = None) -> Operation:
        """Return an operation that moves the averages of the variables or tensors, by default of the trainable variables."""
        followed = trainable_variables() if var_list is None else list(var_list)
        corrected: set[Any] = set()
        for v in followed:
            if not v.dtype.base_dtype.is_floating:
                raise TypeError(f"The variables must be half, float, or double: {v.name}")
            if v in self._averages:
                continue
            with get_default_graph().control_dependencies(None):
                if isinstance(v, Variable):
                    self._averages[v] = create_slot(v, v.initialized_value(), self.name)
                    get_default_graph().add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, v)
                else:
                    self._averages[v] = create_slot(v, zeros(v.shape, v.dtype), self.name)
                    corrected |= {v} if self._zero_debias else set()
        with name_scope(self.name) as scope:
            decay = convert_to_tensor(self._decay, name="decay")
            if self._num_updates is not None:
                updates = cast(self._num_updates, "f4", name="num_updates")
                decay = minimum(decay, (1.0 + updates) / (10.0 + updates))
            return group(*[assign_moving_average(self._averages[v], v, decay, v in corrected) for v in followed], name=scope)

    def average(self, var: Any) -> Variable | None:
        """Return the variable that holds the average of `var`, None if there is none."""
        return self._averages.get(var)

    def average_name(self, var: Any) -> str:
        """Return the name of the average of `var`, also if there is none yet."""
        if var in self._averages:
            return str(self._averages[var].op.name)
        return get_default_graph().unique_name(f"{var.op.name}/{self.name}", mark_as_used=False)

    def variables_to_restore(self, moving_avg_variables: Sequence[Any] | None = None) -> dict[str, Any]:
        """Return what a Saver takes to restore variables from their averages, where they have one."""
        if moving_avg_variables is None:
            moving_avg_variables = trainable_variables() + get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES)
        found = {self.average_name(v): v for v in moving_avg_variables}
        followed = {v.name for v in moving_avg_variables}
        return {plain_name(v.name): v for v in global_variables() if v.name not in followed} | found


def moving_average_variables(scope: str | None = None) -> list[Any]:
    """Return the default graph's variables that have a moving average."""
    return get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)
