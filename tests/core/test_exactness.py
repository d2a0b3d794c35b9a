"""Every operation, rule and penalty against its twin and the exact sums: shapes, dtypes, offsets, special values, threads.

Sizes are drawn on both sides of every block, lane and thread threshold of the kernels. The ordinary run draws few examples, the
same ones each time; `--hypothesis-profile thorough` draws many, and prints what reproduces a failure.
"""

from math import prod

import numpy as np
import pytest
from constraints import BOUNDS, KINDS, pair
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_calls import evaluate
from optimizers import METRIC_RULES, POWER, VARIANTS, make, names, rule_of, slots_of
from regularizers import PENALTIES, TWINS, WITH_ARRAYS, dtypes
from sixteen import floats, halves, rounded, widened
from sixteen import kinds as formats
from twin.compare import assert_same
from twin.constraints import Between
from twin.exact import exact_value, ulps
from twin.forms import expected, outcomes
from twin.inputs import offset, weights
from twin.lines import Linf, TotalVariation
from twin.penalties import Elastic, Groups, Linear, Mcp, Sum
from twin.rules import RULES
from twin.steps import Stepper

import fastreg as fr

# Lanes, runs, blocks, strips, segments, chunks, and the bytes from which the GIL is released, threads are woken and share,
# in elements of 4 and of 8 bytes.
SMALL = (0, 1, 2, 4, 8, 15, 16, 32, 64, 128, 256, 512, 1024)
LARGE = (2048, 4096, 8192, 12288, 16384, 32768, 65536)
MOST = 70_000
LITTLE = 3_000  # elements, where the twin goes line by line or member by member


@pytest.fixture(autouse=True, scope="module")
def _threads():
    """The examples set the number of threads."""
    before = fr.get_num_threads()
    yield
    fr.set_num_threads(before)


few = settings(max_examples=max(1, settings.default.max_examples // 4))

near = st.sampled_from(SMALL).flatmap(lambda border: st.integers(max(0, border - 1), border + 1))
near_large = st.sampled_from(LARGE).flatmap(lambda border: st.integers(border - 2, border + 2))
offsets = st.integers(0, 15)
threads = st.sampled_from([1, 2, 3, 7])
seeds = st.integers(0, 99)


def shapes(most=MOST, ranks=(0, 1, 1, 2, 2, 3)):
    """Return a strategy of shapes whose sizes, or products of sizes, lie at the borders."""
    flat = st.tuples(st.one_of(near, near_large))
    parts = {0: st.just(()), 1: flat, 2: st.tuples(near, near), 3: st.tuples(near, st.integers(0, 5), near)}
    return st.sampled_from(ranks).flatmap(parts.__getitem__).filter(lambda shape: prod(shape) <= most)


# A special value and where it stands: from the start, or from the end.
SPECIAL = (0.0, -0.0, np.nan, np.inf, -np.inf, "subnormal", "-subnormal", "tiny", "huge", "-huge", "root", "above the root")
FINITE = tuple(value for value in SPECIAL if isinstance(value, str) or np.isfinite(value))


def specials(values=SPECIAL):
    return st.lists(st.tuples(st.integers(-40, 40), st.sampled_from(values)), max_size=4)


def special(value, dtype):
    info = np.finfo(dtype)
    named = {
        "subnormal": info.smallest_subnormal,
        "-subnormal": -info.smallest_subnormal,
        "tiny": info.tiny,
        "huge": info.max,
        "-huge": -info.max,
        "root": np.sqrt(info.max),
        "above the root": 2 * np.sqrt(info.max),
    }
    return named.get(value, value)


def with_specials(x, found, dtype=None):
    """Put special values into a copy of an array."""
    flat = x.flatten(order="K")
    for place, value in found:
        if -flat.size <= place < flat.size:
            flat[place] = special(value, dtype or x.dtype)
    return flat.reshape(x.shape, order="C" if x.flags.c_contiguous else "F")


def moved(places):
    """Return a function that copies an array to where it starts so many elements behind a border of 64 bytes."""
    return lambda x: offset(x, places * x.itemsize % 64).view(x.dtype)


def in_order(x, order):
    return x.copy(order=order)


# -------------------------------------------------------------------------------------------------------------- penalties
GROUPED = {
    "columns": (fr.group_lasso_regularizer(0.3, 0), Groups(Linear(0.3), (0,))),
    "rows": (fr.group_lasso_regularizer(0.3, -1, size_power=0.5), Groups(Linear(0.3, 0.5), (-1,))),
    "mcp of columns": (fr.mcp_regularizer(0.3, gamma=3.0, axis=0), Groups(Mcp(0.3, 3.0), (0,))),
    "nested": (
        fr.sum_regularizer([fr.sparse_group_lasso_regularizer(0.25, 0.7, -1), fr.group_lasso_regularizer(0.3, None)]),
        Sum(Elastic(0.25), (Groups(Linear(0.7), (-1,)), Groups(Linear(0.3), None))),
    ),
}
LINES = {
    "total variation": (fr.total_variation_regularizer(0.3), TotalVariation(0.3)),
    "total variation of columns": (fr.total_variation_regularizer(0.3, axis=0), TotalVariation(0.3, 0)),
    "linf": (fr.linf_regularizer(0.7), Linf(0.7)),
    "linf of columns": (fr.linf_regularizer(0.7, axis=0), Linf(0.7, 0)),
}


def assert_twin(regularizer, twin, w, base, step, put):
    with np.errstate(all="ignore"):
        right = expected(twin, w, base, (step,))
    assert_same(outcomes(regularizer, w, base, (step,), put), right)


@few
@dtypes
@pytest.mark.parametrize("name", [*PENALTIES, *WITH_ARRAYS])
@given(shape=shapes(), seed=seeds, found=specials(), more=specials(), step=st.floats(0, 8), places=offsets, n=threads)
def test_penalties_of_elements(name, dtype, shape, seed, found, more, step, places, n):
    fr.set_num_threads(n)
    w, base = (with_specials(weights(shape, dtype, seed + i), values) for i, values in enumerate((found, more)))
    regularizer, twin = PENALTIES[name] if name in PENALTIES else WITH_ARRAYS[name](w, moved(places))
    assert_twin(regularizer, twin, w, base, step, moved(places))


@few
@dtypes
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("name", [*GROUPED, *LINES])
@given(shape=shapes(ranks=(2, 2, 3)), seed=seeds, found=specials(), step=st.floats(0, 8), places=offsets, n=threads)
def test_penalties_of_groups_and_lines(name, dtype, order, shape, seed, found, step, places, n):
    if name in LINES and prod(shape) > LITTLE:
        shape = shape[:1] + tuple(min(size, 17) for size in shape[1:])
    fr.set_num_threads(n)
    w = with_specials(in_order(weights(shape, dtype, seed), order), found)
    assert_twin(*(GROUPED | LINES)[name], w, in_order(weights(shape, dtype, seed + 1), order), step, moved(places))


@few
@formats
@pytest.mark.parametrize("name", [*PENALTIES, "columns", "nested"])
@given(shape=shapes(ranks=(2,)), seed=seeds, found=specials(), step=st.floats(0, 8), places=offsets, n=threads)
def test_penalties_of_16_bits(name, kind, shape, seed, found, step, places, n):
    fr.set_num_threads(n)
    regularizer, twin = (PENALTIES | GROUPED)[name]
    with np.errstate(all="ignore"):
        w, base = (halves(with_specials(weights(shape, np.float32, seed + i), found), kind) for i in (0, 1))
        right = rounded(expected(twin, floats(w, kind), floats(base, kind), (step,)), kind)
    assert_same(widened(outcomes(regularizer, w, base, (step,), moved(places)), kind), right)


# -------------------------------------------------------------------------------------------------------------- exact sums
@dtypes
@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
@given(
    shape=shapes(), seed=seeds, found=specials((0.0, -0.0, "tiny")), power=st.integers(-30, 30), places=offsets, n=threads
)  # fmt: skip
def test_values_are_the_exact_sums(twin, dtype, shape, seed, found, power, places, n):
    fr.set_num_threads(n)
    if dtype == np.float64 and twin.l2 != 0:  # the square of a tiny float64 vanishes
        found = [(place, 0.0) for place, _ in found]
    w = with_specials(np.ldexp(weights(shape, dtype, seed), power), found)
    regularizer, exact = fr.l1_l2_regularizer(twin.l1, twin.l2), exact_value(twin, w)
    value, total = regularizer(moved(places)(w)), evaluate([w], [regularizer], ["w"])
    if exact == 0:
        assert value == total == 0
        return
    assert ulps(value, exact) <= (4.0 if dtype == np.float64 else 0.5 + 1e-9 * 2**24)
    assert ulps(total, exact) <= 4.0


@dtypes
@given(st.lists(st.tuples(shapes(most=9000), seeds, st.sampled_from(["l1", "l2", "l1_l2", "mcp", "huber"])), max_size=6), threads)
def test_collections(dtype, parts, n):
    fr.set_num_threads(n)
    arrays = {str(i): weights(shape, dtype, seed) for i, (shape, seed, _) in enumerate(parts)}
    bases = {key: weights(w.shape, dtype, 7) for key, w in arrays.items()}
    chosen = [PENALTIES[name] for _, _, name in parts]
    terms = fr.regularize(arrays, [(key, regularizer) for key, (regularizer, _) in zip(arrays, chosen, strict=True)])
    found = {key: base.copy() for key, base in bases.items()}
    total, _ = fr.value_and_gradients(terms, out=found, accumulate=True)
    twins = dict(zip(arrays, (twin for _, twin in chosen), strict=True))
    assert total == sum((twin.value64(arrays[key]) for key, twin in twins.items()), start=0.0)
    assert_same(found, {key: twin.gradient(arrays[key], bases[key]) for key, twin in twins.items()})


# ------------------------------------------------------------------------------------------------------------- constraints
@few
@dtypes
@pytest.mark.parametrize("kind", KINDS)
@given(
    shape=shapes(ranks=(2, 2, 3)), axis=st.sampled_from([0, -1, None]), seed=seeds, found=specials(), places=offsets, n=threads
)
def test_projections(kind, dtype, shape, axis, seed, found, places, n):
    if kind not in BOUNDS and prod(shape) > LITTLE:
        shape = shape[:1] + tuple(min(size, 5) for size in shape[1:])
    fr.set_num_threads(n)
    constraint, twin = pair(kind, axis)
    w = with_specials(weights(shape, dtype, seed), found)
    with np.errstate(all="ignore"):
        right = twin(w)
    put = moved(places)
    in_place = put(w)
    assert constraint.project(in_place, out=in_place) is in_place
    assert_same({"new": constraint(put(w)), "in place": in_place}, {"new": right, "in place": right})


# ------------------------------------------------------------------------------------------------------------------- rules
@few
@names([variant for variant in VARIANTS if variant != POWER])
@given(
    shape=shapes(ranks=(1, 2)), other=shapes(most=2000, ranks=(2,)),
    kinds=st.tuples(*[st.sampled_from([np.float32, np.float64])] * 2),
    chosen=st.tuples(*[st.sampled_from(["l1", "l2", "l1_l2", "off", "profile"])] * 2), seed=seeds, found=specials(),
    given_specials=specials(), clipped=st.booleans(), bounded=st.booleans(), rows=st.booleans(), places=offsets, n=threads,
)  # fmt: skip
def test_steps(name, shape, other, kinds, chosen, seed, found, given_specials, clipped, bounded, rows, places, n):
    fr.set_num_threads(n)
    put, rule = moved(places), RULES[rule_of(name)]
    plain = name in METRIC_RULES or name == "ProximalGradientDescent plain"
    profile = ("mcp" if plain or not rule.takes_l1 else "l1_l2", "huber" if not rule.takes_l1 else "l2")
    kept = [kind if kind != "profile" else profile[i] for i, kind in enumerate(chosen)]
    if clipped:  # a norm that overflows is measured at another scale, which the twin does not
        found = given_specials = []
    arrays = {
        key: put(with_specials(weights(size, kind, seed), found))
        for key, size, kind in zip("ab", (shape, other), kinds, strict=True)
    }
    twins = {key: w.copy() for key, w in arrays.items()}
    pairs = {key: PENALTIES[kind] for key, kind in zip(arrays, kept, strict=True)}
    terms = fr.regularize(arrays, [(key, regularizer) for key, (regularizer, _) in pairs.items()])
    limits = fr.constrain(arrays, [("a", fr.constraints.box(-0.5, 0.25))]) if bounded else None
    clip = 2.0 if clipped else None
    optimizer, stepper = make(name, clip_norm=clip), Stepper(rule_of(name), VARIANTS[name], clip)
    touched = np.arange(0, other[0], 3)
    for step in (1, 2):
        gradients = {key: with_specials(weights(w.shape, w.dtype, seed + step), given_specials) for key, w in arrays.items()}
        if rows:
            gradients["b"] = gradients["b"][touched], touched
        with np.errstate(all="ignore"):
            right = stepper.step(
                gradients, twins, {key: twin for key, (_, twin) in pairs.items()}, {"a": Between(-0.5, 0.25)} if bounded else {}
            )
        laid = {key: (put(g[0]), g[1]) if isinstance(g, tuple) else put(g) for key, g in gradients.items()}
        loss = optimizer.apply_gradients({key: (laid[key], w) for key, w in arrays.items()}, terms, constraints=limits)
        assert_same({"loss": loss, **arrays}, {"loss": right, **twins})
        slots = {f"{key}/{slot}": x for key, held in stepper.slots.items() for slot, x in held.items()}
        assert_same(slots_of(optimizer), slots)
