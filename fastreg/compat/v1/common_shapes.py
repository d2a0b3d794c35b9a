"""Which shape a result has, as far as it is known before a session runs, and the messages about shapes that do not fit.

Knows tensors by their shapes and dtypes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.compat.v1.graph import Tensor

Shape = tuple[int | None, ...] | None


def broadcast(x: Tensor, y: Tensor, kind: str, name: str) -> Shape:
    """Return the shape of an elementwise function of two tensors."""
    if x.shape.raw is None or y.shape.raw is None:
        return None
    where = f"for {name!r} (op: {kind!r}) with input shapes: {shown(x)}, {shown(y)}."
    return broadcast_shapes(x.shape.raw, y.shape.raw, where)


def broadcast_shapes(a: tuple[int | None, ...], b: tuple[int | None, ...], where: str) -> tuple[int | None, ...]:
    """Return the shape to which both are broadcast; `where` ends the message if there is none."""
    n = max(len(a), len(b))
    sizes: list[int | None] = []
    for p, q in zip((1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b, strict=True):
        if p is not None and q is not None and p != q and 1 not in (p, q):
            raise ValueError(f"Dimensions must be equal, but are {p} and {q} {where}")
        sizes.append(q if p == 1 else p if q == 1 else p if q is None else q)
    return tuple(sizes)


def mismatch(x: Tensor, y: Tensor) -> str | None:
    """Return how two shapes differ that must be equal; None if they may be equal."""
    a, b = x.shape.raw, y.shape.raw
    if a is None or b is None:
        return None
    if len(a) != len(b):
        return f"Shapes must be equal rank, but are {len(a)} and {len(b)}"
    for i, (p, q) in enumerate(zip(a, b, strict=True)):
        if None not in (p, q) and p != q:
            return f"Dimension {i} in both shapes must be equal, but are {p} and {q}. Shapes are {shown(x)} and {shown(y)}."
    return None


def shown(x: Tensor) -> str:
    """Return the known part of a shape in the form of TensorFlow's messages."""
    return shown_sizes(x.shape.raw)


def shown_sizes(shape: Shape) -> str:
    """Return sizes in the form of TensorFlow's messages."""
    return "<unknown>" if shape is None else "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"


def dry_run(compute: Callable[..., Any], *tensors: Tensor) -> Shape:
    """Return the shape of the result of `compute`, tried on arrays without memory. Unknown sizes are tried as 6 and as 12."""
    if any(t.shape.raw is None for t in tensors):
        return None
    tried: list[tuple[int, ...]] = []
    for size in (6, 12):
        blanks = [
            np.broadcast_to(np.zeros((), t.dtype.dtype), [size if d is None else d for d in t.shape.as_list()]) for t in tensors
        ]
        try:
            tried.append(np.shape(compute(*blanks)))
        except ValueError:
            if all(t.shape.is_fully_defined() for t in tensors):
                raise
            return None
    return tuple(a if a == b else None for a, b in zip(*tried, strict=True))
