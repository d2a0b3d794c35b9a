"""Whole networks in one call: a small MLP, ResNet-50, BERT-base, GPT-2 small, their real shapes.

pytest benchmarks/test_collections.py --benchmark-group-by=group
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problem import aligned
from pytest_benchmark.fixture import BenchmarkFixture
from shapes import NETWORKS

import fastreg as fr

pytestmark = pytest.mark.parametrize("network", ["small MLP", "ResNet-50", "BERT-base", "GPT-2 small"])


def arrays(network: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return weights and gradients by name, every page touched."""
    rng = np.random.default_rng(0)
    weights, gradients = {}, {}
    for name, shape in NETWORKS[network].items():
        weights[name], gradients[name] = aligned(shape, "float32"), aligned(shape, "float32")
        rng.standard_normal(out=weights[name], dtype=np.float32)
        gradients[name][...] = 0
    return weights, gradients


def test_value(benchmark: BenchmarkFixture, network: str) -> None:
    benchmark.group = f"value {network}"
    weights, _ = arrays(network)
    benchmark(float, fr.add_n(fr.regularize(weights, [("*", fr.l2_regularizer(1e-4))])))


def test_value_and_gradients(benchmark: BenchmarkFixture, network: str) -> None:
    benchmark.group = f"value and gradients {network}"
    weights, gradients = arrays(network)
    terms = fr.regularize(weights, [("*", fr.l2_regularizer(1e-4))])
    benchmark(fr.value_and_gradients, terms, out=gradients, accumulate=True)


def test_value_and_gradients_by_numpy(benchmark: BenchmarkFixture, network: str) -> None:
    benchmark.group = f"value and gradients {network}"
    weights, gradients = arrays(network)

    def run() -> float:
        total = 0.0
        for name, w in weights.items():
            total += 0.5e-4 * np.sum(w**2)
            gradients[name] += 1e-4 * w
        return total

    benchmark(run)
