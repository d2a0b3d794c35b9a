"""The schedules of `fastreg.optim.schedules`: TensorFlow's values, warm-up, and that they can be kept, compared and printed."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import fastreg as fr
from fastreg.optim import schedules

TENSORFLOW = json.loads(Path(__file__).with_name("tensorflow_schedules.json").read_text())
MADE = {entry: getattr(schedules, entry.split()[0])(**arguments) for entry, arguments in TENSORFLOW["schedules"].items()}
MADE |= {
    "constant": schedules.constant(0.1),
    "warm constant": schedules.constant(0.1, warmup_steps=4),
    "warm cosine": schedules.cosine_decay(0.1, 10, warmup_steps=3),
}
made = pytest.mark.parametrize("name", MADE)


@pytest.mark.parametrize("name", TENSORFLOW["results"])
def test_the_values_are_tensorflows(name):
    found = [MADE[name](step) for step in TENSORFLOW["steps"]]
    np.testing.assert_allclose(found, TENSORFLOW["results"][name], rtol=1e-6, atol=1e-8)  # TensorFlow's are float32
    assert len(set(found)) > 3


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: schedules.constant(0.8, **more),
        lambda **more: schedules.exponential_decay(0.8, 3, 0.5, **more),
        lambda **more: schedules.polynomial_decay(0.8, 3, **more),
        lambda **more: schedules.cosine_decay(0.8, 3, **more),
    ],
)
def test_a_warm_up_rises_in_equal_parts_and_the_decay_counts_from_its_end(make):
    warm, plain = make(warmup_steps=3), make()
    assert [warm(step) for step in range(4)] == pytest.approx([0.2, 0.4, 0.6, 0.8], rel=1e-15)
    assert [warm(step) for step in range(3, 13)] == [plain(step) for step in range(10)]


def test_whole_powers_are_multiplications():
    step = schedules.exponential_decay(0.3, 2, 0.7, staircase=True)
    assert step(7) == 0.3 * (0.7 * (0.7 * 0.7))
    square = schedules.polynomial_decay(0.3, 10, 0.1, power=2.0)
    assert square(3) == (0.3 - 0.1) * ((1 - 3 / 10) * (1 - 3 / 10)) + 0.1


@made
def test_a_schedule_is_a_pure_function_that_can_be_kept_and_printed(name):
    rate = MADE[name]
    again = pickle.loads(pickle.dumps(rate))
    written = eval(repr(rate), vars(schedules).copy())
    for other in (again, written):
        assert other == rate and hash(other) == hash(rate) and repr(other) == repr(rate)
        assert [other(step) for step in (9, 2, 0, 2)] == [rate(step) for step in (9, 2, 0, 2)]
    assert type(rate(np.int64(3))) is float
    assert [key for key, other in MADE.items() if other == rate] == [name]
    assert rate != 0.1


def test_an_optimizer_takes_it_as_a_rate_a_strength_and_a_decay():
    half = schedules.piecewise_constant([0], [0.5, 0.25])
    w = np.array([8.0])
    optimizer = fr.optim.ProximalGradientDescent(half, l1_regularization_strength=half)
    for expected in (8.0 - 0.5 - 0.25, 8.0 - 0.5 - 0.25 - 0.25 - 0.0625):
        optimizer.apply_gradients({"w": (np.ones(1), w)})
        assert w[0] == expected


REFUSED = {
    "rate": (lambda: schedules.constant(-0.1), ValueError, "learning_rate must be finite and at least 0"),
    "text": (lambda: schedules.cosine_decay("0.1", 10), TypeError, "learning_rate must be a number, got '0.1'"),
    "no steps": (lambda: schedules.cosine_decay(0.1, 0), ValueError, "decay_steps must be at least 1, got 0"),
    "part of a step": (lambda: schedules.exponential_decay(0.1, 2.5, 0.5), TypeError, "decay_steps must be a whole number"),
    "decay_rate": (lambda: schedules.exponential_decay(0.1, 2, np.nan), ValueError, "decay_rate must be finite"),
    "alpha": (lambda: schedules.cosine_decay(0.1, 2, -1), ValueError, "alpha must be finite and at least 0"),
    "power": (lambda: schedules.polynomial_decay(0.1, 2, power=-1), ValueError, "power must be finite and at least 0"),
    "end": (lambda: schedules.polynomial_decay(0.1, 2, -1), ValueError, "end_learning_rate must be finite and at least 0"),
    "warm-up": (lambda: schedules.constant(0.1, warmup_steps=-1), ValueError, "warmup_steps must be at least 0, got -1"),
    "flag": (lambda: schedules.constant(0.1, warmup_steps=True), TypeError, "warmup_steps must be a whole number, got True"),
    "few values": (
        lambda: schedules.piecewise_constant([1, 2], [1.0, 0.5]),
        ValueError,
        "one number more than boundaries",
    ),
    "falling": (lambda: schedules.piecewise_constant([2, 2], [1.0, 0.5, 0.1]), ValueError, r"boundaries must rise, got \[2, 2\]"),
    "value": (lambda: schedules.piecewise_constant([2], [1.0, None]), TypeError, r"values\[1\] must be a number, got None"),
    "step": (lambda: schedules.constant(0.1)(-1), ValueError, "step must be at least 0, got -1"),
    "part": (lambda: schedules.constant(0.1)(0.5), TypeError, "step must be a whole number, got 0.5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments_are_refused(case):
    make, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        make()
