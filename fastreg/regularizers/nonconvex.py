"""Non-convex penalties, which are constant for large weights and so do not shrink them."""

from __future__ import annotations

import math
from typing import Any

from fastreg.regularizers.scales import ScaledPenalty, check_real, check_scale, disabled_at, op_name


class MCPRegularizer(ScaledPenalty):
    """The result of `mcp_regularizer`: a function of the weights with a `scale` and a `gamma` that may change."""

    def __init__(self, scale: float, gamma: float, name: str, disabled: bool = False) -> None:
        self.name = name
        self._gamma = _check_gamma(gamma)
        self.scale = scale
        self.disabled = disabled

    @property
    def scale(self) -> float:
        """Slope at 0. A new one holds from the next call on, also in sums and terms."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        checked = check_scale(scale)
        _check_value(checked, self._gamma)
        self._scale = checked
        self._set_profile("mcp", self._scale, self._gamma)
        self.disabled = False

    @property
    def gamma(self) -> float:
        """The penalty is constant from gamma * scale on."""
        return self._gamma

    @gamma.setter
    def gamma(self, gamma: float) -> None:
        checked = _check_gamma(gamma)
        _check_value(self._scale, checked)
        self._gamma = checked
        self._set_profile("mcp", self._scale, self._gamma)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale, self.gamma, self.name, self.disabled)

    def __repr__(self) -> str:
        return f"mcp_regularizer({self.scale!r}, gamma={self.gamma!r})"


def _check_gamma(gamma: object) -> float:
    value = check_real(gamma, "gamma")
    if value <= 0:
        raise ValueError(f"gamma must be above 0, got {gamma!r}")
    return value


def _check_value(scale: float, gamma: float) -> None:
    """Refuse a pair for which the value of a large weight, gamma * scale**2 / 2, overflows on the way."""
    if not math.isfinite(scale * scale * gamma):
        raise ValueError(f"gamma * scale**2 must be finite in float64, got scale={scale!r} and gamma={gamma!r}")


def mcp_regularizer(scale: float, gamma: float = 3.0, scope: str | None = None) -> MCPRegularizer:
    """Return a function that computes the minimax concave penalty: like L1 at 0, and constant for large weights.

    With m = |w|, it is scale*m - m**2 / (2*gamma) up to gamma*scale, and gamma * scale**2 / 2 beyond, summed over the weights.
    The scale is the slope at 0 and also sets the threshold, so the penalty is not proportional to the scale.

    Parameters
    ----------
    scale : float
        Slope at 0, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    gamma : float, optional
        Above 0. The larger it is, the closer is the penalty to L1. For steps below gamma the prox solves a convex problem. For
        other steps it is a hard threshold at scale * sqrt(gamma*step); a weight at the threshold becomes 0.
    scope : str, optional
        Name of the loss; `mcp_regularizer` by default.

    Returns
    -------
    MCPRegularizer
        With the signature `mcp(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attributes `scale` and
        `gamma`.

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
    name, value, bend = op_name(scope, "mcp_regularizer"), check_scale(scale), _check_gamma(gamma)
    return MCPRegularizer(value, bend, name, disabled_at(value))
