"""What several test files share: processes of their own, and a number of threads that is put back."""

import gc
import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest
from interrupts import Interrupts

import fastreg as fr
from fastreg.launchers import VARIABLES

# Other processes use the fastreg that is tested here, and the modules that stand beside this one.
PATHS = [str(Path(fr.__file__).parents[1]), str(Path(__file__).parent)]
OWN_VARIABLES = ("FASTREG_ISA", "FASTREG_NUM_THREADS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_DYNAMIC", *VARIABLES)

# What a test asks for that has it run in one thread, where pytest-run-parallel runs the others in several at once, and why.
ONE_THREAD = {
    "graph": "its graph is the default one of the main thread alone",
    "sess": "its session is of the main thread's default graph",
    "caplog": "counts the messages of all threads",
    "num_threads": "sets the number of threads of the whole process",
}

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
def run_forks(run_python):
    """Run a program that may fork beside threads of fastreg, and return the lines that it prints."""

    def run(code, before="", used=True, **variables):
        """Run `before` ahead of fastreg's import. Where its threads are `used`, `expected` are the bits that came of it."""
        use = "expected = bits()\nassert others_work()\n" if used else ""
        program = before + "import sys\nfrom forked import *\n" + use + code
        done = run_python(program, timeout=600, **{"FASTREG_NUM_THREADS": "3"} | variables)  # a child has less, in forked.py
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    if not hasattr(os, "fork") or fr.get_config()["threading"] == "none":
        pytest.skip("no fork here, or a build without threads")
    return run


@pytest.fixture
def num_threads():
    """`set_num_threads`, put back at the end."""
    before = fr.get_num_threads()
    yield fr.set_num_threads
    fr.set_num_threads(before)


@pytest.fixture
def interrupts():
    """A handler of Unix's alarm that raises once, at a random moment of a call."""
    found = Interrupts()
    before = signal.signal(signal.SIGALRM, found.handle)
    gc.disable()  # an exception in a callback of the collector, such as hypothesis', would only be reported as ignored
    yield found
    gc.enable()
    signal.signal(signal.SIGALRM, before)


def pytest_collection_modifyitems(items):
    for item in items:
        asked_for = inspect.signature(item.function).parameters if isinstance(item, pytest.Function) else ()
        for reason in (ONE_THREAD[name] for name in asked_for if name in ONE_THREAD):
            item.add_marker(pytest.mark.thread_unsafe(reason=reason))


def pytest_configure(config):
    """A serial build warns of every number of threads above 1; its bits must be the same all the same."""
    if fr.get_config()["threading"] == "none":
        config.addinivalue_line("filterwarnings", "ignore:this build of fastreg has no OpenMP:RuntimeWarning")
