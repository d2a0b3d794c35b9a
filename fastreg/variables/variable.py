"""A named array in a graph."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastreg.arguments import check_dtype, check_flag, check_name, is_masked
from fastreg.constraints.base import Constraint, WeightConstraint, refuse_class
from fastreg.graph import GraphKeys, check_collection, get_default_graph
from fastreg.kernels import check_array
from fastreg.terms import Array, Parameter, Regularizer, loss_op
from fastreg.variables.initializers import PartitionInfo, glorot_uniform_initializer, parameters_of
from fastreg.variables.partitioned import PartitionedVariable


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
        Also list the variable under TRAINABLE_VARIABLES.
    collections : sequence of str, optional
        Where to list the variable; GLOBAL_VARIABLES by default.
    regularizer : callable, optional
        Files a loss of this variable under REGULARIZATION_LOSSES.
    constraint : callable, optional
        What every update rule puts the weights through after its step: one of :mod:`fastreg.constraints`, or a function of the
        weights that returns new ones. As in TensorFlow, the initial value is not constrained.

    Attributes
    ----------
    value : ndarray
        The array itself.
    name, op_name : str
        ``w:0``, and ``w``.

    Notes
    -----
    A subclass that ``get_variable`` is to make may have another constructor, and may override

    - `bind_initializer`, which turns what ``get_variable`` was given into the constructor's `initial_value`;
    - `partitioner_arguments`, which says how a partitioner is called;
    - `partitioned_class`, the class of variables in parts.

    Its constructor takes a `constraint`, too, and calls `collection_keys` and `register` in place of this one's.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> with fr.Graph().as_default():
    ...     v = fr.Variable(np.ones(3), name="v", regularizer=fr.l1_regularizer(0.5))
    ...     float(fr.get_regularization_loss())
    1.5
    """

    __slots__ = ("_constraint", "graph", "trainable")

    partitioned_class: type[PartitionedVariable] = PartitionedVariable

    def __init__(
        self,
        initial_value: Any,
        name: str = "Variable",
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        collections: Sequence[Any] | None = None,
        regularizer: Regularizer | None = None,
        constraint: WeightConstraint | None = None,
    ) -> None:
        check_name(name)
        dtype = None if dtype is None else check_dtype(dtype)
        trainable = check_flag(trainable, "trainable")
        array = _initial_array(initial_value() if callable(initial_value) else initial_value, dtype, name)
        keys = self.collection_keys(collections, trainable)
        op = loss_op(regularizer, array, name)
        _check_constraint(constraint, array, name)
        graph, scope = get_default_graph(), ""
        try:
            with graph.name_scope(name) as scope:
                self.register([array], scope[:-1], trainable, keys, constraint)
            if op is not None:
                self._regularize(regularizer, op)
        except BaseException:
            if getattr(self, "_term", None) is not None:
                self.regularizer = None
            if scope:
                graph.withdraw(self, name, scope[:-1])
            raise

    @staticmethod
    def collection_keys(collections: Sequence[Any] | None, trainable: bool) -> list[Any]:
        """Return the collections that list a variable, from the constructor's arguments of these names."""
        if collections is None:
            collections = [GraphKeys.GLOBAL_VARIABLES]
        if not isinstance(collections, (list, tuple, set)):
            raise ValueError(
                "collections argument to Variable constructor must be a list, tuple, or set. "
                f"Got {collections} of type {type(collections)}"
            )
        for key in collections:
            check_collection(key)
        return [*collections, GraphKeys.TRAINABLE_VARIABLES] if trainable else list(collections)

    def register(self, cell: list[Any], op_name: str, trainable: bool, keys: Sequence[Any], constraint: Any = None) -> None:
        """Set the variable's attributes and file it in the default graph.

        Parameters
        ----------
        cell : list
            Its only item is the array, which the variable looks up there at each use; or None as long as there is no array.
        op_name : str
            The variable's name without ``:0``, unique in the graph.
        trainable : bool
        keys : sequence of str
            The collections to list the variable in; see `collection_keys`.
        constraint : callable, optional
        """
        self.graph, self.trainable, self._constraint = get_default_graph(), trainable, constraint
        super().__init__(cell, 0, op_name + ":0", op_name, [])
        self.graph.elements.setdefault(op_name, self)  # compat/v1 has put an operation there
        self.graph.add_to_collections(keys, self)

    @property
    def constraint(self) -> WeightConstraint | None:
        """What every update rule puts the weights through after its step, or None. A new one holds from the next step on."""
        return self._constraint  # type: ignore[no-any-return]

    @constraint.setter
    def constraint(self, constraint: WeightConstraint | None) -> None:
        _check_constraint(constraint, self.array, self.name)
        self._constraint = constraint

    def _collection(self) -> list[Any]:
        return self.graph.get_collection_ref(GraphKeys.REGULARIZATION_LOSSES)

    def _collection_lock(self) -> AbstractContextManager[Any]:
        return self.graph.lock

    @classmethod
    def bind_initializer(
        cls, name: str, initializer: Any, shape: tuple[Any, ...] | None, dtype: Any, info: PartitionInfo | None
    ) -> Any:
        """Return the constructor's `initial_value` for a variable that ``get_variable`` makes.

        Parameters
        ----------
        name : str
            The variable's full name, for messages.
        initializer, shape, dtype
            What ``get_variable`` was given, or its scope's.
        info : PartitionInfo or None
            The part to make, where the variable is one of several parts.

        Returns
        -------
        array_like or callable
            A value, or a function without arguments that returns one.
        """
        if (initializer is None) if shape is None else (None in shape):
            shown = "<unknown>" if shape is None else shape
            raise ValueError(f"Shape of a new variable ({name}) must be fully defined, but instead was {shown}.")
        if initializer is None:
            initializer = glorot_uniform_initializer() if check_dtype(dtype).kind == "f" else np.zeros
        if inspect.isclass(initializer):
            initializer = initializer()
        if not callable(initializer):
            return initializer
        if shape is not None:
            if info is not None and "partition_info" in parameters_of(initializer):
                initializer = functools.partial(initializer, partition_info=info)
            return functools.partial(initializer, shape, check_dtype(dtype))
        if any(p.default is p.empty and p.kind < p.VAR_POSITIONAL for p in parameters_of(initializer).values()):
            raise ValueError("shape is needed: the initializer is a function of a shape and a dtype")
        return initializer

    @classmethod
    def partitioner_arguments(cls, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """Return the keyword arguments that a partitioner is called with, for a whole of this shape and dtype."""
        return {"shape": shape, "dtype": check_dtype(dtype)}

    def __repr__(self) -> str:
        return f"<Variable {self.name!r} shape={self.shape} dtype={self.dtype}>"


def _check_constraint(constraint: Any, array: Any, name: str) -> None:
    refuse_class(constraint, f"the constraint of {name!r}")
    if isinstance(constraint, Constraint):
        constraint.check(check_array(array, name), name)


def _initial_array(value: Any, dtype: Any, name: str) -> Array:
    """Return an initial value as a new array of numbers."""
    if is_masked(value):
        raise TypeError(f"the initial value of {name!r} must not be a masked array, whose mask would be ignored")
    try:
        given = np.asarray(value)
        array = np.array(given, dtype=_dtype_of(value) if dtype is None else dtype)
    except (TypeError, ValueError, OverflowError):
        given = array = np.asarray(None)
    if given.dtype.kind in "OSUTMm" or given.dtype.type is np.void or (given.dtype.kind == "c" and array.dtype.kind != "c"):
        raise TypeError(f"the initial value of {name!r} must be an array of numbers, not {value!r}")
    return array


def _dtype_of(value: Any) -> np.dtype[Any]:
    """Return the dtype of an initial value; Python's floats and integers are float32 and int32, as in TensorFlow."""
    dtype = np.asarray(value).dtype
    if not hasattr(value, "dtype"):
        dtype = {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.int64): np.dtype(np.int32)}.get(dtype, dtype)
    return dtype
