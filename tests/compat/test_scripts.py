"""Published kinds of scripts print what TensorFlow 1.15.5 printed, with their import line changed."""

from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))


def test_there_are_scripts():
    assert len(SCRIPTS) == 3


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_script(script, run_python):
    text = script.read_text()
    assert text.count("import tensorflow as tf\n") == 1
    done = run_python(text.replace("import tensorflow as tf\n", "import fastreg.compat.v1 as tf\n"))
    assert done.stdout == script.with_suffix(".out").read_text(), done.stderr
