"""Constraints after the step of every update rule: as their twin gives them, of rows, by whole steps, and of variables."""

import numpy as np
import pytest
from constraints import BOUNDS, VECTORS, kinds, pair
from optimizers import BOTH, L2, POWER, PROXIMAL, VARIANTS, gradients, make, names, network, refused, rule_of, slots_of
from own import PROXES, Fourth
from regularizers import dtypes
from twin.compare import assert_same
from twin.inputs import weights
from twin.penalties import Elastic, Mcp
from twin.steps import Stepper

import fastreg as fr

C = fr.constraints
AXES = {"a": 0, "b": None, "c": 0, "d": 0, "e": (0, 2), "f": -1, "g": 1}  # of the arrays of `network`
TWINS = [name for name in VARIANTS if name != POWER]


def constraints_of(arrays, kind):
    """Return pairs over the arrays, and twins by name."""
    both = {key: pair(kind, AXES[key]) for key in arrays}
    return [(arrays[key], made) for key, (made, _) in both.items()], {key: twin for key, (_, twin) in both.items()}


# ---------------------------------------------------------------------------------------------------------------- the twin
@kinds
@names(TWINS)
def test_every_rule_with_every_constraint_is_the_twin_bit_for_bit(name, kind):
    arrays, expected = network(), network()
    optimizer, stepper = make(name), Stepper(rule_of(name), VARIANTS[name])
    terms = fr.regularize(arrays, [("[abc]", BOTH), ("*", L2)])
    penalties = {key: Elastic(0.25 if key in "abc" else 0.0, 0.5) for key in arrays}
    pairs, twins = constraints_of(arrays, kind)
    for t in (1, 2, 3):
        given = gradients(arrays, t)
        loss = optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, terms, constraints=pairs)
        assert loss == stepper.step(given, expected, penalties, twins)
        assert_same(given, gradients(arrays, t))
    assert_same(arrays, expected)
    assert_same(slots_of(optimizer), {f"{key}/{slot}": x for key, held in stepper.slots.items() for slot, x in held.items()})


@kinds
@names(TWINS)
@dtypes
@pytest.mark.parametrize("axis", [0, 1, (1, 2), None], ids=str)
def test_a_gradient_of_rows(name, kind, dtype, axis):
    if kind in BOUNDS and axis != 0:
        return
    w, rows = weights((40, 3, 50), dtype), np.array([0, 3, 4, 39])
    expected, before = {"w": w.copy()}, w.copy()
    constraint, twin = pair(kind, axis)
    optimizer, stepper = make(name), Stepper(rule_of(name), VARIANTS[name])
    for t in (1, 2):
        g = weights((4, 3, 50), dtype, t)
        loss = optimizer.apply_gradients(
            {"w": ((g, rows), w)}, fr.regularize({"w": w}, [("w", BOTH)]), constraints=[(w, constraint)]
        )
        assert loss == stepper.step({"w": (g, rows)}, expected, {"w": Elastic(0.25, 0.5)}, {"w": twin})
    assert_same(w, expected["w"])
    for slot, array in stepper.slots["w"].items():
        assert_same(optimizer.get_slot("w", slot), array)
    if constraint.acts_within_rows(3):
        others = np.delete(np.arange(40), rows)
        assert_same(w[others], before[others])


@kinds
def test_a_gradient_of_all_rows_or_of_none(kind):
    for rows in (range(6), []):
        w, same = weights((6, 5), np.float32), weights((6, 5), np.float32)
        constraint, twin = pair(kind, 0)
        g = weights((len(rows), 5), np.float32, 1)
        fr.optim.Momentum(0.5, 0.9).apply_gradients({"w": ((g, rows), w)}, constraints=[(w, constraint)])
        stepper, whole = Stepper("Momentum", {"learning_rate": 0.5, "momentum": 0.9}), {"w": same}
        stepper.step({"w": (g, np.array(rows, int))}, whole, {}, {"w": twin})
        assert_same(w, whole["w"])


@kinds
@names([name for name in TWINS if name not in PROXIMAL])
def test_with_profiles_clipping_and_values_per_term(name, kind):
    arrays, expected = network(), network()
    optimizer, stepper = make(name, clip_norm=0.5), Stepper(rule_of(name), VARIANTS[name], clip_norm=0.5)
    terms = fr.regularize(arrays, [("*", fr.mcp_regularizer(0.3, gamma=3.0))])
    pairs, twins = constraints_of(arrays, kind)
    given = gradients(arrays, 1)
    loss, values = optimizer.apply_gradients(
        {key: (given[key], w) for key, w in arrays.items()}, terms, constraints=pairs, per_term=True
    )
    assert loss == stepper.step(given, expected, {key: Mcp(0.3, 3.0) for key in arrays}, twins)
    assert sum(values.values()) == pytest.approx(float(loss), rel=1e-14)
    assert_same(arrays, expected)


@kinds
def test_the_prox_of_a_profile_comes_first(kind):
    arrays, expected = network(), network()
    pairs, twins = constraints_of(arrays, kind)
    given, mcp = gradients(arrays, 1), fr.mcp_regularizer(0.7, gamma=2.0)
    fr.optim.ProximalGradientDescent(0.25).apply_gradients(
        {key: (given[key], w) for key, w in arrays.items()}, fr.regularize(arrays, [("*", mcp)]), constraints=pairs
    )
    stepper = Stepper("ProximalGradientDescent", {"learning_rate": 0.25})
    stepper.step(given, expected, {key: Mcp(0.7, 2.0) for key in arrays}, twins)
    assert_same(arrays, expected)


@kinds
@pytest.mark.parametrize("form", PROXES)
def test_the_prox_of_a_users_own_comes_first(kind, form):
    w = weights((30, 7), np.float32)
    g, own, constraint = weights((30, 7), np.float32, 1), PROXES[form](0.5), pair(kind, 1)[0]
    expected = constraint(own.shrunk(w - g * np.float32(0.25), 0.25).astype(np.float32))
    fr.optim.ProximalGradientDescent(0.25).apply_gradients(
        {"w": (g, w)}, fr.regularize({"w": w}, [("w", own)]), constraints=[(w, constraint)]
    )
    assert_same(w, expected)


@names(VARIANTS)
def test_a_users_own_regularizer_and_constraint(name):
    w, same = weights((50,), np.float32), weights((50,), np.float32)
    given = weights((50,), np.float32, 1)
    seen = []

    def own(weights):
        seen.append(weights)
        return np.abs(weights).astype(np.float64)

    loss = make(name).apply_gradients({"w": (given, w)}, fr.regularize({"w": w}, [("w", Fourth())]), constraints=[(w, own)])
    assert loss == make(name).apply_gradients({"w": (given, same)}, fr.regularize({"w": same}, [("w", Fourth())]))
    assert_same(w, np.abs(same))
    assert len(seen) == 1 and not np.shares_memory(seen[0], w)


def test_a_users_own_may_change_what_it_is_given_and_concerns_the_whole_variable():
    def own(weights):
        weights *= 2
        return weights

    w = np.arange(6.0).reshape(3, 2)
    fr.optim.GradientDescent(1.0).apply_gradients({"w": ((np.ones((1, 2)), [1]), w)}, constraints=[(w, own)])
    assert w.tolist() == [[0.0, 2.0], [2.0, 4.0], [8.0, 10.0]]


def test_a_subclass_is_a_users_own():
    class Doubled(C.NonNeg):
        def __call__(self, weights):
            return 2 * super().__call__(weights)

    w = np.array([-1.0, 3.0])
    fr.optim.GradientDescent(0.0).apply_gradients({"w": (np.zeros(2), w)}, constraints=[(w, Doubled())])
    assert w.tolist() == [0.0, 6.0]


# ------------------------------------------------------------------------------------------------------------- whole steps
@pytest.mark.parametrize(
    ("constraint", "error", "message"),
    [
        ((lambda w: 1 / 0), ZeroDivisionError, "division"),
        (
            (lambda w: None),
            ValueError,
            r"'v' must return an array of shape \(3,\) and dtype float32, got None",
        ),
        ((lambda w: w[:2]), ValueError, r"the constraint of 'v' must return an array of shape \(3,\) .* of shape \(2,\)"),
        (
            (lambda w: w.reshape(3, 1)),
            ValueError,
            r"must return an array .* got an array of shape \(3, 1\)",
        ),
        ((lambda w: w * 1j), ValueError, "must return an array of shape .* and dtype complex64"),
        ((lambda w: ["a", "b", "c"]), ValueError, "must return an array of shape .* and dtype <U1"),
        (C.max_norm(axis=1), ValueError, "axis of max_norm is 1, and variable 'v' has 1 dimensions"),
        (C.max_norm, TypeError, r"the constraint in constraints\[1\] is max_norm, which makes constraints; call it"),
        (3, TypeError, r"the constraint in constraints\[1\] must be a function of the weights or None, got 3"),
    ],
    ids=["raises", "none", "short", "column", "complex", "text", "axis", "class", "number"],
)
@names(["GradientDescent", "Adam", "Ftrl"])
def test_a_constraint_that_fails_changes_nothing(name, constraint, error, message):
    u, v, optimizer = np.ones(4), np.ones(3, np.float32), make(name)
    given = {"u": (np.full(4, 2.0), u), "v": (np.ones(3, np.float32), v)}
    optimizer.apply_gradients(given)
    with refused(optimizer, error, message, u, v):
        optimizer.apply_gradients(given, constraints=[(u, C.max_norm(0.5)), (v, constraint)])
    optimizer.apply_gradients(given, constraints=[(u, C.max_norm(0.5))])
    assert np.linalg.norm(u) <= 0.5 * (1 + 1e-15)


@pytest.mark.parametrize(
    ("constraints", "error", "message"),
    [
        (lambda w: [w], TypeError, r"constraints\[0\] must be a pair \(variable, constraint\), got array"),
        (
            lambda w: {"w": C.non_neg()},
            TypeError,
            r"constraints must be a list of pairs \(variable, constraint\), as constrain gives",
        ),
        (
            lambda w: [(w, C.non_neg()), (w, C.box(0.0, 1.0))],
            ValueError,
            "'w' has two constraints, non_neg.. and box",
        ),
        (lambda w: [(w[:2], C.non_neg())], ValueError, r"constraints\[0\] is over another view of the memory of variable 'w'"),
        (lambda w: [(w[2:], C.non_neg())], ValueError, r"constraints\[0\] is over another view of the memory of variable 'w'"),
        (lambda w: [(w.reshape(2, 2), C.non_neg())], ValueError, r"constraints\[0\] is over another view of the memory"),
        (lambda w: fr.constrain({"w": w.copy()}, [("w", C.non_neg())]), ValueError, "the 'w' that is updated is another array"),
        (lambda w: [("w", C.non_neg())], TypeError, r"the variable in constraints\[0\] must be a numpy.ndarray, got str"),
    ],
    ids=["no pair", "mapping", "two", "part", "end", "shape", "copy", "name"],
)
def test_constraints_that_do_not_fit(constraints, error, message):
    w, optimizer = np.array([1.0, -2.0, 3.0, -4.0]), make("Momentum")
    with refused(optimizer, error, message, w):
        optimizer.apply_gradients({"w": (np.ones(4), w)}, constraints=constraints(w))


def test_what_changes_nothing():
    v, w, optimizer = np.array([-1.0]), np.array([-1.0]), fr.optim.GradientDescent(0.0)
    zero = np.zeros(1)
    optimizer.apply_gradients({"w": (zero, w)}, constraints=[(v, C.non_neg())])
    optimizer.apply_gradients({"v": (None, v), "w": (zero, w)}, constraints=[(v, C.non_neg()), (w, None)])
    optimizer.apply_gradients({"w": (zero, w)}, constraints=[])
    optimizer.apply_gradients({"w": (zero, w)}, constraints=None)
    assert v.tolist() == w.tolist() == [-1.0]
    optimizer.apply_gradients({"w": (zero, w)}, constraints=iter([(w.view(), C.non_neg())]))
    assert w.tolist() == [0.0]


def test_a_constraint_is_read_at_each_step():
    w, box, optimizer = np.array([5.0]), C.box(-1.0, 1.0), fr.optim.GradientDescent(0.0)
    for upper in (3.0, 2.0):
        box.upper = upper
        optimizer.apply_gradients({"w": (np.zeros(1), w)}, constraints=[(w, box)])
        assert w.tolist() == [upper]


# --------------------------------------------------------------------------------------------------------------- variables
def step(*variables, rate=0.0):
    pairs = [(np.zeros(v.shape, v.dtype), v) for v in variables]
    fr.optim.GradientDescent(rate).apply_gradients(pairs)


def test_a_variable_with_a_constraint():
    v = fr.get_variable("v", initializer=np.array([-1.0, 2.0]), constraint=C.non_neg())
    u = fr.Variable(np.array([3.0, 4.0]), name="u", constraint=C.l2_ball(2.5))
    assert v.value.tolist() == [-1.0, 2.0] and v.constraint == C.non_neg() and u.constraint == C.l2_ball(2.5)
    step(v, u)
    assert v.value.tolist() == [0.0, 2.0] and u.value.tolist() == [1.5, 2.0]
    v.constraint = abs
    v.assign([-1.0, -2.0])
    step(v)
    assert v.value.tolist() == [1.0, 2.0]
    v.constraint = None
    v.assign([-1.0, -2.0])
    step(v)
    assert v.value.tolist() == [-1.0, -2.0]
    with pytest.raises(ValueError, match="variable 'u' has two constraints"):
        fr.optim.GradientDescent(0.5).apply_gradients([(np.ones(2), u)], constraints=[(u, C.non_neg())])


@pytest.mark.parametrize(
    ("constraint", "error", "message"),
    [
        (3, TypeError, "the constraint of 'v' must be a function of the weights or None, got 3"),
        (C.non_neg, TypeError, "the constraint of 'v' is non_neg, which makes constraints; call it"),
        (C.max_norm(axis=1), ValueError, "axis of max_norm is 1, and v has 1 dimensions"),
    ],
)
def test_a_constraint_that_does_not_fit_a_variable(constraint, error, message):
    with pytest.raises(error, match=message):
        fr.get_variable("v", shape=(3,), constraint=constraint)
    assert fr.global_variables() == []
    v = fr.get_variable("v", shape=(3,), constraint=abs)
    with pytest.raises(error, match=message.replace("'v'", "'v:0'").replace("and v ", "and v:0 ")):
        v.constraint = constraint
    assert v.constraint is abs


def test_scopes_hand_a_constraint_down_as_tensorflow_does():
    one, two = C.non_neg(), C.box(0.0, 1.0)
    with fr.variable_scope("s", constraint=one) as scope:
        assert scope.constraint is one
        assert fr.get_variable("a", shape=(2,)).constraint is one
        assert fr.get_variable("b", shape=(2,), constraint=two).constraint is two
        with fr.variable_scope("t"):
            assert fr.get_variable("a", shape=(2,)).constraint is None
    with fr.variable_scope(scope, reuse=True):
        assert fr.get_variable("a", constraint=two, shape=(2,)).constraint is one  # the variable was made with it
    with fr.variable_scope(scope):
        assert fr.get_variable("c", shape=(2,)).constraint is None


def test_each_part_is_constrained_by_itself():
    whole = fr.get_variable(
        "p", initializer=np.array([3.0, 4.0, 6.0, 8.0]), partitioner=fr.fixed_size_partitioner(2), constraint=C.l2_ball(5.0)
    )
    step(*whole.parts)
    assert whole.value.tolist() == [3.0, 4.0, 3.0, 4.0]


def test_a_custom_getter_gets_the_constraint_where_it_takes_one():
    seen = []

    def every(getter, **options):
        seen.append(options["constraint"])
        return getter(**options)

    def few(getter, name, shape, dtype, initializer, regularizer, reuse, trainable, collections, partitioner):
        return getter(name=name, shape=shape, dtype=dtype)

    assert fr.get_variable("a", shape=(2,), custom_getter=every, constraint=abs).constraint is abs
    assert fr.get_variable("b", shape=(2,), custom_getter=few, constraint=abs).constraint is None
    assert seen == [abs]


# -------------------------------------------------------------------------------------------------------------- checkpoints
@names(VARIANTS)
def test_a_restored_run_goes_on_with_the_same_bits(name):
    def run(arrays, optimizer, steps):
        kept = list(VECTORS)[: len(arrays)]
        pairs = [(w, pair(kind, AXES[key])[0]) for kind, (key, w) in zip(kept, arrays.items(), strict=True)]
        for _ in range(steps):
            given = gradients(arrays, optimizer.iterations)
            optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, constraints=pairs)

    arrays, optimizer = network(), make(name)
    run(arrays, optimizer, 2)
    state = fr.optim.save(optimizer, arrays)
    run(arrays, optimizer, 2)
    again, other = network(), make(name)
    fr.optim.restore(state, other, again)
    run(again, other, 2)
    assert_same(again, arrays)
    assert_same(slots_of(other), slots_of(optimizer))


# ------------------------------------------------------------------------------------------------ penalties of rows, previewed
@dtypes
@names(["GradientDescent", "Adam", PROXIMAL[0]])
def test_groups_too_large_for_a_chunk_in_rows_that_a_projection_ends(name, dtype):
    w, rows = weights((20, 40_000), dtype), np.array([3, 19])
    g, lasso, expected = weights((2, 40_000), dtype, 1), fr.group_lasso_regularizer(0.25, 1), w.copy()
    make(name).apply_gradients({"w": ((g, rows), expected)}, fr.regularize({"w": expected}, [("w", lasso)]))
    expected[rows] = C.simplex(2.0, axis=1)(expected[rows])
    make(name).apply_gradients(
        {"w": ((g, rows), w)}, fr.regularize({"w": w}, [("w", lasso)]), constraints=[(w, C.simplex(2.0, axis=1))]
    )
    assert_same(w, expected)


@names(["GradientDescent", "Momentum", "Adam"])
@pytest.mark.parametrize("changed", ["first", "second"])
def test_a_constraint_that_reshapes_a_variable_of_rows_changes_nothing(name, changed):
    variables = {"first": weights((6, 5), np.float32), "second": weights((6, 5), np.float32, 1)}
    g, rows, optimizer = weights((2, 5), np.float32, 2), np.array([0, 1]), make(name)

    def reshaping(w):
        variables[changed].shape = (3, 10)
        return w

    pairs = {key: ((g, rows), w) for key, w in variables.items()}
    with refused(optimizer, ValueError, "shape", *variables.values()):
        optimizer.apply_gradients(pairs, constraints=[(variables["first"], reshaping), (variables["second"], C.simplex(axis=1))])
