"""What is made of several functions of layers: normalizations, moments, dropout.

Knows tensors and random numbers, not the variables that layers keep.
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from fastreg.compat.v1.array_ops import rearranged, shape, squeeze
from fastreg.compat.v1.common_shapes import shown
from fastreg.compat.v1.conversion import check_dtype, constant, convert_to_tensor, either
from fastreg.compat.v1.graph import Operand, Operation, Tensor, as_outputs, make, name_scope
from fastreg.compat.v1.linalg_ops import matmul
from fastreg.compat.v1.math_ops import (
    cast,
    greater_equal,
    maximum,
    multiply,
    pow,
    rsqrt,
    square,
    squared_difference,
    stop_gradient,
    subtract,
)
from fastreg.compat.v1.nn_ops import bias_add, by_channel
from fastreg.compat.v1.random_ops import random_uniform
from fastreg.compat.v1.reduction_ops import reduce_mean, reduce_sum
from fastreg.compat.v1.tensor_shape import TensorShape


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Any:
    """Return matmul(x, weights) + biases."""
    with name_scope(name, "xw_plus_b", [x, weights, biases]) as scope:
        return bias_add(matmul(x, weights), biases, name=scope)


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Any:
    """Return `x` over its Euclidean norm."""
    axis = either("axis", axis, "dim", dim)
    with name_scope(name, "l2_normalize", [x]) as scope:
        x = convert_to_tensor(x)
        return multiply(x, rsqrt(maximum(reduce_sum(square(x), axis, keepdims=True), epsilon)), name=scope)


def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5, name: str | None = None
) -> Any:
    """Return x / (bias + alpha * the sum of x**2 over the channels up to `depth_radius` away) ** beta."""
    x: Any = convert_to_tensor(input, name="input")
    check_dtype(x, "input", "float16, bfloat16, float32, float64")
    scope = x.graph.unique_name(name or "LRN") + "/"
    if x.shape.ndims not in (None, 4):
        raise ValueError(
            f"Shape must be rank 4 but is rank {x.shape.ndims} for {scope[:-1]!r} (op: 'LRN') with input shapes: {shown(x)}."
        )

    def over_channels(a: Any, *like: Any) -> Any:
        total = np.cumsum(np.pad(a, [(0, 0)] * 3 + [(depth_radius + 1, depth_radius)]), -1, np.float64)
        return (total[..., 2 * depth_radius + 1 :] - total[..., : -2 * depth_radius - 1]).astype(a.dtype)

    with name_scope(scope):
        sums = rearranged("ChannelSums", square(x), None, over_channels, over_channels, x.shape)
        return multiply(x, pow(bias + alpha * sums, -beta), name=scope)


def zero_fraction(value: Any, name: str | None = None) -> Any:
    """Return which part of the elements is 0."""
    with name_scope(name, "zero_fraction", [value]) as scope:
        x: Tensor = convert_to_tensor(value, name="value")
        share = lambda a: np.asarray(1 - np.count_nonzero(a) / a.size if a.size else np.nan, np.float32)  # noqa: E731
        return make("ZeroFraction", scope + "fraction/", [x], share, "f4", (), lambda op, g: [None])


def moments(
    x: Any, axes: Any, shift: None = None, name: str | None = None, keep_dims: bool | None = None, keepdims: bool | None = None
) -> tuple[Any, Any]:
    """Return mean and variance over axes."""
    keep = either("keepdims", keepdims, "keep_dims", keep_dims)
    with name_scope(name, "moments", [x]):
        x = convert_to_tensor(x)
        wide = cast(x, "f4") if x.dtype.base_dtype == "float16" else x
        mean = reduce_mean(wide, axes, keepdims=True, name="mean")
        spread = squared_difference(wide, stop_gradient(mean))
        variance = reduce_mean(spread, axes, keepdims=True, name="variance")
        if not keep:
            mean, variance = squeeze(mean, axes), squeeze(variance, axes)
        return cast(mean, x.dtype.base_dtype), cast(variance, x.dtype.base_dtype)


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float, name: str | None = None
) -> Any:
    """Return (x - mean) / sqrt(variance + variance_epsilon) * scale + offset; `scale` and `offset` may be None."""
    with name_scope(name, "batchnorm", [x, mean, variance, scale, offset]):
        inverse = rsqrt(variance + variance_epsilon)
        if scale is not None:
            inverse *= scale
        kind = x.dtype.base_dtype
        shift = -mean * inverse if offset is None else offset - mean * inverse
        return x * cast(inverse, kind) + cast(shift, kind)


def fused_batch_norm(
    x: Any, scale: Any, offset: Any, mean: Any = None, variance: Any = None, epsilon: float = 0.001, data_format: str = "NHWC",
    is_training: bool = True, name: str | None = None,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Return images normalized by channel, and the channels' means and variances: of these images, or else as they were given.

    The variances that are returned of these images are for the population: the sums of squares over n - 1.
    """
    x = convert_to_tensor(x, name="input")
    gamma, beta = convert_to_tensor(scale, name="scale"), convert_to_tensor(offset, name="offset")
    if is_training and not (mean is None and variance is None):
        raise ValueError("Both 'mean' and 'variance' must be None if is_training is True.")
    mean, variance = (constant(np.zeros(0, np.float32)) if t is None else convert_to_tensor(t) for t in (mean, variance))
    kind, small, first = "FusedBatchNormV3", max(epsilon, 1.001e-5), data_format == "NCHW"
    scope = x.graph.unique_name(name or kind) + "/"
    _check_channels(
        x, [gamma, beta] if is_training else [gamma, beta, mean, variance], [gamma, beta, mean, variance], scope, first
    )
    check_dtype(x, "x", "float16, bfloat16, float32, float64")
    known, channels = gamma.dtype.base_dtype, gamma.shape

    def of_rows(f: Any) -> Any:
        """Let `f` have the first of its arrays, images, as rows of channels; its result is by channel."""
        return lambda a, *more: f(_rows(a, first), *more)

    if is_training:
        centre = make(kind, scope, [x], of_rows(lambda a: by_channel(a) / np.asarray(len(a), a.dtype)), known, channels)
        width = make(
            kind,
            scope,
            [x, centre],
            of_rows(lambda a, m: by_channel((a - m) ** 2) / np.asarray(len(a), a.dtype)),
            known,
            channels,
        )
        unbiased = lambda a, v: v * np.asarray(len(_rows(a, first)) / max(1, len(_rows(a, first)) - 1), v.dtype)  # noqa: E731
        means = make(kind, scope, [centre], lambda m: m, known, channels)
        variances = make(kind, scope, [x, width], unbiased, known, channels)
    else:
        centre, width = means, variances = mean, variance

    def normalized(a: Any, p: Any, q: Any, m: Any, v: Any) -> Any:
        factor = p / np.sqrt(v + v.dtype.type(small))
        return _images((_rows(a, first) * factor + (q - m * factor)).astype(a.dtype, copy=False), a.shape, first)

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        inner = op.graph.unique_name("FusedBatchNormGradV3") + "/"

        def standard(a: Any, m: Any, v: Any) -> Any:
            return (_rows(a, first) - m) / np.sqrt(v + v.dtype.type(small))

        def by_scale(a: Any, b: Any, m: Any, v: Any) -> Any:
            return by_channel(standard(a, m, v) * _rows(b, first))

        def by_images(a: Any, b: Any, p: Any, m: Any, v: Any, total: Any, product: Any) -> Any:
            rows, n = _rows(b, first), np.asarray(max(1, a.size // p.size), p.dtype)
            if is_training:
                rows = rows - total / n - standard(a, m, v) * (product / n)
            return _images((rows * (p / np.sqrt(v + v.dtype.type(small)))).astype(b.dtype, copy=False), b.shape, first)

        total = make("FusedBatchNormGradV3", inner, [g], of_rows(by_channel), known, channels)
        product = make("FusedBatchNormGradV3", inner, [x, g, centre, width], by_scale, known, channels)
        images = make("FusedBatchNormGradV3", inner, [x, g, gamma, centre, width, total, product], by_images, g.dtype, x.shape)
        return [*as_outputs([images, product, total]), None, None]

    y = make(kind, scope, [x, gamma, beta, centre, width], normalized, x.dtype.base_dtype, x.shape, gradient)
    if is_training:
        as_outputs([y, means, variances, centre, width])
    for t in (means, variances) if is_training else ():
        t.op.gradient = lambda op, g: [None] * len(op.inputs)  # as in TensorFlow
    return y, means, variances


def _rows(a: Any, first: bool) -> Any:
    """Return images as rows of channels."""
    return (np.moveaxis(a, 1, -1) if first else a).reshape(-1, a.shape[1 if first else -1])


def _images(rows: Any, shape: tuple[int, ...], first: bool) -> Any:
    """Return rows of channels as images of this shape."""
    return (
        np.ascontiguousarray(np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)) if first else rows.reshape(shape)
    )


def _check_channels(x: Tensor, used: list[Tensor], given: list[Tensor], scope: str, first: bool) -> None:
    where = f"for {scope[:-1]!r} (op: 'FusedBatchNormV3') with input shapes: {', '.join(map(shown, [x, *given]))}."
    if x.shape.ndims not in (None, 4):
        raise ValueError(f"Shape must be rank 4 but is rank {x.shape.ndims} {where}")
    channels = None if x.shape.raw is None else x.shape.raw[1 if first else -1]
    for t in used:
        if t.shape.ndims not in (None, 1):
            raise ValueError(f"Shape must be rank 1 but is rank {t.shape.ndims} {where}")
        count = None if t.shape.raw is None else t.shape.raw[0]
        if None not in (channels, count) and channels != count:
            raise ValueError(f"Dimensions must be equal, but are {channels} and {count} {where}")


def dropout(
    x: Any, keep_prob: Any = None, noise_shape: Any = None, seed: int | None = None, name: str | None = None, rate: Any = None
) -> Any:
    """Return `x` with each element set to 0 with probability `rate`, else divided by 1 - `rate`.

    The random numbers are not TensorFlow's. Where `noise_shape` has a 1, elements along that axis are kept or set to 0 together.
    """
    try:
        drop = None if keep_prob is None else 1.0 - keep_prob
    except TypeError:
        raise ValueError(f"keep_prob must be a floating point number or Tensor (got {keep_prob!r})") from None
    rate = either("rate", rate, "keep_prob", drop)
    if rate is None:
        raise ValueError("You must provide a rate to dropout.")
    with name_scope(name, "dropout", [x]):
        x = convert_to_tensor(x, name="x")
        kind = x.dtype.base_dtype
        if not kind.is_floating:
            raise ValueError(f"x has to be a floating point tensor since it's going to be scaled. Got a {kind} tensor instead.")
        if isinstance(rate, (int, float, np.integer, np.floating)) and not 0 <= rate < 1:
            shown = rate if isinstance(rate, int) else format(rate, "g")
            raise ValueError(f"rate must be a scalar tensor or a float in the range [0, 1), got {shown}")
        if isinstance(rate, numbers.Real) and rate == 0:
            return x
        chance = convert_to_tensor(rate, kind, name="rate")
        if chance.shape.ndims not in (None, 0):
            raise ValueError(f"Shape {chance.shape} must have rank 0")
        noise = random_uniform(_noise_shape(x, noise_shape), seed=seed, dtype=kind)
        scale = 1.0 / subtract(1.0, chance, name="sub")
        kept = multiply(x * scale, cast(greater_equal(noise, chance), kind), name="mul")
        kept.set_shape(x.shape)
        return kept


def _noise_shape(x: Tensor, given: Any) -> Any:
    if given is None:
        return x.shape.as_list() if x.shape.is_fully_defined() else shape(x)
    if isinstance(given, Operand) or any(isinstance(n, Operand) for n in given):
        return given
    sizes = TensorShape(given).as_list()
    if x.shape.raw is not None and len(x.shape.raw) == len(sizes):
        sizes = [mine if its is None else its for its, mine in zip(sizes, x.shape.raw, strict=True)]
    return sizes
