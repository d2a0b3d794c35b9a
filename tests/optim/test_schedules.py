"""Rates, strengths and decay that are functions of the step or go by rules."""

import logging

import numpy as np
import pytest
from optimizers import refused

import fastreg as fr


def test_functions_of_the_step():
    asked = []

    def rate(step):
        asked.append(step)
        return 1.0 / (step + 1)

    w = np.array([8.0])
    optimizer = fr.optim.MomentumW(lambda step: 0.5 if step == 1 else 0.0, rate, momentum=0.0)
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
    optimizer = fr.optim.AdamW(lambda step: 0.1 if step == 0 else bad, 0.1)
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
    optimizer = fr.optim.MomentumW([("*/bias", None), ("b/*", lambda step: 0.5), ("*/kernel", 0.25)], 0.1, 0.9)
    for _ in range(2):
        optimizer.apply_gradients({key: (np.zeros(2), w) for key, w in arrays.items()})
    assert [w[0] for w in arrays.values()] == [0.5625, 1.0, 0.25, 1.0]


def test_a_decay_rule_that_matches_nothing_is_an_error(caplog):
    w = np.ones(2)
    optimizer = fr.optim.AdamW([("*/bias", None), ("*", 0.1)], 0.1)
    with refused(optimizer, ValueError, r"rules\[0\]: '\*/bias' matches none of the names \['w'\]", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})
    optimizer = fr.optim.AdamW([("*", 0.1), ("w", None)], 0.1)
    with caplog.at_level(logging.WARNING, logger="fastreg"):
        for _ in range(3):
            optimizer.apply_gradients({"w": (np.ones(2), w)})
    assert caplog.text.count("'w' decides nothing") == 1
