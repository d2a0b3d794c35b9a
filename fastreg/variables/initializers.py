"""Initial values: Glorot's initializer, and the arguments that an initializer gets."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from fastreg.arguments import check_seed
from fastreg.graph import get_default_graph
from fastreg.terms import Array


class PartitionInfo(NamedTuple):
    """The part of a partitioned variable for which an initializer is called.

    Attributes
    ----------
    full_shape : list of int
        The shape of the whole variable.
    var_offset : list of int
        Where the part begins, along each axis.
    """

    full_shape: list[int]
    var_offset: list[int]


def glorot_uniform_initializer(seed: int | None = None) -> Callable[..., Array]:
    """Return the default initializer of ``get_variable``: uniform within +-sqrt(6 / (fan_in + fan_out)).

    Parameters
    ----------
    seed : int, optional
        Seed of a new generator; by default the default graph's generator is used.

    References
    ----------
    .. [1] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    seeded = None if check_seed(seed) is None else np.random.default_rng(seed)

    def initialize(shape: Sequence[int], dtype: DTypeLike = np.float32, partition_info: PartitionInfo | None = None) -> Array:
        rng = get_default_graph().rng if seeded is None else seeded
        limit = math.sqrt(3.0 / max(1.0, sum(fans(partition_info.full_shape if partition_info else shape)) / 2.0))
        return rng.uniform(-limit, limit, tuple(shape)).astype(dtype)

    return initialize


def as_initial_value(initializer: Any, dtype: Any) -> Array:
    """Return an initializer that is a value, such as a list, as an array."""
    try:
        return np.asarray(initializer, dtype)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"initializer must be numbers of dtype {dtype}, or a function that returns such, not {initializer!r}"
        ) from None


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """Return the number of inputs and of outputs of one unit in a layer with weights of this shape."""
    if len(shape) < 2:
        return (float(shape[0]),) * 2 if shape else (1.0, 1.0)
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


def parameters_of(function: Any) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a function, or none where its signature cannot be read, as that of np.zeros in NumPy 1."""
    try:
        return inspect.signature(function).parameters
    except ValueError:
        return {}
