"""Penalties of whole lines: total variation along an axis, and the largest magnitude of each group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from fastreg.axes import Axes, as_tuple, check_axis, check_one_axis
from fastreg.kernels import line_gradient, line_prox, line_value
from fastreg.regularizers.scales import check_scale, disabled_at, op_name
from fastreg.regularizers.whole import Array, WithProx


class LineRegularizer(WithProx):
    """Base of the penalties whose value is a sum over the lines of an array.

    Attributes
    ----------
    kind : str
        Which of the compiled LINES.
    """

    kind: ClassVar[str]

    def __init__(self, scale: float, axis: Axes, name: str, disabled: bool = False) -> None:
        super().__init__(scale, name, disabled)
        self._axis = axis

    @property
    def axis(self) -> Axes:
        """The axes along which the members of a line lie; None for all."""
        return self._axis

    def _axes(self, array: Array) -> tuple[int, ...]:
        """Return the axes counted from 0."""
        given = as_tuple(self._axis)
        if given is None:
            return tuple(range(array.ndim))
        for axis in given:
            if not -array.ndim <= axis < array.ndim:
                raise ValueError(f"{self!r} needs an axis {axis}, which weights of shape {array.shape} do not have")
        axes = tuple(sorted({axis % array.ndim for axis in given}))
        if len(axes) < len(given):
            raise ValueError(f"{self!r} names an axis of weights of shape {array.shape} twice")
        return axes

    def _check(self, array: Array) -> None:
        self._axes(array)

    def _value(self, array: Array) -> Any:
        return line_value(self.kind, array, self._axes(array), self._scale)

    def _value_and_gradient(self, array: Array, out: Array | None, accumulate: bool) -> tuple[Any, Array]:
        return line_gradient(self.kind, array, self._axes(array), self._scale, out, accumulate)

    def _prox(self, array: Array, step: float, out: Array | None) -> Array:
        return line_prox(self.kind, array, self._axes(array), self._scale, step, out)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._scale, self._axis, self.name, self.disabled)

    def __repr__(self) -> str:
        return f"{self.kind}_regularizer({self._scale!r}, axis={self._axis!r})"


class TotalVariationRegularizer(LineRegularizer):
    """The result of `total_variation_regularizer`: a function of the weights with a `scale` that may change."""

    kind = "total_variation"


class LinfRegularizer(LineRegularizer):
    """The result of `linf_regularizer`: a function of the weights with a `scale` that may change."""

    kind = "linf"


def total_variation_regularizer(scale: float, axis: int = -1, scope: str | None = None) -> TotalVariationRegularizer:
    """Return a function that computes ``scale * sum(|w[i+1] - w[i]|)`` along an axis.

    Its prox makes neighbours equal: the weights become constant from one jump to the next. It is exact, and takes a time in
    proportion to the number of weights.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    axis : int, optional
        Along which neighbours are compared; by default the last one.
    scope : str, optional
        Name of the loss; `total_variation_regularizer` by default.

    Returns
    -------
    TotalVariationRegularizer
        With the signature `tv(weights)`, the methods `gradient`, `value_and_gradient`, `prox` and the attributes `scale`, which
        may change, and `axis`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite; at a call, if the weights have no such axis.
    TypeError
        If one of them is not a number.

    Notes
    -----
    A pair of equal neighbours adds 0 to the gradient, and so does a pair of equal infinities. A NaN makes the value NaN, and the
    gradient at the NaN and at its neighbours. The prox makes every weight of a line with a NaN NaN. It leaves infinite weights as
    they are; they pull at finite neighbours as any other larger or smaller weight does.

    References
    ----------
    .. [1] L. Rudin, S. Osher and E. Fatemi, "Nonlinear total variation based noise removal algorithms", 1992. The prox is the
       taut string of P. L. Davies and A. Kovac, "Local extremes, runs, strings and multiresolution", 2001.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> tv = fr.total_variation_regularizer(0.5)
    >>> w = np.array([1.0, 1.0, 4.0, 3.0])
    >>> tv(w)
    np.float64(2.0)
    >>> tv.gradient(w)
    array([ 0. , -0.5,  1. , -0.5])
    >>> tv.prox(w, step=1.0)
    array([1.25, 1.25, 3.25, 3.25])
    """
    strength, along = check_scale(scale), check_one_axis(axis)
    return TotalVariationRegularizer(strength, along, op_name(scope, "total_variation_regularizer"), disabled_at(strength))


def linf_regularizer(scale: float, axis: int | Sequence[int] | None = None, scope: str | None = None) -> LinfRegularizer:
    """Return a function that computes ``scale * max(|w|)``, or with an `axis` the sum of this over groups of weights.

    Its prox lowers the largest magnitudes of a group to one common number. A group whose sum of magnitudes is at most
    step * scale becomes 0.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    axis : int or tuple of int, optional
        The axes that are reduced: the members of a group lie along them. By default all weights are one group.
    scope : str, optional
        Name of the loss; `linf_regularizer` by default.

    Returns
    -------
    LinfRegularizer
        With the signature `linf(weights)`, the methods `gradient`, `value_and_gradient`, `prox` and the attributes `scale`, which
        may change, and `axis`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite; at a call, if the weights lack an axis or one is named twice.
    TypeError
        If one of them is not a number.

    Notes
    -----
    Members that tie for the largest magnitude share the gradient of their group alike. This is the subgradient of the least norm;
    that of a group of zeros is 0. A group with a NaN has the value NaN, and its gradient and its prox are NaN. A group with an
    infinity is its own prox.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> linf = fr.linf_regularizer(0.5, axis=1)
    >>> w = np.array([[3.0, -1.0, 2.0], [1.0, -1.0, 0.0]])
    >>> linf(w)
    np.float64(2.0)
    >>> linf.gradient(w)
    array([[ 0.5 ,  0.  ,  0.  ],
           [ 0.25, -0.25,  0.  ]])
    >>> linf.prox(w, step=4.0)
    array([[ 1.5, -1. ,  1.5],
           [ 0. , -0. ,  0. ]])
    """
    strength, members = check_scale(scale), check_axis(axis)
    return LinfRegularizer(strength, members, op_name(scope, "linf_regularizer"), disabled_at(strength))
