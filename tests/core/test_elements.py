"""Penalties with an array of a number for each element: `weights=` of the elastic family, and the distance to a reference."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from kernel_calls import evaluate
from optimizers import METRIC_RULES, PROXIMAL, VARIANTS, gradients, make, names, network, refused, rule_of
from regularizers import WITH_ARRAYS, dtypes
from scipy.optimize import check_grad
from twin.compare import assert_same
from twin.forms import expected, outcomes
from twin.inputs import SIZES, offset, weights
from twin.penalties import Elastic, Sum
from twin.steps import Stepper
from twin.sums import CHUNK

import fastreg as fr
from fastreg.compat import v1 as tf

layers = tf.contrib.layers
kinds = pytest.mark.parametrize("make_pair", WITH_ARRAYS.values(), ids=WITH_ARRAYS)
STEPS = (0.0, 0.125, 30.0)
W = weights((20, 30), np.float64)
GRADIENT_RULES = [variant for variant in VARIANTS if variant not in PROXIMAL]


# ------------------------------------------------------------------------------------------------------------ the numbers
@dtypes
@kinds
@pytest.mark.parametrize("size", SIZES)
def test_every_operation_is_its_twin_bit_for_bit(make_pair, dtype, size):
    w, base = weights(size, dtype), weights(size, dtype, seed=1)
    regularizer, twin = make_pair(w)
    assert_same(outcomes(regularizer, w, base, STEPS), expected(twin, w, base, STEPS))


@dtypes
@kinds
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (0, 3), (7, 5), (2, 1, 700, 3)], ids=str)
def test_shapes_and_memory_orders(make_pair, dtype, order, shape):
    w, base = (weights(shape, dtype, seed).copy(order) for seed in (2, 3))
    regularizer, twin = make_pair(w)
    assert_same(outcomes(regularizer, w, base), expected(twin, w, base))


SPECIAL = [[np.nan], [np.inf], [-np.inf], [-0.0], [np.inf, -np.inf, np.nan], [5e-324, -5e-324], [1.7e308, -1.7e308]]


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@dtypes
@kinds
@pytest.mark.parametrize("special", SPECIAL, ids=str)
@pytest.mark.parametrize("at", [0, 40, 520])
def test_special_values_come_through_as_in_numpy(make_pair, dtype, special, at):
    w, base = weights(555, dtype), weights(555, dtype, seed=1)
    regularizer, twin = make_pair(w)
    w[at : at + len(special)] = special
    assert_same(outcomes(regularizer, w, base, STEPS), expected(twin, w, base, STEPS))


@dtypes
@kinds
def test_a_large_output_is_the_twin_though_it_goes_around_the_caches(make_pair, dtype):
    n = (1 << 25) // np.dtype(dtype).itemsize + 4099
    w, out = np.resize(weights(CHUNK + 1, dtype), n), offset(np.empty(n, dtype), 8)
    regularizer, twin = make_pair(w)
    assert_same(regularizer.gradient(w, out=out), twin.gradient(w))
    assert_same(regularizer.prox(w, 0.125, out=out), twin.prox(w, 0.125))
    assert_same(evaluate([w], [regularizer], ["w"], [out]), twin.value64(w))
    assert_same(out, twin.gradient(w))


@kinds
def test_gradients_by_differences_of_the_value(make_pair):
    w = weights(50, np.float64)
    w[np.abs(w) < 1e-3] = 1.0
    regularizer, _ = make_pair(w)
    assert check_grad(regularizer, regularizer.gradient, w) < 1e-5 * np.linalg.norm(w)


@kinds
@pytest.mark.parametrize("step", [0.125, 1.0, 30.0])
def test_three_point_inequality(make_pair, step):
    """For the prox z of a convex f at w and any y: step*f(y) + |y - w|^2/2 >= step*f(z) + |z - w|^2/2 + |y - z|^2/2."""
    w = weights(500, np.float64)
    regularizer, _ = make_pair(w)
    z = regularizer.prox(w, step)
    for seed in range(5):
        y = weights(500, np.float64, seed)
        left = step * float(regularizer(y)) + np.sum((y - w) ** 2) / 2
        right = step * float(regularizer(z)) + np.sum((z - w) ** 2) / 2 + np.sum((y - z) ** 2) / 2
        assert left - right > -1e-12 * left


@dtypes
def test_numbers_by_hand(dtype):
    w = np.array([-3.0, 0.0, 1.0, 5.0], dtype)
    s = np.array([1.0, 2.0, 4.0, 0.0], dtype)
    r = np.array([-1.0, 0.0, 1.0, 1.0], dtype)
    l1, l2, both = (
        fr.l1_regularizer(0.5, weights=s),
        fr.l2_regularizer(0.5, weights=s),
        fr.l1_l2_regularizer(0.5, 1.0, weights=s),
    )
    assert (float(l1(w)), float(l2(w)), float(both(w))) == (3.5, 3.25, 10.0)
    assert l1.gradient(w).tolist() == [-0.5, 0.0, 2.0, 0.0]
    assert l2.gradient(w).tolist() == [-1.5, 0.0, 2.0, 0.0]
    assert l1.prox(w, 1.0).tolist() == [-2.5, 0.0, 0.0, 5.0]
    assert both.prox(w, 1.0).tolist() == [-1.25, 0.0, 0.0, 5.0]
    l2_sp, ewc = fr.l2_sp_regularizer(0.5, r), fr.l2_sp_regularizer(0.5, r, importance=s)
    assert (float(l2_sp(w)), float(ewc(w))) == (5.0, 1.0)
    assert l2_sp.gradient(w).tolist() == [-1.0, 0.0, 0.0, 2.0]
    assert ewc.gradient(w).tolist() == [-1.0, 0.0, 0.0, 0.0]
    assert l2_sp.prox(w, 2.0).tolist() == [-2.0, 0.0, 1.0, 3.0]


@dtypes
def test_weights_of_one_give_what_no_weights_give(dtype):
    w = weights(300, dtype)
    ones = np.ones_like(w)
    for plain, same in (
        (fr.l1_regularizer(0.25), fr.l1_regularizer(0.25, weights=ones)),
        (fr.l2_regularizer(0.5), fr.l2_regularizer(0.5, weights=ones)),
        (fr.l1_l2_regularizer(0.25, 0.5), fr.l1_l2_regularizer(0.25, 0.5, weights=ones)),
        (fr.l2_regularizer(0.5), fr.l2_sp_regularizer(0.5, np.zeros_like(w))),
    ):
        rtol = 4 * float(np.finfo(dtype).eps)
        assert float(same(w)) == pytest.approx(float(plain(w)), rel=rtol)
        np.testing.assert_allclose(same.gradient(w), plain.gradient(w), rtol=rtol)
        np.testing.assert_allclose(same.prox(w, 0.5), plain.prox(w, 0.5), rtol=rtol)


@dtypes
def test_the_prox_of_a_distance_is_exact_where_it_can_be(dtype):
    """A weight at its reference, or of importance 0, stays to the bit; neither a long step nor a large distance overflows."""
    w, reference = weights(1000, dtype), weights(1000, dtype, seed=1)
    importance = np.abs(weights(1000, dtype, seed=2))
    importance[::2], reference[1::4] = 0.0, w[1::4]
    z = fr.l2_sp_regularizer(0.3, reference, importance).prox(w, 0.7)
    assert_same(z[::2], w[::2])
    assert_same(z[1::4], w[1::4])
    assert (z[3::4] != w[3::4]).any()
    large = dtype(np.finfo(dtype).max)
    far = fr.l2_sp_regularizer(1.0, np.full(1, -large)).prox(np.full(1, large), 3.0)
    assert float(far[0]) == pytest.approx(-float(large) / 2, rel=1e-6)
    assert fr.l2_sp_regularizer(1e300, np.ones(1, dtype)).prox(np.zeros(1, dtype), 1e300).tolist() == [1.0]
    odd = np.array([np.inf, -np.inf, np.nan, -0.0], dtype)
    assert_same(fr.l2_sp_regularizer(1.0, np.zeros(4, dtype)).prox(odd, 3.0), odd)
    assert_same(fr.l2_sp_regularizer(1.0, np.ones(4, dtype), np.zeros(4, dtype)).prox(odd, 3.0), odd)


# -------------------------------------------------------------------------------------------------------------- the arrays
def test_what_does_not_pair_with_the_weights_is_refused_before_anything_is_written():
    square = np.ones((4, 3))
    cases = {
        "must have the dtype of the weights": square.astype(np.float32),
        "must have the shape of the weights": np.ones((3, 4)),
        "must have the memory order of the weights": np.asfortranarray(square),
    }
    for message, array in cases.items():
        for name, regularizer in (
            ("weights", fr.l1_regularizer(0.5, weights=array)),
            ("reference", fr.l2_sp_regularizer(0.5, array)),
            ("importance", fr.l2_sp_regularizer(0.5, np.zeros_like(array), importance=array)),
        ):
            w, out = np.ones((4, 3)), np.full((4, 3), 9.0)
            terms = fr.regularize({"w": w}, [("w", regularizer)])
            for call in (
                lambda r=regularizer, w=w: r(w),
                lambda r=regularizer, w=w, out=out: r.gradient(w, out=out),
                lambda r=regularizer, w=w, out=out: r.prox(w, 0.5, out=out),
                lambda terms=terms: fr.value_and_gradients(terms),
                lambda terms=terms, w=w: fr.optim.Adam(0.5).apply_gradients({"w": (np.ones((4, 3)), w)}, terms),
            ):
                with pytest.raises((TypeError, ValueError), match=f"{name} {message}|reference {message}"):
                    call()
            assert (w == 1).all() and (out == 9).all()


def test_bad_numbers_and_bad_arrays_are_refused_when_given():
    good = np.ones(3)
    for bad, message in (([1.0, -0.5, 1.0], "must be at least 0, got "), ([np.nan, 1.0, 1.0], "must be finite")):
        array = np.array(bad)
        for name, call in (
            ("weights", lambda a=array: fr.l1_regularizer(0.5, weights=a)),
            ("weights", lambda a=array: fr.l2_regularizer(0.5, weights=a)),
            ("weights", lambda a=array: fr.l1_l2_regularizer(0.5, 0.5, weights=a)),
            ("importance", lambda a=array: fr.l2_sp_regularizer(0.5, good, importance=a)),
        ):
            with pytest.raises(ValueError, match=f"^{name} {message}"):
                call()
    with pytest.raises(ValueError, match=r"^reference must be finite"):
        fr.l2_sp_regularizer(0.5, np.array([np.inf]))
    fr.l2_sp_regularizer(0.5, np.array([-1.0]))
    with pytest.raises(TypeError, match="weights must be a float32 or float64 array, got dtype int64"):
        fr.l1_regularizer(0.5, weights=np.ones(3, np.int64))
    with pytest.raises(ValueError, match="reference must be contiguous"):
        fr.l2_sp_regularizer(0.5, np.ones(6)[::2])


def test_an_array_that_shares_memory_with_what_is_written_or_penalized_is_refused():
    w, r = np.ones(3), np.zeros(3)
    with pytest.raises(ValueError, match="reference shares memory with the weights, so it would change with them; pass a copy"):
        fr.l2_sp_regularizer(0.5, w)(w)
    l2_sp = fr.l2_sp_regularizer(0.5, r)
    for call in (lambda: l2_sp.gradient(w, out=r), lambda: l2_sp.prox(w, 0.5, out=r)):
        with pytest.raises(ValueError, match="out shares memory with reference of the penalty"):
            call()
    terms = fr.regularize({"w": w}, [("w", l2_sp)])
    with pytest.raises(
        ValueError, match=r"out of 'w' overlaps an array of the penalty of 'w'|an array of the penalty of 'w' overlaps"
    ):
        fr.value_and_gradients(terms, out={"w": r})
    others = {"w": w, "v": r}
    optimizer = fr.optim.GradientDescent(0.5)
    with refused(optimizer, ValueError, "overlaps", w, r):
        optimizer.apply_gradients({key: (np.ones(3), x) for key, x in others.items()}, terms)


def test_a_change_of_the_array_is_seen_and_a_copy_has_its_own():
    s = np.ones_like(W)
    l1 = fr.l1_regularizer(0.5, weights=s)
    before, twin = l1(W), copy.deepcopy(l1)
    assert l1.weights is s and twin.weights is not s
    s[...] = 2.0
    assert float(l1(W)) == 2 * float(before)
    assert_same(twin(W), before)


@kinds
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_compute_the_same_and_go_their_own_way(make_pair, duplicate):
    regularizer, twin = make_pair(W)
    again = duplicate(regularizer)
    name = "scale_l2" if isinstance(regularizer, fr.L1L2Regularizer) else "scale"
    setattr(regularizer, name, 4.0)
    assert type(again) is type(regularizer) and again.name == regularizer.name
    assert_same(again(W), twin.value(W))
    assert "array of shape (20, 30)" in repr(again)
    assert_same(duplicate(fr.sum_regularizer([again, fr.l1_regularizer(0.25)]))(W), Sum(Elastic(0.25), (twin,)).value(W))


@kinds
def test_a_new_scale_is_seen_and_0_leaves_it_out(make_pair):
    regularizer, _ = make_pair(W)
    for name in ("scale_l1", "scale_l2") if isinstance(regularizer, fr.L1L2Regularizer) else ("scale",):
        setattr(regularizer, name, 0.0)
    assert_same(regularizer(W), np.float64(0.0))
    assert_same(regularizer.gradient(W, out=W.copy(), accumulate=True), W)
    assert_same(regularizer.prox(W, 0.5), Elastic().prox(W, 0.5))
    assert not regularizer.disabled


# -------------------------------------------------------------------------------------------------- sums, collections, rules
@dtypes
@kinds
@pytest.mark.parametrize("size", [0, 1, 513, 3 * CHUNK + 1])
def test_a_sum_is_its_twin_bit_for_bit(make_pair, dtype, size):
    w, base = weights(size, dtype), weights(size, dtype, seed=1)
    (regularizer, twin), (other, other_twin) = make_pair(w), WITH_ARRAYS["l2_sp"](w)
    total = fr.sum_regularizer([regularizer, fr.l1_regularizer(0.25), fr.sum_regularizer([other])])
    right = Sum(Elastic(0.25), (twin, other_twin))
    assert_same(outcomes(total, w, base, steps=()), expected(right, w, base, steps=()))
    with pytest.raises(ValueError, match="has no closed prox: it is a sum"):
        total.prox(w, 0.5)


@pytest.mark.parametrize("threads", [1, 3])
def test_collections(num_threads, threads):
    num_threads(threads)
    arrays = network() | {"big": weights(70_001, np.float32, 3)}
    makers = list(WITH_ARRAYS.values())
    pairs = {key: makers[i % len(makers)](w) for i, (key, w) in enumerate(arrays.items())}
    terms = [term for key, (regularizer, _) in pairs.items() for term in fr.regularize(arrays, [(key, regularizer)])]
    bases = gradients(arrays, 7)
    out = {key: base.copy(order="K") for key, base in bases.items()}
    total, _ = fr.value_and_gradients(terms, out=out, accumulate=True)
    assert_same(total, sum((pairs[key][1].value64(w) for key, w in arrays.items()), start=np.float64(0.0)))
    for key, w in arrays.items():
        assert_same(out[key], pairs[key][1].gradient(w, bases[key]))
    assert fr.summary(terms, arrays).to_dict()["total"] == total


@dtypes
@kinds
@pytest.mark.parametrize("options", [{}, {"clip_norm": 5.0}], ids=["whole", "clipped"])
@names([*GRADIENT_RULES, "ProximalGradientDescent plain", *METRIC_RULES])
def test_every_rule_with_it_is_its_twin_bit_for_bit(name, make_pair, options, dtype):
    """The rows of a gradient of rows pair with the same rows of the arrays."""
    w, table = weights((4096 + 37,), dtype), weights((9, 4100), dtype, 5)
    right = {"w": w.copy(), "table": table.copy()}
    (of_w, twin_of_w), (of_table, twin_of_table) = make_pair(w), make_pair(table)
    terms = fr.regularize({"w": w, "table": table}, [("w", of_w), ("table", of_table)])
    optimizer, stepper = make(name, **options), Stepper(rule_of(name), VARIANTS[name], options.get("clip_norm"))
    rows = np.array([1, 2, 6])
    twins = {"w": twin_of_w, "table": twin_of_table.rows(rows)}
    for t in (1, 2):
        g, of_rows = weights(w.shape, dtype, seed=t), weights((3, 4100), dtype, seed=t)
        loss = optimizer.apply_gradients({"w": (g, w), "table": ((of_rows, rows), table)}, regularization=terms)
        assert_same(loss, stepper.step({"w": g, "table": (of_rows, rows)}, right, twins))
        assert_same({"w": w, "table": table}, right)
    for variable in right:
        for slot, array in stepper.slots[variable].items():
            assert_same(optimizer.get_slot(variable, slot), array)


@kinds
def test_a_run_is_restored_with_its_strengths(make_pair):
    params = {"w": W.copy()}
    (regularizer, twin), (fresh, _) = make_pair(W), make_pair(W)
    state = fr.optim.save(fr.optim.GradientDescent(0.5), params, fr.regularize(params, [("w", regularizer)]))
    name = "scale_l2" if isinstance(regularizer, fr.L1L2Regularizer) else "scale"
    setattr(fresh, name, 9.0)
    fr.optim.restore(state, fr.optim.GradientDescent(0.25), params, fr.regularize(params, [("w", fresh)]))
    assert_same(fresh(W), twin.value(W))


def test_tensorflows_own_factories_take_no_weights():
    for factory in (layers.l1_regularizer, layers.l2_regularizer, layers.l1_l2_regularizer):
        with pytest.raises(TypeError, match="weights"):
            factory(0.5, weights=np.ones(3))
        assert "weights" not in inspect.signature(factory).parameters
