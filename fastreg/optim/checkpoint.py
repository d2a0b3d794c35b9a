"""Save a training run to one dict of arrays, and restore it: the continued run has the bits of the uninterrupted one.

The dict holds plain numbers alone, no objects and no pickle, so `numpy.savez` and safetensors take it. A text is a vector of
uint8 with the UTF-8 of its JSON. All arrays are in C order, for safetensors writes others wrongly.

| key | array |
|---|---|
| ``weights/<variable>`` | the weights; those of bfloat16, which NumPy lacks, as their bits in uint16 |
| ``slots/<variable>/<slot>`` | what the update rule keeps beside them |
| ``iterations`` | steps done |
| ``hyperparameters/<name>`` | a number or a flag; None and rules by name as a text |
| ``strengths/<term>/<attribute>`` | what can be set at the term's regularizer, such as `scale`; a sum has its parts by number |
| ``rule``, ``not_saved`` | the update rule's class; the names of hyperparameters and terms that are functions of the user's own |
"""

from __future__ import annotations

import copy
import json
import logging
import numbers
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from fastreg.arguments import check_flag
from fastreg.kernels import Penalty, State, check_array, dtype_name, value_dtype, write_together
from fastreg.matching import named_arrays
from fastreg.optim.optimizer import Optimizer, read_entry
from fastreg.regularizers.sums import CompositeSum, SumRegularizer
from fastreg.regularizers.whole import WholeRegularizer
from fastreg.terms import Array, RegularizationLoss, Total, live_terms

_log = logging.getLogger("fastreg")
Terms: TypeAlias = Sequence[RegularizationLoss] | Total


def save(optimizer: Optimizer, params: Any, terms: Terms | None = None) -> dict[str, Array]:
    """Return all that a training run needs to go on, as copies.

    Parameters
    ----------
    optimizer : Optimizer
        Its step, its slots and its hyperparameters. A hyperparameter that is a function of the step, or has one among its rules
        by name, is not saved; ``not_saved`` names it.
    params : mapping of str to ndarray, or nested as `regularize` takes them, or iterable of Variable
        The weights.
    terms : list of RegularizationLoss, or Total, optional
        The terms of the run: the strengths of their regularizers are saved. Those of a user's own regularizer are not.

    Returns
    -------
    dict of str to ndarray
        What ``numpy.savez(file, **state)`` takes.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> params = {"w": np.ones(3)}
    >>> terms = fr.regularize(params, [("*", fr.l2_regularizer(0.5))])
    >>> opt = fr.optim.Momentum(0.5, momentum=0.9)
    >>> _ = opt.apply_gradients({"w": (np.ones(3), params["w"])}, terms)
    >>> state = fr.optim.save(opt, params, terms)
    >>> [key for key in state if not key.startswith("hyperparameters/")]
    ['rule', 'iterations', 'weights/w', 'slots/w/momentum', 'strengths/w/Regularizer/l2_regularizer/scale', 'not_saved']
    >>> params["w"][:] = 7.0
    >>> fr.optim.restore(state, opt, params, terms)
    >>> params["w"]
    array([0.25, 0.25, 0.25])
    """
    _check_optimizer(optimizer)
    with optimizer._lock:  # no step comes between the weights and the slots
        slots = optimizer.state_dict()
        state = {"rule": _text(str(slots.pop("rule"))), "iterations": slots.pop("iterations")}
        state |= {f"weights/{name}": _storable(array).copy(order="C") for name, array in _arrays(params).items()}
        state |= {f"slots/{key}": np.asarray(slot, order="C") for key, slot in slots.items()}
    own: list[str] = []
    for name, value in optimizer.hyperparameters().items():
        if _has_function(value):
            own.append(name)
        elif isinstance(value, numbers.Real):
            state[f"hyperparameters/{name}"] = np.array(value if isinstance(value, bool) else float(value))
        else:
            state[f"hyperparameters/{name}"] = _text(value)
    for key, regularizer, attribute in _settings(terms):
        if attribute is None:
            own.append(key)
        else:
            state[f"strengths/{key}"] = np.array(float(getattr(regularizer, attribute)))
    return state | {"not_saved": _text(own)}


def restore(
    state: Mapping[str, Any], optimizer: Optimizer, params: Any, terms: Terms | None = None, *, strict: bool = True
) -> None:
    """Put the result of `save` back, also after a way through a file: into the arrays and objects that are there.

    Parameters
    ----------
    state : mapping of str to ndarray
        Copied.
    optimizer : Optimizer
        Of the same rule. Its hyperparameters, slots and step become the saved ones; a hyperparameter that ``state`` names as
        not saved stays as it is here, and must be a function of the step, or have one, here too.
    params : mapping of str to ndarray, or iterable of Variable
        The same names, shapes and dtypes as at `save`; the weights are written into these arrays.
    terms : list of RegularizationLoss, or Total, optional
        As at `save`; the strengths of their regularizers are set.
    strict : bool, optional
        False for a model that has changed, such as one with a new head: a variable or a strength that the state lacks stays as
        it is here, and such a variable starts with new slots. What the state has and is not here is left out, apart from slots,
        which `Optimizer.unused_slots` names. The log has a warning that names all of it.

    Raises
    ------
    TypeError, ValueError
        If anything does not fit, or is missing or unknown and `strict` does not allow it; nothing is changed then.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> old, new = {"body": np.ones(3), "head": np.ones(2)}, {"body": np.zeros(3), "other_head": np.zeros(5)}
    >>> state = fr.optim.save(fr.optim.Adam(1e-3), old)
    >>> fr.optim.restore(state, fr.optim.Adam(1e-3), new, strict=False)
    >>> new
    {'body': array([1., 1., 1.]), 'other_head': array([0., 0., 0., 0., 0.])}
    """
    _check_optimizer(optimizer)
    strict = check_flag(strict, "strict")
    with optimizer._lock:
        optimizer._refuse_within_step("the state cannot be restored")
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping of names to arrays, as save gives, not {type(state).__name__}")
        parts: dict[str, dict[str, Array]] = {kind: {} for kind in ("", "weights", "slots", "hyperparameters", "strengths")}
        for key in state:
            kind, slash, name = key.partition("/")
            if kind + slash not in (*(f"{part}/" for part in parts), "rule", "iterations", "not_saved"):
                raise ValueError(f"state has {key!r}, which is nothing that fastreg.optim.save writes")
            parts[kind if slash else ""][name if slash else key] = read_entry(state, key)
        _check_names("state", parts[""], ("rule", "iterations", "not_saved"))
        arrays = _arrays(params, writeable=True)
        weights = _take("weights", parts["weights"], arrays, strict)
        for name, saved in weights.items():
            _check_fit(saved, f"state['weights/{name}']", _storable(arrays[name]), name)
        not_saved = _read(parts[""]["not_saved"], "not_saved")
        if not isinstance(not_saved, list):
            raise ValueError(f"state['not_saved'] must be a list of names, got {not_saved!r}")
        trial = copy.copy(optimizer)  # which takes what is saved first, and refuses what it must
        trial._state = State()
        _set_hyperparameters(trial, parts["hyperparameters"], not_saved)
        settled = vars(trial).copy()
        slots = dict(_lay_out(parts["slots"], arrays))
        rule = np.array(_read(parts[""]["rule"], "rule"))
        trial.load_state_dict(slots | {"rule": rule, "iterations": parts[""]["iterations"]})
        settled |= {"_state": trial._state, "_unused": trial._unused}
        targets = [_storable(arrays[name]) for name in weights]
        sources = [_laid_out(saved, target) for saved, target in zip(weights.values(), targets, strict=True)]
        _set_strengths(
            list(_settings(terms)),
            parts["strengths"],
            not_saved,
            strict,
            lambda undo: write_together(targets, sources, vars(optimizer), settled, undo),
        )


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be one of fastreg.optim, got {optimizer!r}")


def _arrays(params: Any, writeable: bool = False) -> dict[str, Array]:
    """Return the arrays by their variables' names, without the ``:0`` of a graph's."""
    arrays: dict[str, Array] = {}
    for name, array in named_arrays(params):
        if name in arrays:
            raise ValueError(f"variable {name!r} stands in params twice")
        arrays[name] = check_array(array, f"variable {name!r}", writeable=writeable, sixteen=True)
    return arrays


def _storable(array: Array) -> Array:
    """Return weights in a dtype of NumPy's own: the bits of bfloat16, in place."""
    return array.view(np.uint16) if dtype_name(array) == "bfloat16" else array


def _settings(terms: Terms | None) -> Iterator[tuple[str, Any, str | None]]:
    """Yield the key, the regularizer and the attribute of all that can be set; None as attribute of a user's own regularizer."""
    seen: dict[str, int] = {}
    for term in [] if terms is None else live_terms(terms)[0]:
        n = seen[term.op_name] = seen.get(term.op_name, -1) + 1
        yield from _settings_of(term.regularizer, f"{term.op_name}_{n}" if n else term.op_name)


def _settings_of(regularizer: Any, key: str) -> Iterator[tuple[str, Any, str | None]]:
    if isinstance(regularizer, (SumRegularizer, CompositeSum)):
        for i, part in enumerate(regularizer.parts):
            yield from _settings_of(part, f"{key}/{i}")
    elif isinstance(regularizer, (Penalty, WholeRegularizer)):
        for kind in reversed(type(regularizer).__mro__):
            for name, value in vars(kind).items():
                if isinstance(value, property) and value.fset is not None:
                    yield f"{key}/{name}", regularizer, name
    else:
        yield key, regularizer, None


def _set_hyperparameters(trial: Optimizer, saved: Mapping[str, Array], not_saved: Collection[str]) -> None:
    here = trial.hyperparameters()
    functions = [name for name in here if name in not_saved]
    _check_names(f"hyperparameters of {type(trial).__name__}", saved, [name for name in here if name not in functions])
    for name in functions:
        if not _has_function(here[name]):
            raise ValueError(f"{name} was a function of the step, which is not saved; give the optimizer that function first")
    for name, array in saved.items():
        setattr(trial, name, _read(array, f"hyperparameters/{name}") if array.shape else array.item())


def _set_strengths(
    settings: list[tuple[str, Any, str | None]],
    given_strengths: Mapping[str, Array],
    not_saved: Collection[str],
    strict: bool,
    write: Callable[[list[Any]], None],
) -> None:
    """Set all strengths and then write the rest, or change nothing. `write` empties the list of what there is to undo."""
    here = [key for key, _, attribute in settings if attribute is not None]
    saved = _take("strengths of the terms", given_strengths, here, strict)
    own = [key for key, _, attribute in settings if attribute is None and key not in not_saved]
    if own and strict:
        raise ValueError(f"the regularizers of {own} are a user's own here, and were not when the state was saved")
    given: dict[tuple[int, str], float] = {}
    before: list[tuple[Any, str, float]] = []
    try:
        for key, regularizer, attribute in settings:
            if attribute is None or key not in saved:
                continue
            if saved[key].shape or saved[key].dtype.kind != "f":
                raise ValueError(f"state['strengths/{key}'] must be a number, got {saved[key]!r}")
            strength = saved[key].item()
            if given.setdefault((id(regularizer), attribute), strength) != strength:
                raise ValueError(f"terms share the regularizer {regularizer!r}, and their saved strengths differ, at {key!r}")
            before.append((regularizer, attribute, getattr(regularizer, attribute)))
            setattr(regularizer, attribute, strength)
        write(before)
    except BaseException:
        for regularizer, attribute, strength in reversed(before):
            setattr(regularizer, attribute, strength)
        raise


def _laid_out(saved: Array, like: Array) -> Array:
    """Return what is saved in the memory order of another array."""
    if any(saved.flags[order] and like.flags[order] for order in ("C_CONTIGUOUS", "F_CONTIGUOUS")):
        return saved
    laid = np.empty_like(like, subok=False)
    laid[...] = saved
    return laid


def _lay_out(slots: Mapping[str, Array], arrays: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Yield each slot in the memory order of its variable."""
    for key, saved in slots.items():
        name = key.rpartition("/")[0]
        if name not in arrays:
            yield key, saved
            continue
        laid = np.empty_like(arrays[name], value_dtype(arrays[name]), subok=False)
        _check_fit(saved, f"state['slots/{key}']", laid, name)
        laid[...] = saved
        yield key, laid


def _has_function(value: Any) -> bool:
    return callable(value) or (isinstance(value, list) and any(callable(number) for _, number in value))


def _check_fit(saved: Array, what: str, array: Array, name: str) -> None:
    if saved.shape != array.shape or saved.dtype != array.dtype:
        raise ValueError(
            f"{what} has shape {saved.shape} and dtype {saved.dtype}, where {name!r} has {array.shape} and {array.dtype}"
        )


def _check_names(what: str, saved: Collection[str], here: Collection[str]) -> None:
    if set(saved) != set(here):
        lacking, unknown = sorted(set(here) - set(saved)), sorted(set(saved) - set(here))
        raise ValueError(f"{what}: the state lacks {lacking}, and has {unknown}, which are not here")


def _take(what: str, saved: Mapping[str, Array], here: Collection[str], strict: bool) -> dict[str, Array]:
    """Return what is saved and here; if `strict`, that must be all."""
    try:
        _check_names(what, saved, here)
    except ValueError as difference:
        if strict:
            raise ValueError(f"{difference}; pass strict=False for a model that has changed") from None
        _log.warning("%s", difference)
    return {name: array for name, array in saved.items() if name in here}


def _text(value: Any) -> Array:
    """Return what JSON can write as an array of bytes."""
    return np.frombuffer(json.dumps(value, default=float).encode(), np.uint8).copy()


def _read(array: Array, key: str) -> Any:
    if array.dtype != np.uint8 or array.ndim != 1:
        raise ValueError(f"state[{key!r}] must be a vector of uint8 with JSON in it, got {array!r}")
    try:
        return json.loads(array.tobytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"state[{key!r}] must be a vector of uint8 with JSON in it: {error}") from None
