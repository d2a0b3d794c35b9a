"""What a user is told who passes one thing for another: nothing has changed, and the message says what to pass."""

import copy
import pickle

import numpy as np
import pytest
from optimizers import make, refused

import fastreg as fr

L2 = fr.l2_regularizer(0.5)
FACTORIES = {
    "l1_regularizer(scale)": fr.l1_regularizer,
    "l2_regularizer(scale)": fr.l2_regularizer,
    "l1_l2_regularizer(scale_l1)": fr.l1_l2_regularizer,
    "mcp_regularizer(scale)": fr.mcp_regularizer,
    "log_sum_regularizer(scale)": fr.log_sum_regularizer,
    "huber_regularizer(scale)": fr.huber_regularizer,
    "sum_regularizer(regularizer_list)": fr.sum_regularizer,
}


@pytest.fixture(autouse=True)
def graph():
    with fr.Graph().as_default() as graph:
        yield graph


def collection(n=1):
    arrays = {f"w{i}": np.ones(4) for i in range(n)}
    return arrays, fr.regularize(arrays, [("*", L2)])


# ----------------------------------------------------------------------------------------------------------- collections
ITERATORS = {
    "generator": lambda x: (i for i in x),
    "filter": lambda x: filter(None, x),
    "iterator": iter,
    "map": lambda x: map(id, x),
}


@pytest.mark.parametrize("iterator", ITERATORS.values(), ids=ITERATORS)
def test_an_iterator_of_terms_is_refused_and_not_used_up(iterator):
    (w,), (given, terms) = [np.ones(4)], collection()
    message = r"terms must be a list of loss terms or a total, got .*; make a list of an iterator: list\(terms\)"
    bad, optimizer, out = iterator(terms), make("Adam"), {"w0": np.full(4, 9.0)}
    optimizer.apply_gradients({"w": (np.ones(4), w)})
    with refused(optimizer, TypeError, message, w, given["w0"]):
        optimizer.apply_gradients({"w": (np.ones(4), w), "w0": (np.ones(4), given["w0"])}, regularization=bad)
    with refused(optimizer, TypeError, message, out["w0"]):
        fr.value_and_gradients(bad, out=out)
    assert len(list(bad)) == 1


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize(
    "out", [[np.ones(4)], np.ones(4), (np.ones(4),), 0.5, {np.ones(4).tobytes()}], ids=lambda x: type(x).__name__
)
def test_out_of_a_collection_maps_names(out, accumulate):
    with pytest.raises(TypeError, match=r"out must map the variables' names to arrays, such as \{'w': array\}, got "):
        fr.value_and_gradients(collection()[1], out=out, accumulate=accumulate)


@pytest.mark.parametrize("out", [[1.0] * 4, {"w": np.ones(4)}, 0.5], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("regularizer", [L2, fr.sum_regularizer([L2, np.sum])], ids=["compiled", "own"])
def test_out_of_one_array_is_an_array(regularizer, out):
    for call in (regularizer.gradient, regularizer.value_and_gradient):
        with pytest.raises(TypeError, match=f"^out must be a numpy.ndarray, got {type(out).__name__}"):
            call(np.ones(4), out=out)
    with pytest.raises(TypeError, match=f"^out of 'w0' must be a numpy.ndarray, got {type(out).__name__}"):
        fr.value_and_gradients(collection()[1], out={"w0": out})


@pytest.mark.parametrize("rules", [L2, None, {"*": L2}, "*", 0.5], ids=lambda x: type(x).__name__)
def test_rules_are_a_list_of_pairs(rules):
    with pytest.raises(TypeError, match=r"^rules must be a list of pairs \(pattern, regularizer\), such as .*, not "):
        fr.regularize({"w": np.ones(4)}, rules)


# ------------------------------------------------------------------------------------------------------------- factories
@pytest.mark.parametrize(("call", "factory"), FACTORIES.items(), ids=FACTORIES)
def test_a_factory_is_no_regularizer(graph, call, factory):
    made = fr.get_variable("made", shape=(3,), regularizer=L2)
    term, before = made.regularizer, len(graph.get_collection(fr.GraphKeys.REGULARIZATION_LOSSES))
    for passes_it in (
        lambda: fr.regularize({"w": np.ones(4)}, [("*", factory)]),
        lambda: fr.get_variable("w", shape=(3,), regularizer=factory),
        lambda: fr.Variable(np.ones(3), name="x", regularizer=factory),
        lambda: setattr(made, "regularizer", factory),
        lambda: fr.apply_regularization(factory, [made]),
        lambda: fr.sum_regularizer([L2, factory]),
    ):
        with pytest.raises(TypeError) as caught:
            passes_it()
        name, _, argument = call[:-1].partition("(")
        assert str(caught.value) == f"{name} makes regularizers and is none itself; call it with a {argument}: {call}"
    assert made.regularizer is term and len(graph.get_collection(fr.GraphKeys.REGULARIZATION_LOSSES)) == before


# ---------------------------------------------------------------------------------------------------------------- dtypes
DTYPES = {
    "struct": np.zeros(4, [("a", "f4"), ("b", "f8")]),
    "struct of one": np.zeros(4, [("a", "f8")]),
    "object": np.array([1.0, None, 2.0, 3.0]),
    "datetime": np.zeros(4, "M8[D]"),
    "timedelta": np.zeros(4, "m8[s]"),
    "bool": np.ones(4, bool),
    "int": np.ones(4, int),
    "long": np.ones(4, np.longdouble),
    "complex": np.ones(4, complex),
    "text": np.array(list("abcd")),
    "bytes": np.array([b"a"] * 4),
    "void": np.zeros(4, "V8"),
}
if hasattr(np.dtypes, "StringDType"):  # NumPy 2
    DTYPES["string"] = np.array(list("abcd"), dtype=np.dtypes.StringDType())


@pytest.mark.parametrize("bad", DTYPES.values(), ids=DTYPES)
def test_arrays_of_another_dtype_are_refused(bad):
    w, optimizer, kind = np.ones(4), make("Adam"), "must be a float32 or float64 array, got dtype"
    optimizer.apply_gradients({"w": (np.ones(4), w)})
    for call in (L2, L2.gradient, L2.value_and_gradient, lambda x: L2.prox(x, 0.1), lambda x: L2.gradient(w, out=x)):
        with pytest.raises(TypeError, match=f"^(weights|out) {kind}"):
            call(bad)
    with pytest.raises(TypeError, match=f"^w {kind}"):
        fr.regularize({"w": bad}, [("w", L2)])
    for pair in ((bad, w), (np.ones(4), bad), ((bad, np.arange(4)), w)):
        with refused(optimizer, TypeError, f"'w' {kind}", w):
            optimizer.apply_gradients({"w": pair})
    with pytest.raises(TypeError, match=f"^out of 'w0' {kind}"):
        fr.value_and_gradients(collection()[1], out={"w0": bad})


# ---------------------------------------------------------------------------------------------------------------- copies
@pytest.mark.parametrize(
    "duplicate", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, copy.copy], ids=["pickle", "deep", "copy"]
)
def test_a_total_of_plain_arrays_can_be_copied(duplicate):
    arrays, terms = collection(2)
    total = fr.add_n([*terms, fr.add_n(terms), np.float64(2.0)], name="loss")
    twin = duplicate(total)
    assert (float(twin), twin.name, twin.dtype, repr(twin)) == (float(total), "loss:0", total.dtype, repr(total))
    assert float(total) == 6.0
    arrays["w0"][:] = 0.0
    shared = duplicate is copy.copy
    assert float(twin) == (4.0 if shared else 6.0)
    assert fr.value_and_gradients(duplicate(fr.add_n(terms)))[0] == 1.0
    total.terms.append(terms[0])
    assert len(twin.terms) == (5 if shared else 4)


def test_a_total_is_copied_with_the_list_that_holds_it():
    arrays, terms = collection()
    terms.append(fr.add_n(terms))
    copied, again = pickle.loads(pickle.dumps((arrays, terms)))
    copied["w0"][:] = 2.0
    assert [float(term) for term in again] == [4.0, 4.0] and float(terms[1]) == 1.0


def test_a_name_that_was_kept_by_a_copy_is_not_given_again():
    _, terms = collection()
    total = fr.add_n(terms)
    assert pickle.loads(pickle.dumps(total)).name == "AddN:0"
    assert fr.add_n(terms).name == "AddN_1:0"


# --------------------------------------------------------------------------------------------------------------- numbers
def test_truth_values_are_no_numbers():
    for call in (lambda: fr.mcp_regularizer(0.5, gamma=True), lambda: setattr(fr.mcp_regularizer(0.5), "gamma", True)):
        with pytest.raises(TypeError, match="gamma must be a real number, got True of type bool"):
            call()
    with pytest.raises(TypeError, match="step must be a number, got True"):
        L2.prox(np.ones(3), True)


@pytest.mark.parametrize("name", ["ProximalAdagrad", "Ftrl"])
def test_a_refused_prox_names_the_class_that_was_called(name):
    w, optimizer = np.ones(3), make(name)
    terms = fr.regularize({"w": w}, [("w", fr.group_lasso_regularizer(0.5, 0))])
    with refused(optimizer, ValueError, f"the step of {name} has no closed form", w):
        optimizer.apply_gradients({"w": (np.ones(3), w)}, terms)

    Mine = type("Mine", (type(optimizer),), {})
    with refused(Mine(0.1), ValueError, "the step of Mine has no closed form", w):
        Mine(0.1).apply_gradients({"w": (np.ones(3), w)}, terms)


def test_a_prox_may_be_an_object_without_a_hash():
    class Shrink:
        __hash__ = None

        def __call__(self, w, step, out=None):
            out[...] = 0.5 * w
            return out

    class Own:
        prox = Shrink()

        def __call__(self, w):
            return 0.0

    w = np.ones(3)
    optimizer = fr.optim.ProximalGradientDescent(0.5)
    optimizer.apply_gradients({"w": (np.ones(3), w)}, fr.regularize({"w": w}, [("w", Own())]))
    assert w.tolist() == [0.25] * 3


# -------------------------------------------------------------------------------------------------------- what fuzzing found
def test_a_step_is_not_made_before_its_flags_are_looked_at():
    w, optimizer = np.ones(3), make("Momentum")
    for flag in ("per_term", "zero_gradients"):
        with refused(optimizer, TypeError, f"{flag} must be True or False, got array", w):
            optimizer.apply_gradients({"w": (np.ones(3), w)}, **{flag: np.ones(3)})


def test_weights_that_are_refused_leave_no_name_in_the_graph(graph):
    for _ in range(2):
        with pytest.raises(TypeError, match=r"weights_list\[0\] must be a numpy.ndarray"):
            fr.apply_regularization(lambda w: 1.0, [0.5])
    assert fr.apply_regularization(L2, [np.ones(3)]).op_name == "get_regularization_penalty"


@pytest.mark.parametrize("bad", ["(", "[", "*"])
def test_a_scope_is_a_regular_expression(graph, bad):
    with pytest.raises(ValueError, match="scope must be a regular expression, got "):
        fr.get_collection("variables", bad)


@pytest.mark.parametrize("value", [0.5, np.ones((2, 3)), [1.0, 2.0]])
def test_a_value_that_is_cut_into_parts_has_the_shape_that_is_asked_for(graph, value):
    with pytest.raises(ValueError, match=r"initializer has the shape .*, and the shape of w is \(4, 3\)"):
        fr.get_variable("w", (4, 3), initializer=value, partitioner=fr.fixed_size_partitioner(2))
    assert graph.variables == {} and not graph.get_all_collection_keys()


def test_a_sum_with_an_own_part_takes_the_out_that_the_others_take():
    own = fr.sum_regularizer([L2, fr.linf_regularizer(0.5)])
    out = fr.Variable(np.zeros(3), name="out")
    assert own.gradient(np.ones(3), out=out) is out
    assert out.value.tolist() == own.gradient(np.ones(3)).tolist()
