"""A collection of arrays and penalties in one call of the kernels."""

import numpy as np
import pytest
from kernel_calls import evaluate
from regularizers import DTYPES, PENALTIES
from twin.compare import assert_same
from twin.inputs import weights
from twin.penalties import Elastic

import fastreg as fr


def collection():
    """Return arrays that mix shapes, dtypes, memory orders and regularizers; some large, some without elements."""
    shapes = [(3, 4), 70_001, (), 0, (64, 65), 4097, 1, 33_000, 40_001, 515, (3, 700), (5, 1, 9), 40_003]
    arrays = [weights(shapes[i % len(shapes)], DTYPES[i % 2], seed=i) for i in range(len(PENALTIES))]
    arrays[4] = np.asfortranarray(arrays[4])
    return arrays, [regularizer for regularizer, _ in PENALTIES.values()], [twin for _, twin in PENALTIES.values()]


NAMES = [f"v{i}" for i in range(len(PENALTIES))]


@pytest.mark.parametrize("form", ["value", "written", "added", "in place", "added in place"])
def test_collection_is_its_items_one_by_one(form):
    arrays, regularizers, all_twins = collection()
    bases = [weights(w.shape, w.dtype.type, seed=9).copy(order="F" if w.flags.f_contiguous else "C") for w in arrays]
    outs = {"value": None, "written": bases, "added": bases}.get(form, arrays)
    starts = [None] * len(arrays) if not form.startswith("added") else [np.copy(out, order="K") for out in outs]
    slopes = [twin.gradient(w, start) for w, twin, start in zip(arrays, all_twins, starts, strict=True)]
    total = sum((twin.value64(w) for w, twin in zip(arrays, all_twins, strict=True)), start=np.float64(0))
    given = None if outs is None else list(outs)
    assert_same(evaluate(list(arrays), regularizers, NAMES, given, accumulate=form.startswith("added")), total)
    for out, slope in zip(outs or [], slopes, strict=outs is not None):
        assert_same(out, slope)


def test_collection_of_nothing():
    assert_same(evaluate([], [], []), np.float64(0.0))
    assert_same(evaluate([], [], [], [], accumulate=True), np.float64(0.0))


@pytest.mark.parametrize("accumulate", [False, True])
def test_two_terms_over_one_variable_are_added(accumulate):
    w, other, outs = weights(5000, np.float32), np.ones(3), [weights(5000, np.float32, seed=1), np.zeros(3)]
    start = outs[0].copy() if accumulate else None
    regularizers = [fr.l1_regularizer(0.25), fr.l2_regularizer(0.5), fr.l2_regularizer(0.125)]
    total = evaluate([w, other, w], regularizers, ["w", "other", "w"], [outs[0], outs[1], outs[0]], accumulate)
    assert_same(outs[0], Elastic(0.25, 0.125).gradient(w, start))
    assert_same(outs[1], np.full(3, 0.5))
    assert_same(total, (Elastic(0.25, 0.0).value64(w) + Elastic(0.0, 0.5).value64(other)) + Elastic(0.0, 0.125).value64(w))
    assert_same(total, evaluate([w, other, w], regularizers, ["w", "other", "w"]))


def test_collection_sees_arrays_and_scales_as_they_are_now():
    l2 = fr.l2_regularizer(0.5)
    w = np.ones(4)
    assert evaluate([w], [l2], ["w"]) == 1.0
    w[...] = 2.0
    l2.scale = 1.0
    assert evaluate([w], [l2], ["w"]) == 8.0
    w.resize(2, refcheck=False)
    assert evaluate([w], [l2], ["w"]) == 4.0
