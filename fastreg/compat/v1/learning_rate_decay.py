"""tf.train's decays: learning rates as tensors that follow the global step.

Each is computed from small tensors, in the dtype of the first rate and in the order of TensorFlow's own operations.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.graph import Tensor, make, name_scope
from fastreg.compat.v1.math_ops import add, cast, ceil, divide, equal, exp, floor, minimum, multiply, negative, where


@contextlib.contextmanager
def _decay(name: str | None, kind: str, learning_rate: Any, global_step: Any) -> Iterator[tuple[str, Tensor, Any]]:
    """Give the name scope, the first rate, and the step in the rate's dtype."""
    with name_scope(name or kind) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        yield scope, rate, cast(global_step, rate.dtype.base_dtype)


def _rounded_once(kind: str, f: Any, *inputs: Tensor) -> Any:
    """Return a function of scalars, computed in float64 and rounded, as exact as the C library that TensorFlow calls."""
    dtype = inputs[0].dtype.base_dtype
    return make(kind, None, inputs, lambda *arrays: f(*(a.astype(np.float64) for a in arrays)).astype(dtype.dtype), dtype, ())


def exponential_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None
) -> Any:
    """Return learning_rate * decay_rate ** (global_step / decay_steps); in a staircase the exponent is a whole number."""
    with _decay(name, "ExponentialDecay", learning_rate, global_step) as (scope, rate, step):
        p = step / cast(decay_steps, rate.dtype)
        return multiply(
            rate, _rounded_once("Pow", np.power, cast(decay_rate, rate.dtype), floor(p) if staircase else p), name=scope
        )


def natural_exp_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None
) -> Any:
    """Return learning_rate * exp(-decay_rate * global_step / decay_steps); in a staircase the quotient is a whole number."""
    return exponential_decay(learning_rate, global_step, decay_steps, exp(negative(decay_rate)), staircase, name)


def inverse_time_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None
) -> Any:
    """Return learning_rate / (1 + decay_rate * global_step / decay_steps); in a staircase the quotient is a whole number."""
    with _decay(name, "InverseTimeDecay", learning_rate, global_step) as (scope, rate, step):
        p = step / cast(decay_steps, rate.dtype)
        grown = multiply(cast(decay_rate, rate.dtype), floor(p) if staircase else p)
        return divide(rate, add(cast(1, rate.dtype), grown), name=scope)


def polynomial_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, end_learning_rate: Any = 0.0001, power: Any = 1.0,
    cycle: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Return a rate that reaches `end_learning_rate` after `decay_steps`, and stays there or, with `cycle`, starts again."""
    with _decay(name, "PolynomialDecay", learning_rate, global_step) as (scope, rate, step):
        end, steps = cast(end_learning_rate, rate.dtype), cast(decay_steps, rate.dtype)
        if cycle:
            done = divide(step, multiply(steps, where(equal(step, 0), cast(1, rate.dtype), ceil(step / steps))))
        else:
            done = divide(minimum(step, steps), steps)
        left = _rounded_once("Pow", np.power, 1 - done, cast(power, rate.dtype))
        return add(multiply(rate - end, left), end, name=scope)


def cosine_decay(learning_rate: Any, global_step: Any, decay_steps: Any, alpha: Any = 0.0, name: str | None = None) -> Any:
    """Return a rate that falls along half a cosine to `alpha` times its first value after `decay_steps`, and stays there."""
    with _decay(name, "CosineDecay", learning_rate, global_step) as (scope, rate, step):
        steps = cast(decay_steps, rate.dtype)
        angle = math.pi * (minimum(step, steps) / steps)
        fallen = 0.5 * (1.0 + _rounded_once("Cos", np.cos, angle))
        return multiply(rate, (1 - alpha) * fallen + alpha, name=scope + "Mul_3/")


def piecewise_constant(x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None) -> Any:
    """Return the first of `values` up to the first boundary, the second up to the second, and the last after the last one."""
    step, limits, rates = convert_to_tensor(x), [convert_to_tensor(b) for b in boundaries], [convert_to_tensor(v) for v in values]
    kind = step.dtype.base_dtype
    for limit in limits:
        own = limit.dtype.base_dtype
        if own != kind and (own.name, kind.name) != ("int32", "int64"):
            raise ValueError(f"Boundaries ({own}) must have the same dtype as x ({kind}).")
    for other in rates[1:]:
        if other.dtype.base_dtype != rates[0].dtype.base_dtype:
            first, own = rates[0].dtype.base_dtype, other.dtype.base_dtype
            raise ValueError(f"Values must have elements all with the same dtype ({first} vs {own}).")
    if len(limits) != len(rates) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")

    def compute(at: Any, *arrays: Any) -> Any:
        return arrays[len(limits) + sum(int(at > limit) for limit in arrays[: len(limits)])]

    with name_scope(name or "PiecewiseConstant") as scope:
        return make("Merge", scope + "case/cond/Merge/", [step, *limits, *rates], compute, rates[0].dtype.base_dtype, ())
