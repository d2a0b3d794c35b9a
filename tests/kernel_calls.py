"""The tests' only calls of the core's inner functions, so that another form of these is a change of this file alone."""

from fastreg import kernels
from fastreg.kernels import PROFILES, RULES, Entry, Penalty, State, Step, Term, check_array
from fastreg.regularizers.scales import ScaledPenalty

__all__ = [
    "COMPILED_DOCS",
    "PROFILES",
    "RULES",
    "Penalty",
    "check_array",
    "compiled_rule",
    "entry",
    "evaluate",
    "evaluate_terms",
    "penalty",
    "penalty_classes",
    "set_pair",
    "set_parts",
    "step",
    "term",
]

COMPILED_DOCS = "fastreg._penalty"  # the compiled module whose docstrings hold examples


def compiled_rule(optimizer):
    """Return the name of the compiled rule of an optimizer."""
    return optimizer.rule


def penalty_classes():
    """Return the classes of regularizers that the kernels compute."""
    found = {kind for base in (Penalty, ScaledPenalty) for kind in base.__subclasses__()} - {ScaledPenalty}
    return {kind for kind in found if kind.__module__.startswith("fastreg.regularizers")}


def set_pair(penalty, l1, l2):
    """Set the coefficients of a Penalty."""
    penalty._set(l1, l2)


def set_parts(penalty, parts):
    """Set what is added to a Penalty."""
    penalty._set_parts(parts)


def term(array, penalty, name="w"):
    """Return a term over a bare array."""
    return Term.over(array, penalty, name)


def evaluate(arrays, penalties, names, outs=None, accumulate=False):
    """Evaluate terms over bare arrays; `outs` has one entry for each term."""
    terms = [term(*each) for each in zip(arrays, penalties, names, strict=True)]
    return evaluate_terms(terms, None if outs is None else dict(zip(names, outs, strict=True)), accumulate)


def evaluate_terms(terms, gradients=None, accumulate=False):
    """Evaluate a list of terms; `gradients` has an array for each name."""
    return kernels.evaluate(terms, gradients, accumulate)


def entry(weights, gradient, rows=None, slots=(), name="w"):
    """Return one variable of a step, with a rate of 1."""
    found = Entry(name, weights, gradient, rows)
    found.slots = slots
    found.rate = 1.0
    return found


def step(rule, entries, terms=()):
    """Do a step; return the terms' loss."""
    return Step(rule, {}, entries, list(terms)).commit(State(), {})


def penalty(twin):
    """Return a Penalty with the twin's coefficients, whatever a factory would say of them."""
    bare = Penalty()
    set_pair(bare, twin.l1, twin.l2)
    return bare
