"""The functions that layers compute: biases, softmax and its cross entropies.

Knows tensors alone: a layer's weights, names and losses stand in layers.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastreg.compat.v1.array_ops import expand_dims, transpose
from fastreg.compat.v1.common_shapes import broadcast, shown
from fastreg.compat.v1.conversion import check_dtype, convert_to_tensor, either
from fastreg.compat.v1.errors import InvalidArgumentError
from fastreg.compat.v1.graph import Operation, Tensor, make, name_scope
from fastreg.compat.v1.math_ops import (
    abs,
    add,
    cast,
    check_operands,
    exp,
    log1p,
    multiply,
    relu,
    sigmoid,
    stop_gradient,
    subtract,
    summed_to,
)
from fastreg.compat.v1.reduction_ops import reduce_sum
from fastreg.compat.v1.tensor_shape import TensorShape, as_whole

_FLOATS = "float16, bfloat16, float32, float64"


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
    """Return `value` plus a bias for each channel."""
    with name_scope(name, "BiasAdd", [value, bias]) as scope:
        form = data_format or "NHWC"
        first = form.startswith("NC")
        if not (first or (form.startswith("N") and form.endswith("C"))):
            raise ValueError("data_format must be of the form `N...C` or `NC...`")
        x: Tensor = convert_to_tensor(value, name="input")
        b: Tensor = convert_to_tensor(bias, x.dtype.base_dtype, name="bias")
        where = f"for {scope[:-1]!r} (op: 'BiasAdd') with input shapes: {shown(x)}, {shown(b)}."
        if b.shape.ndims not in (None, 1):
            raise ValueError(f"Shape must be rank 1 but is rank {b.shape.ndims} {where}")
        known = x.shape.raw
        if known is not None:
            if len(known) < 2 + first:
                raise ValueError(f"Shape must be at least rank {2 + first} but is rank {len(known)} {where}")
            channels, count = known[1 if first else -1], None if b.shape.raw is None else b.shape.raw[0]
            if None not in (channels, count) and channels != count:
                raise ValueError(f"Dimensions must be equal, but are {channels} and {count} {where}")

        def compute(p: Any, q: Any) -> Any:
            return p + (q.reshape(-1, *(1,) * (p.ndim - 2)) if first else q)

        def gradient(op: Operation, g: Tensor) -> list[Any]:
            total = lambda a: by_channel(np.moveaxis(a, 1, -1) if first else a)  # noqa: E731
            back = lambda op, h: [compute_like(h, g)]  # noqa: E731
            return [g, make("BiasAddGrad", None, [g], total, g.dtype, b.shape, back)]

        def compute_like(h: Tensor, like: Tensor) -> Any:
            return make("BiasAdd", None, [like, h], lambda a, q: compute(np.zeros_like(a), q), h.dtype, like.shape)

        return make("BiasAdd", scope, [x, b], compute, x.dtype.base_dtype, x.shape, gradient)


def by_channel(a: Any) -> Any:
    """Return the sums over all axes but the last, by one product."""
    rows = a.reshape(-1, a.shape[-1])
    return np.ones(len(rows), a.dtype) @ rows


def _shifted(a: Any, axis: int) -> Any:
    """Return `a` minus its largest element along `axis`, so that its exponential is at most 1."""
    return a - a.max(axis, keepdims=True, initial=-np.inf)


def _softmax(a: Any, axis: int) -> Any:
    e = np.exp(_shifted(a, axis))
    e /= e.sum(axis, keepdims=True)
    return e


def _log_softmax(a: Any, axis: int) -> Any:
    low = _shifted(a, axis)
    low -= np.log(np.exp(low).sum(axis, keepdims=True))
    return low


def _over_axis(kind: str, compute: Any, gradient: Any) -> Any:
    def function(logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Any:
        x = convert_to_tensor(logits)
        along = either("axis", axis, "dim", dim)
        along = -1 if along is None else as_whole(along, "axis")
        check_dtype(x, "logits", _FLOATS)
        rank = x.shape.ndims
        if rank == 0:
            raise ValueError(
                f"Shape must be at least rank 1 but is rank 0 for {name or kind!r} (op: {kind!r}) with input shapes: []."
            )
        if rank is not None and not -rank <= along < rank:
            raise InvalidArgumentError(
                None,
                f"Dimension ({along}) must be in the range [{-rank}, {rank}) where {rank} is the number of dimensions in the "
                "input.",
            )
        if rank is not None and along % rank != rank - 1:  # as in TensorFlow, whose names count the transpositions
            order = list(range(rank))
            order[along], order[-1] = order[-1], order[along]
            return transpose(function(transpose(x, order)), order, name or "transpose")
        backward = lambda op, g: [gradient(op.outputs[0], g)]  # noqa: E731
        return make(kind, name, [x], lambda a: compute(a, along), x.dtype.base_dtype, x.shape, backward)

    function.__name__ = kind.lower()
    return function


softmax = _over_axis(
    "Softmax", _softmax, lambda y, g: multiply(subtract(g, reduce_sum(multiply(g, y, "mul"), -1, True), "sub"), y, "mul")
)
log_softmax = _over_axis(
    "LogSoftmax", _log_softmax, lambda y, g: subtract(g, multiply(reduce_sum(g, -1, True), exp(y), "mul"), "sub")
)


def _check_cross_entropy(name: str, sentinel: Any, labels: Any, logits: Any) -> None:
    if sentinel is not None:
        raise ValueError(f"Only call `{name}` with named arguments (labels=..., logits=..., ...)")
    if labels is None or logits is None:
        raise ValueError("Both labels and logits must be provided.")


def softmax_cross_entropy_with_logits_v2(
    labels: Any, logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Any:
    """Return -sum(labels * log_softmax(logits)) along `axis`; the gradient goes to both."""
    along = either("axis", axis, "dim", dim)
    along = -1 if along is None else as_whole(along, "axis")
    with name_scope(name, "softmax_cross_entropy_with_logits", [logits, labels]) as scope:
        x: Any = convert_to_tensor(logits, name="logits")
        check_dtype(x, "features", _FLOATS)
        if x.dtype.base_dtype == "float16":
            return cast(softmax_cross_entropy_with_logits_v2(labels, cast(x, "f4"), along, scope), "f2")
        y: Any = cast(convert_to_tensor(labels, name="labels"), x.dtype.base_dtype)
        if x.shape.ndims == 0:
            raise ValueError(f"Logits cannot be scalars - received shape {x.shape}.")
        known = broadcast(x, y, "SoftmaxCrossEntropyWithLogits", scope[:-1])
        if known is not None:
            known = tuple(n for i, n in enumerate(known) if i != along % len(known))

        def compute(a: Any, b: Any) -> Any:
            if np.broadcast_shapes(a.shape, b.shape) != a.shape:
                raise ValueError
            return -(b * _log_softmax(a, along)).sum(along)

        def checked(a: Any, b: Any) -> Any:
            try:
                return compute(a, b)
            except ValueError:
                sizes = f"logits_size={list(a.shape)} labels_size={list(b.shape)}".replace(", ", ",")
                raise InvalidArgumentError(out.op, f"logits and labels must be broadcastable: {sizes}") from None

        def gradient(op: Operation, g: Tensor) -> list[Any]:  # as in TensorFlow, labels are taken to sum to 1
            spread = expand_dims(g, along)
            by_logits = multiply(spread, subtract(softmax(x, along), y, "sub"), "mul")
            by_labels = multiply(spread, -log_softmax(x, along), "mul")
            return [summed_to(by_logits, x), summed_to(by_labels, y)]

        out = make("SoftmaxCrossEntropyWithLogits", scope + "Reshape_2/", [x, y], checked, x.dtype.base_dtype, known, gradient)
        return out


def softmax_cross_entropy_with_logits(
    _sentinel: None = None, labels: Any = None, logits: Any = None, dim: int | None = None, name: str | None = None,
    axis: int | None = None,
) -> Any:  # fmt: skip
    """Return -sum(labels * log_softmax(logits)) along `axis`; the gradient goes to the logits alone."""
    along = either("axis", axis, "dim", dim)
    _check_cross_entropy("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with name_scope(name, "softmax_cross_entropy_with_logits_sg", [logits, labels]) as scope:
        fixed = stop_gradient(convert_to_tensor(labels), "labels_stop_gradient")
    return softmax_cross_entropy_with_logits_v2(fixed, logits, along, scope)


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: None = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """Return -log_softmax(logits) at the class that each label names."""
    _check_cross_entropy("sparse_softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    kind = "SparseSoftmaxCrossEntropyWithLogits"
    with name_scope(name, kind, [labels, logits]) as scope:
        y: Tensor = convert_to_tensor(labels)
        x: Tensor = convert_to_tensor(logits)
        ranks = y.shape.ndims, x.shape.ndims
        if ranks[1] == 0:
            raise ValueError(f"Logits cannot be scalars - received shape {x.shape}.")
        if None not in ranks and ranks[0] != ranks[1] - 1:  # type: ignore[operator]
            raise ValueError(
                f"Rank mismatch: Rank of labels (received {ranks[0]}) should equal rank of logits minus 1 (received {ranks[1]})."
            )
        rows = TensorShape(None if x.shape.raw is None else x.shape.raw[:-1])
        if y.shape.is_fully_defined() and rows.is_fully_defined() and y.shape != rows:
            raise ValueError(
                f"Shape mismatch: The shape of labels (received {y.shape}) should equal the shape of logits except for the last "
                f"dimension (received {x.shape})."
            )
        check_dtype(x, "features", _FLOATS)
        check_dtype(y, "labels", "int32, int64")
        if x.dtype.base_dtype == "float16":
            return cast(sparse_softmax_cross_entropy_with_logits(labels=y, logits=cast(x, "f4"), name=scope), "f2")

        def compute(a: Any, at: Any) -> Any:
            if at.shape != a.shape[:-1]:
                sizes = f"logits shape {list(a.shape)} and labels shape {list(at.shape)}".replace(", ", ",")
                raise InvalidArgumentError(out.op, f"logits and labels must have the same first dimension, got {sizes}")
            wrong = at[(at < 0) | (at >= a.shape[-1])]
            if wrong.size:
                raise InvalidArgumentError(
                    out.op,
                    f"Received a label value of {wrong[0]} which is outside the valid range of [0, {a.shape[-1]}).  "
                    f"Label values: {' '.join(map(str, at.ravel()))}",
                )
            return -np.take_along_axis(_log_softmax(a, -1), at[..., None], -1)[..., 0]

        def gradient(op: Operation, g: Tensor) -> list[Any]:
            chosen = lambda at, a: (at[..., None] == np.arange(a.shape[-1])).astype(a.dtype)  # noqa: E731
            ones = make("OneHot", None, [y, x], chosen, x.dtype.base_dtype, x.shape, lambda op, h: [None, None])
            return [multiply(expand_dims(g, -1), subtract(softmax(x), ones, "sub"), "mul"), None]

        last = f"{scope}Reshape_2/" if ranks[1] != 2 else f"{scope}{name.rstrip('/').split('/')[-1] if name else kind}/"
        known = y.shape if y.shape.raw is not None else rows
        out = make(kind, last, [x, y], compute, x.dtype.base_dtype, known, gradient)
        return out


def sigmoid_cross_entropy_with_logits(
    _sentinel: None = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """Return -labels * log(sigmoid(logits)) - (1 - labels) * log(1 - sigmoid(logits)), for each element."""
    _check_cross_entropy("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    with name_scope(name, "logistic_loss", [logits, labels]) as scope:
        x, y = _same_shape(logits, labels)
        check_operands("Mul", x, y)

        def compute(a: Any, b: Any) -> Any:
            if a.shape != b.shape:
                raise InvalidArgumentError(out.op, f"Incompatible shapes: {list(a.shape)} vs. {list(b.shape)}".replace(", ", ","))
            return np.maximum(a, 0) - a * b + np.log1p(np.exp(-np.abs(a)))

        known = x.shape if x.shape.is_fully_defined() else y.shape
        backward = lambda op, g: [multiply(g, subtract(sigmoid(x), y)), multiply(g, -x)]  # noqa: E731
        out = make("LogisticLoss", scope, [x, y], compute, x.dtype.base_dtype, known, backward)
        return out


def weighted_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, pos_weight: Any = None, name: str | None = None, targets: Any = None
) -> Any:
    """Return the sigmoid cross entropy with the positive labels' part times `pos_weight`."""
    labels = either("labels", labels, "targets", targets)
    with name_scope(name, "logistic_loss", [logits, labels]) as scope:
        x, y = _same_shape(logits, labels)
        log_weight = 1 + (pos_weight - 1) * y
        return add((1 - y) * x, log_weight * (log1p(exp(-abs(x))) + relu(-x)), name=scope)


def _same_shape(logits: Any, labels: Any) -> tuple[Any, Any]:
    x, y = convert_to_tensor(logits, name="logits"), convert_to_tensor(labels, name="labels")
    if not x.shape.is_compatible_with(y.shape):
        raise ValueError(f"logits and labels must have the same shape ({x.shape} vs {y.shape})")
    return x, y
