"""What expressions are made of: TensorFlow's functions over NumPy's, and the gradients of those that a regularizer is made of.

A row of a table is one function: its name, what computes it and, where it has one, its gradient. A function without a gradient (a
convolution, an activation) can be computed but not differentiated: fastreg trains regularization terms, not whole graphs.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastreg.compat.v1.framework import (
    InvalidArgumentError,
    Operand,
    Operation,
    Tensor,
    TensorShape,
    as_dtype,
    constant,
    convert_to_tensor,
    get_default_graph,
    make,
    make_operation,
    name_scope,
    operation_of,
)
from fastreg.kernels import Penalty

_Shape = tuple[int | None, ...] | None

# shapes


def _broadcast(x: Tensor, y: Tensor, kind: str, name: str) -> _Shape:
    a, b = x.shape.raw, y.shape.raw
    if a is None or b is None:
        return None
    n = max(len(a), len(b))
    sizes: list[int | None] = []
    for p, q in zip((1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b, strict=True):
        if p is not None and q is not None and p != q and 1 not in (p, q):
            raise ValueError(
                f"Dimensions must be equal, but are {p} and {q} for {name!r} (op: {kind!r}) with input shapes: "
                f"{shown(x)}, {shown(y)}."
            )
        sizes.append(q if p == 1 else p if q == 1 else p if q is None else q)
    return tuple(sizes)


def mismatch(x: Tensor, y: Tensor) -> str | None:
    """Say in what two shapes that must be equal differ; None if they need not."""
    a, b = x.shape.raw, y.shape.raw
    if a is None or b is None:
        return None
    if len(a) != len(b):
        return f"Shapes must be equal rank, but are {len(a)} and {len(b)}"
    for i, (p, q) in enumerate(zip(a, b, strict=True)):
        if None not in (p, q) and p != q:
            return f"Dimension {i} in both shapes must be equal, but are {p} and {q}. Shapes are {shown(x)} and {shown(y)}."
    return None


def shown(x: Tensor) -> str:
    """Return what is known of a shape as TensorFlow's messages have it."""
    return "<unknown>" if x.shape.raw is None else "[" + ",".join("?" if d is None else str(d) for d in x.shape.raw) + "]"


def _dry(compute: Callable[..., Any], *tensors: Tensor) -> _Shape:
    """Return the shape of what `compute` gives, tried on arrays without memory; at two sizes where one is unknown."""
    if any(t.shape.raw is None for t in tensors):
        return None
    tried: list[tuple[int, ...]] = []
    for size in (6, 12):
        blanks = [
            np.broadcast_to(np.zeros((), t.dtype.dtype), [size if d is None else d for d in t.shape.as_list()]) for t in tensors
        ]
        try:
            tried.append(np.shape(compute(*blanks)))
        except ValueError:
            if all(t.shape.is_fully_defined() for t in tensors):
                raise
            return None
    return tuple(a if a == b else None for a, b in zip(*tried, strict=True))


# functions of one and of two tensors


def _unary(kind: str, compute: Callable[..., Any], gradient: Callable[..., Any] | None = None, op_name: str | None = None) -> Any:
    """Make a function of one tensor; `gradient` is of (x, y, g), a tensor."""

    def function(x: Any, name: str | None = None) -> Any:
        x = convert_to_tensor(x, name="x")
        rule = None if gradient is None else (lambda op, g: [gradient(op.inputs[0], op.outputs[0], g)])
        kept = lambda a: np.asarray(compute(a)).astype(a.dtype, copy=False)  # noqa: E731
        return make(kind, name or op_name or kind, [x], kept, x.dtype.base_dtype, x.shape, rule)

    function.__name__ = kind.lower()
    return function


def _sigmoid(a: Any) -> Any:
    return 0.5 * (np.tanh(0.5 * a) + 1)


negative: Any = _unary("Neg", np.negative, lambda x, y, g: -g)
sign: Any  # these are made below
multiply: Any
zeros_like: Any
abs: Any = _unary("Abs", np.abs, lambda x, y, g: g * sign(x))
sign = _unary("Sign", np.sign, lambda x, y, g: zeros_like(x))
square = _unary("Square", np.square, lambda x, y, g: multiply(g, multiply(x, 2.0)))
sqrt = _unary("Sqrt", np.sqrt, lambda x, y, g: make("SqrtGrad", None, [y, g], lambda a, b: b * 0.5 / a, g.dtype, x.shape))
rsqrt = _unary("Rsqrt", lambda a: 1 / np.sqrt(a), lambda x, y, g: g * -0.5 * y / x)
exp = _unary("Exp", np.exp, lambda x, y, g: g * y)
log = _unary("Log", np.log, lambda x, y, g: g / x)
log1p = _unary("Log1p", np.log1p, lambda x, y, g: g / (1.0 + x))
tanh = _unary("Tanh", np.tanh)
sigmoid = _unary("Sigmoid", _sigmoid)
relu = _unary("Relu", lambda a: np.maximum(a, 0))
floor = _unary("Floor", np.floor)
ceil = _unary("Ceil", np.ceil)
identity = _unary("Identity", lambda a: a, lambda x, y, g: g)
stop_gradient = _unary("StopGradient", lambda a: a, lambda x, y, g: None)
zeros_like = _unary("ZerosLike", np.zeros_like, lambda x, y, g: None, "zeros_like")
ones_like = _unary("OnesLike", np.ones_like, lambda x, y, g: None, "ones_like")


def _like(g: Tensor, x: Tensor) -> Tensor:
    """Sum `g` over what broadcasting added to `x`."""
    if g.shape.is_fully_defined() and g.shape == x.shape:
        return g

    def compute(a: Any, like: Any) -> Any:
        a = a.sum(axis=tuple(range(a.ndim - like.ndim)))
        return a.sum(axis=tuple(i for i, n in enumerate(like.shape) if n == 1 != a.shape[i]), keepdims=True)

    return make("Reduce", None, [g, x], compute, g.dtype, x.shape)  # type: ignore[no-any-return]


def _binary(
    kind: str, name: str, compute: Callable[..., Any], gradient: Callable[..., Any] | None = None, dtype: Any = None
) -> Any:
    """Make a function of two tensors; `gradient` is of (x, y, z, g), a pair."""

    def function(x: Any, y: Any, name: str | None = name) -> Any:
        x = convert_to_tensor(x) if isinstance(x, Operand) else x
        with name_scope(name, kind, [x, y]) as scope:
            if not isinstance(x, Operand) and isinstance(y, Operand):
                y = convert_to_tensor(y)
                x = convert_to_tensor(x, y.dtype.base_dtype, name="x")
            x = convert_to_tensor(x, name="x")
            try:
                y = convert_to_tensor(y, x.dtype.base_dtype, name="y")
            except (TypeError, ValueError):
                y = convert_to_tensor(y, name="y")
            if y.dtype.base_dtype != x.dtype.base_dtype:
                raise TypeError(
                    f"Input 'y' of '{kind}' Op has type {y.dtype.base_dtype.name} that does not match type "
                    f"{x.dtype.base_dtype.name} of argument 'x'."
                )

            def rule(op: Operation, g: Tensor) -> list[Any]:
                pair = gradient(*op.inputs, op.outputs[0], g)  # type: ignore[misc]
                return [_like(part, x) for part, x in zip(pair, op.inputs, strict=True)]

            known = _broadcast(x, y, kind, scope[:-1])
            kept = compute if dtype else lambda a, b: np.asarray(compute(a, b)).astype(a.dtype, copy=False)
            return make(kind, scope, [x, y], kept, dtype or x.dtype.base_dtype, known, rule if gradient else None)

    function.__name__ = name
    return function


def _chosen(better: Any) -> Any:
    return lambda x, y, z, g: (g * cast(better(x, y), g.dtype), g * (1.0 - cast(better(x, y), g.dtype)))


def _pow_gradient(x: Any, y: Any, z: Any, g: Any) -> tuple[Any, Any]:
    safe = make("SafeLog", None, [x], lambda a: np.log(np.where(a > 0, a, 1)).astype(a.dtype), x.dtype, x.shape)
    return g * y * pow(x, y - 1), g * z * safe


add = _binary("AddV2", "Add", np.add, lambda x, y, z, g: (g, g))
subtract = _binary("Sub", "Sub", np.subtract, lambda x, y, z, g: (g, -g))
multiply = _binary("Mul", "Mul", np.multiply, lambda x, y, z, g: (g * y, g * x))
truediv = divide = div = _binary("RealDiv", "truediv", np.divide, lambda x, y, z, g: (g / y, -g * z / y))
floordiv = _binary("FloorDiv", "floordiv", np.floor_divide)
floormod = _binary("FloorMod", "FloorMod", np.mod)
pow = _binary("Pow", "Pow", np.power, _pow_gradient)
maximum = _binary("Maximum", "Maximum", np.maximum, _chosen(lambda x, y: x >= y))
minimum = _binary("Minimum", "Minimum", np.minimum, _chosen(lambda x, y: x <= y))
squared_difference = _binary(
    "SquaredDifference", "SquaredDifference", lambda a, b: (a - b) ** 2, lambda x, y, z, g: (2 * g * (x - y), 2 * g * (y - x))
)
greater = _binary("Greater", "Greater", np.greater, dtype="?")
greater_equal = _binary("GreaterEqual", "GreaterEqual", np.greater_equal, dtype="?")
less = _binary("Less", "Less", np.less, dtype="?")
less_equal = _binary("LessEqual", "LessEqual", np.less_equal, dtype="?")
equal = _binary("Equal", "Equal", np.equal, dtype="?")
not_equal = _binary("NotEqual", "NotEqual", np.not_equal, dtype="?")
logical_and = _binary("LogicalAnd", "LogicalAnd", np.logical_and, dtype="?")
logical_or = _binary("LogicalOr", "LogicalOr", np.logical_or, dtype="?")

# An operator's operation is named after the operator: 2 * x is mul, tf.multiply(2, x) is Mul.
_OPERATORS = {
    "add": (add, "add"), "sub": (subtract, "sub"), "mul": (multiply, "mul"), "truediv": (truediv, "truediv"),
    "floordiv": (floordiv, "floordiv"), "mod": (floormod, "mod"), "pow": (pow, "pow"),
}  # fmt: skip
for _key, (_f, _name) in _OPERATORS.items():
    setattr(Operand, f"__{_key}__", lambda x, y, f=_f, name=_name: f(x, y, name=name))
    setattr(Operand, f"__r{_key}__", lambda x, y, f=_f, name=_name: f(y, x, name=name))
for _key, _f in {"lt": less, "le": less_equal, "gt": greater, "ge": greater_equal}.items():
    setattr(Operand, f"__{_key}__", lambda x, y, f=_f: f(x, y))
setattr(Operand, "__neg__", negative)  # noqa: B010
setattr(Operand, "__abs__", abs)  # noqa: B010


def where(condition: Any, x: Any, y: Any, name: str | None = None) -> Any:
    """Return `x` where the condition holds, else `y`."""
    c, a = convert_to_tensor(condition), convert_to_tensor(x)
    b = convert_to_tensor(y, a.dtype.base_dtype)
    rule = lambda op, g: [None, where(c, g, zeros_like(g)), where(c, zeros_like(g), g)]  # noqa: E731
    return make("Select", name, [c, a, b], np.where, a.dtype.base_dtype, a.shape, rule)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """Return `x` with another dtype; itself if it has that already."""
    x, wanted = convert_to_tensor(x), as_dtype(dtype).base_dtype
    if x.dtype.base_dtype == wanted:
        return x
    return make("Cast", name, [x], lambda a: a.astype(wanted.dtype), wanted, x.shape, lambda op, g: [cast(g, op.inputs[0].dtype)])


def to_float(x: Any, name: str = "ToFloat") -> Any:
    """Return `x` as float32."""
    return cast(x, "f4", name)


# reductions


def _axes(axis: Any, rank: int | None) -> tuple[int, ...] | None:
    if axis is None:
        return None
    axes = tuple(int(a) for a in (axis if hasattr(axis, "__iter__") else [axis]))
    return axes if rank is None else tuple(a + rank if a < 0 else a for a in axes)


def _reduced(shape: _Shape, axes: tuple[int, ...] | None, keepdims: bool) -> _Shape:
    if shape is None:
        return () if axes is None and not keepdims else None
    gone = range(len(shape)) if axes is None else axes
    if any(a >= len(shape) or a < 0 for a in gone):
        raise ValueError(f"Invalid reduction dimension {list(gone)} for input with {len(shape)} dimensions")
    return tuple(1 if i in gone else n for i, n in enumerate(shape) if keepdims or i not in gone)


def _sum_gradient(x: Any, y: Any, g: Any, spread: Callable[[Any], Any]) -> Any:
    return make("Tile", None, [spread(g), x], lambda a, like: np.broadcast_to(a, like.shape), g.dtype, x.shape)


def _reduction(kind: str, compute: Callable[..., Any], gradient: Callable[..., Any] | None, dtype: Any = None) -> Any:
    def function(
        input_tensor: Any, axis: Any = None, keepdims: bool | None = None, name: str | None = None, reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Any:  # fmt: skip
        x = convert_to_tensor(input_tensor, name="input")
        axis = reduction_indices if axis is None else axis
        keep = bool(keepdims or keep_dims)
        axes = _axes(axis, x.shape.ndims)
        if axes is None:
            x.graph.unique_name("Const")  # the axes' own constant, which later names count
        reduced = _reduced(x.shape.raw, axes, True)

        def rule(op: Operation, g: Tensor) -> list[Any]:
            def spread(t: Tensor) -> Tensor:
                if keep:
                    return t
                back = lambda a, like: a.reshape(_reduced(like.shape, axes, True))  # noqa: E731
                return make("Reshape", None, [t, x], back, t.dtype, reduced)  # type: ignore[no-any-return]

            return [gradient(x, op.outputs[0], g, spread)]  # type: ignore[misc]

        kept = lambda a: np.asarray(compute(a, axis=axes, keepdims=keep)).astype(dtype or a.dtype, copy=False)  # noqa: E731
        shape = _reduced(x.shape.raw, axes, keep)
        return make(kind, name or kind, [x], kept, dtype or x.dtype.base_dtype, shape, rule if gradient else None)

    return function


def _wide(f: Callable[..., Any]) -> Callable[..., Any]:
    """Sum float32 in float64: not worse than TensorFlow, whatever the size."""
    return lambda a, **kwargs: f(a, dtype=np.float64 if a.dtype.kind == "f" else a.dtype, **kwargs)


def _mean_gradient(x: Any, y: Any, g: Any, spread: Callable[[Any], Any]) -> Any:
    count = cast(size(x), g.dtype) / maximum(cast(size(y), g.dtype), 1)
    return _sum_gradient(x, y, g, spread) / count


def _extreme_gradient(x: Any, y: Any, g: Any, spread: Callable[[Any], Any]) -> Any:
    def compute(a: Any, extreme: Any, slope: Any) -> Any:
        hit = (a == extreme).astype(a.dtype)
        reduced = tuple(i for i, n in enumerate(extreme.shape) if n != a.shape[i])
        return hit * slope / hit.sum(axis=reduced, keepdims=True)

    return make("ExtremeGrad", None, [x, spread(y), spread(g)], compute, g.dtype, x.shape)


reduce_sum = _reduction("Sum", _wide(np.sum), _sum_gradient)
reduce_mean = _reduction("Mean", _wide(np.mean), _mean_gradient)
reduce_max = _reduction("Max", np.max, _extreme_gradient)
reduce_min = _reduction("Min", np.min, _extreme_gradient)
reduce_prod = _reduction("Prod", np.prod, None)
reduce_any = _reduction("Any", np.any, None, np.dtype("?"))
reduce_all = _reduction("All", np.all, None, np.dtype("?"))


def add_n(inputs: Any, name: str | None = None) -> Any:
    """Return the sum of a list of tensors. Its penalties are one call of the kernels, however many there are."""
    if isinstance(inputs, Tensor) or not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError("inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and shape")
    tensors = [convert_to_tensor(t) for t in inputs]
    if len(tensors) == 1:
        return identity(tensors[0], name=name) if name else tensors[0]
    first = tensors[0]
    if any(t.dtype.base_dtype != first.dtype.base_dtype for t in tensors):
        names = ", ".join(t.dtype.base_dtype.name for t in tensors)
        raise TypeError(f"Tensors in list passed to 'inputs' of 'AddN' Op have types [{names}] that don't all match.")
    for t in tensors[1:]:
        if differ := mismatch(first, t):
            raise ValueError(
                f"{differ}\n\tFrom merging shape 0 with other shapes. for '{name or 'AddN'}' (op: 'AddN') with input shapes: "
                f"{', '.join(map(shown, tensors))}."
            )
    shape = next((t.shape for t in tensors if t.shape.is_fully_defined()), first.shape)
    out = make("AddN", name, tensors, lambda *arrays: sum(arrays[1:], start=arrays[0]), first.dtype.base_dtype, shape)
    out.op.gradient = lambda op, g: [g] * len(op.inputs)
    if any(t.op.fusable for t in tensors):
        out.op.fused = [t.op.inputs[0] if t.op.fusable else t for t in tensors]
    return out


def penalty(regularizer: Any, weights: Any, name: str | None = None, kind: str | None = None, tensor: Any = Tensor) -> Any:
    """Return the loss of a regularizer of the core's family for a tensor: a node that holds the regularizer itself."""
    weights = convert_to_tensor(weights)
    if not weights.dtype.is_floating:
        kept = weights.dtype.base_dtype.name
        if regularizer is _L2_LOSS:
            allowed = "float16, bfloat16, float32, float64"
            raise TypeError(f"Value passed to parameter 't' has DataType {kept} not in list of allowed values: {allowed}")
        scale = next((c for c in regularizer.coefficients if c), 0.0)
        raise TypeError(f"Expected {kept}, got {scale} of type 'float' instead.")
    kind = kind or type(regularizer).__name__
    loss = make(kind, name or kind, [weights], at_border(regularizer), weights.dtype.base_dtype, (), tensor=tensor)
    slope = at_border(regularizer.gradient)

    def by(a: Any, factor: Any) -> Any:
        found = slope(a)
        return found if factor == 1 else found * factor

    # TensorFlow's parts, of which a penalty is the whole, name the gradient.
    l1, l2 = regularizer.coefficients
    part = "AddN" if l1 and l2 else "Abs" if l1 else "L2Loss"
    if part == "AddN":
        loss.op.gradient_scope = ""
    elif kind != "L2Loss":
        loss.op.gradient_scope = f"{loss.op.name}/{part}_grad"
    last = "AddN" if part == "AddN" else "mul"
    loss.op.gradient = lambda op, g: [make("PenaltyGrad", last, [weights, g], by, weights.dtype, weights.shape)]
    if weights.dtype.base_dtype != "float16":
        loss.op.penalty = regularizer
    return loss


def at_border(f: Callable[..., Any]) -> Callable[[Any], Any]:
    """Bring an array to the kernels' border: contiguous, and float16 by way of float32."""

    def compute(a: Any) -> Any:
        wide = np.asarray(a, np.float32 if a.dtype == np.float16 else None, order="A" if a.flags.f_contiguous else "C")
        return np.asarray(f(wide)).astype(a.dtype, copy=False)

    return compute


class _L2Loss(Penalty):
    def __init__(self) -> None:
        self._set(0.0, 1.0)


_L2_LOSS = _L2Loss()


def l2_loss(t: Any, name: str | None = None) -> Any:
    """Return sum(t**2) / 2: a penalty like the others, so that a sum of many is one call of the kernels."""
    return penalty(_L2_LOSS, t, name, "L2Loss")


# making and rearranging


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Any:
    """Return a tensor whose value each run is given in `feed_dict`."""
    kind, sizes = as_dtype(dtype), TensorShape(shape)

    def compute() -> Any:
        known = "" if sizes.raw is None else f" and shape {shown(out)}"
        label = {"float32": "float", "float64": "double"}.get(kind.name, kind.name)
        raise InvalidArgumentError(
            out.op, f"You must feed a value for placeholder tensor {out.op.name!r} with dtype {label}{known}"
        )

    out = make("Placeholder", name, [], compute, kind, sizes)
    return out


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Any:
    """Return a tensor that may be fed, and else is `input`."""
    x = convert_to_tensor(input)
    return make("PlaceholderWithDefault", name, [x], lambda a: a, x.dtype, shape, lambda op, g: [g])


def _sizes(shape: Any) -> tuple[Tensor, _Shape]:
    """Return a shape as a tensor, and what is known of it."""
    if isinstance(shape, (Tensor, list, tuple)) and _any_tensor(shape):
        return cast(convert_to_tensor(shape), "i4"), None
    known = TensorShape(shape)
    return constant(np.array(known.as_list(), np.int32), name="shape"), known.raw


def _any_tensor(shape: Any) -> bool:
    return isinstance(shape, Tensor) or any(isinstance(d, Tensor) for d in shape)


def fill(dims: Any, value: Any, name: str | None = None) -> Any:
    """Return a tensor of one value."""
    with name_scope(name, "Fill") as scope:
        sizes, known = _sizes(dims)
        x = convert_to_tensor(value, name="value")
        return make("Fill", scope, [sizes, x], lambda d, v: np.full(tuple(d), v, v.dtype), x.dtype.base_dtype, known)


def zeros(shape: Any, dtype: Any = "f4", name: str | None = None) -> Any:
    """Return zeros."""
    return fill(shape, np.zeros((), as_dtype(dtype).dtype), name or "zeros")


def ones(shape: Any, dtype: Any = "f4", name: str | None = None) -> Any:
    """Return ones."""
    return fill(shape, np.ones((), as_dtype(dtype).dtype), name or "ones")


def eye(
    num_rows: int, num_columns: int | None = None, batch_shape: None = None, dtype: Any = "f4", name: str | None = None
) -> Any:
    """Return the identity matrix."""
    if batch_shape is not None:
        raise NotImplementedError("eye: fastreg.compat.v1 has no batch_shape; tf.tile a tf.eye")
    with name_scope(name, "eye"):
        return constant(np.eye(num_rows, num_columns, dtype=as_dtype(dtype).dtype), name="diag")


def shape(input: Any, name: str | None = None, out_type: Any = "i4") -> Any:
    """Return the shape as a tensor."""
    x, kind = convert_to_tensor(input), as_dtype(out_type)
    return make("Shape", name, [x], lambda a: np.array(a.shape, kind.dtype), kind, (x.shape.ndims,))


def size(input: Any, name: str | None = None, out_type: Any = "i4") -> Any:
    """Return the number of elements as a tensor."""
    kind = as_dtype(out_type)
    return make("Size", name, [convert_to_tensor(input)], lambda a: np.array(a.size, kind.dtype), kind, ())


def rank(input: Any, name: str | None = None) -> Any:
    """Return the number of dimensions as a tensor."""
    return make("Rank", name, [convert_to_tensor(input)], lambda a: np.array(a.ndim, np.int32), "i4", ())


def _moved(kind: str, x: Tensor, name: str | None, compute: Callable[..., Any], shape: _Shape) -> Any:
    """Make an operation that only rearranges: its gradient is put back where it came from."""

    def gradient(op: Operation, g: Tensor) -> list[Tensor]:
        def back(a: Any, like: Any) -> Any:
            out = np.zeros(like.shape, a.dtype)
            np.add.at(out.reshape(-1), compute(np.arange(like.size).reshape(like.shape)), a)
            return out

        return [make("MovedBack", None, [g, x], back, g.dtype, x.shape)]

    return make(kind, name, [x], compute, x.dtype.base_dtype, shape, gradient)


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """Return the elements in another shape."""
    x = convert_to_tensor(tensor)
    with name_scope(name, "Reshape", [x]) as scope:
        sizes, known = _sizes(shape)
    if known is not None:
        total, rest = x.shape.num_elements(), [d for d in known if d != -1]
        guess = total // max(1, math.prod(rest)) if total is not None and None not in rest else None  # type: ignore[arg-type]
        known = tuple(guess if d == -1 else d for d in known)
        if total is not None and None not in known and math.prod(known) != total:  # type: ignore[arg-type]
            to = str(list(known)).replace(" ", "")
            raise ValueError(
                f"Cannot reshape a tensor with {total} elements to shape {to} ({math.prod(known)} elements) for "  # type: ignore[arg-type]
                f"{scope[:-1]!r} (op: 'Reshape') with input shapes: {shown(x)}, [{len(known)}] and with input tensors "
                f"computed as partial shapes: input[1] = {to}."
            )
    back = lambda op, g: [make("Reshape", None, [g, x], lambda a, like: a.reshape(like.shape), g.dtype, x.shape), None]  # noqa: E731
    return make("Reshape", scope, [x, sizes], lambda a, d: a.reshape(tuple(d)), x.dtype.base_dtype, known, back)


def _rearrangement(kind: str, prepare: Callable[..., Callable[[Any], Any]]) -> Any:
    """Make a function whose other arguments are known when the graph is made."""

    def function(value: Any, *args: Any, name: str | None = None, **kwargs: Any) -> Any:
        x = convert_to_tensor(value)
        compute = prepare(*args, **kwargs)
        return _moved(kind, x, name, compute, _dry(compute, x))

    function.__name__ = kind.lower()
    return function


transpose = _rearrangement("transpose", lambda perm=None: lambda a: np.transpose(a, perm))
expand_dims = _rearrangement("ExpandDims", lambda axis=None, dim=None: lambda a: np.expand_dims(a, dim if axis is None else axis))
squeeze = _rearrangement("Squeeze", lambda axis=None: lambda a: np.squeeze(a, None if axis is None else tuple(np.ravel(axis))))
tile = _rearrangement("Tile", lambda multiples: lambda a: np.tile(a, multiples))
reverse = _rearrangement("ReverseV2", lambda axis: lambda a: np.flip(a, axis))
diag_part = _rearrangement("DiagPart", lambda: np.diagonal)
slice = _rearrangement(
    "Slice",
    lambda begin, size: operator.itemgetter(
        tuple(np.s_[b : None if n == -1 else b + n] for b, n in zip(begin, size, strict=True))
    ),
)
_strided_slice = _rearrangement("strided_slice", operator.itemgetter)
setattr(Operand, "__getitem__", lambda x, key: _strided_slice(x, _plain_key(key)))  # noqa: B010


def _plain_key(key: Any) -> Any:
    keys = key if isinstance(key, tuple) else (key,)
    if any(isinstance(k, Tensor) for k in keys):
        raise NotImplementedError("a tensor as an index is outside fastreg.compat.v1; use tf.gather")
    return key


def gather(params: Any, indices: Any, name: str | None = None, axis: int = 0) -> Any:
    """Return rows (or what `axis` says) by their indices."""
    x, rows = convert_to_tensor(params), convert_to_tensor(indices)

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        def back(a: Any, at: Any, like: Any) -> Any:
            out = np.zeros(like.shape, a.dtype)
            np.add.at(np.moveaxis(out, axis, 0), at, np.moveaxis(a, range(axis, axis + at.ndim), range(at.ndim)))
            return out

        return [make("GatherGrad", None, [g, rows, x], back, g.dtype, x.shape), None]

    known = (
        None if x.shape.raw is None or rows.shape.raw is None else x.shape.raw[:axis] + rows.shape.raw + x.shape.raw[axis + 1 :]
    )
    return make("GatherV2", name or "GatherV2", [x, rows], lambda a, i: np.take(a, i, axis), x.dtype.base_dtype, known, gradient)


def embedding_lookup(params: Any, ids: Any, partition_strategy: str = "mod", name: str | None = None) -> Any:
    """Return the rows of an embedding table."""
    tables = list(params) if isinstance(params, (list, tuple)) else [params]
    if len(tables) > 1:
        raise NotImplementedError("embedding_lookup over several tables is outside fastreg.compat.v1; tf.concat them")
    return gather(tables[0], ids, name=name or "embedding_lookup")


def concat(values: Any, axis: int, name: str = "concat") -> Any:
    """Return tensors one after the other along `axis`."""
    tensors = [convert_to_tensor(v) for v in values]
    join = lambda *arrays: np.concatenate(arrays, axis)  # noqa: E731

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        def part(i: int) -> Callable[..., Any]:
            def cut(a: Any, *like: Any) -> Any:
                start = sum(b.shape[axis] for b in like[:i])
                return np.take(a, range(start, start + like[i].shape[axis]), axis)

            return cut

        return [make("ConcatGrad", None, [g, *tensors], part(i), g.dtype, t.shape) for i, t in enumerate(tensors)]

    return make("ConcatV2", name, tensors, join, tensors[0].dtype.base_dtype, _dry(join, *tensors), gradient)


# products


def matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False, adjoint_b: bool = False,
    a_is_sparse: bool = False, b_is_sparse: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Return the matrix product."""
    x = convert_to_tensor(a, name="a")
    y = convert_to_tensor(b, x.dtype.base_dtype, name="b")
    left, right = transpose_a or adjoint_a, transpose_b or adjoint_b

    def flip(m: Any, yes: bool) -> Any:
        return np.swapaxes(m, -1, -2) if yes else m

    known = None
    if x.shape.raw is not None and y.shape.raw is not None:
        (n, k), (m, p) = x.shape.raw[-2:][:: -1 if left else 1], y.shape.raw[-2:][:: -1 if right else 1]
        if k is not None and m is not None and k != m:
            raise ValueError(
                f"Dimensions must be equal, but are {k} and {m} for {name or 'MatMul'!r} (op: 'MatMul') with input shapes: "
                f"{shown(x)}, {shown(y)}."
            )
        known = (*x.shape.raw[:-2], n, p)

    def gradient(op: Operation, g: Tensor) -> list[Tensor]:
        gx = matmul(y, g, right, True) if left else matmul(g, y, False, not right)
        gy = matmul(g, x, True, left) if right else matmul(x, g, not left, False)
        return [gx, gy]

    return make(
        "MatMul",
        name or "MatMul",
        [x, y],
        lambda p, q: np.matmul(flip(p, left), flip(q, right)),
        x.dtype.base_dtype,
        known,
        gradient,
    )


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Any:
    """Return the product over the given axes."""
    x, y = convert_to_tensor(a), convert_to_tensor(b)
    f = lambda p, q: np.tensordot(p, q, axes)  # noqa: E731
    return make("Tensordot", name, [x, y], f, x.dtype.base_dtype, _dry(f, x, y))


def trace(x: Any, name: str | None = None) -> Any:
    """Return the sum of the diagonal."""
    return reduce_sum(diag_part(x), name=name or "Trace")


def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None, name: str | None = None) -> Any:
    """Return the Euclidean, the 1- or the largest-element norm."""
    with name_scope(name, "norm", [tensor]) as scope:
        last = scope if keepdims else scope + "Squeeze/"
        x: Any = convert_to_tensor(tensor)
        if ord in ("euclidean", 2, "fro"):
            return sqrt(reduce_sum(x * x, axis, keepdims), name=last)
        if ord == 1:
            return reduce_sum(abs(x), axis, keepdims, name=last)
        if ord == np.inf:
            return reduce_max(abs(x), axis, keepdims, name=last)
        raise NotImplementedError(f"norm: ord must be 'euclidean', 1, 2 or inf in fastreg.compat.v1, not {ord!r}")


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """Return `t` with what is outside the limits put on them."""
    with name_scope(name, "clip_by_value", [t]) as scope:
        return maximum(minimum(t, clip_value_max, name="Minimum"), clip_value_min, name=scope)


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Any:
    """Return the norm of all tensors as one vector."""
    with name_scope(name, "global_norm"):
        return sqrt(2.0 * add_n([l2_loss(t) for t in t_list if t is not None]), name="global_norm")


# networks


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
    """Return `value` plus a bias for each channel."""
    x, b = convert_to_tensor(value), convert_to_tensor(bias)
    first = bool(data_format) and str(data_format).startswith("NC")
    f = lambda p, q: p + (q.reshape(-1, *(1,) * (p.ndim - 2)) if first else q)  # noqa: E731
    return make("BiasAdd", name or "BiasAdd", [x, b], f, x.dtype.base_dtype, x.shape)


def softmax(logits: Any, axis: int = -1, name: str | None = None) -> Any:
    """Return exp(x) / sum(exp(x)) along `axis`."""
    x = convert_to_tensor(logits)

    def compute(a: Any) -> Any:
        e = np.exp(a - a.max(axis, keepdims=True))
        return e / e.sum(axis, keepdims=True)

    return make("Softmax", name, [x], compute, x.dtype.base_dtype, x.shape)


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None) -> Any:
    """Return `x` over its Euclidean norm."""
    with name_scope(name, "l2_normalize", [x]) as scope:
        x = convert_to_tensor(x)
        return multiply(x, rsqrt(maximum(reduce_sum(square(x), axis, keepdims=True), epsilon)), name=scope)


def conv_output(length: int | None, window: int, padding: str, stride: int, dilation: int) -> int | None:
    """Return how many places a window has."""
    if length is None:
        return None
    wide = (window - 1) * dilation + 1
    return -(-length // stride) if padding == "SAME" else max(0, -(-(length - wide + 1) // stride))


def conv2d(
    input: Any, filter: Any = None, strides: Any = None, padding: str = "VALID", use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None, filters: Any = None,
) -> Any:  # fmt: skip
    """Return the cross-correlation of images with a kernel (height, width, in, out): windows as rows, and one matrix product."""
    x, kernel = convert_to_tensor(input), convert_to_tensor(filters if filter is None else filter)
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError(f"data_format must be 'NHWC' or 'NCHW', not {data_format!r}")
    if str(padding).upper() not in ("SAME", "VALID"):
        raise ValueError(f"padding must be 'SAME' or 'VALID', not {padding!r}")
    pad, first = str(padding).upper(), data_format == "NCHW"
    steps, gaps = (_pair(value, first, what) for value, what in ((strides, "strides"), (dilations, "dilations")))

    def compute(a: Any, k: Any) -> Any:
        a = np.moveaxis(a, 1, -1) if first else a
        places = [conv_output(n, w, pad, s, d) for n, w, s, d in zip(a.shape[1:3], k.shape, steps, gaps, strict=False)]
        if pad == "SAME":
            missing = [
                max(0, (p - 1) * s + (w - 1) * d + 1 - n)  # type: ignore[operator]
                for n, w, s, d, p in zip(a.shape[1:3], k.shape[:2], steps, gaps, places, strict=True)
            ]
            a = np.pad(a, ((0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)))
        wide = [(w - 1) * d + 1 for w, d in zip(k.shape[:2], gaps, strict=True)]
        if 0 in places or 0 in a.shape:
            out = np.zeros((a.shape[0], *places, k.shape[3]), a.dtype)
        else:
            windows = np.lib.stride_tricks.sliding_window_view(a, wide, axis=(1, 2))
            windows = windows[:, :: steps[0], :: steps[1], :, :: gaps[0], :: gaps[1]]
            rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, math.prod(k.shape[:3]))
            out = (rows @ k.reshape(-1, k.shape[3])).reshape(*windows.shape[:3], k.shape[3])
        return np.ascontiguousarray(np.moveaxis(out, -1, 1)) if first else out

    known = None
    if x.shape.raw is not None and kernel.shape.raw is not None:
        at = (2, 3) if first else (1, 2)
        for i, w, d in zip(at, kernel.shape.raw, gaps, strict=False):
            length, wide = x.shape.raw[i], (w - 1) * d + 1  # type: ignore[operator]
            if pad == "VALID" and length is not None and length < wide:
                raise ValueError(
                    f"Negative dimension size caused by subtracting {wide} from {length} for {name or 'Conv2D'!r} (op: 'Conv2D') "
                    f"with input shapes: {shown(x)}, {shown(kernel)}."
                )
        sides = [
            conv_output(x.shape.raw[i], int(w), pad, s, d)  # type: ignore[arg-type]
            for i, w, s, d in zip(at, kernel.shape.raw, steps, gaps, strict=False)
        ]
        n, out = x.shape.raw[0], kernel.shape.raw[3]
        known = (n, out, *sides) if first else (n, *sides, out)
    return make("Conv2D", name or "Conv2D", [x, kernel], compute, x.dtype.base_dtype, known)


def _pair(value: Any, first: bool, what: str) -> tuple[int, int]:
    """Return the two middle ones of NHWC's four; TensorFlow takes one or two numbers as well."""
    numbers = [int(n) for n in (value if hasattr(value, "__iter__") else [value])]
    if len(numbers) == 4:
        numbers = numbers[2:] if first else numbers[1:3]
    numbers = numbers * 2 if len(numbers) == 1 else numbers
    if len(numbers) != 2:
        raise ValueError(f"{what} should be of length 1, 2 or 4 but was {len(numbers)}")
    return numbers[0], numbers[1]


# random numbers


def _random(kind: str, draw: Callable[..., Any], shape: Any, dtype: Any, seed: int | None, name: str | None) -> Any:
    wanted, graph = as_dtype(dtype), get_default_graph()
    with name_scope(name, kind) as scope:
        sizes, known = _sizes(shape)
    own = None if seed is None else np.random.default_rng(seed)
    compute = lambda d: np.asarray(draw(own or graph.rng, tuple(int(n) for n in d))).astype(wanted.dtype)  # noqa: E731
    return make(kind, scope, [sizes], compute, wanted, known)


def random_uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "f4", seed: int | None = None, name: str | None = None
) -> Any:
    """Return numbers drawn anew at each run, uniform between the limits."""
    if as_dtype(dtype).is_integer:
        if maxval is None:
            raise ValueError("Must specify maxval for integer dtype")
        draw = lambda rng, size: rng.integers(minval, maxval, size)  # noqa: E731
    else:
        draw = lambda rng, size: rng.uniform(minval, 1 if maxval is None else maxval, size)  # noqa: E731
    return _random("RandomUniform", draw, shape, dtype, seed, name or "random_uniform")


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "f4", seed: int | None = None, name: str | None = None
) -> Any:
    """Return normal numbers drawn anew at each run."""
    return _random(
        "RandomStandardNormal", lambda rng, n: rng.normal(mean, stddev, n), shape, dtype, seed, name or "random_normal"
    )


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "f4", seed: int | None = None, name: str | None = None
) -> Any:
    """Return normal numbers of which those beyond two standard deviations are drawn again, anew at each run."""

    def draw(rng: np.random.Generator, sizes: tuple[int, ...]) -> Any:
        out = rng.normal(size=sizes)
        while (far := np.abs(out) > 2).any():
            out[far] = rng.normal(size=int(far.sum()))
        return out * stddev + mean

    return _random("TruncatedNormal", draw, shape, dtype, seed, name or "truncated_normal")


# operations without a value


def group(*inputs: Any, name: str | None = None) -> Operation:
    """Return an operation that runs all of `inputs`."""
    flat: list[Any] = []
    for item in inputs:
        flat += list(item) if isinstance(item, (list, tuple)) else [item]
    for item in flat:
        if not hasattr(item, "_as_graph_element") and not hasattr(item, "op") and not isinstance(item, Operation):
            raise TypeError(f"Expected tf.group() expected Tensor arguments not '{item}' with type '{type(item)}'")
    return make_operation("NoOp", name or "group_deps", [], lambda: None, [operation_of(item) for item in flat])


def no_op(name: str | None = None) -> Operation:
    """Return an operation that does nothing."""
    return make_operation("NoOp", name, [], lambda: None, [])


# gradients


def gradients(
    ys: Any, xs: Any, grad_ys: Any = None, name: str = "gradients", colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False, aggregation_method: Any = None, stop_gradients: Any = None,
) -> list[Any]:  # fmt: skip
    """Return the derivative of the sum of `ys` by each of `xs`, None where there is no way from the one to the other.

    Raises
    ------
    NotImplementedError
        If the way leads through a function that has no gradient here, as a layer's.
    """
    ys, xs = (list(v) if isinstance(v, (list, tuple)) else [v] for v in (ys, xs))
    tops = [convert_to_tensor(y) for y in ys]
    sources = [x._as_graph_element() if hasattr(x, "_as_graph_element") else x for x in xs]
    given = list(grad_ys) if isinstance(grad_ys, (list, tuple)) else [grad_ys] * len(tops)
    stops = {operation_of(s) for s in stop_gradients or ()}
    order = _upstream([y.op for y in tops])
    wanted = {x.op for x in sources}
    leads: set[Operation] = set()
    for op in order:
        if op in wanted or (op not in stops and any(t.op in leads for t in op.inputs)):
            leads.add(op)
    parts: dict[Operation, list[Tensor]] = {}
    with name_scope(name, "gradients", tops):
        for y, g in zip(tops, given, strict=True):
            parts.setdefault(y.op, []).append(
                ones_like(y, name="Fill") if g is None else convert_to_tensor(g, y.dtype.base_dtype)
            )
        for op in reversed(order):
            if op not in leads or op not in parts:
                continue
            if len(parts[op]) > 1:
                parts[op] = [add_n(parts[op])]
            if op in stops or not any(t.op in leads for t in op.inputs):
                continue
            if op.gradient is None:
                raise NotImplementedError(
                    f"no gradient for operation {op.name!r} (op type: {op.type}): fastreg differentiates regularization terms, "
                    "not whole networks. Compute the data loss's gradients by yourself and pass them to apply_gradients, with "
                    "tf.gradients of the regularization loss added"
                )
            with op.graph.name_scope(op.gradient_scope or op.graph.get_name_scope() + "/"):
                for t, g in zip(op.inputs, op.gradient(op, parts[op][0]), strict=True):
                    if g is not None and t.op in leads:
                        parts.setdefault(t.op, []).append(g)
    return [parts[x.op][0] if x.op in parts and x.op in leads else None for x in sources]


def _upstream(ops: list[Operation]) -> list[Operation]:
    """Return all that `ops` are computed from, each after its inputs."""
    order: dict[Operation, None] = {}
    todo = [(op, False) for op in ops]
    while todo:
        op, ready = todo.pop()
        if op in order:
            continue
        if ready:
            order[op] = None
        else:
            todo.append((op, True))
            todo += [(t.op, False) for t in op.inputs if t.op not in order]
    return list(order)
