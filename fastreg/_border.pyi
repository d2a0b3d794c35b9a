from typing import Any

import numpy as np
from numpy.typing import NDArray

ROLES: tuple[str, ...]

class Penalty:
    @property
    def coefficients(self) -> tuple[float, float]: ...
    def _set(self, l1: float, l2: float, parts: tuple[Penalty, ...] = ()) -> None: ...
    def __call__(self, weights: Any) -> np.floating[Any]: ...
    def gradient(self, weights: Any, out: NDArray[Any] | None = None, accumulate: bool = False) -> NDArray[Any]: ...
    def value_and_gradient(
        self, weights: Any, out: NDArray[Any] | None = None, accumulate: bool = False
    ) -> tuple[np.floating[Any], NDArray[Any]]: ...
    def prox(self, weights: Any, step: float, out: NDArray[Any] | None = None) -> NDArray[Any]: ...

def cpu_isas() -> tuple[str, ...]: ...
def install(capsule: object) -> None: ...
def check_array(x: object, name: str, *, writeable: bool = False) -> NDArray[Any]: ...
def l2_loss(weights: Any) -> np.floating[Any]: ...
def evaluate(
    arrays: list[NDArray[Any]],
    penalties: list[Penalty],
    names: list[str],
    outs: list[NDArray[Any]] | None = None,
    accumulate: bool = False,
) -> np.float64: ...
def update(
    operation: str,
    parameters: dict[str, Any],
    names: list[str],
    weights: list[Any],
    gradients: list[Any],
    rows: list[NDArray[np.int64] | None],
    slots: list[tuple[NDArray[Any], ...]],
    decays: list[float],
    penalties: list[Penalty],
    owners: list[int],
    clip_norm: float | None = None,
    check_finite: bool = False,
) -> np.float64: ...
