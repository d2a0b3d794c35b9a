"""torch's optimizers with fastreg's step: their arguments, formulas and state, in one pass over memory for all parameters.

Each class is a subclass of torch's of the same name, from which it has its arguments and their checks, parameter groups, hooks
and `state_dict`. Its `step` is another. A step keeps a record of each parameter, which is made anew when the parameter or its
state lies elsewhere than at the last step.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any, NamedTuple

import torch
from torch.autograd.graph import increment_version

from fastreg.interop.torch.tensors import SIXTEEN, array_of, empty_like, local
from fastreg.kernels import Entry, Step, commit_all, have_custom, memory_of, owners_of, scaled_gradient
from fastreg.optim.hyperparameters import power
from fastreg.regularizers import in_order
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
    copy : ndarray or None
        Over a parameter of 16 bits; `weights` are then its float32 master.
    version : int or None
        The parameter's, after the step that wrote the copy.
    count : memoryview or None
        Of no dimensions: the steps done.
    """

    __slots__ = (
        "copy",
        "count",
        "name",
        "new",
        "parameter",
        "pointer",
        "shape",
        "slots",
        "state",
        "tensors",
        "version",
        "weights",
    )

    def __init__(
        self, parameter: torch.Tensor, name: str, state: dict[str, Any] | None, counts: bool, slots: Mapping[str, float]
    ) -> None:
        self.parameter, self.name, self.state = parameter, name, state
        self.pointer, self.shape, self.weights = local(parameter).data_ptr(), parameter.shape, array_of(parameter, name)
        self.copy: Array | None = None
        self.version: int | None = None
        self.tensors = dict(state or {})
        self.new: dict[str, torch.Tensor] = {}
        like = parameter.detach()
        if parameter.dtype in SIXTEEN:
            if "master" not in self.tensors:
                self._add("master", empty_like(like, torch.float32).copy_(like))
                self.version = parameter._version
            like, self.copy = self.tensors["master"], self.weights
            self.weights = array_of(like, name, "master of ")
        if counts and "step" not in self.tensors:
            self._add("step", torch.zeros((), dtype=torch.promote_types(torch.float32, torch.get_default_dtype())))
        for key, value in slots.items():
            if key not in self.tensors:
                self._add(key, empty_like(like, like.dtype).fill_(value))
            elif self.tensors[key].dtype in SIXTEEN:  # of torch's own optimizer
                self._add(key, self.tensors[key].to(like.dtype))
        self.slots = tuple(array_of(self.tensors[key], name, f"{key} of ") for key in slots)
        # NumPy would take ten times as long to count.
        self.count: Any = array_of(self.tensors["step"], name, "step of ").data if counts else None

    def _add(self, key: str, tensor: torch.Tensor) -> None:
        self.tensors[key] = self.new[key] = tensor

    def fits(self, state: dict[str, Any] | None, n_slots: int) -> bool:
        """Tell whether parameter and state are where they were."""
        parameter, tensors = self.parameter, self.tensors
        if local(parameter).data_ptr() != self.pointer or parameter.shape != self.shape:
            return False
        if state is not self.state or len(self.slots) != n_slots:
            return False
        return state is None or all(map(is_, map(state.get, tensors), tensors.values()))

    def entry(self, gradient: torch.Tensor, factor: float, plan: Plan) -> Entry:
        """Return what the step does to the parameter."""
        entry = Entry(self.name, self.weights, array_of(gradient, self.name, "gradient of "))
        entry.slots, entry.rate, entry.decay, entry.l2 = self.slots, plan.rate, plan.decay, plan.l2
        entry.scale, entry.copy = factor, self.copy
        return entry

    def follow(self) -> None:
        """Let the master have those weights that were changed in the parameter since the last step."""
        parameter, master = local(self.parameter.detach()), local(self.tensors["master"])
        master.copy_(torch.where(master.to(parameter.dtype) == parameter, master, parameter.float()))


class _Folded(torch.optim.Optimizer):
    """What the rules share. A rule says which slots it has, and what it does at a parameter's t-th step."""

    _step_supports_amp_scaling = True
    _counts = True

    def __init__(
        self,
        params: Any,
        *args: Any,
        regularization: Sequence[RegularizationLoss] | Total | None = None,
        master_weights: bool = False,
        **options: Any,
    ) -> None:
        self._records: dict[int, Record] = {}
        self._master_weights = bool(master_weights)
        self.regularization = regularization
        self.regularization_loss = 0.0
        super().__init__(params, *args, **options)
        for parameter in [p for p in self.state if p.dtype in SIXTEEN]:  # Adagrad's sums; those of a master are float32
            del self.state[parameter]

    def _slots(self, group: dict[str, Any]) -> dict[str, float]:
        """Return the initial values of the slots, by their names and in the order of the compiled rule."""
        raise NotImplementedError

    def _plan(self, group: dict[str, Any], t: int) -> Plan:
        """Return what the t-th step is, counted from 1."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        own = ("regularization", "regularization_loss", "_master_weights")
        return state | {name: getattr(self, name) for name in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._records = {}
        super().__setstate__(state)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, as torch's optimizers do."""
        self._check(self.defaults | param_group)
        super().add_param_group(param_group)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the result of `state_dict` of this class or of torch's class of the same name."""
        taken: dict[str, Any] = {}

        def check(_: Any, state: dict[str, Any]) -> None:
            for group in state["param_groups"]:
                self._check(group)
            taken.update(state)

        handle = self.register_load_state_dict_pre_hook(check)  # behind the user's hooks, which may replace the state
        try:
            super().load_state_dict(state_dict)
        finally:
            handle.remove()
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        keys = [key for group in taken["param_groups"] for key in group["params"]]
        for key, parameter in zip(keys, parameters, strict=True):
            if parameter.dtype in SIXTEEN and key in taken["state"]:  # torch has rounded the state to the parameter's dtype
                tensors = {name: x for name, x in taken["state"][key].items() if torch.is_tensor(x) and name != "step"}
                self.state[parameter] |= {name: x.detach().float() for name, x in tensors.items()}

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
        records, parts = self._entries(scale)
        if not records:
            return
        terms, constants = ([], []) if self.regularization is None else live_terms(self.regularization)
        masters = [record for record in records if record.copy is not None]
        if masters and terms:
            terms = _over_masters(terms, masters)
        values = _add_custom(terms, [entry for entries in parts.values() for entry in entries]) if have_custom(terms) else []
        steps = [
            Step(rule, dict(own), entries, share, None, False, type(self).__name__)
            for ((rule, *own), entries), share in zip(parts.items(), _share(terms, list(parts.values())), strict=True)
        ]
        fresh = [record for record in records if record.new]
        stateless = [record.parameter for record in fresh if record.parameter not in self.state]
        try:
            news = [(self.state[record.parameter], record.new) for record in fresh]
            total = float(commit_all(steps, news, [record.count for record in records if record.count is not None]))
        except BaseException:
            for parameter in stateless:
                if not self.state[parameter]:  # the step was not done
                    del self.state[parameter]
            raise
        for record in fresh:
            record.state, record.new = self.state[record.parameter], {}
        self.regularization_loss = in_order([*values, *constants], total)
        increment_version([record.parameter for record in records])
        for record in masters:
            record.version = record.parameter._version

    def _entries(self, scale: float) -> tuple[list[Record], dict[tuple[Any, ...], list[Entry]]]:
        """Return the records of the parameters with a gradient, and their entries by the rule and its constants."""
        records: list[Record] = []
        parts: dict[tuple[Any, ...], list[Entry]] = {}
        for i, group in enumerate(self.param_groups):
            self._check(group)
            slots = self._slots(group)
            plans: dict[float, tuple[Plan, list[Entry]]] = {}
            factor = -scale if group["maximize"] else scale
            for j, parameter in enumerate(group["params"]):
                gradient = parameter.grad
                if gradient is None:
                    continue
                record = self._records.get(id(parameter))
                if record is None or not record.fits(self.state.get(parameter), len(slots)):
                    record = self._records[id(parameter)] = self._record(parameter, slots, group, i, j)
                if record.copy is not None and record.version != parameter._version:
                    record.follow()
                t = 0 if record.count is None else int(record.count[()]) + 1
                if t not in plans:
                    plan = self._plan(group, t)
                    plans[t] = plan, parts.setdefault((plan.rule, *plan.constants.items()), [])
                plan, entries = plans[t]
                entries.append(record.entry(gradient, factor, plan))
                records.append(record)
        return records, parts

    def _record(self, parameter: torch.Tensor, slots: dict[str, float], group: dict[str, Any], i: int, j: int) -> Record:
        name = str(group["param_names"][j]) if "param_names" in group else f"parameter {j} of group {i}"
        if parameter.dtype in SIXTEEN and not self._master_weights:
            raise TypeError(f"{name!r} is of {parameter.dtype}; master_weights=True keeps its weights in float32, too")
        return Record(parameter, name, self.state.get(parameter), self._counts, slots)


def _over_masters(terms: list[RegularizationLoss], masters: list[Record]) -> list[RegularizationLoss]:
    """Return the terms, those of 16-bit parameters over the masters instead."""
    weights = {memory_of(record.copy): record.weights for record in masters}
    moved = []
    for term in terms:
        master = weights.get(memory_of(term.weights))
        if master is None:
            moved.append(term)
        else:
            moved.append(copy.copy(term))
            moved[-1]._set_variable(term.variable, term.variable_name, [master], 0)
    return moved


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
            entry.gradient, entry.scale = scaled_gradient(entry), 1.0
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
    master_weights : bool, optional
        Keep float32 weights, ``master`` in the state, for parameters of float16 and bfloat16, which are refused otherwise. The
        step reads the 16-bit gradients and writes the new weights, rounded to nearest even, to the parameters.

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
