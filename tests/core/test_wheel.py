"""What an installed wheel holds. FASTREG_TEST_WHEEL=1 says that it is one, as cibuildwheel and tests/slow/wheel.sh do."""

import ctypes
import json
import os
import platform
import sys
import zlib
from importlib import metadata
from pathlib import Path

import pytest

import fastreg as fr
from fastreg import _threads

pytestmark = pytest.mark.skipif(os.environ.get("FASTREG_TEST_WHEEL") != "1", reason="fastreg does not come from a wheel here")

PACKAGE = Path(fr.__file__).parent
ISAS = {"x86_64": ["x86-64-v4", "x86-64-v3", "x86-64"], "arm64": ["arm64"], "aarch64": ["arm64"]}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="auditwheel is for Linux")


def shipped():
    return [Path(path.locate()) for path in metadata.files("fastreg") if "__pycache__" not in path.parts]


def test_the_wheel_is_what_is_tested():
    assert PACKAGE.parent == Path(metadata.distribution("fastreg").locate_file(""))
    assert PACKAGE / "py.typed" in shipped()


@pytest.mark.skipif(sys.platform == "win32", reason="MSVC compiles the baseline alone")
def test_every_instruction_set_is_inside():
    assert fr.get_config()["isas"] == ISAS[platform.machine()]


def test_no_sources_are_inside():
    of_package = [path for path in shipped() if PACKAGE in path.parents]
    assert {path.suffix for path in of_package} <= {".py", ".pyi", ".typed", ".so", ".pyd"}


def test_no_debug_information_is_inside():
    for path in shipped():
        assert b".debug_info" not in path.read_bytes(), path


def test_nothing_large_is_inside():
    """The machine code of three instruction sets is 1.1 MB of the wheel's 2; with debug information it would be 8."""
    assert sum(len(zlib.compress(path.read_bytes())) for path in shipped()) < 2.5e6


@on_linux
def test_the_openmp_runtime_is_inside_and_not_the_distributions_old_one(run_python):
    (runtime,) = (PACKAGE.parent / "fastreg.libs").glob("libgomp*")
    # What OpenMP 5.1 brought, and GCC 12 has; the libgomp of AlmaLinux 8, on which manylinux_2_28 stands, is GCC 8's.
    assert hasattr(ctypes.CDLL(str(runtime)), "omp_display_env")
    code = (
        "import fastreg, json, threadpoolctl; print(json.dumps([each['filepath'] for each in threadpoolctl.threadpool_info()]))"
    )
    assert [path for path in json.loads(run_python(code).stdout) if "libgomp" in path] == [str(runtime)]


@pytest.mark.skipif(sys.platform != "darwin", reason="Linux and Windows have OpenMP")
def test_no_openmp_runtime_is_inside_on_macos():
    assert not [path for path in shipped() if path.suffix == ".dylib"]
    assert not _threads.has_openmp()
