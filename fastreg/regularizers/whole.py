"""What the penalties share that need a whole line or a whole matrix at once, and so fit no loop over single weights.

They enter sums, collections and update rules by the door of a user's own regularizer (custom.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from fastreg.arguments import check_flag
from fastreg.kernels import Penalty, check_array, check_step
from fastreg.regularizers.scales import check_scale

Array = NDArray[Any]

NOTHING = Penalty()


class WholeRegularizer(ABC):
    """Base of these penalties: the scale and the checks. A subclass has the numbers, for a scale above 0.

    Attributes
    ----------
    name : str
        Of the loss.
    disabled : bool
        Whether it was made with a scale of 0. and no scale has been set since. Its value is 0, and by TensorFlow's rule no loss
        is filed for it.
    """

    def __init__(self, scale: float, name: str, disabled: bool = False) -> None:
        self.name = name
        self.scale = scale
        self.disabled = disabled

    @property
    def scale(self) -> float:
        """Strength. A new one holds from the next call on, also in sums and terms."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        self._scale = check_scale(scale)
        self.disabled = False

    def __call__(self, weights: Any) -> Any:
        """Return the penalty of `weights`.

        Parameters
        ----------
        weights : ndarray of float32 or float64
            In C or Fortran order.

        Returns
        -------
        numpy.float32 or numpy.float64
            Of the weights' dtype: formed in float64, rounded once.
        """
        array = self._take(weights)
        return self._value(array) if self._scale else NOTHING(array)

    def gradient(self, weights: Any, out: Array | None = None, accumulate: bool = False) -> Array:
        """Return the penalty's gradient.

        Parameters
        ----------
        weights : ndarray of float32 or float64
            In C or Fortran order.
        out : ndarray, optional
            Where to put it: of the weights' shape, dtype and memory order; `weights` itself is allowed.
        accumulate : bool, optional
            Add to `out` instead of overwriting it.

        Returns
        -------
        ndarray
            `out`, or a new array.
        """
        return self.value_and_gradient(weights, out, accumulate)[1]

    def value_and_gradient(self, weights: Any, out: Array | None = None, accumulate: bool = False) -> tuple[Any, Array]:
        """Return the penalty and its gradient.

        Parameters and results are those of a call and of `gradient`.
        """
        array = self._take(weights)
        accumulate = check_flag(accumulate, "accumulate")
        form = self._value_and_gradient if self._scale else NOTHING.value_and_gradient
        return form(array, out, accumulate)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._scale, self.name, self.disabled)

    def _take(self, weights: Any) -> Array:
        array = check_array(weights, "weights")
        self._check(array)
        return array

    @abstractmethod
    def _check(self, array: Array) -> None:
        """Raise a ValueError if the penalty is not defined for an array of this shape."""

    @abstractmethod
    def _value(self, array: Array) -> Any: ...

    @abstractmethod
    def _value_and_gradient(self, array: Array, out: Array | None, accumulate: bool) -> tuple[Any, Array]: ...


class WithProx(WholeRegularizer):
    """Base of those that have a prox."""

    def prox(self, weights: Any, step: float, out: Array | None = None) -> Array:
        """Return ``argmin_z step*penalty(z) + |z - w|**2 / 2``.

        Parameters
        ----------
        weights : ndarray of float32 or float64
            In C or Fortran order.
        step : float
            At least 0; the learning rate, in a proximal gradient method.
        out : ndarray, optional
            Where to put it; `weights` itself is allowed.

        Returns
        -------
        ndarray
            `out`, or a new array.
        """
        array, length = self._take(weights), check_step(step)
        return self._prox(array, length, out) if self._scale else NOTHING.prox(array, length, out)

    @abstractmethod
    def _prox(self, array: Array, step: float, out: Array | None) -> Array: ...
