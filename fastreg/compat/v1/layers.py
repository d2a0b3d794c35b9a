"""tf.layers: dense, conv2d, pools, dropout, flatten.

Kernel, bias and activity regularizers file their losses as TensorFlow's do. Batch normalization stands in normalization.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastreg.compat.v1 import array_ops, linalg_ops, math_ops, nn_impl, nn_ops, window_ops
from fastreg.compat.v1.base_layer import Layer
from fastreg.compat.v1.control_flow_ops import smart_cond
from fastreg.compat.v1.init_ops import zeros_initializer
from fastreg.compat.v1.math_ops import identity
from fastreg.compat.v1.tensor_shape import TensorShape, as_whole

_ACTIVATIONS: dict[str, Callable[..., Any] | None] = {
    "elu": math_ops.elu, "linear": None, "relu": math_ops.relu, "selu": math_ops.selu, "sigmoid": math_ops.sigmoid,
    "softmax": nn_ops.softmax, "softplus": math_ops.softplus, "softsign": math_ops.softsign, "tanh": math_ops.tanh,
}  # fmt: skip


def _activation(given: Any) -> Any:
    """Return the function that `given` is or, as in Keras, names."""
    if not isinstance(given, str):
        return given
    if given not in _ACTIVATIONS:
        raise ValueError(f"Unknown activation function:{given}")
    return _ACTIVATIONS[given]


class _Weighted(Layer):
    """What Dense and Conv2D share: a kernel, a bias and an activation."""

    kernel: Any = None
    bias: Any = None

    def __init__(
        self, channels: int, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = None,
        bias_initializer: Any = zeros_initializer(), kernel_regularizer: Any = None, bias_regularizer: Any = None,  # noqa: B008
        activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None, trainable: bool = True,
        name: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable, name, activity_regularizer=activity_regularizer, **options)
        self._channels, self.activation, self.use_bias = (
            as_whole(channels, "the number of units"),
            _activation(activation),
            use_bias,
        )
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint

    def build(self, input_shape: TensorShape) -> None:
        """Make the kernel and the bias."""
        own = self.kernel_initializer, self.kernel_regularizer
        self.kernel = self.add_weight("kernel", self._kernel_shape(input_shape), None, *own, constraint=self.kernel_constraint)
        if self.use_bias:
            own = self.bias_initializer, self.bias_regularizer
            self.bias = self.add_weight("bias", [self._channels], None, *own, constraint=self.bias_constraint)

    def call(self, inputs: Any) -> Any:
        """Return activation(outputs)."""
        y = self._outputs(inputs)
        return y if self.activation is None else self.activation(y)

    def _kernel_shape(self, shape: TensorShape) -> list[int]:
        raise NotImplementedError

    def _outputs(self, x: Any) -> Any:
        raise NotImplementedError


class Dense(_Weighted):
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


class Conv2D(_Weighted):
    """A two-dimensional convolution: activation(conv2d(inputs, kernel) + bias)."""

    ndims = (4, 4)
    filters = property(lambda self: self._channels)

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str = "channels_last",
        dilation_rate: Any = (1, 1), *args: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(filters, *args, **kwargs)
        self.kernel_size, self.strides = _two(kernel_size, "kernel_size"), _two(strides, "strides")
        self.dilation_rate = _two(dilation_rate, "dilation_rate")
        self.padding, self.data_format = _padding(padding), _data_format(data_format)

    def _kernel_shape(self, shape: TensorShape) -> list[int]:
        channels = shape.as_list()[1 if self.data_format == "channels_first" else -1]
        if channels is None:
            raise ValueError("The channel dimension of the inputs should be defined. Found `None`.")
        return [*self.kernel_size, channels, self.filters]

    def _outputs(self, x: Any) -> Any:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        y = window_ops.conv2d(
            x,
            self.kernel,
            self.strides,
            self.padding.upper(),
            data_format=_FORMATS[self.data_format],
            dilations=self.dilation_rate,
        )
        return nn_ops.bias_add(y, self.bias, _FORMATS[self.data_format]) if self.use_bias else y


class _Pooling2D(Layer):
    """Windows of images, of which each gives one number for each channel."""

    ndims = (4, 4)
    _pool: Callable[..., Any]

    def __init__(
        self, pool_size: Any, strides: Any, padding: str = "valid", data_format: str = "channels_last", name: Any = None,
        **options: Any,
    ) -> None:  # fmt: skip
        if strides is None:
            raise ValueError("Argument `strides` must not be None.")
        super().__init__(name=name, **options)
        self.pool_size, self.strides = _two(pool_size, "pool_size"), _two(strides, "strides")
        self.padding, self.data_format = _padding(padding), _data_format(data_format)

    def call(self, inputs: Any) -> Any:
        """Return the pooled images."""
        first = self.data_format == "channels_first"
        sizes, steps = ([1, 1, *n] if first else [1, *n, 1] for n in (self.pool_size, self.strides))
        return type(self)._pool(inputs, sizes, steps, self.padding.upper(), _FORMATS[self.data_format])


class MaxPooling2D(_Pooling2D):
    """The largest element of each window."""

    _pool = staticmethod(window_ops.max_pool)


class AveragePooling2D(_Pooling2D):
    """The mean of each window."""

    _pool = staticmethod(window_ops.avg_pool)


class Dropout(Layer):
    """While training, sets each element to 0 with probability `rate`, and divides the others by 1 - `rate`."""

    def __init__(
        self, rate: Any = 0.5, noise_shape: Any = None, seed: int | None = None, name: Any = None, **options: Any
    ) -> None:
        super().__init__(name=name, **options)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed

    def call(self, inputs: Any, training: Any = False) -> Any:
        """Return the inputs, or what is left of them; `training` may be a tensor."""
        return smart_cond(
            training,
            lambda: nn_impl.dropout(inputs, noise_shape=self.noise_shape, seed=self.seed, rate=self.rate),
            lambda: identity(inputs),
        )


class Flatten(Layer):
    """All but the batch in one dimension."""

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = data_format or "channels_last"

    def call(self, inputs: Any) -> Any:
        """Return the inputs, flattened."""
        x = inputs
        if self.data_format == "channels_first" and (x.shape.ndims or 0) > 1:
            x = array_ops.transpose(x, [0, *range(2, x.shape.ndims), 1])
        known = x.shape.as_list()
        if not known:
            raise ValueError(f"inputs of {self.name} must have at least one dimension, got a scalar")
        y = array_ops.reshape(x, [array_ops.shape(x)[0] if known[0] is None else known[0], -1])
        y.set_shape([known[0], TensorShape(known[1:]).num_elements()])
        return y


_FORMATS = {"channels_last": "NHWC", "channels_first": "NCHW"}


def _padding(padding: str) -> str:
    if not isinstance(padding, str) or padding.lower() not in ("valid", "same"):
        raise ValueError(
            'The `padding` argument must be a list/tuple or one of "valid", "same" (or "causal", only for `Conv1D). '
            f"Received: {padding}"
        )
    return padding.lower()


def _data_format(data_format: str) -> str:
    if not isinstance(data_format, str) or data_format.lower() not in _FORMATS:
        raise ValueError(f'The `data_format` argument must be one of "channels_first", "channels_last". Received: {data_format}')
    return data_format.lower()


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


def max_pooling2d(
    inputs: Any, pool_size: Any, strides: Any, padding: str = "valid", data_format: str = "channels_last", name: Any = None
) -> Any:
    """Return the largest element of each window."""
    return MaxPooling2D(pool_size, strides, padding, data_format, name)(inputs)


def average_pooling2d(
    inputs: Any, pool_size: Any, strides: Any, padding: str = "valid", data_format: str = "channels_last", name: Any = None
) -> Any:
    """Return the mean of each window."""
    return AveragePooling2D(pool_size, strides, padding, data_format, name)(inputs)


def dropout(
    inputs: Any, rate: Any = 0.5, noise_shape: Any = None, seed: int | None = None, training: Any = False, name: Any = None
) -> Any:
    """Return the inputs, while training with each element set to 0 with probability `rate`."""
    return Dropout(rate, noise_shape, seed, name)(inputs, training=training)


def flatten(inputs: Any, name: str | None = None, data_format: str = "channels_last") -> Any:
    """Return the inputs with all but the batch in one dimension."""
    return Flatten(data_format, name=name)(inputs)
