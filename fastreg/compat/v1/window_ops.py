"""What a window that moves over images computes: convolutions and pools, with their gradients.

A convolution is one matrix product for each few images: the windows are the rows of the one factor, the kernel is the other.
A pool visits the places within the window one after the other, and all windows together. Arrays have the channels last while
they are computed with. Knows tensors alone; TensorFlow computes channels-first arrays on GPUs only, here they are computed too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastreg.compat.v1.common_shapes import Shape, shown
from fastreg.compat.v1.conversion import check_dtype, convert_to_tensor
from fastreg.compat.v1.graph import Operation, Tensor, make, name_scope

_FLOATS = "float16, bfloat16, float32, float64"
_ROWS = 1 << 19  # how many elements of windows are copied before they are multiplied: so many stay in the cache
Pair = tuple[int, int]


class Windows:
    """How a window moves: its steps, the gaps between its elements, the margins around the image, and where the channels are.

    Parameters
    ----------
    strides, dilations : tuple of int
        For height and width.
    padding : str or tuple
        'SAME', 'VALID', or the margins: ((top, bottom), (left, right)).
    data_format : str
        'NHWC' or 'NCHW'.
    """

    def __init__(self, strides: Pair, dilations: Pair, padding: Any, data_format: str) -> None:
        self.strides, self.dilations, self.padding, self.data_format = strides, dilations, padding, data_format

    def wide(self, window: Sequence[int]) -> list[int]:
        """Return how many elements of the image the window spans."""
        return [(w - 1) * d + 1 for w, d in zip(window, self.dilations, strict=True)]

    def places(self, sizes: Sequence[int | None], window: Sequence[int]) -> list[int | None]:
        """Return how many positions the window has along each side of an image."""
        counts: list[int | None] = []
        for i, (n, w, s) in enumerate(zip(sizes, self.wide(window), self.strides, strict=True)):
            margin = 0 if isinstance(self.padding, str) else sum(self.padding[i])
            room = None if n is None else n if self.padding == "SAME" else max(0, n + margin - w + 1)
            counts.append(None if room is None else -(-room // s))
        return counts

    def margins(self, sizes: Sequence[int], window: Sequence[int]) -> Sequence[Pair]:
        """Return how many elements are put before and behind each side."""
        if not isinstance(self.padding, str):
            return self.padding  # type: ignore[no-any-return]
        if self.padding == "VALID":
            return (0, 0), (0, 0)
        spans = zip(sizes, self.places(sizes, window), self.wide(window), self.strides, strict=True)
        missing = [max(0, (p - 1) * s + w - n) for n, p, w, s in spans]  # type: ignore[operator]
        return tuple((m // 2, m - m // 2) for m in missing)

    def last(self, a: Any) -> Any:
        """Return an array with the channels last."""
        return np.moveaxis(a, 1, -1) if self.data_format == "NCHW" else a

    def back(self, a: Any) -> Any:
        """Return an array that has the channels last with the channels where they were."""
        return np.ascontiguousarray(np.moveaxis(a, -1, 1)) if self.data_format == "NCHW" else a

    def padded(self, a: Any, window: Sequence[int], value: Any = 0) -> Any:
        """Return the images with their margins."""
        margins = self.margins(a.shape[1:3], window)
        if not np.any(margins):
            return a
        inner = tuple(np.s_[before : before + n] for (before, _), n in zip(margins, a.shape[1:3], strict=True))
        sizes = [sum(margin) + n for margin, n in zip(margins, a.shape[1:3], strict=True)]
        out = np.full((a.shape[0], *sizes, a.shape[3]), value, a.dtype)
        out[:, *inner] = a
        return out

    def cropped(self, a: Any, sizes: Sequence[int], window: Sequence[int]) -> Any:
        """Return the images, of these sizes, without their margins."""
        inner = tuple(np.s_[before : before + n] for (before, _), n in zip(self.margins(sizes, window), sizes, strict=True))
        return a[:, *inner]

    def shifts(self, window: Sequence[int], places: Sequence[int]) -> Iterator[tuple[int, int, Any]]:
        """Yield each place within the window, and the index that takes from padded images what is there in all windows."""
        for i, j in itertools.product(*map(range, window)):
            starts = [at * d for at, d in zip((i, j), self.dilations, strict=True)]
            spans = zip(starts, places, self.strides, strict=True)
            yield i, j, (slice(None), *(np.s_[start : start + (p - 1) * s + 1 : s] for start, p, s in spans))

    def rows(self, padded: Any, window: Sequence[int], places: Sequence[int]) -> Iterator[tuple[slice, Any]]:
        """Yield a few images at a time, and the elements of their windows, a row for each window."""
        n, high, wide, deep = padded.strides
        (step, other), (gap, gap_too) = self.strides, self.dilations
        shape = (len(padded), *places, *window, padded.shape[3])
        view = np.lib.stride_tricks.as_strided(
            padded, shape, (n, high * step, wide * other, high * gap, wide * gap_too, deep), writeable=False
        )
        size = math.prod(shape[3:])
        count = max(1, _ROWS // max(1, size * math.prod(places)))
        for start in range(0, len(padded), count):
            part = np.s_[start : start + count]
            yield part, view[part].reshape(-1, size)


def _correlate(windows: Windows, a: Any, k: Any) -> Any:
    """Return the products of the windows with a kernel; the images have the channels last."""
    places: Any = windows.places(a.shape[1:3], k.shape[:2])
    out = np.zeros((len(a), *places, k.shape[3]), a.dtype)
    if out.size and a.size:
        kernel = k.reshape(-1, k.shape[3])
        for part, rows in windows.rows(windows.padded(a, k.shape[:2]), k.shape[:2], places):
            np.matmul(rows, kernel, out=out[part].reshape(-1, k.shape[3]))
    return out


def _by_kernel(windows: Windows, a: Any, shape: Sequence[int], g: Any) -> Any:
    """Return the gradient by a kernel of this shape, for images `a` and the gradient `g` by what `_correlate` returned."""
    out = np.zeros((math.prod(shape[:3]), shape[3]), a.dtype)
    if g.size and a.size:
        for part, rows in windows.rows(windows.padded(a, shape[:2]), shape[:2], g.shape[1:3]):
            out += rows.T @ g[part].reshape(-1, shape[3])
    return out.reshape(shape)


def _by_images(windows: Windows, sizes: Sequence[int], k: Any, g: Any) -> Any:
    """Return the gradient by images of these sizes, for the kernel `k` and the gradient `g` by what `_correlate` returned."""
    window, channels = k.shape[:2], k.shape[2]
    margins = windows.margins(sizes[1:3], window)
    if windows.strides == (1, 1) and 4 * channels >= k.shape[3]:
        # The correlation of g with the kernel turned round. With few channels its products would be too narrow.
        around = tuple(
            (w - 1 - before, n + before - p)
            for w, (before, _), n, p in zip(windows.wide(window), margins, sizes[1:3], g.shape[1:3], strict=True)
        )
        if np.min(around) >= 0:
            turned = np.ascontiguousarray(k[::-1, ::-1].swapaxes(2, 3))
            return _correlate(Windows((1, 1), windows.dilations, around, "NHWC"), g, turned)
    whole = [n + sum(margin) for n, margin in zip(sizes[1:3], margins, strict=True)]
    out = np.zeros((sizes[0], *whole, channels), g.dtype)
    if g.size:
        count = max(1, _ROWS // (math.prod(g.shape[1:3]) * (channels + k.shape[3])))
        for start in range(0, sizes[0], count):
            few, some = g[start : start + count], out[start : start + count]
            rows = few.reshape(-1, k.shape[3])
            for i, j, shifted in windows.shifts(window, g.shape[1:3]):
                some[shifted] += (rows @ k[i, j].T).reshape(*few.shape[:3], channels)
    return windows.cropped(out, sizes[1:3], window)


def conv2d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None, use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None, filters: Any = None,
) -> Any:  # fmt: skip
    """Return the cross-correlation of images with a kernel (height, width, in, out)."""
    x, kernel = _images_and_kernel(input, filter if filters is None else filters)
    windows, scope = _windows("Conv2D", x, strides, dilations, padding, data_format, name)
    where = f"for {scope[:-1]!r} (op: 'Conv2D') with input shapes: {shown(x)}, {shown(kernel)}."
    _check_steps(windows, where)
    known = _conv_shape(windows, x, kernel, where)
    return _conv(windows, x, kernel, known, scope)


def _conv(windows: Windows, x: Tensor, kernel: Tensor, known: Any, name: str) -> Any:
    def gradient(op: Operation, g: Tensor) -> list[Any]:
        return [_conv_by_images(windows, x, kernel, g), _conv_by_kernel(windows, x, kernel, g)]

    def compute(a: Any, k: Any) -> Any:
        return windows.back(_correlate(windows, windows.last(a), k))

    return make("Conv2D", name, [x, kernel], compute, x.dtype.base_dtype, known, gradient)


def _conv_by_images(windows: Windows, like: Tensor, kernel: Tensor, g: Tensor, name: str = "Conv2DBackpropInput") -> Any:
    """Return the gradient by images of the shape of `like`."""

    def compute(a: Any, k: Any, b: Any) -> Any:
        return windows.back(_by_images(windows, windows.last(a).shape, k, windows.last(b)))

    def gradient(op: Operation, h: Tensor) -> list[Any]:
        return [None, _conv_by_kernel(windows, h, kernel, g), _conv(windows, h, kernel, g.shape, "Conv2D")]

    return make("Conv2DBackpropInput", name, [like, kernel, g], compute, g.dtype.base_dtype, like.shape, gradient)


def _conv_by_kernel(windows: Windows, x: Tensor, like: Tensor, g: Tensor, name: str = "Conv2DBackpropFilter") -> Any:
    """Return the gradient by a kernel of the shape of `like`."""

    def compute(a: Any, k: Any, b: Any) -> Any:
        return _by_kernel(windows, windows.last(a), k.shape, windows.last(b))

    def gradient(op: Operation, h: Tensor) -> list[Any]:
        return [_conv_by_images(windows, x, h, g), None, _conv(windows, x, h, g.shape, "Conv2D")]

    return make("Conv2DBackpropFilter", name, [x, like, g], compute, g.dtype.base_dtype, like.shape, gradient)


def _images_and_kernel(images: Any, kernel: Any) -> tuple[Tensor, Tensor]:
    x: Tensor = convert_to_tensor(images, name="input")
    k: Tensor = convert_to_tensor(kernel, name="filter")
    check_dtype(x, "input", _FLOATS)
    if k.dtype.base_dtype != x.dtype.base_dtype:
        raise TypeError(
            f"Input 'filter' of 'Conv2D' Op has type {k.dtype.base_dtype.name} that does not match type "
            f"{x.dtype.base_dtype.name} of argument 'input'."
        )
    return x, k


def _conv_shape(windows: Windows, x: Tensor, kernel: Tensor, where: str) -> Shape:
    """Return the shape of a convolution as far as it is known, or say why there can be none."""
    a, k = x.shape.raw, kernel.shape.raw
    for shape in (a, k):
        if shape is not None and len(shape) != 4:
            raise ValueError(f"Shape must be rank 4 but is rank {len(shape)} {where}")
    if not isinstance(windows.padding, str) and windows.padding is None:
        raise ValueError(f"Nonzero explicit padding in the batch or depth dimensions is not supported {where}")
    a, k = a or (None,) * 4, k or (None,) * 4
    n, *sizes, deep = a if windows.data_format == "NHWC" else (a[0], *a[2:], a[1])
    if None not in (deep, k[2]) and deep != k[2]:
        if deep % k[2]:  # type: ignore[operator]
            raise ValueError(f"Depth of input ({deep}) is not a multiple of input depth of filter ({k[2]}) {where}")
        raise NotImplementedError(f"a convolution in groups ({deep} channels, {k[2]} in the filter) is outside fastreg.compat.v1")
    sides: list[int | None] = [None, None]
    if None not in k[:2]:
        _check_room(windows, sizes, k[:2], where)  # type: ignore[arg-type]
        sides = windows.places(sizes, k[:2])  # type: ignore[arg-type]
    return (n, *sides, k[3]) if windows.data_format == "NHWC" else (n, k[3], *sides)


def _check_room(windows: Windows, sizes: Sequence[int | None], window: Sequence[int], where: str) -> None:
    for i, (n, w) in enumerate(zip(sizes, windows.wide(window), strict=True)):
        room = None if n is None else n + (0 if isinstance(windows.padding, str) else sum(windows.padding[i]))
        if windows.padding != "SAME" and room is not None and room < w:
            raise ValueError(f"Negative dimension size caused by subtracting {w} from {room} {where}")


def _check_steps(windows: Windows, where: str) -> None:
    if min(windows.strides) < 1:
        raise ValueError(f"Stride must be > 0, but got {min(windows.strides)} {where}")
    if min(windows.dilations) < 1:
        raise ValueError(f"Dilation rate must be >= 1, but got {min(windows.dilations)} {where}")


def conv2d_backprop_input(
    input_sizes: Any, filter: Any = None, out_backprop: Any = None, strides: Any = None, padding: Any = None,
    use_cudnn_on_gpu: bool = True, data_format: str | None = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None,
    filters: Any = None,
) -> Any:  # fmt: skip
    """Return the gradient of a convolution by its images, which have the sizes `input_sizes`."""
    g, kernel = _images_and_kernel(out_backprop, filter if filters is None else filters)
    windows, scope = _windows("Conv2DBackpropInput", g, strides, dilations, padding, data_format, name)
    _check_steps(windows, f"for {scope[:-1]!r} (op: 'Conv2DBackpropInput') with input shapes: {shown(g)}, {shown(kernel)}.")
    return _conv_by_images(windows, _blank(input_sizes, g), kernel, g, scope)


def conv2d_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any, use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None,
) -> Any:  # fmt: skip
    """Return the gradient of a convolution by its kernel, which has the sizes `filter_sizes`."""
    x, g = convert_to_tensor(input, name="input"), convert_to_tensor(out_backprop, name="out_backprop")
    windows, scope = _windows("Conv2DBackpropFilter", x, strides, dilations, padding, data_format, name)
    _check_steps(windows, f"for {scope[:-1]!r} (op: 'Conv2DBackpropFilter') with input shapes: {shown(x)}, {shown(g)}.")
    return _conv_by_kernel(windows, x, _blank(filter_sizes, x), g, scope)


def conv2d_transpose(
    value: Any = None, filter: Any = None, output_shape: Any = None, strides: Any = None, padding: Any = "SAME",
    data_format: str | None = "NHWC", name: str | None = None, input: Any = None, filters: Any = None, dilations: Any = None,
) -> Any:  # fmt: skip
    """Return images of the shape `output_shape`, of which a convolution with this kernel has the transposed matrix."""
    with name_scope(name, "conv2d_transpose", [value, filter]) as scope:
        return conv2d_backprop_input(
            output_shape,
            filter,
            value if input is None else input,
            strides,
            padding,
            True,
            data_format,
            dilations,
            scope,
            filters,
        )


def _blank(sizes: Any, like: Tensor) -> Tensor:
    """Return a tensor that has these sizes and no memory of its own."""
    given: Any = convert_to_tensor(sizes, name="sizes")
    known = None if isinstance(sizes, Tensor) else tuple(None if hasattr(n, "op") else int(n) for n in sizes)
    compute = lambda d: np.broadcast_to(np.zeros((), like.dtype.dtype), tuple(d))  # noqa: E731
    blank: Tensor = make("Empty", None, [given], compute, like.dtype.base_dtype, known)
    return blank


def _windows(
    kind: str, x: Tensor, strides: Any, dilations: Any, padding: Any, data_format: str | None, name: str | None
) -> tuple[Windows, str]:
    """Return how TensorFlow's arguments let a window move, and the name of the operation, as a scope."""
    form, convolution = data_format or "NHWC", kind.startswith("Conv")
    first = form.startswith("NC")
    explicit = convolution and isinstance(padding, (list, tuple))
    margins = _margins(padding) if explicit else None
    steps, gaps = _pair(strides, first, "strides"), _pair(dilations, first, "dilations")
    if convolution and padding == "EXPLICIT":
        raise ValueError(
            '"EXPLICIT" is not a valid value for the padding parameter. To use explicit padding, the padding parameter must be a '
            "list."
        )
    if not (explicit or isinstance(padding, str)):
        raise TypeError(f"Expected string for argument 'padding' not {padding}.")
    scope = name if name and name.endswith("/") else x.graph.unique_name(name or kind) + "/"
    if margins is None:
        _check_attribute("padding", padding, kind, ("SAME", "VALID", "EXPLICIT") if convolution else ("SAME", "VALID"))
    _check_attribute("data_format", form, kind, ("NHWC", "NCHW"))
    return Windows(steps, gaps, padding if margins is None else _inner(margins, first), form), scope


def _check_attribute(what: str, value: str, kind: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        names = ", ".join(f'"{a}"' for a in allowed)
        raise ValueError(f"Attr '{what}' of '{kind}' Op passed string '{value}' not in: {names}.")


def _margins(padding: Sequence[Any]) -> list[Pair]:
    wrong = "When padding is a list, each element of padding must be a list/tuple of size 2. Element with index"
    for i, margin in enumerate(padding):
        if not isinstance(margin, (list, tuple)):
            raise ValueError(f"{wrong} {i} of padding is not a list/tuple")
        if len(margin) != 2:
            raise ValueError(f"{wrong} {i} of padding has size {len(margin)}")
    if len(padding) != 4:
        raise ValueError(f"When padding is a list, it must be of size 4. Got padding of size: {len(padding)}")
    return [(int(before), int(behind)) for before, behind in padding]


def _inner(margins: list[Pair], first: bool) -> tuple[Pair, Pair] | None:
    """Return the margins of height and width; None if there are others."""
    outer, inner = (margins[:2], margins[2:]) if first else (margins[::3], margins[1:3])
    return None if np.any(outer) else (inner[0], inner[1])


def _pair(value: Any, first: bool, what: str) -> Pair:
    """Return the numbers for height and width; TensorFlow takes one, two, or one for each axis."""
    value = 1 if value is None else value
    numbers = [int(n) for n in (value if hasattr(value, "__len__") else [value])]
    if len(numbers) == 4:
        outer, numbers = (numbers[:2], numbers[2:]) if first else (numbers[::3], numbers[1:3])
        if outer != [1, 1]:
            raise NotImplementedError(
                f"{what} in the batch and depth dimensions must be 1 in fastreg.compat.v1, got {list(value)}"
            )
    numbers = numbers * 2 if len(numbers) == 1 else numbers
    if len(numbers) != 2:
        raise ValueError(f"{what} should be of length 1, 2 or 4 but was {len(numbers)}")
    return numbers[0], numbers[1]


def _max(windows: Windows, window: Pair, a: Any) -> Any:
    """Return the largest element of each window; the margins count for nothing."""
    places: Any = windows.places(a.shape[1:3], window)
    lowest = -np.inf if a.dtype.kind == "f" else np.iinfo(a.dtype).min
    padded, out = windows.padded(a, window, lowest), np.full((len(a), *places, a.shape[3]), lowest, a.dtype)
    for _, _, shifted in windows.shifts(window, places) if out.size else ():
        np.maximum(out, padded[shifted], out=out)
    return out


def _max_gradient(windows: Windows, window: Pair, a: Any, y: Any, g: Any) -> Any:
    """Return the gradient of `_max`: the first of the largest elements of a window gets it."""
    padded = windows.padded(a, window, -np.inf)
    out, missing = np.zeros(padded.shape, g.dtype), np.ones(y.shape, bool)
    apart = all(s >= w for s, w in zip(windows.strides, window, strict=True))
    for _, _, shifted in windows.shifts(window, y.shape[1:3]) if y.size else ():
        hit = padded[shifted] == y
        hit &= missing
        if apart:
            np.multiply(g, hit, out=out[shifted])
        else:
            out[shifted] += g * hit
        missing ^= hit
    return windows.cropped(out, a.shape[1:3], window)


def _picked(windows: Windows, window: Pair, a: Any, y: Any, h: Any) -> Any:
    """Return, of `h`, the element that `_max` took from each window of `a`."""
    padded, taken = windows.padded(a, window, -np.inf), windows.padded(h, window)
    out, missing = np.zeros(y.shape, h.dtype), np.ones(y.shape, bool)
    for _, _, shifted in windows.shifts(window, y.shape[1:3]) if y.size else ():
        hit = (padded[shifted] == y) & missing
        out += taken[shifted] * hit
        missing ^= hit
    return out


def _count(windows: Windows, window: Pair, sizes: Sequence[int], dtype: Any) -> Any:
    """Return how many elements of the image are in each window."""
    ones = np.ones((1, *sizes, 1), dtype)
    return _sum(windows, window, ones)


def _sum(windows: Windows, window: Pair, a: Any) -> Any:
    places: Any = windows.places(a.shape[1:3], window)
    padded, out = windows.padded(a, window), np.zeros((len(a), *places, a.shape[3]), a.dtype)
    for _, _, shifted in windows.shifts(window, places) if out.size else ():
        out += padded[shifted]
    return out


def _average(windows: Windows, window: Pair, a: Any) -> Any:
    """Return the mean of each window's elements; the margins count for nothing."""
    return _sum(windows, window, a) / _count(windows, window, a.shape[1:3], a.dtype)


def _average_gradient(windows: Windows, window: Pair, sizes: Sequence[int], g: Any) -> Any:
    margins = windows.margins(sizes[1:3], window)
    out = np.zeros((sizes[0], *(n + sum(m) for n, m in zip(sizes[1:3], margins, strict=True)), sizes[3]), g.dtype)
    shared = g / _count(windows, window, sizes[1:3], g.dtype) if g.size else g
    for _, _, shifted in windows.shifts(window, g.shape[1:3]) if g.size else ():
        out[shifted] += shared
    return windows.cropped(out, sizes[1:3], window)


def _pool(
    kind: str, parameter: str, allowed: str, value: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None,
    name: str | None,
) -> tuple[Windows, Pair, Tensor, Any, str]:  # fmt: skip
    """Return how a pool's window moves, its size, the images, the shape of the result, and the operation's name."""
    with name_scope(name, kind, [value]) as scope:
        x: Tensor = convert_to_tensor(value, name=parameter)
        first = str(data_format or "NHWC").startswith("NC")
        window = _pair(ksize, first, "ksize")
        if kind == "MaxPool" and 0 in window:
            raise ValueError("ksize cannot be zero.")
        check_dtype(x, parameter, allowed)
        windows, _ = _windows(kind, x, strides, None, padding, data_format, scope)
        where = f"for {scope[:-1]!r} (op: {kind!r}) with input shapes: {shown(x)}."
        _check_steps(windows, where)
        raw = x.shape.raw
        if raw is not None and len(raw) != 4:
            raise ValueError(f"Shape must be rank 4 but is rank {len(raw)} {where}")
        n, *sizes, deep = (None,) * 4 if raw is None else (raw[0], *raw[2:], raw[1]) if first else raw
        _check_room(windows, sizes, window, where)
        sides = windows.places(sizes, window)
        return windows, window, x, (n, deep, *sides) if first else (n, *sides, deep), scope


def max_pool(
    value: Any = None, ksize: Any = None, strides: Any = None, padding: Any = None, data_format: str | None = "NHWC",
    name: str | None = None, input: Any = None,
) -> Any:  # fmt: skip
    """Return the largest element of each window."""
    allowed = _FLOATS + ", int32, int64, uint8, int16, int8, uint16, qint8"
    images = value if input is None else input
    windows, window, x, known, scope = _pool("MaxPool", "input", allowed, images, ksize, strides, padding, data_format, name)

    def of(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arrays: windows.back(f(windows, window, *map(windows.last, arrays)))

    def by_images(y: Tensor, g: Tensor) -> Any:
        def again(op: Operation, h: Tensor) -> list[Any]:
            return [None, None, make("MaxPoolGradGrad", None, [x, y, h], of(_picked), g.dtype, g.shape)]

        return make("MaxPoolGrad", "MaxPoolGrad", [x, y, g], of(_max_gradient), g.dtype, x.shape, again)

    backward = lambda op, g: [by_images(op.outputs[0], g)]  # noqa: E731
    return make("MaxPool", scope, [x], of(_max), x.dtype.base_dtype, known, backward)


def avg_pool(
    value: Any = None, ksize: Any = None, strides: Any = None, padding: Any = None, data_format: str | None = "NHWC",
    name: str | None = None, input: Any = None,
) -> Any:  # fmt: skip
    """Return the mean of each window's elements; the margins count for nothing."""
    images = value if input is None else input
    windows, window, x, known, scope = _pool("AvgPool", "value", _FLOATS, images, ksize, strides, padding, data_format, name)

    def pooled(t: Tensor, scope: str) -> Any:
        compute = lambda a: windows.back(_average(windows, window, windows.last(a)))  # noqa: E731
        return make("AvgPool", scope, [t], compute, t.dtype.base_dtype, known, lambda op, g: [by_images(g)])

    def by_images(g: Tensor) -> Any:
        def compute(b: Any, like: Any) -> Any:
            return windows.back(_average_gradient(windows, window, windows.last(like).shape, windows.last(b)))

        return make("AvgPoolGrad", "AvgPoolGrad", [g, x], compute, g.dtype, x.shape, lambda op, h: [pooled(h, "AvgPool"), None])

    return pooled(x, scope)
