"""TensorFlow 1's regularization surface over fastreg: ``import fastreg.compat.v1 as tf``.

A script builds its graph and runs it in a session as it did; the arrays are NumPy's, and penalties, collections and scopes are
fastreg's own. docs/porting.md says what is here and what is not.
"""

from __future__ import annotations

import logging as _logging
import sys as _sys
from typing import Any as _Any

from fastreg import graph as _graph
from fastreg import partitions as _partitions
from fastreg import regularizers as _core_regularizers
from fastreg import variables as _core_variables
from fastreg.compat.v1 import framework as _framework
from fastreg.compat.v1 import layers as _layers
from fastreg.compat.v1 import ops as _ops
from fastreg.compat.v1 import regularizers as _regularizers
from fastreg.compat.v1 import train as _train
from fastreg.compat.v1 import variables as _variables

_SURFACE: dict[_Any, str] = {
    _framework: "Dimension DType Graph IndexedSlices InteractiveSession Operation Session Tensor TensorShape as_dtype constant "
    "control_dependencies convert_to_tensor get_default_graph get_default_session name_scope stack",
    _ops: "abs add add_n cast ceil clip_by_value concat diag_part div divide equal exp expand_dims eye fill floor floordiv "
    "floormod gather global_norm gradients greater greater_equal group identity less less_equal log log1p logical_and "
    "logical_or matmul maximum minimum multiply negative no_op norm not_equal ones ones_like placeholder "
    "placeholder_with_default pow random_normal random_uniform rank reduce_all reduce_any reduce_max reduce_mean reduce_min "
    "reduce_prod reduce_sum reshape reverse rsqrt shape sigmoid sign size slice sqrt square squared_difference squeeze "
    "stop_gradient subtract tanh tensordot tile to_float trace transpose truediv truncated_normal where zeros "
    "zeros_like",
    _variables: "Variable VariableAggregation VariableSynchronization assign assign_add assign_sub constant_initializer "
    "get_local_variable get_variable get_variable_scope global_variables_initializer glorot_normal_initializer "
    "glorot_uniform_initializer local_variables local_variables_initializer ones_initializer orthogonal_initializer "
    "random_normal_initializer random_uniform_initializer truncated_normal_initializer variable_scope variables_initializer "
    "variance_scaling_initializer zeros_initializer",
    _graph: "GraphKeys add_to_collection add_to_collections get_collection get_collection_ref reset_default_graph "
    "set_random_seed",
    _core_variables: "AUTO_REUSE VariableScope global_variables trainable_variables",
    _partitions: "fixed_size_partitioner min_max_variable_partitioner variable_axis_size_partitioner",
    _core_regularizers: "no_regularizer",
}
_DTYPES = (
    "float16 half float32 float64 double int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool"  # what as_dtype takes by name
)
_OUTSIDE = {
    "device": "arrays have no device; leave it out",
    "cond": "use Python's if between two runs, or arithmetic with tf.cast of a comparison",
    "while_loop": "use Python's loop around session.run",
    "Print": "print what session.run returns",
    "summary": "write down what session.run returns",
    "data": "feed NumPy arrays, batch by batch",
    "keras": "write the layer with tf.layers, or in NumPy over fastreg itself",
    "estimator": "write the training loop in Python",
    "enable_eager_execution": "call fastreg itself: its functions work on arrays at once",
}

for _module, _names in _SURFACE.items():
    globals().update({_name: getattr(_module, _name) for _name in _names.split()})
globals().update({_name: _framework.as_dtype(_name) for _name in _DTYPES.split()})


def _missing(name: str, attribute: str) -> AttributeError:
    hint = _OUTSIDE.get(
        attribute, "what regularization needs is here, see docs/porting.md; compute the rest in NumPy and feed it"
    )
    return AttributeError(f"{name} has no attribute {attribute!r}: {hint}")


class _Namespace:
    """A submodule of TensorFlow's, with what there is of it here."""

    def __init__(self, name: str, *modules: _Any, names: str = "", **more: _Any) -> None:
        self._name = name
        self.__dict__.update({n: next(getattr(m, n) for m in modules if hasattr(m, n)) for n in names.split()} | more)

    def __getattr__(self, attribute: str) -> _Any:
        raise _missing(f"fastreg.compat.v1.{self._name}", attribute)


def __getattr__(attribute: str) -> _Any:
    raise _missing("fastreg.compat.v1", attribute)


def disable_eager_execution() -> None:
    """Do nothing: there is only the graph."""


disable_v2_behavior = disable_eager_execution
initialize_all_variables, all_variables = _variables.global_variables_initializer, _core_variables.global_variables

nn = _Namespace("nn", _ops, names="l2_loss relu sigmoid tanh softmax bias_add conv2d l2_normalize embedding_lookup")
math = _Namespace("math", _ops, names=_SURFACE[_ops])
linalg = _Namespace("linalg", _ops, names="matmul norm trace eye tensordot diag_part")
random = _Namespace(
    "random", uniform=_ops.random_uniform, normal=_ops.random_normal, truncated_normal=_ops.truncated_normal,
    set_random_seed=_graph.set_random_seed,
)  # fmt: skip
layers = _Namespace("layers", _layers, names="Conv2D Dense Flatten conv2d dense flatten")
initializers = _Namespace(
    "initializers",
    **{name.removesuffix("_initializer"): getattr(_variables, name) for name in dir(_variables) if name.endswith("_initializer")},
)
losses = _Namespace(
    "losses", _regularizers, names="add_loss get_losses get_regularization_loss get_regularization_losses get_total_loss"
)
errors = _Namespace(
    "errors", _framework, names="FailedPreconditionError InvalidArgumentError OpError OperatorNotAllowedInGraphError"
)
logging = _Namespace(
    "logging",
    _logging,
    names="DEBUG INFO ERROR FATAL",
    WARN=_logging.WARNING,
    warn=_core_regularizers.logger.warning,
    set_verbosity=_core_regularizers.logger.setLevel,
    **{level: getattr(_core_regularizers.logger, level) for level in ("debug", "info", "error", "warning", "fatal")},
)
train = _Namespace(
    "train",
    _train,
    names="Optimizer GradientDescentOptimizer MomentumOptimizer AdagradOptimizer RMSPropOptimizer AdamOptimizer FtrlOptimizer "
    "ProximalGradientDescentOptimizer ProximalAdagradOptimizer get_global_step get_or_create_global_step",
)
contrib = _Namespace(
    "contrib",
    layers=_Namespace(
        "contrib.layers",
        _regularizers,
        _variables,
        names="l1_regularizer l2_regularizer l1_l2_regularizer sum_regularizer apply_regularization xavier_initializer",
    ),
    opt=_Namespace("contrib.opt", _train, names="AdamWOptimizer MomentumWOptimizer extend_with_decoupled_weight_decay"),
)
compat = _Namespace("compat", v1=_sys.modules[__name__])
