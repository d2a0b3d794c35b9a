"""The machine itself as a contender: no library can be much faster than memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import limits
from cells import MIXED_BYTES
from problem import LINE, aligned
from rules import RULES

from contenders.base import Array, Contender, Form, Problem

BLOCK = 1 << 16
SMALLEST = 1e4


class Limit(Contender):
    """Read, axpy and scaled copy over one flat array of as many elements as the cell has.

    A small cell's limit may be a single thread; the smallest are bound by the call and have none.
    """

    name = "limit"
    numpy_arrays = False

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        limits.library()

    @property
    def version(self) -> str:
        """The compiler's flags."""
        return " ".join(limits.FLAGS[:3])

    def _ways(self, problem: Problem) -> Iterator[tuple[str, int, int]]:
        """Yield a label, the block and the threads of each way to share the work; the fastest way is the limit."""
        if problem.cell.elements < SMALLEST:
            return
        if problem.cell.elements <= 1e5:
            yield "one thread", 0, 1
        if self.threads > 1 or problem.cell.elements > 1e5:
            yield f"{self.threads} threads", 0, self.threads
        if self.threads > 1 and problem.cell.elements > 1e5:
            yield f"{self.threads} threads, {BLOCK >> 10} KiB blocks", BLOCK, self.threads

    def _of(self, kind: str, problem: Problem, x: Array, y: Array, factor: float = 1.0) -> Iterator[Form]:
        for label, block, threads in self._ways(problem):
            run = partial(limits.seconds_of, kind, 1e-6, x, y, block, threads)
            yield Form(f"{kind}, {label}", factor=factor, seconds=run)

    def _flat(self, problem: Problem) -> Array:
        if problem.cell.single:
            return problem.weights[0]
        x = aligned((problem.cell.elements + LINE,), problem.cell.dtype)
        x[...] = 1
        return x

    def value(self, problem: Problem) -> Iterator[Form]:
        """Offer reading every word."""
        x = self._flat(problem)
        for label, block, threads in self._ways(problem):
            for streams in limits.STREAMS:
                read = partial(limits.seconds_of_read, x, block, threads, streams)
                yield Form(f"read, {label}, {streams} streams each", seconds=read)

    def accumulated(self, problem: Problem) -> Iterator[Form]:
        """``y += s*x``."""
        return self._streams(problem, 3)

    def _streams(self, problem: Problem, streams: float) -> Iterator[Form]:
        """``y += s*x``, counted for as many streams as must move instead of its three."""
        x = self._flat(problem)
        y = problem.gradients[0] if problem.cell.single and problem.gradients else _like(x)
        return self._of("axpy", problem, x, y, streams / 3)

    def written(self, problem: Problem) -> Iterator[Form]:
        """``y = s*x``, with the better kind of store."""
        for kind in ("scale", "stream"):
            yield from self._of(kind, problem, problem.weights[0], problem.gradients[0])

    prox = written

    def update(self, problem: Problem) -> Iterator[Form]:
        """Offer as many streams as the rule must move."""
        assert problem.cell.rule is not None
        return self._streams(problem, RULES[problem.cell.rule].streams)

    constrained = update

    def mixed(self, problem: Problem) -> Iterator[Form]:
        """Offer the bytes that must move, counted in streams of float32: gradient in, copy out, the rest in and out."""
        return self._streams(problem, (2 * MIXED_BYTES - 4) / 4)

    group_lasso_value = value
    mcp_prox = prox

    def group_lasso_accumulated(self, problem: Problem) -> Iterator[Form]:
        """Read and write the gradient, and read the weights once, twice where a group's members lie apart."""
        return self._streams(problem, 4 if problem.cell.leading else 3)

    def group_lasso_prox(self, problem: Problem) -> Iterator[Form]:
        """Read once and write, as a scaled copy does, or read twice and write."""
        return self._streams(problem, 3) if problem.cell.leading else self.written(problem)

    def max_norm_project(self, problem: Problem) -> Iterator[Form]:
        """Read once or twice and write in place."""
        return self._streams(problem, 3 if problem.cell.leading else 2)

    def error(self, problem: Problem) -> list[Form]:
        """Memory makes no rounding errors."""
        return []


def _like(x: Array) -> Array:
    y = aligned(x.shape, x.dtype.name)
    y[...] = 0
    return y
