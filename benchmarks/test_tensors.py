"""One tensor from 64 to 1e8 elements: what a closure call costs, and what a pass over memory costs.

    pytest benchmarks/test_tensors.py --benchmark-group-by=group
    pytest benchmarks/test_tensors.py --large         # 1e8 elements too: 1.6 GB

Each group is one operation on one size and holds fastreg beside plain NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problem import aligned
from pytest_benchmark.fixture import BenchmarkFixture

import fastreg as fr

SIZES = [
    64, 1000, 100_000, 1_000_000, 10_000_000, pytest.param(100_000_000, marks=pytest.mark.large),
]  # fmt: skip
REGULARIZERS: dict[str, Any] = {
    "L2": fr.l2_regularizer(1e-4),
    "L1": fr.l1_regularizer(1e-4),
    "L1+L2": fr.l1_l2_regularizer(1e-4, 1e-4),
}

pytestmark = [
    pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size:.0e}"),
    pytest.mark.parametrize("dtype", ["float32", "float64"]),
]


def normal(size: int, dtype: str) -> Any:
    """Return normal weights that start on a cache line."""
    w = aligned((size,), dtype)
    np.random.default_rng(0).standard_normal(out=w, dtype=w.dtype)
    return w


@pytest.mark.parametrize("penalty", REGULARIZERS)
def test_value(benchmark: BenchmarkFixture, penalty: str, dtype: str, size: int) -> None:
    benchmark.group = f"value {penalty} {dtype} {size:.0e}"
    benchmark(REGULARIZERS[penalty], normal(size, dtype))


def test_value_by_numpy(benchmark: BenchmarkFixture, dtype: str, size: int) -> None:
    benchmark.group = f"value L2 {dtype} {size:.0e}"
    w = normal(size, dtype)
    benchmark(lambda: 0.5e-4 * np.dot(w, w))


@pytest.mark.parametrize("accumulate", [False, True], ids=["written", "accumulated"])
@pytest.mark.parametrize("penalty", REGULARIZERS)
def test_value_and_gradient(benchmark: BenchmarkFixture, penalty: str, accumulate: bool, dtype: str, size: int) -> None:
    benchmark.group = f"value and gradient {penalty} {dtype} {size:.0e}"
    w = normal(size, dtype)
    g = aligned(w.shape, dtype)
    g[...] = 0
    benchmark(REGULARIZERS[penalty].value_and_gradient, w, out=g, accumulate=accumulate)


def test_value_and_gradient_by_numpy(benchmark: BenchmarkFixture, dtype: str, size: int) -> None:
    benchmark.group = f"value and gradient L2 {dtype} {size:.0e}"
    w = normal(size, dtype)
    g = aligned(w.shape, dtype)
    g[...] = 0

    def run() -> Any:
        nonlocal g
        g += 1e-4 * w
        return 0.5e-4 * np.sum(w**2)

    benchmark(run)


def test_prox(benchmark: BenchmarkFixture, dtype: str, size: int) -> None:
    benchmark.group = f"prox {dtype} {size:.0e}"
    w = normal(size, dtype)
    z = aligned(w.shape, dtype)
    benchmark(REGULARIZERS["L1"].prox, w, 0.1, out=z)
