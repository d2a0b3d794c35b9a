from typing import Any

import numpy as np
from numpy.typing import NDArray

def merge_rows(values: Any, indices: Any, weights: Any, name: str) -> tuple[NDArray[np.int64], NDArray[Any]]: ...
