"""What a contender is: a library, in a process of its own, that offers forms of one computation."""

from __future__ import annotations

import timeit
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cells import ALONE, Cell
from numpy.typing import NDArray
from problem import Problem

Array = NDArray[Any]


@dataclass
class Form:
    """One way in which a library does what a cell asks.

    Parameters
    ----------
    label : str
        What the report calls it: the code itself where that is short.
    statement : str
        The expression that is timed, with nothing around it: at 64 elements a wrapper would cost as much as the work.
    names : mapping
        The names in it.
    value : callable, optional
        The penalty as a float, from the expression's result; left out, the form computes none.
    arrays : callable, optional
        The arrays that it wrote, as NumPy arrays.
    fresh : callable, optional
        Puts its own state back to the start; the problem's arrays are put back anyway.
    anchor : bool
        It does other work than the cell asks, and serves only as the other side of a ratio.
    seconds : callable, optional
        Its own clock, in place of the expression's: seconds of so many runs.
    factor : float
        Its time counts so many times: a limit measured on fewer streams than the cell moves.
    around : callable, optional
        A context in which its turns run.
    """

    label: str
    statement: str = "run()"
    names: Mapping[str, Any] = field(default_factory=dict)
    value: Callable[[Any], float] | None = None
    arrays: Callable[[], Sequence[Array]] | None = None
    fresh: Callable[[], None] = lambda: None
    anchor: bool = False
    seconds: Callable[[int], float] | None = None
    factor: float = 1.0
    around: Callable[[], AbstractContextManager[Any]] = nullcontext

    def run(self) -> Any:
        """Return the expression's result."""
        return eval(self.statement, dict(self.names))

    def clock(self) -> Callable[[int], float]:
        """Seconds of so many runs, as a function."""
        return self.seconds or timeit.Timer(self.statement, globals=dict(self.names)).timeit


class Contender(ABC):
    """A library with its threads pinned. What it can do of the cells is its methods (``Cell.method`` names them).

    Parameters
    ----------
    threads : int
        Threads that it may use.

    Raises
    ------
    ImportError
        If the library is not installed.
    """

    name: ClassVar[str]
    numpy_arrays: ClassVar[bool] = True
    """Whether it works in place on NumPy's arrays, and so can be a part of a NumPy training step."""
    anchors: ClassVar[bool] = False
    """Whether it shows what a training step costs without it."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    @property
    @abstractmethod
    def version(self) -> str:
        """What the report calls it."""

    @staticmethod
    def environment(threads: int) -> dict[str, str]:
        """Variables that must be set before its process starts, beyond those of every process."""
        return {}

    def forms(self, problem: Problem) -> list[Form]:
        """Its forms of what the cell asks; none if it cannot."""
        return self._forms_of(problem.cell.method, problem)

    def error(self, problem: Problem) -> list[Form]:
        """Offer the forms of "value", which show the error too."""
        return self._forms_of("value", problem)

    def step(self, problem: Problem) -> list[Form]:
        """Offer a training step in NumPy, and within it this library's part."""
        if not self.numpy_arrays or problem.network is None:
            return []
        inner = self._forms_of("update" if problem.cell.rule else "accumulated", problem)
        alone = problem.network.forward_backward
        whole = [self._after(alone, form) for form in inner if not form.anchor]
        return whole + ([Form(ALONE, "alone()", {"alone": alone}, anchor=True)] if self.anchors and whole else [])

    @staticmethod
    def _after(alone: Callable[[], float], form: Form) -> Form:
        names = {**form.names, "forward_backward": alone}
        statement = f"(forward_backward(), {form.statement})[1]"
        return Form(form.label, statement, names, form.value, form.arrays, form.fresh, around=form.around)

    def _forms_of(self, operation: str, problem: Problem) -> list[Form]:
        found = getattr(self, operation, None)
        return [] if found is None else list(found(problem))

    def release(self) -> None:  # noqa: B027 - most have nothing to forget
        """Forget what was compiled or cached for the last cell."""


def penalized(problem: Problem) -> tuple[list[Array], list[Array]]:
    """Weights and gradients of the tensors that the penalty covers."""
    chosen = [index for index, covered in enumerate(problem.penalized) if covered]
    return [problem.weights[i] for i in chosen], [problem.gradients[i] for i in chosen] if problem.gradients else []


def matrices(cell: Cell, arrays: Sequence[Array]) -> tuple[list[Array], int]:
    """Return arrays as matrices, and the axis of these along which a group's members lie."""
    return [array.reshape(-1, array.shape[-1]) for array in arrays], 0 if cell.leading else 1


def decay(problem: Problem) -> list[float]:
    """l2 of each tensor: 0 for those that the penalty does not cover."""
    return [problem.cell.coefficients[1] if covered else 0.0 for covered in problem.penalized]


__all__ = ["Array", "Cell", "Contender", "Form", "Problem", "decay", "matrices", "penalized"]
