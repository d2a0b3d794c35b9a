"""Variables by name, the scopes that name them, and their reuse (floor 3).

Rules and messages are TensorFlow 1's (``python/ops/variable_scope.py``). All state lives in a graph; this package keeps none.

A layer above, such as compat/v1, passes its own subclass of `Variable` as the argument `variable_class` of
`VariableScope.get_variable`. The subclass overrides the methods that `Variable` lists for that purpose. Names, scopes, reuse and
collections are decided here.
"""

from fastreg.variables.initializers import PartitionInfo, fans, glorot_uniform_initializer, parameters_of
from fastreg.variables.partitioned import PartitionedVariable
from fastreg.variables.scopes import (
    AUTO_REUSE,
    VariableScope,
    get_variable,
    get_variable_scope,
    global_variables,
    trainable_variables,
    variable_scope,
)
from fastreg.variables.variable import Variable

__all__ = [
    "AUTO_REUSE",
    "PartitionInfo",
    "PartitionedVariable",
    "Variable",
    "VariableScope",
    "fans",
    "get_variable",
    "get_variable_scope",
    "global_variables",
    "glorot_uniform_initializer",
    "parameters_of",
    "trainable_variables",
    "variable_scope",
]
