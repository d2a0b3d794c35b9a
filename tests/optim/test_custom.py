"""A user's own regularizer in a step, and a term that is taken off."""

import numpy as np
import pytest
from optimizers import L1, L2, PROXIMAL, VARIANTS, gradients, make, names, network, refused, slots_of
from own import FORMS, Fourth, Identity
from regularizers import dtypes
from twin.compare import assert_same
from twin.inputs import weights

import fastreg as fr


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


@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.5}], ids=["whole", "clipped"])
@pytest.mark.parametrize("form", FORMS)
@names(VARIANTS)
def test_folded_is_accumulated_first_bit_for_bit(name, form, options):
    folded, plain = network(), network()
    own, other_own = FORMS[form](), Fourth()
    compiled = [L2] if name in PROXIMAL else [L1, L2, fr.mcp_regularizer(0.3)]
    rules = [("a", own), ("b", fr.sum_regularizer([*compiled, own])), ("f", None), ("*", fr.sum_regularizer([own, *compiled]))]
    terms, same = (
        fr.regularize(arrays, rules) + fr.regularize(arrays, [("a", L2), ("c", other_own)]) for arrays in (folded, plain)
    )
    one, other = make(name, **options), make(name, **options)
    for step in range(2):
        total, given = gradients(plain, step), gradients(folded, step)
        expected, _ = fr.value_and_gradients(same, out=total, accumulate=True)
        other.apply_gradients({key: (total[key], w) for key, w in plain.items()})
        loss = one.apply_gradients({key: (given[key], w) for key, w in folded.items()}, regularization=terms)
        assert type(loss) is np.float64 and loss == expected
        assert_same(given, gradients(folded, step))
    assert_same(folded, plain)
    assert_same(slots_of(one), slots_of(other))


@pytest.mark.parametrize("form", FORMS)
def test_a_given_gradient_is_never_what_a_users_own_adds_to(form):
    w, given = np.array([1.0, -2.0]), np.array([5.0, 7.0])
    given.flags.writeable = False
    own = FORMS[form]()
    fr.optim.GradientDescent(1.0).apply_gradients({"w": (given, w)}, fr.regularize({"w": w}, [("w", own)]))
    assert w.tolist() == [1.0 - 9.0, -2.0 + 25.0]
    for private in getattr(own, "given", []):
        assert not np.shares_memory(private, given) and not np.shares_memory(private, w)


def test_a_gradient_may_be_the_weights_themselves():
    w, own = np.array([1.0, -2.0]), Identity()
    optimizer = fr.optim.GradientDescent(0.5)
    assert optimizer.apply_gradients({"w": (np.array([1.0, 1.0]), w)}, fr.regularize({"w": w}, [("w", own)])) == 2.5
    assert w.tolist() == [0.0, -1.5]


def test_an_overflow_that_numpy_is_told_to_raise_changes_nothing():
    arrays = {"v": np.ones(2, np.float32), "w": np.full(2, 1e13, np.float32)}
    terms = fr.regularize(arrays, [("v", L2), ("w", Fourth())])
    pairs = {key: (np.ones(2, np.float32), w) for key, w in arrays.items()}
    optimizer = make("Adam")
    optimizer.apply_gradients(pairs)
    with np.errstate(all="raise"), refused(optimizer, FloatingPointError, "overflow", *arrays.values()):
        optimizer.apply_gradients(pairs, terms)


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
