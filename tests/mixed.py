"""float16 and bfloat16 in NumPy, which has no bfloat16: its bits are kept in uint16, by a dtype that fastreg knows."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
BFLOAT16 = np.dtype(np.uint16, metadata={"fastreg": "bfloat16"})
FORMATS = {"float16": np.dtype(np.float16), "bfloat16": BFLOAT16}


def narrow(x: Array, sixteen: str) -> Array:
    """Round float32 or float64 to the nearest of 16 bits, and to the even one of two."""
    with np.errstate(over="ignore"):
        if sixteen == "float16":
            return np.asarray(x.astype(np.float16))
        bits = _shorten(x).view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.asarray(np.where(np.isnan(x), bits >> 16 | 0x40, rounded).astype(np.uint16)).view(BFLOAT16)


def widen(x: Array, dtype: DTypeLike) -> Array:
    """Return 16 bits as float32 or float64, exactly."""
    if x.dtype == np.float16:
        return np.asarray(x.astype(dtype))
    return np.asarray(np.asarray(x.view(np.uint16).astype(np.uint32)) << 16).view(np.float32).astype(dtype)


def _shorten(x: Array) -> Array:
    """Cut off to float32, with an odd last bit where something was cut off: a second rounding is then as the only one."""
    nearest = np.asarray(x.astype(np.float32))
    truncated = np.where(np.abs(nearest.astype(x.dtype)) > np.abs(x), np.nextafter(nearest, np.float32(0)), nearest)
    return (truncated.view(np.uint32) | (truncated.astype(x.dtype) != x)).astype(np.uint32).view(np.float32)
