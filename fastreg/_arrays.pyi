from typing import Any

from numpy.typing import NDArray

ROLES: tuple[str, ...]

def check_array(x: object, name: str, *, writeable: bool = False) -> NDArray[Any]: ...
def check_like(x: object, name: str, weights: NDArray[Any], of: str) -> NDArray[Any]: ...
