"""numba: one fused loop, ``parallel=True`` and ``fastmath=True``, over a tensor or over blocks of a whole collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from problem import PROX_STEP
from rules import RULES

from contenders.base import Array, Contender, Form, Problem, decay, penalized

BLOCK = 1 << 14


class Numba(Contender):
    """Loops that a user could write; sums are kept in the weights' dtype, which is its fastest form."""

    name = "numba"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.numba: Any = import_module("numba")
        self.numba.set_num_threads(threads)

    @property
    def version(self) -> str:
        """Numba's, and its threading layer once that is chosen."""
        return str(self.numba.__version__)

    def _kernels(self, problem: Problem) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Value with gradient of a span of one tensor, inlined into what is compiled around it."""
        dtype = problem.weights[0].dtype.type
        l1, l2 = (dtype(c) for c in problem.cell.coefficients)
        half, zero = dtype(l2 / 2), dtype(0)
        accumulate = problem.cell.operation != "written"
        with_l1, with_l2 = bool(l1), bool(l2)

        def value(w: Any, start: int, stop: int) -> Any:
            total = zero
            for i in range(start, stop):
                x = w[i]
                if with_l2:
                    total += half * x * x
                if with_l1:
                    total += l1 * abs(x)
            return total

        def gradient(w: Any, g: Any, start: int, stop: int) -> Any:
            total = zero
            for i in range(start, stop):
                x = w[i]
                d = zero
                if with_l2:
                    total += half * x * x
                    d += l2 * x
                if with_l1:
                    total += l1 * abs(x)
                    d += l1 * ((x > zero) - (x < zero))
                if accumulate:
                    g[i] += d
                else:
                    g[i] = d
            return total

        njit = self.numba.njit(fastmath=True, nogil=True, inline="always")
        return njit(value), njit(gradient)

    def _parallel(self, kernel: Callable[..., Any], streams: int, threads: bool) -> Callable[..., Any]:
        """Compile a kernel over blocks of a list of tensors: ``run(blocks, tensors)`` or ``run(blocks, tensors, others)``."""
        numba, prange = self.numba, self.numba.prange

        def one(blocks: Any, ws: Any) -> float:
            total = 0.0
            for k in prange(len(blocks)):
                total += kernel(ws[blocks[k, 0]], blocks[k, 1], blocks[k, 2])
            return total

        def two(blocks: Any, ws: Any, gs: Any) -> float:
            total = 0.0
            for k in prange(len(blocks)):
                t = blocks[k, 0]
                total += kernel(ws[t], gs[t], blocks[k, 1], blocks[k, 2])
            return total

        compiled: Callable[..., Any] = numba.njit(parallel=threads, fastmath=True)(one if streams == 1 else two)
        return compiled

    def _lists(self, *collections: list[Array]) -> list[Any]:
        """Typed lists of flat views: numba takes these without copying on each call."""
        return [self.numba.typed.List([array.reshape(-1) for array in arrays]) for arrays in collections]

    @staticmethod
    def _blocks(arrays: list[Array]) -> Array:
        rows = [(t, start, min(start + BLOCK, w.size)) for t, w in enumerate(arrays) for start in range(0, w.size, BLOCK)]
        return np.array(rows, dtype=np.int64)

    def _forms_over(
        self, kernel: Callable[..., Any], arrays: list[list[Array]], problem: Problem, written: list[Array] | None
    ) -> Iterator[Form]:
        blocks, lists = self._blocks(arrays[0]), self._lists(*arrays)
        names = {"blocks": blocks, **dict(zip("wg", lists, strict=False))}
        statement = f"run(blocks, {', '.join('wg'[: len(lists)])})"
        result = None if written is None else lambda: written
        for label, threads in (("njit(parallel) over blocks", True), ("njit", False)):
            if threads or problem.cell.elements <= 1e5:
                run = self._parallel(kernel, len(lists), threads)
                yield Form(label, statement, {"run": run, **names}, float, result)

    def value(self, problem: Problem) -> Iterator[Form]:
        """Offer a sum over blocks, or over one flat tensor."""
        value, _ = self._kernels(problem)
        yield from self._flat(value, problem, [problem.weights])
        yield from self._forms_over(value, [problem.weights], problem, None)

    def accumulated(self, problem: Problem) -> Iterator[Form]:
        """Value and gradient in one loop."""
        _, gradient = self._kernels(problem)
        weights, gradients = penalized(problem)
        yield from self._flat(gradient, problem, [weights, gradients])
        yield from self._forms_over(gradient, [weights, gradients], problem, problem.gradients)

    written = accumulated

    def _flat(self, kernel: Callable[..., Any], problem: Problem, arrays: list[list[Array]]) -> Iterator[Form]:
        """One tensor without the list: what a user writes first, and cheapest to call."""
        if len(arrays[0]) > 1:
            return
        prange, size = self.numba.prange, arrays[0][0].size
        pieces = max(1, min(size // 4096, 4 * self.threads))
        serial = size <= 1e5

        def one(w: Any) -> float:
            total = 0.0
            for k in prange(pieces):
                total += kernel(w, size * k // pieces, size * (k + 1) // pieces)
            return total

        def two(w: Any, g: Any) -> float:
            total = 0.0
            for k in prange(pieces):
                total += kernel(w, g, size * k // pieces, size * (k + 1) // pieces)
            return total

        names = dict(zip("wg", (a[0].reshape(-1) for a in arrays), strict=False))
        written = None if len(arrays) == 1 else lambda: problem.gradients
        statement = f"run({', '.join(names)})"
        for label, threads in (("njit(parallel) of one tensor", True), ("njit of one tensor", False)):
            if threads or serial:
                run = self.numba.njit(parallel=threads, fastmath=True)(one if len(arrays) == 1 else two)
                yield Form(label, statement, {"run": run, **names}, float, written)

    def prox(self, problem: Problem) -> Iterator[Form]:
        """Soft thresholding in one loop."""
        dtype = problem.cell.dtype
        t, zero = (np.dtype(dtype).type(c) for c in (PROX_STEP * problem.cell.coefficients[0], 0))
        prange = self.numba.prange

        def run(x: Any, z: Any) -> None:
            for i in prange(x.size):
                v = x[i]
                z[i] = v - t if v > t else (v + t if v < -t else zero)

        for label, threads in (("njit(parallel)", True), ("njit", False)):
            if threads or problem.cell.elements <= 1e5:
                compiled = self.numba.njit(parallel=threads, fastmath=True)(run)
                names = {"run": compiled, "x": problem.weights[0], "z": problem.gradients[0]}
                yield Form(label, "run(x, z)", names, arrays=lambda: problem.gradients)

    def update(self, problem: Problem) -> Iterator[Form]:
        """Offer the rule, the gradient and the loss in one loop over blocks of the collection."""
        rule = problem.cell.rule
        assert rule is not None
        if rule not in ("GradientDescent", "Momentum", "Adam"):
            return
        a = {name: np.float32(value) for name, value in RULES[rule].arguments.items()}
        rate = a["learning_rate"]
        momentum, beta1, beta2, epsilon = (a.get(name, rate) for name in ("momentum", "beta1", "beta2", "epsilon"))
        rest1, rest2, half = np.float32(1) - beta1, np.float32(1 - RULES[rule].arguments.get("beta2", 0)), np.float32(0.5)
        prange = self.numba.prange

        def descend(blocks: Any, l2s: Any, ws: Any, gs: Any, step: int) -> float:
            total = 0.0
            for k in prange(len(blocks)):
                t = blocks[k, 0]
                w, g, l2, part = ws[t], gs[t], l2s[t], np.float32(0)
                for i in range(blocks[k, 1], blocks[k, 2]):
                    x = w[i]
                    part += x * x
                    w[i] = x - rate * (g[i] + l2 * x)
                total += half * l2 * part
            return total

        def heavy_ball(blocks: Any, l2s: Any, ws: Any, gs: Any, ms: Any, step: int) -> float:
            total = 0.0
            for k in prange(len(blocks)):
                t = blocks[k, 0]
                w, g, m, l2, part = ws[t], gs[t], ms[t], l2s[t], np.float32(0)
                for i in range(blocks[k, 1], blocks[k, 2]):
                    x = w[i]
                    part += x * x
                    m[i] = momentum * m[i] + (g[i] + l2 * x)
                    w[i] = x - rate * m[i]
                total += half * l2 * part
            return total

        def adam(blocks: Any, l2s: Any, ws: Any, gs: Any, ms: Any, vs: Any, step: int) -> float:
            total = 0.0
            now = np.float32(rate * np.sqrt(1 - float(beta2) ** step) / (1 - float(beta1) ** step))
            for k in prange(len(blocks)):
                t = blocks[k, 0]
                w, g, m, v, l2, part = ws[t], gs[t], ms[t], vs[t], l2s[t], np.float32(0)
                for i in range(blocks[k, 1], blocks[k, 2]):
                    x = w[i]
                    part += x * x
                    d = g[i] + l2 * x
                    m[i] = beta1 * m[i] + rest1 * d
                    v[i] = beta2 * v[i] + rest2 * d * d
                    w[i] = x - now * m[i] / (np.sqrt(v[i]) + epsilon)
                total += half * l2 * part
            return total

        functions: dict[str, Callable[..., Any]] = {"GradientDescent": descend, "Momentum": heavy_ball, "Adam": adam}
        compiled = self.numba.njit(parallel=True, fastmath=True)(functions[rule])
        slots = problem.slots()
        lists = self._lists(problem.weights, problem.gradients, *([s[name] for s in slots] for name in RULES[rule].slots))
        l2s = np.array(decay(problem), dtype=np.float32)
        blocks = self._blocks(problem.weights)
        step = [0]

        def run() -> float:
            step[0] += 1
            return float(compiled(blocks, l2s, *lists, step[0]))

        def fresh() -> None:
            step[0] = 0

        yield Form(
            "njit(parallel) over blocks, and the loss",
            names={"run": run},
            value=float,
            arrays=lambda: problem.weights,
            fresh=fresh,
        )
