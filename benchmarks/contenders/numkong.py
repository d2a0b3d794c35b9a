"""NumKong: SIMD kernels on one thread (its Python calls hold the GIL); it has no sum of magnitudes, so L2 alone."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any

from rules import RULES

from contenders.base import Contender, Form, Problem, decay, penalized


class NumKong(Contender):
    """``dot``, ``moments``, ``blend`` and ``scale`` with ``out=``."""

    name = "NumKong"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.nk: Any = import_module("numkong")

    @property
    def version(self) -> str:
        """NumKong's."""
        return version("numkong")

    def value(self, problem: Problem) -> Iterator[Form]:
        """Offer a dot product, or the second moment."""
        l1, l2 = problem.cell.coefficients
        if l1:
            return
        xs = [w.reshape(-1) for w in problem.weights]
        names = {"dot": self.nk.dot, "moments": self.nk.moments, "x": xs[0], "h": l2 / 2}
        for statement in ("h * dot(x, x)", "h * moments(x)[1]"):
            if problem.cell.single:
                yield Form(statement, statement, names, float)
                continue
            each = eval(f"lambda x: {statement}", names)
            yield Form(f"sum of {statement}", names={"run": lambda each=each: sum(map(each, xs))}, value=float)

    def accumulated(self, problem: Problem) -> Iterator[Form]:
        """``blend`` into g, and the dot product."""
        return self._gradients(problem, accumulate=True)

    def written(self, problem: Problem) -> Iterator[Form]:
        """``scale`` into g, and the dot product."""
        return self._gradients(problem, accumulate=False)

    def _gradients(self, problem: Problem, accumulate: bool) -> Iterator[Form]:
        l1, l2 = problem.cell.coefficients
        if l1:
            return
        weights, gradients = penalized(problem)
        pairs = [(w.reshape(-1), g.reshape(-1)) for w, g in zip(weights, gradients, strict=True)]
        dot, blend, scale = self.nk.dot, self.nk.blend, self.nk.scale

        def run() -> float:
            total = 0.0
            for w, g in pairs:
                if accumulate:
                    blend(g, w, alpha=1.0, beta=l2, out=g)
                else:
                    scale(w, alpha=l2, out=g)
                total += dot(w, w)
            return l2 / 2 * total

        label = "blend, dot" if accumulate else "scale, dot"
        yield Form(label, names={"run": run}, value=float, arrays=lambda: problem.gradients)

    def update(self, problem: Problem) -> Iterator[Form]:
        """Gradient descent as one ``blend``."""
        if problem.cell.rule != "GradientDescent":
            return
        rate = RULES["GradientDescent"].arguments["learning_rate"]
        items = [
            (w.reshape(-1), g.reshape(-1), l2)
            for w, g, l2 in zip(problem.weights, problem.gradients, decay(problem), strict=True)
        ]
        dot, blend = self.nk.dot, self.nk.blend

        def run() -> float:
            total = 0.0
            for w, g, l2 in items:
                total += l2 / 2 * dot(w, w) if l2 else 0.0
                blend(w, g, alpha=1 - rate * l2, beta=-rate, out=w)
            return total

        yield Form("dot, blend", names={"run": run}, value=float, arrays=lambda: problem.weights)
