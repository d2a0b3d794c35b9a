"""Decoupled weight decay: a fraction is taken off the weights, before the update rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from fastreg.matching import match_rules
from fastreg.optim.hyperparameters import Schedule, check_number
from fastreg.optim.optimizer import Optimizer
from fastreg.optim.rules import Adam, Momentum

DecayRules: TypeAlias = Schedule | Sequence[tuple[str, Schedule | None]]


class DecoupledWeightDecay(Optimizer):
    """Mixin for a rule that first takes a fraction off the weights: weights -= weight_decay * weights.

    Parameters
    ----------
    weight_decay : float or callable, or list of (pattern, float or callable or None)
        The fraction taken off at each step; see `AdamW`.
    *args, **options
        The arguments of the rule.
    """

    def __init__(self, weight_decay: DecayRules, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._matched: tuple[list[str], dict[str, int]] = [], {}
        self.weight_decay = weight_decay

    @property
    def weight_decay(self) -> DecayRules:
        """The fraction that is taken off at each step; it may be set between steps."""
        return self._weight_decay

    @weight_decay.setter
    def weight_decay(self, weight_decay: DecayRules) -> None:
        if weight_decay is None:
            raise TypeError("weight_decay must be a number, a function of the step or a list of rules, got None")
        rules: list[Any] = [("*", weight_decay)]
        if isinstance(weight_decay, Sequence) and not isinstance(weight_decay, str):
            rules = list(weight_decay)
        for i, rule in enumerate(rules):
            if not isinstance(rule, (tuple, list)) or len(rule) != 2 or not isinstance(rule[0], str):
                raise TypeError(f"rule {i} of weight_decay must be a pair (pattern, decay), got {rule!r}")
            if rule[1] is not None and not callable(rule[1]):
                check_number(rule[1], "weight_decay", least=0)
        self._weight_decay = weight_decay
        self._decay_rules: list[tuple[str, Schedule | None]] = rules
        self._matched = [], {}

    def decays(self, names: list[str], known: list[str]) -> list[float]:
        """Return the fraction that is taken off each variable's weights, by the first rule that matches its name."""
        if self._matched[0] != known:
            places = [(pattern, place) for place, (pattern, _) in enumerate(self._decay_rules)]
            self._matched = known, match_rules(known, places)
        decays = [0.0 if decay is None else self._at(decay) for _, decay in self._decay_rules]
        place_of = self._matched[1]
        return [decays[place_of[name]] if name in place_of else 0.0 for name in names]

    def _at(self, decay: Schedule) -> float:
        return check_number(decay(self.iterations) if callable(decay) else decay, "weight_decay", least=0)


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
        weight_decay: DecayRules,
        learning_rate: Schedule = 0.001,
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
        weight_decay: DecayRules,
        learning_rate: Schedule,
        momentum: float,
        use_nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(weight_decay, learning_rate, momentum, use_nesterov, **options)
