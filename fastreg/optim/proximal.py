"""Rules with a proximal step, in which L1 gives exact zeros: ProximalGradientDescent, ProximalAdagrad, Ftrl."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastreg.optim.hyperparameters import ByName, Hyperparameter, Schedule, check_number, strength
from fastreg.optim.optimizer import Optimizer, Slots
from fastreg.optim.rules import Accumulating
from fastreg.terms import Array


class Proximal(Optimizer):
    """Rules with an L1 and an L2 strength of their own, whose proximal step is exact."""

    l1_regularization_strength = strength()
    l2_regularization_strength = strength()

    def step_constants(self) -> dict[str, float]:
        """Return the constants of the coming step."""
        return super().step_constants() | {
            "l1": self.at_step("l1_regularization_strength"),
            "l2": self.at_step("l2_regularization_strength"),
        }


class ProximalGradientDescent(Proximal):
    """``v = w - learning_rate*g; w = sign(v) * max(|v| - learning_rate*l1, 0) / (1 + learning_rate*l2)``.

    Parameters
    ----------
    learning_rate : float or callable, or list of (pattern, float or callable)
    l1_regularization_strength, l2_regularization_strength : float or callable, optional
        l1 and l2. L1 terms of `regularization` add to l1; L2 terms go to the gradient.
    **options
        `clip_norm`, `check_finite` and `average`, see `Optimizer`.

    References
    ----------
    .. [1] J. Duchi and Y. Singer, "Efficient online and batch learning using forward backward splitting", 2009; TensorFlow's
       ProximalGradientDescentOptimizer.
    """

    rule = "proximal_gradient_descent"

    def __init__(
        self,
        learning_rate: ByName,
        l1_regularization_strength: Schedule = 0.0,
        l2_regularization_strength: Schedule = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength


class ProximalAdagrad(Proximal, Accumulating):
    """`ProximalGradientDescent` with Adagrad's rate: a += g**2, and learning_rate / sqrt(a) in place of learning_rate.

    Parameters
    ----------
    learning_rate : float or callable, or list of (pattern, float or callable)
    initial_accumulator_value : float, optional
        Of a; above 0.
    l1_regularization_strength, l2_regularization_strength : float or callable, optional
        As for `ProximalGradientDescent`.
    **options
        `clip_norm`, `check_finite` and `average`, see `Optimizer`.

    Notes
    -----
    Source: TensorFlow's ProximalAdagradOptimizer. Its slot is ``accumulator``.
    """

    rule = "proximal_adagrad"
    slot_names = ("accumulator",)

    def __init__(
        self,
        learning_rate: ByName,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: Schedule = 0.0,
        l2_regularization_strength: Schedule = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, initial_accumulator_value, **options)
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength


def _check_power(value: Any, name: str) -> float:
    if check_number(value, name) > 0:
        raise ValueError(f"{name} {value:f} needs to be negative or zero")
    return float(value)


def _check_accumulator_value(value: Any, name: str) -> Any:
    if check_number(value, name) < 0:
        raise ValueError(f"{name} {value:f} needs to be positive or zero")
    return value


class Ftrl(Proximal):
    """Follow the regularized leader, with L1, L2 and shrinkage.

    With n = a + g**2 and p = -learning_rate_power::

        z += g + 2*shrinkage*w - (n**p - a**p) / learning_rate * w;  a = n
        w  = (sign(z)*l1 - z) / (n**p / learning_rate + 2*l2) where |z| > l1, else exactly 0

    Parameters
    ----------
    learning_rate : float or callable, or list of (pattern, float or callable)
        Above 0.
    learning_rate_power : float, optional
        At most 0. At powers other than -1/2 the bits are those of the C library's pow.
    initial_accumulator_value : float, optional
        Of a; at least 0.
    l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength : float or callable, optional
        l1, l2 and shrinkage. L1 terms of `regularization` add to l1; L2 terms go to the gradient. Ftrl compares l1 and l2 with
        the sum of the gradients of all steps so far, other rules with the gradient of one step. To have the same weight as in
        another rule after n steps, they must be n times as large.
    **options
        `clip_norm`, `check_finite` and `average`, see `Optimizer`.

    References
    ----------
    .. [1] H. B. McMahan et al., "Ad click prediction: a view from the trenches", 2013; TensorFlow's FtrlOptimizer.
    """

    rule = "ftrl"
    slot_names = ("accum", "linear")
    learning_rate_power: Any = Hyperparameter(_check_power)
    initial_accumulator_value: Any = Hyperparameter(_check_accumulator_value)
    l2_shrinkage_regularization_strength = strength()

    def __init__(
        self,
        learning_rate: ByName,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: Schedule = 0.0,
        l2_regularization_strength: Schedule = 0.0,
        l2_shrinkage_regularization_strength: Schedule = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = initial_accumulator_value
        self.learning_rate_power = learning_rate_power
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength

    def initial_slots(self, array: Array) -> Slots:
        """Return the slots of a new variable, the accumulator at its initial value."""
        return np.full_like(array, self.initial_accumulator_value, subok=False), np.zeros_like(array, subok=False)

    def step_constants(self) -> dict[str, float]:
        """Return the constants of the coming step."""
        shrinkage = self.at_step("l2_shrinkage_regularization_strength")
        return super().step_constants() | {"power": -self.learning_rate_power, "shrinkage": shrinkage}

    def step_rate(self, learning_rate: float) -> float:
        """Return the learning rate, which Ftrl divides by."""
        if learning_rate == 0:
            raise ValueError("learning_rate of Ftrl must be above 0, got 0")
        return learning_rate
