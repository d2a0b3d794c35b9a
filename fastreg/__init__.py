"""TensorFlow 1's regularizers and their collection for NumPy, at the memory's speed and with the same bits everywhere.

Regularizers, each a function of the weights with `gradient`, `value_and_gradient` and `prox`:
    l1_regularizer, l2_regularizer, l1_l2_regularizer, sum_regularizer, no_regularizer, l2_loss
    Convex: huber_regularizer, pseudo_huber_regularizer, l2_sp_regularizer
    Not convex: mcp_regularizer, scad_regularizer, log_sum_regularizer, l0_regularizer
    Of groups of weights: group_lasso_regularizer, sparse_group_lasso_regularizer
    Of whole lines: total_variation_regularizer, linf_regularizer
    Of whole matrices: orthogonal_regularizer, soft_orthogonal_regularizer, nuclear_regularizer
    Of another library's strength: from_torch, from_keras, from_sklearn
    Their classes: L1Regularizer, L2Regularizer, L1L2Regularizer, SumRegularizer, CompositeSum, HuberRegularizer,
        PseudoHuberRegularizer, L2SPRegularizer, MCPRegularizer, SCADRegularizer, LogSumRegularizer, L0Regularizer,
        GroupLassoRegularizer, SparseGroupLassoRegularizer, TotalVariationRegularizer, LinfRegularizer,
        OrthogonalRegularizer, SoftOrthogonalRegularizer, NuclearRegularizer
    What one of your own may offer: Regularizer, SupportsGradient, SupportsValueAndGradient, SupportsProx

Your own arrays, by name:
    regularize, Terms, RegularizationLoss, Parameter, summary, Summary, SummaryRow

Constraints such as `constraints.max_norm`, which every update rule applies after its step, and those of your own arrays by name:
    constraints, constrain

Values and gradients of many terms at once:
    value_and_gradients, Gradients, add_n, Total

Update rules such as `optim.Adam`, which take the terms into their step, and the record of a training loop:
    optim, History, plot_history

TensorFlow 1's registry:
    get_variable, variable_scope, get_variable_scope, Variable, PartitionedVariable, VariableScope, AUTO_REUSE,
    glorot_uniform_initializer, set_random_seed, global_variables, trainable_variables,
    fixed_size_partitioner, min_max_variable_partitioner, variable_axis_size_partitioner
    Graph, GraphKeys, get_default_graph, reset_default_graph,
    get_collection, get_collection_ref, add_to_collection, add_to_collections
    get_regularization_loss, get_regularization_losses, apply_regularization,
    add_loss, get_losses, get_total_loss

Threads and instruction sets:
    set_num_threads, get_num_threads, get_config, show_config
"""

from fastreg import constraints, optim
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
from fastreg.history import History, plot_history
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
from fastreg.matching import constrain, regularize
from fastreg.partitions import fixed_size_partitioner, min_max_variable_partitioner, variable_axis_size_partitioner
from fastreg.regularizers import (
    CompositeSum,
    GroupLassoRegularizer,
    HuberRegularizer,
    L0Regularizer,
    L1L2Regularizer,
    L1Regularizer,
    L2Regularizer,
    L2SPRegularizer,
    LinfRegularizer,
    LogSumRegularizer,
    MCPRegularizer,
    NuclearRegularizer,
    OrthogonalRegularizer,
    PseudoHuberRegularizer,
    Regularizer,
    SCADRegularizer,
    SoftOrthogonalRegularizer,
    SparseGroupLassoRegularizer,
    SumRegularizer,
    SupportsGradient,
    SupportsProx,
    SupportsValueAndGradient,
    TotalVariationRegularizer,
    from_keras,
    from_sklearn,
    from_torch,
    group_lasso_regularizer,
    huber_regularizer,
    l0_regularizer,
    l1_l2_regularizer,
    l1_regularizer,
    l2_regularizer,
    l2_sp_regularizer,
    linf_regularizer,
    log_sum_regularizer,
    mcp_regularizer,
    no_regularizer,
    nuclear_regularizer,
    orthogonal_regularizer,
    pseudo_huber_regularizer,
    scad_regularizer,
    soft_orthogonal_regularizer,
    sparse_group_lasso_regularizer,
    sum_regularizer,
    total_variation_regularizer,
)
from fastreg.summary import Summary, SummaryRow, summary
from fastreg.terms import Gradients, Parameter, RegularizationLoss, Terms, Total
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
    "CompositeSum",
    "Gradients",
    "Graph",
    "GraphKeys",
    "GroupLassoRegularizer",
    "History",
    "HuberRegularizer",
    "L0Regularizer",
    "L1L2Regularizer",
    "L1Regularizer",
    "L2Regularizer",
    "L2SPRegularizer",
    "LinfRegularizer",
    "LogSumRegularizer",
    "MCPRegularizer",
    "NuclearRegularizer",
    "OrthogonalRegularizer",
    "Parameter",
    "PartitionedVariable",
    "PseudoHuberRegularizer",
    "RegularizationLoss",
    "Regularizer",
    "SCADRegularizer",
    "SoftOrthogonalRegularizer",
    "SparseGroupLassoRegularizer",
    "SumRegularizer",
    "Summary",
    "SummaryRow",
    "SupportsGradient",
    "SupportsProx",
    "SupportsValueAndGradient",
    "Terms",
    "Total",
    "TotalVariationRegularizer",
    "Variable",
    "VariableScope",
    "add_loss",
    "add_n",
    "add_to_collection",
    "add_to_collections",
    "apply_regularization",
    "constrain",
    "constraints",
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
    "group_lasso_regularizer",
    "huber_regularizer",
    "l0_regularizer",
    "l1_l2_regularizer",
    "l1_regularizer",
    "l2_loss",
    "l2_regularizer",
    "l2_sp_regularizer",
    "linf_regularizer",
    "log_sum_regularizer",
    "mcp_regularizer",
    "min_max_variable_partitioner",
    "no_regularizer",
    "nuclear_regularizer",
    "optim",
    "orthogonal_regularizer",
    "plot_history",
    "pseudo_huber_regularizer",
    "regularize",
    "reset_default_graph",
    "scad_regularizer",
    "set_num_threads",
    "set_random_seed",
    "show_config",
    "soft_orthogonal_regularizer",
    "sparse_group_lasso_regularizer",
    "sum_regularizer",
    "summary",
    "total_variation_regularizer",
    "trainable_variables",
    "value_and_gradients",
    "variable_axis_size_partitioner",
    "variable_scope",
]

__version__ = "0.1.0"


def __dir__() -> list[str]:
    return ["__all__", "__doc__", "__file__", "__name__", "__path__", "__version__", *__all__]
