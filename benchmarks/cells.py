"""The cells of the comparison: what is computed, on what, and the target that stands beside it.

A cell is data. What a library makes of it stands in ``contenders``, what is right in ``problem``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import shapes
from rules import RULES
from shapes import Shape, Shapes


@dataclass(frozen=True)
class Target:
    """A bound on a ratio within one round.

    Parameters
    ----------
    over : str
        "limit", "peers" (the fastest of them), "Contender" (its fastest form) or "Contender: form".
    at_most : float, optional
        Largest ratio fastreg / `over` of times.
    at_least : float, optional
        Smallest share of the limit's speed: ratio `over` / fastreg of times.
    form : str, optional
        fastreg's form that is meant; left out, its fastest.
    of : str
        The contender that the target is for.
    """

    over: str
    at_most: float | None = None
    at_least: float | None = None
    form: str | None = None
    of: str = "fastreg"


NO_PEER_AHEAD = Target("peers", at_most=1.0)


@dataclass(frozen=True)
class Cell:
    """One row of the comparison.

    Parameters
    ----------
    operation : str
        "value", "accumulated" or "written" (value and gradient, added to or put into the user's array), "prox",
        "project" (a constraint, in place), "update", "constrained" (an update with a constraint), "mixed" (an update with
        bfloat16 gradients and bfloat16 copies of the weights), "step" or "error".
    penalty : str
        "L1", "L2", "L1+L2", "group lasso" or "MCP"; of a "project" the constraint, "max_norm"; of a "mixed" update none, "".
    dtype : str
        "float32" or "float64".
    on : str
        The size or the network, for people.
    shapes : mapping
        The tensors.
    rule : str, optional
        Name in ``RULES`` of what an "update", a "constrained" update or a "step" does.
    constraint : str, optional
        Name in ``BOUNDS`` of what a "constrained" update keeps the weights to.
    axis : tuple of int
        The axes of a group or a vector, where the penalty or the constraint has them.
    threads : int, optional
        Left out, all of them.
    processes : int
        That do the same at once, each with so many threads on cores of its own. The slowest counts.
    quick : bool
        Whether ``--quick`` measures it.
    targets : tuple of Target
        What fastreg shall reach.
    """

    operation: str
    penalty: str
    dtype: str
    on: str
    shapes: Shapes
    rule: str | None = None
    constraint: str | None = None
    axis: tuple[int, ...] = ()
    threads: int | None = None
    processes: int = 1
    quick: bool = False
    targets: tuple[Target, ...] = field(default=(NO_PEER_AHEAD,))

    @property
    def name(self) -> str:
        """What ``--cells`` matches."""
        parts = [self.operation, self.rule, self.penalty, self.constraint, self.dtype, self.on]
        axis = f", axis {' '.join(map(str, self.axis))}" if self.axis else ""
        threads = f"@{self.threads}" if self.threads else ""
        processes = f"x{self.processes}" if self.processes > 1 else ""
        return "/".join(part for part in parts if part) + axis + threads + processes

    @property
    def method(self) -> str:
        """Name of the contenders' method that offers forms: the operation, with a penalty other than L1 and L2 in front."""
        family = {"group lasso": "group_lasso", "MCP": "mcp", "max_norm": "max_norm"}.get(self.penalty)
        return f"{family}_{self.operation}" if family else self.operation

    @property
    def leading(self) -> bool:
        """Whether the members of a group lie along the first axes, not along the last."""
        return 0 in self.axis

    @property
    def coefficients(self) -> tuple[float, float]:
        """The pair (l1, l2): large enough for a forgotten penalty to show in the check of the result."""
        if self.operation == "error":
            return {"L1": (1.0, 0.0), "L2": (0.0, 2.0)}[self.penalty]  # the bare sum: no scale to round
        return {"L1": (0.01, 0.0), "L2": (0.0, 0.1), "L1+L2": (0.01, 0.1), "": (0.0, 0.0)}[self.penalty]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return shapes.elements(self.shapes)

    @property
    def single(self) -> bool:
        """Whether this is one tensor, called without a collection."""
        return len(self.shapes) == 1

    @property
    def working_set(self) -> int:
        """Bytes that one run touches."""
        if self.operation == "mixed":
            return MIXED_BYTES * self.elements
        arrays = {"value": 1, "error": 1, "project": 1, "accumulated": 2, "written": 2, "prox": 2}.get(self.operation)
        if arrays is None:
            arrays = 2 + len(RULES[self.rule].slots) if self.rule else 2
        return arrays * self.elements * (4 if self.dtype == "float32" else 8)


def tensor(size: float) -> tuple[str, dict[str, Shape]]:
    """Name and shapes of one tensor of this many elements."""
    name = f"{int(size)}" if size < 10_000 else f"{size:.0e}".replace("e+0", "e")
    return name, {"w": (int(size),)}


BOUNDS = {"non_neg": (0.0, math.inf), "box": (-0.5, 0.5)}
"""The least and the largest weight that a constraint allows."""

MIXED_BYTES = 16
"""Of an element of a "mixed" update: weight, gradient, two slots and copy."""

LIMIT = Target("limit", at_least=0.9)
BEST_PEER = Target("peers", at_most=0.8)
DOT = "NumPy: np.dot(x, x)"
NUMPY_LOOP = "NumPy: the loop as people write it"
ALONE = "forward and backward alone"
ONE_THREAD = "step, fastreg on one thread"


def values() -> Iterator[Cell]:
    """Yield one tensor's penalty."""
    for dtype in ("float32", "float64"):
        for penalty in ("L2", "L1", "L1+L2"):
            for size in (64, 1000, 1e5, 1e6, 2e7):
                targets = [NO_PEER_AHEAD]
                if dtype == "float32" and size <= 1000:
                    targets.append(Target(DOT, at_most={64: 0.25, 1000: 0.5}[int(size)]))
                if size >= 1e5:
                    targets.append(Target("limit", at_least=0.75 if size == 1e5 else 0.9))
                quick = penalty == "L2" and dtype == "float32" and size in (64, 1e6, 2e7)
                yield Cell("value", penalty, dtype, *tensor(size), quick=quick, targets=tuple(targets))


def gradients() -> Iterator[Cell]:
    """Yield one tensor's penalty with its gradient, and its proximal step."""
    for operation in ("accumulated", "written"):
        for dtype in ("float32", "float64"):
            for penalty in ("L2", "L1+L2"):
                for size in (1e5, 1e6, 2e7):
                    targets = (NO_PEER_AHEAD,) if size == 1e5 else (NO_PEER_AHEAD, LIMIT)
                    quick = (operation, penalty, dtype, size) == ("accumulated", "L2", "float32", 2e7)
                    yield Cell(operation, penalty, dtype, *tensor(size), quick=quick, targets=targets)
    for dtype in ("float32", "float64"):
        for size in (1e5, 1e6, 2e7):
            yield Cell("prox", "L1", dtype, *tensor(size))


def collections() -> Iterator[Cell]:
    """Yield a network's tensors in one call."""
    for network in ("small MLP", "ResNet-50", "BERT-base", "GPT-2 small"):
        for operation in ("value", "accumulated"):
            targets = [NO_PEER_AHEAD]
            if network == "small MLP" and operation == "accumulated":
                targets.append(Target(NUMPY_LOOP, at_most=0.1))
            if network == "ResNet-50":
                targets = [BEST_PEER, LIMIT]
            quick = operation == "accumulated" and network in ("small MLP", "ResNet-50")
            yield Cell(operation, "L2", "float32", network, shapes.NETWORKS[network], quick=quick, targets=tuple(targets))


def updates() -> Iterator[Cell]:
    """Yield every update rule on ResNet-50, its L2 penalty's gradient and loss included (L1 where the rule is proximal)."""
    fused = {
        "Adam": "torch: fused Adam without penalty or loss",
        "GradientDescent": "torch: fused SGD without penalty or loss",
        "Momentum": "torch: fused SGD without penalty or loss",
    }
    for rule in RULES:
        targets = [NO_PEER_AHEAD, LIMIT]
        if rule in fused:
            targets.append(Target(fused[rule], at_most=0.85))
        if rule == "Adam":
            targets.append(Target("fastreg: Adam without penalty", at_most=1.03))
        penalty = "L1" if rule.startswith("Proximal") else "L2"
        quick = rule == "Adam"
        yield Cell("update", penalty, "float32", "ResNet-50", shapes.RESNET50, rule, quick=quick, targets=tuple(targets))


def groups() -> Iterator[Cell]:
    """Yield the group lasso of contiguous groups, of leading axes and of filters, the prox of MCP, and limits on norms.

    A server's cache holds a matrix of 64 MB, so one of 400 MB shows what the memory allows.
    """
    targets = (NO_PEER_AHEAD, LIMIT)
    for on, shape in (("4096x4096", (4096, 4096)), ("8192x12288", (8192, 12288))):
        matrix = {"w": shape}
        for axis in ((1,), (0,)):
            for operation in ("value", "accumulated", "prox"):
                yield Cell(operation, "group lasso", "float32", on, matrix, axis=axis, targets=targets)
        yield Cell("prox", "MCP", "float32", on, matrix, targets=targets)
        for axis in ((1,), (0,)):
            yield Cell("project", "max_norm", "float32", on, matrix, axis=axis, targets=targets)
    for operation in ("value", "accumulated", "prox"):
        on, tensors = "ResNet-50 filters", shapes.RESNET50_FILTERS
        yield Cell(operation, "group lasso", "float32", on, tensors, axis=(0, 1, 2), targets=targets)


def constrained() -> Iterator[Cell]:
    """Yield the step with bounds on the weights beside the step without."""
    for rule in ("GradientDescent", "Adam"):
        for constraint in BOUNDS:
            targets = (NO_PEER_AHEAD, LIMIT, Target(f"fastreg: {rule} without constraint", at_most=1.03))
            yield Cell(
                "constrained", "L2", "float32", "ResNet-50", shapes.RESNET50, rule, constraint, targets=targets,
            )  # fmt: skip


def mixed(cores: int) -> Iterator[Cell]:
    """Yield AdamW with float32 weights, bfloat16 gradients and bfloat16 copies; and in two processes of a thread each."""
    targets = (Target("torch", at_most=0.65), LIMIT)
    interop = Target("fastreg", at_most=1.05, of="interop")
    for network in ("ResNet-50", "GPT-2 small"):
        tensors, quick = shapes.NETWORKS[network], network == "ResNet-50"
        yield Cell("mixed", "", "float32", network, tensors, "AdamW", quick=quick, targets=(*targets, interop))
    if cores > 1:
        yield Cell(
            "mixed", "", "float32", "ResNet-50", shapes.RESNET50, "AdamW", threads=1, processes=2, targets=targets,
        )  # fmt: skip


def steps() -> Iterator[Cell]:
    """Yield a whole NumPy training step: 784-1024-1024-10, batches of 128, its kernels regularized."""
    for threads in (None, 1):
        for rule, bound in ((None, 1.10), ("Adam", 1.12)):
            targets = [Target(f"fastreg: {ALONE}", at_most=bound), NO_PEER_AHEAD]
            if threads is None:
                targets.append(Target(f"fastreg: {ONE_THREAD}", at_most=1.0, form="step"))
            yield Cell(
                "step", "L2", "float32", "784-1024-1024-10", shapes.DIGITS_MLP, rule, threads=threads,
                quick=threads is None, targets=tuple(targets),
            )  # fmt: skip


def scaling(cores: int) -> Iterator[Cell]:
    """Yield the same at 1, 2, ... all cores but one; all cores stand in the tables above."""
    for threads in range(1, cores):
        for operation in ("value", "accumulated"):
            for size in (1e6, 2e7):
                yield Cell(operation, "L2", "float32", *tensor(size), threads=threads, targets=(NO_PEER_AHEAD, LIMIT))


def errors(size: float) -> Iterator[Cell]:
    """Yield cells that ask how far from the exact sum a penalty is."""
    for dtype in ("float32", "float64"):
        for penalty in ("L2", "L1"):
            yield Cell("error", penalty, dtype, *tensor(size), quick=(penalty, dtype) == ("L2", "float32"), targets=())


def all_cells(cores: int, error_size: float) -> list[Cell]:
    """Every cell, in the order of the report."""
    return [
        *values(), *gradients(), *collections(), *groups(), *updates(), *constrained(), *mixed(cores), *steps(),
        *scaling(cores), *errors(error_size),
    ]  # fmt: skip
