"""tf.contrib.losses, which slim has too: tf.losses with the predictions before the labels."""

from __future__ import annotations

from typing import Any

from fastreg.compat.v1 import losses_impl
from fastreg.compat.v1.losses_impl import (
    add_loss,
    compute_weighted_loss,
    get_losses,
    get_regularization_losses,
    get_total_loss,
)

__all__ = [
    "absolute_difference", "add_loss", "compute_weighted_loss", "get_losses", "get_regularization_losses", "get_total_loss",
    "log_loss", "mean_squared_error", "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip


def softmax_cross_entropy(
    logits: Any, onehot_labels: Any, weights: Any = 1.0, label_smoothing: float = 0, scope: str | None = None
) -> Any:
    """Return the weighted mean of the softmax cross entropies; smoothing moves labels towards 1/classes."""
    return losses_impl.softmax_cross_entropy(onehot_labels, logits, weights, label_smoothing, scope)


def sparse_softmax_cross_entropy(logits: Any, labels: Any, weights: Any = 1.0, scope: str | None = None) -> Any:
    """Return the weighted mean of the softmax cross entropies of labels that name classes."""
    return losses_impl.sparse_softmax_cross_entropy(labels, logits, weights, scope)


def sigmoid_cross_entropy(
    logits: Any, multi_class_labels: Any, weights: Any = 1.0, label_smoothing: float = 0, scope: str | None = None
) -> Any:
    """Return the weighted mean of the sigmoid cross entropies; smoothing moves labels towards 1/2."""
    return losses_impl.sigmoid_cross_entropy(multi_class_labels, logits, weights, label_smoothing, scope)


def mean_squared_error(predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None) -> Any:
    """Return the weighted mean of (predictions - labels)**2."""
    return losses_impl.mean_squared_error(labels, predictions, weights, scope)


def absolute_difference(predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None) -> Any:
    """Return the weighted mean of abs(predictions - labels)."""
    return losses_impl.absolute_difference(labels, predictions, weights, scope)


def log_loss(predictions: Any, labels: Any = None, weights: Any = 1.0, epsilon: float = 1e-7, scope: str | None = None) -> Any:
    """Return the weighted mean of -labels * log(predictions) - (1 - labels) * log(1 - predictions)."""
    return losses_impl.log_loss(labels, predictions, weights, epsilon, scope)
