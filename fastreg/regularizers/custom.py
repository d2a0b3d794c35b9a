"""The protocols of a regularizer, and the only functions that call a user's own regularizer.

The built-in regularizers follow the same protocols. So a user's own works wherever they do: in collections, in
`value_and_gradients` and in every update rule.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fastreg.kernels import Penalty

Array: TypeAlias = NDArray[Any]


@runtime_checkable
class Regularizer(Protocol):
    """A function of the weights. This is enough for values."""

    def __call__(self, weights: Array, /) -> Any:
        """Return the penalty: a scalar, or None for none."""
        ...


@runtime_checkable
class SupportsGradient(Regularizer, Protocol):
    """A regularizer with a gradient, which `value_and_gradients` and the update rules need."""

    def gradient(self, weights: Array, /) -> Array:
        """Return the gradient, of the weights' shape. It is read at once, so every call may return the same buffer."""
        ...


@runtime_checkable
class SupportsValueAndGradient(Regularizer, Protocol):
    """A regularizer that forms value and gradient together, without new memory. It is used in place of `gradient`."""

    def value_and_gradient(self, weights: Array, /, out: Array, accumulate: bool) -> tuple[Any, Array]:
        """Return the penalty, and `out` with the gradient put into it, or added to it if `accumulate` is true."""
        ...


@runtime_checkable
class SupportsProx(Regularizer, Protocol):
    """A regularizer with a prox. The step of ProximalGradientDescent ends in the prox and does not use the gradient."""

    def prox(self, weights: Array, step: float, /, out: Array | None = None) -> Array:
        """Return ``argmin_z step*penalty(z) + |z - weights|**2 / 2``, in `out` if it is given."""
        ...


def check_scalar(loss: Any) -> Any:
    """Check that the result of a regularizer is a scalar or None, and return it."""
    if loss is not None and np.ndim(loss):
        raise ValueError(f"regularizer must return a scalar Tensor instead of a Tensor with rank {np.ndim(loss)}.")
    return loss


def value_of(regularizer: Callable[[Any], Any], weights: Array) -> float:
    """Return the value of a user's own regularizer; None counts as 0."""
    loss = check_scalar(regularizer(weights))
    return 0.0 if loss is None else float(loss)


def add_value_and_gradient(regularizer: Any, weights: Array, total: Array, of: str) -> float:
    """Add the gradient of a user's own regularizer to `total`, an array like the weights; return the value.

    `of` says in messages whose regularizer it is.
    """
    method = _method(regularizer, "value_and_gradient")
    if method is not None and _accepts(method, "out", "accumulate"):
        loss, gradient = method(weights, out=total, accumulate=True)
        if gradient is not None and gradient is not total:
            raise TypeError(
                f"value_and_gradient of {regularizer!r} must put the gradient into out and return it, not another array"
            )
    elif method is not None:
        loss, gradient = method(weights)
        _add(total, gradient, of)
    else:
        loss, gradient = regularizer(weights), _gradient_of(regularizer)(weights)
        _add(total, gradient, of)
    loss = check_scalar(loss)
    return 0.0 if loss is None else float(loss)


def has_prox(regularizer: Any) -> bool:
    """Tell whether a user's own regularizer has a prox."""
    return _method(regularizer, "prox") is not None


def apply_prox(regularizer: Any, weights: Array, step: float, of: str) -> Array:
    """Return the prox of a user's own regularizer, as a new array like the weights."""
    out = np.empty_like(weights, subok=False)
    fills = _accepts(regularizer.prox, "out")
    result = regularizer.prox(weights, step, out=out) if fills else regularizer.prox(weights, step)
    if result is out or (fills and result is None):
        return out
    _check_shape(result, weights, "prox", of)
    np.copyto(out, result, casting="same_kind")
    return out


def overrides(regularizer: Penalty, name: str) -> bool:
    """Tell whether a built-in regularizer's class replaces a compiled method; one that wraps it does not."""
    return inspect.unwrap(getattr(type(regularizer), name)) is not getattr(Penalty, name)


def _method(regularizer: Any, name: str) -> Any:
    """Return a method or None. A subclass of a built-in one that replaces value or gradient does not inherit the others."""
    method = getattr(regularizer, name, None)
    if isinstance(regularizer, Penalty) and not overrides(regularizer, name):
        method = None if overrides(regularizer, "__call__") or overrides(regularizer, "gradient") else method
    return method if callable(method) else None


def _add(total: Array, gradient: Any, of: str) -> None:
    _check_shape(gradient, total, "gradient", of)
    total += np.asarray(gradient).astype(total.dtype, casting="same_kind", copy=False)


def _check_shape(result: Any, weights: Array, what: str, of: str) -> None:
    if np.shape(result) != weights.shape:
        raise ValueError(f"{of} returned a {what} of shape {np.shape(result)} for weights of shape {weights.shape}")


def _gradient_of(regularizer: Any) -> Callable[[Any], Any]:
    gradient = getattr(regularizer, "gradient", None)
    if not callable(gradient):
        raise TypeError(
            f"regularizer {regularizer!r} has no gradient; give it a method gradient(weights) that returns an array of the "
            f"weights' shape and dtype"
        )
    return gradient  # type: ignore[no-any-return]


def _accepts(method: Any, *names: str) -> bool:
    function = getattr(method, "__func__", method)
    cached = _parameters if isinstance(function, Hashable) else _parameters.__wrapped__
    return cached(function).issuperset(names)


@functools.lru_cache(maxsize=256)
def _parameters(function: Any) -> frozenset[str]:
    """Return the names by which a function can be given arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return frozenset({"out", "accumulate"})
    return frozenset(p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY)
