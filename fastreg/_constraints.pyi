from typing import Any

from numpy.typing import NDArray

def clamp(weights: Any, lower: float, upper: float, out: NDArray[Any] | None = None) -> NDArray[Any]: ...
def rescale(
    weights: Any, limits: tuple[float, float, float, tuple[int, ...]], out: NDArray[Any] | None = None
) -> NDArray[Any]: ...
