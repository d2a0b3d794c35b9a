"""The update rules that are measured: their arguments, what they must move, and a float64 reference of one step.

The formulas are TensorFlow 1's (core/kernels/training_ops.cc); every argument is given, so that no library's default
can make two rules differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Step = Callable[[Array, Array, Mapping[str, Array], Mapping[str, float]], Array]


@dataclass(frozen=True)
class Rule:
    """One update rule of ``fastreg.optim``.

    Parameters
    ----------
    arguments : mapping
        The rule's arguments by TensorFlow's names.
    slots : mapping
        First value of every array that the rule keeps beside the weights.
    step : callable
        ``step(w, g, slots, arguments)``: the first step's new weights.
    """

    arguments: Mapping[str, float]
    step: Step
    slots: Mapping[str, float] = field(default_factory=dict)

    @property
    def streams(self) -> int:
        """Arrays that must cross the memory bus: gradient in, weights in and out, each slot in and out."""
        return 3 + 2 * len(self.slots)


def _gradient_descent(w: Array, g: Array, _: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    return w - a["learning_rate"] * g


def _momentum(w: Array, g: Array, s: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    return w - a["learning_rate"] * (a["momentum"] * s["momentum"] + g)


def _momentum_w(w: Array, g: Array, s: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    return _momentum(w - a["weight_decay"] * w, g, s, a)


def _adagrad(w: Array, g: Array, s: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    return w - a["learning_rate"] * g / np.sqrt(s["accumulator"] + g * g)


def _rms_prop(w: Array, g: Array, s: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    square = a["decay"] * s["rms"] + (1 - a["decay"]) * g * g
    return w - (a["momentum"] * s["momentum"] + a["learning_rate"] * g / np.sqrt(square + a["epsilon"]))


def _adam(w: Array, g: Array, s: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    m = a["beta1"] * s["m"] + (1 - a["beta1"]) * g
    v = a["beta2"] * s["v"] + (1 - a["beta2"]) * g * g
    rate = a["learning_rate"] * sqrt(1 - a["beta2"]) / (1 - a["beta1"])
    return w - rate * m / (np.sqrt(v) + a["epsilon"])


def _adam_w(w: Array, g: Array, s: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    return _adam(w - a["weight_decay"] * w, g, s, a)


def _shrink(w: Array, rate: Array | float, a: Mapping[str, float]) -> Array:
    l1, l2 = a["l1_regularization_strength"], a["l2_regularization_strength"]
    shrunk: Array = np.sign(w) * np.maximum(np.abs(w) - rate * l1, 0) / (1 + rate * l2)
    return shrunk


def _proximal_gradient_descent(w: Array, g: Array, _: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    return _shrink(w - a["learning_rate"] * g, a["learning_rate"], a)


def _proximal_adagrad(w: Array, g: Array, s: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    rate = a["learning_rate"] / np.sqrt(s["accumulator"] + g * g)
    return _shrink(w - rate * g, rate, a)


def _ftrl(w: Array, g: Array, s: Mapping[str, Array], a: Mapping[str, float]) -> Array:
    rate, l1, l2 = a["learning_rate"], a["l1_regularization_strength"], a["l2_regularization_strength"]
    before = s["accumulator"] ** -a["learning_rate_power"]
    after = (s["accumulator"] + g * g) ** -a["learning_rate_power"]
    linear = s["linear"] + g - (after - before) / rate * w
    return np.where(np.abs(linear) > l1, (np.sign(linear) * l1 - linear) / (after / rate + 2 * l2), 0.0)


_STRENGTHS = {"l1_regularization_strength": 1e-3, "l2_regularization_strength": 1e-3}
_ADAM = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

RULES: Mapping[str, Rule] = {
    "GradientDescent": Rule({"learning_rate": 0.01}, _gradient_descent),
    "Momentum": Rule({"learning_rate": 0.01, "momentum": 0.9}, _momentum, {"momentum": 0.0}),
    "MomentumW": Rule({"weight_decay": 1e-4, "learning_rate": 0.01, "momentum": 0.9}, _momentum_w, {"momentum": 0.0}),
    "Adagrad": Rule({"learning_rate": 0.01, "initial_accumulator_value": 0.1}, _adagrad, {"accumulator": 0.1}),
    "RMSProp": Rule(
        {"learning_rate": 1e-3, "decay": 0.9, "momentum": 0.9, "epsilon": 1e-10}, _rms_prop, {"rms": 1.0, "momentum": 0.0}
    ),
    "Adam": Rule(_ADAM, _adam, {"m": 0.0, "v": 0.0}),
    "AdamW": Rule({"weight_decay": 1e-4, **_ADAM}, _adam_w, {"m": 0.0, "v": 0.0}),
    "ProximalGradientDescent": Rule({"learning_rate": 0.01, **_STRENGTHS}, _proximal_gradient_descent),
    "ProximalAdagrad": Rule(
        {"learning_rate": 0.01, "initial_accumulator_value": 0.1, **_STRENGTHS}, _proximal_adagrad, {"accumulator": 0.1}
    ),
    "Ftrl": Rule(
        {"learning_rate": 0.01, "learning_rate_power": -0.5, "initial_accumulator_value": 0.1, **_STRENGTHS},
        _ftrl,
        {"accumulator": 0.1, "linear": 0.0},
    ),
}
