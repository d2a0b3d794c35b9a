"""Groups of weights: how an array falls into them, and how the kernels add up their squares and their values."""

from itertools import groupby
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.sums import CHUNK, fold_neighbours, wide

Array = NDArray[Any]
Axes = tuple[int, ...] | None
LANES, SEGMENT, STRIP = 16, 1024, 512
ROWS, BLOCK_OF_ROWS, SHORT_RUN = 256, 64, 15
LOCAL_SIZE, LOCAL_GROUPS = 1 << 15, 2048


class Layout:
    """How an array falls into groups, in memory order: blocks, each with levels over members and over groups in turn.

    Neighbouring axes of one kind are one level, and axes of length 1 none. The axes of groups in front of the first level of
    members number the blocks.
    """

    def __init__(self, w: Array, axes: Axes) -> None:
        reduced = set(range(w.ndim)) if axes is None else {axis % w.ndim for axis in axes}
        order = range(w.ndim) if w.flags.c_contiguous else range(w.ndim)[::-1]
        kinds = groupby([axis for axis in order if w.shape[axis] != 1], lambda axis: axis in reduced)
        levels = [(of_members, prod(w.shape[axis] for axis in run)) for of_members, run in kinds]
        self.n_blocks = levels.pop(0)[1] if levels and not levels[0][0] else 1
        self.extents = [extent for _, extent in levels] or [1]
        self.block = prod(self.extents)
        self.members, self.groups = prod(self.extents[0::2]), prod(self.extents[1::2])

    @property
    def chunk(self) -> int | None:
        """How many elements a chunk has that holds its groups whole; None if they do not fit."""
        if not 0 < self.block <= LOCAL_SIZE or self.groups > LOCAL_GROUPS:
            return None
        return max(1, min(CHUNK // self.block, LOCAL_GROUPS // self.groups)) * self.block

    def square_sums(self, x: Array) -> Array:
        """Return the sum of squares of each group, as [block, group]."""
        if x.size == 0:
            return np.zeros((self.n_blocks, self.groups))
        squares = np.square(wide(x)).reshape(self.n_blocks, *self.extents)
        last = len(self.extents) - 1 - (len(self.extents) + 1) % 2
        members = np.moveaxis(squares, 1 + last, 0)
        if last < len(self.extents) - 1:
            sums = one_by_one([sum_in_blocks(part) for part in segments(members, ROWS)]) if last == 0 else sum_in_blocks(members)
        else:
            sums = sum_in_lanes(members) if len(members) > SHORT_RUN else one_by_one(members)
        for level in range(last - 2, -1, -2):
            rows = np.moveaxis(sums, 1 + level, 0)
            sums = one_by_one([one_by_one(part) for part in segments(rows, ROWS)] if level == 0 else rows)
        return np.asarray(sums.reshape(self.n_blocks, self.groups))

    def norms(self, x: Array) -> Array:
        """Return the norm of each group. Squares of float64 that overflow or vanish are formed again, at another scale."""
        with np.errstate(all="ignore"):
            sums = self.square_sums(x)
            norms = np.sqrt(sums)
            if x.dtype == np.float64:
                for doubtful, scale in ((sums < 2.0**-900, 2.0**700), (sums == np.inf, 2.0**-700)):
                    norms = np.where(doubtful, np.sqrt(self.square_sums(x * scale)) / scale, norms)
            return np.asarray(norms)

    def spread(self, factors: Array, w: Array) -> Array:
        """Return the factor of each element's group, in the shape of w."""
        of_levels = factors.reshape(self.n_blocks, *(extent if i % 2 else 1 for i, extent in enumerate(self.extents)))
        of_elements = np.broadcast_to(of_levels, (self.n_blocks, *self.extents)).ravel()
        return of_elements.reshape(w.shape, order="C" if w.flags.c_contiguous else "F")

    def add_values(self, values: Array, alone: bool) -> float:
        """Add up the groups' values: in chunks, if the layout is alone in its item and its groups fit, else in strips."""
        if self.n_blocks * self.block == 0:
            return 0.0
        if alone and self.chunk is not None:
            per_chunk = self.chunk // self.block
            chunks = [values[i : i + per_chunk].ravel() for i in range(0, self.n_blocks, per_chunk)]
            return float(fold_neighbours(np.array([one_by_one([sum_of_strip(s) for s in segments(c, STRIP)]) for c in chunks])))
        last = len(self.extents) - 1 - len(self.extents) % 2
        if last < 1:
            return float(fold_neighbours(values.ravel()))
        strip = min(max(CHUNK // prod(self.extents[last + 1 :]), 1), STRIP)
        rows = values.reshape(-1, self.extents[last])
        return float(fold_neighbours(np.array([sum_of_strip(s) for row in rows for s in segments(row, strip)])))


def segments(rows: Array, size: int = SEGMENT) -> list[Array]:
    """Cut rows into segments, the last perhaps shorter."""
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def one_by_one(rows: Any) -> Any:
    """Add rows one after the other."""
    total = 0.0
    for row in rows:
        total = total + row
    return total


def sum_in_blocks(rows: Array) -> Any:
    """Sum along the first axis: blocks of 64 rows one after the other, and their sums one after the other."""
    return one_by_one([one_by_one(block) for block in segments(rows, BLOCK_OF_ROWS)])


def sum_in_lanes(members: Array) -> Any:
    """Sum along the first axis: segment by segment, each in 16 lanes that are folded in halves."""
    sums = []
    for part in segments(members):
        lanes = np.zeros((LANES, *members.shape[1:]))
        for row in segments(part, LANES):
            lanes[: len(row)] += row
        for half in (8, 4):
            lanes = lanes[:half] + lanes[half:]
        sums.append((lanes[0] + lanes[2]) + (lanes[1] + lanes[3]))
    return one_by_one(sums)


def sum_of_strip(values: Array) -> Any:
    """Sum the values of a strip in 8 lanes."""
    lanes = np.zeros(8)
    for row in segments(values, 8):
        lanes[: len(row)] += row
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
