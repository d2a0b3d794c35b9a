"""TensorFlow 1's regularizers and their collection for NumPy, at the memory's speed and with the same bits everywhere.

Closures (`l2_regularizer(scale)` and its family) measure arrays and give gradients and proximal steps. `get_variable` and
`variable_scope` file each variable's loss in a graph's collection, `regularize` does the same for arrays that already exist;
`value_and_gradients` evaluates a whole collection at once, and the rules of `fastreg.optim` fold it into their step.
"""

from fastreg import optim
from fastreg.graph import (
    Graph,
    GraphKeys,
    add_to_collection,
    add_to_collections,
    get_collection,
    get_collection_ref,
    get_default_graph,
    reset_default_graph,
    set_random_seed,
)
from fastreg.kernels import get_config, get_num_threads, l2_loss, set_num_threads, show_config
from fastreg.losses import (
    add_loss,
    add_n,
    apply_regularization,
    get_losses,
    get_regularization_loss,
    get_regularization_losses,
    get_total_loss,
    value_and_gradients,
)
from fastreg.matching import regularize
from fastreg.partitions import fixed_size_partitioner, min_max_variable_partitioner, variable_axis_size_partitioner
from fastreg.regularizers import (
    Regularizer,
    SupportsGradient,
    SupportsProx,
    SupportsValueAndGradient,
    from_keras,
    from_sklearn,
    from_torch,
    l1_l2_regularizer,
    l1_regularizer,
    l2_regularizer,
    mcp_regularizer,
    no_regularizer,
    sum_regularizer,
)
from fastreg.terms import Gradients, Parameter, RegularizationLoss, Total
from fastreg.variables import (
    AUTO_REUSE,
    PartitionedVariable,
    Variable,
    VariableScope,
    get_variable,
    get_variable_scope,
    global_variables,
    glorot_uniform_initializer,
    trainable_variables,
    variable_scope,
)

__all__ = [
    "AUTO_REUSE",
    "Gradients",
    "Graph",
    "GraphKeys",
    "Parameter",
    "PartitionedVariable",
    "RegularizationLoss",
    "Regularizer",
    "SupportsGradient",
    "SupportsProx",
    "SupportsValueAndGradient",
    "Total",
    "Variable",
    "VariableScope",
    "add_loss",
    "add_n",
    "add_to_collection",
    "add_to_collections",
    "apply_regularization",
    "fixed_size_partitioner",
    "from_keras",
    "from_sklearn",
    "from_torch",
    "get_collection",
    "get_collection_ref",
    "get_config",
    "get_default_graph",
    "get_losses",
    "get_num_threads",
    "get_regularization_loss",
    "get_regularization_losses",
    "get_total_loss",
    "get_variable",
    "get_variable_scope",
    "global_variables",
    "glorot_uniform_initializer",
    "l1_l2_regularizer",
    "l1_regularizer",
    "l2_loss",
    "l2_regularizer",
    "mcp_regularizer",
    "min_max_variable_partitioner",
    "no_regularizer",
    "optim",
    "regularize",
    "reset_default_graph",
    "set_num_threads",
    "set_random_seed",
    "show_config",
    "sum_regularizer",
    "trainable_variables",
    "value_and_gradients",
    "variable_axis_size_partitioner",
    "variable_scope",
]
