"""What the tests of the penalties share: every way to a penalty, each with its twin."""

import numpy as np
import pytest
from twin.penalties import Elastic, Groups, Linear, Mcp, Sum

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
    "sum of an mcp": (fr.sum_regularizer([fr.mcp_regularizer(0.3, gamma=3.0)]), Mcp(0.3, 3.0)),
    "group lasso": (fr.group_lasso_regularizer(0.3, None), Groups(Linear(0.3), None)),
    "sparse group lasso": (
        fr.sparse_group_lasso_regularizer(0.25, 0.7, None, -0.5),
        Sum(Elastic(0.25), (Groups(Linear(0.7, -0.5), None),)),
    ),
}
penalties = pytest.mark.parametrize(("regularizer", "twin"), PENALTIES.values(), ids=PENALTIES)
