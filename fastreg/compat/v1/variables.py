"""TensorFlow 1's variables: the core's, as tensors whose values are those of the session that runs, and their losses.

ACCEPTED lists, in one place, the arguments that are taken and not looked at: they say where or how TensorFlow keeps a
variable or computes, and cannot matter to an array. How a variable is found again stands in scopes.py.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastreg import variables as core
from fastreg.compat.v1.array_ops import concat
from fastreg.compat.v1.control_flow_ops import group
from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.dtypes import DType, as_dtype
from fastreg.compat.v1.graph import Graph, Operand, Operation, Tensor, get_default_graph, make, name_scope, session_or_default
from fastreg.compat.v1.init_ops import glorot_uniform_initializer, zeros_initializer
from fastreg.compat.v1.math_ops import identity
from fastreg.compat.v1.penalties import penalty
from fastreg.compat.v1.session import Session
from fastreg.compat.v1.state_ops import assign, assign_add, assign_sub, read_cell
from fastreg.compat.v1.tensor_shape import TensorShape
from fastreg.graph import GraphKeys, get_collection
from fastreg.kernels import Penalty
from fastreg.regularizers.custom import overrides
from fastreg.regularizers.scales import is_disabled
from fastreg.terms import RegularizationLoss

ACCEPTED = {
    "a_is_sparse", "aggregation", "aggregation_method", "b_is_sparse", "caching_device", "colocate_gradients_with_ops",
    "config", "device", "device_name_or_function", "expected_shape", "gate_gradients", "meta_graph_suffix", "num", "options",
    "partition_strategy", "restore_sequentially", "run_metadata", "sharded", "shift", "sorted", "target", "use_cudnn_on_gpu",
    "use_locking", "use_resource", "validate_indices", "write_meta_graph", "write_version",
}  # fmt: skip


class VariableSynchronization(enum.Enum):
    """When the copies of a distributed variable are combined; here there is one copy."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """How the copies of a distributed variable are combined."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3


class PenaltyLoss(Tensor, RegularizationLoss):  # type: ignore[misc]
    """A variable's loss under a regularizer of the family: a tensor here, and a term for the core."""

    def of(self, variable: Variable, regularizer: Penalty) -> PenaltyLoss:
        """Say whose loss it is."""
        RegularizationLoss.__init__(self, variable, regularizer, self.op.name)
        return self


def loss_of(regularizer: Any, variable: Any) -> Any:
    """Return the loss tensor of a regularizer of the core's, or of one made of tensors, or None."""
    if not isinstance(regularizer, Penalty) or overrides(regularizer, "__call__"):
        return regularizer(variable)
    if is_disabled(regularizer):
        return None
    name = regularizer.name  # type: ignore[attr-defined]
    if not isinstance(variable, Variable):
        return penalty(regularizer, variable, name)
    loss: PenaltyLoss = penalty(regularizer, variable, name, tensor=PenaltyLoss)
    return loss.of(variable, regularizer)


class Variable(Operand, core.Variable):  # type: ignore[misc]
    """A variable: the core's, which holds a value once its initializer has run in a session."""

    __slots__ = ("_initial", "_loss", "_read", "_regularizer", "cell", "initializer", "op")

    def __init__(
        self, initial_value: Any = None, trainable: bool | None = None, collections: Any = None, validate_shape: bool = True,
        caching_device: Any = None, name: str | None = None, variable_def: None = None, dtype: Any = None,
        expected_shape: Any = None, import_scope: None = None, constraint: Any = None, use_resource: bool | None = None,
        synchronization: Any = VariableSynchronization.AUTO, aggregation: Any = VariableAggregation.NONE, shape: Any = None,
        regularizer: Any = None,
    ) -> None:  # fmt: skip
        if variable_def is not None or import_scope is not None or shape is not None:
            raise NotImplementedError("Variable: variable_def, import_scope and shape are outside fastreg.compat.v1")
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        if constraint is not None and not callable(constraint):
            raise ValueError("The `constraint` argument must be a callable.")
        if trainable is None:
            trainable = synchronization is not VariableSynchronization.ON_READ
        keys = self.collection_keys(collections, trainable)
        graph = get_default_graph()
        store_name = name or "Variable"
        self.cell: list[Any] = [None]  # its item is the array, in the session that runs
        with graph.control_dependencies(None):
            with graph.name_scope(store_name) as scope:
                if callable(initial_value):
                    with graph.name_scope("Initializer"):
                        initial_value = initial_value()
                self._initial = convert_to_tensor(
                    initial_value, None if dtype is None else as_dtype(dtype).base_dtype, "initial_value"
                )
            if validate_shape and not self._initial.shape.is_fully_defined():
                raise ValueError(f"initial_value must have a shape specified: {self._initial}")
            kind, known = self._initial.dtype.base_dtype, self._initial.shape
            with graph.name_scope(None):
                ref = make("VariableV2", scope, [], lambda: read_cell(self), DType(kind.dtype, ref=True), known)
                self.op: Operation = ref.op
                self.register(self.cell, self.op.name, trainable, keys, constraint)
                self.initializer = assign(self, self._initial, validate_shape, name=scope + "Assign/").op
                self._read: Tensor = make("Identity", scope + "read/", [ref], lambda a: a, kind, known, lambda op, g: [g])
                self.op.reads = self._read.op.reads = True
        graph.cells.append(self.cell)
        self._loss, self._regularizer = None, None
        if regularizer is not None:
            with name_scope(store_name + "/Regularizer/"):
                self._file(regularizer)

    def _file(self, regularizer: Any) -> None:
        """Replace the variable's loss in the collection by that of `regularizer`."""
        loss = None if regularizer is None else loss_of(regularizer, self)
        with self.graph.lock:
            listed = self.graph.get_collection_ref(GraphKeys.REGULARIZATION_LOSSES)
            if self._loss is not None:
                listed[:] = [item for item in listed if item is not self._loss]
            if loss is not None:
                listed.append(loss)
            self._loss, self._regularizer = loss, regularizer

    @property
    def regularizer(self) -> Any:
        """The regularizer of its loss. Setting it replaces the loss in the collection; None takes the loss out."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, regularizer: Any) -> None:
        with self.graph.as_default(), self.graph.name_scope(self.op.name + "/Regularizer/"):
            self._file(regularizer)

    @classmethod
    def bind_initializer(cls, name: str, initializer: Any, shape: Any, dtype: Any, info: Any) -> Any:
        """Return what the constructor takes: a value or tensor, or a function without arguments that returns one."""
        kind = as_dtype(dtype)
        if initializer is None:
            initializer = glorot_uniform_initializer() if kind.is_floating else zeros_initializer()
        if inspect.isclass(initializer):
            initializer = initializer()
        if not callable(initializer):
            return initializer
        parameters = core.parameters_of(initializer)
        if shape is not None and None not in shape:
            more = {"partition_info": info} if "partition_info" in parameters else {}
            return lambda: initializer(list(shape), dtype=kind, **more)
        if shape is None and all(p.default is not p.empty for p in parameters.values()):
            return initializer
        raise ValueError(
            "The initializer passed is not valid. It should be a callable with no arguments and the shape should not be "
            "provided or an instance of `tf.keras.initializers.*' and `shape` should be fully defined."
        )

    @classmethod
    def partitioner_arguments(cls, shape: Any, dtype: Any) -> dict[str, Any]:
        """Return the keyword arguments of a partitioner, as TensorFlow's types."""
        return {"shape": TensorShape(shape), "dtype": as_dtype(dtype)}

    def __bool__(self) -> bool:  # as in TensorFlow, where a variable has no truth value of its own, no length and no items to set
        return True

    def __len__(self) -> int:
        raise TypeError(f"object of type {type(self).__name__!r} has no len()")

    def __setitem__(self, *item: Any) -> None:
        raise TypeError(f"{type(self).__name__!r} object does not support item assignment")

    def __float__(self) -> float:
        raise TypeError(f"float() argument must be a string or a real number, not {type(self).__name__!r}")

    def _as_tensor(self) -> Tensor:
        return self._read

    def _as_graph_element(self) -> Tensor:
        return self.op.outputs[0]

    @property
    def _shared_name(self) -> str:
        return self.op.name

    @property
    def dtype(self) -> Any:
        """The dtype, marked as that of a variable."""
        return self.op.outputs[0].dtype

    @property
    def shape(self) -> Any:
        """What is known of the shape."""
        return self.op.outputs[0].shape

    device = ""

    def get_shape(self) -> TensorShape:
        """Return what is known of the shape."""
        return self.op.outputs[0].shape

    def eval(self, session: Session | None = None) -> Any:
        """Return its value in the given or the default session."""
        return session_or_default(session).run(self)

    def value(self) -> Tensor:  # type: ignore[override]
        """Return the value as a tensor."""
        return self._as_tensor()

    def read_value(self) -> Any:
        """Return a tensor that reads the value anew."""
        return identity(self, name="read")

    @property
    def initial_value(self) -> Tensor:
        """What the initializer assigns."""
        return self._initial

    def initialized_value(self) -> Any:
        """Return the value, or the initial value while the variable is not initialized."""
        cell = self.cell
        pick = lambda a: a if cell[0] is None else cell[0]  # noqa: E731
        return make("InitializedValue", None, [self._initial], pick, self._initial.dtype, self._initial.shape)

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Return an operation that sets the value."""
        out = assign(self, value, name=name)
        return out if read_value else out.op

    def assign_add(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Return an operation that adds to the value."""
        out = assign_add(self, delta, name=name)
        return out if read_value else out.op

    def assign_sub(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Return an operation that subtracts from the value."""
        out = assign_sub(self, delta, name=name)
        return out if read_value else out.op

    def load(self, value: Any, session: Session | None = None) -> None:
        """Set the value at once."""
        session_or_default(session).run(self.initializer, {self._initial: value})

    def __repr__(self) -> str:
        return f"<tf.Variable {self.name!r} shape={self.shape} dtype={self.dtype.name}>"


class PartitionedVariable(Operand, core.PartitionedVariable):  # type: ignore[misc]
    """A variable in parts; as a tensor it is the whole."""

    __iter__ = core.PartitionedVariable.__iter__

    @property
    def graph(self) -> Graph:
        """Its graph."""
        graph: Graph = self.parts[0].graph
        return graph

    @property
    def shape(self) -> TensorShape:
        """The shape of the whole."""
        return TensorShape(super().shape)

    @property
    def dtype(self) -> DType:
        """The dtype."""
        return as_dtype(self.parts[0].dtype.base_dtype)

    def get_shape(self) -> TensorShape:
        """Return the shape of the whole."""
        return self.shape

    def as_tensor(self) -> Any:
        """Return the whole as a tensor."""
        graph = self.graph
        with graph.as_default(), graph.name_scope(self.name + "/ConcatPartitions/"):
            whole = concat(self.parts, self.axis)
        with graph.as_default(), graph.name_scope(None):
            return identity(whole, name=self.name)

    _as_tensor = _as_graph_element = as_tensor


Variable.partitioned_class = PartitionedVariable


def local_variables(scope: str | None = None) -> list[Any]:
    """Return the default graph's local variables."""
    return get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def variables_initializer(var_list: Sequence[Any], name: str = "init") -> Operation:
    """Return an operation that gives variables their initial values."""
    return group(*[v.initializer for v in var_list], name=name)


def global_variables_initializer() -> Operation:
    """Return an operation that gives all variables their initial values."""
    return variables_initializer(core.global_variables())


def local_variables_initializer() -> Operation:
    """Return an operation that gives the local variables their initial values."""
    return variables_initializer(local_variables())


def is_variable_initialized(variable: Any) -> Any:
    """Return a tensor that tells whether a variable has a value."""
    cell = variable.cell
    return make("IsVariableInitialized", None, [], lambda: np.array(cell[0] is not None), "?", ())


def report_uninitialized_variables(var_list: Sequence[Any] | None = None, name: str = "report_uninitialized_variables") -> Any:
    """Return a tensor of the names of the variables that have no value, by default of all global and local ones."""
    variables = core.global_variables() + local_variables() if var_list is None else list(var_list)

    def compute() -> Any:
        return np.array([v.op.name.encode() for v in variables if v.cell[0] is None], object)

    with name_scope(name) as scope:
        return make("Report", scope + "boolean_mask/GatherV2/", [], compute, "string", [None])
