"""Sums of regularizers: one pass where all parts are compiled, else part by part."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeGuard, overload

import numpy as np
from numpy.typing import NDArray

from fastreg.arguments import check_flag, is_listed
from fastreg.kernels import Penalty, check_array, check_out, check_step
from fastreg.regularizers.custom import add_value_and_gradient, apply_prox, check_scalar, has_prox, overrides, value_of
from fastreg.regularizers.scales import DisabledRegularizer, is_disabled, op_name, refuse_factory


def in_order(values: Iterable[float], start: float = 0.0) -> float:
    """Return the sum of floats, added from left to right. Python's own ``sum`` makes up for their rounding from 3.12 on."""
    return functools.reduce(operator.add, values, start)


class SumRegularizer(Penalty):
    """The result of `sum_regularizer` when every part is compiled: one pass, whatever the number of parts."""

    def __init__(self, parts: tuple[Penalty, ...], name: str) -> None:
        self.name = name
        self.parts = parts
        self._set_parts(parts)

    @property
    def disabled(self) -> bool:
        """Whether every part is. A sum of sums may be deeper than Python's stack."""
        waiting: list[Any] = list(self.parts)
        while waiting:
            part = waiting.pop()
            if isinstance(part, SumRegularizer):
                waiting += part.parts
            elif not is_disabled(part):
                return False
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.parts, self.name)

    def __repr__(self) -> str:
        return f"sum_regularizer({list(self.parts)!r})"


class CompositeSum:
    """The result of `sum_regularizer` when a part is a user's own.

    Attributes
    ----------
    parts : tuple of callable
        As they were given.
    compiled : Penalty or None
        The sum of the compiled parts, those of inner sums included.
    custom : tuple of callable
        The user's own.
    """

    def __init__(self, parts: tuple[Callable[[Any], Any], ...], name: str) -> None:
        self.name = name
        self.parts = parts
        compiled: list[Penalty] = []
        custom: list[Callable[[Any], Any]] = []
        for part in parts:
            inner, own = separate(part)
            compiled += [] if inner is None else [inner]
            custom += own
        self.compiled = SumRegularizer(tuple(compiled), name) if compiled else None
        self.custom = tuple(custom)

    @property
    def disabled(self) -> bool:
        """Whether every part is."""
        return (self.compiled is None or self.compiled.disabled) and all(map(is_disabled, self.custom))

    def __call__(self, weights: Any) -> Any:
        """Return the sum of the parts' values, the compiled ones first; None where every part returns None."""
        values = [] if self.compiled is None else [self.compiled(weights)]
        values += [value for part in self.custom if (value := check_scalar(part(weights))) is not None]
        if not values:
            return None
        dtype = np.dtype(getattr(weights, "dtype", np.float64))
        return (np.result_type(dtype, np.float32) if dtype.kind == "f" else np.dtype(np.float64)).type(
            in_order(map(float, values))
        )

    def value_and_gradient(
        self, weights: Any, out: NDArray[Any] | None = None, accumulate: bool = False
    ) -> tuple[Any, NDArray[Any]]:
        """Return the value, and the sum of the parts' gradients; see the protocol `SupportsValueAndGradient`."""
        array = check_array(weights, "weights")
        target = None if out is None else check_out(out, array)
        if check_flag(accumulate, "accumulate") and target is None:
            raise ValueError("accumulate=True adds to out, but out is None; pass the array to add to")
        total = target.copy(order="K") if target is not None and accumulate else np.zeros_like(array, subok=False)
        values = [add_value_and_gradient(part, array, total, repr(part)) for part in self.custom]
        if self.compiled is not None:
            values.insert(0, float(self.compiled.value_and_gradient(array, out=total, accumulate=True)[0]))
        rounded = array.dtype.type(in_order(values))  # may raise for an overflow, so before anything is written
        if target is None:
            return rounded, total
        np.copyto(target, total)
        return rounded, out  # type: ignore[return-value]

    def gradient(self, weights: Any, out: NDArray[Any] | None = None, accumulate: bool = False) -> NDArray[Any]:
        """Return the sum of the parts' gradients; every part needs one of its own."""
        return self.value_and_gradient(weights, out, accumulate)[1]

    def prox(self, weights: Any, step: float, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the prox of the only part. A sum of several parts has no closed prox where one is a user's own.

        Raises
        ------
        ValueError
            If there are several parts, or the only one has no prox.
        """
        if self.compiled is not None or len(self.custom) != 1 or not has_prox(self.custom[0]):
            raise ValueError(
                f"{self!r} has no closed prox: it is a sum, and only l1, l2 and group lassos whose groups are "
                f"nested can be added, or its only part has none"
            )
        array, length = check_array(weights, "weights"), check_step(step)
        target = None if out is None else check_out(out, array)
        result = apply_prox(self.custom[0], array, length, repr(self.custom[0]))
        if target is None:
            return result
        np.copyto(target, result)
        return out  # type: ignore[return-value]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.parts, self.name)

    def __repr__(self) -> str:
        return f"sum_regularizer({list(self.parts)!r})"


def is_compiled(regularizer: Any) -> TypeGuard[Penalty]:
    """Tell whether value, gradient and prox are the kernels'; a subclass that replaces one of them is a user's own."""
    if not isinstance(regularizer, Penalty):
        return False
    return not any(overrides(regularizer, name) for name in ("__call__", "gradient", "value_and_gradient", "prox"))


def separate(regularizer: Any) -> tuple[Penalty | None, tuple[Callable[[Any], Any], ...]]:
    """Split a regularizer into its compiled part and the parts that are a user's own."""
    if regularizer is None:
        return None, ()
    if is_compiled(regularizer):
        return regularizer, ()
    if isinstance(regularizer, CompositeSum):
        return regularizer.compiled, regularizer.custom
    return None, (regularizer,)


class _Multiple:
    """A regularizer times a number; it is called as a user's own."""

    def __init__(self, factor: float, base: Any) -> None:
        self.factor, self.base = factor, base

    def __call__(self, weights: Any) -> Any:
        return self.factor * value_of(self.base, weights)

    def value_and_gradient(self, weights: Any) -> tuple[float, NDArray[Any]]:
        total = np.zeros_like(weights, subok=False)
        value = add_value_and_gradient(self.base, weights, total, repr(self.base))
        return self.factor * value, np.multiply(total, self.factor, out=total)

    def __repr__(self) -> str:
        return f"{self.factor!r} * {self.base!r}"


class _MultipleWithProx(_Multiple):
    """The prox of a multiple is that of its base, at a multiple of the step."""

    def prox(self, weights: Any, step: float, out: NDArray[Any] | None = None) -> NDArray[Any]:
        if self.factor < 0:
            raise ValueError(f"{self!r} is a negative multiple, which has no prox")
        return apply_prox(self.base, weights, self.factor * step, repr(self.base))


def multiple(
    factor: float, penalty: Penalty | None, custom: Sequence[Any]
) -> tuple[Penalty | None, tuple[Callable[[Any], Any], ...]]:
    """Return the parts of a regularizer, split as by `separate`, times a number."""
    if penalty is None and not custom:
        return None, ()
    pair, own = Penalty(), list(custom)
    if penalty is not None and (penalty.n_profiles or factor < 0):  # the loops take a pair of at least 0
        own.append(penalty)
    elif penalty is not None:
        l1, l2 = (factor * strength for strength in penalty.coefficients)
        if not (math.isfinite(l1) and math.isfinite(l2)):
            raise ValueError(f"a strength of {factor!r} * {penalty!r} is more than float64 holds")
        pair._set(l1, l2)
    if factor == 0:
        return pair, ()
    return pair, tuple((_MultipleWithProx if has_prox(part) else _Multiple)(factor, part) for part in own)


@overload
def sum_regularizer(regularizer_list: Sequence[Penalty], scope: str | None = None) -> SumRegularizer: ...


@overload
def sum_regularizer(
    regularizer_list: Sequence[Callable[[Any], Any] | None], scope: str | None = None
) -> SumRegularizer | CompositeSum | None: ...


def sum_regularizer(regularizer_list: Sequence[Callable[[Any], Any] | None], scope: str | None = None) -> Any:
    """Return a function that computes the sum of regularizers.

    Parameters
    ----------
    regularizer_list : sequence of callable or None
        None entries are dropped. A sum of compiled ones is still one pass over the weights.
    scope : str, optional
        Name of the loss; `sum_regularizer` by default.

    Returns
    -------
    callable or None
        None if no entry is left. The function returns None if all of its parts do.

    Raises
    ------
    TypeError
        If it is no list, or an entry is neither None nor callable.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> both = fr.sum_regularizer([fr.l1_regularizer(0.5), None, fr.l2_regularizer(0.5)])
    >>> both(np.array([-1.0, 0.0, 3.0]))
    np.float64(4.5)
    """
    if not is_listed(regularizer_list):
        raise TypeError(f"regularizer_list must be a list of regularizers, got {regularizer_list!r}")
    parts = [regularizer for regularizer in regularizer_list if regularizer is not None]
    for part in parts:
        refuse_factory(part)
        if not callable(part):
            raise TypeError(f"regularizer_list must hold regularizers or None, got {part!r}")
    if not parts:
        return None
    name = op_name(scope, "sum_regularizer")
    live = tuple(part for part in parts if not isinstance(part, DisabledRegularizer))
    if not live:
        return DisabledRegularizer(name)
    compiled = tuple(part for part in live if is_compiled(part))
    return SumRegularizer(compiled, name) if len(compiled) == len(live) else CompositeSum(live, name)
