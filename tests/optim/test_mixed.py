"""The mixed step: 16-bit gradients, 16-bit copies of the new weights, a scale, cleared gradients and averages."""

import importlib.util

import numpy as np
import pytest
from optimizers import (
    BOTH,
    L1,
    L2,
    METRIC_RULES,
    VARIANTS,
    gradients,
    make,
    names,
    network,
    read_only,
    refused,
    rule_of,
    slots_of,
)
from own import Fourth, GroupLasso
from sixteen import KINDS, floats, halves
from twin.compare import assert_same
from twin.inputs import weights
from twin.rules import RULES

import fastreg as fr

formats = pytest.mark.parametrize("sixteen", KINDS)
SCALE = 0.3  # which is no power of two, and is rounded to the dtype of the weights
AVERAGE = 0.9


def sixteen_gradients(arrays, sixteen, seed):
    """Return 16-bit gradients for these arrays."""
    return {key: laid_like(halves(g, sixteen), arrays[key]) for key, g in gradients(arrays, seed).items()}


def widen(x, dtype=np.float32):
    """Return a 16-bit array as float32 or float64."""
    return floats(x, "float16" if x.dtype == np.float16 else "bfloat16", dtype)


def laid_like(x, w):
    return x if w.flags.c_contiguous else np.asfortranarray(x)


def empty_copies(arrays, sixteen):
    return {key: laid_like(np.zeros(w.shape, KINDS[sixteen]), w) for key, w in arrays.items()}


def widened(g, w, scale=1.0):
    """Return the gradient that a plain step gets: widened, and scaled in the dtype of the weights."""
    return np.asarray(widen(g, w.dtype) * w.dtype.type(scale))


def moved(average, w):
    """Return the next moving average, rounded as in the kernel."""
    return np.asarray(average + (w - average) * w.dtype.type(1 - AVERAGE))


def same_sixteen(found, expected):
    assert_same(widen(found, np.float32), widen(expected, np.float32))


PENALTIES = {
    "none": [],
    "elastic": [("a", L2), ("b", L1), ("*", BOTH)],
    "profiles": [("a", fr.mcp_regularizer(0.3, gamma=3.0)), ("*", fr.sum_regularizer([L2, fr.scad_regularizer(0.3)]))],
    "groups": [("c", fr.group_lasso_regularizer(0.3, -1)), ("g", fr.sparse_group_lasso_regularizer(0.3, 0.5, 0)), ("*", L2)],
}


def penalties_of(name, penalties):
    """Return the rules of a penalty that this update rule can step with."""
    if penalties == "profiles" and name in (*METRIC_RULES, "ProximalGradientDescent plain"):
        return PENALTIES[penalties]
    if penalties in ("profiles", "groups") and RULES[rule_of(name)].takes_l1:
        return PENALTIES["elastic"]
    return PENALTIES[penalties]


def both(name, penalties, sixteen, threads=None, constraints=(), steps=3, **options):
    """Step mixed and plain side by side; yield after each step what they have."""
    plain, mixed = make(name, **options), make(name, average=AVERAGE, **options)
    arrays, others = network(), network()
    copies = empty_copies(arrays, sixteen)
    averages = {key: w.copy(order="K") for key, w in arrays.items()}
    found, expected = (fr.regularize(x, penalties_of(name, penalties)) if penalties != "none" else [] for x in (arrays, others))
    limits, other_limits = (fr.constrain(x, list(constraints)) for x in (arrays, others))
    for step in range(1, steps + 1):
        given = sixteen_gradients(arrays, sixteen, step)
        wide = {key: widened(g, others[key], SCALE) for key, g in given.items()}
        loss, values = mixed.apply_gradients(
            {key: (given[key], w) for key, w in arrays.items()},
            found,
            constraints=limits,
            per_term=True,
            gradient_scale=SCALE,
            copies=copies,
            zero_gradients=True,
        )
        right = plain.apply_gradients(
            {key: (wide[key], w) for key, w in others.items()}, expected, constraints=other_limits, per_term=True
        )
        averages = {key: moved(averages[key], w) for key, w in others.items()}
        assert (loss, values) == right
        assert_same(arrays, others)
        assert_same(slots_of(mixed), slots_of(plain) | {f"{key}/average": average for key, average in averages.items()})
        for key, w in others.items():
            same_sixteen(copies[key], halves(w, sixteen))
            assert not any(given[key].tobytes())


@formats
@pytest.mark.parametrize("penalties", PENALTIES)
@names(VARIANTS)
def test_a_mixed_step_is_the_plain_step_of_widened_gradients(name, penalties, sixteen):
    both(name, penalties, sixteen)


@formats
@names(["AdamW", "Ftrl strengths", "ProximalGradientDescent plain"])
def test_clipping_looks_at_the_scaled_gradients_and_the_penalty(name, sixteen):
    both(name, "elastic", sixteen, clip_norm=1.5, check_finite=True)


CONSTRAINTS = {
    "bounds": ("*", fr.constraints.box(-0.25, 0.75)),
    "norms": ("[acefg]", fr.constraints.max_norm(1.0)),
    "a function": ("*", lambda w: np.clip(w, -0.25, 0.75)),
    "a projection": ("[acfg]", fr.constraints.simplex(2.0)),
}


@formats
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_copies_and_averages_are_of_the_weights_behind_their_constraint(constraint, sixteen):
    both("Adam", "elastic", sixteen, constraints=[CONSTRAINTS[constraint]])


@formats
def test_copies_and_averages_are_of_the_weights_behind_a_prox_of_groups(sixteen):
    plain = fr.optim.ProximalGradientDescent(0.25)
    mixed = fr.optim.ProximalGradientDescent(0.25, average=AVERAGE)
    for regularizer in (fr.group_lasso_regularizer(0.3, -1), fr.mcp_regularizer(0.3, gamma=3.0), GroupLasso(0.5)):
        w = weights((70, 900), np.float32)
        other, average, copy = w.copy(), w.copy(), np.zeros(w.shape, KINDS[sixteen])
        name = type(regularizer).__name__
        for step in (1, 2):
            g = halves(weights(w.shape, np.float32, step), sixteen)
            wide = widened(g, w)
            mixed.apply_gradients(
                {name: (g, w)}, fr.regularize({name: w}, [("*", regularizer)]), copies={name: copy}, zero_gradients=True
            )
            plain.apply_gradients({name: (wide, other)}, fr.regularize({name: other}, [("*", regularizer)]))
            average = moved(average, other)
            assert_same(w, other)
            assert_same(mixed.get_slot(name, "average"), average)
            same_sixteen(copy, halves(w, sixteen))
            assert not any(g.tobytes())


@formats
@pytest.mark.parametrize("rows", [[1, 3, 8], [8, 1, 3, 1, 8, 8]])
@names(["AdamW", "Adagrad", "Ftrl strengths"])
def test_rows(name, rows, sixteen):
    plain, mixed = make(name, clip_norm=0.75), make(name, clip_norm=0.75, average=AVERAGE)
    w = weights((11, 300), np.float32)
    other, average, copy = w.copy(), w.copy(), halves(np.full(w.shape, 7.0, np.float32), sixteen)
    untouched = [row for row in range(11) if row not in rows]
    for step in (1, 2):
        g = halves(weights((len(rows), 300), np.float32, step), sixteen)
        wide = widen(g, np.float32)
        sums = np.zeros((11, 300), np.float32)
        seen = set()
        for row, values in zip(rows, wide, strict=True):
            sums[row] = sums[row] + values if row in seen else values
            seen.add(row)
        unique = sorted(seen)
        found = mixed.apply_gradients(
            {"w": ((g, rows), w)},
            fr.regularize({"w": w}, [("*", BOTH)]),
            gradient_scale=SCALE,
            copies={"w": copy},
            zero_gradients=True,
        )
        right = plain.apply_gradients(
            {"w": ((sums[unique] * np.float32(SCALE), unique), other)}, fr.regularize({"w": other}, [("*", BOTH)])
        )
        average[unique] = moved(average[unique], other[unique])
        assert found == right
        assert_same(w, other)
        assert_same(mixed.get_slot("w", "average"), average)
        same_sixteen(copy[unique], halves(w[unique], sixteen))
        assert np.all(widen(copy[untouched], np.float32) == 7.0)
        assert not any(g.tobytes())  # the user's own array, also where its rows were added up


def test_a_constraint_of_the_whole_variable_is_followed_beyond_the_rows():
    w = weights((11, 30), np.float32)
    copy, before = np.zeros(w.shape, np.float16), w.copy()
    optimizer = fr.optim.GradientDescent(0.25, average=AVERAGE)
    g = weights((2, 30), np.float16, 1)
    limits = fr.constrain({"w": w}, [("w", fr.constraints.max_norm(0.5, axis=0))])
    optimizer.apply_gradients({"w": ((g, [2, 5]), w)}, constraints=limits, copies={"w": copy})
    assert_same(copy, w.astype(np.float16))
    assert_same(optimizer.get_slot("w", "average"), moved(before, w))


@formats
@pytest.mark.parametrize("constraint", [np.tanh, fr.constraints.simplex(2.0), fr.constraints.max_norm(0.5)], ids=str)
def test_rows_behind_a_constraint(constraint, sixteen):
    w, g = weights((11, 30), np.float32), halves(weights((2, 30), np.float32, 1), sixteen)
    other, wide, before, copy = w.copy(), widened(g, w, SCALE), w.copy(), halves(weights((11, 30), np.float32), sixteen)
    plain, mixed = fr.optim.Momentum(0.25, 0.5), fr.optim.Momentum(0.25, 0.5, average=AVERAGE)
    mixed.apply_gradients(
        {"w": ((g, [2, 5]), w)}, constraints=[(w, constraint)], copies={"w": copy}, gradient_scale=SCALE, zero_gradients=True
    )
    plain.apply_gradients({"w": ((wide, [2, 5]), other)}, constraints=[(other, constraint)])
    assert_same(w, other)
    assert_same(mixed.get_slot("w", "momentum"), plain.get_slot("w", "momentum"))
    same_sixteen(copy, halves(w, sixteen))
    touched = np.isin(np.arange(11), [2, 5])[:, None] | (w != before)  # a function of one's own concerns all rows
    assert_same(mixed.get_slot("w", "average"), np.where(touched, moved(before, w), before))
    assert not any(g.tobytes())


@formats
def test_a_users_own_regularizer_gets_the_scaled_gradient(sixteen):
    plain, mixed = make("Adam"), make("Adam")
    w = weights((4097,), np.float32)
    other, copy = w.copy(), np.zeros(w.shape, KINDS[sixteen])
    g = halves(weights(w.shape, np.float32, 1), sixteen)
    wide = widened(g, w, SCALE)
    own = fr.sum_regularizer([Fourth(), L2])
    mixed.apply_gradients(
        {"w": (g, w)}, fr.regularize({"w": w}, [("*", own)]), gradient_scale=SCALE, copies={"w": copy}, zero_gradients=True
    )
    plain.apply_gradients({"w": (wide, other)}, fr.regularize({"w": other}, [("*", own)]))
    assert_same(w, other)
    same_sixteen(copy, halves(w, sixteen))
    assert not any(g.tobytes())


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_bits_do_not_depend_on_threads(num_threads, threads):
    w = weights((300_007,), np.float32)
    other, copy = w.copy(), np.zeros(w.shape, np.float16)
    g = weights(w.shape, np.float16, 1)
    num_threads(1)
    make("AdamW", average=AVERAGE).apply_gradients({"w": (g, other)})
    num_threads(threads)
    make("AdamW", average=AVERAGE).apply_gradients({"w": (g, w)}, copies={"w": copy}, zero_gradients=True)
    assert_same(w, other)
    assert_same(copy, w.astype(np.float16))
    assert not g.any()


@pytest.mark.parametrize("options", [{"gradient_scale": SCALE}, {"zero_gradients": True}, {"copies": "float16"}])
@names(["Momentum", "ProximalAdagrad"])
def test_each_option_by_itself_on_full_gradients(name, options):
    arrays, others = network(), network()
    given = gradients(arrays, 1)
    copies = empty_copies(arrays, "float16")
    scale = options.get("gradient_scale", 1.0)
    wide = {key: np.asarray(g * g.dtype.type(scale)) for key, g in given.items()}
    options = {"copies": copies} if "copies" in options else options
    make(name).apply_gradients({key: (given[key], w) for key, w in arrays.items()}, **options)
    make(name).apply_gradients({key: (wide[key], w) for key, w in others.items()})
    assert_same(arrays, others)
    if "copies" in options:
        assert_same(copies, {key: w.astype(np.float16) for key, w in others.items()})
    assert all(not g.any() for g in given.values()) == ("zero_gradients" in options)


def test_float64_weights_are_rounded_to_16_bits_once():
    w = np.array([1 + 2.0**-11 + 2.0**-40, 1 + 2.0**-11, 65520 - 2.0**-30])
    copy = np.empty(3, np.float16)
    make("GradientDescent", learning_rate=0.0).apply_gradients({"w": (np.zeros(3, np.float16), w)}, copies={"w": copy})
    assert copy.tolist() == [1 + 2.0**-10, 1.0, 65504.0]


def test_scales_that_loss_scaling_uses():
    w, g = np.zeros(3, np.float32), np.array([65504.0, 6e-8, -1.0], np.float16)
    make("GradientDescent", learning_rate=1.0).apply_gradients({"w": (g, w)}, gradient_scale=2.0**-16)
    assert_same(w, -g.astype(np.float32) * np.float32(2.0**-16))


# ------------------------------------------------------------------------------------------------------------- averages
def test_an_average_begins_as_the_weights_before_its_first_step():
    w = np.array([1.0, -2.0])
    optimizer = fr.optim.Momentum(0.5, momentum=0.5, average=0.75)
    assert optimizer.get_slot_names() == ["momentum", "average"]
    optimizer.apply_gradients({"w": (np.array([2.0, 2.0]), w)})
    assert optimizer.get_slot("w", "average").tolist() == [0.75, -2.25]
    assert sorted(optimizer.state_dict()) == ["iterations", "rule", "w/average", "w/momentum"]


@names(VARIANTS)
def test_an_average_may_be_taken_up_and_dropped(name):
    optimizer = make(name)
    w = weights((9,), np.float64)

    def step():
        optimizer.apply_gradients({"w": (weights((9,), np.float64, 1), w)})

    step()
    slots, before = len(optimizer.slot_names), w.copy()
    optimizer.average = AVERAGE
    assert optimizer.get_slot_names()[-1] == "average"
    assert "w/average" not in optimizer.state_dict()
    with pytest.raises(KeyError, match="the average of 'w' begins with its next step"):
        optimizer.get_slot("w", "average")
    step()
    assert_same(optimizer.get_slot("w", "average"), moved(before, w))
    held = optimizer.get_slot("w", "average")
    step()
    assert optimizer.get_slot("w", "average") is held
    optimizer.average = None
    assert len(optimizer.slot_names) == slots
    assert "w/average" not in optimizer.state_dict()
    step()
    before = w.copy()
    optimizer.average = AVERAGE
    step()
    assert_same(optimizer.get_slot("w", "average"), moved(before, w))


def test_a_centered_rmsprop_has_its_average_last():
    optimizer = fr.optim.RMSProp(0.1, centered=True, average=0.5)
    assert optimizer.slot_names == ("rms", "momentum", "mg", "average")
    optimizer.centered = False
    assert optimizer.slot_names == ("rms", "momentum", "average")


@names(["GradientDescent", "Adam", "Ftrl strengths"])
def test_averages_are_saved_and_restored(name, tmp_path):
    def step(optimizer, w, seed):
        optimizer.apply_gradients({"w": (weights((500,), np.float32, seed), w)})

    first, w = make(name, average=AVERAGE), weights((500,), np.float32)
    step(first, w, 1)
    np.savez(tmp_path / "state.npz", **first.state_dict())
    np.savez(tmp_path / "run.npz", **fr.optim.save(first, {"w": w}))
    second, third, other, another = make(name, average=AVERAGE), make(name), w.copy(), np.zeros_like(w)
    with np.load(tmp_path / "state.npz") as state:
        second.load_state_dict(state)
    with np.load(tmp_path / "run.npz") as state:
        fr.optim.restore(state, third, {"w": another})
    assert third.average == AVERAGE
    for optimizer, array in ((first, w), (second, other), (third, another)):
        step(optimizer, array, 2)
    assert_same(slots_of(second), slots_of(first))
    assert_same(slots_of(third), slots_of(first))
    assert_same(other, w)
    assert_same(another, w)


def test_a_state_with_averages_needs_an_optimizer_with_them_and_one_without_begins_them():
    w = np.array([1.0, 2.0])
    first = fr.optim.Adam(0.1, average=0.5)
    first.apply_gradients({"w": (np.ones(2), w)})
    state = first.state_dict()
    second = fr.optim.Adam(0.1)
    with refused(second, ValueError, "state has 'w/average', which names no slot of Adam: .*; set `average` first"):
        second.load_state_dict(state)
    del state["w/average"]
    third = fr.optim.Adam(0.1, average=0.5)
    third.load_state_dict(state)
    before = w.copy()
    third.apply_gradients({"w": (np.ones(2), w)})
    assert_same(third.get_slot("w", "average"), before + (w - before) * 0.5)


# --------------------------------------------------------------------------------------------------------------- errors
def bad_options(w):
    """Yield options with the error that they cause, for a variable w with a copy that fits."""
    half = np.zeros(w.shape, np.float16)
    yield {"gradient_scale": 0}, ValueError, "gradient_scale must be above 0, got 0"
    yield {"gradient_scale": -0.5}, ValueError, "gradient_scale must be finite and at least 0, got -0.5"
    yield {"gradient_scale": np.inf}, ValueError, "gradient_scale must be finite and at least 0, got inf"
    yield {"gradient_scale": np.nan}, ValueError, "gradient_scale must be finite and at least 0, got nan"
    yield {"gradient_scale": True}, TypeError, "gradient_scale must be a number, got True of type bool"
    yield {"gradient_scale": np.ones(())}, TypeError, "gradient_scale must be a number, got array"
    yield {"gradient_scale": 1e-50}, ValueError, "gradient_scale is 1e-50, which is 0 in float32, the dtype of 'w'"
    yield {"gradient_scale": 1e50}, ValueError, "gradient_scale is 1e.50, which is inf in float32, the dtype of 'w'"
    yield {"copies": [half]}, TypeError, "copies must be a mapping of variables' names to arrays, not list"
    yield {"copies": {"v": half}}, ValueError, r"copies has 'v', which names no variable .*; the variables are \['w'\]"
    yield {"copies": {1: half}}, ValueError, "copies has 1, which names no variable of grads_and_variables"
    yield {"copies": {"w": half, "w:0": half}}, ValueError, "copies has two arrays for variable 'w'"
    yield {"copies": {"w": None}}, TypeError, "the copy of 'w' must be a float16 or bfloat16 array, got None"
    yield {"copies": {"w": [0.0] * w.size}}, TypeError, "the copy of 'w' must be a numpy.ndarray, got list"
    yield {"copies": {"w": w.copy()}}, TypeError, "the copy of 'w' must be a float16 or bfloat16 array, got dtype float32"
    yield {"copies": {"w": np.zeros(w.shape, np.uint16)}}, TypeError, "the copy of 'w' must be .*, got dtype uint16"
    yield {"copies": {"w": half[:-1]}}, ValueError, "the copy of 'w' must have the shape of variable 'w'"
    yield {"copies": {"w": read_only(half.copy())}}, ValueError, "the copy of 'w' is read-only"
    yield {"copies": {"w": np.zeros(2 * w.size, np.float16)[::2]}}, ValueError, "the copy of 'w' must be contiguous"
    yield {"copies": {"w": half.astype(">f2")}}, ValueError, "the copy of 'w' must be in this machine's byte order"
    yield (
        {"copies": {"w": w.view(np.float16)[: w.size]}},
        ValueError,
        "the (copy|weights) of 'w' overlaps the (copy|weights) of 'w'",
    )
    yield {"rounding": 3}, TypeError, "rounding must be a StochasticRounding or None, got 3"


@pytest.mark.parametrize("case", range(22))
def test_bad_options_change_nothing(case):
    w, g = weights((40,), np.float32), weights((40,), np.float32, 1).astype(np.float16)
    optimizer = make("Adam", average=0.5)
    optimizer.apply_gradients({"w": (g, w)})
    cases = list(bad_options(w))
    assert len(cases) == 22
    options, error, message = cases[case]
    arrays = [x for x in options.get("copies", {}).values() if isinstance(x, np.ndarray)] if case > 8 else []
    with refused(optimizer, error, message, w, g, *arrays):
        optimizer.apply_gradients({"w": (g, w)}, **{"zero_gradients": True, **options})


def test_bad_gradients_change_nothing():
    w = weights((6, 5), np.float32)
    copy = np.zeros(w.shape, np.float16)
    optimizer = make("Adam")
    for g, error, message in [
        (
            np.zeros((5, 6), np.float16),
            ValueError,
            r"gradient of 'w' must have the shape of variable 'w', \(6, 5\), got \(5, 6\)",
        ),
        (np.zeros((5, 6), np.float16).T, ValueError, "gradient of 'w' must have the memory order of variable 'w'"),
        (np.zeros((6, 5), ">f2"), ValueError, "gradient of 'w' must be in this machine's byte order"),
        (np.zeros((6, 10), np.float16)[:, ::2], ValueError, "gradient of 'w' must be contiguous"),
        (np.zeros((6, 5), np.uint16), TypeError, "gradient of 'w' must be a float32"),
        (read_only(np.zeros((6, 5), np.float16)), ValueError, "gradient of 'w' is read-only"),
        ((read_only(np.zeros((1, 5), np.float16)), [2]), ValueError, "gradient of 'w' is read-only"),
        ((read_only(np.zeros((2, 5), np.float16)), [2, 2]), ValueError, "gradient of 'w' is read-only"),
        ((np.zeros((2, 4), np.float16), [2, 2]), ValueError, "gradient of 'w' must have the shape"),
        (w, ValueError, "overlaps"),
        (copy, ValueError, "the (copy|gradient) of 'w' overlaps the (copy|gradient) of 'w'"),
    ]:
        with refused(optimizer, error, message, w, copy):
            optimizer.apply_gradients({"w": (g, w)}, copies={"w": copy}, zero_gradients=True)


def test_what_is_written_has_memory_of_its_own():
    w, v = weights((40,), np.float32), weights((40,), np.float32, 1)
    g, copy = np.ones(40, np.float16), np.zeros(40, np.float16)
    optimizer = make("Adam", average=0.5)
    optimizer.apply_gradients({"w": (g, w), "v": (g, v)})  # a gradient that is only read may be shared
    pairs = {"w": (g, w), "v": (g, v)}
    with refused(optimizer, ValueError, "the gradient of '[vw]' overlaps the gradient of '[vw]'", w, v, g):
        optimizer.apply_gradients(pairs, zero_gradients=True)
    with refused(optimizer, ValueError, "the copy of '[vw]' overlaps the copy of '[vw]'", w, v, copy):
        optimizer.apply_gradients(pairs, copies={"w": copy, "v": copy})
    slot = optimizer.get_slot("w", "average").view(np.float16)[:40]
    with refused(optimizer, ValueError, "the (copy|average) of 'w' overlaps the (copy|average) of 'w'", w, v):
        optimizer.apply_gradients(pairs, copies={"w": slot})


def test_a_copy_without_a_gradient_is_left_alone():
    w, v, copy = np.ones(3, np.float32), np.ones(3, np.float32), np.full(3, 7, np.float16)
    make("Adam").apply_gradients(
        {"w": (np.ones(3, np.float16), w), "v": (None, v)}, copies={"v": copy, "w": np.zeros(3, np.float16)}
    )
    assert copy.tolist() == [7, 7, 7]


def test_copies_of_a_variable_in_parts_are_of_its_parts():
    w = fr.get_variable("w", shape=(4, 3), initializer=np.ones, partitioner=fr.fixed_size_partitioner(2))
    copies = {part.name: np.zeros(part.shape, np.float16) for part in w}
    pairs = [(np.zeros(part.shape, np.float32), part) for part in w]
    optimizer = make("GradientDescent")
    with refused(optimizer, ValueError, r"copies has 'w', .*; it is kept in parts, each .*: \['w/part_0', 'w/part_1'\]"):
        optimizer.apply_gradients(pairs, copies={"w": np.zeros((4, 3), np.float16)})
    optimizer.apply_gradients(pairs, copies=copies)
    assert all((copy == 1).all() for copy in copies.values())


@formats
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_check_finite_sees_16_bits(bad, sixteen):
    w, copy = weights((5000,), np.float32), np.zeros(5000, np.float16)
    g = weights((5000,), np.float32, 1)
    g[4321] = bad
    given = halves(g, sixteen)
    optimizer = make("Adam", check_finite=True)
    with refused(optimizer, ValueError, "gradient of 'w' is not finite; nothing was updated", w, copy, np.asarray(given)):
        optimizer.apply_gradients({"w": (given, w)}, copies={"w": copy}, zero_gradients=True)
    big = halves(np.full(5000, 60000.0, np.float32), sixteen)
    with refused(optimizer, ValueError, "norm of the total gradient is not finite", w, copy):
        optimizer.apply_gradients({"w": (big, w)}, copies={"w": copy}, gradient_scale=1e38)


@pytest.mark.parametrize(
    ("average", "error", "message"),
    [
        (0, ValueError, "average must be between 0 and 1, got 0"),
        (1.0, ValueError, "average must be between 0 and 1, got 1.0"),
        (-0.5, ValueError, "average must be between 0 and 1, got -0.5"),
        (np.nan, ValueError, "average must be finite, got nan"),
        (True, TypeError, "average must be a number, got True"),
        ("0.9", TypeError, "average must be a number, got '0.9'"),
    ],
)
def test_bad_averages(average, error, message):
    with pytest.raises(error, match=message):
        fr.optim.Adam(average=average)
    optimizer = fr.optim.Adam(average=0.5)
    with pytest.raises(error, match=message):
        optimizer.average = average
    assert (optimizer.average, optimizer.slot_names) == (0.5, ("m", "v", "average"))


# ------------------------------------------------------------------------------------------------- stochastic rounding
@formats
def test_stochastic_rounding_goes_to_a_neighbour_and_keeps_the_mean(sixteen):
    n = 200_000
    w = (1 + weights((n,), np.float32) / 100).astype(np.float32)
    optimizer = make("GradientDescent", learning_rate=0.0)
    copies = {key: np.zeros(n, KINDS[sixteen]) for key in "ab"}
    arrays = {key: w.copy() for key in "ab"}

    def step(seed):
        pairs = {key: (np.zeros(n, np.float32), array) for key, array in arrays.items()}
        optimizer.apply_gradients(pairs, copies=copies, rounding=fr.optim.StochasticRounding(seed))
        return {key: widen(copy, np.float32) for key, copy in copies.items()}

    first = step(3)
    found = widen(copies["a"], np.float32)
    unit = 2.0 ** (-10 if sixteen == "float16" else -7)
    assert np.all(np.abs(found - w) < unit)
    assert abs((found - w).astype(np.float64).mean()) < 4 * unit / n**0.5
    second = step(3)
    optimizer.iterations -= 2
    again = step(3)
    optimizer.iterations -= 1
    other = step(4)
    assert_same(again, first)
    for seen in (second["a"], other["a"], first["b"]):  # by step, seed and name
        assert (seen != first["a"]).mean() > 0.1


def test_stochastic_rounding_of_rows_is_that_of_their_place_in_the_variable():
    w = weights((50, 30), np.float32)
    copies = np.zeros(w.shape, np.float16), np.zeros(w.shape, np.float16)
    rounding = fr.optim.StochasticRounding(1)
    make("GradientDescent").apply_gradients({"w": (np.zeros_like(w), w)}, copies={"w": copies[0]}, rounding=rounding)
    rows = [3, 4, 17]
    make("GradientDescent").apply_gradients(
        {"w": ((np.zeros((3, 30), "f4"), rows), w)}, copies={"w": copies[1]}, rounding=rounding
    )
    assert_same(copies[1][rows], copies[0][rows])


def test_a_bad_seed():
    for seed, error, message in [
        (-1, ValueError, "seed must be from 0 to 2\\*\\*64 - 1, got -1"),
        (2**64, ValueError, "seed must be from 0 to"),
        (0.5, TypeError, "seed must be a whole number, got 0.5 of type float"),
        (True, TypeError, "seed must be a whole number, got True of type bool"),
    ]:
        with pytest.raises(error, match=message):
            fr.optim.StochasticRounding(seed)
    one = fr.optim.StochasticRounding(7)
    assert (repr(one), one.seed, one == fr.optim.StochasticRounding(7), hash(one) == hash(fr.optim.StochasticRounding(7))) == (
        "StochasticRounding(7)", 7, True, True,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ ml_dtypes
@pytest.mark.skipif(importlib.util.find_spec("ml_dtypes") is None, reason="ml_dtypes, which has a bfloat16, is missing")
def test_arrays_of_ml_dtypes():
    import ml_dtypes

    w = weights((5003,), np.float32)
    other, g = w.copy(), weights((5003,), np.float32, 1).astype(ml_dtypes.bfloat16)
    copy, wide = np.zeros(w.shape, ml_dtypes.bfloat16), g.astype(np.float32)
    make("Adam").apply_gradients({"w": (g, w)}, copies={"w": copy}, zero_gradients=True)
    make("Adam").apply_gradients({"w": (wide, other)})
    assert_same(w, other)
    assert (copy == w.astype(ml_dtypes.bfloat16)).all()
    assert not g.any()


# --------------------------------------------------------------------------------------------- weights of 16 bits alone
@formats
@pytest.mark.parametrize("full", [False, True], ids=["16-bit gradient", "float32 gradient"])
@names(VARIANTS)
def test_weights_of_16_bits_are_stepped_in_float32(name, full, sixteen):
    options = {"clip_norm": 1.5, "average": AVERAGE}
    plain, mixed = make(name, **options), make(name, **options)
    arrays = {key: halves(w.astype(np.float32), sixteen) for key, w in network().items() if key != "g"}
    arrays["g"] = np.asfortranarray(arrays["c"])
    wide = {key: laid_like(widen(w, np.float32), w) for key, w in arrays.items()}
    for step in (1, 2):
        given = sixteen_gradients(wide, sixteen, step)
        given = {key: laid_like(widen(g, np.float32), arrays[key]) for key, g in given.items()} if full else given
        scaled = {
            key: widened(g, wide[key], SCALE) if not full else np.asarray(g * np.float32(SCALE)) for key, g in given.items()
        }
        mixed.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, gradient_scale=SCALE, zero_gradients=True)
        plain.apply_gradients({key: (scaled[key], w) for key, w in wide.items()})
        assert_same(slots_of(mixed), slots_of(plain))
        for key, w in wide.items():
            same_sixteen(arrays[key], halves(w, sixteen))
            w[...] = widen(halves(w, sixteen), np.float32)
        assert all(not any(g.tobytes()) for g in given.values())


@formats
@pytest.mark.parametrize("penalties", ["elastic", "profiles"])
@names(["AdamW", "Momentum nesterov", "ProximalGradientDescent plain", "Ftrl strengths", *METRIC_RULES])
def test_penalties_of_16_bit_weights(name, penalties, sixteen):
    plain, mixed = make(name, clip_norm=0.75), make(name, clip_norm=0.75)
    w = {key: halves(weights((9001,), np.float32, i), sixteen) for i, key in enumerate("ab")}
    wide = {key: widen(x) for key, x in w.items()}
    rules = penalties_of(name, penalties)
    found, expected = fr.regularize(w, rules), fr.regularize(wide, rules)
    for step in (1, 2):
        g = {key: halves(weights(x.shape, np.float32, 7 * step + i), sixteen) for i, (key, x) in enumerate(w.items())}
        values = mixed.apply_gradients({key: (g[key], x) for key, x in w.items()}, found, per_term=True)
        right = plain.apply_gradients({key: (widen(g[key]), x) for key, x in wide.items()}, expected, per_term=True)
        assert values == right
        for key, x in wide.items():
            same_sixteen(w[key], halves(x, sixteen))
            x[...] = widen(w[key])
    assert_same(slots_of(mixed), slots_of(plain))


def test_penalties_that_a_step_of_16_bit_weights_refuses():
    w, g = np.ones((4, 4), np.float16), np.zeros((4, 4), np.float16)
    for regularizer, message in [
        (fr.group_lasso_regularizer(0.5, 0), "its step takes no penalty of groups"),
        (Fourth(), "its step takes no regularizer of the user's own"),
        (GroupLasso(0.5), "its step takes no prox of the user's own"),
    ]:
        optimizer = fr.optim.ProximalGradientDescent(0.5)
        with refused(optimizer, ValueError, message, w):
            optimizer.apply_gradients({"w": (g, w)}, fr.regularize({"w": w}, [("w", regularizer)]))


@formats
def test_rows_of_16_bit_weights(sixteen):
    plain, mixed = make("Adagrad", average=AVERAGE), make("Adagrad", average=AVERAGE)
    w, g = halves(weights((9, 5000), np.float32), sixteen), halves(weights((3, 5000), np.float32, 1), sixteen)
    wide, before, rows = widen(w, np.float32), np.asarray(w).view(np.uint16).copy(), [1, 2, 7]
    mixed.apply_gradients({"w": ((g, rows), w)})
    plain.apply_gradients({"w": ((widen(g, np.float32), rows), wide)})
    same_sixteen(w, halves(wide, sixteen))
    assert_same(slots_of(mixed), slots_of(plain))
    assert (np.delete(w.view(np.uint16), rows, 0) == np.delete(before, rows, 0)).all()


@formats
def test_16_bit_weights_within_bounds(sixteen):
    w = halves(weights((5000,), np.float32), sixteen)
    wide = widen(w, np.float32)
    limit = fr.constraints.box(-0.25, 0.5)
    for array, g in ((w, halves(np.ones(5000, np.float32), sixteen)), (wide, np.ones(5000, np.float32))):
        fr.optim.GradientDescent(0.125).apply_gradients({"w": (g, array)}, constraints=[(array, limit)])
    same_sixteen(w, halves(wide, sixteen))


@formats
def test_a_run_of_16_bit_weights_is_saved_and_restored(sixteen, tmp_path):
    w, g = np.asfortranarray(halves(weights((30, 20), np.float32), sixteen)), np.ones((30, 20), np.float32, order="F")
    w = w.view(KINDS[sixteen])
    first, second, other = make("Adam", average=AVERAGE), make("Adam"), np.zeros_like(w).view(w.dtype)
    first.apply_gradients({"w": (g, w)})
    np.savez(tmp_path / "run.npz", **fr.optim.save(first, {"w": w}))
    with np.load(tmp_path / "run.npz") as state:
        fr.optim.restore(state, second, {"w": other})
    for optimizer, array in ((first, w), (second, other)):
        optimizer.apply_gradients({"w": (g, array)})
    same_sixteen(other, w)
    assert_same(slots_of(second), slots_of(first))


def test_small_steps_of_16_bit_weights_are_lost_to_the_nearest_and_kept_at_random():
    nearest, random = np.ones(20_000, np.float16), np.ones(20_000, np.float16)
    g = np.ones(20_000, np.float16)
    optimizer = fr.optim.GradientDescent(2.0**-14)
    rounding = fr.optim.StochasticRounding(5)
    for _ in range(64):
        optimizer.apply_gradients({"w": (g, nearest)})
        optimizer.apply_gradients({"w": (g, random)}, rounding=rounding)
    assert (nearest == 1).all()
    assert abs(random.mean(dtype=np.float64) - (1 - 2.0**-8)) < 1e-4


def test_what_a_step_of_16_bit_weights_refuses():
    w, g = np.ones((4, 4), np.float16), np.zeros((4, 4), np.float16)
    optimizer = fr.optim.ProximalGradientDescent(0.5)
    for options, message in [
        (
            {"copies": {"w": g.copy()}},
            "variable 'w' is of float16, and its step takes no copy beside it; step weights of float32",
        ),
        ({"constraints": [(w, fr.constraints.max_norm(1.0))]}, "its step takes no constraint other than bounds"),
        ({"constraints": [(w, np.abs)]}, "its step takes no constraint other than bounds"),
    ]:
        with refused(optimizer, ValueError, message, w):
            optimizer.apply_gradients({"w": (g, w)}, **options)
    rule = make("Momentum")
    rule.set_slots("w", {"momentum": np.zeros((4, 4))})
    with refused(rule, TypeError, "slot 0 of 'w' must be of float32, since variable 'w' is of float16; got float64", w):
        rule.apply_gradients({"w": (g, w)})
