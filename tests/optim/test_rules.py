"""Update rules against their plain NumPy twin, proximal steps, and penalties folded into a step."""

import numpy as np
import pytest
from optimizers import BOTH, L1, L2, POWER, PROXIMAL, VARIANTS, gradients, make, names, network, rule_of, slots_of
from regularizers import dtypes
from twin.compare import assert_same
from twin.inputs import weights
from twin.penalties import Elastic
from twin.steps import Stepper

import fastreg as fr


@dtypes
@names(VARIANTS)
def test_a_rule_is_its_twin_bit_for_bit(name, dtype):
    w = weights((4096 + 37,), dtype)
    expected = {"w": w.copy()}
    optimizer, terms = make(name), fr.regularize({"w": w}, [("w", BOTH)])
    stepper = Stepper(rule_of(name), VARIANTS[name])
    for t in (1, 2, 3):
        g = weights(w.shape, dtype, seed=t)
        loss = optimizer.apply_gradients({"w": (g, w)}, regularization=terms)
        assert loss == stepper.step({"w": g}, expected, {"w": Elastic(0.25, 0.5)})
        if name == POWER:
            np.testing.assert_allclose(w, expected["w"], rtol=1000 * np.finfo(dtype).eps)
            expected["w"] = w.copy()
            stepper.slots["w"] = {slot: optimizer.get_slot("w", slot).copy() for slot in optimizer.get_slot_names()}
        else:
            assert_same(w, expected["w"])
    assert optimizer.iterations == 3
    slots = stepper.slots.get("w", {})
    assert optimizer.get_slot_names() == list(slots)
    for slot, array in slots.items():
        assert_same(optimizer.get_slot("w", slot), array)


@names(PROXIMAL)
def test_l1_terms_give_exact_zeros_in_the_proximal_step(name):
    w, terms_of = weights((1000,), np.float32), fr.l1_regularizer(0.5)
    optimizer = make(name)
    for t in range(3):
        optimizer.apply_gradients({"w": (weights(w.shape, w.dtype, t), w)}, fr.regularize({"w": w}, [("w", terms_of)]))
    plain = weights((1000,), np.float32)
    other = fr.optim.GradientDescent(0.125)
    for t in range(3):
        other.apply_gradients({"w": (weights(w.shape, w.dtype, t), plain)}, fr.regularize({"w": plain}, [("w", terms_of)]))
    assert np.sum(w == 0) > 20 > np.sum(plain == 0)


def test_the_proximal_step_is_the_regularizers_prox():
    w, l1 = weights((500,), np.float64), fr.l1_regularizer(0.3)
    expected = l1.prox(w - 0.125 * weights(w.shape, w.dtype, 1), step=0.125)
    fr.optim.ProximalGradientDescent(0.125).apply_gradients(
        {"w": (weights(w.shape, w.dtype, 1), w)}, regularization=fr.regularize({"w": w}, [("w", l1)])
    )
    assert_same(w, expected)


def test_a_cautious_decay_is_left_out_where_the_step_moves_a_weight_away_from_0():
    w, g = np.array([2.0, 2.0, -2.0, -2.0, 2.0, 0.0]), np.array([1.0, -1.0, 1.0, -1.0, 0.0, 1.0])
    arguments = {"weight_decay": 0.25, "learning_rate": 0.5, "momentum": 0.0}
    plain = w.copy()
    optimizer = fr.optim.MomentumW(**arguments, cautious=True)
    optimizer.apply_gradients({"w": (g, w)})
    assert w.tolist() == [1.0, 2.5, -2.5, -1.0, 1.5, -0.5]
    optimizer = fr.optim.MomentumW(**arguments)
    optimizer.apply_gradients({"w": (g, plain)})
    assert plain.tolist() == [1.0, 2.0, -2.0, -1.0, 1.5, -0.5]


# --------------------------------------------------------------------------------------------------------------- fold law
@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.5}, {"clip_norm": 1e9, "check_finite": True}], ids=str)
@names(VARIANTS)
def test_folded_is_accumulated_first_bit_for_bit(name, options):
    rules = [("a", L2), ("[bc]", L2 if name in PROXIMAL else BOTH), ("d", L2), ("f", None), ("*", L2 if name in PROXIMAL else L1)]
    folded, plain = network(), network()
    terms, same = fr.regularize(folded, rules), fr.regularize(plain, rules)
    more = fr.sum_regularizer([fr.l2_regularizer(0.1), fr.l2_regularizer(0.7)])
    for collection, arrays in ((terms, folded), (same, plain)):  # variables with two terms
        collection.extend(fr.regularize(arrays, [("a", more), ("c", L2)]))
    one, other = make(name, **options), make(name, **options)
    for step in range(3):
        total, given = gradients(plain, step), gradients(folded, step)
        expected, _ = fr.value_and_gradients(same, out=total, accumulate=True)
        assert other.apply_gradients({key: (total[key], w) for key, w in plain.items()}) == 0.0
        loss = one.apply_gradients({key: (given[key], w) for key, w in folded.items()}, regularization=terms)
        assert type(loss) is np.float64 and loss == expected
        assert_same(given, gradients(folded, step))  # a gradient is read, never written
    assert_same(folded, plain)
    assert_same(slots_of(one), slots_of(other))


def test_the_loss_is_that_before_the_step_and_follows_the_scale():
    w, l2 = np.array([1.0, -2.0]), fr.l2_regularizer(0.5)
    terms = fr.regularize({"w": w}, [("w", l2)])
    optimizer = fr.optim.GradientDescent(0.1)
    for scale in (0.5, 0.25, 2.0):
        l2.scale = scale
        expected = fr.value_and_gradients(terms)[0]
        assert optimizer.apply_gradients({"w": (np.zeros(2), w)}, regularization=fr.add_n(terms)) == expected
    np.testing.assert_allclose(w, np.array([1.0, -2.0]) * 0.95 * 0.975 * 0.8)


# --------------------------------------------------------------------------------------------------------------- clipping
@dtypes
@pytest.mark.parametrize("clip", [1e-3, 3.0, 1e6])
def test_clipping_by_the_global_norm(dtype, clip):
    arrays = {"v": weights((700,), dtype), "w": weights((9, 9), dtype, 1)}
    given = {key: weights(w.shape, dtype, 2) for key, w in arrays.items()}
    total = {"v": Elastic(0.25, 0.5).gradient(arrays["v"], given["v"]), "w": given["w"]}
    norm = np.sqrt(sum(np.sum(g.astype(np.longdouble) ** 2) for g in total.values()))
    factor = dtype(clip / max(norm, clip))
    expected = {key: w - total[key] * factor * dtype(0.125) for key, w in arrays.items()}
    optimizer = fr.optim.GradientDescent(0.125, clip_norm=clip)
    optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, fr.regularize(arrays, [("v", BOTH)]))
    for key, w in arrays.items():
        np.testing.assert_allclose(w, expected[key], rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)
        if clip > norm:
            assert_same(w, expected[key])
