"""What a cell computes on, and what is right: the arrays, a float64 reference, the exact sum.

Every process makes the same arrays from the same seed, so that the contenders can live apart and still be held to one
result: a wrong kernel must not win.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from cells import BOUNDS, Cell
from network import Network
from numpy.typing import NDArray
from reference import Between, Elastic, Groups, Linear, Mcp, Penalty, Rescaled, at_most
from rules import RULES

Array = NDArray[Any]
LINE = 64
HUGE_PAGE = 1 << 21
PROX_STEP = 10.0
GROUP_SCALE = 1.0
MCP_SCALE, MCP_GAMMA = 0.05, 30.0
MAX_NORM = 32.0
CHUNK = 1 << 20


def allocate(shapes: Iterable[tuple[int, ...]], dtype: str) -> list[Array]:
    """Return uninitialized arrays in one piece of memory, each from a cache line on, so that luck favours nobody.

    The memory is of huge pages where the system has them: which small pages share the sets of a cache is decided anew by
    each allocation, and moved the read limit of 4 MB on 4 cores, as much as their L2 holds, from 12 to 21 us.
    """
    shapes = list(shapes)
    sizes = [math.prod(shape) * np.dtype(dtype).itemsize for shape in shapes]
    memory = mmap.mmap(-1, sum(size + LINE for size in sizes) + HUGE_PAGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    raw = np.frombuffer(memory, np.uint8)
    start = -raw.ctypes.data % HUGE_PAGE
    arrays = []
    for shape, size in zip(shapes, sizes, strict=True):
        arrays.append(raw[start : start + size].view(dtype).reshape(shape))
        start += size + -size % LINE
    return arrays


def aligned(shape: tuple[int, ...], dtype: str) -> Array:
    """Return one such array."""
    return allocate([shape], dtype)[0]


class Problem:
    """The arrays of one cell, in one process.

    Parameters
    ----------
    cell : Cell
        What is measured.

    Attributes
    ----------
    weights : list of ndarray
        The parameters, standard normal.
    gradients : list of ndarray
        What receives a gradient or a proximal point, or what an update rule is given: in a mixed update bfloat16 as uint16.
    copies : list of ndarray
        In a mixed update what receives the new weights, bfloat16 as uint16.
    penalized : list of bool
        Which tensors the penalty covers: all, but in a training step the kernels alone.
    network : Network or None
        Forward and backward pass over `weights`, in a training step.
    """

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        shapes = cell.shapes.values()
        self.weights = allocate(shapes, cell.dtype)
        self.gradients: list[Array] = []
        self.copies: list[Array] = []
        if cell.operation == "mixed":
            self.gradients, self.copies = allocate(shapes, "uint16"), allocate(shapes, "uint16")
        elif cell.operation not in ("value", "error", "project"):
            self.gradients = allocate(shapes, cell.dtype)
        self.penalized = [cell.operation != "step" or name.endswith("kernel") for name in cell.shapes]
        self.network: Network | None = None
        self._slots: list[dict[str, Array]] = []
        self._projections = 0
        self.fresh()
        if cell.operation == "step":
            self.network = Network(self.weights, self.gradients)
            self.network.forward_backward()
            self._first_gradients = [g.copy() for g in self.gradients]

    def slots(self) -> list[dict[str, Array]]:
        """Return the rule's slots, one dict per tensor; ``fresh`` puts these back too."""
        assert self.cell.rule is not None
        names = RULES[self.cell.rule].slots
        if not self._slots:
            arrays = {name: allocate([w.shape for w in self.weights], self.cell.dtype) for name in names}
            self._slots = [{name: arrays[name][index] for name in names} for index in range(len(self.weights))]
            self._fill_slots()
        return self._slots

    def _fill_slots(self) -> None:
        for slots in self._slots:
            for name, array in slots.items():
                array[...] = RULES[self.cell.rule or ""].slots[name]

    def fresh(self) -> None:
        """Put the arrays back to the start; this also touches every page before anything is timed."""
        self._projections = 0
        for index, w in enumerate(self.weights):
            self._fill(index, w, self.gradients[index] if self.gradients else None)
        for copy, w in zip(self.copies, self.weights, strict=False):
            copy[...] = rounded(w)
        self._fill_slots()

    def limit(self) -> float:
        """Return a limit on norms a little below the last one, so that every projection in place has all vectors to shorten."""
        self._projections += 1
        return MAX_NORM * 0.9999**self._projections

    def _fill(self, index: int, w: Array, g: Array | None) -> None:
        np.random.default_rng([11, index]).standard_normal(out=w, dtype=w.dtype)
        if self.cell.operation == "step":
            w *= w.dtype.type(0.03)
        if self.cell.operation == "mixed":  # in which bfloat16 holds the first weights and the gradients exactly
            w[...] = widened(rounded(w))
        if g is None:
            return
        if self.network is not None:
            g[...] = self._first_gradients[index]
        elif self.cell.operation in ("update", "constrained"):
            np.random.default_rng([13, index]).standard_normal(out=g, dtype=g.dtype)
        elif self.cell.operation == "mixed":
            given = rounded(np.random.default_rng([13, index]).standard_normal(g.shape, np.float32))
            g[...] = given if g.dtype == np.uint16 else widened(given)
        else:
            g[...] = 0.5

    def complaint(self, value: float | None, arrays: Sequence[Array] | None) -> str | None:
        """Return what is wrong with the result of one run from a fresh start, if anything.

        Losses may differ by the rounding of a float32 sum, arrays by single roundings; an update may differ by a
        thousandth of its mean length, since Adam's first step has the length of the learning rate whatever the gradient.
        """
        if arrays is not None and len(arrays) != len(self.weights):
            return f"it gives {len(arrays)} arrays, not {len(self.weights)}"
        right_value = off = size = 0.0
        for index in range(len(self.weights)):
            w = np.empty_like(self.weights[index])
            g = np.empty_like(w)
            self._fill(index, w, g)
            if value is not None and self.penalized[index]:
                right_value += self._expected_value(w)
            if arrays is not None:
                pieces: Iterable[tuple[Array, Array, Array]] = [(w.astype(np.float64), g.astype(np.float64), arrays[index])]
                if self.cell.rule:  # element by element
                    pieces = zip(_chunks(w), _chunks(g), _chunks(arrays[index]), strict=True)
                for first, given, found in pieces:
                    before, after = self._expected(index, first, given)
                    off += float(np.abs(found.reshape(after.shape) - after).sum())
                    size += float(np.abs(after - before).sum())
        if value is not None and not math.isclose(value, right_value, rel_tol=5e-3 if w.dtype == np.float32 else 1e-9):
            return f"its value is {value!r}, not {right_value!r}"
        if not off <= (1e-3 if self.cell.rule else 1e-5) * size:
            return f"its arrays are off by {off / size:.1e} of what the operation changes"
        if arrays is not None and not all(map(np.array_equal, self.copies, map(rounded, arrays))):
            return "its copies are not its weights, rounded"
        return None

    def _expected_value(self, w: Array) -> float:
        """One tensor's penalty."""
        penalty = _penalty(self.cell)
        parts = _chunks(w) if isinstance(penalty, Elastic) else [w]
        return sum(float(penalty.value64(part)) for part in parts)

    def _expected(self, index: int, w: Array, g: Array) -> tuple[Array, Array]:
        """One tensor before and after."""
        cell = self.cell
        if cell.operation == "project":
            return w, Rescaled(cell.axis, at_most(MAX_NORM * 0.9999))(w)
        penalty = _penalty(cell) if self.penalized[index] else Elastic()
        if cell.operation == "prox":
            return w, penalty.prox(w, PROX_STEP)
        if cell.rule is None:
            return (np.zeros_like(w), penalty.gradient(w)) if cell.operation == "written" else (g, penalty.gradient(w, g))
        assert isinstance(penalty, Elastic)
        after = RULES[cell.rule].first_step(w, g, penalty)
        return w, Between(*BOUNDS[cell.constraint])(after) if cell.constraint else after


def rounded(x: Array) -> Array:
    """Return finite float32 as bfloat16, its bits as uint16: to the nearest, of two to the even one."""
    bits = x.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + (bits >> 16 & np.uint32(1))) >> 16).astype(np.uint16)


def widened(x: Array) -> Array:
    """Return bfloat16, given as uint16, as float32."""
    return (x.astype(np.uint32) << 16).view(np.float32)


def _penalty(cell: Cell) -> Penalty:
    """Return the twin of the cell's penalty."""
    if cell.penalty == "group lasso":
        return Groups(Linear(GROUP_SCALE), cell.axis)
    return Mcp(MCP_SCALE, MCP_GAMMA) if cell.penalty == "MCP" else Elastic(*cell.coefficients)


def _chunks(w: Array) -> Iterator[Array]:
    flat = w.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        yield flat[start : start + CHUNK].astype(np.float64)


def exact_value(cell: Cell) -> float:
    """Return the exact penalty of an "error" cell, rounded once to float64."""
    w = Problem(cell).weights[0]
    if cell.penalty == "L1":
        return math.fsum(chain.from_iterable(np.abs(part).tolist() for part in _chunks(w)))
    return math.fsum(chain.from_iterable(_exact_squares(part) for part in _chunks(w)))


def _exact_squares(x: Array) -> Iterator[float]:
    """Squares as float64 terms that are exact together: the rounded product and what rounding lost (Dekker 1971)."""
    square = x * x
    head = x * 134217729.0
    head -= head - x
    tail = x - head
    lost = ((head * head - square) + 2 * head * tail) + tail * tail
    return chain(square.tolist(), lost.tolist())


def errors_in_ulp(value: float, right: float, dtype: str) -> float:
    """Distance from the exact penalty in units of the last place of the weights' dtype."""
    return float(abs(value - right) / np.spacing(np.dtype(dtype).type(right)))
