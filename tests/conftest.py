"""What several test files share: processes of their own, and a number of threads that is put back."""

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

import fastreg as fr
from fastreg.launchers import VARIABLES

# Other processes use the fastreg that is tested here, and the modules that stand beside this one.
PATHS = [str(Path(fr.__file__).parents[1]), str(Path(__file__).parent)]
OWN_VARIABLES = ("FASTREG_ISA", "FASTREG_NUM_THREADS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_DYNAMIC", *VARIABLES)

hypothesis.settings.register_profile("fastreg", deadline=None, database=None, derandomize=True, max_examples=60)
hypothesis.settings.register_profile("thorough", deadline=None, database=None, print_blob=True, max_examples=1000)
hypothesis.settings.load_profile("fastreg")


@pytest.fixture
def run_python():
    """Run code in a process of its own: `run_python("print(1)", OMP_NUM_THREADS="2").stdout`. A hang fails."""

    def run(code, timeout=60, **variables):
        environment = {key: text for key, text in os.environ.items() if key not in OWN_VARIABLES}
        environment["PYTHONPATH"] = os.pathsep.join([*PATHS, *filter(None, [environment.get("PYTHONPATH")])])
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment | variables, timeout=timeout, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def num_threads():
    """`set_num_threads`, put back at the end."""
    before = fr.get_num_threads()
    yield fr.set_num_threads
    fr.set_num_threads(before)


def pytest_configure(config):
    """A serial build warns of every number of threads above 1; its bits must be the same all the same."""
    if not fr.get_config()["openmp"]:
        config.addinivalue_line("filterwarnings", "ignore:this build of fastreg has no OpenMP:RuntimeWarning")
