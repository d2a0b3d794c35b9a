"""Update rules: TensorFlow's numbers, a plain NumPy twin, the fold law, state, and steps that happen whole or not at all.

`PYTHONPATH=tests python tests/optim/test_optim.py` prints this machine's digest, which must be GOLDEN.
"""

import hashlib
import json
import logging
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from reference import assert_same, gradient, offset, raw, value64, weights

import fastreg as fr
import fastreg.compat.v1 as tf

TENSORFLOW = json.loads((Path(__file__).parent / "tensorflow_steps.json").read_text())
RULES = TENSORFLOW["rules"]
PROXIMAL = tuple(name for name in RULES if name.startswith(("Proximal", "Ftrl")))
DTYPES = (np.float32, np.float64)
L1, L2, BOTH = fr.l1_regularizer(0.25), fr.l2_regularizer(0.5), fr.l1_l2_regularizer(0.25, 0.5)

# Of `digest`. The power of an Ftrl with another than a square root is the C library's and not part of it.
GOLDEN = "bf1b708be9ff9d9a6bfa049b710f70bbefbfd7d040d9d41ee844b548431c2c7b"


def make(name, **options):
    return getattr(fr.optim, name.split()[0])(**{**RULES[name], **options})


def names(parameters):
    return pytest.mark.parametrize("name", parameters)


dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)


@pytest.fixture(autouse=True)
def graph():
    with fr.Graph().as_default() as graph:
        yield graph


@contextmanager
def refused(optimizer, error, match, *arrays):
    """Whatever is raised within, weights, slots and iterations keep their bytes."""

    def state():
        return [a.tobytes() for a in arrays] + [(k, v.tobytes()) for k, v in optimizer.state_dict().items()]

    before = state()
    with pytest.raises(error, match=match):
        yield
    assert state() == before


def slots_of(optimizer):
    return {key: array for key, array in optimizer.state_dict().items() if array.dtype.kind == "f"}


class Fourth:
    """A user's own regularizer, with a gradient."""

    def __call__(self, w):
        return np.sum(w.astype(np.float64) ** 4)

    def gradient(self, w):
        return 4 * w.astype(np.float64) ** 3


# ------------------------------------------------------------------------------------------------------------- TensorFlow
@pytest.mark.parametrize("entry", TENSORFLOW["results"])
def test_tensorflows_numbers(entry):
    name, kind, dtype = entry.split(", ")
    dtype = getattr(np, dtype)
    data = TENSORFLOW[kind]
    optimizer, w = make(name), np.array(data["weights"], dtype)
    for i, g in enumerate(data["gradients"]):
        given = np.array(g, dtype)
        if kind == "rows" and name.startswith("Adam"):  # whose rows that are not touched move on, but do not decay
            rows = np.unique(data["rows"][i])
            w[rows] -= dtype(RULES[name].get("weight_decay", 0)) * w[rows]
            optimizer.weight_decay = 0.0
            given = np.zeros_like(w)
            np.add.at(given, data["rows"][i], g)
        elif kind == "rows":
            given = given, data["rows"][i]
        optimizer.apply_gradients({"w": (given, w)})
    found = {"weights": w, **{slot: optimizer.get_slot("w", slot) for slot in optimizer.get_slot_names()}}
    expected = TENSORFLOW["results"][entry]
    assert found.keys() == expected.keys()
    for key, array in found.items():  # it takes reciprocals of roots and pow by other means
        theirs = np.array(expected[key], dtype)
        np.testing.assert_allclose(array.ravel(), theirs, rtol=4 * np.finfo(dtype).eps, atol=0, err_msg=key)
        assert np.array_equal(array.ravel() == 0, theirs == 0)


def test_tensorflows_defaults():
    defaults = {
        fr.optim.Adam(): (0.001, 0.9, 0.999, 1e-08),
        fr.optim.AdamW(0.01): (0.001, 0.9, 0.999, 1e-08),
        fr.optim.RMSProp(0.01): (0.01, 0.9, 0.0, 1e-10, False),
        fr.optim.Adagrad(0.01): (0.01, 0.1),
        fr.optim.Momentum(0.01, 0.9): (0.01, 0.9, False),
        fr.optim.ProximalAdagrad(0.01): (0.01, 0.1, 0.0, 0.0),
        fr.optim.Ftrl(0.01): (0.01, -0.5, 0.1, 0.0, 0.0, 0.0),
    }
    attributes = {
        fr.optim.Adam: "learning_rate beta1 beta2 epsilon",
        fr.optim.AdamW: "learning_rate beta1 beta2 epsilon",
        fr.optim.RMSProp: "learning_rate decay momentum epsilon centered",
        fr.optim.Adagrad: "learning_rate initial_accumulator_value",
        fr.optim.Momentum: "learning_rate momentum use_nesterov",
        fr.optim.ProximalAdagrad: (
            "learning_rate initial_accumulator_value l1_regularization_strength l2_regularization_strength"
        ),
        fr.optim.Ftrl: (
            "learning_rate learning_rate_power initial_accumulator_value l1_regularization_strength "
            "l2_regularization_strength l2_shrinkage_regularization_strength"
        ),
    }
    for optimizer, values in defaults.items():
        assert tuple(getattr(optimizer, key) for key in attributes[type(optimizer)].split()) == values


# ------------------------------------------------------------------------------------------------------------------- twin
def shrink(x, threshold):
    return np.sign(x) * np.maximum(np.abs(x) - threshold, x.dtype.type(0))


def initial_slots(name, w):
    a = RULES[name]
    first = {"RMSProp": 1.0, "Momentum": 0.0, "MomentumW": 0.0, "Adam": 0.0, "AdamW": 0.0}
    first = first.get(name.split()[0], a.get("initial_accumulator_value", 0.1))
    return [np.full_like(w, first), np.zeros_like(w), np.zeros_like(w)]


def twin(name, w, g, s, t, l1=0.0):  # noqa: PLR0911 - a formula each
    """Return the weights after step t (from 1) with total gradient g; `s`, the slots, are replaced in the list."""
    rule, a, k = name.split()[0], RULES[name], w.dtype.type
    rate, keep, epsilon = k(a["learning_rate"]), k(a.get("momentum", 0)), k(a.get("epsilon", 0))
    lasso, ridge = a.get("l1_regularization_strength", 0) + l1, a.get("l2_regularization_strength", 0)
    if "weight_decay" in a:
        w = w - k(a["weight_decay"]) * w
    if rule == "GradientDescent":
        return w - g * rate
    if rule in ("Momentum", "MomentumW"):
        s[0] = s[0] * keep + g
        return w - (g * rate + s[0] * keep * rate) if a.get("use_nesterov") else w - s[0] * rate
    if rule == "Adagrad":
        s[0] = s[0] + g * g
        return w - g * rate / np.sqrt(s[0])
    if rule == "RMSProp":
        fresh = k(1 - a["decay"])
        s[0] = s[0] + (g * g - s[0]) * fresh
        spread = s[0]
        if a.get("centered"):
            s[2] = s[2] + (g - s[2]) * fresh
            spread = s[0] - s[2] * s[2]
        s[1] = s[1] * keep + g * rate / np.sqrt(spread + epsilon)
        return w - s[1]
    if rule in ("Adam", "AdamW"):
        rate = k(a["learning_rate"] * (1 - a["beta2"] ** t) ** 0.5 / (1 - a["beta1"] ** t))
        s[0] = s[0] + (g - s[0]) * k(1 - a["beta1"])
        s[1] = s[1] + (g * g - s[1]) * k(1 - a["beta2"])
        return w - s[0] * rate / (np.sqrt(s[1]) + epsilon)
    if rule == "ProximalGradientDescent":
        return shrink(w - g * rate, k(a["learning_rate"] * lasso)) / k(1 + a["learning_rate"] * ridge)
    if rule == "ProximalAdagrad":
        s[0] = s[0] + g * g
        step = rate / np.sqrt(s[0])
        return shrink(w - g * step, step * k(lasso)) / (k(1) + step * k(ridge))
    assert rule == "Ftrl"
    grown = s[0] + g * g
    power = -a.get("learning_rate_power", -0.5)
    before, after = (np.sqrt(s[0]), np.sqrt(grown)) if power == 0.5 else (s[0] ** k(power), grown ** k(power))
    shrunk = g + k(2 * a.get("l2_shrinkage_regularization_strength", 0)) * w
    s[1] = s[1] + (shrunk - (after - before) / rate * w)
    s[0] = grown
    return np.where(np.abs(s[1]) > k(lasso), (np.sign(s[1]) * k(lasso) - s[1]) / (after / rate + k(2 * ridge)), k(0))


@dtypes
@names(RULES)
def test_a_rule_is_its_twin_bit_for_bit(name, dtype):
    w = weights((4096 + 37,), dtype)
    expected, slots = w.copy(), initial_slots(name, w)
    optimizer, terms = make(name), fr.regularize({"w": w}, [("w", BOTH)])
    for t in (1, 2, 3):
        g = weights(w.shape, dtype, seed=t)
        total = gradient(expected, 0.0 if name in PROXIMAL else 0.25, 0.5, base=g)
        loss = optimizer.apply_gradients({"w": (g, w)}, regularization=terms)
        assert loss == value64(expected, 0.25, 0.5)
        expected = twin(name, expected, total, slots, t, l1=0.25 if name in PROXIMAL else 0.0)
        if name == "Ftrl power":  # the C library's pow and NumPy's differ in the last bit
            np.testing.assert_allclose(w, expected, rtol=1000 * np.finfo(dtype).eps)
            expected = w.copy()
            order = optimizer.get_slot_names()
            slots = [optimizer.get_slot("w", slot).copy() for slot in order]
        else:
            assert_same(w, expected)
    assert optimizer.iterations == 3
    for slot, array in zip(optimizer.get_slot_names(), slots, strict=False):
        assert_same(optimizer.get_slot("w", slot), array)


@names(PROXIMAL)
def test_l1_terms_give_exact_zeros_in_the_proximal_step(name):
    w, terms_of = weights((1000,), np.float32), fr.l1_regularizer(0.5)
    optimizer = make(name)
    for t in range(3):
        optimizer.apply_gradients({"w": (weights(w.shape, w.dtype, t), w)}, fr.regularize({"w": w}, [("w", terms_of)]))
    plain = weights((1000,), np.float32)
    other = fr.optim.GradientDescent(0.125)
    for t in range(3):
        other.apply_gradients({"w": (weights(w.shape, w.dtype, t), plain)}, fr.regularize({"w": plain}, [("w", terms_of)]))
    assert np.sum(w == 0) > 20 > np.sum(plain == 0)


def test_the_proximal_step_is_the_regularizers_prox():
    w, l1 = weights((500,), np.float64), fr.l1_regularizer(0.3)
    expected = l1.prox(w - 0.125 * weights(w.shape, w.dtype, 1), step=0.125)
    fr.optim.ProximalGradientDescent(0.125).apply_gradients(
        {"w": (weights(w.shape, w.dtype, 1), w)}, regularization=fr.regularize({"w": w}, [("w", l1)])
    )
    assert_same(w, expected)


# --------------------------------------------------------------------------------------------------------------- fold law
def network():
    """Arrays of both dtypes and many shapes, empty and Fortran-ordered ones among them."""
    shapes = {"a": (4096 * 2 + 5,), "b": (), "c": (33, 7), "d": (0, 3), "e": (5, 1, 9), "f": (17,)}
    arrays = {key: weights(shape, DTYPES[i % 2], i) for i, (key, shape) in enumerate(shapes.items())}
    return arrays | {"g": np.asfortranarray(weights((6, 11), np.float32, 9))}


def gradients(arrays, seed):
    found = {key: weights(w.shape, w.dtype, 10 * seed + i) for i, (key, w) in enumerate(arrays.items())}
    return found | {"g": np.asfortranarray(found["g"])}


@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.5}, {"clip_norm": 1e9, "check_finite": True}], ids=str)
@names(RULES)
def test_folded_is_accumulated_first_bit_for_bit(name, options):
    rules = [("a", L2), ("[bc]", L2 if name in PROXIMAL else BOTH), ("d", L2), ("f", None), ("*", L2 if name in PROXIMAL else L1)]
    folded, plain = network(), network()
    terms, same = fr.regularize(folded, rules), fr.regularize(plain, rules)
    more = fr.sum_regularizer([fr.l2_regularizer(0.1), fr.l2_regularizer(0.7)])
    for collection, arrays in ((terms, folded), (same, plain)):  # variables with two terms
        collection.extend(fr.regularize(arrays, [("a", more), ("c", L2)]))
    one, other = make(name, **options), make(name, **options)
    for step in range(3):
        total, given = gradients(plain, step), gradients(folded, step)
        expected, _ = fr.value_and_gradients(same, out=total, accumulate=True)
        assert other.apply_gradients({key: (total[key], w) for key, w in plain.items()}) == 0.0
        loss = one.apply_gradients({key: (given[key], w) for key, w in folded.items()}, regularization=terms)
        assert type(loss) is np.float64 and loss == expected
        assert_same(given, gradients(folded, step))  # a gradient is read, never written
    assert_same(folded, plain)
    assert_same(slots_of(one), slots_of(other))


def test_the_loss_is_that_before_the_step_and_follows_the_scale():
    w, l2 = np.array([1.0, -2.0]), fr.l2_regularizer(0.5)
    terms = fr.regularize({"w": w}, [("w", l2)])
    optimizer = fr.optim.GradientDescent(0.1)
    for scale in (0.5, 0.25, 2.0):
        l2.scale = scale
        expected = fr.value_and_gradients(terms)[0]
        assert optimizer.apply_gradients({"w": (np.zeros(2), w)}, regularization=fr.add_n(terms)) == expected
    np.testing.assert_allclose(w, np.array([1.0, -2.0]) * 0.95 * 0.975 * 0.8)


# ------------------------------------------------------------------------------------------------------------- same bits
SHARED = {"a": ((70_001,), np.float32), "b": ((513,), np.float64), "c": ((40, 41, 43), np.float32), "d": ((90_000,), np.float64)}


def digest(entries, put=np.copy):
    """Return one sha256 over losses, weights and slots of two steps of these rules."""
    total = hashlib.sha256()
    for name in entries:
        arrays = {key: put(weights(shape, dtype)) for key, (shape, dtype) in SHARED.items()}
        terms = fr.regularize(arrays, [("b", L2), ("c", L1), ("*", BOTH)])
        optimizer = make(name, clip_norm=100.0)
        for step in range(2):
            pairs = {key: (put(weights(w.shape, w.dtype, step + 1)), w) for key, w in arrays.items()}
            pairs["c"] = ((pairs["c"][0][::2].copy(), range(0, 40, 2)), arrays["c"])
            total.update(raw(optimizer.apply_gradients(pairs, regularization=terms)))
        for _, array in sorted({**arrays, **slots_of(optimizer)}.items()):
            total.update(raw(array))
    return total.hexdigest()


def golden():
    return digest(name for name in RULES if name != "Ftrl power")


def test_golden_digest():
    assert golden() == GOLDEN


@pytest.mark.parametrize("threads", range(1, 8))
def test_bits_do_not_depend_on_threads(num_threads, threads):
    num_threads(threads)
    assert digest(["Adam", "Ftrl power", "Momentum nesterov"]) == THREE
    if threads in (3, 7):
        assert golden() == GOLDEN


@pytest.fixture(scope="module", autouse=True)
def three():
    global THREE  # noqa: PLW0603
    before = fr.get_num_threads()
    fr.set_num_threads(1)
    THREE = digest(["Adam", "Ftrl power", "Momentum nesterov"])
    fr.set_num_threads(before)


def test_bits_do_not_depend_on_where_arrays_start():
    starts = iter(range(10_000))
    assert digest(["Adam", "Ftrl power", "Momentum nesterov"], put=lambda x: offset(x, next(starts) * x.itemsize % 64)) == THREE


def test_every_instruction_set_gives_the_golden_digest(run_python):
    seen = {}
    for isa in fr.get_config()["isas"]:
        done = run_python("import test_optim; print(test_optim.golden())", FASTREG_ISA=isa, FASTREG_NUM_THREADS="3")
        if "this CPU lacks it" in done.stderr:
            continue
        assert done.returncode == 0, done.stderr
        seen[isa] = done.stdout.strip()
    assert seen and set(seen.values()) == {GOLDEN}, seen


# ----------------------------------------------------------------------------------------------- what can be handed over
def test_variables_mappings_and_bare_arrays_give_the_same():
    start, g = weights((3, 5), np.float32), weights((3, 5), np.float32, 1)
    v = fr.get_variable("v", initializer=start.copy(), regularizer=L2)
    terms = fr.get_collection(fr.GraphKeys.REGULARIZATION_LOSSES)
    arrays = {"v": start.copy(), "bare": start.copy(), "other": start.copy(), "nameless": start.copy()}
    found = {}
    for key, pairs, regularization in (
        ("variable", [(g, v)], terms),
        ("in a mapping", {"x": (g, arrays["v"])}, fr.regularize(arrays, [("v", L2)])),
        ("bare", [[g, arrays["bare"]]], fr.regularize(arrays, [("bare", L2)])),
        ("iterator", iter([(g, arrays["other"])]), fr.regularize(arrays, [("other", L2)])),
        ("without", [(g + np.float32(0.5) * start, arrays["nameless"])], None),
    ):
        optimizer = fr.optim.Adam(0.125)
        optimizer.apply_gradients(pairs, regularization)
        found[key] = sorted(optimizer.state_dict())
    for array in arrays.values():
        assert_same(array, v.value)
    assert found == {
        "variable": ["iterations", "rule", "v/m", "v/v"],
        "in a mapping": ["iterations", "rule", "x/m", "x/v"],
        "bare": ["bare/m", "bare/v", "iterations", "rule"],
        "iterator": ["iterations", "other/m", "other/v", "rule"],
        "without": ["iterations", "rule", "variable_0/m", "variable_0/v"],
    }


def test_names_go_without_the_graphs_suffix():
    v = fr.get_variable("net/v", shape=(2,), initializer=np.ones)
    optimizer = fr.optim.Momentum(0.5, 0.5)
    optimizer.apply_gradients([(np.ones(2, np.float32), v)])
    optimizer.apply_gradients({"net/v:0": (np.ones(2, np.float32), v)})
    optimizer.apply_gradients({"net/v": (np.ones(2, np.float32), v.value)})
    assert optimizer.get_slot(v, "momentum") is optimizer.get_slot("net/v:0", "momentum")
    assert optimizer.get_slot("net/v", "momentum").tolist() == [1.75, 1.75]
    with pytest.raises(KeyError, match=r"no slots for 'w'; there are some for \['net/v'\]"):
        optimizer.get_slot("w", "momentum")
    with pytest.raises(KeyError, match=r"Momentum has no slot 'm'; it has \['momentum'\]"):
        optimizer.get_slot(v, "m")


def test_a_variable_of_the_tensorflow_surface_is_stepped():
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=np.ones(2, np.float32))
        session.run(tf.global_variables_initializer())
        fr.optim.GradientDescent(0.5).apply_gradients([(np.ones(2, np.float32), v)])
        assert session.run(v).tolist() == [0.5, 0.5]


def test_what_has_no_gradient_is_left_alone():
    v, w = np.ones(2), np.ones(2)
    optimizer = fr.optim.AdamW([("v", None), ("w", 0.5)], 0.1)
    optimizer.apply_gradients({"v": (None, v), "w": (np.zeros(2), w)})
    assert v.tolist() == [1, 1] and w.tolist() == [0.5, 0.5]
    assert sorted(optimizer.state_dict()) == ["iterations", "rule", "w/m", "w/v"]
    optimizer.apply_gradients({"v": (np.ones(2), v), "w": (None, w)})  # slots of both from now on
    assert sorted(optimizer.state_dict()) == ["iterations", "rule", "v/m", "v/v", "w/m", "w/v"]


def test_an_array_put_in_anothers_place_takes_over_its_slots():
    optimizer = fr.optim.Momentum(1.0, 0.5)
    optimizer.apply_gradients({"w": (np.ones(2), np.zeros(2))})
    w = np.zeros(2)
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    assert w.tolist() == [-1.5, -1.5]
    w = np.zeros(3)
    with refused(optimizer, ValueError, r"slot 0 of 'w' must have the shape of variable 'w', \(3,\), got \(2,\)", w):
        optimizer.apply_gradients({"w": (np.ones(3), w)})


def test_a_bare_array_keeps_its_name_and_its_slots():
    w, v = np.zeros(2), np.zeros(2)
    terms = fr.regularize({"w": w}, [("w", L2)])
    optimizer = fr.optim.Momentum(1.0, 0.5)
    optimizer.apply_gradients([(np.ones(2), w), (np.ones(2), v)])
    optimizer.apply_gradients([(np.ones(2), v), (np.ones(2), w)], regularization=terms)
    assert sorted(optimizer.state_dict()) == ["iterations", "rule", "variable_0/momentum", "variable_1/momentum"]
    assert v.tolist() == [-2.5, -2.5]
    other = np.zeros(2)
    with refused(optimizer, ValueError, "'variable_0', named by its place .* is another array", other, v, w):
        optimizer.apply_gradients([(np.ones(2), other)])


def test_slots_are_arrays_of_their_own_like_the_variable():
    w = np.asfortranarray(weights((3, 4), np.float32))
    optimizer = make("RMSProp centered")
    optimizer.apply_gradients({"w": (w.copy(order="F"), w)})
    for name, start in (("rms", 1.0), ("momentum", 0.0), ("mg", 0.0)):
        slot = optimizer.get_slot("w", name)
        assert slot.dtype == np.float32 and slot.flags.f_contiguous and slot.shape == (3, 4)
        assert (slot != start).any()
    assert optimizer.get_slot_names() == ["rms", "momentum", "mg"]


def test_a_gradient_may_be_read_only_and_shared():
    v, w = np.ones(3), np.ones(3)
    fr.optim.GradientDescent(1.0).apply_gradients({"v": (read_only(np.ones(3)), v), "w": (np.ones(3), w)})
    g = read_only(np.ones(3))
    fr.optim.GradientDescent(1.0).apply_gradients({"v": (g, v), "w": (g, w)})
    assert v.tolist() == w.tolist() == [-1, -1, -1]


def test_a_subclass_of_ndarray_is_stepped_in_place(tmp_path):
    w = np.memmap(tmp_path / "w", np.float32, "w+", shape=(5,))
    optimizer = fr.optim.Adagrad(1.0, 1.0)
    optimizer.apply_gradients({"w": (np.ones(5, np.float32), w)})
    assert w.tolist() == pytest.approx([-(2**-0.5)] * 5) and type(optimizer.get_slot("w", "accumulator")) is np.ndarray


# -------------------------------------------------------------------------------------------------- a user's own regularizer
@dtypes
def test_a_users_own_regularizer_in_a_pass_of_its_own(dtype):
    arrays, same = ({key: weights((50,), dtype, i) for i, key in enumerate("uvw")} for _ in range(2))
    rules = [("u", Fourth()), ("v", L2), ("w", Fourth())]
    given = {key: weights((50,), dtype, 5) for key in arrays}
    total = {key: g.copy() for key, g in given.items()}
    expected, _ = fr.value_and_gradients(fr.regularize(same, rules), out=total, accumulate=True)
    make("Adam").apply_gradients({key: (total[key], w) for key, w in same.items()})
    loss = make("Adam").apply_gradients({key: (given[key], w) for key, w in arrays.items()}, fr.regularize(arrays, rules))
    assert loss == expected
    assert_same(arrays, same)
    assert_same(given, {key: weights((50,), dtype, 5) for key in arrays})


def test_a_users_own_regularizer_that_fails_changes_nothing():
    class Fails(Fourth):
        fails = False

        def gradient(self, w):
            if self.fails:
                raise RuntimeError("no gradient today")
            return super().gradient(w)

    arrays, own = {"v": np.ones(3), "w": np.ones(3)}, Fails()
    terms = fr.regularize(arrays, [("v", Fourth()), ("w", own)])
    optimizer = make("Adam")
    pairs = {key: (np.ones(3), w) for key, w in arrays.items()}
    optimizer.apply_gradients(pairs, terms)
    own.fails = True
    with refused(optimizer, RuntimeError, "no gradient today", *arrays.values()):
        optimizer.apply_gradients(pairs, terms)
    lambdas = fr.regularize(arrays, [("*", lambda w: w.sum())])
    with refused(optimizer, TypeError, "gradient", *arrays.values()):
        optimizer.apply_gradients(pairs, lambdas)
    wrong = Fourth()
    wrong.gradient = lambda w: np.ones(2)
    with refused(optimizer, ValueError, r"gradient of shape \(2,\) for weights of shape \(3,\)", *arrays.values()):
        optimizer.apply_gradients(pairs, fr.regularize(arrays, [("*", wrong)]))
    with refused(
        optimizer, ValueError, r"gradient of 'v' must have the shape of variable 'v', \(3,\), got \(1,\)", *arrays.values()
    ):
        optimizer.apply_gradients({**pairs, "v": (np.ones(1), arrays["v"])}, fr.regularize(arrays, [("v", Fourth())]))


def test_a_term_taken_off_its_variable_counts_no_more():
    v = fr.get_variable("v", initializer=np.ones(2), dtype=np.float64, regularizer=L2)
    terms = fr.get_collection(fr.GraphKeys.REGULARIZATION_LOSSES)
    v.regularizer = None
    assert fr.optim.GradientDescent(0.5).apply_gradients([(np.ones(2), v)], regularization=terms) == 0
    assert v.value.tolist() == [0.5, 0.5]


# -------------------------------------------------------------------------------------------------- schedules and decay
def test_functions_of_the_step():
    asked = []

    def rate(step):
        asked.append(step)
        return 1.0 / (step + 1)

    w = np.array([8.0])
    optimizer = fr.optim.MomentumW(lambda step: 0.5 if step == 1 else 0.0, rate, momentum=0.0)
    for expected in (7.0, 3.0, 3.0 - np.float64(1 / 3)):
        optimizer.apply_gradients({"w": (np.ones(1), w)})
        assert w[0] == expected
    assert asked == [0, 1, 2] and optimizer.iterations == 3
    optimizer.learning_rate, optimizer.weight_decay = 0.0, [("w", 0.25)]
    before = w[0]
    optimizer.apply_gradients({"w": (np.ones(1), w)})
    assert w[0] == before * 0.75


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, "0.1", None, True, 1j])
def test_a_schedule_that_gives_no_rate_changes_nothing(bad):
    w = np.ones(2)
    optimizer = fr.optim.AdamW(lambda step: 0.1 if step == 0 else bad, 0.1)
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    with refused(optimizer, (TypeError, ValueError), "weight_decay must be", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})
    optimizer.weight_decay, optimizer.learning_rate = 0.1, lambda step: bad
    with refused(optimizer, (TypeError, ValueError), "learning_rate must be", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})
    optimizer.learning_rate = lambda step: 1 / 0
    with refused(optimizer, ZeroDivisionError, "division", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})


def test_strengths_that_are_functions_of_the_step():
    w, v = np.array([4.0, -4.0]), np.array([4.0, -4.0])
    optimizer = fr.optim.ProximalGradientDescent(1.0, float, 0.0)
    for expected in (4.0, 3.0, 1.0):
        optimizer.apply_gradients({"w": (np.zeros(2), w)})
        assert w.tolist() == [expected, -expected]
    l1 = fr.l1_regularizer(1.0)
    terms, optimizer = fr.regularize({"v": v}, [("v", l1)]), fr.optim.ProximalGradientDescent(1.0)
    for expected in (4.0, 3.0, 1.0):
        l1.scale = float(optimizer.iterations)
        optimizer.apply_gradients({"v": (np.zeros(2), v)}, regularization=terms)
        assert v.tolist() == [expected, -expected]
    optimizer = fr.optim.Ftrl(1.0, l2_shrinkage_regularization_strength=lambda step: -1.0)
    with refused(optimizer, ValueError, "l2_shrinkage_regularization_strength must be finite and at least 0, got -1.0", w):
        optimizer.apply_gradients({"w": (np.zeros(2), w)})


def test_decay_by_rules_first_match_wins():
    arrays = {"a/kernel": np.ones(2), "a/bias": np.ones(2), "b/kernel:0": np.ones(2), "other": np.ones(2)}
    optimizer = fr.optim.MomentumW([("*/bias", None), ("b/*", lambda step: 0.5), ("*/kernel", 0.25)], 0.1, 0.9)
    for _ in range(2):
        optimizer.apply_gradients({key: (np.zeros(2), w) for key, w in arrays.items()})
    assert [w[0] for w in arrays.values()] == [0.5625, 1.0, 0.25, 1.0]


def test_a_decay_rule_that_matches_nothing_is_an_error(caplog):
    w = np.ones(2)
    optimizer = fr.optim.AdamW([("*/bias", None), ("*", 0.1)], 0.1)
    with refused(optimizer, ValueError, r"rules\[0\]: '\*/bias' matches none of the names \['w'\]", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})
    optimizer = fr.optim.AdamW([("*", 0.1), ("w", None)], 0.1)
    with caplog.at_level(logging.WARNING, logger="fastreg"):
        for _ in range(3):
            optimizer.apply_gradients({"w": (np.ones(2), w)})
    assert caplog.text.count("'w' decides nothing") == 1


@dtypes
@pytest.mark.parametrize("clip", [1e-3, 3.0, 1e6])
def test_clipping_by_the_global_norm(dtype, clip):
    arrays = {"v": weights((700,), dtype), "w": weights((9, 9), dtype, 1)}
    given = {key: weights(w.shape, dtype, 2) for key, w in arrays.items()}
    total = {"v": gradient(arrays["v"], 0.25, 0.5, given["v"]), "w": given["w"]}
    norm = np.sqrt(sum(np.sum(g.astype(np.longdouble) ** 2) for g in total.values()))
    factor = dtype(clip / max(norm, clip))
    expected = {key: w - total[key] * factor * dtype(0.125) for key, w in arrays.items()}
    optimizer = fr.optim.GradientDescent(0.125, clip_norm=clip)
    optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, fr.regularize(arrays, [("v", BOTH)]))
    for key, w in arrays.items():
        np.testing.assert_allclose(w, expected[key], rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)
        if clip > norm:
            assert_same(w, expected[key])


# ------------------------------------------------------------------------------------------------------------------- rows
@dtypes
@names(RULES)
def test_rows_are_stepped_as_if_they_were_all_there_is(name, dtype):
    table, indices = weights((50, 33), dtype), np.array([7, 3, 7, 49, 3, 7], np.int32)
    values = weights((6, 33), dtype, 1)
    rows = np.array([3, 7, 49])
    alone = table[rows]
    sums = np.stack([values[1] + values[4], values[0] + values[2] + values[5], values[3]])
    before, one, other = table.copy(), make(name), make(name)
    for _ in range(2):
        loss = one.apply_gradients({"t": ((values, indices), table)}, fr.regularize({"t": table}, [("t", L2)]))
        expected = sum(value64(row, 0.0, 0.5) for row in alone)
        assert loss == pytest.approx(expected, rel=1e-15)
        other.apply_gradients({"t": (sums, alone)}, fr.regularize({"t": alone}, [("t", L2)]))
    assert_same(table[rows], alone)
    untouched = np.setdiff1d(np.arange(50), rows)
    assert_same(table[untouched], before[untouched])
    for slot in one.get_slot_names():
        assert_same(one.get_slot("t", slot)[rows], other.get_slot("t", slot))
        start = make(name)._initial_slots(before)[one.get_slot_names().index(slot)]
        assert_same(one.get_slot("t", slot)[untouched], start[untouched])


@pytest.mark.parametrize("indices", [[], np.array([], np.int64)], ids=["list", "array"])
def test_no_rows_at_all(indices):
    table = np.ones((4, 2))
    optimizer = make("Momentum")
    assert optimizer.apply_gradients({"t": ((np.ones((0, 2)), indices), table)}, fr.regularize({"t": table}, [("t", L2)])) == 0
    assert (table == 1).all() and optimizer.iterations == 1


def test_rows_of_a_vector_and_of_a_tensor():
    vector, tensor = np.zeros(3), np.zeros((3, 2, 2), np.float32)
    fr.optim.GradientDescent(1.0).apply_gradients(
        {"v": ((np.array([1.0, 2.0]), (2, 0)), vector), "t": ((np.ones((1, 2, 2), np.float32), np.array([1], np.uint8)), tensor)}
    )
    assert vector.tolist() == [-2, 0, -1] and tensor.sum(axis=(1, 2)).tolist() == [0, -4, 0]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ((np.ones((1, 2)), [4]), ValueError, "row indices of 't' must be from 0 to 3, got 4 to 4"),
        ((np.ones((2, 2)), [1, -1]), ValueError, "row indices of 't' must be from 0 to 3, got -1 to 1"),
        ((np.ones((1, 2)), np.array([2**64 - 1], np.uint64)), ValueError, "row indices of 't' must be from 0 to 3"),
        ((np.ones((1, 2)), [1.0]), TypeError, "row indices of 't' must be a vector of whole numbers"),
        ((np.ones((1, 2)), [True]), TypeError, "row indices of 't' must be a vector of whole numbers"),
        ((np.ones((1, 2)), 1), TypeError, "row indices of 't' must be a vector of whole numbers"),
        ((np.ones((1, 3)), [1]), ValueError, r"gradient of 't' must have the shape \(1, 2\), a row for each index, got \(1, 3\)"),
        ((np.ones((2, 2)), [1]), ValueError, r"gradient of 't' must have the shape \(1, 2\)"),
        (
            (np.ones((1, 2), np.float32), [1]),
            TypeError,
            "gradient of 't' must have the dtype of variable 't', float64, got float32",
        ),
        ((np.ones((1, 4))[:, ::2], [1]), ValueError, "gradient of 't' must be contiguous"),
        (([[1.0, 1.0]], [1]), TypeError, "gradient of 't' must be a numpy.ndarray, got list"),
        ((np.ones((1, 2)), [1], [2]), ValueError, r"a pair \(values, row indices\), got 3 things"),
    ],
)
def test_bad_rows(rows, error, message):
    table, other = np.ones((4, 2)), np.ones(2)
    optimizer = make("Adam")
    optimizer.apply_gradients({"t": (np.ones((4, 2)), table), "other": (np.ones(2), other)})
    with refused(optimizer, error, message, table, other):
        optimizer.apply_gradients({"other": (np.ones(2), other), "t": (rows, table)})


def test_rows_that_cannot_be():
    optimizer = make("GradientDescent")
    scalar, fortran = np.ones(()), np.asfortranarray(np.ones((4, 2)))
    with refused(optimizer, ValueError, "gradient of 't' must have the shape", scalar):
        optimizer.apply_gradients({"t": ((np.ones(1), [0]), scalar)})
    with refused(optimizer, ValueError, "a gradient of rows needs variable 't' and the rows in C order", fortran):
        optimizer.apply_gradients({"t": ((np.ones((1, 2)), [0]), fortran)})
    table = np.ones((4, 2))
    with refused(optimizer, ValueError, "is a user's own and the gradient of 't' is of rows; pass it whole", table):
        optimizer.apply_gradients({"t": ((np.ones((1, 2)), [0]), table)}, fr.regularize({"t": table}, [("t", Fourth())]))


# ------------------------------------------------------------------------------------------------------------------ state
@names(RULES)
def test_a_saved_state_goes_on_with_the_same_bits(name, tmp_path):
    arrays = network()
    optimizer = make(name)

    def step(optimizer, arrays, seed):
        given = gradients(arrays, seed)
        optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, fr.regularize(arrays, [("*", BOTH)]))

    for seed in range(2):
        step(optimizer, arrays, seed)
    np.savez(tmp_path / "state.npz", **optimizer.state_dict())
    np.savez(tmp_path / "weights.npz", **arrays)
    restored, again = make(name), dict(np.load(tmp_path / "weights.npz"))
    with np.load(tmp_path / "state.npz") as state:
        assert sorted(state) == sorted(optimizer.state_dict())
        restored.load_state_dict(state)
    assert restored.iterations == 2
    for seed in (2, 3):
        step(optimizer, arrays, seed)
        step(restored, again, seed)
    assert_same(again, arrays)
    for key, array in optimizer.state_dict().items():
        assert restored.state_dict()[key].tobytes() == array.tobytes()


def test_a_saved_state_finds_bare_arrays_by_their_place():
    w, g = [np.ones(2), np.ones(3)], [np.ones(2), np.ones(3)]
    optimizer, again = make("Momentum"), make("Momentum")
    optimizer.apply_gradients(zip(g, w, strict=True))
    again.load_state_dict(optimizer.state_dict())
    copies = [array.copy() for array in w]
    optimizer.apply_gradients(zip(g, w, strict=True))
    again.apply_gradients(zip(g, copies, strict=True))
    assert [array.tolist() for array in copies] == [array.tolist() for array in w]


def test_a_state_is_a_copy_both_ways():
    w = np.ones(2)
    optimizer = make("Momentum")
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    state = optimizer.state_dict()
    state["w/momentum"][:] = 5
    assert optimizer.get_slot("w", "momentum").tolist() == [1, 1]
    optimizer.load_state_dict(state)
    state["w/momentum"][:] = 7
    assert optimizer.get_slot("w", "momentum").tolist() == [5, 5]


BAD_STATES = {
    "another rule": (lambda s: s | {"rule": np.array("Adagrad")}, ValueError, "state is of Adagrad, not of Adam"),
    "no rule": (lambda s: {k: v for k, v in s.items() if k != "rule"}, ValueError, "state lacks 'rule'; it has"),
    "no iterations": (lambda s: {k: v for k, v in s.items() if k != "iterations"}, ValueError, "state lacks 'iterations'"),
    "negative": (lambda s: s | {"iterations": np.array(-1)}, ValueError, r"state\['iterations'\] must be a whole number"),
    "fraction": (lambda s: s | {"iterations": np.array(1.5)}, ValueError, r"state\['iterations'\] must be a whole number"),
    "vector": (lambda s: s | {"iterations": np.array([1])}, ValueError, r"state\['iterations'\] must be a whole number"),
    "half a slot": (
        lambda s: {k: v for k, v in s.items() if k != "w/v"},
        ValueError,
        r"state lacks the slots \['v'\] of variable 'w'",
    ),
    "too much": (lambda s: s | {"w/x": np.ones(2)}, ValueError, r"state has 'w/x', which names no slot of Adam: \['m', 'v'\]"),
    "no slash": (lambda s: s | {"m": np.ones(2)}, ValueError, "state has 'm', which names no slot"),
    "shape": (
        lambda s: s | {"w/v": np.ones(3)},
        ValueError,
        r"state\['w/v'\] has shape \(3,\) and dtype float64, where 'w' has \(2,\)",
    ),
    "dtype": (
        lambda s: s | {"w/m": np.ones(2, "f4")},
        ValueError,
        r"state\['w/m'\] has shape \(2,\) and dtype float32, where 'w'",
    ),
    "kind": (lambda s: s | {"w/m": np.ones(2, int)}, TypeError, r"state\['w/m'\] must be a float32 or float64 array"),
    "not a mapping": (list, TypeError, "state must be a mapping of names to arrays, as state_dict gives, not list"),
}


@pytest.mark.parametrize("case", BAD_STATES)
def test_a_state_that_does_not_fit_is_refused(case):
    change, error, message = BAD_STATES[case]
    optimizer, w = make("Adam"), np.ones(2)
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    with refused(optimizer, error, message, w):
        optimizer.load_state_dict(change(optimizer.state_dict()))


def test_a_state_that_does_not_fit_new_variables_is_refused_at_the_step():
    first = make("Adam")
    first.apply_gradients({"w": (np.ones(2), np.ones(2))})
    optimizer = make("Adam")
    optimizer.load_state_dict(first.state_dict())
    three, two, single = np.ones(3), np.ones(2), np.ones(2, np.float32)
    with refused(optimizer, ValueError, r"slot 0 of 'w' must have the shape of variable 'w', \(3,\), got \(2,\)", three):
        optimizer.apply_gradients({"w": (np.ones(3), three)})
    with refused(optimizer, TypeError, "slot 0 of 'w' must have the dtype of variable 'w', float32, got float64", single):
        optimizer.apply_gradients({"w": (np.ones(2, np.float32), single)})
    with refused(optimizer, ValueError, r"the loaded state has no slots for variable 'v'; it has \['w'\]", two):
        optimizer.apply_gradients({"v": (np.ones(2), two)})
    optimizer.apply_gradients({"w": (np.ones(2), two)})
    assert optimizer.iterations == 2


def test_a_centered_state_is_not_a_plain_ones():
    centered, plain = make("RMSProp centered"), make("RMSProp")
    for optimizer in (centered, plain):
        optimizer.apply_gradients({"w": (np.ones(2), np.ones(2))})
    with refused(plain, ValueError, "names no slot of RMSProp"):
        plain.load_state_dict(centered.state_dict())
    with refused(centered, ValueError, r"state lacks the slots \['mg'\]"):
        centered.load_state_dict(plain.state_dict())


# -------------------------------------------------------------------------------------------------------------- bad input
ONES = np.ones(4)


def read_only(x):
    x.flags.writeable = False
    return x


BAD_STEPS = {
    "shape": (
        lambda v, w: {"v": (np.ones(3), v)},
        ValueError,
        r"gradient of 'v' must have the shape of variable 'v', \(4,\), got \(3,\)",
    ),
    "more axes": (lambda v, w: {"v": (np.ones((1, 4)), v)}, ValueError, "gradient of 'v' must have the shape of variable 'v'"),
    "dtype": (
        lambda v, w: {"v": (np.ones(4, "f4"), v)},
        TypeError,
        "gradient of 'v' must have the dtype of variable 'v', float64",
    ),
    "integers": (lambda v, w: {"v": (np.ones(4, int), v)}, TypeError, "gradient of 'v' must be a float32 or float64 array"),
    "foreign": (lambda v, w: {"v": (np.ones(4, ">f8"), v)}, ValueError, "gradient of 'v' must be in this machine's byte order"),
    "strided": (lambda v, w: {"v": (np.ones(8)[::2], v)}, ValueError, "gradient of 'v' must be contiguous"),
    "masked": (lambda v, w: {"v": (np.ma.ones(4), v)}, TypeError, "gradient of 'v' must not be a masked array"),
    "list": (lambda v, w: {"v": ([1.0] * 4, v)}, TypeError, "gradient of 'v' must be a numpy.ndarray, got list"),
    "order": (
        lambda v, w: {"x": (np.asfortranarray(np.ones((2, 3))), np.ones((2, 3)))},
        ValueError,
        "gradient of 'x' must have the memory order of variable 'x'",
    ),
    "its own gradient": (
        lambda v, w: {"v": (v, v)},
        ValueError,
        "the gradient of 'v' overlaps the weights of 'v'|weights .* overlaps",
    ),
    "overlap": (lambda v, w: {"v": (w, v), "w": (ONES, w)}, ValueError, "overlaps"),
    "twice by name": (
        lambda v, w: {"v": (ONES, v), "v:0": (ONES, w)},
        ValueError,
        "variable 'v' stands in grads_and_variables twice",
    ),
    "twice by array": (lambda v, w: {"v": (ONES, v), "w": (ONES, v)}, ValueError, "overlaps the weights"),
    "twice in a list": (lambda v, w: [(ONES, v), (ONES, v)], ValueError, "overlaps the weights|twice"),
    "parts": (lambda v, w: {"a": (np.ones(3), v[:3]), "b": (np.ones(2), v[2:])}, ValueError, "overlaps the weights"),
    "strided variable": (lambda v, w: {"v": (np.ones(2), v[::2])}, ValueError, "variable 'v' must be contiguous"),
    "read-only": (lambda v, w: {"x": (ONES, read_only(np.ones(4)))}, ValueError, "variable 'x' is read-only"),
    "no array": (lambda v, w: {"v": (ONES, [1.0] * 4)}, TypeError, "variable 'v' must be a numpy.ndarray, got list"),
    "integer variable": (
        lambda v, w: {"x": (ONES, np.ones(4, int))},
        TypeError,
        "variable 'x' must be a float32 or float64 array",
    ),
    "no gradients": (
        lambda v, w: {"v": (None, v), "w": (None, w)},
        ValueError,
        r"No gradients provided for any variable: \['v', 'w'\]",
    ),
    "nothing": (lambda v, w: [], ValueError, r"No gradients provided for any variable: \[\]"),
    "no pair": (lambda v, w: {"v": ONES}, TypeError, "entry 'v' of grads_and_variables must be a pair .* got ndarray"),
    "a triple": (lambda v, w: [(ONES, v, w)], TypeError, "entry 0 of grads_and_variables must be a pair"),
    "no name": (lambda v, w: {1: (ONES, v)}, TypeError, r"grads_and_variables must have names that are strings, not \[1\]"),
}


@pytest.mark.parametrize("case", BAD_STEPS)
@names(["GradientDescent", "Adam", "Ftrl strengths"])
def test_a_bad_step_changes_nothing(name, case):
    entries, error, message = BAD_STEPS[case]
    v, w = weights((4,), np.float64), weights((4,), np.float64, 1)
    optimizer = make(name)
    optimizer.apply_gradients({"v": (ONES, v), "w": (ONES, w)})
    bad = entries(v, w)
    with refused(optimizer, error, message, v, w):
        optimizer.apply_gradients(bad)
    if isinstance(bad, dict) and 1 not in bad and case != "no gradients":  # what is right before it has not been stepped either
        other = np.ones(4)
        with refused(optimizer, error, message, v, w, other):
            optimizer.apply_gradients({"other": (ONES.copy(), other), **bad})


def test_bad_terms():
    v, w = np.ones(2), np.ones(2)
    optimizer = make("Adam")
    optimizer.apply_gradients({"v": (np.ones(2), v)})
    over_w = fr.regularize({"w": w}, [("w", L2)])
    with refused(
        optimizer, ValueError, r"term 'w/Regularizer/l2_regularizer:0' is over an array that is not updated here: \['v'\]", v, w
    ):
        optimizer.apply_gradients({"v": (np.ones(2), v)}, over_w)
    with refused(optimizer, ValueError, "is over an array that is not updated here", v, w):
        optimizer.apply_gradients({"v": (np.ones(2), v), "w": (None, w)}, over_w)
    with refused(optimizer, ValueError, "is over an array that is not updated here", v):
        optimizer.apply_gradients({"v": (np.ones(2), v)}, fr.regularize({"v": v.copy()}, [("v", L2)]))
    for bad in (L2, over_w[0], "terms", [L2], [1.0]):
        with refused(optimizer, TypeError, "terms", v, w):
            optimizer.apply_gradients({"v": (np.ones(2), v)}, bad)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@dtypes
def test_check_finite_writes_nothing(bad, dtype):
    arrays = {key: weights((5000,), dtype, i) for i, key in enumerate("vw")}
    given = {key: weights((5000,), dtype, 3) for key in arrays}
    optimizer = make("Adam", check_finite=True)
    optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()})
    given["w"][4321] = bad
    with refused(optimizer, ValueError, "gradient of 'w' is not finite; nothing was updated", *arrays.values()):
        optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()})
    given["w"][4321] = 0
    arrays["v"][17] = bad
    with refused(optimizer, ValueError, "norm of the total gradient is not finite", *arrays.values()):
        optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, fr.regularize(arrays, [("v", L2)]))
    table = np.ones((4, 3), dtype)
    with refused(optimizer, ValueError, "gradient of 't' is not finite", table):
        optimizer.apply_gradients({"t": ((np.full((1, 3), bad, dtype), [2]), table)})


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: fr.optim.Optimizer(0.1), TypeError, "Optimizer is the rules' base"),
        (lambda: fr.optim.GradientDescent(-0.1), ValueError, "learning_rate must be finite and at least 0, got -0.1"),
        (lambda: fr.optim.GradientDescent(np.nan), ValueError, "learning_rate must be finite and at least 0, got nan"),
        (lambda: fr.optim.GradientDescent(10**400), ValueError, "learning_rate must be finite and at least 0, got 1000"),
        (lambda: fr.optim.GradientDescent("0.1"), TypeError, "learning_rate must be a number, got '0.1' of type str"),
        (lambda: fr.optim.GradientDescent(True), TypeError, "learning_rate must be a number, got True of type bool"),
        (lambda: fr.optim.GradientDescent(0.1, clip_norm=0.0), ValueError, "clip_norm must be above 0, got 0"),
        (lambda: fr.optim.GradientDescent(0.1, clip_norm=-1), ValueError, "clip_norm must be finite and at least 0, got -1"),
        (lambda: fr.optim.GradientDescent(0.1, momentum=0.9), TypeError, "unexpected keyword argument 'momentum'"),
        (lambda: fr.optim.Momentum(0.1, np.inf), ValueError, "momentum must be finite, got inf"),
        (lambda: fr.optim.Adam(beta1=1.0), ValueError, "beta1 must be finite and at least 0 and below 1, got 1.0"),
        (lambda: fr.optim.Adam(beta2=-0.5), ValueError, "beta2 must be finite and at least 0 and below 1, got -0.5"),
        (lambda: fr.optim.Adam(epsilon=-1e-8), ValueError, "epsilon must be finite and at least 0"),
        (lambda: fr.optim.AdamW(-0.1), ValueError, "weight_decay must be finite and at least 0"),
        (
            lambda: fr.optim.AdamW(None),
            TypeError,
            "weight_decay must be a number, a function of the step or a list of rules, got None",
        ),
        (lambda: fr.optim.AdamW("0.1"), TypeError, "weight_decay must be a number, got '0.1'"),
        (lambda: fr.optim.AdamW([("*", 0.1, 2)]), TypeError, "rule 0 of weight_decay must be a pair"),
        (lambda: fr.optim.AdamW(["ab"]), TypeError, "rule 0 of weight_decay must be a pair"),
        (lambda: fr.optim.AdamW([("*", "0.1")]), TypeError, "weight_decay must be a number, got '0.1'"),
        (lambda: fr.optim.Adagrad(0.1, 0.0), ValueError, "initial_accumulator_value must be positive: 0.0"),
        (lambda: fr.optim.ProximalAdagrad(0.1, -1.0), ValueError, "initial_accumulator_value must be positive: -1.0"),
        (
            lambda: fr.optim.Ftrl(0.1, initial_accumulator_value=-1.0),
            ValueError,
            "initial_accumulator_value -1.000000 needs to be",
        ),
        (
            lambda: fr.optim.Ftrl(0.1, learning_rate_power=0.5),
            ValueError,
            "learning_rate_power 0.500000 needs to be negative or zero",
        ),
        (
            lambda: fr.optim.ProximalGradientDescent(0.1, l1_regularization_strength=-1.0),
            ValueError,
            "l1_regularization_strength -1.000000 needs to be positive or zero",
        ),
    ],
)
def test_bad_hyperparameters(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_ftrl_needs_a_rate():
    w = np.ones(2)
    optimizer = fr.optim.Ftrl(lambda step: 0.0)
    with refused(optimizer, ValueError, "learning_rate of Ftrl must be above 0, got 0", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})


def test_a_rule_says_what_it_is():
    assert repr(fr.optim.Adam(0.5)) == "Adam(learning_rate=0.5, iterations=0)"


if __name__ == "__main__":
    print(json.dumps({"isa": fr.get_config()["isa"], "digest": golden(), "golden": GOLDEN}))
