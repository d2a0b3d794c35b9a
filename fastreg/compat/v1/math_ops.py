"""Elementwise functions of one and of two tensors, their gradients, and Python's operators on tensors.

One line of the tables below is one function: its name, what computes it and, where it has one, its gradient. A function without a
gradient, such as an activation, can be computed but not differentiated: fastreg trains regularization terms, not whole graphs.
Knows nothing of axes: array_ops.py moves elements, reduction_ops.py sums them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.compat.v1.common_shapes import broadcast
from fastreg.compat.v1.conversion import check_dtype, convert_to_tensor
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.errors import InvalidArgumentError
from fastreg.compat.v1.graph import Operand, Operation, Tensor, make, name_scope

_FLOATS = "bfloat16, float16, float32, float64"
_COMPLEX = "complex64, complex128"
_NUMBERS = f"{_FLOATS}, int32, int64, {_COMPLEX}"


def _unary(
    kind: str,
    compute: Callable[..., Any],
    gradient: Callable[..., Any] | None = None,
    op_name: str | None = None,
    allowed: str | None = None,
) -> Any:
    """Make a function of one tensor; `gradient` is of (x, y, g), a tensor; `allowed` are its dtypes, None for all."""

    def function(x: Any, name: str | None = None) -> Any:
        x = convert_to_tensor(x, name="x")
        if allowed is not None:
            check_dtype(x, "x", allowed)
        backward = None if gradient is None else (lambda op, g: [gradient(op.inputs[0], op.outputs[0], g)])
        in_dtype_of_x = lambda a: np.asarray(compute(a)).astype(a.dtype, copy=False)  # noqa: E731
        return make(kind, name or op_name or kind, [x], in_dtype_of_x, x.dtype.base_dtype, x.shape, backward)

    function.__name__ = kind.lower()
    return function


def _sigmoid(a: Any) -> Any:
    return 0.5 * (np.tanh(0.5 * a) + 1)


# Functions whose values are not integers, even of integers.
_inexact = functools.partial(_unary, allowed=f"{_FLOATS}, {_COMPLEX}")

negative: Any = _unary("Neg", np.negative, lambda x, y, g: -g, allowed=_NUMBERS)
sign: Any  # gradients use these three, which are made below
multiply: Any
zeros_like: Any
abs: Any = _unary("Abs", np.abs, lambda x, y, g: g * sign(x), allowed=f"{_FLOATS}, int8, int16, int32, int64")
sign = _unary("Sign", np.sign, lambda x, y, g: zeros_like(x), allowed=_NUMBERS)
square = _unary("Square", np.square, lambda x, y, g: multiply(g, multiply(x, 2.0)), allowed=_NUMBERS)
sqrt = _inexact("Sqrt", np.sqrt, lambda x, y, g: make("SqrtGrad", None, [y, g], lambda a, b: b * 0.5 / a, g.dtype, x.shape))
rsqrt = _inexact("Rsqrt", lambda a: 1 / np.sqrt(a), lambda x, y, g: g * -0.5 * y / x)
exp = _inexact("Exp", np.exp, lambda x, y, g: g * y)
log = _inexact("Log", np.log, lambda x, y, g: g / x)
log1p = _inexact("Log1p", np.log1p, lambda x, y, g: g / (1.0 + x))
tanh = _inexact("Tanh", np.tanh)
sigmoid = _inexact("Sigmoid", _sigmoid)
relu = _unary("Relu", lambda a: np.maximum(a, 0))
floor = _unary("Floor", np.floor, allowed=_FLOATS)
ceil = _unary("Ceil", np.ceil, allowed=_FLOATS)
identity = _unary("Identity", lambda a: a, lambda x, y, g: g)
stop_gradient = _unary("StopGradient", lambda a: a, lambda x, y, g: None)
zeros_like = _unary("ZerosLike", np.zeros_like, lambda x, y, g: None, "zeros_like")
ones_like = _unary("OnesLike", np.ones_like, lambda x, y, g: None, "ones_like")


def _summed_to(g: Tensor, x: Tensor) -> Tensor:
    """Sum `g` over the axes that broadcasting added to `x`."""
    if g.shape.is_fully_defined() and g.shape == x.shape:
        return g

    def compute(a: Any, like: Any) -> Any:
        a = a.sum(axis=tuple(range(a.ndim - like.ndim)))
        return a.sum(axis=tuple(i for i, n in enumerate(like.shape) if n == 1 != a.shape[i]), keepdims=True)

    return make("Reduce", None, [g, x], compute, g.dtype, x.shape)  # type: ignore[no-any-return]


def _operands(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Return `x` and `y` as tensors. One that is not a tensor yet gets the dtype of the other, if possible."""
    if not isinstance(x, Operand) and isinstance(y, Operand):
        y = convert_to_tensor(y)
        x = convert_to_tensor(x, y.dtype.base_dtype, name="x")
    x = convert_to_tensor(x, name="x")
    try:
        y = convert_to_tensor(y, x.dtype.base_dtype, name="y")
    except (TypeError, ValueError):
        y = convert_to_tensor(y, name="y")
    return x, y


def _binary(
    kind: str,
    name: str,
    compute: Callable[..., Any],
    gradient: Callable[..., Any] | None = None,
    dtype: Any = None,
    allowed: str | None = None,
) -> Any:
    """Make a function of two tensors; `gradient` is of (x, y, z, g), a pair; `allowed` are its dtypes, None for all."""

    def function(x: Any, y: Any, name: str | None = name) -> Any:
        x = convert_to_tensor(x) if isinstance(x, Operand) else x
        with name_scope(name, kind, [x, y]) as scope:
            x, y = _operands(x, y)
            if allowed is not None:
                check_dtype(x, "x", allowed)
            if y.dtype.base_dtype != x.dtype.base_dtype:
                raise TypeError(
                    f"Input 'y' of '{kind}' Op has type {y.dtype.base_dtype.name} that does not match type "
                    f"{x.dtype.base_dtype.name} of argument 'x'."
                )

            def backward(op: Operation, g: Tensor) -> list[Any]:
                pair = gradient(*op.inputs, op.outputs[0], g)  # type: ignore[misc]
                return [_summed_to(part, x) for part, x in zip(pair, op.inputs, strict=True)]

            known = broadcast(x, y, kind, scope[:-1])

            def checked(a: Any, b: Any) -> Any:
                try:
                    return np.asarray(compute(a, b)).astype(dtype or a.dtype, copy=False)
                except ArithmeticError as error:
                    raise InvalidArgumentError(out.op, str(error)) from None

            out = make(kind, scope, [x, y], checked, dtype or x.dtype.base_dtype, known, backward if gradient else None)
            return out

    function.__name__ = name
    return function


def _extreme_gradient(better: Any) -> Any:
    """Return the gradient of an elementwise extreme: all of it goes to the better operand, x where both are equal."""
    return lambda x, y, z, g: (g * cast(better(x, y), g.dtype), g * (1.0 - cast(better(x, y), g.dtype)))


def _pow_gradient(x: Any, y: Any, z: Any, g: Any) -> tuple[Any, Any]:
    safe = make("SafeLog", None, [x], lambda a: np.log(np.where(a > 0, a, 1)).astype(a.dtype), x.dtype, x.shape)
    return g * y * pow(x, y - 1), g * z * safe


def _of_integers(compute: Callable[..., Any], valid: Callable[[Any], Any], error: str) -> Callable[..., Any]:
    """Wrap `compute` to raise `error` for integers unless the second operand is `valid`; NumPy would give 0 or its own error."""

    def checked(a: Any, b: Any) -> Any:
        if b.dtype.kind in "iu" and not np.all(valid(b)):
            raise ArithmeticError(error)
        return compute(a, b)

    return checked


add = _binary("AddV2", "Add", np.add, lambda x, y, z, g: (g, g))
subtract = _binary("Sub", "Sub", np.subtract, lambda x, y, z, g: (g, -g))
multiply = _binary("Mul", "Mul", np.multiply, lambda x, y, z, g: (g * y, g * x))
_real_div = _binary("RealDiv", "truediv", np.divide, lambda x, y, z, g: (g / y, -g * z / y))
_BY_ZERO = (lambda b: b != 0, "Integer division by zero")
floordiv = _binary(
    "FloorDiv",
    "floordiv",
    _of_integers(np.floor_divide, *_BY_ZERO),
    allowed=f"{_FLOATS}, uint8, int8, uint16, int16, int32, int64, {_COMPLEX}",
)
floormod = mod = _binary("FloorMod", "FloorMod", _of_integers(np.mod, *_BY_ZERO), allowed=f"int32, int64, {_FLOATS}")
pow = _binary(
    "Pow",
    "Pow",
    _of_integers(np.power, lambda b: b >= 0, "Integers to negative integer powers are not allowed"),
    _pow_gradient,
    allowed=f"bfloat16, float32, float16, float64, int32, int64, {_COMPLEX}",
)
maximum = _binary("Maximum", "Maximum", np.maximum, _extreme_gradient(lambda x, y: x >= y))
minimum = _binary("Minimum", "Minimum", np.minimum, _extreme_gradient(lambda x, y: x <= y))
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

# In which dtype integers are divided.
_QUOTIENTS = {"int8": "f4", "int16": "f4", "uint8": "f4", "uint16": "f4", "int32": "f8", "int64": "f8"}


def truediv(x: Any, y: Any, name: str | None = "truediv") -> Any:
    """Return x / y; integers are divided in floating point."""
    with name_scope(name, "truediv", [x, y]) as scope:
        x, y = convert_to_tensor(x, name="x"), convert_to_tensor(y, name="y")
        kind = x.dtype.base_dtype
        if y.dtype.base_dtype != kind:
            raise TypeError(f"x and y must have the same dtype, got {kind!r} != {y.dtype.base_dtype!r}")
        wanted = kind if kind.dtype.kind in "fc" else _QUOTIENTS.get(kind.name)
        if wanted is None:
            raise TypeError(f"Invalid dtype {kind!r} in __truediv__")
        return _real_div(cast(x, wanted), cast(y, wanted), name=scope)


def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """Return what Python's operator gives, x / y."""
    return x / y if name is None else truediv(x, y, name)


def div(x: Any, y: Any, name: str | None = None) -> Any:
    """Return x / y; integers are divided with rounding down."""
    with name_scope(name, "div", [x, y]) as scope:
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, x.dtype.base_dtype, name="y")
        return (_real_div if x.dtype.base_dtype.dtype.kind in "fc" else floordiv)(x, y, name=scope)


def _divided(x: Any, y: Any, name: str) -> Any:
    """Return x / y as Python's operator gives it: a number takes the dtype of the tensor beside it."""
    with name_scope(name, None, [x, y]) as scope:
        return truediv(*_operands(x, y), name=scope)


# Operations of operators are named after the operator: 2 * x is mul, tf.multiply(2, x) is Mul.
_OPERATORS = {
    "add": (add, "add"), "sub": (subtract, "sub"), "mul": (multiply, "mul"), "truediv": (_divided, "truediv"),
    "floordiv": (floordiv, "floordiv"), "mod": (floormod, "mod"), "pow": (pow, "pow"),
}  # fmt: skip
for _key, (_f, _name) in _OPERATORS.items():
    setattr(Operand, f"__{_key}__", lambda x, y, f=_f, name=_name: f(x, y, name=name))
    setattr(Operand, f"__r{_key}__", lambda x, y, f=_f, name=_name: f(y, x, name=name))
for _key, _f in {"lt": less, "le": less_equal, "gt": greater, "ge": greater_equal}.items():
    setattr(Operand, f"__{_key}__", lambda x, y, f=_f: f(x, y))
for _key in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):  # x -= y is x = x - y; the core's writes to the array
    setattr(Operand, f"__i{_key}__", lambda x, y: NotImplemented)
setattr(Operand, "__neg__", negative)  # noqa: B010
setattr(Operand, "__abs__", abs)  # noqa: B010


def where(condition: Any, x: Any, y: Any, name: str | None = None) -> Any:
    """Return `x` where the condition holds, else `y`."""
    c, a = convert_to_tensor(condition), convert_to_tensor(x)
    b = convert_to_tensor(y, a.dtype.base_dtype)
    backward = lambda op, g: [None, where(c, g, zeros_like(g)), where(c, zeros_like(g), g)]  # noqa: E731
    return make("Select", name, [c, a, b], np.where, a.dtype.base_dtype, a.shape, backward)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """Return `x` with another dtype, or `x` itself if it has that dtype already."""
    x, wanted = convert_to_tensor(x), as_dtype(dtype).base_dtype
    if x.dtype.base_dtype == wanted:
        return x

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        return [cast(g, x.dtype) if x.dtype.is_floating and wanted.is_floating else None]

    return make("Cast", name, [x], lambda a: a.astype(wanted.dtype), wanted, x.shape, gradient)


def to_float(x: Any, name: str = "ToFloat") -> Any:
    """Return `x` as float32."""
    return cast(x, "f4", name)


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """Return `t` with every element below the minimum or above the maximum replaced by that limit."""
    with name_scope(name, "clip_by_value", [t]) as scope:
        return maximum(minimum(t, clip_value_max, name="Minimum"), clip_value_min, name=scope)
