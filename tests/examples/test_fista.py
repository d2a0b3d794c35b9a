"""The example of FISTA: it solves the Lasso as scikit-learn does, and other penalties too."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import fastreg as fr

EXAMPLE = Path(__file__).parents[2] / "examples" / "fista.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("fista", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(example):
    return example.problem(samples=80, features=120, needed=8, seed=3)


@pytest.mark.parametrize("alpha", [1.0, 0.3, 0.1])
def test_the_lasso_is_scikit_learns(example, data, alpha):
    x, y = data
    smooth, l1 = example.least_squares(x, y), fr.l1_regularizer(alpha)
    result = example.fista(smooth, l1, np.zeros(120))
    theirs = example.sklearn_lasso(x, y, alpha)
    assert result.objective[-1] == pytest.approx(smooth(theirs)[0] + float(l1(theirs)), rel=1e-13)
    assert 0 < np.count_nonzero(theirs) < 120
    np.testing.assert_array_equal(result.weights != 0, theirs != 0)
    np.testing.assert_allclose(result.weights, theirs, atol=1e-9)


def test_the_lassos_conditions_hold(example, data):
    """Where a weight is not 0 the gradient is -alpha times its sign; elsewhere it is at most alpha."""
    smooth = example.least_squares(*data)
    weights = example.fista(smooth, fr.l1_regularizer(0.3), np.zeros(120)).weights
    gradient, kept = smooth(weights)[1], weights != 0
    np.testing.assert_allclose(gradient[kept], -0.3 * np.sign(weights[kept]), atol=1e-11)
    assert np.abs(gradient[~kept]).max() < 0.3


def test_another_penalty_takes_its_place(example, data):
    x, y = data
    result = example.fista(example.least_squares(x, y), fr.l2_regularizer(0.5), np.ones(120))
    np.testing.assert_allclose(result.weights, np.linalg.solve(x.T @ x / 80 + 0.5 * np.eye(120), x.T @ y / 80), atol=1e-10)


@pytest.mark.parametrize("step", [1e3, 1.0, 1e-3])
def test_backtracking_finds_a_step_that_goes_down(example, data, step):
    x, y = data
    result = example.fista(example.least_squares(x, y), fr.l1_regularizer(0.3), np.zeros(120), step=step, most=2000)
    rises = np.diff(result.objective)
    assert rises.max() <= 1e-12 * result.objective[0]
    assert result.step <= step
    assert result.step >= min(step, 0.25 / np.linalg.eigvalsh(x.T @ x / 80)[-1])  # 1/(2L) is never refused


def test_a_start_at_the_solution_stays_there_and_is_left_as_it_is(example, data):
    smooth, l1 = example.least_squares(*data), fr.l1_regularizer(0.3)
    solution = example.fista(smooth, l1, np.zeros(120))
    start = solution.weights.copy()
    again = example.fista(smooth, l1, start, step=solution.step)
    assert len(again.objective) <= 10
    np.testing.assert_array_equal(start, solution.weights)
    np.testing.assert_allclose(again.weights, solution.weights, atol=1e-11)


def test_the_gradient_is_that_of_the_value(example, data):
    smooth = example.least_squares(*data)
    w, direction = np.random.default_rng(0).normal(size=(2, 120))
    slope = (smooth(w + 1e-4 * direction)[0] - smooth(w - 1e-4 * direction)[0]) / 2e-4
    assert slope == pytest.approx(direction @ smooth(w)[1], rel=1e-8)


def test_the_command(example, capsys):
    assert example.main(["--samples", "60", "--features", "90", "--needed", "5", "--alpha", "0.5", "0.2"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "alpha" and len(lines) == 2
    assert all(re.search(r"\bthe same$", line) for line in lines)


@pytest.mark.parametrize("bad", [["--alpha", "0"], ["--needed", "501"], ["--samples", "0"], ["--seed", "-1"]])
def test_bad_options_are_refused(example, bad, capsys):
    with pytest.raises(SystemExit):
        example.main(bad)
    assert "must be" in capsys.readouterr().err
