"""Bad steps, terms and hyperparameters change nothing."""

import inspect
import re

import numpy as np
import pytest
from optimizers import L2, make, names, read_only, refused
from regularizers import dtypes
from twin.inputs import weights

import fastreg as fr

ONES = np.ones(4)


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
    for other in (v.copy(), v.reshape(2, 1), np.ones(3)):
        with refused(
            optimizer,
            ValueError,
            r"^term 'v/Regularizer/l2_regularizer:0' is over an array that is not updated here: the 'v' that is updated is "
            r"another array, in other memory or of another shape; make the terms anew over the arrays that are updated$",
            v,
        ):
            optimizer.apply_gradients({"v": (np.ones(2), v)}, fr.regularize({"v": other}, [("v", L2)]))
    for part in (v[:1], v[1:], v.reshape(2, 1)):
        with refused(optimizer, ValueError, "'part/.*' is over another view of the memory of variable 'v', which is updated", v):
            optimizer.apply_gradients({"v": (np.ones(2), v)}, fr.regularize({"part": part}, [("part", L2)]))
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
        (
            lambda: fr.optim.GradientDescent(0.1, momentum=0.9),
            TypeError,
            "GradientDescent has no argument 'momentum'; it takes learning_rate, clip",
        ),
        (lambda: fr.optim.Momentum(0.1, np.inf), ValueError, "momentum must be finite, got inf"),
        (lambda: fr.optim.Adam(beta1=1.0), ValueError, "beta1 must be finite and at least 0 and below 1, got 1.0"),
        (lambda: fr.optim.Adam(beta2=-0.5), ValueError, "beta2 must be finite and at least 0 and below 1, got -0.5"),
        (lambda: fr.optim.Adam(epsilon=-1e-8), ValueError, "epsilon must be finite and at least 0"),
        (lambda: fr.optim.AdamW(weight_decay=-0.1), ValueError, "weight_decay must be finite and at least 0"),
        (
            lambda: fr.optim.AdamW(weight_decay=None),
            TypeError,
            "weight_decay must be a number, a function of the step or a list of rules, got None",
        ),
        (lambda: fr.optim.AdamW(weight_decay="0.1"), TypeError, "weight_decay must be a number, got '0.1'"),
        (lambda: fr.optim.AdamW(weight_decay=[("*", 0.1, 2)]), TypeError, "rule 0 of weight_decay must be a pair"),
        (lambda: fr.optim.AdamW(weight_decay=["ab"]), TypeError, "rule 0 of weight_decay must be a pair"),
        (lambda: fr.optim.AdamW(weight_decay=[("*", "0.1")]), TypeError, "weight_decay must be a number, got '0.1'"),
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


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: fr.optim.Adam(lr=0.1), "Adam has no argument 'lr'; did you mean learning_rate=?"),
        (lambda: fr.optim.Momentum(lr=0.1, momentum=0.9), "Momentum has no argument 'lr'; did you mean learning_rate=?"),
        (lambda: fr.optim.Adam(betas=(0.9, 0.99)), "Adam has no argument 'betas'; did you mean beta1= and beta2=?"),
        (lambda: fr.optim.AdamW(weight_decay=0.1, beta_1=0.9), "AdamW has no argument 'beta_1'; did you mean beta1=?"),
        (lambda: fr.optim.RMSProp(0.1, eps=1e-8), "RMSProp has no argument 'eps'; did you mean epsilon=?"),
        (lambda: fr.optim.RMSProp(0.1, rho=0.9), "RMSProp has no argument 'rho'; did you mean decay=?"),
        (lambda: fr.optim.RMSProp(0.1, alpha=0.9), "RMSProp has no argument 'alpha'; did you mean decay=?"),
        (lambda: fr.optim.Momentum(0.1, 0.9, nesterov=True), "Momentum has no argument 'nesterov'; did you mean use_nesterov=?"),
        (lambda: fr.optim.Ftrl(0.1, clipnorm=1.0), "Ftrl has no argument 'clipnorm'; did you mean clip_norm=?"),
        (lambda: fr.optim.Adam(weight_decay=0.1), "Adam has no argument 'weight_decay'; for torch's, which is an L2 penalty"),
        (
            lambda: fr.optim.Adagrad(0.1, rho=0.9),
            "Adagrad has no argument 'rho'; it takes learning_rate, initial_accu",
        ),
        (lambda: fr.optim.Adam(learnig_rate=0.1), "Adam has no argument 'learnig_rate'; did you mean learning_rate=?"),
        (lambda: fr.optim.AdamW(weight_decy=0.1), "AdamW has no argument 'weight_decy'; did you mean weight_decay=?"),
        (lambda: fr.optim.Momentum(0.1, 0.9, clip_nrm=1.0), "Momentum has no argument 'clip_nrm'; did you mean clip_norm=?"),
        (
            lambda: fr.optim.AdamW(1e-3),
            "AdamW takes its arguments by name: AdamW(weight_decay=..., learning_rate=..., beta1=..., beta2=..., epsilon=..., ",
        ),
        (lambda: fr.optim.MomentumW(0.1, 0.1, 0.9), "MomentumW takes its arguments by name: MomentumW(weight_decay=..., learn"),
        (lambda: fr.optim.AdamW(learning_rate=1e-3), "missing 1 required keyword-only argument: 'weight_decay'"),
    ],
)
def test_other_libraries_arguments_are_answered_by_the_names_here(build, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        build()


def test_a_rule_of_ones_own_may_take_what_it_likes():
    class Own(fr.optim.DecoupledWeightDecay, fr.optim.Adam):
        def __init__(self, lr):
            super().__init__(weight_decay=0.5, learning_rate=lr)

    for made in (Own(0.25), Own(lr=0.25)):
        assert (made.learning_rate, made.weight_decay) == (0.25, 0.5)
    assert list(inspect.signature(Own).parameters) == ["lr"]
    assert list(inspect.signature(fr.optim.Momentum).parameters) == ["learning_rate", "momentum", "use_nesterov", "options"]


def test_ftrl_needs_a_rate():
    w = np.ones(2)
    optimizer = fr.optim.Ftrl(lambda step: 0.0)
    with refused(optimizer, ValueError, "learning_rate of Ftrl must be above 0, got 0", w):
        optimizer.apply_gradients({"w": (np.ones(2), w)})


def test_a_rule_says_what_it_is():
    assert repr(fr.optim.Adam(0.5)) == "Adam(learning_rate=0.5, beta1=0.9, beta2=0.999, epsilon=1e-08, iterations=0)"
    decayed = fr.optim.MomentumW(weight_decay=[("*", 0.1)], learning_rate=0.5, momentum=0.9, clip_norm=2.0)
    assert repr(decayed) == (
        "MomentumW(learning_rate=0.5, momentum=0.9, use_nesterov=False, weight_decay=[('*', 0.1)], cautious=False, "
        "clip_norm=2.0, iterations=0)"
    )
    assert "centered=True, check_finite=True" in repr(fr.optim.RMSProp(0.5, centered=True, check_finite=True))
