"""tf.keras.constraints: Keras' constraints of variables, with the formulas of TensorFlow 1.15, epsilons included.

Those of :mod:`fastreg.constraints` are exact; these shrink a vector a little that satisfies its constraint, as TensorFlow does.
"""

from __future__ import annotations

from typing import Any

from fastreg.compat.v1.clip_ops import clip_by_value
from fastreg.compat.v1.math_ops import cast, greater_equal, sqrt, square
from fastreg.compat.v1.reduction_ops import reduce_sum

EPSILON = 1e-7  # tf.keras.backend.epsilon()


class Constraint:
    """What all constraints share: a call that returns the weights as they are."""

    def __call__(self, w: Any) -> Any:
        """Return the constrained weights, as a tensor."""
        return w

    def get_config(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return dict(vars(self))


class MaxNorm(Constraint):
    """Vectors along `axis` with a norm of at most `max_value`."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        """Return the constrained weights, as a tensor."""
        norms = _norms(w, self.axis)
        return w * (_clip(norms, 0, self.max_value) / (EPSILON + norms))


class NonNeg(Constraint):
    """Weights of at least 0."""

    def __call__(self, w: Any) -> Any:
        """Return the constrained weights, as a tensor."""
        return w * cast(greater_equal(w, 0.0), "float32")  # TensorFlow's floatx, whatever the dtype of w


class UnitNorm(Constraint):
    """Vectors along `axis` with a norm of 1."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        """Return the constrained weights, as a tensor."""
        return w / (EPSILON + _norms(w, self.axis))


class MinMaxNorm(Constraint):
    """Vectors along `axis` with a norm from `min_value` to `max_value`, or on their way there."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Any:
        """Return the constrained weights, as a tensor."""
        norms = _norms(w, self.axis)
        desired = self.rate * _clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (desired / (EPSILON + norms))


def _norms(w: Any, axis: Any) -> Any:
    return sqrt(_clip(reduce_sum(square(w), axis=axis, keepdims=True), 0.0, float("inf")))


def _clip(x: Any, low: float, high: float) -> Any:
    return clip_by_value(x, low, max(low, high))
