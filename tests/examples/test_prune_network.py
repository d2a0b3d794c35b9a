"""The parts of examples/prune_network.py, and the whole of it in small."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import check_grad

import fastreg as fr

EXAMPLE = Path(__file__).parents[2] / "examples" / "prune_network.py"


@pytest.fixture(scope="module")
def prune():
    spec = importlib.util.spec_from_file_location("prune_network", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(prune):
    return prune.train(prune.load_parts()[0], 0.005, epochs=30, seed=0)


def test_the_parts_share_no_image(prune):
    parts = prune.load_parts()
    assert [len(part.labels) for part in parts] == [900, 300, 597]
    images = np.concatenate([part.images for part in parts])
    assert images.dtype == np.float32 and len(np.unique(images, axis=0)) == 1797


def test_the_gradients_are_those_of_the_cross_entropy(prune):
    rng = np.random.default_rng(3)
    network = {name: array.astype(np.float64) + rng.normal(0, 0.1, array.shape) for name, array in prune.build(rng).items()}
    part = prune.Part(rng.random((7, 64)), rng.integers(0, 10, 7))
    move = {name: rng.normal(size=array.shape) for name, array in network.items()}

    def at(t):
        return {name: array + t[0] * move[name] for name, array in network.items()}

    def loss(t):
        logits = prune.forward(at(t), part.images)[-1]
        return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(7), part.labels])

    def slope(t):
        grads = prune.gradients(at(t), part)
        return np.array([sum(np.sum(grads[name] * move[name]) for name in network)])

    assert abs(slope([0.0])[0]) > 1
    assert check_grad(loss, slope, [0.0]) < 1e-4 * abs(slope([0.0])[0])


def test_hidden_kernels_are_penalized_by_columns_and_the_last_by_rows(prune):
    network = prune.build(np.random.default_rng(0))
    terms = prune.penalize(network, 0.5)
    expected = [
        0.5 * np.sqrt(network[f"kernel{i}"].shape[axis]) * np.linalg.norm(network[f"kernel{i}"], axis=axis).sum()
        for i, axis in ((1, 0), (2, 0), (3, 1))
    ]
    assert [float(term) for term in terms] == pytest.approx(expected, rel=1e-6)


def test_a_cut_network_says_the_same(prune):
    """Neurons 3 and 5 have no weights into them but a bias, neuron 7 none out of it, and neuron 2 of the next layer neither."""
    network = prune.build(np.random.default_rng(0))
    for i in (1, 2):
        network[f"bias{i}"] += np.random.default_rng(i).normal(size=network[f"bias{i}"].shape).astype(np.float32)
    network["kernel1"][:, [3, 5]] = 0
    network["kernel2"][7] = 0
    network["bias1"][[3, 5, 7]] = 2, -2, 2
    network["kernel2"][:, 2] = 0
    network["kernel3"][2] = 0
    before = {name: array.copy() for name, array in network.items()}
    small = prune.cut(network)
    assert [small[f"kernel{i}"].shape for i in prune.LAYERS] == [(64, 125), (125, 63), (63, 10)]
    assert [small[f"bias{i}"].shape for i in prune.LAYERS] == [(125,), (63,), (10,)]
    images = prune.load_parts()[2].images
    np.testing.assert_allclose(prune.forward(small, images)[-1], prune.forward(network, images)[-1], atol=1e-4)
    for name, array in network.items():
        np.testing.assert_array_equal(array, before[name])


def test_a_network_that_needs_every_neuron_is_not_cut(prune):
    network = prune.build(np.random.default_rng(0))
    for name, array in prune.cut(network).items():
        np.testing.assert_array_equal(array, network[name])


def test_training_removes_whole_neurons_and_the_rest_still_reads_digits(prune, trained):
    assert trained.left.shape == (30, 2)
    assert (trained.left[-1] < (64, 32)).all() and (trained.left[-1] > 0).all()
    kernel = trained.network["kernel1"]
    removed = (kernel == 0).all(axis=0)
    assert removed.sum() > 64
    often_inked = np.mean(prune.load_parts()[0].images > 0, axis=0) > 0.05  # weights of the other pixels decay to 0 by themselves
    assert (kernel[often_inked][:, ~removed] != 0).all()
    small = prune.cut(trained.network)
    assert (small["kernel1"].shape[1], small["kernel2"].shape[1]) == tuple(trained.left[-1])
    test = prune.load_parts()[2]
    assert prune.accuracy(small, test) > 0.8
    logits, again = (prune.forward(network, test.images)[-1] for network in (trained.network, small))
    np.testing.assert_allclose(again, logits, atol=1e-4)


def test_without_a_penalty_or_without_the_proximal_step_every_neuron_stays(prune, monkeypatch):
    part = prune.load_parts()[0]
    assert (prune.train(part, 0.0, epochs=10, seed=0).left == (128, 64)).all()
    monkeypatch.setattr(fr.optim, "ProximalGradientDescent", fr.optim.GradientDescent)
    assert (prune.train(part, 0.005, epochs=10, seed=0).left == (128, 64)).all()


def test_a_run_can_be_repeated(prune, trained):
    again = prune.train(prune.load_parts()[0], 0.005, epochs=30, seed=0)
    np.testing.assert_array_equal(again.left, trained.left)
    assert all(array.tobytes() == trained.network[name].tobytes() for name, array in again.network.items())


# The command


def test_the_whole_in_small(prune, tmp_path, capsys):
    path = tmp_path / "neurons.png"
    assert prune.main(["--epochs", "20", "--scale", "0.002", "0.005", "--plot", str(path)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^ +0  +128 \+ 64 ", printed, re.M)
    assert re.search(r"chosen: 0\.00[25], ", printed)
    weights, correct = zip(
        *re.findall(r"^(?:no penalty|group lasso|cut) +(\d+) +[\d.]+ ms +([\d.]+)%$", printed, re.M), strict=True
    )
    assert weights[0] == weights[1] == "17226" and int(weights[2]) < 17226
    assert correct[1] == correct[2]
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--epochs", "0"], "--epochs must be at least 1, --seed at least 0"),
        (["--scale", "0"], "every --scale must be above 0 and finite"),
        (["--plot", "/no/such/folder/x.png"], "is not a folder"),
    ],
)
def test_bad_options(prune, argv, message, capsys):
    with pytest.raises(SystemExit):
        prune.arguments(argv)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["sklearn", "matplotlib"])
def test_what_is_missing_is_named(run_python, missing):
    code = f"import sys, runpy; sys.modules[{missing!r}] = None; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    done = run_python(code)
    assert done.returncode == 1
    assert missing in done.stderr and 'pip install -e ".[examples]"' in done.stderr
