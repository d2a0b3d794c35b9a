"""TensorFlow 1's regularization surface over fastreg: ``import fastreg.compat.v1 as tf``.

Submodules are imported as TensorFlow's are: ``import fastreg.compat.v1.contrib.slim as slim``. A script that cannot be edited is
run by ``python -m fastreg.compat.v1 script.py ARGS`` (`__main__`), with this face in the place of tensorflow.

A script builds its graph and runs it in a session as it did; the arrays are NumPy's, and penalties, collections and scopes are
fastreg's own. docs/porting.md says what is here and what is not.

The files have the names of TensorFlow's own where there is one, and each imports only from files above it in this list:

| files | what stands there |
|---|---|
| dtypes, tensor_shape, errors | dtypes, shapes, errors |
| graph | graphs, name scopes, operations, tensors |
| common_shapes, conversion | which shape a result has; what is made into a tensor |
| execution, config_pb2, session | the order in which a run computes; feeds and fetches |
| math_ops | elementwise functions, operators |
| penalties | regularizers as operations, add_n |
| array_ops, reduction_ops, linalg_ops | shapes, slices, gathers; sums over axes; products and norms |
| random_ops, nn_ops, window_ops, nn_impl | random tensors; what layers compute; convolutions and pools; normalizations, dropout |
| control_flow_ops, clip_ops, losses_impl | group and no_op; limits on values and norms; tf.losses |
| gradients_impl | tf.gradients |
| state_ops, init_ops, variables, scopes | assignments; initializers; variables and their losses; get_variable, variable_scope |
| training_util | the global step |
| slot_creator, moving_averages, intake | variables beside variables; averages that follow variables; the gradients of a step |
| regularizers, keras_regularizers, constraints | tf.contrib.layers' regularizers; tf.keras.regularizers; tf.keras.constraints |
| train | tf.train and tf.contrib.opt |
| base_layer, layers, normalization | tf.layers |
| arg_scope, initializers, model_variables, contrib_layers | tf.contrib.framework, tf.contrib.layers, tf.contrib.slim |
| flags, app, summary, gfile, tf_logging | the command line; calls that write nothing; files; messages |
| contrib_losses, train_ops | slim's losses; optimize_loss and create_train_op |
| learning_rate_decay, saver | learning rates that follow the step; checkpoints |
"""

from __future__ import annotations

import sys as _sys
import types as _types
from typing import Any as _Any

from fastreg import graph as _core_graph
from fastreg import partitions as _partitions
from fastreg import regularizers as _core_regularizers
from fastreg import variables as _core_variables
from fastreg.compat.v1 import app as _app
from fastreg.compat.v1 import arg_scope as _arg_scope
from fastreg.compat.v1 import array_ops as _array_ops
from fastreg.compat.v1 import base_layer as _base_layer
from fastreg.compat.v1 import clip_ops as _clip_ops
from fastreg.compat.v1 import config_pb2 as _config_pb2
from fastreg.compat.v1 import constraints as _constraints
from fastreg.compat.v1 import contrib_layers as _contrib_layers
from fastreg.compat.v1 import contrib_losses as _contrib_losses
from fastreg.compat.v1 import control_flow_ops as _control_flow_ops
from fastreg.compat.v1 import conversion as _conversion
from fastreg.compat.v1 import dtypes as _dtypes
from fastreg.compat.v1 import errors as _errors
from fastreg.compat.v1 import flags as _flags
from fastreg.compat.v1 import gfile as _gfile
from fastreg.compat.v1 import gradients_impl as _gradients_impl
from fastreg.compat.v1 import graph as _graph
from fastreg.compat.v1 import init_ops as _init_ops
from fastreg.compat.v1 import initializers as _initializers
from fastreg.compat.v1 import keras_regularizers as _keras_regularizers
from fastreg.compat.v1 import layers as _layers
from fastreg.compat.v1 import learning_rate_decay as _learning_rate_decay
from fastreg.compat.v1 import linalg_ops as _linalg_ops
from fastreg.compat.v1 import losses_impl as _losses_impl
from fastreg.compat.v1 import math_ops as _math_ops
from fastreg.compat.v1 import model_variables as _model_variables
from fastreg.compat.v1 import moving_averages as _moving_averages
from fastreg.compat.v1 import nn_impl as _nn_impl
from fastreg.compat.v1 import nn_ops as _nn_ops
from fastreg.compat.v1 import normalization as _normalization
from fastreg.compat.v1 import penalties as _penalties
from fastreg.compat.v1 import random_ops as _random_ops
from fastreg.compat.v1 import reduction_ops as _reduction_ops
from fastreg.compat.v1 import regularizers as _regularizers
from fastreg.compat.v1 import saver as _saver
from fastreg.compat.v1 import scopes as _scopes
from fastreg.compat.v1 import session as _session
from fastreg.compat.v1 import state_ops as _state_ops
from fastreg.compat.v1 import summary as _summary
from fastreg.compat.v1 import tensor_shape as _tensor_shape
from fastreg.compat.v1 import tf_logging as _tf_logging
from fastreg.compat.v1 import train as _train
from fastreg.compat.v1 import train_ops as _train_ops
from fastreg.compat.v1 import training_util as _training_util
from fastreg.compat.v1 import variables as _variables
from fastreg.compat.v1 import window_ops as _window_ops

_OPERATIONS: dict[_Any, str] = {
    _math_ops: "abs add cast ceil cos div div_no_nan divide equal exp expm1 floor floordiv floormod greater greater_equal "
    "identity is_finite is_inf is_nan less less_equal log log1p log_sigmoid logical_and logical_not logical_or "
    "logical_xor maximum minimum mod multiply negative not_equal ones_like pow reciprocal round rsqrt sigmoid sign "
    "sin sqrt square squared_difference stop_gradient subtract tanh to_double to_float to_int32 to_int64 truediv "
    "where zeros_like",
    _penalties: "add_n",
    _array_ops: "boolean_mask concat cumsum diag_part expand_dims eye fill gather one_hot ones pad placeholder "
    "placeholder_with_default range rank reshape reverse shape size slice split squeeze strided_slice tile transpose unstack "
    "zeros",
    _reduction_ops: "argmax argmin reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod "
    "reduce_sum",
    _linalg_ops: "matmul norm tensordot trace",
    _clip_ops: "clip_by_global_norm clip_by_norm clip_by_value global_norm",
    _random_ops: "random_normal random_uniform truncated_normal",
    _control_flow_ops: "group no_op",
    _gradients_impl: "UnconnectedGradients gradients",
}
_SURFACE: dict[_Any, str] = _OPERATIONS | {
    _dtypes: "DType as_dtype",
    _tensor_shape: "Dimension TensorShape",
    _graph: "Graph Operation Tensor control_dependencies device get_default_graph get_default_session name_scope",
    _conversion: "IndexedSlices IndexedSlicesValue constant convert_to_tensor stack",
    _config_pb2: "ConfigProto GPUOptions RunMetadata RunOptions",
    _session: "InteractiveSession Session",
    _state_ops: "assign assign_add assign_sub",
    _init_ops: "constant_initializer glorot_normal_initializer glorot_uniform_initializer ones_initializer "
    "orthogonal_initializer random_normal_initializer random_uniform_initializer truncated_normal_initializer "
    "variance_scaling_initializer zeros_initializer",
    _variables: "Variable VariableAggregation VariableSynchronization global_variables_initializer local_variables "
    "is_variable_initialized local_variables_initializer report_uninitialized_variables variables_initializer",
    _moving_averages: "moving_average_variables",
    _scopes: "get_local_variable get_variable get_variable_scope variable_scope",
    _core_graph: "GraphKeys add_to_collection add_to_collections get_collection get_collection_ref reset_default_graph "
    "set_random_seed",
    _core_variables: "AUTO_REUSE VariableScope global_variables trainable_variables",
    _partitions: "fixed_size_partitioner min_max_variable_partitioner variable_axis_size_partitioner",
    _core_regularizers: "no_regularizer",
}
_DTYPES = "float16 half float32 float64 double int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string"
_OUTSIDE = {
    "cond": "use Python's if between two runs, or arithmetic with tf.cast of a comparison",
    "while_loop": "use Python's loop around session.run",
    "Print": "print what session.run returns",
    "case": "use Python's if between two runs, or arithmetic with tf.cast of a comparison",
    "map_fn": "use Python's loop around session.run",
    "scan": "use Python's loop around session.run",
    "data": "feed NumPy arrays, batch by batch",
    "Coordinator": "feed NumPy arrays, batch by batch",
    "start_queue_runners": "feed NumPy arrays, batch by batch",
    "batch": "feed NumPy arrays, batch by batch",
    "shuffle_batch": "feed NumPy arrays, batch by batch",
    "MonitoredTrainingSession": "write the loop: session.run(train_op, feeds)",
    "Supervisor": "write the loop: session.run(train_op, feeds)",
    "learning": "write the loop: session.run(train_op, feeds)",
    "import_meta_graph": "build the graph by the script that made it, then restore",
    "metrics": "compute the measure in NumPy from what session.run returns",
    "keras": "write the layer with tf.layers, or in NumPy over fastreg itself",
    "estimator": "write the training loop in Python",
    "examples": "load the data by a package of its own, or by NumPy, and feed it",
    "enable_eager_execution": "call fastreg itself: its functions work on arrays at once",
}

for _module, _names in _SURFACE.items():
    globals().update({_name: getattr(_module, _name) for _name in _names.split()})
globals().update({_name: _dtypes.as_dtype(_name) for _name in _DTYPES.split()})


def _missing(name: str, attribute: str) -> AttributeError:
    hint = _OUTSIDE.get(attribute) or _OUTSIDE.get(
        name.rpartition(".")[2], "what regularization needs is here, see docs/porting.md; compute the rest in NumPy and feed it"
    )
    return AttributeError(f"{name} has no attribute {attribute!r}: {hint}")


class _Namespace(_types.ModuleType):
    """A submodule of TensorFlow's, with what there is of it here; it can be imported."""

    def __init__(self, name: str, *modules: _Any, names: str = "", **more: _Any) -> None:
        super().__init__(f"{__name__}.{name}", self.__doc__)
        self.__path__ = []  # there are no files in it
        self.__dict__.update({n: next(getattr(m, n) for m in modules if hasattr(m, n)) for n in names.split()} | more)
        _sys.modules[self.__name__] = self  # in place of the file of that name, if there is one

    def __getattr__(self, attribute: str) -> _Any:
        raise _missing(self.__name__, attribute)


def __getattr__(attribute: str) -> _Any:
    raise _missing("fastreg.compat.v1", attribute)


def disable_eager_execution() -> None:
    """Do nothing: there is only the graph."""


def tables_initializer(name: str = "init_all_tables") -> _graph.Operation:
    """Return an operation that does nothing: there are no tables."""
    return _control_flow_ops.no_op(name)


def _false(*_: _Any, **__: _Any) -> bool:
    """Return False: arrays are the processor's."""
    return False


__version__ = VERSION = "1.15.5"  # of the TensorFlow whose face it is
disable_v2_behavior = disable_eager_execution
test = _Namespace("test", is_gpu_available=_false, is_built_with_cuda=_false, gpu_device_name=lambda: "")
newaxis = None
initialize_all_variables, all_variables = _variables.global_variables_initializer, _core_variables.global_variables

nn = _Namespace(
    "nn",
    _penalties,
    _math_ops,
    _nn_ops,
    _window_ops,
    _nn_impl,
    _array_ops,
    _reduction_ops,
    names="avg_pool batch_normalization bias_add conv2d conv2d_backprop_filter conv2d_backprop_input conv2d_transpose "
    "dropout elu embedding_lookup fused_batch_norm in_top_k l2_loss l2_normalize leaky_relu "
    "local_response_normalization log_sigmoid log_softmax max_pool moments relu relu6 selu sigmoid "
    "sigmoid_cross_entropy_with_logits softmax softmax_cross_entropy_with_logits softmax_cross_entropy_with_logits_v2 "
    "softplus softsign sparse_softmax_cross_entropy_with_logits tanh top_k weighted_cross_entropy_with_logits "
    "xw_plus_b zero_fraction",
    avg_pool2d=_window_ops.avg_pool,
    lrn=_nn_impl.local_response_normalization,
)
math = _Namespace("math", *_OPERATIONS, _nn_impl, names=" ".join(_OPERATIONS.values()) + " in_top_k l2_normalize top_k")
linalg = _Namespace("linalg", _linalg_ops, _array_ops, names="matmul norm trace eye tensordot diag_part")
random = _Namespace(
    "random", uniform=_random_ops.random_uniform, normal=_random_ops.random_normal,
    truncated_normal=_random_ops.truncated_normal,
    set_random_seed=_core_graph.set_random_seed,
)  # fmt: skip
dtypes = _Namespace(
    "dtypes", _dtypes, _math_ops, names="DType as_dtype cast", **{_name: _dtypes.as_dtype(_name) for _name in _DTYPES.split()}
)
keras = _Namespace(
    "keras",
    constraints=_Namespace(
        "keras.constraints",
        _constraints,
        names="Constraint MaxNorm MinMaxNorm NonNeg UnitNorm",
        max_norm=_constraints.MaxNorm, min_max_norm=_constraints.MinMaxNorm, non_neg=_constraints.NonNeg,
        unit_norm=_constraints.UnitNorm,
    ),
    initializers=_Namespace("keras.initializers", _init_ops, names="he_normal he_uniform lecun_normal lecun_uniform"),
    regularizers=_Namespace("keras.regularizers", _keras_regularizers, names="L1L2 Regularizer l1 l1_l2 l2"),
)  # fmt: skip
layers = _Namespace(
    "layers", _layers, _normalization, _base_layer,
    names="AveragePooling2D BatchNormalization Conv2D Dense Dropout Flatten Layer MaxPooling2D average_pooling2d "
    "batch_normalization conv2d dense dropout flatten max_pooling2d",
)  # fmt: skip
_FANS = ("he_normal", "he_uniform", "lecun_normal", "lecun_uniform")
initializers = _Namespace(
    "initializers",
    **{
        name.removesuffix("_initializer"): getattr(module, name)
        for module in (_init_ops, _variables)
        for name in _SURFACE[module].split()
        if name.endswith("_initializer")
    },
    **{name: getattr(_init_ops, name) for name in _FANS},
)
losses = _Namespace("losses", _losses_impl, names=" ".join(_losses_impl.__all__))
errors = _Namespace(
    "errors",
    _errors,
    names="DataLossError FailedPreconditionError InvalidArgumentError NotFoundError OpError OperatorNotAllowedInGraphError",
)
logging = _Namespace(
    "logging",
    _tf_logging,
    names="DEBUG ERROR FATAL INFO WARN debug error fatal flush get_verbosity info log log_every_n log_first_n log_if "
    "set_verbosity vlog warn warning",
)
train = _Namespace(
    "train",
    _train,
    _learning_rate_decay,
    _moving_averages,
    _saver,
    _training_util,
    names="Optimizer GradientDescentOptimizer MomentumOptimizer AdagradOptimizer RMSPropOptimizer AdamOptimizer FtrlOptimizer "
    "ProximalGradientDescentOptimizer ProximalAdagradOptimizer assert_global_step create_global_step get_global_step "
    "get_or_create_global_step global_step "
    "cosine_decay exponential_decay inverse_time_decay natural_exp_decay piecewise_constant polynomial_decay "
    "ExponentialMovingAverage Saver checkpoint_exists get_checkpoint_state latest_checkpoint",
    piecewise_constant_decay=_learning_rate_decay.piecewise_constant,
)
flags = _Namespace(
    "flags",
    _flags,
    names="DEFINE_bool DEFINE_boolean DEFINE_enum DEFINE_float DEFINE_integer DEFINE_list DEFINE_string FLAGS "
    "DuplicateFlagError Error IllegalFlagValueError UnrecognizedFlagError mark_flag_as_required",
)
app = _Namespace("app", _app, names="run", flags=flags)
summary = _Namespace("summary", _summary, names="FileWriter Summary histogram image merge merge_all scalar")
Summary = _summary.Summary
gfile = _Namespace(
    "gfile",
    _gfile,
    names="DeleteRecursively Exists FastGFile GFile Glob IsDirectory ListDirectory MakeDirs MkDir Open Remove",
)
python = _Namespace(
    "python",
    framework=_Namespace(
        "python.framework",
        ops=_Namespace(
            "python.framework.ops",
            _graph,
            _conversion,
            _core_graph,
            names="Graph GraphKeys IndexedSlices Operation Tensor add_to_collection control_dependencies convert_to_tensor "
            "get_collection get_default_graph get_default_session name_scope reset_default_graph",
        ),
    ),
    platform=_Namespace("python.platform", gfile=gfile),
)
_CONTRIB_LAYERS = {
    _regularizers: "apply_regularization l1_l2_regularizer l1_regularizer l2_regularizer sum_regularizer",
    _initializers: "variance_scaling_initializer xavier_initializer",
    _contrib_layers: "avg_pool2d batch_norm bias_add conv2d convolution2d dropout elu flatten fully_connected linear max_pool2d "
    "one_hot_encoding relu relu6 repeat softmax stack",
    _train_ops: "OPTIMIZER_CLS_NAMES OPTIMIZER_SUMMARIES optimize_loss",
}
_CONTRIB_FRAMEWORK = {
    _arg_scope: "add_arg_scope arg_scope arg_scope_func_key arg_scoped_arguments current_arg_scope has_arg_scope",
    _model_variables: "add_model_variable get_local_variables get_model_variables get_trainable_variables get_unique_variable "
    "get_variables get_variables_by_name get_variables_by_suffix get_variables_to_restore model_variable variable",
    _training_util: "assert_global_step create_global_step get_global_step get_or_create_global_step",
}


def _members(names: dict[_Any, str]) -> dict[str, _Any]:
    return {name: getattr(module, name) for module, listed in names.items() for name in listed.split()}


contrib = _Namespace(
    "contrib",
    layers=_Namespace("contrib.layers", **_members(_CONTRIB_LAYERS), xavier_initializer_conv2d=_initializers.xavier_initializer),
    framework=_Namespace("contrib.framework", **_members(_CONTRIB_FRAMEWORK)),
    slim=_Namespace(
        "contrib.slim",
        **_members(_CONTRIB_LAYERS | _CONTRIB_FRAMEWORK),
        xavier_initializer_conv2d=_initializers.xavier_initializer,
        losses=_Namespace("contrib.slim.losses", _contrib_losses, names=" ".join(_contrib_losses.__all__)),
        learning=_Namespace("contrib.slim.learning", _train_ops, names="create_train_op"),
    ),
    losses=_Namespace("contrib.losses", _contrib_losses, names=" ".join(_contrib_losses.__all__)),
    opt=_Namespace("contrib.opt", _train, names="AdamWOptimizer MomentumWOptimizer extend_with_decoupled_weight_decay"),
)
compat = _Namespace("compat", v1=_sys.modules[__name__])
_sys.modules[f"{__name__}.compat.v1"] = compat.v1
