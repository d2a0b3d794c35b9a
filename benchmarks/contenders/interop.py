"""fastreg by its torch optimizers, to be held to fastreg's own step; it is no peer."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from rules import RULES

from contenders.base import Contender, Form, Problem


class Interop(Contender):
    """``fastreg.interop.torch``."""

    name = "interop"
    numpy_arrays = False

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.torch: Any = import_module("torch")
        self.optimizers: Any = import_module("fastreg.interop.torch")
        fastreg: Any = import_module("fastreg")
        self.torch.set_num_threads(threads)
        if fastreg.get_num_threads() != threads:
            fastreg.set_num_threads(threads)

    @property
    def version(self) -> str:
        """The torch under it."""
        return f"fastreg.interop.torch (torch {self.torch.__version__})"

    def mixed(self, problem: Problem) -> Iterator[Form]:
        """Parameters of bfloat16, whose float32 masters the optimizer keeps."""
        torch, a = self.torch, RULES[problem.cell.rule or ""].arguments
        tensors = [torch.from_numpy(copy).view(torch.bfloat16) for copy in problem.copies]
        parameters = [torch.nn.Parameter(tensor) for tensor in tensors]
        for parameter, g in zip(parameters, problem.gradients, strict=True):
            parameter.grad = torch.from_numpy(g).view(torch.bfloat16)
        made: list[Any] = []

        def fresh() -> None:
            decay = a["weight_decay"] / a["learning_rate"]  # torch multiplies it by the rate
            options = {"lr": a["learning_rate"], "betas": (a["beta1"], a["beta2"]), "eps": a["epsilon"], "weight_decay": decay}
            made[:] = [self.optimizers.AdamW(parameters, master_weights=True, **options)]

        def run() -> None:
            made[0].step()

        def masters() -> list[Any]:
            return [made[0].state[parameter]["master"].numpy() for parameter in parameters]

        yield Form("AdamW(master_weights=True).step()", names={"run": run}, arrays=masters, fresh=fresh)
