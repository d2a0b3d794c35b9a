"""The update rules that are measured, with arguments for them and what they must move.

Every argument is given, so that no library's default can make two rules differ. The formulas are those of the tests' twin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from reference import Elastic, rules

Array = NDArray[Any]


@dataclass(frozen=True)
class Rule:
    """One update rule of ``fastreg.optim``.

    Parameters
    ----------
    arguments : mapping
        The rule's arguments by TensorFlow's names.
    twin : twin.rules.Rule
        Its formula and traits.
    """

    arguments: Mapping[str, float]
    twin: rules.Rule

    @property
    def _all_arguments(self) -> dict[str, float]:
        return {**self.twin.defaults, **self.arguments}

    @property
    def slots(self) -> Mapping[str, float]:
        """First value of every array that the rule keeps beside the weights."""
        return self.twin.slots(self._all_arguments)

    @property
    def streams(self) -> int:
        """Arrays that must cross the memory bus: gradient in, weights in and out, each slot in and out."""
        return 3 + 2 * len(self.slots)

    def first_step(self, w: Array, g: Array, penalty: Elastic) -> Array:
        """Return the weights after the first step, the penalty included."""
        arguments = self._all_arguments
        if self.twin.takes_l1:
            arguments["l1_regularization_strength"] += penalty.l1
            penalty = Elastic(l2=penalty.l2)
        return self.twin.step(w, penalty.gradient(w, g), self.twin.first_slots(w, arguments), arguments, 1)


_STRENGTHS = {"l1_regularization_strength": 1e-3, "l2_regularization_strength": 1e-3}
_ADAM = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

ARGUMENTS: Mapping[str, Mapping[str, float]] = {
    "GradientDescent": {"learning_rate": 0.01},
    "Momentum": {"learning_rate": 0.01, "momentum": 0.9},
    "MomentumW": {"weight_decay": 1e-4, "learning_rate": 0.01, "momentum": 0.9},
    "Adagrad": {"learning_rate": 0.01, "initial_accumulator_value": 0.1},
    "RMSProp": {"learning_rate": 1e-3, "decay": 0.9, "momentum": 0.9, "epsilon": 1e-10},
    "Adam": _ADAM,
    "AdamW": {"weight_decay": 1e-4, **_ADAM},
    "ProximalGradientDescent": {"learning_rate": 0.01, **_STRENGTHS},
    "ProximalAdagrad": {"learning_rate": 0.01, "initial_accumulator_value": 0.1, **_STRENGTHS},
    "Ftrl": {"learning_rate": 0.01, "learning_rate_power": -0.5, "initial_accumulator_value": 0.1, **_STRENGTHS},
}
RULES: Mapping[str, Rule] = {name: Rule(arguments, rules.RULES[name]) for name, arguments in ARGUMENTS.items()}
