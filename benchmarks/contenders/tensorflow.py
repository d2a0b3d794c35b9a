"""TensorFlow 2: ``tf.function`` and XLA (``jit_compile``), on variables of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from problem import PROX_STEP
from rules import RULES

from contenders.base import Contender, Form, Problem


class TensorFlow(Contender):
    """The CPU build. Its own kernels (``tf.nn.l2_loss``, ``ResourceApplyAdam``) stand in the plain functions."""

    name = "TensorFlow"
    numpy_arrays = False

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        self.tf: Any = import_module("tensorflow")
        self.tf.config.threading.set_intra_op_parallelism_threads(threads)

    @property
    def version(self) -> str:
        """TensorFlow's."""
        return str(self.tf.__version__)

    def _variables(self, arrays: list[Any]) -> tuple[list[Any], Callable[[], None]]:
        """Variables, and a function that puts them back to the arrays' present values."""
        variables = [self.tf.Variable(array) for array in arrays]

        def fresh() -> None:
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)

        return variables, fresh

    def _both(self, function: Callable[[], Any], **options: Any) -> Iterator[Form]:
        for label, jit in (("function", False), ("XLA", True)):
            yield Form(label, names={"run": self.tf.function(function, jit_compile=jit)}, **options)

    def _penalty(self, w: Any, l1: float, l2: float) -> Any:
        tf = self.tf
        total = l2 * tf.nn.l2_loss(w) if l2 else 0.0
        return total + l1 * tf.reduce_sum(tf.abs(w)) if l1 else total

    def value(self, problem: Problem) -> Iterator[Form]:
        """``tf.nn.l2_loss`` and ``tf.reduce_sum``."""
        ws, _ = self._variables(problem.weights)
        coefficients = problem.cell.coefficients
        return self._both(lambda: sum(self._penalty(w, *coefficients) for w in ws), value=float)

    def accumulated(self, problem: Problem) -> Iterator[Form]:
        """``assign_add`` of the gradient, and the loss."""
        return self._gradients(problem, "assign_add")

    def written(self, problem: Problem) -> Iterator[Form]:
        """``assign`` of the gradient, and the loss."""
        return self._gradients(problem, "assign")

    def _gradients(self, problem: Problem, assign: str) -> Iterator[Form]:
        ws, _ = self._variables(problem.weights)
        gs, fresh = self._variables(problem.gradients)
        l1, l2 = problem.cell.coefficients

        def run() -> Any:
            total = 0.0
            for w, g in zip(ws, gs, strict=True):
                gradient = l2 * w
                if l1:
                    gradient += l1 * self.tf.sign(w)
                getattr(g, assign)(gradient)
                total += self._penalty(w, l1, l2)
            return total

        return self._both(run, value=float, arrays=lambda: [g.numpy() for g in gs], fresh=fresh)

    def prox(self, problem: Problem) -> Iterator[Form]:
        """Soft thresholding."""
        (x,), _ = self._variables(problem.weights)
        (z,), _ = self._variables(problem.gradients)
        t = PROX_STEP * problem.cell.coefficients[0]

        def run() -> None:
            z.assign(self.tf.sign(x) * self.tf.maximum(self.tf.abs(x) - t, 0))

        return self._both(run, arrays=lambda: [z.numpy()])

    def update(self, problem: Problem) -> Iterator[Form]:
        """TensorFlow 1's own update kernels, which live on in ``tf.raw_ops``."""
        rule = problem.cell.rule
        assert rule is not None
        if rule not in ("GradientDescent", "Momentum", "Adam"):
            return
        a = RULES[rule].arguments
        ops = self.tf.raw_ops
        ws, fresh_weights = self._variables(problem.weights)
        gs, _ = self._variables(problem.gradients)
        slots = problem.slots()
        kept = {name: self._variables([s[name] for s in slots]) for name in RULES[rule].slots}
        powers, fresh_powers = self._variables([problem.weights[0].dtype.type(a.get(key, 0)) for key in ("beta1", "beta2")])
        l1, l2 = problem.cell.coefficients

        def run() -> Any:
            total = 0.0
            for index, (w, g) in enumerate(zip(ws, gs, strict=True)):
                total += self._penalty(w, l1, l2)
                gradient = g + l2 * w
                if rule == "GradientDescent":
                    ops.ResourceApplyGradientDescent(var=w.handle, alpha=a["learning_rate"], delta=gradient)
                elif rule == "Momentum":
                    accumulator = kept["momentum"][0][index].handle
                    ops.ResourceApplyMomentum(
                        var=w.handle, accum=accumulator, lr=a["learning_rate"], grad=gradient, momentum=a["momentum"]
                    )
                else:
                    ops.ResourceApplyAdam(
                        var=w.handle, m=kept["m"][0][index].handle, v=kept["v"][0][index].handle,
                        beta1_power=powers[0], beta2_power=powers[1], lr=a["learning_rate"],
                        beta1=a["beta1"], beta2=a["beta2"], epsilon=a["epsilon"], grad=gradient,
                    )  # fmt: skip
            return total

        def fresh() -> None:
            fresh_weights()
            fresh_powers()
            for _, fresh_slot in kept.values():
                fresh_slot()

        yield from self._both(run, value=float, arrays=lambda: [w.numpy() for w in ws], fresh=fresh)
