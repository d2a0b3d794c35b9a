"""Loss terms, the parameters they are over, and their lazy sums (floor 3).

A term is data: one variable and one regularizer. Its loss is computed from the weights as they are when the loss is asked for.
"""

from __future__ import annotations

import copy
import copyreg
import math
import numbers
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastreg.arguments import is_masked
from fastreg.graph import get_default_graph
from fastreg.kernels import Term, check_array, evaluate, take_terms, value_dtype
from fastreg.locks import Lock
from fastreg.operators import Operators
from fastreg.regularizers import is_compiled, multiple, refuse_factory, separate
from fastreg.regularizers.custom import add_value_and_gradient, check_scalar, has_prox, value_of
from fastreg.regularizers.scales import is_disabled

__all__ = [
    "Gradients",
    "Loss",
    "Parameter",
    "RegularizationLoss",
    "Terms",
    "Total",
    "add_custom",
    "as_value",
    "live_terms",
    "loss_op",
    "plain_name",
    "spellings",
]

Array: TypeAlias = NDArray[Any]
_setting = Lock()  # held while the regularizer of one of a user's own arrays is set
Regularizer: TypeAlias = Callable[[Any], Any]


def loss_op(regularizer: Any, weights: Array, name: str) -> str | None:
    """Return the op name of what `regularizer` gives for `weights`, or None where it gives no loss."""
    if regularizer is None:
        return None
    refuse_factory(regularizer)
    if is_compiled(regularizer):
        check_array(weights, name, sixteen=True)
        if is_disabled(regularizer):
            return None
        return str(getattr(regularizer, "name", "regularizer"))
    if not callable(regularizer):
        raise TypeError(f"regularizer of {name!r} must be a function of the weights or None, not {regularizer!r}")
    if check_scalar(regularizer(weights)) is None or is_disabled(regularizer):
        return None
    own = getattr(regularizer, "name", None) or getattr(regularizer, "__name__", type(regularizer).__name__)
    return re.sub(r"[^A-Za-z0-9_.\-/]", "", str(own)) or "regularizer"


class Loss(Operators):
    """A number that is computed when it is asked for, and that is calculated with as a number.

    Sums of losses and numbers, and multiples of them by a number, are lazy totals. Any other result is a NumPy scalar, or an
    array where an array takes part. A number in a sum is read at once and is a constant, which has no gradient.
    """

    __slots__ = ()

    @property
    def shape(self) -> tuple[()]:
        """A loss is a scalar."""
        return ()

    def value(self) -> Any:
        """Return the loss as a NumPy scalar."""
        raise NotImplementedError

    def __float__(self) -> float:
        return float(self.value())

    def __int__(self) -> int:
        return int(float(self))

    def __bool__(self) -> bool:
        return float(self) != 0

    def __round__(self, digits: int | None = None) -> Any:
        return round(float(self), digits)

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else str(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("a loss has no array that could be given without a copy")
        return np.asarray(self.value(), dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        total = _linear(ufunc, inputs) if method == "__call__" and not options else None
        if total is not None:
            return total
        return getattr(ufunc, method)(*(x.value() if isinstance(x, Loss) else x for x in inputs), **options)


def _linear(ufunc: np.ufunc, inputs: Sequence[Any]) -> Total | None:
    """Return the sum or the multiple of losses that an operation gives, or None where it gives neither."""
    if not all(isinstance(x, Loss) or _is_number(x) for x in inputs):
        return None
    parts: list[tuple[float, Any]]
    if ufunc in (np.negative, np.positive):
        parts = [(-1.0 if ufunc is np.negative else 1.0, inputs[0])]
    elif ufunc in (np.add, np.subtract):
        parts = [(1.0, inputs[0]), (1.0 if ufunc is np.add else -1.0, inputs[1])]
    elif ufunc in (np.multiply, np.divide) and not isinstance(inputs[1], Loss):
        divisor = float(inputs[1])
        if ufunc is np.divide and divisor == 0:
            return None
        parts = [(divisor if ufunc is np.multiply else 1.0 / divisor, inputs[0])]
    elif ufunc is np.multiply and not isinstance(inputs[0], Loss):
        parts = [(float(inputs[0]), inputs[1])]
    else:
        return None
    parts = [(factor, x if isinstance(x, Loss) else float(x)) for factor, x in parts if isinstance(x, Loss) or x != 0]
    if not all(math.isfinite(factor) for factor, _ in parts):
        return None
    dtype = np.result_type(*(x.dtype for _, x in parts if isinstance(x, (RegularizationLoss, Total))))
    return Total(parts, dtype, ufunc.__name__)


def _is_number(x: Any) -> bool:
    if isinstance(x, (np.ndarray, np.generic)):
        return x.ndim == 0 and x.dtype.kind in "biuf"
    return isinstance(x, numbers.Real)


class RegularizationLoss(Term, Loss):
    """The loss that one regularizer gives for one variable, from the weights as they are when the loss is asked for.

    Terms are made by ``get_variable``, by setting ``variable.regularizer``, by :func:`regularize` and
    :func:`apply_regularization`.

    Attributes
    ----------
    variable : Variable or Parameter
        Whose weights it reads.
    regularizer : callable or None
        None after the regularizer was taken off the variable; the loss is 0 then.
    name, op_name : str
        ``w/Regularizer/l2_regularizer:0``, and the same without ``:0``.
    """

    __slots__ = ("__weakref__", "_regularizer", "op_name")

    def __init__(self, variable: Parameter, regularizer: Regularizer, op_name: str) -> None:
        self._set_variable(variable, variable.name, variable._cell, variable._key)
        self._set(regularizer, op_name)

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy is filled by a state, for its variable refers to it.
        state = self.variable, self.variable_name, self.cell, self.key, self._regularizer, self.op_name
        return copyreg.__newobj__, (type(self),), state  # type: ignore[attr-defined]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        variable, name, cell, key, regularizer, op_name = state
        self._set_variable(variable, name, cell, key)
        self._set(regularizer, op_name)

    def _set(self, regularizer: Regularizer | None, op_name: str) -> None:
        penalty, custom = separate(regularizer)
        self._set_parts(penalty, custom)
        self._regularizer = regularizer
        self.op_name = op_name

    @property
    def regularizer(self) -> Regularizer | None:
        """The regularizer; to change it, set the variable's."""
        return self._regularizer

    @property
    def name(self) -> str:
        """The name by which a collection's scope filters it."""
        return self.op_name + ":0"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The weights' dtype, or float32 for 16-bit weights."""
        return value_dtype(self.weights)

    def value(self) -> np.floating[Any]:
        """Return the loss as a NumPy scalar of this dtype."""
        # Each is read once: another thread may set the regularizer.
        penalty, regularizer, weights = self.penalty, self._regularizer, self.weights
        if penalty is not None and not self.custom:
            return penalty(weights)
        value: np.floating[Any] = value_dtype(weights).type(0.0 if regularizer is None else value_of(regularizer, weights))
        return value

    def _times(self, factor: float) -> RegularizationLoss:
        """Return the term times a number, with the regularizer that it has now."""
        if factor == 1:
            return self
        term = copy.copy(self)
        term._set_parts(*multiple(factor, self.penalty, self.custom))
        return term

    def __repr__(self) -> str:
        return f"<RegularizationLoss {self.name!r} shape=() dtype={self.dtype} regularizer={self.regularizer!r}>"


class Parameter(Operators):
    """One of a user's own arrays: a key in the mapping that :func:`regularize` was given.

    The array is looked up at each use, so a new array under the same key is used from then on. A parameter is calculated with,
    indexed and changed in place (``w -= step``) as the array itself. Only ``==`` is another: it compares objects.

    Attributes
    ----------
    pattern : str or None
        The pattern of the rule that decided its regularizer; None where no rule did.
    """

    __slots__ = ("__weakref__", "_cell", "_key", "_term", "_terms", "name", "op_name", "pattern")

    constraint: Any = None  # a variable of a graph may have one; one's own arrays get theirs by `constrain`

    def __init__(self, cell: Any, key: Any, name: str, op_name: str, terms: list[Any], pattern: str | None = None) -> None:
        self._cell, self._key, self._terms = cell, key, terms
        self.name, self.op_name, self.pattern = name, op_name, pattern
        self._term: RegularizationLoss | None = None

    @property
    def array(self) -> Array:
        """The weights as the core reads them; a subclass may give ``value`` another meaning."""
        array: Array = self._cell[self._key]
        return array

    @property
    def value(self) -> Array:
        """The array itself, not a copy; a new value is written into the array."""
        return self.array

    @value.setter
    def value(self, value: Any) -> None:
        if value is not self.array:  # w.value -= step has changed the array already
            self.assign(value)

    def assign(self, value: Any) -> None:
        """Write `value`, which must have the array's shape, into the array."""
        array = self.array
        np.copyto(array, as_value(value, array.shape, array.dtype, self.name), casting="same_kind")

    @property
    def dtype(self) -> Any:
        """The array's dtype."""
        return self.array.dtype

    @property
    def shape(self) -> Any:
        """The array's shape."""
        return self.array.shape

    @property
    def regularizer(self) -> Regularizer | None:
        """The regularizer of the variable's term. A new one changes the term; None takes the term out of its collection."""
        return None if self._term is None else self._term.regularizer

    @regularizer.setter
    def regularizer(self, regularizer: Regularizer | None) -> None:
        self._regularize(regularizer, loss_op(regularizer, self.array, self.name))

    def _regularize(self, regularizer: Regularizer | None, op: str | None) -> None:
        with self._collection_lock():
            term, terms = self._term, self._collection()
            if op is None:
                if term is not None:
                    terms[:] = [item for item in terms if item is not term]
                    term._set(None, term.op_name)
                return
            op_name = f"{self.op_name}/Regularizer/{op}"
            if term is None:
                term = RegularizationLoss(self, regularizer, op_name)  # type: ignore[arg-type]
                terms.append(term)
                self._term = term
                return
            listed = any(item is term for item in terms)
            before = term.regularizer, term.op_name
            term._set(regularizer, op_name)
            try:
                if not listed:
                    terms.append(term)
            except BaseException:
                term._set(*before)
                raise

    def _collection(self) -> list[Any]:
        return self._terms

    def _collection_lock(self) -> AbstractContextManager[Any]:
        return _setting

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.array, dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        arrays = [x.array if isinstance(x, Parameter) else x for x in inputs]
        if out is None:
            return getattr(ufunc, method)(*arrays, **options)
        outs = tuple(x.array if isinstance(x, Parameter) else x for x in out)
        result = getattr(ufunc, method)(*arrays, out=outs, **options)
        return out[0] if len(out) == 1 and result is outs[0] else result  # w -= step leaves the name w to the parameter

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.array)

    def __getitem__(self, key: Any) -> Any:
        return self.array[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.array[key] = value

    def __bool__(self) -> bool:
        return bool(self.array)

    def __float__(self) -> float:
        return float(self.array)

    def __repr__(self) -> str:
        return f"<Parameter {self.name!r} shape={self.shape} dtype={self.dtype}>"


def as_value(value: Any, shape: tuple[int, ...], dtype: Any, name: str) -> Array:
    """Return a new value of a variable as an array, if it can be written into the variable."""
    if is_masked(value):
        raise TypeError(f"value must not be a masked array, whose mask would be ignored; for {name!r} pass value.filled(0)")
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(f"value must have the shape {shape} of {name!r}, not {array.shape}")
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise TypeError(f"value must have a dtype that fits {dtype} of {name!r}, not {array.dtype}")
    return array


class Gradients(dict[str, Array]):
    """Gradients by their variables' names; a graph variable's name is found with and without its ``:0``."""

    __slots__ = ()

    def __missing__(self, name: str) -> Array:
        other = spellings(name)[1]
        if dict.__contains__(self, other):
            return self[other]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return dict.__contains__(self, name) or (isinstance(name, str) and dict.__contains__(self, spellings(name)[1]))

    def get(self, name: str, default: Any = None) -> Any:
        """Return the gradient for `name`, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default


def plain_name(name: str) -> str:
    """Return a variable's name without the ``:0`` of a graph's."""
    return name[:-2] if name.endswith(":0") else name


def spellings(name: str) -> tuple[str, str]:
    """Return a variable's name, and the other way to write it: with or without ``:0``."""
    return name, name[:-2] if name.endswith(":0") else name + ":0"


class Total(Loss):
    """A sum of terms that is computed when it is asked for: ``float(total)`` is one call of the kernels.

    Parameters
    ----------
    parts : iterable of (float, loss)
        Multiples of terms, of totals and of other numbers, whose sum it is. A loss that is no float is read late.
    dtype : numpy.dtype
    base : str
        The name, before it is made unique in the graph.

    Attributes
    ----------
    terms : list of RegularizationLoss
        What is summed. The terms of a total that was itself an input stand here one by one.
    factors : list of float
        What each term is multiplied by.
    dtype : numpy.dtype
        The terms' dtype. The sum itself is formed and given in float64.
    """

    __slots__ = ("__weakref__", "_base", "_graph", "_name", "_others", "dtype", "factors", "terms")

    def __init__(self, parts: Iterable[tuple[float, Any]], dtype: np.dtype[Any], base: str) -> None:
        self.terms: list[RegularizationLoss] = []
        self.factors: list[float] = []
        self._others: list[tuple[float, Any]] = []
        for factor, item in parts:
            if isinstance(item, Total):
                self.terms += item.terms
                self.factors += [factor * inner for inner in item.factors]
                self._others += [(factor * inner, other) for inner, other in item._others]
            elif isinstance(item, RegularizationLoss):
                self.terms.append(item)
                self.factors.append(factor)
            else:
                self._others.append((factor, item))
        self.dtype = dtype
        self._base, self._graph, self._name = base, get_default_graph(), ""

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy keeps the name and so needs no graph. It is filled by a state, for a collection may hold it and be held by it.
        state = {key: getattr(self, key) for key in ("terms", "factors", "_others", "dtype", "_base")} | {"_name": self.op_name}
        return copyreg.__newobj__, (type(self),), (None, state)  # type: ignore[attr-defined]

    @property
    def op_name(self) -> str:
        """The name without ``:0``."""
        if not self._name:  # most totals are made, read and dropped; a graph need not remember each
            with self._graph.lock:
                self._name = self._name or self._graph.unique_name(self._base)
        return self._name

    @property
    def name(self) -> str:
        """The name by which a collection's scope filters it."""
        return self.op_name + ":0"

    def value(self) -> np.floating[Any]:
        """Return the sum in float64, or a float32 0.0 when there is nothing to sum."""
        if not self.terms and not self._others:
            return np.float32(0.0)
        return np.float64(float(self))

    def __float__(self) -> float:
        total = _sum(self._multiples()) if self.terms else 0.0
        for factor, other in self._others:
            total += factor * float(other)
        return total

    def _multiples(self) -> list[RegularizationLoss]:
        if self.factors.count(1.0) == len(self.factors):
            return self.terms
        return [term._times(factor) for term, factor in zip(self.terms, self.factors, strict=True)]

    def __repr__(self) -> str:
        return f"<Total {self.name!r} shape=() dtype={self.dtype} terms={len(self.terms) + len(self._others)}>"

    def __str__(self) -> str:
        return f"{float(self):g}, the sum of {_counted(len(self.terms) + len(self._others), 'term')}"


class Terms(list[RegularizationLoss]):
    """The list of terms that :func:`regularize` returns. It remembers what the rules left out.

    A slice or a sum of such lists is a plain list, whose terms still know the rules that decided.

    Attributes
    ----------
    params : mapping of str to ndarray
        What the rules were for.
    left_out : dict of str to (str or None)
        For each name that got no term the pattern of the rule that left it out, or None where no rule matched the name.
    """

    def __init__(self, params: Mapping[str, Array], left_out: dict[str, str | None]) -> None:
        super().__init__()
        self.params, self.left_out = params, left_out

    def __repr__(self) -> str:
        return f"<Terms: {_counted(len(self), 'term')}, value {_sum(self):g}, {_counted(len(self.left_out), 'array')} left out>"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _sum(terms: Sequence[RegularizationLoss]) -> float:
    live = take_terms(terms)
    assert live is not None
    total = float(evaluate(live))
    for term in live:
        for regularizer in term.custom:
            total += value_of(regularizer, term.weights)
    return total


def live_terms(terms: Any) -> tuple[list[RegularizationLoss], list[float]]:
    """Return the terms that have a regularizer, as a new list, and the constants that totals add to them.

    The terms of totals stand there one by one, times their factors. The collection may change later.
    """
    live = take_terms(terms)
    if live is not None:
        return live, []
    flat, constants = _flatten(terms)
    live = take_terms(flat)
    assert live is not None
    return live, constants


def _flatten(terms: Any) -> tuple[list[RegularizationLoss], list[float]]:
    if isinstance(terms, Total):
        terms = [terms]
    if not isinstance(terms, (list, tuple)):
        raise TypeError(f"terms must be a list of loss terms or a total, got {terms!r}; make a list of an iterator: list(terms)")
    flat: list[RegularizationLoss] = []
    constants: list[float] = []
    for i, item in enumerate(terms):
        if isinstance(item, RegularizationLoss):
            flat.append(item)
        elif isinstance(item, Total) and all(type(other) is float for _, other in item._others):
            flat += item._multiples()
            constants += [factor * other for factor, other in item._others]
        else:
            raise TypeError(f"terms[{i}] must be a loss term or a total of such, for a gradient is asked for; it is {item!r}")
    return flat, constants


def add_custom(
    terms: Iterable[RegularizationLoss], total_of: Callable[[RegularizationLoss], Array | None], skip_prox: bool = False
) -> list[float]:
    """Ask the users' own regularizers for their values and gradients, in the terms' order.

    Parameters
    ----------
    terms : iterable of RegularizationLoss
    total_of : callable
        Given a term, returns the array to which its gradients are added, or None for none. The array belongs to the caller.
    skip_prox : bool
        Leave out the gradient of a regularizer that has a prox.

    Returns
    -------
    list of float
        The values.
    """
    values = []
    for term in terms:
        for regularizer in term.custom:
            total = None if skip_prox and has_prox(regularizer) else total_of(term)
            if total is None:
                values.append(value_of(regularizer, term.weights))
            else:
                of = f"the regularizer of {term.variable_name!r}"
                values.append(add_value_and_gradient(regularizer, term.weights, total, of))
    return values
