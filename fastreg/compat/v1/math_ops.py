"""Elementwise functions of one and of two tensors, their gradients, and Python's operators on tensors.

One line of the tables below is one function: its name, what computes it and, where it has one, its gradient.
Knows nothing of axes: array_ops.py moves elements, reduction_ops.py sums them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.compat.v1.common_shapes import broadcast, mismatch, shown
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
    allowed: str | None = None,
    parameter: str = "x",
    dtype: Any = None,
) -> Any:
    """Make a function of one tensor; `gradient` is of (x, y, g), a tensor; `allowed` are its dtypes, None for all."""

    def of(value: Any, name: str | None) -> Any:
        x = convert_to_tensor(value, name=parameter)
        if allowed is not None:
            check_dtype(x, parameter, allowed)
        backward = None if gradient is None else (lambda op, g: [gradient(op.inputs[0], op.outputs[0], g)])
        in_its_dtype = lambda a: np.asarray(compute(a)).astype(dtype or a.dtype, copy=False)  # noqa: E731
        return make(kind, name or kind, [x], in_its_dtype, dtype or x.dtype.base_dtype, x.shape, backward)

    def of_x(x: Any, name: str | None = None) -> Any:
        return of(x, name)

    def of_features(features: Any, name: str | None = None) -> Any:
        return of(features, name)

    function = of_x if parameter == "x" else of_features
    function.__name__ = kind.lower()
    return function


def _slope(kind: str, of: str, slope: Callable[..., Any], curvature: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Return a gradient: `g` times `slope`, an array, of the argument (`of` is "x") or of the value ("y").

    `curvature` is the slope's own derivative, by the same array, for a second differentiation; None where it is 0.
    """

    def times(t: Tensor, g: Tensor) -> Any:
        def again(op: Operation, h: Tensor) -> list[Any]:
            bend = curvature
            if bend is None:
                return [None, times(t, h)]
            return [make(kind + "Grad", None, [t, g, h], lambda a, b, c: b * c * bend(a), h.dtype, t.shape), times(t, h)]

        return make(kind, kind, [t, g], lambda a, b: b * slope(a), g.dtype, t.shape, again)

    return lambda x, y, g: times(x if of == "x" else y, g)


def _sigmoid(a: Any) -> Any:
    return 0.5 * (np.tanh(0.5 * a) + 1)


def _softplus(a: Any) -> Any:
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def _sqrt_gradient(y: Tensor, g: Tensor) -> Any:
    def again(op: Operation, h: Any) -> list[Any]:
        return [-h * op.outputs[0] / y, _sqrt_gradient(y, h)]

    return make("SqrtGrad", "SqrtGrad", [y, g], lambda a, b: b * 0.5 / a, g.dtype, y.shape, again)


def _scaled_elu(positive: float, negative: float) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Return x * positive for x >= 0, else (exp(x) - 1) * negative, and its slope and curvature as functions of its value."""
    return (
        lambda a: np.where(a < 0, negative * np.expm1(np.minimum(a, 0)), positive * a),
        lambda y: np.where(y < 0, y + negative, positive).astype(y.dtype),
        lambda y: (y < 0).astype(y.dtype),
    )


_elu, _elu_slope, _elu_bend = _scaled_elu(1.0, 1.0)
_selu, _selu_slope, _selu_bend = _scaled_elu(1.0507009873554805, 1.7580993408473769)

# Functions whose values are not integers, even of integers.
_inexact = functools.partial(_unary, allowed=f"{_FLOATS}, {_COMPLEX}")

negative: Any = _unary("Neg", np.negative, lambda x, y, g: -g, allowed=_NUMBERS)
sign: Any  # gradients use these three, which are made below
multiply: Any
zeros_like: Any
abs: Any = _unary("Abs", np.abs, lambda x, y, g: g * sign(x), allowed=f"{_FLOATS}, int8, int16, int32, int64")
sign = _unary("Sign", np.sign, lambda x, y, g: zeros_like(x), allowed=_NUMBERS)
square = _unary("Square", np.square, lambda x, y, g: multiply(g, multiply(x, 2.0)), allowed=_NUMBERS)
sqrt = _inexact("Sqrt", np.sqrt, lambda x, y, g: _sqrt_gradient(y, g))
rsqrt = _inexact("Rsqrt", lambda a: 1 / np.sqrt(a), lambda x, y, g: g * -0.5 * y / x)
exp = _inexact("Exp", np.exp, lambda x, y, g: g * y)
log = _inexact("Log", np.log, lambda x, y, g: g / x)
log1p = _inexact("Log1p", np.log1p, lambda x, y, g: g / (1.0 + x))
expm1 = _inexact("Expm1", np.expm1, lambda x, y, g: g * exp(x))
reciprocal = _inexact("Reciprocal", np.reciprocal, lambda x, y, g: -g * y * y)
sin: Any
cos: Any = _inexact("Cos", np.cos, lambda x, y, g: -g * sin(x))
sin = _inexact("Sin", np.sin, lambda x, y, g: g * cos(x))
tanh = _inexact("Tanh", np.tanh, _slope("TanhGrad", "y", lambda y: 1 - y * y, lambda y: -2 * y))
sigmoid = _inexact("Sigmoid", _sigmoid, _slope("SigmoidGrad", "y", lambda y: y * (1 - y), lambda y: 1 - 2 * y))
_REALS = "float32, float64, int32, uint8, int16, int8, int64, bfloat16, uint16, float16, uint32, uint64"
_activation = functools.partial(_unary, allowed="float16, bfloat16, float32, float64", parameter="features")
_piecewise = functools.partial(_unary, parameter="features")
relu = _piecewise("Relu", lambda a: np.maximum(a, 0), _slope("ReluGrad", "y", lambda y: y > 0), allowed=_REALS + ", qint8")
relu6 = _piecewise("Relu6", lambda a: np.clip(a, 0, 6), _slope("Relu6Grad", "y", lambda y: (y > 0) & (y < 6)), allowed=_REALS)
elu = _activation("Elu", _elu, _slope("EluGrad", "y", _elu_slope, _elu_bend))
selu = _activation("Selu", _selu, _slope("SeluGrad", "y", _selu_slope, _selu_bend))
softplus = _activation("Softplus", _softplus, _slope("SoftplusGrad", "x", _sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)))
log_sigmoid = _inexact("LogSigmoid", lambda a: -_softplus(-a), lambda x, y, g: g * sigmoid(-x))
softsign = _activation(
    "Softsign",
    lambda a: a / (1 + np.abs(a)),
    _slope("SoftsignGrad", "x", lambda x: (1 + np.abs(x)) ** -2, lambda x: -2 * np.sign(x) * (1 + np.abs(x)) ** -3),
)
floor = _unary("Floor", np.floor, lambda x, y, g: None, allowed=_FLOATS)
ceil = _unary("Ceil", np.ceil, lambda x, y, g: None, allowed=_FLOATS)
round = _unary("Round", lambda a: np.rint(a) + a.dtype.type(0), lambda x, y, g: None, allowed=_NUMBERS)
is_nan = _unary("IsNan", np.isnan, dtype="?", allowed=_FLOATS)
is_inf = _unary("IsInf", np.isinf, dtype="?", allowed=_FLOATS)
is_finite = _unary("IsFinite", np.isfinite, dtype="?", allowed=_FLOATS)
logical_not = _unary("LogicalNot", np.logical_not, dtype="?", allowed="bool")
identity = _unary("Identity", lambda a: a, lambda x, y, g: g)
stop_gradient = _unary("StopGradient", lambda a: a, lambda x, y, g: None)


def _filled_like(kind: str, name: str, value: int) -> Any:
    default = name

    def function(tensor: Any, dtype: Any = None, name: str | None = None) -> Any:
        x: Tensor = convert_to_tensor(tensor, name="tensor")
        wanted = x.dtype.base_dtype if dtype is None else as_dtype(dtype)
        full = lambda a: np.full(a.shape, value, wanted.dtype)  # noqa: E731
        return make(kind, name or default, [x], full, wanted, x.shape, lambda op, g: [None])

    function.__name__ = name
    return function


zeros_like, ones_like = _filled_like("ZerosLike", "zeros_like", 0), _filled_like("OnesLike", "ones_like", 1)


def summed_to(g: Tensor, x: Tensor) -> Tensor:
    """Sum `g` over the axes that broadcasting added to `x`."""
    if g.shape.is_fully_defined() and g.shape == x.shape:
        return g

    def compute(a: Any, like: Any) -> Any:
        if a.shape == like.shape:
            return a
        a = a.sum(axis=tuple(range(a.ndim - like.ndim)))
        return a.sum(axis=tuple(i for i, n in enumerate(like.shape) if n == 1 != a.shape[i]), keepdims=True)

    def again(op: Operation, h: Tensor) -> list[Any]:
        wide = lambda a, like: np.broadcast_to(a, like.shape)  # noqa: E731
        return [make("BroadcastTo", None, [h, g], wide, h.dtype, g.shape, lambda op, f: [summed_to(f, h), None]), None]

    return make("Reshape", None, [g, x], compute, g.dtype, x.shape, again)  # type: ignore[no-any-return]


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


def check_operands(kind: str, x: Tensor, y: Tensor) -> None:
    """Refuse operands of two dtypes, for an operation of this kind."""
    if y.dtype.base_dtype != x.dtype.base_dtype:
        raise TypeError(
            f"Input 'y' of '{kind}' Op has type {y.dtype.base_dtype.name} that does not match type "
            f"{x.dtype.base_dtype.name} of argument 'x'."
        )


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
            check_operands(kind, x, y)

            def backward(op: Operation, g: Tensor) -> list[Any]:
                pair = gradient(*op.inputs, op.outputs[0], g)  # type: ignore[misc]
                return [None if part is None else summed_to(part, x) for part, x in zip(pair, op.inputs, strict=True)]

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
    return g * y * pow(x, y - 1), g * z * log(where(x > 0, x, ones_like(x)))


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
    lambda x, y, z, g: (None, None),
    allowed=f"{_FLOATS}, uint8, int8, uint16, int16, int32, int64, {_COMPLEX}",
)
floormod = mod = _binary(
    "FloorMod",
    "FloorMod",
    _of_integers(np.mod, *_BY_ZERO),
    lambda x, y, z, g: (g, -g * floordiv(x, y)),
    allowed=f"int32, int64, {_FLOATS}",
)
div_no_nan: Any = _binary(
    "DivNoNan",
    "div_no_nan",
    lambda a, b: np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape, a.dtype), where=b != 0),
    lambda x, y, z, g: (div_no_nan(g, y), -g * div_no_nan(z, y)),
    allowed="float32, float64",
)
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
logical_xor = _binary("LogicalXor", "LogicalXor", np.logical_xor, dtype="?")

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
    "floordiv": (floordiv, "floordiv"), "mod": (floormod, "mod"), "pow": (pow, "pow"), "and": (logical_and, "and"),
    "or": (logical_or, "or"), "xor": (logical_xor, "xor"),
}  # fmt: skip
for _key, (_f, _name) in _OPERATORS.items():
    setattr(Operand, f"__{_key}__", lambda x, y, f=_f, name=_name: f(x, y, name=name))
    setattr(Operand, f"__r{_key}__", lambda x, y, f=_f, name=_name: f(y, x, name=name))
for _key, _f in {"lt": less, "le": less_equal, "gt": greater, "ge": greater_equal}.items():
    setattr(Operand, f"__{_key}__", lambda x, y, f=_f: f(x, y))
for _key in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):  # x -= y is x = x - y; the core's writes to the array
    setattr(Operand, f"__i{_key}__", lambda x, y: NotImplemented)
setattr(Operand, "__invert__", logical_not)  # noqa: B010
setattr(Operand, "__neg__", negative)  # noqa: B010
setattr(Operand, "__abs__", abs)  # noqa: B010


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """Return `x` where the condition holds, else `y`; the places where it holds if neither is given.

    A condition of one dimension chooses whole rows.
    """
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    c = convert_to_tensor(condition, name="condition")
    if x is None:
        find = lambda a: np.argwhere(a).astype(np.int64)  # noqa: E731
        return make("Where", name or "Where", [c], find, "i8", (None, c.shape.ndims), lambda op, g: [None])
    a = convert_to_tensor(x, name="t")
    b = convert_to_tensor(y, a.dtype.base_dtype, name="e")
    if c.dtype.base_dtype != "bool":
        raise TypeError(
            f"Input 'condition' of 'Select' Op has type {c.dtype.base_dtype.name} that does not match expected type of bool."
        )
    rows = c.shape.raw if c.shape.ndims == 1 and (a.shape.ndims or 0) > 1 else None
    if rows and a.shape.raw and None not in (rows[0], a.shape.raw[0]) and rows[0] != a.shape.raw[0]:
        differ: Any = f"Dimension 0 in both shapes must be equal, but are {rows[0]} and {a.shape.raw[0]}. "
        differ += f"Shapes are [{rows[0]}] and [{a.shape.raw[0]}]."
    else:
        differ = mismatch(a, b) or (c.shape.ndims != 0 and rows is None and mismatch(a, c))
    if differ:
        raise ValueError(
            f"{differ} for {name or 'Select'!r} (op: 'Select') with input shapes: {shown(c)}, {shown(a)}, {shown(b)}."
        )

    def compute(p: Any, q: Any, r: Any) -> Any:
        return np.where(p.reshape(p.shape + (1,) * (q.ndim - 1)) if p.ndim == 1 else p, q, r)

    backward = lambda op, g: [None, where(c, g, zeros_like(g)), where(c, zeros_like(g), g)]  # noqa: E731
    return make("Select", name, [c, a, b], compute, a.dtype.base_dtype, a.shape, backward)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """Return `x` with another dtype, or `x` itself if it has that dtype already."""
    x, wanted = convert_to_tensor(x), as_dtype(dtype).base_dtype
    if x.dtype.base_dtype == wanted:
        return x

    def gradient(op: Operation, g: Tensor) -> list[Any]:
        return [cast(g, x.dtype) if x.dtype.is_floating and wanted.is_floating else None]

    return make("Cast", name, [x], lambda a: a.astype(wanted.dtype), wanted, x.shape, gradient)


def _cast_to(dtype: str, name: str) -> Any:
    def function(x: Any, name: str = name) -> Any:
        return cast(x, dtype, name)

    function.__name__ = function.__doc__ = name
    return function


to_float, to_double = _cast_to("f4", "ToFloat"), _cast_to("f8", "ToDouble")
to_int32, to_int64 = _cast_to("i4", "ToInt32"), _cast_to("i8", "ToInt64")


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Any:
    """Return `features` where they are above 0, else `alpha` times them."""
    with name_scope(name, "LeakyRelu", [features]) as scope:
        x = convert_to_tensor(features, name="features")
        x = cast(x, "f4") if x.dtype.is_integer else x
        try:
            a = float(alpha)
        except OverflowError:
            raise ValueError(f"alpha must be a number that float64 holds, got {alpha!r}") from None
        kernel = _activation(
            "LeakyRelu",
            lambda x: np.where(x > 0, x, x * x.dtype.type(a)),
            _slope("LeakyReluGrad", "x", lambda x: np.where(x > 0, 1, a).astype(x.dtype)),
        )
        return kernel(x, name=scope)
