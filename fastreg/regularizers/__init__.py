"""Floor 2: the regularizers. TensorFlow 1's factories, messages and names over the compiled penalties.

A regularizer knows nothing of variables or collections. Value, gradient and prox are compiled. Here stand the rules for the
arguments, and how regularizers are named, changed and summed.
"""

from fastreg.regularizers.conversions import from_keras, from_sklearn, from_torch
from fastreg.regularizers.custom import Regularizer, SupportsGradient, SupportsProx, SupportsValueAndGradient
from fastreg.regularizers.elastic import (
    L1L2Regularizer,
    L1Regularizer,
    L2Regularizer,
    l1_l2_regularizer,
    l1_regularizer,
    l2_regularizer,
)
from fastreg.regularizers.groups import (
    GroupLassoRegularizer,
    SparseGroupLassoRegularizer,
    group_lasso_regularizer,
    sparse_group_lasso_regularizer,
)
from fastreg.regularizers.lines import (
    LinfRegularizer,
    TotalVariationRegularizer,
    linf_regularizer,
    total_variation_regularizer,
)
from fastreg.regularizers.matrices import (
    NuclearRegularizer,
    OrthogonalRegularizer,
    SoftOrthogonalRegularizer,
    nuclear_regularizer,
    orthogonal_regularizer,
    soft_orthogonal_regularizer,
)
from fastreg.regularizers.nonconvex import MCPRegularizer, mcp_regularizer
from fastreg.regularizers.scales import DisabledRegularizer, no_regularizer, refuse_factory
from fastreg.regularizers.sums import CompositeSum, SumRegularizer, is_compiled, multiple, separate, sum_regularizer

__all__ = [
    "CompositeSum",
    "DisabledRegularizer",
    "GroupLassoRegularizer",
    "L1L2Regularizer",
    "L1Regularizer",
    "L2Regularizer",
    "LinfRegularizer",
    "MCPRegularizer",
    "NuclearRegularizer",
    "OrthogonalRegularizer",
    "Regularizer",
    "SoftOrthogonalRegularizer",
    "SparseGroupLassoRegularizer",
    "SumRegularizer",
    "SupportsGradient",
    "SupportsProx",
    "SupportsValueAndGradient",
    "TotalVariationRegularizer",
    "from_keras",
    "from_sklearn",
    "from_torch",
    "group_lasso_regularizer",
    "is_compiled",
    "l1_l2_regularizer",
    "l1_regularizer",
    "l2_regularizer",
    "linf_regularizer",
    "mcp_regularizer",
    "multiple",
    "no_regularizer",
    "nuclear_regularizer",
    "orthogonal_regularizer",
    "refuse_factory",
    "separate",
    "soft_orthogonal_regularizer",
    "sparse_group_lasso_regularizer",
    "sum_regularizer",
    "total_variation_regularizer",
]
