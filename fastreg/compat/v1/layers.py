"""tf.layers: dense, conv2d and flatten, whose kernel, bias and activity regularizers file their losses as TensorFlow's do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from fastreg import variables as core
from fastreg.compat.v1 import array_ops, linalg_ops, nn_ops, window_ops
from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.graph import get_default_graph, name_scope
from fastreg.compat.v1.init_ops import zeros_initializer
from fastreg.compat.v1.math_ops import cast
from fastreg.compat.v1.scopes import get_variable, variable_scope
from fastreg.compat.v1.tensor_shape import TensorShape
from fastreg.compat.v1.variables import PartitionedVariable, Variable, loss_of
from fastreg.graph import GraphKeys


class _Layer:
    """What Dense and Conv2D share: a scope, weights that are made at the first call, and their losses."""

    ndims: tuple[int, int | None]  # how many dimensions inputs have, at least and at most
    kernel: Any = None
    bias: Any = None

    def __init__(
        self, channels: int, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = None,
        bias_initializer: Any = zeros_initializer(), kernel_regularizer: Any = None, bias_regularizer: Any = None,  # noqa: B008
        activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None, trainable: bool = True,
        name: Any = None, dtype: Any = None, _scope: Any = None, _reuse: bool | None = None,
    ) -> None:  # fmt: skip
        self._channels, self.activation, self.use_bias, self.trainable = int(channels), activation, use_bias, trainable
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.activity_regularizer = activity_regularizer
        self.dtype = None if dtype is None else as_dtype(dtype)
        self._reuse, self.built = _reuse, False
        self.losses: list[Any] = []
        self.variables: list[Any] = []
        snake = re.sub("([a-z])([A-Z])", r"\1_\2", type(self).__name__).lower()
        self._base_name = name.name if isinstance(name, core.VariableScope) else name or snake
        self.name = name if isinstance(name, str) and name else _numbered(snake)
        self._scope: core.VariableScope | None = None
        if _scope:
            with variable_scope(_scope) as self._scope:
                pass

    @property
    def trainable_variables(self) -> list[Any]:
        """Its weights, if they are trained."""
        return self.variables if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Any]:
        """Its weights, if they are not trained."""
        return [] if self.trainable else self.variables

    weights = property(lambda self: self.variables)
    trainable_weights, non_trainable_weights = trainable_variables, non_trainable_variables

    def __call__(self, inputs: Any, scope: Any = None) -> Any:
        """Return the layer's outputs; the first call makes the weights."""
        x = convert_to_tensor(inputs, self.dtype)
        if self._scope is None:
            name = scope if scope is not None or not self._reuse else self._base_name
            with variable_scope(name, default_name=self._base_name) as self._scope:
                pass
        self._check(x.shape)
        self.dtype = self.dtype or x.dtype.base_dtype
        with self._entered(True if self.built else self._reuse):
            if not self.built:
                self._build(x.shape)
            y = self._outputs(x)
            if self.activation is not None:
                y = self.activation(y)
            if self.activity_regularizer is not None:
                with name_scope("ActivityRegularizer"):
                    self._file(loss_of(self.activity_regularizer, y), array_ops.shape(y)[0])
        return y

    apply = __call__

    @contextlib.contextmanager
    def _entered(self, reuse: Any) -> Iterator[core.VariableScope]:
        with variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope, name_scope(scope.original_name_scope):
            yield scope

    def _file(self, loss: Any, batch: Any = None) -> None:
        if loss is not None:
            loss = loss if batch is None else loss / cast(batch, loss.dtype)
            self.losses.append(loss)
            get_default_graph().add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)

    def _add_weight(self, name: str, shape: list[int], initializer: Any, regularizer: Any, constraint: Any) -> Any:
        before = {id(v) for v in core.global_variables()}
        with self._entered(True if self.built else self._reuse) as scope:
            initializer = scope.initializer if initializer is None else initializer
            weight = get_variable(
                name,
                shape,
                self.dtype,
                initializer,
                trainable=self.trainable,
                constraint=constraint,
                partitioner=scope.partitioner,
            )
            parts: list[Any] = list(weight) if isinstance(weight, PartitionedVariable) else [weight]
            for part in parts if regularizer is not None else ():
                if not isinstance(part, Variable) or id(part) not in before:
                    with name_scope(name + "/Regularizer"):
                        self._file(loss_of(regularizer, part))
        self.variables.append(weight)
        return weight

    def _build(self, shape: TensorShape) -> None:
        self.kernel = self._add_weight(
            "kernel", self._kernel_shape(shape), self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        )
        if self.use_bias:
            self.bias = self._add_weight(
                "bias", [self._channels], self.bias_initializer, self.bias_regularizer, self.bias_constraint
            )
        self.built = True

    def _check(self, shape: TensorShape) -> None:
        least, most = self.ndims
        say = f"Input 0 of layer {self.name} is incompatible with the layer: "
        if shape.ndims is None:
            raise ValueError(say + "its rank is undefined, but the layer requires a defined rank.")
        if shape.ndims < least or (most is not None and shape.ndims > most):
            expected = f"expected ndim={most}" if most else f": expected min_ndim={least}"
            raise ValueError(f"{say}{expected}, found ndim={shape.ndims}. Full shape received: {shape.as_list()}")

    def _kernel_shape(self, shape: TensorShape) -> list[int]:
        raise NotImplementedError

    def _outputs(self, x: Any) -> Any:
        raise NotImplementedError


def _numbered(name: str) -> str:
    """Return the next of dense_1, dense_2, ... in the default graph."""
    counts = get_default_graph().__dict__.setdefault("layer_counts", {})
    counts[name] = counts.get(name, 0) + 1
    return f"{name}_{counts[name]}"


class Dense(_Layer):
    """A densely connected layer: activation(inputs @ kernel + bias)."""

    ndims = (2, None)
    units = property(lambda self: self._channels)

    def __init__(self, units: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(units, *args, **kwargs)

    def _kernel_shape(self, shape: TensorShape) -> list[int]:
        last = shape.as_list()[-1]
        if last is None:
            raise ValueError("The last dimension of the inputs to `Dense` should be defined. Found `None`.")
        return [last, self.units]

    def _outputs(self, x: Any) -> Any:
        if x.shape.ndims > 2:
            y = linalg_ops.tensordot(x, self.kernel, [[x.shape.ndims - 1], [0]])
            y.set_shape([*x.shape.as_list()[:-1], self.units])
        else:
            y = linalg_ops.matmul(x, self.kernel)
        return nn_ops.bias_add(y, self.bias) if self.use_bias else y

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        """Return the outputs' shape for inputs of this one."""
        shape = TensorShape(input_shape)
        if shape.raw is None or len(shape.raw) < 2:
            raise ValueError(f"Shape {shape} must have rank at least 2")
        if shape.raw[-1] is None:
            raise ValueError(f"The innermost dimension of input_shape must be defined, but saw: {shape}")
        return TensorShape([*shape.raw[:-1], self.units])


class Conv2D(_Layer):
    """A two-dimensional convolution: activation(conv2d(inputs, kernel) + bias)."""

    ndims = (4, 4)
    filters = property(lambda self: self._channels)

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str = "channels_last",
        dilation_rate: Any = (1, 1), *args: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(filters, *args, **kwargs)
        self.kernel_size, self.strides = _two(kernel_size, "kernel_size"), _two(strides, "strides")
        self.dilation_rate, self.padding, self.data_format = (
            _two(dilation_rate, "dilation_rate"),
            padding.lower(),
            data_format.lower(),
        )
        if self.padding not in ("valid", "same"):
            raise ValueError(
                'The `padding` argument must be a list/tuple or one of "valid", "same" (or "causal", only for `Conv1D). '
                f"Received: {padding}"
            )
        if self.data_format not in ("channels_first", "channels_last"):
            raise ValueError(
                f'The `data_format` argument must be one of "channels_first", "channels_last". Received: {data_format}'
            )

    @property
    def _format(self) -> str:
        return "NCHW" if self.data_format == "channels_first" else "NHWC"

    def _kernel_shape(self, shape: TensorShape) -> list[int]:
        channels = shape.as_list()[1 if self.data_format == "channels_first" else -1]
        if channels is None:
            raise ValueError("The channel dimension of the inputs should be defined. Found `None`.")
        return [*self.kernel_size, channels, self.filters]

    def _outputs(self, x: Any) -> Any:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        y = window_ops.conv2d(
            x, self.kernel, self.strides, self.padding.upper(), data_format=self._format, dilations=self.dilation_rate
        )
        return nn_ops.bias_add(y, self.bias, self._format) if self.use_bias else y


class Flatten:
    """All but the batch in one dimension."""

    def __init__(self, data_format: str = "channels_last", name: str | None = None) -> None:
        self.data_format, self.name = data_format, name or _numbered("flatten")
        self._given = name

    def __call__(self, inputs: Any) -> Any:
        """Return the inputs, flattened."""
        x: Any = convert_to_tensor(inputs)
        with variable_scope(self._given, default_name="flatten") as scope, name_scope(scope.original_name_scope):
            if self.data_format == "channels_first" and (x.shape.ndims or 0) > 1:
                x = array_ops.transpose(x, [0, *range(2, x.shape.ndims), 1])
            known = x.shape.as_list()
            y = array_ops.reshape(x, [array_ops.shape(x)[0] if known[0] is None else known[0], -1])
            rest = TensorShape(known[1:]).num_elements()
            y.set_shape([known[0], rest])
        return y

    apply = __call__


def _two(value: Any, name: str) -> tuple[int, int]:
    wrong = f"The `{name}` argument must be a tuple of 2 integers. Received: {value}"
    if isinstance(value, int):
        return value, value
    try:
        first, second = value
        return int(first), int(second)
    except (TypeError, ValueError):
        raise ValueError(wrong) from None


def _functional(layer: Callable[..., Any]) -> Callable[..., Any]:
    def function(inputs: Any, *args: Any, name: Any = None, reuse: bool | None = None, **kwargs: Any) -> Any:
        return layer(*args, name=name, _scope=name, _reuse=reuse, **kwargs)(inputs)

    function.__name__ = layer.__name__.lower()
    function.__doc__ = f"Make a {layer.__name__}, or with `reuse` find its weights, and apply it."
    return function


dense, conv2d = _functional(Dense), _functional(Conv2D)


def flatten(inputs: Any, name: str | None = None, data_format: str = "channels_last") -> Any:
    """Return the inputs with all but the batch in one dimension."""
    return Flatten(data_format, name)(inputs)
