"""TensorFlow's rules and messages for the arguments of a factory, and what a scale of 0 disables."""

from __future__ import annotations

import inspect
import logging
import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastreg.kernels import Penalty, check_array, convert

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


def check_above(number: object, name: str, bound: float = 0.0) -> float:
    """Return a finite number above a bound as a float."""
    value = check_real(number, name)
    if value <= bound:
        raise ValueError(f"{name} must be above {bound:g}, got {number!r}")
    return value


def check_elements(array: Any, name: str, least: float) -> NDArray[Any]:
    """Return an array of a number for each element, if all numbers are finite and at least `least`."""
    checked: NDArray[Any] = check_array(array, name, sixteen=True)
    numbers = checked
    if checked.itemsize == 2:
        numbers = np.empty_like(checked, np.float32)
        convert(checked, numbers)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be finite")
    if numbers.size and numbers.min() < least:
        raise ValueError(f"{name} must be at least {least:g}, got {numbers.min()!r}")
    return checked


def op_name(scope: str | None, default: str) -> str:
    """Return the name of the loss."""
    if scope is None:
        return default
    if not isinstance(scope, str) or not scope:
        raise ValueError(f"scope must be a non-empty str or None, got {scope!r}")
    return scope


def refuse_factory(regularizer: object) -> None:
    """Refuse a class, or a function that makes regularizers, such as `l2_regularizer`, in place of what it returns."""
    if isinstance(regularizer, type):
        raise TypeError(
            f"a regularizer must be a function of the weights, got the class {regularizer.__name__}; pass an instance"
        )
    if inspect.isfunction(regularizer) and (regularizer.__module__ or "").startswith("fastreg.regularizers."):
        name, argument = regularizer.__name__, next(iter(inspect.signature(regularizer).parameters))
        raise TypeError(f"{name} makes regularizers and is none itself; call it with a {argument}: {name}({argument})")


class ScaledPenalty(Penalty):
    """Base of the penalties with a scale.

    Attributes
    ----------
    name : str
        Of the loss.
    disabled : bool
        Whether it was made with a scale of 0. and no scale has been set since. Its value is 0, and by TensorFlow's rule no loss
        is filed for it.
    """

    name: str
    disabled: bool = False


class ProfilePenalty(ScaledPenalty):
    """Base of the penalties that are one compiled profile, with a `scale` that may change and perhaps a second parameter.

    Attributes
    ----------
    profile : str
        The name of the profile: one of the compiled PROFILES.
    """

    profile: str

    def __init__(self, scale: float, shape: float, name: str, disabled: bool = False) -> None:
        self.name = name
        self._shape = shape
        self.scale = scale
        self.disabled = disabled

    @property
    def scale(self) -> float:
        """Strength; see the factory for what it multiplies. A new one holds from the next call on, also in sums and terms."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        checked = check_scale(scale)
        self._agree(checked, self._shape)
        self._scale = checked
        self._set_profile(self.profile, checked, self._shape)
        self.disabled = False

    def _set_shape(self, shape: float) -> None:
        self._agree(self._scale, shape)
        self._shape = shape
        self._set_profile(self.profile, self._scale, shape)

    def _agree(self, scale: float, shape: float) -> None:
        """Raise if the two parameters do not go together."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._scale, self._shape, self.name, self.disabled)


def disabled_at(strength: float) -> bool:
    """Tell whether a factory's strength disables what it makes, and if so write it to the log as TensorFlow does."""
    if strength == 0:
        logger.info("Scale of 0 disables regularizer.")
    return strength == 0


def is_disabled(regularizer: object) -> bool:
    """Tell whether no loss is filed for a regularizer."""
    return bool(getattr(regularizer, "disabled", False))


class DisabledRegularizer:
    """The class of `no_regularizer`: a function that returns None, so no loss is filed."""

    disabled = True

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, weights: object) -> None:
        """Return None."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)

    def __repr__(self) -> str:
        return self.name


no_regularizer = DisabledRegularizer("no_regularizer")
