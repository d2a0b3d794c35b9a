"""tf.train's optimizers, and tf.contrib.opt's with decoupled decay, over fastreg.optim's update rules.

An optimizer here makes the slots as variables and an operation that hands arrays to the core's rule, which steps all variables at
once. As in TensorFlow, its numbers pass through float32.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from fastreg import optim
from fastreg.compat.v1.control_flow_ops import no_op
from fastreg.compat.v1.conversion import IndexedSlices, constant, convert_to_tensor
from fastreg.compat.v1.gradients_impl import gradients
from fastreg.compat.v1.graph import (
    Fused,
    Operand,
    Operation,
    Tensor,
    control_dependencies,
    get_default_graph,
    make_operation,
    name_scope,
)
from fastreg.compat.v1.intake import Folded, Whole, fold
from fastreg.compat.v1.slot_creator import create_slot
from fastreg.compat.v1.state_ops import assign, assign_add, read_cell
from fastreg.compat.v1.variables import Variable
from fastreg.graph import GraphKeys
from fastreg.kernels import RULES
from fastreg.variables import trainable_variables


class Optimizer:
    """What all optimizers share; not to be instantiated."""

    GATE_NONE, GATE_OP, GATE_GRAPH = 0, 1, 2
    _core: ClassVar[type[optim.Optimizer]]
    _parameters: ClassVar[inspect.Signature]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = self._parameters.bind(*args, **kwargs)
        given.apply_defaults()
        self._numbers = given.arguments
        self._name = self._numbers.pop("name")
        self._slot_ops = {slot: self._numbers.pop(slot + "_name", None) for slot in ("accum", "linear")}
        self._numbers.pop("use_locking")
        # A tensor or a function has no value yet; a number is checked now.
        checked: dict[str, Any] = {k: 0.5 if isinstance(v, Operand) or callable(v) else v for k, v in self._numbers.items()}
        self._rule = self._core(**checked)
        self._slots: dict[str, dict[Any, Variable]] = {}
        self._powers: dict[Any, tuple[Variable, Variable]] = {}

    def get_name(self) -> str:
        """Return its name."""
        return str(self._name)

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """Return the slot of this name for `var`."""
        return self._slots.get(name, {}).get(var)

    def get_slot_names(self) -> list[str]:
        """Return the names of its slots."""
        return sorted(self._slots)

    def variables(self) -> list[Variable]:
        """Return the slots and the powers of beta that are in the default graph, by name."""
        graph = get_default_graph()
        groups = [*(slots.values() for slots in self._slots.values()), *self._powers.values()]
        return sorted((v for group in groups for v in group if v.graph is graph), key=lambda v: str(v.name))

    def _get_beta_accumulators(self) -> tuple[Variable, Variable]:
        return self._powers[get_default_graph()]

    def compute_gradients(
        self, loss: Any, var_list: Any = None, gate_gradients: int = GATE_OP, aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False, grad_loss: Any = None,
    ) -> list[tuple[Any, Any]]:  # fmt: skip
        """Return pairs of a gradient, or None, and a variable: of the trainable ones, unless told of others."""
        loss = loss() if callable(loss) else loss
        variables = trainable_variables() if var_list is None else var_list
        variables = list(variables) if isinstance(variables, (list, tuple)) else [variables]
        if not variables:
            raise ValueError("No variables to optimize.")
        by_variables = gradients(loss, variables, grad_loss, gate_gradients=gate_gradients == self.GATE_OP)
        return list(zip(by_variables, variables, strict=True))

    def minimize(
        self, loss: Any, global_step: Any = None, var_list: Any = None, gate_gradients: int = GATE_OP,
        aggregation_method: Any = None, colocate_gradients_with_ops: bool = False, name: str | None = None,
        grad_loss: Any = None, **decay: Any,
    ) -> Operation:  # fmt: skip
        """Return an operation that steps the variables down the gradient of `loss`.

        As in TensorFlow 1.15.5, `decay_var_list` is not heeded here, but by `apply_gradients`: every variable is decayed.
        """
        if "weight_decay" in self._numbers and decay.pop("decay_var_list", None):
            _say_that_all_are_decayed()
        pairs = self.compute_gradients(loss, var_list, gate_gradients, grad_loss=grad_loss)
        if all(g is None for g, _ in pairs):
            raise ValueError(
                "No gradients provided for any variable, check your graph for ops that do not support gradients, between "
                f"variables {[str(v) for _, v in pairs]} and loss {loss}."
            )
        return self.apply_gradients(pairs, global_step, name, **decay)

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: str | None = None, decay_var_list: Sequence[Any] | None = None
    ) -> Operation:
        """Return an operation that steps the variables by the given gradients, all at once."""
        if decay_var_list is not None and "weight_decay" not in self._numbers:
            raise TypeError(f"apply_gradients() of {type(self).__name__} has no decay_var_list, for it decays no weights")
        pairs = [(_gradient(g), v) for g, v in grads_and_vars]
        if not pairs:
            raise ValueError("No variables provided.")
        for _, v in pairs:
            if not isinstance(v, Variable):
                raise NotImplementedError("Trying to update a Tensor ", v)
        live = [(g, v) for g, v in pairs if g is not None]
        if not live:
            raise ValueError(f"No gradients provided for any variable: {[str(v) for _, v in pairs]}.")
        if any(isinstance(g, IndexedSlices) and v.constraint is not None for g, v in live):
            raise RuntimeError("Cannot use a constraint function on a sparse variable.")
        decays = [v.op.name for _, v in live if not decay_var_list or v in decay_var_list]
        graph = get_default_graph()
        with graph.control_dependencies(None):  # initializing a slot waits for nothing
            self._make_slots([v for _, v in live])
        with name_scope(name, self._name) as scope:
            numbers = {key: self._number(key, value) for key, value in self._numbers.items()}
            late = {key: value for key, value in numbers.items() if isinstance(value, Tensor)}
            early = {key: value for key, value in numbers.items() if key not in late}

            def inputs(gradients: Sequence[Whole | Folded]) -> list[Tensor]:
                return [*(t for g in gradients for t in g.inputs), *late.values()]

            whole, variables = [Whole(g) for g, _ in live], [v for _, v in live]
            slots = [slot[v] for slot in self._slots.values() for v in variables]
            compute = functools.partial(self._compute, variables, decays, early, list(late))
            after = [v for _, v in live if v.constraint is not None]
            more = bool(after) or global_step is not None
            step = make_operation(
                f"Apply{self._core.__name__}",
                scope + "update/" if more else scope,
                inputs(whole),
                functools.partial(compute, whole),
                [],
                writes=[v.op.name for v in (*variables, *slots, *self._powers.get(graph, ()))],
            )
            if not RULES[self._core.rule].takes_l1:  # such a rule takes L1 in its proximal step, which is another one
                folded = [fold(g, v, step) for g, v in live]
                if skipped := [op for g in folded for op in g.skipped]:
                    reads = frozenset(name for g in folded for name in g.reads)
                    step.fused = Fused(inputs(folded), skipped, functools.partial(compute, folded), reads)
            if more:
                with control_dependencies([step]):
                    ends = [assign(v, v.constraint(v.read_value())).op for v in after]
                with control_dependencies([step, *ends]):
                    step = no_op(scope) if global_step is None else assign_add(global_step, 1, name=scope).op
        with graph.lock:
            train = graph.get_collection_ref(GraphKeys.TRAIN_OP)
            if step not in train:
                train.append(step)
        return step

    def _number(self, key: str, value: Any) -> Any:
        """Return a number as TensorFlow computes with it, or a tensor that will be one."""
        if callable(value) and not isinstance(value, Operand):
            value = value()
        if isinstance(value, Operand):
            return value._as_tensor()
        if isinstance(value, bool) or key == "initial_accumulator_value":
            return value
        return float(value) if key == "weight_decay" else float(np.float32(value))

    def _make_slots(self, variables: list[Variable]) -> None:
        if hasattr(self._rule, "beta2") and variables[0].graph not in self._powers:
            self._powers[variables[0].graph] = (
                Variable(self._number("beta1", self._numbers["beta1"]), False, name="beta1_power"),
                Variable(self._number("beta2", self._numbers["beta2"]), False, name="beta2_power"),
            )
        for v in variables:
            starts = self._rule.initial_slots(np.zeros(()))
            pairs = zip(self._rule.slot_names, starts, strict=True)
            for slot, start in sorted(pairs, key=lambda pair: pair[0] == "momentum"):  # TensorFlow makes RMSProp's last
                slots = self._slots.setdefault(slot, {})
                if v not in slots:
                    initial = constant(start, v.dtype.base_dtype, v.shape)
                    slots[v] = create_slot(v, initial, self._slot_ops.get(slot) or self._name)

    def _compute(
        self, variables: list[Variable], decays: list[str], early: dict[str, float], late: list[str],
        gradients: Sequence[Whole | Folded], *arrays: Any,
    ) -> None:  # fmt: skip
        """Step variables: `arrays` are the values of the gradients' inputs, then those of the hyperparameters in `late`."""
        values = iter(arrays)
        taken = [g.take(values) for g in gradients]
        numbers = early | {key: float(a) for key, a in zip(late, values, strict=True)}
        rule = self._rule
        decay = numbers.pop("weight_decay", None)
        for key, number in numbers.items():
            setattr(rule, key, number)
        powers = [read_cell(power) for power in self._powers.get(variables[0].graph, ())]
        if powers:
            rule.powers = float(powers[0]), float(powers[1])  # type: ignore[attr-defined]
        pairs: dict[str, tuple[Any, Any]] = {}
        narrow: list[tuple[Any, Any]] = []  # float16 weights are stepped in float32
        for v, (gradient, rows, _) in zip(variables, taken, strict=True):
            held = [read_cell(v), *(read_cell(self._slots[slot][v]) for slot in rule.slot_names)]
            wide = [a.astype(np.float32) for a in held] if held[0].dtype == np.float16 else held
            narrow += [(a, b) for a, b in zip(held, wide, strict=True) if a is not b]
            weights = wide[0]
            g = np.asarray(gradient, weights.dtype, order="C")
            if rows is None:
                pairs[v.op.name] = (g, weights)
            elif not powers:
                pairs[v.op.name] = ((g, rows), weights)
            else:  # TensorFlow's Adam steps all rows, but decays only those of the gradient
                if decay is not None and v.op.name in decays:
                    np.subtract.at(weights, rows, weights[rows] * weights.dtype.type(decay))
                    decays = [name for name in decays if name != v.op.name]
                whole = np.zeros_like(weights)
                np.add.at(whole, rows, g)
                pairs[v.op.name] = (whole, weights)
            rule.set_slots(v.op.name, dict(zip(rule.slot_names, wide[1:], strict=True)))
        if decay is not None:
            rule.weight_decay = [(name, decay) for name in decays]  # type: ignore[attr-defined]
        rule.apply_gradients(pairs, regularization=[t.term for t in taken if t.term is not None] or None)
        for array, wider in narrow:
            array[...] = wider
        for power, beta in zip(powers, ("beta1", "beta2"), strict=False):
            np.multiply(power, np.float32(numbers[beta]), out=power)


@functools.cache  # once is enough
def _say_that_all_are_decayed() -> None:
    logging.getLogger("fastreg").warning(
        "minimize(..., decay_var_list=[...]) decays every variable, as TensorFlow 1.15.5 does; to decay some, pass the list to "
        "apply_gradients(compute_gradients(loss), decay_var_list=[...])"
    )


def _gradient(g: Any) -> Any:
    if g is None or isinstance(g, IndexedSlices):
        return g
    try:
        return convert_to_tensor(g)
    except TypeError:
        raise TypeError(f"Gradient must be convertible to a Tensor or IndexedSlices, or None: {g}") from None


def _optimizer(core: type[optim.Optimizer], order: str) -> type[Optimizer]:
    """Make the optimizer over a rule of the core's, with TensorFlow's arguments in TensorFlow's order."""
    defaults = {"use_locking": False, "name": core.__name__, "accum_name": None, "linear_name": None}
    signature = inspect.signature(core.__init__).parameters
    parameters = [
        inspect.Parameter(
            key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=defaults[key] if key in defaults else signature[key].default
        )
        for key in order.split()
    ]
    name = core.__name__ + "Optimizer"
    if issubclass(core, optim.Adam):
        core = _with_powers(core)
    body = {"_core": core, "_parameters": inspect.Signature(parameters), "__doc__": core.__doc__, "__module__": __name__}
    return type(name, (Optimizer,), body)


def _with_powers(adam: type[optim.Adam]) -> type[optim.Adam]:
    """Let Adam take the powers of beta that the session holds, which an initializer can start anew."""
    return type(adam.__name__, (adam,), {"powers": (0.0, 0.0), "beta_powers": lambda self: self.powers, "__doc__": adam.__doc__})


_ADAM = "learning_rate beta1 beta2 epsilon use_locking name"
_MOMENTUM = "learning_rate momentum use_locking name use_nesterov"
_STRENGTHS = "l1_regularization_strength l2_regularization_strength"
GradientDescentOptimizer = _optimizer(optim.GradientDescent, "learning_rate use_locking name")
MomentumOptimizer = _optimizer(optim.Momentum, _MOMENTUM)
AdagradOptimizer = _optimizer(optim.Adagrad, "learning_rate initial_accumulator_value use_locking name")
RMSPropOptimizer = _optimizer(optim.RMSProp, "learning_rate decay momentum epsilon use_locking centered name")
AdamOptimizer = _optimizer(optim.Adam, _ADAM)
AdamWOptimizer = _optimizer(optim.AdamW, "weight_decay " + _ADAM)
MomentumWOptimizer = _optimizer(optim.MomentumW, "weight_decay " + _MOMENTUM)
ProximalGradientDescentOptimizer = _optimizer(optim.ProximalGradientDescent, f"learning_rate {_STRENGTHS} use_locking name")
ProximalAdagradOptimizer = _optimizer(
    optim.ProximalAdagrad, f"learning_rate initial_accumulator_value {_STRENGTHS} use_locking name"
)
FtrlOptimizer = _optimizer(
    optim.Ftrl,
    f"learning_rate learning_rate_power initial_accumulator_value {_STRENGTHS} use_locking name accum_name linear_name "
    "l2_shrinkage_regularization_strength",
)


def extend_with_decoupled_weight_decay(base_optimizer: type[Optimizer]) -> type[Optimizer]:
    """Return the optimizer that takes its first argument, `weight_decay`, off the weights before `base_optimizer`'s step."""
    base = base_optimizer._core
    core = type(base.__name__, (optim.DecoupledWeightDecay, base), {})
    weight_decay = inspect.Parameter("weight_decay", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([weight_decay, *base_optimizer._parameters.parameters.values()])
    return type("OptimizerWithDecoupledWeightDecay", (base_optimizer,), {"_core": core, "_parameters": signature})
