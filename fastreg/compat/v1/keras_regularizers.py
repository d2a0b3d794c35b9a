"""tf.keras.regularizers: Keras' penalties, which have no factor 1/2, made of tensors as TensorFlow 1.15 makes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastreg.compat.v1.conversion import constant
from fastreg.compat.v1.math_ops import abs as absolute
from fastreg.compat.v1.math_ops import square
from fastreg.compat.v1.reduction_ops import reduce_sum


class Regularizer:
    """What all of Keras' regularizers share."""


class L1L2(Regularizer):
    """``l1 * sum(|x|) + l2 * sum(x**2)``."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        try:
            self.l1, self.l2 = np.float32(l1), np.float32(l2)
        except OverflowError:
            raise ValueError(f"l1 and l2 must be numbers that float32 holds, got {l1!r} and {l2!r}") from None

    def __call__(self, x: Any) -> Any:
        """Return the penalty, as a tensor."""
        if not self.l1 and not self.l2:
            return constant(0.0)
        penalty: Any = 0.0
        if self.l1:
            penalty += self.l1 * reduce_sum(absolute(x))
        if self.l2:
            penalty += self.l2 * reduce_sum(square(x))
        return penalty

    def get_config(self) -> dict[str, float]:
        """Return the arguments by name."""
        return {"l1": float(self.l1), "l2": float(self.l2)}


def l1(l: float = 0.01) -> L1L2:  # noqa: E741 - TensorFlow's name
    """Return the regularizer ``l * sum(|x|)``."""
    return L1L2(l1=l)


def l2(l: float = 0.01) -> L1L2:  # noqa: E741 - TensorFlow's name
    """Return the regularizer l * sum(x**2)."""
    return L1L2(l2=l)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Return the regularizer ``l1 * sum(|x|) + l2 * sum(x**2)``."""
    return L1L2(l1, l2)
