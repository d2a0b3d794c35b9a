"""float16 and bfloat16: the conversions, and the values, gradients and proxes of 16-bit weights beside their float32 twins."""

import warnings

import numpy as np
import pytest
from kernel_calls import BFLOAT16, check_array, convert, evaluate, install_kernel, kernel_of
from regularizers import PENALTIES, WITH_ARRAYS
from sixteen import KINDS, assert_same_bits, copied, floats, halves, kinds, ml_bfloat16, rounded, widened
from twin import sixteen
from twin.compare import assert_same
from twin.forms import expected, outcomes
from twin.inputs import SIZES, bits, offset, weights
from twin.penalties import Elastic, Groups, Linear, Sum
from twin.sums import CHUNK

import fastreg as fr

EVERY = np.arange(1 << 16, dtype=np.uint16)
wides = pytest.mark.parametrize("wide", [np.float32, np.float64], ids=lambda dtype: dtype.__name__)


@pytest.fixture(params=fr.get_config()["isas"])
def isa(request):
    """Each compiled instruction set in turn."""
    kernel = kernel_of(request.param)
    if kernel is None:
        pytest.skip(f"this CPU lacks {request.param}")
    install_kernel(kernel)
    yield request.param
    install_kernel(kernel_of(fr.get_config()["isa"]))


def converted(x, dtype, **options):
    out = np.empty_like(x, dtype)
    convert(x, out, **options)
    return out


def boundaries(kind, wide):
    """Return every 16-bit number, what is halfway between neighbours, what stands beside these, and random bits."""
    numbers = np.sort(sixteen.widen(EVERY[: sixteen.FORMATS[kind].infinity], kind, np.float64))
    numbers = np.append(numbers, 2 * numbers[-1] - numbers[-2])  # what infinity would be
    halfway = (numbers[1:] + numbers[:-1]) / 2
    with np.errstate(all="ignore"):
        near = np.concatenate([numbers, halfway]).astype(wide)
        near = np.concatenate([near, np.nextafter(near, wide(np.inf)), np.nextafter(near, wide(0)), [np.inf, 0.0]]).astype(wide)
    anything = bits(200_000).view(np.uint64) if wide is np.float64 else bits(200_000).astype(np.uint32)
    return np.concatenate([near, -near, anything.view(wide), weights(100_000, wide)])


# ------------------------------------------------------------------------------------------------------------ conversions
@wides
@kinds
def test_every_number_is_widened(isa, kind, wide):
    found = converted(EVERY.view(KINDS[kind]), wide)
    assert_same(found, sixteen.widen(EVERY, kind, wide))
    assert (np.signbit(found) == (EVERY >= 1 << 15)).all()


@kinds
def test_nan_keeps_its_sign_and_payload(isa, kind):
    nan = EVERY[sixteen.FORMATS[kind].infinity < (EVERY & 0x7FFF)]
    wide = converted(nan.view(KINDS[kind]), np.float32)
    assert (converted(wide, KINDS[kind]).view(np.uint16) == nan | sixteen.FORMATS[kind].quiet).all()


@wides
@kinds
def test_numbers_are_rounded_to_the_nearest_even(isa, kind, wide):
    x = boundaries(kind, wide)
    found = converted(x, KINDS[kind]).view(np.uint16)
    number = ~np.isnan(x)
    assert_same_bits(found[number], sixteen.narrow(x[number], kind))
    quiet = sixteen.FORMATS[kind].infinity | sixteen.FORMATS[kind].quiet
    assert (found[~number] & quiet == quiet).all()
    assert (found[~number] >> 15 == np.signbit(x[~number])).all()


@wides
def test_float16_is_numpys(wide):
    assert_same(converted(EVERY.view(np.float16), wide), EVERY.view(np.float16).astype(wide))
    x = boundaries("float16", wide)
    with np.errstate(all="ignore"):
        assert_same(converted(x, np.float16), x.astype(np.float16))


def test_bfloat16_is_that_of_ml_dtypes():
    bfloat16 = ml_bfloat16()
    x = boundaries("bfloat16", np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a signalling NaN
        assert_same(converted(EVERY.view(bfloat16), np.float32), EVERY.view(bfloat16).astype(np.float32))
        assert_same(converted(x, bfloat16).astype(np.float32), x.astype(bfloat16).astype(np.float32))


@kinds
@pytest.mark.parametrize("size", [0, 1, 7, 33, CHUNK - 1, CHUNK + 1])
@pytest.mark.parametrize("first", [0, 1, 5])
def test_conversions_of_any_size_at_any_place(isa, kind, size, first):
    x = weights(size, np.float32)
    guarded = np.zeros(size + first + 1, np.uint16)
    convert(x, guarded[first : first + size].view(KINDS[kind]))
    assert_same_bits(guarded[first : first + size], sixteen.narrow(x, kind))
    assert guarded[:first].sum() == 0 and guarded[-1] == 0
    back = np.full(size + first + 1, 7, np.float32)
    convert(guarded[first : first + size].view(KINDS[kind]), back[first : first + size])
    assert_same(back[first : first + size], sixteen.widen(sixteen.narrow(x, kind), kind))
    assert (back[:first] == 7).all() and back[-1] == 7


REFUSED = {
    "two wide": (np.ones(3, np.float32), np.ones(3), "float32 and float64"),
    "two narrow": (np.ones(3, np.float16), np.ones(3, np.uint16).view(BFLOAT16), "float16 and bfloat16"),
    "untagged": (np.ones(3, np.uint16), np.ones(3, np.float32), "got dtype uint16"),
    "shapes": (np.ones(3, np.float16), np.ones(4, np.float32), "shape"),
    "orders": (np.ones((2, 3), np.float16), np.ones((2, 3), np.float32, order="F"), "memory order"),
}


@pytest.mark.parametrize(("x", "out", "message"), REFUSED.values(), ids=REFUSED)
def test_conversions_that_are_refused(x, out, message):
    with pytest.raises((TypeError, ValueError), match=message):
        convert(x, out)
    assert (out.view(np.uint16 if out.itemsize == 2 else out.dtype) == 1).all()


def test_a_conversion_within_one_memory_is_refused():
    x = np.ones(4, np.float32)
    with pytest.raises(ValueError, match="overlaps"):
        convert(x, x.view(np.float16)[:4])


# ---------------------------------------------------------------------------------------------------- stochastic rounding
@wides
@kinds
@pytest.mark.parametrize("rounding", [(0, 0, 0), (1, 2, 3), (2**63, 10**12, 2**64 - 1)], ids=str)
def test_stochastic_rounding_is_the_twins(isa, kind, wide, rounding):
    x = boundaries(kind, wide)
    x = x[~np.isnan(x)]
    found = converted(x, KINDS[kind], rounding=rounding).view(np.uint16)
    assert_same_bits(found, sixteen.narrow_stochastic(x, kind, rounding))


@kinds
def test_stochastic_rounding_leaves_what_is_exact_and_what_is_no_number(isa, kind):
    x = sixteen.widen(EVERY, kind)
    found = converted(x, KINDS[kind], rounding=(1, 2, 3)).view(np.uint16)
    number = ~np.isnan(x)
    assert (found[number] == EVERY[number]).all()
    assert np.isnan(sixteen.widen(found[~number], kind)).all()


@kinds
@pytest.mark.parametrize("value", [1.0003, -0.3, 7e-5, -3.3e-7, 1e-9])
def test_stochastic_rounding_has_the_right_mean(kind, value):
    n = 1 << 18
    x = np.full(n, value, np.float32)
    found = floats(converted(x, KINDS[kind], rounding=(5, 1, 9)), kind, np.float64)
    below, above = found.min(), found.max()
    assert below < value < above
    chance = (np.float64(x[0]) - below) / (above - below)
    deviation = np.sqrt(chance * (1 - chance) / n)
    assert abs(np.mean(found == above) - chance) < 4.5 * deviation + 2**-20
    # Neighbours are not rounded alike, nor is an element in the next step, of another variable or by another seed.
    up = found == above
    others = [
        floats(converted(x, KINDS[kind], rounding=by), kind) == np.float32(above) for by in ((6, 1, 9), (5, 2, 9), (5, 1, 8))
    ]
    for other in (np.roll(up, 1), np.roll(up, 64), *others):
        both = np.mean(up & other)
        assert abs(both - chance**2) < 5 * np.sqrt(chance**2 * (1 - chance**2) / n) + 2**-18


def test_stochastic_rounding_does_not_depend_on_threads(num_threads):
    x = weights(200_003, np.float32)
    for kind in KINDS:
        right = sixteen.narrow_stochastic(x, kind, (1, 2, 3))
        for threads in (1, 2, 5):
            num_threads(threads)
            assert_same_bits(converted(x, KINDS[kind], rounding=(1, 2, 3)), right)


# --------------------------------------------------------------------------------------------------------------- penalties
GROUPS = {
    "columns": (fr.group_lasso_regularizer(0.3, 0), Groups(Linear(0.3), (0,))),
    "rows": (fr.group_lasso_regularizer(0.3, -1), Groups(Linear(0.3), (-1,))),
    "nested": (
        fr.sum_regularizer([fr.sparse_group_lasso_regularizer(0.25, 0.7, -1), fr.group_lasso_regularizer(0.3, None)]),
        Sum(Elastic(0.25), (Groups(Linear(0.7), (-1,)), Groups(Linear(0.3), None))),
    ),
}


def arrays(shape, kind, order="C"):
    """Return 16-bit weights and a base for their gradients."""
    return [halves(weights(shape, np.float32, seed).copy(order), kind) for seed in (0, 1)]


def assert_is_twin(regularizer, twin, w, base, kind, steps=(0.0, 0.5)):
    found = widened(outcomes(regularizer, w, base, steps, put=copied), kind)
    with np.errstate(all="ignore"):
        right = rounded(expected(twin, floats(w, kind), floats(base, kind), steps), kind)
    assert_same(found, right)


@kinds
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("size", SIZES)
def test_every_operation_is_that_of_float32_rounded_once(kind, name, size):
    assert_is_twin(*PENALTIES[name], *arrays(size, kind), kind)


@kinds
@pytest.mark.parametrize("name", WITH_ARRAYS)
@pytest.mark.parametrize("size", [1, 1023, 1025, CHUNK + 33, 70_001])
@pytest.mark.parametrize("narrow", [False, True], ids=["arrays of float32", "arrays of 16 bits"])
def test_penalties_with_arrays(kind, name, size, narrow):
    w, base = arrays(size, kind)
    regularizer, _ = WITH_ARRAYS[name](floats(w, kind), (lambda x: halves(x, kind)) if narrow else np.copy)
    _, twin = WITH_ARRAYS[name](floats(w, kind))
    if narrow:  # the numbers that the narrow arrays have
        for field, array in vars(twin).items():
            if isinstance(array, np.ndarray):
                object.__setattr__(twin, field, floats(halves(array, kind), kind))
    assert_is_twin(regularizer, twin, w, base, kind)


@kinds
@pytest.mark.parametrize("name", ["l2_sp", "l2_sp with importance"])
def test_a_narrow_reference_of_float32_weights(kind, name):
    w = weights(5000, np.float32)
    narrow, _ = WITH_ARRAYS[name](w, lambda x: halves(x, kind))
    wide, _ = WITH_ARRAYS[name](w, lambda x: floats(halves(x, kind), kind))
    assert_same(outcomes(narrow, w, w[::-1].copy()), outcomes(wide, w, w[::-1].copy()))
    with pytest.raises(TypeError, match=f"must have the dtype of the weights, float64, got {kind}"):
        narrow(w.astype(np.float64))


@kinds
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (0, 3), (7, 5), (2, 1, 700, 3)], ids=str)
def test_shapes_and_memory_orders(kind, order, shape):
    for name in ("l1_l2", "mcp", "group lasso"):
        assert_is_twin(*PENALTIES[name], *arrays(shape, kind, order), kind)


# In one chunk, in one cache, and over many chunks.
@kinds
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(7, 5), (130, 70), (3, 9000), (9000, 3), (300, 701)], ids=str)
@pytest.mark.parametrize("name", GROUPS)
def test_groups(kind, order, shape, name):
    assert_is_twin(*GROUPS[name], *arrays(shape, kind, order), kind)


SPECIAL = [[np.nan], [np.inf], [-np.inf], [-0.0], [np.inf, -np.inf, np.nan], [6e-8, -6e-8], [65504.0, -65504.0], [1e-40, 3e38]]


@kinds
@pytest.mark.parametrize("special", SPECIAL, ids=str)
@pytest.mark.parametrize("at", [0, 40, 520])
@pytest.mark.parametrize("name", ["l1", "l2", "l1_l2", "mcp", "huber", "group lasso"])
def test_special_values(kind, special, at, name):
    w, base = (halves(weights(555, np.float32, seed), kind) for seed in (0, 1))
    w[at : at + len(special)] = halves(np.array(special), kind)
    regularizer, _ = PENALTIES[name]
    found = widened(outcomes(regularizer, w, base, put=copied), kind)
    assert_same(found, rounded(outcomes(regularizer, floats(w, kind), floats(base, kind)), kind))


@kinds
def test_results_in_float32_are_not_rounded(kind):
    w, _ = arrays((30, 701), kind)
    for regularizer, _ in [PENALTIES["l1_l2"], PENALTIES["mcp"], *GROUPS.values()]:
        base = weights(w.shape, np.float32, 3)
        right = base.copy(), base.copy()
        regularizer.gradient(floats(w, kind), out=right[0], accumulate=True)
        found = base.copy(), base.copy()
        assert regularizer.gradient(w, out=found[0], accumulate=True) is found[0]
        if regularizer is not PENALTIES["mcp"][0]:
            regularizer.prox(floats(w, kind), 0.5, out=right[1])
            regularizer.prox(w, 0.5, out=found[1])
        assert_same(found[0], right[0])
        assert_same(found[1], right[1])


@kinds
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_and_places_change_no_bit(isa, num_threads, kind, threads):
    w, base = arrays((40, 41, 43), kind)
    num_threads(threads)
    for regularizer, twin in (PENALTIES["l1_l2"], PENALTIES["log_sum"], GROUPS["columns"], GROUPS["nested"]):
        for first in (0, 2, 34):
            value, out = regularizer.value_and_gradient(offset(w, first), out=offset(base, first + 2), accumulate=True)
            wide = floats(w, kind)
            assert_same(value, twin.value(wide))
            assert_same(floats(out, kind), floats(halves(twin.gradient(wide, floats(base, kind)), kind), kind))


@kinds
def test_a_large_output_goes_around_the_caches(kind):
    w = np.resize(halves(weights(CHUNK + 1, np.float32), kind), (1 << 24) + 4099)
    w = w.view(KINDS[kind])
    regularizer, twin = PENALTIES["l1_l2"]
    right = sixteen.narrow(twin.gradient(floats(w, kind)), kind)
    assert_same_bits(regularizer.gradient(w), right)
    out = offset(np.empty_like(w), 2)
    assert_same(evaluate([w], [regularizer], ["w"], [out]), twin.value64(floats(w, kind)))
    assert_same_bits(out, right)


def test_the_bfloat16_of_ml_dtypes():
    bfloat16 = ml_bfloat16()
    w = weights((30, 41), np.float32).astype(bfloat16)
    tagged = w.view(np.uint16).view(BFLOAT16)
    for regularizer, _ in PENALTIES.values():
        assert_same(regularizer(w), regularizer(tagged))
        found = regularizer.gradient(w)
        assert found.dtype == bfloat16
        assert_same_bits(found, regularizer.gradient(tagged))


# ------------------------------------------------------------------------------------------------------------- collections
def test_dtypes_mix_in_a_collection():
    wide = {"a": weights((70, 30), np.float32), "b": weights((513,), np.float64), "c": weights((40, 41, 43), np.float32)}
    wide |= {"d": weights((9000,), np.float32), "e": weights((300, 701), np.float32)}
    kinds_of = {"a": "float16", "c": "bfloat16", "e": "bfloat16"}
    params = {name: halves(w, kinds_of[name]) if name in kinds_of else w.copy() for name, w in wide.items()}
    rules = [
        ("[ab]", fr.l1_l2_regularizer(0.3, 0.7)),
        ("e", fr.group_lasso_regularizer(0.3, 0)),
        ("*", fr.mcp_regularizer(0.3, 3.0)),
    ]
    exact = {name: floats(w, kinds_of[name]) if name in kinds_of else w for name, w in params.items()}
    value, gradients = fr.value_and_gradients(fr.regularize(exact, rules))
    found, narrow = fr.value_and_gradients(fr.regularize(params, rules))
    assert_same(found, value)
    losses = [term for term in fr.regularize(params, rules) if term.variable_name != "b"]
    assert {term.dtype for term in losses} == {np.dtype(np.float32)}
    assert float(fr.add_n(losses)) == pytest.approx(value - float(PENALTIES["l1_l2"][0](params["b"])))
    for name, kind in kinds_of.items():
        assert narrow[name].dtype == params[name].dtype
        assert_same(floats(narrow[name], kind), floats(halves(gradients[name], kind), kind))
    assert_same(narrow["d"], gradients["d"])
    out = {name: np.zeros_like(w) for name, w in exact.items()}
    fr.value_and_gradients(fr.regularize(params, rules), out=out)
    assert_same(out, dict(gradients))


@kinds
def test_a_gradient_is_added_to_what_is_there(kind):
    w, base = arrays((50, 41), kind)
    terms = fr.regularize({"w": w}, [("w", fr.l1_l2_regularizer(0.3, 0.7))])
    right = Elastic(0.3, 0.7).gradient(floats(w, kind), floats(base, kind))
    out = {"w": base.copy()}
    fr.value_and_gradients(terms, out=out, accumulate=True)
    assert_same(floats(out["w"], kind), floats(halves(right, kind), kind))


# ---------------------------------------------------------------------------------------------------------------- refusals
WIDE_ONLY = {
    "linf": fr.linf_regularizer(0.3),
    "total_variation": fr.total_variation_regularizer(0.3),
    "orthogonal": fr.orthogonal_regularizer(0.3),
    "a user's own": fr.sum_regularizer([fr.l1_regularizer(0.3), lambda w: float(abs(w).sum())]),
}


@pytest.mark.parametrize("regularizer", WIDE_ONLY.values(), ids=WIDE_ONLY)
@kinds
def test_what_needs_wider_weights_says_so(regularizer, kind):
    w, out = arrays((6, 4), kind)
    before = out.copy()
    advice = rf"must be a float32 or float64 array, got dtype {kind}; instead of x pass x.astype\(numpy.float32\)"
    with pytest.raises(TypeError, match=advice):
        regularizer.value_and_gradient(w, out=out)
    assert_same_bits(out, before)


@kinds
def test_arrays_that_are_wide_everywhere(kind):
    x, _ = arrays((6, 4), kind)
    with pytest.raises(TypeError, match=f"^x must be a float32 or float64 array, got dtype {kind}; instead of x pass x.astype"):
        check_array(x, "x")
    with pytest.raises(TypeError, match=f"weights must be a float32 or float64 array, got dtype {kind}"):
        fr.constraints.max_norm(1.0)(x)
    with pytest.raises(TypeError, match=f"weights must be a float32 or float64 array, got dtype {kind}"):
        fr.value_and_gradients(fr.regularize({"w": x}, [("w", fr.linf_regularizer(0.3))]))


@kinds
def test_an_output_of_another_dtype_is_refused(kind):
    w, _ = arrays((6, 4), kind)
    other = next(dtype for name, dtype in KINDS.items() if name != kind)
    for out in (np.ones((6, 4)), np.ones((6, 4), np.uint16), np.ones((6, 4), np.uint16).view(other)):
        before = out.copy()
        with pytest.raises(TypeError, match="dtype"):
            fr.l2_regularizer(0.5).gradient(w, out=out)
        assert out.tobytes() == before.tobytes()
    with pytest.raises(TypeError, match="out must be a float32 or float64 array"):
        fr.l2_regularizer(0.5).gradient(np.ones((6, 4), np.float32), out=w)


@kinds
def test_an_output_of_float32_over_the_weights_is_refused(kind):
    memory = np.ones(8, np.float32)
    w = memory.view(np.uint16)[:8].view(KINDS[kind])
    terms = fr.regularize({"w": w}, [("w", fr.l2_regularizer(0.5))])
    for call in (
        lambda: fr.l2_regularizer(0.5).gradient(w, out=memory),
        lambda: fr.value_and_gradients(terms, out={"w": memory}),
    ):
        with pytest.raises(ValueError, match="overlaps"):
            call()
    assert (memory == 1).all()


# ------------------------------------------------------------------------------------------------------------------- stack
@pytest.mark.parametrize("isa", fr.get_config()["isas"])
def test_the_buffers_fit_on_the_smallest_stack_that_a_worker_works_with(run_python, isa):
    done = run_python(
        """
import numpy as np, fastreg as fr
w = (np.arange(1 << 20) % 77 - 38).astype(np.float16).reshape(8, 16, 1 << 13)
narrow = abs(w)
penalties = [
    fr.l1_l2_regularizer(0.3, 0.7), fr.l2_regularizer(0.7, weights=narrow), fr.l2_sp_regularizer(0.7, narrow, narrow),
    fr.group_lasso_regularizer(0.3, (0, 2)),
    fr.sum_regularizer([fr.l1_regularizer(0.3, weights=narrow), fr.mcp_regularizer(0.3)]),
]
def results():
    found = [p.value_and_gradient(w, out=w.copy(), accumulate=True) for p in penalties * 3]
    return [(float(value), out.tobytes()) for value, out in found]
fr.set_num_threads(1)
alone = results()
fr.set_num_threads(3)
print(results() == alone)
""",
        FASTREG_ISA=isa,
        OMP_STACKSIZE="128k",
    )
    if "this CPU lacks it" in done.stderr:
        pytest.skip("this CPU lacks it")
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["True"], "")
