"""Every refusal of an array, a step or a list, before anything is written."""

import re

import numpy as np
import pytest
from kernel_calls import check_array, evaluate, penalty, set_pair
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
    pair = penalty(Elastic(0.25, 0.5))
    with pytest.raises(TypeError, match="a part must be a Penalty, got"):
        set_pair(pair, 1.0, 1.0, (part,))
    assert pair.coefficients == (0.25, 0.5)
