"""TensorFlow 1's programs print what TensorFlow 1.15.5 printed, byte for byte."""

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


def test_the_tutorials_script_runs_with_one_line_changed(capsys):
    example = (Path(__file__).parents[1] / "examples" / "tutorial.py").read_text()
    assert example.count("import tensorflow") == 0 and "import fastreg.compat.v1 as tf\n" in example
    with tf.Graph().as_default():
        exec(compile(example, "tutorial.py", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert 'Tensor("conv/kernel/Regularizer/l2_regularizer:0", shape=(), dtype=float32)' in printed
    one, two = (float(line.rsplit(" ", 1)[1]) for line in printed.splitlines() if line.startswith("the loss"))
    assert one == pytest.approx(two, rel=1e-6)
