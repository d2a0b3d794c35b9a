"""Rules by name (floor 3): which of a user's own arrays is regularized or constrained, and by what."""

from __future__ import annotations

import dataclasses
import fnmatch
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fastreg.arguments import is_listed
from fastreg.constraints.base import Constraint, WeightConstraint, refuse_class
from fastreg.kernels import check_array
from fastreg.terms import Array, Parameter, Regularizer, Terms, plain_name
from fastreg.variables.partitioned import PartitionedVariable

__all__ = ["constrain", "match_rules", "named_arrays", "regularize"]

_Choice = TypeVar("_Choice")
_log = logging.getLogger("fastreg")


class _Arrays(Mapping[str, Array]):
    """Arrays by their joined names, looked up at each use."""

    def __init__(self, places: dict[str, tuple[Any, Any]]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> Array:
        cell, key = self._places[name]
        array: Array = cell[key]
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def regularize(params: Any, rules: Sequence[tuple[str, Regularizer | None]]) -> Terms:
    """Return loss terms for arrays that a user already has.

    Parameters
    ----------
    params : mapping of str to ndarray, or nested
        The arrays by name. The mapping is kept and read at each use, so a new array under the same name is used from then on.
        Mappings, lists, tuples and dataclasses may hold each other; their keys, indices and fields are joined to names such as
        ``encoder/0/kernel``.
    rules : list of (pattern, regularizer)
        Shell patterns (:mod:`fnmatch`, case matters) for the names. They are tried in order; the first that matches a name
        decides. A rule with None leaves its arrays out. An array that no rule matches is left out too.

    Returns
    -------
    Terms
        A list of RegularizationLoss in the order of `params`. This list is the collection: nothing is filed in a graph. It
        remembers which rule decided, and what is left out; :func:`fastreg.summary` shows both.

    Raises
    ------
    ValueError
        If a rule matches no name at all, two arrays have one name, or an array is not one that can be regularized.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> params = {"conv/kernel": np.ones((3, 3)), "conv/bias": np.ones(3)}
    >>> [t.name for t in fr.regularize(params, [("*/bias", None), ("*", fr.l2_regularizer(1e-4))])]
    ['conv/kernel/Regularizer/l2_regularizer:0']
    >>> layers = [{"W": np.ones((2, 3)), "b": np.ones(3)}, {"W": np.ones((3, 1)), "b": np.ones(1)}]
    >>> [t.variable.name for t in fr.regularize(layers, [("*/W", fr.l2_regularizer(1e-4))])]
    ['0/W', '1/W']
    """
    places, chosen = _choose(params, rules, "regularizer", "l2_regularizer(0.1)")
    terms = Terms(_Arrays(places), {})
    for name, (cell, key) in places.items():
        pattern, regularizer = chosen.get(name, (None, None))
        parameter = Parameter(cell, key, name, name, terms, pattern)
        parameter.regularizer = regularizer
        if parameter.regularizer is None:
            terms.left_out[name] = pattern
    return terms


def named_arrays(params: Any) -> list[tuple[str, Any]]:
    """Return the name and the array of each of `params`: variables, or containers as :func:`regularize` takes them.

    A variable in parts gives its parts. A graph variable's name stands without its ``:0``.
    """
    given = list(params) if is_listed(params) else params
    found: list[tuple[str, Any]]
    if _steps(given) is None:
        raise TypeError(f"params must map names to arrays, or list variables, not {type(params).__name__}")
    if not isinstance(given, list) or (given and all(_steps(item) is not None for item in given)):
        found = list(_Arrays(_places(given)).items())
    else:
        for i, item in enumerate(given):
            if not isinstance(item, (Parameter, PartitionedVariable)):
                raise TypeError(f"params must map names to arrays, or list variables; params[{i}] is {item!r}")
        found = [(item.name, item) for item in given]
    named: list[tuple[str, Any]] = []
    for name, item in found:
        if isinstance(item, PartitionedVariable):
            named += [(plain_name(part.name), part.array) for part in item]
        else:
            named.append((plain_name(name), item.array if isinstance(item, Parameter) else item))
    return named


def constrain(params: Any, rules: Sequence[tuple[str, WeightConstraint | None]]) -> list[tuple[Parameter, WeightConstraint]]:
    """Return the constraints of arrays that a user already has.

    Parameters
    ----------
    params : mapping of str to ndarray, or nested
        As for :func:`regularize`.
    rules : list of (pattern, constraint)
        As for :func:`regularize`: the first pattern that matches a name decides, and None leaves its arrays out. A constraint is
        one of :mod:`fastreg.constraints`, or a function of the weights that returns new ones of their shape.

    Returns
    -------
    list of (Parameter, constraint)
        In the order of `params`: what ``apply_gradients(..., constraints=)`` takes. Nothing is changed before a step. To put an
        array into its set at once: ``constraint.project(w, out=w)``.

    Raises
    ------
    ValueError
        If a rule matches no name at all, two arrays have one name, or an array does not have a constraint's axes.
    TypeError
        If a rule is no such pair, or an array is not of float32 or float64.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> params = {"dense/kernel": np.ones((4, 3)), "dense/bias": np.ones(3)}
    >>> pairs = fr.constrain(params, [("*/kernel", fr.constraints.max_norm(1.0, axis=0)), ("*", fr.constraints.non_neg())])
    >>> gradients = {name: (np.full(w.shape, 4.0), w) for name, w in params.items()}
    >>> _ = fr.optim.GradientDescent(0.5).apply_gradients(gradients, constraints=pairs)
    >>> params["dense/kernel"][:, 0], params["dense/bias"]
    (array([-0.5, -0.5, -0.5, -0.5]), array([0., 0., 0.]))
    """
    places, chosen = _choose(params, rules, "constraint", "constraints.non_neg()")
    pairs: list[tuple[Parameter, WeightConstraint]] = []
    for name, (cell, key) in places.items():
        pattern, constraint = chosen.get(name, (None, None))
        refuse_class(constraint, f"the constraint of {name!r}")
        if constraint is None:
            continue
        parameter = Parameter(cell, key, name, name, [], pattern)
        array = check_array(parameter.array, name)
        if isinstance(constraint, Constraint):
            constraint.check(array, name)
        pairs.append((parameter, constraint))
    return pairs


def _choose(
    params: Any, rules: Any, noun: str, example: str
) -> tuple[dict[str, tuple[Any, Any]], dict[str, tuple[str | None, Any]]]:
    """Return by name where each array is found, and the pattern and the choice of the first rule that matches it."""
    if _steps(params) is None:
        raise TypeError(f"params must map names to arrays, not {type(params).__name__}")
    if not is_listed(rules):
        raise TypeError(f"rules must be a list of pairs (pattern, {noun}), such as [('*', {example})], not {rules!r}")
    checked: list[tuple[str, tuple[str | None, Any]]] = []
    for i, rule in enumerate(rules):
        pattern, choice = _rule(i, rule, noun)
        checked.append((pattern, (pattern, choice)))
    places = _places(params)
    return places, match_rules(list(places), checked)


class _Nested:
    """Nested containers, where an array is looked up by its path at each use."""

    def __init__(self, root: Any) -> None:
        self.root = root

    def __getitem__(self, path: tuple[Any, ...]) -> Any:
        found = self.root
        for step in path:
            found = getattr(found, step) if dataclasses.is_dataclass(found) else found[step]
        return found


def _places(params: Any) -> dict[str, tuple[Any, Any]]:
    """Return by name where each array is found: in a flat mapping itself by its key, else by its path."""
    nested = _Nested(params)
    places: dict[str, tuple[Any, Any]] = {}
    waiting: list[tuple[Any, ...]] = [()]
    while waiting:
        path = waiting.pop()
        container = nested[path]
        steps = _steps(container)
        if steps is not None:
            waiting += [(*path, step) for step in reversed(steps)]
            continue
        name = "/".join(map(str, path))
        if name in places:
            raise ValueError(f"params has two arrays that are named {name!r}")
        places[name] = (params, path[0]) if len(path) == 1 and isinstance(params, Mapping) else (nested, path)
    return places


def _steps(container: Any) -> list[Any] | None:
    """Return the keys, indices or fields of a container, None for anything else."""
    if isinstance(container, Mapping):
        bad = [key for key in container if not isinstance(key, str)]
        if bad:
            raise TypeError(f"params must have names that are strings, not {bad}")
        return list(container)
    if isinstance(container, (list, tuple)):
        return list(range(len(container)))
    if dataclasses.is_dataclass(container) and not isinstance(container, type):
        return [field.name for field in dataclasses.fields(container)]
    return None


def match_rules(names: Sequence[str], rules: Sequence[tuple[str, _Choice]]) -> dict[str, _Choice]:
    """Return for each name the choice of the first rule that matches it; a rule that matches no name is a ValueError."""
    chosen: dict[str, _Choice] = {}
    for i, (pattern, choice) in enumerate(rules):
        matched = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not matched:
            raise ValueError(f"rules[{i}]: {pattern!r} matches none of the names {list(names)}")
        if chosen.keys() >= set(matched):
            _log.warning("rules[%d]: %r decides nothing, earlier rules match all of %s", i, pattern, matched)
        chosen = {name: choice for name in matched} | chosen
    return chosen


def _rule(i: int, rule: Any, noun: str) -> tuple[str, Any]:
    if not isinstance(rule, (tuple, list)) or len(rule) != 2 or not isinstance(rule[0], str):
        raise TypeError(f"rules[{i}] must be a pair of a pattern and a {noun} or None, not {rule!r}")
    if rule[1] is not None and not callable(rule[1]):
        raise TypeError(f"rules[{i}]: the {noun} must be a function of the weights or None, not {rule[1]!r}")
    return rule[0], rule[1]
