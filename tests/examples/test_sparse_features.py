"""The parts of examples/sparse_features.py, and the whole of it in small."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import approx_fprime

import fastreg as fr

EXAMPLE = Path(__file__).parents[2] / "examples" / "sparse_features.py"


@pytest.fixture(scope="module")
def sparse():
    spec = importlib.util.spec_from_file_location("sparse_features", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["sparse_features"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["sparse_features"]


@pytest.fixture(scope="module")
def split(sparse):
    return sparse.load_split(copies=2, seed=0)


@pytest.fixture
def model(sparse, split):
    with fr.Graph().as_default():
        made = sparse.build(split.train.features.shape[1], None)
    made.kernel.value[:] = np.random.default_rng(0).normal(size=made.kernel.shape) / 4
    made.bias.value[:] = 0.25
    return made


# Data


def test_shuffled_copies_hold_the_same_numbers_in_another_order(sparse):
    measured = np.random.default_rng(1).normal(size=(50, 3))
    features = sparse.with_shuffled_copies(measured, 2, np.random.default_rng(2))
    assert features.shape == (50, 9)
    np.testing.assert_array_equal(features[:, :3], measured)
    for copy in (features[:, 3:6], features[:, 6:]):
        np.testing.assert_array_equal(np.sort(copy, axis=0), np.sort(measured, axis=0))
        assert (copy != measured).mean() > 0.9
    order = np.argsort(features, axis=0)
    assert (order[:, 3] != order[:, 4]).any()  # each column by itself


def test_parts_of_the_data(sparse, split):
    assert [len(part.labels) for part in split] == [300, sparse.VALIDATION_SIZE, sparse.TEST_SIZE]
    assert all(part.features.dtype == part.labels.dtype == np.float32 for part in split)
    assert set(np.unique(split.train.labels)) == {0, 1}
    np.testing.assert_allclose(split.train.features.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(split.train.features.std(axis=0), 1, atol=1e-5)
    other = sparse.load_split(copies=2, seed=1)
    np.testing.assert_array_equal(split.test.labels, other.test.labels)
    assert (split.validation.labels != other.validation.labels).any()


def test_batches_show_each_patient_once_before_any_comes_again(sparse):
    found = sparse.batches(10, 3, np.random.default_rng(0))
    for _ in range(3):
        rounds = np.concatenate([next(found) for _ in range(3)])
        assert len(set(rounds.tolist())) == 9


# Model


def test_the_gradient_is_that_of_the_loss(sparse, split, model):
    part = sparse.Part(*(x[:40] for x in split.train))

    def loss(x):
        z = part.features.astype(np.float64) @ x[:-1] + x[-1]
        return np.mean(np.logaddexp(0, z) - part.labels * z)

    x = np.append(model.kernel.value, model.bias.value).astype(np.float64)
    assert sparse.log_loss(model, part) == pytest.approx(loss(x), rel=1e-6)
    np.testing.assert_allclose(np.concatenate(sparse.gradients(model, part)), approx_fprime(x, loss), atol=1e-5)


def test_large_logits_do_no_harm(sparse, split, model):
    model.kernel.value[:] = 1e4
    kernel, bias = sparse.gradients(model, split.train)
    assert np.isfinite(kernel).all() and np.isfinite(bias).all() and np.isfinite(sparse.log_loss(model, split.train))
    assert 0 <= sparse.accuracy(model, split.train) <= 1


# Training


@pytest.fixture(scope="module")
def runs(sparse, split):
    return {method: sparse.train(method, split, 0.02, steps=400, batch=300, seed=0) for method in sparse.METHODS}


def test_only_rules_with_a_proximal_step_make_exact_zeros(runs):
    zeros = {method: int(np.sum(run.weights == 0)) for method, run in runs.items()}
    for method in ("no penalty", "GradientDescent", "Adagrad"):
        assert zeros.pop(method) == 0
    assert min(zeros.values()) > 60, zeros  # of 90


def test_shuffled_copies_go_first(sparse, runs):
    for method in ("ProximalGradientDescent", "ProximalAdagrad", "Ftrl"):
        zeros, real, copies = sparse.selection(runs[method].weights, 30)
        assert zeros + real + copies == 90
        assert copies / 60 < real / 30


def test_all_rules_make_the_same_objective_small(split, runs):
    found = {method: run.objective(split.train) for method, run in runs.items()}
    without = found.pop("no penalty")
    assert max(found.values()) < 1.06 * min(found.values()) < without


def test_a_run_can_be_repeated(sparse, split, runs):
    again = sparse.train("Ftrl", split, 0.02, steps=400, batch=300, seed=0)
    assert again.weights.tobytes() == runs["Ftrl"].weights.tobytes()
    assert again.zeros == runs["Ftrl"].zeros and len(again.zeros) == 400 // sparse.RECORDED
    one, two = (sparse.train("Adagrad", split, 0.02, steps=50, batch=30, seed=seed) for seed in (0, 1))
    assert one.weights.tobytes() != two.weights.tobytes()


def test_the_table_has_a_line_for_each_method(sparse, split, runs):
    lines = sparse.table({method: [run] for method, run in runs.items()}, [split], 30).splitlines()
    assert "exactly 0 of 90" in lines[0] and "of 60 copies" in lines[0]
    assert [line.split("  ")[0] for line in lines[1:]] == list(sparse.METHODS)
    assert len({len(line) for line in lines}) == 1


# The command


def test_the_whole_in_small(sparse, tmp_path, capsys):
    path = tmp_path / "zeros.png"
    assert sparse.main(["--steps", "50", "--seeds", "2", "--scale", "0.02", "--copies", "1", "--plot", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "chosen by the validation part's loss: 0.02" in printed and "Mini-batches of 30" in printed
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--steps", "9"], "--steps must be at least 10"),
        (["--seeds", "0"], "--seeds and --copies at least 1"),
        (["--scale", "0"], "every --scale must be above 0 and finite"),
        (["--plot", "/no/such/folder/x.png"], "is not a folder"),
    ],
)
def test_bad_options(sparse, argv, message, capsys):
    with pytest.raises(SystemExit):
        sparse.arguments(argv)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["sklearn", "matplotlib"])
def test_what_is_missing_is_named(run_python, missing):
    code = f"import sys, runpy; sys.modules[{missing!r}] = None; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    done = run_python(code)
    assert done.returncode == 1
    assert missing in done.stderr and 'pip install -e ".[examples]"' in done.stderr
