"""A run that is saved to a file and restored goes on with the same bits; what does not fit changes nothing."""

import inspect
import io
import zipfile

import numpy as np
import pytest
from optimizers import VARIANTS, gradients, make, names, network

import fastreg as fr
from fastreg.optim import restore, save, schedules


class Own:
    def __call__(self, w):
        return 0.125 * float(np.sum(w))

    def gradient(self, w):
        return np.full_like(w, 0.125)


def penalties(proximal):
    """Return rules for `network`: regularizers of every kind, one of them shared; proxes of one's own where they are possible."""
    one = fr.sum_regularizer([fr.l1_l2_regularizer(0.25, 0.5), Own(), fr.l2_regularizer(0.125)])
    more = fr.l2_regularizer(0.3) if proximal else fr.mcp_regularizer(0.5, gamma=2.0)
    return [("a", one), ("b", None), ("[cd]", more), ("*", fr.l1_regularizer(0.75))]


class Run:
    """A training run: each step changes the strengths and the number that a hyperparameter is."""

    def __init__(self, name, **options):
        self.arrays, self.optimizer = network(), make(name, **options)
        self.rules = penalties(hasattr(self.optimizer, "l1_regularization_strength"))
        self.terms = fr.regularize(self.arrays, self.rules) + fr.regularize(self.arrays, [("e", fr.l1_regularizer(0.5))])

    def step(self, times=1):
        for _ in range(times):
            given = gradients(self.arrays, self.optimizer.iterations)
            pairs = {key: (given[key], w) for key, w in self.arrays.items()}
            self.optimizer.apply_gradients(pairs, self.terms)

    def change(self):
        """Change by hand what a run that goes on must find as it was left."""
        self.optimizer.learning_rate = [("a", 0.25), ("*", 0.0625)]
        self.optimizer.clip_norm = 20.0
        self.rules[0][1].parts[0].scale_l1 = 0.0625
        self.rules[-1][1].scale = 0.5

    def state(self):
        return save(self.optimizer, self.arrays, self.terms)


def same(one, other):
    assert list(one) == list(other)
    for key, array in one.items():
        assert (array.dtype, array.shape) == (other[key].dtype, other[key].shape), key
        assert array.tobytes() == other[key].tobytes(), key


@names(VARIANTS)
def test_a_restored_run_goes_on_with_the_same_bits(name, tmp_path):
    run = Run(name)
    run.step(2)
    run.change()
    run.step()
    np.savez(tmp_path / "run.npz", **run.state())
    again = Run(name)
    again.step()
    for array in again.arrays.values():
        array[...] = 3.0
    with np.load(tmp_path / "run.npz", allow_pickle=False) as state:
        restore(state, again.optimizer, again.arrays, again.terms)
    assert again.optimizer.iterations == 3 and repr(again.optimizer) == repr(run.optimizer)
    same(again.state(), run.state())
    for each in (run, again):
        each.step(2)
    same(again.state(), run.state())


@names([name for name in VARIANTS if " " not in name])
def test_every_argument_is_saved_and_restored(name):
    """Another value for every argument: what `save` forgot would stay as it was."""
    values = VARIANTS[name] | {"clip_norm": 3.0, "check_finite": True}
    arguments = set(inspect.signature(getattr(fr.optim, name)).parameters) - {"options"}
    assert arguments <= set(make(name).hyperparameters())
    state = save(make(name, **values), {"w": np.ones(2)})
    other = make(name, **{key: value / 2 if type(value) is float else value for key, value in values.items()})
    restore(state, other, {"w": np.ones(2)})
    assert other.hyperparameters() == make(name, **values).hyperparameters()


def test_the_state_is_plain_numbers():
    run = Run("AdamW", weight_decay=[("a", None), ("*", 0.5)])
    run.step()
    for array in run.state().values():
        assert type(array) is np.ndarray and array.dtype.kind in "fiub" and array.flags.c_contiguous


def test_a_centered_state_makes_its_optimizer_centered():
    run, again = Run("RMSProp centered"), Run("RMSProp")
    run.step()
    again.step()
    restore(run.state(), again.optimizer, again.arrays, again.terms)
    for each in (run, again):
        each.step()
    same(again.state(), run.state())


def test_functions_are_named_and_not_saved():
    rate = schedules.polynomial_decay(0.5, 10)
    run = Run("AdamW", learning_rate=rate, weight_decay=[("a", None), ("*", float)])
    state = run.state()
    assert bytes(state["not_saved"]) == b'["learning_rate", "weight_decay", "a/Regularizer/sum_regularizer/1"]'
    assert "hyperparameters/learning_rate" not in state
    again = Run("AdamW", learning_rate=0.1, weight_decay=[("a", None), ("*", float)])
    with pytest.raises(ValueError, match="learning_rate was a function of the step, which is not saved"):
        restore(state, again.optimizer, again.arrays, again.terms)
    again.optimizer.learning_rate = rate
    restore(state, again.optimizer, again.arrays, again.terms)
    restore(Run("AdamW").state(), again.optimizer, again.arrays, again.terms)
    assert again.optimizer.learning_rate == VARIANTS["AdamW"]["learning_rate"]


def test_a_state_of_step_0_and_new_variables():
    params = {"w": np.ones(2)}
    optimizer, again = make("Adam"), make("Adam")
    restore(save(optimizer, params), again, params)
    again.apply_gradients({"w": (np.ones(2), params["w"]), "new": (np.ones(3), np.ones(3))})
    assert again.iterations == 1


def test_graph_variables_and_slots_in_another_memory_order():
    w = fr.get_variable("w", (3, 2), initializer=np.ones)
    fortran = {"w": np.asfortranarray(np.ones((3, 2)))}
    optimizer, again = make("Momentum"), make("Momentum")
    optimizer.apply_gradients([(np.arange(6, dtype=w.dtype).reshape(3, 2), w)])
    state = save(optimizer, [w])
    assert [key for key in state if "w" in key.split("/")] == ["weights/w", "slots/w/momentum"]
    fortran = {"w": np.asfortranarray(np.zeros((3, 2), w.dtype))}
    restore(state, again, fortran)
    again.apply_gradients({"w": (np.asfortranarray(np.ones((3, 2), w.dtype)), fortran["w"])})
    optimizer.apply_gradients([(np.ones((3, 2), w.dtype), w)])
    assert fortran["w"].tolist() == w.value.tolist()


def without(key):
    return lambda state: {k: v for k, v in state.items() if k != key}


SCALE = "strengths/f/Regularizer/l1_regularizer/scale"
LAST = "strengths/e/Regularizer/l1_regularizer_1/scale"
REFUSED = {
    "not a mapping": (list, TypeError, "state must be a mapping of names to arrays, as save gives, not list"),
    "unknown": (lambda s: s | {"w": np.ones(2)}, ValueError, "state has 'w', which is nothing that fastreg.optim.save writes"),
    "no rule": (without("rule"), ValueError, r"state: the state lacks \['rule'\]"),
    "another rule": (lambda s: s | {"rule": np.frombuffer(b'"Ftrl"', np.uint8)}, ValueError, "state is of Ftrl, not of Momentum"),
    "no weights": (without("weights/a"), ValueError, r"weights: the state lacks \['a'\], and has \[\], which are not here"),
    "more weights": (lambda s: s | {"weights/x": np.ones(2)}, ValueError, r"weights: the state lacks \[\], and has \['x'\]"),
    "shape": (lambda s: s | {"weights/g": np.ones(2)}, ValueError, r"state\['weights/g'\] has shape \(2,\) and dtype float64"),
    "dtype": (
        lambda s: s | {"weights/b": np.ones((), "f4")},
        ValueError,
        r"state\['weights/b'\] has shape \(\) and dtype float32",
    ),
    "slot": (lambda s: s | {"slots/b/momentum": np.ones(2)}, ValueError, r"state\['slots/b/momentum'\] has shape \(2,\)"),
    "half": (lambda s: s | {"slots/b/m": s["slots/b/momentum"]}, ValueError, "names no slot of Momentum"),
    "iterations": (lambda s: s | {"iterations": np.array(-1)}, ValueError, "must be a whole number of at least 0"),
    "no number": (
        without("hyperparameters/momentum"),
        ValueError,
        r"hyperparameters of Momentum: the state lacks \['momentum'\]",
    ),
    "bad number": (lambda s: s | {"hyperparameters/momentum": np.array(np.nan)}, ValueError, "momentum must be finite, got nan"),
    "no text": (lambda s: s | {"not_saved": np.ones(2)}, ValueError, r"state\['not_saved'\] must be a vector of uint8"),
    "no strength": (without(SCALE), ValueError, rf"strengths of the terms: the state lacks \['{SCALE[10:]}'\]"),
    "bad strength": (lambda s: s | {LAST: np.array(-1.0)}, ValueError, "Setting a scale less than 0"),  # after others were set
    "vector": (lambda s: s | {SCALE: np.ones(1)}, ValueError, "must be a number"),
    "shared": (
        lambda s: s | {SCALE: np.array(0.125)},
        ValueError,
        "terms share the regularizer .*, and their saved strengths dif",
    ),
    "no list": (
        lambda s: s | {"not_saved": np.frombuffer(b"5", np.uint8)},
        ValueError,
        r"state\['not_saved'\] must be a list of",
    ),
    "no JSON": (lambda s: s | {"rule": np.frombuffer(b"{", np.uint8)}, ValueError, r"state\['rule'\] must be .* JSON in it: "),
    "deep": (
        lambda s: s | {"rule": np.full(100_000, ord("["), np.uint8)},
        ValueError,
        r"state\['rule'\] must be .* JSON in it: ",
    ),
    "uncountable": (lambda s: s | {"iterations": np.array(2**64 - 1)}, ValueError, r"of at least 0 and below 2\*\*63"),
    "own": (lambda s: s | {"not_saved": np.frombuffer(b"[]", np.uint8)}, ValueError, "are a user's own here, and were not"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_state_that_does_not_fit_changes_nothing(case):
    change, error, message = REFUSED[case]
    run, again = Run("Momentum"), Run("Momentum")
    run.step(2)
    run.change()
    again.step()
    before = again.state()
    with pytest.raises(error, match=message):
        restore(change(run.state()), again.optimizer, again.arrays, again.terms)
    same(again.state(), before)


@pytest.mark.parametrize("content", [b"no array", b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'shape': (", b""], ids=str)
@pytest.mark.parametrize("key", ["weights/a", "slots/b/momentum", "rule"])
def test_a_damaged_file_is_refused_by_the_name_of_what_cannot_be_read(tmp_path, key, content):
    run, again = Run("Momentum"), Run("Momentum")
    run.step(2)
    again.step()
    before = again.state()
    with zipfile.ZipFile(tmp_path / "run.npz", "w") as archive:
        for name, array in run.state().items():
            file = io.BytesIO()
            np.save(file, array)
            archive.writestr(f"{name}.npy", content.ljust(128) if name == key else file.getvalue())
    with np.load(tmp_path / "run.npz") as state, pytest.raises(ValueError, match=key):
        restore(state, again.optimizer, again.arrays, again.terms)
    same(again.state(), before)


def test_weights_that_cannot_be_written_and_names_that_stand_twice():
    w = np.ones(2)
    optimizer = make("Adam")
    state = save(optimizer, {"w": w})
    w.flags.writeable = False
    with pytest.raises(ValueError, match="'w'"):
        restore(state, optimizer, {"w": w})
    with pytest.raises(ValueError, match="variable 'w' stands in params twice"):
        save(optimizer, {"w": w, "w:0": w})


def test_nested_arrays_and_variables_in_parts_are_saved_and_restored():
    layers = [{"W": np.linspace(0, 1, 6), "b": np.ones(2)}]
    with fr.Graph().as_default():
        parts = fr.get_variable("p", initializer=np.arange(6.0), partitioner=fr.fixed_size_partitioner(2))
        for params, names in (
            (layers, ["0/W", "0/b"]),
            ({"net": layers}, ["net/0/W", "net/0/b"]),
            ([parts], ["p/part_0", "p/part_1"]),
        ):
            before = np.copy(parts.value), layers[0]["W"].copy()
            state = fr.optim.save(fr.optim.Adam(0.1), params)
            assert [key for key in state if key.startswith("weights/")] == [f"weights/{name}" for name in names]
            parts -= 1.0
            layers[0]["W"] += 1.0
            fr.optim.restore(state, fr.optim.Adam(0.1), params)
            restored = (parts.value, before[0]) if params == [parts] else (layers[0]["W"], before[1])
            assert restored[0].tolist() == restored[1].tolist()
