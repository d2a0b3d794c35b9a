"""The penalties in plain NumPy: value, gradient and prox, in the kernels' order of operations.

A penalty is the elastic pair, a profile, which `PROFILES` lists by name, of the magnitudes of elements or of the norms of groups,
or a sum of them. Results have the dtype of the weights,
but for `value64`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.groups import Axes, Layout, one_by_one
from twin.logarithm import log_one_plus_ratio
from twin.sums import CHUNK, absolute_sum, fold_terms, in_order, profile_sum, square_sum, wide

Array = NDArray[Any]


class Penalty(ABC):
    """What the twin of every penalty can do, and what it is made of."""

    @property
    @abstractmethod
    def pair(self) -> "Elastic":
        """The elastic pair, perhaps of zeros."""

    @property
    @abstractmethod
    def profiles(self) -> "tuple[Profile | Groups, ...]":
        """The profiles; one of scale 0 is left out."""

    @abstractmethod
    def value64(self, *weights: Array, chunk: int = CHUNK) -> np.float64:
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

    def chunk(self, w: Array) -> int:
        """Return how many elements a chunk of w has: where one layout allows it, so many that a chunk holds groups whole."""
        layouts = [profile.layout(w) for profile in self.profiles if isinstance(profile, Groups)]
        return (layouts[0].chunk if len(layouts) == 1 else None) or CHUNK


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
    def profiles(self) -> "tuple[Profile | Groups, ...]":
        """None."""
        return ()

    def value64(self, *weights: Array, chunk: int = CHUNK) -> np.float64:
        """Return the value in float64."""
        with np.errstate(all="ignore"):
            parts = [self.l1 * absolute_sum(*weights, chunk=chunk)] if self.l1 != 0 else []
            parts += [self.l2 * 0.5 * square_sum(*weights, chunk=chunk)] if self.l2 != 0 else []
            return np.float64(in_order(parts))

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
    def profiles(self) -> "tuple[Profile | Groups, ...]":
        """Itself."""
        return (self,) if self.scale != 0 else ()

    def value64(self, *weights: Array, chunk: int = CHUNK) -> np.float64:
        """Return the value in float64."""
        with np.errstate(all="ignore"):
            return np.float64(profile_sum(self.phi, *weights, chunk=chunk) if self.scale != 0 else 0.0)

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
class Scad(Profile):
    """scale*m, then a parabola whose slope falls from scale to 0 between scale and a*scale: Fan and Li's penalty."""

    a: float = 3.7

    def phi(self, m: Array) -> Array:
        """Return what magnitudes cost."""
        over = np.where(m < self.scale, 0.0, m - self.scale)
        flat = self.scale * self.scale * (self.a + 1) * 0.5
        return np.where(m > self.a * self.scale, flat, self.scale * m - over * over / (2 * (self.a - 1)))

    def slope(self, m: Array) -> Array:
        """Return (a*scale - m) / (a - 1) between 0 and scale."""
        slope = (self.a * self.scale - m) / (self.a - 1)
        return np.where(slope > self.scale, self.scale, np.where(slope < 0, 0.0, slope))

    def nearest(self, m: Array, step: float) -> Array:
        """Return a threshold: of three pieces, of two with a jump between them, or a hard one, as the step tells."""
        excess = m - step * self.scale
        soft = np.where(excess < 0, 0.0, excess)
        if step > self.a + 1:
            return np.where(m > self.scale * np.sqrt(step * (self.a + 1)), m, soft)
        if step >= self.a - 1:
            return np.where(m > self.scale * ((self.a + 1 + step) * 0.5), m, soft)
        end = self.a * self.scale
        firm = m - step * (end - m) / (self.a - 1 - step)
        return np.where(m > end, m, np.where(m > self.scale * (1 + step), firm, soft))


@dataclass(frozen=True)
class L0(Profile):
    """Scale for each weight that is not 0."""

    def phi(self, m: Array) -> Array:
        """Return what magnitudes cost."""
        return np.where(m > 0, self.scale, m)

    def slope(self, m: Array) -> Array:
        """Return 0."""
        return np.where(m >= 0, 0.0, m)

    def nearest(self, m: Array, step: float) -> Array:
        """Return a hard threshold."""
        return np.where(m <= np.sqrt(2 * step * self.scale), 0.0, m)


@dataclass(frozen=True)
class Huber(Profile):
    """scale * m**2/2 up to delta, and its tangent from there on."""

    delta: float = 1.0

    def phi(self, m: Array) -> Array:
        """Return what magnitudes cost."""
        line = self.scale * self.delta * (m - 0.5 * self.delta)
        return np.where(m > self.delta, line, self.scale * m * (0.5 * m))

    def slope(self, m: Array) -> Array:
        """Return scale * min(m, delta)."""
        return self.scale * np.where(m > self.delta, self.delta, m)

    def nearest(self, m: Array, step: float) -> Array:
        """Return what L2 makes of small magnitudes and L1 of large ones."""
        strength = step * self.scale
        return np.where(m > self.delta * (1 + strength), m - strength * self.delta, m / (1 + strength))


@dataclass(frozen=True)
class PseudoHuber(Profile):
    """scale * delta**2 * (sqrt(1 + (m/delta)**2) - 1)."""

    delta: float = 1.0

    def parts(self, m: Array) -> tuple[Array, Array, Array]:
        """Return whether m is above delta, the smaller of the two divided by the larger, and sqrt(1 + that**2)."""
        far = m > self.delta
        ratio = np.where(far, self.delta, m) / np.where(far, m, self.delta)
        return far, ratio, np.sqrt(1 + ratio * ratio)

    def phi(self, m: Array) -> Array:
        """Return what magnitudes cost."""
        far, ratio, root = self.parts(m)
        return self.scale * self.delta * (m * (np.where(far, 1.0, ratio) / (np.where(far, ratio, 1.0) + root)))

    def slope(self, m: Array) -> Array:
        """Return scale * m / sqrt(1 + (m/delta)**2)."""
        far, ratio, root = self.parts(m)
        return self.scale * self.delta * (np.where(far, 1.0, ratio) / root)

    def nearest(self, m: Array, step: float) -> Array:
        """Raise: it has no closed form."""
        raise ValueError("pseudo-Huber has no closed prox")


@dataclass(frozen=True)
class LogSum(Profile):
    """scale * log(1 + m/eps)."""

    eps: float = 1.0

    def phi(self, m: Array) -> Array:
        """Return what magnitudes cost."""
        return self.scale * log_one_plus_ratio(m, self.eps)

    def slope(self, m: Array) -> Array:
        """Return scale / (eps + m)."""
        return self.scale / (self.eps + m)

    def root(self, m: Any, strength: float) -> Any:
        """Return the larger root z of z - m + strength/(eps + z) = 0."""
        middle, least = 0.5 * m + 0.5 * self.eps, np.sqrt(strength)
        gap = middle - least
        return m - strength / (middle + np.sqrt(np.where(gap < 0, 0.0, gap)) * np.sqrt(middle + least))

    def threshold(self, step: float) -> float:
        """Return the largest magnitude whose prox is 0."""
        strength = step * self.scale
        least = np.sqrt(strength)
        if least <= self.eps:
            return strength / self.eps
        m = min(strength / self.eps, 64 * least)
        for _ in range(64):
            z = self.root(np.float64(m), strength)
            following = z / 2 + strength / z * log_one_plus_ratio(z, self.eps)
            if not following < m:
                break
            m = following
        return float(max(m, 2 * least - self.eps))

    def nearest(self, m: Array, step: float) -> Array:
        """Return 0 up to a threshold, and the root from there on."""
        z = self.root(m, step * self.scale)
        return np.where(m <= self.threshold(step), 0.0, np.where(z < 0, 0.0, z))


@dataclass(frozen=True, eq=False)
class Weighted(Profile):
    """The elastic pair times a strength for each element; an element of strength 0 is left out."""

    l2: float
    strengths: Array

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Itself, if one of its strengths is not 0."""
        return (self,) if self.scale != 0 or self.l2 != 0 else ()

    def rows(self, rows: Any) -> "Weighted":
        """Return the penalty of these rows."""
        return Weighted(self.scale, self.l2, self.strengths[rows])

    def value64(self, *weights: Array, chunk: int = CHUNK) -> np.float64:
        """Return the value in float64."""
        with np.errstate(all="ignore"):
            return np.float64(in_order(own.cost(w, chunk) for own, w in _paired(self, self.strengths, weights)))

    def cost(self, w: Array, chunk: int) -> float:
        """Return the value of one array."""
        m, s = np.abs(wide(w)), wide(self.strengths)
        part = self.scale * m if self.scale != 0 else np.zeros_like(m)
        half_square = self.l2 * (0.5 * m) * m if self.l2 != 0 else 0.0
        return fold_terms(np.where(s == 0, 0.0, s * (part + half_square)), w.itemsize, fours=True, chunk=chunk)

    def gradient(self, w: Array, base: Array | None = None) -> Array:
        """Return base + strengths * (scale*sign(w) + l2*w)."""
        with np.errstate(all="ignore"):
            m, s = np.abs(w.astype(np.float64)), self.strengths.astype(np.float64)
            slope = (s * (self.scale + (self.l2 * m if self.l2 != 0 else 0.0))).astype(w.dtype)
            slope = np.where(s == 0, w.dtype.type(0), np.where(np.isnan(w), w, with_sign(slope, w)))
            return np.asarray((np.zeros_like(w) if base is None else base) + slope)

    def prox(self, w: Array, step: Any) -> Array:
        """Return a soft threshold, divided."""
        with np.errstate(all="ignore"):
            s = step * self.strengths.astype(np.float64)
            excess = np.abs(w.astype(np.float64)) - s * self.scale
            return with_sign(np.where(excess < 0, 0.0, excess / (1 + s * self.l2)).astype(w.dtype), w)

    def phi(self, m: Array) -> Array:
        """Raise: it is no function of the magnitude alone."""
        raise NotImplementedError

    def slope(self, m: Array) -> Array:
        """Raise."""
        raise NotImplementedError

    def nearest(self, m: Array, step: float) -> Array:
        """Raise."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Distance(Profile):
    """scale/2 * importance * (w - reference)**2; an element of importance 0 is left out."""

    reference: Array
    importance: Array | None = None

    def rows(self, rows: Any) -> "Distance":
        """Return the penalty of these rows."""
        return Distance(self.scale, self.reference[rows], None if self.importance is None else self.importance[rows])

    def strengths(self) -> Array:
        """Return scale * importance."""
        importance = np.ones_like(self.reference) if self.importance is None else self.importance
        return np.asarray(self.scale * importance.astype(np.float64))

    def value64(self, *weights: Array, chunk: int = CHUNK) -> np.float64:
        """Return the value in float64."""
        with np.errstate(all="ignore"):
            if self.scale == 0:
                return np.float64(0.0)
            return np.float64(in_order(own.cost(w, chunk) for own, w in _paired(self, self.reference, weights)))

    def cost(self, w: Array, chunk: int) -> float:
        """Return the value of one array."""
        d, s = np.abs(wide(w) - wide(self.reference)), wide(self.strengths())
        return fold_terms(np.where(s == 0, 0.0, s * d * (0.5 * d)), w.itemsize, fours=True, chunk=chunk)

    def gradient(self, w: Array, base: Array | None = None) -> Array:
        """Return base + strengths * (w - reference)."""
        if self.scale == 0:
            return self.pair.gradient(w, base)
        with np.errstate(all="ignore"):
            s = self.strengths()
            slope = np.where(s == 0, 0.0, s * (w.astype(np.float64) - self.reference)).astype(w.dtype)
            return np.asarray((np.zeros_like(w) if base is None else base) + slope)

    def prox(self, w: Array, step: Any) -> Array:
        """Return (w + t*reference) / (1 + t), but w where that is exact."""
        if self.scale == 0:
            return self.pair.prox(w, step)
        with np.errstate(all="ignore"):
            x, r = w.astype(np.float64), self.reference.astype(np.float64)
            t = step * self.strengths()
            t = np.where(t > 2.0**60, 2.0**60, t)
            keep = 1 / (1 + t)
            share = t * keep
            shift = (x - r) * share
            moved = x - np.where(shift == 0, 0.0, shift)
            return np.asarray(np.where(np.isinf(x - r), x * keep + r * share, moved).astype(w.dtype))

    def phi(self, m: Array) -> Array:
        """Raise: it is no function of the magnitude alone."""
        raise NotImplementedError

    def slope(self, m: Array) -> Array:
        """Raise."""
        raise NotImplementedError

    def nearest(self, m: Array, step: float) -> Array:
        """Raise."""
        raise NotImplementedError


def _paired(penalty: Any, array: Array, weights: tuple[Array, ...]) -> list[tuple[Any, Array]]:
    """Return each array of weights with its penalty: the whole one, or that of a row."""
    if len(weights) == 1 and weights[0].shape == array.shape:
        return [(penalty, weights[0])]
    return [(penalty.rows(k), w) for k, w in enumerate(weights)]


@dataclass(frozen=True)
class Linear(Profile):
    """scale*m. Of the norms of groups it is the group lasso, whose scale is multiplied by a power of the group's size."""

    size_power: float = 0.0

    def phi(self, m: Array) -> Array:
        """Return what magnitudes cost."""
        return self.scale * m

    def slope(self, m: Array) -> Array:
        """Return the scale."""
        return np.full_like(m, self.scale)

    def nearest(self, m: Array, step: float) -> Array:
        """Return max(m - step*scale, 0)."""
        excess = m - step * self.scale
        return np.where(excess <= 0, 0.0, excess)

    def of_size(self, members: int) -> "Linear":
        """Return the profile for groups of so many members."""
        root = np.sqrt(np.float64(members))
        return Linear(float(self.scale * root if self.size_power > 0 else self.scale / root if self.size_power else self.scale))


@dataclass(frozen=True)
class Groups(Penalty):
    """A profile of the norms of groups, whose members lie along some axes; None is all.

    A member is multiplied by one factor of its group's norm. Both are in float64, and the product is rounded once.
    """

    profile: Profile
    axes: Axes

    @property
    def pair(self) -> Elastic:
        """A pair of zeros."""
        return NOTHING

    @property
    def profiles(self) -> "tuple[Profile | Groups, ...]":
        """Itself."""
        return (self,) if self.profile.scale != 0 else ()

    def layout(self, w: Array) -> Layout:
        """Return how w falls into groups."""
        return Layout(w, self.axes)

    def norms(self, w: Array) -> Array:
        """Return the norm of each group, as [block, group]."""
        return self.layout(w).norms(w)

    def of_size(self, w: Array) -> Profile:
        """Return the profile for groups of the size that those of w have."""
        return self.profile.of_size(self.layout(w).members) if isinstance(self.profile, Linear) else self.profile

    def value64(self, *weights: Array, chunk: int | None = None) -> np.float64:
        """Return the value in float64. A chunk that is given says that another layout does not let chunks hold groups whole."""
        if self.profile.scale == 0:
            return np.float64(0.0)
        with np.errstate(all="ignore"):
            sums = [self.layout(w).add_values(self.of_size(w).phi(self.norms(w)), chunk is None) for w in weights]
            return np.float64(one_by_one(sums))

    def gradient(self, w: Array, base: Array | None = None) -> Array:
        """Return base + slope(norm)/norm * w, and base where the norm is 0."""
        if not self.profiles:
            return self.pair.gradient(w, base)
        norms = self.norms(w)
        with np.errstate(all="ignore"):
            factors = np.where(norms == 0, 0.0, self.of_size(w).slope(norms) / norms)
            factors = self.layout(w).spread(np.where(factors == np.inf, 0.0, factors), w)
            return np.asarray((np.zeros_like(w) if base is None else base) + (factors * w).astype(w.dtype))

    def prox(self, w: Array, step: float, pair: Elastic = NOTHING) -> Array:
        """Return the prox of the pair and the groups: a soft threshold, then a factor of the norm of what is left."""
        if not self.profiles:
            return pair.prox(w, step)
        threshold = w.dtype.type(step * pair.l1)
        shrunk = Elastic(pair.l1).prox(w, step) if threshold != 0 else w
        norms = self.norms(shrunk)
        with np.errstate(all="ignore"):
            left = self.of_size(w).nearest(norms, step)
            factors = np.where(left == norms, 1.0, left / norms) / (1 + step * pair.l2)
            return np.asarray((self.layout(w).spread(factors, w) * shrunk).astype(w.dtype))


@dataclass(frozen=True)
class Sum(Penalty):
    """A pair and profiles."""

    pair: Elastic = NOTHING
    profiles: tuple[Profile | Groups, ...] = ()

    def value64(self, *weights: Array, chunk: int | None = None) -> np.float64:
        """Return the value in float64: the pair's, then the profiles' in their order."""
        size = chunk or (self.chunk(weights[0]) if weights else CHUNK)
        several = sum(isinstance(profile, Groups) for profile in self.profiles) > 1
        total = self.pair.value64(*weights, chunk=size)
        for profile in self.profiles:
            whole = isinstance(profile, Groups) and chunk is None and not several
            total += profile.value64(*weights) if whole else profile.value64(*weights, chunk=size)
        return total

    def gradient(self, w: Array, base: Array | None = None) -> Array:
        """Return base + the profiles' gradients, in their order, + the pair's."""
        for profile in self.profiles:
            base = profile.gradient(w, base)
        return self.pair.gradient(w, base)

    def prox(self, w: Array, step: float) -> Array:
        """Return that of the only part that is there."""
        groups = [profile for profile in self.profiles if isinstance(profile, Groups)]
        if groups and len(groups) == len(self.profiles):
            return _nested_prox(groups, self.pair, w, step)
        parts: list[Penalty] = [*self.profiles, *([self.pair] if self.pair != NOTHING else [])]
        if len(parts) > 1:
            raise ValueError("a sum with a profile has no closed prox")
        return (parts[0] if parts else self.pair).prox(w, step)


def _nested_prox(groups: list[Groups], pair: Elastic, w: Array, step: float) -> Array:
    """Return the prox of group lassos whose groups are nested: that of the smallest groups first, with l1; l2 with the last."""

    def axes(of: Groups) -> set[int]:
        return set(range(w.ndim)) if of.axes is None else {axis % w.ndim for axis in of.axes}

    ordered = sorted(groups, key=lambda of: len(axes(of)))
    nested = all(axes(inner) <= axes(outer) for inner, outer in pairwise(ordered))
    if not (nested and all(isinstance(of.profile, Linear) for of in groups)) and (len(groups) > 1 or pair != NOTHING):
        raise ValueError("a sum of groups that are not nested has no closed prox")
    for k, of in enumerate(ordered):
        w = of.prox(w, step, Elastic(pair.l1 if k == 0 else 0.0, pair.l2 if k == len(ordered) - 1 else 0.0))
    return w


PROFILES: Mapping[str, type[Profile]] = {
    "mcp": Mcp,
    "linear": Linear,
    "scad": Scad,
    "l0": L0,
    "huber": Huber,
    "pseudo_huber": PseudoHuber,
    "log_sum": LogSum,
    "weighted": Weighted,
    "distance": Distance,
    "weighted_distance": Distance,
}
