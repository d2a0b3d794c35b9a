"""The update rules in plain NumPy, in the kernels' order of operations; the formulas are TensorFlow 1's.

A rule is a function that takes the weights, the total gradient, the slots, the arguments by TensorFlow's names and the step's
number, from 1, and returns the new weights. It puts new arrays into the dict of slots and writes into none. `RULES` lists the
rules by the names of `fastreg.optim`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arguments = Mapping[str, float]
Slots = dict[str, Array]
Step = Callable[[Array, Array, Slots, Arguments, int], Array]


@dataclass(frozen=True)
class Rule:
    """One update rule and its traits.

    Parameters
    ----------
    step : callable
        ``step(w, g, slots, arguments, t)``: the new weights.
    slots : callable, optional
        The first value of each array that the rule keeps beside the weights, from its arguments.
    defaults : mapping, optional
        The arguments that may be left out.
    takes_l1 : bool, optional
        Whether L1 penalties add to the rule's own strength, not to the gradient.
    takes_prox : bool, optional
        Whether the step ends in a prox with one step, the rate, for all elements.
    steps_of_prox : callable, optional
        ``steps_of_prox(slots, arguments)``: each element's step of the prox in which the rule ends instead.
    """

    step: Step
    slots: Callable[[Arguments], dict[str, float]] = lambda a: {}
    defaults: Arguments = field(default_factory=dict)
    takes_l1: bool = False
    takes_prox: bool = False
    steps_of_prox: Callable[[Slots, Arguments], Array] | None = None

    def first_slots(self, w: Array, arguments: Arguments) -> Slots:
        """Return the slots of weights that have not been stepped."""
        return {name: np.full_like(w, value) for name, value in self.slots({**self.defaults, **arguments}).items()}


def gradient_descent(w: Array, g: Array, s: Slots, a: Arguments, t: int) -> Array:
    """Take the step of GradientDescentOptimizer."""
    return w - g * w.dtype.type(a["learning_rate"])


def momentum(w: Array, g: Array, s: Slots, a: Arguments, t: int) -> Array:
    """Take the step of MomentumOptimizer."""
    rate, keep = w.dtype.type(a["learning_rate"]), w.dtype.type(a["momentum"])
    s["momentum"] = s["momentum"] * keep + g
    return w - (g * rate + s["momentum"] * keep * rate) if a["use_nesterov"] else w - s["momentum"] * rate


def adagrad(w: Array, g: Array, s: Slots, a: Arguments, t: int) -> Array:
    """Take the step of AdagradOptimizer."""
    s["accumulator"] = s["accumulator"] + g * g
    return w - g * w.dtype.type(a["learning_rate"]) / np.sqrt(s["accumulator"])


def rms_prop(w: Array, g: Array, s: Slots, a: Arguments, t: int) -> Array:
    """Take the step of RMSPropOptimizer."""
    kind = w.dtype.type
    fresh = kind(1 - a["decay"])
    s["rms"] = s["rms"] + (g * g - s["rms"]) * fresh
    spread = s["rms"]
    if a["centered"]:
        s["mg"] = s["mg"] + (g - s["mg"]) * fresh
        spread = s["rms"] - s["mg"] * s["mg"]
    ahead = g * kind(a["learning_rate"]) / np.sqrt(spread + kind(a["epsilon"]))
    s["momentum"] = s["momentum"] * kind(a["momentum"]) + ahead
    return w - s["momentum"]


def adam(w: Array, g: Array, s: Slots, a: Arguments, t: int) -> Array:
    """Take the step of AdamOptimizer."""
    kind = w.dtype.type
    rate = kind(a["learning_rate"] * sqrt(1 - a["beta2"] ** t) / (1 - a["beta1"] ** t))
    s["m"] = s["m"] + (g - s["m"]) * kind(1 - a["beta1"])
    s["v"] = s["v"] + (g * g - s["v"]) * kind(1 - a["beta2"])
    return w - s["m"] * rate / (np.sqrt(s["v"]) + kind(a["epsilon"]))


def decoupled(step: Step) -> Step:
    """Return the rule that first takes a fraction off the weights, as DecoupledWeightDecayExtension does.

    A cautious one takes it off afterwards, but not where the step has moved a weight away from 0.
    """

    def decayed(w: Array, g: Array, s: Slots, a: Arguments, t: int) -> Array:
        if a["cautious"]:
            new = step(w, g, s, a, t)
            away = np.where(w > 0, new > w, new < w) & (w != 0)
            return new - np.where(away, w.dtype.type(0), w.dtype.type(a["weight_decay"]) * w)
        return step(w - w.dtype.type(a["weight_decay"]) * w, g, s, a, t)

    return decayed


def soft_threshold(x: Array, threshold: Any) -> Array:
    """Return sign(x) * max(|x| - threshold, 0)."""
    shrunk: Array = np.sign(x) * np.maximum(np.abs(x) - threshold, x.dtype.type(0))
    return shrunk


def proximal_gradient_descent(w: Array, g: Array, s: Slots, a: Arguments, t: int) -> Array:
    """Take the step of ProximalGradientDescentOptimizer."""
    kind, rate = w.dtype.type, a["learning_rate"]
    ahead = soft_threshold(w - g * kind(rate), kind(rate * a["l1_regularization_strength"]))
    return ahead / kind(1 + rate * a["l2_regularization_strength"])


def proximal_adagrad(w: Array, g: Array, s: Slots, a: Arguments, t: int) -> Array:
    """Take the step of ProximalAdagradOptimizer."""
    kind = w.dtype.type
    s["accumulator"] = s["accumulator"] + g * g
    rate = kind(a["learning_rate"]) / np.sqrt(s["accumulator"])
    ahead = soft_threshold(w - g * rate, rate * kind(a["l1_regularization_strength"]))
    return ahead / (kind(1) + rate * kind(a["l2_regularization_strength"]))


def ftrl(w: Array, g: Array, s: Slots, a: Arguments, t: int) -> Array:
    """Take the step of FtrlOptimizer."""
    kind = w.dtype.type
    rate, l1 = kind(a["learning_rate"]), kind(a["l1_regularization_strength"])
    power = -a["learning_rate_power"]
    accum = s["accum"] + g * g
    before, after = (np.sqrt(x) if power == 0.5 else x ** kind(power) for x in (s["accum"], accum))
    shrunk = g + kind(2 * a["l2_shrinkage_regularization_strength"]) * w
    linear = s["linear"] + (shrunk - (after - before) / rate * w)
    s["accum"], s["linear"] = accum, linear
    ahead = (np.sign(linear) * l1 - linear) / (after / rate + kind(2 * a["l2_regularization_strength"]))
    return np.where(np.abs(linear) > l1, ahead, kind(0))


def steps_by(slot: str) -> Callable[[Slots, Arguments], Array]:
    """Return the function that divides the rate by the root, or another power, of this slot."""

    def steps(s: Slots, a: Arguments) -> Array:
        kind, power = s[slot].dtype.type, -a.get("learning_rate_power", -0.5)
        return np.asarray(kind(a["learning_rate"]) / (np.sqrt(s[slot]) if power == 0.5 else s[slot] ** kind(power)))

    return steps


def _accumulator(a: Arguments) -> dict[str, float]:
    return {"accumulator": a["initial_accumulator_value"]}


_MOMENTUM = {"use_nesterov": False}
_ADAM = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
_DECAY = {"cautious": False}
_STRENGTHS = {"l1_regularization_strength": 0.0, "l2_regularization_strength": 0.0}

RULES: Mapping[str, Rule] = {
    "GradientDescent": Rule(gradient_descent),
    "Momentum": Rule(momentum, lambda a: {"momentum": 0.0}, _MOMENTUM),
    "MomentumW": Rule(decoupled(momentum), lambda a: {"momentum": 0.0}, _MOMENTUM | _DECAY),
    "Adagrad": Rule(adagrad, _accumulator, {"initial_accumulator_value": 0.1}),
    "RMSProp": Rule(
        rms_prop,
        lambda a: {"rms": 1.0, "momentum": 0.0, **({"mg": 0.0} if a["centered"] else {})},
        {"decay": 0.9, "momentum": 0.0, "epsilon": 1e-10, "centered": False},
    ),
    "Adam": Rule(adam, lambda a: {"m": 0.0, "v": 0.0}, _ADAM),
    "AdamW": Rule(decoupled(adam), lambda a: {"m": 0.0, "v": 0.0}, _ADAM | _DECAY),
    "ProximalGradientDescent": Rule(proximal_gradient_descent, defaults=_STRENGTHS, takes_l1=True, takes_prox=True),
    "ProximalAdagrad": Rule(
        proximal_adagrad,
        _accumulator,
        {"initial_accumulator_value": 0.1, **_STRENGTHS},
        takes_l1=True,
        steps_of_prox=steps_by("accumulator"),
    ),
    "Ftrl": Rule(
        ftrl,
        lambda a: {"accum": a["initial_accumulator_value"], "linear": 0.0},
        {
            "learning_rate_power": -0.5,
            "initial_accumulator_value": 0.1,
            "l2_shrinkage_regularization_strength": 0.0,
            **_STRENGTHS,
        },
        takes_l1=True,
        steps_of_prox=steps_by("accum"),
    ),
}
