"""NumPy: the loop as people write it, and the best that it offers, SciPy's BLAS included where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
from cells import BOUNDS, DOT, NUMPY_LOOP
from problem import GROUP_SCALE, MCP_GAMMA, MCP_SCALE, PROX_STEP, aligned
from rules import RULES

from contenders.base import Array, Contender, Form, Problem, decay, matrices, penalized


class NumPy(Contender):
    """Elementwise passes and BLAS, on arrays made beforehand."""

    name = "NumPy"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.blas: Any = None
        with suppress(ImportError):
            self.blas = import_module("scipy.linalg.blas")

    @property
    def version(self) -> str:
        """NumPy's and SciPy's."""
        scipy = "" if self.blas is None else f" with SciPy {import_module('scipy').__version__}"
        return np.__version__ + scipy

    @staticmethod
    def environment(threads: int) -> dict[str, str]:
        """OpenBLAS counts cores when it is loaded."""
        return {"OPENBLAS_NUM_THREADS": str(threads)}

    def value(self, problem: Problem) -> Iterator[Form]:
        """Offer a sum of squares or of magnitudes."""
        l1, l2 = problem.cell.coefficients
        single = problem.cell.single
        xs = [w.reshape(-1) for w in problem.weights]
        buffer = aligned((max(x.size for x in xs),), problem.cell.dtype)
        x = xs[0]
        names: dict[str, Any] = {"np": np, "x": x, "s": l1, "h": l2 / 2, "b": buffer[: x.size]}
        if single and x.size <= 1000 and x.dtype == np.float32:
            yield Form(DOT.partition(": ")[2], "np.dot(x, x)", names, anchor=True)
        squares = ["h * np.dot(x, x)", "h * np.square(x).sum()", "h * np.sum(x**2)"]
        magnitudes = ["s * np.abs(x).sum()", "s * np.add.reduce(np.abs(x, b))"]
        if self.blas is not None:
            names["asum"] = self.blas.sasum if x.dtype == np.float32 else self.blas.dasum
            magnitudes.append("s * asum(x)")
        if l1 and l2:
            statements = [f"{magnitude} + h * np.dot(x, x)" for magnitude in magnitudes]
        else:
            statements = squares if l2 else magnitudes
        for statement in statements:
            if single:
                yield Form(statement, statement, names, float)
            else:
                each = eval(f"lambda x, b: {statement}", names)
                yield Form(
                    f"sum of {statement}",
                    names={"run": lambda each=each: sum(each(x, buffer[: x.size]) for x in xs)},
                    value=float,
                )

    def accumulated(self, problem: Problem) -> Iterator[Form]:
        """``g += s*w`` and the loss."""
        return self._gradients(problem, accumulate=True)

    def written(self, problem: Problem) -> Iterator[Form]:
        """``g = s*w`` and the loss."""
        return self._gradients(problem, accumulate=False)

    def _gradients(self, problem: Problem, accumulate: bool) -> Iterator[Form]:
        l1, l2 = problem.cell.coefficients
        weights, gradients = penalized(problem)
        pairs = list(zip(weights, gradients, strict=True))
        scratch = aligned((max(w.size for w in weights),), problem.cell.dtype)
        buffers = [scratch[: w.size].reshape(w.shape) for w in weights]
        flat = [(w.reshape(-1), g.reshape(-1), b.reshape(-1)) for (w, g), b in zip(pairs, buffers, strict=True)]

        def loop() -> float:
            total = 0.0
            for w, g in pairs:
                gradient: Array = np.zeros_like(w)
                if l2:
                    total += 0.5 * l2 * np.sum(w**2)
                    gradient = l2 * w
                if l1:
                    total += l1 * np.sum(np.abs(w))
                    gradient = l1 * np.sign(w) + gradient
                if accumulate:
                    g += gradient  # noqa: PLW2901 - in place, into the array of the caller
                else:
                    g[...] = gradient
            return total

        def buffered() -> float:
            total = 0.0
            for w, g, b in flat:
                part = b if accumulate else g
                if l1:
                    np.abs(w, b)
                    total += l1 * np.add.reduce(b)
                    np.sign(w, part)
                    part *= l1
                    if accumulate:
                        np.add(g, part, out=g)
                if l2:
                    total += l2 / 2 * np.dot(w, w)
                    np.multiply(w, l2, b if l1 else part)
                    if l1 or accumulate:
                        np.add(g, b, out=g)
            return total

        def axpy() -> float:
            total = 0.0
            for w, g, _ in flat:
                total += l2 / 2 * np.dot(w, w)
                add(w, g, a=l2)
            return total

        runs: dict[str, Callable[[], float]] = {
            NUMPY_LOOP.partition(": ")[2]: loop,
            "a loop into buffers: np.dot, np.multiply(out=)": buffered,
        }
        if self.blas is not None and accumulate and not l1:
            add = self.blas.saxpy if weights[0].dtype == np.float32 else self.blas.daxpy
            runs["np.dot, SciPy's BLAS axpy"] = axpy
        for label, run in runs.items():
            yield Form(label, names={"run": run}, value=float, arrays=lambda: problem.gradients)

    def prox(self, problem: Problem) -> Iterator[Form]:
        """Soft thresholding in three passes."""
        l1, _ = problem.cell.coefficients
        x, z, t = problem.weights[0], problem.gradients[0], PROX_STEP * l1
        names = {"np": np, "x": x, "t": t, "z": z}
        for statement in (
            "np.copyto(z, np.sign(x) * np.maximum(np.abs(x) - t, 0))",
            "np.subtract(x, np.clip(x, -t, t, out=z), out=z)",
        ):
            yield Form(statement, statement, names, arrays=lambda: [z])

    def update(self, problem: Problem) -> Iterator[Form]:
        """Offer the rules with a target, with buffers for every intermediate."""
        rule = problem.cell.rule
        assert rule is not None
        step: Callable[..., None] | None = {"GradientDescent": _descend, "Momentum": _momentum, "Adam": _adam}.get(rule)
        if step is None:
            return
        arguments = RULES[rule].arguments
        slots = problem.slots()
        size = max(w.size for w in problem.weights)
        one, two = aligned((size,), problem.cell.dtype), aligned((size,), problem.cell.dtype)
        items = [
            (w, g, l2, s, one[: w.size].reshape(w.shape), two[: w.size].reshape(w.shape))
            for w, g, l2, s in zip(problem.weights, problem.gradients, decay(problem), slots, strict=True)
        ]
        steps = [0]
        bounds = BOUNDS.get(problem.cell.constraint or "")

        def run() -> float:
            steps[0] += 1
            total = 0.0
            for w, g, l2, s, a, b in items:
                if l2:
                    flat = w.reshape(-1)
                    total += l2 / 2 * np.dot(flat, flat)
                    np.multiply(w, l2, a)
                    np.add(a, g, out=a)
                    step(w, a, b, s, arguments, steps[0])
                else:
                    np.copyto(a, g)
                    step(w, a, b, s, arguments, steps[0])
                if bounds:
                    np.clip(w, *bounds, out=w)
            return total

        def fresh() -> None:
            steps[0] = 0

        yield Form(
            "in place with buffers, and the loss", names={"run": run}, value=float, arrays=lambda: problem.weights, fresh=fresh
        )

    constrained = update

    def group_lasso_value(self, problem: Problem) -> Iterator[Form]:
        """Norms by ``einsum`` or by ``np.linalg.norm``."""
        xs, axis = matrices(problem.cell, problem.weights)
        subscripts = "ij,ij->i" if axis else "ij,ij->j"
        yield Form(
            "s * np.sqrt(np.einsum(x, x)).sum()",
            names={"run": lambda: GROUP_SCALE * sum(np.sqrt(np.einsum(subscripts, x, x)).sum() for x in xs)},
            value=float,
        )
        yield Form(
            "s * np.linalg.norm(x, axis).sum()",
            names={"run": lambda: GROUP_SCALE * sum(np.linalg.norm(x, axis=axis).sum() for x in xs)},
            value=float,
        )

    def group_lasso_accumulated(self, problem: Problem) -> Iterator[Form]:
        """``einsum``, and ``g += factor * x`` by a buffer."""
        (xs, axis), (gs, _) = matrices(problem.cell, problem.weights), matrices(problem.cell, problem.gradients)
        subscripts = "ij,ij->i" if axis else "ij,ij->j"
        scratch = aligned((max(x.size for x in xs),), problem.cell.dtype)
        items = [(x, g, scratch[: x.size].reshape(x.shape)) for x, g in zip(xs, gs, strict=True)]

        def run() -> float:
            total = 0.0
            for x, g, b in items:
                norms = np.sqrt(np.einsum(subscripts, x, x))
                factors = np.divide(x.dtype.type(GROUP_SCALE), norms, out=np.zeros_like(norms), where=norms > 0)
                np.multiply(x, np.expand_dims(factors, axis), out=b)
                np.add(g, b, out=g)
                total += GROUP_SCALE * norms.sum()
            return total

        yield Form("np.einsum, np.multiply, np.add(out=g)", names={"run": run}, value=float, arrays=lambda: problem.gradients)

    def group_lasso_prox(self, problem: Problem) -> Iterator[Form]:
        """``einsum``, and the factor of each group."""
        (xs, axis), (zs, _) = matrices(problem.cell, problem.weights), matrices(problem.cell, problem.gradients)
        subscripts = "ij,ij->i" if axis else "ij,ij->j"
        threshold = xs[0].dtype.type(PROX_STEP * GROUP_SCALE)

        def run() -> None:
            for x, z in zip(xs, zs, strict=True):
                norms = np.sqrt(np.einsum(subscripts, x, x))
                factors = 1 - threshold / np.maximum(norms, threshold)
                np.multiply(x, np.expand_dims(factors, axis), out=z)

        yield Form("np.einsum, np.multiply(out=z)", names={"run": run}, arrays=lambda: problem.gradients)

    def mcp_prox(self, problem: Problem) -> Iterator[Form]:
        """Stretch a soft threshold where the penalty is not yet constant."""
        x, z, b = problem.weights[0], problem.gradients[0], aligned(problem.weights[0].shape, problem.cell.dtype)
        threshold, flat, stretch = PROX_STEP * MCP_SCALE, MCP_GAMMA * MCP_SCALE, 1 / (1 - PROX_STEP / MCP_GAMMA)

        def run() -> None:
            np.subtract(x, np.clip(x, -threshold, threshold, out=z), out=z)
            np.multiply(z, stretch, out=z)
            np.copyto(z, x, where=np.abs(x, out=b) > flat)

        yield Form("np.clip, np.multiply, np.copyto(where=)", names={"run": run}, arrays=lambda: [z])

    def max_norm_project(self, problem: Problem) -> Iterator[Form]:
        """``einsum``, and the factor of each vector."""
        (x,), axis = matrices(problem.cell, problem.weights)
        subscripts = "ij,ij->i" if axis else "ij,ij->j"

        def run() -> None:
            limit = x.dtype.type(problem.limit())
            norms = np.sqrt(np.einsum(subscripts, x, x))
            np.multiply(x, np.expand_dims(limit / np.maximum(norms, limit), axis), out=x)

        yield Form("np.einsum, np.multiply(out=x)", names={"run": run}, arrays=lambda: problem.weights)


def _descend(w: Array, g: Array, _: Array, __: dict[str, Array], a: dict[str, float], ___: int) -> None:
    g *= a["learning_rate"]
    w -= g


def _momentum(w: Array, g: Array, _: Array, s: dict[str, Array], a: dict[str, float], __: int) -> None:
    m = s["momentum"]
    m *= a["momentum"]
    m += g
    np.multiply(m, a["learning_rate"], g)
    w -= g


def _adam(w: Array, g: Array, b: Array, s: dict[str, Array], a: dict[str, float], step: int) -> None:
    m, v = s["m"], s["v"]
    m *= a["beta1"]
    np.multiply(g, 1 - a["beta1"], b)
    m += b
    v *= a["beta2"]
    np.multiply(g, g, b)
    b *= 1 - a["beta2"]
    v += b
    np.sqrt(v, b)
    b += a["epsilon"]
    np.divide(m, b, b)
    b *= a["learning_rate"] * (1 - a["beta2"] ** step) ** 0.5 / (1 - a["beta1"] ** step)
    w -= b
