"""Huber's penalty and its smooth form: like L2 for small weights, like L1 for large ones."""

from __future__ import annotations

from fastreg.regularizers.scales import ProfilePenalty, check_above, check_scale, disabled_at, op_name


class OfDelta(ProfilePenalty):
    """Base of the two: up to about `delta` they are squares, beyond they grow as magnitudes."""

    def __init__(self, scale: float, delta: float, name: str, disabled: bool = False) -> None:
        super().__init__(scale, check_above(delta, "delta"), name, disabled)

    @property
    def delta(self) -> float:
        """Where the penalty changes from a square to a magnitude: sharply in Huber's, smoothly in pseudo-Huber's."""
        return self._shape

    @delta.setter
    def delta(self, delta: float) -> None:
        self._set_shape(check_above(delta, "delta"))

    def __repr__(self) -> str:
        return f"{self.profile}_regularizer({self.scale!r}, delta={self.delta!r})"


class HuberRegularizer(OfDelta):
    """The result of `huber_regularizer`: a function of the weights with a `scale` and a `delta` that may change."""

    profile = "huber"


class PseudoHuberRegularizer(OfDelta):
    """The result of `pseudo_huber_regularizer`: a function of the weights with a `scale` and a `delta` that may change."""

    profile = "pseudo_huber"


def huber_regularizer(scale: float, delta: float = 1.0, scope: str | None = None) -> HuberRegularizer:
    """Return a function that computes Huber's penalty, which is like L2 for small weights and like L1 for large ones.

    With ``m = |w|``, it is scale * m**2/2 up to delta, and scale * delta * (m - delta/2) beyond, summed over the weights. That is
    torch's ``HuberLoss``; some libraries divide it by delta. The gradient is scale * w, between -scale * delta and scale * delta.
    With t = step*scale, the prox is w / (1 + t) up to delta*(1 + t), and beyond it takes t*delta off the magnitude.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    delta : float, optional
        Above 0. Up to it the penalty is a square.
    scope : str, optional
        Name of the loss; `huber_regularizer` by default.

    Returns
    -------
    HuberRegularizer
        With the signature `huber(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attributes
        `scale` and `delta`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite, or `delta` not above 0.
    TypeError
        If one of them is not a number.

    References
    ----------
    .. [1] P. J. Huber, "Robust estimation of a location parameter", 1964.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> huber = fr.huber_regularizer(0.5, delta=2.0)
    >>> w = np.array([-4.0, 0.0, 1.0])
    >>> huber(w)
    np.float64(3.25)
    >>> huber.gradient(w)
    array([-1. ,  0. ,  0.5])
    >>> huber.prox(w, step=2.0)
    array([-2. ,  0. ,  0.5])
    """
    name, value, bend = op_name(scope, "huber_regularizer"), check_scale(scale), check_above(delta, "delta")
    return HuberRegularizer(value, bend, name, disabled_at(value))


def pseudo_huber_regularizer(scale: float, delta: float = 1.0, scope: str | None = None) -> PseudoHuberRegularizer:
    """Return a function that computes ``scale * delta**2 * sum(sqrt(1 + (w/delta)**2) - 1)``, a smooth form of Huber's penalty.

    For small weights it is nearly ``scale/2 * sum(w**2)``, for large ones nearly ``scale * delta * sum(|w| - delta)``.

    It has no closed prox: the prox is the root of an equation of the fourth degree. So `prox` is an error, and so is a step of
    ``ProximalGradientDescent``, ``ProximalAdagrad`` or ``Ftrl``. All other rules take its gradient, and `huber_regularizer` has a
    closed prox.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    delta : float, optional
        Above 0. Near it the penalty changes from a square to a magnitude.
    scope : str, optional
        Name of the loss; `pseudo_huber_regularizer` by default.

    Returns
    -------
    PseudoHuberRegularizer
        With the signature `pseudo_huber(weights)`, and the methods `gradient`, `value_and_gradient` and the attributes
        `scale` and `delta`.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite, or `delta` not above 0.
    TypeError
        If one of them is not a number.

    References
    ----------
    .. [1] P. Charbonnier et al., "Deterministic edge-preserving regularization in computed imaging", 1997.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> pseudo_huber = fr.pseudo_huber_regularizer(0.5, delta=3.0)
    >>> pseudo_huber(np.array([-4.0, 0.0]))
    np.float64(3.0)
    >>> pseudo_huber.gradient(np.array([-4.0, 0.0]))
    array([-1.2,  0. ])
    """
    name, value, bend = op_name(scope, "pseudo_huber_regularizer"), check_scale(scale), check_above(delta, "delta")
    return PseudoHuberRegularizer(value, bend, name, disabled_at(value))
