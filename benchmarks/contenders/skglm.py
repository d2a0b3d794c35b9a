"""skglm: the proximal operators of its penalties, which numba compiles, in a parallel loop over rows or elements."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from problem import GROUP_SCALE, MCP_GAMMA, MCP_SCALE, PROX_STEP

from contenders.base import Contender, Form, Problem


class Skglm(Contender):
    """``L2_1``, whose groups are rows, and ``prox_MCP``. Its solvers call them one feature at a time, and need no gradients."""

    name = "skglm"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.numba: Any = import_module("numba")
        self.numba.set_num_threads(threads)
        self.functions: Any = import_module("skglm.utils.prox_funcs")
        self.penalties: Any = import_module("skglm.penalties")
        self.jit: Any = import_module("skglm.utils.jit_compilation")

    @property
    def version(self) -> str:
        """Its own."""
        return version("skglm")

    def group_lasso_value(self, problem: Problem) -> Iterator[Form]:
        """``L2_1.value``."""
        if problem.cell.leading:
            return
        penalty = self.jit.compiled_clone(self.penalties.L2_1(GROUP_SCALE))
        yield Form("L2_1.value(w)", "value(w)", {"value": penalty.value, "w": problem.weights[0]}, float)

    def group_lasso_prox(self, problem: Problem) -> Iterator[Form]:
        """Offer ``BST`` of each row, which numba compiles for float64 alone."""
        if problem.cell.leading:
            return
        block_soft_threshold, prange, threshold = self.functions.BST, self.numba.prange, PROX_STEP * GROUP_SCALE

        def run(x: Any, z: Any) -> None:
            for k in prange(len(x)):
                z[k] = block_soft_threshold(x[k].astype(np.float64), threshold)

        names = {"run": self.numba.njit(parallel=True)(run), "x": problem.weights[0], "z": problem.gradients[0]}
        yield Form("BST of each row, in parallel", "run(x, z)", names, arrays=lambda: problem.gradients)

    def mcp_prox(self, problem: Problem) -> Iterator[Form]:
        """``prox_MCP`` of each element."""
        prox, prange = self.functions.prox_MCP, self.numba.prange
        step, scale, gamma = PROX_STEP, MCP_SCALE, MCP_GAMMA

        def run(x: Any, z: Any) -> None:
            for i in prange(x.size):
                z[i] = prox(x[i], step, scale, gamma)

        x, z = problem.weights[0].reshape(-1), problem.gradients[0].reshape(-1)
        names = {"run": self.numba.njit(parallel=True)(run), "x": x, "z": z}
        yield Form("prox_MCP of each element, in parallel", "run(x, z)", names, arrays=lambda: problem.gradients)
