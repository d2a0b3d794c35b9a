"""Fit a Lasso by FISTA with backtracking, and compare with scikit-learn.

The Lasso makes ``sum((x @ w - y)**2) / (2*n) + alpha * sum(|w|)`` small. The first part, f, is smooth; the second is
`l1_regularizer(alpha)`. A step of FISTA goes down the gradient of f from a point ahead of the weights, and ends in the proximal
map of the penalty, which makes weights exactly zero::

    w_new = prox(ahead - step * gradient(ahead), step)
    ahead = w_new + (t_old - 1) / t_new * (w_new - w_old)        t_new = (1 + sqrt(1 + 4*t_old**2)) / 2

Backtracking needs no knowledge of the data: the step is halved until f stays below the parabola that the proof assumes. For a
convex f this follows from the gradients at both ends of the step, in which rounding does not hide it as it does in values. Where
the objective rises, the run-up is dropped and starts anew (O'Donoghue and Candes, 2015). Any other convex penalty of fastreg
takes the place of L1 by a change of one name.

A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", 2009. Run it::

    python -m pip install -e ".[examples]" && python examples/fista.py
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastreg as fr

try:
    from sklearn.linear_model import Lasso
except ImportError as error:
    raise SystemExit(f'{error}; this example needs the extra "examples": python -m pip install -e ".[examples]"') from error

Vector = NDArray[np.float64]
Smooth = Callable[[Vector], tuple[float, Vector]]
"""Returns the value and the gradient of f."""


class Result(NamedTuple):
    """What FISTA found: the weights, the objective after every step, and the last step's length."""

    weights: Vector
    objective: list[float]
    step: float


def fista(
    smooth: Smooth, penalty: fr.SupportsProx, start: Vector, step: float = 1.0, tolerance: float = 1e-13, most: int = 100_000
) -> Result:
    """Make smooth(w) + penalty(w) small.

    Parameters
    ----------
    smooth : callable
        Returns the value and the gradient of the smooth part.
    penalty : SupportsProx
        Any of fastreg's regularizers, or one with a `prox` of your own.
    start : ndarray
        Left as it is.
    step : float
        The first length that is tried.
    tolerance : float
        End when a step from the weights themselves moves them by less, relative to their norm.
    most : int
        The most steps to take.
    """
    weights, ahead, t = start, start, 1.0
    objective = [smooth(weights)[0] + float(penalty(weights))]
    for _ in range(most):
        gradient = smooth(ahead)[1]
        while True:
            new = penalty.prox(ahead - step * gradient, step)
            move = new - ahead
            value, gradient_there = smooth(new)
            if (gradient_there - gradient) @ move <= move @ move / (2 * step):
                break
            step /= 2
        total = value + float(penalty(new))
        if total > objective[-1] and t > 1:
            ahead, t = weights, 1.0
            continue
        objective.append(total)
        settled = float(np.linalg.norm(new - weights)) <= tolerance * max(1.0, float(np.linalg.norm(new)))
        if settled and t == 1:
            return Result(new, objective, step)
        grown = (1 + np.sqrt(1 + 4 * t * t)) / 2
        ahead = new if settled else new + (t - 1) / grown * (new - weights)  # a settled point is tried once without a run-up
        weights, t = new, 1.0 if settled else grown
    return Result(weights, objective, step)


def least_squares(x: Vector, y: Vector) -> Smooth:
    """Return sum((x @ w - y)**2) / (2*n) as a function of w, with its gradient."""

    def smooth(weights: Vector) -> tuple[float, Vector]:
        error = x @ weights - y
        return float(error @ error) / (2 * len(y)), x.T @ error / len(y)

    return smooth


def problem(samples: int, features: int, needed: int, seed: int) -> tuple[Vector, Vector]:
    """Return measurements with correlated columns, and what the first `needed` of these say, with noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, features)) + 0.5 * rng.normal(size=(samples, 1))
    weights = np.zeros(features)
    weights[:needed] = rng.normal(size=needed) * 3
    return x, x @ weights + rng.normal(size=samples)


def main(argv: Sequence[str] | None = None) -> int:
    """Solve the same Lasso by both, for several strengths, and show how they agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--features", type=int, default=500)
    parser.add_argument("--needed", type=int, default=20, help="how many features the answer depends on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alpha", type=float, nargs="+", default=[1.0, 0.3, 0.1])
    options = parser.parse_args(argv)
    if min(options.samples, options.features, options.needed) < 1 or options.needed > options.features or options.seed < 0:
        parser.error("--samples, --features and --needed must be at least 1, --needed at most --features, --seed at least 0")
    if not all(0 < alpha < np.inf for alpha in options.alpha):
        parser.error("every --alpha must be above 0 and finite")
    x, y = problem(options.samples, options.features, options.needed, options.seed)
    smooth = least_squares(x, y)
    print(
        f"{'alpha':>6}  {'steps':>6}  {'ms':>6}  {'sklearn ms':>10}  {'objective':>18}  {'over sklearn':>13}  "
        f"{'weights not 0':>13}  support"
    )
    for alpha in options.alpha:
        penalty = fr.l1_regularizer(alpha)
        begin = time.perf_counter()
        result = fista(smooth, penalty, np.zeros(options.features))
        middle = time.perf_counter()
        theirs = sklearn_lasso(x, y, alpha)
        end = time.perf_counter()
        difference = result.objective[-1] - (smooth(theirs)[0] + float(penalty(theirs)))
        same = np.array_equal(result.weights != 0, theirs != 0)
        print(
            f"{alpha:6g}  {len(result.objective) - 1:6}  {1e3 * (middle - begin):6.0f}  {1e3 * (end - middle):10.0f}  "
            f"{result.objective[-1]:18.12f}  {difference:13.1e}  {np.count_nonzero(result.weights):13}  "
            f"{'the same' if same else 'differs'}"
        )
    return 0


def sklearn_lasso(x: Vector, y: Vector, alpha: float) -> Vector:
    """Return the weights of scikit-learn's Lasso, as exact as it gets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns when it cannot reach a tolerance this small
        model = Lasso(alpha=alpha, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(x, y)
    return np.asarray(model.coef_, dtype=np.float64)


if __name__ == "__main__":
    raise SystemExit(main())
