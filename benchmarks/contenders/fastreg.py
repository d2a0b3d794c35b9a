"""fastreg by its public API."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

from cells import BOUNDS, ONE_THREAD
from problem import GROUP_SCALE, MCP_GAMMA, MCP_SCALE, PROX_STEP
from rules import RULES

from contenders.base import Array, Contender, Form, Problem


class Fastreg(Contender):
    """A regularizer for one tensor, a list of terms for a collection, ``fastreg.optim`` for updates."""

    name = "fastreg"
    anchors = True

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.fr: Any = import_module("fastreg")
        if self.fr.get_num_threads() != threads:
            self.fr.set_num_threads(threads)

    @property
    def version(self) -> str:
        """fastreg's, and the kernel that it chose."""
        config = self.fr.get_config()
        return f"{config['version']} ({config['isa']})"

    def _regularizer(self, problem: Problem) -> Any:
        if problem.cell.penalty == "group lasso":
            return self.fr.group_lasso_regularizer(GROUP_SCALE, axis=problem.cell.axis)
        if problem.cell.penalty == "MCP":
            return self.fr.mcp_regularizer(MCP_SCALE, gamma=MCP_GAMMA)
        l1, l2 = problem.cell.coefficients
        if l1 and l2:
            return self.fr.l1_l2_regularizer(l1, l2)
        return self.fr.l1_regularizer(l1) if l1 else self.fr.l2_regularizer(l2)

    def _terms(self, problem: Problem) -> Any:
        named = dict(zip(problem.cell.shapes, problem.weights, strict=True))
        regularizer = self._regularizer(problem)
        rules = [("*", regularizer)] if all(problem.penalized) else [("*/bias", None), ("*/kernel", regularizer)]
        return self.fr.regularize(named, rules)

    def value(self, problem: Problem) -> Iterator[Form]:
        """Offer a closure call, or a lazy total."""
        if problem.cell.single:
            names = {"regularizer": self._regularizer(problem), "w": problem.weights[0]}
            yield Form("regularizer(w)", "regularizer(w)", names, float)
        else:
            yield Form("float(add_n(terms))", "float(total)", {"total": self.fr.add_n(self._terms(problem))}, float)

    def accumulated(self, problem: Problem) -> Iterator[Form]:
        """Value and gradient, added."""
        return self._gradients(problem, accumulate=True)

    def written(self, problem: Problem) -> Iterator[Form]:
        """Value and gradient, written."""
        return self._gradients(problem, accumulate=False)

    def _gradients(self, problem: Problem, accumulate: bool) -> Iterator[Form]:
        options = f"accumulate={accumulate}"
        if problem.cell.single:
            names = {"run": self._regularizer(problem).value_and_gradient, "w": problem.weights[0], "g": problem.gradients[0]}
            statement, label = f"run(w, out=g, {options})", f"value_and_gradient(w, out=g, {options})"
        else:
            named = zip(problem.cell.shapes, problem.gradients, problem.penalized, strict=True)
            gradients = {name: g for name, g, covered in named if covered}
            names = {"run": self.fr.value_and_gradients, "terms": self._terms(problem), "gradients": gradients}
            statement, label = f"run(terms, out=gradients, {options})", f"value_and_gradients(terms, out=gradients, {options})"
        yield Form(label, statement, names, lambda result: float(result[0]), lambda: problem.gradients)

    def prox(self, problem: Problem) -> Iterator[Form]:
        """Offer the proximal map into z."""
        prox = self._regularizer(problem).prox
        if problem.cell.single:
            names = {"prox": prox, "w": problem.weights[0], "step": PROX_STEP, "z": problem.gradients[0]}
            yield Form("prox(w, step, out=z)", "prox(w, step, out=z)", names, arrays=lambda: problem.gradients)
            return
        pairs = list(zip(problem.weights, problem.gradients, strict=True))

        def run() -> None:
            for w, z in pairs:
                prox(w, PROX_STEP, out=z)

        yield Form("prox(w, step, out=z) of each", names={"run": run}, arrays=lambda: problem.gradients)

    group_lasso_value = value
    group_lasso_accumulated = accumulated
    group_lasso_prox = prox
    mcp_prox = prox

    def max_norm_project(self, problem: Problem) -> Iterator[Form]:
        """``project`` into the weights themselves."""
        axis, w = problem.cell.axis, problem.weights[0]
        max_norm = self.fr.constraints.max_norm

        def run() -> None:
            max_norm(problem.limit(), axis=axis).project(w, out=w)

        yield Form("max_norm(limit, axis).project(w, out=w)", names={"run": run}, arrays=lambda: problem.weights)

    def update(self, problem: Problem) -> Iterator[Form]:
        """``apply_gradients`` with the terms, and without them as the other side of the ratio."""
        rule, terms = problem.cell.rule, self._terms(problem)
        yield self._update(problem, f"{rule} with penalty and loss", regularization=terms)
        yield self._update(problem, f"{rule} without penalty", anchor=True)

    def constrained(self, problem: Problem) -> Iterator[Form]:
        """``apply_gradients`` with the terms and a constraint, and without the constraint as the other side of the ratio."""
        rule, terms = problem.cell.rule, self._terms(problem)
        low, high = BOUNDS[problem.cell.constraint or ""]
        constraint = self.fr.constraints.non_neg() if math.isinf(high) else self.fr.constraints.box(low, high)
        constraints = self.fr.constrain(dict(zip(problem.cell.shapes, problem.weights, strict=True)), [("*", constraint)])
        yield self._update(problem, f"{rule} with constraint", regularization=terms, constraints=constraints)
        yield self._update(problem, f"{rule} without constraint", anchor=True, regularization=terms)

    def mixed(self, problem: Problem) -> Iterator[Form]:
        """``apply_gradients`` with gradients and copies of bfloat16."""
        bfloat16 = import_module("fastreg.kernels").BFLOAT16
        copies = dict(zip(problem.cell.shapes, [copy.view(bfloat16) for copy in problem.copies], strict=True))
        gradients = [g.view(bfloat16) for g in problem.gradients]
        yield self._update(problem, f"{problem.cell.rule}, copies=copies", gradients=gradients, copies=copies)

    def _update(
        self, problem: Problem, label: str, anchor: bool = False, gradients: Sequence[Array] | None = None, **options: Any
    ) -> Form:
        """One way to call ``apply_gradients``."""
        rule = problem.cell.rule
        assert rule is not None
        given = zip(problem.gradients if gradients is None else gradients, problem.weights, strict=True)
        pairs = dict(zip(problem.cell.shapes, given, strict=True))
        held: list[Any] = []

        def fresh() -> None:
            held[:] = [getattr(self.fr.optim, rule)(**RULES[rule].arguments)]

        def run() -> Any:
            return held[0].apply_gradients(pairs, **options)

        return Form(label, names={"run": run}, value=float, arrays=lambda: problem.weights, fresh=fresh, anchor=anchor)

    def step(self, problem: Problem) -> list[Form]:
        """Offer the step in the default environment, and with one thread for fastreg alone."""
        forms = super().step(problem)

        @contextmanager
        def one_thread() -> Iterator[None]:
            self.fr.set_num_threads(1)
            try:
                yield
            finally:
                self.fr.set_num_threads(self.threads)

        whole = [replace(form, label="step") for form in forms if not form.anchor]
        anchors = [form for form in forms if form.anchor]
        alone = [replace(form, label=ONE_THREAD, anchor=True, around=one_thread) for form in whole]
        return whole + anchors + alone
