"""The penalties in plain NumPy: value, gradient and prox, in the kernels' order of operations.

A penalty is made of a profile, which `PROFILES` lists by name, and of its parameters. Results have the dtype of the weights,
but for `value64`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.sums import absolute_sum, square_sum

Array = NDArray[Any]


class Penalty(ABC):
    """What the twin of every penalty can do."""

    @abstractmethod
    def value64(self, *weights: Array) -> np.float64:
        """Return the value in float64, as a collection adds it up; of several arrays, such as the rows of a table, in order."""

    @abstractmethod
    def gradient(self, w: Array, base: Array | None = None) -> Array:
        """Return the gradient, or base + gradient."""

    @abstractmethod
    def prox(self, w: Array, step: float) -> Array:
        """Return argmin over z of step*penalty(z) + |z - w|**2 / 2."""

    def value(self, w: Array) -> np.floating[Any]:
        """Return the value, rounded once to the dtype of w."""
        with np.errstate(all="ignore"):
            rounded: np.floating[Any] = w.dtype.type(self.value64(w))
        return rounded


@dataclass(frozen=True)
class Elastic(Penalty):
    """l1*sum(|w|) + l2/2*sum(w**2); a coefficient of 0 leaves its part out."""

    l1: float = 0.0
    l2: float = 0.0

    def value64(self, *weights: Array) -> np.float64:
        """Return the value in float64."""
        with np.errstate(all="ignore"):
            parts = [self.l1 * absolute_sum(*weights)] if self.l1 != 0 else []
            parts += [self.l2 * 0.5 * square_sum(*weights)] if self.l2 != 0 else []
            return np.float64(sum(parts, start=0.0))

    def gradient(self, w: Array, base: Array | None = None) -> Array:
        """Return base + (l1*sign(w) + l2*w)."""
        kind = w.dtype.type
        with np.errstate(all="ignore"):
            parts: list[Array] = [kind(self.l1) * np.sign(w)] if self.l1 != 0 else []
            parts += [kind(self.l2) * w] if self.l2 != 0 else []
            if not parts:
                return np.zeros_like(w) if base is None else base.copy(order="K")
            slope = sum(parts[1:], start=parts[0])
            return np.asarray(slope if base is None else base + slope)

    def prox(self, w: Array, step: float) -> Array:
        """Return sign(w)*max(|w| - step*l1, 0) / (1 + step*l2)."""
        kind = w.dtype.type
        with np.errstate(all="ignore"):
            return np.asarray(np.sign(w) * np.maximum(np.abs(w) - kind(step * self.l1), kind(0)) / kind(1 + step * self.l2))


PROFILES: Mapping[str, type[Penalty]] = {"elastic": Elastic}
