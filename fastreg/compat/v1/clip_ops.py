"""Limits on values and on norms, of tensors and of IndexedSlices.

Knows penalties, for a norm of many tensors is one call of the kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastreg.compat.v1.conversion import IndexedSlices, constant, convert_to_tensor
from fastreg.compat.v1.graph import name_scope
from fastreg.compat.v1.math_ops import identity, is_finite, maximum, minimum, ones_like, sqrt, where
from fastreg.compat.v1.penalties import add_n, l2_loss
from fastreg.compat.v1.reduction_ops import reduce_sum


def _values(t: Any) -> Any:
    return convert_to_tensor(t.values if isinstance(t, IndexedSlices) else t, name="t")


def _like(t: Any, values: Any) -> Any:
    return IndexedSlices(values, t.indices, t.dense_shape) if isinstance(t, IndexedSlices) else values


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """Return `t` with every element below the minimum or above the maximum replaced by that limit."""
    with name_scope(name, "clip_by_value", [_values(t)]) as scope:
        low = minimum(_values(t), clip_value_max, name="Minimum")
        return _like(t, maximum(low, clip_value_min, name=scope))


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """Return `t`, scaled down to this Euclidean norm if its norm is larger; with `axes`, the norms are over these."""
    with name_scope(name, "clip_by_norm", [_values(t)]) as scope:
        values = _values(t)
        squares = reduce_sum(values * values, axes, keepdims=True)
        above = squares > 0  # so that the gradient is not nan where all are 0
        length = where(above, sqrt(where(above, squares, ones_like(squares))), squares)
        return _like(t, identity(values * clip_norm / maximum(length, clip_norm), name=scope))


def _check_list(t_list: Any) -> list[Any]:
    if not isinstance(t_list, Sequence) or isinstance(t_list, str):
        raise TypeError("t_list should be a sequence")
    return list(t_list)


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Any:
    """Return the norm of all tensors as one vector."""
    tensors = [_values(t) for t in _check_list(t_list) if t is not None]
    with name_scope(name, "global_norm"):
        return sqrt(2.0 * add_n([l2_loss(t) for t in tensors]), name="global_norm")


def clip_by_global_norm(
    t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Any]:
    """Return the tensors, all scaled alike, so that their global norm is at most `clip_norm`; and the norm that they had."""
    tensors = _check_list(t_list)
    norm: Any = global_norm(tensors, name) if use_norm is None else convert_to_tensor(use_norm)
    with name_scope(name, "clip_by_global_norm") as scope:
        limit: Any = convert_to_tensor(clip_norm, norm.dtype.base_dtype)

        factor = limit * minimum(1.0 / norm, 1.0 / limit)
        scale = where(is_finite(norm), factor, constant(float("nan"), norm.dtype.base_dtype))
        clipped = [
            None if t is None else _like(t, identity(_values(t) * scale, name=f"{scope}_{i}")) for i, t in enumerate(tensors)
        ]
    return clipped, norm
