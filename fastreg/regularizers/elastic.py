"""The elastic family: L1, L2 and both. All are a pair of coefficients, l1 and l2.

    value     l1 * sum(|w|) + l2/2 * sum(w**2)
    gradient  l1 * sign(w) + l2 * w
    prox      sign(w) * max(|w| - step*l1, 0) / (1 + step*l2)

The factor: `l2_regularizer(scale)` is scale * sum(w**2) / 2, so its gradient is scale * w. TensorFlow 1's scale is torch's
weight_decay, and twice the `l2` of Keras.
"""

from __future__ import annotations

import numbers
from typing import Any

from numpy.typing import NDArray

from fastreg.kernels import dtype_name
from fastreg.regularizers.scales import NEGATIVE_L2, ScaledPenalty, check_elements, check_scale, disabled_at, op_name


class ElasticPenalty(ScaledPenalty):
    """Base of the family: a pair of strengths, and perhaps an array by which they are multiplied, element by element."""

    _weights: NDArray[Any] | None = None

    def _set_weights(self, weights: NDArray[Any] | None) -> None:
        """Keep the array. To be called once, before the strengths are set."""
        if weights is not None:
            self._weights = check_elements(weights, "weights", 0.0)
            self._set_arrays("weights", self._weights, None)

    @property
    def weights(self) -> NDArray[Any] | None:
        """The array that multiplies the strength, or None. It is the array that was given: a change of its numbers is seen."""
        return self._weights

    def _set_pair(self, l1: float, l2: float) -> None:
        self._pair = l1, l2
        if self._weights is None:
            self._set(l1, l2)
        else:
            self._set_profile("weighted", l1, l2)
        self.disabled = False

    def _shown_weights(self) -> str:
        return "" if self._weights is None else f", weights=<{dtype_name(self._weights)} array of shape {self._weights.shape}>"


class L1Regularizer(ElasticPenalty):
    """The result of `l1_regularizer`: a function of the weights with a `scale` that may change."""

    def __init__(self, scale: float, name: str, disabled: bool = False, weights: NDArray[Any] | None = None) -> None:
        self.name = name
        self._set_weights(weights)
        self.scale = scale
        self.disabled = disabled

    @property
    def scale(self) -> float:
        """Strength. A new one holds from the next call on, also in sums and terms."""
        return self._pair[0]

    @scale.setter
    def scale(self, scale: float) -> None:
        self._set_pair(check_scale(scale), 0.0)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale, self.name, self.disabled, self._weights)

    def __repr__(self) -> str:
        return f"l1_regularizer({self.scale!r}{self._shown_weights()})"


class L2Regularizer(ElasticPenalty):
    """The result of `l2_regularizer`: a function of the weights with a `scale` that may change."""

    def __init__(self, scale: float, name: str, disabled: bool = False, weights: NDArray[Any] | None = None) -> None:
        self.name = name
        self._set_weights(weights)
        self.scale = scale
        self.disabled = disabled

    @property
    def scale(self) -> float:
        """Strength. A new one holds from the next call on, also in sums and terms."""
        return self._pair[1]

    @scale.setter
    def scale(self, scale: float) -> None:
        self._set_pair(0.0, check_scale(scale, negative=NEGATIVE_L2))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale, self.name, self.disabled, self._weights)

    def __repr__(self) -> str:
        return f"l2_regularizer({self.scale!r}{self._shown_weights()})"


class L1L2Regularizer(ElasticPenalty):
    """The result of `l1_l2_regularizer`: both penalties in one pass, each with a scale that may change."""

    _pair = 0.0, 0.0

    def __init__(
        self, scale_l1: float, scale_l2: float, name: str, disabled: bool = False, weights: NDArray[Any] | None = None
    ) -> None:
        self.name = name
        self._set_weights(weights)
        self.scale_l1 = scale_l1
        self.scale_l2 = scale_l2
        self.disabled = disabled

    @property
    def scale_l1(self) -> float:
        """Strength of ``sum(|w|)``."""
        return self._pair[0]

    @scale_l1.setter
    def scale_l1(self, scale: float) -> None:
        self._set_pair(check_scale(scale, "scale_l1"), self.scale_l2)

    @property
    def scale_l2(self) -> float:
        """Strength of sum(w**2) / 2."""
        return self._pair[1]

    @scale_l2.setter
    def scale_l2(self, scale: float) -> None:
        self._set_pair(self.scale_l1, check_scale(scale, "scale_l2", NEGATIVE_L2))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale_l1, self.scale_l2, self.name, self.disabled, self._weights)

    def __repr__(self) -> str:
        return f"l1_l2_regularizer({self.scale_l1!r}, {self.scale_l2!r}{self._shown_weights()})"


def l1_regularizer(scale: float, scope: str | None = None, *, weights: NDArray[Any] | None = None) -> L1Regularizer:
    """Return a function that computes ``scale * sum(|w|)``.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow.
    scope : str, optional
        Name of the loss; `l1_regularizer` by default.
    weights : ndarray, optional
        Strength of each element: ``scale * sum(weights * |w|)``. At least 0 and finite; of the dtype, shape and memory order of
        the weights that the regularizer is called with, or of 16 bits where these are float32. The array itself is kept: a
        change of its numbers is seen by later calls, unchecked. As in the adaptive lasso, ``weights=1 / np.abs(first_estimate)``.

    Returns
    -------
    L1Regularizer
        With the signature `l1(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attribute `scale`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite, or a number in `weights` negative, NaN or infinite.
    TypeError
        If it is not a number.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> l1 = fr.l1_regularizer(0.5)
    >>> w = np.array([-1.0, 0.0, 3.0])
    >>> l1(w)
    np.float64(2.0)
    >>> l1.gradient(w)
    array([-0.5,  0. ,  0.5])
    >>> l1.prox(w, step=4.0)
    array([-0.,  0.,  1.])
    """
    strength = check_scale(scale)
    return L1Regularizer(strength, op_name(scope, "l1_regularizer"), disabled_at(strength), weights)


def l2_regularizer(scale: float, scope: str | None = None, *, weights: NDArray[Any] | None = None) -> L2Regularizer:
    """Return a function that computes ``scale * sum(w**2) / 2``.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow. It is
        torch's `weight_decay`, and twice the `l2` of Keras.
    scope : str, optional
        Name of the loss; `l2_regularizer` by default.
    weights : ndarray, optional
        Strength of each element: scale * sum(weights * w**2) / 2. At least 0 and finite; of the dtype, shape and memory order
        of the weights that the regularizer is called with, or of 16 bits where these are float32. The array itself is kept: a
        change of its numbers is seen by later calls, unchecked. The step of ``ProximalGradientDescent`` then ends in the prox
        of the penalty.

    Returns
    -------
    L2Regularizer
        With the signature `l2(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attribute `scale`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite, or a number in `weights` negative, NaN or infinite.
    TypeError
        If it is not a number.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> l2 = fr.l2_regularizer(0.5)
    >>> loss, g = l2.value_and_gradient(np.array([-1.0, 0.0, 3.0]))
    >>> loss
    np.float64(2.5)
    >>> g
    array([-0.5,  0. ,  1.5])
    """
    strength = check_scale(scale, negative=NEGATIVE_L2)
    return L2Regularizer(strength, op_name(scope, "l2_regularizer"), disabled_at(strength), weights)


def l1_l2_regularizer(
    scale_l1: float = 1.0, scale_l2: float = 1.0, scope: str | None = None, *, weights: NDArray[Any] | None = None
) -> L1L2Regularizer:
    """Return a function that computes ``scale_l1 * sum(|w|) + scale_l2 * sum(w**2) / 2``, in one pass.

    Parameters
    ----------
    scale_l1, scale_l2 : float
        Strengths, at least 0; 0. leaves that part out. Integers are refused, as in TensorFlow.
    scope : str, optional
        Name of the loss; `l1_l2_regularizer` by default.
    weights : ndarray, optional
        Strength of each element; it multiplies both parts. At least 0 and finite; of the dtype, shape and memory order of the
        weights that the regularizer is called with, or of 16 bits where these are float32. The array itself is kept: a change
        of its numbers is seen by later calls, unchecked. The step of ``ProximalGradientDescent`` then ends in the prox of both
        parts.

    Returns
    -------
    L1L2Regularizer
        Like `l1_regularizer`'s, with `scale_l1` and `scale_l2`.

    Raises
    ------
    ValueError
        If a scale is an integer, negative, NaN or infinite, or a number in `weights` negative, NaN or infinite.
    TypeError
        If it is not a number.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.l1_l2_regularizer(0.5, 0.5)(np.array([-1.0, 0.0, 3.0]))
    np.float64(4.5)
    """
    for name, scale in (("scale_l1", scale_l1), ("scale_l2", scale_l2)):
        if isinstance(scale, numbers.Integral):
            check_scale(scale, name)
    l1, l2 = check_scale(scale_l1, "scale_l1"), check_scale(scale_l2, "scale_l2", NEGATIVE_L2)
    return L1L2Regularizer(l1, l2, op_name(scope, "l1_l2_regularizer"), disabled_at(l1 + l2), weights)
