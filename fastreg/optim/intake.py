"""Pairs of a gradient and a variable become the entries of a step, with a name, an array, checked rows and a constraint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fastreg.arguments import is_listed
from fastreg.constraints.base import Constraint, is_built_in, refuse_class
from fastreg.constraints.bounds import Bounds
from fastreg.constraints.norms import NormConstraint
from fastreg.kernels import Entry, check_array, check_gradient, memory_of, merge_rows
from fastreg.terms import Array, Parameter, RegularizationLoss, plain_name


def take_pairs(
    grads_and_variables: Any, terms: Sequence[RegularizationLoss], placed: Mapping[str, Array]
) -> tuple[list[Entry], list[str], dict[str, Array]]:
    """Return an entry for each variable with a gradient.

    Parameters
    ----------
    grads_and_variables : iterable of (gradient, variable), or mapping of str to (gradient, variable)
    terms : sequence of RegularizationLoss
        A bare array has the name of its term.
    placed : mapping of str to ndarray
        Bare arrays of earlier steps, by the names they got.

    Returns
    -------
    entries : list of Entry
    known : list of str
        The names of all variables, those without a gradient too.
    placed : dict of str to ndarray
        The bare arrays of this step.
    """
    newly_placed: dict[str, Array] = {}
    if isinstance(grads_and_variables, Mapping):
        known, pairs = _keys(grads_and_variables), list(grads_and_variables.values())
    else:
        if not is_listed(grads_and_variables):
            raise TypeError(
                f"grads_and_variables must be pairs (gradient, variable), or map names to such pairs, got {grads_and_variables!r}"
            )
        pairs = list(grads_and_variables)
        known = _names(pairs, terms, placed, newly_placed)
    if len(set(known)) < len(known):
        twice = next(name for name in known if known.count(name) > 1)
        raise ValueError(f"variable {twice!r} stands in grads_and_variables twice")
    entries: list[Entry] = []
    for name, pair in zip(known, pairs, strict=True):
        if type(pair) is not tuple or len(pair) != 2:
            _check_pair(pair, repr(name))
        gradient, variable = pair
        if gradient is None:
            continue
        array, constraint = variable, None
        if type(variable) is not np.ndarray and isinstance(variable, Parameter):
            array, constraint = variable.array, variable.constraint  # not `value`, to which a subclass may give another meaning
        entry = _rows_entry(name, array, gradient) if type(gradient) is tuple else Entry(name, array, gradient)
        entry.constraint = constraint
        entries.append(entry)
    if not entries:
        raise ValueError(f"No gradients provided for any variable: {known}.")
    return entries, known, newly_placed


def take_constraints(constraints: Iterable[tuple[Any, Any]] | None, entries: Sequence[Entry]) -> None:
    """Give each entry the constraint of its variable, and check that it fits.

    Parameters
    ----------
    constraints : iterable of (variable, constraint), or None
        Matched by memory. A variable that is not updated, or None in place of a constraint, changes nothing.
    entries : sequence of Entry
        Some have the constraint that their variable was made with.
    """
    given = [] if constraints is None else _listed(constraints)
    places = {memory_of(entry.weights): entry for entry in entries} if given else {}
    for i, pair in enumerate(given):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"constraints[{i}] must be a pair (variable, constraint), got {pair!r}")
        variable, constraint = pair
        if not isinstance(constraint, Constraint):
            refuse_class(constraint, f"the constraint in constraints[{i}]")
        array = variable
        if type(variable) is not np.ndarray and isinstance(variable, Parameter):
            array = variable.array
        entry = places.get(memory_of(array))
        if entry is None or (array is not entry.weights and not _is_same(array, entry.weights)):
            _check_apart(i, variable, array, entries)
        elif constraint is not None and entry.constraint is not None:
            raise ValueError(f"variable {entry.name!r} has two constraints, {entry.constraint!r} and {constraint!r}; give it one")
        elif constraint is not None:
            entry.constraint = constraint
    for entry in entries:
        constraint = entry.constraint
        if constraint is None or not is_built_in(constraint):
            continue
        if isinstance(constraint, Bounds):
            entry.bounds, entry.constraint = constraint.bounds, None
        else:
            constraint.check(entry.weights, f"variable {entry.name!r}")
            if isinstance(constraint, NormConstraint):
                entry.rescaling, entry.constraint = constraint.rescaling(entry.weights.ndim), None


def take_copies(copies: Mapping[str, Any] | None, entries: Sequence[Entry], known: Sequence[str]) -> None:
    """Give each entry the array that receives its new weights in 16 bits; `known` names those without a gradient too."""
    if copies is None:
        return
    if not isinstance(copies, Mapping):
        raise TypeError(f"copies must be a mapping of variables' names to arrays, not {type(copies).__name__}")
    entry_of = {entry.name: entry for entry in entries}
    names: set[str] = set()
    for key, copy in copies.items():
        name = plain_name(key) if isinstance(key, str) else key
        if name in names:
            raise ValueError(f"copies has two arrays for variable {name!r}")
        if name not in known:
            parts = [other for other in known if other.startswith(f"{name}/part_")]
            hint = f"it is kept in parts, each with a copy of its own: {parts}" if parts else f"the variables are {list(known)}"
            raise ValueError(f"copies has {key!r}, which names no variable of grads_and_variables; {hint}")
        if copy is None:
            raise TypeError(f"the copy of {name!r} must be a float16 or bfloat16 array, got None")
        names.add(name)
        if name in entry_of:
            entry_of[name].copy = copy


def _listed(constraints: Any) -> list[Any]:
    if not is_listed(constraints):
        raise TypeError(f"constraints must be a list of pairs (variable, constraint), as constrain gives, got {constraints!r}")
    return list(constraints)


def _is_same(array: Array, weights: Array) -> bool:
    """Tell whether two arrays that begin at the same address are the same array."""
    return array.shape == weights.shape and array.dtype == weights.dtype and array.strides == weights.strides


def _check_apart(i: int, variable: Any, array: Any, entries: Sequence[Entry]) -> None:
    """Check that a variable is of no entry: neither by its name nor by its memory."""
    array = check_array(array, f"the variable in constraints[{i}]")
    name = plain_name(variable.name) if isinstance(variable, Parameter) else None
    for entry in entries:
        if entry.name == name:
            raise ValueError(
                f"constraints[{i}] is over an array that is not updated here: the {name!r} that is updated is another array, in "
                f"other memory or of another shape; make the constraints anew over the arrays that are updated"
            )
        if np.may_share_memory(array, entry.weights):
            raise ValueError(
                f"constraints[{i}] is over another view of the memory of variable {entry.name!r}, which is updated; make it over "
                f"the same view"
            )


def _keys(variables: Mapping[Any, Any]) -> list[str]:
    names = list(variables)
    if not set(map(type, names)) <= {str}:
        raise TypeError(f"grads_and_variables must have names that are strings, not {names}")
    return [plain_name(name) if name.endswith(":0") else name for name in names]


def _names(
    pairs: list[Any], terms: Sequence[RegularizationLoss], placed: Mapping[str, Array], newly_placed: dict[str, Array]
) -> list[str]:
    """Return the variables' names. A bare array has its name of an earlier step, the name of its term, or that of its place."""
    names: list[str] = []
    seen: dict[object, str] | None = None
    for i, pair in enumerate(pairs):
        if type(pair) is not tuple or len(pair) != 2:
            _check_pair(pair, str(i))
        variable = pair[1]
        if isinstance(variable, Parameter):
            names.append(plain_name(variable.name))
            continue
        if seen is None:
            seen = {memory_of(term.weights): plain_name(term.variable_name) for term in terms}
            seen |= {memory_of(array): name for name, array in placed.items()}
        place = f"variable_{i}"
        name = seen.get(memory_of(variable), place)
        if name is place and place in placed and pair[0] is not None:
            raise ValueError(
                f"{place!r}, named by its place in grads_and_variables, is another array than at the last step; "
                f"name arrays with a mapping {{name: (gradient, array)}}"
            )
        names.append(name)
        if pair[0] is not None:
            newly_placed[name] = variable
    return names


def _check_pair(pair: Any, entry: str) -> None:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(f"entry {entry} of grads_and_variables must be a pair (gradient, variable), got {type(pair).__name__}")


def _rows_entry(name: str, array: Any, gradient: tuple[Any, ...]) -> Entry:
    """Return the entry of a gradient of rows, each row once and rising; values of the same row are added in their order."""
    if len(gradient) != 2:
        raise ValueError(f"gradient of {name!r} must be an array or a pair (values, row indices), got {len(gradient)} things")
    given = check_gradient(gradient[0], name)
    rows, values = merge_rows(given, gradient[1], array, name)
    return Entry(name, array, values, rows, given)
