"""DeepSpeed's CPUAdam, which compiles itself when it is first made: that takes minutes, and needs ninja."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from contenders.base import Form, Problem
from contenders.torch import Torch


class DeepSpeed(Torch):
    """Its optimizer in the place of torch's, as its offloading of weights to the CPU has it."""

    name = "DeepSpeed"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.deepspeed: Any = import_module("deepspeed")

    @property
    def version(self) -> str:
        """DeepSpeed's, and torch's."""
        return f"{self.deepspeed.__version__} (torch {super().version})"

    def forms(self, problem: Problem) -> list[Form]:
        """Its optimizer alone: the rest would be torch's."""
        return super().forms(problem) if problem.cell.operation == "mixed" else []

    def mixed(self, problem: Problem) -> Iterator[Form]:
        """Widen the gradients into float32 ones, step by CPUAdam, and narrow the weights into the copies."""
        adam = import_module("deepspeed.ops.adam").DeepSpeedCPUAdam
        yield from self.around_optimizer(problem, "CPUAdam", adam)
