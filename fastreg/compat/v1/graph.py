# ruff: noqa: D102 - the methods are TensorFlow's
"""Graphs, operations and tensors: what an expression is made of before it is computed.

A tensor is the output of an operation; an operation holds its inputs and a NumPy function of them. Names, name scopes and
collections are the core's: :class:`Graph` adds only what a session needs. Nothing here knows any particular operation, and
nothing is computed here. Of sessions, only the stack of default ones stands here, for `eval` and `run`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import fastreg.graph as registry
from fastreg.compat.v1.dtypes import DType, as_dtype
from fastreg.compat.v1.errors import OperatorNotAllowedInGraphError
from fastreg.compat.v1.tensor_shape import TensorShape
from fastreg.kernels import Penalty
from fastreg.locks import Lock


class Graph(registry.Graph):
    """The core's registry, which also lists operations."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[list[Any]] = []  # one for each variable; each session has its own values
        self.bound: Any = None  # the session whose values the cells hold now
        self.running = Lock()  # held by the thread in which a session computes

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
            why = "does not exist in the graph." if op is None else f"exists but only has {len(op.outputs)} outputs."
            raise KeyError(f"The name {name!r} refers to a Tensor which does not exist. The operation, {op_name!r}, {why}")
        tensor: Tensor = op.outputs[int(output)]
        return tensor

    def as_graph_element(self, obj: Any) -> Any:
        """Return the tensor or operation that `obj` is, stands for, or names."""
        if isinstance(obj, str):
            return self.get_tensor_by_name(obj) if ":" in obj else self.get_operation_by_name(obj)
        return obj._as_graph_element() if isinstance(obj, Operand) else obj

    @property
    def control_inputs(self) -> list[Operation]:
        """The operations that new operations of this thread will wait for."""
        return getattr(self.local, "control_inputs", [])

    @contextlib.contextmanager
    def control_dependencies(self, control_inputs: Sequence[Any] | None) -> Iterator[None]:
        """Let operations made in this block wait for `control_inputs`; None clears the list."""
        outer = self.control_inputs
        more = [operation_of(c) for c in control_inputs or ()]
        self.local.control_inputs = [] if control_inputs is None else outer + more
        try:
            yield
        finally:
            self.local.control_inputs = outer

    def device(self, device_name_or_function: Any) -> Any:
        """Do nothing, for a ``with`` block."""
        return device(device_name_or_function)


registry.set_graph_class(Graph)


def get_default_graph() -> Graph:
    """Return this thread's default graph."""
    graph = registry.get_default_graph()
    if not isinstance(graph, Graph):
        raise TypeError("the default graph was made by fastreg itself; use fastreg.compat.v1.Graph or reset_default_graph()")
    return graph


@contextlib.contextmanager
def name_scope(name: str | None, default_name: str | None = None, values: Sequence[Any] | None = None) -> Iterator[str]:
    """Prefix names made in this block; the graph is that of the tensors among `values`, if there are any."""
    graph = graph_of([v for v in values or () if isinstance(v, Operand)]) or get_default_graph()
    with graph.as_default(), graph.name_scope(default_name if name is None else name) as scope:
        yield scope


@contextlib.contextmanager
def device(device_name_or_function: Any) -> Iterator[None]:
    """Do nothing: arrays have no device."""
    yield


def control_dependencies(control_inputs: Sequence[Any] | None) -> Any:
    """Let operations made in this block wait for `control_inputs`."""
    return get_default_graph().control_dependencies(control_inputs)


def graph_of(operands: Sequence[Any]) -> Graph | None:
    """Return the one graph that all `operands` are in, None if there are no operands."""
    if not operands:
        return None
    first = operands[0]
    for other in operands[1:]:
        if other.graph is not first.graph:
            one, two = (x._as_graph_element() if isinstance(x, Operand) else x for x in (first, other))
            raise ValueError(f"{two} must be from the same graph as {one}.")
    graph: Graph = first.graph
    return graph


class Fused(NamedTuple):
    """Another way to compute an operation's value: from `inputs`, without computing the operations in `skipped`.

    A step that is computed in this way reads the variables in `reads` itself, when it is its turn.
    """

    inputs: list[Tensor]
    skipped: list[Operation]
    compute: Callable[..., Any]
    reads: frozenset[str] = frozenset()


class Operation:
    """A node: a NumPy function of its inputs' values."""

    def __init__(
        self, graph: Graph, kind: str, name: str, inputs: Sequence[Tensor], compute: Callable[..., Any],
        writes: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.graph, self.type, self.name, self.compute = graph, kind, name, compute
        self.inputs, self.control_inputs = list(inputs), list(graph.control_inputs)
        self.outputs: list[Tensor] = []
        self.gradient: Callable[..., Any] | None = None
        self.gradient_scope = name + "_grad"  # the name scope of the operations that compute the gradient
        self.penalty: Penalty | None = None  # which it computes
        self.differentiated: Penalty | None = None  # whose gradient by its first input, times its second, it computes
        self.fused: Fused | None = None
        self.writes = frozenset(writes)  # the names of the variables that it writes to
        self.reads = False  # whether it reads a variable: an operation that uses it gets the value at that moment
        graph.elements[name] = self

    @property
    def fusable(self) -> bool:
        """Whether it is a penalty that add_n may compute together with others."""
        return self.penalty is not None and not self.control_inputs

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Run it in the given or the default session."""
        session_or_default(session).run(self, feed_dict)

    device = ""

    def __repr__(self) -> str:
        return f"<tf.Operation {self.name!r} type={self.type}>"


def operation_of(item: Any) -> Operation:
    """Return the operation that `item` is, or that computes the tensor that `item` is or stands for."""
    element = item._as_graph_element() if isinstance(item, Operand) else item
    op = getattr(element, "op", element)
    if not isinstance(op, Operation):
        raise TypeError(f"Can not convert a {type(item).__name__} into a Tensor or Operation.")
    return op


class Operand:
    """What Tensor, Variable and PartitionedVariable share; math_ops.py and array_ops.py add the operators."""

    __slots__ = ()
    __array_priority__ = 100
    __array_ufunc__ = None
    graph: Any

    def _as_tensor(self) -> Tensor:
        """Return what stands for it in expressions."""
        raise NotImplementedError

    def _as_graph_element(self) -> Tensor:
        """Return what stands for it in fetches, feeds and gradients."""
        return self._as_tensor()

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"{type(self).__name__!r} object is not iterable.")

    def __array__(self, *options: Any) -> Any:
        raise NotImplementedError(f"Cannot convert a symbolic Tensor ({self._as_graph_element().name}) to a numpy array.")


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

    def _as_tensor(self) -> Tensor:
        return self

    def __iter__(self) -> Iterator[Any]:
        raise _not_allowed("iterating over `tf.Tensor`")

    def __bool__(self) -> bool:
        raise _not_allowed("using a `tf.Tensor` as a Python `bool`")

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Return its value in the given or the default session."""
        return session_or_default(session).run(self, feed_dict)

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
    writes: Iterable[str] = (),
    tensor: type[Tensor] = Tensor,
) -> Any:
    """Make an operation and its tensor. A name that ends in a slash is the name of a scope and is taken as it is."""
    graph = graph_of(inputs) or get_default_graph()
    op = Operation(graph, kind, _op_name(graph, name or kind), inputs, compute, writes)
    op.gradient = gradient
    return tensor(op, as_dtype(dtype), shape)


def _op_name(graph: Graph, name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r}")
    return name[:-1] if name.endswith("/") else graph.unique_name(name)


def as_outputs(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Let tensors, made under one name, be the outputs of one operation, in this order: `name:0`, `name:1`, ..."""
    outputs = list(tensors)
    for t in outputs:
        t.op.outputs = outputs
    if outputs:
        outputs[0].graph.elements[outputs[0].op.name] = outputs[0].op
    return outputs


def rename(tensor: Tensor, name: str) -> Tensor:
    """Give a tensor's operation another name, one of the form of `make`."""
    op = tensor.op
    del op.graph.elements[op.name]
    op.name = _op_name(op.graph, name)
    op.gradient_scope = op.name + "_grad"
    op.graph.elements[op.name] = op
    return tensor


def make_operation(
    kind: str, name: str | None, inputs: Sequence[Tensor], compute: Callable[..., Any], after: Sequence[Any],
    writes: Iterable[str] = (),
) -> Operation:  # fmt: skip
    """Make an operation without a tensor: one that writes to variables, or only waits for others."""
    graph = graph_of([*inputs, *after]) or get_default_graph()
    op = Operation(graph, kind, _op_name(graph, name or kind), inputs, compute, writes)
    op.control_inputs += after
    return op


class _Sessions(threading.local):
    def __init__(self) -> None:
        self.stack: list[Any] = []


default_sessions = _Sessions()


def get_default_session() -> Any:
    """Return the innermost session of a ``with`` block."""
    return default_sessions.stack[-1] if default_sessions.stack else None


def session_or_default(session: Any) -> Any:
    """Return `session`, or else the default one."""
    session = session or get_default_session()
    if session is None:
        raise ValueError(
            "Cannot evaluate tensor using `eval()`: No default session is registered. Use `with sess.as_default()` or pass an "
            "explicit session to `eval(session=sess)`"
        )
    return session
