"""TensorFlow 1's variables and initializers: the core's store, scopes, reuse, partitions and collections, used as they are.

ACCEPTED lists, in one place, the arguments that are taken and not looked at: they say where or how TensorFlow keeps a
variable or computes, and cannot matter to an array.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastreg import variables as core
from fastreg.compat.v1 import ops
from fastreg.compat.v1.framework import (
    DType,
    FailedPreconditionError,
    Graph,
    Operand,
    Operation,
    Session,
    Tensor,
    TensorShape,
    _graph_of,
    _session,
    as_dtype,
    constant,
    convert_to_tensor,
    get_default_graph,
    make,
    name_scope,
)
from fastreg.graph import GraphKeys, get_collection
from fastreg.kernels import Penalty
from fastreg.losses import RegularizationLoss

ACCEPTED = {
    "a_is_sparse", "aggregation", "aggregation_method", "b_is_sparse", "caching_device", "colocate_gradients_with_ops", "config",
    "expected_shape", "gate_gradients", "partition_strategy", "target", "use_cudnn_on_gpu", "use_locking", "use_resource",
}  # fmt: skip


class VariableSynchronization(enum.Enum):
    """When a distributed variable is brought together; here it never is apart."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """How a distributed variable is brought together."""

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
    if not isinstance(regularizer, Penalty):
        return regularizer(variable)
    name = regularizer.name  # type: ignore[attr-defined]
    if not isinstance(variable, Variable):
        return ops.penalty(regularizer, variable, name)
    loss: PenaltyLoss = ops.penalty(regularizer, variable, name, tensor=PenaltyLoss)
    return loss.of(variable, regularizer)


class Variable(core.Variable, Operand):
    """A variable: the core's, which holds a value once its initializer has run in a session."""

    __slots__ = ("_initial", "_loss", "_read", "_regularizer", "cell", "constraint", "initializer", "op")

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
                self.register(self.cell, self.op.name, trainable, keys)
                self.initializer = assign(self, self._initial, name=scope + "Assign/").op
                self._read: Tensor = make("Identity", scope + "read/", [ref], lambda a: a, kind, known, lambda op, g: [g])
        graph.cells.append(self.cell)
        self.constraint, self._loss, self._regularizer = constraint, None, None
        if regularizer is not None:
            with name_scope(store_name + "/Regularizer/"):
                self._file(regularizer)

    def _file(self, regularizer: Any) -> None:
        """Put the loss of `regularizer` in the place of the one there was."""
        loss = None if regularizer is None else loss_of(regularizer, self)
        listed = self.graph.get_collection_ref(GraphKeys.REGULARIZATION_LOSSES)
        if self._loss is not None:
            listed[:] = [item for item in listed if item is not self._loss]
        if loss is not None:
            listed.append(loss)
        self._loss, self._regularizer = loss, regularizer

    @property
    def regularizer(self) -> Any:
        """What its loss is made by; setting it puts another loss into the collection, None takes it out."""
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

    def _as_tensor(self) -> Tensor:
        return self._read

    def _as_graph_element(self) -> Tensor:
        return self.op.outputs[0]

    @property
    def _shared_name(self) -> str:
        return self.op.name

    @property
    def dtype(self) -> Any:
        """The dtype, marked as a variable's own."""
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
        return _session(session).run(self)

    def value(self) -> Tensor:  # type: ignore[override]
        """Return the value as a tensor."""
        return self._as_tensor()

    def read_value(self) -> Any:
        """Return a tensor that reads the value anew."""
        return ops.identity(self, name="read")

    @property
    def initial_value(self) -> Tensor:
        """What the initializer assigns."""
        return self._initial

    def initialized_value(self) -> Any:
        """Return the value, or the initial one as long as there is none."""
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
        _session(session).run(self.initializer, {self._initial: value})

    def __repr__(self) -> str:
        return f"<tf.Variable {self.name!r} shape={self.shape} dtype={self.dtype.name}>"


class PartitionedVariable(core.PartitionedVariable, Operand):
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
            whole = ops.concat(self.parts, self.axis)
        with graph.as_default(), graph.name_scope(None):
            return ops.identity(whole, name=self.name)

    _as_tensor = _as_graph_element = as_tensor


Variable.partitioned_class = PartitionedVariable


def read_cell(variable: Variable) -> Any:
    """Return a variable's array, or say that it has none yet."""
    array, op = variable.cell[0], variable.op
    if array is None:
        raise FailedPreconditionError(op, f"Attempting to use uninitialized value {op.name}\n\t [[{{{{node {op.name}/read}}}}]]")
    return array


def _assignment(kind: str, combine: Callable[[Any, Any], Any] | None) -> Callable[..., Any]:
    def function(
        ref: Any, value: Any, validate_shape: bool | None = None, use_locking: bool | None = None, name: str | None = None
    ) -> Any:
        if not isinstance(ref, Variable):
            raise TypeError(f"{kind}: ref must be a variable, not {ref!r}")
        target, cell = ref.op.outputs[0], ref.cell
        x = convert_to_tensor(value, target.dtype.base_dtype, name="value")
        if validate_shape is not False and (differ := ops.mismatch(target, x)):
            raise ValueError(
                f"{differ} for {name or kind!r} (op: {kind!r}) with input shapes: {ops.shown(target)}, {ops.shown(x)}."
            )

        def compute(*arrays: Any) -> Any:
            value = arrays[-1] if combine is None else combine(*arrays)
            if cell[0] is None or cell[0].shape != value.shape:
                cell[0] = np.array(value, target.dtype.dtype, order="C")
            else:  # in place, so that what is read in this run after it reads the new value
                cell[0][...] = value
            return cell[0]

        return make(kind, name, [x] if combine is None else [target, x], compute, target.dtype, target.shape, changes=True)

    return function


assign = _assignment("Assign", None)
assign_add = _assignment("AssignAdd", np.add)
assign_sub = _assignment("AssignSub", np.subtract)


# making and finding


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
        constraint=getattr(scope, "constraint", None) if constraint is None else constraint,
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
            auxiliary_name_scope=auxiliary_name_scope,
        )
        self._constraint, self._graph = constraint, _graph_of([v for v in values or () if isinstance(v, Operand)])
        self._graphs = contextlib.ExitStack()

    def __enter__(self) -> core.VariableScope:
        if self._graph is not None:
            self._graphs.enter_context(self._graph.as_default())
        scope = super().__enter__()
        scope.constraint = self._constraint  # type: ignore[attr-defined]  # as TensorFlow has it, not inherited
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


def local_variables(scope: str | None = None) -> list[Any]:
    """Return the default graph's local variables."""
    return get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def variables_initializer(var_list: Sequence[Any], name: str = "init") -> Operation:
    """Return an operation that gives variables their initial values."""
    return ops.group(*[v.initializer for v in var_list], name=name)


def global_variables_initializer() -> Operation:
    """Return an operation that gives all variables their initial values."""
    return variables_initializer(core.global_variables())


def local_variables_initializer() -> Operation:
    """Return an operation that gives the local variables their initial values."""
    return variables_initializer(local_variables())


# initializers


def _initializer(name: str, defaults: dict[str, Any], draw: Callable[..., Any]) -> Any:
    """Make a class of initializers: its arguments with their defaults, and what they draw for a shape, a dtype and a part."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        self.__dict__.update(bound.arguments)

    def __call__(self: Any, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:  # noqa: N807
        kind = as_dtype(dtype if dtype is not None else self.dtype)
        return draw(self, list(TensorShape(shape).as_list()), kind, partition_info)

    signature = inspect.Signature([
        inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value) for key, value in defaults.items()
    ])  # fmt: skip
    return type(name, (), {"__init__": __init__, "__call__": __call__})


def _constant(self: Any, shape: Any, kind: DType, part: Any) -> Any:
    return constant(self.value, kind, shape, verify_shape=self.verify_shape)


def _scaled(self: Any, shape: Any, kind: DType, part: Any) -> Any:
    fan_in, fan_out = core.fans(part.full_shape if part is not None else shape)
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
    scale = self.scale / max(1.0, n)
    if self.distribution == "uniform":
        limit = math.sqrt(3.0 * scale)
        return ops.random_uniform(shape, -limit, limit, kind, self.seed)
    if self.distribution == "untruncated_normal":
        return ops.random_normal(shape, 0.0, math.sqrt(scale), kind, self.seed)
    # A normal cut at two deviations has this deviation itself.
    return ops.truncated_normal(shape, 0.0, math.sqrt(scale) / 0.87962566103423978, kind, self.seed)


def _orthogonal(self: Any, shape: Any, kind: DType, part: Any) -> Any:
    if len(shape) < 2:
        raise ValueError("The tensor to initialize must be at least two-dimensional")
    rows, columns = math.prod(shape[:-1]), shape[-1]
    normal = ops.random_normal([max(rows, columns), min(rows, columns)], dtype="f8", seed=self.seed)

    def compute(a: Any) -> Any:
        q, r = np.linalg.qr(a)
        q = q * np.sign(np.diag(r))
        return (self.gain * (q.T if rows < columns else q)).reshape(shape).astype(kind.dtype)

    return make("Orthogonal", None, [normal], compute, kind, shape)


zeros_initializer = _initializer("zeros_initializer", {"dtype": "f4"}, lambda self, shape, kind, part: ops.zeros(shape, kind))
ones_initializer = _initializer("ones_initializer", {"dtype": "f4"}, lambda self, shape, kind, part: ops.ones(shape, kind))
constant_initializer = _initializer("constant_initializer", {"value": 0, "dtype": "f4", "verify_shape": False}, _constant)
random_uniform_initializer = _initializer(
    "random_uniform_initializer", {"minval": 0, "maxval": None, "seed": None, "dtype": "f4"},
    lambda self, shape, kind, part: ops.random_uniform(shape, self.minval, self.maxval, kind, self.seed),
)  # fmt: skip
random_normal_initializer = _initializer(
    "random_normal_initializer", {"mean": 0.0, "stddev": 1.0, "seed": None, "dtype": "f4"},
    lambda self, shape, kind, part: ops.random_normal(shape, self.mean, self.stddev, kind, self.seed),
)  # fmt: skip
truncated_normal_initializer = _initializer(
    "truncated_normal_initializer", {"mean": 0.0, "stddev": 1.0, "seed": None, "dtype": "f4"},
    lambda self, shape, kind, part: ops.truncated_normal(shape, self.mean, self.stddev, kind, self.seed),
)  # fmt: skip
variance_scaling_initializer = _initializer(
    "variance_scaling_initializer",
    {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", "seed": None, "dtype": "f4"}, _scaled,
)  # fmt: skip
orthogonal_initializer = _initializer("orthogonal_initializer", {"gain": 1.0, "seed": None, "dtype": "f4"}, _orthogonal)
glorot_uniform_initializer = functools.partial(variance_scaling_initializer, 1.0, "fan_avg", "uniform")
glorot_normal_initializer = functools.partial(variance_scaling_initializer, 1.0, "fan_avg", "truncated_normal")


def xavier_initializer(uniform: bool = True, seed: int | None = None, dtype: Any = "f4") -> Any:
    """Return Glorot's initializer, as tf.contrib.layers has it."""
    return variance_scaling_initializer(1.0, "fan_avg", "uniform" if uniform else "truncated_normal", seed, dtype)
