"""The machine itself as a contender: no library can be much faster than memory."""

from __future__ import annotations

import limits
from problem import LINE, aligned
from rules import RULES

from contenders.base import Array, Contender, Form, Problem


class Limit(Contender):
    """Read, axpy and scaled copy over one flat array of as many elements as the cell has.

    A small cell's limit may be a single thread; the smallest are not bound by memory at all.
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

    def _thread_counts(self, problem: Problem) -> set[int]:
        return {1, self.threads} if problem.cell.elements <= 1e5 else {self.threads}

    def _read(self, x: Array, threads: int) -> Form:
        return Form(f"read, {threads} threads", seconds=lambda n: limits.seconds_of_read(x, threads, n))

    def _of(self, kind: str, x: Array, y: Array, threads: int, factor: float = 1.0) -> Form:
        return Form(f"{kind}, {threads} threads", factor=factor, seconds=lambda n: limits.seconds_of(kind, 1e-6, x, y, threads, n))

    def _flat(self, problem: Problem) -> Array:
        if problem.cell.single:
            return problem.weights[0]
        x = aligned((problem.cell.elements + LINE,), problem.cell.dtype)
        x[...] = 1
        return x

    def value(self, problem: Problem) -> list[Form]:
        """Reading every word."""
        x = self._flat(problem)
        return [self._read(x, threads) for threads in self._thread_counts(problem)]

    def accumulated(self, problem: Problem) -> list[Form]:
        """``y += s*x``."""
        x = self._flat(problem)
        y = _like(x) if not problem.cell.single else problem.gradients[0]
        return [self._of("axpy", x, y, threads) for threads in self._thread_counts(problem)]

    def written(self, problem: Problem) -> list[Form]:
        """``y = s*x``, with the better kind of store."""
        x, y = problem.weights[0], problem.gradients[0]
        return [self._of(kind, x, y, threads) for kind in ("scale", "stream") for threads in self._thread_counts(problem)]

    prox = written

    def update(self, problem: Problem) -> list[Form]:
        """``y += s*x``, counted for as many streams as the rule must move instead of its three."""
        assert problem.cell.rule is not None
        x = self._flat(problem)
        return [self._of("axpy", x, _like(x), self.threads, RULES[problem.cell.rule].streams / 3)]

    def error(self, problem: Problem) -> list[Form]:
        """Memory makes no rounding errors."""
        return []


def _like(x: Array) -> Array:
    y = aligned(x.shape, x.dtype.name)
    y[...] = 0
    return y
