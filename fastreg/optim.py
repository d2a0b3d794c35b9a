"""Floor 4: update rules that fold the regularization into the step.

A step reads the weights and the gradients and writes the weights; the penalty's gradient and its loss ride along in the same
pass over memory. The rules are TensorFlow 1's (python/training, contrib/opt), with its argument names, defaults and formulas;
the loops are the kernels'. Here stand the hyperparameters, the slots, and which array they belong to.

`apply_gradients` takes pairs (gradient, variable). A variable is a `Variable`, or an array of the user's own; a mapping
``{name: (gradient, array)}`` names arrays. Slots are kept by name, without the ``:0`` of a graph's names.

Hyperparameters are float64 and rounded once, to the weights' dtype, where they meet the weights. TensorFlow rounds them to
float32 first and forms 1 - beta in the weights' dtype, which for 0.999 is off by 5e-5; with numbers that are exact in float32
all rules give TensorFlow's results.

A gradient may be of rows, ``(values, row indices)``, as an embedding table gets: only those rows and their slots are touched,
and only those rows pay the penalty and the decay: the loss counts them alone. Values of one row that occur several times are
added first, in their order. TensorFlow does the same, except that its Adam lets the slots of the other rows decay and moves
those rows.

Folding does not change bits: a step with `regularization=terms` gives the same weights, slots and loss as
``value_and_gradients(terms, out=gradients, accumulate=True)`` and a step without, clipping included. It cannot where

- a proximal rule (ProximalGradientDescent, ProximalAdagrad, Ftrl) is given an L1 term: it takes it in the proximal step, where
  zeros become exact;
- a variable has a term of the family and one of a user's own: the latter's gradient is added first here, last there;
- a gradient is of rows.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastreg.kernels import check_array, merge_rows, update
from fastreg.losses import Parameter, RegularizationLoss, Total, flatten_terms, match_rules

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
Slots: TypeAlias = tuple[Array, ...]
Schedule: TypeAlias = float | Callable[[int], float]
DecayRules: TypeAlias = Schedule | Sequence[tuple[str, Schedule | None]]

# Fields of `_abi.Rule` that a rule does not use.
_RULE = {
    "rate": 0.0, "momentum": 0.0, "beta1": 0.0, "beta2": 0.0, "epsilon": 0.0, "l1": 0.0, "l2": 0.0, "shrinkage": 0.0,
    "power": 0.0, "clip": 1.0, "nesterov": False, "centered": False, "proximal": False,
}  # fmt: skip


def _number(value: object, name: str, least: float = -math.inf, below: float = math.inf) -> float:
    """Return a hyperparameter as a float, or say what it should be."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and least <= number < below):
        bounds = "finite" if least == -math.inf else f"finite and at least {least:g}"
        raise ValueError(f"{name} must be {bounds}{f' and below {below:g}' if below < math.inf else ''}, got {value!r}")
    return number


def _power(x: float, n: int) -> float:
    """Return x**n by multiplications alone: the C library's pow has other last bits on other machines."""
    result = 1.0
    while n:
        if n & 1:
            result *= x
        x *= x
        n >>= 1
    return result


def _plain_name(name: str) -> str:
    """Return a variable's name without the ``:0`` of a graph's."""
    return name[:-2] if name.endswith(":0") else name


class _Targets(NamedTuple):
    """What one step updates, entry by entry; `known` also names the variables without a gradient."""

    names: list[str]
    arrays: list[Array]
    gradients: list[Array]
    rows: list[NDArray[np.int64] | None]
    known: list[str]
    placed: dict[str, Array]


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
    _slot_names: tuple[str, ...] = ()

    def __init__(self, learning_rate: Schedule, *, clip_norm: float | None = None, check_finite: bool = False) -> None:
        if not hasattr(type(self), "_operation"):
            raise TypeError("Optimizer is the rules' base; make one of them, such as fastreg.optim.Adam")
        self.learning_rate = learning_rate
        if not callable(learning_rate):
            _number(learning_rate, "learning_rate", least=0)
        if clip_norm is not None and _number(clip_norm, "clip_norm", least=0) == 0:
            raise ValueError("clip_norm must be above 0, got 0")
        self.clip_norm = clip_norm
        self.check_finite = bool(check_finite)
        self.iterations = 0
        self._slots: dict[str, Slots] = {}
        self._placed: dict[str, Array] = {}  # arrays that came without a name, by the name they were given
        self._loaded = False

    def _at(self, value: Schedule, name: str) -> float:
        """Return a hyperparameter for this step."""
        return _number(value(self.iterations) if callable(value) else value, name, least=0)

    def _rate(self) -> float:
        return self._at(self.learning_rate, "learning_rate")

    def _rule(self) -> dict[str, float]:
        """Return the rule's constants for this step, by the names of `_abi.Rule`."""
        return {"rate": self._rate()}

    def _initial_slots(self, array: Array) -> Slots:
        """Return the slots of a variable that is new here."""
        return tuple(np.zeros_like(array, subok=False) for _ in self._slot_names)

    def _decays(self, names: list[str], known: list[str]) -> list[float]:
        """Return the fraction that is taken off each variable's weights."""
        return [0.0] * len(names)

    def apply_gradients(
        self,
        grads_and_variables: Iterable[tuple[Any, Any]] | Mapping[str, tuple[Any, Any]],
        regularization: Sequence[RegularizationLoss] | Total | None = None,
    ) -> np.float64:
        """Step all variables at once, the regularization folded in.

        Parameters
        ----------
        grads_and_variables : iterable of (gradient, variable), or mapping of str to (gradient, variable)
            A gradient has its variable's shape, dtype and memory order, or is a pair (values, row indices), or None: that
            variable is left alone. It is read, never written. A bare array in an iterable gets the name of its term, or of
            its place, ``variable_0``, and must be the same array at each step.
        regularization : list of RegularizationLoss, or Total, optional
            Terms over variables that are updated here. Their gradients are added to the given ones; what L1 a proximal rule
            is given goes to its proximal step. A term whose regularizer is a user's own is evaluated in a pass of its own.
            For a strength that changes, set it before the step: ``l2.scale = strength(opt.iterations)``.

        Returns
        -------
        numpy.float64
            The sum of the terms before the step, 0 without any.

        Raises
        ------
        TypeError, ValueError
            If a gradient, a variable or a term does not fit. Whenever something is raised, also by a function of the user's
            own, nothing has been changed: a step happens whole or not at all.

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
        terms, penalties = _split(regularization)
        target = self._targets(grads_and_variables, terms)
        names, arrays = target.names, target.arrays
        places = dict(zip(map(id, arrays), range(len(arrays)), strict=True))
        owners = [places.get(id(term._cell[term._key]), -1) for term in terms]
        if -1 in owners:
            raise ValueError(f"term {terms[owners.index(-1)].name!r} is over an array that is not updated here: {names}")
        own: list[float] = []
        if None in penalties:
            for term, owner in zip(terms, owners, strict=True):
                if term._penalty is None:
                    own.append(_add_own(term, target, owner))
            owners = [owner for owner, penalty in zip(owners, penalties, strict=True) if penalty is not None]
            penalties = [penalty for penalty in penalties if penalty is not None]
        held = self._slots
        slots = [held[name] if name in held else self._new_slots(name, array) for name, array in zip(names, arrays, strict=True)]
        # All that can be refused is worked out by now or is refused by `update` before it writes.
        loss = update(
            self._operation,
            _RULE | self._rule(),
            names,
            arrays,
            target.gradients,
            target.rows,
            slots,
            self._decays(names, target.known),
            penalties,
            owners,
            self.clip_norm,
            self.check_finite,
        )
        self.iterations += 1
        held.update(zip(names, slots, strict=True))
        self._placed |= target.placed
        for value in own:
            loss += value
        return loss

    def _targets(self, grads_and_variables: Any, terms: Sequence[RegularizationLoss]) -> _Targets:
        placed: dict[str, Array] = {}
        if isinstance(grads_and_variables, Mapping):
            known, pairs = _keys(grads_and_variables), list(grads_and_variables.values())
        else:
            pairs = list(grads_and_variables)
            known, placed = self._name(pairs, terms)
        if len(set(known)) < len(known):
            twice = next(name for name in known if known.count(name) > 1)
            raise ValueError(f"variable {twice!r} stands in grads_and_variables twice")
        names: list[str] = []
        arrays: list[Array] = []
        gradients: list[Array] = []
        rows: list[NDArray[np.int64] | None] = []
        for name, pair in zip(known, pairs, strict=True):
            if type(pair) is not tuple or len(pair) != 2:
                _check_pair(pair, repr(name))
            gradient, variable = pair
            if gradient is None:
                continue
            names.append(name)
            if type(variable) is np.ndarray:
                arrays.append(variable)
            elif isinstance(variable, Parameter):  # not by `value`: a face over the core may mean something else by it
                arrays.append(variable._cell[variable._key])
            else:
                arrays.append(check_array(variable, f"variable {name!r}"))
            if type(gradient) is tuple:
                gradient, touched = _unique_rows(gradient, arrays[-1], name)
                rows.append(touched)
            else:
                rows.append(None)
            gradients.append(gradient)
        if not names:
            raise ValueError(f"No gradients provided for any variable: {known}.")
        return _Targets(names, arrays, gradients, rows, known, placed)

    def _name(self, pairs: list[Any], terms: Sequence[RegularizationLoss]) -> tuple[list[str], dict[str, Array]]:
        """Return the variables' names, and the bare arrays by the names they get: as before, or of their terms or places."""
        names: list[str] = []
        placed: dict[str, Array] = {}
        seen: dict[int, str] | None = None
        for i, pair in enumerate(pairs):
            if type(pair) is not tuple or len(pair) != 2:
                _check_pair(pair, str(i))
            variable = pair[1]
            if isinstance(variable, Parameter):
                names.append(_plain_name(variable.name))
                continue
            if seen is None:
                seen = {id(term._cell[term._key]): _plain_name(term._owner) for term in terms}
                seen |= {id(array): name for name, array in self._placed.items()}
            place = f"variable_{i}"
            name = seen.get(id(variable), place)
            if name is place and place in self._placed and pair[0] is not None:
                raise ValueError(
                    f"{place!r}, named by its place in grads_and_variables, is another array than at the last step; "
                    f"name arrays with a mapping {{name: (gradient, array)}}"
                )
            names.append(name)
            if pair[0] is not None:
                placed[name] = variable
        return names, placed

    def _new_slots(self, name: str, array: Array) -> Slots:
        if self._loaded:
            raise ValueError(f"the loaded state has no slots for variable {name!r}; it has {sorted(self._slots)}")
        return self._initial_slots(check_array(array, f"variable {name!r}"))

    def get_slot(self, variable: Parameter | str, name: str) -> Array:
        """Return a slot's array, the one that the steps write to.

        Parameters
        ----------
        variable : Variable or str
            The variable, or its name.
        name : str
            One of `get_slot_names`.

        Raises
        ------
        KeyError
            If the variable has not been stepped, or the rule has no such slot.
        """
        key = _plain_name(variable if isinstance(variable, str) else variable.name)
        if name not in self._slot_names:
            raise KeyError(f"{type(self).__name__} has no slot {name!r}; it has {list(self._slot_names)}")
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
            ``rule``, ``iterations``, and ``<variable>/<slot>``, each a copy. Hyperparameters are not part of it.

        Examples
        --------
        >>> import numpy as np, fastreg as fr
        >>> w = np.ones(3)
        >>> opt = fr.optim.Momentum(0.5, momentum=0.9)
        >>> _ = opt.apply_gradients({"w": (np.ones(3), w)})
        >>> sorted(opt.state_dict())
        ['iterations', 'rule', 'w/momentum']
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
        TypeError, ValueError
            If it is of another rule, lacks a slot, holds something else, or does not fit the variables that have been stepped
            so far; nothing is taken over then. Whether it fits variables that are new here is checked at their next step.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping of names to arrays, as state_dict gives, not {type(state).__name__}")
        entries = {key: np.asarray(state[key]) for key in state}
        for key in ("rule", "iterations"):
            if key not in entries:
                raise ValueError(f"state lacks {key!r}; it has {sorted(entries)}")
        rule, iterations = entries.pop("rule"), entries.pop("iterations")
        if str(rule) != type(self).__name__:
            raise ValueError(f"state is of {rule}, not of {type(self).__name__}")
        if iterations.shape or iterations.dtype.kind not in "iu" or iterations < 0:
            raise ValueError(f"state['iterations'] must be a whole number of at least 0, got {iterations!r}")
        found: dict[str, dict[str, Array]] = {}
        for key, array in entries.items():
            variable, slash, name = key.rpartition("/")
            if not slash or name not in self._slot_names:
                raise ValueError(f"state has {key!r}, which names no slot of {type(self).__name__}: {list(self._slot_names)}")
            found.setdefault(variable, {})[name] = check_array(array, f"state[{key!r}]").copy(order="K")
        loaded: dict[str, Slots] = {}
        for variable, own in found.items():
            lacking = [name for name in self._slot_names if name not in own]
            if lacking:
                raise ValueError(f"state lacks the slots {lacking} of variable {variable!r}")
            loaded[variable] = tuple(own[name] for name in self._slot_names)
            first = self._slots.get(variable, loaded[variable])[0]
            for name, slot in own.items():
                if slot.shape != first.shape or slot.dtype != first.dtype:
                    raise ValueError(
                        f"state['{variable}/{name}'] has shape {slot.shape} and dtype {slot.dtype}, where {variable!r} has "
                        f"{first.shape} and {first.dtype}"
                    )
        self._slots, self.iterations, self._loaded = loaded, int(iterations), bool(self._slot_names)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learning_rate={self.learning_rate!r}, iterations={self.iterations})"


def _split(terms: Any) -> tuple[Sequence[RegularizationLoss], list[Any]]:
    """Return the terms one by one, and the penalty of each: None where the regularizer is a user's own."""
    if terms is None:
        return [], []
    try:
        penalties = [term._penalty for term in terms]
    except (AttributeError, TypeError):
        terms = flatten_terms(terms)
        penalties = [term._penalty for term in terms]
    if None in penalties:
        terms = [term for term in terms if term.regularizer is not None]
        penalties = [term._penalty for term in terms]
    return terms, penalties


def _keys(variables: Mapping[Any, Any]) -> list[str]:
    names = list(variables)
    if not set(map(type, names)) <= {str}:
        raise TypeError(f"grads_and_variables must have names that are strings, not {names}")
    return [name[:-2] if name.endswith(":0") else name for name in names]


def _check_pair(pair: Any, entry: str) -> None:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(f"entry {entry} of grads_and_variables must be a pair (gradient, variable), got {type(pair).__name__}")


def _unique_rows(gradient: tuple[Any, ...], array: Array, name: str) -> tuple[Array, NDArray[np.int64]]:
    """Return the rows of a gradient once each, rising; values of the same row are added in their order."""
    if len(gradient) != 2:
        raise ValueError(f"gradient of {name!r} must be an array or a pair (values, row indices), got {len(gradient)} things")
    rows, total = merge_rows(*gradient, array, name)
    return total, rows


def _add_own(term: RegularizationLoss, target: _Targets, i: int) -> float:
    """Add the gradient of a user's own regularizer to a copy of the given one; return its value."""
    name, array = target.names[i], target.arrays[i]
    if target.rows[i] is not None:
        raise ValueError(f"term {term.name!r} is a user's own and the gradient of {name!r} is of rows; pass it whole")
    given = check_array(target.gradients[i], f"gradient of {name!r}")
    if given.shape != array.shape:  # before NumPy broadcasts it
        raise ValueError(f"gradient of {name!r} must have the shape of variable {name!r}, {array.shape}, got {given.shape}")
    value, total = term._own_value(), given.copy(order="K")
    total += term._own_gradient()
    target.gradients[i] = total
    return value


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
        if _number(initial_accumulator_value, "initial_accumulator_value") <= 0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        self.initial_accumulator_value = initial_accumulator_value

    def _initial_slots(self, array: Array) -> tuple[Array, ...]:
        return (np.full_like(array, self.initial_accumulator_value, subok=False), *super()._initial_slots(array)[1:])


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
    _slot_names: tuple[str, ...] = ("rms", "momentum")

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
        self.decay = _number(decay, "decay", least=0)
        self.momentum = _number(momentum, "momentum")
        self.epsilon = _number(epsilon, "epsilon", least=0)
        self.centered = bool(centered)
        if self.centered:
            self._slot_names = ("rms", "momentum", "mg")

    def _rule(self) -> dict[str, float]:
        return {
            "rate": self._rate(),
            "beta1": self.decay,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }

    def _initial_slots(self, array: Array) -> tuple[Array, ...]:
        return (np.ones_like(array, subok=False), *super()._initial_slots(array)[1:])


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
        self.beta1 = _number(beta1, "beta1", least=0, below=1)
        self.beta2 = _number(beta2, "beta2", least=0, below=1)
        self.epsilon = _number(epsilon, "epsilon", least=0)

    def _rule(self) -> dict[str, float]:
        t = self.iterations + 1
        rate = self._rate() * math.sqrt(1 - _power(self.beta2, t)) / (1 - _power(self.beta1, t))
        return {"rate": rate, "beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}


class _Decoupled(Optimizer):
    """Rules that first take a fraction off the weights themselves: weights -= weight_decay * weights."""

    def __init__(self, weight_decay: DecayRules, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._matched: tuple[list[str], Any, dict[str, Schedule | None]] = [], None, {}
        self.weight_decay = weight_decay

    @property
    def weight_decay(self) -> DecayRules:
        """What is taken off at each step; may be set between steps."""
        return self._weight_decay

    @weight_decay.setter
    def weight_decay(self, weight_decay: DecayRules) -> None:
        rules: list[Any] = [("*", weight_decay)]
        if isinstance(weight_decay, Sequence) and not isinstance(weight_decay, str):
            rules = list(weight_decay)
        for i, rule in enumerate(rules):
            if not isinstance(rule, (tuple, list)) or len(rule) != 2 or not isinstance(rule[0], str):
                raise TypeError(f"rule {i} of weight_decay must be a pair (pattern, decay), got {rule!r}")
            if rule[1] is not None and not callable(rule[1]):
                _number(rule[1], "weight_decay", least=0)
        if weight_decay is None:
            raise TypeError("weight_decay must be a number, a function of the step or a list of rules, got None")
        self._weight_decay = weight_decay
        self._decay_rules: list[tuple[str, Schedule | None]] = rules

    def _decays(self, names: list[str], known: list[str]) -> list[float]:
        if self._matched[0] != known or self._matched[1] is not self._decay_rules:
            self._matched = known, self._decay_rules, match_rules(known, self._decay_rules)
        chosen = self._matched[2]
        decays = {id(decay): 0.0 if decay is None else self._at(decay, "weight_decay") for _, decay in self._decay_rules}
        return [decays[id(chosen[name])] if name in chosen else 0.0 for name in names]


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


class _Proximal(Optimizer):
    """Rules with an L1 and an L2 strength of their own, over which they take an exact step."""

    def _take_strengths(self, l1: Schedule, l2: Schedule) -> None:
        self.l1_regularization_strength = _strength(l1, "l1_regularization_strength")
        self.l2_regularization_strength = _strength(l2, "l2_regularization_strength")

    def _rule(self) -> dict[str, float]:
        return {
            "rate": self._rate(),
            "l1": self._at(self.l1_regularization_strength, "l1_regularization_strength"),
            "l2": self._at(self.l2_regularization_strength, "l2_regularization_strength"),
        }


def _strength(value: Schedule, name: str) -> Schedule:
    if callable(value):
        return value
    if _number(value, name) < 0:
        raise ValueError(f"{name} {value:f} needs to be positive or zero")
    return float(value)


class ProximalGradientDescent(_Proximal):
    """v = w - learning_rate*g; w = sign(v) * max(|v| - learning_rate*l1, 0) / (1 + learning_rate*l2).

    Parameters
    ----------
    learning_rate : float or callable
    l1_regularization_strength, l2_regularization_strength : float or callable, optional
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
        l1_regularization_strength: Schedule = 0.0,
        l2_regularization_strength: Schedule = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self._take_strengths(l1_regularization_strength, l2_regularization_strength)


class ProximalAdagrad(_Proximal, _Accumulating):
    """`ProximalGradientDescent` with Adagrad's rate: a += g**2, and learning_rate / sqrt(a) in place of learning_rate.

    Parameters
    ----------
    learning_rate : float or callable
    initial_accumulator_value : float, optional
        Of a; above 0.
    l1_regularization_strength, l2_regularization_strength : float or callable, optional
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
        l1_regularization_strength: Schedule = 0.0,
        l2_regularization_strength: Schedule = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, initial_accumulator_value, **options)
        self._take_strengths(l1_regularization_strength, l2_regularization_strength)


class Ftrl(_Proximal):
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
    l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength : float or callable, optional
        l1, l2 and shrinkage. L1 terms of `regularization` add to l1; L2 terms go to the gradient. Here l1 and l2 stand against
        the gradients of all steps so far, not against each step's as elsewhere: to weigh as much as in another rule after n
        steps, they must be n times as large.
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
        l1_regularization_strength: Schedule = 0.0,
        l2_regularization_strength: Schedule = 0.0,
        l2_shrinkage_regularization_strength: Schedule = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        if _number(initial_accumulator_value, "initial_accumulator_value") < 0:
            raise ValueError(f"initial_accumulator_value {initial_accumulator_value:f} needs to be positive or zero")
        self.initial_accumulator_value = initial_accumulator_value
        if _number(learning_rate_power, "learning_rate_power") > 0:
            raise ValueError(f"learning_rate_power {learning_rate_power:f} needs to be negative or zero")
        self.learning_rate_power = float(learning_rate_power)
        self._take_strengths(l1_regularization_strength, l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = _strength(
            l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength"
        )

    def _initial_slots(self, array: Array) -> Slots:
        return np.full_like(array, self.initial_accumulator_value, subok=False), np.zeros_like(array, subok=False)

    def _rule(self) -> dict[str, float]:
        rule = super()._rule()
        if rule["rate"] == 0:
            raise ValueError("learning_rate of Ftrl must be above 0, got 0")
        shrinkage = self._at(self.l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength")
        return rule | {"power": -self.learning_rate_power, "shrinkage": shrinkage}
