"""Find a variable by its full name, or make it, whole or in parts.

`Graph.variables` holds whole variables, parts, and variables in parts, by their names without ``:0``.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from fastreg.arguments import MOST_WHOLE
from fastreg.graph import Graph
from fastreg.partitions import check_partitions, sliced_axis, slices
from fastreg.terms import Regularizer
from fastreg.variables.initializers import PartitionInfo, as_initial_value
from fastreg.variables.partitioned import PartitionedVariable
from fastreg.variables.variable import Variable


def find_or_make(
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
    """Return the variable of this full name. A custom getter gets this function, with the graph and the class filled in."""
    shape = _as_shape(shape)
    options |= {"regularizer": regularizer, "trainable": trainable, "collections": collections}
    with graph.lock:  # between looking for the variable and making it, no other thread makes it
        known = graph.variables.get(name)
        if (partitioner is not None and shape != ()) or (reuse is True and isinstance(known, PartitionedVariable)):
            return _partitioned(graph, variable_class, options, name, shape, dtype, initializer, reuse, partitioner)
        if isinstance(known, PartitionedVariable):
            raise ValueError(
                "No partitioner was provided, but a partitioned version of the variable was found: "
                f"{name}/part_0. Perhaps a variable of the same name was already created with partitioning?"
            )
        return _single(graph, variable_class, options, name, shape, dtype, initializer, reuse, None)


def _as_shape(shape: Any) -> tuple[Any, ...] | None:
    if shape is None:
        return None
    if isinstance(shape, (str, bytes, Mapping, Set)):
        raise TypeError(f"shape must be a whole number or a sequence of such, not {shape!r}")
    try:
        sizes = tuple(None if n is None else operator.index(n) for n in (shape if hasattr(shape, "__iter__") else (shape,)))
    except TypeError:
        raise TypeError(f"shape must be a whole number or a sequence of such, not {shape!r}") from None
    if any(n is not None and n < 0 for n in sizes):
        raise ValueError(f"shape must have sizes of at least 0, not {sizes}")
    if any(n is not None and n > MOST_WHOLE for n in sizes):
        raise ValueError(f"shape must have sizes below 2**63, not {sizes}")
    return sizes


def _single(
    graph: Graph,
    variable_class: type[Variable],
    options: dict[str, Any],
    name: str,
    shape: tuple[Any, ...] | None,
    dtype: Any,
    initializer: Any,
    reuse: Any,
    info: PartitionInfo | None,
) -> Any:
    """Find or make one array: a whole variable, or the part that `info` describes."""
    from_value = initializer is not None and not callable(initializer)
    if from_value and shape is not None:
        raise ValueError("If initializer is a constant, do not specify shape.")
    found = graph.variables.get(name)
    if found is not None:
        if reuse is False:
            raise _exists(
                f"Variable {name} already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
            )
        _check_shared(f"share variable {name}", shape, dtype, found)
        return found
    if reuse is True:
        raise ValueError(
            f"Variable {name} does not exist, or was not created with tf.get_variable(). "
            "Did you mean to set reuse=tf.AUTO_REUSE in VarScope?"
        )
    initial = variable_class.bind_initializer(name, initializer, shape, dtype, info)
    given = None if from_value or shape is None else dtype  # a value has its own dtype
    variable = variable_class(initial, name=name, dtype=given, **options)
    try:
        graph.variables[name] = variable
    except BaseException:
        variable.regularizer = None
        graph.withdraw(variable, name, variable.op_name)
        raise
    return variable


def _exists(message: str) -> ValueError:
    """Return an error with TensorFlow's message, and a note for whoever made the variable in a notebook."""
    error = ValueError(message)
    error.add_note(
        "If this is a notebook's cell that ran before: call reset_default_graph() first, then make all variables again."
    )
    return error


def _is_shape(asked: tuple[Any, ...] | None, found: tuple[int, ...]) -> bool:
    """Tell whether a shape is the one asked for, in which None stands for any size."""
    return asked is None or (len(asked) == len(found) and all(n is None or n == m for n, m in zip(asked, found, strict=True)))


def _check_shared(doing: str, shape: tuple[Any, ...] | None, dtype: Any, found: Any) -> None:
    """Check that the variable found has the shape and the dtype asked for; None in a shape matches any size."""
    have = tuple(int(n) for n in found.shape)
    if not _is_shape(shape, have):
        raise ValueError(f"Trying to {doing}, but specified shape {shape} and found shape {have}.")
    wanted = np.dtype(dtype)
    if wanted != np.dtype(found.dtype):
        raise ValueError(f"Trying to {doing}, but specified dtype {wanted.name} and found dtype {found.dtype.name}.")


def _partitioned(
    graph: Graph,
    variable_class: type[Variable],
    options: dict[str, Any],
    name: str,
    shape: tuple[Any, ...] | None,
    dtype: Any,
    initializer: Any,
    reuse: Any,
    partitioner: Any,
) -> Any:
    """Find or make a variable in parts; without a partitioner it can only be found."""
    known = graph.variables.get(name)
    if partitioner is not None and not callable(partitioner):
        raise ValueError(f"Partitioner must be callable, but received: {partitioner}")
    if known is not None and not isinstance(known, PartitionedVariable):
        raise ValueError(
            f"A partitioner was provided, but an unpartitioned version of the variable was found: {name}.  "
            "Perhaps a variable of the same name was already created without partitioning?"
        )
    if initializer is not None and not callable(initializer):
        initializer, shape = _whole_value(name, initializer, shape, dtype)
    partitions = None if partitioner is None else _partitions(variable_class, partitioner, shape, dtype)
    if known is not None:
        if reuse is False:
            raise _exists(
                f"Partitioned variable with name {name} already exists. "
                "Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
            )
        _check_shared(f"reuse partitioned variable {name}", shape, dtype, known)
        if partitions is not None and partitions != known.partitions:
            raise ValueError(
                f"Trying to reuse partitioned variable {name}, but specified partitions {partitions} "
                f"and found partitions {known.partitions}."
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
    sizes = list(slices(shape[axis], count))
    parts: list[Any] = [None] * len(sizes)
    try:
        for i, (offset, size) in enumerate(sizes):
            info = PartitionInfo(list(shape), [offset if k == axis else 0 for k in range(len(shape))])
            part_shape: tuple[int, ...] | None = (*shape[:axis], size, *shape[axis + 1 :])
            part = initializer
            if initializer is not None and not callable(initializer):
                part, part_shape = initializer[(slice(None),) * axis + (slice(offset, offset + size),)], None
            parts[i] = _single(graph, variable_class, options, f"{name}/part_{i}", part_shape, dtype, part, reuse, info)
        graph.variables[name] = whole = variable_class.partitioned_class(name, shape, parts, partitions)
    except BaseException:
        for made in [made for made in parts if made is not None]:
            made.regularizer = None
            graph.forget(made)
        raise
    return whole


def _whole_value(name: str, initializer: Any, shape: tuple[Any, ...] | None, dtype: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the value that the parts of a variable are cut from, and its shape."""
    value = initializer if hasattr(initializer, "dtype") else as_initial_value(initializer, dtype)
    found = tuple(value.shape)
    if not _is_shape(shape, found):
        raise ValueError(f"initializer has the shape {found}, and the shape of {name} is {shape}")
    return value, found


def _partitions(variable_class: type[Variable], partitioner: Any, shape: tuple[Any, ...] | None, dtype: Any) -> list[int]:
    """Return the number of parts for each axis, as the partitioner gives it for this shape."""
    if shape is None or None in shape:
        raise ValueError(f"Shape of a new partitioned variable must be fully defined, but instead was {shape}.")
    if not shape:
        raise ValueError(f"A partitioned Variable must have rank at least 1, shape: {shape}")
    return check_partitions(partitioner(**variable_class.partitioner_arguments(shape, dtype)), shape)
