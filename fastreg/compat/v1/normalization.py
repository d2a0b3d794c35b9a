"""tf.layers.batch_normalization: normalizes by the batch while training, and by moving averages of its moments otherwise.

The updates of the moving averages are filed under UPDATE_OPS. As in TensorFlow, a script has to run them beside its step.
"""

from __future__ import annotations

from typing import Any

from fastreg.compat.v1 import nn_impl
from fastreg.compat.v1.array_ops import ones, reshape, size, zeros
from fastreg.compat.v1.base_layer import Layer
from fastreg.compat.v1.control_flow_ops import constant_value, smart_cond
from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.graph import name_scope
from fastreg.compat.v1.init_ops import ones_initializer, zeros_initializer
from fastreg.compat.v1.math_ops import cast, identity
from fastreg.compat.v1.state_ops import assign_sub
from fastreg.compat.v1.tensor_shape import TensorShape


def of_population(x: Any, variance: Any) -> Any:
    """Return the variances of the population that a batch is of: the sums of squares over n - 1 in place of n."""
    n = cast(size(x), variance.dtype) / cast(size(variance), variance.dtype)
    return variance * (n / (n - 1.0))


class BatchNormalization(Layer):
    """(inputs - mean) / sqrt(variance + epsilon) * gamma + beta, for each channel.

    Parameters
    ----------
    axis : int
        That of the channels.
    momentum : float
        Of the moving averages.
    epsilon : float
    center, scale : bool
        Whether there is a beta, and a gamma.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer : callable
    beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint : callable, optional
    fused : bool, optional
        False: images are normalized as all other inputs are. Otherwise their moving variance is that of the population, with
        n - 1 in place of n.
    """

    gamma: Any = None
    beta: Any = None
    moving_mean: Any
    moving_variance: Any

    def __init__(
        self, axis: Any = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = zeros_initializer(), gamma_initializer: Any = ones_initializer(),  # noqa: B008
        moving_mean_initializer: Any = zeros_initializer(), moving_variance_initializer: Any = ones_initializer(),  # noqa: B008
        beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None,
        renorm: bool = False, renorm_clipping: Any = None, renorm_momentum: float = 0.99, fused: bool | None = None,
        trainable: bool = True, virtual_batch_size: int | None = None, adjustment: Any = None, name: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        if renorm or renorm_clipping is not None or virtual_batch_size is not None or adjustment is not None:
            raise NotImplementedError(
                "batch_normalization: renorm, virtual_batch_size and adjustment are outside fastreg.compat.v1"
            )
        axes = axis if isinstance(axis, list) else [axis]
        if not all(isinstance(a, int) for a in axes):
            raise TypeError(f"axis must be int or list, type given: {type(axis)}")
        if len(axes) != 1:
            raise NotImplementedError("batch_normalization over several axes is outside fastreg.compat.v1")
        super().__init__(trainable, name, **options)
        self.axis, self.momentum, self.epsilon, self.center, self.scale = axes[0], momentum, epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer
        self.moving_mean_initializer, self.moving_variance_initializer = moving_mean_initializer, moving_variance_initializer
        self.beta_regularizer, self.gamma_regularizer = beta_regularizer, gamma_regularizer
        self.beta_constraint, self.gamma_constraint = beta_constraint, gamma_constraint
        self.renorm_momentum = renorm_momentum
        self.fused = fused is None or fused

    def build(self, input_shape: TensorShape) -> None:
        """Make gamma, beta and the moving averages."""
        rank = input_shape.ndims
        if not rank:
            raise ValueError("Input has undefined rank:", input_shape)
        if not -rank <= self.axis < rank:
            raise ValueError(f"Invalid axis: {self.axis}")
        self.axis %= rank
        self.fused = self.fused and rank == 4 and self.axis in (1, 3)
        channels = input_shape.as_list()[self.axis]
        if channels is None:
            raise ValueError("Input has undefined `axis` dimension. Input shape: ", input_shape)
        kind = "f4" if self.dtype == "float16" else self.dtype

        def weight(name: str, initializer: Any, *own: Any, trainable: bool = True, partitioner: Any = None) -> Any:
            regularizer, constraint = own or (None, None)
            return self.add_weight(name, [channels], kind, initializer, regularizer, trainable, constraint, partitioner)

        if self.scale:
            self.gamma = weight("gamma", self.gamma_initializer, self.gamma_regularizer, self.gamma_constraint)
        if self.center:
            self.beta = weight("beta", self.beta_initializer, self.beta_regularizer, self.beta_constraint)
        assert self._scope is not None
        partitioner = self._scope.partitioner
        self._scope.set_partitioner(None)  # moving averages are never kept in parts
        self.moving_mean = weight("moving_mean", self.moving_mean_initializer, trainable=False)
        self.moving_variance = weight("moving_variance", self.moving_variance_initializer, trainable=False)
        self._scope.set_partitioner(partitioner)

    def call(self, inputs: Any, training: Any = False) -> Any:
        """Return the inputs normalized; `training` may be a tensor."""
        known = constant_value(training)
        if self.fused and known is not None:
            return self._fused(inputs, bool(known))
        rank = inputs.shape.ndims
        shape = [-1 if i == self.axis else 1 for i in range(rank)]

        def spread(t: Any) -> Any:
            return t if t is None or self.axis == rank - 1 else reshape(t, shape)

        mean, variance = self.moving_mean, self.moving_variance
        if known is None or known:
            wide = cast(inputs, self.moving_mean.dtype.base_dtype)
            batch = nn_impl.moments(wide, [i for i in range(rank) if i != self.axis])
            place = "moments" if self.fused else "cond"
            mean = smart_cond(training, lambda: batch[0], lambda: convert_to_tensor(self.moving_mean), place)
            variance = smart_cond(training, lambda: batch[1], lambda: convert_to_tensor(self.moving_variance), place)
            self._update(training, batch[0], of_population(wide, batch[1]) if self.fused else batch[1])
        y = nn_impl.batch_normalization(
            inputs, spread(mean), spread(variance), spread(self.beta), spread(self.gamma), self.epsilon
        )
        y.set_shape(inputs.shape)
        if not self.fused:
            return y
        with name_scope("cond") as scope:
            return identity(y, name=scope + "Merge/")

    def _fused(self, images: Any, training: bool) -> Any:
        n, kind = self.moving_mean.shape, self.moving_mean.dtype.base_dtype
        gamma = ones(n, kind, name="Const") if self.gamma is None else self.gamma
        beta = zeros(n, kind, name="Const") if self.beta is None else self.beta
        form = "NCHW" if self.axis == 1 else "NHWC"
        if not training:
            moving = self.moving_mean, self.moving_variance
            return nn_impl.fused_batch_norm(images, gamma, beta, *moving, self.epsilon, form, False)[0]
        y, mean, variance = nn_impl.fused_batch_norm(images, gamma, beta, epsilon=self.epsilon, data_format=form)
        self._update(True, mean, variance)
        return y

    def _update(self, training: Any, mean: Any, variance: Any) -> None:
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            with name_scope("AssignMovingAvg") as scope:
                kind = moving.dtype.base_dtype
                fraction = cast(convert_to_tensor(1.0 - self.momentum, name="decay"), kind)
                if constant_value(training) is None:
                    fraction *= cast(training, kind)
                self.add_update(assign_sub(moving, (moving - value) * fraction, name=scope).op)


def batch_normalization(
    inputs: Any, *args: Any, training: Any = False, name: Any = None, reuse: bool | None = None, **options: Any
) -> Any:
    """Make a BatchNormalization, or with `reuse` find its weights, and apply it."""
    options |= {"name": name, "_scope": name, "_reuse": reuse}
    return BatchNormalization(*args, **options)(inputs, training=training)
