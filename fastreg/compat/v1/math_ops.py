"""Elementwise functions of one and of two tensors, their gradients, and Python's operators on tensors.

One line of the tables below is one function: its name, what computes it and, where it has one, its gradient. A function without a
gradient, such as an activation, can be computed but not differentiated: fastreg trains regularization terms, not whole graphs.
Knows nothing of axes: array_ops.py moves elements, reduction_ops.py sums them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastreg.compat.v1.common_shapes import broadcast
from fastreg.compat.v1.conversion import convert_to_tensor
from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.graph import Operand, Operation, Tensor, make, name_scope


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

            known = broadcast(x, y, kind, scope[:-1])
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


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """Return `t` with what is outside the limits put on them."""
    with name_scope(name, "clip_by_value", [t]) as scope:
        return maximum(minimum(t, clip_value_max, name="Minimum"), clip_value_min, name=scope)
