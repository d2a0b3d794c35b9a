"""The tests' only calls of the core's inner functions, so that another form of these is a change of this file alone."""

import importlib

from fastreg import kernels
from fastreg.kernels import (
    BFLOAT16,
    LINES,
    PROFILES,
    RULES,
    Entry,
    Penalty,
    State,
    Step,
    Term,
    check_array,
    check_like,
    convert,
    have_custom,
    merge_rows,
    owners_of,
    project_l1_ball,
    project_simplex,
)
from fastreg.regularizers.elastic import ElasticPenalty
from fastreg.regularizers.groups import OfGroups
from fastreg.regularizers.huber import OfDelta
from fastreg.regularizers.nonconvex import OfNorms
from fastreg.regularizers.scales import ProfilePenalty, ScaledPenalty

__all__ = [
    "BFLOAT16",
    "COMPILED_DOCS",
    "LINES",
    "PROFILES",
    "RULES",
    "Entry",
    "Penalty",
    "Step",
    "check_array",
    "check_like",
    "commit",
    "compiled_rule",
    "convert",
    "entry",
    "evaluate",
    "evaluate_terms",
    "have_custom",
    "install_kernel",
    "kernel_of",
    "merge_rows",
    "owners_of",
    "penalty",
    "penalty_classes",
    "prepare",
    "project_l1_ball",
    "project_simplex",
    "set_axes",
    "set_pair",
    "set_parts",
    "set_profile",
    "step",
    "term",
]

COMPILED_DOCS = "fastreg._penalty"  # the compiled module whose docstrings hold examples


def compiled_rule(optimizer):
    """Return the name of the compiled rule of an optimizer."""
    return optimizer.rule


def install_kernel(capsule):
    """Give the core the kernel that it is to run."""
    kernels._jobs.install(capsule)


def kernel_of(isa):
    """Return the compiled kernel of an instruction set, or None where this CPU lacks it."""
    return importlib.import_module(kernels._module(isa)).kernel if isa in kernels._jobs.cpu_isas() else None


def penalty_classes():
    """Return the classes of regularizers that the kernels compute."""
    bases = {Penalty, ScaledPenalty, ProfilePenalty, ElasticPenalty, OfDelta, OfGroups, OfNorms}
    found = {kind for base in bases for kind in base.__subclasses__()} - bases
    return {kind for kind in found if kind.__module__.startswith("fastreg.regularizers")}


def set_pair(penalty, l1, l2):
    """Set the coefficients of a Penalty."""
    penalty._set(l1, l2)


def set_parts(penalty, parts):
    """Set what is added to a Penalty."""
    penalty._set_parts(parts)


def set_profile(penalty, name, scale, shape):
    """Set the profile of a Penalty."""
    penalty._set_profile(name, scale, shape)


def set_axes(penalty, axes):
    """Set the axes along which the members of a Penalty's groups lie."""
    penalty._set_axes(axes)


def term(array, penalty, name="w"):
    """Return a term over a bare array."""
    return Term.over(array, penalty, name)


def evaluate(arrays, penalties, names, outs=None, accumulate=False):
    """Evaluate terms over bare arrays; `outs` has one entry for each term."""
    terms = [term(*each) for each in zip(arrays, penalties, names, strict=True)]
    return evaluate_terms(terms, None if outs is None else dict(zip(names, outs, strict=True)), accumulate)


def evaluate_terms(terms, gradients=None, accumulate=False, **options):
    """Evaluate a list of terms; `gradients` has an array for each name."""
    found = kernels.evaluate(terms, gradients, accumulate, **options)
    return found if gradients is None else found[0]


def entry(weights, gradient, rows=None, slots=(), name="w"):
    """Return one variable of a step, with a rate of 1."""
    found = Entry(name, weights, gradient, rows)
    found.slots = slots
    found.rate = 1.0
    return found


def step(rule, entries, terms=()):
    """Do a step with a rate of 1; return the terms' loss."""
    return commit(prepare(rule, entries, terms))


def prepare(rule, entries, terms=(), constants=None):
    """Return a step, checked and not yet done."""
    return Step(rule, {} if constants is None else constants, entries, list(terms))


def commit(step):
    """Do a step; return the terms' loss."""
    return step.commit(State(), {})


def penalty(twin):
    """Return a Penalty with the twin's coefficients, whatever a factory would say of them."""
    bare = Penalty()
    set_pair(bare, twin.l1, twin.l2)
    return bare
