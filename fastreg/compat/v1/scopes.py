"""How variables are made and found: get_variable and variable_scope, with TensorFlow's arguments over the core's.

Names, reuse, partitions and regularizers are decided in the core; here arguments become what it takes.
"""

from __future__ import annotations

import contextlib
from typing import Any

from fastreg import variables as core
from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.graph import Operand, graph_of
from fastreg.compat.v1.tensor_shape import TensorShape
from fastreg.compat.v1.variables import Variable, VariableAggregation, VariableSynchronization
from fastreg.graph import GraphKeys


def get_variable(
    name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None,
    trainable: bool | None = None, collections: Any = None, caching_device: Any = None, partitioner: Any = None,
    validate_shape: bool = True, use_resource: bool | None = None, custom_getter: Any = None, constraint: Any = None,
    synchronization: Any = VariableSynchronization.AUTO, aggregation: Any = VariableAggregation.NONE,
) -> Any:  # fmt: skip
    """Return the variable of this name in the current scope, found or made as the scope's `reuse` says."""
    scope = core.get_variable_scope()
    if initializer is not None and not callable(initializer) and not isinstance(initializer, Operand):
        initializer = convert_to_tensor(initializer)
    return scope.get_variable(
        name,
        shape=shape if shape is None else TensorShape(shape).as_list(),
        dtype=None if dtype is None else as_dtype(dtype).base_dtype,
        initializer=initializer,
        regularizer=regularizer,
        trainable=trainable,  # type: ignore[arg-type]
        collections=collections,
        partitioner=partitioner,
        custom_getter=custom_getter,
        variable_class=Variable,
        caching_device=caching_device,
        validate_shape=validate_shape,
        use_resource=use_resource,
        constraint=constraint,
        synchronization=synchronization,
        aggregation=aggregation,
    )


def get_local_variable(
    name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None,
    trainable: bool | None = False, collections: Any = None, caching_device: Any = None, partitioner: Any = None,
    validate_shape: bool = True, use_resource: bool | None = None, custom_getter: Any = None, constraint: Any = None,
    synchronization: Any = VariableSynchronization.AUTO, aggregation: Any = VariableAggregation.NONE,
) -> Any:  # fmt: skip
    """Return a variable of the collection LOCAL_VARIABLES, which is not trained."""
    return get_variable(
        name, shape, dtype, initializer, regularizer, False, [*(collections or ()), GraphKeys.LOCAL_VARIABLES], caching_device,
        partitioner, validate_shape, use_resource, custom_getter, constraint, synchronization, aggregation,
    )  # fmt: skip


class variable_scope(core.variable_scope):  # noqa: N801 - TensorFlow's name
    """The core's scope, with TensorFlow's arguments."""

    def __init__(
        self, name_or_scope: Any, default_name: str | None = None, values: Any = None, initializer: Any = None,
        regularizer: Any = None, caching_device: Any = None, partitioner: Any = None, custom_getter: Any = None,
        reuse: Any = None, dtype: Any = None, use_resource: Any = None, constraint: Any = None, auxiliary_name_scope: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(
            name_or_scope,
            default_name,
            initializer=initializer,
            regularizer=regularizer,
            partitioner=partitioner,
            custom_getter=custom_getter,
            reuse=reuse,
            dtype=None if dtype is None else as_dtype(dtype),
            constraint=constraint,
            auxiliary_name_scope=auxiliary_name_scope,
        )
        self._graph = graph_of([v for v in values or () if isinstance(v, Operand)])
        self._graphs = contextlib.ExitStack()

    def __enter__(self) -> core.VariableScope:
        if self._graph is not None:
            self._graphs.enter_context(self._graph.as_default())
        scope = super().__enter__()
        scope.dtype = as_dtype(scope.dtype)
        return scope

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._graphs.close()


def get_variable_scope() -> core.VariableScope:
    """Return the scope that get_variable uses now."""
    scope = core.get_variable_scope()
    scope.dtype = as_dtype(scope.dtype)
    return scope
