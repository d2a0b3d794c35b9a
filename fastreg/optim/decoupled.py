"""Decoupled weight decay: a fraction is taken off the weights, before the update rule."""

from __future__ import annotations

import inspect
from typing import Any, Self

from fastreg.optim.hyperparameters import ByName, by_name, flag
from fastreg.optim.optimizer import Optimizer
from fastreg.optim.rules import Adam, Momentum


class DecoupledWeightDecay(Optimizer):
    """Mixin for a rule that first takes a fraction off the weights: weights -= weight_decay * weights.

    Parameters
    ----------
    weight_decay : float or callable, or list of (pattern, float or callable or None)
        The fraction taken off at each step; see `AdamW`.
    cautious : bool, optional
        See `AdamW`.
    **options
        The arguments of the rule, by name: a decay that is taken for a rate, or the other way round, is a silent mistake.
    """

    weight_decay = by_name(none_allowed=True)
    cautious = flag()

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Refuse positional arguments where none are taken, and say how to write them."""
        if args and all(parameter.kind is parameter.KEYWORD_ONLY for parameter in cls._named()):
            names = ", ".join(f"{parameter.name}=..." for parameter in cls._named())
            raise TypeError(f"{cls.__name__} takes its arguments by name: {cls.__name__}({names})")
        return super().__new__(cls, *args, **options)

    def __init__(self, *, weight_decay: ByName, cautious: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.weight_decay = weight_decay
        self.cautious = cautious

    @classmethod
    def _named(cls) -> list[inspect.Parameter]:
        return [parameter for parameter in cls.__signature__.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]

    def step_constants(self) -> dict[str, float]:
        """Return the constants of the coming step."""
        return super().step_constants() | {"cautious": self.cautious}

    def decays(self, names: list[str], known: list[str]) -> list[float]:
        """Return the fraction that is taken off each variable's weights, by the first rule that matches its name."""
        return [decay or 0.0 for decay in self.at_names("weight_decay", names, known)]


class AdamW(DecoupledWeightDecay, Adam):
    """Adam with decoupled decay: w -= weight_decay * w, then Adam's step. Arguments are given by name.

    Parameters
    ----------
    weight_decay : float or callable, or list of (pattern, float or callable or None)
        The fraction that is taken off at each step. As in TensorFlow and the paper it is not multiplied by the learning rate;
        in torch it is, so torch's `weight_decay` is this one divided by `lr`. A function of the step is called at every step. A
        list such as ``[("*/bias", None), ("*", 1e-4)]`` is tried in order on the names without ``:0``; the first match wins,
        and a pattern that matches no name is a ValueError.
    cautious : bool, optional
        Leave out the decay of those elements that Adam's step moves away from 0, where the two would work against each other.
        The decay is then weight_decay times the weights before the step, and is taken off after it.
    learning_rate, beta1, beta2, epsilon, **options
        As for `Adam`.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019; TensorFlow's contrib AdamWOptimizer.
    .. [2] L. Chen et al., "Cautious weight decay", 2025.
    """

    def __init__(
        self,
        *,
        weight_decay: ByName,
        learning_rate: ByName = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-08,
        cautious: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            weight_decay=weight_decay,
            learning_rate=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            cautious=cautious,
            **options,
        )


class MomentumW(DecoupledWeightDecay, Momentum):
    """Momentum with decoupled decay: w -= weight_decay * w, then the step of `Momentum`. Arguments are given by name.

    Parameters
    ----------
    weight_decay : float or callable, or list of (pattern, float or callable or None)
        As for `AdamW`.
    cautious : bool, optional
        As for `AdamW`.
    learning_rate, momentum, use_nesterov, **options
        As for `Momentum`.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019; TensorFlow's contrib MomentumWOptimizer.
    """

    def __init__(
        self,
        *,
        weight_decay: ByName,
        learning_rate: ByName,
        momentum: float,
        use_nesterov: bool = False,
        cautious: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            weight_decay=weight_decay,
            learning_rate=learning_rate,
            momentum=momentum,
            use_nesterov=use_nesterov,
            cautious=cautious,
            **options,
        )
