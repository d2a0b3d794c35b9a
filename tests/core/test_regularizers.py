"""The closures: TensorFlow's rules 1 to 5 and its messages, names, scales that change, sums, copies."""

import copy
import logging
import pickle
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from own import Fourth
from twin.compare import assert_same
from twin.inputs import weights
from twin.penalties import Elastic

import fastreg as fr

W = weights((20, 30), np.float64)
FACTORIES = {
    "l1": fr.l1_regularizer,
    "l2": fr.l2_regularizer,
    "l1_l2, l1": lambda scale: fr.l1_l2_regularizer(scale, 0.5),
    "l1_l2, l2": lambda scale: fr.l1_l2_regularizer(0.5, scale),
}
# What TensorFlow calls the scale, and what ends its message for one below 0.
NAMES = {"l1": "scale", "l2": "scale", "l1_l2, l1": "scale_l1", "l1_l2, l2": "scale_l2"}
PERIODS = {"l1": "", "l2": ".", "l1_l2, l1": "", "l1_l2, l2": "."}
kinds = pytest.mark.parametrize("kind", FACTORIES)
disabling = pytest.mark.parametrize(
    "make",
    [lambda: fr.l1_regularizer(0.0), lambda: fr.l2_regularizer(-0.0), lambda: fr.l1_l2_regularizer(0.0, 0.0)],
    ids=["l1", "l2", "l1_l2"],
)


# ------------------------------------------------------------------------------------------------------- rules for scales
@kinds
@pytest.mark.parametrize(
    "scale", [0, 1, -1, True, False, 10**400, np.int64(0), np.int8(3), np.uint32(1)], ids=lambda x: repr(x)[:9]
)
def test_an_integer_is_no_scale(kind, scale):
    with pytest.raises(ValueError) as caught:
        FACTORIES[kind](scale)
    assert str(caught.value) == f"{NAMES[kind]} cannot be an integer: {scale}"


@kinds
@pytest.mark.parametrize("scale", [-0.5, -1e-300, -1234567.0, np.float32(-0.25), np.float64(-2.0), Fraction(-1, 3)], ids=repr)
def test_a_negative_scale_is_refused_in_tensorflows_words(kind, scale):
    with pytest.raises(ValueError) as caught:
        FACTORIES[kind](scale)
    assert str(caught.value) == f"Setting a scale less than 0 on a regularizer: {float(scale):g}{PERIODS[kind]}"


@kinds
@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf, np.float32("nan"), np.float32("inf")], ids=repr)
def test_a_scale_is_finite(kind, scale):
    with pytest.raises(ValueError, match=rf"^{NAMES[kind]} must be finite, got {re.escape(repr(scale))}"):
        FACTORIES[kind](scale)


@kinds
@pytest.mark.parametrize(
    "scale", ["0.5", None, 1j, [0.5], (0.5,), np.array(0.5), np.array([0.5]), Decimal("0.5"), np.True_], ids=repr
)
def test_a_scale_is_a_real_number(kind, scale):
    with pytest.raises(TypeError, match=rf"^{NAMES[kind]} must be a real number, got .* of type {type(scale).__name__}"):
        FACTORIES[kind](scale)


@kinds
def test_a_real_number_that_no_float_can_hold_is_not_finite(kind):
    with pytest.raises(ValueError, match=f"^{NAMES[kind]} must be finite"):
        FACTORIES[kind](Fraction(10**400))


@kinds
@pytest.mark.parametrize(
    "scale", [0.5, np.float16(0.5), np.float32(0.5), np.float64(0.5), np.longdouble(0.5), Fraction(1, 2)], ids=repr
)
def test_any_other_real_number_is_a_scale(kind, scale):
    assert 0.5 in FACTORIES[kind](scale).coefficients


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ((1, 1), "scale_l1 cannot be an integer: 1"),
        ((-0.5, 1), "scale_l2 cannot be an integer: 1"),
        ((0.0, 0), "scale_l2 cannot be an integer: 0"),
        ((np.nan, True), "scale_l2 cannot be an integer: True"),
        ((-0.5, -0.25), "Setting a scale less than 0 on a regularizer: -0.5"),
        ((0.0, -0.25), "Setting a scale less than 0 on a regularizer: -0.25."),
    ],
    ids=str,
)
def test_l1_l2_looks_at_its_scales_in_tensorflows_order(scales, message):
    with pytest.raises(ValueError) as caught:
        fr.l1_l2_regularizer(*scales)
    assert str(caught.value) == message


@disabling
def test_a_scale_of_0_is_a_full_regularizer_of_value_0_and_is_logged(make, caplog):
    with caplog.at_level(logging.INFO, logger="fastreg"):
        regularizer = make()
    assert caplog.messages == ["Scale of 0 disables regularizer."]
    wild = np.array([1.0, -np.inf, np.nan])
    assert_same(regularizer(wild), np.float64(0.0))
    assert_same(regularizer.gradient(wild), np.zeros(3))
    assert_same(regularizer.value_and_gradient(wild, out=np.ones(3), accumulate=True)[1], np.ones(3))
    assert_same(regularizer.prox(wild, 0.5), wild)
    assert regularizer.coefficients == (0.0, 0.0)


@disabling
def test_no_loss_is_filed_for_a_scale_of_0(make):
    """TensorFlow's rule for collections. It is decided when the loss would be filed."""
    regularizer = make()
    with fr.Graph().as_default():
        v = fr.get_variable("v", initializer=W, regularizer=regularizer)
        assert fr.get_regularization_losses() == [] and v.regularizer is None
        assert fr.regularize({"w": W}, [("w", regularizer)]) == []
        assert fr.regularize({"w": W}, [("w", fr.sum_regularizer([regularizer, None, fr.no_regularizer]))]) == []
        assert float(fr.apply_regularization(regularizer, [v])) == 0.0
        l1 = fr.l1_regularizer(0.5)
        v.regularizer = l1
        l1.scale = 0.0  # not made with 0: its loss stays, and a strength may grow from 0
        assert [float(loss) for loss in fr.get_regularization_losses()] == [0.0, 0.0]
        assert len(fr.regularize({"w": W}, [("w", l1)])) == 1


@disabling
def test_a_scale_may_be_set_where_it_was_0(make):
    regularizer = make()
    name = "scale_l1" if hasattr(regularizer, "scale_l1") else "scale"
    with pytest.raises(ValueError, match="less than 0"):
        setattr(regularizer, name, -0.5)
    assert regularizer.disabled
    setattr(regularizer, name, 0.5)
    assert 0.5 in regularizer.coefficients and not regularizer.disabled
    (term,) = fr.regularize({"w": W}, [("w", regularizer)])
    assert term.value() == regularizer(W) > 0


def test_no_regularizer_gives_none():
    assert fr.no_regularizer(W) is None
    assert repr(fr.no_regularizer) == "no_regularizer"


def test_a_scale_above_0_is_not_logged(caplog):
    with caplog.at_level(logging.DEBUG, logger="fastreg"):
        fr.l1_l2_regularizer(0.0, 0.5)
        fr.l2_regularizer(1e-300)
    assert caplog.messages == []


@pytest.mark.parametrize(("scales", "pair"), [((), (1.0, 1.0)), ((0.0, 0.5), (0.0, 0.5)), ((0.25, 0.0), (0.25, 0.0))], ids=str)
def test_l1_l2_defaults_and_a_scale_of_0(scales, pair):
    regularizer = fr.l1_l2_regularizer(*scales)
    assert regularizer.coefficients == pair
    assert regularizer.name == "l1_l2_regularizer"
    assert_same(regularizer(W), Elastic(*pair).value(W))


# ------------------------------------------------------------------------------------------------------------------ names
MADE = {
    "l1_regularizer": lambda **scope: fr.l1_regularizer(0.5, **scope),
    "l2_regularizer": lambda **scope: fr.l2_regularizer(0.5, **scope),
    "l1_l2_regularizer": lambda **scope: fr.l1_l2_regularizer(0.5, 0.25, **scope),
    "sum_regularizer": lambda **scope: fr.sum_regularizer([fr.l1_regularizer(0.5), fr.l2_regularizer(0.25)], **scope),
}
made = pytest.mark.parametrize("name", MADE)
MIXED = {
    "sum_regularizer": lambda **scope: fr.sum_regularizer([np.sum, fr.l1_regularizer(0.5)], **scope),
    "disabled": lambda **scope: fr.l1_regularizer(0.0, **scope),
}


@made
def test_names_are_tensorflows(name):
    assert MADE[name]().name == name
    assert MADE[name](scope="mine").name == "mine"


@pytest.mark.parametrize("make", [*MADE.values(), *MIXED.values()], ids=[*MADE, *MIXED])
@pytest.mark.parametrize("scope", ["", 3, b"mine"], ids=repr)
def test_a_scope_is_a_name(make, scope):
    with pytest.raises(ValueError, match=rf"^scope must be a non-empty str or None, got {re.escape(repr(scope))}"):
        make(scope=scope)


@made
def test_repr_builds_it_again(name):
    regularizer = MADE[name]()
    again = eval(repr(regularizer), {key: getattr(fr, key) for key in MADE})
    assert type(again) is type(regularizer)
    assert again.coefficients == regularizer.coefficients


def test_repr_of_what_is_disabled():
    assert repr(fr.l1_regularizer(0.0)) == "l1_regularizer(0.0)"


# ----------------------------------------------------------------------------------------------------------------- scales
@pytest.mark.parametrize(("make", "at"), [(fr.l1_regularizer, 0), (fr.l2_regularizer, 1)], ids=["l1", "l2"])
def test_a_new_scale_is_seen_by_every_later_call(make, at):
    regularizer, pair = make(0.5), [0.0, 0.0]
    for scale in (0.25, np.float32(2.0), 0.0, 0.125):
        regularizer.scale = scale
        pair[at] = float(scale)
        twin = Elastic(*pair)
        assert regularizer.scale == scale and type(regularizer.scale) is float
        assert_same(regularizer(W), twin.value(W))
        assert_same(regularizer.gradient(W), twin.gradient(W))
        assert_same(regularizer.prox(W, 0.5), twin.prox(W, 0.5))


def test_new_scales_of_l1_l2():
    both = fr.l1_l2_regularizer(0.5, 0.25)
    both.scale_l1 = 0.125
    assert both.coefficients == (both.scale_l1, both.scale_l2) == (0.125, 0.25)
    both.scale_l2 = 0.0
    assert_same(both.value_and_gradient(W)[1], Elastic(0.125, 0.0).gradient(W))


def test_a_sum_sees_the_scales_of_its_parts_as_they_are():
    l1, l2 = fr.l1_regularizer(0.5), fr.l2_regularizer(0.25)
    inner = fr.sum_regularizer([l1, l2])
    outer = fr.sum_regularizer([inner, l2])
    assert_same(outer(W), Elastic(0.5, 0.5).value(W))
    l1.scale, l2.scale = 0.0, 0.125
    assert_same(outer(W), Elastic(0.0, 0.25).value(W))
    assert_same(outer.gradient(W), Elastic(0.0, 0.25).gradient(W))
    assert inner.coefficients == (0.0, 0.125)


SETTERS = {
    "l1": (lambda: fr.l1_regularizer(0.5), "scale", "", "scale"),
    "l2": (lambda: fr.l2_regularizer(0.5), "scale", ".", "scale"),
    "l1_l2, l1": (lambda: fr.l1_l2_regularizer(0.5, 0.25), "scale_l1", "", "scale_l1"),
    "l1_l2, l2": (lambda: fr.l1_l2_regularizer(0.5, 0.25), "scale_l2", ".", "scale_l2"),
}


@pytest.mark.parametrize(("make", "attribute", "period", "name"), SETTERS.values(), ids=SETTERS)
def test_a_bad_new_scale_changes_nothing(make, attribute, period, name):
    regularizer = make()
    before = regularizer.coefficients
    for scale, error, message in (
        (1, ValueError, f"{name} cannot be an integer: 1"),
        (-0.5, ValueError, f"Setting a scale less than 0 on a regularizer: -0.5{period}"),
        (np.nan, ValueError, f"{name} must be finite, got nan"),
        ("0.5", TypeError, f"{name} must be a real number, got '0.5' of type str"),
    ):
        with pytest.raises(error) as caught:
            setattr(regularizer, attribute, scale)
        assert str(caught.value) == message
        assert regularizer.coefficients == before


def test_coefficients_are_read_only():
    with pytest.raises(AttributeError):
        fr.l2_regularizer(0.5).coefficients = (1.0, 1.0)


# ------------------------------------------------------------------------------------------------------------------- sums
def test_sum_drops_none_and_of_nothing_is_none():
    assert fr.sum_regularizer([]) is None
    assert fr.sum_regularizer([None, None]) is None
    assert fr.sum_regularizer((None, fr.l2_regularizer(0.5)))(W) == fr.l2_regularizer(0.5)(W)


def test_sum_of_the_family_is_one_pair():
    parts = [fr.l1_regularizer(0.5), fr.l2_regularizer(0.25), None, fr.l1_l2_regularizer(0.125, 0.5), fr.l1_regularizer(0.0)]
    total = fr.sum_regularizer(parts)
    assert total.coefficients == (0.625, 0.75)
    assert_same(total(W), Elastic(0.625, 0.75).value(W))
    assert_same(total.prox(W, 0.5), Elastic(0.625, 0.75).prox(W, 0.5))


def test_sum_of_what_gives_none_gives_none():
    l1 = fr.l1_regularizer(0.0)
    total = fr.sum_regularizer([fr.no_regularizer, l1, None])
    assert total(W) == 0.0 and total.disabled
    l1.scale = 0.5
    assert total(W) == l1(W) and not total.disabled
    assert fr.sum_regularizer([fr.no_regularizer, None])(W) is None
    assert fr.sum_regularizer([lambda w: None, fr.no_regularizer])(W) is None


@pytest.mark.parametrize("entry", [0.5, "l2", [fr.l2_regularizer(0.5)]], ids=["number", "text", "list"])
def test_an_entry_of_a_sum_is_a_function(entry):
    with pytest.raises(TypeError, match=r"^regularizer_list must hold regularizers or None, got "):
        fr.sum_regularizer([fr.l2_regularizer(0.5), entry])


@pytest.mark.parametrize("bad", [None, 0.5, fr.l2_regularizer(0.5)], ids=["None", "number", "regularizer"])
def test_a_sum_wants_a_list(bad):
    with pytest.raises(TypeError, match=r"^regularizer_list must be a list of regularizers, got "):
        fr.sum_regularizer(bad)


def test_sum_with_a_users_own_function():
    l1 = fr.l1_regularizer(0.5)
    total = fr.sum_regularizer([Fourth(), lambda w: None, l1])
    assert total(W) == np.sum(W**4) + l1(W)
    l1.scale = 0.25
    total = fr.sum_regularizer([Fourth(), fr.no_regularizer, l1])
    slope = 4 * W**3 + l1.gradient(W)
    assert_same(total.gradient(W), slope)
    for accumulate, expected in ((False, slope), (True, (2.0 + 4 * W**3) + l1.gradient(W))):
        out = np.full_like(W, 2.0)
        assert total.gradient(W, out=out, accumulate=accumulate) is out
        assert_same(out, expected)


def test_sum_with_a_function_that_has_no_gradient():
    total, out = fr.sum_regularizer([fr.l1_regularizer(0.5), np.sum]), np.full_like(W, 9.0)
    assert total(W) == fr.l1_regularizer(0.5)(W) + np.sum(W)
    with pytest.raises(TypeError, match=r"regularizer .*sum.* has no gradient; give it a method gradient\(weights\)"):
        total.gradient(W, out=out)
    assert (out == 9.0).all()


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((20, 30), np.float32), TypeError, "^out must have the dtype of weights, float64, got float32"),
        (np.zeros((20, 30), int), TypeError, "^out must be a float32 or float64 array"),
        (np.zeros((2, 20, 30)), ValueError, r"^out must have the shape of weights, \(20, 30\), got \(2, 20, 30\)"),
        (np.broadcast_to(0.0, (20, 30)), ValueError, "^out must be contiguous"),
        ([0.0], TypeError, "^out must be a numpy.ndarray, got list"),
    ],
    ids=["float32", "int", "shape", "read-only", "list"],
)
@pytest.mark.parametrize("accumulate", [False, True])
def test_bad_out_of_a_mixed_sum(out, error, message, accumulate):
    before = np.array(out).tobytes()
    with pytest.raises(error, match=message):
        fr.sum_regularizer([Fourth(), fr.l1_regularizer(0.5)]).gradient(W, out=out, accumulate=accumulate)
    assert np.array(out).tobytes() == before


def test_mixed_sum_accumulates_into_out_alone():
    with pytest.raises(ValueError, match="accumulate=True adds to out, but out is None"):
        fr.sum_regularizer([Fourth(), fr.l1_regularizer(0.5)]).gradient(W, accumulate=True)


# ----------------------------------------------------------------------------------------------------------------- copies
COPIES = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "pickle, oldest": lambda x: pickle.loads(pickle.dumps(x, protocol=0)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@made
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_compute_the_same_under_the_same_name(name, duplicate):
    regularizer = MADE[name](scope="mine")
    twin = duplicate(regularizer)
    assert type(twin) is type(regularizer) and twin is not regularizer
    assert (twin.name, twin.coefficients) == ("mine", regularizer.coefficients)
    assert_same(twin(W), regularizer(W))


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_what_is_disabled_can_be_copied(duplicate):
    twin = duplicate(fr.l1_regularizer(0.0, scope="mine"))
    assert twin(W) == 0.0 and twin.disabled
    assert twin.name == "mine"
    assert duplicate(fr.no_regularizer)(W) is None


@pytest.mark.parametrize("duplicate", [COPIES["pickle"], COPIES["deepcopy"]], ids=["pickle", "deepcopy"])
def test_a_deep_copy_of_a_sum_has_parts_of_its_own(duplicate):
    l2 = fr.l2_regularizer(0.5)
    total = fr.sum_regularizer([l2, l2, fr.l1_regularizer(0.25)])
    twin = duplicate(total)
    l2.scale = 0.0
    assert twin.coefficients == (0.25, 1.0)
    assert twin.parts[0] is twin.parts[1]
    twin.parts[0].scale = 0.125
    assert (twin.coefficients, total.coefficients) == ((0.25, 0.25), (0.25, 0.0))


def test_a_scale_set_to_0_survives_a_copy():
    l2 = fr.l2_regularizer(0.5)
    l2.scale = 0.0
    again = pickle.loads(pickle.dumps(l2))
    assert again.scale == 0.0 and not again.disabled


def test_a_mixed_sum_can_be_copied():
    total = pickle.loads(pickle.dumps(fr.sum_regularizer([Fourth(), fr.l1_regularizer(0.5)], scope="mine")))
    assert total.name == "mine"
    assert total(W) == np.sum(W**4) + fr.l1_regularizer(0.5)(W)
