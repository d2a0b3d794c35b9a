"""The memory's own speed: ``limits.c``, compiled for this machine when it is first asked for."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FLAGS = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
LINE = 64


@cache
def library() -> ctypes.CDLL:
    """Return the compiled limits; an ImportError where there is no C compiler with OpenMP."""
    compiler = os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        raise ImportError(f"the limits need a C compiler, and {compiler!r} is not on the path")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "limits.so"
        source = Path(__file__).with_name("limits.c")
        built = subprocess.run([compiler, *FLAGS, str(source), "-o", str(path)], capture_output=True, text=True, check=False)
        if built.returncode:
            raise ImportError(f"the limits do not compile: {built.stderr.strip()}")
        return ctypes.CDLL(str(path))


STREAMS = (1, 2, 4)
"""In how many places a thread may read at once."""


def seconds_of_read(x: NDArray[np.generic], block: int, threads: int, streams: int, repeats: int) -> float:
    """Seconds for reading `x` so many times, in blocks of so many bytes, or in equal shares if that is 0."""
    run = library().limit_read
    run.restype = ctypes.c_double
    run.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_int, ctypes.c_int, ctypes.c_int]
    return float(run(x.ctypes.data, _whole_lines(x), block, threads, streams, repeats))


def seconds_of(
    kind: str, s: float, x: NDArray[np.generic], y: NDArray[np.generic], block: int, threads: int, repeats: int
) -> float:
    """Seconds for ``y += s*x`` (`kind` "axpy") or ``y = s*x`` ("scale", or "stream" past the cache), so many times."""
    run = getattr(library(), f"limit_{kind}_{x.dtype.name}")
    run.restype = ctypes.c_double
    scalar = ctypes.c_float if x.dtype == np.float32 else ctypes.c_double
    run.argtypes = [scalar, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_int, ctypes.c_int]
    return float(run(s, x.ctypes.data, y.ctypes.data, _whole_lines(x), block, threads, repeats))


def _whole_lines(x: NDArray[np.generic]) -> int:
    """Bytes of `x` in whole cache lines: the limits move nothing smaller, and need them aligned."""
    if x.ctypes.data % LINE:
        raise ValueError("the limits need arrays that start on a cache line")
    return x.nbytes // LINE * LINE
