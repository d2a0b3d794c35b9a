"""Rules by name (floor 3): which of a user's own arrays is regularized, and by which regularizer."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fastreg.terms import Array, Parameter, RegularizationLoss, Regularizer

__all__ = ["match_rules", "regularize"]

_Choice = TypeVar("_Choice")
_log = logging.getLogger("fastreg")


def regularize(params: Mapping[str, Array], rules: Sequence[tuple[str, Regularizer | None]]) -> list[RegularizationLoss]:
    """Return loss terms for arrays that a user already has.

    Parameters
    ----------
    params : mapping of str to ndarray
        The arrays by name. The mapping is kept and read at each use, so a new array under the same name is used from then on.
    rules : list of (pattern, regularizer)
        Shell patterns (:mod:`fnmatch`, case matters) for the names. They are tried in order; the first that matches a name
        decides. A rule with None leaves its arrays out. An array that no rule matches is left out too.

    Returns
    -------
    list of RegularizationLoss
        In the order of `params`. This list is the collection: nothing is filed in a graph.

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
    if not isinstance(rules, Iterable) or isinstance(rules, (str, Mapping)):
        raise TypeError(
            f"rules must be a list of pairs (pattern, regularizer), such as [('*', l2_regularizer(0.1))], not {rules!r}"
        )
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


def _rule(i: int, rule: Any) -> tuple[str, Regularizer | None]:
    if not isinstance(rule, (tuple, list)) or len(rule) != 2 or not isinstance(rule[0], str):
        raise TypeError(f"rules[{i}] must be a pair of a pattern and a regularizer or None, not {rule!r}")
    if rule[1] is not None and not callable(rule[1]):
        raise TypeError(f"rules[{i}]: the regularizer must be a function of the weights or None, not {rule[1]!r}")
    return rule[0], rule[1]
