"""A regularizer's own prox in a step: ProximalGradientDescent ends in it, and what has no closed prox is refused."""

import numpy as np
import pytest
from optimizers import L1, L2, PROXIMAL, VARIANTS, make, names, refused, rule_of
from own import PROXES, Fourth, GroupLasso
from regularizers import dtypes
from twin.compare import assert_same
from twin.inputs import weights

import fastreg as fr

OTHERS = [name for name in PROXIMAL if rule_of(name) != "ProximalGradientDescent"]
proxes = pytest.mark.parametrize("form", PROXES)


def descent(rate=0.125, **options):
    return fr.optim.ProximalGradientDescent(rate, **options)


def terms_of(arrays, *regularizers):
    return [term for regularizer in regularizers for term in fr.regularize(arrays, [("w", regularizer)])]


# ------------------------------------------------------------------------------------------------------- what it computes
@dtypes
@proxes
def test_a_group_lasso_makes_whole_rows_exactly_zero(form, dtype):
    w, lasso = weights((64, 32), dtype) / dtype(1e3), PROXES[form](0.5)
    descent(1.0).apply_gradients({"w": (np.zeros_like(w), w)}, terms_of({"w": w}, lasso))
    assert np.sum((w == 0).all(axis=1)) == 64


@dtypes
@proxes
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_step_ends_in_the_prox_at_the_rate(form, order, dtype):
    w, g = (weights((64, 32), dtype, seed).copy(order) for seed in (0, 1))
    lasso, expected, given = PROXES[form](100.0), w.copy(order), g.copy(order)
    optimizer = descent(lambda step: 0.125 / (step + 1))
    for rate in (0.125, 0.0625):
        expected = GroupLasso.shrunk(lasso, expected - g * dtype(rate) + dtype(0), rate).astype(dtype)  # the rule gives no -0.0
        value = lasso(w)
        assert optimizer.apply_gradients({"w": (g, w)}, terms_of({"w": w}, lasso)) == value
        assert_same(w, expected)
    assert 0 < np.sum((w == 0).all(axis=1)) < 64
    assert_same(g, given)
    assert optimizer.iterations == 2


@proxes
def test_the_prox_sees_a_private_array_of_the_rules_result(form):
    seen = []

    class Seen(PROXES[form]):
        def shrunk(self, w, step):
            seen.append((w, w.copy(), step))
            return super().shrunk(w, step)

    w = np.ones((2, 3))
    descent(0.5).apply_gradients({"w": (np.full((2, 3), 4.0), w)}, terms_of({"w": w}, Seen(0.25)))
    ((array, values, step),) = seen
    assert not np.shares_memory(array, w) and values.tolist() == [[-1.0] * 3] * 2 and step == 0.5


@dtypes
def test_l2_terms_and_users_own_without_a_prox_go_to_the_gradient(dtype):
    w, g = weights((64, 32), dtype), weights((64, 32), dtype, 1)
    lasso = GroupLasso(100.0)
    total = (g + Fourth().gradient(w).astype(dtype)) + dtype(0.5) * w
    expected = lasso.shrunk(w - total * dtype(0.125), 0.125).astype(dtype)
    value = L2(w.astype(np.float64)) + lasso(w) + Fourth()(w)
    loss = descent().apply_gradients({"w": (g, w)}, terms_of({"w": w}, L2, lasso, Fourth()))
    assert loss == pytest.approx(value, rel=1e-14)
    assert_same(w, expected)
    again = weights((64, 32), dtype)
    descent().apply_gradients(
        {"w": (g, again)}, terms_of({"w": again}, fr.sum_regularizer([lasso, fr.sum_regularizer([Fourth(), L2])]))
    )
    assert_same(again, expected)


def test_a_gradient_beside_the_prox_is_not_asked_for():
    class Differentiable(GroupLasso):
        def gradient(self, w):
            raise AssertionError("the prox is there")

        value_and_gradient = gradient

    w, same = np.ones((3, 2)), np.ones((3, 2))
    descent().apply_gradients({"w": (np.ones((3, 2)), w)}, terms_of({"w": w}, Differentiable(0.5)))
    descent().apply_gradients({"w": (np.ones((3, 2)), same)}, terms_of({"w": same}, GroupLasso(0.5)))
    assert_same(w, same)


@pytest.mark.parametrize("l1_off", [False, True])
def test_a_l1_of_scale_0_leaves_the_prox_alone(l1_off):
    l1, w, same = fr.l1_regularizer(0.5), np.ones((3, 2)), np.ones((3, 2))
    l1.scale = 0.0
    descent().apply_gradients({"w": (np.ones((3, 2)), w)}, terms_of({"w": w}, GroupLasso(0.5), *([l1] if l1_off else [])))
    descent().apply_gradients({"w": (np.ones((3, 2)), same)}, terms_of({"w": same}, GroupLasso(0.5)))
    assert_same(w, same)


@dtypes
@pytest.mark.parametrize("clip_norm", [1e-3, 5.0, 1e6])
def test_clipping_is_of_the_gradient_without_the_prox(dtype, clip_norm):
    w, v, g = weights((64, 32), dtype), weights((40,), dtype, 2), weights((64, 32), dtype, 1)
    lasso = GroupLasso(100.0)
    norm = float(np.sqrt(np.sum(g.astype(np.float64) ** 2) + 40))
    expected = lasso.shrunk(w - g * dtype(clip_norm / max(norm, clip_norm)) * dtype(0.125), 0.125)
    pairs = {"v": (np.ones(40, dtype), v), "w": (g, w)}
    descent(clip_norm=clip_norm).apply_gradients(pairs, terms_of({"w": w}, lasso))
    np.testing.assert_allclose(w, expected, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)


def test_variables_beside_it_are_stepped_as_ever():
    start = {key: weights((64, 4), np.float32, i) for i, key in enumerate("uvwx")}
    given = {key: weights((64, 4), np.float32, 9) for key in start}
    arrays, same = ({key: w.copy() for key, w in start.items()} for _ in range(2))
    one, other = descent(), descent()
    rules = [("[uw]", L1), ("x", fr.mcp_regularizer(0.5))]
    for _ in range(2):
        pairs = {key: (None if key == "v" else given[key], w) for key, w in arrays.items()}
        pairs["w"] = (given["w"][2:4], [2, 3]), arrays["w"]
        lasso = fr.regularize({"big": arrays["u"]}, [("big", L2)])
        loss = one.apply_gradients(pairs, fr.regularize(arrays, rules) + lasso)
        pairs = {key: (g, same[key]) for key, (g, _) in pairs.items()}
        assert loss == other.apply_gradients(pairs, fr.regularize(same, rules) + fr.regularize({"u": same["u"]}, [("u", L2)]))
    assert_same(arrays, same)
    group, alone = {"w": start["w"].copy()}, {"w": start["w"].copy()}
    others, untouched = {key: start[key].copy() for key in "uvx"}, start["v"]
    optimizer = descent()
    terms = fr.regularize(others, [("u", L1), ("x", fr.mcp_regularizer(0.5))]) + terms_of(group, GroupLasso(9.0))
    pairs = {key: (None if key == "v" else given[key], w) for key, w in (others | group).items()}
    optimizer.apply_gradients(pairs, terms)
    descent().apply_gradients({"w": (given["w"], alone["w"])}, terms_of(alone, GroupLasso(9.0)))
    assert_same(group, alone)
    assert_same(others["v"], untouched)
    for key, regularizer in (("u", L1), ("x", fr.mcp_regularizer(0.5))):
        w = start[key].copy()
        descent().apply_gradients({"w": (given[key], w)}, terms_of({"w": w}, regularizer))
        assert_same(others[key], w)
    assert optimizer.iterations == 1 and sorted(optimizer.state_dict()) == ["iterations", "rule"]


@names(VARIANTS)
def test_l1_beside_a_users_own_keeps_its_exact_zeros(name):
    class Flat(Fourth):
        def __call__(self, w):
            return 0.0

        def gradient(self, w):
            return np.zeros_like(w)

    mixed, alone = (weights((2048,), np.float32) for _ in range(2))
    l1 = fr.l1_regularizer(4.0)
    one, other = make(name), make(name)
    for _ in range(3):
        g = weights((2048,), np.float32, 1) / np.float32(64)
        one.apply_gradients({"w": (g, mixed)}, terms_of({"w": mixed}, fr.sum_regularizer([Flat(), l1])))
        other.apply_gradients({"w": (g, alone)}, terms_of({"w": alone}, l1))
    assert_same(mixed, alone)
    if name == "ProximalGradientDescent plain":
        strong, w = fr.l1_regularizer(1000.0), weights((2048,), np.float32)
        one.apply_gradients({"w": (g, w)}, terms_of({"w": w}, fr.sum_regularizer([Flat(), strong])))
        assert np.sum(w == 0) == 2048


@names([name for name in VARIANTS if name not in PROXIMAL])
def test_rules_without_a_proximal_step_use_the_gradient(name):
    class Differentiable(Fourth):
        def prox(self, w, step):
            raise AssertionError("no rule but a proximal one asks")

    w, same = weights((25, 2), np.float64), weights((25, 2), np.float64)
    for array, regularizer in ((w, Differentiable()), (same, Fourth())):
        make(name).apply_gradients({"w": (np.ones((25, 2)), array)}, terms_of({"w": array}, regularizer))
    assert_same(w, same)
    optimizer, lasso = make(name), terms_of({"w": w}, GroupLasso(0.5))
    with refused(optimizer, TypeError, "has no gradient; give it a method", w):
        optimizer.apply_gradients({"w": (np.ones((25, 2)), w)}, lasso)


# ---------------------------------------------------------------------------------------------------------- what is refused
@names(OTHERS)
def test_rules_of_another_metric_refuse_it(name):
    arrays = {"v": np.ones(3), "w": np.ones((3, 2))}
    pairs = {key: (np.ones_like(w), w) for key, w in arrays.items()}
    optimizer = make(name)
    optimizer.apply_gradients(pairs)
    terms = fr.regularize(arrays, [("v", L1), ("w", GroupLasso(0.5))])
    with refused(optimizer, ValueError, "a regularizer of 'w' has a prox of its own, .* no closed form", *arrays.values()):
        optimizer.apply_gradients(pairs, terms)


LASSO = GroupLasso(0.5)
SEVERAL = {
    "two terms": ([LASSO, GroupLasso(0.25)], {}),
    "the same twice": ([LASSO, LASSO], {}),
    "a sum of two": ([fr.sum_regularizer([LASSO, GroupLasso(0.25)])], {}),
    "l1": ([LASSO, L1], {}),
    "a sum with l1": ([fr.sum_regularizer([LASSO, fr.sum_regularizer([L1])])], {}),
    "mcp": ([fr.mcp_regularizer(0.5), LASSO], {}),
    "the rule's l1": ([LASSO], {"l1_regularization_strength": 0.25}),
    "the rule's l2": ([LASSO], {"l2_regularization_strength": 0.25}),
    "a schedule": ([LASSO], {"l1_regularization_strength": lambda step: 0.25}),
}


@pytest.mark.parametrize(("regularizers", "strengths"), SEVERAL.values(), ids=SEVERAL)
def test_what_has_no_closed_prox_together_is_refused(regularizers, strengths):
    arrays = {"v": np.ones(3), "w": np.ones((3, 2))}
    pairs = {key: (np.ones_like(w), w) for key, w in arrays.items()}
    optimizer = descent(**strengths)
    optimizer.apply_gradients(pairs)
    with refused(optimizer, ValueError, "'w' ha.* a prox of their own, and|'w' has a prox of its own, and", *arrays.values()):
        optimizer.apply_gradients(pairs, terms_of(arrays, *regularizers))


def test_a_prox_of_one_variable_leaves_the_others_their_own():
    arrays = {"v": np.ones((3, 2)), "w": np.ones((3, 2))}
    pairs = {key: (np.zeros_like(w), w) for key, w in arrays.items()}
    descent(1.0).apply_gradients(pairs, fr.regularize(arrays, [("v", LASSO), ("w", GroupLasso(0.25))]))
    assert_same(arrays["v"], LASSO.prox(np.ones((3, 2)), 1.0))
    assert_same(arrays["w"], GroupLasso(0.25).prox(np.ones((3, 2)), 1.0))


def raises(w):
    raise RuntimeError("no prox today")


def nothing(w):
    return None


FAILURES = {
    "raises": (raises, RuntimeError, "no prox today"),
    "shape": (
        lambda w: w[:1],
        ValueError,
        r"the regularizer of 'w' returned a prox of shape \(1, 2\) for weights of shape \(3, 2\)",
    ),
    "nothing": (nothing, ValueError, r"the regularizer of 'w' returned a prox of shape \(\)"),
    "number": (lambda w: 0.0, ValueError, r"the regularizer of 'w' returned a prox of shape \(\)"),
    "complex": (lambda w: 1j * w, TypeError, "same_kind"),
    "objects": (lambda w: w.astype(object), TypeError, "same_kind"),
}


@pytest.mark.parametrize("overwrites", [False, True])
@pytest.mark.parametrize(("fails", "error", "message"), FAILURES.values(), ids=FAILURES)
def test_a_prox_that_fails_changes_nothing(fails, error, message, overwrites):
    class Failing(GroupLasso):
        def prox(self, w, step):
            result = fails(w)
            w[...] = 77.0 if overwrites else w
            return result

    class FailsMidway(GroupLasso):
        def prox(self, w, step, out=None):
            out[...] = 77.0
            return fails(w)

    arrays = {"v": np.ones((3, 2)), "w": np.ones((3, 2)), "x": np.ones(3)}
    pairs = {key: (np.ones_like(w), w) for key, w in arrays.items()}
    optimizer = descent()
    optimizer.apply_gradients(pairs)
    for kind in (Failing,) if fails is nothing else (Failing, FailsMidway):  # who returns nothing may have filled out
        terms = fr.regularize(arrays, [("v", LASSO), ("w", kind(0.5)), ("x", L1)])
        with refused(optimizer, error, message, *arrays.values()):
            optimizer.apply_gradients(pairs, terms)


def test_a_prox_of_nothing_for_a_scalar_is_refused():
    class Forgets:
        def __call__(self, w):
            return 0.0

        def prox(self, w, step):
            w *= 0.5

    w = np.ones(())
    optimizer = descent()
    with refused(optimizer, TypeError, "same_kind", w):
        optimizer.apply_gradients({"w": (np.ones(()), w)}, terms_of({"w": w}, Forgets()))


def test_an_overflow_that_numpy_is_told_to_raise_changes_nothing():
    class Grows(GroupLasso):
        def prox(self, w, step):
            return w.astype(np.float64) * 1e300

    w = np.ones((3, 2), np.float32)
    optimizer = descent()
    with np.errstate(all="raise"), refused(optimizer, FloatingPointError, "overflow", w):
        optimizer.apply_gradients({"w": (np.ones((3, 2), np.float32), w)}, terms_of({"w": w}, Grows(0.5)))


def test_what_does_not_fit_is_refused_before_the_prox_is_asked():
    class Asked(GroupLasso):
        def prox(self, w, step):
            raise AssertionError("too early")

    w, table = np.ones((3, 2)), np.ones((4, 2))
    optimizer = descent(check_finite=True)
    for pairs, error, message in (
        ({"w": (np.ones((2, 2)), w)}, ValueError, "gradient of 'w' must have the shape"),
        ({"w": (np.full((3, 2), np.nan), w)}, ValueError, "gradient of 'w' is not finite"),
        ({"w": ((np.ones((1, 2)), [1]), w)}, ValueError, "is a user's own and the gradient of 'w' is of rows; pass it whole"),
        (
            {"w": (np.ones((3, 2)), w.copy()), "t": (np.ones((4, 2)), table)},
            ValueError,
            "is over an array that is not updated here",
        ),
    ):
        with refused(optimizer, error, message, w, table):
            optimizer.apply_gradients(pairs, terms_of({"w": w}, Asked(0.5)))
