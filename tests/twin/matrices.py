"""Penalties of a matrix by their definitions, term by term: value, gradient, prox. Their bits are not promised."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def orthogonal(w: Array) -> float:
    """Return the mean of |cos| over the pairs of rows; a row of zeros is orthogonal to every other."""
    total, n = 0.0, len(w)
    for i in range(n):
        for j in range(i):
            lengths = np.linalg.norm(w[i]) * np.linalg.norm(w[j])
            total += abs(w[i] @ w[j]) / lengths if lengths else 0.0
    return float(2 * total / (n * (n - 1)) if n > 1 else 0.0)


def soft_orthogonal(w: Array) -> float:
    """Return |W'W - I|**2."""
    return float(np.linalg.norm(w.T @ w - np.eye(w.shape[1])) ** 2)


def nuclear(w: Array) -> float:
    """Return the sum of the singular values, the roots of the eigenvalues of W'W or WW', whichever is smaller."""
    w = w if w.shape[0] >= w.shape[1] else w.T
    return float(np.sum(np.sqrt(np.maximum(np.linalg.eigvalsh(w.T @ w), 0.0))))


def nuclear_prox(w: Array, threshold: float) -> Array:
    """Return U max(S - threshold, 0) V', with V from the eigenvectors of W'W."""
    squares, v = np.linalg.eigh(w.T @ w)
    sizes = np.sqrt(np.maximum(squares, 0.0))
    factors = np.where(sizes > threshold, (sizes - threshold) / np.where(sizes > 0, sizes, 1.0), 0.0)
    return np.asarray(w @ (v * factors) @ v.T)
