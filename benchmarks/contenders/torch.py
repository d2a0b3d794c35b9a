"""PyTorch: eager, foreach and compiled, on NumPy's own memory (``torch.from_numpy``); fused optimizers for updates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from cells import BOUNDS
from problem import GROUP_SCALE, MCP_GAMMA, MCP_SCALE, PROX_STEP
from rules import RULES

from contenders.base import Contender, Form, Problem, decay, matrices, penalized

COMPILED = 32
"""Collections of more tensors are compiled in a minute or more; their eager and foreach forms are measured anyway."""


class Torch(Contender):
    """The CPU build, under ``torch.no_grad``."""

    name = "torch"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.torch: Any = import_module("torch")
        self.torch.set_num_threads(threads)
        self.torch.set_grad_enabled(False)

    @property
    def version(self) -> str:
        """PyTorch's."""
        return str(self.torch.__version__)

    def release(self) -> None:
        """Compiled code of one cell is of no use to the next."""
        self.torch._dynamo.reset()

    def _compiled(self, function: Callable[..., Any]) -> Any:
        return self.torch.compile(function, dynamic=False, fullgraph=True)

    def _tensors(self, arrays: list[Any]) -> list[Any]:
        return [self.torch.from_numpy(array) for array in arrays]

    def value(self, problem: Problem) -> Iterator[Form]:
        """Offer a dot product, a norm, or a compiled reduction."""
        torch, (l1, l2), h = self.torch, problem.cell.coefficients, problem.cell.coefficients[1] / 2
        xs = self._tensors([w.reshape(-1) for w in problem.weights])

        def penalty(x: Any) -> Any:
            if l1 and l2:
                return l1 * x.abs().sum() + h * x.square().sum()
            return l1 * x.abs().sum() if l1 else h * x.square().sum()

        def total(xs: list[Any]) -> Any:
            return sum(penalty(x) for x in xs)

        if problem.cell.single:
            names = {"torch": torch, "norm": torch.linalg.vector_norm, "x": xs[0], "s": l1, "h": h}
            dot = "h * torch.dot(x, x)"
            parts = {
                (False, True): [dot, "h * x.square().sum()", "h * norm(x).square()"],
                (True, False): ["s * x.abs().sum()", "s * norm(x, 1)"],
                (True, True): [f"s * norm(x, 1) + {dot}", f"s * x.abs().sum() + {dot}"],
            }[bool(l1), bool(l2)]
            for statement in parts:
                yield Form(f"eager: {statement}", statement, names, float)
            yield Form("compiled", "run(x)", {"run": self._compiled(penalty), "x": xs[0]}, float)
            return

        def dots() -> Any:
            return h * sum(torch.dot(x, x) for x in xs)

        def foreach() -> Any:
            return h * torch.stack(torch._foreach_norm(xs)).square().sum()

        yield Form("eager: torch.dot of each", names={"run": dots}, value=float)
        yield Form("foreach: _foreach_norm", names={"run": foreach}, value=float)
        if len(xs) <= COMPILED:
            yield Form("compiled", "run(xs)", {"run": self._compiled(total), "xs": xs}, float)

    def accumulated(self, problem: Problem) -> Iterator[Form]:
        """``g.add_`` and the loss."""
        return self._gradients(problem, accumulate=True)

    def written(self, problem: Problem) -> Iterator[Form]:
        """``torch.mul(out=g)`` and the loss."""
        return self._gradients(problem, accumulate=False)

    def _gradients(self, problem: Problem, accumulate: bool) -> Iterator[Form]:
        torch, (l1, l2) = self.torch, problem.cell.coefficients
        weights, gradients = penalized(problem)
        ws, gs = self._tensors(weights), self._tensors(gradients)
        flat = [w.view(-1) for w in ws]

        def eager() -> Any:
            total = 0.0
            for w, x, g in zip(ws, flat, gs, strict=True):
                if l2:
                    total = total + l2 / 2 * torch.dot(x, x)
                    if accumulate:
                        g.add_(w, alpha=l2)
                    else:
                        torch.mul(w, l2, out=g)
                if l1:
                    total = total + l1 * torch.linalg.vector_norm(x, 1)
                    g.add_(w.sign(), alpha=l1)
            return total

        def foreach() -> Any:
            torch._foreach_add_(gs, ws, alpha=l2)
            return l2 / 2 * torch.stack(torch._foreach_norm(ws)).square().sum()

        def whole(ws: list[Any], gs: list[Any]) -> Any:
            total = 0.0
            for w, g in zip(ws, gs, strict=True):
                gradient = l2 * w
                if l2:
                    total = total + l2 / 2 * w.square().sum()
                if l1:
                    total = total + l1 * w.abs().sum()
                    gradient = gradient + l1 * w.sign()
                g.copy_(g + gradient if accumulate else gradient)
            return total

        yield Form("eager", names={"run": eager}, value=float, arrays=lambda: problem.gradients)
        if accumulate and not l1:
            yield Form("foreach", names={"run": foreach}, value=float, arrays=lambda: problem.gradients)
        if len(ws) <= COMPILED:
            names = {"run": self._compiled(whole), "ws": ws, "gs": gs}
            yield Form("compiled", "run(ws, gs)", names, float, lambda: problem.gradients)

    def prox(self, problem: Problem) -> Iterator[Form]:
        """Soft thresholding."""
        x, z = self._tensors([problem.weights[0], problem.gradients[0]])
        threshold = PROX_STEP * problem.cell.coefficients[0]
        shrink = self.torch.nn.functional.softshrink

        def compiled(x: Any, z: Any) -> None:
            z.copy_(shrink(x, threshold))

        names = {"softshrink": self.torch._C._nn.softshrink, "x": x, "z": z, "t": threshold}
        yield Form("eager: softshrink(x, t, out=z)", "softshrink(x, t, out=z)", names, arrays=lambda: [problem.gradients[0]])
        compiled_names = {"run": self._compiled(compiled), "x": x, "z": z}
        yield Form("compiled", "run(x, z)", compiled_names, arrays=lambda: [problem.gradients[0]])

    def _ways_to_norms(self, axis: int) -> dict[str, Callable[[Any], Any]]:
        """Return functions that reduce a matrix along an axis to norms; the second is the faster one along the first axis."""
        norm = self.torch.linalg.vector_norm
        return {
            "vector_norm(x, dim)": lambda x: norm(x, dim=axis, keepdim=True),
            "x.square().sum(dim).sqrt_()": lambda x: x.square().sum(axis, keepdim=True).sqrt_(),
        }

    def group_lasso_value(self, problem: Problem) -> Iterator[Form]:
        """Offer norms along an axis."""
        matrix_list, axis = matrices(problem.cell, problem.weights)
        xs = self._tensors(matrix_list)
        for label, norms_of in self._ways_to_norms(axis).items():

            def total(xs: list[Any], norms_of: Callable[[Any], Any] = norms_of) -> Any:
                return GROUP_SCALE * sum(norms_of(x).sum() for x in xs)

            yield from self._eager_and_compiled(label, total, [xs], value=float)

    def group_lasso_accumulated(self, problem: Problem) -> Iterator[Form]:
        """Offer norms, and ``g.addcmul_`` of the factors."""
        torch = self.torch
        (weights, axis), (gradients, _) = matrices(problem.cell, problem.weights), matrices(problem.cell, problem.gradients)
        xs, gs = self._tensors(weights), self._tensors(gradients)
        for label, norms_of in self._ways_to_norms(axis).items():

            def run(xs: list[Any], gs: list[Any], norms_of: Callable[[Any], Any] = norms_of) -> Any:
                total = 0.0
                for x, g in zip(xs, gs, strict=True):
                    norms = norms_of(x)
                    g.addcmul_(x, torch.where(norms > 0, GROUP_SCALE / norms, 0.0))
                    total = total + GROUP_SCALE * norms.sum()
                return total

            yield from self._eager_and_compiled(
                f"{label}, addcmul_", run, [xs, gs], value=float, arrays=lambda: problem.gradients
            )

    def group_lasso_prox(self, problem: Problem) -> Iterator[Form]:
        """Offer norms, and ``torch.mul(out=z)`` by the factors."""
        torch, threshold = self.torch, PROX_STEP * GROUP_SCALE
        (weights, axis), (points, _) = matrices(problem.cell, problem.weights), matrices(problem.cell, problem.gradients)
        xs, zs = self._tensors(weights), self._tensors(points)
        for label, norms_of in self._ways_to_norms(axis).items():

            def run(xs: list[Any], zs: list[Any], norms_of: Callable[[Any], Any] = norms_of) -> None:
                for x, z in zip(xs, zs, strict=True):
                    torch.mul(x, 1 - threshold / norms_of(x).clamp_(min=threshold), out=z)

            yield from self._eager_and_compiled(f"{label}, mul(out=z)", run, [xs, zs], arrays=lambda: problem.gradients)

    def mcp_prox(self, problem: Problem) -> Iterator[Form]:
        """Stretch a soft threshold where the penalty is not yet constant."""
        torch = self.torch
        xs, zs = self._tensors(problem.weights), self._tensors(problem.gradients)
        threshold, flat, stretch = PROX_STEP * MCP_SCALE, MCP_GAMMA * MCP_SCALE, 1 / (1 - PROX_STEP / MCP_GAMMA)
        softshrink = torch._C._nn.softshrink

        def eager(x: Any, z: Any) -> None:
            softshrink(x, threshold, out=z).mul_(stretch)
            torch.where(x.abs() > flat, x, z, out=z)

        def compiled(x: Any, z: Any) -> None:
            z.copy_(torch.where(x.abs() > flat, x, torch.nn.functional.softshrink(x, threshold) * stretch))

        names = {"x": xs[0], "z": zs[0]}

        def arrays() -> list[Any]:
            return problem.gradients

        yield Form("eager: softshrink(x, t, out=z).mul_, where(out=z)", "run(x, z)", {"run": eager, **names}, arrays=arrays)
        yield Form("compiled", "run(x, z)", {"run": self._compiled(compiled), **names}, arrays=arrays)

    def max_norm_project(self, problem: Problem) -> Iterator[Form]:
        """``renorm_``, or norms and ``mul_``."""
        torch = self.torch
        (matrix,), axis = matrices(problem.cell, problem.weights)
        x = torch.from_numpy(matrix)

        def renorm() -> None:
            x.renorm_(2, 1 - axis, problem.limit())

        yield Form("eager: renorm_", names={"run": renorm}, arrays=lambda: problem.weights)
        names = {"x": x, "limit": lambda: torch.tensor(problem.limit(), dtype=x.dtype)}
        for label, norms_of in self._ways_to_norms(axis).items():

            def shorten(x: Any, limit: Any, norms_of: Callable[[Any], Any] = norms_of) -> None:
                x.mul_(limit / torch.maximum(norms_of(x), limit))

            for kind, run in (("eager", shorten), ("compiled", self._compiled(shorten))):
                yield Form(f"{kind}: {label}, mul_", "run(x, limit())", {"run": run, **names}, arrays=lambda: problem.weights)

    def _eager_and_compiled(
        self, label: str, function: Callable[..., Any], arguments: list[list[Any]], **options: Any
    ) -> Iterator[Form]:
        """Offer a function of lists of tensors as it is, and compiled where the lists are short."""
        names = dict(zip("ab", arguments, strict=False))
        statement = f"run({', '.join(names)})"
        yield Form(f"eager: {label}", statement, {"run": function, **names}, **options)
        if len(arguments[0]) <= COMPILED:
            yield Form(f"compiled: {label}", statement, {"run": self._compiled(function), **names}, **options)

    def constrained(self, problem: Problem) -> Iterator[Form]:
        """Offer the optimizers, and one pass more that clamps all weights."""
        torch = self.torch
        low, high = BOUNDS[problem.cell.constraint or ""]
        ws = self._tensors(problem.weights)

        def clamp() -> None:
            torch._foreach_clamp_min_(ws, low)
            if high < math.inf:
                torch._foreach_clamp_max_(ws, high)

        def clamp_each() -> None:
            for w in ws:
                w.clamp_(low, high)

        for form in self.update(problem):
            if form.anchor:
                continue
            for label, bound in (("foreach clamp", clamp), ("clamp_ of each", clamp_each)):
                names = {**form.names, "clamp": bound}
                yield replace(form, label=f"{form.label}, {label}", statement=f"({form.statement}, clamp())", names=names)

    def update(self, problem: Problem) -> Iterator[Form]:
        """``torch.optim``, with the L2 gradient as its weight decay; it computes no loss."""
        rule = problem.cell.rule
        assert rule is not None
        a = RULES[rule].arguments
        optim = self.torch.optim
        makers: dict[str, tuple[str, Callable[..., Any]]] = {
            "GradientDescent": ("SGD", lambda p, **k: optim.SGD(p, lr=a["learning_rate"], **k)),
            "Momentum": ("SGD", lambda p, **k: optim.SGD(p, lr=a["learning_rate"], momentum=a["momentum"], **k)),
            "Adam": (
                "Adam",
                lambda p, **k: optim.Adam(p, lr=a["learning_rate"], betas=(a["beta1"], a["beta2"]), eps=a["epsilon"], **k),
            ),
            "Adagrad": (
                "Adagrad",
                lambda p, **k: optim.Adagrad(
                    p, lr=a["learning_rate"], initial_accumulator_value=a["initial_accumulator_value"], **k
                ),
            ),
        }
        if rule not in makers:
            return
        label, maker = makers[rule]
        parameters = self._tensors(problem.weights)
        for parameter, g in zip(parameters, self._tensors(problem.gradients), strict=True):
            parameter.grad = g
        decays = decay(problem)
        groups = [
            {"params": [p for p, d in zip(parameters, decays, strict=True) if d == l2], "weight_decay": l2} for l2 in set(decays)
        ]
        for kind in ("fused", "foreach"):
            yield self._optimizer(f"{kind} {label}, without loss", maker, groups, {kind: True}, problem)
        yield self._optimizer(f"fused {label} without penalty or loss", maker, [{"params": parameters}], {"fused": True})

    def mixed(self, problem: Problem) -> Iterator[Form]:
        """Widen the gradients into float32 ones, step by the fused AdamW, and narrow the weights into the copies."""
        yield from self.around_optimizer(problem, "fused AdamW", partial(self.torch.optim.AdamW, fused=True))

    def around_optimizer(self, problem: Problem, label: str, maker: Callable[..., Any]) -> Iterator[Form]:
        """Offer casts of each tensor and casts of all at once around an optimizer with torch's arguments."""
        torch, a = self.torch, RULES[problem.cell.rule or ""].arguments
        parameters = self._tensors(problem.weights)
        given, copies = ([torch.from_numpy(x).view(torch.bfloat16) for x in xs] for xs in (problem.gradients, problem.copies))
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        wide = [parameter.grad for parameter in parameters]
        made: list[Any] = []

        def fresh() -> None:
            decay = a["weight_decay"] / a["learning_rate"]  # torch multiplies it by the rate
            options = {"lr": a["learning_rate"], "betas": (a["beta1"], a["beta2"]), "eps": a["epsilon"], "weight_decay": decay}
            made[:] = [maker(parameters, **options)]

        def each() -> None:
            for g, g16 in zip(wide, given, strict=True):
                g.copy_(g16)
            made[0].step()
            for copy, parameter in zip(copies, parameters, strict=True):
                copy.copy_(parameter)

        def foreach() -> None:
            torch._foreach_copy_(wide, given)
            made[0].step()
            torch._foreach_copy_(copies, parameters)

        for kind, run in (("copy_", each), ("_foreach_copy_", foreach)):
            yield Form(f"{kind}, {label}, {kind}", names={"run": run}, arrays=lambda: problem.weights, fresh=fresh)

    def _optimizer(
        self, label: str, maker: Callable[..., Any], groups: list[Any], options: dict[str, bool], problem: Problem | None = None
    ) -> Form:
        """One optimizer as a form; with no problem to hold it to, it is an anchor."""
        made: list[Any] = []

        def fresh() -> None:
            made[:] = [maker([dict(group) for group in groups], **options)]

        def run() -> None:
            made[0].step()

        fresh()
        arrays = None if problem is None else (lambda: problem.weights)
        return Form(label, names={"run": run}, arrays=arrays, fresh=fresh, anchor=problem is None)
