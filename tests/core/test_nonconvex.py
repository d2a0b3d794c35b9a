"""MCP: its values, slopes and proxes by its twin, by brute force and by its definition; and its way through sums and steps."""

import copy
import pickle
import re

import numpy as np
import pytest
from kernel_calls import evaluate, set_pair
from optimizers import METRIC_RULES, PROXIMAL, VARIANTS, gradients, make, names, network, refused, rule_of, slots_of
from regularizers import dtypes
from scipy.optimize import check_grad
from twin.compare import assert_same
from twin.forms import expected, outcomes
from twin.inputs import SIZES, offset, weights
from twin.penalties import Elastic, Mcp, Sum
from twin.steps import Stepper
from twin.sums import CHUNK

import fastreg as fr

TWINS = {
    "usual": Mcp(0.3, 3.0),
    "all weights past the bend": Mcp(0.001, 0.25),
    "no weight past it": Mcp(4.0, 16.0),
    "not exact in float32": Mcp(0.7, 1.1),
}
mcps = pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)


def mcp_of(twin):
    return fr.mcp_regularizer(twin.scale, gamma=twin.gamma)


# ------------------------------------------------------------------------------------------------------------ the numbers
@dtypes
@mcps
@pytest.mark.parametrize("size", SIZES)
def test_every_operation_is_its_twin_bit_for_bit(twin, dtype, size):
    w, base = weights(size, dtype), weights(size, dtype, seed=1)
    steps = (0.0, 0.125, twin.gamma * 0.999, twin.gamma, twin.gamma * 2)
    assert_same(outcomes(mcp_of(twin), w, base, steps), expected(twin, w, base, steps))


@pytest.mark.parametrize("isa", fr.get_config()["isas"])
def test_quotients_of_float32_are_those_of_a_division(run_python, isa):
    """Where there is FMA, they are formed by a reciprocal: of all magnitudes, with divisors from 2**-52 to nearly 1."""
    script = """
import numpy as np, fastreg as fr
rng = np.random.default_rng(0)
w = rng.integers(0, 0x7F800000, 100_000, dtype=np.uint32).view(np.float32)
for k in range(60):
    gamma, scale = 1 + 10.0 ** rng.uniform(-6, 2), 10.0 ** rng.uniform(-8, 4)
    step = gamma * (1 - 2.0**-k if k < 50 else rng.uniform(0, 1))
    near = rng.uniform(0, gamma * scale, 50_000).astype(np.float32)
    for x in (w, near):
        m = x.astype(np.float64)
        shrunk = np.maximum(m - step * scale, 0) / (1 - step / gamma)
        expected = np.where(m > gamma * scale, m, shrunk).astype(np.float32)
        assert np.array_equal(fr.mcp_regularizer(scale, gamma).prox(x, step), expected), (gamma, scale, step)
"""
    done = run_python(script, FASTREG_ISA=isa)
    assert done.returncode == 0, done.stderr


@dtypes
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (0, 3), (7, 5), (2, 1, 700, 3)], ids=str)
def test_shapes_and_memory_orders(dtype, shape, order):
    w, base = (weights(shape, dtype, seed).copy(order) for seed in (2, 3))
    found = outcomes(mcp_of(Mcp(0.3, 3.0)), w, base)
    assert_same(found, expected(Mcp(0.3, 3.0), w, base))
    for name in ("gradient", "gradient with value new", "prox 0.5"):
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
]


@dtypes
@mcps
@pytest.mark.parametrize("special", SPECIAL, ids=str)
@pytest.mark.parametrize("at", [0, 40, 520])
def test_special_values_come_through_as_in_numpy(twin, dtype, special, at):
    w, base = weights(555, dtype), weights(555, dtype, seed=1)
    w[at : at + len(special)] = special
    steps = (0.0, 0.5, 32.0)
    assert_same(outcomes(mcp_of(twin), w, base, steps), expected(twin, w, base, steps))
    base[at : at + len(special)] = special[::-1]
    assert_same(outcomes(mcp_of(twin), w, base, steps), expected(twin, w, base, steps))


@dtypes
def test_special_values_by_hand(dtype):
    mcp = fr.mcp_regularizer(1.0, gamma=2.0)
    w = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 0.5, -0.5], dtype)
    assert_same(mcp.gradient(w), np.array([0.0, 0.0, np.nan, 0.0, 0.0, 0.75, -0.75], dtype))
    assert_same(mcp.prox(w, 0.5), np.array([np.inf, -np.inf, np.nan, 0.0, 0.0, 0.0, -0.0], dtype))
    assert_same(mcp.prox(w, 4.0), np.array([np.inf, -np.inf, np.nan, 0.0, 0.0, 0.0, -0.0], dtype))
    assert_same(mcp(w[:2]), dtype(2.0))
    assert np.isnan(mcp(w))
    assert_same(mcp(np.array([0.5, -1.0, 2.0, -3.0], dtype)), dtype(0.4375 + 0.75 + 1.0 + 1.0))


@dtypes
def test_a_large_output_is_the_twin_though_it_goes_around_the_caches(dtype):
    twin = Mcp(0.3, 3.0)
    n = (1 << 25) // np.dtype(dtype).itemsize + 4099
    w, out = np.resize(weights(CHUNK + 1, dtype), n), offset(np.empty(n, dtype), 8)
    mcp = mcp_of(twin)
    assert_same(mcp.gradient(w, out=out), twin.gradient(w))
    assert_same(mcp.prox(w, 0.125, out=out), twin.prox(w, 0.125))
    assert_same(
        evaluate([w], [fr.sum_regularizer([mcp, fr.l2_regularizer(0.5)])], ["w"], [out]), Sum(Elastic(0, 0.5), (twin,)).value64(w)
    )
    assert_same(out, Sum(Elastic(0.0, 0.5), (twin,)).gradient(w))


def costs(twin, step, w, z):
    return step * twin.phi(np.abs(z)) + (z - w) ** 2 / 2


@pytest.mark.parametrize("step", [0.25, 1.0, 1.75, 1.999, 2.0, 3.0, 10.0])
@pytest.mark.parametrize("scale", [0.25, 1.0])
def test_the_prox_is_the_minimum_of_a_grid(step, scale):
    twin = Mcp(scale, 2.0)
    grid = np.linspace(-6, 6, 48_001)
    w = np.linspace(-5, 5, 173)  # no tie between two minima among them
    z = fr.mcp_regularizer(scale, gamma=2.0).prox(w, step)
    for x, found in zip(w, z, strict=True):
        cost = costs(twin, step, x, grid)
        assert costs(twin, step, x, found) <= cost.min() + 1e-12
        if step < 1.9:  # else the minimum may be flat, or of two
            assert abs(found - grid[cost.argmin()]) <= 2 * (grid[1] - grid[0])
    assert (z == 0).any() and (z[np.abs(w) > max(2.0 * scale, scale * np.sqrt(2.0 * step))] != 0).all()


def test_a_prox_past_gamma_is_a_hard_threshold_whose_ties_are_zero():
    mcp = fr.mcp_regularizer(1.0, gamma=2.0)
    w = np.array([-4.0, np.nextafter(4.0, 5.0), np.nextafter(-4.0, -5.0), 4.0, 3.0])
    assert mcp.prox(w, 8.0).tolist() == [0.0, w[1], w[2], 0.0, 0.0]
    assert mcp.prox(np.array([2.0, -2.0, 2.5]), 2.0).tolist() == [0.0, 0.0, 2.5]  # at gamma itself


@mcps
def test_the_gradient_agrees_with_differences_of_the_value(twin):
    mcp, w = mcp_of(twin), weights(60, np.float64)
    w[np.abs(w) < 1e-3] = 1.0  # away from the kink at 0
    w[np.abs(np.abs(w) - twin.gamma * twin.scale) < 1e-3] = 1.0
    assert check_grad(mcp, mcp.gradient, w) < 1e-5 * np.linalg.norm(w)
    assert check_grad(lambda x: mcp.value_and_gradient(x)[0], lambda x: mcp.value_and_gradient(x)[1], w) < 1e-5 * np.linalg.norm(
        w
    )


@dtypes
@pytest.mark.parametrize("share", [0.125, 0.5, 0.9])
def test_three_points_where_the_prox_is_that_of_a_convex_problem(dtype, share):
    """f(z) <= f(y) - c/2*|y - z|**2 for every y, with f what the prox minimizes and c = 1 - step/gamma its convexity."""
    twin = Mcp(0.75, 2.0)
    step = share * twin.gamma
    w = weights(500, dtype)
    z = mcp_of(twin).prox(w, step).astype(np.float64)
    for seed in range(5):
        y = weights(500, np.float64, seed)
        at_z, at_y = costs(twin, step, w.astype(np.float64), z), costs(twin, step, w.astype(np.float64), y)
        slack = at_y - at_z - (1 - share) / 2 * (y - z) ** 2
        assert slack.min() > -200 * np.finfo(dtype).eps


# --------------------------------------------------------------------------------------------------------- its parameters
W = weights((20, 30), np.float64)


def test_a_new_scale_and_a_new_gamma_are_seen_by_every_later_call():
    mcp = fr.mcp_regularizer(0.5)
    assert (mcp.scale, mcp.gamma, mcp.name) == (0.5, 3.0, "mcp_regularizer")
    for scale, gamma in ((0.25, 3.0), (0.25, 1.5), (2.0, 1.5), (0.0, 0.5), (np.float32(0.125), 0.25)):
        if scale != mcp.scale:
            mcp.scale = scale
        mcp.gamma = gamma
        twin = Mcp(float(scale), gamma)
        assert (mcp.scale, mcp.gamma) == (scale, gamma) and type(mcp.scale) is float
        assert_same(mcp(W), twin.value(W))
        assert_same(mcp.gradient(W), twin.gradient(W))
        assert_same(mcp.prox(W, 0.5), twin.prox(W, 0.5))


@dtypes
def test_a_scale_of_0_leaves_it_out(dtype):
    off = fr.mcp_regularizer(0.5)
    off.scale = 0.0
    w = np.array([np.inf, -np.inf, np.nan, -0.0, 2.0], dtype)
    assert_same(off(w), dtype(0.0))
    assert_same(off.gradient(w), np.zeros(5, dtype))
    assert_same(off.gradient(w, out=w.copy(), accumulate=True), w)  # -0.0 too
    assert_same(off.prox(w, 0.5), np.array([np.inf, -np.inf, np.nan, 0.0, 2.0], dtype))
    both = fr.sum_regularizer([off, fr.l1_regularizer(0.25)])  # and makes no sum of what is left
    assert_same(both.prox(w[3:], 0.5), np.array([0.0, 1.875], dtype))
    for rule in ("ProximalAdagrad", "Ftrl"):
        x = np.ones(3, dtype)
        make(rule).apply_gradients({"w": (np.ones(3, dtype), x)}, fr.regularize({"w": x}, [("w", both)]))
    assert (off.scale, pickle.loads(pickle.dumps(off)).scale) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("scale", "error", "message"),
    [
        (1, ValueError, "scale cannot be an integer: 1"),
        (0, ValueError, "scale cannot be an integer: 0"),
        (True, ValueError, "scale cannot be an integer: True"),
        (-0.5, ValueError, "Setting a scale less than 0 on a regularizer: -0.5"),
        (np.nan, ValueError, "scale must be finite, got nan"),
        (np.inf, ValueError, "scale must be finite, got inf"),
        ("0.5", TypeError, "scale must be a real number, got '0.5' of type str"),
        (None, TypeError, "scale must be a real number, got None of type NoneType"),
    ],
    ids=repr,
)
def test_a_bad_scale_is_refused_and_changes_nothing(scale, error, message):
    mcp = fr.mcp_regularizer(0.5, gamma=2.0)
    value = mcp(W)
    for attempt in (lambda: fr.mcp_regularizer(scale), lambda: setattr(mcp, "scale", scale)):
        with pytest.raises(error) as caught:
            attempt()
        assert str(caught.value) == message
    assert (mcp.scale, mcp.gamma, mcp(W)) == (0.5, 2.0, value)


@pytest.mark.parametrize(
    ("gamma", "error", "message"),
    [
        (0.0, ValueError, "gamma must be above 0, got 0.0"),
        (-1, ValueError, "gamma must be above 0, got -1"),
        (np.nan, ValueError, "gamma must be finite, got nan"),
        (np.inf, ValueError, "gamma must be finite, got inf"),
        ("3", TypeError, "gamma must be a real number, got '3' of type str"),
        (None, TypeError, "gamma must be a real number, got None of type NoneType"),
    ],
    ids=repr,
)
def test_a_bad_gamma_is_refused_and_changes_nothing(gamma, error, message):
    mcp = fr.mcp_regularizer(0.5, gamma=2.0)
    value = mcp(W)
    attempts = [lambda: fr.mcp_regularizer(0.5, gamma=gamma), lambda: setattr(mcp, "gamma", gamma)]
    for attempt in (*attempts, lambda: fr.mcp_regularizer(0.0, gamma=gamma)):  # though disabled
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            attempt()
    assert (mcp.scale, mcp.gamma, mcp(W)) == (0.5, 2.0, value)


def test_a_scale_of_0_disables_the_factory(caplog):
    with caplog.at_level("INFO", logger="fastreg"):
        off = fr.mcp_regularizer(0.0, scope="mine")
    assert caplog.messages == ["Scale of 0 disables regularizer."]
    assert (off(W), off.gamma, off.name) == (0.0, 3.0, "mine")
    assert fr.regularize({"w": W}, [("w", off)]) == []


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_compute_the_same_and_go_their_own_way(duplicate):
    mcp = fr.mcp_regularizer(0.5, gamma=2.0, scope="mine")
    again = duplicate(mcp)
    mcp.scale = 4.0
    assert type(again) is type(mcp) and (again.scale, again.gamma, again.name) == (0.5, 2.0, "mine")
    assert_same(again(W), Mcp(0.5, 2.0).value(W))
    total = duplicate(fr.sum_regularizer([again, fr.l1_regularizer(0.25)]))
    assert_same(total(W), Sum(Elastic(0.25), (Mcp(0.5, 2.0),)).value(W))


def test_repr_builds_it_again():
    mcp = fr.mcp_regularizer(0.5, gamma=2.0)
    assert repr(mcp) == "mcp_regularizer(0.5, gamma=2.0)"
    assert_same(eval(repr(mcp), {"mcp_regularizer": fr.mcp_regularizer})(W), mcp(W))


# ------------------------------------------------------------------------------------------------------------------- sums
SUMS = {
    "l1": (lambda: [fr.l1_regularizer(0.25), fr.mcp_regularizer(0.3)], Sum(Elastic(0.25), (Mcp(0.3),))),
    "l2": (lambda: [fr.mcp_regularizer(0.3), fr.l2_regularizer(0.5)], Sum(Elastic(0.0, 0.5), (Mcp(0.3),))),
    "both": (lambda: [fr.l1_l2_regularizer(0.25, 0.5), fr.mcp_regularizer(0.3)], Sum(Elastic(0.25, 0.5), (Mcp(0.3),))),
    "two": (
        lambda: [fr.mcp_regularizer(0.3), fr.sum_regularizer([fr.mcp_regularizer(0.7, gamma=0.25)])],
        Sum(profiles=(Mcp(0.3), Mcp(0.7, 0.25))),
    ),
    "more than the stack holds": (
        lambda: [fr.l2_regularizer(0.5), *(fr.mcp_regularizer(0.1 * i) for i in range(1, 10))],
        Sum(Elastic(0.0, 0.5), tuple(Mcp(0.1 * i) for i in range(1, 10))),
    ),
}
sums = pytest.mark.parametrize(("parts", "twin"), SUMS.values(), ids=SUMS)


@dtypes
@sums
@pytest.mark.parametrize("size", [0, 1, 31, 513, CHUNK, 3 * CHUNK + 1, 100_003])
def test_value_and_gradient_of_a_sum_are_its_twin_bit_for_bit(parts, twin, dtype, size):
    w, base = weights(size, dtype), weights(size, dtype, seed=1)
    total = fr.sum_regularizer(parts())
    assert isinstance(total, fr.SupportsValueAndGradient)
    assert_same(outcomes(total, w, base, steps=()), expected(twin, w, base, steps=()))
    assert_same(evaluate([w], [total], ["w"]), twin.value64(w))


@sums
def test_the_prox_of_a_sum_is_an_error_that_writes_nothing(parts, twin):
    out = np.full_like(W, 9.0)
    for into in (None, out, W.copy()):
        before = None if into is None else into.tobytes()
        with pytest.raises(
            ValueError, match=r"no closed prox: .* only l1, l2 and group lassos whose groups are nested can be added$"
        ):
            fr.sum_regularizer(parts()).prox(W, 0.5, out=into)
        assert into is None or into.tobytes() == before


def test_a_sum_of_one_keeps_its_prox_and_follows_the_scales():
    mcp, l1 = fr.mcp_regularizer(0.3), fr.l1_regularizer(0.25)
    total = fr.sum_regularizer([l1, fr.sum_regularizer([mcp, None])])
    l1.scale = 0.0
    assert_same(total.prox(W, 0.5), Mcp(0.3).prox(W, 0.5))
    l1.scale, mcp.scale = 0.25, 0.0
    assert_same(total.prox(W, 0.5), Elastic(0.25).prox(W, 0.5))
    assert_same(total(W), Elastic(0.25).value(W))
    mcp.scale, mcp.gamma = 0.5, 2.0
    assert_same(total(W), Sum(Elastic(0.25), (Mcp(0.5, 2.0),)).value(W))


def test_a_pair_of_its_own_beside_a_profile():
    mcp = fr.mcp_regularizer(0.3)
    set_pair(mcp, 0.25, 0.5)
    assert_same(mcp.gradient(W), Sum(Elastic(0.25, 0.5), (Mcp(0.3),)).gradient(W))


# ------------------------------------------------------------------------------------------------------------ collections
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("accumulate", [False, True])
def test_collections_with_several_terms_over_one_variable(num_threads, threads, accumulate):
    num_threads(threads)
    arrays = network() | {"big": weights(70_001, np.float32, 3)}
    penalties = {"[ab]": Mcp(0.3), "c": Mcp(0.7, 0.25), "*": Sum(Elastic(0.25), (Mcp(0.7, 0.25),))}
    made = [mcp_of(Mcp(0.3)), mcp_of(Mcp(0.7, 0.25)), fr.sum_regularizer([mcp_of(Mcp(0.7, 0.25)), fr.l1_regularizer(0.25)])]
    terms = fr.regularize(arrays, list(zip(penalties, made, strict=True)))
    terms += fr.regularize(arrays, [("big", fr.mcp_regularizer(0.5)), ("c", fr.l2_regularizer(0.5))])
    more = {"big": [Mcp(0.5)], "c": [Elastic(0.0, 0.5)]}
    bases = gradients(arrays, 7)
    out = {key: base.copy(order="K") for key, base in bases.items()}
    total, found = fr.value_and_gradients(terms, out=out, accumulate=accumulate)
    rules = {key: penalties["[ab]" if key in "ab" else "c" if key == "c" else "*"] for key in arrays}
    expected_total = np.float64(0.0)
    for key, w in arrays.items():
        expected_total += rules[key].value64(w)
    for key in ("c", "big"):
        expected_total += more[key][0].value64(arrays[key])
    assert_same(total, expected_total)
    for key, w in arrays.items():
        parts = [rules[key], *more.get(key, [])]
        pair = Elastic(sum(p.pair.l1 for p in parts), sum(p.pair.l2 for p in parts))
        merged = Sum(pair, tuple(profile for p in parts for profile in p.profiles))
        assert_same(found[key], merged.gradient(w, bases[key] if accumulate else None))


# -------------------------------------------------------------------------------------------------------------- the rules
GRADIENT_RULES = [variant for variant in VARIANTS if variant not in PROXIMAL]
PROX_RULE = "ProximalGradientDescent plain"
WITH_MCP = {
    "alone": (lambda: fr.mcp_regularizer(0.3), Mcp(0.3)),
    "a step of gamma": (lambda: fr.mcp_regularizer(0.3, gamma=0.125), Mcp(0.3, 0.125)),
    "with l2": (
        lambda: fr.sum_regularizer([fr.mcp_regularizer(0.7, gamma=0.25), fr.l2_regularizer(0.5)]),
        Sum(Elastic(0.0, 0.5), (Mcp(0.7, 0.25),)),
    ),
    "with l1": (lambda: fr.sum_regularizer([fr.mcp_regularizer(0.3), fr.l1_regularizer(0.25)]), Sum(Elastic(0.25), (Mcp(0.3),))),
}


@dtypes
@pytest.mark.parametrize("options", [{}, {"clip_norm": 5.0}], ids=["whole", "clipped"])
@pytest.mark.parametrize(
    ("name", "case"),
    [
        (name, case)
        for name in (*GRADIENT_RULES, PROX_RULE, *METRIC_RULES)
        for case in WITH_MCP
        if name in GRADIENT_RULES or case != "with l1"
    ],
)
def test_every_rule_with_it_is_its_twin_bit_for_bit(name, case, options, dtype):
    build, twin = WITH_MCP[case]
    w, table = weights((4096 + 37,), dtype), weights((9, 4100), dtype, 5)
    right = {"w": w.copy(), "table": table.copy()}
    terms = fr.regularize({"w": w, "table": table}, [("*", build())])
    optimizer, stepper = make(name, **options), Stepper(rule_of(name), VARIANTS[name], options.get("clip_norm"))
    rows = np.array([1, 2, 6])
    for t in (1, 2, 3):
        g, of_rows = weights(w.shape, dtype, seed=t), weights((3, 4100), dtype, seed=t)
        loss = optimizer.apply_gradients({"w": (g, w), "table": ((of_rows, rows), table)}, regularization=terms)
        assert_same(loss, stepper.step({"w": g, "table": (of_rows, rows)}, right, {"w": twin, "table": twin}))
        assert_same({"w": w, "table": table}, right)
    for variable in right:
        for slot, array in stepper.slots[variable].items():
            assert_same(optimizer.get_slot(variable, slot), array)


@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.5}, {"clip_norm": 1e9, "check_finite": True}], ids=str)
@names(GRADIENT_RULES)
def test_folded_is_accumulated_first_bit_for_bit(name, options):
    folded, plain = network(), network()
    mcp, l1 = fr.mcp_regularizer(0.3), fr.l1_regularizer(0.25)
    rules = [("a", mcp), ("b", fr.sum_regularizer([l1, mcp])), ("f", None), ("*", fr.sum_regularizer([mcp, mcp]))]
    terms, same = (fr.regularize(arrays, rules) + fr.regularize(arrays, [("a", l1), ("c", mcp)]) for arrays in (folded, plain))
    one, other = make(name, **options), make(name, **options)
    for step in range(3):
        total, given = gradients(plain, step), gradients(folded, step)
        loss, _ = fr.value_and_gradients(same, out=total, accumulate=True)
        other.apply_gradients({key: (total[key], w) for key, w in plain.items()})
        assert_same(one.apply_gradients({key: (given[key], w) for key, w in folded.items()}, regularization=terms), loss)
        assert_same(given, gradients(folded, step))
    assert_same(folded, plain)
    assert_same(slots_of(one), slots_of(other))


def test_proximal_gradient_descent_ends_in_its_prox():
    w, g, mcp = weights((500,), np.float64), weights((500,), np.float64, 1), fr.mcp_regularizer(2.0)
    right = mcp.prox(fr.l1_regularizer(1.0).prox(w - 0.125 * g, 0.0), 0.125)
    fr.optim.ProximalGradientDescent(0.125).apply_gradients({"w": (g, w)}, fr.regularize({"w": w}, [("w", mcp)]))
    assert_same(w, right)
    assert np.sum(w == 0) > 20


SEVERAL = {
    "two": ([fr.mcp_regularizer(0.5), fr.mcp_regularizer(0.25)], {}),
    "l1": ([fr.mcp_regularizer(0.5), fr.l1_regularizer(0.25)], {}),
    "a sum": ([fr.sum_regularizer([fr.mcp_regularizer(0.5), fr.l1_regularizer(0.25)])], {}),
    "the rule's l1": ([fr.mcp_regularizer(0.5)], {"l1_regularization_strength": 0.25}),
    "the rule's l2": ([fr.mcp_regularizer(0.5)], {"l2_regularization_strength": 0.25}),
}


@pytest.mark.parametrize(("regularizers", "strengths"), SEVERAL.values(), ids=SEVERAL)
def test_what_has_no_closed_prox_together_is_refused(regularizers, strengths):
    arrays = {"v": np.ones(3), "w": np.ones(3)}
    terms = [term for regularizer in regularizers for term in fr.regularize(arrays, [("w", regularizer)])]
    optimizer = fr.optim.ProximalGradientDescent(0.125, **strengths)
    with refused(optimizer, ValueError, "a regularizer of 'w' has a prox of its own, .* no closed prox", *arrays.values()):
        optimizer.apply_gradients({key: (np.ones(3), w) for key, w in arrays.items()}, terms)


# ------------------------------------------------------------------------------------------------------------- the limits
@pytest.mark.parametrize(("scale", "gamma"), [(1e160, 3.0), (1e154, 1e300), (1e200, 1e-300)])
def test_a_value_that_overflows_is_refused_when_it_is_set(scale, gamma):
    message = re.escape(f"gamma * scale**2 must be finite in float64, got scale={scale!r} and gamma={gamma!r}")
    with pytest.raises(ValueError, match=message):
        fr.mcp_regularizer(scale, gamma=gamma)
    mcp = fr.mcp_regularizer(0.5, gamma=gamma)
    with pytest.raises(ValueError, match=message):
        mcp.scale = scale
    assert (mcp.scale, mcp.gamma, mcp(np.zeros(1))) == (0.5, gamma, 0)


def test_gamma_alone_is_checked_too():
    mcp = fr.mcp_regularizer(1e150, gamma=3.0)
    assert mcp(np.array([np.inf])) == 1e150 * 1e150 * 3.0 * 0.5
    with pytest.raises(ValueError, match=re.escape("got scale=1e+150 and gamma=10000000000.0")):
        mcp.gamma = 1e10
    assert mcp.gamma == 3.0 and mcp(np.array([np.inf])) == 1e150 * 1e150 * 3.0 * 0.5
