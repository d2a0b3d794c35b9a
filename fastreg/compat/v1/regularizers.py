"""tf.contrib.layers' regularizers: the core's closures, applied to tensors."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastreg import regularizers as core
from fastreg.compat.v1.conversion import constant
from fastreg.compat.v1.graph import Operand, name_scope
from fastreg.compat.v1.math_ops import abs as absolute
from fastreg.compat.v1.math_ops import multiply
from fastreg.compat.v1.penalties import add_n, l2_loss
from fastreg.compat.v1.reduction_ops import reduce_sum
from fastreg.compat.v1.variables import loss_of
from fastreg.graph import GraphKeys, get_collection, get_default_graph
from fastreg.kernels import Penalty


def _over_tensors(factory: Callable[..., Any]) -> Callable[..., Any]:
    """Let the regularizers of a factory of the core be called with tensors too; they stay the core's regularizers.

    The core's arguments that are keywords alone are not TensorFlow's.
    """
    core_signature = inspect.signature(factory)
    shared = [argument for argument in core_signature.parameters.values() if argument.kind is not argument.KEYWORD_ONLY]
    signature = core_signature.replace(parameters=shared)

    @functools.wraps(factory)
    def make(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        if any(isinstance(value, Operand) for value in given.arguments.values()):
            given.apply_defaults()
            return _WITH_TENSORS[factory](**given.arguments)
        regularizer = factory(*args, **kwargs)
        if isinstance(regularizer, Penalty):
            regularizer.__class__ = _over(type(regularizer))  # type: ignore[arg-type]
        return regularizer

    make.__signature__ = signature  # type: ignore[attr-defined]
    return make


@functools.cache
def _over(base: Any) -> Any:
    @functools.wraps(base.__call__)  # so the core sees that it stays compiled
    def call(self: Any, weights: Any) -> Any:
        if not isinstance(weights, np.ndarray):
            return loss_of(self, weights)
        return None if self.disabled else base.__call__(self, weights)

    return type(base.__name__, (base,), {"__call__": call, "__doc__": base.__doc__})


l1_regularizer = _over_tensors(core.l1_regularizer)
l2_regularizer = _over_tensors(core.l2_regularizer)
l1_l2_regularizer = _over_tensors(core.l1_l2_regularizer)


def sum_regularizer(regularizer_list: Sequence[Any], scope: str | None = None) -> Any:
    """Return a function for the sum of regularizers; None if none is left. One kernel call if all are of the family."""
    whole = _over_tensors(core.sum_regularizer)(regularizer_list, scope)
    if not isinstance(whole, core.CompositeSum):
        return whole

    def of_tensors(weights: Any) -> Any:
        with name_scope(scope, "sum_regularizer", [weights]) as name:
            losses = [loss for part in whole.parts if (loss := loss_of(part, weights)) is not None]
            return add_n(losses, name=name) if losses else None

    return of_tensors


def _scaled(scale: Any, scope: str | None, kind: str, unscaled: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a regularizer whose scale is a tensor."""

    def of_tensors(weights: Any) -> Any:
        with name_scope(scope, kind, [weights]) as name:
            return multiply(scale, unscaled(weights), name=name)

    return of_tensors


def _l1(scale: Any, scope: str | None) -> Callable[[Any], Any]:
    return _scaled(scale, scope, "l1_regularizer", lambda weights: reduce_sum(absolute(weights)))


def _l2(scale: Any, scope: str | None) -> Callable[[Any], Any]:
    return _scaled(scale, scope, "l2_regularizer", l2_loss)


def _l1_l2(scale_l1: Any, scale_l2: Any, scope: str | None) -> Any:
    return sum_regularizer([l1_regularizer(scale_l1), l2_regularizer(scale_l2)], scope or "l1_l2_regularizer")


_WITH_TENSORS: dict[Any, Callable[..., Any]] = {
    core.l1_regularizer: _l1,
    core.l2_regularizer: _l2,
    core.l1_l2_regularizer: _l1_l2,
}


def apply_regularization(regularizer: Any, weights_list: Sequence[Any] | None = None) -> Any:
    """Return the sum of a regularizer over tensors, and file it under REGULARIZATION_LOSSES."""
    weights = list(weights_list or get_collection(GraphKeys.WEIGHTS))
    if not weights:
        raise ValueError("No weights to regularize.")
    with name_scope(None, "get_regularization_penalty", weights) as scope:
        penalties = [constant(0.0) if (p := loss_of(regularizer, w)) is None else p for w in weights]
        for p in penalties:
            if p.shape.ndims != 0:
                raise ValueError(f"regularizer must return a scalar Tensor instead of a Tensor with rank {p.shape.ndims}.")
        total = add_n(penalties, name=scope)
        get_default_graph().add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
    return total
