"""The base of the update rules: a step over gradients, terms and slots, and the state between steps."""

from __future__ import annotations

import difflib
import fnmatch
import inspect
import logging
import math
import numbers
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Literal, Self, TypeAlias, overload

import numpy as np

from fastreg.arguments import MOST_WHOLE, check_flag, check_name, check_whole
from fastreg.constraints.base import constrained, is_built_in
from fastreg.kernels import (
    RULES,
    Entry,
    State,
    Step,
    StreamedStep,
    check_array,
    have_custom,
    owners_of,
    scaled_gradient,
    wide_weights,
)
from fastreg.locks import Lock
from fastreg.matching import match_rules
from fastreg.optim.hyperparameters import ByName, Hyperparameter, by_name, check_number, flag, number_at
from fastreg.optim.intake import take_constraints, take_copies, take_pairs
from fastreg.optim.rounding import StochasticRounding
from fastreg.regularizers.custom import apply_prox, has_prox
from fastreg.terms import Array, Parameter, RegularizationLoss, Total, add_custom, live_terms, plain_name

Slots: TypeAlias = tuple[Array, ...]
_log = logging.getLogger("fastreg")


# Arguments of other libraries' optimizers, and what they are called here.
OTHER_NAMES = {
    "lr": ("learning_rate",),
    "betas": ("beta1", "beta2"),
    "beta_1": ("beta1",),
    "beta_2": ("beta2",),
    "eps": ("epsilon",),
    "nesterov": ("use_nesterov",),
    "alpha": ("decay",),
    "rho": ("decay",),
    "clipnorm": ("clip_norm",),
    "global_clipnorm": ("clip_norm",),
}


def _check_clip_norm(value: Any, name: str) -> float | None:
    if value is not None and check_number(value, name, least=0) == 0:
        raise ValueError("clip_norm must be above 0, got 0")
    return value  # type: ignore[no-any-return]


def _check_average(value: Any, name: str) -> float | None:
    if value is not None and not 0 < check_number(value, name) < 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value!r}")
    return value  # type: ignore[no-any-return]


class _Average(Hyperparameter):
    """The factor of the moving average. With it a rule has one more slot, which is dropped where it is set to None."""

    def __init__(self) -> None:
        super().__init__(_check_average)

    def __set__(self, instance: Any, value: Any) -> None:
        with instance._lock:
            checked = self._check(value, self._name)
            own = tuple(name for name in instance.slot_names if name != self._name)
            changed = {self._name: checked, "slot_names": own if value is None else (*own, self._name)}
            if value is None and hasattr(instance, "_state"):
                state = instance._state
                state.slots = {name: slots[: len(own)] for name, slots in state.slots.items()}
            instance.__dict__.update(changed)


class Optimizer:
    """Base of the update rules; not to be made itself.

    Parameters
    ----------
    learning_rate : float or callable, or list of (pattern, float or callable)
        At least 0; a function of the step (0 for the first) is asked at every step. A list such as
        ``[("*/bias", 1e-2), ("*", 1e-3)]`` is tried in order on the names without ``:0``; the first match wins. A pattern that
        matches no name is a ValueError, and so is a variable that no pattern matches.
    clip_norm : float, optional
        Scale the total gradient of all variables, penalties included, down to this global norm. One extra pass.
    check_finite : bool, optional
        Raise a ValueError before anything is written when the total gradient is not finite. The same extra pass.
    average : float, optional
        Keep a moving average of the weights as one more slot, ``average``: after each step, in the same pass,
        ``average += (1 - factor) * (weights - average)`` in the dtype of the weights. Above 0 and below 1, such as 0.999. It
        begins as the weights before the first step that has it. Of a gradient of rows, those rows alone are averaged. Set to
        None later, the averages are dropped.

    Attributes
    ----------
    iterations : int
        Steps done.

    Notes
    -----
    Threads may share an optimizer: its steps take turns, and so do the calls that save, load or measure.

    A subclass names its compiled update rule in `rule` and its slots in `slot_names`. Its `step_constants` returns the numbers
    that the rule computes with, its `step_rate` what a learning rate becomes in the coming step.
    """

    rule: str
    slot_names: tuple[str, ...] = ()
    learning_rate = by_name()
    clip_norm: Any = Hyperparameter(_check_clip_norm)
    check_finite = flag()
    average: Any = _Average()
    __signature__: ClassVar[inspect.Signature]
    _lock: Lock  # held by a step, and by what reads or sets the state

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _, *parameters = inspect.signature(cls.__init__).parameters.values()
        cls.__signature__ = inspect.Signature(parameters)  # else `help` would show that of __new__

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Refuse arguments in another library's words, and positional ones where they could be taken for each other."""
        for name in options.keys() - cls.__signature__.parameters.keys() if hasattr(cls, "rule") else ():
            own = [f"{other}=" for other in OTHER_NAMES.get(name, ()) if hasattr(cls, other)]
            if own:
                raise TypeError(f"{cls.__name__} has no argument {name!r}; did you mean {' and '.join(own)}?")
            if name == "weight_decay" and not hasattr(cls, name):
                raise TypeError(
                    f"{cls.__name__} has no argument 'weight_decay'; for torch's, which is an L2 penalty, pass apply_gradients "
                    f"the terms of fastreg.l2_regularizer(weight_decay); decoupled decay is AdamW's and MomentumW's"
                )
            taken = cls._argument_names()
            if name not in taken and cls.__init__.__module__.startswith("fastreg."):  # a user's own may take anything
                close = difflib.get_close_matches(name, taken, 1)
                hint = f"did you mean {close[0]}=?" if close else f"it takes {', '.join(taken)}"
                raise TypeError(f"{cls.__name__} has no argument {name!r}; {hint}")
        optimizer = super().__new__(cls)
        optimizer._lock = Lock()
        return optimizer

    def __init__(
        self,
        learning_rate: ByName,
        *,
        clip_norm: float | None = None,
        check_finite: bool = False,
        average: float | None = None,
    ) -> None:
        if not hasattr(type(self), "rule"):
            raise TypeError("Optimizer is the rules' base; make one of them, such as fastreg.optim.Adam")
        self.learning_rate = learning_rate
        self.clip_norm = clip_norm
        self.check_finite = check_finite
        self.average = average
        self._matched: dict[str, tuple[list[str], list[str], dict[str, int]]] = {}
        self._tried: dict[str, tuple[list[str], set[str]]] = {}
        self._state = State()
        self._unused: set[str] = set()

    @classmethod
    def _argument_names(cls) -> list[str]:
        """Return the names of all arguments, those included that a base takes."""
        takers = (inspect.signature(vars(kind)["__init__"]).parameters for kind in cls.__mro__[:-1] if "__init__" in vars(kind))
        named = (parameter for taker in takers for parameter in list(taker.values())[1:])
        return list(dict.fromkeys(p.name for p in named if p.kind is not p.VAR_KEYWORD))

    def hyperparameters(self) -> dict[str, Any]:
        """Return the hyperparameters by name, as they are now."""
        kinds = reversed(type(self).__mro__)
        names = (name for kind in kinds for name, value in vars(kind).items() if isinstance(value, Hyperparameter))
        return {name: getattr(self, name) for name in names}

    @property
    def iterations(self) -> int:
        """Steps done."""
        return self._state.iterations

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        found = check_whole(iterations, "iterations")
        with self._lock:
            self._refuse_within_step("iterations cannot be set")
            self._state.iterations = found

    def at_step(self, name: str) -> float:
        """Return the number that a hyperparameter is for the coming step; it may be a function of the step."""
        return number_at(getattr(self, name), self.iterations, name)

    def step_constants(self) -> dict[str, float]:
        """Return the numbers that the coming step computes with, by the names of the compiled rule's constants."""
        return {}

    def step_rate(self, learning_rate: float) -> float:
        """Return what the coming step multiplies by, for a variable with this learning rate."""
        return learning_rate

    def at_names(self, hyperparameter: str, names: list[str], known: list[str]) -> list[float | None]:
        """Return the number that a hyperparameter is for each of `names` in the coming step.

        Parameters
        ----------
        hyperparameter : str
            Its value may be a list of rules.
        names, known : list of str
            The variables with a gradient, and all, on which the rules are tried. Those of a part of a step are not all, so there
            a rule may match none of them.

        Returns
        -------
        list of float or None
            None where no rule matches, or the first that matches has None.
        """
        value = getattr(self, hyperparameter)
        if not isinstance(value, list):
            return [self.at_step(hyperparameter)] * len(names)
        patterns = [pattern for pattern, _ in value]
        if self._state.streamed is not None:
            places = self._try_on_part(hyperparameter, patterns, known)
        else:
            matched = self._matched.get(hyperparameter)
            if matched is None or matched[:2] != (known, patterns):
                try:
                    places = match_rules(known, [(pattern, place) for place, pattern in enumerate(patterns)])
                except ValueError as error:
                    raise ValueError(f"{hyperparameter}: {error}") from None
                self._matched[hyperparameter] = matched = known, patterns, places
            places = matched[2]
        found = [None if rate is None else number_at(rate, self.iterations, hyperparameter) for _, rate in value]
        return [found[places[name]] if name in places else None for name in names]

    def _try_on_part(self, hyperparameter: str, patterns: list[str], names: list[str]) -> dict[str, int]:
        """Return for each name the place of the first pattern that matches it, and note the patterns that match any."""
        if hyperparameter not in self._tried or self._tried[hyperparameter][0] != patterns:
            self._tried[hyperparameter] = patterns, set()
        used, places = self._tried[hyperparameter][1], dict[str, int]()
        for place, pattern in enumerate(patterns):
            for name in names:
                if fnmatch.fnmatchcase(name, pattern):
                    used.add(pattern)
                    places.setdefault(name, place)
        return places

    def _warn_of_unused_patterns(self) -> None:
        """Log the patterns that no part of a whole step had a name for, once."""
        for hyperparameter, (patterns, used) in self._tried.items():
            unused = [pattern for pattern in patterns if pattern not in used]
            used.update(unused)
            if unused:
                _log.warning("%s: the patterns %s match none of the names of the step's parts", hyperparameter, unused)

    def rates(self, names: list[str], known: list[str]) -> list[float]:
        """Return what the coming step multiplies by, for each variable; `known` names those without a gradient too."""
        if not isinstance(self.learning_rate, list):
            return [self.step_rate(self.at_step("learning_rate"))] * len(names)
        given = self.at_names("learning_rate", names, known)
        rate_of: dict[float, float] = {}
        for name, learning_rate in zip(names, given, strict=True):
            if learning_rate is None:
                raise ValueError(f"no rule of learning_rate matches {name!r}; end the list with ('*', rate)")
            if learning_rate not in rate_of:
                rate_of[learning_rate] = self.step_rate(learning_rate)
        return [rate_of[learning_rate] for learning_rate in given]  # type: ignore[index]

    def initial_slots(self, array: Array) -> Slots:
        """Return the rule's slots of a variable that is new here, in the order of `slot_names`; the average is none of them."""
        return tuple(np.zeros_like(array, subok=False) for name in self.slot_names if name != "average")

    def decays(self, names: list[str], known: list[str]) -> list[float]:
        """Return the fraction that is taken off each variable's weights; `known` names those without a gradient too."""
        return [0.0] * len(names)

    @overload
    def apply_gradients(
        self,
        grads_and_variables: Iterable[tuple[Any, Any]] | Mapping[str, tuple[Any, Any]],
        regularization: Sequence[RegularizationLoss] | Total | None = None,
        *,
        constraints: Iterable[tuple[Any, Any]] | None = None,
        per_term: Literal[False] = False,
        gradient_scale: float = 1.0,
        copies: Mapping[str, Any] | None = None,
        zero_gradients: bool = False,
        rounding: StochasticRounding | None = None,
    ) -> np.float64: ...

    @overload
    def apply_gradients(
        self,
        grads_and_variables: Iterable[tuple[Any, Any]] | Mapping[str, tuple[Any, Any]],
        regularization: Sequence[RegularizationLoss] | Total | None = None,
        *,
        constraints: Iterable[tuple[Any, Any]] | None = None,
        per_term: Literal[True],
        gradient_scale: float = 1.0,
        copies: Mapping[str, Any] | None = None,
        zero_gradients: bool = False,
        rounding: StochasticRounding | None = None,
    ) -> tuple[np.float64, dict[str, float]]: ...

    def apply_gradients(
        self,
        grads_and_variables: Iterable[tuple[Any, Any]] | Mapping[str, tuple[Any, Any]],
        regularization: Sequence[RegularizationLoss] | Total | None = None,
        *,
        constraints: Iterable[tuple[Any, Any]] | None = None,
        per_term: bool = False,
        gradient_scale: float = 1.0,
        copies: Mapping[str, Any] | None = None,
        zero_gradients: bool = False,
        rounding: StochasticRounding | None = None,
    ) -> np.float64 | tuple[np.float64, dict[str, float]]:
        """Step all variables at once, the regularization folded in.

        Parameters
        ----------
        grads_and_variables : iterable of (gradient, variable), or mapping of str to (gradient, variable)
            A gradient has its variable's shape, dtype and memory order, or is a pair (values, row indices), or None: that
            variable is left alone. It is read, and never written without `zero_gradients`. It may also be of float16 or
            bfloat16; the step is that of the gradient widened. A bare array in an iterable gets the name of its term, or of
            its place, ``variable_0``, and must be over the same memory at each step.
        regularization : list of RegularizationLoss, or Total, optional
            Their gradients are added to the given ones; a proximal rule takes L1 in its proximal step. A term whose regularizer
            is a user's own is evaluated in a pass of its own. Terms and variables are matched by memory, so an array object may
            be a new one at each step. A term over a variable that is not updated here, because its gradient is None or it is not
            given, is counted in the loss and changes nothing else.
            For a strength that changes, set it before the step: ``l2.scale = strength(opt.iterations)``.
        constraints : iterable of (variable, constraint), optional
            What :func:`fastreg.constrain` returns: what weights are put through at the end of the step. A variable that was made
            with a `constraint` needs no pair here. They are matched to the variables by memory, as terms are. Of a gradient of
            rows, a constraint of elements, or of vectors that lie within rows, concerns its rows alone; any other one, and a
            function of the user's own, concerns the whole variable.
        per_term : bool, optional
            Return each term's value too. The step has it already, so it costs no pass over memory.
        gradient_scale : float, optional
            What the given gradients are multiplied by, in the dtype of the weights, before the penalties' are added: finite
            and above 0. What `clip_norm` and `check_finite` look at is that sum.
        copies : mapping of str to ndarray, optional
            Arrays of float16 or bfloat16, by the names of variables and of their shape and memory order, that receive the new
            weights, rounded to the nearest, in the same pass; of a gradient of rows, those rows. The copy of a variable
            without a gradient is left alone.
        zero_gradients : bool, optional
            Set each given gradient to 0 after it was read.
        rounding : StochasticRounding, optional
            How weights are rounded to 16 bits; None: to the nearest, and to the even one of two.

        Returns
        -------
        loss : numpy.float64
            The sum of the terms before the step, 0 without any.
        values : dict of str to float
            The terms' values before the step by the terms' names, only if `per_term` is true. What :class:`fastreg.History`
            records.

        Raises
        ------
        TypeError, ValueError
            If a gradient, a variable or a term does not fit, or a term is over another array than the variable of its name. When
            an error is raised, also by a function of the user's own, nothing has been changed: a step happens whole or not at
            all.

        Examples
        --------
        >>> import numpy as np, fastreg as fr
        >>> w = np.array([1.0, -2.0])
        >>> terms = fr.regularize({"w": w}, [("w", fr.l2_regularizer(0.5))])
        >>> opt = fr.optim.GradientDescent(learning_rate=0.1)
        >>> opt.apply_gradients({"w": (np.zeros(2), w)}, regularization=terms)
        np.float64(1.25)
        >>> w
        array([ 0.95, -1.9 ])
        """
        per_term = check_flag(per_term, "per_term")
        with self._lock:
            terms, added = ([], []) if regularization is None else live_terms(regularization)
            state = self._state
            entries, known, placed = take_pairs(grads_and_variables, terms, state.placed)
            clip_norm, norm, streamed = self.clip_norm, None, self._step_under_way()
            if streamed is not None:
                clip_norm, norm = streamed.clip_norm, streamed.norm
                terms, added = _terms_of(entries, terms), [] if streamed.stepped else added
            take_constraints(constraints, entries)
            take_copies(copies, entries, known)
            self._set_options(entries, gradient_scale, zero_gradients, rounding)
            values = self._add_custom(terms, entries) if have_custom(terms) else []
            names = [entry.name for entry in entries]
            for entry, rate, decay in zip(entries, self.rates(names, known), self.decays(names, known), strict=True):
                entry.rate, entry.decay = rate, decay
                entry.slots = self._slots_of(entry)
            constants = self.step_constants() if self.average is None else self.step_constants() | {"average": self.average}
            step = Step(self.rule, constants, entries, terms, clip_norm, self.check_finite, type(self).__name__, norm)
            for i, entry in enumerate(entries):
                if entry.prox is not None or entry.constraint is not None:
                    _finish(step, i, entry)
            unused = self._unused_after(names) if self._unused else self._unused
            result = step.commit(state, placed, values + added, per_term)
            self._unused = unused
            return result

    def measure(
        self,
        grads_and_variables: Iterable[tuple[Any, Any]] | Mapping[str, tuple[Any, Any]],
        regularization: Sequence[RegularizationLoss] | Total | None = None,
        *,
        gradient_scale: float = 1.0,
    ) -> np.float64:
        """Return the norm of the total gradient, penalties included, that a step with these arguments would clip; write nothing.

        Of the norms of parts, ``math.hypot(*norms)`` makes the norm of the whole, which `step` takes.

        Parameters
        ----------
        grads_and_variables, regularization, gradient_scale
            As for `apply_gradients`. A term over a variable that is not given has no gradient here.

        Returns
        -------
        norm : numpy.float64
            NaN or infinite if the total gradient is not finite, whatever `check_finite` says. It is right also where its square
            is no float64 number; it is infinite where it is none itself.

        Raises
        ------
        TypeError, ValueError
            If a gradient, a variable or a term does not fit.

        Examples
        --------
        >>> import numpy as np, fastreg as fr
        >>> w = np.array([1.0, -2.0])
        >>> terms = fr.regularize({"w": w}, [("w", fr.l2_regularizer(0.5))])
        >>> fr.optim.GradientDescent(0.1).measure({"w": (np.array([2.5, -3.0]), w)}, terms)
        np.float64(5.0)
        """
        with self._lock:
            terms, _ = ([], []) if regularization is None else live_terms(regularization)
            entries, _, _ = take_pairs(grads_and_variables, terms, self._state.placed)
            terms = _terms_of(entries, terms)
            self._set_options(entries, gradient_scale, zero_gradients=False, rounding=None)
            if have_custom(terms):
                self._add_custom(terms, entries)
            # The plainest rule that leaves the same penalties to the proximal step. It has no slots.
            rule = "proximal_gradient_descent" if RULES[self.rule].takes_l1 else "gradient_descent"
            return Step(rule, self.step_constants(), entries, terms, title=type(self).__name__).norm()

    def step(self, norm: float | None = None) -> AbstractContextManager[None]:
        """Return a context in which `apply_gradients` steps one part of the variables at a time.

        All calls within belong to one step: they see the same `iterations`, which rises by 1 at the end. So gradients need not
        exist all at once.

        Parameters
        ----------
        norm : float, optional
            The norm of the total gradient of all parts, from `measure`. It must be given if `clip_norm` is set, and decides the
            one factor by which all parts are scaled. The parts are not measured again.

        Raises
        ------
        ValueError
            If `clip_norm` is set and no norm is given, or the norm is not finite and `check_finite` is set; or, by a part, if a
            variable of its names was stepped by an earlier part.
        RuntimeError
            If a step in parts is under way already; or, by a part, if another thread has begun the step.

        Notes
        -----
        - **Bits.** Weights and slots become what one call with all variables and this norm would make of them. A norm that was
          measured over all variables at once is that of the whole step to the last bit; `math.hypot` over parts may differ in it.
        - **Terms.** Each part takes the terms over its own variables, and leaves the others out. So all terms may be given to
          each part, and the sum of the parts' losses is the loss of the step, without terms over variables that no part has. A
          number that a `Total` adds is counted by the first part. Finding the terms of a part takes time for each term: with
          many parts, give each its own. `constraints` may be those of all variables too; `copies` are those of the part.
        - **Patterns.** A list of rules by name, such as a learning rate, is tried on the names of each part. A pattern that
          matches none of them is no error there. If it matches none in the whole step either, the log has a warning.
        - **Not finite.** With `check_finite` and without a norm, each part is checked by itself, in a pass of its own. With the
          norm everything is checked before anything is written.
        - **Errors.** An error in a part leaves that part unwritten and the earlier ones written. If it leaves the block,
          `iterations` rises if any part was stepped: the variables of these are one step ahead, and the others have missed this
          one. If it is caught within the block, the part can be tried again.
        - A block without a part is no step. Within the block `iterations` cannot be set, and the state cannot be saved or loaded.

        Examples
        --------
        >>> import math
        >>> import numpy as np, fastreg as fr
        >>> params = {"body": np.zeros(2), "head": np.zeros(2)}
        >>> gradients = {"body": np.array([3.0, 0.0]), "head": np.array([0.0, 4.0])}      # one at a time, in what follows
        >>> opt = fr.optim.GradientDescent(learning_rate=1.0, clip_norm=1.0)
        >>> norm = math.hypot(*(opt.measure({name: (gradients[name], params[name])}) for name in params))
        >>> with opt.step(norm=norm):
        ...     for name in params:
        ...         _ = opt.apply_gradients({name: (gradients[name], params[name])})
        >>> norm, params, opt.iterations
        (5.0, {'body': array([-0.6,  0. ]), 'head': array([ 0. , -0.8])}, 1)
        """
        if norm is not None:
            norm = _as_norm(norm)
        if norm is not None and norm < 0:
            raise ValueError(f"norm must be at least 0, got {norm!r}")
        if norm is None and self.clip_norm is not None:
            raise ValueError("clip_norm is set, so step needs the norm of the total gradient of all parts, which measure gives")
        if self.check_finite and norm is not None and not math.isfinite(norm):
            raise ValueError(f"the norm of the total gradient is not finite: {norm!r}; nothing was updated")
        return StreamedStep(self._state, self._lock, norm, self.clip_norm, self._warn_of_unused_patterns)

    def _step_under_way(self) -> StreamedStep | None:
        """Return the step in parts to which a call of this thread belongs, if there is one."""
        streamed = self._state.streamed
        if streamed is not None and streamed.thread != threading.get_ident():
            raise RuntimeError("a step in parts is under way, and another thread has begun it; its parts belong to that thread")
        return streamed

    def _refuse_within_step(self, what: str) -> None:
        """Raise if a step in parts is under way."""
        if self._state.streamed is not None:
            raise RuntimeError(f"{what} within a step in parts; leave the block first")

    def _add_custom(self, terms: Sequence[RegularizationLoss], entries: list[Entry]) -> list[float]:
        """Add users' own gradients to copies of the given ones, note users' own proxes in the entries, and return the values."""
        proximal = RULES[self.rule].takes_l1
        copied: set[str] = set()
        entry_of = {id(term): entries[i] for term, i in zip(terms, owners_of(entries, terms), strict=True) if i >= 0}
        for term in terms:
            entry = entry_of.get(id(term))
            if entry is None:
                continue
            if term.custom and entry.rows is not None:
                raise ValueError(
                    f"term {term.name!r} is a user's own and the gradient of {entry.name!r} is of rows; pass it whole"
                )
            for regularizer in term.custom if proximal else ():
                if has_prox(regularizer) and entry.prox is not None:
                    raise ValueError(
                        f"two regularizers of {entry.name!r} have a prox of their own, and their sum has no closed prox"
                    )
                if has_prox(regularizer):
                    entry.prox = regularizer

        def total_of(term: RegularizationLoss) -> Array | None:
            entry = entry_of.get(id(term))
            if entry is None:
                return None
            if entry.name not in copied:
                entry.gradient, entry.scale = scaled_gradient(entry), 1.0
                copied.add(entry.name)
            return entry.gradient

        return add_custom(terms, total_of, skip_prox=proximal)

    def _set_options(
        self, entries: list[Entry], gradient_scale: float, zero_gradients: bool, rounding: StochasticRounding | None
    ) -> None:
        scale = gradient_scale
        if type(scale) is not float or scale != 1:  # checking takes a microsecond
            scale = check_number(scale, "gradient_scale", least=0)
        zero_gradients = check_flag(zero_gradients, "zero_gradients")
        if scale == 0:
            raise ValueError("gradient_scale must be above 0, got 0")
        if rounding is not None and not isinstance(rounding, StochasticRounding):
            raise TypeError(f"rounding must be a StochasticRounding or None, got {rounding!r}")
        if scale == 1 and not zero_gradients and rounding is None:
            return
        for entry in entries:
            entry.scale, entry.clears = scale, zero_gradients
            entry.key = None if rounding is None else rounding.key(self.iterations, entry.name)

    def _slots_of(self, entry: Entry) -> Slots:
        """Return the slots of a variable: those that it has, or new ones."""
        slots = self._state.slots.get(entry.name)
        if slots is not None and len(slots) == len(self.slot_names):
            return slots
        array = wide_weights(entry)
        if slots is None:
            slots = self.initial_slots(array)
        return slots if self.average is None else (*slots, array.copy(order="K"))

    def _unused_after(self, names: list[str]) -> set[str]:
        """Return the unused slots without those of stepped variables. Where others are unknown, a name may be misspelled."""
        unused = self._unused.difference(names)
        unknown = [name for name in names if name not in self._state.slots]
        if unknown and unused:
            _log.warning(
                "the loaded state has no slots for %s, which start anew; it has slots for %s, which no step has used so far",
                unknown,
                sorted(unused),
            )
        return unused

    def unused_slots(self) -> list[str]:
        """Return the variables whose slots were loaded and that no step has updated since.

        Such slots stay in `state_dict`. A name that stands here after a step is often one that was spelled otherwise when the
        state was saved; the variable has started with new slots then, and the log has a warning.

        Examples
        --------
        >>> import numpy as np, fastreg as fr
        >>> first, second = fr.optim.Momentum(0.5, momentum=0.9), fr.optim.Momentum(0.5, momentum=0.9)
        >>> _ = first.apply_gradients({"body": (np.ones(3), np.ones(3)), "head": (np.ones(2), np.ones(2))})
        >>> second.load_state_dict(first.state_dict())
        >>> _ = second.apply_gradients({"body": (np.ones(3), np.ones(3))})
        >>> second.unused_slots()
        ['head']
        """
        return sorted(self._unused)

    def set_slots(self, variable: Parameter | str, slots: Mapping[str, Array]) -> None:
        """Use these arrays as the slots of a variable; steps read and write them.

        Parameters
        ----------
        variable : Variable or str
            The variable, or its name.
        slots : mapping of str to ndarray
            An array of the variable's shape, dtype and memory order for each of `get_slot_names`; kept, not copied.

        Raises
        ------
        ValueError
            If a slot is missing or unknown.
        """
        if not isinstance(slots, Mapping):
            raise TypeError(f"slots must be a mapping of names to arrays, not {type(slots).__name__}")
        if set(slots) != set(self.slot_names):
            raise ValueError(f"{type(self).__name__} has the slots {list(self.slot_names)}, got {list(slots)}")
        name = _name_of(variable)
        given = tuple(check_array(slots[key], f"slot {key!r} of {name!r}", writeable=True) for key in self.slot_names)
        with self._lock:
            self._state.slots = self._state.slots | {name: given}

    def get_slot(self, variable: Parameter | str, name: str) -> Array:
        """Return the array of a slot itself, to which the steps write.

        Parameters
        ----------
        variable : Variable or str
            The variable, or its name.
        name : str
            One of `get_slot_names`.

        Raises
        ------
        KeyError
            If the variable has not been stepped, or the rule has no such slot.
        """
        key = _name_of(variable)
        check_name(name)
        if name not in self.slot_names:
            raise KeyError(f"{type(self).__name__} has no slot {name!r}; it has {list(self.slot_names)}")
        if key not in self._state.slots:
            raise KeyError(f"no slots for {key!r}; there are some for {sorted(self._state.slots)}")
        found = dict(zip(self.slot_names, self._state.slots[key], strict=False))
        if name not in found:
            raise KeyError(f"the average of {key!r} begins with its next step")
        return found[name]

    def get_slot_names(self) -> list[str]:
        """Return the names of the slots that every variable has."""
        return list(self.slot_names)

    def state_dict(self) -> dict[str, Array]:
        """Return the state as arrays by name: what ``numpy.savez(file, **state)`` takes.

        Returns
        -------
        dict of str to ndarray
            ``rule``, ``iterations``, and ``<variable>/<slot>``, each a copy. Hyperparameters are not part of it.

        Examples
        --------
        >>> import numpy as np, fastreg as fr
        >>> w = np.ones(3)
        >>> opt = fr.optim.Momentum(0.5, momentum=0.9)
        >>> _ = opt.apply_gradients({"w": (np.ones(3), w)})
        >>> sorted(opt.state_dict())
        ['iterations', 'rule', 'w/momentum']
        """
        with self._lock:
            self._refuse_within_step("the state cannot be saved")
            state: dict[str, Array] = {"rule": np.array(type(self).__name__), "iterations": np.array(self.iterations)}
            for variable, slots in self._state.slots.items():
                for name, slot in zip(self.slot_names, slots, strict=False):  # an average begins with the next step
                    state[f"{variable}/{name}"] = slot.copy(order="K")
            return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the result of `state_dict`, also after a way through an npz file.

        Parameters
        ----------
        state : mapping of str to ndarray
            Copied.

        Raises
        ------
        TypeError, ValueError
            If it is of another rule, lacks a slot, holds something else, or does not fit the variables that have been stepped
            so far; nothing is taken over then. Whether it fits variables that are new here is checked at their next step.

        Notes
        -----
        A variable for which the state has no slots starts with new ones, as it would have without the way through a file: a
        layer that was frozen so far, a new head, the state of step 0. So does an average that the state lacks. Slots that no
        variable uses are kept; `unused_slots` names them.
        """
        with self._lock:
            self._refuse_within_step("the state cannot be loaded")
            if not isinstance(state, Mapping):
                raise TypeError(f"state must be a mapping of names to arrays, as state_dict gives, not {type(state).__name__}")
            entries = {key: read_entry(state, key) for key in state}
            for key in ("rule", "iterations"):
                if key not in entries:
                    raise ValueError(f"state lacks {key!r}; it has {sorted(entries)}")
            rule, iterations = entries.pop("rule"), entries.pop("iterations")
            if str(rule) != type(self).__name__:
                raise ValueError(f"state is of {rule}, not of {type(self).__name__}")
            if iterations.shape or iterations.dtype.kind not in "iu" or not 0 <= iterations.item() <= MOST_WHOLE:
                raise ValueError(f"state['iterations'] must be a whole number of at least 0 and below 2**63, got {iterations!r}")
            found: dict[str, dict[str, Array]] = {}
            for key, array in entries.items():
                variable, slash, name = key.rpartition("/")
                if not slash or name not in self.slot_names:
                    hint = "; set `average` first" if name == "average" else ""
                    raise ValueError(
                        f"state has {key!r}, which names no slot of {type(self).__name__}: {list(self.slot_names)}{hint}"
                    )
                found.setdefault(variable, {})[name] = check_array(array, f"state[{key!r}]").copy(order="K")
            loaded: dict[str, Slots] = {}
            for variable, own in found.items():
                lacking = [name for name in self.slot_names if name not in own and name != "average"]
                if lacking:
                    raise ValueError(f"state lacks the slots {lacking} of variable {variable!r}")
                loaded[variable] = tuple(own[name] for name in self.slot_names if name in own)
                first = (self._state.slots.get(variable) or loaded[variable])[0]
                for name, slot in own.items():
                    if slot.shape != first.shape or slot.dtype != first.dtype:
                        raise ValueError(
                            f"state['{variable}/{name}'] has shape {slot.shape} and dtype {slot.dtype}, where {variable!r} has "
                            f"{first.shape} and {first.dtype}"
                        )
            self._state, self._unused = State(int(iterations), loaded), set(loaded)

    def __repr__(self) -> str:
        options = {"clip_norm": None, "check_finite": False, "average": None}  # are shown where they do something
        own = {name: value for name, value in self.hyperparameters().items() if name not in options}
        own |= {name: getattr(self, name) for name, absent in options.items() if getattr(self, name) != absent}
        own |= {"iterations": self.iterations}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in own.items())})"


def read_entry(state: Mapping[str, Any], key: Any) -> Array:
    """Return an array of a state; an npz file is read here, and may be damaged."""
    if not isinstance(key, str):
        raise TypeError(f"state must have names that are strings, not {key!r}")
    try:
        return np.asarray(state[key])
    except MemoryError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise errors of many kinds
        raise ValueError(f"state[{key!r}] cannot be read: {error}") from None


def _name_of(variable: Any) -> str:
    if not isinstance(variable, (str, Parameter)):
        raise TypeError(f"variable must be a variable or its name, got {variable!r}")
    return plain_name(variable if isinstance(variable, str) else variable.name)


def _as_norm(norm: Any) -> float:
    """Return a norm as a float; it may be infinite or NaN."""
    if not isinstance(norm, numbers.Real) or isinstance(norm, bool):
        raise TypeError(f"norm must be a number, got {norm!r} of type {type(norm).__name__}")
    try:
        return float(norm)
    except OverflowError:
        raise ValueError(f"norm must be a number that float64 holds, got {norm!r}") from None


def _finish(step: Step, i: int, entry: Entry) -> None:
    """Let the step set the weights that the user's own prox and a constraint make of those after the rule."""
    constraint = entry.constraint
    by_row = constraint is None or (is_built_in(constraint) and constraint.acts_within_rows(entry.weights.ndim))
    new = step.preview(i, whole=not by_row)
    if entry.prox is not None:
        new = apply_prox(entry.prox, new, entry.rate, f"the regularizer of {entry.name!r}")
    if constraint is not None:
        new = constrained(constraint, new, f"the constraint of {entry.name!r}")
    step.assign(i, new)


def _terms_of(entries: list[Entry], terms: list[RegularizationLoss]) -> list[RegularizationLoss]:
    """Return the terms over the weights of the entries."""
    return [term for term, place in zip(terms, owners_of(entries, terms), strict=True) if place >= 0]
