"""Every refusal of an array, a step or a list, before anything is written."""

import re
import warnings

import numpy as np
import pytest
from kernel_calls import RULES, check_array, entry, evaluate, evaluate_terms, penalty, set_parts, step, term
from twin.compare import assert_same
from twin.inputs import weights
from twin.penalties import Elastic

import fastreg as fr


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
    "complex64": (lambda: np.ones(6, np.complex64), TypeError, "got dtype complex64", r"astype\("),
    "complex128": (lambda: np.ones(6, np.complex128), TypeError, "got dtype complex128", r"astype\("),
    "longdouble": (lambda: np.ones(6, np.longdouble), TypeError, "got dtype [fl]", r"astype\("),
    "object": (lambda: np.array([1.0, None], object), TypeError, "got dtype object", r"astype\("),
    "string": (lambda: np.array(["a"]), TypeError, "got dtype <U1", r"astype\("),
    "record": (lambda: np.zeros(6, [("x", np.float32)]), TypeError, r"got dtype \[", r"astype\("),
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

# No code makes numbers of these: what was wrong with them.
NO_NUMBERS = {"got dtype object", "got dtype <U1", r"got dtype \[", "got dtype datetime64"}


def remedied(message, x):
    """Run the code that a message tells to pass instead of x."""
    code = re.search(r"instead of x pass (.+)$", message)[1]
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        return eval(code, {"numpy": np, "x": x})


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
    if was not in NO_NUMBERS:
        entry(remedied(message, make()))


# --------------------------------------------------------------------------------------------------- other libraries' arrays
class Shared:
    """An array of another library that can be read without a copy, by DLPack as torch's, or by ``__array__``."""

    def __init__(self, array, dlpack):
        self.array = array
        if dlpack:
            self.__class__ = type("Tensor", (Shared,), {"__dlpack__": Shared.export, "__dlpack_device__": Shared.device})
        else:
            self.__class__ = type("Matrix", (Shared,), {"__array__": Shared.convert})

    def export(self, **options):
        return self.array.__dlpack__(**options)

    def device(self):
        return self.array.__dlpack_device__()

    def convert(self, dtype=None, copy=None):
        return np.array(self.array, dtype, copy=copy)


class Copied:
    """An array of another library, that is somewhere else or in another form."""

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("it is on another device")
        return np.ones(6, np.float32)


numpy_2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0"
sharing = pytest.mark.parametrize("dlpack", [True, False] if numpy_2 else [True], ids=lambda x: "DLPack" if x else "__array__")


@sharing
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_libraries_arrays_are_read_in_place(dlpack, dtype):
    w = weights((5, 7), dtype)
    x = Shared(w, dlpack)
    l1, mcp = fr.l1_regularizer(0.5), fr.mcp_regularizer(0.5)
    seen = check_array(x, "x")
    assert np.shares_memory(seen, w) and not seen.flags.writeable and w.flags.writeable
    for regularizer in (l1, mcp, fr.sum_regularizer([l1, mcp])):
        assert_same(regularizer(x), regularizer(w))
        assert_same(regularizer.gradient(x), regularizer.gradient(w))
    assert_same(l1.prox(x, 0.5), l1.prox(w, 0.5))
    assert_same(fr.l2_loss(x), fr.l2_loss(w))
    terms, again = (
        fr.regularize(
            {"x": each},
            [
                ("x", fr.l2_regularizer(0.5)),
            ],
        )
        for each in (x, w)
    )
    assert_same(terms[0].value(), again[0].value())
    (loss, gradients), (same, expected) = fr.value_and_gradients(terms + terms), fr.value_and_gradients(again + again)
    assert loss == same
    assert_same(gradients["x"], expected["x"])
    own = fr.regularize({"x": x}, [("x", lambda weights: type(weights) is np.ndarray and weights.sum())])
    assert own[0].value() == w.sum()
    w *= 2
    assert_same(terms[0].value(), again[0].value())


@sharing
def test_a_gradient_may_be_another_librarys_and_what_is_written_to_may_not(dlpack):
    w, same, g = np.ones(6), np.ones(6), weights((6,), np.float64)
    for weight, gradient in ((w, Shared(g, dlpack)), (same, g)):
        fr.optim.GradientDescent(0.5).apply_gradients({"w": (gradient, weight)})
    assert_same(w, same)
    foreign = Shared(w, dlpack)
    terms = fr.regularize({"w": w}, [("w", fr.l2_regularizer(0.5))])
    for write in (
        lambda: fr.optim.GradientDescent(0.5).apply_gradients({"w": (g, foreign)}),
        lambda: fr.l2_regularizer(0.5).gradient(g, out=foreign),
        lambda: fr.value_and_gradients(terms, out={"w": foreign}, accumulate=True),
        lambda: check_array(foreign, "w", writeable=True),
    ):
        with pytest.raises(ValueError, match="is read-only and would be written to; pass a writeable array"):
            write()
    assert_same(w, same)


@pytest.mark.skipif(not numpy_2, reason="NumPy 1 cannot tell whether __array__ makes a copy")
def test_what_would_be_copied_is_refused_with_the_reason():
    with pytest.raises(TypeError, match=r"got Copied, which cannot be read without a copy \(it is on another device\)") as caught:
        fr.l2_loss(Copied())
    assert fr.l2_loss(remedied(str(caught.value), Copied())) == 3.0
    (term,) = fr.regularize({"w": np.ones(2)}, [("w", fr.l2_regularizer(0.5))])
    with pytest.raises(TypeError, match="got RegularizationLoss, which cannot be read without a copy"):
        fr.l2_loss(term)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_read_only_memory_map_is_read_and_not_written(dtype, tmp_path):
    w = weights((5, 7), dtype)
    np.save(tmp_path / "w.npy", w)
    mapped = np.load(tmp_path / "w.npy", mmap_mode="r")
    terms, again = (fr.regularize({"w": each}, [("w", fr.l1_regularizer(0.5))]) for each in (mapped, w))
    loss, gradients = fr.value_and_gradients(terms)
    assert loss == fr.value_and_gradients(again)[0] and type(gradients["w"]) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        fr.optim.GradientDescent(0.5).apply_gradients({"w": (w, mapped)}, terms)


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
        with pytest.raises(ValueError, match=r"^out.* must have the memory order of .*numpy\.asarray\(x, order=") as caught:
            write(one, other)
        write(one.copy(order="K"), remedied(str(caught.value), other))
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


NO_TERMS = [None, 0.5, "w", np.ones(3), fr.l2_regularizer(0.5)]


@pytest.mark.parametrize("bad", NO_TERMS, ids=lambda x: type(x).__name__)
def test_only_terms_are_evaluated_and_stepped(bad):
    w, out, good = np.ones(3), np.full(3, 9.0), term(np.ones(3), fr.l2_regularizer(0.5), "v")
    for given in (None, {"v": out}):
        with pytest.raises(TypeError, match="Term"):
            evaluate_terms([good, bad], given)
    with pytest.raises(TypeError, match="Term"):
        step("gradient_descent", [entry(w, np.ones(3))], [bad])
    assert (out == 9).all() and (w == 1).all()


@pytest.mark.parametrize("bad", [0.5, abs, fr.no_regularizer, "l2"], ids=repr)
def test_only_penalties_make_a_term(bad):
    with pytest.raises(TypeError, match="Penalty"):
        term(np.ones(3), bad)


def test_a_term_without_a_penalty_is_zero():
    w, out = np.array([1.0, np.inf, np.nan]), np.full(3, 9.0)
    assert evaluate_terms([term(w, None)]) == 0.0
    assert evaluate_terms([term(w, None)], {"w": out}) == 0.0
    assert out.tolist() == [0.0, 0.0, 0.0]
    out[:] = 9.0
    assert evaluate_terms([term(w, None)], {"w": out}, accumulate=True) == 0.0
    assert out.tolist() == [9.0, 9.0, 9.0]


def test_an_array_that_is_missing_in_the_gradients_is_an_error():
    out = np.full(3, 9.0)
    with pytest.raises(KeyError, match="w"):
        evaluate_terms([term(np.ones(3), fr.l2_regularizer(0.5), name) for name in "vw"], {"v": out})
    assert (out == 9).all()


@pytest.mark.parametrize("part", [None, 0.5, abs], ids=repr)
def test_only_penalties_are_parts(part):
    total, l1, mcp = penalty(Elastic(0.25, 0.5)), fr.l1_regularizer(0.5), fr.mcp_regularizer(0.5)
    set_parts(total, (l1,))
    w = weights(50, np.float64)
    before = total(w), total.coefficients
    with pytest.raises(TypeError, match="a part must be a Penalty, got"):
        set_parts(total, (mcp, part))
    assert (total(w), total.coefficients) == before
    assert before[1] == (0.75, 0.5)


# ------------------------------------------------------------------------------------------------------------- entries
def slots_of(w, n):
    return tuple(np.zeros_like(w) for _ in range(n))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("more", [-1, 1])
def test_an_entry_has_its_rules_number_of_slots(rule, more):
    w, n = np.ones(3), RULES[rule].n_slots
    if n + more < 0:
        return
    slots = slots_of(w, n + more)
    with pytest.raises(ValueError, match=f"^'w' must have {n} slots, got {n + more}$"):
        step(rule, [entry(w, np.ones(3), slots=slots)])
    assert (w == 1).all() and all((slot == 0).all() for slot in slots)


BAD_SLOTS = {
    "dtype": (np.zeros(3, np.float32), TypeError, "^slot 0 of 'w' must have the dtype of variable 'w'"),
    "integers": (np.zeros(3, int), TypeError, "^slot 0 of 'w' must be a float32 or float64 array"),
    "shape": (np.zeros(4), ValueError, "^slot 0 of 'w' must have the shape of variable 'w'"),
    "strided": (np.zeros(6)[::2], ValueError, "^slot 0 of 'w' must be contiguous"),
    "read-only": (np.broadcast_to(np.zeros(3), 3), ValueError, "^slot 0 of 'w' is read-only"),
    "list": ([0.0] * 3, TypeError, "list|ndarray"),
}


@pytest.mark.parametrize(("slot", "error", "message"), BAD_SLOTS.values(), ids=BAD_SLOTS)
def test_a_bad_slot_is_named_and_nothing_is_written(slot, error, message):
    v, w, held = np.ones(3), np.ones(3), np.zeros(3)
    with pytest.raises(error, match=message):
        step("momentum", [entry(v, np.ones(3), slots=(held,), name="v"), entry(w, np.ones(3), slots=(slot,))])
    assert (v == 1).all() and (w == 1).all() and (held == 0).all()


def test_slots_have_memory_of_their_own():
    w, slot = np.ones(3), np.zeros(3)
    for slots in ((slot, slot), (slot, w)):
        with pytest.raises(ValueError, match="overlaps"):
            step("adam", [entry(w, np.ones(3), slots=slots)])
    assert (w == 1).all() and (slot == 0).all()


def rows(*numbers, dtype=np.int64):
    return np.array(numbers, dtype)


BAD_ROWS = {
    "behind the end": (rows(1, 4), ValueError, "unique, rising and from 0 to 3, got 4$"),
    "far behind the end": (rows(1, 1 << 62), ValueError, "unique, rising and from 0 to 3, got 4611686018427387904$"),
    "negative": (rows(-1, 2), ValueError, "got -1$"),
    "twice": (rows(2, 2), ValueError, "got 2$"),
    "falling": (rows(2, 1), ValueError, "got 1$"),
    "int32": (rows(1, 2, dtype=np.int32), TypeError, "must be a vector of int64"),
    "floats": (rows(1, 2, dtype=np.float64), TypeError, "must be a vector of int64"),
    "a matrix": (rows(1, 2)[None], TypeError, "must be a vector of int64"),
    "strided": (rows(0, 1, 2, 3)[::2], TypeError, "must be a vector of int64"),
    "too few": (rows(1), ValueError, r"must have the shape \(1, 2\), a row for each index, got \(2, 2\)"),
    "too many": (rows(1, 2, 3), ValueError, r"must have the shape \(3, 2\), a row for each index, got \(2, 2\)"),
    "none": (rows(), ValueError, r"must have the shape \(0, 2\), a row for each index, got \(2, 2\)"),
}


@pytest.mark.parametrize(("index", "error", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows_are_refused_before_anything_is_written(index, error, message):
    v, w = np.ones(3), np.ones((4, 2))
    with pytest.raises(error, match=message):
        step("gradient_descent", [entry(v, np.ones(3), name="v"), entry(w, np.ones((2, 2)), index)])
    assert (v == 1).all() and (w == 1).all()


@pytest.mark.parametrize(
    ("w", "gradient", "error", "message"),
    [
        (np.ones(()), np.ones(1), ValueError, "in C order, with at least one dimension"),
        (np.ones((4, 2), order="F"), np.ones((1, 2)), ValueError, "in C order, with at least one dimension"),
        (np.ones((4, 2)), np.ones((2, 2), order="F")[:1], ValueError, "contiguous|C order"),
        (np.ones((4, 2)), np.ones((1, 2), np.float32), TypeError, "must have the dtype of variable 'w', float64, got float32"),
        (np.ones((4, 2)), np.ones(2), ValueError, r"must have the shape \(1, 2\)"),
    ],
    ids=["no axes", "Fortran", "gradient in Fortran order", "dtype", "shape"],
)
def test_a_gradient_of_rows_must_fit(w, gradient, error, message):
    with pytest.raises(error, match=message):
        step("gradient_descent", [entry(w, gradient, rows(1))])
    assert (w == 1).all()


def test_rows_of_no_width_and_no_rows_are_stepped():
    w = np.ones((4, 0))
    assert step("gradient_descent", [entry(w, np.ones((2, 0)), rows(1, 3))], [term(w, fr.mcp_regularizer(0.5))]) == 0.0
    w = np.ones((4, 2))
    assert step("gradient_descent", [entry(w, np.ones((0, 2)), rows())], [term(w, fr.mcp_regularizer(0.5))]) == 0.0
    assert (w == 1).all()


def test_an_entry_is_a_variable_with_its_gradient():
    for bad in (None, 1.0, ("w", np.ones(3), np.ones(3))):
        with pytest.raises(TypeError, match="Entry"):
            step("gradient_descent", [bad])
    with pytest.raises(KeyError, match="no such rule"):
        step("no such rule", [entry(np.ones(3), np.ones(3))])


OTHERS = {
    "a copy": lambda w: w.copy(),
    "a part": lambda w: w[:2],
    "a later part": lambda w: w[1:],
    "another shape": lambda w: w.reshape(3, 1),
    "another array": lambda w: np.ones(3),
}


@pytest.mark.parametrize("of", OTHERS.values(), ids=OTHERS)
def test_a_term_is_over_the_weights_of_an_entry(of):
    w = np.ones(3)
    with pytest.raises(ValueError, match="is over an array that is not updated here"):
        step("gradient_descent", [entry(w, np.ones(3))], [term(of(w), fr.l2_regularizer(0.5))])
    assert (w == 1).all()
    assert step("gradient_descent", [entry(w, np.ones(3))], [term(w.view(), fr.l2_regularizer(0.5))]) == 0.75
