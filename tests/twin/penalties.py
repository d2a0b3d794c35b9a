"""The penalties in plain NumPy: value, gradient and prox, in the kernels' order of operations.

A penalty is the elastic pair, a profile, which `PROFILES` lists by name, or a sum of them. Results have the dtype of the weights,
but for `value64`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.sums import absolute_sum, profile_sum, square_sum

Array = NDArray[Any]


class Penalty(ABC):
    """What the twin of every penalty can do, and what it is made of."""

    @property
    @abstractmethod
    def pair(self) -> "Elastic":
        """The elastic pair, perhaps of zeros."""

    @property
    @abstractmethod
    def profiles(self) -> "tuple[Profile, ...]":
        """The profiles; one of scale 0 is left out."""

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

    @property
    def pair(self) -> "Elastic":
        """Itself."""
        return self

    @property
    def profiles(self) -> "tuple[Profile, ...]":
        """None."""
        return ()

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


NOTHING = Elastic()


@dataclass(frozen=True)
class Profile(Penalty):
    """A function of the magnitude m = |w|: its value, slope and prox are computed in float64 and rounded once."""

    scale: float

    @abstractmethod
    def phi(self, m: Array) -> Array:
        """Return what magnitudes cost; 0 at 0."""

    @abstractmethod
    def slope(self, m: Array) -> Array:
        """Return the derivative of phi, from the right at 0."""

    @abstractmethod
    def nearest(self, m: Array, step: float) -> Array:
        """Return argmin over z >= 0 of step*phi(z) + (z - m)**2 / 2."""

    @property
    def pair(self) -> Elastic:
        """A pair of zeros."""
        return NOTHING

    @property
    def profiles(self) -> "tuple[Profile, ...]":
        """Itself."""
        return (self,) if self.scale != 0 else ()

    def value64(self, *weights: Array) -> np.float64:
        """Return the value in float64."""
        with np.errstate(all="ignore"):
            return np.float64(profile_sum(self.phi, *weights) if self.scale != 0 else 0.0)

    def gradient(self, w: Array, base: Array | None = None) -> Array:
        """Return base + slope(|w|)*sign(w); base is 0 where there is none."""
        if self.scale == 0:
            return self.pair.gradient(w, base)
        with np.errstate(all="ignore"):
            slope = self.slope(np.abs(w.astype(np.float64))).astype(w.dtype)
            return np.asarray((np.zeros_like(w) if base is None else base) + with_sign(slope, w))

    def prox(self, w: Array, step: float) -> Array:
        """Return the prox of |w| with the sign of w."""
        if self.scale == 0:
            return self.pair.prox(w, step)
        with np.errstate(all="ignore"):
            return with_sign(self.nearest(np.abs(w.astype(np.float64)), step).astype(w.dtype), w)


def with_sign(magnitude: Array, w: Array) -> Array:
    """Return the magnitude with the sign of w, and 0.0 where w is 0."""
    return np.where(w != 0, np.copysign(magnitude, w), w.dtype.type(0))


@dataclass(frozen=True)
class Mcp(Profile):
    """scale*m - m**2 / (2*gamma) up to gamma*scale, constant from there on: Zhang's minimax concave penalty."""

    gamma: float = 3.0

    def phi(self, m: Array) -> Array:
        """Return what magnitudes cost."""
        flat = self.scale * self.scale * self.gamma * 0.5
        return np.where(m > self.gamma * self.scale, flat, m * (self.scale - m / (2 * self.gamma)))

    def slope(self, m: Array) -> Array:
        """Return max(scale - m/gamma, 0)."""
        slope = self.scale - m / self.gamma
        return np.where(slope < 0, 0.0, slope)

    def nearest(self, m: Array, step: float) -> Array:
        """Return a firm threshold, or a hard one for steps of gamma and more, where the problem is no longer convex."""
        if step >= self.gamma:
            return np.where(m <= self.scale * np.sqrt(self.gamma * step), 0.0, m)
        excess = m - step * self.scale
        shrunk = np.where(excess < 0, 0.0, excess / (1 - step / self.gamma))
        return np.where(m > self.gamma * self.scale, m, shrunk)


@dataclass(frozen=True)
class Sum(Penalty):
    """A pair and profiles."""

    pair: Elastic = NOTHING
    profiles: tuple[Profile, ...] = ()

    def value64(self, *weights: Array) -> np.float64:
        """Return the value in float64: the pair's, then the profiles' in their order."""
        return np.float64(self.pair.value64(*weights) + sum(profile.value64(*weights) for profile in self.profiles))

    def gradient(self, w: Array, base: Array | None = None) -> Array:
        """Return base + the profiles' gradients, in their order, + the pair's."""
        for profile in self.profiles:
            base = profile.gradient(w, base)
        return self.pair.gradient(w, base)

    def prox(self, w: Array, step: float) -> Array:
        """Return that of the only part that is there."""
        parts: list[Penalty] = [*self.profiles, *([self.pair] if self.pair != NOTHING else [])]
        if len(parts) > 1:
            raise ValueError("a sum with a profile has no closed prox")
        return (parts[0] if parts else self.pair).prox(w, step)


PROFILES: Mapping[str, type[Profile]] = {"mcp": Mcp}
