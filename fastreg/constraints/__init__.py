"""Floor 2: constraints, which put weights back into a set: between bounds, into a ball, onto a simplex.

A constraint is called with an array and returns a new one; ``project(w, out=)`` writes into ``out``, which may be ``w``. It knows
nothing of variables or steps. Where it is given to a variable (``get_variable(constraint=)``), or by name to arrays
(:func:`fastreg.constrain`), every update rule applies it after its step. A function of your own that takes the weights and
returns new ones works as well.

What holds for all of them:

- A weight, or a vector, that satisfies the constraint keeps its bits.
- NaN stays NaN. Under a constraint of vectors, every element of a vector with a NaN becomes NaN.
- ``axis`` names what is reduced: the members of one vector. None takes the whole array as one vector.

docs/axes.md says which axes are a neuron, a filter or an embedding.
"""

from fastreg.constraints.base import Constraint, WeightConstraint
from fastreg.constraints.bounds import Bounds, Box, LInfBall, NonNeg
from fastreg.constraints.norms import L2Ball, MaxNorm, MinMaxNorm, UnitNorm
from fastreg.constraints.projections import L1Ball, Simplex

max_norm, unit_norm, min_max_norm, non_neg, box = MaxNorm, UnitNorm, MinMaxNorm, NonNeg, Box
simplex, l1_ball, l2_ball, linf_ball = Simplex, L1Ball, L2Ball, LInfBall

__all__ = [
    "Bounds",
    "Box",
    "Constraint",
    "L1Ball",
    "L2Ball",
    "LInfBall",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "Simplex",
    "UnitNorm",
    "WeightConstraint",
    "box",
    "l1_ball",
    "l2_ball",
    "linf_ball",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "simplex",
    "unit_norm",
]
