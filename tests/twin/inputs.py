"""Arrays that every machine makes alike, of sizes around every border of the kernels."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from twin.sums import CHUNK, LANES

Array = NDArray[Any]

# Sizes around every border: lanes, blocks of either dtype, chunks, and odd ones that several threads share.
BORDERS = [LANES, 2 * LANES, 512, 512 + LANES, 1024, 1024 + LANES, 1536, 2048, 3072, *(k * CHUNK for k in (1, 2, 3, 5))]
SIZES = sorted({0, 1, 2, 3, 7, 16, 100_003} | {border + step for border in BORDERS for step in (-1, 0, 1)})


def bits(n: int, seed: int = 0) -> NDArray[np.uint64]:
    """Return n well mixed 64-bit integers (splitmix64): integer arithmetic alone, so the same on every machine."""
    x = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


def weights(shape: int | tuple[int, ...], dtype: DTypeLike, seed: int = 0) -> Array:
    """Return weights of both signs over 16 binades below 2**4, exactly representable; one in 64 is 0.0 and one -0.0."""
    x = bits(int(np.prod(shape)), seed)
    digits = 24 if dtype == np.float32 else 53
    size = np.ldexp((x >> np.uint64(64 - digits)).astype(np.float64), (x & np.uint64(15)).astype(np.int64) - 11 - digits)
    size[x & np.uint64(63 << 4) == 0] = 0.0
    return np.where(x >> np.uint64(10) & np.uint64(1), -size, size).astype(dtype).reshape(shape)


def offset(x: Array, n_bytes: int) -> Array:
    """Return a copy of x in the same memory order that starts n_bytes behind a 64-byte border."""
    memory = np.full(x.nbytes + 128, 0xAB, dtype=np.uint8)
    start = -memory.ctypes.data % 64 + n_bytes
    copy: Array = np.ndarray(x.shape, x.dtype, memory, start, order="C" if x.flags.c_contiguous else "F")
    copy[...] = x
    return copy
