"""Variables by name, the scopes they are named in, and their reuse (floor 3).

Rules and messages are TensorFlow 1's (``python/ops/variable_scope.py``). A graph holds what is made here; nothing is kept in
this module. A face over the registry brings a variable class of its own (`variable_class`); names, scopes, reuse and
collections stay these.
"""

from __future__ import annotations

import copy
import enum
import functools
import inspect
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from fastreg.graph import Graph, GraphKeys, get_collection, get_default_graph
from fastreg.losses import Array, Parameter, Regularizer, _loss_op
from fastreg.partitions import check_partitions, sliced_axis, slices

__all__ = [
    "AUTO_REUSE",
    "PartitionedVariable",
    "Variable",
    "VariableScope",
    "get_variable",
    "get_variable_scope",
    "global_variables",
    "glorot_uniform_initializer",
    "trainable_variables",
    "variable_scope",
]


class _ReuseMode(enum.Enum):
    AUTO_REUSE = 1


AUTO_REUSE = _ReuseMode.AUTO_REUSE
"""As a scope's `reuse`: take the variable that is there, or make it."""


class PartitionInfo(NamedTuple):
    """Which part of a partitioned variable an initializer is asked for."""

    full_shape: list[int]
    var_offset: list[int]


def glorot_uniform_initializer(seed: int | None = None) -> Callable[..., Array]:
    """Return the initializer that ``get_variable`` falls back to: uniform within +-sqrt(6 / (fan_in + fan_out)).

    Parameters
    ----------
    seed : int, optional
        Draw from a generator of its own; from the default graph's by default.
    """
    own = None if seed is None else np.random.default_rng(seed)

    def initialize(shape: Sequence[int], dtype: DTypeLike = np.float32, partition_info: PartitionInfo | None = None) -> Array:
        rng = get_default_graph().rng if own is None else own
        limit = math.sqrt(3.0 / max(1.0, sum(fans(partition_info.full_shape if partition_info else shape)) / 2.0))
        return rng.uniform(-limit, limit, tuple(shape)).astype(dtype)

    return initialize


def parameters_of(function: Any) -> Mapping[str, inspect.Parameter]:
    """Return a function's parameters; none for one that does not tell, as np.zeros in NumPy 1."""
    try:
        return inspect.signature(function).parameters
    except ValueError:
        return {}


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """Return how many inputs and outputs a unit of a layer with weights of this shape has."""
    if len(shape) < 2:
        return (float(shape[0]),) * 2 if shape else (1.0, 1.0)
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


class Variable(Parameter):
    """A named array in a graph.

    Parameters
    ----------
    initial_value : array_like or callable
        Copied; a callable is called without arguments. A list or a Python number gives float32 (or int32) unless `dtype`
        says otherwise.
    name : str
        Made unique in the graph, within the current name scope.
    dtype : dtype, optional
        The initial value's by default.
    trainable : bool
        Also list it under TRAINABLE_VARIABLES.
    collections : sequence of str, optional
        Where to list it; GLOBAL_VARIABLES by default.
    regularizer : callable, optional
        Files a loss of this variable under REGULARIZATION_LOSSES.

    Attributes
    ----------
    value : ndarray
        The array itself.
    name, op_name : str
        ``w:0``, and ``w``.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> with fr.Graph().as_default():
    ...     v = fr.Variable(np.ones(3), name="v", regularizer=fr.l1_regularizer(0.5))
    ...     float(fr.get_regularization_loss())
    1.5
    """

    __slots__ = ("graph", "trainable")

    partitioned: type[PartitionedVariable]

    def __init__(
        self,
        initial_value: Any,
        name: str = "Variable",
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        collections: Sequence[Any] | None = None,
        regularizer: Regularizer | None = None,
    ) -> None:
        value = initial_value() if callable(initial_value) else initial_value
        array = np.array(value, dtype=_given_dtype(value) if dtype is None else np.dtype(dtype))
        if array.dtype == object:
            raise TypeError(f"the initial value of {name!r} must be an array of numbers, not {value!r}")
        keys = self._keys(collections, trainable)
        op = _loss_op(regularizer, array, name)
        with get_default_graph().name_scope(name) as scope:
            self._enlist([array], scope[:-1], trainable, keys)
        if op is not None:
            self._regularize(regularizer, op)

    @staticmethod
    def _keys(collections: Sequence[Any] | None, trainable: bool) -> list[Any]:
        if collections is None:
            collections = [GraphKeys.GLOBAL_VARIABLES]
        if not isinstance(collections, (list, tuple, set)):
            raise ValueError(
                "collections argument to Variable constructor must be a list, tuple, or set. "
                f"Got {collections} of type {type(collections)}"
            )
        return [*collections, GraphKeys.TRAINABLE_VARIABLES] if trainable else list(collections)

    def _enlist(self, cell: list[Any], op_name: str, trainable: bool, keys: list[Any]) -> None:
        self.graph, self.trainable = get_default_graph(), trainable
        super().__init__(cell, 0, op_name + ":0", op_name, [])
        self.graph.elements.setdefault(op_name, self)  # a face has put an operation there
        self.graph.add_to_collections(keys, self)

    def _collection(self) -> list[Any]:
        return self.graph.get_collection_ref(GraphKeys.REGULARIZATION_LOSSES)

    @classmethod
    def _initial_value(
        cls, name: str, initializer: Any, shape: tuple[Any, ...] | None, dtype: Any, info: PartitionInfo | None
    ) -> Any:
        """Return what the constructor takes, from what ``get_variable`` was given."""
        if (initializer is None) if shape is None else (None in shape):
            shown = "<unknown>" if shape is None else shape
            raise ValueError(f"Shape of a new variable ({name}) must be fully defined, but instead was {shown}.")
        if initializer is None:
            initializer = glorot_uniform_initializer() if np.dtype(dtype).kind == "f" else np.zeros
        if inspect.isclass(initializer):
            initializer = initializer()
        if not callable(initializer):
            return initializer
        if shape is not None:
            if info is not None and "partition_info" in parameters_of(initializer):
                initializer = functools.partial(initializer, partition_info=info)
            return functools.partial(initializer, shape, np.dtype(dtype))
        if any(p.default is p.empty and p.kind < p.VAR_POSITIONAL for p in parameters_of(initializer).values()):
            raise ValueError("shape is needed: the initializer is a function of a shape and a dtype")
        return initializer

    @classmethod
    def _of_whole(cls, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """Return what a partitioner is called with."""
        return {"shape": shape, "dtype": np.dtype(dtype)}

    def __repr__(self) -> str:
        return f"<Variable {self.name!r} shape={self.shape} dtype={self.dtype}>"


class PartitionedVariable:
    """A variable that is kept in parts, each a :class:`Variable` with a loss of its own.

    Attributes
    ----------
    name : str
        The name it was asked for by; its parts are ``<name>/part_0:0`` and so on.
    """

    def __init__(self, name: str, shape: tuple[int, ...], parts: list[Any], partitions: list[int]) -> None:
        self.name, self._shape, self._parts, self._partitions = name, shape, parts, partitions
        self._axis = sliced_axis(partitions)[0]

    @property
    def shape(self) -> Any:
        """The shape of the whole."""
        return self._shape

    @property
    def dtype(self) -> Any:
        """The parts' dtype."""
        return self._parts[0].dtype

    @property
    def value(self) -> Any:
        """The whole, as a new array."""
        return np.concatenate([part._array for part in self._parts], axis=self._axis)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} shape={self.shape} parts={len(self)}>"


Variable.partitioned = PartitionedVariable


def _given_dtype(value: Any) -> np.dtype[Any]:
    """Return the dtype of an initial value: Python's floats and integers count as float32 and int32, as TensorFlow has them."""
    dtype = np.asarray(value).dtype
    if not hasattr(value, "dtype"):
        dtype = {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.int64): np.dtype(np.int32)}.get(dtype, dtype)
    return dtype


class VariableScope:
    """The prefix and the defaults that variables are made with; what ``with variable_scope(...) as scope`` gives.

    Attributes
    ----------
    name, original_name_scope : str
        The prefix of variables' names, and the name scope that was opened with it.
    reuse : bool or AUTO_REUSE
        Whether ``get_variable`` must find, must make, or may do either.
    initializer, regularizer, dtype, partitioner, custom_getter
        What ``get_variable`` uses where it is told nothing; scopes within inherit them.
    """

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Regularizer | None = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        name_scope: str = "",
        dtype: Any = np.float32,
    ) -> None:
        self.reuse, self.name, self.original_name_scope = reuse, name, name_scope
        self.initializer, self.regularizer, self.dtype = initializer, regularizer, dtype
        self.partitioner, self.custom_getter = partitioner, custom_getter

    def reuse_variables(self) -> None:
        """From here on, find variables instead of making them."""
        self.reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """Set the initializer of variables made from here on."""
        self.initializer = initializer

    def set_regularizer(self, regularizer: Regularizer | None) -> None:
        """Set the regularizer of variables made from here on; those there are keep theirs."""
        self.regularizer = regularizer

    def set_dtype(self, dtype: Any) -> None:
        """Set the dtype of variables made from here on."""
        self.dtype = dtype

    def set_partitioner(self, partitioner: Any) -> None:
        """Set the partitioner of variables made from here on."""
        self.partitioner = partitioner

    def set_custom_getter(self, custom_getter: Any) -> None:
        """Set what is called in place of ``get_variable``, with the true getter as its first argument."""
        self.custom_getter = custom_getter

    def get_collection(self, name: Any) -> list[Any]:
        """Return what the collection `name` holds of this scope."""
        return get_collection(name, self.name + "/" if self.name else "")

    def trainable_variables(self) -> list[Any]:
        """Return this scope's trainable variables."""
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        """Return this scope's variables."""
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        """Return this scope's local variables."""
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def get_variable(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Regularizer | None = None,
        reuse: Any = None,
        trainable: bool = True,
        collections: Sequence[Any] | None = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        variable_class: type[Variable] = Variable,
        **options: Any,
    ) -> Any:
        """Return the variable `name` of this scope; see :func:`fastreg.get_variable`.

        `variable_class` makes it, and is given the `options`, as a custom getter is.
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, not {name!r}")
        custom_getter = self.custom_getter if custom_getter is None else custom_getter
        if custom_getter is not None and not callable(custom_getter):
            raise ValueError(f"Passed a custom_getter which is not callable: {custom_getter}")
        if dtype is not None and initializer is not None and not callable(initializer):
            if not hasattr(initializer, "dtype"):
                initializer = np.asarray(initializer, dtype)
            if initializer.dtype != dtype:
                raise ValueError(f"Initializer type '{initializer.dtype}' and explicit dtype '{dtype}' don't match.")
        graph = get_default_graph()
        getter: Callable[..., Any] = functools.partial(_get, graph, variable_class)
        if custom_getter is not None:
            getter = functools.partial(custom_getter, getter)
        with graph.name_scope(None):  # a variable's name depends on variable scopes alone
            return getter(
                name=f"{self.name}/{name}" if self.name else name,
                shape=shape,
                dtype=self.dtype if dtype is None else dtype,
                initializer=self.initializer if initializer is None else initializer,
                regularizer=self.regularizer if regularizer is None else regularizer,
                reuse=self.reuse if reuse is None else reuse,
                trainable=trainable,
                collections=collections,
                partitioner=self.partitioner if partitioner is None else partitioner,
                **options,
            )


def _get(
    graph: Graph,
    variable_class: type[Variable],
    name: str,
    shape: Any = None,
    dtype: Any = np.float32,
    initializer: Any = None,
    regularizer: Regularizer | None = None,
    reuse: Any = None,
    trainable: bool = True,
    collections: Sequence[Any] | None = None,
    partitioner: Any = None,
    **options: Any,
) -> Any:
    """Find or make the variable of this full name: the getter that a custom getter is handed."""
    known = graph.variables.get(name)
    shape = _as_shape(shape)
    make = functools.partial(variable_class, regularizer=regularizer, trainable=trainable, collections=collections, **options)
    if (partitioner is not None and shape != ()) or (reuse is True and isinstance(known, PartitionedVariable)):
        return _get_partitioned(graph, make, name, shape, dtype, initializer, reuse, partitioner)
    if isinstance(known, PartitionedVariable):
        raise ValueError(
            "No partitioner was provided, but a partitioned version of the variable was found: "
            f"{name}/part_0. Perhaps a variable of the same name was already created with partitioning?"
        )
    return _get_single(graph, make, name, shape, dtype, initializer, reuse, None)


def _get_single(
    graph: Graph,
    make: functools.partial[Variable],
    name: str,
    shape: tuple[Any, ...] | None,
    dtype: Any,
    initializer: Any,
    reuse: Any,
    info: PartitionInfo | None,
) -> Any:
    from_value = initializer is not None and not callable(initializer)
    if from_value and shape is not None:
        raise ValueError("If initializer is a constant, do not specify shape.")
    found = graph.variables.get(name)
    if found is not None:
        if reuse is False:
            raise ValueError(
                f"Variable {name} already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
            )
        _check_shared(f"share variable {name}", shape, dtype, found)
        return found
    if reuse is True:
        raise ValueError(
            f"Variable {name} does not exist, or was not created with tf.get_variable(). "
            "Did you mean to set reuse=tf.AUTO_REUSE in VarScope?"
        )
    initial = make.func._initial_value(name, initializer, shape, dtype, info)  # type: ignore[attr-defined]
    given = None if from_value or shape is None else dtype  # a value has its own
    graph.variables[name] = variable = make(initial, name=name, dtype=given)
    return variable


def _check_shared(doing: str, shape: tuple[Any, ...] | None, dtype: Any, found: Any) -> None:
    have = tuple(int(n) for n in found.shape)
    if shape is not None and (len(shape) != len(have) or any(n is not None and n != m for n, m in zip(shape, have, strict=True))):
        raise ValueError(f"Trying to {doing}, but specified shape {shape} and found shape {have}.")
    wanted = np.dtype(dtype)
    if wanted != np.dtype(found.dtype):
        raise ValueError(f"Trying to {doing}, but specified dtype {wanted.name} and found dtype {found.dtype.name}.")


def _get_partitioned(
    graph: Graph,
    make: functools.partial[Variable],
    name: str,
    shape: tuple[Any, ...] | None,
    dtype: Any,
    initializer: Any,
    reuse: Any,
    partitioner: Any,
) -> Any:
    known = graph.variables.get(name)
    if partitioner is not None and not callable(partitioner):
        raise ValueError(f"Partitioner must be callable, but received: {partitioner}")
    if known is not None and not isinstance(known, PartitionedVariable):
        raise ValueError(
            f"A partitioner was provided, but an unpartitioned version of the variable was found: {name}.  "
            "Perhaps a variable of the same name was already created without partitioning?"
        )
    if initializer is not None and not callable(initializer):
        initializer = initializer if hasattr(initializer, "dtype") else np.asarray(initializer, dtype=dtype)
        shape = tuple(initializer.shape) if shape is None else shape
    partitions = _partitions(make, partitioner, shape, dtype) if partitioner is not None else None
    if known is not None:
        if reuse is False:
            raise ValueError(
                f"Partitioned variable with name {name} already exists. "
                "Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
            )
        _check_shared(f"reuse partitioned variable {name}", shape, dtype, known)
        if partitions is not None and partitions != known._partitions:
            raise ValueError(
                f"Trying to reuse partitioned variable {name}, but specified partitions {partitions} "
                f"and found partitions {known._partitions}."
            )
        return known
    if reuse is True:
        raise ValueError(
            f"PartitionedVariable {name} does not exist, or was not created with tf.get_variable(). "
            "Did you mean to set reuse=False or reuse=tf.AUTO_REUSE in VarScope?"
        )
    assert shape is not None and partitions is not None
    axis, count = sliced_axis(partitions)
    if f"{name}/part_0" in graph.variables:
        raise ValueError(
            "Partitioner returned a different partitioning than what was already found.  "
            f"Partitioner returned {count} shards, and shard {name}/part_0 was found."
        )
    parts: list[Any] = []
    try:
        for i, (offset, size) in enumerate(slices(shape[axis], count)):
            info = PartitionInfo(list(shape), [offset if k == axis else 0 for k in range(len(shape))])
            part_shape: tuple[int, ...] | None = (*shape[:axis], size, *shape[axis + 1 :])
            part = initializer
            if initializer is not None and not callable(initializer):
                part, part_shape = initializer[(slice(None),) * axis + (slice(offset, offset + size),)], None
            parts.append(_get_single(graph, make, f"{name}/part_{i}", part_shape, dtype, part, reuse, info))
    except BaseException:
        for made in parts:
            made.regularizer = None
            graph.forget(made)
        raise
    whole = make.func.partitioned(name, shape, parts, partitions)  # type: ignore[attr-defined]
    graph.variables[name] = whole
    return whole


def _partitions(make: functools.partial[Variable], partitioner: Any, shape: tuple[Any, ...] | None, dtype: Any) -> list[int]:
    if shape is None or None in shape:
        raise ValueError(f"Shape of a new partitioned variable must be fully defined, but instead was {shape}.")
    if not shape:
        raise ValueError(f"A partitioned Variable must have rank at least 1, shape: {shape}")
    arguments = make.func._of_whole(shape, dtype)  # type: ignore[attr-defined]
    return check_partitions(partitioner(**arguments), shape)


def _as_shape(shape: Any) -> tuple[Any, ...] | None:
    if shape is None:
        return None
    if not hasattr(shape, "__iter__"):
        shape = (shape,)
    sizes = tuple(None if n is None else operator.index(n) for n in shape)
    if any(n is not None and n < 0 for n in sizes):
        raise ValueError(f"shape must have sizes of at least 0, not {sizes}")
    return sizes


_NameScope: TypeAlias = AbstractContextManager[str]


class _Scopes:
    """Where one thread stands in one graph."""

    def __init__(self) -> None:
        self.current = VariableScope(False)
        self.opened: dict[str, int] = {}


def _scopes(graph: Graph) -> _Scopes:
    local = graph._local
    if not hasattr(local, "variable_scopes"):
        local.variable_scopes = _Scopes()
    scopes: _Scopes = local.variable_scopes
    return scopes


class variable_scope:  # noqa: N801 - TensorFlow's name
    """Prefix variables' names, and give them defaults, within a ``with`` block.

    Parameters
    ----------
    name_or_scope : str or VariableScope
        A name prolongs the current scope's, whose defaults are inherited. A scope object is entered again with the defaults
        it had.
    default_name : str, optional
        Where `name_or_scope` is None: the name, made unique.
    initializer, regularizer, dtype, partitioner, custom_getter : optional
        What takes the place of the inherited ones; a regularizer never adds to the outer scope's. ``no_regularizer``
        switches it off.
    reuse : bool or AUTO_REUSE, optional
        True: variables must exist. None and False inherit. AUTO_REUSE: make what does not exist.
    auxiliary_name_scope : bool
        Whether to open a name scope too.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> with fr.Graph().as_default():
    ...     with fr.variable_scope("net", regularizer=fr.l2_regularizer(0.1)):
    ...         w = fr.get_variable("w", shape=(2, 3))
    ...         b = fr.get_variable("b", shape=(3,), regularizer=fr.no_regularizer)
    ...     w.name, [t.name for t in fr.get_regularization_losses()]
    ('net/w:0', ['net/w/Regularizer/l2_regularizer:0'])
    """

    def __init__(
        self,
        name_or_scope: str | VariableScope | None,
        default_name: str | None = None,
        *,
        initializer: Any = None,
        regularizer: Regularizer | None = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        reuse: Any = None,
        dtype: Any = None,
        auxiliary_name_scope: bool = True,
    ) -> None:
        if default_name is None and name_or_scope is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        if not isinstance(name_or_scope, (str, VariableScope, type(None))):
            raise TypeError("VariableScope: name_or_scope must be a string or VariableScope.")
        if reuse not in (None, False, True, AUTO_REUSE):
            raise ValueError("The reuse parameter must be True or False or None.")
        if reuse and name_or_scope is None:
            raise ValueError("reuse=True cannot be used without a name_or_scope")
        if not isinstance(auxiliary_name_scope, bool):
            raise TypeError(f"The auxiliary_name_scope must be `True` or `False`, while get {auxiliary_name_scope}")
        self._name_or_scope, self._default_name = name_or_scope, default_name
        self._reuse, self._auxiliary = reuse, auxiliary_name_scope
        self._own = dict(
            initializer=initializer, regularizer=regularizer, dtype=dtype, partitioner=partitioner, custom_getter=custom_getter
        )
        self._entered: list[tuple[_Scopes, VariableScope, VariableScope, dict[str, int] | None, _NameScope | None]] = []

    def __enter__(self) -> VariableScope:
        graph = get_default_graph()
        scopes = _scopes(graph)
        outer = scopes.current
        jump = isinstance(self._name_or_scope, VariableScope)
        base: VariableScope = self._name_or_scope if jump else outer  # type: ignore[assignment]
        leaf = base.name.split("/")[-1] if jump else self._name_or_scope
        if leaf is None:
            leaf = self._default_name
        names: _NameScope | None = None
        if not self._auxiliary:
            current = graph.get_name_scope()
            names = graph.name_scope(current + "/" if current else None)
        elif leaf:
            names = graph.name_scope(leaf)  # type: ignore[arg-type]
        opened = leaf if names is None else names.__enter__()
        if self._name_or_scope is None:
            self._name_or_scope = leaf = _unused_name(scopes, str(leaf))
        name = base.name if jump else f"{outer.name}/{leaf}" if outer.name else str(leaf)
        scope = copy.copy(base)
        scope.name, scope.reuse = name, self._reuse or base.reuse
        if not jump:
            scope.original_name_scope = str(opened)
        for key, value in self._own.items():
            if value is not None:
                setattr(scope, key, value)
        if self._own["custom_getter"] is not None and base.custom_getter is not None:
            scope.custom_getter = functools.partial(_nested_getter, self._own["custom_getter"], base.custom_getter)
        scopes.opened[name] = scopes.opened.get(name, 0) + 1
        self._entered.append((scopes, outer, scope, dict(scopes.opened) if jump else None, names))
        scopes.current = scope
        return scope

    def __exit__(self, *error: Any) -> None:
        scopes, outer, scope, opened, names = self._entered[-1]
        if scopes.current is not scope:
            raise RuntimeError("Improper nesting of variable_scope.")
        self._entered.pop()
        if opened is not None:  # back from a jump, the numbering goes on as it was
            scopes.opened = opened
        else:
            for name in scopes.opened:
                if name.startswith(scope.name + "/"):
                    scopes.opened[name] = 0
        scopes.current = outer
        if names is not None:
            names.__exit__(*(error or (None, None, None)))


def _nested_getter(inner: Any, outer: Any, getter: Any, *args: Any, **kwargs: Any) -> Any:
    return inner(functools.partial(outer, getter), *args, **kwargs)


def _unused_name(scopes: _Scopes, name: str) -> str:
    prefix = scopes.current.name + "/" if scopes.current.name else ""
    unused, i = name, 0
    while scopes.opened.get(prefix + unused):
        i += 1
        unused = f"{name}_{i}"
    return unused


def get_variable_scope() -> VariableScope:
    """Return the scope that ``get_variable`` uses now."""
    return _scopes(get_default_graph()).current


def get_variable(
    name: str,
    shape: Any = None,
    dtype: DTypeLike | None = None,
    initializer: Any = None,
    regularizer: Regularizer | None = None,
    trainable: bool = True,
    collections: Sequence[Any] | None = None,
    partitioner: Any = None,
    custom_getter: Any = None,
) -> Any:
    """Return the variable `name` of the current scope, found or made as the scope's `reuse` says.

    Parameters
    ----------
    name : str
        The scope's name goes before it.
    shape : int or sequence of int, optional
        Not together with an `initializer` that is a value.
    dtype : dtype, optional
        The scope's by default, which is float32 where none was set.
    initializer : array_like or callable, optional
        A value, which is copied, or a function of ``(shape, dtype)``. By default the scope's, or else Glorot's uniform (zeros for
        integers), drawn from the graph's generator; see :func:`fastreg.set_random_seed`.
    regularizer : callable, optional
        The scope's by default; ``no_regularizer`` for none. It files a loss under REGULARIZATION_LOSSES when the variable is
        made, nothing when it is found.
    trainable : bool
        Also list the variable under TRAINABLE_VARIABLES.
    collections : sequence of str, optional
        Where to list it, GLOBAL_VARIABLES by default.
    partitioner : callable, optional
        A function of ``(shape, dtype)`` that returns the number of parts for each axis.
    custom_getter : callable, optional
        Called as ``custom_getter(getter, name=..., shape=..., ...)`` instead.

    Returns
    -------
    Variable or PartitionedVariable

    Raises
    ------
    ValueError
        If the variable exists and may not, or does not and must; or if shape, dtype and initializer do not go together.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> with fr.Graph().as_default():
    ...     w = fr.get_variable("w", shape=(2, 3), initializer=np.ones, regularizer=fr.l2_regularizer(0.5))
    ...     float(fr.get_regularization_loss())
    1.5
    """
    return get_variable_scope().get_variable(
        name,
        shape=shape,
        dtype=None if dtype is None else np.dtype(dtype),
        initializer=initializer,
        regularizer=regularizer,
        trainable=trainable,
        collections=collections,
        partitioner=partitioner,
        custom_getter=custom_getter,
    )


def trainable_variables(scope: str | None = None) -> list[Any]:
    """Return the default graph's trainable variables, of which `scope` matches the name's start if it is given."""
    return get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def global_variables(scope: str | None = None) -> list[Any]:
    """Return the default graph's variables, of which `scope` matches the name's start if it is given."""
    return get_collection(GraphKeys.GLOBAL_VARIABLES, scope)
