"""Random tensors, drawn anew at each run: from the graph's generator, or with a seed from a generator of the tensor.

Knows distributions. What is initialized by which of them stands in init_ops.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.compat.v1.array_ops import shape_tensor
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.graph import get_default_graph, make, name_scope


def _random(kind: str, draw: Callable[..., Any], shape: Any, dtype: Any, seed: int | None, name: str | None) -> Any:
    wanted, graph = as_dtype(dtype), get_default_graph()
    with name_scope(name, kind) as scope:
        sizes, known = shape_tensor(shape)
    generator = None if seed is None else np.random.default_rng(seed)
    compute = lambda d: np.asarray(draw(generator or graph.rng, tuple(int(n) for n in d))).astype(wanted.dtype)  # noqa: E731
    return make(kind, scope, [sizes], compute, wanted, known)


def random_uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "f4", seed: int | None = None, name: str | None = None
) -> Any:
    """Return numbers drawn anew at each run, uniform between the limits."""
    if as_dtype(dtype).is_integer:
        if maxval is None:
            raise ValueError("Must specify maxval for integer dtype")
        draw = lambda rng, size: rng.integers(minval, maxval, size)  # noqa: E731
    else:
        draw = lambda rng, size: rng.uniform(minval, 1 if maxval is None else maxval, size)  # noqa: E731
    return _random("RandomUniform", draw, shape, dtype, seed, name or "random_uniform")


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "f4", seed: int | None = None, name: str | None = None
) -> Any:
    """Return normal numbers drawn anew at each run."""
    return _random(
        "RandomStandardNormal", lambda rng, n: rng.normal(mean, stddev, n), shape, dtype, seed, name or "random_normal"
    )


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "f4", seed: int | None = None, name: str | None = None
) -> Any:
    """Return normal numbers drawn anew at each run; those beyond two standard deviations are drawn again."""

    def draw(rng: np.random.Generator, sizes: tuple[int, ...]) -> Any:
        out = rng.normal(size=sizes)
        while (far := np.abs(out) > 2).any():
            out[far] = rng.normal(size=int(far.sum()))
        return out * stddev + mean

    return _random("TruncatedNormal", draw, shape, dtype, seed, name or "truncated_normal")
