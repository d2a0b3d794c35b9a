"""Total variation and the largest magnitude: by their twins bit for bit, by optimality and brute force, and special values."""

import copy
import pickle
import re

import numpy as np
import pytest
from optimizers import names, refused
from regularizers import dtypes
from scipy.optimize import check_grad, minimize
from twin.compare import assert_same
from twin.forms import expected, outcomes
from twin.inputs import SIZES, weights
from twin.lines import Linf, TautString, TotalVariation, onto_l1_ball, project

import fastreg as fr

FACTORIES = {TotalVariation: fr.total_variation_regularizer, Linf: fr.linf_regularizer}
TWINS = {"variation": TotalVariation(0.3), "linf": Linf(0.7)}
twins = pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
STEPS = (0.0, 0.125, 2.0, 100.0)


def made(twin):
    return FACTORIES[type(twin)](twin.scale, axis=twin.axis)


# ------------------------------------------------------------------------------------------------------------ the numbers
@dtypes
@twins
@pytest.mark.parametrize("size", [size for size in SIZES if size < 5000 and size % 2])
def test_every_operation_is_its_twin_bit_for_bit(twin, dtype, size):
    w, base = weights(size, dtype), weights(size, dtype, seed=1)
    assert_same(outcomes(made(twin), w, base, STEPS), expected(twin, w, base, STEPS))


LAYOUTS = [
    (TotalVariation(0.5, 0), (7,)), (TotalVariation(0.5, 0), (1,)), (TotalVariation(0.5, -1), (0,)),
    (TotalVariation(0.5, 0), (0, 3)), (TotalVariation(0.5, 1), (0, 3)), (TotalVariation(0.5, 1), (3, 0)),
    (TotalVariation(0.5, 0), (7, 5)), (TotalVariation(0.5, -1), (7, 5)), (TotalVariation(0.5, -2), (3, 4, 5)),
    (TotalVariation(0.5, 1), (2, 1, 70, 3)), (TotalVariation(0.5, 0), (20, 300)), (TotalVariation(0.5, 1), (300, 20)),
    (TotalVariation(0.5, 0), (2, 4200)), (Linf(0.5), ()), (Linf(0.5), (0,)), (Linf(0.5), (3, 4, 5)), (Linf(0.5, 0), (0, 3)),
    (Linf(0.5, 1), (0, 3)), (Linf(0.5, 0), (7, 5)), (Linf(0.5, 1), (7, 5)), (Linf(0.5, (-1, 0)), (3, 4, 5)),
    (Linf(0.5, (0, 1, 2)), (3, 3, 4, 20)), (Linf(0.5, (0, 1, 3)), (3, 3, 4, 20)), (Linf(0.5, (1, 2)), (3, 3, 4, 20)),
    (Linf(0.5, 0), (3, 4500)), (Linf(0.5, 1), (4500, 3)),
]  # fmt: skip


@dtypes
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("twin", "shape"), LAYOUTS, ids=str)
def test_every_layout_is_its_twin_bit_for_bit(twin, shape, dtype, order):
    w, base = (weights(shape, dtype, seed).copy(order) for seed in (2, 3))
    found = outcomes(made(twin), w, base)
    assert_same(found, expected(twin, w, base))
    for name in ("gradient", "gradient with value new", "prox 0.5"):
        assert type(found[name]) is np.ndarray and found[name].flags[f"{order}_CONTIGUOUS"]


# ----------------------------------------------------------------------------------------------------- the right numbers
def variation_conditions(x, z, strength):
    """The dual of the prox: u[i] = sum of x - z up to i is at most the strength, and is it where z jumps."""
    u = np.cumsum(x - z)
    bound = 1e-12 * np.abs(x).sum() + 1e-300
    assert abs(u[-1]) <= bound
    assert (np.abs(u[:-1]) <= strength + bound).all()
    jumps = np.diff(z)
    np.testing.assert_allclose(u[:-1][jumps != 0], -strength * np.sign(jumps[jumps != 0]), rtol=1e-12, atol=bound)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 20_000])
@pytest.mark.parametrize("strength", [0.01, 0.5, 3.0, 1000.0])
def test_the_prox_of_total_variation_is_optimal(size, strength):
    tv = fr.total_variation_regularizer(strength)
    ramp = np.arange(size, dtype=np.float64)
    for x in (
        weights(size, np.float64, 5),
        np.cumsum(weights(size, np.float64, 6)),
        ramp,
        -ramp,
        np.minimum(ramp, ramp[::-1]),
        ramp % 7,
    ):
        variation_conditions(x, tv.prox(x, 1.0), strength)


@pytest.mark.parametrize("step", [0.25, 1.0, 3.0])
def test_the_prox_of_total_variation_by_brute_force(step):
    tv, rng = fr.total_variation_regularizer(0.5), np.random.default_rng(0)
    for _ in range(20):
        x = rng.standard_normal(4)
        costs = lambda z, x=x: step * 0.5 * np.abs(np.diff(z)).sum() + np.sum((z - x) ** 2) / 2  # noqa: E731
        best = min(minimize(costs, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 4000}).fun
                    for start in (x, np.full(4, x.mean())))  # fmt: skip
        assert costs(tv.prox(x, step)) <= best + 1e-12


def test_time_is_linear_where_a_direct_method_starts_again_and_again():
    """Condat's method of 2013 walks back over a ramp after each jump; here each knot enters and leaves a chain once."""
    calls = {}
    for n in (500, 1000):
        ramp = np.minimum(np.arange(n), np.arange(n)[::-1]) ** 2.0
        string = TautString.__new__(TautString)
        count = 0

        def rise(a, b, string=string):
            nonlocal count
            count += 1
            return TautString.rise(string, a, b)

        string.rise = rise
        string.__init__(ramp, 3.0, 0.0, 0.0)
        calls[n] = count
    assert calls[1000] <= 2.1 * calls[500] and calls[500] < 10 * 500


def test_a_constant_line_and_equal_neighbours_stay_to_the_bit():
    tv = fr.total_variation_regularizer(0.5)
    w = np.full(1000, 0.1)
    assert_same(tv.prox(w, 7.0), w)
    assert np.unique(tv.prox(weights(1000, np.float32, 3), 0.5)).size < 900


@pytest.mark.parametrize("strength", [0.125, 1.0, 20.0])
def test_the_prox_of_linf_is_what_the_projection_onto_the_dual_ball_leaves(strength):
    """Moreau: prox(x) + project(x) = x."""
    for seed in range(20):
        x = weights(100, np.float64, seed)
        z = fr.linf_regularizer(strength).prox(x, 1.0)
        np.testing.assert_allclose(z, x - project(onto_l1_ball, x, (0,), strength), rtol=0, atol=1e-14)
        top = np.abs(z).max()
        assert (z == 0).all() or np.isclose(np.maximum(np.abs(x) - top, 0).sum(), strength, rtol=1e-13)


@dtypes
@twins
@pytest.mark.parametrize("step", [0.25, 2.0])
def test_three_points(twin, dtype, step):
    """f(z) <= f(y) - |y - z|**2 / 2 for every y, with f what the prox minimizes."""
    w = weights(60, dtype)
    z = made(twin).prox(w, step).astype(np.float64)

    def f(y):
        return step * twin.value64(y) + np.sum((y - w.astype(np.float64)) ** 2) / 2

    for seed in range(30):
        for y in (weights(60, np.float64, seed), z + weights(60, np.float64, seed) / 64):
            assert f(z) <= f(y) - np.sum((y - z) ** 2) / 2 + 500 * np.finfo(dtype).eps * f(z)


@twins
def test_the_gradient_agrees_with_differences_of_the_value(twin):
    w = np.random.default_rng(1).standard_normal(60)  # no ties
    regularizer = made(twin)
    assert check_grad(regularizer, regularizer.gradient, w) < 1e-6


@twins
def test_the_gradient_is_a_subgradient_at_ties_too(twin):
    regularizer = made(twin)
    for seed in range(20):
        w = np.round(weights(30, np.float64, seed))
        w[seed % 5 :: 7] = np.abs(w).max()
        g = regularizer.gradient(w)
        for other in range(20):
            y = np.round(weights(30, np.float64, other + 50))
            assert regularizer(y) >= regularizer(w) + g @ (y - w) - 1e-12


def test_many_proxes_of_total_variation_make_a_line_flat():
    """As lightning tests it: the proximal point method finds the minimum of the penalty alone."""
    x = np.random.default_rng(0).standard_normal(100)
    mean = x.mean()
    for _ in range(100):
        fr.total_variation_regularizer(1.0).prox(x, 1.0, out=x)
    np.testing.assert_allclose(x, mean, rtol=1e-12, atol=1e-13)


def test_numbers_by_hand():
    linf = fr.linf_regularizer(0.5, axis=0)
    w = np.array([[-5.0, 0.0], [-1.0, 0.0], [2.0, 0.0]])
    assert linf(w) == 2.5
    assert_same(linf.prox(w, 2.0), np.array([[-4.0, 0.0], [-1.0, 0.0], [2.0, 0.0]]))
    tv = fr.total_variation_regularizer(1.0)
    assert_same(tv.prox(np.array([4.0, 0.0, 4.0]), 1.0), np.array([3.0, 2.0, 3.0]))
    np.testing.assert_allclose(tv.prox(np.array([4.0, 0.0, 4.0]), 5.0), 8 / 3, rtol=1e-15)


inf, nan = np.inf, np.nan
VARIATION = {
    "nan": ([1.0, nan, 2.0, 5.0], nan, [nan, nan, nan, 1.0], [nan] * 4),
    "infinity": ([inf, 1.0, 2.0, 5.0, -inf], inf, [1.0, -2.0, 0.0, 2.0, -1.0], [inf, 2.5, 2.5, 3.0, -inf]),
    "equal infinities": ([inf, inf, 1.0], inf, [0.0, 1.0, -1.0], [inf, inf, 2.0]),
    "infinities alone": ([-inf, inf], inf, [-1.0, 1.0], [-inf, inf]),
    "zeros": ([-0.0, 0.0, -0.0], 0.0, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
}  # fmt: skip
LARGEST = {
    "nan": ([1.0, nan, 2.0], nan, [nan, nan, nan], [nan, nan, nan]),
    "nan beside infinity": ([inf, nan], nan, [nan, nan], [nan, nan]),
    "infinity": ([1.0, inf, -inf], inf, [0.0, 0.5, -0.5], [1.0, inf, -inf]),
    "zeros": ([-0.0, 0.0], 0.0, [0.0, 0.0], [0.0, 0.0]),
    "ties": ([2.0, -2.0, 1.0, -0.0], 2.0, [0.5, -0.5, 0.0, 0.0], [1.5, -1.5, 1.0, 0.0]),
    "none is left": ([0.25, -0.5], 0.5, [0.0, -1.0], [0.0, -0.0]),
}


@dtypes
@pytest.mark.parametrize(
    ("factory", "line", "value", "gradient", "prox"),
    [
        *((fr.total_variation_regularizer, *row) for row in VARIATION.values()),
        *((fr.linf_regularizer, *row) for row in LARGEST.values()),
    ],
    ids=[*VARIATION, *LARGEST],
)  # fmt: skip
def test_special_values_by_hand(dtype, factory, line, value, gradient, prox):
    w = np.array(line, dtype)
    regularizer = factory(1.0)
    assert_same(regularizer(w), dtype(value))
    assert_same(regularizer.gradient(w), np.array(gradient, dtype))
    assert_same(np.abs(regularizer.prox(w, 1.0)), np.abs(np.array(prox, dtype)))
    both = factory(1.0, axis=0)
    assert_same(both.gradient(np.stack([w, np.ones_like(w)], axis=1))[:, 0], np.array(gradient, dtype))


@dtypes
@twins
@pytest.mark.parametrize("special", [[nan], [inf], [-inf, inf], [3e38, -3e38], [1e-45, 0.0], [5e-324, -0.0]], ids=str)
@pytest.mark.parametrize("at", [0, 40, 53])
def test_special_values_come_through_as_in_the_twin(twin, dtype, special, at):
    w, base = weights(55, dtype), weights(55, dtype, seed=1)
    w[at : at + len(special)] = special
    assert_same(outcomes(made(twin), w, base, STEPS), expected(twin, w, base, STEPS))


@twins
def test_a_step_so_large_that_its_product_with_the_scale_overflows(twin):
    w = weights(50, np.float64)
    regularizer = FACTORIES[type(twin)](1e300)
    z = regularizer.prox(w, 1e300)
    assert np.ptp(np.abs(z)) == 0


# --------------------------------------------------------------------------------------------------------- its parameters
W = weights((20, 30), np.float64)
factories = pytest.mark.parametrize("factory", FACTORIES.values(), ids=lambda factory: factory.__name__)


@factories
def test_a_new_scale_is_seen_by_every_later_call_in_sums_and_terms_too(factory):
    twin = {value: key for key, value in FACTORIES.items()}[factory]
    regularizer = factory(0.5)
    total = fr.sum_regularizer([regularizer, fr.l2_regularizer(0.5)])
    terms = fr.regularize({"w": W}, [("w", regularizer)])
    for scale in (0.25, np.float32(2.0), 0.0):
        regularizer.scale = scale
        assert type(regularizer.scale) is float
        assert_same(regularizer(W), twin(float(scale)).value(W))
        assert float(total(W)) == pytest.approx(twin(float(scale)).value(W) + fr.l2_regularizer(0.5)(W))
        assert float(fr.add_n(terms)) == twin(float(scale)).value(W)


@dtypes
@factories
def test_a_scale_of_0_leaves_it_out(factory, dtype):
    off = factory(0.5)
    off.scale = 0.0
    w = np.array([inf, -inf, nan, -0.0, 2.0], dtype)
    assert_same(off(w), dtype(0.0))
    assert_same(off.gradient(w), np.zeros(5, dtype))
    assert_same(off.gradient(w, out=w.copy(), accumulate=True), w)
    assert_same(off.prox(w, 0.5), np.array([inf, -inf, nan, 0.0, 2.0], dtype))


@factories
def test_a_scale_of_0_disables_the_factory(factory, caplog):
    with caplog.at_level("INFO", logger="fastreg"):
        off = factory(0.0, scope="mine")
    assert caplog.messages == ["Scale of 0 disables regularizer."]
    assert (off(W), off.name, off.disabled) == (0.0, "mine", True)
    assert fr.regularize({"w": W}, [("w", off)]) == []
    off.scale = 0.5
    assert len(fr.regularize({"w": W}, [("w", off)])) == 1
    with_l1 = fr.sum_regularizer([factory(0.0), fr.l1_regularizer(0.0)])
    assert with_l1.disabled and fr.regularize({"w": W}, [("w", with_l1)]) == []
    assert not fr.sum_regularizer([factory(0.5), fr.l1_regularizer(0.0)]).disabled


@factories
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_compute_the_same_and_go_their_own_way(factory, duplicate):
    regularizer = factory(0.5, axis=0, scope="mine")
    value, again = regularizer(W), duplicate(regularizer)
    regularizer.scale = 4.0
    assert (type(again), again.scale, again.axis, again.name) == (type(regularizer), 0.5, 0, "mine")
    assert_same(again(W), value)


def test_repr_builds_it_again():
    for text in (
        "total_variation_regularizer(0.5, axis=-1)",
        "linf_regularizer(0.5, axis=None)",
        "linf_regularizer(0.5, axis=(0, 1))",
    ):
        assert repr(eval(text, vars(fr))) == text


@factories
@pytest.mark.parametrize(
    ("scale", "error", "message"),
    [
        (1, ValueError, "scale cannot be an integer: 1"),
        (-0.5, ValueError, "Setting a scale less than 0 on a regularizer: -0.5"),
        (nan, ValueError, "scale must be finite, got nan"),
        ("0.5", TypeError, "scale must be a real number, got '0.5' of type str"),
    ],
    ids=repr,
)
def test_a_bad_scale_is_refused_and_changes_nothing(factory, scale, error, message):
    regularizer = factory(0.5)
    for attempt in (lambda: factory(scale), lambda: setattr(regularizer, "scale", scale)):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            attempt()
    assert regularizer.scale == 0.5


@pytest.mark.parametrize("axis", [1.0, "0", (), [], (0, 1.0), True, (0, True)], ids=repr)
def test_an_axis_that_is_none_is_refused(axis):
    for factory in FACTORIES.values():
        with pytest.raises(TypeError, match=r"^axis must be "):
            factory(0.5, axis=axis)
    with pytest.raises(TypeError, match=r"^axis must be a whole number, got None$"):
        fr.total_variation_regularizer(0.5, axis=None)


@pytest.mark.parametrize(
    ("regularizer", "message"),
    [
        (fr.linf_regularizer(0.5, axis=2), r"linf_regularizer\(0.5, axis=2\) needs an axis 2, .* shape \(20, 30\) do not have"),
        (fr.linf_regularizer(0.0, axis=(0, -3)), r"needs an axis -3, which weights of shape \(20, 30\) do not have"),
        (fr.linf_regularizer(0.5, axis=(0, -2)), r"names an axis of weights of shape \(20, 30\) twice"),
        (fr.total_variation_regularizer(0.5, axis=2), r"needs an axis 2, which weights of shape \(20, 30\) do not have"),
    ],
    ids=["beyond", "before, and of scale 0", "twice", "of total variation"],
)
def test_weights_without_the_axis_are_refused_before_anything_is_written(regularizer, message):
    out = np.full_like(W, 9.0)
    for attempt in (
        lambda: regularizer(W),
        lambda: regularizer.gradient(W, out=out),
        lambda: regularizer.value_and_gradient(W, out=out, accumulate=True),
        lambda: regularizer.prox(W, 0.5, out=out),
    ):
        with pytest.raises(ValueError, match=message):
            attempt()
    assert (out == 9).all()


@twins
def test_bad_calls_are_refused_as_everywhere_and_write_nothing(twin):
    regularizer, out = made(twin), np.full(5, 9.0)
    w = np.arange(5.0)
    for attempt, error, message in (
        (lambda: regularizer([1.0]), TypeError, "weights must be a numpy.ndarray"),
        (lambda: regularizer(w.astype(int)), TypeError, "weights must be a float32 or float64 array"),
        (lambda: regularizer.gradient(w, out=out[:4]), ValueError, "out must have the shape of weights"),
        (lambda: regularizer.gradient(w, accumulate=True), ValueError, "accumulate=True adds to out"),
        (lambda: regularizer.prox(w, -1.0, out=out), ValueError, "step must be finite and at least 0"),
        (lambda: regularizer.prox(w, nan, out=out), ValueError, "step must be finite and at least 0"),
        (lambda: regularizer.prox(w, 0.5, out=out.astype(np.float32)), TypeError, "out must have the dtype of weights"),
        (lambda: regularizer.prox(out[:4], 0.5, out=out[1:]), ValueError, "out overlaps weights in part"),
    ):
        with pytest.raises(error, match=message):
            attempt()
    assert (out == 9).all()


# ------------------------------------------------------------------------------------------------- collections and steps
@twins
def test_they_enter_collections_by_the_door_of_own_regularizers(twin):
    arrays = {"v": weights(40, np.float32), "w": W.copy()}
    regularizer = made(twin)
    assert isinstance(regularizer, fr.SupportsValueAndGradient) and isinstance(regularizer, fr.SupportsProx)
    terms = fr.regularize(arrays, [("*", regularizer)])
    assert [term.name for term in terms] == [f"{key}/Regularizer/{regularizer.name}:0" for key in arrays] or len(terms) == 2
    total, gradients = fr.value_and_gradients(terms)
    assert float(total) == sum(float(twin.value(w)) for w in arrays.values())
    for key, w in arrays.items():
        assert_same(gradients[key], twin.gradient(w))
    assert repr(regularizer) in str(fr.summary(terms))
    both = fr.value_and_gradients([2 * terms[1]])[1]["w"] if hasattr(terms[1], "__rmul__") else None
    assert both is None or np.allclose(both, 2 * twin.gradient(arrays["w"]))


@twins
def test_a_sum_with_l1_adds_both_and_has_no_prox(twin):
    total = fr.sum_regularizer([made(twin), fr.l1_regularizer(0.25)])
    np.testing.assert_allclose(total.gradient(W), twin.gradient(W) + 0.25 * np.sign(W), rtol=1e-15)
    with pytest.raises(ValueError, match="has no closed prox"):
        total.prox(W, 0.5)
    assert_same(fr.sum_regularizer([made(twin)]).prox(W, 0.5), twin.prox(W, 0.5))


@twins
def test_the_step_of_proximal_gradient_descent_ends_in_the_prox(twin):
    g, w = weights((20, 30), np.float64, 1), W.copy()
    terms = fr.regularize({"w": w}, [("w", made(twin))])
    loss = fr.optim.ProximalGradientDescent(0.125).apply_gradients({"w": (g, w)}, terms)
    assert_same(w, twin.prox(W - 0.125 * g, 0.125))
    assert float(loss) == twin.value(W)


@twins
@names(["ProximalAdagrad", "Ftrl"])
def test_rules_of_another_metric_name_what_to_use(twin, name):
    w = np.ones((3, 4))
    terms = fr.regularize({"w": w}, [("w", made(twin))])
    optimizer = fr.optim.ProximalAdagrad(0.5) if name == "ProximalAdagrad" else fr.optim.Ftrl(0.5)
    with refused(optimizer, ValueError, "no closed form; use ProximalGradientDescent", w):
        optimizer.apply_gradients({"w": (np.ones((3, 4)), w)}, terms)


@twins
def test_other_rules_take_the_gradient(twin):
    g, w = weights((20, 30), np.float64, 1), W.copy()
    fr.optim.GradientDescent(0.5).apply_gradients({"w": (g, w)}, fr.regularize({"w": w}, [("w", made(twin))]))
    assert_same(w, W - 0.5 * (g + twin.gradient(W)))


@twins
def test_a_checkpoint_has_the_strength(twin):
    regularizer = made(twin)
    params = {"w": W.copy()}
    terms = fr.regularize(params, [("w", regularizer)])
    optimizer = fr.optim.GradientDescent(0.5)
    state = fr.optim.save(optimizer, params, terms)
    assert state[f"strengths/w/Regularizer/{regularizer.name}/scale"] == twin.scale
    regularizer.scale = 9.0
    fr.optim.restore(state, optimizer, params, terms)
    assert regularizer.scale == twin.scale
