"""Without memory a call raises MemoryError and changes nothing: each allocation of each public call fails once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from allocations import GROUPS

TESTS = Path(__file__).parents[1]
GROUP = pytest.mark.parametrize("group", GROUPS)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The library that lets C's allocations fail."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or compiler is None or os.confstr("CS_GNU_LIBC_VERSION") is None:
        pytest.skip("allocations of C are failed by a library that is preloaded, on Linux with glibc and a compiler")
    path = tmp_path_factory.mktemp("library") / "failing_allocations.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", path, TESTS / "failing_allocations.c", "-ldl"], check=True)
    return str(path)


def check(run_python, kind, group, **variables):
    """Every call of a group has failed at least once, and has changed nothing."""
    code = f"import sys; sys.argv[1:] = {[kind, group]}; import allocations; allocations.main()"
    done = run_python(code, timeout=600, **variables)
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return [int(line.rpartition(": ")[2]) for line in done.stdout.splitlines()]


@GROUP
def test_without_pythons_memory_a_call_changes_nothing(run_python, group):
    pytest.importorskip("_testcapi")
    failed = check(run_python, "python", group)
    assert max(failed) > 0 and sum(failed) >= 2 * len(failed)


@GROUP
def test_without_cs_memory_a_call_changes_nothing(run_python, library, group):
    failed = check(run_python, "c", group, LD_PRELOAD=library)
    assert sum(failed) > 0


def test_a_process_that_gets_too_few_threads_computes_the_same(run_python, library):
    code = """
import ctypes
import numpy as np, fastreg as fr
library = ctypes.CDLL(None)
w = np.random.default_rng(0).standard_normal(1 << 18).astype(np.float32)
l2 = fr.l2_regularizer(0.5)
fr.set_num_threads(1)
alone = l2.value_and_gradient(w)
fr.set_num_threads(4)
library.arm_threads(ctypes.c_long(GIVEN), ctypes.c_long(1 << 30))
for _ in range(20):
    shared = l2.value_and_gradient(w)
library.disarm()
print(alone[0] == shared[0] and alone[1].tobytes() == shared[1].tobytes())
"""
    for given in range(4):  # one that asks, and three on trial; OpenMP asks for its own only if these are given
        done = run_python(code.replace("GIVEN", repr(given)), LD_PRELOAD=library)
        assert (done.returncode, done.stdout.split()) == (0, ["True"]), (given, done.stderr)
