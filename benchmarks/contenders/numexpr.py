"""numexpr: one expression, its elementwise part in parallel; its sums run on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from problem import PROX_STEP
from rules import RULES

from contenders.base import Contender, Form, Problem, decay, penalized


class NumExpr(Contender):
    """``numexpr.evaluate`` with ``out=``."""

    name = "numexpr"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.ne: Any = import_module("numexpr")
        self.ne.set_num_threads(threads)

    @property
    def version(self) -> str:
        """Numexpr's."""
        return str(self.ne.__version__)

    def _sum(self, problem: Problem) -> str:
        l1, l2 = problem.cell.coefficients
        return {(True, False): "s * sum(abs(w))", (False, True): "h * sum(w * w)"}.get((bool(l1), bool(l2)), "")

    def _scalars(self, problem: Problem) -> dict[str, Any]:
        scalar = problem.weights[0].dtype.type
        l1, l2 = problem.cell.coefficients
        return {"s": scalar(l1), "h": scalar(l2 / 2), "l2": scalar(l2)}

    def _penalty(self, problem: Problem, w: Any) -> float:
        total, (l1, l2) = 0.0, problem.cell.coefficients
        if l1:
            total += l1 * float(self.ne.evaluate("sum(abs(w))", {"w": w}))
        if l2:
            total += l2 / 2 * float(self.ne.evaluate("sum(w * w)", {"w": w}))
        return total

    def value(self, problem: Problem) -> Iterator[Form]:
        """Offer a sum for each coefficient."""
        flat = [w.reshape(-1) for w in problem.weights]

        def run() -> float:
            return sum(self._penalty(problem, w) for w in flat)

        yield Form("evaluate('sum(...)')", names={"run": run}, value=float)

    def accumulated(self, problem: Problem) -> Iterator[Form]:
        """Offer the sums, and the gradient as one expression."""
        return self._gradients(problem, "g + ")

    def written(self, problem: Problem) -> Iterator[Form]:
        """Offer the sums, and the gradient as one expression."""
        return self._gradients(problem, "")

    def _gradients(self, problem: Problem, before: str) -> Iterator[Form]:
        weights, gradients = penalized(problem)
        scalars = self._scalars(problem)
        expression = before + "l2 * w"
        if problem.cell.coefficients[0]:
            expression += " + where(w > 0, s, where(w < 0, -s, 0 * w))"
        pairs = [(w.reshape(-1), g.reshape(-1)) for w, g in zip(weights, gradients, strict=True)]

        def run() -> float:
            total = 0.0
            for w, g in pairs:
                self.ne.evaluate(expression, {"w": w, "g": g, **scalars}, out=g, casting="same_kind")
                total += self._penalty(problem, w)
            return total

        yield Form(
            f"evaluate('{expression}', out=g), and the sums", names={"run": run}, value=float, arrays=lambda: problem.gradients
        )

    def prox(self, problem: Problem) -> Iterator[Form]:
        """Soft thresholding as one expression."""
        x, z = problem.weights[0], problem.gradients[0]
        scalars = {"x": x, "t": x.dtype.type(PROX_STEP * problem.cell.coefficients[0])}
        expression = "where(x > t, x - t, where(x < -t, x + t, 0 * x))"

        def run() -> None:
            self.ne.evaluate(expression, scalars, out=z, casting="same_kind")

        yield Form(f"evaluate('{expression}', out=z)", names={"run": run}, arrays=lambda: problem.gradients)

    def update(self, problem: Problem) -> Iterator[Form]:
        """One expression per array that the rule writes, and the loss."""
        rule = problem.cell.rule
        assert rule is not None
        expressions = {
            "GradientDescent": [("w", "w - learning_rate * (g + l2 * w)")],
            "Momentum": [("momentum_", "momentum * momentum_ + g + l2 * w"), ("w", "w - learning_rate * momentum_")],
            "Adam": [
                ("m_", "beta1 * m_ + rest1 * (g + l2 * w)"),
                ("v_", "beta2 * v_ + rest2 * (g + l2 * w) ** 2"),
                ("w", "w - rate * m_ / (sqrt(v_) + epsilon)"),
            ],
        }.get(rule)
        if expressions is None:
            return
        a = RULES[rule].arguments
        scalar = problem.weights[0].dtype.type
        scalars = {name: scalar(value) for name, value in a.items()}
        scalars |= {"rest1": scalar(1 - a.get("beta1", 0)), "rest2": scalar(1 - a.get("beta2", 0))}
        slots = problem.slots()
        items = [
            {"w": w.reshape(-1), "g": g.reshape(-1), "l2": scalar(l2), **{f"{name}_": x.reshape(-1) for name, x in s.items()}}
            for w, g, l2, s in zip(problem.weights, problem.gradients, decay(problem), slots, strict=True)
        ]
        step = [0]

        def run() -> float:
            step[0] += 1
            now = dict(scalars)
            if rule == "Adam":
                now["rate"] = scalar(a["learning_rate"] * (1 - a["beta2"] ** step[0]) ** 0.5 / (1 - a["beta1"] ** step[0]))
            total = 0.0
            for item in items:
                if item["l2"]:
                    total += self._penalty(problem, item["w"])
                for target, expression in expressions:
                    self.ne.evaluate(expression, {**now, **item}, out=item[target], casting="same_kind")
            return total

        def fresh() -> None:
            step[0] = 0

        yield Form(
            "evaluate(..., out=) per array, and the loss",
            names={"run": run},
            value=float,
            arrays=lambda: problem.weights,
            fresh=fresh,
        )
