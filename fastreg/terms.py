"""Loss terms, the parameters they are over, and their lazy sums (floor 3).

A term is data: one variable and one regularizer. Its loss is computed from the weights as they are when the loss is asked for.
"""

from __future__ import annotations

import copyreg
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastreg.graph import get_default_graph
from fastreg.kernels import Term, check_array, evaluate, take_terms
from fastreg.regularizers import is_compiled, refuse_factory, separate
from fastreg.regularizers.custom import add_value_and_gradient, check_scalar, has_prox, value_of

__all__ = [
    "Gradients",
    "Parameter",
    "RegularizationLoss",
    "Total",
    "add_custom",
    "live_terms",
    "loss_op",
    "plain_name",
    "spellings",
]

Array: TypeAlias = NDArray[Any]
Regularizer: TypeAlias = Callable[[Any], Any]


def loss_op(regularizer: Any, weights: Array, name: str) -> str | None:
    """Return the op name of what `regularizer` gives for `weights`, or None where it gives no loss."""
    if regularizer is None:
        return None
    refuse_factory(regularizer)
    if is_compiled(regularizer):
        check_array(weights, name)
        return str(getattr(regularizer, "name", "regularizer"))
    if not callable(regularizer):
        raise TypeError(f"regularizer of {name!r} must be a function of the weights or None, not {regularizer!r}")
    if check_scalar(regularizer(weights)) is None:
        return None
    own = getattr(regularizer, "name", None) or getattr(regularizer, "__name__", type(regularizer).__name__)
    return re.sub(r"[^A-Za-z0-9_.\-/]", "", str(own)) or "regularizer"


class RegularizationLoss(Term):
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
        self._regularizer = regularizer
        self._set_parts(*separate(regularizer))
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
        """The weights' dtype."""
        dtype: np.dtype[Any] = self.weights.dtype
        return dtype

    @property
    def shape(self) -> tuple[()]:
        """A loss is a scalar."""
        return ()

    def value(self) -> Any:
        """Return the loss as a NumPy scalar of the weights' dtype."""
        # Each is read once: another thread may set the regularizer.
        penalty, regularizer, weights = self.penalty, self._regularizer, self.weights
        if penalty is not None and not self.custom:
            return penalty(weights)
        return weights.dtype.type(0.0 if regularizer is None else value_of(regularizer, weights))

    def __float__(self) -> float:
        return float(self.value())

    def __repr__(self) -> str:
        return f"<RegularizationLoss {self.name!r} shape=() dtype={self.dtype} regularizer={self.regularizer!r}>"


class Parameter:
    """One of a user's own arrays: a key in the mapping that :func:`regularize` was given.

    The array is looked up at each use, so a new array under the same key is used from then on.
    """

    __slots__ = ("__weakref__", "_cell", "_key", "_term", "_terms", "name", "op_name")

    def __init__(self, cell: Any, key: Any, name: str, op_name: str, terms: list[Any]) -> None:
        self._cell, self._key, self._terms = cell, key, terms
        self.name, self.op_name = name, op_name
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
        value, array = np.asarray(value), self.array
        if value.shape != array.shape:
            raise ValueError(f"value must have the shape {array.shape} of {self.name!r}, not {value.shape}")
        np.copyto(array, value, casting="same_kind")

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
        term, terms = self._term, self._collection()
        if op is None:
            if term is not None:
                term._set(None, term.op_name)
                terms[:] = [item for item in terms if item is not term]
            return
        op_name = f"{self.op_name}/Regularizer/{op}"
        if term is None:
            self._term = term = RegularizationLoss(self, regularizer, op_name)  # type: ignore[arg-type]
        else:
            term._set(regularizer, op_name)
        if not any(item is term for item in terms):
            terms.append(term)

    def _collection(self) -> list[Any]:
        return self._terms

    def __repr__(self) -> str:
        return f"<Parameter {self.name!r} shape={self.shape} dtype={self.dtype}>"


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


class Total:
    """A sum of terms that is computed when it is asked for: ``float(total)`` is one call of the kernels.

    Attributes
    ----------
    terms : list of RegularizationLoss
        What is summed. The terms of a total that was itself an input stand here one by one.
    dtype : numpy.dtype
        The terms' dtype. The sum itself is formed and given in float64.
    """

    __slots__ = ("__weakref__", "_base", "_graph", "_name", "_others", "dtype", "terms")

    def __init__(self, terms: list[RegularizationLoss], others: list[Any], dtype: np.dtype[Any], base: str) -> None:
        self.terms, self._others, self.dtype = terms, others, dtype
        self._base, self._graph, self._name = base, get_default_graph(), ""

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy keeps the name and so needs no graph. It is filled by a state, for a collection may hold it and be held by it.
        state = {"terms": self.terms, "_others": self._others, "dtype": self.dtype, "_base": self._base, "_name": self.op_name}
        return copyreg.__newobj__, (type(self),), (None, state)  # type: ignore[attr-defined]

    @property
    def op_name(self) -> str:
        """The name without ``:0``."""
        if not self._name:  # most totals are made, read and dropped; a graph need not remember each
            self._name = self._graph.unique_name(self._base)
        return self._name

    @property
    def name(self) -> str:
        """The name by which a collection's scope filters it."""
        return self.op_name + ":0"

    @property
    def shape(self) -> tuple[()]:
        """A loss is a scalar."""
        return ()

    def value(self) -> np.floating[Any]:
        """Return the sum in float64, or a float32 0.0 when there is nothing to sum."""
        if not self.terms and not self._others:
            return np.float32(0.0)
        return np.float64(float(self))

    def __float__(self) -> float:
        total = _sum(self.terms) if self.terms else 0.0
        for other in self._others:
            total += float(other)
        return total

    def __repr__(self) -> str:
        return f"<Total {self.name!r} shape=() dtype={self.dtype} terms={len(self.terms) + len(self._others)}>"


def _sum(terms: Sequence[RegularizationLoss]) -> float:
    live = live_terms(terms)
    total = float(evaluate(live))
    for term in live:
        for regularizer in term.custom:
            total += value_of(regularizer, term.weights)
    return total


def live_terms(terms: Any) -> list[RegularizationLoss]:
    """Return a new list of the terms that have a regularizer, those of totals one by one; the collection may change later."""
    live = take_terms(terms)
    if live is None:
        live = take_terms(_flatten(terms))
        assert live is not None
    return live


def _flatten(terms: Any) -> list[RegularizationLoss]:
    if isinstance(terms, Total):
        terms = [terms]
    if not isinstance(terms, (list, tuple)):
        raise TypeError(f"terms must be a list of loss terms or a total, got {terms!r}; make a list of an iterator: list(terms)")
    flat: list[RegularizationLoss] = []
    for i, item in enumerate(terms):
        if isinstance(item, RegularizationLoss):
            flat.append(item)
        elif isinstance(item, Total) and not item._others:
            flat += item.terms
        else:
            raise TypeError(f"terms[{i}] must be a loss term or a total of such, for a gradient is asked for; it is {item!r}")
    return flat


def add_custom(
    terms: Iterable[RegularizationLoss], total_of: Callable[[RegularizationLoss], Array], skip_prox: bool = False
) -> list[float]:
    """Ask the users' own regularizers for their values and gradients, in the terms' order.

    Parameters
    ----------
    terms : iterable of RegularizationLoss
    total_of : callable
        Given a term, returns the array to which its gradients are added. The array belongs to the caller.
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
            if skip_prox and has_prox(regularizer):
                values.append(value_of(regularizer, term.weights))
            else:
                values.append(
                    add_value_and_gradient(
                        regularizer, term.weights, total_of(term), f"the regularizer of {term.variable_name!r}"
                    )
                )
    return values
