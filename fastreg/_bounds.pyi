from typing import Any

from numpy.typing import NDArray

def clamp(weights: Any, lower: float, upper: float, out: NDArray[Any] | None = None) -> NDArray[Any]: ...
