"""JAX: jitted, with what is overwritten donated, on arrays of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from cells import BOUNDS
from problem import GROUP_SCALE, MCP_GAMMA, MCP_SCALE, PROX_STEP
from rules import RULES

from contenders.base import Contender, Form, Problem


class JAX(Contender):
    """The CPU build. It takes as many threads as its process has cores."""

    name = "JAX"
    numpy_arrays = False

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.jax: Any = import_module("jax")
        self.jax.config.update("jax_enable_x64", True)
        self.np: Any = import_module("jax.numpy")

    @property
    def version(self) -> str:
        """JAX's."""
        return str(self.jax.__version__)

    def release(self) -> None:
        """Compiled code of one cell is of no use to the next."""
        self.jax.clear_caches()

    def _arrays(self, arrays: list[Any]) -> list[Any]:
        return [self.np.array(array, copy=True) for array in arrays]

    def _penalty(self, w: Any, l1: float, l2: float) -> Any:
        total = 0.0
        if l2:
            total = l2 / 2 * self.np.sum(self.np.square(w))
        return total + l1 * self.np.sum(self.np.abs(w)) if l1 else total

    def value(self, problem: Problem) -> Iterator[Form]:
        """One jitted reduction over all tensors."""
        ws = self._arrays(problem.weights)
        coefficients = problem.cell.coefficients
        run = self.jax.jit(lambda ws: sum(self._penalty(w, *coefficients) for w in ws))
        yield Form("jit", "run(ws).block_until_ready()", {"run": run, "ws": ws}, float)

    def _donated(
        self, label: str, function: Callable[..., Any], state: Callable[[], tuple[Any, ...]], constant: tuple[Any, ...],
        arrays: Callable[[Any], list[Any]], value: Callable[[Any], float] | None = float,
    ) -> Form:  # fmt: skip
        """``function(state, *constant) -> (loss, state)``, its state donated and carried from run to run."""
        jitted = self.jax.jit(function, donate_argnums=0)
        held: list[Any] = [state()]
        wait = self.jax.block_until_ready

        def run() -> Any:
            loss, held[0] = jitted(held[0], *constant)
            wait(held[0])
            return loss

        def fresh() -> None:
            held[0] = state()

        return Form(label, names={"run": run}, value=value, arrays=lambda: [np.asarray(x) for x in arrays(held[0])], fresh=fresh)

    def accumulated(self, problem: Problem) -> Iterator[Form]:
        """``g + gradient`` with `g` donated, and the loss."""
        return self._gradients(problem, accumulate=True)

    def written(self, problem: Problem) -> Iterator[Form]:
        """Offer the gradient into a donated array, and the loss."""
        return self._gradients(problem, accumulate=False)

    def _gradients(self, problem: Problem, accumulate: bool) -> Iterator[Form]:
        l1, l2 = problem.cell.coefficients

        def function(gs: list[Any], ws: list[Any]) -> tuple[Any, list[Any]]:
            total, out = 0.0, []
            for w, g in zip(ws, gs, strict=True):
                gradient = l2 * w
                if l1:
                    gradient = gradient + l1 * self.np.sign(w)
                out.append(g + gradient if accumulate else gradient)
                total = total + self._penalty(w, l1, l2)
            return total, out

        ws = self._arrays(problem.weights)
        yield self._donated("jit, donated", function, lambda: self._arrays(problem.gradients), (ws,), lambda gs: gs)  # type: ignore[arg-type, return-value]

    def prox(self, problem: Problem) -> Iterator[Form]:
        """Soft thresholding."""
        t = PROX_STEP * problem.cell.coefficients[0]

        def function(_: Any, x: Any) -> tuple[None, Any]:
            return None, self.np.sign(x) * self.np.maximum(self.np.abs(x) - t, 0)

        (x,) = self._arrays(problem.weights)
        (z,) = problem.gradients
        yield self._donated("jit, donated", function, lambda: self.np.array(z), (x,), lambda z: [z], None)

    def _norms(self, x: Any, axis: tuple[int, ...]) -> Any:
        return self.np.sqrt(self.np.sum(self.np.square(x), axis=axis, keepdims=True))

    def group_lasso_value(self, problem: Problem) -> Iterator[Form]:
        """One jitted reduction over all tensors."""
        ws, axis = self._arrays(problem.weights), problem.cell.axis
        run = self.jax.jit(lambda ws: GROUP_SCALE * sum(self.np.sum(self._norms(w, axis)) for w in ws))
        yield Form("jit", "run(ws).block_until_ready()", {"run": run, "ws": ws}, float)

    def group_lasso_accumulated(self, problem: Problem) -> Iterator[Form]:
        """``g + gradient`` with `g` donated, and the loss."""
        axis = problem.cell.axis

        def function(gs: list[Any], ws: list[Any]) -> tuple[Any, list[Any]]:
            norms = [self._norms(w, axis) for w in ws]
            factors = [self.np.where(norm > 0, GROUP_SCALE / norm, 0) for norm in norms]
            out = [g + factor * w for w, g, factor in zip(ws, gs, factors, strict=True)]
            return GROUP_SCALE * sum(self.np.sum(norm) for norm in norms), out

        ws = self._arrays(problem.weights)
        yield self._donated("jit, donated", function, lambda: self._arrays(problem.gradients), (ws,), lambda gs: gs)  # type: ignore[arg-type, return-value]

    def group_lasso_prox(self, problem: Problem) -> Iterator[Form]:
        """Block soft thresholding into donated arrays."""
        axis, threshold = problem.cell.axis, PROX_STEP * GROUP_SCALE

        def function(_: Any, xs: list[Any]) -> tuple[None, list[Any]]:
            return None, [(1 - threshold / self.np.maximum(self._norms(x, axis), threshold)) * x for x in xs]

        xs = self._arrays(problem.weights)
        yield self._donated("jit, donated", function, lambda: self._arrays(problem.gradients), (xs,), lambda zs: zs, None)  # type: ignore[arg-type, return-value]

    def mcp_prox(self, problem: Problem) -> Iterator[Form]:
        """Stretch a soft threshold where the penalty is not yet constant."""
        threshold, flat, stretch = PROX_STEP * MCP_SCALE, MCP_GAMMA * MCP_SCALE, 1 / (1 - PROX_STEP / MCP_GAMMA)

        def function(_: Any, x: Any) -> tuple[None, Any]:
            m = self.np.abs(x)
            return None, self.np.where(m > flat, x, self.np.sign(x) * self.np.maximum(m - threshold, 0) * stretch)

        (x,) = self._arrays(problem.weights)
        (z,) = problem.gradients
        yield self._donated("jit, donated", function, lambda: self.np.array(z), (x,), lambda z: [z], None)

    def max_norm_project(self, problem: Problem) -> Iterator[Form]:
        """Vectors shortened in a donated array."""
        axis = problem.cell.axis
        shorten = self.jax.jit(lambda w, limit: w * (limit / self.np.maximum(self._norms(w, axis), limit)), donate_argnums=0)
        held: list[Any] = [None]

        def run() -> None:
            held[0] = shorten(held[0], np.float32(problem.limit())).block_until_ready()

        def fresh() -> None:
            held[:] = self._arrays(problem.weights)

        yield Form("jit, donated", names={"run": run}, arrays=lambda: [np.asarray(held[0])], fresh=fresh)

    def update(self, problem: Problem) -> Iterator[Form]:
        """Offer the rule written out, weights and slots donated, and the loss."""
        rule = problem.cell.rule
        assert rule is not None
        if rule not in ("GradientDescent", "Momentum", "Adam"):
            return
        a = RULES[rule].arguments
        l1, l2 = problem.cell.coefficients
        slots = problem.slots()
        names = tuple(RULES[rule].slots)

        bounds = BOUNDS.get(problem.cell.constraint or "")

        def bounded(w: Any) -> Any:
            return self.np.clip(w, *bounds) if bounds else w

        def one(w: Any, g: Any, kept: tuple[Any, ...], step: Any) -> tuple[Any, ...]:
            if rule == "GradientDescent":
                return (bounded(w - a["learning_rate"] * g),)
            if rule == "Momentum":
                m = a["momentum"] * kept[0] + g
                return bounded(w - a["learning_rate"] * m), m
            m = a["beta1"] * kept[0] + (1 - a["beta1"]) * g
            v = a["beta2"] * kept[1] + (1 - a["beta2"]) * g * g
            rate = a["learning_rate"] * self.np.sqrt(1 - a["beta2"] ** step) / (1 - a["beta1"] ** step)
            return bounded(w - rate.astype(w.dtype) * m / (self.np.sqrt(v) + a["epsilon"])), m, v

        def function(state: Any, gs: list[Any]) -> tuple[Any, Any]:
            step, tensors = state
            total = sum(self._penalty(w, l1, l2) for w, *_ in tensors)
            out = [one(w, g + l2 * w, tuple(kept), step) for (w, *kept), g in zip(tensors, gs, strict=True)]
            return total, (step + 1, out)

        def state() -> Any:
            kept = [[s[name] for name in names] for s in slots]
            return self.np.float32(1), [tuple(self._arrays([w, *k])) for w, k in zip(problem.weights, kept, strict=True)]

        gs = self._arrays(problem.gradients)
        yield self._donated("jit, donated", function, state, (gs,), lambda held: [tensor[0] for tensor in held[1]])

    constrained = update
