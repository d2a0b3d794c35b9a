"""The compiled functions check every length, index and type themselves, whoever calls them and whatever changes meanwhile."""

import ctypes
import gc

import numpy as np
import pytest
from kernel_calls import (
    RULES,
    Entry,
    Penalty,
    Step,
    check_like,
    commit,
    entry,
    evaluate_terms,
    have_custom,
    install_kernel,
    merge_rows,
    owners_of,
    prepare,
    set_parts,
    set_profile,
    step,
    term,
)

import fastreg as fr

L2 = fr.l2_regularizer(0.5)
ONES = np.ones(3)
NOTHING = [
    None,
    0.5,
    "w",
    [1.0, 1.0, 1.0],
    np.ones(3, int),
    np.ones(6)[::2],
    np.ones(3, ">f8"),
    np.ones(4),
    np.ones(3, np.float32),
]


def bad_arrays(function):
    return pytest.mark.parametrize("bad", NOTHING, ids=lambda x: f"{type(x).__name__} {getattr(x, 'dtype', '')}")(function)


# ----------------------------------------------------------------------------------------------------- types and lengths
@pytest.mark.parametrize("bad", [None, 0.5, "w", ONES, L2], ids=lambda x: type(x).__name__)
def test_lists_of_something_else(bad):
    good, over = entry(np.ones(3), ONES), term(np.ones(3), L2)
    for call in (
        lambda: have_custom([over, bad]),
        lambda: have_custom(bad),
        lambda: owners_of([bad], [over]),
        lambda: owners_of([good], [bad]),
        lambda: owners_of(bad, bad),
        lambda: evaluate_terms([over, bad]),
        lambda: prepare("gradient_descent", [bad]),
        lambda: prepare("gradient_descent", [good, bad]),
        lambda: prepare("gradient_descent", [good], [bad]),
        lambda: Step("gradient_descent", bad, [good], []),
        lambda: set_parts(Penalty(), bad),
    ):
        with pytest.raises((TypeError, AttributeError)):
            call()


@pytest.mark.parametrize("kind", [Entry, Step])
def test_nothing_is_made_unchecked(kind):
    with pytest.raises(TypeError, match="argument"):
        kind.__new__(kind)


@bad_arrays
def test_a_gradient_that_was_put_in_later_is_checked(bad):
    w = np.ones(3)
    changed = entry(w, ONES)
    with pytest.raises((TypeError, ValueError)):
        changed.gradient = bad
        prepare("gradient_descent", [changed])
    assert w.tolist() == [1.0, 1.0, 1.0]


@bad_arrays
def test_a_slot_is_checked(bad):
    w = np.ones(3)
    with pytest.raises((TypeError, ValueError)):
        prepare("momentum", [entry(w, ONES, slots=(bad,))])
    with pytest.raises((TypeError, ValueError)):
        prepare("momentum", [entry(w, ONES, slots=None)])


@bad_arrays
def test_a_base_is_checked(bad):
    out = {"w": np.full(3, 9.0)}
    with pytest.raises((TypeError, ValueError), match="the base of 'w'"):
        evaluate_terms([term(np.ones(3), L2)], out, bases={"w": bad})
    assert out["w"].tolist() == [9.0, 9.0, 9.0]


def test_an_array_is_like_another_array():
    with pytest.raises(TypeError, match="weights"):
        check_like(ONES, "x", None, "y")


@pytest.mark.parametrize("state", [None, 0, {}])
def test_a_step_is_counted_in_a_state(state):
    w = np.ones(3)
    with pytest.raises(TypeError):
        prepare("gradient_descent", [entry(w, ONES)]).commit(state, {})
    assert w.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("i", [-1, 1, 1 << 40])
def test_a_step_knows_its_entries(i):
    w = np.ones(3)
    made = prepare("gradient_descent", [entry(w, ONES)])
    for call in (lambda: made.preview(i), lambda: made.assign(i, ONES)):
        with pytest.raises(IndexError, match="a step of 1 entries has no entry"):
            call()
    commit(made)
    assert w.tolist() == [0.0, 0.0, 0.0]


@bad_arrays
def test_what_is_assigned_is_checked(bad):
    made = prepare("gradient_descent", [entry(np.ones(3), ONES)])
    with pytest.raises((TypeError, ValueError)):
        made.assign(0, bad)


def test_a_preview_writes_to_its_copy_alone():
    w = np.ones(3)
    made = prepare("gradient_descent", [entry(w, ONES)])
    made.assign(0, np.full(3, 7.0))
    assert made.preview(0).tolist() == [7.0, 7.0, 7.0]
    assert w.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("indices", [[-1], [3], [1 << 63], [0.5], [[0]], ["0"], None])
def test_rows_are_within_the_weights(indices):
    with pytest.raises((TypeError, ValueError), match=r"row indices|shape"):
        merge_rows(np.ones((1, 2)), indices, np.ones((3, 2)), "w")


# ------------------------------------------------------------------------------------------------------- what changes meanwhile
@pytest.mark.parametrize("rule", RULES)
def test_a_step_keeps_the_arrays_that_it_has_checked(rule):
    w, size = np.zeros(200_000), 200_000
    changed = entry(w, np.ones(size), slots=tuple(np.ones(size) for _ in range(RULES[rule].n_slots)))
    same = entry(w.copy(), np.ones(size), slots=tuple(np.ones(size) for _ in range(RULES[rule].n_slots)))
    made = prepare(rule, [changed])
    changed.gradient, changed.slots = ONES, ()
    gc.collect()
    commit(made)
    step(rule, [same])
    assert w.tobytes() == same.weights.tobytes()


def test_a_list_that_shrinks_while_it_is_read():
    terms = [term(np.ones(3), L2, str(i)) for i in range(50)]

    def find(out, name, _):
        terms.clear()
        return out[name]

    out = {str(i): np.zeros(3) for i in range(50)}

    class Found(dict):
        pass

    assert evaluate_terms(terms, Found(out), find=find) == 37.5
    assert not terms and all(x.tolist() == [0.5, 0.5, 0.5] for x in out.values())


# ------------------------------------------------------------------------------------------------------------ profiles
def test_a_part_that_gets_a_profile_later_is_an_error():
    late, total, w = Penalty(), Penalty(), np.ones(100)
    set_parts(total, (late,) * 50)
    assert total(w) == 0.0
    set_profile(late, "mcp", 0.5, 3.0)
    made = prepare("gradient_descent", [entry(w.copy(), np.ones(100))])
    for call in (
        lambda: total(w),
        lambda: total.gradient(w),
        lambda: total.coefficients,
        lambda: evaluate_terms([term(w, total), term(w, total, "v")]),
        lambda: prepare("gradient_descent", [entry(w, np.ones(100))], [term(w, total)]),
    ):
        with pytest.raises(RuntimeError, match="a part of a sum was given a profile after the sum was made"):
            call()
    commit(made)


def test_a_sum_has_no_more_profiles_than_can_be_counted():
    total = fr.mcp_regularizer(0.5)
    for _ in range(16):
        total = fr.sum_regularizer([total, total])
    with pytest.raises(ValueError, match="a sum must have at most 65536 parts beside L1 and L2, got 131072"):
        fr.sum_regularizer([total, total])


def test_a_kernel_of_another_build_is_refused():
    """A fake kernel: the struct that starts with the checksum, and not that of this build."""
    kernel = (ctypes.c_size_t * 3)(0, 0, 0)
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    with pytest.raises(ImportError, match=r"of another build .*: python setup\.py build_ext --inplace --force$"):
        install_kernel(new(kernel, b"fastreg.kernel", None))
    assert fr.l2_regularizer(0.5)(np.ones(4)) == 1.0
