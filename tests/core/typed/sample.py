"""A user's own program: what a type checker must accept, and know of the results. It is checked, and it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import fastreg as fr

Weights = NDArray[np.float32]


@dataclass
class Cubes:
    """A penalty of a user's own."""

    scale: float

    def __call__(self, weights: Weights) -> float:
        """Return scale * sum(|w|**3) / 3."""
        return float(self.scale * np.sum(np.abs(weights) ** 3) / 3)

    def gradient(self, weights: Weights) -> Weights:
        """Return scale * w * |w|."""
        return np.float32(self.scale) * weights * np.abs(weights)


def strengths(regularizer: fr.L1L2Regularizer) -> tuple[float, float]:
    """Return both scales."""
    return regularizer.scale_l1, regularizer.scale_l2


def gradient_of(regularizer: fr.SupportsGradient, weights: Weights) -> Weights:
    """Use a protocol."""
    gradient: Weights = regularizer.gradient(weights)
    return gradient


def train(params: dict[str, Weights], rules: Sequence[tuple[str, fr.Regularizer | None]], steps: int) -> fr.History:
    """Train with nothing but penalties."""
    terms = fr.regularize(params, rules)
    assert_type(terms, fr.Terms)
    rule: fr.optim.Optimizer = fr.optim.Adam(learning_rate=lambda step: 0.1 / (step + 1))
    history = fr.History()
    for _ in range(steps):
        grads = {name: np.zeros_like(w) for name, w in params.items()}
        loss, penalties = rule.apply_gradients({name: (grads[name], params[name]) for name in params}, terms, per_term=True)
        assert_type(loss, np.float64)
        history.record(rule.iterations, penalties, loss=loss)
    assert_type(rule.apply_gradients({name: (np.zeros_like(w), w) for name, w in params.items()}, terms), np.float64)
    norms = [rule.measure({name: (np.zeros_like(w), w)}, terms) for name, w in params.items()]
    assert_type(norms, list[np.float64])
    with rule.step(norm=max(norms)):
        losses = [rule.apply_gradients({name: (np.zeros_like(w), w)}, terms) for name, w in params.items()]
    assert_type(losses, list[np.float64])
    return history


def registry() -> float:
    """Use the variables by name."""
    with fr.Graph().as_default(), fr.variable_scope("net", regularizer=fr.l2_regularizer(0.5)):
        w = fr.get_variable("w", shape=(2, 3), initializer=np.ones, constraint=fr.constraints.non_neg())
        parts = fr.get_variable("p", shape=(4, 2), initializer=np.ones, partitioner=fr.fixed_size_partitioner(2))
        w.value[...] = 2.0
        assert_type(w, fr.Variable)
        assert_type(parts, fr.PartitionedVariable)
        names = [variable.name for variable in fr.trainable_variables()]
        assert_type(names, list[str])
        return float(fr.get_regularization_loss())


def main() -> None:
    """Run all of it."""
    w = np.ones((2, 3), dtype=np.float32)
    l1, l2, both = fr.l1_regularizer(0.5), fr.l2_regularizer(0.5), fr.l1_l2_regularizer(0.5, 0.25)
    l2.scale = 0.25
    l1.prox(w, 0.5, out=w)
    loss, gradient = l2.value_and_gradient(w)
    gradient += gradient_of(fr.mcp_regularizer(0.5, gamma=2.0), w)
    joined = fr.sum_regularizer([l1, l2])
    assert_type(joined, fr.SumRegularizer)
    print(float(loss) + float(joined(w)) + sum(strengths(both)), joined.gradient(w).shape)

    params = {"a/kernel": w, "a/bias": np.zeros(3, dtype=np.float32)}
    history = train(params, [("*/bias", None), ("*", Cubes(0.5))], steps=3)
    print(history["loss"].tolist(), history.steps)

    norms = fr.constraints.max_norm(1.0, axis=0)
    assert_type(norms, fr.constraints.MaxNorm)
    norms.max_value = 2.0
    norms.project(norms(w), out=w)
    limits = fr.constrain(params, [("*/bias", np.abs), ("*", norms)])
    zeros = {name: (np.zeros_like(array), array) for name, array in params.items()}
    fr.optim.GradientDescent(0.5).apply_gradients(zeros, constraints=limits)

    terms = fr.regularize(params, [("*/bias", None), ("*", l2)])
    assert_type(terms[0], fr.RegularizationLoss)
    print(float(terms[0].value()), fr.summary(terms, params).to_dict()["total"])
    total, new = fr.value_and_gradients(terms)
    assert_type(total, np.float64)
    assert_type(new, fr.Gradients)
    given: dict[str, Weights] = {name: np.zeros_like(array) for name, array in params.items()}
    total, given = fr.value_and_gradients(terms, out=given, accumulate=True)
    print(float(total), float(fr.add_n(terms)), registry())


if __name__ == "__main__":
    main()
