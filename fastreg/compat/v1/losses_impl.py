"""tf.losses: losses with weights, reduced to a scalar and filed in the graph, and the sums of what is filed.

As in TensorFlow, predictions and labels are compared in float32. Knows neither variables nor layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.compat.v1.array_ops import shape, size, squeeze
from fastreg.compat.v1.conversion import constant, convert_to_tensor, either
from fastreg.compat.v1.errors import InvalidArgumentError
from fastreg.compat.v1.graph import Operand, Tensor, make, name_scope
from fastreg.compat.v1.math_ops import (
    abs,
    add,
    cast,
    div_no_nan,
    identity,
    log,
    minimum,
    multiply,
    negative,
    ones_like,
    relu,
    squared_difference,
    stop_gradient,
    subtract,
)
from fastreg.compat.v1.nn_ops import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits,
)
from fastreg.compat.v1.penalties import add_n
from fastreg.compat.v1.reduction_ops import reduce_sum
from fastreg.graph import GraphKeys
from fastreg.losses import add_loss, get_losses, get_regularization_losses

__all__ = [
    "Reduction", "absolute_difference", "add_loss", "compute_weighted_loss", "cosine_distance", "get_losses",
    "get_regularization_loss", "get_regularization_losses", "get_total_loss", "hinge_loss", "huber_loss", "log_loss",
    "mean_squared_error", "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip


class Reduction:
    """What becomes of the weighted losses: themselves, their sum, or their sum over a count."""

    NONE = "none"
    SUM = "weighted_sum"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"  # over the number of losses
    MEAN = "weighted_mean"  # over the sum of the weights
    SUM_BY_NONZERO_WEIGHTS = SUM_OVER_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"  # over the number of weights not 0

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """Return the names, as TensorFlow lists them."""
        return (
            cls.NONE, cls.SUM, cls.MEAN, cls.SUM_OVER_BATCH_SIZE, cls.SUM_OVER_NONZERO_WEIGHTS, cls.SUM_BY_NONZERO_WEIGHTS,
        )  # fmt: skip

    @classmethod
    def validate(cls, key: Any) -> None:
        """Refuse what is not one of the names."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key {key}.")


_BY_COUNT = Reduction.SUM_BY_NONZERO_WEIGHTS


def compute_weighted_loss(
    losses: Any, weights: Any = 1.0, scope: str | None = None, loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_COUNT,
) -> Any:  # fmt: skip
    """Return the losses times their weights, reduced, and file the result.

    Parameters
    ----------
    losses : Tensor
    weights : Tensor or float
        A scalar, or of the losses' rank with sizes equal to theirs or 1.
    scope : str, optional
    loss_collection : str, optional
        Where the result is filed; nowhere if None.
    reduction : str
        One of `Reduction`.
    """
    Reduction.validate(reduction)
    with name_scope(scope, "weighted_loss", [losses, weights]):
        given = convert_to_tensor(losses)
        each, w = cast(given, "f4"), _broadcastable(weights, given)
        weighted = identity(each, "Mul") if _is_one(weights) else multiply(each, w, "Mul")
        loss = weighted if reduction == Reduction.NONE else reduce_sum(weighted)
        if reduction == Reduction.MEAN:
            loss = div_no_nan(loss, reduce_sum(multiply(ones_like(each), w)), name="value")
        elif reduction == Reduction.SUM_OVER_BATCH_SIZE or (reduction == _BY_COUNT and isinstance(weights, float) and weights):
            loss = div_no_nan(loss, cast(size(each), "f4"), name="value")
        elif reduction == _BY_COUNT:
            count = lambda a, b: np.asarray(np.count_nonzero(np.broadcast_to(a, b.shape)), np.float32)  # noqa: E731
            present = make("NumPresent", "num_present", [w, each], count, "f4", (), lambda op, g: [None, None])
            loss = div_no_nan(loss, present, name="value")
        loss = cast(loss, given.dtype.base_dtype)
        add_loss(loss, loss_collection)
        return loss


def _is_one(weights: Any) -> bool:
    return not isinstance(weights, Operand) and np.ndim(weights) == 0 and weights == 1


def _broadcastable(weights: Any, losses: Tensor) -> Any:
    """Return weights in float32, whose shape is checked now, or else when they are computed."""
    w: Any = cast(convert_to_tensor(weights, name="weights"), "f4")
    say = "weights can not be broadcast to values."
    a, b = w.shape.raw, losses.shape.raw
    if a == ():
        return w
    if a is not None and b is not None and len(a) != len(b):
        raise ValueError(
            f"{say} values.rank={len(b)}. weights.rank={len(a)}. values.shape={losses.shape}. weights.shape={w.shape}."
        )
    if a is not None and b is not None and None not in (*a, *b):
        for i, (p, q) in enumerate(zip(a, b, strict=True)):
            if p not in (1, q):
                shapes = f"values.shape={np.array(b)} weights.shape={np.array(a)}."
                raise ValueError(f"{say} Mismatch at dim {i}. {shapes}")
        return w

    def check(p: Any, q: Any) -> Any:
        if p.ndim and (p.ndim != q.ndim or any(m not in (1, n) for m, n in zip(p.shape, q.shape, strict=True))):
            raise InvalidArgumentError(
                out.op,
                f"assertion failed: [{say}] [weights.shape=] [{w.name}] {np.array(p.shape)} [values.shape=] [{losses.name}] "
                f"{np.array(q.shape)} [is_scalar=] [0]",
            )
        return p

    out = make("Assert", "assert_broadcastable", [w, losses], check, "f4", w.shape, lambda op, g: [g, None])
    return out


def _given(**values: Any) -> None:
    """Refuse None for an argument."""
    for what, value in values.items():
        if value is None:
            raise ValueError(f"{what} must not be None.")


def _of_pairs(
    name: str, of: Callable[[Any, Any], Any], labels: Any, predictions: Any, weights: Any, scope: str | None, collection: Any,
    reduction: str,
) -> Any:  # fmt: skip
    """Return the weighted loss of which `of`, a function of predictions and labels of one shape, gives the elements."""
    with name_scope(scope, name, [predictions, labels, weights]) as inner:
        x, y = (cast(convert_to_tensor(value), "f4") for value in (predictions, labels))
        x.shape.assert_is_compatible_with(y.shape)
        return compute_weighted_loss(of(x, y), weights, inner, collection, reduction)


def mean_squared_error(
    labels: Any, predictions: Any, weights: Any = 1.0, scope: str | None = None, loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_COUNT,
) -> Any:  # fmt: skip
    """Return the weighted mean of (predictions - labels)**2."""
    _given(labels=labels, predictions=predictions)
    return _of_pairs("mean_squared_error", squared_difference, labels, predictions, weights, scope, loss_collection, reduction)


def absolute_difference(
    labels: Any, predictions: Any, weights: Any = 1.0, scope: str | None = None, loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_COUNT,
) -> Any:  # fmt: skip
    """Return the weighted mean of abs(predictions - labels)."""
    _given(labels=labels, predictions=predictions)
    of = lambda x, y: abs(subtract(x, y))  # noqa: E731
    return _of_pairs("absolute_difference", of, labels, predictions, weights, scope, loss_collection, reduction)


def hinge_loss(
    labels: Any, logits: Any, weights: Any = 1.0, scope: str | None = None, loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_COUNT,
) -> Any:  # fmt: skip
    """Return the weighted mean of max(0, 1 - (2 * labels - 1) * logits)."""
    _given(labels=labels, logits=logits)

    def of(x: Any, y: Any) -> Any:
        ones = ones_like(y)
        return relu(subtract(ones, multiply(subtract(2 * y, ones), x)))

    return _of_pairs("hinge_loss", of, labels, logits, weights, scope, loss_collection, reduction)


def huber_loss(
    labels: Any, predictions: Any, weights: Any = 1.0, delta: float = 1.0, scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES, reduction: str = _BY_COUNT,
) -> Any:  # fmt: skip
    """Return the weighted mean of half the squared error up to `delta`, and of its tangent beyond."""
    _given(labels=labels, predictions=predictions)

    def of(x: Any, y: Any) -> Any:
        error = abs(subtract(x, y))
        quadratic = minimum(error, delta)
        return add(multiply(0.5, multiply(quadratic, quadratic)), multiply(delta, subtract(error, quadratic)))

    return _of_pairs("huber_loss", of, labels, predictions, weights, scope, loss_collection, reduction)


def log_loss(
    labels: Any, predictions: Any, weights: Any = 1.0, epsilon: float = 1e-7, scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES, reduction: str = _BY_COUNT,
) -> Any:  # fmt: skip
    """Return the weighted mean of -labels * log(predictions) - (1 - labels) * log(1 - predictions)."""
    _given(labels=labels, predictions=predictions)

    def of(x: Any, y: Any) -> Any:
        return negative(multiply(y, log(x + epsilon))) - multiply(1 - y, log(1 - x + epsilon))

    return _of_pairs("log_loss", of, labels, predictions, weights, scope, loss_collection, reduction)


def cosine_distance(
    labels: Any, predictions: Any, axis: int | None = None, weights: Any = 1.0, scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES, reduction: str = _BY_COUNT, dim: int | None = None,
) -> Any:  # fmt: skip
    """Return the weighted mean of 1 - sum(predictions * labels) along `axis`; both have norm 1 there."""
    along = either("axis", axis, "dim", dim)
    if along is None:
        raise ValueError("You must specify 'axis'.")
    _given(labels=labels, predictions=predictions)
    of = lambda x, y: 1 - reduce_sum(multiply(x, y), along, True)  # noqa: E731
    return _of_pairs("cosine_distance_loss", of, labels, predictions, weights, scope, loss_collection, reduction)


def sigmoid_cross_entropy(
    multi_class_labels: Any, logits: Any, weights: Any = 1.0, label_smoothing: float = 0, scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES, reduction: str = _BY_COUNT,
) -> Any:  # fmt: skip
    """Return the weighted mean of the sigmoid cross entropies; smoothing moves labels towards 1/2."""
    _given(multi_class_labels=multi_class_labels, logits=logits)
    with name_scope(scope, "sigmoid_cross_entropy_loss", [logits, multi_class_labels, weights]) as inner:
        x: Any = convert_to_tensor(logits)
        y = cast(convert_to_tensor(multi_class_labels), x.dtype.base_dtype)
        x.shape.assert_is_compatible_with(y.shape)
        if label_smoothing > 0:
            y = y * (1 - label_smoothing) + 0.5 * label_smoothing
        losses = sigmoid_cross_entropy_with_logits(labels=y, logits=x, name="xentropy")
        return compute_weighted_loss(losses, weights, inner, loss_collection, reduction)


def softmax_cross_entropy(
    onehot_labels: Any, logits: Any, weights: Any = 1.0, label_smoothing: float = 0, scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES, reduction: str = _BY_COUNT,
) -> Any:  # fmt: skip
    """Return the weighted mean of the softmax cross entropies; smoothing moves labels towards 1/classes."""
    _given(onehot_labels=onehot_labels, logits=logits)
    with name_scope(scope, "softmax_cross_entropy_loss", [logits, onehot_labels, weights]) as inner:
        x: Any = convert_to_tensor(logits)
        y = cast(convert_to_tensor(onehot_labels), x.dtype.base_dtype)
        x.shape.assert_is_compatible_with(y.shape)
        if label_smoothing > 0:
            classes = cast(shape(y)[-1], x.dtype.base_dtype)
            y = y * (1.0 - label_smoothing) + label_smoothing / classes
        losses = softmax_cross_entropy_with_logits_v2(stop_gradient(y, "labels_stop_gradient"), x, name="xentropy")
        return compute_weighted_loss(losses, weights, inner, loss_collection, reduction)


def sparse_softmax_cross_entropy(
    labels: Any, logits: Any, weights: Any = 1.0, scope: str | None = None, loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_COUNT,
) -> Any:  # fmt: skip
    """Return the weighted mean of the softmax cross entropies of labels that name classes."""
    _given(labels=labels, logits=logits)
    with name_scope(scope, "sparse_softmax_cross_entropy_loss", [logits, labels, weights]) as inner:
        y, x = convert_to_tensor(labels), convert_to_tensor(logits)
        with name_scope("remove_squeezable_dimensions"):
            if None not in (y.shape.ndims, x.shape.ndims) and y.shape.ndims == x.shape.ndims:
                y = squeeze(y, [-1])
        if isinstance(weights, (Operand, np.ndarray, list, tuple)):
            w = convert_to_tensor(weights)
            extra = None in (w.shape.ndims, y.shape.ndims) or w.shape.ndims != y.shape.ndims + 1  # type: ignore[operator]
            weights = w if extra else squeeze(w, [-1])
        losses = sparse_softmax_cross_entropy_with_logits(labels=y, logits=x, name="xentropy")
        return compute_weighted_loss(losses, weights, inner, loss_collection, reduction)


def get_regularization_loss(scope: str | None = None, name: str = "total_regularization_loss") -> Any:
    """Return the sum of the regularization losses, a float32 0.0 if there is none."""
    losses = get_regularization_losses(scope)
    return add_n(losses, name=name) if losses else constant(0.0)


def get_total_loss(add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None) -> Any:
    """Return the sum of the filed losses and, unless told otherwise, of the regularization losses."""
    losses = get_losses(scope) + (get_regularization_losses(scope) if add_regularization_losses else [])
    return add_n(losses, name=name)
