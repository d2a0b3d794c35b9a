"""TensorFlow 1's names with wrong arguments: TypeError, ValueError or an error of TensorFlow's, never one of Python's inside.

The valid call of each name is guessed from the names of its parameters. What cannot be guessed is left to the programs of the
conformance tests. As in TensorFlow, a call that fails may leave operations, and layers their variables, in the graph.
"""

import inspect

import numpy as np
import pytest
from public_calls import WRONG, World

import fastreg.compat.v1 as tf

FACES = {"tf": tf, "tf.train": tf.train, "tf.layers": tf.layers, "tf.losses": tf.losses, "tf.nn": tf.nn}
FACES |= {"tf.keras.regularizers": tf.keras.regularizers, "tf.keras.constraints": tf.keras.constraints}
FACES |= {f"tf.contrib.{name}": getattr(tf.contrib, name) for name in ("layers", "slim", "framework")}
TENSORS = (
    "x", "y", "a", "b", "t", "input", "tensor", "inputs", "value", "features", "labels", "logits", "predictions", "input_tensor",
    "images", "weights", "data",
)  # fmt: skip
GUESSES = {
    **dict.fromkeys(TENSORS, lambda: tf.constant(np.ones((3, 3), np.float32))),
    **dict.fromkeys(("values", "tensors", "t_list"), lambda: [tf.constant(np.ones((3, 3), np.float32))] * 2),
    **dict.fromkeys(("name", "scope"), lambda: "n"),
    **dict.fromkeys(("axis", "dim"), lambda: 0),
    **dict.fromkeys(("shape", "dims"), lambda: [3, 3]),
    **dict.fromkeys(("units", "num_outputs", "depth", "num_or_size_splits", "filters"), lambda: 3),
    **dict.fromkeys(("scale", "learning_rate", "factor", "l", "rate", "momentum", "decay", "clip_norm"), lambda: 0.5),
    **dict.fromkeys(("ksize", "strides", "kernel_size", "pool_size"), lambda: 2),
    "clip_value_min": lambda: -0.5,
    "clip_value_max": lambda: 0.5,
    "dtype": lambda: tf.float32,
    "regularizer": lambda: tf.contrib.layers.l2_regularizer(0.5),
}
KINDS = (
    "None", "text", "bytes", "object", "empty list", "list", "dict", "nan", "inf", "-1", "3", "2**70", "10**400", "class",
    "regularizer", "no elements", "0-d", "objects", "structs", "masked", "complex numbers", "another shape",
)  # fmt: skip


def guessed(function):
    """Return arguments that a function takes."""
    taken = inspect.signature(function).parameters.values()
    needed = [p.name for p in taken if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {name: GUESSES[name.lower()]() for name in needed}


def valid():
    """Return the functions and classes whose guessed arguments are valid."""
    found = {}
    for face, module in FACES.items():
        for name in dir(module):
            function = getattr(module, name)
            if name.startswith("_") or not callable(function):
                continue
            try:
                with tf.Graph().as_default():
                    function(**guessed(function))
            except Exception:  # another call is needed
                continue
            found[f"{face}.{name}"] = function
    return found


VALID = valid()


def test_most_names_are_tried():
    assert len(VALID) >= 240


@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("name", VALID)
def test_a_wrong_argument_is_no_error_of_python_inside(name):
    function, failures = VALID[name], []
    parameters = inspect.signature(function).parameters.values()
    for parameter in (p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)):
        for kind in KINDS:
            with tf.Graph().as_default():
                arguments = guessed(function) | {parameter.name: WRONG[kind](World())}
                try:
                    function(**arguments)
                except (TypeError, ValueError, NotImplementedError, tf.errors.OpError) as error:
                    if not str(error):
                        failures.append(f"{parameter.name}={kind}: no message")
                except Exception as error:
                    if isinstance(error, OverflowError) and "too large" in str(error) and kind in ("2**70", "10**400"):
                        continue  # TensorFlow's own, of numbers that no tensor holds
                    failures.append(f"{parameter.name}={kind}: {error!r}")
    assert not failures, "\n".join(failures)
