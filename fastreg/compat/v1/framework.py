# ruff: noqa: D102 - the methods are TensorFlow's
"""Graphs, tensors and sessions: TensorFlow 1's lazy expressions over NumPy arrays.

A tensor is the output of an operation; an operation holds its inputs and a NumPy function of them. Nothing is computed before
``Session.run``. Names, name scopes and collections are the core's: :class:`Graph` only adds what a session needs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import fastreg.graph as registry
from fastreg.kernels import Penalty, evaluate

# dtypes


class DType:
    """A TensorFlow dtype over a NumPy one; `ref` marks a variable's own."""

    def __init__(self, dtype: np.dtype[Any], ref: bool = False) -> None:
        self.dtype, self._ref = dtype, ref

    @property
    def name(self) -> str:
        plain = "string" if self.dtype == object else self.dtype.name
        return plain + "_ref" if self._ref else plain

    @property
    def as_numpy_dtype(self) -> type:
        return self.dtype.type

    @property
    def base_dtype(self) -> DType:
        return as_dtype(self.dtype)

    size = property(lambda self: self.dtype.itemsize)
    is_floating = property(lambda self: self.dtype.kind == "f")
    is_integer = property(lambda self: self.dtype.kind in "iu")
    is_bool = property(lambda self: self.dtype.kind == "b")

    def is_compatible_with(self, other: Any) -> bool:
        return self.dtype == as_dtype(other).dtype

    def __eq__(self, other: object) -> bool:
        try:
            return self.name == as_dtype(other).name
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return f"<dtype: {self.name!r}>"

    def __repr__(self) -> str:
        return "tf." + self.name


_DTYPES = {
    np.dtype(t): DType(np.dtype(t))
    for t in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16", "O")
}


def as_dtype(dtype: Any) -> DType:
    """Return the TensorFlow dtype of a NumPy one, of a name or of itself."""
    if isinstance(dtype, DType):
        return dtype
    try:
        return _DTYPES[np.dtype({"half": "f2", "string": "O"}.get(dtype, dtype) if isinstance(dtype, str) else dtype)]
    except (TypeError, KeyError):
        raise TypeError(f"Cannot convert value {dtype!r} to a TensorFlow DType.") from None


# shapes


class Dimension(int):
    """A known size: an int with a `value`, as TensorFlow 1's."""

    @property
    def value(self) -> int:
        return int(self)

    def __repr__(self) -> str:
        return f"Dimension({int(self)})"

    def __str__(self) -> str:
        return str(int(self))


class _UnknownDimension:
    value = None

    def __repr__(self) -> str:
        return "Dimension(None)"

    def __str__(self) -> str:
        return "?"


UNKNOWN = _UnknownDimension()


class TensorShape:
    """Sizes of which some, or even their number, may be unknown until a session runs."""

    def __init__(self, dims: Any) -> None:
        if isinstance(dims, TensorShape):
            dims = dims.raw
        elif dims is not None:
            dims = tuple(dims) if hasattr(dims, "__iter__") else (dims,)
            dims = tuple(None if d is None or d is UNKNOWN else int(d) for d in dims)
        self.raw: tuple[int | None, ...] | None = dims

    @property
    def ndims(self) -> int | None:
        return None if self.raw is None else len(self.raw)

    rank = ndims
    dims = property(lambda self: None if self.raw is None else list(self))

    def as_list(self) -> list[int | None]:
        if self.raw is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self.raw)

    def is_fully_defined(self) -> bool:
        return self.raw is not None and None not in self.raw

    def num_elements(self) -> int | None:
        return int(np.prod(self.raw)) if self.is_fully_defined() else None  # type: ignore[arg-type]

    def is_compatible_with(self, other: Any) -> bool:
        mine, its = self.raw, TensorShape(other).raw
        if mine is None or its is None:
            return True
        return len(mine) == len(its) and all(None in pair or pair[0] == pair[1] for pair in zip(mine, its, strict=True))

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {TensorShape(other)} are incompatible")

    def __iter__(self) -> Iterator[Any]:
        if self.raw is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter([UNKNOWN if d is None else Dimension(d) for d in self.raw])

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return TensorShape(None if self.raw is None else self.raw[key])
        return UNKNOWN if self.raw is None else list(self)[key]

    def __len__(self) -> int:
        if self.raw is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self.raw)

    def __bool__(self) -> bool:
        return self.raw is not None

    def __eq__(self, other: object) -> bool:
        try:
            return self.raw == TensorShape(other).raw
        except TypeError:
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __str__(self) -> str:
        if self.raw is None:
            return "<unknown>"
        return str(self.raw).replace("None", "?")

    def __repr__(self) -> str:
        return "TensorShape(None)" if self.raw is None else f"TensorShape({list(self)})"


# errors


class OpError(Exception):
    """Something failed while a session ran."""

    def __init__(self, op: Any, message: str) -> None:
        super().__init__(message)
        self.op, self.message = op, message


class FailedPreconditionError(OpError):
    """A variable was read before it was initialized."""


class InvalidArgumentError(OpError):
    """A value does not fit, or was not fed."""


# graphs


class OperatorNotAllowedInGraphError(TypeError):
    """Python asked a tensor for what only its value has."""


class Graph(registry.Graph):
    """The core's registry, which also lists operations."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[list[Any]] = []  # of its variables; each session has values of its own for them
        self.bound: Session | None = None

    def get_operations(self) -> list[Operation]:
        """Return the operations in the order in which they were made."""
        return list(self.elements.values())

    def get_operation_by_name(self, name: str) -> Operation:
        """Return the operation of this name."""
        if name not in self.elements:
            raise KeyError(f"The name {name!r} refers to an Operation not in the graph.")
        operation: Operation = self.elements[name]
        return operation

    def get_tensor_by_name(self, name: str) -> Tensor:
        """Return the tensor ``<operation>:0``."""
        op_name, colon, output = name.partition(":")
        if not colon or not output.isdigit():
            what = "refers to an Operation" if name in self.elements else "looks like an (invalid) Operation name"
            raise ValueError(
                f'The name {name!r} {what}, not a Tensor. Tensor names must be of the form "<op_name>:<output_index>".'
            )
        op = self.elements.get(op_name)
        if op is None or int(output) >= len(op.outputs):
            why = (
                f"The operation, {op_name!r}, does not exist in the graph." if op is None else f"{op_name!r} has no such output."
            )
            raise KeyError(f"The name {name!r} refers to a Tensor which does not exist. {why}")
        tensor: Tensor = op.outputs[int(output)]
        return tensor

    def as_graph_element(self, obj: Any) -> Any:
        """Return the tensor or operation that `obj` is, stands for, or names."""
        if isinstance(obj, str):
            return self.get_tensor_by_name(obj) if ":" in obj else self.get_operation_by_name(obj)
        return obj._as_graph_element() if hasattr(obj, "_as_graph_element") else obj

    @property
    def control_inputs(self) -> list[Operation]:
        """What the operations that are made now in this thread wait for."""
        return getattr(self._local, "control_inputs", [])

    @contextlib.contextmanager
    def control_dependencies(self, control_inputs: Sequence[Any] | None) -> Iterator[None]:
        """Let what is made within run after `control_inputs`; None clears them."""
        outer = self.control_inputs
        more = [operation_of(c) for c in control_inputs or ()]
        self._local.control_inputs = [] if control_inputs is None else outer + more
        try:
            yield
        finally:
            self._local.control_inputs = outer


registry._DefaultGraphs.make = Graph


def get_default_graph() -> Graph:
    """Return this thread's default graph."""
    graph = registry.get_default_graph()
    if not isinstance(graph, Graph):
        raise TypeError("the default graph was made by fastreg itself; use fastreg.compat.v1.Graph or reset_default_graph()")
    return graph


@contextlib.contextmanager
def name_scope(name: str | None, default_name: str | None = None, values: Sequence[Any] | None = None) -> Iterator[str]:
    """Prefix the names of what is made within; in the graph of `values` if there are tensors among them."""
    graph = _graph_of([v for v in values or () if isinstance(v, Operand)]) or get_default_graph()
    with graph.as_default(), graph.name_scope(default_name if name is None else name) as scope:
        yield scope


def control_dependencies(control_inputs: Sequence[Any] | None) -> Any:
    """Let what is made within run after `control_inputs`."""
    return get_default_graph().control_dependencies(control_inputs)


def _graph_of(operands: Sequence[Any]) -> Graph | None:
    if not operands:
        return None
    first = operands[0]
    for other in operands[1:]:
        if other.graph is not first.graph:
            one, two = (x._as_graph_element() if hasattr(x, "_as_graph_element") else x for x in (first, other))
            raise ValueError(f"{two} must be from the same graph as {one}.")
    graph: Graph = first.graph
    return graph


# operations and tensors


class Operation:
    """A node: a NumPy function of its inputs' values."""

    def __init__(
        self, graph: Graph, kind: str, name: str, inputs: Sequence[Tensor], compute: Callable[..., Any], changes: bool = False
    ) -> None:
        self.graph, self.type, self.name, self.compute = graph, kind, name, compute
        self.inputs, self.control_inputs = list(inputs), list(graph.control_inputs)
        self.outputs: list[Tensor] = []
        self.gradient: Callable[..., Any] | None = None
        self.gradient_scope = name + "_grad"  # what the gradient's own operations are named under
        self.penalty: Penalty | None = None
        self.fused: list[Tensor] | None = None  # what an AddN of penalties needs instead of its inputs
        before = self.control_inputs + [t.op for t in self.inputs]
        self.changes: bool = changes or any(op.changes for op in before)
        graph.elements[name] = self

    @property
    def fusable(self) -> bool:
        """Whether it is a penalty that a sum may compute together with others."""
        return self.penalty is not None and not self.control_inputs

    def run(self, feed_dict: Any = None, session: Session | None = None) -> None:
        """Run it in the given or the default session."""
        _session(session).run(self, feed_dict)

    device = ""

    def __repr__(self) -> str:
        return f"<tf.Operation {self.name!r} type={self.type}>"


def operation_of(item: Any) -> Operation:
    """Return the operation that `item` is, or that computes the tensor that `item` is or stands for."""
    element = item._as_graph_element() if hasattr(item, "_as_graph_element") else item
    op = getattr(element, "op", element)
    if not isinstance(op, Operation):
        raise TypeError(f"Can not convert a {type(item).__name__} into a Tensor or Operation.")
    return op


class Operand:
    """What Tensor, Variable and PartitionedVariable share; `ops` adds the operators."""

    __slots__ = ()
    __array_priority__ = 100
    __array_ufunc__ = None
    graph: Any

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"{type(self).__name__!r} object is not iterable.")


class Tensor(Operand):
    """The output of an operation, not yet computed."""

    def __init__(self, op: Operation, dtype: DType, shape: Any) -> None:
        self.op, self._dtype, self._shape = op, dtype, TensorShape(shape)
        op.outputs.append(self)

    @property
    def name(self) -> str:
        return f"{self.op.name}:{self.op.outputs.index(self)}"

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def graph(self) -> Graph:
        return self.op.graph

    @property
    def shape(self) -> TensorShape:
        return self._shape

    device = ""

    def __iter__(self) -> Iterator[Any]:
        raise _not_allowed("iterating over `tf.Tensor`")

    def __bool__(self) -> bool:
        raise _not_allowed("using a `tf.Tensor` as a Python `bool`")

    def eval(self, feed_dict: Any = None, session: Session | None = None) -> Any:
        """Return its value in the given or the default session."""
        return _session(session).run(self, feed_dict)

    def get_shape(self) -> TensorShape:
        """Return what is known of its shape."""
        return self._shape

    def set_shape(self, shape: Any) -> None:
        """Add to what is known of its shape."""
        self._shape.assert_is_compatible_with(shape)
        new = TensorShape(shape)
        if self._shape.raw is None or new.raw is None:
            self._shape = new if self._shape.raw is None else self._shape
        else:
            self._shape = TensorShape([b if a is None else a for a, b in zip(self._shape.raw, new.raw, strict=True)])

    def __str__(self) -> str:
        shape = "" if self._shape.raw is None else f", shape={self._shape}"
        return f'Tensor("{self.name}"{shape}, dtype={self._dtype.name})'

    def __repr__(self) -> str:
        return f"<tf.Tensor {self.name!r} shape={self._shape} dtype={self._dtype.name}>"


def _not_allowed(what: str) -> OperatorNotAllowedInGraphError:
    return OperatorNotAllowedInGraphError(
        f"{what} is not allowed in Graph execution. Use Eager execution or decorate this function with @tf.function."
    )


def make(
    kind: str,
    name: str | None,
    inputs: Sequence[Tensor],
    compute: Callable[..., Any],
    dtype: Any,
    shape: Any,
    gradient: Callable[..., Any] | None = None,
    changes: bool = False,
    tensor: type[Tensor] = Tensor,
) -> Any:
    """Make an operation and its tensor. A name that ends in a slash is a scope's own and is taken as it is."""
    graph = _graph_of(inputs) or get_default_graph()
    op = Operation(graph, kind, _op_name(graph, name or kind), inputs, compute, changes)
    op.gradient = gradient
    return tensor(op, as_dtype(dtype), shape)


def _op_name(graph: Graph, name: str) -> str:
    return name[:-1] if name.endswith("/") else graph.unique_name(name)


def make_operation(
    kind: str, name: str | None, inputs: Sequence[Tensor], compute: Callable[..., Any], after: Sequence[Any]
) -> Operation:
    """Make an operation without a tensor that changes something, or only waits for others."""
    graph = _graph_of([*inputs, *after]) or get_default_graph()
    op = Operation(graph, kind, _op_name(graph, name or kind), inputs, compute, True)
    op.control_inputs += after
    return op


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = "Const", verify_shape: bool = False) -> Tensor:
    """Return a tensor of a value: Python's floats and integers become float32 and int32, an array keeps its dtype."""
    wanted = None if dtype is None else as_dtype(dtype).dtype
    if value is None:
        raise ValueError("None values not supported.")
    if isinstance(value, dict):
        raise TypeError(
            f"Failed to convert object of type {type(value)} to Tensor. Contents: {value}. "
            "Consider casting elements to a supported type."
        )
    array = np.array(value)
    if isinstance(value, (np.ndarray, np.generic)):
        array = array if wanted is None else array.astype(wanted)
    else:
        if array.dtype.kind in "US":
            array = array.astype(object)
        if wanted is not None and wanted.kind in "iu" and array.dtype.kind == "f" and array.size:
            raise TypeError(f"Expected {wanted}, got {value} of type '{type(np.ravel(array)[0].item()).__name__}' instead.")
        default = {np.dtype("f8"): "f4", np.dtype("i8"): "i4"}.get(array.dtype, array.dtype)
        array = array.astype(default if wanted is None else wanted)
    if shape is not None:
        sizes: Any = TensorShape(shape).as_list()
        if verify_shape and list(array.shape) != sizes:
            raise TypeError(f"Expected Tensor's shape: {tuple(sizes)}, got {array.shape}.")
        if array.size > np.prod(sizes):
            raise ValueError(f"Too many elements provided. Needed at most {int(np.prod(sizes))}, but received {array.size}")
        flat = np.empty(int(np.prod(sizes)), array.dtype)
        flat[: array.size] = array.ravel()
        flat[array.size :] = array.ravel()[-1:]
        array = flat.reshape(sizes)
    array.flags.writeable = False
    out: Tensor = make("Const", name, [], lambda: array, array.dtype, array.shape)
    return out


def convert_to_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """Return `value` as a tensor: itself, a variable's value, a stack of tensors, or a constant."""
    if isinstance(value, Operand):
        tensor: Tensor = value if isinstance(value, Tensor) else value._as_tensor()  # type: ignore[attr-defined]
        if dtype is not None and tensor.dtype.base_dtype != as_dtype(dtype).base_dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {as_dtype(dtype).name} for Tensor with dtype {tensor.dtype.name}: {tensor!r}"
            )
        return tensor
    if isinstance(value, TensorShape):
        value = np.array(value.as_list(), np.int32)
    if isinstance(value, (list, tuple)) and any(_has_operand(v) for v in value):
        packed: Tensor = stack(value, name=name or "packed", dtype=dtype)
        return packed
    return constant(value, dtype, name=name or "Const")


def _has_operand(value: Any) -> bool:
    return isinstance(value, Operand) or (isinstance(value, (list, tuple)) and any(_has_operand(v) for v in value))


def stack(values: Any, axis: int = 0, name: str = "stack", dtype: Any = None) -> Any:
    """Return the tensors in one more dimension."""
    kind = next((as_dtype(v.dtype).base_dtype for v in values if isinstance(v, Operand)), dtype)  # type: ignore[attr-defined]
    tensors = [convert_to_tensor(v, kind) for v in values]
    first = tensors[0].shape.raw
    shape = None if first is None else (*first[:axis], len(tensors), *first[axis:]) if axis >= 0 else None

    def gradient(op: Operation, g: Tensor) -> list[Tensor]:
        return [make("Unstack", None, [g], lambda a, i=i: np.take(a, i, axis), g.dtype, first) for i in range(len(tensors))]

    return make("Pack", name, tensors, lambda *arrays: np.stack(arrays, axis), tensors[0].dtype.base_dtype, shape, gradient)


class IndexedSlices:
    """A gradient that touches some rows only."""

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values, self.indices, self.dense_shape = convert_to_tensor(values), convert_to_tensor(indices), dense_shape

    dtype = property(lambda self: self.values.dtype)
    graph = property(lambda self: self.values.graph)
    op = property(lambda self: self.values.op)
    name = property(lambda self: self.values.name)


# sessions


class _Sessions(threading.local):
    def __init__(self) -> None:
        self.stack: list[Session] = []


_sessions = _Sessions()


def get_default_session() -> Session | None:
    """Return the innermost session of a ``with`` block."""
    return _sessions.stack[-1] if _sessions.stack else None


def _session(session: Session | None) -> Session:
    session = session or get_default_session()
    if session is None:
        raise ValueError(
            "Cannot evaluate tensor using `eval()`: No default session is registered. Use `with sess.as_default()` or pass an "
            "explicit session to `eval(session=sess)`"
        )
    return session


class Session:
    """Computes tensors of one graph. The values of the graph's variables are the session's own.

    Parameters
    ----------
    target, config
        Not looked at: there is one place to compute.
    graph : Graph, optional
        The default graph.
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        self.graph = graph or get_default_graph()
        self._values: list[Any] = []
        self._contexts = contextlib.ExitStack()
        self._closed = False

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Session]:
        """Make this the default session, for a ``with`` block."""
        _sessions.stack.append(self)
        try:
            yield self
        finally:
            _sessions.stack.remove(self)

    def __enter__(self) -> Session:
        self._contexts.enter_context(self.graph.as_default())
        return self._contexts.enter_context(self.as_default())

    def __exit__(self, *error: Any) -> None:
        self._contexts.close()
        self.close()

    def close(self) -> None:
        """Refuse further runs."""
        self._closed = True

    def _bind(self) -> None:
        """Put this session's values into the variables, and those of the session before aside."""
        graph = self.graph
        if graph.bound is self:
            return
        if graph.bound is not None:
            graph.bound._values = [cell[0] for cell in graph.cells]
            for i, cell in enumerate(graph.cells):
                cell[0] = self._values[i] if i < len(self._values) else None
        graph.bound = self

    def run(self, fetches: Any, feed_dict: Any = None) -> Any:
        """Return the values of `fetches` - tensors, operations, variables, names, or lists, tuples and dicts of such.

        What does not change a variable is computed first, so that a loss fetched beside a training step is the loss before it.
        """
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        self._bind()
        values: dict[Operation, Any] = {}
        for key, value in (feed_dict or {}).items():
            tensor = self._element(key, "feed_dict key")
            if isinstance(value, Operand):
                raise TypeError(
                    "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, strings, "
                    f"lists, numpy ndarrays, or TensorHandles. For reference, the tensor object was {value} which was passed to "
                    f"the feed with key {tensor}."
                )
            array = np.asarray(value, tensor.dtype.dtype)
            if not tensor.shape.is_compatible_with(array.shape):
                raise ValueError(
                    f"Cannot feed value of shape {array.shape} for Tensor {tensor.name!r}, which has shape {str(tensor.shape)!r}"
                )
            values[tensor.op] = array
        flat: list[Any] = []
        rebuild = _flatten(fetches, flat)
        elements = [self._element(fetch, "Fetch argument") for fetch in flat]
        results: list[Any] = [None] * len(elements)
        for i in sorted(range(len(elements)), key=lambda i: _op(elements[i]).changes):
            op = _op(elements[i])
            _compute(op, values)
            if isinstance(elements[i], Tensor):
                results[i] = _result(values[op])
        return rebuild(iter(results))

    def _element(self, item: Any, what: str) -> Any:
        try:
            element = self.graph.as_graph_element(item)
        except (KeyError, ValueError) as error:
            shown = repr(error.args[0]) if isinstance(error, KeyError) else error.args[0]
            raise ValueError(f"{what} {item!r} cannot be interpreted as a Tensor. ({shown})") from None
        if element is None:
            raise TypeError(f"{what} None has invalid type {type(None)}")
        if not isinstance(element, (Tensor, Operation)):
            raise TypeError(
                f"{what} {item!r} has invalid type {type(item)}, must be a string or Tensor. "
                f"(Can not convert a {type(item).__name__} into a Tensor or Operation.)"
            )
        if element.graph is not self.graph:
            kind = type(element).__name__ if isinstance(element, Operation) else "Tensor"
            raise ValueError(
                f"{what} {item!r} cannot be interpreted as a Tensor. ({kind} {element} is not an element of this graph.)"
            )
        return element


class InteractiveSession(Session):
    """A session that is the default one from the start."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        _sessions.stack.append(self)

    def close(self) -> None:
        """Refuse further runs, and stop being the default."""
        super().close()
        if self in _sessions.stack:
            _sessions.stack.remove(self)


def _op(element: Any) -> Operation:
    op: Operation = element.op if isinstance(element, Tensor) else element
    return op


def _result(value: Any) -> Any:
    array = np.array(value)
    return array[()] if array.ndim == 0 else array


def _flatten(fetches: Any, flat: list[Any]) -> Callable[[Iterator[Any]], Any]:
    """Append the leaves of `fetches`, and return what puts values in their places."""
    if isinstance(fetches, dict):
        parts = {key: _flatten(value, flat) for key, value in fetches.items()}
        return lambda values: {key: part(values) for key, part in parts.items()}
    if isinstance(fetches, (list, tuple)):
        items = [_flatten(value, flat) for value in fetches]
        if hasattr(fetches, "_fields"):
            return lambda values: type(fetches)(*[item(values) for item in items])
        return lambda values: type(fetches)([item(values) for item in items])
    if isinstance(fetches, IndexedSlices):
        return _flatten([fetches.values, fetches.indices], flat)
    flat.append(fetches)
    return next


def _compute(target: Operation, values: dict[Operation, Any]) -> None:
    """Fill in the value of `target` and of all that it needs."""
    stack = [target]
    while stack:
        op = stack[-1]
        if op in values:
            stack.pop()
            continue
        inputs = op.fused or op.inputs
        if op.fused and any(t.op.fusable and t.op in values for t in op.inputs):
            inputs = op.inputs  # a penalty was fed, or is known already
        missing = [t.op for t in inputs if t.op not in values] + [c for c in op.control_inputs if c not in values]
        if missing:
            stack += missing
            continue
        arrays = [values[t.op] for t in inputs]
        if inputs is op.fused:
            values[op] = _sum_of_penalties(op, arrays)
        else:
            value = op.compute(*arrays)
            values[op] = value if value is None else np.asarray(value)
        stack.pop()


def _sum_of_penalties(op: Operation, arrays: list[Any]) -> Any:
    """Return an AddN's value with one call of the kernels for all of its penalties."""
    penalties = [t.op.penalty if t.op.fusable else None for t in op.inputs]
    items = [
        (array if array.flags.forc else np.ascontiguousarray(array), p, t.op.name)
        for array, p, t in zip(arrays, penalties, op.inputs, strict=True)
        if p is not None
    ]
    total = evaluate([i[0] for i in items], [i[1] for i in items], [i[2] for i in items])
    total += sum([float(array) for array, p in zip(arrays, penalties, strict=True) if p is None])
    return op.outputs[0].dtype.as_numpy_dtype(total)
