"""Slots saved and loaded."""

import numpy as np
import pytest
from optimizers import BOTH, VARIANTS, gradients, make, names, network, refused
from twin.compare import assert_same

import fastreg as fr


@names(VARIANTS)
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
    optimizer.apply_gradients({"w": (np.ones(2), two)})
    assert optimizer.iterations == 2


@names(VARIANTS)
def test_a_variable_whose_first_gradient_comes_later_starts_as_without_the_restore(name, caplog):
    """Layers that are unfrozen, a new head: the restored run has the bits of the run that was not interrupted."""
    arrays, again = network(), {}
    optimizer, restored = make(name), make(name)
    given = gradients(arrays, 1)
    for step in range(4):
        if step == 2:
            again = {key: w.copy(order="K") for key, w in arrays.items()}
            restored.load_state_dict(optimizer.state_dict())
        frozen = "acg" if step < 3 else ""
        for rule, weights in ((optimizer, arrays), (restored, again)):
            if weights:
                rule.apply_gradients({key: (None if key in frozen else given[key], w) for key, w in weights.items()})
    assert_same(again, arrays)
    assert restored.unused_slots() == [] and caplog.messages == []
    for key, array in optimizer.state_dict().items():
        assert restored.state_dict()[key].tobytes() == array.tobytes()


@names(VARIANTS)
def test_a_state_of_step_0_is_a_state(name):
    w, again = np.ones(3), np.ones(3)
    optimizer, restored = make(name), make(name)
    restored.load_state_dict(optimizer.state_dict())
    for rule, x in ((optimizer, w), (restored, again)):
        rule.apply_gradients({"w": (np.ones(3), x)})
    assert_same(again, w)


def test_slots_that_nobody_uses_are_named_and_kept(caplog):
    first, optimizer = make("Adam"), make("Adam")
    first.apply_gradients({key: (np.ones(2), np.ones(2)) for key in ("body", "head", "gone")})
    optimizer.load_state_dict(first.state_dict())
    assert optimizer.unused_slots() == ["body", "gone", "head"]
    optimizer.apply_gradients({"body": (np.ones(2), np.ones(2))})
    assert optimizer.unused_slots() == ["gone", "head"] and caplog.messages == []
    with pytest.raises(ValueError, match="must have the shape"):
        optimizer.apply_gradients({"head": (np.ones(3), np.ones(2)), "Head": (np.ones(2), np.ones(2))})
    assert optimizer.unused_slots() == ["gone", "head"] and caplog.messages == []
    for _ in range(2):  # said once
        optimizer.apply_gradients({"body": (np.ones(2), np.ones(2)), "Head": (np.ones(2), np.ones(2))})
        assert caplog.messages == [
            "the loaded state has no slots for ['Head'], which start anew; it has slots for ['gone', 'head'], which no step has "
            "used so far"
        ]
    state = optimizer.state_dict()
    assert state["gone/m"].tobytes() == first.state_dict()["gone/m"].tobytes()
    optimizer.apply_gradients({"head": (np.ones(2), np.ones(2)), "gone": (np.ones(2), np.ones(2))})
    assert optimizer.unused_slots() == []
    optimizer.load_state_dict(state)
    assert optimizer.unused_slots() == ["Head", "body", "gone", "head"]


def test_a_centered_state_is_not_a_plain_ones():
    centered, plain = make("RMSProp centered"), make("RMSProp")
    for optimizer in (centered, plain):
        optimizer.apply_gradients({"w": (np.ones(2), np.ones(2))})
    with refused(plain, ValueError, "names no slot of RMSProp"):
        plain.load_state_dict(centered.state_dict())
    with refused(centered, ValueError, r"state lacks the slots \['mg'\]"):
        centered.load_state_dict(plain.state_dict())
