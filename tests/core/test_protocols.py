"""One protocol for all: what a user's own regularizer offers is found, used once, and given arrays that nobody else sees."""

import numpy as np
import pytest
from own import FORMS, Fourth, GroupLasso, Identity, InOneGo, OneBuffer, Value
from regularizers import PENALTIES, dtypes
from twin.compare import assert_same
from twin.inputs import weights

import fastreg as fr

forms = pytest.mark.parametrize("form", FORMS)
L1, L2 = fr.l1_regularizer(0.25), fr.l2_regularizer(0.5)


# ----------------------------------------------------------------------------------------------------- what offers what
@pytest.mark.parametrize(("regularizer", "_twin"), PENALTIES.values(), ids=PENALTIES)
def test_the_built_in_ones_follow_every_protocol(regularizer, _twin):
    for protocol in (fr.Regularizer, fr.SupportsGradient, fr.SupportsValueAndGradient, fr.SupportsProx):
        assert isinstance(regularizer, protocol)


@pytest.mark.parametrize(
    ("regularizer", "protocols"),
    [
        (Value(), {"Regularizer"}),
        (abs, {"Regularizer"}),
        (fr.no_regularizer, {"Regularizer"}),
        (Fourth(), {"Regularizer", "SupportsGradient"}),
        (GroupLasso(0.5), {"Regularizer", "SupportsProx"}),
        (fr.sum_regularizer([Fourth(), L1]), {"Regularizer", "SupportsGradient", "SupportsValueAndGradient", "SupportsProx"}),
        (np.ones(3), set()),
    ],
    ids=["value", "function", "none", "gradient", "prox", "sum", "array"],
)
def test_a_users_own_follows_those_whose_methods_it_has(regularizer, protocols):
    every = ("Regularizer", "SupportsGradient", "SupportsValueAndGradient", "SupportsProx")
    assert {name for name in every if isinstance(regularizer, getattr(fr, name))} == protocols


# ---------------------------------------------------------------------------------------------------- value and gradient
@dtypes
@forms
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("beside", [[], [L1, L2]], ids=["alone", "with built-in ones"])
def test_every_form_gives_the_same_bits(form, beside, accumulate, dtype):
    arrays = {"v": weights((50,), dtype), "w": weights((7, 9), dtype, 1)}
    own = FORMS[form]()
    terms = fr.regularize(arrays, [("*", own)]) + [term for part in beside for term in fr.regularize(arrays, [("*", part)])]
    bases = {key: weights(w.shape, dtype, 2) for key, w in arrays.items()}
    out = {key: base.copy() for key, base in bases.items()}
    total, found = fr.value_and_gradients(terms, out=out, accumulate=accumulate)
    value = np.float64(0.0)
    for part in beside:
        value += fr.value_and_gradients(fr.regularize(arrays, [("*", part)]))[0]
    assert total == pytest.approx(float(value) + sum(Fourth()(w) for w in arrays.values()), rel=1e-14)
    for key, w in arrays.items():
        base = bases[key] if accumulate else np.zeros_like(w)
        right = base + Fourth().gradient(w).astype(dtype)  # the user's own first, then the compiled ones
        if beside:
            right = fr.sum_regularizer(beside).gradient(w, out=right, accumulate=True)
        assert_same(found[key], right)
    new_total, new = fr.value_and_gradients(terms)
    assert new_total == total
    if not accumulate:
        assert_same(dict(new), out)


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("given", [False, True], ids=["new", "out"])
def test_out_is_a_private_array_with_what_is_added_to(given, accumulate):
    if accumulate and not given:
        return
    w, own = np.array([1.0, -2.0]), InOneGo()
    out = {"w": np.array([5.0, 7.0])} if given else None
    fr.value_and_gradients(fr.regularize({"w": w}, [("w", own)]), out=out, accumulate=accumulate)
    (private,) = own.given
    assert private.tolist() == ([9.0, -25.0] if accumulate else [4.0, -32.0])
    assert out is None or not np.shares_memory(private, out["w"])
    assert not np.shares_memory(private, w)


def test_two_terms_of_one_variable_share_the_private_array():
    w, one, other = np.array([1.0, -2.0]), InOneGo(), InOneGo()
    terms = fr.regularize({"w": w}, [("w", one)]) + fr.regularize({"w": w}, [("w", other)])
    found = fr.value_and_gradients(terms)[1]
    assert one.given[0] is other.given[0] and found["w"].tolist() == [8.0, -64.0]


def test_a_buffer_that_is_used_again_is_read_before():
    own, arrays = OneBuffer(), {"v": np.array([1.0, 2.0]), "w": np.array([3.0, -1.0]), "u": np.array([2.0])}
    _, found = fr.value_and_gradients(fr.regularize(arrays, [("*", own)]))
    assert {key: g.tolist() for key, g in found.items()} == {"v": [4.0, 32.0], "w": [108.0, -4.0], "u": [32.0]}
    twice = fr.sum_regularizer([own, own, fr.l2_regularizer(1.0)])
    assert twice.gradient(arrays["v"]).tolist() == [9.0, 66.0]


def test_a_gradient_may_be_the_weights_themselves():
    w, out = np.array([1.0, -2.0]), {"w": np.array([10.0, 10.0])}
    terms = fr.regularize({"w": w}, [("w", Identity())])
    assert fr.value_and_gradients(terms, out=out, accumulate=True)[0] == 2.5
    assert (out["w"].tolist(), w.tolist()) == ([11.0, 8.0], [1.0, -2.0])
    assert fr.value_and_gradients(terms)[1]["w"] is not w
    assert fr.sum_regularizer([Identity()]).gradient(w) is not w


@forms
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("size", [3, 70_001])
def test_out_may_be_the_weights_themselves(form, accumulate, size):
    w, same = weights(size, np.float64), weights(size, np.float64)
    rules = [("w", fr.sum_regularizer([FORMS[form](), L1, fr.mcp_regularizer(0.3)]))]
    out = {"w": same.copy()}
    expected, _ = fr.value_and_gradients(fr.regularize({"w": same}, rules), out=out, accumulate=accumulate)
    assert fr.value_and_gradients(fr.regularize({"w": w}, rules), out={"w": w}, accumulate=accumulate)[0] == expected
    assert_same(w, out["w"])
    into = same.copy()
    rules[0][1].gradient(into, out=into, accumulate=accumulate)
    assert_same(into, out["w"])


@dtypes
@pytest.mark.parametrize("shape", [(), (0, 3)], ids=str)
@forms
def test_arrays_without_axes_or_elements(form, shape, dtype):
    w = np.full(shape, 2.0, dtype)
    total, found = fr.value_and_gradients(fr.regularize({"w": w}, [("w", FORMS[form]())]))
    assert total == 16.0 * w.size
    assert_same(found["w"], np.full(shape, 32.0, dtype))


@forms
def test_a_fortran_ordered_variable_keeps_its_order(form):
    w = np.asfortranarray(weights((6, 11), np.float32))
    found = fr.value_and_gradients(fr.regularize({"w": w}, [("w", FORMS[form]())]))[1]["w"]
    assert found.flags.f_contiguous
    assert_same(found, Fourth().gradient(w).astype(np.float32))


# ------------------------------------------------------------------------------------------------------------ what fails
class Broken(Fourth):
    """Says what it does at each call; at first nothing that is wrong."""

    def __init__(self, fails=None):
        self.fails = fails

    def gradient(self, w):
        return super().gradient(w) if self.fails is None else self.fails(w)


class BrokenInOneGo(Broken):
    gradient = None

    def value_and_gradient(self, weights, out, accumulate):
        out[...] = 77.0  # half done
        return 0.0, out if self.fails is None else self.fails(weights)


def raises(w):
    raise RuntimeError("no gradient today")


FAILURES = {
    "raises": (Broken, raises, RuntimeError, "no gradient today"),
    "shape": (Broken, lambda w: w[:1], ValueError, r"the regularizer of 'w' returned a gradient of shape \(1,\)"),
    "nothing": (Broken, lambda w: None, ValueError, r"returned a gradient of shape \(\) for weights of shape \(2,\)"),
    "number": (Broken, lambda w: 1.0, ValueError, r"returned a gradient of shape \(\)"),
    "complex": (Broken, lambda w: 1j * w, TypeError, "same_kind"),
    "objects": (Broken, lambda w: w.astype(object), TypeError, "same_kind"),
    "text": (Broken, lambda w: w.astype("U8"), TypeError, "same_kind"),
    "raises midway": (BrokenInOneGo, raises, RuntimeError, "no gradient today"),
    "another array": (BrokenInOneGo, lambda w: w.copy(), TypeError, "must put the gradient into out and return it, not another"),
}


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize(("kind", "fails", "error", "message"), FAILURES.values(), ids=FAILURES)
def test_whatever_fails_nothing_is_written(kind, fails, error, message, accumulate):
    arrays = {"v": np.ones(2), "w": np.ones(2)}
    out = {key: np.full(2, 9.0) for key in arrays}
    terms = fr.regularize(arrays, [("v", L2), ("w", kind(fails))])
    with pytest.raises(error, match=message):
        fr.value_and_gradients(terms, out=out, accumulate=accumulate)
    total, into = fr.sum_regularizer([L2, kind(fails)]), np.full(2, 9.0)
    with pytest.raises(error):
        total.gradient(arrays["v"], out=into, accumulate=accumulate)
    assert all(x.tolist() == [9.0, 9.0] for x in (*out.values(), into))
    assert all(w.tolist() == [1.0, 1.0] for w in arrays.values())


def test_a_value_that_is_no_scalar_is_refused_before_anything_is_written():
    own, out = Broken(), {"w": np.full(2, 9.0)}
    terms = fr.regularize({"w": np.ones(2)}, [("w", own)])
    own.__class__ = type("Vector", (Broken,), {"__call__": lambda self, w: w})
    with pytest.raises(ValueError, match="regularizer must return a scalar Tensor instead of a Tensor with rank 1"):
        fr.value_and_gradients(terms, out=out)
    assert out["w"].tolist() == [9.0, 9.0]


def test_a_value_of_none_counts_as_0():
    class Unsure(Fourth):
        value = 1.0

        def __call__(self, w):
            return self.value

    own = Unsure()
    terms = fr.regularize({"w": np.ones(2)}, [("w", own)])
    own.value = None
    total, found = fr.value_and_gradients(terms)
    assert total == 0.0 and found["w"].tolist() == [4.0, 4.0]


@pytest.mark.parametrize("accumulate", [False, True])
def test_an_overflow_that_numpy_is_told_to_raise_writes_nothing(accumulate):
    arrays = {"v": np.ones(2, np.float32), "w": np.full(2, 1e13, np.float32)}
    out = {key: np.full(2, 9.0, np.float32) for key in arrays}
    terms = fr.regularize(arrays, [("v", L2), ("w", Fourth())])
    with np.errstate(all="raise"):
        with pytest.raises(FloatingPointError):
            fr.value_and_gradients(terms, out=out, accumulate=accumulate)
        assert all(x.tolist() == [9.0, 9.0] for x in out.values())
    with np.errstate(over="ignore"):
        assert fr.value_and_gradients(terms, out=out, accumulate=False)[1]["w"].tolist() == [np.inf, np.inf]


class Huge:
    """A value near the end of float64 and a gradient of ones."""

    def __call__(self, w):
        return 1.7e308

    def gradient(self, w):
        return np.ones_like(w)


def test_a_value_that_overflows_is_found_before_anything_is_written_or_is_inf():
    w, out = np.full(2, 1e153), {"w": np.full(2, 9.0)}
    terms = fr.regularize({"w": w}, [("w", fr.l2_regularizer(150.0))]) + fr.regularize({"w": w}, [("w", Huge())])
    single, into = np.ones(2, np.float32), np.full(2, 9.0, np.float32)
    with np.errstate(all="raise"):
        assert fr.value_and_gradients(terms, out=out)[0] == np.inf
        with pytest.raises(FloatingPointError):
            fr.sum_regularizer([Huge(), L1]).value_and_gradient(single, out=into)
        assert fr.optim.GradientDescent(0.5).apply_gradients({"w": (np.zeros(2), w)}, terms) == np.inf
    assert out["w"].tolist() == [1.5e155 + 1, 1.5e155 + 1] and into.tolist() == [9.0, 9.0]


# ------------------------------------------------------------------------------------------------------------------ sums
@dtypes
@forms
@pytest.mark.parametrize("accumulate", [False, True])
def test_a_sum_adds_the_users_own_first(form, accumulate, dtype):
    w, base = weights((70,), dtype), weights((70,), dtype, 1)
    total = fr.sum_regularizer([L1, FORMS[form](), fr.sum_regularizer([L2, FORMS[form]()])])
    out = base.copy()
    value, found = total.value_and_gradient(w, out=out, accumulate=accumulate)
    slope = Fourth().gradient(w).astype(dtype)
    right = ((base if accumulate else np.zeros_like(w)) + slope) + slope
    assert_same(found, fr.l1_l2_regularizer(0.25, 0.5).gradient(w, out=right, accumulate=True))
    assert found is out and type(value) is dtype
    assert value == pytest.approx(float(total(w)), rel=1e-6)


def test_a_nested_sum_separates_as_a_flat_one():
    flat = fr.sum_regularizer([Fourth(), L1, L2, Identity()])
    nested = fr.sum_regularizer([fr.sum_regularizer([fr.sum_regularizer([Fourth(), L1]), L2]), fr.sum_regularizer([Identity()])])
    arrays = {"w": weights((70,), np.float64)}
    (one, _), (other, _) = (fr.value_and_gradients(fr.regularize(arrays, [("*", total)])) for total in (flat, nested))
    assert one == other
    assert_same(flat.gradient(arrays["w"]), nested.gradient(arrays["w"]))
    (term,) = fr.regularize(arrays, [("*", nested)])
    assert term.penalty.coefficients == (0.25, 0.5) and [type(own) for own in term.custom] == [Fourth, Identity]


def test_a_sum_of_one_users_own_has_its_prox_and_of_more_none():
    w, lasso = weights((8, 4), np.float64), GroupLasso(0.5)
    total, out = fr.sum_regularizer([None, lasso]), np.full((8, 4), 9.0)
    assert_same(total.prox(w, 2.0), lasso.prox(w, 2.0))
    assert total.prox(w, 2.0, out=out) is out
    assert_same(out, lasso.prox(w, 2.0))
    out[...] = 9.0
    for parts in ([lasso, L1], [lasso, lasso], [Fourth()], [lasso, fr.mcp_regularizer(0.5)]):
        with pytest.raises(ValueError, match="has no closed prox"):
            fr.sum_regularizer(parts).prox(w, 2.0, out=out)
    with pytest.raises(ValueError, match="overlaps"):
        total.prox(out[:4], 2.0, out=out[1:5])
    assert (out == 9.0).all()
