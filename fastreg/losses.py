"""Losses over a collection (floor 3): sums, gradients, and the losses that are filed in the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, overload

import numpy as np

from fastreg.arguments import check_flag, check_name, is_listed
from fastreg.graph import GraphKeys, get_collection, get_default_graph
from fastreg.kernels import check_array, check_like, evaluate, have_custom, value_dtype
from fastreg.terms import (
    Array,
    Gradients,
    Parameter,
    RegularizationLoss,
    Regularizer,
    Total,
    add_custom,
    live_terms,
    loss_op,
    spellings,
)

__all__ = [
    "add_loss",
    "add_n",
    "apply_regularization",
    "get_losses",
    "get_regularization_loss",
    "get_regularization_losses",
    "get_total_loss",
    "value_and_gradients",
]

_Out = TypeVar("_Out", bound=Mapping[str, Any])


def add_n(inputs: Sequence[Any], name: str | None = None) -> Total:
    """Return the lazy sum of `inputs`.

    Parameters
    ----------
    inputs : list or tuple
        Terms and totals, and NumPy scalars. A 0-d array counts as a scalar; it is read when the sum is computed.
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
    dtypes: list[Any] = []
    for i, item in enumerate(inputs):
        if isinstance(item, Total):
            if not item.terms and not item._others:
                continue
        elif not isinstance(item, RegularizationLoss) and not (
            getattr(item, "shape", None) == () and hasattr(item, "dtype") and hasattr(item, "__float__")
        ):
            raise TypeError(f"inputs[{i}] must be a loss term, a total or a NumPy scalar, not {item!r}")
        dtypes.append(item.dtype)
    if len(set(dtypes)) > 1:
        raise TypeError(
            f"Tensors in list passed to 'inputs' of 'AddN' Op have types [{', '.join(map(str, dtypes))}] that don't all match."
        )
    base = "AddN" if name is None else check_name(name)
    return Total([(1.0, item) for item in inputs], dtypes[0] if dtypes else np.dtype(np.float32), base)


@overload
def value_and_gradients(
    terms: Sequence[Any] | Total, out: None = None, accumulate: bool = False
) -> tuple[np.float64, Gradients]: ...


@overload
def value_and_gradients(terms: Sequence[Any] | Total, out: _Out, accumulate: bool = False) -> tuple[np.float64, _Out]: ...


def value_and_gradients(terms: Sequence[Any] | Total, out: Any = None, accumulate: bool = False) -> tuple[np.float64, Any]:
    """Return the terms' sum and its gradient for each variable, in one parallel region.

    Parameters
    ----------
    terms : list of RegularizationLoss, or Total
        A collection, what :func:`regularize` returned, or a total of such, perhaps with factors and constants, such as
        ``data_loss + 2 * total``. A variable may have several terms.
    out : mapping of str to ndarray, optional
        The array for each variable's gradient, by the variable's name (a graph variable's with or without ``:0``). Other
        entries are left alone. New arrays by default.
    accumulate : bool
        Add to `out` instead of overwriting it.

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
        If `out` lacks a variable. When an error is raised, nothing has been written.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> terms = fr.regularize({"w": np.array([3.0, -4.0])}, [("*", fr.l2_regularizer(0.5))])
    >>> total, grads = fr.value_and_gradients(terms)
    >>> float(total), grads["w"].tolist()
    (6.25, [1.5, -2.0])
    """
    if check_flag(accumulate, "accumulate") and out is None:
        raise ValueError("accumulate=True needs out: there is nothing to add to")
    live, constants = live_terms(terms)
    if not (out is None or type(out) is dict or isinstance(out, Mapping)):
        raise TypeError(f"out must map the variables' names to arrays, such as {{'w': array}}, got {type(out).__name__}")
    result: Any = Gradients() if out is None else out
    if not have_custom(live):
        return evaluate(live, result, accumulate, out is None, None, _find_out, constants)
    values, bases = _custom_gradients(live, out if accumulate else None)
    return evaluate(live, result, accumulate, out is None, bases, _find_out, values + constants)


def _custom_gradients(terms: list[RegularizationLoss], out: Any) -> tuple[list[float], dict[str, Array]]:
    """Return the values of the users' own regularizers, and for each variable `out` (or 0) plus their gradients."""
    totals: dict[str, Array] = {}

    def total_of(term: RegularizationLoss) -> Array:
        name = term.variable_name
        if name not in totals:
            w = check_array(term.weights, f"the value of {name!r}")
            if out is None:
                totals[name] = np.zeros_like(w, subok=False)
            else:
                totals[name] = check_like(_find_out(out, name, terms), f"out of {name!r}", w, "its variable").copy(order="K")
        return totals[name]

    return add_custom(terms, total_of), totals


def _find_out(out: Any, name: str, terms: Sequence[Any]) -> Any:
    """Return the array for a variable; `out` may spell its name with or without ``:0``."""
    for spelling in spellings(name):
        if spelling in out:
            return out[spelling]
    missing = [term.variable_name for term in terms if not any(spelling in out for spelling in spellings(term.variable_name))]
    raise KeyError(f"out has no array for {missing}; it has {list(out)}")


def apply_regularization(regularizer: Regularizer, weights_list: Sequence[Any] | None = None) -> Total:
    """Return the sum of a regularizer over a list of weights, and file it under REGULARIZATION_LOSSES.

    Parameters
    ----------
    regularizer : callable
        Returns a scalar for each of the weights; None counts as 0.
    weights_list : list of Variable or ndarray, optional
        The default graph's WEIGHTS collection where it is None or empty.

    Raises
    ------
    ValueError
        If there are no weights, or the regularizer's result is not a scalar.
    """
    if weights_list is not None and (not is_listed(weights_list) or isinstance(weights_list, np.ndarray)):
        raise TypeError(f"weights_list must be a list of variables or arrays, got {weights_list!r}")
    weights_list = ([] if weights_list is None else list(weights_list)) or get_collection(GraphKeys.WEIGHTS)
    if not weights_list:
        raise ValueError("No weights to regularize.")
    graph = get_default_graph()
    owners = [
        w if isinstance(w, Parameter) else Parameter([w], 0, f"weights_list[{i}]", f"weights_list[{i}]", [])
        for i, w in enumerate(weights_list)
    ]
    ops = [loss_op(regularizer, w.array, w.name) for w in owners]
    dtype = value_dtype(check_array(owners[0].array, owners[0].name, sixteen=True))
    total, name, scope = Total([], dtype, ""), "get_regularization_penalty", ""
    try:
        with graph.name_scope(name) as scope:
            total.terms = [
                RegularizationLoss(w, regularizer, graph.unique_name(op))
                for w, op in zip(owners, ops, strict=True)
                if op is not None
            ]
        total.factors = [1.0] * len(total.terms)
        total._name = scope[:-1]
        graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
    except BaseException:
        if scope:
            graph.withdraw(total, name, scope[:-1])
        raise
    return total


def get_regularization_losses(scope: str | None = None) -> list[Any]:
    """Return the default graph's regularization losses; with a `scope`, those whose names it matches from the start."""
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
    if check_flag(add_regularization_losses, "add_regularization_losses"):
        losses += get_regularization_losses(scope)
    return _total(losses, name)


def _total(losses: list[Any], name: str) -> Total:
    return add_n(losses, check_name(name)) if losses else Total([], np.dtype(np.float32), check_name(name))
