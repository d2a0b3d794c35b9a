"""Every hyperparameter is checked when it is set later as at the start; a bad one changes nothing, a good one counts at once."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from optimizers import BOTH, VARIANTS, gradients, make, names, network, rule_of, slots_of
from twin.compare import assert_same

import fastreg as fr

NAN, INF, TEXT, NONE, COMPLEX, FLAG, ARRAY = np.nan, np.inf, "0.1", None, 1j, True, np.ones(2)
NO_NUMBER = (TEXT, NONE, COMPLEX, FLAG, ARRAY)
NOT_FINITE = (NAN, INF, -INF, 10**400)
BAD = {
    "learning_rate": (*NO_NUMBER, *NOT_FINITE, -0.1),
    "clip_norm": (TEXT, COMPLEX, FLAG, ARRAY, *NOT_FINITE, -0.1, 0.0, 0),
    "average": (TEXT, COMPLEX, FLAG, ARRAY, *NOT_FINITE, -0.1, 0.0, 0, 1.0, 1, 2.0),
    "momentum": (*NO_NUMBER, *NOT_FINITE),
    "decay": (*NO_NUMBER, *NOT_FINITE, -0.1),
    "epsilon": (*NO_NUMBER, *NOT_FINITE, -1e-8),
    "beta1": (*NO_NUMBER, *NOT_FINITE, -0.1, 1.0, 1, 2.0),
    "beta2": (*NO_NUMBER, *NOT_FINITE, -0.1, 1.0, 1, 2.0),
    "initial_accumulator_value": (*NO_NUMBER, *NOT_FINITE, -0.1),
    "learning_rate_power": (*NO_NUMBER, *NOT_FINITE, 0.5),
    "l1_regularization_strength": (*NO_NUMBER, *NOT_FINITE, -0.1),
    "l2_regularization_strength": (*NO_NUMBER, *NOT_FINITE, -0.1),
    "l2_shrinkage_regularization_strength": (*NO_NUMBER, *NOT_FINITE, -0.1),
    "weight_decay": (*NO_NUMBER, *NOT_FINITE, -0.1, ["w"], [("w", -0.1)], [("w", TEXT)], [(1, 0.1)], [("w", 0.1, 2)]),
    "iterations": (TEXT, NONE, COMPLEX, FLAG, ARRAY, NAN, INF, 1.0, 1.5, -1),
}
UNCHECKED = {"use_nesterov", "centered", "cautious", "check_finite"}  # are true or false, whatever they are


def attributes_of(kind):
    """Return what a class takes and keeps, by its signature."""
    parameters = inspect.signature(kind).parameters.values()
    return {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} | {"clip_norm", "check_finite", "average", "iterations"}


CASES = [
    (name, attribute, bad)
    for name in VARIANTS
    if name == rule_of(name)
    for attribute in sorted(attributes_of(getattr(fr.optim, name)) - UNCHECKED)
    for bad in BAD[attribute]
]


def _settings(optimizer):
    return {key: value for key, value in vars(optimizer).items() if key not in ("_state", "_lock")}


@pytest.mark.parametrize(("name", "attribute", "bad"), CASES, ids=lambda x: str(x)[:20])
def test_a_bad_value_set_later_is_refused_and_changes_nothing(name, attribute, bad):
    optimizer, w = make(name), np.ones(2)
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    before = _settings(copy.deepcopy(optimizer)), optimizer.state_dict()
    with pytest.raises((TypeError, ValueError)) as caught:
        setattr(optimizer, attribute, bad)
    assert attribute in str(caught.value)
    after = _settings(optimizer), optimizer.state_dict()
    assert after[0] == before[0]
    assert_same({k: v for k, v in after[1].items() if "/" in k}, {k: v for k, v in before[1].items() if "/" in k})
    assert optimizer.iterations == 1


@pytest.mark.parametrize("name", ["Adagrad", "ProximalAdagrad"])
@pytest.mark.parametrize("bad", [0.0, 0])
def test_a_sum_of_squares_does_not_start_at_0(name, bad):
    optimizer = make(name)
    with pytest.raises(ValueError, match="initial_accumulator_value must be positive"):
        optimizer.initial_accumulator_value = bad
    assert optimizer.initial_accumulator_value == VARIANTS[name]["initial_accumulator_value"]


@names(VARIANTS)
def test_what_is_set_later_counts_as_what_was_given(name):
    """An optimizer made with other values, and then set, steps as one that was made with the right ones."""
    right, values = make(name), VARIANTS[name]
    for attribute, value in values.items():
        assert getattr(right, attribute) == value
    others = {"use_nesterov": False, "centered": False, "cautious": False, "learning_rate_power": -0.25}
    late = getattr(fr.optim, rule_of(name))(**{key: others.get(key, 0.0625) for key in values})
    for attribute, value in values.items():
        setattr(late, attribute, value)
    one, other = network(), network()
    for arrays, optimizer in ((one, right), (other, late)):
        given = gradients(arrays, 1)
        optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, fr.regularize(arrays, [("*", BOTH)]))
    assert_same(one, other)
    assert_same(slots_of(right), slots_of(late))


def test_centered_decides_on_the_slots_and_so_comes_before_them():
    optimizer, w = fr.optim.RMSProp(0.125), np.ones(2)
    optimizer.centered = True
    assert optimizer.get_slot_names() == ["rms", "momentum", "mg"]
    optimizer.centered = False
    assert optimizer.get_slot_names() == ["rms", "momentum"] and optimizer.centered is False
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    optimizer.centered = False  # as it is
    with pytest.raises(ValueError, match="centered cannot become True: there are slots already; make another RMSProp"):
        optimizer.centered = True
    assert optimizer.get_slot_names() == ["rms", "momentum"] and optimizer.centered is False
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    assert optimizer.iterations == 2


def test_clip_norm_and_check_finite_may_come_and_go():
    optimizer, w = fr.optim.GradientDescent(1.0), np.zeros(1)
    optimizer.clip_norm = 0.5
    optimizer.apply_gradients({"w": (np.ones(1), w)})
    optimizer.clip_norm = None
    optimizer.apply_gradients({"w": (np.ones(1), w)})
    assert w.tolist() == [-1.5]
    optimizer.check_finite = True
    with pytest.raises(ValueError, match="not finite"):
        optimizer.apply_gradients({"w": (np.full(1, np.nan), w)})
    optimizer.check_finite = False
    optimizer.apply_gradients({"w": (np.full(1, np.nan), w)})
    assert np.isnan(w).all()


def test_the_number_of_steps_may_be_set():
    optimizer, other, w, v = make("Adam"), make("Adam"), np.ones(2), np.ones(2)
    for array, adam in ((w, optimizer), (v, other)):
        adam.apply_gradients({"w": (np.ones(2), array)})
    optimizer.iterations = np.int64(0)
    assert type(optimizer.iterations) is int
    fresh, x = make("Adam"), w.copy()
    fresh.set_slots("w", {name: optimizer.get_slot("w", name).copy() for name in ("m", "v")})
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    fresh.apply_gradients({"w": (np.ones(2), x)})
    assert_same(w, x)


@pytest.mark.parametrize("base", [fr.optim.Optimizer, fr.optim.DecoupledWeightDecay])
def test_a_base_is_not_made_itself(base):
    with pytest.raises(TypeError, match="base; make one of them"):
        base(**({} if base is fr.optim.Optimizer else {"weight_decay": 0.1}), learning_rate=0.1)


# ----------------------------------------------------------------------------------------------------------------- copies
DUPLICATES = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "oldest pickle": lambda x: pickle.loads(pickle.dumps(x, protocol=0)),
    "deepcopy": copy.deepcopy,
}
duplicates = pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)


@duplicates
@names(VARIANTS)
def test_a_copy_goes_on_with_the_same_bits_and_slots_of_its_own(name, duplicate):
    arrays, optimizer = network(), make(name, clip_norm=50.0)

    def step(optimizer, arrays, seed):
        given = gradients(arrays, seed)
        optimizer.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, fr.regularize(arrays, [("*", BOTH)]))

    for seed in range(2):
        step(optimizer, arrays, seed)
    again, copies = duplicate(optimizer), {key: w.copy(order="K") for key, w in arrays.items()}
    assert again.iterations == 2 and repr(again) == repr(optimizer)
    for seed in (2, 3):
        step(optimizer, arrays, seed)
    assert again.iterations == 2
    for seed in (2, 3):
        step(again, copies, seed)
    assert_same(copies, arrays)
    assert_same(slots_of(again), slots_of(optimizer))


def halved(step):
    return 0.5 ** (step + 1)


@duplicates
@pytest.mark.parametrize("name", ["AdamW", "MomentumW"])
@pytest.mark.parametrize("decay", [0.25, halved, [("*/bias", None), ("*", halved)]], ids=["number", "schedule", "rules"])
def test_a_copy_keeps_its_decay(name, decay, duplicate):
    arrays = {"a/kernel": np.ones(3), "a/bias": np.ones(2)}
    optimizer = make(name, weight_decay=decay)

    def step(optimizer, arrays):
        optimizer.apply_gradients({key: (np.ones_like(w), w) for key, w in arrays.items()})

    step(optimizer, arrays)
    again, copies = duplicate(optimizer), {key: w.copy() for key, w in arrays.items()}
    unstepped, fresh = duplicate(make(name, weight_decay=decay)), {key: np.ones_like(w) for key, w in arrays.items()}
    step(unstepped, fresh)
    assert_same(fresh, arrays)
    step(optimizer, arrays)
    step(again, copies)
    assert_same(copies, arrays)
    again.weight_decay = 0.0
    assert optimizer.weight_decay == decay


@duplicates
def test_a_copy_places_bare_arrays_anew(duplicate):
    w, optimizer = [np.ones(2), np.ones(3)], make("Momentum")
    optimizer.apply_gradients([(np.ones_like(array), array) for array in w])
    again, copies = duplicate(optimizer), [array.copy() for array in w]
    for stepped, by in ((w, optimizer), (copies, again)):
        by.apply_gradients([(np.ones_like(array), array) for array in stepped])
    assert [array.tolist() for array in copies] == [array.tolist() for array in w]
