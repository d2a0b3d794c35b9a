"""numba: one fused loop, ``parallel=True`` and ``fastmath=True``, over a tensor or over blocks of a whole collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from cells import BOUNDS
from problem import GROUP_SCALE, MCP_GAMMA, MCP_SCALE, PROX_STEP
from rules import RULES

from contenders.base import Array, Contender, Form, Problem, decay, matrices, penalized

BLOCK = 1 << 14
STRIPS = (256, 1024)
"""How many neighbouring groups one thread takes at once where their members lie apart."""


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

    def mcp_prox(self, problem: Problem) -> Iterator[Form]:
        """Stretch a soft threshold where the penalty is not yet constant, in one loop."""
        dtype = np.dtype(problem.cell.dtype).type
        threshold, flat, zero = (dtype(c) for c in (PROX_STEP * MCP_SCALE, MCP_GAMMA * MCP_SCALE, 0))
        stretch = dtype(1 / (1 - PROX_STEP / MCP_GAMMA))
        prange = self.numba.prange

        def run(x: Any, z: Any) -> None:
            for i in prange(x.size):
                v = x[i]
                m = abs(v)
                shrunk = stretch * (v - threshold if v > threshold else (v + threshold if v < -threshold else zero))
                z[i] = v if m > flat else shrunk

        compiled = self.numba.njit(parallel=True, fastmath=True)(run)
        names = {"run": compiled, "x": problem.weights[0].reshape(-1), "z": problem.gradients[0].reshape(-1)}
        yield Form("njit(parallel)", "run(x, z)", names, arrays=lambda: problem.gradients)

    def group_lasso_value(self, problem: Problem) -> Iterator[Form]:
        """Offer the sum of norms."""
        return self._of_groups(problem, problem.weights, value=float)

    def group_lasso_accumulated(self, problem: Problem) -> Iterator[Form]:
        """Norms, and the gradient added."""
        return self._of_groups(problem, problem.gradients, value=float, arrays=lambda: problem.gradients)

    def group_lasso_prox(self, problem: Problem) -> Iterator[Form]:
        """Norms, and block soft thresholding."""
        return self._of_groups(problem, problem.gradients, arrays=lambda: problem.gradients)

    def max_norm_project(self, problem: Problem) -> Iterator[Form]:
        """Norms, and vectors shortened in place."""
        return self._of_groups(problem, problem.weights, arrays=lambda: problem.weights)

    def _factor(self, problem: Problem) -> Any:
        """Return what multiplies the members of a group with a norm."""
        dtype = np.dtype(problem.cell.dtype).type
        zero, one, scale, threshold = (dtype(c) for c in (0, 1, GROUP_SCALE, PROX_STEP * GROUP_SCALE))
        adds, shortens = (problem.cell.operation == name for name in ("accumulated", "project"))

        def factor(norm: Any, limit: Any) -> Any:
            if adds:
                return scale / norm if norm > zero else zero
            if shortens:
                return limit / norm if norm > limit else one
            return one - threshold / norm if norm > threshold else zero

        return self.numba.njit(fastmath=True, nogil=True, inline="always")(factor)

    def _of_groups(self, problem: Problem, targets: list[Array], **options: Any) -> Iterator[Form]:
        """One pass for the norms of a row, or of a strip of columns, and one that multiplies its members by their factors."""
        (ws, axis), (gs, _) = matrices(problem.cell, problem.weights), matrices(problem.cell, targets)
        dtype = np.dtype(problem.cell.dtype).type
        zero, scale = dtype(0), dtype(GROUP_SCALE)
        sums, adds, shortens = (problem.cell.operation == name for name in ("value", "accumulated", "project"))
        njit = self.numba.njit(fastmath=True, nogil=True, inline="always")

        factor = self._factor(problem)

        def rows(limit: Any, w: Any, g: Any, start: int, stop: int) -> Any:
            total = zero
            for k in range(start, stop):
                square = zero
                for i in range(w.shape[1]):
                    square += w[k, i] * w[k, i]
                norm = np.sqrt(square)
                total += norm
                if not sums:
                    f = factor(norm, limit)
                    for i in range(w.shape[1]):
                        if adds:
                            g[k, i] += f * w[k, i]
                        else:
                            g[k, i] = f * w[k, i]
            return total

        def columns(limit: Any, w: Any, g: Any, start: int, stop: int) -> Any:
            total = zero
            factors = np.zeros(stop - start, dtype)
            for k in range(w.shape[0]):
                x = w[k, start:stop]
                for i in range(stop - start):
                    factors[i] += x[i] * x[i]
            for i in range(stop - start):
                norm = np.sqrt(factors[i])
                total += norm
                factors[i] = factor(norm, limit)
            if not sums:
                for k in range(w.shape[0]):
                    x, z = w[k, start:stop], g[k, start:stop]
                    for i in range(stop - start):
                        if adds:
                            z[i] += factors[i] * x[i]
                        else:
                            z[i] = factors[i] * x[i]
            return total

        kernel, prange = njit(rows if axis else columns), self.numba.prange

        def run(limit: Any, blocks: Any, ws: Any, gs: Any) -> Any:
            total = 0.0
            for k in prange(len(blocks)):
                t = blocks[k, 0]
                total += kernel(limit, ws[t], gs[t], blocks[k, 1], blocks[k, 2])
            return scale * total

        compiled = self.numba.njit(parallel=True, fastmath=True)(run)
        lists = {"ws": self.numba.typed.List(ws), "gs": self.numba.typed.List(gs)}
        names = {"run": compiled, "limit": problem.limit if shortens else float, "float32": dtype, **lists}
        for width in (8,) if axis else STRIPS:
            extents = [(t, w.shape[1 - axis]) for t, w in enumerate(ws)]
            blocks = [(t, k, min(k + width, extent)) for t, extent in extents for k in range(0, extent, width)]
            label = f"njit(parallel) over {width} {'rows' if axis else 'columns'}"
            statement = "run(float32(limit()), blocks, ws, gs)"
            yield Form(label, statement, {**names, "blocks": np.array(blocks, dtype=np.int64)}, **options)

    def _bounded(self, problem: Problem) -> Any:
        """Return what keeps a weight to the cell's bounds, where it has any."""
        low, high = (np.float32(bound) for bound in BOUNDS.get(problem.cell.constraint or "", (-np.inf, np.inf)))
        above, below = bool(np.isfinite(low)), bool(np.isfinite(high))

        def bounded(x: Any) -> Any:
            if above:
                x = max(x, low)
            if below:
                x = min(x, high)
            return x

        return self.numba.njit(fastmath=True, inline="always")(bounded)

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
        bounded, prange = self._bounded(problem), self.numba.prange

        def descend(blocks: Any, l2s: Any, ws: Any, gs: Any, step: int) -> float:
            total = 0.0
            for k in prange(len(blocks)):
                t = blocks[k, 0]
                w, g, l2, part = ws[t], gs[t], l2s[t], np.float32(0)
                for i in range(blocks[k, 1], blocks[k, 2]):
                    x = w[i]
                    part += x * x
                    w[i] = bounded(x - rate * (g[i] + l2 * x))
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
                    w[i] = bounded(x - rate * m[i])
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
                    w[i] = bounded(x - now * m[i] / (np.sqrt(v[i]) + epsilon))
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

    constrained = update
