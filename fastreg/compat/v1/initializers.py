"""tf.contrib.layers' initializers: functions of a shape, scaled by the sizes of inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fastreg import variables as core
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.random_ops import random_uniform, truncated_normal
from fastreg.compat.v1.tensor_shape import TensorShape


def variance_scaling_initializer(
    factor: float = 2.0, mode: str = "FAN_IN", uniform: bool = False, seed: int | None = None, dtype: Any = "f4"
) -> Callable[..., Any]:
    """Return an initializer of variance factor / n, where n is the number of inputs, of outputs, or their mean."""
    if not as_dtype(dtype).is_floating:
        raise TypeError("Cannot create initializer for non-floating point type.")
    if mode not in ("FAN_IN", "FAN_OUT", "FAN_AVG"):
        raise TypeError("Unknown mode %s [FAN_IN, FAN_OUT, FAN_AVG]", mode)
    default = as_dtype(dtype)

    def initializer(shape: Any, dtype: Any = default) -> Any:
        sizes: Any = TensorShape(shape).as_list()
        fan_in, fan_out = core.fans(sizes)
        n = {"FAN_IN": fan_in, "FAN_OUT": fan_out, "FAN_AVG": (fan_in + fan_out) / 2}[mode]
        if uniform:
            limit = math.sqrt(3.0 * factor / n)
            return random_uniform(sizes, -limit, limit, dtype, seed)
        return truncated_normal(sizes, 0.0, math.sqrt(1.3 * factor / n), dtype, seed)

    return initializer


def xavier_initializer(uniform: bool = True, seed: int | None = None, dtype: Any = "f4") -> Callable[..., Any]:
    """Return Glorot's initializer."""
    return variance_scaling_initializer(1.0, "FAN_AVG", uniform, seed, dtype)
