"""Distances to reference weights: fine-tuning that stays near a pretrained network, and elastic weight consolidation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastreg.kernels import dtype_name
from fastreg.regularizers.scales import ProfilePenalty, check_elements, check_scale, disabled_at, op_name


class L2SPRegularizer(ProfilePenalty):
    """The result of `l2_sp_regularizer`: a function of the weights with a `scale` that may change."""

    def __init__(
        self, scale: float, reference: NDArray[Any], importance: NDArray[Any] | None, name: str, disabled: bool = False
    ) -> None:
        self._reference = check_elements(reference, "reference", -np.inf)
        self._importance = None if importance is None else check_elements(importance, "importance", 0.0)
        self._set_arrays("importance", self._importance, self._reference)
        self.profile = "distance" if importance is None else "weighted_distance"
        super().__init__(scale, 0.0, name, disabled)

    @property
    def reference(self) -> NDArray[Any]:
        """The weights to stay near: the array that was given."""
        return self._reference

    @property
    def importance(self) -> NDArray[Any] | None:
        """The strength of each element, or None: the array that was given."""
        return self._importance

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale, self._reference, self._importance, self.name, self.disabled)

    def __repr__(self) -> str:
        kind = f"<{dtype_name(self._reference)} array of shape {self._reference.shape}>"
        return f"l2_sp_regularizer({self.scale!r}, {kind}{'' if self._importance is None else f', importance={kind}'})"


def l2_sp_regularizer(
    scale: float, reference: NDArray[Any], importance: NDArray[Any] | None = None, scope: str | None = None
) -> L2SPRegularizer:
    """Return a function that computes scale/2 * sum(importance * (w - reference)**2).

    Without `importance` this is L2-SP: weight decay towards the weights of a pretrained network. With the diagonal of the Fisher
    information as `importance` it is the penalty of elastic weight consolidation. The factor 1/2 is that of both papers and of
    `l2_regularizer`; Avalanche and Mammoth leave it out, so their strength is half of this scale.

    With t = step * scale * importance, the prox is (w + t * reference) / (1 + t). A weight that equals its reference, or whose
    importance is 0, stays as it is, to the bit.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    reference : ndarray
        Finite; of the dtype, shape and memory order of the weights that the regularizer is called with (or of 16 bits where
        these are float32), and in other memory: ``reference=w.copy()``. The array itself is kept: a change of its numbers is
        seen by later calls, unchecked.
    importance : ndarray, optional
        Strength of each element, at least 0 and finite; otherwise like `reference`.
    scope : str, optional
        Name of the loss; `l2_sp_regularizer` by default.

    Returns
    -------
    L2SPRegularizer
        With the signature `l2_sp(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attributes `scale`,
        `reference` and `importance`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite, or an array has a number that it must not have.
    TypeError
        If `scale` is not a number, or an array is not of float32 or float64.

    References
    ----------
    .. [1] X. Li, Y. Grandvalet and F. Davoine, "Explicit inductive bias for transfer learning with convolutional networks", 2018.
    .. [2] J. Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", 2017.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> w = np.array([1.0, -2.0, 4.0])
    >>> l2_sp = fr.l2_sp_regularizer(0.5, reference=np.array([1.0, 0.0, 0.0]), importance=np.array([1.0, 2.0, 0.0]))
    >>> l2_sp(w)
    np.float64(2.0)
    >>> l2_sp.gradient(w)
    array([ 0., -2.,  0.])
    >>> l2_sp.prox(w, step=1.0)
    array([ 1., -1.,  4.])
    """
    name, value = op_name(scope, "l2_sp_regularizer"), check_scale(scale)
    return L2SPRegularizer(value, reference, importance, name, disabled_at(value))
