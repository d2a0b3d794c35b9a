"""The profiles besides MCP: by their twins, by brute force, by derivatives and by public numbers; then what is special to one."""

import copy
import pickle
import re
from decimal import Decimal, localcontext

import numpy as np
import pytest
from kernel_calls import evaluate
from optimizers import METRIC_RULES, PROXIMAL, VARIANTS, gradients, make, names, network, refused, rule_of
from regularizers import dtypes
from scipy.optimize import check_grad
from twin.compare import assert_same
from twin.forms import expected, outcomes
from twin.inputs import SIZES, offset, weights
from twin.penalties import L0, Elastic, Huber, LogSum, PseudoHuber, Scad, Sum
from twin.steps import Stepper
from twin.sums import CHUNK

import fastreg as fr


def regularizer_of(twin):
    """Return the regularizer that a twin is the twin of."""
    factories = {
        Scad: fr.scad_regularizer,
        L0: fr.l0_regularizer,
        Huber: fr.huber_regularizer,
        PseudoHuber: fr.pseudo_huber_regularizer,
        LogSum: fr.log_sum_regularizer,
    }
    return factories[type(twin)](**vars(twin))


# Twins, and steps in every range of the prox: SCAD has three, log-sum two.
CASES = {
    "scad": (Scad(0.3), (0.0, 0.125, 2.699, 2.7, 4.0, 4.7, 4.701, 20.0)),
    "scad, a near 2": (Scad(0.7, 2.0625), (0.5, 1.0625, 3.0625, 3.5)),
    "scad, no weight past the bend": (Scad(4.0, 16.0), (0.5, 15.5, 17.5)),
    "l0": (L0(0.3), (0.0, 0.125, 3.0)),
    "huber": (Huber(0.3, 0.5), (0.0, 0.125, 3.0)),
    "huber, squares alone": (Huber(0.7, 64.0), (0.5,)),
    "pseudo_huber": (PseudoHuber(0.3, 0.5), (0.5,)),
    "pseudo_huber, large delta": (PseudoHuber(0.7, 64.0), ()),
    "log_sum": (LogSum(0.3, 1.0), (0.0, 0.125, 3.0, 3.5, 100.0)),
    "log_sum, small eps": (LogSum(0.7, 1e-3), (0.0, 1e-6, 0.125, 3.0)),
    "log_sum, nearly none": (LogSum(1e-3, 1e-9), (0.5,)),
}
CONVEX = [Huber(0.3, 0.5), Huber(2.0, 3.0), PseudoHuber(0.3, 0.5)]
cases = pytest.mark.parametrize(("twin", "steps"), CASES.values(), ids=CASES)
twins = pytest.mark.parametrize("twin", [twin for twin, _ in CASES.values()], ids=CASES)
EACH = [Scad(0.3), L0(0.3), Huber(0.3, 0.5), PseudoHuber(0.3, 0.5), LogSum(0.3, 0.5)]
WITH_PROX = [twin for twin in EACH if not isinstance(twin, PseudoHuber)]
each = pytest.mark.parametrize("twin", EACH, ids=repr)
with_prox = pytest.mark.parametrize("twin", WITH_PROX, ids=repr)


# ------------------------------------------------------------------------------------------------------------ the numbers
@dtypes
@cases
@pytest.mark.parametrize("size", SIZES)
def test_every_operation_is_its_twin_bit_for_bit(twin, steps, dtype, size):
    w, base = weights(size, dtype), weights(size, dtype, seed=1)
    assert_same(outcomes(regularizer_of(twin), w, base, steps), expected(twin, w, base, steps))


@dtypes
@each
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (0, 3), (7, 5), (2, 1, 700, 3)], ids=str)
def test_shapes_and_memory_orders(twin, dtype, order, shape):
    w, base = (weights(shape, dtype, seed).copy(order) for seed in (2, 3))
    found = outcomes(regularizer_of(twin), w, base)
    assert_same(found, expected(twin, w, base))
    for name in ("gradient", "gradient with value new"):
        assert type(found[name]) is np.ndarray and found[name].flags[f"{order}_CONTIGUOUS"]


TINY = float(np.finfo(np.float32).smallest_subnormal)
SPECIAL = [
    [np.nan],
    [np.inf],
    [-np.inf],
    [-0.0],
    [0.0, -0.0],
    [np.inf, -np.inf, np.nan],
    [TINY, -TINY],
    [5e-324, -5e-324],
    [-3e38],
    [1.7e308, -1e200],
]


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@dtypes
@cases
@pytest.mark.parametrize("special", SPECIAL, ids=str)
@pytest.mark.parametrize("at", [0, 40, 520])
def test_special_values_come_through_as_in_numpy(twin, steps, dtype, special, at):
    w, base = weights(555, dtype), weights(555, dtype, seed=1)
    w[at : at + len(special)] = special
    assert_same(outcomes(regularizer_of(twin), w, base, steps), expected(twin, w, base, steps))
    base[at : at + len(special)] = special[::-1]
    assert_same(outcomes(regularizer_of(twin), w, base, steps), expected(twin, w, base, steps))


# At infinity: the value, the gradient, and the prox, which leaves an infinite weight alone.
AT_INFINITY = {
    "scad": (fr.scad_regularizer(2.0, a=3.0), 8.0, 0.0),
    "l0": (fr.l0_regularizer(2.0), 2.0, 0.0),
    "huber": (fr.huber_regularizer(2.0, delta=3.0), np.inf, 6.0),
    "pseudo_huber": (fr.pseudo_huber_regularizer(2.0, delta=3.0), np.inf, 6.0),
    "log_sum": (fr.log_sum_regularizer(2.0, eps=3.0), np.inf, 0.0),
}


@dtypes
@pytest.mark.parametrize(("regularizer", "value", "slope"), AT_INFINITY.values(), ids=AT_INFINITY)
def test_infinity_nan_and_zero_by_hand(regularizer, value, slope, dtype):
    w = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], dtype)
    assert_same(regularizer(w[:1]), dtype(value))
    assert np.isnan(regularizer(w))
    assert_same(regularizer(w[3:]), dtype(0.0))
    assert_same(regularizer.gradient(w), np.array([slope, 0.0 - slope, np.nan, 0.0, 0.0], dtype))
    if not isinstance(regularizer, fr.PseudoHuberRegularizer):
        for step in (0.0, 0.5, 3.0, 8.0):
            assert_same(regularizer.prox(w, step), np.array([np.inf, -np.inf, np.nan, 0.0, 0.0], dtype))


@dtypes
@each
def test_a_large_output_is_the_twin_though_it_goes_around_the_caches(twin, dtype):
    n = (1 << 25) // np.dtype(dtype).itemsize + 4099
    w, out = np.resize(weights(CHUNK + 1, dtype), n), offset(np.empty(n, dtype), 8)
    regularizer = regularizer_of(twin)
    assert_same(regularizer.gradient(w, out=out), twin.gradient(w))
    if not isinstance(twin, PseudoHuber):
        assert_same(regularizer.prox(w, 0.125, out=out), twin.prox(w, 0.125))
    assert_same(evaluate([w], [regularizer], ["w"], [out]), twin.value64(w))
    assert_same(out, twin.gradient(w))


# ------------------------------------------------------------------------------------- by formulas that are not the twin's
W = np.array([-20.0, -3.0, -1.0, -0.26, -1e-3, 1e-9, 0.0, 0.24, 0.5, 0.99, 1.01, 2.0, 7.0])
FORMULAS = {
    "scad": (
        fr.scad_regularizer(0.5, a=3.0),
        lambda m: np.select(
            [m <= 0.5, m <= 1.5], [0.5 * m, (2 * 3.0 * 0.5 * m - m**2 - 0.5**2) / (2 * (3.0 - 1))], 0.5**2 * (3.0 + 1) / 2
        ),
    ),
    "l0": (fr.l0_regularizer(0.5), lambda m: 0.5 * (m != 0)),
    "huber": (fr.huber_regularizer(0.5, delta=2.0), lambda m: 0.5 * np.where(m <= 2.0, m**2 / 2, 2.0 * (m - 1.0))),
    "pseudo_huber": (fr.pseudo_huber_regularizer(0.5, delta=2.0), lambda m: 0.5 * m**2 / (1 + np.sqrt(1 + (m / 2.0) ** 2))),
    "log_sum": (fr.log_sum_regularizer(0.5, eps=0.25), lambda m: 0.5 * np.log1p(m / 0.25)),
}
formulas = pytest.mark.parametrize(("regularizer", "phi"), FORMULAS.values(), ids=FORMULAS)


@formulas
def test_values_by_the_papers_formula(regularizer, phi):
    for w in W:
        assert float(regularizer(np.array([w]))) == pytest.approx(float(phi(np.abs(w))), rel=1e-14, abs=1e-16)
    assert float(regularizer(W)) == pytest.approx(float(np.sum(phi(np.abs(W)))), rel=1e-14)


@formulas
def test_gradients_by_differences_of_the_value(regularizer, phi):
    w = W[(np.abs(W) > 1e-6)]
    assert check_grad(regularizer, regularizer.gradient, w) < 1e-6
    assert check_grad(lambda x: np.sum(phi(np.abs(x))), regularizer.gradient, w) < 1e-6


def costs(regularizer, step, w, z):
    return step * np.array([regularizer(np.array([x])) for x in np.atleast_1d(z)]) + (np.atleast_1d(z) - w) ** 2 / 2


# Steps in every range: SCAD's with a = 3 end at 2 and at 4, log-sum's with scale 0.5 and eps 0.25 at 0.125.
@pytest.mark.parametrize("step", [0.05, 0.125, 0.25, 1.0, 1.9, 2.0, 3.0, 3.99, 4.0, 4.01, 10.0])
@pytest.mark.parametrize("name", [name for name in FORMULAS if name != "pseudo_huber"])
def test_the_prox_is_the_minimum_of_a_grid(name, step):
    regularizer, phi = FORMULAS[name]
    grid = np.linspace(-8, 8, 64_001)
    of_grid = step * phi(np.abs(grid))
    w = np.linspace(-6, 6, 397)
    z = regularizer.prox(w, step)
    for x, found in zip(w, z, strict=True):
        cost = of_grid + (grid - x) ** 2 / 2
        assert step * phi(np.abs(found)) + (found - x) ** 2 / 2 <= cost.min() + 1e-12
    assert (np.signbit(z) == np.signbit(w)).all() and (np.abs(z) <= np.abs(w)).all()
    rising = z[np.argsort(w)]
    assert (np.diff(rising) >= 0).all()


@pytest.mark.parametrize("twin", CONVEX[:2], ids=repr)
@pytest.mark.parametrize("step", [0.125, 1.0, 30.0])
def test_three_point_inequality(twin, step):
    """For the prox z of a convex f at w and any y: step*f(y) + |y - w|^2/2 >= step*f(z) + |z - w|^2/2 + |y - z|^2/2."""
    w, regularizer = weights(500, np.float64), regularizer_of(twin)
    z = regularizer.prox(w, step)
    for seed in range(5):
        y = weights(500, np.float64, seed)
        left = step * twin.phi(np.abs(y)) + (y - w) ** 2 / 2
        right = step * twin.phi(np.abs(z)) + (z - w) ** 2 / 2 + (y - z) ** 2 / 2
        assert (left - right).min() > -1e-13


@pytest.mark.parametrize(
    ("regularizer", "step", "threshold"),
    [
        (fr.scad_regularizer(1.0, a=3.0), 16.0, 8.0),  # scale * sqrt(step * (a + 1))
        (fr.scad_regularizer(0.5, a=3.0), 4.0, 2.0),
        (fr.l0_regularizer(0.5), 4.0, 2.0),  # sqrt(2 * step * scale)
        (fr.log_sum_regularizer(2.0, eps=2.0), 1.0, 1.0),  # step * scale / eps
    ],
    ids=repr,
)
def test_a_weight_at_the_threshold_becomes_zero(regularizer, step, threshold):
    above = np.nextafter(threshold, np.inf)
    z = regularizer.prox(np.array([threshold, -threshold, above, -above]), step)
    assert (z[:2] == 0).all() and (np.signbit(z) == [False, True, False, True]).all()
    assert z[2] > 0 or isinstance(regularizer, fr.LogSumRegularizer)  # which has no jump there


def test_scad_takes_the_soft_threshold_where_both_are_minima():
    scad = fr.scad_regularizer(1.0, a=3.0)
    z = scad.prox(np.array([3.5, np.nextafter(3.5, 4.0)]), 3.0)  # the jump is at scale * (a + 1 + step) / 2
    assert z.tolist() == [0.5, np.nextafter(3.5, 4.0)]
    assert costs(scad, 3.0, 3.5, [0.5, 3.5]).tolist() == [6.0, 6.0]


@pytest.mark.parametrize(("scale", "a"), [(1e160, 3.7), (1.0, 1e160), (1e100, 1e60)])
def test_a_value_of_scad_that_overflows_on_the_way_is_refused_when_it_is_set(scale, a):
    with pytest.raises(ValueError, match=re.escape(f"got scale={scale!r} and a={a!r}")):
        fr.scad_regularizer(scale, a)
    scad = fr.scad_regularizer(1e100, a=4.0)
    for name, value in (("scale", 1e154), ("a", 1e60)):
        with pytest.raises(ValueError, match=re.escape("(a * scale)**2")):
            setattr(scad, name, value)
    assert (scad.scale, scad.a) == (1e100, 4.0)
    w = np.array([0.0, 1e50, 2e100, 4e100, 1e300, np.inf])
    with np.errstate(all="raise"):
        assert [scad(w[i : i + 1]) for i in (0, 3, 4, 5)] == [0, *[pytest.approx(2.5e200)] * 3]


def test_scad_is_l1_up_to_its_scale_and_mcp_less():
    w = np.linspace(-0.5, 0.5, 41)
    assert_same(fr.scad_regularizer(0.5).gradient(w), fr.l1_regularizer(0.5).gradient(w))
    assert float(fr.scad_regularizer(0.5)(w)) == pytest.approx(float(fr.l1_regularizer(0.5)(w)), rel=1e-15)
    assert fr.mcp_regularizer(0.5)(w) < fr.l1_regularizer(0.5)(w)


def test_huber_is_l2_below_delta():
    w, l2 = weights(300, np.float64), fr.l2_regularizer(0.5)
    w = w[w != 0]
    huber = fr.huber_regularizer(0.5, delta=64.0)
    assert_same(huber.gradient(w), l2.gradient(w))
    assert_same(huber.prox(w, 0.25), l2.prox(w, 0.25))
    assert float(huber(w)) == pytest.approx(float(l2(w)), rel=1e-15)


def test_public_numbers_of_a_hard_threshold():
    """The prox of ProximalOperators.jl's NormL0, test_results.jl."""
    w = np.array([
        0.14315338571566838, 0.6534693088076117, -0.35221109634545744, -1.0843092036012738, -0.21687748781464977,
        0.38416472626106707, 0.46644748241896083, -1.7104462861427205, 0.29913996761129763, 1.4566599915371263,
    ])  # fmt: skip
    l0 = fr.l0_regularizer(0.6)
    assert float(l0(w)) == pytest.approx(6.0, rel=1e-15)
    z = l0.prox(w, 0.4)
    assert_same(z, np.where(np.isin(np.arange(10), (3, 7, 9)), w, np.copysign(0.0, w)))
    assert float(l0(z)) == pytest.approx(1.8, rel=1e-15)
    w = np.array([
        [-0.9617311985566904, -0.518012365217699, 0.4416517549177308, 1.0497034474382447],
        [0.273994311984438, 0.33356795744106194, 0.24747082687586053, 1.369695656039301],
        [-0.778053112909331, 1.7320620010973118, 1.6366272293068256, -0.5828690748881356],
        [-0.9706863561972737, 1.4039270788692668, 1.126542963082653, -0.06669611410738466],
    ])  # fmt: skip
    l0 = fr.l0_regularizer(0.45)
    assert float(l0(w)) == pytest.approx(7.2, rel=1e-15)
    z = l0.prox(w, 0.55)
    assert float(l0(z)) == pytest.approx(4.05, rel=1e-15)
    assert_same(z[z != 0], w[np.abs(w) > np.sqrt(2 * 0.45 * 0.55)])


# -------------------------------------------------------------------------------------------------------------- log-sum
def exact_log_sum(m, eps):
    with localcontext() as context:
        context.prec = 60
        return (1 + Decimal(float(m)) / Decimal(float(eps))).ln()


@pytest.mark.parametrize("eps", [1.0, 2.0**-40, 2.0**300, float(np.finfo(np.float64).tiny)])
def test_the_logarithm_is_within_a_unit_in_the_last_place(eps):
    """The ratios are exact, so all of the error is the logarithm's."""
    log_sum = fr.log_sum_regularizer(1.0, eps=eps)
    rng = np.random.default_rng(7)
    ratios = np.concatenate([2.0 ** rng.uniform(-70, 4, 400), 2.0 ** rng.uniform(4, 700, 100), [0.41421356237309515, 1.0, 2**52]])
    errors = []
    for m in ratios * eps:
        exact = exact_log_sum(m, eps)
        ulp = Decimal(float(np.spacing(float(exact))))
        errors.append(abs(Decimal(float(log_sum(np.array([m])))) - exact) / ulp)
    assert max(errors) < Decimal("0.9")


def test_the_logarithm_where_the_ratio_overflows_or_vanishes():
    for m, eps in [(1.7e308, 0.25), (1.7e308, 3e-308), (1e16, 3e-308), (1.0, 1e308), (5e-324, 1.0), (5e-324, 3e-308)]:
        found = float(fr.log_sum_regularizer(1.0, eps=eps)(np.array([m])))
        assert found == pytest.approx(float(exact_log_sum(m, eps)), rel=3e-16)
    assert float(fr.log_sum_regularizer(0.5, eps=0.25)(np.array([1.7e308, 1.7e308]))) == pytest.approx(
        float(exact_log_sum(1.7e308, 0.25)), rel=3e-16
    )


@pytest.mark.parametrize("scale", [2e-4, 0.5, 1.0001, 3.0, 1e6, 1e200])
@pytest.mark.parametrize("eps", [1e-300, 1e-6, 0.01, 1.0])
def test_a_threshold_of_log_sum_is_where_zero_costs_as_much(scale, eps):
    log_sum = fr.log_sum_regularizer(scale, eps=eps)
    below, above = 0.0, 1e300
    for _ in range(2200):
        middle = below + (above - below) / 2
        if not below < middle < above:
            break
        below, above = (middle, above) if log_sum.prox(np.array([middle]), 1.0)[0] == 0 else (below, middle)
    with localcontext() as context:
        context.prec = 60
        c, x = Decimal(scale), Decimal(below)
        if c.sqrt() <= Decimal(eps):
            assert below == pytest.approx(scale / eps, rel=1e-15)
            return
        root = (x - Decimal(eps)) / 2 + ((x + Decimal(eps)) ** 2 / 4 - c).sqrt()
        gain = x * root - root**2 / 2 - c * (1 + root / Decimal(eps)).ln()  # of the root over 0
        assert abs(gain / (x * root)) < Decimal("4e-15")
    jump = log_sum.prox(np.array([above]), 1.0)[0]
    assert jump == pytest.approx(float(root), rel=1e-7, abs=1e-10 * eps)  # near a double root it is ill-conditioned


# ---------------------------------------------------------------------------------------------------------- pseudo-Huber
def test_pseudo_huber_has_no_closed_prox_and_says_what_to_use():
    regularizer, out = fr.pseudo_huber_regularizer(0.5, delta=2.0), np.full(3, 9.0)
    message = (
        "pseudo_huber_regularizer(0.5, delta=2.0) has no closed prox: pseudo-Huber's is the root of an equation of the fourth "
        "degree; huber_regularizer has a closed one"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        regularizer.prox(np.ones(3), 0.5, out=out)
    assert (out == 9.0).all()
    with pytest.raises(ValueError, match="has no closed prox"):
        fr.sum_regularizer([regularizer]).prox(np.ones(3), 0.5)


@names(PROXIMAL)
def test_a_proximal_rule_refuses_pseudo_huber_before_anything_is_written(name):
    arrays = {"v": np.ones(3), "w": np.ones(3)}
    optimizer = make(name)
    terms = fr.regularize(arrays, [("v", fr.l1_regularizer(0.5)), ("w", fr.pseudo_huber_regularizer(0.5))])
    message = (
        "a regularizer of 'w' has no closed prox, .* huber_regularizer has a closed one, and a rule without a prox, such as Adam"
    )
    with refused(optimizer, ValueError, message, *arrays.values()):
        optimizer.apply_gradients({key: (np.ones(3), w) for key, w in arrays.items()}, terms)


def test_pseudo_huber_neither_overflows_nor_cancels():
    for w in (1e-200, 1e-9, 3.0, 1e9, 1e200):
        found = float(fr.pseudo_huber_regularizer(1.0, delta=1.0)(np.array([w])))
        with localcontext() as context:
            context.prec = 500
            assert found == pytest.approx(float((1 + Decimal(w) ** 2).sqrt() - 1), rel=1e-15, abs=0)
            slope = float(Decimal(w) / (1 + Decimal(w) ** 2).sqrt())
        assert float(fr.pseudo_huber_regularizer(1.0).gradient(np.array([w]))[0]) == pytest.approx(slope, rel=1e-15)


# --------------------------------------------------------------------------------------------------------- its parameters
PARAMETERS = {
    "scad": (fr.scad_regularizer, "a", 3.0, [(2.0, "a must be above 2, got 2.0"), (np.inf, "a must be finite, got inf")]),
    "huber": (fr.huber_regularizer, "delta", 3.0, [(0.0, "delta must be above 0, got 0.0")]),
    "pseudo_huber": (fr.pseudo_huber_regularizer, "delta", 3.0, [(-1, "delta must be above 0, got -1")]),
    "log_sum": (
        fr.log_sum_regularizer,
        "eps",
        3.0,
        [
            (0.0, "eps must be above 0, got 0.0"),
            (5e-324, "eps must be at least 2.2250738585072014e-308, the smallest normal number, got 5e-324"),
            (np.nan, "eps must be finite, got nan"),
        ],
    ),
}
parameters = pytest.mark.parametrize(("factory", "name", "value", "refused_values"), PARAMETERS.values(), ids=PARAMETERS)
X = weights((20, 30), np.float64)


@parameters
def test_a_new_parameter_is_seen_by_every_later_call(factory, name, value, refused_values):
    regularizer = factory(0.5, **{name: value})
    assert (regularizer.scale, getattr(regularizer, name)) == (0.5, value)
    setattr(regularizer, name, 2.5)
    regularizer.scale = 0.25
    fresh = factory(0.25, **{name: 2.5})
    assert_same(outcomes(regularizer, X, X), outcomes(fresh, X, X))
    assert repr(regularizer) == repr(fresh) == f"{factory.__name__}(0.25, {name}=2.5)"
    assert type(getattr(regularizer, name)) is float


@parameters
def test_a_bad_parameter_is_refused_and_changes_nothing(factory, name, value, refused_values):
    regularizer = factory(0.5, **{name: value})
    before = regularizer(X)
    for bad, message in refused_values:
        attempts = [lambda bad=bad: factory(0.0, **{name: bad}), lambda bad=bad: setattr(regularizer, name, bad)]
        for attempt in attempts:
            with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
                attempt()
    for bad in ("3", None, True):
        with pytest.raises(TypeError, match=f"{name} must be a real number"):
            setattr(regularizer, name, bad)
    assert (getattr(regularizer, name), regularizer(X)) == (value, before)


@each
def test_a_bad_scale_is_refused_and_changes_nothing(twin):
    regularizer = regularizer_of(twin)
    before = regularizer(X)
    for scale, error in ((1, ValueError), (-0.5, ValueError), (np.nan, ValueError), ("0.5", TypeError)):
        for attempt in (
            lambda s=scale: regularizer_of(type(twin)(s, *list(vars(twin).values())[1:])),
            lambda s=scale: setattr(regularizer, "scale", s),
        ):
            with pytest.raises(error, match="scale"):
                attempt()
    assert regularizer(X) == before


@each
@dtypes
def test_a_scale_of_0_leaves_it_out(twin, dtype):
    off = regularizer_of(twin)
    off.scale = 0.0
    w = np.array([np.inf, -np.inf, np.nan, -0.0, 2.0], dtype)
    assert_same(off(w), dtype(0.0))
    assert_same(off.gradient(w), np.zeros(5, dtype))
    assert_same(off.gradient(w, out=w.copy(), accumulate=True), w)
    assert_same(off.prox(w, 0.5), np.array([np.inf, -np.inf, np.nan, 0.0, 2.0], dtype))
    assert (off.scale, off.disabled) == (0.0, False)


@each
def test_a_scale_of_0_disables_the_factory(twin, caplog):
    with caplog.at_level("INFO", logger="fastreg"):
        off = regularizer_of(type(twin)(0.0, *list(vars(twin).values())[1:]))
    assert caplog.messages == ["Scale of 0 disables regularizer."]
    assert off.disabled and off(X) == 0.0
    assert fr.regularize({"w": X}, [("w", off)]) == []


@each
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_compute_the_same_and_go_their_own_way(twin, duplicate):
    regularizer = regularizer_of(twin)
    regularizer.name = "mine"
    again = duplicate(regularizer)
    regularizer.scale = 4.0
    assert type(again) is type(regularizer) and (again.scale, again.name) == (twin.scale, "mine")
    assert_same(again(X), twin.value(X))
    assert_same(duplicate(fr.sum_regularizer([again, fr.l1_regularizer(0.25)]))(X), Sum(Elastic(0.25), (twin,)).value(X))


# -------------------------------------------------------------------------------------------------- sums, collections, rules
@dtypes
@each
@pytest.mark.parametrize("size", [0, 1, 513, 3 * CHUNK + 1])
def test_value_and_gradient_of_a_sum_are_its_twin_bit_for_bit(twin, dtype, size):
    w, base = weights(size, dtype), weights(size, dtype, seed=1)
    total = fr.sum_regularizer([fr.l1_regularizer(0.25), regularizer_of(twin), fr.sum_regularizer([fr.scad_regularizer(0.7)])])
    right = Sum(Elastic(0.25), (twin, Scad(0.7)))
    assert_same(outcomes(total, w, base, steps=()), expected(right, w, base, steps=()))
    with pytest.raises(ValueError, match="has no closed prox: it is a sum"):
        total.prox(w, 0.5)


def test_all_of_them_in_one_collection(num_threads):
    num_threads(3)
    arrays = network() | {"big": weights(70_001, np.float32, 3)}
    found = [twin for twin, _ in CASES.values()]
    taken = dict(zip(arrays, found * len(arrays), strict=False))
    terms = [term for key, twin in taken.items() for term in fr.regularize(arrays, [(key, regularizer_of(twin))])]
    bases = gradients(arrays, 7)
    out = {key: base.copy(order="K") for key, base in bases.items()}
    total, _ = fr.value_and_gradients(terms, out=out, accumulate=True)
    assert_same(total, np.float64(sum((taken[key].value64(w) for key, w in arrays.items()), start=np.float64(0.0))))
    for key, w in arrays.items():
        assert_same(out[key], taken[key].gradient(w, bases[key]))


GRADIENT_RULES = [variant for variant in VARIANTS if variant not in PROXIMAL]


@dtypes
@pytest.mark.parametrize("options", [{}, {"clip_norm": 5.0}], ids=["whole", "clipped"])
@pytest.mark.parametrize(
    ("name", "twin"),
    [(name, twin) for name in GRADIENT_RULES for twin in EACH]
    + [(name, twin) for name in ("ProximalGradientDescent plain", *METRIC_RULES) for twin in WITH_PROX],
)
def test_every_rule_with_it_is_its_twin_bit_for_bit(name, twin, options, dtype):
    w, table = weights((4096 + 37,), dtype), weights((9, 4100), dtype, 5)
    right = {"w": w.copy(), "table": table.copy()}
    terms = fr.regularize({"w": w, "table": table}, [("*", regularizer_of(twin))])
    optimizer, stepper = make(name, **options), Stepper(rule_of(name), VARIANTS[name], options.get("clip_norm"))
    rows = np.array([1, 2, 6])
    for t in (1, 2):
        g, of_rows = weights(w.shape, dtype, seed=t), weights((3, 4100), dtype, seed=t)
        loss = optimizer.apply_gradients({"w": (g, w), "table": ((of_rows, rows), table)}, regularization=terms)
        assert_same(loss, stepper.step({"w": g, "table": (of_rows, rows)}, right, {"w": twin, "table": twin}))
        assert_same({"w": w, "table": table}, right)


def test_l0_leaves_a_step_by_gradients_alone():
    w, g = weights((500,), np.float32), weights((500,), np.float32, 1)
    plain = w.copy()
    fr.optim.GradientDescent(0.125).apply_gradients({"w": (g, plain)})
    terms = fr.regularize({"w": w}, [("w", fr.l0_regularizer(0.5))])
    loss = fr.optim.GradientDescent(0.125).apply_gradients({"w": (g, w)}, terms)
    assert_same(w, plain)
    assert float(loss) == 0.5 * np.count_nonzero(weights((500,), np.float32))


@each
def test_a_run_is_restored_with_every_strength(twin):
    params = {"w": X.copy()}
    regularizer = regularizer_of(twin)
    terms = fr.regularize(params, [("w", regularizer)])
    state = fr.optim.save(fr.optim.GradientDescent(0.5), params, terms)
    fresh = regularizer_of(type(twin)(4.0, *([9.0] * (len(vars(twin)) - 1))))
    fr.optim.restore(state, fr.optim.GradientDescent(0.25), params, fr.regularize(params, [("w", fresh)]))
    assert repr(fresh) == repr(regularizer)
    assert_same(fresh(X), twin.value(X))
