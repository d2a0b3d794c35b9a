"""What the tests of the penalties share: every way to a penalty, each with its twin."""

import numpy as np
import pytest
from twin.inputs import weights
from twin.penalties import L0, Distance, Elastic, Groups, Huber, Linear, LogSum, Mcp, PseudoHuber, Scad, Sum, Weighted

import fastreg as fr

DTYPES = (np.float32, np.float64)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)

TWINS = {"l1": Elastic(0.3, 0.0), "l2": Elastic(0.0, 0.7), "both": Elastic(0.3, 0.7)}
twins = pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)


def switched_off():
    off = fr.l2_regularizer(0.7)
    off.scale = 0.0
    return off


PENALTIES = {
    "l1": (fr.l1_regularizer(0.3), TWINS["l1"]),
    "l2": (fr.l2_regularizer(0.7), TWINS["l2"]),
    "l1_l2": (fr.l1_l2_regularizer(0.3, 0.7), TWINS["both"]),
    "l1_l2 without l1": (fr.l1_l2_regularizer(0.0, 0.7), TWINS["l2"]),
    "l1_l2 without l2": (fr.l1_l2_regularizer(0.3, 0.0), TWINS["l1"]),
    "sum": (fr.sum_regularizer([fr.l1_regularizer(0.3), None, fr.l2_regularizer(0.7)]), TWINS["both"]),
    "sum of sums": (
        fr.sum_regularizer([fr.sum_regularizer([fr.l2_regularizer(0.25)]), fr.l2_regularizer(0.5), fr.l1_regularizer(1.0)]),
        Elastic(1.0, 0.75),
    ),
    "off": (switched_off(), Elastic(0.0, 0.0)),
    "mcp": (fr.mcp_regularizer(0.3, gamma=3.0), Mcp(0.3, 3.0)),
    "mcp, a step past gamma": (fr.mcp_regularizer(0.7, gamma=0.25), Mcp(0.7, 0.25)),
    "scad": (fr.scad_regularizer(0.3), Scad(0.3)),
    "scad, a near 2": (fr.scad_regularizer(0.3, a=2.25), Scad(0.3, 2.25)),
    "l0": (fr.l0_regularizer(0.3), L0(0.3)),
    "huber": (fr.huber_regularizer(0.3, delta=0.5), Huber(0.3, 0.5)),
    "pseudo_huber": (fr.pseudo_huber_regularizer(0.3, delta=0.5), PseudoHuber(0.3, 0.5)),
    "log_sum": (fr.log_sum_regularizer(0.3, eps=1.0), LogSum(0.3, 1.0)),
    "log_sum, not convex": (fr.log_sum_regularizer(0.3, eps=0.01), LogSum(0.3, 0.01)),
    "sum of an mcp": (fr.sum_regularizer([fr.mcp_regularizer(0.3, gamma=3.0)]), Mcp(0.3, 3.0)),
    "group lasso": (fr.group_lasso_regularizer(0.3, None), Groups(Linear(0.3), None)),
    "sparse group lasso": (
        fr.sparse_group_lasso_regularizer(0.25, 0.7, None, -0.5),
        Sum(Elastic(0.25), (Groups(Linear(0.7, -0.5), None),)),
    ),
}
penalties = pytest.mark.parametrize(("regularizer", "twin"), PENALTIES.values(), ids=PENALTIES)


def like(w, seed):
    """Return an array that pairs with w; one number in 64 is 0."""
    return weights(w.shape, w.dtype, seed).copy(order="C" if w.flags.c_contiguous else "F")


def weighted(factory, l1, l2):
    """Return a function that makes a regularizer with a strength for each element of w, and its twin."""

    def make(w, put=np.copy):
        strengths = np.abs(like(w, 11))
        return factory(put(strengths)), Weighted(l1, l2, strengths)

    return make


def distance(scale, important):
    """Return a function that makes a distance to a reference, and its twin."""

    def make(w, put=np.copy):
        reference, importance = like(w, 12), np.abs(like(w, 13)) if important else None
        given = None if importance is None else put(importance)
        return fr.l2_sp_regularizer(scale, put(reference), given), Distance(scale, reference, importance)

    return make


# With arrays of a number for each element: functions of the weights that they pair with.
WITH_ARRAYS = {
    "l1 weighted": weighted(lambda s: fr.l1_regularizer(0.3, weights=s), 0.3, 0.0),
    "l2 weighted": weighted(lambda s: fr.l2_regularizer(0.7, weights=s), 0.0, 0.7),
    "l1_l2 weighted": weighted(lambda s: fr.l1_l2_regularizer(0.3, 0.7, weights=s), 0.3, 0.7),
    "l2_sp": distance(0.3, False),
    "l2_sp with importance": distance(0.7, True),
}
