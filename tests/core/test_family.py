"""Every regularizer of the family through every door: against a single call, against itself, and against plain NumPy.

A new member is covered by an entry of FAMILY.
"""

import copy
import pickle

import numpy as np
import pytest
from optimizers import VARIANTS, make, names, refused, rule_of
from own import Fourth
from regularizers import DTYPES, dtypes
from twin.compare import assert_same
from twin.inputs import weights
from twin.rules import RULES

import fastreg as fr

SHAPE = (6, 5)
REFERENCE = {dtype: weights(SHAPE, dtype, 21) for dtype in DTYPES}
STRENGTHS = {dtype: np.abs(weights(SHAPE, dtype, 22)) for dtype in DTYPES}

# Functions of a strength and a dtype. The first strength of what they return is a linear factor, but for those in NOT_LINEAR.
FAMILY = {
    "l1": lambda s, _: fr.l1_regularizer(s),
    "l2": lambda s, _: fr.l2_regularizer(s),
    "l1_l2": lambda s, _: fr.l1_l2_regularizer(s, 2 * s),
    "l1 weighted": lambda s, dtype: fr.l1_regularizer(s, weights=STRENGTHS[dtype]),
    "l2 weighted": lambda s, dtype: fr.l2_regularizer(s, weights=STRENGTHS[dtype]),
    "l1_l2 weighted": lambda s, dtype: fr.l1_l2_regularizer(s, 2 * s, weights=STRENGTHS[dtype]),
    "group_lasso along rows": lambda s, _: fr.group_lasso_regularizer(s, 1),
    "group_lasso down columns": lambda s, _: fr.group_lasso_regularizer(s, 0, size_power=0.5),
    "group_lasso of all": lambda s, _: fr.group_lasso_regularizer(s, None, size_power=-0.5),
    "sparse_group_lasso": lambda s, _: fr.sparse_group_lasso_regularizer(s, 2 * s, (-1,)),
    "mcp": lambda s, _: fr.mcp_regularizer(s),
    "mcp of groups": lambda s, _: fr.mcp_regularizer(s, axis=np.int64(1)),
    "scad": lambda s, _: fr.scad_regularizer(s),
    "scad of groups": lambda s, _: fr.scad_regularizer(s, axis=[np.int32(0)]),
    "l0": lambda s, _: fr.l0_regularizer(s),
    "huber": lambda s, _: fr.huber_regularizer(s, 0.5),
    "pseudo_huber": lambda s, _: fr.pseudo_huber_regularizer(s, 0.5),
    "log_sum": lambda s, _: fr.log_sum_regularizer(s, 0.5),
    "l2_sp": lambda s, dtype: fr.l2_sp_regularizer(s, REFERENCE[dtype]),
    "l2_sp with importance": lambda s, dtype: fr.l2_sp_regularizer(s, REFERENCE[dtype], STRENGTHS[dtype]),
    "total_variation": lambda s, _: fr.total_variation_regularizer(s, 0),
    "linf": lambda s, _: fr.linf_regularizer(s, 1),
    "orthogonal": lambda s, _: fr.orthogonal_regularizer(s),
    "soft_orthogonal": lambda s, _: fr.soft_orthogonal_regularizer(s),
    "nuclear": lambda s, _: fr.nuclear_regularizer(s),
}
NOT_LINEAR = {"mcp", "mcp of groups", "scad", "scad of groups"}
NO_PROX = {"pseudo_huber", "orthogonal", "soft_orthogonal"}
OF_MATRICES = {"orthogonal", "soft_orthogonal", "nuclear"}  # by BLAS, whose bits nobody promises
OVER_ROWS = {"group_lasso down columns", "group_lasso of all", "scad of groups"}
members = pytest.mark.parametrize("member", FAMILY)
orders = pytest.mark.parametrize("order", ["C", "F"])


def is_compiled(regularizer):
    return fr.regularizers.is_compiled(regularizer)


def strength_of(regularizer):
    """Return the name of the strength that stands first."""
    return "scale" if hasattr(regularizer, "scale") else "scale_l1"


def made(member, dtype, order="C", strength=0.25):
    """Return a regularizer, and weights that it fits."""
    regularizer = FAMILY[member](strength, dtype)
    w = weights(SHAPE, dtype, 1)
    if order == "F":
        w = np.asfortranarray(w)
        if "weighted" in member:
            given = [getattr(regularizer, name) for name in ("scale", "scale_l1", "scale_l2") if hasattr(regularizer, name)]
            factory = getattr(fr, f"{member.split()[0]}_regularizer")
            regularizer = factory(*given, weights=np.asfortranarray(regularizer.weights))
        elif "l2_sp" in member:
            importance = None if regularizer.importance is None else np.asfortranarray(regularizer.importance)
            regularizer = fr.l2_sp_regularizer(regularizer.scale, np.asfortranarray(regularizer.reference), importance)
    return regularizer, w


def regularize(w, *regularizers):
    """Return a term for each regularizer over the same array."""
    return [term for regularizer in regularizers for term in fr.regularize({"w": w}, [("w", regularizer)])]


def close(x, y, dtype):
    np.testing.assert_allclose(x, y, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-6 if dtype == np.float32 else 1e-14)


def same_number(member, x, y):
    """Compare two values of the same weights: the bits, unless BLAS forms one of them."""
    return x == y or (any(name in member for name in OF_MATRICES) and x == pytest.approx(float(y), rel=1e-5))


def test_the_family_has_every_factory():
    factories = {name for name in fr.__all__ if name.endswith("_regularizer")} - {"sum_regularizer", "no_regularizer"}
    assert factories == {type_name(FAMILY[member](0.25, np.float64)) for member in FAMILY}


def type_name(regularizer):
    return repr(regularizer).partition("(")[0]


# ------------------------------------------------------------------------------------------------------------- single calls
@members
@dtypes
@orders
def test_every_form_of_a_gradient_is_one_gradient(member, dtype, order):
    regularizer, w = made(member, dtype, order)
    before, value, gradient = w.copy(), regularizer(w), regularizer.gradient(w)
    assert type(value) is dtype and gradient.dtype == dtype and gradient.strides == w.strides
    out, base = np.full_like(w, np.nan), weights(SHAPE, dtype, 2).copy(order=order)
    found, same = regularizer.value_and_gradient(w, out=out)
    assert same is out and same_number(member, found, value)
    assert_same(out, gradient)
    added = base.copy(order="K")
    assert regularizer.gradient(w, out=added, accumulate=True) is added
    close(added, base + gradient, dtype)
    assert_same(w, before)
    in_place = w.copy(order="K")
    assert same_number(member, regularizer.value_and_gradient(in_place, out=in_place)[0], value)
    assert_same(in_place, gradient)
    twice = w.copy(order="K")
    regularizer.gradient(twice, out=twice, accumulate=True)
    close(twice, w + gradient, dtype)


@members
@dtypes
@orders
def test_the_prox_has_every_form_or_names_the_reason_and_writes_nothing(member, dtype, order):
    regularizer, w = made(member, dtype, order)
    out = np.full_like(w, 7)
    if member in NO_PROX:
        if member == "pseudo_huber":
            with pytest.raises(ValueError, match="huber_regularizer has a closed one"):
                regularizer.prox(w, 0.5, out=out)
        assert hasattr(regularizer, "prox") == (member == "pseudo_huber") and (out == 7).all()
        return
    before, found = w.copy(), regularizer.prox(w, 0.5)
    assert regularizer.prox(w, 0.5, out=out) is out
    assert_same(out, found)
    assert_same(w, before)
    assert found.dtype == dtype and found.strides == w.strides
    if member not in OF_MATRICES:
        assert np.array_equal(regularizer.prox(w, 0.0), w)
    # It costs no more than what is around it.
    cost = lambda z: 0.5 * float(regularizer(z)) + 0.5 * float(np.sum((z.astype(float) - w) ** 2))  # noqa: E731
    least = cost(found) * (1 + 1e-6) + 1e-9
    for seed in range(20):
        z = found + (0.3 * 2.0 ** -(seed % 5) * weights(SHAPE, dtype, 30 + seed)).astype(dtype)
        assert least >= cost(found) and cost(np.asarray(z, dtype=dtype, order=order)) >= least * (1 - 4e-6) - 2e-9
    in_place = w.copy(order="K")
    regularizer.prox(in_place, 0.5, out=in_place)
    assert_same(in_place, found)


@members
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_gradient_agrees_with_differences_of_the_value(member, sign):
    regularizer, w = made(member, np.float64)
    w = w + np.where(w == 0, 0.125, 0)
    along, h = sign * weights(SHAPE, np.float64, 3), 1e-6
    difference = (float(regularizer(w + h * along)) - float(regularizer(w - h * along))) / (2 * h)
    assert np.sum(regularizer.gradient(w) * along) == pytest.approx(difference, rel=2e-4, abs=1e-6)


@members
@dtypes
def test_a_scale_of_0_has_the_value_0_and_files_nothing(member, dtype):
    regularizer = FAMILY[member](0.0, dtype)
    w = weights(SHAPE, dtype, 1)
    w[0, 0] = np.inf
    assert regularizer.disabled and fr.regularize({"w": w}, [("w", regularizer)]) == []
    assert regularizer(w) == 0 and not regularizer.gradient(w).any()
    if member not in NO_PROX:
        assert np.array_equal(regularizer.prox(w, 0.5), w)
    fr.reset_default_graph()
    variable = fr.get_variable("v", shape=SHAPE, dtype=dtype, initializer=np.ones, regularizer=regularizer)
    assert variable.regularizer is None and fr.get_regularization_losses() == []


@members
@dtypes
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_and_new_strengths(member, dtype, duplicate):
    regularizer, w = made(member, dtype)
    twin = duplicate(regularizer)
    assert repr(twin) == repr(regularizer) and twin(w) == regularizer(w)
    assert_same(twin.gradient(w), regularizer.gradient(w))
    before, name = regularizer(w), strength_of(regularizer)
    setattr(twin, name, 2 * getattr(twin, name))
    assert regularizer(w) == before and twin(w) > before
    terms = fr.regularize({"w": w}, [("w", twin)])
    total = fr.add_n(terms)
    setattr(twin, name, 0.5)
    assert float(total) == pytest.approx(float(twin(w)), rel=1e-6)
    moved = duplicate(terms)
    assert float(fr.add_n(moved)) == float(total)
    for bad, error in ((-0.5, ValueError), (1, ValueError), (np.inf, ValueError), (np.nan, ValueError), ("1", TypeError)):
        with pytest.raises(error):
            setattr(twin, name, bad)
    assert getattr(twin, name) == 0.5


@members
@dtypes
def test_arrays_that_do_not_fit_are_refused_and_nothing_is_written(member, dtype):
    regularizer, w = made(member, dtype)
    out = np.full_like(w, 3)
    for bad in (w.astype(np.int16), w[::2, ::2], w.tolist(), w.astype(w.dtype.newbyteorder())):
        with pytest.raises((TypeError, ValueError)):
            regularizer.gradient(bad, out=out)
    for target in (out[:-1], out.T, np.zeros(SHAPE, np.float16), "out"):
        with pytest.raises((TypeError, ValueError)):
            regularizer.gradient(w, out=target)
    with pytest.raises(ValueError, match="accumulate"):
        regularizer.gradient(w, accumulate=True)
    flat = out.reshape(-1)
    with pytest.raises((TypeError, ValueError)):
        regularizer.value_and_gradient(w, out=flat[1:])
    assert (out == 3).all()


@members
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (1, 4), (4, 1)], ids=str)
def test_empty_arrays_and_axes_of_length_1(member, shape):
    if "weighted" in member or "l2_sp" in member:
        return  # their arrays have a shape of their own
    regularizer, w = FAMILY[member](0.25, np.float64), weights(shape, np.float64, 5)
    with np.errstate(all="raise"):
        value, gradient = regularizer.value_and_gradient(w)
    assert value == regularizer(w) and np.isfinite(value) and gradient.shape == shape and np.isfinite(gradient).all()
    if w.size == 0:
        assert value == (0.25 * shape[1] if member == "soft_orthogonal" else 0)
    optimizer = fr.optim.Adam(0.5)
    optimizer.apply_gradients({"w": (np.zeros(shape), w)}, fr.regularize({"w": w}, [("w", regularizer)]))
    assert np.isfinite(w).all()


@members
@dtypes
def test_nan_stays_nan_and_writes_no_other_group(member, dtype):
    regularizer, w = made(member, dtype)
    w[2, 3] = np.nan
    if member == "nuclear":
        return  # LAPACK's; test_matrices.py has the rule
    assert np.isnan(regularizer(w)) and (member == "l0" or np.isnan(regularizer.gradient(w)).any())
    if member not in NO_PROX:
        assert np.isnan(regularizer.prox(w, 0.5)[2, 3])


# ----------------------------------------------------------------------------------------------------------- sums, multiples
@members
@dtypes
def test_sums_with_every_other_member(member, dtype):
    regularizer, w = made(member, dtype)
    base = weights(SHAPE, dtype, 2)
    for other, factory in FAMILY.items():
        second = factory(0.5, dtype)
        both = fr.sum_regularizer([regularizer, second])
        value, gradient = both.value_and_gradient(w)
        assert same_number(f"{member} {other}", value, both(w))
        assert value == pytest.approx(float(regularizer(w)) + float(second(w)), rel=1e-6)
        close(gradient, regularizer.gradient(w).astype(float) + second.gradient(w), dtype)
        added = base.copy()
        both.gradient(w, out=added, accumulate=True)
        close(added, base + gradient, dtype)
        assert pickle.loads(pickle.dumps(both))(w) == both(w)
        terms = regularize(w, both)
        total, gradients = fr.value_and_gradients(terms)
        assert float(total) == pytest.approx(float(value), rel=1e-6)
        close(gradients["w"], gradient, dtype)
        out = np.full_like(w, 7)
        try:
            found = both.prox(w, 0.5, out=out)
        except ValueError as error:
            assert "has no closed prox" in str(error) and (out == 7).all()
        else:
            cost = lambda z: 0.5 * float(both(z)) + 0.5 * float(np.sum((z.astype(float) - w) ** 2))  # noqa: B023, E731
            for seed in range(4):
                near = (found + 2.0**-seed * 0.1 * weights(SHAPE, dtype, 30 + seed)).astype(dtype)
                assert cost(near) >= cost(found) * (1 - 1e-6)


@members
@dtypes
@pytest.mark.parametrize("factor", [2.0, -0.5, 0.0])
def test_multiples_of_totals(member, dtype, factor):
    regularizer, w = made(member, dtype)
    total = factor * fr.add_n(regularize(w, regularizer))
    value, gradients = fr.value_and_gradients(total)
    assert same_number(member, value, float(total))
    assert float(value) == pytest.approx(factor * float(regularizer(w)), rel=1e-6)
    close(gradients["w"], factor * regularizer.gradient(w), dtype)
    stepped = w.copy()
    total = factor * fr.add_n(regularize(stepped, regularizer))
    loss = fr.optim.GradientDescent(0.5).apply_gradients({"w": (np.zeros_like(w), stepped)}, total)
    assert float(loss) == pytest.approx(float(value), rel=1e-6)
    close(stepped, w - 0.5 * gradients["w"], dtype)


@members
@dtypes
def test_the_step_of_a_multiple_ends_in_the_prox_at_a_multiple_of_the_step(member, dtype):
    regularizer, w = made(member, dtype)
    g, stepped = weights(SHAPE, dtype, 2), w.copy()
    optimizer = fr.optim.ProximalGradientDescent(0.25)
    total = 2.0 * fr.add_n(regularize(stepped, regularizer))
    if member == "pseudo_huber":
        with refused(optimizer, ValueError, "no closed prox", stepped):
            optimizer.apply_gradients({"w": (g, stepped)}, total)
        return
    optimizer.apply_gradients({"w": (g, stepped)}, total)
    moved = w - g * dtype(0.25)
    if member in NO_PROX:
        close(stepped, moved - dtype(0.5) * regularizer.gradient(w), dtype)
    elif member == "l2":
        close(stepped, w - dtype(0.25) * (g + dtype(2) * regularizer.gradient(w)), dtype)
    elif member == "l1_l2":
        close(stepped, fr.l1_regularizer(0.5).prox(moved - dtype(0.25) * fr.l2_regularizer(1.0).gradient(w), 0.25), dtype)
    else:
        close(stepped, regularizer.prox(moved, 0.5), dtype)


# --------------------------------------------------------------------------------------------------------------- collections
@members
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_a_collection_of_both_dtypes_is_its_terms_one_by_one(member, threads, num_threads):
    num_threads(threads)
    arrays, rules = {}, []
    for dtype in DTYPES:
        for order in ("C", "F"):
            name = f"{dtype.__name__}/{order}"
            regularizer, arrays[name] = made(member, dtype, order)
            rules.append((name, regularizer))
    terms = fr.regularize(arrays, rules)
    total, gradients = fr.value_and_gradients(terms)
    assert float(total) == pytest.approx(sum(float(regularizer(arrays[name])) for name, regularizer in rules), rel=1e-6)
    assert same_number(member, sum(float(fr.value_and_gradients([term])[0]) for term in terms), total)
    for name, regularizer in rules:
        if member in OF_MATRICES:
            close(gradients[name], regularizer.gradient(arrays[name]), arrays[name].dtype)
        else:
            assert_same(gradients[name], regularizer.gradient(arrays[name]))
    bases = {name: np.ones_like(w) for name, w in arrays.items()}
    fr.value_and_gradients(terms, out=bases, accumulate=True)
    for name, regularizer in rules:
        close(bases[name], regularizer.gradient(arrays[name]) + 1, arrays[name].dtype)
    assert all(name in str(fr.summary(terms, arrays)) for name in arrays)
    assert fr.summary(terms, arrays).total == pytest.approx(float(total), rel=1e-6)


@members
@dtypes
def test_variables_of_a_graph_their_getters_and_their_losses(member, dtype):
    regularizer, w = made(member, dtype)
    fr.reset_default_graph()
    seen = []

    def getter(inner, name, *positional, **options):
        seen.append(options.get("regularizer"))
        return inner(name, *positional, **options)

    with fr.variable_scope("s", regularizer=regularizer, custom_getter=getter):
        variable = fr.get_variable("w", initializer=lambda *_, **__: w.copy(), shape=SHAPE, dtype=dtype)
    assert variable.regularizer is regularizer and regularizer in seen
    assert float(fr.get_regularization_loss()) == pytest.approx(float(regularizer(w)), rel=1e-6)
    gradients = fr.value_and_gradients(fr.get_collection(fr.GraphKeys.REGULARIZATION_LOSSES))[1]
    close(gradients["s/w"], regularizer.gradient(w), dtype)
    variable.regularizer = None
    assert float(fr.get_regularization_loss()) == 0


# ------------------------------------------------------------------------------------------------------------------- steps
@members
@dtypes
@names(VARIANTS)
def test_every_rule_takes_the_gradient_the_prox_or_refuses_by_name(name, member, dtype):
    regularizer, w = made(member, dtype)
    folded, unfolded, g = w.copy(), w.copy(), weights(SHAPE, dtype, 2)
    optimizer, other = make(name), make(name)
    terms, twin = regularize(folded, regularizer), RULES[rule_of(name)]
    own_prox = member not in {"l1", "l2", "l1_l2"} and member not in {"orthogonal", "soft_orthogonal"}
    strengths = {k: v for k, v in VARIANTS[name].items() if k.startswith(("l1_", "l2_reg")) and v}
    if twin.takes_l1 and own_prox and (not twin.takes_prox or strengths or member == "pseudo_huber"):
        linear = "group_lasso" in member and twin.takes_prox
        if not linear:
            with refused(optimizer, ValueError, "prox", folded):
                optimizer.apply_gradients({"w": (g, folded)}, terms)
            return
    for _ in range(2):
        value = float(regularizer(folded))
        loss, values = optimizer.apply_gradients({"w": (g, folded)}, terms, per_term=True)
        assert loss == pytest.approx(value, rel=1e-6) and list(values.values()) == [pytest.approx(float(loss))]
        if twin.takes_l1 and (own_prox or "l1" in member):
            continue
        total = g.copy()
        fr.value_and_gradients(regularize(unfolded, regularizer), out={"w": total}, accumulate=True)
        other.apply_gradients({"w": (total, unfolded)})
        (close if member in OF_MATRICES else lambda x, y, _: assert_same(x, y))(folded, unfolded, dtype)
    assert np.isfinite(folded).all() and optimizer.iterations == 2


CONSTRAINTS = {
    "non_neg": fr.constraints.non_neg(),
    "box": fr.constraints.box(-0.5, 0.25),
    "max_norm": fr.constraints.max_norm(0.5, 1),
    "unit_norm": fr.constraints.unit_norm(1),
    "simplex": fr.constraints.simplex(axis=1),
    "l1_ball": fr.constraints.l1_ball(0.5, axis=1),
    "own": lambda w: w * w.dtype.type(0.5),
}


@members
@dtypes
@pytest.mark.parametrize("rows", [False, True], ids=["whole", "rows"])
@pytest.mark.parametrize("name", ["GradientDescent", "Adam", "ProximalGradientDescent"])
def test_a_constraint_comes_behind_the_step_without_one(name, rows, member, dtype):
    regularizer, w = made(member, dtype)
    if rows and (not is_compiled(regularizer) or member in OVER_ROWS):
        return  # refused; see below
    if name == "ProximalGradientDescent" and member == "pseudo_huber":
        return
    index = np.array([1, 4])
    g = (weights((2, 5), dtype, 2), index) if rows else weights(SHAPE, dtype, 2)
    for constraint in CONSTRAINTS.values():
        for options in ({}, {"clip_norm": 0.5, "check_finite": True}):
            plain, constrained = w.copy(), w.copy()
            optimizers = [getattr(fr.optim, name)(0.25, **options) for _ in range(2)]
            loss = optimizers[0].apply_gradients({"w": (g, plain)}, regularize(plain, regularizer))
            same = optimizers[1].apply_gradients(
                {"w": (g, constrained)}, regularize(constrained, regularizer), constraints=[(constrained, constraint)]
            )
            expected = constraint(plain)
            if rows and constraint is not CONSTRAINTS["own"]:
                expected, projected = plain.copy(), constraint(plain[index])
                expected[index] = projected
            assert loss == same
            if member in OF_MATRICES:
                close(constrained, expected, dtype)
            else:
                assert_same(constrained, expected)
            for slot in optimizers[0].get_slot_names():
                close(optimizers[0].get_slot("w", slot), optimizers[1].get_slot("w", slot), dtype)


@members
def test_a_gradient_of_rows_is_that_of_these_rows_or_refused(member):
    regularizer, w = made(member, np.float64)
    index, g, before = np.array([1, 4]), weights((2, 5), np.float64, 2), w.copy()
    optimizer = fr.optim.GradientDescent(0.25)
    if member in OVER_ROWS or not is_compiled(regularizer):
        with refused(optimizer, ValueError, "whole|all rows", w):
            optimizer.apply_gradients({"w": ((g, index), w)}, regularize(w, regularizer))
        return
    optimizer.apply_gradients({"w": ((g, index), w)}, regularize(w, regularizer))
    expected = before.copy()
    expected[index] -= 0.25 * (g + regularizer.gradient(before)[index])
    close(w, expected, np.float64)
    assert_same(w[[0, 2, 3, 5]], before[[0, 2, 3, 5]])


@members
@dtypes
def test_a_users_own_beside_it(member, dtype):
    regularizer, w = made(member, dtype)
    both, own = fr.sum_regularizer([regularizer, Fourth()]), Fourth()
    g, stepped = weights(SHAPE, dtype, 2), w.copy()
    loss = fr.optim.GradientDescent(2.0**-10).apply_gradients({"w": (g, stepped)}, regularize(stepped, both))
    assert float(loss) == pytest.approx(float(regularizer(w)) + float(own(w)), rel=1e-6)
    close(stepped, w - dtype(2.0**-10) * (g + own.gradient(w).astype(dtype) + regularizer.gradient(w)), dtype)


@members
def test_strengths_are_saved_and_restored_and_history_records_the_values(member):
    regularizer, w = made(member, np.float64)
    params = {"w": w}
    terms, optimizer, name = fr.regularize(params, [("w", regularizer)]), fr.optim.Adam(0.125), strength_of(regularizer)
    state, before = fr.optim.save(optimizer, params, terms), repr(regularizer)
    loss, values = optimizer.apply_gradients({"w": (np.zeros_like(w), w)}, terms, per_term=True)
    history = fr.History()
    history.record(0, values, loss=loss)
    assert [history[name].tolist() for name in history.names] == [[float(loss)]] * 2
    stepped = w.copy()
    setattr(regularizer, name, 0.75)
    fr.optim.restore(state, optimizer, params, terms)
    assert repr(regularizer) == before and optimizer.iterations == 0
    assert optimizer.apply_gradients({"w": (np.zeros_like(w), w)}, terms) == loss
    assert_same(w, stepped)
