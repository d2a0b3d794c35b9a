"""Loss terms, their sums and their gradients over a collection (floor 3).

A term is data: the weights of one variable and the regularizer that looks at them. It reads both when it is asked, so
nothing here can be stale. Terms of TensorFlow's own family are a pair of coefficients each and go to the kernels together,
in one call; a user's own regularizer is called by itself.
"""

from __future__ import annotations

import fnmatch
import logging
import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastreg.graph import GraphKeys, get_collection, get_default_graph
from fastreg.kernels import Penalty, check_array, evaluate
from fastreg.regularizers import gradient_of

__all__ = [
    "Gradients",
    "Parameter",
    "RegularizationLoss",
    "Total",
    "add_loss",
    "add_n",
    "apply_regularization",
    "flatten_terms",
    "get_losses",
    "get_regularization_loss",
    "get_regularization_losses",
    "get_total_loss",
    "match_rules",
    "regularize",
    "value_and_gradients",
]

Array: TypeAlias = NDArray[Any]
Regularizer: TypeAlias = Callable[[Any], Any]
_Choice = TypeVar("_Choice")

_log = logging.getLogger("fastreg")
_empty_like = np.empty_like
_NOTHING = Penalty()


def _loss_op(regularizer: Any, weights: Array, name: str) -> str | None:
    """Return the op name of what `regularizer` gives for `weights`, or None where it gives no loss."""
    if regularizer is None:
        return None
    if isinstance(regularizer, Penalty):
        check_array(weights, name)
        return str(getattr(regularizer, "name", "regularizer"))
    if not callable(regularizer):
        raise TypeError(f"regularizer of {name!r} must be a function of the weights or None, not {regularizer!r}")
    if _scalar(regularizer(weights)) is None:
        return None
    own = getattr(regularizer, "name", None) or getattr(regularizer, "__name__", type(regularizer).__name__)
    return re.sub(r"[^A-Za-z0-9_.\-/]", "", str(own)) or "regularizer"


def _scalar(loss: Any) -> Any:
    if loss is not None and np.ndim(loss):
        raise ValueError(f"regularizer must return a scalar Tensor instead of a Tensor with rank {np.ndim(loss)}.")
    return loss


class RegularizationLoss:
    """The loss that one regularizer gives for one variable, as the weights are when it is asked.

    Terms are made by ``get_variable``, by setting ``variable.regularizer``, by :func:`regularize` and
    :func:`apply_regularization`.

    Attributes
    ----------
    variable : Variable or Parameter
        Whose weights it reads.
    regularizer : callable or None
        None once the regularizer has been taken off the variable; the term is 0 then.
    name, op_name : str
        ``w/Regularizer/l2_regularizer:0``, and the same without ``:0``.
    """

    __slots__ = ("__weakref__", "_cell", "_key", "_owner", "_penalty", "_regularizer", "op_name", "variable")

    def __init__(self, variable: Parameter, regularizer: Regularizer, op_name: str) -> None:
        self.variable = variable
        self._cell, self._key, self._owner = variable._cell, variable._key, variable.name
        self._set(regularizer, op_name)

    def _set(self, regularizer: Regularizer | None, op_name: str) -> None:
        self._regularizer = regularizer
        self._penalty = regularizer if isinstance(regularizer, Penalty) else None
        self.op_name = op_name

    @property
    def regularizer(self) -> Regularizer | None:
        """What it is made by; it is set on the variable."""
        return self._regularizer

    @property
    def name(self) -> str:
        """The name by which a collection's scope filters it."""
        return self.op_name + ":0"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The weights' dtype."""
        return self.variable._array.dtype

    @property
    def shape(self) -> tuple[()]:
        """A loss is a scalar."""
        return ()

    def value(self) -> Any:
        """Return the loss as a NumPy scalar of the weights' dtype."""
        if self._penalty is not None:
            return self._penalty(self._cell[self._key])
        return self.dtype.type(self._own_value())

    def _own_value(self) -> float:
        if self._regularizer is None:
            return 0.0
        loss = _scalar(self._regularizer(self._cell[self._key]))
        return 0.0 if loss is None else float(loss)

    def _own_gradient(self) -> Array:
        weights = self._cell[self._key]
        assert self._regularizer is not None
        result = np.asarray(gradient_of(self._regularizer)(weights))
        if result.shape != weights.shape:
            raise ValueError(
                f"the regularizer of {self._owner!r} returned a gradient of shape {result.shape} for weights of shape "
                f"{weights.shape}"
            )
        return result.astype(weights.dtype, casting="same_kind", copy=False)

    def __float__(self) -> float:
        return float(self.value())

    def __repr__(self) -> str:
        return f"<RegularizationLoss {self.name!r} shape=() dtype={self.dtype} regularizer={self.regularizer!r}>"


class Parameter:
    """One of a user's own arrays, by its key in the mapping that :func:`regularize` was given.

    The array is looked up at each use: one that was put in its place is the one that is read.
    """

    __slots__ = ("__weakref__", "_cell", "_key", "_term", "_terms", "name", "op_name")

    def __init__(self, cell: Any, key: Any, name: str, op_name: str, terms: list[Any]) -> None:
        self._cell, self._key, self._terms = cell, key, terms
        self.name, self.op_name = name, op_name
        self._term: RegularizationLoss | None = None

    @property
    def _array(self) -> Array:
        """The weights; what the core reads, whatever a face makes of ``value``."""
        array: Array = self._cell[self._key]
        return array

    @property
    def value(self) -> Array:
        """The array itself, not a copy; what is set is written into it."""
        return self._array

    @value.setter
    def value(self, value: Any) -> None:
        if value is not self._array:  # w.value -= step has changed the array already
            self.assign(value)

    def assign(self, value: Any) -> None:
        """Write `value`, which must have the array's shape, into the array."""
        value, array = np.asarray(value), self._array
        if value.shape != array.shape:
            raise ValueError(f"value must have the shape {array.shape} of {self.name!r}, not {value.shape}")
        np.copyto(array, value, casting="same_kind")

    @property
    def dtype(self) -> Any:
        """The array's dtype."""
        return self._array.dtype

    @property
    def shape(self) -> Any:
        """The array's shape."""
        return self._array.shape

    @property
    def regularizer(self) -> Regularizer | None:
        """What the variable's term is made by; set it to change the term, or to None to take it out of its collection."""
        return None if self._term is None else self._term.regularizer

    @regularizer.setter
    def regularizer(self, regularizer: Regularizer | None) -> None:
        self._regularize(regularizer, _loss_op(regularizer, self._array, self.name))

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
        other = _other_name(name)
        if dict.__contains__(self, other):
            return self[other]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return dict.__contains__(self, name) or (isinstance(name, str) and dict.__contains__(self, _other_name(name)))

    def get(self, name: str, default: Any = None) -> Any:
        """Return the gradient for `name`, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default


def _other_name(name: str) -> str:
    return name[:-2] if name.endswith(":0") else name + ":0"


class Total:
    """A sum of terms that is formed when it is asked for: ``float(total)`` is one call of the kernels.

    Attributes
    ----------
    terms : list of RegularizationLoss
        What it sums; the terms of a total that was itself an input stand here one by one.
    dtype : numpy.dtype
        The terms' dtype. The sum itself is formed and given in float64.
    """

    __slots__ = ("__weakref__", "_base", "_graph", "_name", "_others", "dtype", "terms")

    def __init__(self, terms: list[RegularizationLoss], others: list[Any], dtype: np.dtype[Any], base: str) -> None:
        self.terms, self._others, self.dtype = terms, others, dtype
        self._base, self._graph, self._name = base, get_default_graph(), ""

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
    penalties: list[Any] = [t._penalty for t in terms]
    if None in penalties:
        family = [t for t in terms if t._penalty is not None]
        total = _sum(family) if family else 0.0
        return total + sum([t._own_value() for t in terms if t._penalty is None])
    return float(evaluate([t._cell[t._key] for t in terms], penalties, [t._owner for t in terms]))


def add_n(inputs: Sequence[Any], name: str | None = None) -> Total:
    """Return the lazy sum of `inputs`.

    Parameters
    ----------
    inputs : list or tuple
        Terms and totals; a scalar of NumPy's (also a 0-d array, which is read when the sum is) can stand beside them.
    name : str, optional
        The total's name in the graph, 'AddN' by default.

    Raises
    ------
    ValueError
        If `inputs` is empty or not a list.
    TypeError
        If the dtypes differ, or an item is not a scalar loss.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> terms = fr.regularize({"w": np.ones(4)}, [("*", fr.l2_regularizer(0.5))])
    >>> float(fr.add_n(terms))
    1.0
    """
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError("inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and shape")
    terms: list[RegularizationLoss] = []
    others: list[Any] = []
    dtypes: list[Any] = []
    for i, item in enumerate(inputs):
        if isinstance(item, RegularizationLoss):
            terms.append(item)
        elif isinstance(item, Total):
            terms += item.terms
            others += item._others
            if not item.terms and not item._others:
                continue
        elif getattr(item, "shape", None) == () and hasattr(item, "dtype") and hasattr(item, "__float__"):
            others.append(item)
        else:
            raise TypeError(f"inputs[{i}] must be a loss term, a total or a NumPy scalar, not {item!r}")
        dtypes.append(item.dtype)
    if len(set(dtypes)) > 1:
        raise TypeError(
            f"Tensors in list passed to 'inputs' of 'AddN' Op have types [{', '.join(map(str, dtypes))}] that don't all match."
        )
    return Total(terms, others, dtypes[0] if dtypes else np.dtype(np.float32), name or "AddN")


def value_and_gradients(
    terms: Sequence[Any] | Total, out: MutableMapping[str, Array] | None = None, accumulate: bool = False
) -> tuple[np.float64, Mapping[str, Array]]:
    """Return the terms' sum and its gradient for each variable, in one parallel region.

    Parameters
    ----------
    terms : list of RegularizationLoss, or Total
        A collection, what :func:`regularize` returned, or a total of such. A variable may have several terms.
    out : mapping of str to ndarray, optional
        Where each variable's gradient goes, by the variable's name (a graph variable's with or without ``:0``); further
        entries are left alone. New arrays by default.
    accumulate : bool
        Add to what stands in `out` instead of writing over it.

    Returns
    -------
    total : numpy.float64
    gradients : mapping
        `out` itself if it was given, else :class:`Gradients`.

    Raises
    ------
    ValueError
        If two variables have one name, or an array does not fit.
    TypeError
        If a regularizer of a user's own has no gradient.
    KeyError
        If `out` lacks a variable. Whenever something is raised, nothing has been written.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> terms = fr.regularize({"w": np.array([3.0, -4.0])}, [("*", fr.l2_regularizer(0.5))])
    >>> total, grads = fr.value_and_gradients(terms)
    >>> float(total), grads["w"].tolist()
    (6.25, [1.5, -2.0])
    """
    if accumulate and out is None:
        raise ValueError("accumulate=True needs out: there is nothing to add to")
    own: list[tuple[int, float, Array]] = []
    try:
        penalties: list[Any] = [t._penalty for t in terms]  # type: ignore[union-attr]
    except (AttributeError, TypeError):
        return value_and_gradients(flatten_terms(terms), out, accumulate)
    if None in penalties:
        terms = [t for t in terms if t.regularizer is not None]  # type: ignore[union-attr]
        # What a user's own code gives is worked out first, and a penalty of nothing stands in: the border checks its arrays too.
        own = [(i, t._own_value(), t._own_gradient()) for i, t in enumerate(terms) if t._penalty is None]
        penalties = [_NOTHING if t._penalty is None else t._penalty for t in terms]
    names = [t._owner for t in terms]  # type: ignore[union-attr]
    arrays = [t._cell[t._key] for t in terms]  # type: ignore[union-attr]
    if out is None:
        out = Gradients(zip(names, map(_empty_like, arrays), strict=True))
        outs = list(out.values()) if len(out) == len(names) else [out[name] for name in names]
    else:
        outs = _outs(out, names)
    total = evaluate(arrays, penalties, names, outs, accumulate)
    for i, value, gradient in own:
        total += value
        outs[i] += gradient
    return total, out


def _outs(out: Any, names: list[str]) -> list[Array]:
    try:
        return [out[name] for name in names]
    except KeyError:
        outs = [out[name] if name in out else out.get(_other_name(name)) for name in names]
        missing = [name for name, array in zip(names, outs, strict=True) if array is None]
        if missing:
            raise KeyError(f"out has no array for {missing}; it has {list(out)}") from None
        return outs


def flatten_terms(terms: Any) -> list[RegularizationLoss]:
    """Return the terms, with those of totals one by one."""
    if isinstance(terms, Total):
        terms = [terms]
    if not isinstance(terms, (list, tuple)):
        raise TypeError(f"terms must be a list of loss terms or a total, not {terms!r}")
    flat: list[RegularizationLoss] = []
    for i, item in enumerate(terms):
        if isinstance(item, RegularizationLoss):
            flat.append(item)
        elif isinstance(item, Total) and not item._others:
            flat += item.terms
        else:
            raise TypeError(f"terms[{i}] must be a loss term or a total of such, for a gradient is asked for; it is {item!r}")
    return flat


def regularize(params: Mapping[str, Array], rules: Sequence[tuple[str, Regularizer | None]]) -> list[RegularizationLoss]:
    """Return loss terms for arrays that a user already has.

    Parameters
    ----------
    params : mapping of str to ndarray
        The arrays by name. It is kept, and looked into at each use: an array put in another's place is the one that is read.
    rules : list of (pattern, regularizer)
        Shell patterns (:mod:`fnmatch`, case matters) for the names. They are tried in order and the first that matches a
        name decides; a regularizer of None leaves the arrays of that rule out, as does no rule at all.

    Returns
    -------
    list of RegularizationLoss
        In the order of `params`. It is the whole collection: nothing is filed in a graph.

    Raises
    ------
    ValueError
        If a rule matches no name at all, or an array is not one that can be regularized.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> params = {"conv/kernel": np.ones((3, 3)), "conv/bias": np.ones(3)}
    >>> [t.name for t in fr.regularize(params, [("*/bias", None), ("*", fr.l2_regularizer(1e-4))])]
    ['conv/kernel/Regularizer/l2_regularizer:0']
    """
    if not isinstance(params, Mapping):
        raise TypeError(f"params must map names to arrays, not {type(params).__name__}")
    checked = [_rule(i, rule) for i, rule in enumerate(rules)]
    bad = [key for key in params if not isinstance(key, str)]
    if bad:
        raise TypeError(f"params must have names that are strings, not {bad}")
    chosen = match_rules(list(params), checked)
    terms: list[RegularizationLoss] = []
    for name in params:
        if chosen.get(name) is not None:
            Parameter(params, name, name, name, terms).regularizer = chosen[name]
    return terms


def match_rules(names: Sequence[str], rules: Sequence[tuple[str, _Choice]]) -> dict[str, _Choice]:
    """Return what the first rule whose pattern matches says of each name; a rule that matches none is a ValueError."""
    chosen: dict[str, _Choice] = {}
    for i, (pattern, choice) in enumerate(rules):
        matched = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not matched:
            raise ValueError(f"rules[{i}]: {pattern!r} matches none of the names {list(names)}")
        if chosen.keys() >= set(matched):
            _log.warning("rules[%d]: %r decides nothing, earlier rules match all of %s", i, pattern, matched)
        chosen = {name: choice for name in matched} | chosen
    return chosen


def _rule(i: int, rule: Any) -> tuple[str, Regularizer | None]:
    if not isinstance(rule, (tuple, list)) or len(rule) != 2 or not isinstance(rule[0], str):
        raise TypeError(f"rules[{i}] must be a pair of a pattern and a regularizer or None, not {rule!r}")
    if rule[1] is not None and not callable(rule[1]):
        raise TypeError(f"rules[{i}]: the regularizer must be a function of the weights or None, not {rule[1]!r}")
    return rule[0], rule[1]


def apply_regularization(regularizer: Regularizer, weights_list: Sequence[Any] | None = None) -> Total:
    """Return the sum of a regularizer over a list of weights, and file it under REGULARIZATION_LOSSES.

    Parameters
    ----------
    regularizer : callable
        For each of the weights a scalar; None counts as 0.
    weights_list : list of Variable or ndarray, optional
        The default graph's WEIGHTS collection where it is None or empty.

    Raises
    ------
    ValueError
        If there are no weights, or the regularizer's result is not a scalar.
    """
    weights_list = list(weights_list or get_collection(GraphKeys.WEIGHTS))
    if not weights_list:
        raise ValueError("No weights to regularize.")
    graph = get_default_graph()
    owners = [
        w if isinstance(w, Parameter) else Parameter([w], 0, f"weights_list[{i}]", f"weights_list[{i}]", [])
        for i, w in enumerate(weights_list)
    ]
    ops = [_loss_op(regularizer, w._array, w.name) for w in owners]
    with graph.name_scope("get_regularization_penalty") as scope:
        terms = [
            RegularizationLoss(w, regularizer, graph.unique_name(op)) for w, op in zip(owners, ops, strict=True) if op is not None
        ]
    dtypes = [w._array.dtype for w in owners]
    total = Total(terms, [], dtypes[0], "")
    total._name = scope[:-1]
    graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
    return total


def get_regularization_losses(scope: str | None = None) -> list[Any]:
    """Return the default graph's regularization losses, of which `scope` matches the name's start if it is given."""
    return get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(scope: str | None = None, name: str = "total_regularization_loss") -> Total:
    """Return the lazy sum of :func:`get_regularization_losses`; a float32 0.0 when there are none."""
    return _total(get_regularization_losses(scope), name)


def add_loss(loss: Any, loss_collection: Any = GraphKeys.LOSSES) -> None:
    """File `loss` - a term, a total or a 0-d array - with the default graph's losses; not if `loss_collection` is None."""
    if loss_collection is not None:
        get_default_graph().add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: Any = GraphKeys.LOSSES) -> list[Any]:
    """Return the losses that :func:`add_loss` filed."""
    return get_collection(loss_collection, scope)


def get_total_loss(add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None) -> Total:
    """Return the lazy sum of the filed losses and, unless told otherwise, of the regularization losses."""
    losses = get_losses(scope)
    if add_regularization_losses:
        losses += get_regularization_losses(scope)
    return _total(losses, name)


def _total(losses: list[Any], name: str) -> Total:
    return add_n(losses, name) if losses else Total([], [], np.dtype(np.float32), name)
