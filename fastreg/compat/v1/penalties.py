"""Regularizers of the core's family as operations, and the sum that computes many of them by one call of the kernels.

The only file of operations that knows the core's kernels. Knows neither variables nor collections.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastreg.compat.v1.common_shapes import mismatch, shown
from fastreg.compat.v1.conversion import check_dtype, check_same_dtype, convert_to_tensor
from fastreg.compat.v1.graph import Fused, Operation, Tensor, make
from fastreg.compat.v1.math_ops import identity
from fastreg.kernels import Penalty, Term, evaluate
from fastreg.regularizers import l2_regularizer, multiple, separate


def add_n(inputs: Any, name: str | None = None) -> Any:
    """Return the sum of a list of tensors. All penalties in the list are computed by one call of the kernels."""
    if isinstance(inputs, Tensor) or not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError("inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and shape")
    tensors = [convert_to_tensor(t) for t in inputs]
    if len(tensors) == 1:
        return identity(tensors[0], name=name) if name else tensors[0]
    first = tensors[0]
    check_same_dtype(tensors, "inputs", "AddN")
    for t in tensors[1:]:
        if differ := mismatch(first, t):
            raise ValueError(
                f"{differ}\n\tFrom merging shape 0 with other shapes. for '{name or 'AddN'}' (op: 'AddN') with input shapes: "
                f"{', '.join(map(shown, tensors))}."
            )
    shape = next((t.shape for t in tensors if t.shape.is_fully_defined()), first.shape)
    out = make("AddN", name, tensors, lambda *arrays: sum(arrays[1:], start=arrays[0]), first.dtype.base_dtype, shape)
    out.op.gradient = lambda op, g: [g] * len(op.inputs)
    if any(t.op.fusable for t in tensors):
        inputs = [t.op.inputs[0] if t.op.fusable else t for t in tensors]
        skipped = [t.op for t in tensors if t.op.fusable]
        out.op.fused = Fused(inputs, skipped, lambda *arrays: _sum_of_penalties(out.op, arrays))
    return out


def _sum_of_penalties(op: Operation, arrays: Sequence[Any]) -> Any:
    """Return an AddN's value with one call of the kernels for all of its penalties."""
    penalties = [t.op.penalty if t.op.fusable else None for t in op.inputs]
    terms = [
        Term.over(array if array.flags.forc else np.ascontiguousarray(array), p, t.op.name)
        for array, p, t in zip(arrays, penalties, op.inputs, strict=True)
        if p is not None
    ]
    total = evaluate(terms)
    total += sum([float(array) for array, p in zip(arrays, penalties, strict=True) if p is None])
    return op.outputs[0].dtype.as_numpy_dtype(total)


def penalty(regularizer: Any, weights: Any, name: str | None = None, kind: str | None = None, tensor: Any = Tensor) -> Any:
    """Return the loss of a regularizer of the core's family for a tensor: a node that holds the regularizer itself."""
    weights = convert_to_tensor(weights)
    if not weights.dtype.is_floating:
        if regularizer is _L2_LOSS:
            check_dtype(weights, "t", "float16, bfloat16, float32, float64")
        scale = next((c for c in regularizer.coefficients if c), 0.0)
        raise TypeError(f"Expected {weights.dtype.base_dtype.name}, got {scale} of type 'float' instead.")
    kind = kind or type(regularizer).__name__
    loss = make(kind, name or kind, [weights], as_kernel_array(regularizer), weights.dtype.base_dtype, (), tensor=tensor)

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        compute = functools.partial(_gradient_times, regularizer)
        again = None if regularizer.n_profiles else functools.partial(_second_gradient, regularizer)
        found = make("PenaltyGrad", last, [weights, g], compute, weights.dtype, weights.shape, again)
        found.op.differentiated = regularizer
        return [found]

    # In TensorFlow a penalty is several operations; its gradient is named after one of these.
    l1, l2 = regularizer.coefficients
    part = "AddN" if l1 and l2 else "Abs" if l1 else "L2Loss"
    if part == "AddN":
        loss.op.gradient_scope = ""
    elif kind != "L2Loss":
        loss.op.gradient_scope = f"{loss.op.name}/{part}_grad"
    last = "AddN" if part == "AddN" else "mul"
    loss.op.gradient = gradient
    if weights.dtype.base_dtype != "float16":
        loss.op.penalty = regularizer
    return loss


def times(regularizer: Penalty, factor: float) -> Penalty | None:
    """Return the regularizer times a number, None if the kernels have none that is that."""
    if factor == 1:
        return regularizer
    if not 0 < factor < math.inf:
        return None
    compiled, custom = multiple(factor, *separate(regularizer))
    return None if custom else compiled


def _gradient_times(regularizer: Penalty, weights: Any, factor: Any) -> Any:
    whole = times(regularizer, float(factor))
    if whole is None:
        return as_kernel_array(regularizer.gradient)(weights) * factor
    return as_kernel_array(whole.gradient)(weights)


def _second_gradient(regularizer: Penalty, op: Operation, h: Tensor) -> list[Any]:
    """Return the gradients of a gradient of L1 and L2, by the weights and by the factor."""
    weights, factor = op.inputs

    def by_weights(a: Any, f: Any) -> Any:
        return a * (f * f.dtype.type(regularizer.coefficients[1]))

    def by_factor(a: Any, w: Any) -> Any:
        return np.sum(a * _gradient_times(regularizer, w, 1.0), dtype=np.float64).astype(a.dtype)

    return [
        make("PenaltyGradGrad", "mul", [h, factor], by_weights, h.dtype, weights.shape),
        make("PenaltyGradGrad", "Sum", [h, weights], by_factor, factor.dtype, ()),
    ]


def as_kernel_array(f: Callable[..., Any]) -> Callable[[Any], Any]:
    """Let `f` have its array as the kernels need it: contiguous, and float16 as float32. The result has the array's dtype."""

    def compute(a: Any) -> Any:
        wide = np.asarray(a, np.float32 if a.dtype == np.float16 else None, order="A" if a.flags.f_contiguous else "C")
        return np.asarray(f(wide)).astype(a.dtype, copy=False)

    return compute


_L2_LOSS = l2_regularizer(1.0)


def l2_loss(t: Any, name: str | None = None) -> Any:
    """Return sum(t**2) / 2. It is a penalty like the others: add_n computes many of them by one call of the kernels."""
    return penalty(_L2_LOSS, t, name, "L2Loss")
