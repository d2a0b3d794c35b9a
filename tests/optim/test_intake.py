"""What a step takes: variables, mappings, bare arrays, gradients of rows."""

import numpy as np
import pytest
from optimizers import L1, L2, VARIANTS, make, names, read_only, refused, rule_of
from own import Fourth
from regularizers import dtypes
from twin.compare import assert_same
from twin.inputs import weights
from twin.penalties import Elastic
from twin.rules import RULES

import fastreg as fr
import fastreg.compat.v1 as tf


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
    optimizer = fr.optim.AdamW(weight_decay=[("v", None), ("w", 0.5)], learning_rate=0.1)
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


# ------------------------------------------------------------------------------------------------------------------- rows
@dtypes
@names(VARIANTS)
def test_rows_are_stepped_as_if_they_were_all_there_is(name, dtype):
    table, indices = weights((50, 33), dtype), np.array([7, 3, 7, 49, 3, 7], np.int32)
    values = weights((6, 33), dtype, 1)
    rows = np.array([3, 7, 49])
    alone = table[rows]
    sums = np.stack([values[1] + values[4], values[0] + values[2] + values[5], values[3]])
    before, one, other = table.copy(), make(name), make(name)
    for _ in range(2):
        loss = one.apply_gradients({"t": ((values, indices), table)}, fr.regularize({"t": table}, [("t", L2)]))
        expected = sum(Elastic(0.0, 0.5).value64(row) for row in alone)
        assert loss == pytest.approx(expected, rel=1e-15)
        other.apply_gradients({"t": (sums, alone)}, fr.regularize({"t": alone}, [("t", L2)]))
    assert_same(table[rows], alone)
    untouched = np.setdiff1d(np.arange(50), rows)
    first = RULES[rule_of(name)].first_slots(before, VARIANTS[name])
    assert_same(table[untouched], before[untouched])
    for slot in one.get_slot_names():
        assert_same(one.get_slot("t", slot)[rows], other.get_slot("t", slot))
        assert_same(one.get_slot("t", slot)[untouched], first[slot][untouched])


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


# ------------------------------------------------------------------------------------------------- other objects, same memory
@pytest.mark.parametrize("name", ["GradientDescent", "Adam", "ProximalGradientDescent plain"])
@pytest.mark.parametrize("form", ["mapping", "pairs"])
def test_new_array_objects_over_the_same_memory_are_the_same_variables(name, form):
    """As with {name: (p.grad.numpy(), p.detach().numpy())} at each step."""
    results = []
    for anew in (False, True):
        arrays = {"v": weights((7,), np.float64), "w": weights((3, 2), np.float32, 1), "e": np.ones((0, 2))}
        terms = fr.regularize({key: w[...] if anew else w for key, w in arrays.items()}, [("*", L2)])
        optimizer, losses = make(name), []
        for seed in range(3):
            step = {key: (weights(w.shape, w.dtype, seed), w[...] if anew and w.size else w) for key, w in arrays.items()}
            if form == "pairs" or anew:
                step.pop("e")
            losses.append(optimizer.apply_gradients(step if form == "mapping" else list(step.values()), terms))
        results.append((losses, {key: w.tobytes() for key, w in arrays.items()}, list(optimizer.state_dict())))
    assert results[0][:2] == results[1][:2]
    assert [key for key in results[0][2] if "e/" not in key] == results[1][2]


def test_bare_arrays_without_terms_are_known_by_their_memory():
    w, again = np.ones(3), np.ones(3)
    first, second = make("Momentum"), make("Momentum")
    for _ in range(3):
        first.apply_gradients([(np.ones(3), w)])
        second.apply_gradients([(np.ones(3), again[...])])
    assert w.tolist() == again.tolist() and list(second.state_dict()) == ["rule", "iterations", "variable_0/momentum"]
    with refused(second, ValueError, "'variable_0', named by its place in grads_and_variables, is another array", again):
        second.apply_gradients([(np.ones(3), again.copy())])


# --------------------------------------------------------------------------------------------- terms over what is not updated
class Own:
    """A user's own regularizer, with all that one may have."""

    def __call__(self, w):
        return (w**4).sum()

    def gradient(self, w):
        raise AssertionError("the gradient of a frozen variable is not asked for")

    def prox(self, w, step):
        raise AssertionError("nor its prox")


@pytest.mark.parametrize(
    "regularizer", [L2, fr.mcp_regularizer(0.5), Own(), fr.sum_regularizer([Own(), L1])], ids=["l2", "mcp", "own", "sum"]
)
@pytest.mark.parametrize("rule", [{}, {"clip_norm": 1.0, "check_finite": True}], ids=["plain", "clipped"])
@pytest.mark.parametrize("name", ["Adam", "ProximalGradientDescent plain", "Ftrl strengths"])
@pytest.mark.parametrize("absent", [False, True], ids=["None", "absent"])
def test_a_term_over_a_frozen_variable_is_counted_and_changes_nothing(name, regularizer, rule, absent):
    results = []
    for with_frozen in (False, True):
        arrays = {"v": weights((5000,), np.float64), "w": weights((70, 80), np.float64, 1)}
        terms = fr.regularize(arrays, [("v", L2), ("w", regularizer)])
        frozen = float(terms[1])
        optimizer = make(name, **rule)
        pairs = {"v": (weights((5000,), np.float64, 2), arrays["v"])} | ({} if absent else {"w": (None, arrays["w"])})
        before = arrays["w"].tobytes()
        loss = optimizer.apply_gradients(pairs, terms if with_frozen else terms[:1])
        assert arrays["w"].tobytes() == before
        results.append((loss, arrays["v"].tobytes(), {key: x.tobytes() for key, x in optimizer.state_dict().items()}))
    assert results[1][0] == pytest.approx(results[0][0] + frozen, rel=1e-15)
    assert results[0][1:] == results[1][1:]


def test_a_frozen_variable_is_checked_before_anything_is_written():
    v, w = np.ones(3), np.ones(3)
    arrays = {"v": v, "w": w}
    terms = fr.regularize(arrays, [("*", L2)])
    arrays["w"] = np.ones(3, int)
    optimizer = make("Adam")
    with refused(optimizer, TypeError, "the value of 'w' must be a float32 or float64 array", v):
        optimizer.apply_gradients({"v": (np.ones(3), v)}, terms)
