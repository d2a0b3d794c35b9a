"""Loss terms, sums, gradients over a collection, and rules for a user's own arrays."""

import copy
import dataclasses
import logging
import pickle

import numpy as np
import pytest
from kernel_calls import Penalty

import fastreg as fr

L1, L2 = fr.l1_regularizer(0.25), fr.l2_regularizer(0.5)


@pytest.fixture(autouse=True)
def graph():
    with fr.Graph().as_default() as graph:
        yield graph


class Fourth:
    """A user's own regularizer, with a gradient."""

    name = "fourth"

    def __call__(self, w):
        return np.sum(w**4)

    def gradient(self, w):
        return 4 * w**3


def arrays(dtype=np.float64):
    rng = np.random.default_rng(0)
    return {key: rng.normal(size=n).astype(dtype) for key, n in (("a/kernel", (3, 4)), ("a/bias", 4), ("b/kernel", (4, 2)))}


def value(w, l1=0.0, l2=0.0):
    return l1 * np.abs(w).sum() + l2 * (w**2).sum() / 2


# Rules


def test_first_match_wins_and_none_excludes(graph):
    params = arrays()
    terms = fr.regularize(params, [("*/bias", None), ("a/*", L1), ("*", L2)])
    assert [(t.name, t.regularizer, t.variable.name) for t in terms] == [
        ("a/kernel/Regularizer/l1_regularizer:0", L1, "a/kernel"),
        ("b/kernel/Regularizer/l2_regularizer:0", L2, "b/kernel"),
    ]
    assert [float(t) for t in terms] == pytest.approx([value(params["a/kernel"], l1=0.25), value(params["b/kernel"], l2=0.5)])
    assert graph.collections == []


def test_what_no_rule_matches_is_left_alone():
    assert [t.variable.name for t in fr.regularize(arrays(), [("a/k*", L1)])] == ["a/kernel"]
    assert fr.regularize(arrays(), []) == []
    assert fr.regularize(arrays(), [("*", fr.no_regularizer)]) == []


def test_a_rule_that_matches_nothing_is_an_error():
    with pytest.raises(ValueError) as caught:
        fr.regularize(arrays(), [("*/kernel", L2), ("*/Bias", None)])
    assert str(caught.value) == "rules[1]: '*/Bias' matches none of the names ['a/kernel', 'a/bias', 'b/kernel']"


def test_a_rule_that_comes_too_late_is_logged(caplog):
    with caplog.at_level(logging.WARNING, logger="fastreg"):
        assert len(fr.regularize(arrays(), [("*", L2), ("*/bias", None)])) == 3
    assert "rules[1]: '*/bias' decides nothing" in caplog.text


@pytest.mark.parametrize(
    ("params", "rules", "error", "message"),
    [
        (np.ones(2), [("*", L2)], TypeError, "params must map names to arrays, not ndarray"),
        ([[1.0, 2.0]], [("*", L2)], TypeError, "0/0 must be a numpy.ndarray, got float"),
        ({"a": {1: np.ones(2)}}, [("*", L2)], TypeError, r"params must have names that are strings, not \[1\]"),
        ({"a": [np.ones(2)], "a/0": np.ones(2)}, [("*", L2)], ValueError, "params has two arrays that are named 'a/0'"),
        ({1: np.ones(2)}, [("*", L2)], TypeError, r"params must have names that are strings, not \[1\]"),
        ({"w": np.ones(2)}, ["*"], TypeError, r"rules\[0\] must be a pair of a pattern and a regularizer or None, not '\*'"),
        (
            {"w": np.ones(2)},
            [("*", 0.1)],
            TypeError,
            r"rules\[0\]: the regularizer must be a function of the weights or None, not 0\.1",
        ),
        ({"w": np.ones(2, int)}, [("*", L2)], TypeError, "w must be a float32 or float64 array, got dtype int64"),
        ({"w": np.ones((4, 4))[:, ::2]}, [("*", L2)], ValueError, "w must be contiguous"),
        (
            {"w": np.ones(2)},
            [("*", np.sqrt)],
            ValueError,
            "regularizer must return a scalar Tensor instead of a Tensor with rank 1",
        ),
    ],
)
def test_bad_parameters_and_rules(params, rules, error, message):
    with pytest.raises(error, match=f"^{message}"):
        fr.regularize(params, rules)


def test_an_array_put_in_anothers_place_is_the_one_read():
    params = {"w": np.ones(2)}
    total = fr.add_n(fr.regularize(params, [("*", L2)]))
    params["w"] = np.full((3, 3), 2.0)
    assert float(total) == 9.0
    assert fr.value_and_gradients(total)[1]["w"].shape == (3, 3)
    params["w"] = np.ones(2, int)
    with pytest.raises(TypeError, match="'w' must be a float32 or float64 array"):
        float(total)


@dataclasses.dataclass
class Layer:
    kernel: np.ndarray
    bias: np.ndarray | None = None


@dataclasses.dataclass(slots=True)
class Model:
    encoder: list
    head: dict


NESTED = {
    "dict": (
        lambda a, b, c: {"encoder": [{"kernel": a}, Layer(b, np.ones(3))], "head": {"out": {"kernel": c}}},
        ["encoder/0/kernel", "encoder/1/kernel", "encoder/1/bias", "head/out/kernel"],
    ),
    "dataclass": (lambda a, b, c: Model([a, (b,)], {"kernel": c}), ["encoder/0", "encoder/1/0", "head/kernel"]),
    "list": (lambda a, b, c: [(a, b), [c], {}, []], ["0/0", "0/1", "1/0"]),
    "top-level dataclass": (lambda a, b, c: Layer(a, {"b": b, "c": [c]}), ["kernel", "bias/b", "bias/c/0"]),
}


@pytest.mark.parametrize(("make", "names"), NESTED.values(), ids=NESTED)
def test_nested_containers_have_joined_names(make, names):
    arrays = [np.full((2, 2), 1.0), np.full(3, 2.0), np.full(4, 3.0)]
    params = make(*arrays)
    terms = fr.regularize(params, [(name, None) for name in names if name.endswith("bias")] + [("*", L2)])
    assert [t.variable.name for t in terms] == [name for name in names if not name.endswith("bias")]
    assert [float(t) for t in terms] == [1.0, 3.0, 9.0]
    gradients = fr.value_and_gradients(terms)[1]
    assert sorted(gradients) == sorted(t.variable.name for t in terms)
    copied = copy.deepcopy((params, terms))[1]
    np.multiply(arrays[0], 3, out=arrays[0])
    assert float(terms[0]) == 9.0 and float(copied[0]) == 1.0


def test_a_nested_array_or_container_put_in_anothers_place_is_the_one_read():
    params = {"encoder": [Layer(np.ones(2)), np.ones(2)], "head": np.ones(2)}
    total = fr.add_n(fr.regularize(params, [("encoder/0/bias", None), ("*", L2)]))
    params["encoder"][0].kernel = np.full(4, 2.0)
    assert float(total) == 5.0
    params["encoder"] = [Layer(np.zeros(2)), np.zeros(2)]
    assert float(total) == 0.5


def test_a_parameters_regularizer_can_change_and_its_term_leaves_the_list():
    terms = fr.regularize({"v": np.ones(2), "w": np.ones(2)}, [("*", L2)])
    v = terms[0].variable
    v.regularizer = L1
    assert [t.name for t in terms] == ["v/Regularizer/l1_regularizer:0", "w/Regularizer/l2_regularizer:0"]
    v.regularizer = None
    assert [t.variable.name for t in terms] == ["w"]
    v.regularizer = L2
    assert [t.variable.name for t in terms] == ["w", "v"] and float(fr.add_n(terms)) == 1.0


# Terms


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_term_has_what_tensorflows_tensor_has(dtype):
    w = fr.get_variable("w1", shape=(2, 2), dtype=dtype, initializer=np.ones, regularizer=L2)
    (term,) = fr.get_regularization_losses()
    assert (term.name, term.op_name, term.shape, term.dtype) == (
        "w1/Regularizer/l2_regularizer:0", "w1/Regularizer/l2_regularizer", (), dtype,
    )  # fmt: skip
    assert term.variable is w and term.regularizer is L2
    assert type(term.value()) is dtype and term.value() == 1.0 == float(term)
    assert repr(term) == (
        f"<RegularizationLoss 'w1/Regularizer/l2_regularizer:0' shape=() dtype={np.dtype(dtype)} regularizer=l2_regularizer(0.5)>"
    )


@pytest.mark.parametrize(
    ("regularizer", "name"),
    [(Fourth(), "fourth"), (lambda w: w.sum(), "lambda"), (np.sum, "sum"), (fr.l2_regularizer(0.5, scope="mine"), "mine")],
)
def test_a_users_regularizer_names_its_term(regularizer, name):
    fr.get_variable("w", shape=(2,), initializer=np.ones, regularizer=regularizer)
    (term,) = fr.get_regularization_losses()
    assert term.name == f"w/Regularizer/{name}:0" and term.value() == pytest.approx(regularizer(np.ones(2, np.float32)))
    assert term.value().dtype == np.float32


def test_a_regularizer_that_gives_none_files_nothing():
    fr.get_variable("w", shape=(2,), regularizer=lambda w: None)
    assert fr.get_regularization_losses() == []


def test_a_terms_regularizer_is_set_on_the_variable():
    (term,) = fr.regularize({"w": np.ones(2)}, [("*", L2)])
    with pytest.raises(AttributeError):
        term.regularizer = L1
    term.variable.regularizer = L1
    assert term.regularizer is L1 and float(term) == 0.5


def test_a_users_regularizer_may_return_none_later():
    results = [np.float64(2.0), None]
    fr.get_variable("w", shape=(2,), regularizer=lambda w: results[0])
    assert float(fr.get_regularization_loss()) == 2.0
    results.pop(0)
    assert float(fr.get_regularization_loss()) == 0.0


@pytest.mark.parametrize("own", [[], [Fourth()]], ids=["family", "with a user's own"])
@pytest.mark.parametrize("duplicate", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy], ids=["pickle", "deepcopy"])
def test_copied_terms_are_over_copied_weights(duplicate, own):
    params, l2 = arrays(), fr.l2_regularizer(0.5)
    terms = fr.regularize(params, [("*", fr.sum_regularizer([l2, L1, *own]) if own else l2)])
    copies, again = duplicate((params, terms))
    before = fr.value_and_gradients(terms)[0]
    assert [t.name for t in again] == [t.name for t in terms] and fr.value_and_gradients(again)[0] == before
    for w in copies.values():
        np.multiply(w, 2, out=w)
    l2.scale = 2.0
    doubled = fr.regularize(copies, [("*", fr.sum_regularizer([fr.l2_regularizer(0.5), L1, *own]) if own else L2)])
    assert fr.value_and_gradients(again)[0] == fr.value_and_gradients(doubled)[0] != before
    again[0].variable.regularizer = None
    assert (len(again), len(terms)) == (2, 3)


def test_a_shallow_copy_of_a_term_is_over_the_same_weights():
    params = {"w": np.ones(2)}
    (term,) = fr.regularize(params, [("*", L2)])
    again = copy.copy(term)
    params["w"] = np.full(3, 2.0)
    assert (float(again), again.name, again.regularizer, again.variable) == (3.0, term.name, L2, term.variable)


# Sums


def test_add_n_is_lazy_and_flat():
    params = arrays()
    terms = fr.regularize(params, [("*", L2)])
    total = fr.add_n([fr.add_n(terms[:1]), *terms[1:]])
    assert total.terms == terms and total.shape == () and total.dtype == np.float64
    for _ in range(2):
        assert float(total) == pytest.approx(sum(value(w, l2=0.5) for w in params.values()), rel=1e-15)
        assert type(float(total)) is float and type(total.value()) is np.float64
        for w in params.values():
            np.multiply(w, 3, out=w)


def test_a_total_is_named_when_asked(graph):
    terms = fr.regularize(arrays(), [("*", L2)])
    first, second, third = fr.add_n(terms), fr.add_n(terms), fr.add_n(terms, name="mine")
    assert (second.name, first.name, third.name, second.op_name) == ("AddN:0", "AddN_1:0", "mine:0", "AddN")
    assert repr(third) == "<Total 'mine:0' shape=() dtype=float64 terms=3>"


def test_add_n_takes_numpy_scalars_and_reads_0d_arrays_late():
    data = np.array(2.0)
    total = fr.add_n([*fr.regularize({"w": np.ones(4)}, [("*", L2)]), data, np.float64(1.0)])
    assert float(total) == 4.0
    data[...] = 5.0
    assert float(total) == 7.0
    with pytest.raises(TypeError, match=r"^terms\[0\] must be a loss term or a total of such"):
        fr.value_and_gradients(total)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ([], ValueError, "inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and shape"),
        (np.float32(1), ValueError, "inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and shape"),
        ([np.float32(1), np.float64(1)], TypeError,
         r"Tensors in list passed to 'inputs' of 'AddN' Op have types \[float32, float64\] that don't all match\."),
        ([np.float32(1), "x"], TypeError, r"inputs\[1\] must be a loss term, a total or a NumPy scalar, not 'x'"),
        ([np.ones(2)], TypeError, r"inputs\[0\] must be a loss term, a total or a NumPy scalar, not array\(\[1\., 1\.\]\)"),
    ],
)  # fmt: skip
def test_what_add_n_refuses(inputs, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        fr.add_n(inputs)


def test_regularization_loss_is_zero_when_there_is_none():
    total = fr.get_regularization_loss()
    assert (total.value(), type(total.value()), total.dtype) == (0.0, np.float32, np.float32)
    assert total.name == "total_regularization_loss:0" and float(total) == 0.0


def test_losses_by_scope():
    for scope in ("a", "b"):
        with fr.variable_scope(scope):
            fr.get_variable("w", shape=[4], initializer=np.ones, regularizer=L1)
    fr.add_loss(np.array(10.0, np.float32))
    fr.add_loss(np.array(3.0, np.float32), loss_collection=None)
    assert [t.name for t in fr.get_regularization_losses("b")] == ["b/w/Regularizer/l1_regularizer:0"]
    assert float(fr.get_regularization_loss()) == 2.0 and float(fr.get_regularization_loss(scope="b")) == 1.0
    assert fr.get_losses() == [10.0]
    assert float(fr.get_total_loss()) == 12.0 and float(fr.get_total_loss(add_regularization_losses=False)) == 10.0


# Over a list of weights


def test_apply_regularization_sums_and_files_one_loss(graph):
    ws = [fr.get_variable(f"w{i}", initializer=np.full(i + 1, i + 1.0)) for i in range(3)]
    total = fr.apply_regularization(L2, ws)
    fr.add_to_collection(fr.GraphKeys.WEIGHTS, ws[2])
    only = fr.apply_regularization(L2)
    assert fr.get_regularization_losses() == [total, only]
    assert (float(total), float(only)) == (9.0, 6.75)
    assert (total.name, only.name) == ("get_regularization_penalty:0", "get_regularization_penalty_1:0")
    assert [t.name for t in total.terms[:2]] == [f"get_regularization_penalty/l2_regularizer{i}:0" for i in ("", "_1")]
    assert float(fr.apply_regularization(L1, [np.ones(8), np.ones(4, np.float32)])) == 3.0
    assert float(fr.apply_regularization(fr.l2_regularizer(0.0), ws)) == 0.0


@pytest.mark.parametrize("weights", [None, [], ()])
def test_no_weights_to_regularize(weights):
    with pytest.raises(ValueError, match=r"^No weights to regularize\.$"):
        fr.apply_regularization(L2, weights)


def test_apply_regularization_wants_a_scalar():
    with pytest.raises(ValueError, match=r"^regularizer must return a scalar Tensor instead of a Tensor with rank 1\.$"):
        fr.apply_regularization(np.abs, [np.ones(2)])
    assert fr.get_regularization_losses() == []


def test_a_filed_sum_counts_beside_the_terms():
    w = fr.get_variable("w", initializer=np.array([1.0, -2.0]), regularizer=L1)
    fr.apply_regularization(L2, [w])
    loss, grads = fr.value_and_gradients(fr.get_regularization_losses())
    assert loss == 0.75 + 1.25 and grads["w"].tolist() == [0.75, -1.25]


# Values and gradients


def test_terms_of_one_name_may_be_over_two_objects_with_the_same_memory():
    w = np.array([[1.0, -2.0], [3.0, 4.0]])
    terms = fr.regularize({"w": w}, [("w", L1)]) + fr.regularize({"w": w[...]}, [("w", L2)])
    value, gradients = fr.value_and_gradients(terms)
    assert value == 2.5 + 7.5 and gradients["w"].tolist() == [[0.75, -1.25], [1.75, 2.25]]
    for other in (w.copy(), w.T, w[:1], w.reshape(4)):
        with pytest.raises(ValueError, match="two variables are named 'w'"):
            fr.value_and_gradients(terms + fr.regularize({"w": other}, [("w", L2)]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("extra", [[], [Fourth()]], ids=["family", "with a user's own"])
def test_value_and_gradients(dtype, extra):
    params = arrays(dtype)
    w = np.array([1.0, -2.0, 0.0], dtype)
    params |= {f"own{i}": w for i in range(len(extra))}
    rules = [(f"own{i}", own) for i, own in enumerate(extra)] + [("*/bias", L1), ("*", L2)]
    terms = fr.regularize(params, rules)
    expected = {
        "a/kernel": 0.5 * params["a/kernel"],
        "a/bias": 0.25 * np.sign(params["a/bias"]),
        "b/kernel": 0.5 * params["b/kernel"],
    }
    if extra:
        expected["own0"] = 4 * w**3
    loss, grads = fr.value_and_gradients(terms)
    assert type(loss) is np.float64 and loss == pytest.approx(sum(float(t) for t in terms), rel=1e-6)
    assert loss == float(fr.add_n(terms))
    assert sorted(grads) == sorted(expected)
    for name in grads:
        assert grads[name].dtype == dtype and np.allclose(grads[name], expected[name], rtol=1e-6)
    out = {name: np.full_like(g, 7) for name, g in grads.items()} | {"more": np.full(1, 7.0)}
    again, same = fr.value_and_gradients(terms, out=out, accumulate=True)
    assert same is out and again == loss and out["more"] == 7
    assert all(np.allclose(out[name], expected[name] + 7, rtol=1e-6) for name in grads)
    fr.value_and_gradients(terms, out=out)
    assert all(np.array_equal(out[name], grads[name]) for name in grads)


def test_names_with_and_without_their_output():
    fr.get_variable("w", initializer=np.array([2.0]), regularizer=L2)
    terms = fr.get_regularization_losses()
    grads = fr.value_and_gradients(terms)[1]
    assert list(grads) == ["w:0"] and grads["w"] is grads["w:0"] is grads.get("w")
    assert "w" in grads and "w:0" in grads and "v" not in grads and grads.get("v") is None
    with pytest.raises(KeyError, match=r"^'v'$"):
        grads["v"]
    out = {"w": np.zeros(1)}
    fr.value_and_gradients(terms, out=out)
    assert out["w"] == 1.0


class Constant:
    """A user's own regularizer whose value is the same for all weights."""

    def __init__(self, value):
        self.value = value

    def __call__(self, weights):
        return self.value

    def gradient(self, weights):
        return np.zeros_like(weights)


def test_values_are_added_from_left_to_right_by_every_python():
    """Python's own sum makes up for rounding from 3.12 on; it would find the 1."""
    large, one = Constant(1e16), Constant(1.0)
    w = np.ones(2)
    terms = fr.regularize({"a": w, "b": np.ones(2), "c": np.ones(2)}, [("a", large), ("b", one), ("c", Constant(-1e16))])
    assert float(fr.add_n(terms)) == fr.value_and_gradients(terms)[0] == 0.0
    assert fr.optim.GradientDescent(0.1).apply_gradients({"a": (np.zeros(2), w)}, terms) == 0.0
    assert fr.value_and_gradients(fr.add_n(terms[:2]) - 1e16)[0] == 0.0
    whole = fr.sum_regularizer([large, one, Constant(-1e16)])
    assert whole(w) == whole.value_and_gradient(w)[0] == 0.0
    loss, by_name = fr.optim.GradientDescent(0.1).apply_gradients(
        {"w": (np.zeros(2), w)}, fr.regularize({"w": w}, [("w", whole)]), per_term=True
    )
    assert [loss] == list(by_name.values()) == [0.0]


@pytest.mark.parametrize("own", [[], [Fourth()]])
def test_several_terms_over_one_variable_add_up(own):
    w = fr.get_variable("w", initializer=np.array([1.0, -2.0]), regularizer=L1)
    extra = [fr.apply_regularization(r, [w]) for r in [L2, *own]]
    expected = np.array([0.75, -1.25]) + (4 * w.value**3 if own else 0)
    loss, grads = fr.value_and_gradients([*extra[::-1], *fr.get_collection(fr.GraphKeys.REGULARIZATION_LOSSES)[:1]])
    assert np.array_equal(grads["w"], expected) and loss == 2.0 + (17 if own else 0)
    out = {"w": np.ones(2)}
    fr.value_and_gradients(fr.add_n(fr.get_regularization_losses()), out=out, accumulate=True)
    assert np.array_equal(out["w"], expected + 1)


def test_a_removed_regularizer_counts_no_more():
    v, w = (fr.get_variable(name, initializer=np.ones(2), regularizer=L2) for name in "vw")
    terms = fr.get_regularization_losses()
    v.regularizer = None
    loss, grads = fr.value_and_gradients(terms)
    assert loss == 0.5 and list(grads) == ["w:0"]
    w.regularizer = None
    assert fr.value_and_gradients(terms) == (0.0, {}) == fr.value_and_gradients([])


def test_two_variables_of_one_name_are_an_error():
    terms = [t for _ in range(2) for t in fr.regularize({"w": np.ones(2)}, [("*", L2)])]
    mixed = [*terms[:1], *fr.regularize({"w": np.ones(2)}, [("*", Fourth())])]
    out = {"w": np.full(2, 7.0)}
    for bad in (terms, mixed):
        for kwargs in ({}, {"out": out}, {"out": out, "accumulate": True}):
            with pytest.raises(ValueError, match=r"two variables .*named 'w'"):
                fr.value_and_gradients(bad, **kwargs)
    assert out["w"].tolist() == [7, 7]


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        ({}, KeyError, "out has no array for"),
        ({"v": np.zeros(2)}, KeyError, r"out has no array for \['w'\]; it has \['v'\]"),
        ({"v": np.zeros(2), "w": np.zeros(3)}, ValueError, "out of 'w' must have the shape"),
        ({"v": np.zeros(2), "w": np.zeros(2, np.float32)}, TypeError, "out of 'w' must have the dtype"),
        ({"v": np.zeros(2), "w": [0.0, 0.0]}, TypeError, "out of 'w' must be a numpy.ndarray"),
        ({"v": np.zeros(2), "w": np.broadcast_to(np.zeros(2), 2)}, ValueError, "out of 'w' is read-only"),
    ],
)
@pytest.mark.parametrize("regularizer", [L2, Fourth()], ids=["family", "own"])
def test_bad_out_is_refused_before_anything_is_written(out, error, message, regularizer):
    terms = fr.regularize({"v": np.ones(2), "w": np.ones(2)}, [("v", L2), ("*", regularizer)])
    with pytest.raises(error, match=message):
        fr.value_and_gradients(terms, out=out)
    assert all(not np.any(array) for array in out.values())


def test_one_array_cannot_receive_two_gradients():
    shared = np.zeros(2)
    terms = fr.regularize({"v": np.ones(2), "w": np.ones(2)}, [("*", L2)])
    with pytest.raises(ValueError, match="memory of its own"):
        fr.value_and_gradients(terms, out={"v": shared, "w": shared})
    own = fr.regularize({"v": np.ones(2), "w": np.ones(2)}, [("v", L2), ("w", Fourth())])
    with pytest.raises(ValueError, match="memory of its own"):
        fr.value_and_gradients(own, out={"v": shared, "w": shared})
    assert not shared.any()


@pytest.mark.parametrize(
    ("own", "error", "message"),
    [
        (np.sum, TypeError, "has no gradient"),
        (type("R", (), {"__call__": Fourth.__call__, "gradient": lambda self, w: w[:1]})(), ValueError,
         r"the regularizer of 'w' returned a gradient of shape \(1,\) for weights of shape \(2,\)"),
        (type("C", (), {"__call__": Fourth.__call__, "gradient": lambda self, w: 1j * w})(), TypeError, "same_kind"),
    ],
)  # fmt: skip
def test_a_users_regularizer_without_a_gradient(own, error, message):
    terms = fr.regularize({"v": np.ones(2), "w": np.ones(2)}, [("v", L2), ("w", own)])
    out = {"v": np.zeros(2), "w": np.zeros(2)}
    assert float(fr.add_n(terms)) == 0.5 + float(own(np.ones(2)))
    with pytest.raises(error, match=message):
        fr.value_and_gradients(terms, out=out)
    assert not out["v"].any()


def test_accumulate_needs_out():
    with pytest.raises(ValueError, match=r"^accumulate=True needs out"):
        fr.value_and_gradients([], accumulate=True)


@pytest.mark.parametrize("terms", ["x", None, [1.0], [np.ones(2)]])
def test_what_is_not_a_term_is_refused(terms):
    with pytest.raises(TypeError, match=r"^terms"):
        fr.value_and_gradients(terms)


def test_mixed_dtypes_sum_in_float64():
    params = {"a": np.full(3, 0.1, np.float32), "b": np.full(3, 0.1)}
    loss, grads = fr.value_and_gradients(fr.regularize(params, [("*", L2)]))
    assert loss == 0.25 * (3 * float(np.float32(0.1)) ** 2) + 0.25 * 3 * 0.1**2 or loss == pytest.approx(0.015, rel=1e-7)
    assert grads["a"].dtype == np.float32 and grads["b"].dtype == np.float64


def test_a_regularizer_with_a_false_truth_value_still_counts():
    class Quiet(Penalty):
        def __bool__(self):
            return False

    quiet = Quiet()
    quiet._set(0.0, 0.5)
    terms = fr.regularize({"w": np.array([3.0, -4.0])}, [("*", quiet)])
    assert float(fr.add_n(terms)) == 6.25
    total, grads = fr.value_and_gradients(terms)
    assert (total, grads["w"].tolist()) == (6.25, [1.5, -2.0])
