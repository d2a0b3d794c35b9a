"""What tf.layers' classes share: a scope, weights that are made at the first call, and the losses of their regularizers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from fastreg import variables as core
from fastreg.compat.v1 import array_ops
from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.graph import get_default_graph, name_scope
from fastreg.compat.v1.init_ops import BY_NAME
from fastreg.compat.v1.math_ops import cast
from fastreg.compat.v1.scopes import get_variable, variable_scope
from fastreg.compat.v1.tensor_shape import TensorShape
from fastreg.compat.v1.variables import PartitionedVariable, Variable, loss_of
from fastreg.graph import GraphKeys


class Layer:
    """A layer: `build` makes its weights from the inputs' shape, `call` returns its outputs.

    Parameters
    ----------
    trainable : bool
        Whether its weights are trained.
    name : str or VariableScope, optional
    dtype : optional
        Of its weights; that of the first inputs by default.
    activity_regularizer : callable, optional
        Of the outputs, at each call.
    """

    ndims: tuple[int | None, int | None] = (None, None)  # how many dimensions inputs have, at least and at most

    def __init__(
        self, trainable: bool = True, name: Any = None, dtype: Any = None, activity_regularizer: Any = None, _scope: Any = None,
        _reuse: bool | None = None,
    ) -> None:  # fmt: skip
        self.trainable, self.activity_regularizer = trainable, activity_regularizer
        self.dtype = None if dtype is None else as_dtype(dtype)
        self._reuse, self.built = _reuse, False
        self.losses: list[Any] = []
        self._updates: list[Any] = []
        self._trained: list[Any] = []
        self._kept: list[Any] = []
        snake = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", type(self).__name__)).lower()
        self._base_name = name.name if isinstance(name, core.VariableScope) else name or snake
        self.name = name if isinstance(name, str) and name else _numbered(snake)
        self._scope: core.VariableScope | None = None
        if _scope:
            with variable_scope(_scope) as self._scope:
                pass

    @property
    def trainable_variables(self) -> list[Any]:
        """Its weights that are trained."""
        return list(self._trained) if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Any]:
        """Its weights that are not trained."""
        return list(self._kept) if self.trainable else self._trained + self._kept

    @property
    def variables(self) -> list[Any]:
        """All its weights."""
        return self.trainable_variables + self.non_trainable_variables

    @property
    def updates(self) -> list[Any]:
        """The operations that its calls left to be run beside a training step; a layer that is not trained has none."""
        return list(self._updates) if self.trainable else []

    weights = variables
    trainable_weights, non_trainable_weights = trainable_variables, non_trainable_variables

    @property
    def scope_name(self) -> str:
        """The name of its variable scope."""
        if self._scope is None:
            raise ValueError(f"No name available for layer scope because the layer {self.name!r} has not been used yet.")
        return self._scope.name

    def __call__(self, inputs: Any, *args: Any, scope: Any = None, **kwargs: Any) -> Any:
        """Return the layer's outputs; the first call makes the weights."""
        x = convert_to_tensor(inputs, self.dtype)
        if self._scope is None:
            name = scope if scope is not None or not self._reuse else self._base_name
            with variable_scope(name, default_name=self._base_name) as self._scope:
                pass
        self._check(x.shape)
        self.dtype = self.dtype or x.dtype.base_dtype
        with self._entered():
            if not self.built:
                self.build(x.shape)
                self.built = True
            y = self.call(x, *args, **kwargs)
            if self.activity_regularizer is not None:
                with name_scope("ActivityRegularizer"):
                    self._file(loss_of(self.activity_regularizer, y), array_ops.shape(y)[0])
        with get_default_graph().lock:
            listed = get_default_graph().get_collection_ref(GraphKeys.UPDATE_OPS) if self.updates else []
            listed += [update for update in self.updates if update not in listed]
        return y

    apply = __call__

    @contextlib.contextmanager
    def _entered(self) -> Iterator[core.VariableScope]:
        reuse = True if self.built else self._reuse
        with variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope, name_scope(scope.original_name_scope):
            yield scope

    def build(self, input_shape: TensorShape) -> None:
        """Make the weights for inputs of this shape."""

    def call(self, inputs: Any) -> Any:
        """Return the outputs."""
        raise NotImplementedError(f"{type(self).__name__} has no method `call` for {inputs}")

    def add_update(self, update: Any) -> None:
        """File an operation that is to be run beside a training step, under UPDATE_OPS."""
        self._updates.append(update)

    def _file(self, loss: Any, batch: Any = None) -> None:
        if loss is not None:
            loss = loss if batch is None else loss / cast(batch, loss.dtype)
            self.losses.append(loss)
            get_default_graph().add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)

    def add_weight(
        self, name: str, shape: Any, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool = True,
        constraint: Any = None, partitioner: Any = None,
    ) -> Any:  # fmt: skip
        """Return a new variable of the layer's scope, or one found there; a new one's loss is filed."""
        if isinstance(initializer, str):
            if initializer not in BY_NAME:
                raise ValueError(f"Unknown initializer:{initializer}")
            initializer = BY_NAME[initializer]()
        before = {id(v) for v in core.global_variables()}
        with self._entered() as scope:
            weight = get_variable(
                name,
                shape,
                self.dtype or "f4" if dtype is None else dtype,
                scope.initializer if initializer is None else initializer,
                trainable=trainable and self.trainable,
                constraint=constraint,
                partitioner=scope.partitioner if partitioner is None else partitioner,
            )
            parts: list[Any] = list(weight) if isinstance(weight, PartitionedVariable) else [weight]
            for part in parts if regularizer is not None else ():
                if not isinstance(part, Variable) or id(part) not in before:
                    with name_scope(name + "/Regularizer"):
                        self._file(loss_of(regularizer, part))
        (self._trained if trainable else self._kept).append(weight)
        return weight

    add_variable = add_weight

    def _check(self, shape: TensorShape) -> None:
        least, most = self.ndims
        if least is None:
            return
        say = f"Input 0 of layer {self.name} is incompatible with the layer: "
        if shape.ndims is None:
            raise ValueError(say + "its rank is undefined, but the layer requires a defined rank.")
        if shape.ndims < least or (most is not None and shape.ndims > most):
            expected = f"expected ndim={most}" if most else f": expected min_ndim={least}"
            raise ValueError(f"{say}{expected}, found ndim={shape.ndims}. Full shape received: {shape.as_list()}")


def _numbered(name: str) -> str:
    """Return the next of dense_1, dense_2, ... in the default graph."""
    graph = get_default_graph()
    with graph.lock:
        counts = graph.__dict__.setdefault("layer_counts", {})
        counts[name] = counts.get(name, 0) + 1
        return f"{name}_{counts[name]}"
