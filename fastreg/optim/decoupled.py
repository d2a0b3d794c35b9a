"""Decoupled weight decay: a fraction is taken off the weights, before the update rule."""

from __future__ import annotations

from typing import Any

from fastreg.optim.hyperparameters import ByName, by_name
from fastreg.optim.optimizer import Optimizer
from fastreg.optim.rules import Adam, Momentum


class DecoupledWeightDecay(Optimizer):
    """Mixin for a rule that first takes a fraction off the weights: weights -= weight_decay * weights.

    Parameters
    ----------
    weight_decay : float or callable, or list of (pattern, float or callable or None)
        The fraction taken off at each step; see `AdamW`.
    *args, **options
        The arguments of the rule.
    """

    weight_decay = by_name(none_allowed=True)

    def __init__(self, weight_decay: ByName, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.weight_decay = weight_decay

    def decays(self, names: list[str], known: list[str]) -> list[float]:
        """Return the fraction that is taken off each variable's weights, by the first rule that matches its name."""
        return [decay or 0.0 for decay in self.at_names("weight_decay", names, known)]


class AdamW(DecoupledWeightDecay, Adam):
    """Adam with decoupled decay: w -= weight_decay * w, then Adam's step.

    Parameters
    ----------
    weight_decay : float or callable, or list of (pattern, float or callable or None)
        The fraction that is taken off at each step. As in TensorFlow it is not multiplied by the learning rate. A function of
        the step is called at every step. A list such as ``[("*/bias", None), ("*", 1e-4)]`` is tried in order on the names
        without ``:0``; the first match wins, and a pattern that matches no name is a ValueError.
    learning_rate, beta1, beta2, epsilon, **options
        As for `Adam`.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019; TensorFlow's contrib AdamWOptimizer.
    """

    def __init__(
        self,
        weight_decay: ByName,
        learning_rate: ByName = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-08,
        **options: Any,
    ) -> None:
        super().__init__(weight_decay, learning_rate, beta1, beta2, epsilon, **options)


class MomentumW(DecoupledWeightDecay, Momentum):
    """Momentum with decoupled decay: w -= weight_decay * w, then the step of `Momentum`.

    Parameters
    ----------
    weight_decay : float or callable, or list of (pattern, float or callable or None)
        As for `AdamW`.
    learning_rate, momentum, use_nesterov, **options
        As for `Momentum`.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019; TensorFlow's contrib MomentumWOptimizer.
    """

    def __init__(
        self,
        weight_decay: ByName,
        learning_rate: ByName,
        momentum: float,
        use_nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(weight_decay, learning_rate, momentum, use_nesterov, **options)
