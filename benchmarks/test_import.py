"""What `import fastreg` costs on top of NumPy.

    pytest benchmarks/test_import.py

Each round is a fresh interpreter that imports NumPy first. Bytecode is there already. The shortest round counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import fastreg as fr

LIMIT_MS = 40.0
CODE = """
import time
before = time.perf_counter()
import numpy, numpy.typing
between = time.perf_counter()
{}
print(between - before, time.perf_counter() - between)
"""


@pytest.fixture
def seconds(tmp_path: Path) -> Callable[[str], list[float]]:
    """Return a function that tells how long NumPy and then a statement took in a fresh interpreter."""
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONPATH": str(Path(fr.__file__).parents[1])}

    def seconds(statement: str) -> list[float]:
        command = [sys.executable, "-c", CODE.format(statement)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return [float(word) for word in done.stdout.split()]

    return seconds


@pytest.mark.benchmark(min_rounds=20, warmup=False)
@pytest.mark.parametrize("statement", ["import fastreg", "import fastreg.compat.v1"])
def test_import(benchmark: BenchmarkFixture, seconds: Callable[[str], list[float]], statement: str) -> None:
    """The benchmark's own times are those of a whole interpreter; what counts is in its extra information."""
    seconds(statement)  # writes the bytecode
    rounds: list[list[float]] = []
    benchmark(lambda: rounds.append(seconds(statement)))
    numpy_ms, fastreg_ms = (1e3 * min(column) for column in zip(*rounds, strict=True))
    benchmark.extra_info.update(numpy_ms=numpy_ms, fastreg_ms=fastreg_ms, ratio=fastreg_ms / numpy_ms)
    print(f"{statement}: {fastreg_ms:.1f} ms on top of NumPy's {numpy_ms:.1f} ms")
    if statement == "import fastreg":
        assert fastreg_ms <= LIMIT_MS
