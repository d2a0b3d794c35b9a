"""Training steps in one call, as tensors of the loss before the step: tf.contrib.layers.optimize_loss, slim's create_train_op."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastreg.compat.v1 import summary, train
from fastreg.compat.v1.clip_ops import clip_by_global_norm, clip_by_norm
from fastreg.compat.v1.control_flow_ops import no_op
from fastreg.compat.v1.conversion import IndexedSlices, convert_to_tensor
from fastreg.compat.v1.errors import InvalidArgumentError
from fastreg.compat.v1.graph import Tensor, control_dependencies, get_default_graph, make, name_scope
from fastreg.compat.v1.init_ops import constant_initializer
from fastreg.compat.v1.math_ops import cast, identity
from fastreg.compat.v1.scopes import get_variable, variable_scope
from fastreg.compat.v1.training_util import assert_global_step, get_global_step, get_or_create_global_step
from fastreg.graph import GraphKeys, get_collection
from fastreg.variables import trainable_variables

OPTIMIZER_CLS_NAMES: dict[str, Callable[..., Any]] = {
    "Adagrad": train.AdagradOptimizer,
    "Adam": train.AdamOptimizer,
    "Ftrl": train.FtrlOptimizer,
    "Momentum": lambda learning_rate: train.MomentumOptimizer(learning_rate, 0.9),
    "RMSProp": train.RMSPropOptimizer,
    "SGD": train.GradientDescentOptimizer,
}
OPTIMIZER_SUMMARIES = ["learning_rate", "loss", "gradients", "gradient_norm", "global_gradient_norm"]
_FROM_GRAPH = 0  # TensorFlow's default for a step that is found in the graph


def _after(dependencies: Sequence[Any], tensor: Any) -> Any:
    with control_dependencies(dependencies):
        return identity(tensor, name="control_dependency")


def _each_times(pairs: Sequence[tuple[Any, Any]], multipliers: Mapping[Any, Any], name: Callable[[Any], str]) -> list[Any]:
    """Return the gradients, of which some are multiplied; a variable is found by itself or by its name."""
    return [(_times(g, multipliers.get(v, multipliers.get(name(v)))), v) for g, v in pairs]


def _times(g: Any, factor: Any) -> Any:
    if g is None or factor is None:
        return g
    factor = factor if isinstance(factor, Tensor) else cast(factor, g.dtype.base_dtype)
    return IndexedSlices(g.values * factor, g.indices, g.dense_shape) if isinstance(g, IndexedSlices) else g * factor


def create_train_op(
    total_loss: Any, optimizer: Any, global_step: Any = _FROM_GRAPH, update_ops: Sequence[Any] | None = None,
    variables_to_train: Sequence[Any] | None = None, clip_gradient_norm: float = 0, summarize_gradients: bool = False,
    gate_gradients: int = 1, aggregation_method: Any = None, colocate_gradients_with_ops: bool = False,
    gradient_multipliers: Any = None, check_numerics: bool = True,
) -> Any:  # fmt: skip
    """Return a tensor of the loss, which a run computes after updates and then steps.

    Parameters
    ----------
    total_loss : Tensor
    optimizer : Optimizer
    global_step : Variable or None
        Counts the steps; by default the graph's.
    update_ops : list, optional
        What runs before the loss; by default the collection UPDATE_OPS.
    variables_to_train : list of Variable, optional
    clip_gradient_norm : float
        To which norm each gradient is clipped, if above 0.
    summarize_gradients : bool
        Whether to make summaries of the gradients; nothing is written.
    gradient_multipliers : dict, optional
        Factors of gradients, by variables or their names.
    check_numerics : bool
        Whether a loss of NaN or infinity is an error.
    """
    if isinstance(global_step, int):
        global_step = get_or_create_global_step()
    updates = get_collection(GraphKeys.UPDATE_OPS) if update_ops is None else list(update_ops)
    if updates:
        with control_dependencies(updates):
            barrier = no_op("update_barrier")
        total_loss = _after([barrier], total_loss)
    pairs = optimizer.compute_gradients(total_loss, variables_to_train)
    if gradient_multipliers:
        with name_scope("multiply_grads"):
            pairs = _each_times(pairs, gradient_multipliers, lambda v: v.op.name)
    if clip_gradient_norm > 0:
        with name_scope("clip_grads"):
            pairs = [(g if g is None else _clipped(g, clip_gradient_norm), v) for g, v in pairs]
    for g, v in pairs if summarize_gradients else ():
        with name_scope("summarize_grads"):
            summary.histogram(v.op.name + "/gradient", g)
    step = optimizer.apply_gradients(pairs, global_step)
    with name_scope("train_op"):
        train_op = _after([step], _checked(total_loss) if check_numerics else total_loss)
    get_default_graph().get_collection_ref(GraphKeys.TRAIN_OP).append(train_op)
    return train_op


def _clipped(g: Any, norm: float) -> Any:
    if isinstance(g, IndexedSlices):
        return IndexedSlices(clip_by_norm(g.values, norm), g.indices, g.dense_shape)
    return clip_by_norm(g, norm)


def _checked(loss: Any) -> Any:
    def compute(a: Any) -> Any:
        if not np.isfinite(a).all():
            raise InvalidArgumentError(
                out.op, f"LossTensor is inf or nan : Tensor had {'NaN' if np.isnan(a).any() else 'Inf'} values"
            )
        return a

    out = make("CheckNumerics", None, [loss], compute, loss.dtype.base_dtype, loss.shape)
    return out


def optimize_loss(
    loss: Any, global_step: Any, learning_rate: Any, optimizer: Any, gradient_noise_scale: Any = None,
    gradient_multipliers: Any = None, clip_gradients: Any = None, learning_rate_decay_fn: Any = None,
    update_ops: Sequence[Any] | None = None, variables: Sequence[Any] | None = None, name: str | None = None,
    summaries: Sequence[str] | None = None, colocate_gradients_with_ops: bool = False, increment_global_step: bool = True,
) -> Any:  # fmt: skip
    """Return a tensor of the loss, with which a run steps.

    Parameters
    ----------
    loss : Tensor
    global_step : Variable or None
        By default the graph's.
    learning_rate : float, Tensor or None
        A float becomes a variable.
    optimizer : str, Optimizer, class or callable
        A name in OPTIMIZER_CLS_NAMES, an optimizer, or what makes one of a learning rate.
    gradient_multipliers : dict, optional
        Factors of gradients, by variables or their names.
    clip_gradients : float or callable, optional
        The global norm to which the gradients are clipped, or a function of pairs of gradient and variable.
    learning_rate_decay_fn : callable, optional
        A function of the rate and the step.
    update_ops : list, optional
        What runs before the loss; by default the collection UPDATE_OPS.
    variables : list of Variable, optional
    name : str, optional
    summaries : list of str, optional
        Names in OPTIMIZER_SUMMARIES; nothing is written.
    increment_global_step : bool
    """
    if gradient_noise_scale is not None:
        raise NotImplementedError("optimize_loss: gradient_noise_scale is outside fastreg.compat.v1")
    if global_step is None:
        global_step = get_global_step()
    else:
        assert_global_step(global_step)
    with variable_scope(name, "OptimizeLoss", [loss]):
        loss = convert_to_tensor(loss)
        updates = get_collection(GraphKeys.UPDATE_OPS) if update_ops is None else list(update_ops)
        if updates:
            loss = _after(updates, loss)
        rate = _rate(learning_rate)
        for what in summaries or ():
            if what not in OPTIMIZER_SUMMARIES:
                raise ValueError(f"Summaries should be one of [{', '.join(OPTIMIZER_SUMMARIES)}], you provided {what}.")
        if rate is not None and learning_rate_decay_fn is not None:
            if global_step is None:
                raise ValueError("global_step is required for learning_rate_decay_fn.")
            rate = learning_rate_decay_fn(rate, global_step)
        opt = _optimizer(optimizer, rate)
        pairs = opt.compute_gradients(loss, trainable_variables() if variables is None else variables)
        if gradient_multipliers is not None:
            pairs = _each_times(pairs, gradient_multipliers, lambda v: v.name)
        if isinstance(clip_gradients, float):
            clipped, _ = clip_by_global_norm([g for g, _ in pairs], clip_gradients)
            pairs = list(zip(clipped, [v for _, v in pairs], strict=True))
        elif callable(clip_gradients):
            pairs = clip_gradients(pairs)
        elif clip_gradients is not None:
            raise ValueError(f"Unknown type {type(clip_gradients)} for clip_gradients")
        step = opt.apply_gradients(pairs, global_step if increment_global_step else None, "train")
        return _after([step], loss)


def _rate(learning_rate: Any) -> Any:
    if learning_rate is None or (isinstance(learning_rate, Tensor) and learning_rate.shape.ndims == 0):
        return learning_rate
    if not isinstance(learning_rate, float):
        raise ValueError(f"Learning rate should be 0d Tensor or float. Got {learning_rate} of type {type(learning_rate)}")
    if learning_rate < 0:
        raise ValueError("Invalid learning_rate %s.", learning_rate)
    return get_variable("learning_rate", [], trainable=False, initializer=constant_initializer(learning_rate))


def _optimizer(optimizer: Any, rate: Any) -> Any:
    if isinstance(optimizer, train.Optimizer):
        return optimizer
    named = isinstance(optimizer, str)
    is_class = isinstance(optimizer, type) and issubclass(optimizer, train.Optimizer)
    if (named or is_class) and rate is None:
        raise ValueError(
            f"Learning rate is None, but should be specified if optimizer is {'string' if named else 'class'} ({optimizer})."
        )
    if named and optimizer not in OPTIMIZER_CLS_NAMES:
        raise ValueError(f"Optimizer name should be one of [{', '.join(OPTIMIZER_CLS_NAMES)}], you provided {optimizer}.")
    make_one = OPTIMIZER_CLS_NAMES[optimizer] if named else optimizer
    if not callable(make_one):
        raise ValueError(
            "Unrecognized optimizer: should be string, subclass of Optimizer, instance of subclass of Optimizer or function with "
            f"one argument. Got {optimizer}."
        )
    made = make_one() if rate is None else make_one(rate)
    if not isinstance(made, train.Optimizer):
        raise ValueError(f"Unrecognized optimizer: function should return subclass of Optimizer. Got {made}.")
    return made
