"""A step in parts gives what the whole step gives, and the norms that it is clipped by are those of the whole step."""

import copy
import logging
import math
import pickle
import threading
from fractions import Fraction

import numpy as np
import pytest
from optimizers import BOTH, L2, VARIANTS, gradients, make, names, network, refused, slots_of
from own import Fourth, GroupLasso
from twin.compare import assert_same
from twin.exact import exact_sums
from twin.inputs import weights

import fastreg as fr
from fastreg.kernels import BFLOAT16

CUTS = {"one part": ["abcdefg"], "two parts": ["gca", "bfde"], "each alone": list("abcdefg")}


def halving(step):
    return 0.25 / 2**step


class Training:
    """A network whose terms, rows and constraints a step may be given for all variables or for some."""

    def __init__(self, name, rules=(("[acg]", BOTH), ("[be]", L2)), constraints=None, **options):
        self.optimizer = make(name, **{"learning_rate": halving} | options)
        self.arrays = network()
        self.terms = fr.regularize(self.arrays, rules)
        self.constraints = constraints and fr.constrain(self.arrays, constraints)

    def pairs(self, part="abcdefg"):
        given = gradients(self.arrays, self.optimizer.iterations)
        rows = np.array([30, 2, 9, 2])
        given["c"] = np.full((4, 7), 0.5, given["c"].dtype) * given["c"][:4], rows
        return {key: (given[key], self.arrays[key]) for key in part}

    def apply(self, part="abcdefg", **options):
        return self.optimizer.apply_gradients(self.pairs(part), self.terms, constraints=self.constraints, **options)

    def measure(self, part="abcdefg"):
        return self.optimizer.measure(self.pairs(part), self.terms)

    def state(self):
        return self.arrays | slots_of(self.optimizer)


def compare(make_training, cut, steps=3):
    """Take whole steps, and the same in parts."""
    whole, streamed = make_training(), make_training()
    for _ in range(steps):
        norm = streamed.measure()
        assert type(norm) is np.float64
        loss = whole.apply()
        with streamed.optimizer.step(norm=norm):
            before = streamed.optimizer.iterations
            losses = [streamed.apply(part) for part in CUTS[cut]]
            assert streamed.optimizer.iterations == before
        assert streamed.optimizer.iterations == whole.optimizer.iterations == before + 1
        assert_same(streamed.state(), whole.state())
        assert math.isclose(math.fsum(losses), loss, rel_tol=1e-14)
        assert loss != 0 or before > 0  # a proximal rule may have made all weights 0


# -------------------------------------------------------------------------------------------------------- the whole step
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("clip_norm", [None, 0.5, 1e6])
@names(VARIANTS)
def test_a_step_in_parts_is_the_whole_step(name, clip_norm, cut):
    compare(lambda: Training(name, clip_norm=clip_norm), cut)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize(
    ("rules", "constraints"),
    [
        ([("[acg]", fr.group_lasso_regularizer(0.25, -1)), ("*", L2)], None),
        ([("[acg]", fr.mcp_regularizer(0.5)), ("*", BOTH)], [("[cg]", fr.constraints.max_norm(0.5)), ("*", None)]),
        ([("[abg]", Fourth()), ("*", L2)], [("[abg]", fr.constraints.non_neg()), ("e", fr.constraints.simplex(1.0))]),
        ([("[bg]", fr.sum_regularizer([Fourth(), L2])), ("*", L2)], [("g", np.abs)]),
    ],
    ids=["groups", "mcp and norms", "own", "own and a function"],
)
def test_penalties_and_constraints_come_along(rules, constraints, clip_norm, cut):
    compare(lambda: Training("Adam", rules, constraints, clip_norm=clip_norm, check_finite=True), cut)


PROXES = {"MCP": fr.mcp_regularizer(0.5), "own": GroupLasso(0.5), "groups": fr.group_lasso_regularizer(0.25, -1)}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("penalty", PROXES.values(), ids=PROXES)
def test_a_step_that_ends_in_a_prox(penalty, cut):
    strengths = {f"l{i}_regularization_strength": 0.0 for i in (1, 2)}
    rules = [("g", penalty), ("*", L2)]
    compare(lambda: Training("ProximalGradientDescent", rules, clip_norm=0.5, **strengths), cut)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_gradients_and_copies_of_16_bits_averages_and_scales_come_along(clip_norm, cut):
    """Both kinds of 16 bits, gradients that are cleared, an average, and a rounding that knows the step and the name."""
    made = []
    for _ in range(2):
        arrays = {key: w.astype(np.float32) for key, w in network().items()}
        copies = {key: np.zeros_like(w, np.uint16).view(np.float16 if key in "ace" else BFLOAT16) for key, w in arrays.items()}
        terms = fr.regularize(arrays, [("[acg]", BOTH), ("*", L2)])
        made.append((make("AdamW", clip_norm=clip_norm, average=0.75, learning_rate=halving), arrays, copies, terms))

    def take(part, optimizer, arrays, copies, terms, given):
        options = {"gradient_scale": 0.125, "zero_gradients": True, "rounding": fr.optim.StochasticRounding(7)}
        pairs = {key: (given[key], arrays[key]) for key in part}
        optimizer.apply_gradients(pairs, terms, copies={key: copies[key] for key in part}, **options)

    whole, streamed = made
    for step in range(3):
        given, again = ({key: g.astype(np.float16) for key, g in gradients(whole[1], step).items()} for _ in range(2))
        optimizer, arrays, _, terms = streamed
        norm = optimizer.measure({key: (again[key], w) for key, w in arrays.items()}, terms, gradient_scale=0.125)
        take("abcdefg", *whole, given)
        with optimizer.step(norm=norm):
            for part in CUTS[cut]:
                take(part, *streamed, again)
        assert not any(g.any() for g in (*given.values(), *again.values()))
        assert_same(arrays | slots_of(optimizer), whole[1] | slots_of(whole[0]))
        for found, expected in zip(streamed[2].values(), whole[2].values(), strict=True):
            assert found.tobytes() == expected.tobytes()
            assert expected.size == 0 or any(expected.tobytes())


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=["float16", "bfloat16"])
def test_weights_of_16_bits_come_along(dtype):
    made = []
    for _ in range(2):
        arrays = {key: weights((40, i), np.float32, i) for i, key in enumerate("uvw", 1)}
        arrays |= {key: (arrays[key].view(np.uint32) >> 16).astype(np.uint16).view(dtype) for key in "uv"}
        terms = fr.regularize(arrays, [("*", L2)])
        made.append((make("Adam", clip_norm=0.5, average=0.75), arrays, terms))
    (whole, expected, terms), (streamed, found, own) = made
    for _ in range(3):
        given = {key: w.copy() for key, w in expected.items()}
        norm = streamed.measure({key: (given[key], w) for key, w in found.items()}, own)
        loss = whole.apply_gradients({key: (given[key], w) for key, w in expected.items()}, terms)
        with streamed.step(norm=norm):
            losses = [streamed.apply_gradients({key: (given[key], w)}, own) for key, w in found.items()]
        assert math.fsum(losses) == pytest.approx(loss, rel=1e-14) and loss > 0
        assert {key: w.tobytes() for key, w in found.items()} == {key: w.tobytes() for key, w in expected.items()}
        assert_same(slots_of(streamed), slots_of(whole))


def test_a_norm_scales_the_gradient_alone():
    w = np.array([8.0, 0.0], np.float32)
    terms, g = fr.regularize({"w": w}, [("w", L2)]), np.array([0.0, 24.0], np.float16)
    assert make("Adam").measure({"w": (g, w)}, terms, gradient_scale=0.125) == 5.0
    with pytest.raises(ValueError, match="gradient_scale must be above 0, got 0"):
        make("Adam").measure({"w": (g, w)}, gradient_scale=0)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_show(num_threads, threads):
    num_threads(threads)
    w, whole, optimizers = weights((200_000,), np.float32), weights((200_000,), np.float32), [make("Adam", clip_norm=0.5)] * 2
    optimizers = [copy.deepcopy(optimizer) for optimizer in optimizers]
    g = weights(w.shape, w.dtype, 1)
    optimizers[0].apply_gradients({"w": (g, whole)})
    with optimizers[1].step(norm=optimizers[1].measure({"w": (g, w)})):
        optimizers[1].apply_gradients({"w": (g, w)})
    assert_same(w, whole)


@pytest.mark.parametrize("cut", CUTS)
def test_each_terms_value_is_given_once(cut):
    whole, streamed = Training("Adam"), Training("Adam")
    _, values = whole.apply(per_term=True)
    found = {}
    with streamed.optimizer.step():
        for part in CUTS[cut]:
            loss, own = streamed.apply(part, per_term=True)
            assert not found.keys() & own.keys()
            assert math.isclose(loss, math.fsum(own.values()), rel_tol=1e-14)
            found |= own
    assert found == values


def test_a_totals_constant_is_counted_by_the_first_part_that_steps():
    arrays = {key: np.ones(4) for key in "uvw"}
    total = 100.0 + fr.add_n(fr.regularize(arrays, [("*", L2)]))
    optimizer = fr.optim.GradientDescent(0.5)
    with optimizer.step():
        with pytest.raises(ValueError, match="shape"):
            optimizer.apply_gradients({"u": (np.ones(3), arrays["u"])}, total)
        losses = [optimizer.apply_gradients({key: (np.ones(4), w)}, total) for key, w in arrays.items()]
    assert losses == [101.0, 1.0, 1.0]


def test_a_term_of_another_part_is_not_asked():
    class Counted(Fourth):
        asked = 0

        def __call__(self, w):
            Counted.asked += 1
            return super().__call__(w)

    arrays = {key: np.ones(4) for key in "uvw"}
    terms = fr.regularize(arrays, [("*", Counted())])
    optimizer, Counted.asked = fr.optim.GradientDescent(0.5), 0  # making terms asks for values, too
    with optimizer.step():
        losses = [optimizer.apply_gradients({key: (np.ones(4), w)}, terms) for key, w in arrays.items()]
    assert losses == [4.0] * 3 and Counted.asked == 3
    over_another = fr.regularize({"u": np.ones(4)}, [("u", L2)])
    with optimizer.step(), pytest.raises(ValueError, match="is over an array that is not updated here"):
        optimizer.apply_gradients({"u": (np.ones(4), arrays["u"])}, over_another)


def test_arrays_without_names_are_known_again():
    v, w = np.ones(3), np.ones(2)
    optimizer = make("Momentum nesterov")
    optimizer.apply_gradients([(np.ones(3), v), (np.ones(2), w)])
    with optimizer.step():
        optimizer.apply_gradients([(np.ones(2), w)])
        with pytest.raises(ValueError, match="variable 'variable_1' was stepped by an earlier part of this step"):
            optimizer.apply_gradients([(np.ones(2), w)])
        optimizer.apply_gradients([(np.ones(3), v)])
    assert optimizer.iterations == 2
    assert sorted(slots_of(optimizer)) == ["variable_0/momentum", "variable_1/momentum"]


# -------------------------------------------------------------------------------------------------------------- the norm
@names(VARIANTS)
def test_the_norm_is_that_of_the_gradient_with_the_penalties_folded_in(name):
    training = Training(name)
    proximal = isinstance(training.optimizer, fr.optim.ProximalGradientDescent | fr.optim.ProximalAdagrad | fr.optim.Ftrl)
    given = gradients(training.arrays, 1)
    found = training.optimizer.measure({key: (given[key], w) for key, w in training.arrays.items()}, training.terms)
    rules = [("[acg]", fr.l2_regularizer(0.5)), ("*", None)] if proximal else [("[acg]", BOTH), ("*", None)]
    folded = {key: given[key].copy(order="K") for key in given}
    fr.value_and_gradients(fr.regularize(training.arrays, rules), out={key: folded[key] for key in "acg"}, accumulate=True)
    fr.value_and_gradients(fr.regularize(training.arrays, [("[be]", L2)]), out={k: folded[k] for k in "be"}, accumulate=True)
    squares = sum(exact_sums(g)[1] for g in folded.values())
    assert found == pytest.approx(math.sqrt(squares), rel=1e-15)
    parts = [training.optimizer.measure({key: (given[key], training.arrays[key])}, training.terms) for key in given]
    assert math.hypot(*parts) == pytest.approx(found, rel=1e-15)


@names(VARIANTS)
def test_measuring_changes_nothing(name):
    training = Training(name, clip_norm=0.5)
    training.measure()
    assert sorted(training.optimizer.state_dict()) == ["iterations", "rule"]
    training.apply()
    placed = dict(training.optimizer._state.placed)
    before = {key: x.tobytes() for key, x in training.state().items()}
    given = training.pairs()
    kept = {key: (g[0] if isinstance(g, tuple) else g).tobytes() for key, (g, _) in given.items()}
    training.optimizer.measure(given, training.terms)
    training.optimizer.measure([(np.ones(3), np.ones(3))])
    assert before == {key: x.tobytes() for key, x in training.state().items()}
    assert kept == {key: (g[0] if isinstance(g, tuple) else g).tobytes() for key, (g, _) in given.items()}
    assert training.optimizer.iterations == 1 and training.optimizer._state.placed == placed


@pytest.mark.parametrize(
    ("exponent", "clip_norm"),
    [(e, limit) for e in (-1000, -700, -480, 0) for limit in (1e-320, 1e-300, 1e-3)]
    + [(e, limit) for e in (0, 505, 515, 600, 900, 1010) for limit in (1e-3, 1e150, 1e307)]
    + [(515, 1e-160), (1010, 1e-17)],  # the factor is subnormal
)
def test_norms_whose_squares_overflow_or_vanish(exponent, clip_norm):
    given = {
        "v": np.ldexp(weights((5000,), np.float64, 1), exponent),
        "w": np.ldexp(weights((9, 9), np.float64, 2), exponent - 3),
    }
    whole, parts = ({key: np.zeros_like(g) for key, g in given.items()} for _ in range(2))
    optimizer = fr.optim.GradientDescent(1.0, clip_norm=clip_norm, check_finite=True)
    norm = optimizer.measure({key: (g, whole[key]) for key, g in given.items()})
    exact = math.isqrt(int(sum(exact_sums(g)[1] for g in given.values()) * 4**2400))
    assert abs(Fraction(float(norm)) / Fraction(exact, 2**2400) - 1) < 2**-51
    optimizer.apply_gradients({key: (g, whole[key]) for key, g in given.items()})
    with optimizer.step(norm=norm):
        for key, g in given.items():
            optimizer.apply_gradients({key: (g, parts[key])})
    assert_same(parts, whole)
    assert any((w != 0).any() for w in whole.values())


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1.7e308])
def test_a_norm_that_is_no_number_is_returned_and_refused_by_check_finite(value):
    w, g = np.zeros(4), np.full(4, value)
    optimizer = make("Adam", check_finite=True, clip_norm=1.0)
    norm = optimizer.measure({"w": (g, w)})
    assert not np.isfinite(norm)
    for given in (norm, math.inf, np.float32(np.nan)):
        with refused(optimizer, ValueError, "the norm of the total gradient is not finite: .*; nothing was updated", w):
            optimizer.step(norm=given)
    optimizer.check_finite = False
    plain = w.copy()
    with optimizer.step(norm=norm):
        optimizer.apply_gradients({"w": (g, w)})
    if value != 1.7e308:
        make("Adam", clip_norm=1.0).apply_gradients({"w": (g, plain)})
        assert_same(w, plain)


def test_without_a_norm_each_part_is_checked_by_itself():
    v, w = np.zeros(2), np.zeros(2)
    optimizer = fr.optim.GradientDescent(1.0, check_finite=True)
    with optimizer.step():
        optimizer.apply_gradients({"v": (np.ones(2), v)})
        with pytest.raises(ValueError, match="gradient of 'w' is not finite; nothing was updated"):
            optimizer.apply_gradients({"w": (np.array([1.0, np.nan]), w)})
    assert v.tolist() == [-1.0, -1.0] and w.tolist() == [0.0, 0.0] and optimizer.iterations == 1


def test_a_norm_without_a_limit_changes_no_bits():
    whole, streamed = Training("Adam"), Training("Adam")
    whole.apply()
    with streamed.optimizer.step(norm=1e30):
        streamed.apply()
    assert_same(streamed.state(), whole.state())


def test_one_limit_holds_for_all_parts():
    v, w = np.zeros(2), np.zeros(2)
    optimizer = fr.optim.GradientDescent(1.0, clip_norm=1.0)
    with optimizer.step(norm=4):
        optimizer.apply_gradients({"v": (np.ones(2), v)})
        optimizer.clip_norm = None
        optimizer.apply_gradients({"w": (np.ones(2), w)})
    assert v.tolist() == w.tolist() == [-0.25, -0.25]


def test_a_norm_that_would_freeze_a_part_is_refused():
    w = np.zeros(2, np.float32)
    optimizer = fr.optim.GradientDescent(1.0, clip_norm=1e-9)
    with optimizer.step(norm=2e38), pytest.raises(ValueError, match=r"clip_norm is 1e-09, so far below the norm .* dtype of 'w'"):
        optimizer.apply_gradients({"w": (np.full(2, 2e38, np.float32), w)})
    assert w.tolist() == [0, 0] and optimizer.iterations == 0


# ---------------------------------------------------------------------------------------------------------- rules by name
@pytest.mark.parametrize("cut", CUTS)
def test_rules_by_name_are_tried_on_each_part(cut):
    rates = [("a", 0.5), ("[bcd]", halving), ("*", 0.125)]
    decays = [("[ab]", None), ("c", 0.25), ("[d-g]", lambda step: 0.125 * step)]
    compare(lambda: Training("AdamW", learning_rate=rates, weight_decay=decays, clip_norm=0.5), cut)


def test_a_pattern_without_a_name_is_said_once(caplog):
    arrays = {"body": np.ones(2), "head": np.ones(2)}
    optimizer = fr.optim.GradientDescent([("body", 0.5), ("haed", 0.25), ("*", 0.125)])

    def step():
        with optimizer.step():
            for name, w in arrays.items():
                optimizer.apply_gradients({name: (np.ones(2), w)})

    with caplog.at_level(logging.WARNING, "fastreg"):
        step()
        assert [r.getMessage() for r in caplog.records] == [
            "learning_rate: the patterns ['haed'] match none of the names of the step's parts"
        ]
        step()
        assert len(caplog.records) == 1
    with pytest.raises(ValueError, match="'haed' matches none of the names"):
        optimizer.apply_gradients({name: (np.ones(2), w) for name, w in arrays.items()})
    optimizer.learning_rate = [("body", 0.5)]
    with optimizer.step(), pytest.raises(ValueError, match="no rule of learning_rate matches 'head'"):
        optimizer.apply_gradients({"head": (np.ones(2), arrays["head"])})


def test_all_parts_are_at_the_same_step():
    seen = []
    optimizer = fr.optim.GradientDescent(lambda step: seen.append(step) or 0.5)
    for _ in range(3):
        with optimizer.step():
            for name in "abc":
                optimizer.apply_gradients({name: (np.ones(2), np.ones(2))})
    assert seen == [0, 0, 0, 1, 1, 1, 2, 2, 2]


# ----------------------------------------------------------------------------------------------------- errors in the block
def test_a_block_without_a_part_is_no_step():
    optimizer = fr.optim.GradientDescent(0.5)
    with optimizer.step():
        pass
    with pytest.raises(KeyError), optimizer.step():
        raise KeyError
    assert optimizer.iterations == 0
    optimizer.apply_gradients({"w": (np.ones(2), np.ones(2))})
    assert optimizer.iterations == 1


@pytest.mark.parametrize("parts", [1, 2])
def test_an_error_that_leaves_the_block_leaves_the_parts_before_it(parts):
    whole, streamed = Training("Adam"), Training("Adam")
    expected = {key: x.copy(order="K") for key, x in whole.arrays.items()}
    whole.apply()
    with pytest.raises(KeyError), streamed.optimizer.step():
        for part in "ab"[:parts]:
            streamed.apply(part)
        raise KeyError
    assert streamed.optimizer.iterations == 1
    for key in "ab"[:parts]:
        expected[key] = whole.arrays[key]
    assert_same(streamed.arrays, expected)
    streamed.apply()
    assert streamed.optimizer.iterations == 2


@names(["Adam", "Ftrl strengths"])
def test_a_part_that_was_refused_can_be_tried_again(name):
    whole, streamed = Training(name), Training(name)
    whole.apply()
    with streamed.optimizer.step():
        streamed.apply("ab")
        before = {key: x.tobytes() for key, x in streamed.arrays.items()}
        bad = streamed.pairs("cdg") | {"f": (np.ones(3), streamed.arrays["f"])}
        with pytest.raises((TypeError, ValueError), match="gradient of 'f'"):
            streamed.optimizer.apply_gradients(bad, streamed.terms)
        assert before == {key: x.tobytes() for key, x in streamed.arrays.items()}
        streamed.apply("cdefg")
    assert_same(streamed.state(), whole.state())


def test_a_variable_is_stepped_once():
    v, w = np.zeros(2), np.zeros(2)
    optimizer = make("Adam")
    with optimizer.step():
        optimizer.apply_gradients({"v": (np.ones(2), v)})
        before = v.tobytes()
        for again in ({"w": (np.ones(2), w), "v": (np.ones(2), v)}, {"v:0": (np.ones(2), v)}, {"v": (np.ones(2), w)}):
            with pytest.raises(ValueError, match="variable 'v' was stepped by an earlier part of this step"):
                optimizer.apply_gradients(again)
        assert v.tobytes() == before and w.tolist() == [0.0, 0.0]
        optimizer.apply_gradients({"v": (None, v), "w": (np.ones(2), w)})
    assert (w != 0).all() and optimizer.iterations == 1
    with optimizer.step():
        optimizer.apply_gradients({"v": (np.ones(2), v)})


@pytest.mark.parametrize("norm", ["1", 1j, True, np.array([1.0]), [1.0]], ids=repr)
def test_a_norm_is_a_number(norm):
    with pytest.raises(TypeError, match=r"^norm must be a number, got "):
        fr.optim.GradientDescent(0.5).step(norm)


def test_a_norm_that_is_missing_or_negative():
    with pytest.raises(ValueError, match=r"^clip_norm is set, so step needs the norm of the total gradient of all parts"):
        fr.optim.GradientDescent(0.5, clip_norm=1.0).step()
    with pytest.raises(ValueError, match=r"^norm must be at least 0, got -1.0$"):
        fr.optim.GradientDescent(0.5, clip_norm=1.0).step(-1.0)


def test_what_has_no_place_in_a_block():
    w = np.ones(2)
    optimizer, other = make("Adam"), make("Adam")
    optimizer.apply_gradients({"w": (np.ones(2), w)})
    state, saved = optimizer.state_dict(), fr.optim.save(optimizer, {"w": w})
    with optimizer.step():
        for call, message in (
            (lambda: optimizer.step().__enter__(), "steps of one optimizer do not nest"),
            (optimizer.state_dict, "the state cannot be saved within a step in parts"),
            (lambda: fr.optim.save(optimizer, {"w": w}), "the state cannot be saved within a step in parts"),
            (lambda: optimizer.load_state_dict(state), "the state cannot be loaded within a step in parts"),
            (lambda: fr.optim.restore(saved, optimizer, {"w": w}), "the state cannot be restored within a step in parts"),
            (lambda: setattr(optimizer, "iterations", 5), "iterations cannot be set within a step in parts"),
        ):
            with pytest.raises(RuntimeError, match=message):
                call()
        with other.step():
            other.apply_gradients({"w": (np.ones(2), w)})
        optimizer.apply_gradients({"w": (np.ones(2), w)})
    assert (optimizer.iterations, other.iterations) == (2, 1)
    for take in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        with optimizer.step():
            optimizer.apply_gradients({"w": (np.ones(2), w)})
            copied = take(optimizer)
        copied.apply_gradients({"w": (np.ones(2), w)})
        assert copied.iterations == optimizer.iterations


def test_another_thread_has_no_part_in_it():
    w, raised = np.ones(2), []
    optimizer = fr.optim.GradientDescent(0.5)

    def apply():
        try:
            optimizer.apply_gradients({"w": (np.ones(2), w)})
        except RuntimeError as error:
            raised.append(str(error))

    with optimizer.step():
        thread = threading.Thread(target=apply)
        thread.start()
        thread.join()
    assert raised == ["a step in parts is under way, and another thread has begun it; its parts belong to that thread"]
    assert w.tolist() == [1.0, 1.0] and optimizer.iterations == 0


def test_gradients_and_weights_may_stand_in_one_buffer_after_the_other():
    """As where weights are read from a file part by part: the memory is that of another variable, the name decides."""
    buffer, gradient = np.empty(3), np.empty(3)
    optimizer = make("Momentum nesterov")
    stored = {"u": np.full(3, 1.0), "v": np.full(3, 2.0)}
    whole = {key: x.copy() for key, x in stored.items()}
    make("Momentum nesterov").apply_gradients({key: (np.full(3, 0.5), x) for key, x in whole.items()})
    with optimizer.step():
        for key, x in stored.items():
            buffer[...], gradient[...] = x, 0.5
            optimizer.apply_gradients({key: (gradient, buffer)})
            x[...] = buffer
    assert_same(stored, whole)
