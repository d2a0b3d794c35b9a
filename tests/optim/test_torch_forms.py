"""torch's forms of the compiled rules, bit for bit and without torch: epsilon beside the root, a running mean, L2 in no loss."""

import numpy as np
import pytest
from kernel_calls import commit, entry, prepare, term
from regularizers import dtypes
from twin.compare import assert_same
from twin.inputs import SIZES, weights

import fastreg as fr

ALPHA, EPSILON, RATE, MOMENTUM = 0.9, 0.03, 0.01, 0.7


def adagrad(w, g, a):
    kind = w.dtype.type
    total = a + g * g
    return w - g * kind(RATE) / (np.sqrt(total) + kind(EPSILON)), total


def running_mean(w, g, a):
    kind = w.dtype.type
    mean = a * kind(ALPHA) + g * g * kind(1 - ALPHA)
    return w - g * kind(RATE) / (np.sqrt(mean) + kind(EPSILON)), mean


def rmsprop(w, g, a, b):
    kind = w.dtype.type
    mean = a + (g * g - a) * kind(1 - ALPHA)
    ahead = b * kind(MOMENTUM) + g / (np.sqrt(mean) + kind(EPSILON))
    return w - ahead * kind(RATE), mean, ahead


def centered_rmsprop(w, g, a, b, d):
    kind = w.dtype.type
    square, mean = a + (g * g - a) * kind(1 - ALPHA), d + (g - d) * kind(1 - ALPHA)
    ahead = b * kind(MOMENTUM) + g / (np.sqrt(square - mean * mean) + kind(EPSILON))
    return w - ahead * kind(RATE), square, ahead, mean


OUTSIDE = {"beta1": ALPHA, "momentum": MOMENTUM, "epsilon": EPSILON, "outside": True}
FORMS = {
    "adagrad": (adagrad, "adagrad", {"epsilon": EPSILON}, 1),
    "rmsprop without momentum": (running_mean, "adagrad", {"keep": ALPHA, "beta2": ALPHA, "epsilon": EPSILON}, 1),
    "rmsprop": (rmsprop, "rmsprop", OUTSIDE, 2),
    "centered rmsprop": (centered_rmsprop, "centered_rmsprop", OUTSIDE, 3),
}


@pytest.mark.parametrize("l2", [0.0, 0.25])
@dtypes
@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_its_formula(form, dtype, l2):
    formula, rule, constants, n_slots = FORMS[form]
    for size in SIZES:
        w, slots = weights(size, dtype), tuple(np.zeros(size, dtype) for _ in range(n_slots))
        expected = (w.copy(), *(slot.copy() for slot in slots))
        for step in range(3):
            g = weights(size, dtype, 1 + step)
            expected = formula(expected[0], g + dtype(l2) * expected[0], *expected[1:])
            one = entry(w, g, slots=slots)
            one.rate, one.l2 = RATE, l2
            commit(prepare(rule, [one], constants=constants))
        assert_same(dict(enumerate((w, *slots))), dict(enumerate(expected)))


@dtypes
def test_the_l2_of_an_entry_is_in_the_gradient_and_in_no_loss(dtype):
    w, same, g = weights(5000, dtype), weights(5000, dtype), weights(5000, dtype, 1)
    penalty = fr.l1_l2_regularizer(0.5, 0.25)
    folded, plain = entry(w, g), entry(same, g)
    folded.l2 = 0.5
    loss = commit(prepare("gradient_descent", [folded], [term(w, penalty)]))
    expected = float(penalty(same.astype(np.float64)))
    commit(prepare("gradient_descent", [plain], [term(same, fr.l1_l2_regularizer(0.5, 0.75))]))
    assert loss == pytest.approx(expected, rel=1e-12)
    assert_same(w, same)
