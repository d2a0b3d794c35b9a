"""Whole steps in plain NumPy: penalties folded in, gradients of rows, clipping by the global norm."""

from collections.abc import Mapping
from math import sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.constraints import Constraint
from twin.penalties import Distance, Elastic, Groups, Penalty, Sum, Weighted
from twin.rules import RULES, Arguments, Rule, Slots
from twin.sums import in_order, square_sum

Array = NDArray[Any]
STRENGTHS = ("l1_regularization_strength", "l2_regularization_strength")
Gradient = Array | tuple[Array, Array]  # of all rows; or the rows' gradients and their indices, unique and rising


class Stepper:
    """The twin of an optimizer: weights are updated in place, `slots` holds each variable's by name.

    Parameters
    ----------
    rule : str
        One of `twin.rules.RULES`.
    arguments : mapping
        The rule's arguments; its defaults stand in for the others.
    clip_norm : float, optional
        Scale the total gradient of all variables down to this norm.
    """

    def __init__(self, rule: str, arguments: Arguments, clip_norm: float | None = None) -> None:
        self.rule = RULES[rule]
        self.arguments = {**self.rule.defaults, **arguments}
        self.clip_norm = clip_norm
        self.slots: dict[str, Slots] = {}
        self.steps = 0

    def step(
        self,
        gradients: Mapping[str, Gradient],
        weights: Mapping[str, Array],
        penalties: Mapping[str, Penalty],
        constraints: Mapping[str, Constraint] = MappingProxyType({}),
    ) -> np.float64:
        """Take a step and return the penalties' loss before it, over the touched rows alone."""
        for penalty in penalties.values():
            _check_prox(self.rule, penalty, self.arguments)
        self.steps += 1
        loss = np.float64(0.0)
        rows: dict[str, Array | None] = {}
        totals: dict[str, Array] = {}
        for name, given in gradients.items():
            g, rows[name] = given if isinstance(given, tuple) else (given, None)
            penalty = penalties.get(name, Elastic())
            w = weights[name][_touched(rows[name])]
            loss += penalty.value64(*_items(w, rows[name]))
            totals[name] = _in_gradient(self.rule, penalty).gradient(w, g)
        if self.clip_norm is not None:
            chunks = {name: penalties.get(name, Elastic()).chunk(g) for name, g in totals.items()}
            squares = (square_sum(x, chunk=chunks[name]) for name, g in totals.items() for x in _items(g, rows[name]))
            norm = sqrt(in_order(squares))
            totals = {name: g * g.dtype.type(self.clip_norm / max(norm, self.clip_norm)) for name, g in totals.items()}
        for name, g in totals.items():
            self._update(name, weights[name], g, rows[name], penalties.get(name, Elastic()))
        for name, constraint in constraints.items():
            w = weights[name]
            touched = _touched(rows[name] if constraint.by_row(w.ndim) else None)
            w[touched] = constraint(w[touched])
        return loss

    def _update(self, name: str, w: Array, g: Array, rows: Array | None, penalty: Penalty) -> None:
        touched = _touched(rows)
        held = self.slots.setdefault(name, self.rule.first_slots(w, self.arguments))
        slots = {slot: array[touched] for slot, array in held.items()}
        arguments = dict(self.arguments)
        if self.rule.takes_l1:
            arguments["l1_regularization_strength"] += penalty.pair.l1
        if self.rule.takes_prox and _of_groups(penalty):
            prox = Sum(Elastic(*(arguments.pop(strength) for strength in STRENGTHS)), penalty.profiles)
            arguments |= dict.fromkeys(STRENGTHS, 0.0)
        else:
            prox = Sum(profiles=penalty.profiles if self.rule.takes_l1 else ())
        x = self.rule.step(w[touched], g, slots, arguments, self.steps)
        if prox.profiles and self.rule.steps_of_prox is not None:
            x = _prox_by_element(penalty.profiles[0], x, self.rule.steps_of_prox(slots, arguments))
        elif prox.profiles:
            x = prox.prox(x, arguments["learning_rate"])
        w[touched] = x
        for slot, array in slots.items():
            held[slot][touched] = array


def _in_gradient(rule: Rule, penalty: Penalty) -> Penalty:
    """Return what of a penalty the rule has in its gradient."""
    pair = Elastic(l2=penalty.pair.l2) if rule.takes_l1 else penalty.pair
    return Sum(pair, () if rule.takes_l1 else penalty.profiles)


def _check_prox(rule: Rule, penalty: Penalty, arguments: Arguments) -> None:
    if not rule.takes_l1 or not penalty.profiles:
        return
    strengths = arguments["l1_regularization_strength"] + penalty.pair.l1, arguments["l2_regularization_strength"]
    if not rule.takes_prox if _of_groups(penalty) else len(penalty.profiles) > 1 or strengths != (0.0, 0.0):
        raise ValueError("the step has no closed form: a penalty has a prox of its own")


def _prox_by_element(profile: Any, x: Array, steps: Array) -> Array:
    """Return the prox of each element at its own step."""
    if isinstance(profile, (Weighted, Distance)):
        return np.asarray(profile.prox(x, steps.astype(np.float64)))
    new = [profile.prox(one, float(step))[0] for one, step in zip(x.reshape(-1, 1), steps.ravel(), strict=True)]
    return np.array(new, x.dtype).reshape(x.shape)


def _of_groups(penalty: Penalty) -> bool:
    return all(isinstance(profile, Groups) for profile in penalty.profiles) and len(penalty.profiles) > 0


def _touched(rows: Array | None) -> Any:
    return ... if rows is None else rows


def _items(x: Array, rows: Array | None) -> list[Array]:
    """Return what is summed by itself: the whole, or each row."""
    return [x] if rows is None else list(x)
