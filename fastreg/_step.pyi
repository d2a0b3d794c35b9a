from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from fastreg._collection import Term

class Traits(NamedTuple):
    operation: int
    n_slots: int
    takes_l1: bool
    takes_prox: bool

RULES: dict[str, Traits]

class Entry:
    slots: tuple[NDArray[Any], ...]
    rate: float
    decay: float
    l2: float
    gradient: NDArray[Any]
    prox: Any
    constraint: Any
    bounds: tuple[float, float] | None
    rescaling: tuple[float, float, float, tuple[int, ...]] | None
    scale: float
    clears: bool
    copy: Any
    key: int | None
    def __init__(
        self, name: str, weights: Any, gradient: Any, rows: NDArray[np.int64] | None = None, given: NDArray[Any] | None = None
    ) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def weights(self) -> NDArray[Any]: ...
    @property
    def rows(self) -> NDArray[np.int64] | None: ...
    @property
    def given(self) -> NDArray[Any]: ...

def commit_all(steps: list[Step], news: list[tuple[dict[str, Any], dict[str, Any]]], counts: list[memoryview]) -> np.float64: ...
def write_together(
    targets: list[NDArray[Any]], sources: list[NDArray[Any]], attributes: dict[str, Any], changes: dict[str, Any], undo: list[Any]
) -> None: ...
def memory_of(x: object) -> object: ...
def owners_of(entries: list[Entry], terms: Sequence[Term]) -> list[int]: ...
def check_gradient(x: Any, name: str) -> NDArray[Any]: ...
def scaled_gradient(entry: Entry) -> NDArray[Any]: ...
def wide_weights(entry: Entry) -> NDArray[Any]: ...
def rounding_key(seed: int, step: int, name: str) -> int: ...

class State:
    iterations: int
    slots: dict[str, tuple[NDArray[Any], ...]]
    @property
    def placed(self) -> dict[str, NDArray[Any]]: ...
    @property
    def streamed(self) -> StreamedStep | None: ...
    def __init__(
        self,
        iterations: int = 0,
        slots: dict[str, tuple[NDArray[Any], ...]] | None = None,
        placed: dict[str, NDArray[Any]] | None = None,
    ) -> None: ...

class StreamedStep:
    def __init__(
        self,
        state: State,
        lock: AbstractContextManager[Any],
        norm: float | None,
        clip_norm: float | None,
        done: Callable[[], None],
    ) -> None: ...
    @property
    def norm(self) -> float | None: ...
    @property
    def clip_norm(self) -> float | None: ...
    @property
    def stepped(self) -> set[str]: ...
    @property
    def thread(self) -> int: ...
    def __enter__(self) -> None: ...
    def __exit__(self, kind: object, error: object, traceback: object) -> None: ...

class Step:
    def __init__(
        self,
        rule: str,
        constants: dict[str, float],
        entries: list[Entry],
        terms: Sequence[Term],
        clip_norm: float | None = None,
        check_finite: bool = False,
        title: str | None = None,
        norm: float | None = None,
    ) -> None: ...
    def norm(self) -> np.float64: ...
    def preview(self, i: int, whole: bool = False) -> NDArray[Any]: ...
    def assign(self, i: int, values: NDArray[Any]) -> None: ...
    @overload
    def commit(
        self, state: State, placed: dict[str, NDArray[Any]], values: list[float] | None = None, per_term: Literal[False] = False
    ) -> np.float64: ...
    @overload
    def commit(
        self, state: State, placed: dict[str, NDArray[Any]], values: list[float] | None, per_term: bool
    ) -> np.float64 | tuple[np.float64, dict[str, float]]: ...
