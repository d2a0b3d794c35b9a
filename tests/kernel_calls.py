"""The tests' only calls of the core's inner functions, so that another form of these is a change of this file alone."""

from fastreg import kernels
from fastreg.kernels import PROFILES, RULES, Penalty, Term, check_array

__all__ = [
    "COMPILED_DOCS",
    "PROFILES",
    "RULES",
    "Penalty",
    "check_array",
    "compiled_rule",
    "evaluate",
    "penalty",
    "penalty_classes",
    "set_pair",
]

COMPILED_DOCS = "fastreg._penalty"  # the compiled module whose docstrings hold examples


def compiled_rule(optimizer):
    """Return the name of the compiled rule behind a class of fastreg.optim."""
    return optimizer.rule


def penalty_classes():
    """Return the classes of regularizers that the kernels compute."""
    return {kind for kind in Penalty.__subclasses__() if kind.__module__.startswith("fastreg.regularizers")}


def set_pair(penalty, l1, l2, parts=()):
    """Set the coefficients of a Penalty."""
    penalty._set(l1, l2)
    penalty._set_parts(parts)


def evaluate(arrays, penalties, names, outs=None, accumulate=False):
    """Evaluate terms over bare arrays; `outs` has one entry for each term."""
    terms = [Term.over(array, penalty, name) for array, penalty, name in zip(arrays, penalties, names, strict=True)]
    gradients = None if outs is None else dict(zip(names, outs, strict=True))
    return kernels.evaluate(terms, gradients, accumulate)


def penalty(twin):
    """Return a Penalty with the twin's coefficients, whatever a factory would say of them."""
    bare = Penalty()
    set_pair(bare, twin.l1, twin.l2)
    return bare
