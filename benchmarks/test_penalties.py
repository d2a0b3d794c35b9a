"""Penalties beside L1 and L2, and constraints, on one matrix.

    pytest benchmarks/test_penalties.py --benchmark-group-by=group

Each group is one operation and holds the penalties or the constraints side by side; those of matrices, which cost more than a
pass over memory, have a smaller matrix and groups of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problem import aligned
from pytest_benchmark.fixture import BenchmarkFixture
from shapes import RESNET50_FILTERS

import fastreg as fr

SHAPE, SMALL_SHAPE = (1024, 1024), (256, 128)


def normal(shape: tuple[int, ...]) -> Any:
    """Return normal weights that start on a cache line."""
    w = aligned(shape, "float32")
    np.random.default_rng(0).standard_normal(out=w, dtype=w.dtype)
    return w


REGULARIZERS: dict[str, Any] = {
    "group lasso, contiguous": fr.group_lasso_regularizer(1.0, axis=1),
    "group lasso, leading": fr.group_lasso_regularizer(1.0, axis=0),
    "sparse group lasso, leading": fr.sparse_group_lasso_regularizer(0.01, 1.0, axis=0),
    "MCP": fr.mcp_regularizer(0.05, gamma=30.0),
    "MCP of groups": fr.mcp_regularizer(1.0, gamma=30.0, axis=1),
    "SCAD": fr.scad_regularizer(0.05, a=30.0),
    "Huber": fr.huber_regularizer(0.05),
    "pseudo-Huber": fr.pseudo_huber_regularizer(0.05),
    "log sum": fr.log_sum_regularizer(0.05, eps=0.1),
    "linf": fr.linf_regularizer(1.0, axis=1),
    "total variation": fr.total_variation_regularizer(0.05),
    "weighted L1": fr.l1_regularizer(0.05, weights=np.abs(normal(SHAPE))),
    "L2-SP": fr.l2_sp_regularizer(0.05, reference=normal(SHAPE)),
}
OF_MATRICES: dict[str, Any] = {
    "orthogonal": fr.orthogonal_regularizer(0.01),
    "soft orthogonal": fr.soft_orthogonal_regularizer(0.01),
    "nuclear": fr.nuclear_regularizer(0.01),
}
CONSTRAINTS: dict[str, Any] = {
    "max_norm, contiguous": fr.constraints.max_norm(16.0, axis=1),
    "max_norm, leading": fr.constraints.max_norm(16.0, axis=0),
    "unit_norm": fr.constraints.unit_norm(axis=1),
    "min_max_norm": fr.constraints.min_max_norm(1.0, 16.0, axis=1),
    "non_neg": fr.constraints.non_neg(),
    "box": fr.constraints.box(-0.5, 0.5),
    "simplex": fr.constraints.simplex(axis=1),
    "l1_ball": fr.constraints.l1_ball(16.0, axis=1),
    "l2_ball": fr.constraints.l2_ball(16.0, axis=1),
    "linf_ball": fr.constraints.linf_ball(0.5),
}


@pytest.mark.parametrize("penalty", REGULARIZERS)
def test_value(benchmark: BenchmarkFixture, penalty: str) -> None:
    benchmark.group = "value"
    benchmark(REGULARIZERS[penalty], normal(SHAPE))


@pytest.mark.parametrize("penalty", REGULARIZERS)
def test_value_and_gradient(benchmark: BenchmarkFixture, penalty: str) -> None:
    benchmark.group = "value and gradient"
    g = aligned(SHAPE, "float32")
    g[...] = 0
    benchmark(REGULARIZERS[penalty].value_and_gradient, normal(SHAPE), out=g, accumulate=True)


@pytest.mark.parametrize("penalty", [name for name in REGULARIZERS if name != "pseudo-Huber"])  # which has no closed one
def test_prox(benchmark: BenchmarkFixture, penalty: str) -> None:
    benchmark.group = "prox"
    benchmark(REGULARIZERS[penalty].prox, normal(SHAPE), 10.0, out=aligned(SHAPE, "float32"))


@pytest.mark.parametrize("penalty", OF_MATRICES)
def test_value_and_gradient_of_matrices(benchmark: BenchmarkFixture, penalty: str) -> None:
    benchmark.group = "value and gradient of a small matrix"
    benchmark(OF_MATRICES[penalty].value_and_gradient, normal(SMALL_SHAPE), out=aligned(SMALL_SHAPE, "float32"))


def test_nuclear_prox(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "prox of a small matrix"
    benchmark(OF_MATRICES["nuclear"].prox, normal(SMALL_SHAPE), 10.0, out=aligned(SMALL_SHAPE, "float32"))


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_project(benchmark: BenchmarkFixture, constraint: str) -> None:
    benchmark.group = "project"
    benchmark(CONSTRAINTS[constraint].project, normal(SHAPE), out=aligned(SHAPE, "float32"))


def test_value_and_gradients_of_filters(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "value and gradients of ResNet-50's filters"
    weights = {name: normal(shape) for name, shape in RESNET50_FILTERS.items()}
    gradients = {name: np.zeros_like(w) for name, w in weights.items()}
    terms = fr.regularize(weights, [("*", fr.group_lasso_regularizer(1.0, axis=(0, 1, 2)))])
    benchmark(fr.value_and_gradients, terms, out=gradients, accumulate=True)


@pytest.mark.parametrize("constraint", [None, "non_neg", "box", "max_norm, leading"])
@pytest.mark.parametrize("rule", ["GradientDescent", "Adam"])
def test_constrained_step(benchmark: BenchmarkFixture, rule: str, constraint: str | None) -> None:
    benchmark.group = f"step of {rule}"
    w, optimizer = normal(SHAPE), getattr(fr.optim, rule)(1e-3)
    constraints = [] if constraint is None else [(w, CONSTRAINTS[constraint])]
    benchmark(optimizer.apply_gradients, [(normal(SHAPE), w)], constraints=constraints)
