"""Other libraries' strengths: the penalty, gradient or optimum is the one that the library has."""

import copy
import math

import numpy as np
import pytest

import fastreg as fr

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed; it comes with the extra fastreg[examples]")
linear_model = pytest.importorskip("sklearn.linear_model")

RNG = np.random.default_rng(7)
N = 60
X = RNG.standard_normal((N, 5))
Y = X @ np.array([1.0, -2.0, 0.0, 0.5, 0.0]) + 0.1 * RNG.standard_normal(N)
LABELS = np.where(Y + 0.5 * RNG.standard_normal(N) > 0, 1.0, -1.0)
# Older versions must be told that l1_ratio counts; newer ones warn when they are.
TOLD = {} if tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 8) else {"penalty": "elasticnet"}


def squared(w):
    """Return the gradient of the mean of half the squared error."""
    return X.T @ (X @ w - Y) / N


def logistic(w):
    """Return the gradient of the mean log loss."""
    return X.T @ (-LABELS / (1 + np.exp(LABELS * (X @ w)))) / N


def linear(model, **arguments):
    return getattr(linear_model, model)(fit_intercept=False, **arguments).fit(X, Y).coef_.ravel()


def classify(**arguments):
    model = linear_model.LogisticRegression(fit_intercept=False, solver="saga", tol=1e-10, max_iter=100_000, **TOLD, **arguments)
    return model.fit(X, LABELS).coef_.ravel()


def descend(penalty, l1_ratio):
    model = linear_model.SGDRegressor(
        alpha=0.5, penalty=penalty, l1_ratio=l1_ratio, fit_intercept=False, learning_rate="invscaling", eta0=0.01, power_t=0.5,
        max_iter=5000, tol=None, random_state=0,
    )  # fmt: skip
    return model.fit(X, Y).coef_.ravel()


SKLEARN = {
    "Ridge": (lambda: linear("Ridge", alpha=30.0), squared, fr.from_sklearn(alpha=30.0, l1_ratio=0, n_samples=N), 1e-10),
    "Lasso": (lambda: linear("Lasso", alpha=0.3, tol=1e-12), squared, fr.from_sklearn(alpha=0.3, l1_ratio=1), 1e-8),
    "ElasticNet": (
        lambda: linear("ElasticNet", alpha=0.3, l1_ratio=0.25, tol=1e-12),
        squared,
        fr.from_sklearn(alpha=0.3, l1_ratio=0.25),
        1e-8,
    ),
    "LogisticRegression l2": (
        lambda: classify(C=0.125, l1_ratio=0.0), logistic, fr.from_sklearn(C=0.125, l1_ratio=0, n_samples=N), 1e-8,
    ),
    "LogisticRegression l1": (
        lambda: classify(C=0.125, l1_ratio=1.0), logistic, fr.from_sklearn(C=0.125, l1_ratio=1, n_samples=N), 1e-8,
    ),
    "LogisticRegression both": (
        lambda: classify(C=0.125, l1_ratio=0.25), logistic, fr.from_sklearn(C=0.125, l1_ratio=0.25, n_samples=N), 1e-8,
    ),
    "SGDRegressor l2": (lambda: descend("l2", 0.15), squared, fr.from_sklearn(alpha=0.5, l1_ratio=0), 0.01),
    "SGDRegressor l1": (lambda: descend("l1", 0.15), squared, fr.from_sklearn(alpha=0.5, l1_ratio=1), 0.01),
    "SGDRegressor both": (lambda: descend("elasticnet", 0.25), squared, fr.from_sklearn(alpha=0.5, l1_ratio=0.25), 0.01),
}  # fmt: skip


@pytest.mark.parametrize("case", SKLEARN)
def test_scikit_learns_optimum_is_a_fixed_point_of_the_proximal_step(case):
    """At the smallest loss plus penalty, a proximal step stays where it is; with half or twice the strength it moves."""
    fit, slope, regularizer, tolerance = SKLEARN[case]
    w = fit()

    def moved(regularizer):
        return np.abs(regularizer.prox(w - 0.125 * slope(w), step=0.125) - w).max()

    assert moved(regularizer) < tolerance
    for factor in (0.5, 2.0):
        other = copy.copy(regularizer)
        for scale in ("scale", "scale_l1", "scale_l2"):
            if hasattr(other, scale):
                setattr(other, scale, factor * getattr(other, scale))
        assert moved(other) > 10 * moved(regularizer)


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
def test_keras_penalty(l1, l2):
    w = X[0]
    regularizer = fr.from_keras(l1=l1, l2=l2)
    assert float(regularizer(w)) == pytest.approx(l1 * np.sum(np.abs(w)) + l2 * np.sum(w**2), rel=1e-14)


def test_torchs_sgd():
    w = X[0].copy()
    expected = w - 0.1 * (Y[:5] + 0.3 * w)  # torch: grad = grad + weight_decay * param
    terms = fr.regularize({"w": w}, [("*", fr.from_torch(weight_decay=0.3))])
    fr.optim.GradientDescent(0.1).apply_gradients({"w": (Y[:5].copy(), w)}, terms)
    np.testing.assert_allclose(w, expected, rtol=1e-14)


def test_torchs_adamw():
    """`weight_decay` times the rate is the decay here; epsilon is divided by the bias correction of the root."""
    rate, decay, epsilon, beta1, beta2 = 0.1, 0.3, 1e-3, 0.9, 0.999
    w, expected = X[0].copy(), X[0].copy()
    m, v = np.zeros(5), np.zeros(5)
    optimizer = fr.optim.AdamW(weight_decay=rate * decay, learning_rate=rate)
    for t in range(1, 6):
        g = X[t]
        expected *= 1 - rate * decay
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        expected -= rate / (1 - beta1**t) * m / (np.sqrt(v) / math.sqrt(1 - beta2**t) + epsilon)
        optimizer.epsilon = epsilon * math.sqrt(1 - beta2**t)
        optimizer.apply_gradients({"w": (g.copy(), w)})
    np.testing.assert_allclose(w, expected, rtol=1e-12)


def test_a_scope_names_the_loss_and_whole_numbers_are_taken():
    for made in (
        fr.from_torch(weight_decay=1, scope="mine"),
        fr.from_keras(l1=1, l2=2, scope="mine"),
        fr.from_sklearn(alpha=1, l1_ratio=1, scope="mine"),
    ):
        assert made.name == "mine"


REFUSED = {
    "negative decay": (lambda: fr.from_torch(weight_decay=-0.1), ValueError, "weight_decay must be at least 0, got -0.1"),
    "text": (lambda: fr.from_keras(l1="0.1"), TypeError, "l1 must be a real number, got '0.1'"),
    "nan": (lambda: fr.from_keras(l2=math.nan), ValueError, "l2 must be finite, got nan"),
    "ratio": (lambda: fr.from_sklearn(alpha=0.1, l1_ratio=1.5), ValueError, "l1_ratio must be at most 1, got 1.5"),
    "neither": (lambda: fr.from_sklearn(l1_ratio=0), TypeError, "takes alpha or C, one of the two"),
    "both": (lambda: fr.from_sklearn(alpha=1, C=1, l1_ratio=0, n_samples=9), TypeError, "takes alpha or C, one of the two"),
    "no samples": (lambda: fr.from_sklearn(C=0.1, l1_ratio=0), TypeError, "needs n_samples with it"),
    "half a sample": (lambda: fr.from_sklearn(C=0.1, l1_ratio=0, n_samples=0.5), ValueError, "n_samples must be a whole number"),
    "C": (lambda: fr.from_sklearn(C=0, l1_ratio=0, n_samples=9), ValueError, "C must be above 0, got 0"),
    "Ridge": (lambda: fr.from_sklearn(alpha=0.1, l1_ratio=1, n_samples=9), ValueError, "alpha with n_samples is Ridge's"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_strengths_are_refused(case):
    make, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        make()
