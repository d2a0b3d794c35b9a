"""Pairs of a gradient and a variable become the entries of a step, with a name, an array and checked rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastreg.kernels import Entry, memory_of, merge_rows
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
        array = variable
        if type(variable) is not np.ndarray and isinstance(variable, Parameter):
            array = variable.array  # not `value`, to which a subclass may give another meaning
        if type(gradient) is tuple:
            entries.append(_rows_entry(name, array, gradient))
        else:
            entries.append(Entry(name, array, gradient))
    if not entries:
        raise ValueError(f"No gradients provided for any variable: {known}.")
    return entries, known, newly_placed


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
    rows, values = merge_rows(*gradient, array, name)
    return Entry(name, array, values, rows)
