"""The tests' only calls of the core's inner functions, so that another form of these is a change of this file alone."""

from fastreg import _border
from fastreg.kernels import Penalty, check_array, evaluate

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

COMPILED_DOCS = "fastreg._border"  # the compiled module whose docstrings hold examples
PROFILES = ("elastic",)  # that are compiled
RULES = _border.OPERATIONS  # update rules that are compiled


def compiled_rule(optimizer):
    """Return the name of the compiled rule behind a class of fastreg.optim."""
    return optimizer._operation


def penalty_classes():
    """Return the classes of regularizers that the kernels compute."""
    return {kind for kind in Penalty.__subclasses__() if kind.__module__.startswith("fastreg.regularizers")}


def set_pair(penalty, l1, l2, parts=()):
    """Set the coefficients of a Penalty."""
    penalty._set(l1, l2, parts)


def penalty(twin):
    """Return a Penalty with the twin's coefficients, whatever a factory would say of them."""
    bare = Penalty()
    set_pair(bare, twin.l1, twin.l2)
    return bare
