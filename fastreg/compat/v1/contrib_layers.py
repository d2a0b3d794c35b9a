"""tf.contrib.layers, which tf.contrib.slim has too: layers as functions, whose defaults arg_scope sets.

They are tf.layers' with other names: weights and biases for kernel and bias, scope for name. Their variables are filed as a
model's, their regularizers' losses as everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastreg.compat.v1 import array_ops, layers, math_ops, nn_impl, nn_ops
from fastreg.compat.v1.arg_scope import add_arg_scope
from fastreg.compat.v1.control_flow_ops import constant_value, smart_cond
from fastreg.compat.v1.conversion import constant, convert_to_tensor
from fastreg.compat.v1.graph import control_dependencies, name_scope
from fastreg.compat.v1.init_ops import ones_initializer, zeros_initializer
from fastreg.compat.v1.initializers import xavier_initializer
from fastreg.compat.v1.model_variables import model_variable, model_variable_getter
from fastreg.compat.v1.moving_averages import assign_moving_average, rest_of
from fastreg.compat.v1.normalization import BatchNormalization, of_population
from fastreg.compat.v1.scopes import get_variable_scope, variable_scope
from fastreg.compat.v1.variables import PartitionedVariable
from fastreg.graph import GraphKeys, add_to_collection, add_to_collections, get_collection, get_default_graph

_ZEROS, _XAVIER = zeros_initializer(), xavier_initializer()
_WORDS = {"kernel": "weights", "bias": "biases"}


def _collected(collections: Any, alias: str, outputs: Any) -> Any:
    """File outputs under `collections`, by another name beside their own, and return them."""
    if collections:
        outputs.aliases = [*getattr(outputs, "aliases", []), alias.rstrip("/")]
        add_to_collections(collections, outputs)
    return outputs


def _collections_of(collections: Any, what: str) -> Any:
    """Return the collections of one kind of variable: those of all, or those that a dict has for it."""
    return collections.get(what) if isinstance(collections, Mapping) else collections


def _file(variable: Any, collections: Any, what: str) -> None:
    parts = list(variable) if isinstance(variable, PartitionedVariable) else [variable]
    with get_default_graph().lock:
        for key in _collections_of(collections, what) or []:
            for part in parts:
                if part not in get_collection(key):
                    add_to_collection(key, part)


def _format(data_format: str | None, known: Sequence[Any] = ("NCHW", "NHWC")) -> str:
    if data_format not in known:
        raise ValueError("data_format has to be either NCHW or NHWC.")
    return "channels_first" if data_format and data_format.startswith("NC") else "channels_last"


def _finished(
    layer: Any, x: Any, sc: Any, activation_fn: Any, normalizer_fn: Any, normalizer_params: Any, variables_collections: Any,
    outputs_collections: Any,
) -> Any:  # fmt: skip
    """Apply a layer with weights; file its variables; normalize, activate and file its outputs."""
    y = layer(x)
    _file(layer.kernel, variables_collections, "weights")
    if layer.bias is not None:
        _file(layer.bias, variables_collections, "biases")
    if normalizer_fn is not None:
        y = normalizer_fn(y, **(normalizer_params or {}))
    if activation_fn is not None:
        y = activation_fn(y)
    return _collected(outputs_collections, sc.name, y)


@add_arg_scope
def fully_connected(
    inputs: Any, num_outputs: int, activation_fn: Any = math_ops.relu, normalizer_fn: Any = None, normalizer_params: Any = None,
    weights_initializer: Any = _XAVIER, weights_regularizer: Any = None, biases_initializer: Any = _ZEROS,
    biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None,
    trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """Return activation_fn(inputs @ weights + biases); a `normalizer_fn` takes the place of the biases."""
    if not isinstance(num_outputs, int):
        raise ValueError(f"num_outputs type should be one of {[int]}, got {type(num_outputs)}.")
    getter = model_variable_getter(_WORDS)
    with variable_scope(scope, "fully_connected", [inputs], reuse=reuse, custom_getter=getter) as sc:
        x = convert_to_tensor(inputs)
        layer = layers.Dense(
            num_outputs, None, not normalizer_fn and biases_initializer is not None, weights_initializer, biases_initializer,
            weights_regularizer, biases_regularizer, trainable=trainable, name=sc.name, dtype=x.dtype.base_dtype, _scope=sc,
            _reuse=reuse,
        )  # fmt: skip
        more = activation_fn, normalizer_fn, normalizer_params, variables_collections, outputs_collections
        return _finished(layer, x, sc, *more)


@add_arg_scope
def convolution2d(
    inputs: Any, num_outputs: int, kernel_size: Any, stride: Any = 1, padding: str = "SAME", data_format: str | None = None,
    rate: Any = 1, activation_fn: Any = math_ops.relu, normalizer_fn: Any = None, normalizer_params: Any = None,
    weights_initializer: Any = _XAVIER, weights_regularizer: Any = None, biases_initializer: Any = _ZEROS,
    biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None,
    trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """Return activation_fn(conv2d(inputs, weights) + biases); a `normalizer_fn` takes the place of the biases."""
    if data_format not in (None, "NHWC", "NCHW"):
        raise ValueError(f"Invalid data_format: {data_format!r}")
    getter = model_variable_getter(_WORDS)
    with variable_scope(scope, "Conv", [inputs], reuse=reuse, custom_getter=getter) as sc:
        x = convert_to_tensor(inputs)
        if x.shape.ndims != 4:
            raise ValueError(f"Convolution expects input with rank 4, got {x.shape.ndims}")
        layer = layers.Conv2D(
            num_outputs, kernel_size, stride, padding, _format(data_format, (None, "NHWC", "NCHW")), rate, None,
            not normalizer_fn and biases_initializer is not None, weights_initializer, biases_initializer, weights_regularizer,
            biases_regularizer, trainable=trainable, name=sc.name, dtype=x.dtype.base_dtype, _scope=sc, _reuse=reuse,
        )  # fmt: skip
        more = activation_fn, normalizer_fn, normalizer_params, variables_collections, outputs_collections
        return _finished(layer, x, sc, *more)


def _pool(layer: Any, default: str) -> Any:
    def function(
        inputs: Any, kernel_size: Any, stride: Any = 2, padding: str = "VALID", data_format: str | None = "NHWC",
        outputs_collections: Any = None, scope: Any = None,
    ) -> Any:  # fmt: skip
        form = _format(data_format)
        with name_scope(scope, default, [inputs]) as sc:
            y = layer(kernel_size, stride, padding, form, _scope=sc)(inputs)
            return _collected(outputs_collections, sc, y)

    function.__name__ = function.__qualname__ = default.lower()[:3] + "_pool2d"
    function.__doc__ = layer.__doc__
    return add_arg_scope(function)


max_pool2d, avg_pool2d = _pool(layers.MaxPooling2D, "MaxPool2D"), _pool(layers.AveragePooling2D, "AvgPool2D")


@add_arg_scope
def dropout(
    inputs: Any, keep_prob: Any = 0.5, noise_shape: Any = None, is_training: Any = True, outputs_collections: Any = None,
    scope: Any = None, seed: int | None = None,
) -> Any:  # fmt: skip
    """Return the inputs, while training with each element kept with probability `keep_prob` and set to 0 otherwise."""
    with variable_scope(scope, "Dropout", [inputs], custom_getter=model_variable_getter()) as sc:
        layer = layers.Dropout(1 - keep_prob, noise_shape, seed, sc.name, _scope=sc)
        return _collected(outputs_collections, sc.name, layer(inputs, training=is_training))


@add_arg_scope
def flatten(inputs: Any, outputs_collections: Any = None, scope: Any = None) -> Any:
    """Return the inputs with all but the batch in one dimension."""
    with name_scope(scope, "Flatten", [inputs]) as sc:
        return _collected(outputs_collections, sc, layers.flatten(inputs))


@add_arg_scope
def bias_add(
    inputs: Any, activation_fn: Any = None, initializer: Any = _ZEROS, regularizer: Any = None, reuse: Any = None,
    variables_collections: Any = None, outputs_collections: Any = None, trainable: bool = True, data_format: str = "NHWC",
    scope: Any = None,
) -> Any:  # fmt: skip
    """Return activation_fn(inputs + biases)."""
    axis = 1 if _format(data_format) == "channels_first" else -1
    with variable_scope(scope, "BiasAdd", [inputs], reuse=reuse) as sc:
        x = convert_to_tensor(inputs)
        if not x.shape.ndims:
            raise ValueError(
                "Dims of shape must be known but is None" if x.shape.ndims is None else "inputs must not be a scalar"
            )
        channels = x.shape.as_list()[axis]
        if channels is None:
            raise ValueError("`C` dimension must be known but is None")
        keys = _collections_of(variables_collections, "biases")
        biases = model_variable("biases", [channels], x.dtype.base_dtype, initializer, regularizer, trainable, keys)
        y = nn_ops.bias_add(x, biases, data_format)
        return _collected(outputs_collections, sc.name, y if activation_fn is None else activation_fn(y))


@add_arg_scope
def batch_norm(
    inputs: Any, decay: float = 0.999, center: bool = True, scale: bool = False, epsilon: float = 0.001,
    activation_fn: Any = None, param_initializers: Any = None, param_regularizers: Any = None,
    updates_collections: Any = GraphKeys.UPDATE_OPS, is_training: Any = True, reuse: Any = None,
    variables_collections: Any = None, outputs_collections: Any = None, trainable: bool = True, batch_weights: Any = None,
    fused: bool | None = None, data_format: str = "NHWC", zero_debias_moving_mean: bool = False, scope: Any = None,
    renorm: bool = False,
) -> Any:  # fmt: skip
    """Return the inputs normalized by channel: by the batch while training, and by moving averages of its moments otherwise.

    The updates of the moving averages are filed under `updates_collections`; where that is None, the outputs wait for them.
    """
    if batch_weights is not None or renorm:
        raise NotImplementedError("batch_norm: batch_weights and renorm are outside fastreg.compat.v1")
    form = _format(data_format)
    x = convert_to_tensor(inputs)
    initial, penalized = param_initializers or {}, param_regularizers or {}
    fused = fused is None or fused
    own = zero_debias_moving_mean or updates_collections != GraphKeys.UPDATE_OPS or (fused and x.shape.ndims == 2)
    getter = None if own else model_variable_getter()
    with variable_scope(scope, "BatchNorm", [x], reuse=reuse, custom_getter=getter) as sc:
        if own:
            parameters = _parameters(
                x, form, center, scale, initial, penalized if fused else {}, variables_collections, trainable
            )
            debias = zero_debias_moving_mean
            y = _normalized(x, form, parameters, decay, epsilon, is_training, updates_collections, fused, debias)
        else:
            defaults = {"beta": _ZEROS, "gamma": ones_initializer(), "moving_mean": _ZEROS, "moving_variance": ones_initializer()}
            options = {f"{what}_initializer": initial.get(what, default) for what, default in defaults.items()}
            options |= {f"{what}_regularizer": penalized.get(what) for what in ("beta", "gamma")}
            axis = 1 if form == "channels_first" else -1
            layer = BatchNormalization(
                axis,
                decay,
                epsilon,
                center,
                scale,
                trainable=trainable,
                name=sc.name,
                _scope=sc,
                _reuse=reuse,
                fused=fused,
                **options,
            )
            y = layer(x, training=is_training)
            for what in defaults:
                if getattr(layer, what) is not None:
                    _file(getattr(layer, what), variables_collections, what)
        return _collected(outputs_collections, sc.name, y if activation_fn is None else activation_fn(y))


def _parameters(
    x: Any, form: str, center: bool, scale: bool, initial: Any, penalized: Any, collections: Any, trainable: bool
) -> list[Any]:
    """Make beta, gamma and the moving averages, or constants for the first two."""
    if not x.shape.ndims:
        raise ValueError(f"Inputs {x.name} has undefined rank" if x.shape.ndims is None else f"inputs {x.name} is a scalar")
    for name, given in (("param_initializers", initial), ("param_regularizers", penalized)):
        if not isinstance(given, Mapping):
            raise TypeError(f"{name} must be a mapping of names, got {given!r}")
    channels = x.shape.as_list()[1 if form == "channels_first" else -1]
    if channels is None:
        raise ValueError("`C` dimension must be known but is None")
    kind = "f4" if x.dtype.base_dtype == "float16" else x.dtype.base_dtype

    def weight(what: str, default: Any, trained: bool) -> Any:
        keys = _collections_of(collections, what)
        return model_variable(what, [channels], kind, initial.get(what, default), penalized.get(what), trained, keys)

    beta = weight("beta", _ZEROS, trainable) if center else constant(0.0, kind, [channels])
    gamma = weight("gamma", ones_initializer(), trainable) if scale else constant(1.0, kind, [channels])
    with variable_scope(get_variable_scope()) as unparted:
        unparted.set_partitioner(None)
        return [beta, gamma, weight("moving_mean", _ZEROS, False), weight("moving_variance", ones_initializer(), False)]


def _normalized(
    x: Any, form: str, parameters: list[Any], decay: float, epsilon: float, training: Any, updates: Any, fused: bool, debias: bool
) -> Any:
    """Normalize, and update the moving averages: at once where `updates` is None, else by operations that are filed there."""
    beta, gamma, moving_mean, moving_variance = parameters
    rank, known = x.shape.ndims, constant_value(training)
    axis = 1 if form == "channels_first" else rank - 1
    fused = fused and rank in (2, 4)
    if fused and known is not None:
        shape = [-1, 1, 1, gamma.shape[0]] if axis == rank - 1 else [-1, gamma.shape[0], 1, 1]
        images = x if rank == 4 else array_ops.reshape(x, shape)
        layout = "NCHW" if axis == 1 and rank == 4 else "NHWC"
        normalize = functools.partial(
            nn_impl.fused_batch_norm, images, gamma, beta, epsilon=epsilon, data_format=layout, is_training=bool(known)
        )
        y, mean, variance = normalize() if known else normalize(mean=moving_mean, variance=moving_variance)
        y = y if rank == 4 else array_ops.reshape(y, array_ops.shape(x))
    else:
        mean, variance = moving_mean, moving_variance
        if known is None or known:
            batch = nn_impl.moments(x, [i for i in range(rank) if i != axis])
            mean = smart_cond(training, lambda: batch[0], lambda: convert_to_tensor(moving_mean))
            variance = smart_cond(training, lambda: batch[1], lambda: convert_to_tensor(moving_variance))
        shape = [-1 if i == axis else 1 for i in range(rank)]
        m, v, b, g = (t if axis == rank - 1 else array_ops.reshape(t, shape) for t in (mean, variance, beta, gamma))
        y = nn_impl.batch_normalization(x, m, v, b, g, epsilon)
        if known is None or known:
            mean, variance = batch[0], of_population(x, batch[1]) if fused else batch[1]
    y.set_shape(x.shape)
    if known is not None and not known:
        return y
    if known is None:
        decay = 1.0 - rest_of(decay) * math_ops.cast(training, "f4")
    moved = [
        assign_moving_average(moving_mean, mean, decay, debias),
        assign_moving_average(moving_variance, variance, decay, False),
    ]
    if updates is not None:
        for update in moved:
            add_to_collections(updates, update)
        return y
    with control_dependencies(moved):
        return math_ops.identity(y)


@add_arg_scope
def one_hot_encoding(
    labels: Any,
    num_classes: Any,
    on_value: float = 1.0,
    off_value: float = 0.0,
    outputs_collections: Any = None,
    scope: Any = None,
) -> Any:
    """Return a row for each label, with `on_value` at its class."""
    with name_scope(scope, "OneHotEncoding", [labels, num_classes]) as sc:
        at = convert_to_tensor(labels)
        at = math_ops.cast(at, "i8") if at.dtype.base_dtype == "int32" else at
        return _collected(outputs_collections, sc, array_ops.one_hot(at, num_classes, on_value, off_value))


@add_arg_scope
def softmax(logits: Any, scope: Any = None) -> Any:
    """Return the softmax over the last dimension."""
    with variable_scope(scope, "softmax", [logits]):
        x = convert_to_tensor(logits)
        if x.shape.ndims == 0:
            raise ValueError("logits must have at least one dimension, got a scalar")
        rows = array_ops.reshape(x, [-1, x.shape.as_list()[-1]])
        y = array_ops.reshape(nn_ops.softmax(rows), array_ops.shape(x))
        y.set_shape(x.shape)
        return y


def _name_of(layer: Any, default: str) -> str:
    return str(getattr(layer, "__name__", None) or getattr(getattr(layer, "func", None), "__name__", default))


def repeat(inputs: Any, repetitions: int, layer: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Apply a layer several times, each time with variables of its own: scope_1, scope_2, ..."""
    scope = kwargs.pop("scope", None)
    with variable_scope(scope, "Repeat", [inputs]):
        y = convert_to_tensor(inputs)
        for i in range(repetitions):
            y = layer(y, *args, **kwargs, scope=f"{scope or _name_of(layer, 'repeat')}_{i + 1}")
        return y


def stack(inputs: Any, layer: Callable[..., Any], stack_args: Sequence[Any], **kwargs: Any) -> Any:
    """Apply a layer once for each item of `stack_args`, which are its arguments."""
    scope = kwargs.pop("scope", None)
    if not isinstance(stack_args, (list, tuple)):
        raise ValueError("stack_args need to be a list or tuple")
    with variable_scope(scope, "Stack", [inputs]):
        y = convert_to_tensor(inputs)
        for i, own in enumerate(stack_args):
            arguments = own if isinstance(own, (list, tuple)) else [own]
            y = layer(y, *arguments, **kwargs, scope=f"{scope or _name_of(layer, 'stack')}_{i + 1}")
        return y


conv2d = convolution2d
relu, relu6, elu, linear = (
    functools.partial(fully_connected, activation_fn=f) for f in (math_ops.relu, math_ops.relu6, math_ops.elu, None)
)
