"""TensorFlow's rules and messages for the arguments of a factory, and the regularizer of a scale of 0."""

from __future__ import annotations

import inspect
import logging
import math
import numbers
from typing import Any

logger = logging.getLogger("fastreg")

NEGATIVE_L2 = "Setting a scale less than 0 on a regularizer: %g."
"""TensorFlow's message for L2; that for L1 has no period."""


def check_scale(scale: object, name: str = "scale", negative: str = "Setting a scale less than 0 on a regularizer: %g") -> float:
    """Check a scale by TensorFlow's rules, with its messages where it has some, and return it as a float."""
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"{name} cannot be an integer: {scale}")
    value = check_real(scale, name)
    if value < 0:
        raise ValueError(negative % value)
    return value


def check_real(number: object, name: str) -> float:
    """Return a finite number as a float."""
    if not isinstance(number, numbers.Real) or isinstance(number, bool):
        raise TypeError(f"{name} must be a real number, got {number!r} of type {type(number).__name__}")
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {number!r}")
    return value


def op_name(scope: str | None, default: str) -> str:
    """Return the name of the loss."""
    if scope is None:
        return default
    if not isinstance(scope, str) or not scope:
        raise ValueError(f"scope must be a non-empty str or None, got {scope!r}")
    return scope


def refuse_factory(regularizer: object) -> None:
    """Refuse a function that makes regularizers, such as `l2_regularizer`, in place of what it returns."""
    if inspect.isfunction(regularizer) and (regularizer.__module__ or "").startswith("fastreg.regularizers."):
        name, argument = regularizer.__name__, next(iter(inspect.signature(regularizer).parameters))
        raise TypeError(f"{name} makes regularizers and is none itself; call it with a {argument}: {name}({argument})")


class DisabledRegularizer:
    """The result of a factory for a scale of 0., and `no_regularizer`: a function that returns None, so no loss is collected."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, weights: object) -> None:
        """Return None."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)

    def __setattr__(self, attribute: str, value: object) -> None:
        if attribute != "name":
            raise AttributeError(
                f"{self!r} has no {attribute} to set: no loss was collected for it; make it with a positive scale, which may "
                f"be set to 0. later"
            )
        object.__setattr__(self, attribute, value)

    def __repr__(self) -> str:
        return self.name if self.name == "no_regularizer" else f"{self.name}(0.0)"


def disabled(name: str) -> DisabledRegularizer:
    """Return a disabled regularizer, and write so to the log as TensorFlow does."""
    logger.info("Scale of 0 disables regularizer.")
    return DisabledRegularizer(name)


no_regularizer = DisabledRegularizer("no_regularizer")
