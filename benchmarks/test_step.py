"""Training: every update rule on ResNet-50's tensors, and a whole step of a 784-1024-1024-10 network in NumPy.

A kernel alone in a loop says little about training, where each of its calls stands between two matrix products whose
threads still spin. Compare "forward and backward" with the rest of its group, in the default environment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from network import Network
from problem import aligned
from pytest_benchmark.fixture import BenchmarkFixture
from rules import RULES
from shapes import DIGITS_MLP, RESNET50, Shapes

import fastreg as fr

L2: Any = fr.l2_regularizer(1e-4)


def arrays(shapes: Shapes, size: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return weights and gradients by name."""
    rng = np.random.default_rng(0)
    weights, gradients = {}, {}
    for name, shape in shapes.items():
        weights[name], gradients[name] = aligned(shape, "float32"), aligned(shape, "float32")
        for array in (weights[name], gradients[name]):
            rng.standard_normal(out=array, dtype=np.float32)
        weights[name] *= np.float32(size)
    return weights, gradients


@pytest.mark.parametrize("regularized", [False, True], ids=["plain", "regularized"])
@pytest.mark.parametrize("rule", RULES)
def test_update(benchmark: BenchmarkFixture, rule: str, regularized: bool) -> None:
    benchmark.group = f"update {rule}"
    weights, gradients = arrays(RESNET50, 1.0)
    optimizer = getattr(fr.optim, rule)(**RULES[rule].arguments)
    pairs = {name: (gradients[name], w) for name, w in weights.items()}
    regularizer: Any = fr.l1_regularizer(1e-4) if rule.startswith("Proximal") else L2
    terms = fr.regularize(weights, [("*", regularizer)]) if regularized else None
    benchmark(optimizer.apply_gradients, pairs, regularization=terms)


@pytest.fixture
def training() -> tuple[Network, dict[str, Any], dict[str, Any]]:
    """Return the network with its weights and gradients."""
    weights, gradients = arrays(DIGITS_MLP, 0.03)
    return Network(list(weights.values()), list(gradients.values())), weights, gradients


def kernels(weights: dict[str, Any]) -> Any:
    """Return the L2 terms of the kernels."""
    return fr.regularize(weights, [("*/bias", None), ("*/kernel", L2)])


Training = tuple[Network, dict[str, Any], dict[str, Any]]


def test_forward_and_backward(benchmark: BenchmarkFixture, training: Training) -> None:
    benchmark.group = "training step"
    benchmark(training[0].forward_backward)


def test_gradients(benchmark: BenchmarkFixture, training: Training) -> None:
    benchmark.group = "training step"
    network, weights, gradients = training
    terms = kernels(weights)
    penalized = {name: g for name, g in gradients.items() if name.endswith("kernel")}

    def run() -> None:
        network.forward_backward()
        fr.value_and_gradients(terms, out=penalized, accumulate=True)

    benchmark(run)


@pytest.mark.parametrize("rule", ["GradientDescent", "Momentum", "Adam"])
def test_step(benchmark: BenchmarkFixture, training: Training, rule: str) -> None:
    benchmark.group = "training step"
    network, weights, gradients = training
    optimizer = getattr(fr.optim, rule)(**RULES[rule].arguments)
    terms = kernels(weights)
    pairs = {name: (gradients[name], w) for name, w in weights.items()}

    def run() -> None:
        network.forward_backward()
        optimizer.apply_gradients(pairs, regularization=terms)

    benchmark(run)


def _numpy_gradients(weights: dict[str, Any], gradients: dict[str, Any]) -> None:
    for name, w in weights.items():
        if name.endswith("kernel"):
            0.5e-4 * np.sum(w**2)
            gradients[name] += 1e-4 * w


def _numpy_descent(weights: dict[str, Any], gradients: dict[str, Any]) -> None:
    _numpy_gradients(weights, gradients)
    for name, w in weights.items():
        w -= 0.01 * gradients[name]  # noqa: PLW2901 - in place


@pytest.mark.parametrize("regularize", [_numpy_gradients, _numpy_descent], ids=["gradients", "descent"])
def test_by_numpy(benchmark: BenchmarkFixture, training: Training, regularize: Callable[..., None]) -> None:
    benchmark.group = "training step"
    network, weights, gradients = training

    def run() -> None:
        network.forward_backward()
        regularize(weights, gradients)

    benchmark(run)
