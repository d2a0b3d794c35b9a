"""Rates, strengths and decay that are functions of the step or go by rules."""

import logging
from fnmatch import fnmatchcase

import numpy as np
import pytest
from optimizers import BOTH, VARIANTS, make, names, refused
from regularizers import DTYPES
from twin.compare import assert_same
from twin.inputs import weights

import fastreg as fr


def test_functions_of_the_step():
    asked = []

    def rate(step):
        asked.append(step)
        return 1.0 / (step + 1)

    w = np.array([8.0])
    optimizer = fr.optim.MomentumW(weight_decay=lambda step: 0.5 if step == 1 else 0.0, learning_rate=rate, momentum=0.0)
    for expected in (7.0, 3.0, 3.0 - np.float64(1 / 3)):
        optimizer.apply_gradients({"w": (np.ones(1), w)})
        assert w[0] == expected
    assert asked == [0, 1, 2] and optimizer.iterations == 3
    optimizer.learning_rate, optimizer.weight_decay = 0.0, [("w", 0.25)]
    before = w[0]
    optimizer.apply_gradients({"w": (np.ones(1), w)})
    assert w[0] == before * 0.75


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, "0.1", None, True, 1j])
def test_a_schedule_that_gives_no_rate_changes_nothing(bad):
    w = np.ones(2)
    optimizer = fr.optim.AdamW(weight_decay=lambda step: 0.1 if step == 0 else bad, learning_rate=0.1)
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    with refused(optimizer, (TypeError, ValueError), "weight_decay must be", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})
    optimizer.weight_decay, optimizer.learning_rate = 0.1, lambda step: bad
    with refused(optimizer, (TypeError, ValueError), "learning_rate must be", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})
    optimizer.learning_rate = lambda step: 1 / 0
    with refused(optimizer, ZeroDivisionError, "division", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})


def test_strengths_that_are_functions_of_the_step():
    w, v = np.array([4.0, -4.0]), np.array([4.0, -4.0])
    optimizer = fr.optim.ProximalGradientDescent(1.0, float, 0.0)
    for expected in (4.0, 3.0, 1.0):
        optimizer.apply_gradients({"w": (np.zeros(2), w)})
        assert w.tolist() == [expected, -expected]
    l1 = fr.l1_regularizer(1.0)
    terms, optimizer = fr.regularize({"v": v}, [("v", l1)]), fr.optim.ProximalGradientDescent(1.0)
    for expected in (4.0, 3.0, 1.0):
        l1.scale = float(optimizer.iterations)
        optimizer.apply_gradients({"v": (np.zeros(2), v)}, regularization=terms)
        assert v.tolist() == [expected, -expected]
    optimizer = fr.optim.Ftrl(1.0, l2_shrinkage_regularization_strength=lambda step: -1.0)
    with refused(optimizer, ValueError, "l2_shrinkage_regularization_strength must be finite and at least 0, got -1.0", w):
        optimizer.apply_gradients({"w": (np.zeros(2), w)})


def test_decay_by_rules_first_match_wins():
    arrays = {"a/kernel": np.ones(2), "a/bias": np.ones(2), "b/kernel:0": np.ones(2), "other": np.ones(2)}
    optimizer = fr.optim.MomentumW(
        weight_decay=[("*/bias", None), ("b/*", lambda step: 0.5), ("*/kernel", 0.25)], learning_rate=0.1, momentum=0.9
    )
    for _ in range(2):
        optimizer.apply_gradients({key: (np.zeros(2), w) for key, w in arrays.items()})
    assert [w[0] for w in arrays.values()] == [0.5625, 1.0, 0.25, 1.0]


RATES = [("*/bias", 0.5), ("b/*", lambda step: 0.25 / (step + 1)), ("*", 0.125)]


@names(VARIANTS)
def test_rates_by_rules_are_those_of_one_optimizer_for_each_rate(name):
    arrays = {
        f"{layer}/{part}": weights((5000,), dtype) for layer, dtype in zip("ab", DTYPES, strict=True) for part in ("bias", "w")
    }
    arrays["b/rows"] = weights((9, 3), np.float32)
    alone = {key: w.copy() for key, w in arrays.items()}
    optimizer = make(name, learning_rate=RATES)
    rates = {key: next(rate for pattern, rate in RATES if fnmatchcase(key, pattern)) for key in arrays}
    single = {key: make(name, learning_rate=rate) for key, rate in rates.items()}
    for step in range(3):
        given = {key: weights(w.shape, w.dtype, step) for key, w in arrays.items()}
        given["b/rows"] = given["b/rows"][:4].copy(), [1, 2, 5, 8]
        loss = optimizer.apply_gradients(
            {key: (given[key], w) for key, w in arrays.items()}, fr.regularize(arrays, [("*", BOTH)])
        )
        losses = [
            single[key].apply_gradients({key: (given[key], w)}, fr.regularize({key: w}, [("*", BOTH)]))
            for key, w in alone.items()
        ]
        assert loss == pytest.approx(sum(losses), rel=1e-14)
    assert_same(arrays, alone)
    for key, other in single.items():
        for slot in optimizer.get_slot_names():
            assert_same(optimizer.get_slot(key, slot), other.get_slot(key, slot))


def test_a_profile_and_a_prox_of_ones_own_use_the_rate_of_their_variable():
    class Shrink:
        def __call__(self, w):
            return float(np.abs(w).sum())

        def prox(self, w, step):
            return w - step

    arrays = {"a": np.full(3, 4.0), "b": np.full(3, 4.0), "c": np.full(3, 4.0)}
    optimizer = fr.optim.ProximalGradientDescent([("a", 0.5), ("b", 0.25), ("c", 1.0)])
    mcp = fr.mcp_regularizer(0.5, gamma=20.0)
    terms = fr.regularize(arrays, [("c", mcp), ("*", Shrink())])
    optimizer.apply_gradients({key: (np.zeros(3), w) for key, w in arrays.items()}, terms)
    assert (arrays["a"][0], arrays["b"][0]) == (3.5, 3.75)
    assert_same(arrays["c"], mcp.prox(np.full(3, 4.0), step=1.0))


def test_rates_by_rules_can_be_set_read_and_refused():
    w, v = np.ones(2), np.ones(2)
    pairs = {"w": (np.ones(2), w), "v": (np.ones(2), v)}
    optimizer = fr.optim.GradientDescent([("w", 0.5)])
    with refused(optimizer, ValueError, r"no rule of learning_rate matches 'v'; end the list with \('\*', rate\)", w, v):
        optimizer.apply_gradients(pairs)
    optimizer.apply_gradients(pairs | {"v": (None, v)})
    optimizer.learning_rate = [("w", 0.5), ("x", 0.5), ("*", 0.25)]
    with refused(optimizer, ValueError, r"learning_rate: rules\[1\]: 'x' matches none of the names \['w', 'v'\]", w, v):
        optimizer.apply_gradients(pairs)
    optimizer.learning_rate = [["w", 0.5], ("*", 0.25)]
    assert optimizer.learning_rate == [("w", 0.5), ("*", 0.25)]
    optimizer.apply_gradients(pairs)
    assert (w[0], v[0]) == (0.0, 0.75)
    optimizer.learning_rate = [("*", 0.125), ("w", lambda step: -1.0)]
    with refused(optimizer, ValueError, "learning_rate must be finite and at least 0, got -1.0", w, v):
        optimizer.apply_gradients(pairs)
    for bad in ([("w", None)], [("w", -1.0)], ["w"], [(1, 0.5)]):
        with pytest.raises((TypeError, ValueError), match="learning_rate"):
            optimizer.learning_rate = bad
    ftrl = fr.optim.Ftrl([("w", 0.0), ("*", 0.5)])
    with refused(ftrl, ValueError, "learning_rate of Ftrl must be above 0, got 0", w, v):
        ftrl.apply_gradients(pairs)


def test_a_decay_rule_that_matches_nothing_is_an_error(caplog):
    w = np.ones(2)
    optimizer = fr.optim.AdamW(weight_decay=[("*/bias", None), ("*", 0.1)], learning_rate=0.1)
    with refused(optimizer, ValueError, r"rules\[0\]: '\*/bias' matches none of the names \['w'\]", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})
    optimizer = fr.optim.AdamW(weight_decay=[("*", 0.1), ("w", None)], learning_rate=0.1)
    with caplog.at_level(logging.WARNING, logger="fastreg"):
        for _ in range(3):
            optimizer.apply_gradients({"w": (np.ones(2), w)})
    assert caplog.text.count("'w' decides nothing") == 1
