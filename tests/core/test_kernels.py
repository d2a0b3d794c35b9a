"""Every operation in every form against its plain NumPy twin and exact sums, and every refusal at the border."""

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from reference import (
    CHUNK,
    SIZES,
    assert_same,
    exact_value,
    expected,
    gradient,
    offset,
    outcomes,
    prox,
    ulps,
    value,
    value64,
    weights,
)
from scipy.optimize import check_grad

import fastreg as fr
from fastreg.kernels import Penalty, check_array, evaluate

DTYPES = (np.float32, np.float64)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)


def penalty(l1, l2):
    pair = Penalty()
    pair._set(l1, l2)
    return pair


def switched_off():
    off = fr.l2_regularizer(0.7)
    off.scale = 0.0
    return off


# Every way to a pair of coefficients, with the pair that it comes down to.
PENALTIES = {
    "l1": (fr.l1_regularizer(0.3), (0.3, 0.0)),
    "l2": (fr.l2_regularizer(0.7), (0.0, 0.7)),
    "l1_l2": (fr.l1_l2_regularizer(0.3, 0.7), (0.3, 0.7)),
    "l1_l2 without l1": (fr.l1_l2_regularizer(0.0, 0.7), (0.0, 0.7)),
    "l1_l2 without l2": (fr.l1_l2_regularizer(0.3, 0.0), (0.3, 0.0)),
    "sum": (fr.sum_regularizer([fr.l1_regularizer(0.3), None, fr.l2_regularizer(0.7)]), (0.3, 0.7)),
    "sum of sums": (
        fr.sum_regularizer([fr.sum_regularizer([fr.l2_regularizer(0.25)]), fr.l2_regularizer(0.5), fr.l1_regularizer(1.0)]),
        (1.0, 0.75),
    ),
    "off": (switched_off(), (0.0, 0.0)),
}
penalties = pytest.mark.parametrize(("regularizer", "pair"), PENALTIES.values(), ids=PENALTIES)
PAIRS = {"l1": (0.3, 0.0), "l2": (0.0, 0.7), "both": (0.3, 0.7)}
pairs = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)


# ------------------------------------------------------------------------------------------------------- against the twin
@dtypes
@penalties
@pytest.mark.parametrize("size", SIZES)
def test_every_operation_is_its_twin_bit_for_bit(regularizer, pair, dtype, size):
    w, base = weights(size, dtype), weights(size, dtype, seed=1)
    assert_same(outcomes(regularizer, w, base), expected(*pair, w, base))


@dtypes
@pairs
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (3, 0), (1, 5), (7, 5), (64, 65), (3, 4, 5), (2, 1, 700, 3)], ids=str)
def test_shapes_and_memory_orders(pair, dtype, shape, order):
    w, base = (weights(shape, dtype, seed).copy(order) for seed in (2, 3))
    found = outcomes(penalty(*pair), w, base)
    assert_same(found, expected(*pair, w, base))
    for name in ("gradient", "gradient with value new", "prox 0.5"):
        assert type(found[name]) is np.ndarray
        assert found[name].flags[f"{order}_CONTIGUOUS"]


@dtypes
@pairs
def test_a_large_output_is_the_twin_though_it_goes_around_the_caches(pair, dtype):
    n = (1 << 25) // np.dtype(dtype).itemsize + 4099
    w, out = np.resize(weights(CHUNK + 1, dtype), n), offset(np.empty(n, dtype), 8)
    regularizer = penalty(*pair)
    assert_same(regularizer.gradient(w, out=out), gradient(w, *pair))
    assert_same(regularizer.prox(w, 0.5, out=out), prox(w, 0.5, *pair))
    total = evaluate([w], [regularizer], ["w"], [out])
    assert_same(out, gradient(w, *pair))
    assert_same(total, value64(w, *pair))


@dtypes
@pairs
@pytest.mark.parametrize(
    "special",
    [[np.nan], [np.inf], [-np.inf], [-0.0], [0.0, -0.0], [np.inf, -np.inf, np.nan], [-np.inf, 1.0, -0.0]],
    ids=str,
)
@pytest.mark.parametrize("at", [0, 40, 520])
def test_special_values_come_through_as_in_numpy(pair, dtype, special, at):
    w, base = weights(555, dtype), weights(555, dtype, seed=1)
    w[at : at + len(special)] = special
    assert_same(outcomes(penalty(*pair), w, base), expected(*pair, w, base))
    base[at : at + len(special)] = special[::-1]
    assert_same(outcomes(penalty(*pair), w, base), expected(*pair, w, base))


@dtypes
@pytest.mark.parametrize("form", ["gradient", "value_and_gradient"])
def test_a_coefficient_of_0_leaves_its_part_out(dtype, form):
    w = np.array([np.inf, -np.inf, np.nan, 2.0], dtype)

    def slope(regularizer):
        result = getattr(regularizer, form)(w)
        return result[1] if form == "value_and_gradient" else result

    assert_same(slope(fr.l1_regularizer(0.5)), np.array([0.5, -0.5, np.nan, 0.5], dtype))
    assert_same(slope(switched_off()), np.zeros(4, dtype))
    assert_same(switched_off()(w), dtype(0.0))
    assert_same(fr.l1_l2_regularizer(0.0, 0.5)(w[:2]), dtype(np.inf))
    out = w.copy()
    assert_same(switched_off().gradient(w, out=out, accumulate=True), w)
    assert_same(fr.l1_regularizer(1.0).prox(w, 0.0), w)


@dtypes
def test_gradient_of_l1_at_zero_is_zero_of_positive_sign(dtype):
    w = np.array([0.0, -0.0, 1.0, -1.0], dtype)
    assert_same(fr.l1_regularizer(0.5).gradient(w), np.array([0.0, 0.0, 0.5, -0.5], dtype))
    assert_same(fr.l2_regularizer(0.5).gradient(w), np.array([0.0, -0.0, 0.5, -0.5], dtype))


@dtypes
@pytest.mark.parametrize("size", [0, 1, 33, 5000])
def test_l2_loss(dtype, size):
    w = weights(size, dtype)
    assert_same(fr.l2_loss(w), value(w, 0.0, 1.0))


def test_values_by_hand():
    w = np.array([[3.0, -4.0], [0.0, -0.5]])
    assert fr.l2_loss(w) == 12.625
    assert fr.l1_regularizer(0.5)(w) == 3.75
    assert fr.l2_regularizer(0.5)(w) == 6.3125
    loss, slope = fr.l1_l2_regularizer(0.5, 0.25).value_and_gradient(w)
    assert loss == 6.90625
    assert slope.tolist() == [[1.25, -1.5], [0.0, -0.625]]
    assert fr.l1_l2_regularizer(0.5, 0.25).prox(w, 2).tolist() == [[4 / 3, -2.0], [0.0, 0.0]]
    assert (type(fr.l2_loss(w)), type(fr.l2_loss(w.astype(np.float32)))) == (np.float64, np.float32)


# ------------------------------------------------------------------------------------------------------------ exact sums
def assert_exact(regularizer, pair, w):
    """float32: the exact value rounded once, but for ties within the float64 sum's error; float64: within 2 ulp."""
    found, exact = regularizer(w), exact_value(w, *pair)
    limit = 2.0 if w.dtype == np.float64 else 0.5 + 1e-9 * 2**24
    assert ulps(found, exact) <= limit, f"{found!r} is {ulps(found, exact):.3f} ulp from {float(exact)!r}"


# Constants whose running sums, of w or of its square, lose most to roundings that all go one way.
CONSTANTS = (0.1, 1 / 3, 1.7897712913200632, 1.9245597235444425, 1.9524417964702803, 1.9772492060459341, 1.0317437098077085)


@dtypes
@pairs
@pytest.mark.parametrize("size", [1, 31, 32, 33, 511, 512, 513, 4095, 4096, 4097, 100_003, 1 << 18])
def test_sum_of_spread_weights_is_exact(pair, dtype, size):
    assert_exact(penalty(*pair), pair, weights(size, dtype))


@dtypes
@pairs
@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("size", [3, 31, 512, 1000, 4096, 100_003])
def test_sum_of_equal_weights_is_exact(pair, dtype, size, constant):
    assert_exact(penalty(*pair), pair, np.full(size, constant, dtype))


@pairs
@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("size", [3, 1000, 2048, 4096, 100_003])
def test_total_of_equal_float32_weights_is_exact_in_float64(pair, size, constant):
    w = np.full(size, constant, np.float32)
    assert ulps(evaluate([w], [penalty(*pair)], ["w"]), exact_value(w, *pair)) <= 2.0


@dtypes
@pairs
@pytest.mark.parametrize("exponent", ["tiny", "small", "huge"])
@pytest.mark.parametrize("size", [5, 513, 10_000])
def test_sum_of_extreme_magnitudes_is_exact(pair, dtype, size, exponent):
    binades = {np.float32: {"tiny": -145, "small": -60, "huge": 50}, np.float64: {"tiny": -1062, "small": -480, "huge": 490}}
    w = np.ldexp(weights(size, dtype), binades[dtype][exponent])
    with np.errstate(over="ignore"):
        assert_same(penalty(*pair)(w), value(w, *pair))
    if (dtype, exponent) != (np.float64, "tiny") or pair[1] == 0:  # a float64's square may vanish: the twin's case
        assert_exact(penalty(*pair), pair, w)


@dtypes
def test_mixed_magnitudes_are_exact(dtype):
    w = weights(20_000, dtype)
    w[::7] *= dtype(1e12)
    w[::11] *= dtype(1e-18)
    for pair in PAIRS.values():
        assert_exact(penalty(*pair), pair, w)


@dtypes
def test_denormal_weights_are_counted(dtype):
    w = np.full(1000, np.finfo(dtype).smallest_subnormal)
    assert fr.l1_regularizer(1.0)(w) == w[0] * 1000 > 0
    assert_same(fr.l2_regularizer(1.0).gradient(w), w)


def test_float32_that_overflows_is_inf_and_that_does_not_is_finite():
    w = np.full(1000, 3e38, np.float32)
    assert fr.l1_regularizer(1.0)(w) == np.inf
    assert_exact(fr.l1_regularizer(1e-3), (1e-3, 0.0), w)
    assert_exact(fr.l2_regularizer(1e-42), (0.0, 1e-42), w)


@pytest.mark.parametrize("pair", [(0.0, 1e-46), (1e-46, 0.0), (1e-46, 1e-46)], ids=str)
def test_a_coefficient_below_float32_still_counts_in_the_value(pair):
    w = np.full(1000, 2e25 if pair[1] == 0 else 2e19, np.float32)
    assert_exact(penalty(*pair), pair, w)
    found, slope = penalty(*pair).value_and_gradient(w)
    assert_same(found, penalty(*pair)(w))
    assert_same(slope, np.zeros_like(w))


# --------------------------------------------------------------------------------------------------------------- forms
class Mine(np.ndarray):
    """A subclass, as many libraries have."""


def test_read_only_memmap(tmp_path):
    path = tmp_path / "weights"
    w = weights(5000, np.float32)
    w.tofile(path)
    mapped = np.memmap(path, np.float32, "r", shape=(50, 100))
    assert_same(fr.l2_regularizer(0.7)(mapped), value(w, 0.0, 0.7))
    assert_same(fr.l2_regularizer(0.7).gradient(mapped), gradient(w, 0.0, 0.7).reshape(50, 100))
    assert_same(fr.l1_regularizer(0.3).prox(mapped, 0.5), prox(w, 0.5, 0.3, 0.0).reshape(50, 100))


def test_subclass_as_weights_and_out():
    w, out = (weights((4, 5), np.float64, seed).view(Mine) for seed in (0, 1))
    assert_same(fr.l2_regularizer(0.7)(w), value(w, 0.0, 0.7))
    assert type(fr.l2_regularizer(0.7).gradient(w)) is np.ndarray
    assert fr.l2_regularizer(0.7).gradient(w, out=out) is out
    assert_same(np.asarray(out), gradient(np.asarray(w), 0.0, 0.7))


def test_weights_are_never_written_but_in_place():
    w = weights(5000, np.float32)
    w.flags.writeable = False
    before = w.tobytes()
    for regularizer, _ in PENALTIES.values():
        regularizer(w)
        regularizer.value_and_gradient(w)
        regularizer.prox(w, 0.5)
    assert w.tobytes() == before


def test_accumulate_twice_adds_twice():
    w, out = np.ones(3), np.zeros(3)
    for _ in range(2):
        fr.l2_regularizer(0.5).gradient(w, out=out, accumulate=True)
    assert out.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("step", [0, 1, 0.1, np.float32(0.25), np.int64(2), Fraction(1, 4), np.array(0.5)], ids=repr)
def test_step_is_any_real_number(step):
    w = weights(100, np.float32)
    assert_same(fr.l1_l2_regularizer(0.3, 0.7).prox(w, step), prox(w, float(step), 0.3, 0.7))


@dtypes
def test_prox_gives_exact_zeros_and_is_the_minimum(dtype):
    w = weights(3000, dtype)
    step, l1, l2 = 0.5, 0.3, 0.7
    z = fr.l1_l2_regularizer(l1, l2).prox(w, step)
    inside = np.abs(w) <= dtype(step * l1)
    assert inside.any() and (z[inside] == 0).all() and (z[~inside] != 0).all()
    # 0 lies in the subdifferential of step*penalty(z) + |z - w|**2 / 2.
    slack = (w - z.astype(np.float64)) / step - l2 * z.astype(np.float64)
    tolerance = 100 * np.finfo(dtype).eps
    assert np.abs(slack[~inside] - l1 * np.sign(w[~inside])).max() < tolerance * np.abs(w).max()
    assert np.abs(slack[inside]).max() <= l1 * (1 + tolerance)


@penalties
def test_gradient_agrees_with_differences_of_the_value(regularizer, pair):
    w = weights(50, np.float64)
    w[np.abs(w) < 1e-3] = 1.0  # away from the kink of |w|
    assert check_grad(regularizer, regularizer.gradient, w) < 1e-5 * np.linalg.norm(w)
    assert check_grad(lambda x: regularizer.value_and_gradient(x)[0], lambda x: regularizer.value_and_gradient(x)[1], w) < 1e-4


# -------------------------------------------------------------------------------------------------------------- anything
@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=40))
    elements = st.floats(width=np.dtype(dtype).itemsize * 8)
    w, base = (draw(hnp.arrays(dtype, shape, elements=elements)) for _ in range(2))
    order = draw(st.sampled_from("CF"))
    return w.copy(order), base.copy(order)


# No coefficient that vanishes or overflows in float32: there the twin's 0 * inf is another thing.
coefficients = st.just(0.0) | st.floats(2**-100, 2**100)


@given(arrays(), coefficients, coefficients, st.floats(0, 2**20))
def test_any_weights_and_coefficients_are_the_twin(both, l1, l2, step):
    w, base = both
    steps = (step,)
    if w.dtype == np.float32 and step * l1 > 2**127:
        steps = ()
    assert_same(outcomes(penalty(l1, l2), w, base, steps), expected(l1, l2, w, base, steps))


@given(hnp.arrays(np.float32, st.integers(0, 700), elements=st.floats(-(2**60), 2**60, width=32)), st.floats(2**-20, 2**20))
def test_any_float32_sum_is_exact(w, l1):
    for pair in ((l1, 0.0), (0.0, 0.5), (l1, 0.5)):
        if 2.0**-120 < exact_value(w, *pair) < 2.0**127:
            assert_exact(penalty(*pair), pair, w)


# ------------------------------------------------------------------------------------------------------------ collections
def collection():
    """Return arrays that mix shapes, dtypes, memory orders and regularizers; some large, some without elements."""
    shapes = [(3, 4), 70_001, (), 0, (64, 65), 4097, 1, 33_000]
    arrays = [weights(shape, DTYPES[i % 2], seed=i) for i, shape in enumerate(shapes)]
    arrays[4] = np.asfortranarray(arrays[4])
    return arrays, [regularizer for regularizer, _ in PENALTIES.values()], [pair for _, pair in PENALTIES.values()]


NAMES = [f"v{i}" for i in range(len(PENALTIES))]


@pytest.mark.parametrize("form", ["value", "written", "added", "in place", "added in place"])
def test_collection_is_its_items_one_by_one(form):
    arrays, regularizers, all_pairs = collection()
    bases = [weights(w.shape, w.dtype.type, seed=9).copy(order="F" if w.flags.f_contiguous else "C") for w in arrays]
    outs = {"value": None, "written": bases, "added": bases}.get(form, arrays)
    starts = [None] * len(arrays) if not form.startswith("added") else [np.copy(out, order="K") for out in outs]
    slopes = [gradient(w, *pair, start) for w, pair, start in zip(arrays, all_pairs, starts, strict=True)]
    total = sum((value64(w, *pair) for w, pair in zip(arrays, all_pairs, strict=True)), start=np.float64(0))
    given = None if outs is None else list(outs)
    assert_same(evaluate(list(arrays), regularizers, NAMES, given, accumulate=form.startswith("added")), total)
    for out, slope in zip(outs or [], slopes, strict=outs is not None):
        assert_same(out, slope)


def test_collection_of_nothing():
    assert_same(evaluate([], [], []), np.float64(0.0))
    assert_same(evaluate([], [], [], [], accumulate=True), np.float64(0.0))


@pytest.mark.parametrize("accumulate", [False, True])
def test_two_terms_over_one_variable_are_added(accumulate):
    w, other, outs = weights(5000, np.float32), np.ones(3), [weights(5000, np.float32, seed=1), np.zeros(3)]
    start = outs[0].copy() if accumulate else None
    regularizers = [fr.l1_regularizer(0.25), fr.l2_regularizer(0.5), fr.l2_regularizer(0.125)]
    total = evaluate([w, other, w], regularizers, ["w", "other", "w"], [outs[0], outs[1], outs[0]], accumulate)
    assert_same(outs[0], gradient(w, 0.25, 0.125, start))
    assert_same(outs[1], np.full(3, 0.5))
    assert_same(total, (value64(w, 0.25, 0.0) + value64(other, 0.0, 0.5)) + value64(w, 0.0, 0.125))
    assert_same(total, evaluate([w, other, w], regularizers, ["w", "other", "w"]))


def test_collection_sees_arrays_and_scales_as_they_are_now():
    l2 = fr.l2_regularizer(0.5)
    w = np.ones(4)
    assert evaluate([w], [l2], ["w"]) == 1.0
    w[...] = 2.0
    l2.scale = 1.0
    assert evaluate([w], [l2], ["w"]) == 8.0
    w.resize(2, refcheck=False)
    assert evaluate([w], [l2], ["w"]) == 4.0


# -------------------------------------------------------------------------------------------------------------- bad input
def misaligned():
    return np.frombuffer(bytes(4 * 6 + 1), np.float32, 6, offset=1)


def masked():
    return np.ma.masked_array(np.ones(6, np.float32), mask=[0, 1, 0, 0, 0, 0])


def swapped(dtype=np.float32):
    return np.ones(6, np.dtype(dtype).newbyteorder("S"))


# What is refused everywhere: the error, what it was, and what would be right.
BAD = {
    "integer": (lambda: np.arange(6), TypeError, r"got dtype int\d+", r"astype\("),
    "bool": (lambda: np.ones(6, bool), TypeError, "got dtype bool", r"astype\("),
    "float16": (lambda: np.ones(6, np.float16), TypeError, "got dtype float16", r"astype\("),
    "complex64": (lambda: np.ones(6, np.complex64), TypeError, "got dtype complex64", r"astype\("),
    "complex128": (lambda: np.ones(6, np.complex128), TypeError, "got dtype complex128", r"astype\("),
    "longdouble": (lambda: np.ones(6, np.longdouble), TypeError, "got dtype", r"astype\("),
    "object": (lambda: np.array([1.0, None], object), TypeError, "got dtype object", r"astype\("),
    "string": (lambda: np.array(["a"]), TypeError, "got dtype <U1", r"astype\("),
    "record": (lambda: np.zeros(6, [("x", np.float32)]), TypeError, "got dtype", r"astype\("),
    "date": (lambda: np.zeros(6, "M8[s]"), TypeError, "got dtype datetime64", r"astype\("),
    "list": (lambda: [1.0, 2.0], TypeError, "got list", r"numpy\.asarray\("),
    "tuple": (lambda: (1.0, 2.0), TypeError, "got tuple", r"numpy\.asarray\("),
    "float": (lambda: 1.0, TypeError, "got float", r"numpy\.asarray\("),
    "scalar": (lambda: np.float32(1.0), TypeError, "got float32", r"numpy\.asarray\("),
    "masked": (masked, TypeError, "masked array", r"\.filled\("),
    "other byte order": (swapped, ValueError, r"got dtype '[<>]f4'", "newbyteorder"),
    "other byte order, float64": (lambda: swapped(np.float64), ValueError, r"got dtype '[<>]f8'", "newbyteorder"),
    "misaligned": (misaligned, ValueError, "aligned to its 4-byte items", r"\.copy\(\)"),
    "every other": (lambda: np.ones(12)[::2], ValueError, r"shape \(6,\) with strides \(16,\)", "ascontiguousarray"),
    "backwards": (lambda: np.ones(6)[::-1], ValueError, r"shape \(6,\) with strides \(-8,\)", "ascontiguousarray"),
    "columns": (lambda: np.ones((3, 4))[:, :2], ValueError, r"shape \(3, 2\) with strides \(32, 8\)", "ascontiguousarray"),
    "axes": (lambda: np.ones((2, 3, 4)).swapaxes(0, 1), ValueError, r"shape \(3, 2, 4\)", "ascontiguousarray"),
    "broadcast": (lambda: np.broadcast_to(np.float32(1), (3,)), ValueError, r"strides \(0,\)", "ascontiguousarray"),
}
if np.dtype(np.longdouble).itemsize == 8:
    del BAD["longdouble"]

ENTRIES = {
    "call": (fr.l2_regularizer(0.5), "weights"),
    "sum": (fr.sum_regularizer([fr.l1_regularizer(0.5), fr.l2_regularizer(0.5)]), "weights"),
    "gradient": (lambda w: fr.l2_regularizer(0.5).gradient(w), "weights"),
    "value_and_gradient": (lambda w: fr.l1_regularizer(0.5).value_and_gradient(w), "weights"),
    "prox": (lambda w: fr.l1_regularizer(0.5).prox(w, 0.1), "weights"),
    "l2_loss": (fr.l2_loss, "weights"),
    "check_array": (lambda w: check_array(w, "x"), "x"),
    "evaluate": (lambda w: evaluate([np.ones(3), w], [fr.l2_regularizer(0.5)] * 2, ["v", "w"]), "the value of 'w'"),
}


@pytest.mark.parametrize(("entry", "name"), ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_weights_are_named_with_a_remedy(entry, name, bad):
    make, error, was, remedy = bad
    with pytest.raises(error) as caught:
        entry(make())
    message = str(caught.value)
    assert message.startswith(f"{name} must ")
    assert re.search(was, message) and re.search(remedy, message), message


# Entries that write: each takes weights of (6,) float32 and an out.
WRITERS = {
    "gradient": lambda w, out: fr.l2_regularizer(0.5).gradient(w, out=out),
    "gradient added": lambda w, out: fr.l2_regularizer(0.5).gradient(w, out=out, accumulate=True),
    "value_and_gradient": lambda w, out: fr.l1_regularizer(0.5).value_and_gradient(w, out=out),
    "value_and_gradient added": lambda w, out: fr.l1_regularizer(0.5).value_and_gradient(w, out=out, accumulate=True),
    "prox": lambda w, out: fr.l1_regularizer(0.5).prox(w, 0.1, out=out),
    "evaluate": lambda w, out: evaluate([w], [fr.l2_regularizer(0.5)], ["w"], [out]),
    "evaluate added": lambda w, out: evaluate([w], [fr.l2_regularizer(0.5)], ["w"], [out], accumulate=True),
}
writers = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def read_only():
    x = np.ones(6, np.float32)
    x.flags.writeable = False
    return x


BAD_OUT = BAD | {
    "float64 for float32": (lambda: np.ones(6), TypeError, "got float64", "float32"),
    "longer": (lambda: np.ones(7, np.float32), ValueError, r"got \(7,\)", r"\(6,\)"),
    "shorter": (lambda: np.ones(5, np.float32), ValueError, r"got \(5,\)", r"\(6,\)"),
    "another shape": (lambda: np.ones((6, 1), np.float32), ValueError, r"got \(6, 1\)", r"\(6,\)"),
    "no axes": (lambda: np.ones((), np.float32), ValueError, r"got \(\)", r"\(6,\)"),
    "read-only": (read_only, ValueError, "read-only", "pass a writeable array"),
}


@writers
@pytest.mark.parametrize(("make", "error", "was", "remedy"), BAD_OUT.values(), ids=BAD_OUT)
def test_bad_out_is_named_and_not_written(write, make, error, was, remedy):
    w, out = np.full(6, 3.0, np.float32), make()
    before = bytes(w), raw_bytes(out)
    with pytest.raises(error) as caught:
        write(w, out)
    message = str(caught.value)
    assert re.match(r"out( of 'w')? ", message), message
    assert re.search(was, message) and re.search(remedy, message), message
    assert (bytes(w), raw_bytes(out)) == before


def raw_bytes(x):
    return x.tobytes() if isinstance(x, np.ndarray) else repr(x)


@writers
def test_out_of_other_memory_order_is_refused(write):
    w, out = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32, order="F")
    for one, other in ((w, out), (out, w)):
        with pytest.raises(ValueError, match=r"^out.* must have the memory order of .*numpy\.empty_like\("):
            write(one, other)
    assert (w == 1).all() and (out == 1).all()


@writers
@pytest.mark.parametrize("shift", [-5, -1, 1, 5])
def test_partial_overlap_is_refused_and_exact_overlap_is_not(write, shift):
    memory = weights(40, np.float32)
    w, out = memory[10:30], memory[10 + shift : 30 + shift]
    before = memory.tobytes()
    with pytest.raises(ValueError, match="overlaps"):
        write(w, out)
    assert memory.tobytes() == before
    write(w, memory[10:30])
    assert memory.tobytes() != before
    write(memory[:20], memory[20:])  # neighbours do not overlap


@writers
@pytest.mark.parametrize("shape", [(0,), (0, 3)], ids=str)
def test_no_elements_overlap_nothing(write, shape):
    w = np.ones(shape, np.float32)
    write(w, w)
    write(w, np.ones(shape, np.float32))


@pytest.mark.parametrize("form", ["gradient", "value_and_gradient"])
def test_accumulate_needs_out(form):
    with pytest.raises(ValueError, match="accumulate=True adds to out, but out is None; pass the array to add to"):
        getattr(fr.l2_regularizer(0.5), form)(np.ones(3), accumulate=True)


@pytest.mark.parametrize(
    ("step", "error", "was"),
    [
        (-0.1, ValueError, "-0.1"),
        (np.nan, ValueError, "nan"),
        (np.inf, ValueError, "inf"),
        (10**400, ValueError, "10000"),
        ("0.1", TypeError, "str"),
        (None, TypeError, "NoneType"),
        (1j, TypeError, "complex"),
        ([0.1], TypeError, "list"),
    ],
    ids=lambda x: str(x)[:10],
)
def test_bad_step(step, error, was):
    w = np.ones(3)
    with pytest.raises(error, match=rf"^step must be .*{was}"):
        fr.l1_regularizer(0.5).prox(w, step, out=w)
    assert w.tolist() == [1.0, 1.0, 1.0]


def test_check_array_gives_back_what_is_good():
    x = np.ones(3, np.float32)
    assert check_array(x, "x") is x
    assert check_array(x, "x", writeable=True) is x
    x.flags.writeable = False
    assert check_array(x, "x") is x
    with pytest.raises(ValueError, match=r"^x is read-only and would be written to"):
        check_array(x, "x", writeable=True)


# Bad collections. The items are w (6,) and v (4,), float32, and so are their outs, at first.
def same_out(arrays, outs):
    arrays["v"] = arrays["w"].copy()
    outs["v"] = outs["w"]


def overlapping_outs(arrays, outs):
    memory = np.ones(9, np.float32)
    outs["w"], outs["v"] = memory[:6], memory[5:]


def out_on_other_weights(arrays, outs):
    memory = np.ones(9, np.float32)
    arrays["w"], outs["v"] = memory[:6], memory[5:]


def out_is_other_weights(arrays, outs):
    arrays["v"] = arrays["w"].copy()
    outs["v"] = arrays["w"]


def out_within_out(arrays, outs):
    outs["v"] = outs["w"][1:5]


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("spoil", [same_out, overlapping_outs, out_on_other_weights, out_is_other_weights, out_within_out])
def test_memory_written_twice_in_a_collection_is_refused(spoil, accumulate):
    arrays = {"w": np.full(6, 2.0, np.float32), "v": np.full(4, 2.0, np.float32)}
    outs = {name: np.ones_like(x) for name, x in arrays.items()}
    spoil(arrays, outs)
    every = [*arrays.values(), *outs.values()]
    before = [x.tobytes() for x in every]
    with pytest.raises(ValueError, match=r"'w'.*overlaps.*'v'|'v'.*overlaps.*'w'"):
        evaluate([*arrays.values()], [fr.l2_regularizer(0.5)] * 2, ["w", "v"], [*outs.values()], accumulate)
    assert [x.tobytes() for x in every] == before


@pytest.mark.parametrize(("make", "error", "was", "remedy"), BAD_OUT.values(), ids=BAD_OUT)
def test_nothing_is_written_when_the_second_item_is_bad(make, error, was, remedy):
    arrays, outs = [np.ones(3), np.ones(6, np.float32)], [np.full(3, 9.0), make()]
    with pytest.raises(error, match=r"^out of 'second' "):
        evaluate(arrays, [fr.l2_regularizer(0.5)] * 2, ["first", "second"], outs, accumulate=True)
    assert outs[0].tolist() == [9.0, 9.0, 9.0]


def test_weights_read_twice_may_share_memory():
    memory = np.ones(10)
    outs = [np.zeros(6), np.zeros(6)]
    assert evaluate([memory[:6], memory[4:]], [fr.l2_regularizer(1.0)] * 2, ["w", "v"], outs) == 6.0
    assert outs[0].tolist() == outs[1].tolist() == [1.0] * 6


def test_two_variables_of_one_name_are_refused():
    outs = [np.full(3, 9.0), np.full(3, 9.0)]
    with pytest.raises(ValueError, match="two variables are named 'w'"):
        evaluate([np.ones(3), np.ones(3)], [fr.l2_regularizer(0.5)] * 2, ["w", "w"], outs)
    assert (outs[0] == 9).all() and (outs[1] == 9).all()


@pytest.mark.parametrize("short", range(3))
def test_lists_of_different_length_are_refused(short):
    lists = [[np.ones(3)] * 2, [fr.l2_regularizer(0.5)] * 2, ["w", "v"]]
    lists[short] = lists[short][:1]
    with pytest.raises(ValueError, match="one entry for each term"):
        evaluate(*lists)
    with pytest.raises(ValueError, match="one entry for each term"):
        evaluate([np.ones(3)], [fr.l2_regularizer(0.5)], ["w"], [])


@pytest.mark.parametrize("bad", [None, 0.5, abs, fr.no_regularizer], ids=repr)
def test_only_penalties_are_evaluated(bad):
    out = np.full(3, 9.0)
    with pytest.raises(TypeError, match="Penalty"):
        evaluate([np.ones(3)], [bad], ["w"], [out])
    assert (out == 9).all()


@pytest.mark.parametrize("part", [None, 0.5, abs], ids=repr)
def test_only_penalties_are_parts(part):
    pair = penalty(0.25, 0.5)
    with pytest.raises(TypeError, match="a part must be a Penalty, got"):
        pair._set(1.0, 1.0, (part,))
    assert pair.coefficients == (0.25, 0.5)
