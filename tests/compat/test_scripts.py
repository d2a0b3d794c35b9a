"""Published kinds of scripts print what TensorFlow 1.15.5 printed: with their imports changed, and as they are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastreg

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))


ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(fastreg.__file__).parents[1])}


def test_there_are_scripts():
    assert len(SCRIPTS) == 6


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_script(script, run_python):
    text, changed = re.subn(r"^(import|from) tensorflow\b", r"\1 fastreg.compat.v1", script.read_text(), flags=re.MULTILINE)
    assert changed == text.count("fastreg.compat.v1") > 0
    done = run_python(text)
    assert done.stdout == script.with_suffix(".out").read_text(), done.stderr


def run_unedited(script, *arguments):
    command = [sys.executable, "-m", "fastreg.compat.v1", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=60)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_script_as_it_is(script):
    done = run_unedited(script)
    assert done.stdout == script.with_suffix(".out").read_text(), done.stderr


def test_every_form_of_import(tmp_path):
    """A neighbour of the script is found, arguments are the script's, and what is outside says so."""
    (tmp_path / "neighbour.py").write_text("from tensorflow.contrib.layers import l2_regularizer\n")
    script = tmp_path / "script.py"
    script.write_text("""
import sys
import tensorflow as tf
import tensorflow.compat.v1 as tf1
import tensorflow.contrib.slim as slim
import tensorflow.contrib.layers
from tensorflow.contrib import layers, slim as other
from tensorflow.contrib.framework import arg_scope
from tensorflow.contrib.slim.losses import softmax_cross_entropy
from tensorflow.layers import batch_normalization
from neighbour import l2_regularizer
print(tf is tf1, slim is other is tf.contrib.slim, layers is tensorflow.contrib.layers, arg_scope is slim.arg_scope)
print(softmax_cross_entropy is slim.losses.softmax_cross_entropy, batch_normalization is tf.layers.batch_normalization)
print(l2_regularizer is slim.l2_regularizer, sys.argv[1:], __name__, __file__ == sys.argv[0])
for module in ("keras.layers", "examples.tutorials.mnist", "contrib.rnn"):
    try:
        __import__("tensorflow." + module)
    except ModuleNotFoundError as error:
        print(error)
""")
    done = run_unedited(script, "--flag", "x")
    assert done.stdout.splitlines() == [
        "True True True True",
        "True True",
        "True ['--flag', 'x'] __main__ True",
        "tensorflow.keras has no attribute 'layers': write the layer with tf.layers, or in NumPy over fastreg itself",
        "tensorflow has no attribute 'examples': load the data by a package of its own, or by NumPy, and feed it",
        "tensorflow.contrib has no attribute 'rnn': what regularization needs is here, see docs/porting.md; compute the rest in "
        "NumPy and feed it",
    ], done.stderr


def test_imports_of_submodules(run_python):
    done = run_python("""
import fastreg.compat.v1.contrib.slim as slim
from fastreg.compat.v1.contrib.layers import l2_regularizer
from fastreg.compat.v1.layers import batch_normalization
from fastreg.compat.v1.python.framework import ops
from fastreg.compat.v1.python.platform import gfile
import fastreg.compat.v1.compat.v1 as tf1
import fastreg.compat.v1 as tf
print(slim is tf.contrib.slim, l2_regularizer is slim.l2_regularizer, batch_normalization is tf.layers.batch_normalization)
print(ops.reset_default_graph is tf.reset_default_graph, gfile is tf.gfile, tf1 is tf)
""")
    assert done.stdout == "True True True\n" * 2, done.stderr


def test_without_a_script():
    done = subprocess.run(
        [sys.executable, "-m", "fastreg.compat.v1"], capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 1 and done.stderr == "usage: python -m fastreg.compat.v1 script.py [argument ...]\n"
