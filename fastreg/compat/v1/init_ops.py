"""Initializers: classes that keep their arguments and, called with a shape, return a tensor of first values.

Know tensors, not the variables that they initialize.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg import variables as core
from fastreg.compat.v1.array_ops import ones, zeros
from fastreg.compat.v1.conversion import constant
from fastreg.compat.v1.dtypes import DType, as_dtype
from fastreg.compat.v1.graph import make
from fastreg.compat.v1.random_ops import random_normal, random_uniform, truncated_normal
from fastreg.compat.v1.tensor_shape import TensorShape


def _initializer(name: str, defaults: dict[str, Any], draw: Callable[..., Any]) -> Any:
    """Make a class of initializers: its arguments with their defaults, and what they draw for a shape, a dtype and a part."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        self.__dict__.update(bound.arguments)

    def __call__(self: Any, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:  # noqa: N807
        kind = as_dtype(dtype if dtype is not None else self.dtype)
        return draw(self, list(TensorShape(shape).as_list()), kind, partition_info)

    signature = inspect.Signature([
        inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value) for key, value in defaults.items()
    ])  # fmt: skip
    return type(name, (), {"__init__": __init__, "__call__": __call__})


def _constant(self: Any, shape: Any, kind: DType, part: Any) -> Any:
    return constant(self.value, kind, shape, verify_shape=self.verify_shape)


def _scaled(self: Any, shape: Any, kind: DType, part: Any) -> Any:
    fan_in, fan_out = core.fans(part.full_shape if part is not None else shape)
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
    scale = self.scale / max(1.0, n)
    if self.distribution == "uniform":
        limit = math.sqrt(3.0 * scale)
        return random_uniform(shape, -limit, limit, kind, self.seed)
    if self.distribution == "untruncated_normal":
        return random_normal(shape, 0.0, math.sqrt(scale), kind, self.seed)
    # The standard deviation of a normal distribution cut at two standard deviations.
    return truncated_normal(shape, 0.0, math.sqrt(scale) / 0.87962566103423978, kind, self.seed)


def _orthogonal(self: Any, shape: Any, kind: DType, part: Any) -> Any:
    if len(shape) < 2:
        raise ValueError("The tensor to initialize must be at least two-dimensional")
    rows, columns = math.prod(shape[:-1]), shape[-1]
    normal = random_normal([max(rows, columns), min(rows, columns)], dtype="f8", seed=self.seed)

    def compute(a: Any) -> Any:
        q, r = np.linalg.qr(a)
        q = q * np.sign(np.diag(r))
        return (self.gain * (q.T if rows < columns else q)).reshape(shape).astype(kind.dtype)

    return make("Orthogonal", None, [normal], compute, kind, shape)


zeros_initializer = _initializer("zeros_initializer", {"dtype": "f4"}, lambda self, shape, kind, part: zeros(shape, kind))
ones_initializer = _initializer("ones_initializer", {"dtype": "f4"}, lambda self, shape, kind, part: ones(shape, kind))
constant_initializer = _initializer("constant_initializer", {"value": 0, "dtype": "f4", "verify_shape": False}, _constant)
random_uniform_initializer = _initializer(
    "random_uniform_initializer", {"minval": 0, "maxval": None, "seed": None, "dtype": "f4"},
    lambda self, shape, kind, part: random_uniform(shape, self.minval, self.maxval, kind, self.seed),
)  # fmt: skip
random_normal_initializer = _initializer(
    "random_normal_initializer", {"mean": 0.0, "stddev": 1.0, "seed": None, "dtype": "f4"},
    lambda self, shape, kind, part: random_normal(shape, self.mean, self.stddev, kind, self.seed),
)  # fmt: skip
truncated_normal_initializer = _initializer(
    "truncated_normal_initializer", {"mean": 0.0, "stddev": 1.0, "seed": None, "dtype": "f4"},
    lambda self, shape, kind, part: truncated_normal(shape, self.mean, self.stddev, kind, self.seed),
)  # fmt: skip
variance_scaling_initializer = _initializer(
    "variance_scaling_initializer",
    {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", "seed": None, "dtype": "f4"}, _scaled,
)  # fmt: skip
orthogonal_initializer = _initializer("orthogonal_initializer", {"gain": 1.0, "seed": None, "dtype": "f4"}, _orthogonal)
glorot_uniform_initializer = functools.partial(variance_scaling_initializer, 1.0, "fan_avg", "uniform")
glorot_normal_initializer = functools.partial(variance_scaling_initializer, 1.0, "fan_avg", "truncated_normal")
he_normal = functools.partial(variance_scaling_initializer, 2.0, "fan_in", "truncated_normal")
he_uniform = functools.partial(variance_scaling_initializer, 2.0, "fan_in", "uniform")
lecun_normal = functools.partial(variance_scaling_initializer, 1.0, "fan_in", "truncated_normal")
lecun_uniform = functools.partial(variance_scaling_initializer, 1.0, "fan_in", "uniform")
BY_NAME: dict[str, Callable[..., Any]] = {
    "glorot_normal": glorot_normal_initializer, "glorot_uniform": glorot_uniform_initializer, "he_normal": he_normal,
    "he_uniform": he_uniform, "lecun_normal": lecun_normal, "lecun_uniform": lecun_uniform, "ones": ones_initializer,
    "zeros": zeros_initializer,
}  # fmt: skip
