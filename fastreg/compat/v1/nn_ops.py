"""The functions that layers compute: biases, softmax, convolution.

Only l2_normalize has a gradient, as it is made of functions that have one. Knows tensors alone: a layer's weights,
names and losses stand in layers.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastreg.compat.v1.common_shapes import shown
from fastreg.compat.v1.conversion import check_dtype, convert_to_tensor
from fastreg.compat.v1.graph import make, name_scope
from fastreg.compat.v1.math_ops import maximum, multiply, rsqrt, square
from fastreg.compat.v1.reduction_ops import reduce_sum


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
    """Return `value` plus a bias for each channel."""
    x, b = convert_to_tensor(value), convert_to_tensor(bias)
    first = bool(data_format) and str(data_format).startswith("NC")
    f = lambda p, q: p + (q.reshape(-1, *(1,) * (p.ndim - 2)) if first else q)  # noqa: E731
    return make("BiasAdd", name or "BiasAdd", [x, b], f, x.dtype.base_dtype, x.shape)


def softmax(logits: Any, axis: int = -1, name: str | None = None) -> Any:
    """Return exp(x) / sum(exp(x)) along `axis`."""
    x = convert_to_tensor(logits)
    check_dtype(x, "logits", "float16, bfloat16, float32, float64")

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
    """Return the number of positions of a window along an axis."""
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
