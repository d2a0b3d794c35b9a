"""A user's own regularizer in a step, and a term that is taken off."""

import numpy as np
from optimizers import L2, Fourth, make, refused
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
