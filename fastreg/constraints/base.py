"""What all constraints share: their arguments, which axes make a vector, and the door to a user's own."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastreg.axes import as_tuple, check_axis
from fastreg.kernels import check_array, check_out

Array: TypeAlias = NDArray[Any]
WeightConstraint: TypeAlias = Callable[[Any], Any]


class Argument:
    """An attribute whose values pass through `check(value, name)`, and then through the constraint's `_agree`."""

    def __init__(self, check: Callable[[Any, str], Any]) -> None:
        self._check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __set__(self, constraint: Constraint, value: Any) -> None:
        checked = self._check(value, self._name)
        constraint._agree(**{**vars(constraint), self._name: checked})
        vars(constraint)[self._name] = checked


def number(least: float = -math.inf, most: float = math.inf, above: float = -math.inf, finite: bool = True) -> Any:
    """Return an attribute that is a number within bounds."""
    right = "a finite number" if finite else "a number"
    right += f" above {above:g}" if above > -math.inf else f" of at least {least:g}" if least > -math.inf else ""
    right += f" and at most {most:g}" if most < math.inf else ""

    def check(value: Any, name: str) -> float:
        if not isinstance(value, numbers.Real) or isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name} must be {right}, got {value!r} of type {type(value).__name__}")
        try:
            found = float(value)
        except OverflowError:
            found = math.inf if value > 0 else -math.inf  # type: ignore[operator]
        if math.isnan(found) or (finite and math.isinf(found)) or not (least <= found <= most and (found > above or not finite)):
            raise ValueError(f"{name} must be {right}, got {value!r}")
        return found

    return Argument(check)


class Constraint:
    """Base of the built-in constraints: functions of the weights, whose arguments are attributes that may be set."""

    name: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]] = ()
    is_built_in: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.is_built_in = cls.__module__.startswith("fastreg.constraints.")

    def _agree(self, **arguments: Any) -> None:
        """Raise if the arguments, of which some may not be set yet, contradict each other."""

    def __call__(self, weights: Any) -> Array:
        """Return the constrained weights, as a new array.

        Parameters
        ----------
        weights : ndarray of float32 or float64
            In C or Fortran order.
        """
        return self.project(weights)

    def project(self, weights: Any, out: Array | None = None) -> Array:
        """Return the constrained weights, in `out` if it is given.

        Parameters
        ----------
        weights : ndarray of float32 or float64
            In C or Fortran order.
        out : ndarray, optional
            Where to put them: of the weights' shape, dtype and memory order; `weights` itself is allowed.

        Returns
        -------
        ndarray
            `out`, or a new array.

        Raises
        ------
        TypeError, ValueError
            If an array or the axis does not fit; nothing is written then.
        """
        w = check_array(weights, "weights")
        self.check(w, "weights")
        target = check_out(out, w)
        self._put(w, target)
        return target if out is None else out

    def check(self, weights: Array, name: str) -> None:
        """Raise a ValueError if the constraint does not fit an array of this shape."""

    def acts_within_rows(self, ndim: int) -> bool:
        """Tell whether each row, along the first axis, is constrained by itself."""
        raise NotImplementedError

    def _put(self, w: Array, out: Array) -> None:
        """Write the constrained w into out, which is w or shares no memory with it."""
        raise NotImplementedError

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.arguments)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._values() == self._values()

    __hash__ = None  # type: ignore[assignment]  # its attributes may change

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values()

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in zip(self.arguments, self._values(), strict=True))
        return f"{self.name}({given})"


class AlongAxes(Constraint):
    """Base of the constraints of vectors, whose members lie along one or several axes."""

    axis: Any = Argument(check_axis)

    def axes(self, ndim: int, name: str = "weights") -> tuple[int, ...]:
        """Return the reduced axes of an array of so many dimensions, from 0 on and rising."""
        given = as_tuple(self.axis)
        if given is None:
            return tuple(range(ndim))
        if any(not -ndim <= one < ndim for one in given):
            raise ValueError(f"axis of {self.name} is {self.axis}, and {name} has {ndim} dimensions")
        found = sorted(one % ndim for one in given)
        if len(set(found)) < len(found):
            raise ValueError(f"axis of {self.name} is {self.axis}, which names an axis of {name} twice")
        return tuple(found)

    def check(self, weights: Array, name: str) -> None:
        """Raise a ValueError if the array has no such axes."""
        self.axes(weights.ndim, name)

    def acts_within_rows(self, ndim: int) -> bool:
        """Tell whether no vector reaches over several rows."""
        return 0 not in self.axes(ndim)


def is_built_in(constraint: object) -> bool:
    """Tell whether a constraint is fastreg's. An instance of a user's subclass is a user's own: its call is what counts."""
    return isinstance(constraint, Constraint) and constraint.is_built_in


def refuse_class(constraint: object, what: str) -> None:
    """Refuse what is no constraint: a class of constraints in place of one, or what cannot be called."""
    if isinstance(constraint, type) and issubclass(constraint, Constraint):
        raise TypeError(f"{what} is {constraint.name}, which makes constraints; call it: {constraint.name}(...)")
    if isinstance(constraint, type) or (constraint is not None and not callable(constraint)):
        raise TypeError(f"{what} must be a function of the weights or None, got {constraint!r}")


def constrained(constraint: WeightConstraint, weights: Array, of: str) -> Array:
    """Put a private array through a constraint and return it; `of` says in messages whose constraint it is."""
    if isinstance(constraint, Constraint) and is_built_in(constraint):
        return constraint.project(weights, out=weights)
    result = constraint(weights)
    if result is not weights:
        found = np.asarray(result)
        if found.shape != weights.shape or not np.can_cast(found.dtype, weights.dtype, "same_kind"):
            got = "None" if result is None else f"an array of shape {found.shape} and dtype {found.dtype}"
            raise ValueError(f"{of} must return an array of shape {weights.shape} and dtype {weights.dtype}, got {got}")
        np.copyto(weights, found, casting="same_kind")
    return weights
