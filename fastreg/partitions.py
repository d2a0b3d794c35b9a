"""How a variable is cut into parts (floor 2): partitioners, and the arithmetic of slices. This file knows shapes, no arrays.

A partitioner is a function of ``(shape, dtype)`` that returns how many parts each axis is cut into; one axis at most may have
more than one. Rules and messages are TensorFlow 1's (``python/ops/partitioned_variables.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastreg.arguments import MOST_WHOLE, check_whole
from fastreg.axes import check_one_axis

__all__ = ["fixed_size_partitioner", "min_max_variable_partitioner", "variable_axis_size_partitioner"]

Partitioner = Callable[..., Sequence[int]]


def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Partitioner:
    """Return a partitioner that cuts `axis` into `num_shards` parts, or as many as it has elements.

    Examples
    --------
    >>> from fastreg.partitions import fixed_size_partitioner
    >>> fixed_size_partitioner(3)(shape=(7, 2), dtype="f4")
    [3, 1]
    """
    num_shards, axis = check_whole(num_shards, "num_shards", least=1), check_one_axis(axis)

    def partition(shape: Any, dtype: Any = None) -> list[int]:
        return _along(shape, axis, min(num_shards, int(shape[axis])))

    return partition


def variable_axis_size_partitioner(max_shard_bytes: int, axis: int = 0, max_shards: int | None = None) -> Partitioner:
    """Return a partitioner whose parts have at most `max_shard_bytes`, unless a single slice of `axis` has more.

    Parameters
    ----------
    max_shard_bytes, axis : int
    max_shards : int, optional
        At most this many parts; they may then have more than `max_shard_bytes`.
    """
    max_shard_bytes, axis = _check_size(max_shard_bytes, "max_shard_bytes"), check_one_axis(axis)
    max_shards = None if max_shards is None else _check_size(max_shards, "max_shards")

    def partition(shape: Any, dtype: Any) -> list[int]:
        sizes = [int(n) for n in shape]
        slice_bytes = math.prod(sizes) / sizes[axis] * np.dtype(dtype).itemsize
        parts = math.ceil(sizes[axis] / max(1, math.floor(max_shard_bytes / slice_bytes)))
        return _along(shape, axis, parts if max_shards is None else min(max_shards, parts))

    return partition


def min_max_variable_partitioner(max_partitions: int = 1, axis: int = 0, min_slice_size: int = 256 << 10) -> Partitioner:
    """Return a partitioner that cuts `axis` into up to `max_partitions` parts of at least `min_slice_size` bytes."""
    max_partitions, axis = _check_size(max_partitions, "max_partitions"), check_one_axis(axis)
    min_slice_size = _check_size(min_slice_size, "min_slice_size")

    def partition(shape: Any, dtype: Any) -> list[int]:
        sizes = [int(n) for n in shape]
        if axis >= len(sizes):
            raise ValueError(f"Can not partition variable along axis {axis} when shape is only {shape}")
        wanted = math.ceil(math.prod(sizes) * np.dtype(dtype).itemsize / min_slice_size)
        return _along(shape, axis, max(1, min(sizes[axis], max_partitions, wanted)))

    return partition


def _check_size(size: Any, name: str) -> int:
    """Check a whole number; TensorFlow's message is of one that is too small."""
    found = check_whole(size, name, least=-MOST_WHOLE)
    if found < 1:
        raise ValueError(f"{name} must be positive, got {found}")
    return found


def _along(shape: Any, axis: int, parts: int) -> list[int]:
    partitions = [1] * len(shape)
    partitions[axis] = parts
    return partitions


def check_partitions(partitions: Any, shape: tuple[int, ...]) -> list[int]:
    """Return the result of a partitioner as a list, or raise if the shape cannot be cut in that way."""
    if not isinstance(partitions, Sequence):
        raise ValueError(f"Partitioner must return a sequence, but saw: {partitions}")
    if len(partitions) != len(shape):
        raise ValueError(
            f"Partitioner returned a partition list that does not match the Variable's rank: {partitions} vs. {shape}"
        )
    if any(p < 1 for p in partitions):
        raise ValueError(f"Partitioner returned zero partitions for some axes: {partitions}")
    if sum(p > 1 for p in partitions) > 1:
        raise ValueError(f"Can only slice a variable along one dimension: shape: {shape}, partitioning: {partitions}")
    return list(partitions)


def sliced_axis(partitions: Sequence[int]) -> tuple[int, int]:
    """Return the axis that is cut, and into how many parts."""
    return next(((axis, count) for axis, count in enumerate(partitions) if count > 1), (0, 1))


def slices(length: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield offset and length of each part of an axis; the remainder goes to the first parts."""
    least, more = divmod(length, count)
    offset = 0
    for i in range(count):
        size = least + (i < more)
        yield offset, size
        offset += size
