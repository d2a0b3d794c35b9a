"""Losses are calculated with as the numbers that they stand for, variables as the arrays."""

import json
import math
import operator

import numpy as np
import pytest
from own import Fourth

import fastreg as fr

L1, L2, MCP = fr.l1_regularizer(0.25), fr.l2_regularizer(0.5), fr.mcp_regularizer(0.75, gamma=2.0)


@pytest.fixture(autouse=True)
def graph():
    with fr.Graph().as_default() as graph:
        yield graph


def params():
    return {"v": np.array([1.0, -2.0, 0.5]), "w": np.array([[3.0, -0.25]])}


def collection(regularizer=L2, arrays=None):
    return fr.regularize(params() if arrays is None else arrays, [("v", L1), ("w", regularizer)])


EVERY = pytest.mark.parametrize(
    "regularizer", [L2, MCP, Fourth(), fr.sum_regularizer([Fourth(), MCP, L1])], ids=["pair", "profile", "own", "all"]
)


# ---------------------------------------------------------------------------------------------------- lazy sums and multiples
SUMS = {
    "total + total": lambda a, b: a + b,
    "total - total": lambda a, b: a - b,
    "2 * total": lambda a, b: 2 * a,
    "total * int64": lambda a, b: a * np.int64(3),
    "float32 * total": lambda a, b: np.float32(0.5) * a,
    "float64 * total": lambda a, b: np.float64(0.5) * a,
    "0-d array * total": lambda a, b: np.array(0.5) * a,
    "total * 0-d array": lambda a, b: b * np.array(0.5),
    "total / 4": lambda a, b: a / 4,
    "-total": lambda a, b: -a,
    "+total": lambda a, b: +a,
    "0 * total": lambda a, b: 0 * a + b,
    "data + total": lambda a, b: 1.5 + a,
    "float32 + total": lambda a, b: np.float32(1.5) + a,
    "total - 1": lambda a, b: a - 1,
    "1 - total": lambda a, b: 1 - a,
    "0-d array + total": lambda a, b: np.array(1.5) + b,
    "true + total": lambda a, b: True + a,
    "sum": lambda a, b: sum([a, b, a]),
    "all of it": lambda a, b: 2 * (3 - (a - b / 4) + np.float64(0.5)) + a,
}


@EVERY
@pytest.mark.parametrize("formula", SUMS.values(), ids=SUMS)
@pytest.mark.parametrize("single", [False, True], ids=["totals", "terms"])
def test_sums_and_multiples_are_lazy_and_have_gradients(formula, regularizer, single):
    arrays = params()
    terms = collection(regularizer, arrays)
    a, b = terms if single else (fr.add_n(terms), fr.add_n(terms[1:]))
    total = formula(a, b)
    assert type(total) is fr.Total
    for _ in range(2):
        expected = formula(float(a), float(b))
        assert float(total) == pytest.approx(expected, rel=1e-14)
        value, gradients = fr.value_and_gradients(total)
        assert value == pytest.approx(expected, rel=1e-14) and type(value) is np.float64
        for name, gradient in gradients.items():
            of = [fr.value_and_gradients([x] if single else x)[1].get(name, np.zeros_like(arrays[name])) for x in (a, b)]
            constant = formula(0.0, 0.0)
            np.testing.assert_allclose(gradient, formula(*of) - constant, rtol=1e-13, atol=1e-15)
        for w in arrays.values():
            np.multiply(w, 1.5, out=w)


def test_a_total_sees_the_regularizers_of_now():
    terms = collection(l2 := fr.l2_regularizer(0.5))
    doubled = 2 * fr.add_n(terms)
    before = float(doubled)
    l2.scale = 1.0
    assert float(doubled) == before + 2 * float(fr.l2_regularizer(0.5)(params()["w"]))
    terms[1].variable.regularizer = None
    assert float(doubled) == 2 * float(terms[0]) and list(fr.value_and_gradients(doubled)[1]) == ["v"]


def test_the_terms_of_a_sum_stand_with_their_factors():
    v, w = collection()
    total = 2 * (v - 3 * w) + v / 4 + 1
    assert (total.terms, total.factors) == ([v, w, v], [2.0, -6.0, 0.25])
    assert sum([v, w]).terms == [v, w] and repr(sum([v, w])) == "<Total 'add:0' shape=() dtype=float64 terms=2>"
    assert (v + collection(arrays={"v": np.ones(2, "f4"), "w": np.ones(2, "f4")})[1]).dtype == np.float64


@EVERY
@pytest.mark.parametrize("rule", ["GradientDescent", "Adam"])
def test_a_step_takes_multiples_as_it_takes_strengths(regularizer, rule):
    arrays, again = params(), params()
    steps = []
    for x, by_strength in ((arrays, False), (again, True)):
        terms = fr.regularize(x, [("*", regularizer if x is arrays or regularizer is not L2 else fr.l2_regularizer(1.0))])
        if not by_strength:
            loss = 2 * fr.add_n(terms) + 0.5
        elif regularizer is L2:
            loss = fr.add_n(terms) + 0.5
        else:  # twice the loss is the loss twice
            if rule.startswith("Proximal"):
                return
            loss = [*terms, *terms]
        given = {name: (np.full_like(w, 0.125), w) for name, w in x.items()}
        steps.append(getattr(fr.optim, rule)(learning_rate=0.25).apply_gradients(given, loss))
    assert steps[0] == pytest.approx(steps[1] + (0 if regularizer is L2 else 0.5), rel=1e-14)
    for name in arrays:
        np.testing.assert_allclose(arrays[name], again[name], rtol=1e-13)


@pytest.mark.parametrize("regularizer", [MCP, L1, fr.l1_l2_regularizer(0.25, 0.5)], ids=["mcp", "l1", "both"])
def test_the_prox_of_a_multiple_is_that_of_a_longer_step(regularizer):
    w = np.linspace(-2, 2, 41)
    expected = regularizer.prox(w, 2.0 * 0.25)
    terms = fr.regularize({"w": w}, [("w", regularizer)])
    if regularizer.coefficients[1]:  # a proximal rule takes L2 in its gradient
        expected = fr.l1_regularizer(0.5).prox(w - 0.25 * (1.0 * w), 0.25)
    fr.optim.ProximalGradientDescent(0.25).apply_gradients({"w": (np.zeros(41), w)}, 2 * terms[0])
    np.testing.assert_allclose(w, expected, rtol=1e-14)
    assert ((w == 0) == (expected == 0)).all() and (w == 0).any()


@pytest.mark.parametrize(("regularizer", "slope"), [(MCP, 0.75 - 1.0 / 2.0), (L1, 0.25)], ids=["mcp", "l1"])
def test_a_negative_multiple_has_no_prox(regularizer, slope):
    w = np.ones(3)
    (term,) = fr.regularize({"w": w}, [("w", regularizer)])
    with pytest.raises(ValueError, match=r"^-1\.0 \* (mcp|l1)_regularizer\(.* is a negative multiple, which has no prox$"):
        fr.optim.ProximalGradientDescent(0.25).apply_gradients({"w": (np.ones(3), w)}, -term)
    assert w.tolist() == [1.0] * 3
    fr.optim.GradientDescent(0.25).apply_gradients({"w": (np.zeros(3), w)}, -term)
    assert (w == 1.0 + 0.25 * slope).all()


# --------------------------------------------------------------------------------------------------------- numbers otherwise
@pytest.mark.parametrize("single", [False, True], ids=["total", "term"])
def test_what_is_not_linear_is_a_number(single):
    terms = collection()
    loss = terms[0] if single else fr.add_n(terms)
    x = float(loss)
    for formula in (
        lambda y: y * y, lambda y: y**2, lambda y: 2.0**y, lambda y: 1 / y, abs, np.sqrt, lambda y: y // 1,
        lambda y: y % 2, lambda y: np.maximum(y, 1.0), lambda y: y * math.inf,
    ):  # fmt: skip
        result = formula(loss)
        assert isinstance(result, np.floating) and result == pytest.approx(formula(x), rel=1e-15)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        for other in (x, 0, np.float32(100), np.float64(-1), loss):
            assert bool(compare(loss, other)) is compare(x, float(other))
            assert bool(compare(other, loss)) is compare(float(other), x)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert loss / 0 == np.inf
    assert (np.array([1.0, 2.0]) * loss).tolist() == [x, 2 * x] == (loss * [1.0, 2.0]).tolist()


@pytest.mark.parametrize("single", [False, True], ids=["total", "term"])
def test_a_loss_goes_wherever_a_number_goes(single):
    terms = collection()
    loss = terms[0] if single else fr.add_n(terms)
    x = float(loss)
    assert (f"{loss:.3f}", f"{loss:10.2e}", f"{loss}") == (f"{x:.3f}", f"{x:10.2e}", str(loss))
    assert (round(loss, 2), round(loss)) == (round(x, 2), round(x)) and type(round(loss)) is int
    assert int(10 * loss) == int(10 * x) != 0
    assert np.isclose(loss, x) and not np.isclose(loss, 0) and math.isfinite(loss) and bool(loss)
    assert json.dumps(float(loss)) == json.dumps(x)
    array = np.asarray(loss)
    assert (array.shape, array.dtype, array) == ((), np.float64, x)
    assert np.asarray(loss, np.float32).dtype == np.float32
    assert not 0 * loss and not fr.get_regularization_loss()
    assert np.mean([loss, loss]) == x and max([loss, terms[1]], key=float) is (loss if x > float(terms[1]) else terms[1])


def test_equality_is_identity():
    terms = collection()
    first, second = fr.add_n(terms), fr.add_n(terms)
    assert first != second and first in [first] and len({first, second, *terms}) == 4
    assert np.equal(first, second)
    v = fr.Variable(np.ones(3), name="v")
    assert v in [v] and v in {v} and v != 1.0 and np.equal(v, 1.0).all()


@pytest.mark.parametrize("wrong", ["x", None, 1j, object()], ids=lambda wrong: type(wrong).__name__)
def test_what_is_no_number_is_refused(wrong):
    (loss, _) = collection()
    if wrong == 1j:
        assert loss + wrong == float(loss) + 1j  # a number, without a gradient
        return
    with pytest.raises(TypeError):
        loss + wrong


def test_constants_are_counted_and_what_may_have_a_gradient_is_refused():
    terms = collection()
    total = 1.5 + fr.add_n(terms)
    value = fr.value_and_gradients(terms)[0]
    assert fr.value_and_gradients(2 * total)[0] == 2 * value + 3.0
    assert fr.value_and_gradients([total, *terms])[0] == 2 * value + 1.5
    with pytest.raises(TypeError, match=r"^terms\[0\] must be a loss term or a total of such"):
        fr.value_and_gradients(2 * fr.add_n([*terms, np.array(1.0)]))


# ---------------------------------------------------------------------------------------------------------------- variables
def variables():
    arrays = {"w": np.array([[1.0, -2.0], [3.0, 4.0]])}
    (term,) = fr.regularize(arrays, [("w", L2)])
    return [fr.Variable(arrays["w"], name="w"), term.variable]


FORMULAS = [
    lambda y: y @ np.array([1.0, 2.0]), lambda y: np.array([1.0, 2.0]) @ y, lambda y: y @ y, lambda y: 2 * y,
    lambda y: y + np.float32(1), lambda y: 1 - y, lambda y: -y, lambda y: y**2, lambda y: y > 0, np.exp, len, np.sum,
    lambda y: np.maximum(y, 0.0), lambda y: y[0], lambda y: y[:, 1], lambda y: y[y[:, 0] > 2], lambda y: np.stack(list(y)),
    np.linalg.norm, lambda y: np.add.reduce(y, axis=1), lambda y: np.transpose(y) @ y,
]  # fmt: skip


@pytest.mark.parametrize("kind", [0, 1], ids=["variable", "parameter"])
def test_a_variable_is_calculated_with_as_its_array(kind):
    w = variables()[kind]
    a = w.value.copy()
    for formula in FORMULAS:
        result = formula(w)
        assert not isinstance(result, fr.Parameter)
        np.testing.assert_array_equal(result, formula(a))
        assert type(result) is type(formula(a))


@pytest.mark.parametrize("kind", [0, 1], ids=["variable", "parameter"])
def test_a_variable_as_an_array(kind):
    w = variables()[kind]
    assert np.asarray(w) is w.value and np.array(w) is not w.value and np.asarray(w, np.float32).dtype == np.float32
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        assert np.asarray(w, copy=False) is w.value and np.asarray(w, copy=True) is not w.value
        with pytest.raises(ValueError, match="copy"):
            np.asarray(w, np.float32, copy=False)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(w)
    one = fr.Variable(2.5, name="one")
    assert (float(one), bool(one), round(float(one * 2))) == (2.5, True, 5)


@pytest.mark.parametrize("kind", [0, 1], ids=["variable", "parameter"])
def test_in_place_operators_write_to_the_array(kind):
    w = variables()[kind]
    same, array = w, w.value
    w -= 0.5
    w *= np.array([2.0, 4.0])
    assert w is same and w.value is array and array.tolist() == [[1.0, -10.0], [5.0, 14.0]]
    np.add(w, 1.0, out=w)
    w[0] = 7.0
    assert array.tolist() == [[7.0, 7.0], [6.0, 15.0]]
    total = 0.5 * (w**2).sum()
    if kind:
        assert total == 2 * (w.regularizer)(w)
    with pytest.raises(TypeError, match="casting"):
        w += 1j
    assert array.tolist() == [[7.0, 7.0], [6.0, 15.0]]


def test_a_variable_times_a_loss_is_an_array():
    w = variables()[0]
    (loss, _) = collection()
    for product in (w * loss, loss * w, w + fr.add_n([loss]), np.float64(1) * w):
        assert type(product) is np.ndarray
    assert (w * loss).tolist() == (w.value * float(loss)).tolist()


def in_parts(a, axis):
    """Return a variable in two parts of unequal lengths, with a's values."""
    return fr.get_variable("w", initializer=a, partitioner=lambda shape, dtype: [2 if i == axis else 1 for i in range(a.ndim)])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_variable_in_parts_is_calculated_with_as_the_whole(axis):
    a = np.array([[1.0, -2.0, 0.5], [3.0, 4.0, -1.0], [2.5, 0.0, 8.0]])
    w = in_parts(a, axis)
    v = fr.Variable(2 * a, name="v")
    for formula in (
        lambda y: y @ np.ones(3), lambda y: np.ones(3) @ y, lambda y: y @ y, lambda y: 2 * y, lambda y: y + np.float32(1),
        lambda y: 1 - y, lambda y: -y, abs, lambda y: y**2, lambda y: y > 0, np.exp, np.sum, lambda y: np.maximum(y, 0.0),
        np.linalg.norm, lambda y: np.add.reduce(y, axis=1), lambda y: np.transpose(y) @ y, lambda y: y + v, lambda y: v * y,
        lambda y: np.modf(y)[1],
    ):  # fmt: skip
        result, expected = formula(w), formula(a)
        np.testing.assert_array_equal(result, expected)
        assert type(result) is type(expected)
    loss = fr.get_regularization_loss() + 2.0
    assert (w * loss).tolist() == (2 * a).tolist() == (loss * w).tolist()
    assert w != 1.0 and w in [w] and len({w, v}) == 2 and np.equal(w, a).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_in_place_operators_write_to_the_parts(axis):
    a = np.arange(9.0).reshape(3, 3)
    w = same = in_parts(a, axis)
    arrays = [part.value for part in w]
    assert [array.shape[axis] for array in arrays] == [2, 1]
    w -= 0.5
    w *= np.array([2.0, 4.0, 1.0])
    np.add(w, w, out=w)
    a = 2 * (a - 0.5) * [2.0, 4.0, 1.0]
    assert w is same and all(part.value is array for part, array in zip(w, arrays, strict=True))
    assert w.value.tolist() == a.tolist() == np.concatenate(arrays, axis).tolist()
    w.value -= 1.0
    assert w.value.tolist() == (a - 1).tolist() == np.concatenate(arrays, axis).tolist()
    for wrong, error in ((1j, TypeError), (np.ones(2), ValueError)):
        with pytest.raises(error):
            w += wrong
        with pytest.raises(error):
            w.value = wrong + np.zeros(2 if error is ValueError else (3, 3))
    assert w.value.tolist() == (a - 1).tolist()


def test_a_variable_in_parts_is_an_array_as_a_whole():
    a = np.arange(6.0).reshape(2, 3)
    whole = fr.get_variable("w", initializer=a, partitioner=lambda shape, dtype: [1, 3])
    assert np.asarray(whole).tolist() == a.tolist() and np.asarray(whole, np.float32).dtype == np.float32
    assert (whole @ np.ones(3)).tolist() == [3.0, 12.0] and np.sum(whole) == 15.0
    with pytest.raises(ValueError, match="cannot be given as an array without a copy"):
        whole.__array__(copy=False)
