"""Floor 4: update rules that fold the regularization into the step.

A step reads the weights and the gradients and writes the weights; the penalty's gradient and its loss ride along in the same
pass over memory. The rules are TensorFlow 1's (python/training, contrib/opt), with its argument names, defaults and formulas;
the loops are the kernels'. Here stand the hyperparameters, the slots, and which array they belong to.

`apply_gradients` takes pairs (gradient, variable). A variable is a `Variable`, or an array of the user's own; a mapping
``{name: (gradient, array)}`` names arrays. Slots are kept by name.

A gradient may be of rows, ``(values, row indices)``, as an embedding table gets: only those rows and their slots are touched,
and only those rows pay the penalty and the decay: the loss counts them alone. Values of one row that occur several times are
added first. TensorFlow's Adam and Momentum, unlike these, let the slots of the other rows decay.

Folding does not change bits: a step with `regularization=terms` gives the same weights and slots as
``value_and_gradients(terms, out=gradients, accumulate=True)`` and a step without, where one term is on each variable. It
differs for the proximal rules with an L1 term, which take it in the proximal step, where zeros become exact; for variables
with several terms, whose coefficients are added first; and with clipping, where the norm is of the gradient before rounding
to memory in both cases but the sum of penalties may be rounded once less.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastreg.kernels import Penalty, check_array, update
from fastreg.losses import Parameter, RegularizationLoss, Total, flatten_terms, match_rules
from fastreg.regularizers import gradient_of

__all__ = [
    "Adagrad",
    "Adam",
    "AdamW",
    "Ftrl",
    "GradientDescent",
    "Momentum",
    "MomentumW",
    "Optimizer",
    "ProximalAdagrad",
    "ProximalGradientDescent",
    "RMSProp",
]

Array: TypeAlias = NDArray[Any]
Schedule: TypeAlias = float | Callable[[int], float]
DecayRules: TypeAlias = Schedule | Sequence[tuple[str, Schedule | None]]


def _number(value: object, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a hyperparameter as a float, or say what it should be."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    number = float(value)
    if not (math.isfinite(number) and least <= number <= most):
        bounds = "finite" if least == -math.inf else f"from {least:g} to {most:g}" if most < math.inf else f"at least {least:g}"
        raise ValueError(f"{name} must be {bounds}, got {value!r}")
    return number


class _Target:
    """One variable of a step: its name, array, total gradient so far, and rows if the gradient is of rows."""

    __slots__ = ("array", "gradient", "label", "name", "rows")

    def __init__(self, name: str, label: str, array: Array, gradient: Array, rows: NDArray[np.int64] | None) -> None:
        self.name, self.label, self.array, self.gradient, self.rows = name, label, array, gradient, rows


class Optimizer:
    """Base of the update rules; not to be made itself.

    Parameters
    ----------
    learning_rate : float or callable
        At least 0; a function of the step (0 for the first) is asked at every step.
    clip_norm : float, optional
        Scale the total gradient of all variables, penalties included, down to this global norm. One extra pass.
    check_finite : bool, optional
        Raise a ValueError before anything is written when the total gradient is not finite. The same extra pass.

    Attributes
    ----------
    iterations : int
        Steps done.
    """

    _operation: ClassVar[str]
    _slot_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, learning_rate: Schedule, *, clip_norm: float | None = None, check_finite: bool = False) -> None:
        self.learning_rate = learning_rate
        if not callable(learning_rate):
            _number(learning_rate, "learning_rate", least=0)
        if clip_norm is not None and _number(clip_norm, "clip_norm", least=0) == 0:
            raise ValueError("clip_norm must be above 0, got 0")
        self.clip_norm = clip_norm
        self.check_finite = bool(check_finite)
        self.iterations = 0
        self._slots: dict[str, tuple[Array, ...]] = {}
        self._arrays: dict[str, Array] = {}
        self._loaded = False

    def _at(self, value: Schedule, name: str) -> float:
        """Return a hyperparameter for this step."""
        return _number(value(self.iterations) if callable(value) else value, name, least=0)

    def _rate(self) -> float:
        return self._at(self.learning_rate, "learning_rate")

    def _rule(self) -> dict[str, float]:
        """Return the rule's constants for this step, by the names of `_abi.Rule`."""
        return {"rate": self._rate()}

    def _initial_slots(self, array: Array) -> tuple[Array, ...]:
        """Return the slots of a variable that is new here."""
        return tuple(np.zeros_like(array) for _ in self._slot_names)

    def _decays(self, targets: Sequence[_Target]) -> list[float]:
        return [0.0] * len(targets)

    def apply_gradients(
        self,
        grads_and_variables: Iterable[tuple[Any, Any]] | Mapping[str, tuple[Any, Array]],
        regularization: Sequence[RegularizationLoss] | RegularizationLoss | Total | None = None,
    ) -> np.float64:
        """Step all variables at once, the regularization folded in.

        Parameters
        ----------
        grads_and_variables : iterable of (gradient, variable), or mapping of str to (gradient, ndarray)
            A gradient has its variable's shape, dtype and memory order, or is a pair (values, row indices), or None: that
            variable is left alone. It is read, never written.
        regularization : list of RegularizationLoss, or Total, optional
            Terms over variables that are updated here. Their gradients are added to the given ones; what L1 a proximal rule
            is given goes to its proximal step. A term whose regularizer is a user's own is evaluated in a pass of its own.

        Returns
        -------
        numpy.float64
            The sum of the terms before the step, 0 without any.

        Raises
        ------
        TypeError, ValueError
            If a gradient, a variable or a term does not fit. Nothing has been changed then: a step happens whole or not at
            all.

        Examples
        --------
        >>> import numpy as np, fastreg as fr
        >>> w = np.array([1.0, -2.0])
        >>> terms = fr.regularize({"w": w}, [("w", fr.l2_regularizer(0.5))])
        >>> opt = fr.optim.GradientDescent(learning_rate=0.1)
        >>> opt.apply_gradients({"w": (np.zeros(2), w)}, regularization=terms)
        np.float64(1.25)
        >>> w
        array([ 0.95, -1.9 ])
        """
        terms = [] if regularization is None else [t for t in flatten_terms(regularization) if t.regularizer is not None]
        targets = self._targets(grads_and_variables, terms)
        places = {id(target.array): i for i, target in enumerate(targets)}
        owners = [places.get(id(term.variable.value), -1) for term in terms]
        if -1 in owners:
            raise ValueError(
                f"term {terms[owners.index(-1)].name!r} is over an array that is not updated here: "
                f"{[target.name for target in targets]}"
            )
        own_loss = 0.0
        family: list[Penalty] = []
        family_owners: list[int] = []
        for term, owner in zip(terms, owners, strict=True):
            if isinstance(term.regularizer, Penalty):
                family.append(term.regularizer)
                family_owners.append(owner)
            else:
                own_loss += _add_own(term, targets[owner])
        slots = [self._slots_of(target) for target in targets]
        loss = update(
            self._operation,
            _RULE | self._rule(),
            [target.name for target in targets],
            [target.array for target in targets],
            [target.gradient for target in targets],
            [target.rows for target in targets],
            slots,
            self._decays(targets),
            family,
            family_owners,
            self.clip_norm,
            self.check_finite,
        )
        self.iterations += 1
        for target, own in zip(targets, slots, strict=True):
            self._slots[target.name] = own
            self._arrays[target.name] = target.array
        return np.float64(loss + own_loss) if own_loss else loss

    def _targets(self, grads_and_variables: Any, terms: Sequence[RegularizationLoss]) -> list[_Target]:
        named: list[tuple[str, str, Any, Any]] = []
        known = {id(term.variable.value): term.variable for term in terms}
        if isinstance(grads_and_variables, Mapping):
            for key, pair in grads_and_variables.items():
                gradient, variable = _pair(pair, f"entry {key!r}")
                named.append((key, key, gradient, variable))
        else:
            for i, item in enumerate(grads_and_variables):
                gradient, variable = _pair(item, f"entry {i}")
                source = variable if isinstance(variable, Parameter) else known.get(id(variable))
                name, label = (f"variable_{i}",) * 2 if source is None else (source.name, source.op_name)
                named.append((name, label, gradient, variable))
        if not any(gradient is not None for _, _, gradient, _ in named):
            raise ValueError(f"No gradients provided for any variable: {[name for name, *_ in named]}.")
        targets: dict[str, _Target] = {}
        for name, label, gradient, variable in named:
            if gradient is None:
                continue
            if name in targets:
                raise ValueError(f"variable {name!r} stands in grads_and_variables twice")
            array = check_array(variable, f"variable {name!r}", writeable=True)
            rows = None
            if isinstance(gradient, tuple):
                gradient, rows = _unique_rows(gradient, array, name)
            targets[name] = _Target(name, label, array, gradient, rows)
        return list(targets.values())

    def _slots_of(self, target: _Target) -> tuple[Array, ...]:
        slots = self._slots.get(target.name)
        if slots is None:
            if self._loaded:
                raise ValueError(f"the loaded state has no slots for variable {target.name!r}; it has {sorted(self._slots)}")
            return self._initial_slots(target.array)
        if target.name.startswith("variable_") and self._arrays.get(target.name, target.array) is not target.array:
            raise ValueError(
                f"{target.name!r}, named by its place in grads_and_variables, is another array than at the last step; "
                f"name arrays with a mapping {{name: (gradient, array)}}"
            )
        return slots

    def get_slot(self, variable: Parameter | str, name: str) -> Array:
        """Return a slot's array.

        Parameters
        ----------
        variable : Variable or str
            The variable, or its name.
        name : str
            One of `get_slot_names`.
        """
        key = variable if isinstance(variable, str) else variable.name
        if key not in self._slots:
            raise KeyError(f"no slots for {key!r}; there are some for {sorted(self._slots)}")
        return self._slots[key][self._slot_names.index(name)]

    def get_slot_names(self) -> list[str]:
        """Return the names of the slots that every variable has."""
        return list(self._slot_names)

    def state_dict(self) -> dict[str, Array]:
        """Return the state as arrays by name: what ``numpy.savez(file, **state)`` takes.

        Returns
        -------
        dict of str to ndarray
            ``rule``, ``iterations``, and ``<variable>/<slot>``, each a copy.
        """
        state: dict[str, Array] = {"rule": np.array(type(self).__name__), "iterations": np.array(self.iterations)}
        for variable, slots in self._slots.items():
            for name, slot in zip(self._slot_names, slots, strict=True):
                state[f"{variable}/{name}"] = slot.copy(order="K")
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, also by way of an npz file.

        Parameters
        ----------
        state : mapping of str to ndarray
            Copied.

        Raises
        ------
        ValueError
            If it is of another rule, lacks a slot, or holds something else; nothing is taken over then. Whether it fits the
            variables is checked at the next step.
        """
        entries = {key: np.asarray(state[key]) for key in state}
        for key in ("rule", "iterations"):
            if key not in entries:
                raise ValueError(f"state lacks {key!r}; it has {sorted(entries)}")
        rule, iterations = entries.pop("rule"), entries.pop("iterations")
        if str(rule) != type(self).__name__:
            raise ValueError(f"state is of {rule}, not of {type(self).__name__}")
        if iterations.shape or iterations.dtype.kind not in "iu" or iterations < 0:
            raise ValueError(f"state['iterations'] must be a whole number of at least 0, got {iterations!r}")
        slots: dict[str, dict[str, Array]] = {}
        for key, array in entries.items():
            variable, _, name = key.rpartition("/")
            if not variable or name not in self._slot_names:
                raise ValueError(f"state has {key!r}, which names no slot of {type(self).__name__}: {list(self._slot_names)}")
            slots.setdefault(variable, {})[name] = array.copy(order="K")
        for variable, own in slots.items():
            lacking = [name for name in self._slot_names if name not in own]
            if lacking:
                raise ValueError(f"state lacks the slots {lacking} of variable {variable!r}")
            if variable in self._arrays:
                for name in self._slot_names:
                    if own[name].shape != self._arrays[variable].shape or own[name].dtype != self._arrays[variable].dtype:
                        raise ValueError(
                            f"state['{variable}/{name}'] has shape {own[name].shape} and dtype {own[name].dtype}, its variable "
                            f"has {self._arrays[variable].shape} and {self._arrays[variable].dtype}"
                        )
        self._slots = {variable: tuple(own[name] for name in self._slot_names) for variable, own in slots.items()}
        self.iterations = int(iterations)
        self._loaded = bool(self._slot_names)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learning_rate={self.learning_rate!r}, iterations={self.iterations})"


# Fields of `_abi.Rule` that a rule does not use.
_RULE = {
    "rate": 0.0, "momentum": 0.0, "beta1": 0.0, "beta2": 0.0, "epsilon": 0.0, "l1": 0.0, "l2": 0.0, "shrinkage": 0.0,
    "power": 0.0, "clip": 1.0, "nesterov": False, "centered": False, "proximal": False,
}  # fmt: skip


def _pair(item: Any, where: str) -> tuple[Any, Any]:
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise TypeError(f"{where} of grads_and_variables must be a pair (gradient, variable), got {type(item).__name__}")
    return item[0], item[1]


def _unique_rows(gradient: tuple[Any, ...], array: Array, name: str) -> tuple[Array, NDArray[np.int64]]:
    """Return the rows of a gradient once each, rising; values of the same row are added in their order."""
    if len(gradient) != 2:
        raise ValueError(f"gradient of {name!r} must be an array or a pair (values, row indices), got {len(gradient)} things")
    values = check_array(gradient[0], f"gradient of {name!r}")
    indices = np.asarray(gradient[1])
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise TypeError(
            f"row indices of {name!r} must be a vector of whole numbers, got shape {indices.shape} and dtype {indices.dtype}"
        )
    if array.ndim == 0 or values.shape != (indices.size, *array.shape[1:]):
        raise ValueError(
            f"gradient of {name!r} must have the shape {(indices.size, *array.shape[1:])}, a row for each index, "
            f"got {values.shape}"
        )
    rows, place = np.unique(indices, return_inverse=True)
    if rows.size and not (0 <= rows[0] and rows[-1] < array.shape[0]):
        raise ValueError(f"row indices of {name!r} must be from 0 to {array.shape[0] - 1}, got {rows[0]} to {rows[-1]}")
    total = np.zeros((rows.size, *array.shape[1:]), values.dtype)
    np.add.at(total, place, values)
    return total, rows.astype(np.int64)


def _add_own(term: RegularizationLoss, target: _Target) -> float:
    """Add the gradient of a user's own regularizer to a copy of the target's; return its value."""
    if target.rows is not None:
        raise ValueError(f"term {term.name!r} is a user's own and the gradient of {target.name!r} is of rows; pass it whole")
    gradient = np.asarray(gradient_of(term.regularizer)(target.array))  # type: ignore[arg-type]
    if gradient.shape != target.array.shape:
        raise ValueError(f"the gradient of {term.regularizer!r} has shape {gradient.shape}, its variable {target.array.shape}")
    target.gradient = check_array(target.gradient, f"gradient of {target.name!r}") + gradient.astype(target.array.dtype)
    return float(term)


class GradientDescent(Optimizer):
    """w -= learning_rate * g, with g the total gradient.

    Parameters are those of `Optimizer`. Source: TensorFlow's GradientDescentOptimizer.
    """

    _operation = "gradient_descent"


class Momentum(Optimizer):
    """m = momentum*m + g; w -= learning_rate * m.

    Parameters
    ----------
    learning_rate : float or callable
    momentum : float
    use_nesterov : bool, optional
        w -= learning_rate * (g + momentum*m) instead.
    **options
        `clip_norm` and `check_finite`, see `Optimizer`.

    Notes
    -----
    Source: TensorFlow's MomentumOptimizer. Its slot is ``momentum``.
    """

    _operation = "momentum"
    _slot_names = ("momentum",)

    def __init__(self, learning_rate: Schedule, momentum: float, use_nesterov: bool = False, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = _number(momentum, "momentum")
        self.use_nesterov = bool(use_nesterov)

    def _rule(self) -> dict[str, float]:
        return {"rate": self._rate(), "momentum": self.momentum, "nesterov": self.use_nesterov}


class _Accumulating(Optimizer):
    """Rules whose first slot is a sum of squared gradients that starts at a value of its own."""

    def __init__(self, learning_rate: Schedule, initial_accumulator_value: float, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = initial_accumulator_value

    def _initial_slots(self, array: Array) -> tuple[Array, ...]:
        return (np.full_like(array, self.initial_accumulator_value), *super()._initial_slots(array)[1:])


class Adagrad(_Accumulating):
    """a += g**2; w -= learning_rate * g / sqrt(a).

    Parameters
    ----------
    learning_rate : float or callable
    initial_accumulator_value : float, optional
        Of a; above 0.
    **options
        `clip_norm` and `check_finite`, see `Optimizer`.

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods", 2011; TensorFlow's AdagradOptimizer.
    """

    _operation = "adagrad"
    _slot_names = ("accumulator",)

    def __init__(self, learning_rate: Schedule, initial_accumulator_value: float = 0.1, **options: Any) -> None:
        if _number(initial_accumulator_value, "initial_accumulator_value") <= 0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(learning_rate, initial_accumulator_value, **options)


class RMSProp(Optimizer):
    """s += (g**2 - s)*(1 - decay); m = momentum*m + learning_rate * g / sqrt(s + epsilon); w -= m.

    Parameters
    ----------
    learning_rate : float or callable
    decay, momentum, epsilon : float, optional
    centered : bool, optional
        Take the square of a running mean of the gradient off s under the root.
    **options
        `clip_norm` and `check_finite`, see `Optimizer`.

    Notes
    -----
    As in TensorFlow's RMSPropOptimizer, s starts at 1.
    """

    _operation = "rmsprop"
    _slot_names = ("rms", "momentum")

    def __init__(
        self,
        learning_rate: Schedule,
        decay: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-10,
        centered: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.decay = _number(decay, "decay", 0, 1)
        self.momentum = _number(momentum, "momentum")
        self.epsilon = _number(epsilon, "epsilon", 0)
        self.centered = bool(centered)
        if self.centered:
            self._slot_names = ("rms", "momentum", "mg")  # type: ignore[misc]

    def _rule(self) -> dict[str, float]:
        return {
            "rate": self._rate(),
            "beta1": self.decay,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }

    def _initial_slots(self, array: Array) -> tuple[Array, ...]:
        return (np.ones_like(array), *super()._initial_slots(array)[1:])


class Adam(Optimizer):
    """m += (g - m)*(1 - beta1); v += (g**2 - v)*(1 - beta2); w -= rate * m / (sqrt(v) + epsilon).

    The rate is learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t) at step t, counted from 1.

    Parameters
    ----------
    learning_rate : float or callable, optional
    beta1, beta2, epsilon : float, optional
    **options
        `clip_norm` and `check_finite`, see `Optimizer`.

    References
    ----------
    D. Kingma and J. Ba, "Adam", 2015, the form before section 2.1; TensorFlow's AdamOptimizer.
    """

    _operation = "adam"
    _slot_names = ("m", "v")

    def __init__(
        self, learning_rate: Schedule = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-08, **options: Any
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta1 = _number(beta1, "beta1", 0, 1)
        self.beta2 = _number(beta2, "beta2", 0, 1)
        self.epsilon = _number(epsilon, "epsilon", 0)
        if max(self.beta1, self.beta2) == 1:
            raise ValueError(f"beta1 and beta2 must be below 1, got {beta1!r} and {beta2!r}")

    def _rule(self) -> dict[str, float]:
        t = self.iterations + 1
        rate = self._rate() * math.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        return {"rate": rate, "beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}


class _Decoupled(Optimizer):
    """Rules that first take a fraction off the weights themselves: weights -= weight_decay * weights."""

    def __init__(self, weight_decay: DecayRules, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if isinstance(weight_decay, Sequence) and not isinstance(weight_decay, str):
            rules = [_pair(rule, f"rule {i} of weight_decay") for i, rule in enumerate(weight_decay)]
        else:
            rules = [("*", weight_decay)]
        for _, decay in rules:
            if decay is not None and not callable(decay):
                _number(decay, "weight_decay", least=0)
        self.weight_decay = weight_decay
        self._decay_rules: list[tuple[str, Schedule | None]] = rules

    def _decays(self, targets: Sequence[_Target]) -> list[float]:
        chosen = match_rules([target.label for target in targets], self._decay_rules)
        decays = {id(decay): 0.0 if decay is None else self._at(decay, "weight_decay") for decay in chosen.values()}
        return [decays[id(chosen.get(target.label))] if target.label in chosen else 0.0 for target in targets]


class AdamW(_Decoupled, Adam):
    """Adam with decoupled decay: w -= weight_decay * w, then Adam's step.

    Parameters
    ----------
    weight_decay : float or callable, or list of (pattern, float or callable or None)
        The fraction taken off at each step; as in TensorFlow it is not multiplied by the learning rate. A function of the
        step is asked at every step. Rules are tried in order on the names without ``:0``, the first match wins, one that
        matches no name is a ValueError: ``[("*/bias", None), ("*", 1e-4)]``.
    learning_rate, beta1, beta2, epsilon, **options
        As for `Adam`.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019; TensorFlow's contrib AdamWOptimizer.
    """

    def __init__(
        self,
        weight_decay: DecayRules,
        learning_rate: Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-08,
        **options: Any,
    ) -> None:
        super().__init__(weight_decay, learning_rate, beta1, beta2, epsilon, **options)


class MomentumW(_Decoupled, Momentum):
    """Momentum with decoupled decay: w -= weight_decay * w, then the step of `Momentum`.

    Parameters
    ----------
    weight_decay : float or callable, or list of (pattern, float or callable or None)
        As for `AdamW`.
    learning_rate, momentum, use_nesterov, **options
        As for `Momentum`.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019; TensorFlow's contrib MomentumWOptimizer.
    """

    def __init__(
        self,
        weight_decay: DecayRules,
        learning_rate: Schedule,
        momentum: float,
        use_nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(weight_decay, learning_rate, momentum, use_nesterov, **options)


def _strength(value: float, name: str) -> float:
    if _number(value, name) < 0:
        raise ValueError(f"{name} {value:f} needs to be positive or zero")
    return float(value)


class ProximalGradientDescent(Optimizer):
    """v = w - learning_rate*g; w = sign(v) * max(|v| - learning_rate*l1, 0) / (1 + learning_rate*l2).

    Parameters
    ----------
    learning_rate : float or callable
    l1_regularization_strength, l2_regularization_strength : float, optional
        l1 and l2. L1 terms of `regularization` add to l1; L2 terms go to the gradient.
    **options
        `clip_norm` and `check_finite`, see `Optimizer`.

    References
    ----------
    J. Duchi and Y. Singer, "Efficient online and batch learning using forward backward splitting", 2009; TensorFlow's
    ProximalGradientDescentOptimizer.
    """

    _operation = "proximal_gradient_descent"

    def __init__(
        self,
        learning_rate: Schedule,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.l1_regularization_strength = _strength(l1_regularization_strength, "l1_regularization_strength")
        self.l2_regularization_strength = _strength(l2_regularization_strength, "l2_regularization_strength")

    def _rule(self) -> dict[str, float]:
        return {"rate": self._rate(), "l1": self.l1_regularization_strength, "l2": self.l2_regularization_strength}


class ProximalAdagrad(_Accumulating):
    """`ProximalGradientDescent` with Adagrad's rate: a += g**2, and learning_rate / sqrt(a) in place of learning_rate.

    Parameters
    ----------
    learning_rate : float or callable
    initial_accumulator_value : float, optional
        Of a; above 0.
    l1_regularization_strength, l2_regularization_strength : float, optional
        As for `ProximalGradientDescent`.
    **options
        `clip_norm` and `check_finite`, see `Optimizer`.

    Notes
    -----
    Source: TensorFlow's ProximalAdagradOptimizer. Its slot is ``accumulator``.
    """

    _operation = "proximal_adagrad"
    _slot_names = ("accumulator",)

    def __init__(
        self,
        learning_rate: Schedule,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        **options: Any,
    ) -> None:
        if _number(initial_accumulator_value, "initial_accumulator_value") <= 0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(learning_rate, initial_accumulator_value, **options)
        self.l1_regularization_strength = _strength(l1_regularization_strength, "l1_regularization_strength")
        self.l2_regularization_strength = _strength(l2_regularization_strength, "l2_regularization_strength")

    def _rule(self) -> dict[str, float]:
        return {"rate": self._rate(), "l1": self.l1_regularization_strength, "l2": self.l2_regularization_strength}


class Ftrl(_Accumulating):
    """Follow the regularized leader, with L1, L2 and shrinkage.

    With n = a + g**2 and p = -learning_rate_power::

        z += g + 2*shrinkage*w - (n**p - a**p) / learning_rate * w;  a = n
        w  = (sign(z)*l1 - z) / (n**p / learning_rate + 2*l2) where |z| > l1, else exactly 0

    Parameters
    ----------
    learning_rate : float or callable
        Above 0.
    learning_rate_power : float, optional
        At most 0. At powers other than -1/2 the bits are those of the C library's pow.
    initial_accumulator_value : float, optional
        Of a; at least 0.
    l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength : float, optional
        l1, l2 and shrinkage. L1 terms of `regularization` add to l1; L2 terms go to the gradient.
    **options
        `clip_norm` and `check_finite`, see `Optimizer`.

    References
    ----------
    H. B. McMahan et al., "Ad click prediction: a view from the trenches", 2013; TensorFlow's FtrlOptimizer.
    """

    _operation = "ftrl"
    _slot_names = ("accum", "linear")

    def __init__(
        self,
        learning_rate: Schedule,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, _strength(initial_accumulator_value, "initial_accumulator_value"), **options)
        if _number(learning_rate_power, "learning_rate_power") > 0:
            raise ValueError(f"learning_rate_power {learning_rate_power:f} needs to be negative or zero")
        self.learning_rate_power = float(learning_rate_power)
        self.l1_regularization_strength = _strength(l1_regularization_strength, "l1_regularization_strength")
        self.l2_regularization_strength = _strength(l2_regularization_strength, "l2_regularization_strength")
        self.l2_shrinkage_regularization_strength = _strength(
            l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength"
        )

    def _rule(self) -> dict[str, float]:
        rate = self._rate()
        if rate == 0:
            raise ValueError("learning_rate of Ftrl must be above 0, got 0")
        return {
            "rate": rate,
            "power": -self.learning_rate_power,
            "l1": self.l1_regularization_strength,
            "l2": self.l2_regularization_strength,
            "shrinkage": self.l2_shrinkage_regularization_strength,
        }
