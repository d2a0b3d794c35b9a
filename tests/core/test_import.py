"""What `import fastreg` loads beside NumPy: the package, and a few modules of the standard library."""

import json

import pytest

# What fastreg imports itself and NumPy does not, with what these import. A module stands here because it is small, or because no
# program goes far without it.
STANDARD = [
    "atexit",
    "bisect",
    "copy",
    "dataclasses",
    "difflib",
    "fnmatch",
    "importlib.util",
    "json",
    "logging",
    "threading",
]
LATER = ["importlib.metadata", "hashlib", "html", "email", "socket", "asyncio", "multiprocessing", "subprocess", "unittest"]


def loaded(run_python, before, after):
    """The modules that the second statement loads after the first, as a process of its own tells."""
    code = f"{before}\nimport sys, json\nbefore = set(sys.modules)\n{after}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_is_imported_but_numpy_and_a_few_standard_modules(run_python):
    names = loaded(run_python, f"import numpy, numpy.typing, {', '.join(STANDARD)}", "import fastreg")
    assert "fastreg.optim.rules" in names
    of_cython = {"cython_runtime", *(name for name in names if name.startswith("_cython_"))}
    assert {name for name in names if name.partition(".")[0] != "fastreg"} <= {"__future__", *of_cython}


@pytest.mark.parametrize("name", LATER)
def test_what_few_programs_need_is_imported_when_they_do(run_python, name):
    if name in loaded(run_python, "", "import numpy, numpy.typing"):
        pytest.skip("NumPy imports it")
    assert name not in loaded(run_python, "", "import fastreg")


def test_other_faces_are_imported_by_name(run_python):
    names = loaded(run_python, "", "import fastreg")
    assert not [name for name in names if name.startswith(("fastreg.compat", "fastreg.interop"))]
