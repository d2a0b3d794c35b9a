"""Group penalties: the norm of each group of weights, so that whole groups become exactly 0."""

from __future__ import annotations

import math
from typing import Any

from fastreg.axes import Axes, Axis, as_tuple, check_axis
from fastreg.regularizers.scales import ScaledPenalty, check_real, check_scale, disabled_at, op_name


def _check_power(size_power: object) -> float:
    value = check_real(size_power, "size_power")
    if value not in (0.0, 0.5, -0.5):
        raise ValueError(f"size_power must be 0, 0.5 or -0.5, got {size_power!r}")
    return value


def _check_strength(scale: object, name: str, size_power: float) -> float:
    """Check the strength of norms. It is multiplied by the root of a group's size, which is below 2**32, if the power is 0.5."""
    value = check_scale(scale, name)
    if size_power > 0 and not math.isfinite(value * 2.0**32):
        raise ValueError(f"{name} * 2**32 must be finite in float64 with size_power=0.5, got {name}={value!r}")
    return value


class OfGroups(ScaledPenalty):
    """Base of the penalties of groups, which never change their axes."""

    def _set_groups(self, axis: Axis, size_power: float) -> None:
        self._axis = check_axis(axis)
        self._size_power = _check_power(size_power)
        self._set_axes(as_tuple(self._axis))

    @property
    def axis(self) -> Axes:
        """The axes along which the members of a group lie; None for all."""
        return self._axis

    @property
    def size_power(self) -> float:
        """The power of a group's size that its norm is multiplied by."""
        return self._size_power

    def _shown_groups(self) -> str:
        return f"axis={self._axis!r}" + (f", size_power={self._size_power!r}" if self._size_power else "")


class SparseGroupLassoRegularizer(OfGroups):
    """The result of `sparse_group_lasso_regularizer`: a function of the weights whose strengths may change."""

    def __init__(
        self,
        scale_l1: float,
        scale_l21: float,
        axis: Axis,
        size_power: float,
        name: str,
        disabled: bool = False,
    ) -> None:
        self.name = name
        self._set_groups(axis, size_power)
        self._scale_l1 = check_scale(scale_l1, "scale_l1")
        self._scale_l21 = _check_strength(scale_l21, "scale_l21", self._size_power)
        self._set_strengths()
        self.disabled = disabled

    def _set_strengths(self) -> None:
        self._set(self._scale_l1, 0.0)
        self._set_profile("linear", self._scale_l21, self._size_power)

    @property
    def scale_l1(self) -> float:
        """Strength of the sum of magnitudes. A new one holds from the next call on, also in sums and terms."""
        return self._scale_l1

    @scale_l1.setter
    def scale_l1(self, scale: float) -> None:
        self._scale_l1 = check_scale(scale, "scale_l1")
        self._set_strengths()
        self.disabled = False

    @property
    def scale_l21(self) -> float:
        """Strength of the sum of norms. A new one holds from the next call on, also in sums and terms."""
        return self._scale_l21

    @scale_l21.setter
    def scale_l21(self, scale: float) -> None:
        self._scale_l21 = _check_strength(scale, "scale_l21", self._size_power)
        self._set_strengths()
        self.disabled = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale_l1, self.scale_l21, self._axis, self.size_power, self.name, self.disabled)

    def __repr__(self) -> str:
        return f"sparse_group_lasso_regularizer({self.scale_l1!r}, {self.scale_l21!r}, {self._shown_groups()})"


class GroupLassoRegularizer(OfGroups):
    """The result of `group_lasso_regularizer`: a function of the weights with a `scale` that may change."""

    def __init__(self, scale: float, axis: Axis, size_power: float, name: str, disabled: bool = False) -> None:
        self.name = name
        self._set_groups(axis, size_power)
        self.scale = scale
        self.disabled = disabled

    @property
    def scale(self) -> float:
        """Strength. A new one holds from the next call on, also in sums and terms."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        self._scale = _check_strength(scale, "scale", self._size_power)
        self._set_profile("linear", self._scale, self._size_power)
        self.disabled = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale, self._axis, self.size_power, self.name, self.disabled)

    def __repr__(self) -> str:
        return f"group_lasso_regularizer({self.scale!r}, {self._shown_groups()})"


def group_lasso_regularizer(scale: float, axis: Axis, size_power: float = 0.0, scope: str | None = None) -> GroupLassoRegularizer:
    """Return a function that computes the group lasso: the sum of the norms of groups of weights.

    It is scale * sum(size**size_power * sqrt(sum(w**2))), the inner sum over the members of a group, the outer one over the
    groups. Under ProximalGradientDescent, groups that contribute little become exactly 0 as a whole.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    axis : int, tuple of int, or None
        The axes that are reduced: the members of a group lie along them. For the weights of a dense layer of shape (inputs,
        outputs), ``axis=0`` makes a group of the weights into each output, and ``axis=1`` of those from each input. None makes
        one group of the whole array. docs/axes.md has a table of layers and axes.
    size_power : float, optional
        0 leaves the norms as they are, 0.5 multiplies them by the root of the group's size (Yuan and Lin), -0.5 divides by it,
        which makes them root mean squares.
    scope : str, optional
        Name of the loss; `group_lasso_regularizer` by default.

    Returns
    -------
    GroupLassoRegularizer
        With the signature `group_lasso(weights)`, the methods `gradient`, `value_and_gradient` and `prox`, and the attributes
        `scale`, which may change, `axis` and `size_power`. Gradient and prox of a group of zeros are 0.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN, infinite, or above 4e298 where `size_power` is 0.5; if `size_power` is not one of
        the three, or `axis` names an axis twice.
        An axis that the weights do not have is found at the call.
    TypeError
        If one of them is of a wrong type.

    Notes
    -----
    A sum with L1, L2 or further group lassos has a prox if the groups are nested: each group of one lies within a group of the
    other, or they are the same. Each part of a partitioned variable has groups of its own.

    A norm is the square root of a sum of squares in float64, which is formed at another scale where it would overflow or vanish.
    The gradient of a group with a norm below 1e-308 is 0. A group with a NaN becomes NaN. A group with an infinite weight has an
    infinite norm: the prox leaves it alone, and its gradient is NaN at the infinite weights and 0 at the others.

    References
    ----------
    .. [1] M. Yuan and Y. Lin, "Model selection and estimation in regression with grouped variables", 2006.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> neurons = fr.group_lasso_regularizer(1.0, axis=0)
    >>> w = np.array([[3.0, 0.3], [4.0, 0.4]])
    >>> neurons(w)
    np.float64(5.5)
    >>> neurons.prox(w, step=1.0)
    array([[2.4, 0. ],
           [3.2, 0. ]])
    """
    name, value = op_name(scope, "group_lasso_regularizer"), check_scale(scale)
    return GroupLassoRegularizer(value, axis, size_power, name, disabled_at(value))


def sparse_group_lasso_regularizer(
    scale_l1: float, scale_l21: float, axis: Axis, size_power: float = 0.0, scope: str | None = None
) -> SparseGroupLassoRegularizer:
    """Return a function that computes the sparse group lasso: L1 plus the group lasso.

    It is ``scale_l1 * sum(|w|) + scale_l21 * sum(size**size_power * sqrt(sum(w**2)))``, the last sum over the members of a group.
    Under ProximalGradientDescent, whole groups become exactly 0, and single weights in the other groups.

    Parameters
    ----------
    scale_l1, scale_l21 : float
        Strengths of the magnitudes and of the norms, at least 0. A part with the strength 0. is left out; if both are 0., no loss
        is filed.
    axis, size_power, scope
        As in :func:`group_lasso_regularizer`.

    Returns
    -------
    SparseGroupLassoRegularizer
        With the methods of a `GroupLassoRegularizer`, and the attributes `scale_l1` and `scale_l21`, which may change, `axis` and
        `size_power`. Its prox first takes L1's threshold off each weight, then shrinks the groups.

    Raises
    ------
    TypeError, ValueError
        As :func:`group_lasso_regularizer`.

    References
    ----------
    .. [1] N. Simon et al., "A sparse-group lasso", 2013.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> both = fr.sparse_group_lasso_regularizer(0.5, 1.0, axis=0)
    >>> w = np.array([[3.5, 0.3], [-4.5, 0.4]])
    >>> both.prox(w, step=1.0)
    array([[ 2.4,  0. ],
           [-3.2,  0. ]])
    """
    name = op_name(scope, "sparse_group_lasso_regularizer")
    l1, l21 = check_scale(scale_l1, "scale_l1"), check_scale(scale_l21, "scale_l21")
    return SparseGroupLassoRegularizer(l1, l21, axis, size_power, name, disabled_at(l1 + l21))
