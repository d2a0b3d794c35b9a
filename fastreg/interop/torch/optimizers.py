"""torch's optimizers with fastreg's step: their arguments, formulas and state, in one pass over memory for all parameters.

Each class is a subclass of torch's of the same name, from which it has its arguments and their checks, parameter groups, hooks
and `state_dict`. Its `step` is another. A step keeps a record of each parameter, which is made anew when the parameter or its
state lies elsewhere than at the last step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.autograd.graph import increment_version

from fastreg.interop.torch.tensors import array_of, local
from fastreg.kernels import Entry, State, Step, have_custom, memory_of, owners_of
from fastreg.optim.hyperparameters import power
from fastreg.terms import Array, RegularizationLoss, Total, add_custom, live_terms

REFUSED = {
    "amsgrad": "the step keeps no maximum of the second moments",
    "capturable": "the step is not on a device whose graph could capture it",
    "differentiable": "autograd does not see the step",
    "dampening": "the step has none",
}


class Plan(NamedTuple):
    """What a rule does to a parameter in one step."""

    rule: str
    constants: dict[str, float]
    rate: float
    decay: float = 0.0
    l2: float = 0.0


class Record:
    """A parameter and its state, and the arrays over their memory.

    Attributes
    ----------
    new : dict of str to Tensor
        What the state lacks, and gets when the step is done.
    count : memoryview or None
        Of no dimensions: the steps done.
    """

    __slots__ = ("count", "name", "new", "parameter", "pointer", "shape", "slots", "state", "tensors", "weights")

    def __init__(
        self, parameter: torch.Tensor, name: str, state: dict[str, Any] | None, counts: bool, slots: Mapping[str, float]
    ) -> None:
        self.parameter, self.name, self.state = parameter, name, state
        self.pointer, self.shape, self.weights = local(parameter).data_ptr(), parameter.shape, array_of(parameter, name)
        found, self.new = state or {}, {}
        if counts and "step" not in found:
            self.new["step"] = torch.zeros((), dtype=torch.promote_types(torch.float32, torch.get_default_dtype()))
        for key, value in slots.items():
            if key not in found:
                self.new[key] = torch.full_like(parameter.detach(), value, memory_format=torch.preserve_format)
        self.tensors = {key: self.new[key] if key in self.new else found[key] for key in ["step"] * counts + list(slots)}
        arrays = {key: array_of(tensor, name, f"{key} of ") for key, tensor in self.tensors.items()}
        self.count: Any = arrays.pop("step").data if counts else None  # NumPy would take ten times as long to count
        self.slots = tuple(arrays.values())

    def fits(self, state: dict[str, Any] | None, n_slots: int) -> bool:
        """Tell whether parameter and state are where they were."""
        parameter, slots = self.parameter, self.slots
        if local(parameter).data_ptr() != self.pointer or parameter.shape != self.shape:
            return False
        if state is not self.state or len(slots) != n_slots:
            return False
        if state is not None:
            for key, tensor in self.tensors.items():
                if state.get(key) is not tensor:
                    return False
        return True

    def entry(self, gradient: torch.Tensor, factor: float, plan: Plan) -> Entry:
        """Return what the step does to the parameter."""
        given = array_of(gradient, self.name, "gradient of ")
        entry = Entry(self.name, self.weights, given if factor == 1 else np.asarray(given * given.dtype.type(factor)))
        entry.slots, entry.rate, entry.decay, entry.l2 = self.slots, plan.rate, plan.decay, plan.l2
        return entry


class _Folded(torch.optim.Optimizer):
    """What the rules share. A rule says which slots it has, and what it does at a parameter's t-th step."""

    _step_supports_amp_scaling = True
    _counts = True

    def __init__(
        self, params: Any, *args: Any, regularization: Sequence[RegularizationLoss] | Total | None = None, **options: Any
    ):
        self._records: dict[int, Record] = {}
        self.regularization = regularization
        self.regularization_loss = 0.0
        super().__init__(params, *args, **options)

    def _slots(self, group: dict[str, Any]) -> dict[str, float]:
        """Return the initial values of the slots, by their names and in the order of the compiled rule."""
        raise NotImplementedError

    def _plan(self, group: dict[str, Any], t: int) -> Plan:
        """Return what the t-th step is, counted from 1."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return state | {"regularization": self.regularization, "regularization_loss": self.regularization_loss}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._records = {}
        super().__setstate__(state)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, as torch's optimizers do."""
        self._check(self.defaults | param_group)
        super().add_param_group(param_group)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the result of `state_dict` of this class or of torch's class of the same name."""
        for group in state_dict["param_groups"]:
            self._check(group)
        super().load_state_dict(state_dict)

    def _check(self, group: dict[str, Any]) -> None:
        for name, reason in REFUSED.items():
            if group.get(name):
                raise ValueError(f"{type(self).__name__} of fastreg takes no {name}={group[name]!r}: {reason}; torch's own does")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do one step for all parameters that have a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the gradients and returns the loss.

        Returns
        -------
        Tensor or None
            What the closure returns.

        Raises
        ------
        TypeError, ValueError
            If a parameter, a gradient or a term cannot be used as it is; nothing has been changed then.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # A gradient scaler hands these over as attributes for the time of the step.
        scale, found_inf = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
        if found_inf is None or not found_inf.item():
            self._step(1.0 if scale is None else 1.0 / float(scale))
        return loss

    def _step(self, scale: float) -> None:
        found, records = self._records, []
        parts: dict[tuple[Any, ...], list[Entry]] = {}  # the entries with one rule and the same constants
        for i, group in enumerate(self.param_groups):
            self._check(group)
            slots = self._slots(group)
            plans: dict[float, tuple[Plan, list[Entry]]] = {}
            factor = -scale if group["maximize"] else scale
            for j, parameter in enumerate(group["params"]):
                gradient = parameter.grad
                if gradient is None:
                    continue
                record = found.get(id(parameter))
                if record is None or not record.fits(self.state.get(parameter), len(slots)):
                    record = found[id(parameter)] = Record(
                        parameter, _name(group, i, j), self.state.get(parameter), self._counts, slots
                    )
                t = 0 if record.count is None else int(record.count[()]) + 1
                if t not in plans:
                    plan = self._plan(group, t)
                    plans[t] = plan, parts.setdefault((plan.rule, *plan.constants.items()), [])
                plan, entries = plans[t]
                entries.append(record.entry(gradient, factor, plan))
                records.append(record)
        if not records:
            return
        terms, constants = ([], []) if self.regularization is None else live_terms(self.regularization)
        values = _add_custom(terms, [entry for entries in parts.values() for entry in entries]) if have_custom(terms) else []
        shares = _share(terms, list(parts.values()))
        title = type(self).__name__
        steps = [
            Step(rule, dict(own), entries, share, None, False, title)
            for ((rule, *own), entries), share in zip(parts.items(), shares, strict=True)
        ]
        total = sum(float(step.commit(State(), {})) for step in steps)
        for record in records:
            if record.new:
                record.state = self.state[record.parameter]
                record.state.update(record.new)
                record.new = {}
            if record.count is not None:
                record.count[()] += 1
        self.regularization_loss = sum([*values, *constants], start=total)
        increment_version([record.parameter for record in records])


def _name(group: dict[str, Any], i: int, j: int) -> str:
    return str(group["param_names"][j]) if "param_names" in group else f"parameter {j} of group {i}"


def _share(terms: list[RegularizationLoss], parts: list[list[Entry]]) -> list[list[RegularizationLoss]]:
    """Return for each part the terms over its variables; the first has those over variables that are not updated."""
    if len(parts) == 1 or not terms:
        return [terms, *([] for _ in parts[1:])]
    owners = {memory_of(entry.weights): i for i, entries in enumerate(parts) for entry in entries}
    shares: list[list[RegularizationLoss]] = [[] for _ in parts]
    for term in terms:
        shares[owners.get(memory_of(term.weights), 0)].append(term)
    return shares


def _add_custom(terms: list[RegularizationLoss], entries: list[Entry]) -> list[float]:
    """Add users' own gradients to copies of the given ones, and return the values."""
    owners = {id(term): entries[i] for term, i in zip(terms, owners_of(entries, terms), strict=True) if i >= 0}
    copied: set[int] = set()

    def total_of(term: RegularizationLoss) -> Array | None:
        entry = owners.get(id(term))
        if entry is not None and id(entry) not in copied:
            entry.gradient = entry.gradient.copy()
            copied.add(id(entry))
        return None if entry is None else entry.gradient

    return add_custom(terms, total_of)


class _Adam(_Folded):
    def _slots(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def _plan(self, group: dict[str, Any], t: int) -> Plan:
        rate, strength = float(group["lr"]), float(group["weight_decay"])
        beta1, beta2 = map(float, group["betas"])
        root = math.sqrt(1 - power(beta2, t))
        constants = {"beta1": beta1, "beta2": beta2, "epsilon": group["eps"] * root}
        decoupled = group.get("decoupled_weight_decay", isinstance(self, torch.optim.AdamW))  # before torch 2.7 it is not there
        return Plan(
            "adam",
            constants,
            rate * root / (1 - power(beta1, t)),
            decay=rate * strength if decoupled else 0.0,
            l2=0.0 if decoupled else strength,
        )


class Adam(_Adam, torch.optim.Adam):
    """`torch.optim.Adam`, its arguments and its state.

    Parameters
    ----------
    *args, **options
        torch's. `foreach` and `fused` change nothing: the step is one pass for all parameters. `amsgrad`, `capturable` and
        `differentiable` are refused.
    regularization : list of RegularizationLoss, or Total, optional
        What :func:`regularize` returns. Its gradients are added in the step; it is an attribute too, and may be set.

    Attributes
    ----------
    regularization_loss : float
        The sum of the terms before the last step.
    """


class AdamW(_Adam, torch.optim.AdamW):
    """`torch.optim.AdamW`, its arguments and its state: at each step lr * weight_decay is taken off the weights first.

    Parameters and attributes are those of `Adam`.
    """


class SGD(_Folded, torch.optim.SGD):
    """`torch.optim.SGD`, its arguments and its state, without dampening.

    Parameters and attributes are those of `Adam`.
    """

    _counts = False

    def _slots(self, group: dict[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def _plan(self, group: dict[str, Any], t: int) -> Plan:
        rule = "momentum" if group["momentum"] else "gradient_descent"
        constants = {"momentum": group["momentum"], "nesterov": group["nesterov"]}
        return Plan(rule, constants, float(group["lr"]), l2=float(group["weight_decay"]))


class RMSprop(_Folded, torch.optim.RMSprop):
    """`torch.optim.RMSprop`, its arguments and its state; a centered one always has a ``momentum_buffer``.

    Parameters and attributes are those of `Adam`.
    """

    def _slots(self, group: dict[str, Any]) -> dict[str, float]:
        if not (group["momentum"] or group["centered"]):
            return {"square_avg": 0.0}
        return {"square_avg": 0.0, "momentum_buffer": 0.0} | ({"grad_avg": 0.0} if group["centered"] else {})

    def _plan(self, group: dict[str, Any], t: int) -> Plan:
        rate, alpha, l2 = float(group["lr"]), group["alpha"], float(group["weight_decay"])
        if not (group["momentum"] or group["centered"]):  # Adagrad with a running mean
            return Plan("adagrad", {"keep": alpha, "beta2": alpha, "epsilon": group["eps"]}, rate, l2=l2)
        constants = {"beta1": alpha, "momentum": group["momentum"], "epsilon": group["eps"], "outside": True}
        return Plan("centered_rmsprop" if group["centered"] else "rmsprop", constants, rate, l2=l2)


class Adagrad(_Folded, torch.optim.Adagrad):
    """`torch.optim.Adagrad`, its arguments and its state.

    Parameters and attributes are those of `Adam`.
    """

    def _slots(self, group: dict[str, Any]) -> dict[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def _plan(self, group: dict[str, Any], t: int) -> Plan:
        rate = float(group["lr"]) / (1 + (t - 1) * group["lr_decay"])
        return Plan("adagrad", {"epsilon": group["eps"]}, rate, l2=float(group["weight_decay"]))
