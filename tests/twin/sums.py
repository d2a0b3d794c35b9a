"""How the kernels form a sum: float64 lanes, chunks of a fixed number of elements, a fixed tree."""

from collections.abc import Callable, Iterable
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LANES, CHUNK, BLOCK_BYTES = 32, 4096, 4096


def fold_neighbours(sums: Array) -> Any:
    """Fold rows in a tree of neighbours; an odd last one is carried up."""
    while len(sums) > 1:
        folded = sums[: len(sums) // 2 * 2 : 2] + sums[1::2]
        sums = np.concatenate([folded, sums[-1:]]) if len(sums) % 2 else folded
    return sums[0]


def fold_terms(terms: Array, itemsize: int, fours: bool, chunk: int = CHUNK) -> float:
    """Return the sum of non-negative float64 terms in the kernels' exact shape, for weights of so many bytes each.

    A block is 4096 bytes of weights. `fours` says that its rows are added four at a time. What a short block, chunk or tail lacks
    is filled with zeros: adding 0.0 to what is not negative changes no bit. The 4096 elements that come at a time within a larger
    chunk are added one after the other.
    """
    if terms.size == 0:
        return 0.0
    n_chunks, parts = -(-terms.size // chunk), -(-chunk // CHUNK)
    rows: Array = np.zeros((n_chunks, parts * CHUNK))
    rows[:, :chunk].flat[: terms.size] = terms
    block = BLOCK_BYTES // itemsize
    rows = rows.reshape(-1, CHUNK // block, block // LANES, LANES)  # part, block, row, lane
    if fours:
        rows = (rows[:, :, 0::4] + rows[:, :, 1::4]) + (rows[:, :, 2::4] + rows[:, :, 3::4])
    lanes: Array = np.zeros_like(rows[:, :, 0])
    for row in range(rows.shape[2]):
        lanes = lanes + rows[:, :, row]
    lanes = fold_neighbours(lanes.swapaxes(0, 1))  # blocks first: part, lane
    for half in (16, 8, 4):
        lanes = lanes[:, :half] + lanes[:, half:]
    sums = ((lanes[:, 0] + lanes[:, 2]) + (lanes[:, 1] + lanes[:, 3])).reshape(n_chunks, parts)
    return float(fold_neighbours(sum(sums.T[1:], start=sums[:, 0])))


def in_order(values: Iterable[float]) -> float:
    """Return the sum of floats, added from left to right. Python's own ``sum`` makes up for their rounding from 3.12 on."""
    return reduce(add, values, 0.0)


def absolute_sum(*arrays: Array, chunk: int = CHUNK) -> float:
    """Return sum(|x|) of several arrays: each in the kernels' shape, then one after the other."""
    return in_order(fold_terms(np.abs(wide(x)), x.itemsize, x.dtype == np.float64, chunk) for x in arrays)


def square_sum(*arrays: Array, chunk: int = CHUNK) -> float:
    """Return sum(x**2) of several arrays: each in the kernels' shape, then one after the other."""
    return in_order(fold_terms(np.square(wide(x)), x.itemsize, x.dtype == np.float64, chunk) for x in arrays)


def profile_sum(phi: Callable[[Array], Array], *arrays: Array, chunk: int = CHUNK) -> float:
    """Return sum(phi(|x|)) of several arrays: float32 too adds four rows at a time, for phi is computed in float64."""
    return in_order(fold_terms(phi(np.abs(wide(x))), x.itemsize, True, chunk) for x in arrays)


def wide(x: Array) -> Array:
    """Return the elements in float64, in memory order."""
    return x.astype(np.float64).ravel(order="K")
