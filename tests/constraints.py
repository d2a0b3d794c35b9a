"""What the tests of the constraints share: each with its twin, for arrays of any shape by the axes of their vectors."""

from math import inf

import pytest
from twin.constraints import Between, Rescaled, at_most, l1_ball, simplex, toward

import fastreg as fr

C = fr.constraints
BOUNDS = {
    "non_neg": (C.non_neg(), Between(0.0, inf)),
    "box": (C.box(-0.3, 0.7), Between(-0.3, 0.7)),
    "open box": (C.box(-inf, 0.1), Between(-inf, 0.1)),
    "linf_ball": (C.linf_ball(0.4), Between(-0.4, 0.4)),
}
VECTORS = {
    "max_norm": (lambda axis: C.max_norm(0.9, axis), lambda axis: Rescaled(axis, at_most(0.9))),
    "l2_ball": (lambda axis: C.l2_ball(0.3, axis), lambda axis: Rescaled(axis, at_most(0.3))),
    "unit_norm": (C.unit_norm, lambda axis: Rescaled(axis, lambda norm: 1.0)),
    "min_max_norm": (lambda axis: C.min_max_norm(2.0, 4.0, axis=axis), lambda axis: Rescaled(axis, toward(2.0, 4.0, 1.0))),
    "on its way": (lambda axis: C.min_max_norm(2.0, 4.0, 0.3, axis), lambda axis: Rescaled(axis, toward(2.0, 4.0, 0.3))),
    "simplex": (lambda axis: C.simplex(1.5, axis), lambda axis: simplex(1.5, axis)),
    "l1_ball": (lambda axis: C.l1_ball(1.5, axis), lambda axis: l1_ball(1.5, axis)),
}
KINDS = BOUNDS | VECTORS
kinds = pytest.mark.parametrize("kind", KINDS)


def pair(kind, axis):
    """Return a constraint and its twin, of vectors along these axes."""
    made, twin = KINDS[kind]
    return (made, twin) if kind in BOUNDS else (made(axis), twin(axis))
