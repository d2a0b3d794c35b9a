"""Tensors as arrays over the same memory. What cannot be used in place is refused."""

from __future__ import annotations

import numpy as np
import torch

from fastreg.kernels import BFLOAT16
from fastreg.terms import Array

SIXTEEN = frozenset({torch.float16, torch.bfloat16})
FLOATS = frozenset({torch.float32, torch.float64, torch.float16})
PLAIN = (torch.nn.Parameter, torch.Tensor)


def local(x: torch.Tensor) -> torch.Tensor:
    """Return the part of a distributed tensor that this process holds, and any other tensor itself."""
    return x.to_local() if type(x) not in PLAIN and hasattr(x, "to_local") else x


def array_of(x: torch.Tensor, name: str, of: str = "") -> Array:
    """Return an array over the memory of a tensor; of a distributed one, over that of the local part.

    Parameters
    ----------
    x : Tensor
    name, of : str, optional
        What a message calls it: the name of the parameter, behind "gradient of ".

    Raises
    ------
    TypeError, ValueError
        If the loops cannot work on it in place.
    """
    try:
        if x.is_contiguous():
            return _view(local(x))
    except (RuntimeError, TypeError):  # it requires a gradient, or is refused
        pass
    x = local(x.detach())
    if x.layout is not torch.strided:
        raise TypeError(f"{of}{name!r} must be dense, got the layout {x.layout}; an embedding gives that with sparse=False")
    if not x.is_cpu:
        raise TypeError(f"{of}{name!r} must be in the CPU's memory, got a tensor on the device {x.device}")
    if x.dtype not in FLOATS | SIXTEEN:
        raise TypeError(f"{of}{name!r} must be of float32, float64, float16 or bfloat16, got {x.dtype}")
    if not x.is_contiguous():
        raise ValueError(
            f"{of}{name!r} must be contiguous, got the shape {tuple(x.shape)} with the strides {x.stride()}; "
            f"a tensor in channels_last is not"
        )
    return _view(x)


def _view(x: torch.Tensor) -> Array:
    """Return the array; NumPy itself has no bfloat16."""
    if x.dtype in FLOATS:
        array: Array = x.numpy()
    elif x.dtype is torch.bfloat16:
        array = x.view(torch.uint16).numpy().view(BFLOAT16)
    else:
        raise TypeError(f"no loop takes {x.dtype}")
    return array


def empty_like(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a tensor of float32 or float64 for the state of a dense parameter.

    Its memory is NumPy's, which asks for huge pages: a step over torch's own took 1.3 times as long where pages of 4 KB
    are the rule.
    """
    if type(x) not in PLAIN:
        return torch.empty_like(x, dtype=dtype)
    return torch.from_numpy(np.empty(tuple(x.shape), np.float32 if dtype is torch.float32 else np.float64))


def tensor_of(array: Array) -> torch.Tensor:
    """Return a tensor over the memory of an array that `array_of` could have given."""
    if array.dtype == np.uint16:  # BFLOAT16
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)
