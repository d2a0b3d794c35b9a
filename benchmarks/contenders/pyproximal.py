"""PyProximal: its ``L21``, which NumPy computes. Groups lie along the leading axis; it has no MCP and no limit on norms."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any

from problem import GROUP_SCALE, PROX_STEP

from contenders.base import Array, Contender, Form, Problem, matrices


class PyProximal(Contender):
    """``L21`` of flat arrays. Its prox returns new ones."""

    name = "PyProximal"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.pyproximal: Any = import_module("pyproximal")

    @property
    def version(self) -> str:
        """Its own."""
        return version("pyproximal")

    @staticmethod
    def environment(threads: int) -> dict[str, str]:
        """OpenBLAS counts cores when it is loaded."""
        return {"OPENBLAS_NUM_THREADS": str(threads)}

    def _pairs(self, problem: Problem) -> list[tuple[Any, Array]]:
        xs, _ = matrices(problem.cell, problem.weights)
        return [(self.pyproximal.L21(len(x), GROUP_SCALE), x.reshape(-1)) for x in xs] if problem.cell.leading else []

    def group_lasso_value(self, problem: Problem) -> Iterator[Form]:
        """``L21(x)``."""
        if pairs := self._pairs(problem):
            yield Form("L21(x)", names={"run": lambda: sum(penalty(x) for penalty, x in pairs)}, value=float)

    def group_lasso_prox(self, problem: Problem) -> Iterator[Form]:
        """``L21.prox(x, tau)``."""
        found: list[Array] = []

        def run() -> None:
            found[:] = [penalty.prox(x, PROX_STEP) for penalty, x in pairs]

        if pairs := self._pairs(problem):
            yield Form("L21.prox(x, tau)", names={"run": run}, arrays=lambda: found)
