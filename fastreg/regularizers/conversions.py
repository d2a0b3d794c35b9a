"""Strengths of other libraries, as regularizers: the same penalty with fastreg's factor.

What a strength means depends on the loss that the penalty is added to. Here, as in fastreg's examples, that is the mean over the
samples: of half the squared error for linear models, of the log loss or another one for classifiers.
"""

from __future__ import annotations

import numbers
from typing import Any

from fastreg.arguments import MOST_WHOLE
from fastreg.regularizers.elastic import l1_l2_regularizer, l1_regularizer, l2_regularizer
from fastreg.regularizers.scales import check_real


def from_torch(*, weight_decay: float, scope: str | None = None) -> Any:
    """Return the regularizer that is the `weight_decay` of torch's SGD, Adam, Adagrad or RMSprop.

    torch adds weight_decay * w to the gradient, which is that of weight_decay/2 * sum(w**2). torch's AdamW is another thing: it
    takes lr * weight_decay * w off the weights, so it is ``fastreg.optim.AdamW(weight_decay=lr * weight_decay, ...)``.

    Parameters
    ----------
    weight_decay : float
        At least 0.
    scope : str, optional
        Name of the loss.

    Returns
    -------
    L2Regularizer
        ``l2_regularizer(weight_decay)``.

    Examples
    --------
    >>> import fastreg as fr
    >>> fr.from_torch(weight_decay=1e-4)
    l2_regularizer(0.0001)
    """
    return _pair(0.0, _strength(weight_decay, "weight_decay"), scope)


def from_keras(*, l1: float = 0.0, l2: float = 0.0, scope: str | None = None) -> Any:
    """Return the regularizer that is ``keras.regularizers.L1(l1)``, ``L2(l2)`` or ``L1L2(l1, l2)``.

    Keras's penalty is ``l1 * sum(|w|) + l2 * sum(w**2)``, without the 1/2.

    Parameters
    ----------
    l1, l2 : float, optional
        At least 0.
    scope : str, optional
        Name of the loss.

    Returns
    -------
    L1Regularizer, L2Regularizer or L1L2Regularizer
        With the scales l1 and 2 * l2.

    Examples
    --------
    >>> import fastreg as fr
    >>> fr.from_keras(l2=0.25)
    l2_regularizer(0.5)
    >>> fr.from_keras(l1=0.125, l2=0.25)
    l1_l2_regularizer(0.125, 0.5)
    """
    return _pair(_strength(l1, "l1"), 2 * _strength(l2, "l2"), scope)


def from_sklearn(
    *,
    l1_ratio: float,
    alpha: float | None = None,
    C: float | None = None,  # noqa: N803 - scikit-learn's name
    n_samples: int | None = None,
    scope: str | None = None,
) -> Any:
    """Return the regularizer that is a strength of scikit-learn's, for a loss that is a mean over the samples.

    With n samples, y the targets, and loss(i) the loss of sample i, scikit-learn minimizes:

    - ``Lasso``, ``ElasticNet``: ``sum((X w - y)**2)/(2n) + alpha * (l1_ratio * sum(|w|) + (1 - l1_ratio)/2 * sum(w**2))``;
      l1_ratio is 1 for ``Lasso``.
    - ``SGDClassifier``, ``SGDRegressor``: the mean of loss(i), or sum((X w - y)**2)/(2n), with the same penalty; l1_ratio is 0
      for penalty="l2" and 1 for penalty="l1".
    - ``Ridge``: sum((X w - y)**2) + alpha * sum(w**2). Divided by 2n, its strength is alpha/n.
    - ``LogisticRegression``, ``LinearSVC``: ``C * (sum of loss(i)) + l1_ratio * sum(|w|) + (1 - l1_ratio)/2 * sum(w**2)``.
      Divided by C*n, its strength is 1/(C*n).

    None of them but ``LinearSVC`` regularizes the intercept.

    Parameters
    ----------
    l1_ratio : float
        From 0, L2 alone, to 1, L1 alone.
    alpha : float, optional
        That of ``Lasso``, ``ElasticNet``, ``SGDClassifier`` and ``SGDRegressor``; with `n_samples`, that of ``Ridge``.
    C : float, optional
        That of ``LogisticRegression`` and ``LinearSVC``, in place of `alpha`; needs `n_samples`. Above 0.
    n_samples : int, optional
        The number of rows that the model was fitted to.
    scope : str, optional
        Name of the loss.

    Returns
    -------
    L1Regularizer, L2Regularizer or L1L2Regularizer
        With the scales strength * l1_ratio and strength * (1 - l1_ratio).

    Examples
    --------
    >>> import fastreg as fr
    >>> fr.from_sklearn(alpha=0.5, l1_ratio=1)  # Lasso(alpha=0.5)
    l1_regularizer(0.5)
    >>> fr.from_sklearn(alpha=0.5, l1_ratio=0.25)  # ElasticNet(alpha=0.5, l1_ratio=0.25)
    l1_l2_regularizer(0.125, 0.375)
    >>> fr.from_sklearn(alpha=1.0, l1_ratio=0, n_samples=200)  # Ridge(alpha=1.0)
    l2_regularizer(0.005)
    >>> fr.from_sklearn(C=0.1, l1_ratio=0, n_samples=200)  # LogisticRegression(C=0.1)
    l2_regularizer(0.05)
    """
    ratio = _strength(l1_ratio, "l1_ratio")
    if ratio > 1:
        raise ValueError(f"l1_ratio must be at most 1, got {l1_ratio!r}")
    if (alpha is None) == (C is None):
        raise TypeError("from_sklearn takes alpha or C, one of the two")
    if n_samples is not None:
        n_samples = _check_samples(n_samples)
    if C is not None:
        if n_samples is None:
            raise TypeError("C weighs the sum over the samples; from_sklearn needs n_samples with it")
        if _strength(C, "C") == 0:
            raise ValueError(f"C must be above 0, got {C!r}")
        strength = 1 / (float(C) * n_samples)
    else:
        strength = _strength(alpha, "alpha")
        if n_samples is not None:
            if ratio != 0:
                raise ValueError("alpha with n_samples is Ridge's, whose l1_ratio is 0; other models' alpha needs no n_samples")
            strength /= n_samples
    return _pair(strength * ratio, strength * (1 - ratio), scope)


def _check_samples(n_samples: object) -> int:
    if not isinstance(n_samples, numbers.Integral) or isinstance(n_samples, bool) or not 1 <= int(n_samples) <= MOST_WHOLE:
        raise ValueError(f"n_samples must be a whole number of at least 1 and below 2**63, got {n_samples!r}")
    return int(n_samples)


def _strength(value: object, name: str) -> float:
    strength = check_real(value, name)
    if strength < 0:
        raise ValueError(f"{name} must be at least 0, got {value!r}")
    return strength


def _pair(l1: float, l2: float, scope: str | None) -> Any:
    if l1 == 0:
        return l2_regularizer(l2, scope)
    return l1_regularizer(l1, scope) if l2 == 0 else l1_l2_regularizer(l1, l2, scope)
