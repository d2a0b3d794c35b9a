"""The parts of examples/train_digits.py, and the whole of it in small."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import approx_fprime, check_grad

import fastreg as fr

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_digits.py"


@pytest.fixture(scope="module")
def digits():
    spec = importlib.util.spec_from_file_location("train_digits", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["train_digits"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["train_digits"]


@pytest.fixture(scope="module")
def runs(digits):
    """A network without and one with a penalty, trained for two epochs from one start."""
    recipe = digits.Recipe(epochs=2, train_size=64)
    split = digits.load_split(64, 0.2, seed=0)
    return [digits.train(recipe, split, scale, seed=0) for scale in (0.0, 0.02)]


# Data


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_no_image_is_in_two_parts(digits, seed):
    parts = digits.split_indices(1797, 300, seed)
    assert [len(part) for part in parts] == [300, digits.VALIDATION_SIZE, digits.TEST_SIZE]
    assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts))


def test_seeds_share_the_test_part_and_no_other(digits):
    first, second = (digits.split_indices(1797, 300, seed) for seed in (0, 1))
    np.testing.assert_array_equal(first[2], second[2])
    assert set(first[0]) != set(second[0])
    assert set(first[1]) != set(second[1])


def test_a_larger_training_set_leaves_the_others_alone(digits):
    small, large = (digits.split_indices(1797, size, 3) for size in (100, 900))
    np.testing.assert_array_equal(small[0], large[0][:100])
    np.testing.assert_array_equal(small[1], large[1])


@pytest.mark.parametrize("size", [0, 901])
def test_a_training_set_that_does_not_fit_is_refused(digits, size):
    with pytest.raises(ValueError, match=f"train_size must be from 1 to 900, got {size}"):
        digits.split_indices(1797, size, 0)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_just_this_share_of_the_labels_becomes_wrong(digits, share):
    labels = np.arange(200) % 10
    noisy = digits.mislabel(labels, share, np.random.default_rng(0))
    assert np.sum(noisy != labels) == 200 * share
    assert set(noisy) <= set(range(10))
    np.testing.assert_array_equal(labels, np.arange(200) % 10)


def test_only_training_labels_are_made_wrong(digits):
    clean, noisy = (digits.load_split(300, noise, seed=5) for noise in (0.0, 0.2))
    assert np.sum(clean.train.labels != noisy.train.labels) == 60
    np.testing.assert_array_equal(clean.validation.labels, noisy.validation.labels)
    np.testing.assert_array_equal(clean.test.labels, noisy.test.labels)
    assert clean.train.images.dtype == np.float32
    assert 0 <= clean.train.images.min() < clean.train.images.max() <= 1


# The network


def test_kernels_are_regularized_and_biases_are_not(digits):
    with fr.Graph().as_default():
        network = digits.build_network((4, 3, 2), 0.5)
        assert [t.name for t in fr.get_regularization_losses()] == [
            f"digits/dense{i}/kernel/Regularizer/l2_regularizer:0" for i in (1, 2)
        ]
        assert fr.trainable_variables() == [v for layer in network for v in layer]


def test_a_scale_of_zero_files_nothing(digits):
    with fr.Graph().as_default():
        digits.build_network((4, 3), 0.0)
        assert fr.get_regularization_losses() == []


def test_cross_entropy_by_hand(digits):
    loss, error = digits.cross_entropy(np.log([[1.0, 3.0], [3.0, 1.0]]), np.array([1, 1]))
    assert loss == pytest.approx((np.log(4 / 3) + np.log(4)) / 2)
    np.testing.assert_allclose(error, [[0.125, -0.125], [0.375, -0.375]])


def test_cross_entropy_of_large_logits_stays_finite(digits):
    loss, error = digits.cross_entropy(np.float32([[1e4, -1e4]]), np.array([1]))
    assert loss == 2e4
    np.testing.assert_array_equal(error, [[1, -1]])


@pytest.mark.parametrize("scale", [0.0, 0.3])
def test_gradient_of_loss_and_penalty(digits, scale):
    """Backward pass and penalty together, against differences of the whole loss."""
    rng = np.random.default_rng(3)
    images, labels = rng.normal(size=(11, 5)), rng.integers(0, 3, 11)
    with fr.Graph().as_default():
        fr.set_random_seed(3)
        network = digits.build_network((5, 7, 6, 3), scale, np.float64)
        variables, penalties = fr.trainable_variables(), fr.get_regularization_losses()
    grads = {v.name: np.empty_like(v.value) for v in variables}

    def put(point):
        for v, part in zip(variables, np.split(point, np.cumsum([v.value.size for v in variables])[:-1]), strict=True):
            v.assign(part.reshape(v.shape))

    def loss(point):
        put(point)
        return digits.cross_entropy(digits.forward(network, images)[-1], labels)[0] + float(
            sum(scale * np.sum(layer.kernel.value**2) / 2 for layer in network)
        )

    def gradient(point):
        put(point)
        activations = digits.forward(network, images)
        digits.backward(network, activations, digits.cross_entropy(activations[-1], labels)[1], grads)
        fr.value_and_gradients(penalties, out=grads, accumulate=True)
        return np.concatenate([grads[v.name].ravel() for v in variables])

    start = np.concatenate([v.value.ravel() for v in variables]) + 0.1 * rng.normal(size=sum(v.value.size for v in variables))
    assert np.linalg.norm(approx_fprime(start, loss)) > 0.1
    assert check_grad(loss, gradient, start) < 1e-6


def test_batches_cover_every_image_once(digits):
    parts = list(digits.batches(70, 32, np.random.default_rng(0)))
    assert [len(part) for part in parts] == [32, 32, 6]
    assert sorted(np.concatenate(parts)) == list(range(70))


def test_a_seed_trains_the_same_network_again(digits):
    recipe, split = digits.Recipe(epochs=2, train_size=64), digits.load_split(64, 0.2, seed=1)
    first, second = (digits.train(recipe, split, 0.02, seed=1).history for _ in range(2))
    assert first == second


# What is shown


def test_history_holds_every_epoch_and_the_penalty_that_was_paid(runs):
    without, with_penalty = runs
    assert {len(values) for run in runs for values in run.history.values()} == {2}
    assert without.history["penalty"] == [0.0, 0.0]
    assert with_penalty.history["penalty"] == pytest.approx(np.multiply(0.02, with_penalty.history["half_squares"]))


def test_both_ways_give_the_penalty_that_numpy_gives(digits, runs):
    collected, by_hand = digits.penalty_both_ways(runs[1])
    exact = sum(0.02 * np.sum(layer.kernel.value.astype(np.float64) ** 2) / 2 for layer in runs[1].network)
    assert collected == pytest.approx(exact, rel=1e-12)
    assert by_hand == pytest.approx(exact, rel=1e-6)


def test_the_table_lists_every_variable_and_sums_up(digits, runs):
    heading, *rows, total = digits.penalty_table(runs[1], runs[0]).splitlines()
    assert len({len(row) for row in (heading, *rows, total)}) == 1
    assert [row.split()[0] for row in rows] == [v.name for layer in runs[1].network for v in layer]
    paid = [float(row.split()[-2]) for row in rows if "kernel" in row]
    assert all(row.split()[-2:] == ["-", "-"] for row in rows if "bias" in row)
    assert float(total.split()[1]) == pytest.approx(sum(paid), abs=2e-6)
    assert total.split()[2] == "100.0%"


def test_the_plot_is_a_picture(digits, runs, tmp_path):
    from matplotlib.image import imread

    path = tmp_path / "digits.png"
    digits.plot(path, runs[:1], runs[1:], digits.Recipe(epochs=2))
    height, width, _ = imread(path).shape
    assert width > height > 300


# The command


def test_the_penalty_helps_and_the_screen_says_so(digits, tmp_path, capsys):
    path = tmp_path / "digits.png"
    assert digits.main(["--quick", "--seeds", "3", "--epochs", "80", "--plot", str(path)]) == 0
    screen = capsys.readouterr()
    assert "20% of them labelled wrong on purpose" in screen.out
    without, with_penalty = (float(n) for n in re.findall(r"^  (?:no penalty|L2, scale 0\.02) +([\d.]+) \+-", screen.out, re.M))
    assert with_penalty > without + 2
    twice = re.findall(r"^  (?:add_n|scale \* sum)\(.* ([\d.]+)$", screen.out, re.M)
    assert len(twice) == 2
    assert twice[0] == twice[1]
    assert "chosen by the validation part: L2, scale 0.02" in screen.out
    assert "epoch/s" in screen.err  # the progress bar
    assert path.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--epochs", "0"], "--epochs and --seeds must be at least 1"),
        (["--scale", "0.1", "-1"], "every --scale above 0 and finite"),
        (["--noise", "1"], "--noise must be a share from 0 to below 1"),
        (["--plot", "no/such/folder/digits.png"], "'no/such/folder' is not a folder"),
    ],
)
def test_options_that_make_no_sense_are_refused(digits, argv, message, capsys):
    with pytest.raises(SystemExit) as caught:
        digits.arguments(argv)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_extra_is_named():
    program = f"import sys, runpy; sys.modules['sklearn'] = None; runpy.run_path({str(EXAMPLE)!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'needs the extra "examples": python -m pip install -e ".[examples]"' in done.stderr
    assert "Traceback" not in done.stderr
