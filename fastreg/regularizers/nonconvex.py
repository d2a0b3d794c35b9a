"""Non-convex penalties: the larger a weight, the less a further unit costs. So large weights are shrunk little or not at all."""

from __future__ import annotations

import math
import sys
from typing import Any

from fastreg.axes import Axes, Axis, as_tuple, check_axis
from fastreg.regularizers.scales import ProfilePenalty, check_above, check_scale, disabled_at, op_name


class OfNorms(ProfilePenalty):
    """Base of the penalties of magnitudes or, with an `axis`, of the norms of groups."""

    shape_name: str

    def __init__(self, scale: float, shape: float, axis: Axis, name: str, disabled: bool = False) -> None:
        super().__init__(scale, shape, name, disabled)
        self._axis = check_axis(axis)
        if axis is not None:
            self._set_axes(as_tuple(self._axis))

    @property
    def axis(self) -> Axes:
        """The axes along which the members of a group lie; None where each weight is penalized by itself."""
        return self._axis

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._scale, self._shape, self._axis, self.name, self.disabled)

    def __repr__(self) -> str:
        axis = "" if self._axis is None else f", axis={self._axis!r}"
        return f"{self.profile}_regularizer({self.scale!r}, {self.shape_name}={self._shape!r}{axis})"


class MCPRegularizer(OfNorms):
    """The result of `mcp_regularizer`: a function of the weights with a `scale` and a `gamma` that may change."""

    profile, shape_name = "mcp", "gamma"

    def __init__(self, scale: float, gamma: float, axis: Axis, name: str, disabled: bool = False) -> None:
        super().__init__(scale, check_above(gamma, "gamma"), axis, name, disabled)

    @property
    def gamma(self) -> float:
        """The penalty is constant from gamma * scale on."""
        return self._shape

    @gamma.setter
    def gamma(self, gamma: float) -> None:
        self._set_shape(check_above(gamma, "gamma"))

    def _agree(self, scale: float, shape: float) -> None:
        """Refuse a pair for which the value of a large weight, gamma * scale**2 / 2, overflows on the way."""
        if not math.isfinite(scale * scale * shape):
            raise ValueError(f"gamma * scale**2 must be finite in float64, got scale={scale!r} and gamma={shape!r}")


class SCADRegularizer(OfNorms):
    """The result of `scad_regularizer`: a function of the weights with a `scale` and an `a` that may change."""

    profile, shape_name = "scad", "a"

    def __init__(self, scale: float, a: float, axis: Axis, name: str, disabled: bool = False) -> None:
        super().__init__(scale, check_above(a, "a", 2.0), axis, name, disabled)

    @property
    def a(self) -> float:
        """The penalty is constant from a * scale on."""
        return self._shape

    @a.setter
    def a(self, a: float) -> None:
        self._set_shape(check_above(a, "a", 2.0))

    def _agree(self, scale: float, shape: float) -> None:
        """Refuse a pair for which the value of a large weight, (a + 1)/2 * scale**2, overflows on the way."""
        if not math.isfinite(shape * scale * (shape * scale)):
            raise ValueError(f"(a * scale)**2 must be finite in float64, got scale={scale!r} and a={shape!r}")


class L0Regularizer(ProfilePenalty):
    """The result of `l0_regularizer`: a function of the weights with a `scale` that may change."""

    profile = "l0"

    def __init__(self, scale: float, name: str, disabled: bool = False) -> None:
        super().__init__(scale, 0.0, name, disabled)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale, self.name, self.disabled)

    def __repr__(self) -> str:
        return f"l0_regularizer({self.scale!r})"


class LogSumRegularizer(ProfilePenalty):
    """The result of `log_sum_regularizer`: a function of the weights with a `scale` and an `eps` that may change."""

    profile = "log_sum"

    def __init__(self, scale: float, eps: float, name: str, disabled: bool = False) -> None:
        super().__init__(scale, _check_eps(eps), name, disabled)

    @property
    def eps(self) -> float:
        """Below eps the penalty is nearly proportional to a weight, above it grows as the logarithm."""
        return self._shape

    @eps.setter
    def eps(self, eps: float) -> None:
        self._set_shape(_check_eps(eps))

    def __repr__(self) -> str:
        return f"log_sum_regularizer({self.scale!r}, eps={self.eps!r})"


def _check_eps(eps: object) -> float:
    value = check_above(eps, "eps")
    if value < sys.float_info.min:
        raise ValueError(f"eps must be at least {sys.float_info.min!r}, the smallest normal number, got {eps!r}")
    return value


def mcp_regularizer(scale: float, gamma: float = 3.0, axis: Axis = None, scope: str | None = None) -> MCPRegularizer:
    """Return a function that computes the minimax concave penalty: like L1 at 0, and constant for large weights.

    With ``m = |w|``, it is scale*m - m**2 / (2*gamma) up to gamma*scale, and gamma * scale**2 / 2 beyond, summed over the
    weights. With an `axis`, m is the norm of a group of weights, and the sum is over the groups. The scale is the slope at 0 and
    also sets the threshold, so the penalty is not proportional to the scale.

    Parameters
    ----------
    scale : float
        Slope at 0, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    gamma : float, optional
        Above 0. The larger it is, the closer is the penalty to L1. For steps below gamma the prox solves a convex problem. For
        other steps it is a hard threshold at scale * sqrt(gamma*step); a weight at the threshold becomes 0.
    axis : int or tuple of int, optional
        The axes along which the members of a group lie, as for :func:`group_lasso_regularizer`. None, the default, makes no
        groups and penalizes each weight by itself; (0, 1) makes one group of a whole matrix.
    scope : str, optional
        Name of the loss; `mcp_regularizer` by default.

    Returns
    -------
    MCPRegularizer
        With the signature `mcp(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attributes `scale`,
        `gamma` and `axis`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite, `gamma` not above 0, or ``gamma * scale**2`` above what float64
        holds.
    TypeError
        If one of them is not a number.

    References
    ----------
    C.-H. Zhang, "Nearly unbiased variable selection under minimax concave penalty", 2010.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> mcp = fr.mcp_regularizer(1.0, gamma=2.0)
    >>> w = np.array([-5.0, 0.5, 1.0])
    >>> mcp.gradient(w)
    array([0.  , 0.75, 0.5 ])
    >>> mcp.prox(w, step=0.5)
    array([-5.        ,  0.        ,  0.66666667])
    """
    name, value, bend = op_name(scope, "mcp_regularizer"), check_scale(scale), check_above(gamma, "gamma")
    return MCPRegularizer(value, bend, axis, name, disabled_at(value))


def scad_regularizer(scale: float, a: float = 3.7, axis: Axis = None, scope: str | None = None) -> SCADRegularizer:
    """Return a function that computes SCAD, the smoothly clipped absolute deviation: L1 for small weights, constant for large.

    With ``m = |w|``, it is scale*m up to scale, scale*m - (m - scale)**2 / (2*(a - 1)) up to a*scale, and (a + 1)/2 * scale**2
    beyond, summed over the weights. With an `axis`, m is the norm of a group of weights, and the sum is over the groups. The
    scale is the slope at 0 and also sets the thresholds, so the penalty is not proportional to the scale.

    The prox depends on the step, which is t here:

    - t < a - 1: the problem is convex. The prox is L1's soft threshold up to scale*(1 + t), the weight itself from a*scale on,
      and m - t*(a*scale - m) / (a - 1 - t) between them.
    - a - 1 <= t <= a + 1: L1's soft threshold up to scale*(a + 1 + t)/2, and the weight itself beyond. At that magnitude both are
      minima, and the soft threshold is taken.
    - t > a + 1: a hard threshold at scale * sqrt(t*(a + 1)). A weight at the threshold becomes 0.

    Parameters
    ----------
    scale : float
        Slope at 0, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    a : float, optional
        Above 2. The larger it is, the closer is the penalty to L1. 3.7 is the paper's.
    axis : int or tuple of int, optional
        The axes along which the members of a group lie, as for :func:`group_lasso_regularizer`. None, the default, makes no
        groups and penalizes each weight by itself; (0, 1) makes one group of a whole matrix.
    scope : str, optional
        Name of the loss; `scad_regularizer` by default.

    Returns
    -------
    SCADRegularizer
        With the signature `scad(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attributes
        `scale`, `a` and `axis`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite, `a` not above 2, or ``(a * scale)**2`` above what float64 holds.
    TypeError
        If one of them is not a number.

    References
    ----------
    .. [1] J. Fan and R. Li, "Variable selection via nonconcave penalized likelihood and its oracle properties", 2001.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> scad = fr.scad_regularizer(1.0, a=3.0)
    >>> w = np.array([-5.0, 0.5, 2.0])
    >>> scad.gradient(w)
    array([0. , 1. , 0.5])
    >>> scad.prox(w, step=0.5)
    array([-5.        ,  0.        ,  1.66666667])
    """
    name, value, bend = op_name(scope, "scad_regularizer"), check_scale(scale), check_above(a, "a", 2.0)
    return SCADRegularizer(value, bend, axis, name, disabled_at(value))


def l0_regularizer(scale: float, scope: str | None = None) -> L0Regularizer:
    """Return a function that computes scale times the number of weights that are not 0.

    Its gradient is 0 for every weight, so a rule that uses gradients alone does not move a weight by it. Use
    ``ProximalGradientDescent``, which ends in its prox. The prox is a hard threshold: a weight stays as it is above
    sqrt(2 * step * scale), and becomes 0 at that magnitude and below.

    Parameters
    ----------
    scale : float
        Cost of each weight that is not 0; at least 0. At 0. no loss is filed. An integer is refused, as in TensorFlow's family.
    scope : str, optional
        Name of the loss; `l0_regularizer` by default.

    Returns
    -------
    L0Regularizer
        With the signature `l0(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attribute `scale`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite.
    TypeError
        If it is not a number.

    References
    ----------
    .. [1] T. Blumensath and M. E. Davies, "Iterative thresholding for sparse approximations", 2008.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> l0 = fr.l0_regularizer(0.5)
    >>> w = np.array([-5.0, 0.0, 1.0])
    >>> l0(w)
    np.float64(1.0)
    >>> l0.prox(w, step=1.0)
    array([-5.,  0.,  0.])
    """
    name, value = op_name(scope, "l0_regularizer"), check_scale(scale)
    return L0Regularizer(value, name, disabled_at(value))


def log_sum_regularizer(scale: float, eps: float, scope: str | None = None) -> LogSumRegularizer:
    """Return a function that computes ``scale * sum(log(1 + |w|/eps))``.

    Its gradient is ``scale / (eps + |w|)`` with the sign of w: that of an L1 penalty whose strength falls as a weight grows.

    With ``m = |w|`` and c = step*scale, the prox is 0 up to a threshold, and (m - eps)/2 + sqrt((m + eps)**2/4 - c) beyond. Where
    sqrt(c) <= eps, the problem is convex, and the threshold is c/eps. Elsewhere it is the magnitude at which 0 costs as much as
    the other minimum; it is found by Newton's method once for each call. A weight at the threshold becomes 0.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    eps : float
        Above 0. Weights far below it are penalized as by L1 of the strength scale/eps.
    scope : str, optional
        Name of the loss; `log_sum_regularizer` by default.

    Returns
    -------
    LogSumRegularizer
        With the signature `log_sum(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attributes
        `scale` and `eps`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite, or `eps` below the smallest normal number of float64.
    TypeError
        If one of them is not a number.

    References
    ----------
    .. [1] E. J. Candes, M. B. Wakin and S. P. Boyd, "Enhancing sparsity by reweighted l1 minimization", 2008.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> log_sum = fr.log_sum_regularizer(1.0, eps=0.5)
    >>> w = np.array([-4.5, 0.5, 2.0])
    >>> log_sum.gradient(w)
    array([-0.2,  1. ,  0.4])
    >>> log_sum.prox(w, step=0.5)
    array([-4.39791576,  0.        ,  1.78077641])
    """
    name, value, bend = op_name(scope, "log_sum_regularizer"), check_scale(scale), _check_eps(eps)
    return LogSumRegularizer(value, bend, name, disabled_at(value))
