"""Learning rates, strengths and decays that are functions of the step, by TensorFlow 1's names and formulas.

Each function here takes TensorFlow's arguments, without `global_step`, and returns a `RateSchedule`: a pure function of the step,
0 for the first, that can be pickled, compared and printed. An update rule takes it wherever it takes a number or a function of
the step. The numbers are float64.

Where `warmup_steps` is w, the steps 0 to w - 1 have the first rate times (step + 1) / (w + 1), and the decay counts from step w.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from fastreg.arguments import check_flag, check_whole, is_listed
from fastreg.optim.hyperparameters import check_number, power

__all__ = ["RateSchedule", "constant", "cosine_decay", "exponential_decay", "piecewise_constant", "polynomial_decay"]


class RateSchedule:
    """A function of the step; made by the functions of this module.

    Parameters
    ----------
    name : str
        How the schedule is written, for its repr.
    formula : callable
        ``formula(step, **arguments)``; a function of a module, so that the schedule can be pickled.
    arguments : dict
    warmup_steps : int
    """

    def __init__(self, name: str, formula: Callable[..., float], arguments: dict[str, Any], warmup_steps: int = 0) -> None:
        self._name, self._formula, self._arguments = name, formula, arguments
        self._warmup_steps = check_whole(warmup_steps, "warmup_steps", least=0)

    def __call__(self, step: int) -> float:
        """Return the number of this step, 0 for the first."""
        after = check_whole(step, "step", least=0) - self._warmup_steps
        if after < 0:
            return self._formula(0, **self._arguments) * (after + self._warmup_steps + 1) / (self._warmup_steps + 1)
        return self._formula(after, **self._arguments)

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, RateSchedule) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        shown = self._arguments | ({"warmup_steps": self._warmup_steps} if self._warmup_steps else {})
        return f"{self._name}({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


def constant(learning_rate: float, *, warmup_steps: int = 0) -> RateSchedule:
    """Return a schedule that stays at `learning_rate`, after the warm-up.

    Parameters
    ----------
    learning_rate : float
        At least 0.
    warmup_steps : int, optional
        See `fastreg.optim.schedules`.

    Examples
    --------
    >>> from fastreg.optim import schedules
    >>> rate = schedules.constant(0.5, warmup_steps=3)
    >>> [rate(step) for step in range(5)]
    [0.125, 0.25, 0.375, 0.5, 0.5]
    """
    return RateSchedule("constant", _constant, {"learning_rate": _check_rate(learning_rate, "learning_rate")}, warmup_steps)


def exponential_decay(
    learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False, *, warmup_steps: int = 0
) -> RateSchedule:
    """Return learning_rate * decay_rate ** (step / decay_steps).

    Parameters
    ----------
    learning_rate, decay_rate : float
        At least 0.
    decay_steps : int
        At least 1.
    staircase : bool, optional
        Round step / decay_steps down.
    warmup_steps : int, optional
        See `fastreg.optim.schedules`.

    Notes
    -----
    Whole exponents are multiplied out, so with `staircase` the bits are the same everywhere. Other exponents are the C library's
    pow, whose last bit differs between machines.

    Examples
    --------
    >>> from fastreg.optim import schedules
    >>> rate = schedules.exponential_decay(0.5, decay_steps=2, decay_rate=0.5, staircase=True)
    >>> rate
    exponential_decay(learning_rate=0.5, decay_steps=2, decay_rate=0.5, staircase=True)
    >>> [rate(step) for step in range(5)]
    [0.5, 0.5, 0.25, 0.25, 0.125]
    """
    arguments = {
        "learning_rate": _check_rate(learning_rate, "learning_rate"),
        "decay_steps": check_whole(decay_steps, "decay_steps", least=1),
        "decay_rate": _check_rate(decay_rate, "decay_rate"),
        "staircase": check_flag(staircase, "staircase"),
    }
    return RateSchedule("exponential_decay", _exponential_decay, arguments, warmup_steps)


def polynomial_decay(
    learning_rate: float,
    decay_steps: int,
    end_learning_rate: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
    *,
    warmup_steps: int = 0,
) -> RateSchedule:
    """Return (learning_rate - end_learning_rate) * (1 - step / decay_steps) ** power + end_learning_rate.

    Parameters
    ----------
    learning_rate, end_learning_rate : float
        At least 0.
    decay_steps : int
        At least 1. From this step on the rate is `end_learning_rate`.
    power : float, optional
        At least 0; 1 is a straight line.
    cycle : bool, optional
        Beyond `decay_steps`, stretch `decay_steps` to its next multiple that is not below the step.
    warmup_steps : int, optional
        See `fastreg.optim.schedules`.

    Notes
    -----
    A whole `power` is multiplied out, so its bits are the same everywhere. Another one is the C library's pow, whose last bit
    differs between machines.

    Examples
    --------
    >>> from fastreg.optim import schedules
    >>> rate = schedules.polynomial_decay(1.0, decay_steps=4, end_learning_rate=0.0)
    >>> [rate(step) for step in range(6)]
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    arguments = {
        "learning_rate": _check_rate(learning_rate, "learning_rate"),
        "decay_steps": check_whole(decay_steps, "decay_steps", least=1),
        "end_learning_rate": _check_rate(end_learning_rate, "end_learning_rate"),
        "power": _check_rate(power, "power"),
        "cycle": check_flag(cycle, "cycle"),
    }
    return RateSchedule("polynomial_decay", _polynomial_decay, arguments, warmup_steps)


def cosine_decay(learning_rate: float, decay_steps: int, alpha: float = 0.0, *, warmup_steps: int = 0) -> RateSchedule:
    """Return learning_rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha).

    Parameters
    ----------
    learning_rate : float
        At least 0.
    decay_steps : int
        At least 1. From this step on the rate is alpha * learning_rate.
    alpha : float, optional
        The smallest rate, as a fraction of `learning_rate`; at least 0.
    warmup_steps : int, optional
        See `fastreg.optim.schedules`.

    Notes
    -----
    The cosine is the C library's; its last bit may differ between machines.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017; TensorFlow's cosine_decay.

    Examples
    --------
    >>> from fastreg.optim import schedules
    >>> rate = schedules.cosine_decay(1.0, decay_steps=2, warmup_steps=1)
    >>> [round(rate(step), 12) for step in range(5)]
    [0.5, 1.0, 0.5, 0.0, 0.0]
    """
    arguments = {
        "learning_rate": _check_rate(learning_rate, "learning_rate"),
        "decay_steps": check_whole(decay_steps, "decay_steps", least=1),
        "alpha": _check_rate(alpha, "alpha"),
    }
    return RateSchedule("cosine_decay", _cosine_decay, arguments, warmup_steps)


def piecewise_constant(boundaries: Sequence[int], values: Sequence[float]) -> RateSchedule:
    """Return values[0] up to and at the step boundaries[0], values[1] up to and at boundaries[1], and so on.

    Parameters
    ----------
    boundaries : sequence of int
        Steps, rising.
    values : sequence of float
        At least 0; one more than there are boundaries.

    Examples
    --------
    >>> from fastreg.optim import schedules
    >>> rate = schedules.piecewise_constant(boundaries=[1, 3], values=[1.0, 0.5, 0.25])
    >>> [rate(step) for step in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    for name, given in (("boundaries", boundaries), ("values", values)):
        if not is_listed(given):
            raise TypeError(f"{name} must be a list of numbers, got {given!r}")
    steps = tuple(check_whole(step, f"boundaries[{i}]", least=0) for i, step in enumerate(boundaries))
    rates = tuple(_check_rate(value, f"values[{i}]") for i, value in enumerate(values))
    if len(rates) != len(steps) + 1:
        raise ValueError(f"values must have one number more than boundaries, got {len(rates)} and {len(steps)}")
    if any(later <= step for step, later in pairwise(steps)):
        raise ValueError(f"boundaries must rise, got {list(steps)}")
    return RateSchedule("piecewise_constant", _piecewise_constant, {"boundaries": steps, "values": rates})


# --------------------------------------------------------------------------------------------------------------- formulas
def _constant(step: int, learning_rate: float) -> float:
    return learning_rate


def _exponential_decay(step: int, learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool) -> float:
    return learning_rate * (power(decay_rate, step // decay_steps) if staircase else decay_rate ** (step / decay_steps))


def _polynomial_decay(
    step: int, learning_rate: float, decay_steps: int, end_learning_rate: float, power: float, cycle: bool
) -> float:
    if cycle:
        decay_steps *= max(1, -(-step // decay_steps))
    left = 1 - min(step, decay_steps) / decay_steps
    return (learning_rate - end_learning_rate) * _to_power(left, power) + end_learning_rate


def _cosine_decay(step: int, learning_rate: float, decay_steps: int, alpha: float) -> float:
    cosine = 0.5 * (1 + math.cos(math.pi * (min(step, decay_steps) / decay_steps)))
    return learning_rate * ((1 - alpha) * cosine + alpha)


def _piecewise_constant(step: int, boundaries: tuple[int, ...], values: tuple[float, ...]) -> float:
    return values[bisect_left(boundaries, step)]


def _to_power(x: float, exponent: float) -> float:
    return power(x, int(exponent)) if exponent.is_integer() else x**exponent


# ----------------------------------------------------------------------------------------------------------------- checks
def _check_rate(value: object, name: str) -> float:
    return check_number(value, name, least=0)
