"""Hyperparameters: attributes of a rule that are checked whenever they are set, in the constructor and later."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from fastreg.arguments import check_flag

Schedule: TypeAlias = float | Callable[[int], float]
ByName: TypeAlias = Schedule | Sequence[tuple[str, Schedule | None]]


def check_number(value: object, name: str, least: float = -math.inf, below: float = math.inf) -> float:
    """Check a number and return it as a float."""
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


def number_at(value: Schedule, step: int, name: str) -> float:
    """Return the number that a hyperparameter is at a step."""
    return check_number(value(step) if callable(value) else value, name, least=0)


def _check_schedule(value: Any, name: str) -> Schedule:
    if not callable(value):
        check_number(value, name, least=0)
    return value  # type: ignore[no-any-return]


class Hyperparameter:
    """An attribute whose values pass through `check(value, name)`, which returns what is kept or raises.

    It is read from the instance directly, at the price of an ordinary attribute.
    """

    def __init__(self, check: Callable[[Any, str], Any]) -> None:
        self._check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self._name] = self._check(value, self._name)


def number(least: float = -math.inf, below: float = math.inf) -> Any:
    """Return a hyperparameter that is a number within bounds."""
    return Hyperparameter(lambda value, name: check_number(value, name, least, below))


def flag() -> Any:
    """Return a hyperparameter that is true or false."""
    return Hyperparameter(check_flag)


def by_name(none_allowed: bool = False) -> Any:
    """Return a hyperparameter that is a number of at least 0, a function of the step, or a list of rules by name.

    A rule is a pair (pattern, number or function); `none_allowed` lets it leave its variables out by None.
    """

    def check(value: Any, name: str) -> ByName:
        if value is None:
            raise TypeError(f"{name} must be a number, a function of the step or a list of rules, got None")
        if not isinstance(value, Sequence) or isinstance(value, str):
            return _check_schedule(value, name)
        for i, rule in enumerate(value):
            if not isinstance(rule, (tuple, list)) or len(rule) != 2 or not isinstance(rule[0], str):
                raise TypeError(f"rule {i} of {name} must be a pair (pattern, number or function of the step), got {rule!r}")
            if not (rule[1] is None and none_allowed):
                _check_schedule(rule[1], name)
        return [(pattern, number) for pattern, number in value]

    return Hyperparameter(check)


def strength() -> Any:
    """Return a hyperparameter that is a number or a function of the step, with TensorFlow's message for a negative number."""

    def check(value: Any, name: str) -> Schedule:
        if callable(value):
            return value  # type: ignore[no-any-return]
        if check_number(value, name) < 0:
            raise ValueError(f"{name} {value:f} needs to be positive or zero")
        return float(value)

    return Hyperparameter(check)


def power(x: float, n: int) -> float:
    """Return x**n by multiplications alone: the C library's pow has other last bits on other machines."""
    result = 1.0
    while n:
        if n & 1:
            result *= x
        x *= x
        n >>= 1
    return result
