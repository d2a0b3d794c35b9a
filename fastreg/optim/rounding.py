"""How weights are rounded to 16 bits, where not to the nearest."""

from __future__ import annotations

import numbers

from fastreg.arguments import check_name, check_whole
from fastreg.kernels import rounding_key


class StochasticRounding:
    """Round weights to 16 bits up or down at random, so that the mean of what they are rounded to is the weight itself.

    Steps that are smaller than half a unit in the last place of 16 bits are lost where weights are rounded to the nearest, and
    are kept in the mean here. The random bits are a hash of the seed, the step, the variable's name and the element's index: they
    are equal on every machine, with any number of threads, and after a resume.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> w, copy = np.full(10_000, 1.0 + 2.0**-12, np.float32), np.empty(10_000, np.float16)
    >>> opt = fr.optim.GradientDescent(0.0)
    >>> _ = opt.apply_gradients({"w": (np.zeros_like(w), w)}, copies={"w": copy}, rounding=fr.optim.StochasticRounding(7))
    >>> sorted(set(copy.tolist())), bool(abs(copy.mean(dtype=float) - w[0]) < 2e-5)
    ([1.0, 1.0009765625], True)
    """

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        if not isinstance(seed, numbers.Integral) or isinstance(seed, bool):
            raise TypeError(f"seed must be a whole number, got {seed!r} of type {type(seed).__name__}")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed must be from 0 to 2**64 - 1, got {seed}")
        self._seed: int = int(seed)

    @property
    def seed(self) -> int:
        """The seed."""
        return self._seed

    def key(self, step: int, name: str) -> int:
        """Return the number by which the elements of a variable are rounded in a step."""
        return rounding_key(self._seed, check_whole(step, "step"), check_name(name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StochasticRounding) and other.seed == self.seed

    def __hash__(self) -> int:
        return hash((StochasticRounding, self._seed))

    def __repr__(self) -> str:
        return f"StochasticRounding({self._seed})"
