"""tf.contrib.framework's variables: those of a model, filed as such, and lists of variables by scope and name."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from fastreg import variables as core
from fastreg.compat.v1.arg_scope import add_arg_scope
from fastreg.compat.v1.scopes import get_variable
from fastreg.compat.v1.variables import Variable
from fastreg.graph import GraphKeys, add_to_collection, get_collection, get_default_graph


@add_arg_scope
def variable(
    name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool = True,
    collections: Sequence[Any] | None = None, caching_device: Any = None, device: Any = None, partitioner: Any = None,
    custom_getter: Any = None, use_resource: bool | None = None,
) -> Any:  # fmt: skip
    """Return the variable of this name in the current scope, found or made as the scope's `reuse` says."""
    keys = [GraphKeys.GLOBAL_VARIABLES] if collections is None else list(dict.fromkeys(collections))
    getter = get_variable
    if custom_getter is not None:
        getter = functools.partial(custom_getter, reuse=core.get_variable_scope().reuse)
    return getter(
        name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer, trainable=trainable, collections=keys,
        partitioner=partitioner,
    )  # fmt: skip


@add_arg_scope
def model_variable(
    name: str, shape: Any = None, dtype: Any = "f4", initializer: Any = None, regularizer: Any = None, trainable: bool = True,
    collections: Sequence[Any] | None = None, caching_device: Any = None, device: Any = None, partitioner: Any = None,
    custom_getter: Any = None, use_resource: bool | None = None,
) -> Any:  # fmt: skip
    """Return a variable that is filed under MODEL_VARIABLES too."""
    keys = [*(collections or ()), GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES]
    return variable(
        name, shape, dtype, initializer, regularizer, trainable, keys, partitioner=partitioner, custom_getter=custom_getter
    )


def model_variable_getter(rename: Mapping[str, str] | None = None) -> Any:
    """Return a custom getter for scopes whose variables are a model's; the last part of a name may get another word."""
    words = rename or {}

    def getter(make: Any, name: str, **options: Any) -> Any:
        scope, slash, last = name.rpartition("/")
        keys = [*(options.pop("collections", None) or ()), GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES]
        return make(name=scope + slash + words.get(last, last), collections=list(dict.fromkeys(keys)), **options)

    return getter


def add_model_variable(var: Variable) -> None:
    """File a variable under MODEL_VARIABLES, if it is not there."""
    with get_default_graph().lock:
        if var not in get_collection(GraphKeys.MODEL_VARIABLES):
            add_to_collection(GraphKeys.MODEL_VARIABLES, var)


def get_variables(scope: Any = None, suffix: str | None = None, collection: str = GraphKeys.GLOBAL_VARIABLES) -> list[Any]:
    """Return the variables of a collection that are in a scope and whose names end in `suffix`."""
    if isinstance(scope, core.VariableScope):
        scope = scope.name
    if suffix is not None:
        scope = f"{scope or ''}.*{suffix if ':' in suffix else suffix + ':'}"
    return get_collection(collection, scope)


get_model_variables = functools.partial(get_variables, collection=GraphKeys.MODEL_VARIABLES)
get_local_variables = functools.partial(get_variables, collection=GraphKeys.LOCAL_VARIABLES)
get_trainable_variables = functools.partial(get_variables, collection=GraphKeys.TRAINABLE_VARIABLES)


def get_variables_by_suffix(suffix: str, scope: Any = None) -> list[Any]:
    """Return the variables whose names end in `suffix`."""
    return get_variables(scope, suffix)


def get_variables_by_name(given_name: str, scope: Any = None) -> list[Any]:
    """Return the variables whose last word is `given_name`."""
    return get_variables(scope, f"/{given_name}:|^{given_name}:")


def get_unique_variable(var_op_name: str) -> Any:
    """Return the variable of this name."""
    found = get_variables(var_op_name)
    if not found:
        raise ValueError(f"Couldn't find variable {var_op_name}")
    for v in found:
        if v.op.name == var_op_name:
            return v
    raise ValueError(f"Variable {var_op_name} does not uniquely identify a variable")


def get_variables_to_restore(include: Sequence[str] | None = None, exclude: Sequence[str] | None = None) -> list[Any]:
    """Return the variables of the scopes in `include`, by default all, but for those of the scopes in `exclude`."""
    for name, scopes in (("include", include), ("exclude", exclude)):
        if scopes is not None and not isinstance(scopes, (list, tuple)):
            raise TypeError(f"{name} is provided but is not a list or a tuple.")
    kept = get_variables() if include is None else [v for scope in include for v in get_variables(scope)]
    left_out = {v for scope in exclude or () for v in get_variables(scope)}
    return [v for v in kept if v not in left_out]
