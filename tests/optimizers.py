"""What the tests of the update rules share: the rules with their arguments, and that what is refused has changed nothing."""

import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from regularizers import DTYPES
from twin.inputs import weights
from twin.rules import RULES

import fastreg as fr

TENSORFLOW = json.loads((Path(__file__).parent / "optim" / "tensorflow_steps.json").read_text())
# Arguments that are exact in float32, by rule and variant: "Momentum nesterov" is a Momentum.
# A rule that TensorFlow lacks is one more entry.
CAUTIOUS = {f"{name} cautious": TENSORFLOW["rules"][name] | {"cautious": True} for name in ("AdamW", "MomentumW nesterov")}
VARIANTS = {**TENSORFLOW["rules"], **CAUTIOUS, "ProximalAdagrad plain": {"learning_rate": 0.125}}
METRIC_RULES = ("ProximalAdagrad plain", "Ftrl")  # end in a prox with a step for each element, and have no strengths
POWER = "Ftrl power"  # any power but a square root is the C library's, and NumPy's differs in the last bit

L1, L2, BOTH = fr.l1_regularizer(0.25), fr.l2_regularizer(0.5), fr.l1_l2_regularizer(0.25, 0.5)


def names(variants):
    return pytest.mark.parametrize("name", variants)


def rule_of(variant):
    return variant.split()[0]


PROXIMAL = tuple(variant for variant in VARIANTS if RULES[rule_of(variant)].takes_l1)


def make(variant, **options):
    return getattr(fr.optim, rule_of(variant))(**{**VARIANTS[variant], **options})


def slots_of(optimizer):
    """Return every slot of every variable, as the state names them."""
    return {key: array for key, array in optimizer.state_dict().items() if array.dtype.kind == "f"}


@contextmanager
def refused(optimizer, error, match, *arrays):
    """Whatever is raised within, weights, slots and iterations keep their bytes."""

    def state():
        return [a.tobytes() for a in arrays] + [(k, v.tobytes()) for k, v in optimizer.state_dict().items()]

    before = state()
    with pytest.raises(error, match=match):
        yield
    assert state() == before


def network():
    """Arrays of both dtypes and many shapes, empty and Fortran-ordered ones among them."""
    shapes = {"a": (4096 * 2 + 5,), "b": (), "c": (33, 7), "d": (0, 3), "e": (5, 1, 9), "f": (17,)}
    arrays = {key: weights(shape, DTYPES[i % 2], i) for i, (key, shape) in enumerate(shapes.items())}
    return arrays | {"g": np.asfortranarray(weights((6, 11), np.float32, 9))}


def gradients(arrays, seed):
    found = {key: weights(w.shape, w.dtype, 10 * seed + i) for i, (key, w) in enumerate(arrays.items())}
    return found | {"g": np.asfortranarray(found["g"])}


def read_only(x):
    x.flags.writeable = False
    return x
