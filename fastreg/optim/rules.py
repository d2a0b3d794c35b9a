"""Rules whose penalty is in the gradient: GradientDescent, Momentum, Adagrad, RMSProp, Adam."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastreg.arguments import check_flag
from fastreg.optim.hyperparameters import ByName, Hyperparameter, check_number, flag, number, power
from fastreg.optim.optimizer import Optimizer, Slots
from fastreg.terms import Array


class GradientDescent(Optimizer):
    """w -= learning_rate * g, with g the total gradient.

    Parameters are those of `Optimizer`. Source: TensorFlow's GradientDescentOptimizer.
    """

    rule = "gradient_descent"


class Momentum(Optimizer):
    """m = momentum*m + g; w -= learning_rate * m.

    Parameters
    ----------
    learning_rate : float or callable, or list of (pattern, float or callable)
    momentum : float
    use_nesterov : bool, optional
        w -= learning_rate * (g + momentum*m) instead.
    **options
        `clip_norm`, `check_finite` and `average`, see `Optimizer`.

    Notes
    -----
    Source: TensorFlow's MomentumOptimizer. Its slot is ``momentum``.
    """

    rule = "momentum"
    slot_names = ("momentum",)
    momentum = number()
    use_nesterov = flag()

    def __init__(self, learning_rate: ByName, momentum: float, use_nesterov: bool = False, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = momentum
        self.use_nesterov = use_nesterov

    def step_constants(self) -> dict[str, float]:
        """Return the constants of the coming step."""
        return {"momentum": self.momentum, "nesterov": self.use_nesterov}


def check_accumulator_value(value: Any, name: str) -> Any:
    """Check the start value of a sum of squares, which must be above 0."""
    if check_number(value, name) <= 0:
        raise ValueError(f"{name} must be positive: {value}")
    return value


class Accumulating(Optimizer):
    """Rules whose first slot is a sum of squared gradients with a start value that is an argument."""

    initial_accumulator_value: Any = Hyperparameter(check_accumulator_value)

    def __init__(self, learning_rate: ByName, initial_accumulator_value: float, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = initial_accumulator_value

    def initial_slots(self, array: Array) -> Slots:
        """Return the slots of a new variable, the accumulator at its initial value."""
        return (np.full_like(array, self.initial_accumulator_value, subok=False), *super().initial_slots(array)[1:])


class Adagrad(Accumulating):
    """a += g**2; w -= learning_rate * g / sqrt(a).

    Parameters
    ----------
    learning_rate : float or callable, or list of (pattern, float or callable)
    initial_accumulator_value : float, optional
        Of a; above 0.
    **options
        `clip_norm`, `check_finite` and `average`, see `Optimizer`.

    References
    ----------
    .. [1] J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods", 2011; TensorFlow's AdagradOptimizer.
    """

    rule = "adagrad"
    slot_names = ("accumulator",)

    def __init__(self, learning_rate: ByName, initial_accumulator_value: float = 0.1, **options: Any) -> None:
        super().__init__(learning_rate, initial_accumulator_value, **options)


class RMSProp(Optimizer):
    """s += (g**2 - s)*(1 - decay); m = momentum*m + learning_rate * g / sqrt(s + epsilon); w -= m.

    Parameters
    ----------
    learning_rate : float or callable, or list of (pattern, float or callable)
    decay, momentum, epsilon : float, optional
    centered : bool, optional
        Subtract the square of a running mean of the gradient from s under the root.
    **options
        `clip_norm`, `check_finite` and `average`, see `Optimizer`.

    Notes
    -----
    As in TensorFlow's RMSPropOptimizer, s starts at 1.
    """

    rule = "rmsprop"
    slot_names: tuple[str, ...] = ("rms", "momentum")
    decay = number(least=0)
    momentum = number()
    epsilon = number(least=0)

    def __init__(
        self,
        learning_rate: ByName,
        decay: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-10,
        centered: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.decay = decay
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    @property
    def centered(self) -> bool:
        """Whether the variance takes the place of the mean square; fixed from the first step on, as the slots are."""
        return self.rule == "centered_rmsprop"

    @centered.setter
    def centered(self, centered: bool) -> None:
        if check_flag(centered, "centered") != self.centered and self._state.slots:
            raise ValueError(f"centered cannot become {centered}: there are slots already; make another RMSProp")
        average = self.slot_names[-1:] if self.slot_names[-1] == "average" else ()
        slot_names = ("rms", "momentum", *(("mg",) if centered else ()), *average)
        self.rule = "centered_rmsprop" if centered else "rmsprop"
        self.slot_names = slot_names

    def hyperparameters(self) -> dict[str, Any]:
        """Return the hyperparameters by name, as they are now."""
        return super().hyperparameters() | {"centered": self.centered}

    def step_constants(self) -> dict[str, float]:
        """Return the constants of the coming step."""
        return {"beta1": self.decay, "momentum": self.momentum, "epsilon": self.epsilon}

    def initial_slots(self, array: Array) -> Slots:
        """Return the slots of a new variable, the mean square at 1."""
        return (np.ones_like(array, subok=False), *super().initial_slots(array)[1:])


class Adam(Optimizer):
    """m += (g - m)*(1 - beta1); v += (g**2 - v)*(1 - beta2); w -= rate * m / (sqrt(v) + epsilon).

    The rate is learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t) at step t, counted from 1.

    Parameters
    ----------
    learning_rate : float or callable, or list of (pattern, float or callable), optional
    beta1, beta2 : float, optional
    epsilon : float, optional
        The paper's epsilon-hat. torch's is added after the bias correction: its eps is epsilon / sqrt(1 - beta2**t) here.
    **options
        `clip_norm`, `check_finite` and `average`, see `Optimizer`.

    References
    ----------
    .. [1] D. Kingma and J. Ba, "Adam", 2015, the form before section 2.1; TensorFlow's AdamOptimizer.
    """

    rule = "adam"
    slot_names = ("m", "v")
    beta1 = number(least=0, below=1)
    beta2 = number(least=0, below=1)
    epsilon = number(least=0)

    def __init__(
        self, learning_rate: ByName = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-08, **options: Any
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def beta_powers(self) -> tuple[float, float]:
        """Return beta1 and beta2 to the power of the coming step, which correct the bias of m and v."""
        t = self.iterations + 1
        return power(self.beta1, t), power(self.beta2, t)

    def step_constants(self) -> dict[str, float]:
        """Return the constants of the coming step."""
        return {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}

    def step_rate(self, learning_rate: float) -> float:
        """Return the learning rate with the bias correction of the coming step."""
        power1, power2 = self.beta_powers()
        return learning_rate * math.sqrt(1 - power2) / (1 - power1)
