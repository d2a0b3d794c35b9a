"""float16 and bfloat16 by their definition: multiples of a power of two, in float64 and integers.

A 16-bit number is an integer of dtype uint16 here, so that no library for bfloat16 is needed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Halves = NDArray[np.uint16]


@dataclass(frozen=True)
class Format:
    """A sign, an exponent and `digits` bits of a fraction.

    Parameters
    ----------
    digits : int
    least : int
        The exponent of the smallest normal number.
    """

    digits: int
    least: int

    @property
    def infinity(self) -> int:
        """The bits of infinity."""
        return 0x7FFF >> self.digits << self.digits

    @property
    def quiet(self) -> int:
        """The bit of a quiet NaN."""
        return 1 << self.digits - 1


FORMATS = {"float16": Format(10, -14), "bfloat16": Format(7, -126)}


def widen(x: Halves, kind: str, dtype: DTypeLike = np.float32) -> Array:
    """Return the numbers as float32 or float64."""
    form = FORMATS[kind]
    magnitude = (x & 0x7FFF).astype(np.int64)
    exponent, fraction = magnitude >> form.digits, magnitude & (1 << form.digits) - 1
    digits = np.where(exponent > 0, fraction + (1 << form.digits), fraction)
    wide = np.ldexp(digits.astype(np.float64), np.maximum(exponent, 1) - 1 + form.least - form.digits)
    wide = np.where(magnitude < form.infinity, wide, np.where(magnitude == form.infinity, np.inf, np.nan))
    result: Array = np.copysign(wide, np.where(x >> 15, -1.0, 1.0)).astype(dtype)
    return result


def quantum(x: Array, form: Format) -> tuple[Array, NDArray[np.int64]]:
    """Return |x| in units of the last bit that a 16-bit number of this size has, and the exponent of that unit."""
    magnitude = np.abs(np.where(np.isfinite(x), x, 0.0)).astype(np.float64)
    exponent = np.where(magnitude > 0, np.frexp(magnitude)[1].astype(np.int64) - 1, form.least)
    unit = np.maximum(exponent, form.least) - form.digits
    return np.ldexp(magnitude, -unit), unit


def encode(x: Array, units: Array, unit: NDArray[np.int64], form: Format) -> Halves:
    """Return sign and magnitude as bits. Units that were rounded up to the next power of two carry into the exponent."""
    exponent = unit + form.digits - form.least
    magnitude = np.minimum((exponent << form.digits) + units.astype(np.int64), form.infinity)
    magnitude = np.where(np.isinf(x), form.infinity, np.where(np.isnan(x), form.infinity | form.quiet, magnitude))
    return (magnitude | np.signbit(x).astype(np.int64) << 15).astype(np.uint16)


def narrow(x: Array, kind: str) -> Halves:
    """Return the nearest 16-bit numbers, of two the even one; a NaN with its sign and nothing else."""
    units, unit = quantum(x, FORMATS[kind])
    return encode(x, np.rint(units), unit, FORMATS[kind])


# ---------------------------------------------------------------------------------------------------- stochastic rounding
def mix(key: int, word: int) -> int:
    """Return a hash of two 64-bit integers."""
    x = ((key ^ word) + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def draw(rounding: tuple[int, int, int], index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 32 random bits for each index, from a seed, a step and the number of a variable."""
    key = 0
    for word in rounding:
        key = mix(key, word)
    keys = {int(high): mix(key, int(high)) for high in np.unique(index >> np.uint64(32))}
    key_of = np.vectorize(keys.get, otypes=[np.uint64])(index >> np.uint64(32)) if index.size else index
    low = np.uint64(0xFFFFFFFF)

    def scramble(x: NDArray[np.uint64], shift: int, factor: int) -> NDArray[np.uint64]:
        return (x ^ x >> np.uint64(shift)) * np.uint64(factor) & low

    x = (index ^ key_of) & low
    x = scramble(x, 17, 0xED5AD4BB)
    x = scramble(x, 11, 0xAC4C1B51) + (key_of >> np.uint64(32)) & low
    x = scramble(x, 15, 0x31848BAB)
    return x ^ x >> np.uint64(14)


def narrow_stochastic(x: Array, kind: str, rounding: tuple[int, int, int], first: int = 0) -> Halves:
    """Return the 16-bit number below or above: above with the probability that the rest below is of a unit."""
    form = FORMATS[kind]
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    index = np.arange(x.size, dtype=np.uint64) + np.uint64(first)
    index = index.reshape(x.shape) if x.flags.c_contiguous else index.reshape(x.shape[::-1]).T
    units, unit = quantum(x, form)
    if kind == "float16":
        bits = np.where(unit + form.digits > form.least, 13, np.where(units < 1 << form.digits, 20, 13))
    else:
        bits = np.full(x.shape, 16)
    random = draw(rounding, index) >> (np.uint64(32) - bits.astype(np.uint64))
    rest = np.floor(np.ldexp(units, bits)).astype(np.int64) + random.astype(np.int64)
    return encode(x, (rest >> bits).astype(np.float64), unit, form)
