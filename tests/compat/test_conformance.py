"""TensorFlow 1's programs print what TensorFlow 1.15.5 printed, byte for byte."""

import ast
import contextlib
import io
import threading
from pathlib import Path

import pytest

import fastreg.compat.v1 as tf

PROGRAMS = sorted((Path(__file__).parent / "conformance").glob("*.py"))


def run(program):
    """Return what the program prints, in a thread: that has a default graph and sessions of its own."""
    out, failed = io.StringIO(), []

    def body():
        try:
            exec(compile(program.read_text(), str(program), "exec"), {"tf": tf, "__name__": "__main__"})
        except BaseException as error:
            failed.append(error)

    with contextlib.redirect_stdout(out):
        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
    if failed:
        raise failed[0]
    return out.getvalue()


def test_there_are_programs():
    assert len(PROGRAMS) >= 26


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_program(program):
    assert run(program) == program.with_suffix(".out").read_text()


def test_the_tutorials_script_runs_with_one_line_changed(tmp_path):
    """The example is the tutorial's program and one import, in place of TensorFlow's."""
    tutorial = PROGRAMS[0]
    example = (Path(__file__).parents[2] / "examples" / "tutorial.py").read_text()
    without_import = ast.parse(example.replace("import fastreg.compat.v1 as tf\n", "", 1))
    assert ast.dump(without_import) == ast.dump(ast.parse(tutorial.read_text()))
    copy = tmp_path / "tutorial.py"
    copy.write_text(example)
    assert run(copy) == tutorial.with_suffix(".out").read_text()
