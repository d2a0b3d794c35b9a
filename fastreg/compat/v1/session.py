"""Sessions: what may be fetched and fed, and whose values the variables hold.

Knows variables by the cells that hold their arrays. In which order a run computes stands in execution.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fastreg.compat.v1.conversion import IndexedSlices, IndexedSlicesValue
from fastreg.compat.v1.execution import Run
from fastreg.compat.v1.graph import Graph, Operand, Operation, Tensor, default_sessions, get_default_graph


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
        default_sessions.stack.append(self)
        try:
            yield self
        finally:
            default_sessions.stack.remove(self)

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
        """Put this session's values into the variables' cells, and save those of the session before."""
        graph = self.graph
        if graph.bound is self:
            return
        if graph.bound is not None:
            graph.bound._values = [cell[0] for cell in graph.cells]
            for i, cell in enumerate(graph.cells):
                cell[0] = self._values[i] if i < len(self._values) else None
        graph.bound = self

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Return the values of `fetches` - tensors, operations, variables, names, or lists, tuples and dicts of such.

        What changes no variable is computed first, so that a loss fetched beside a training step is the loss before it, and
        assignments that do not wait for each other all start from the values before any of them. Runs of one graph in several
        threads take turns.
        """
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        values: dict[Operation, Any] = {}
        if not isinstance(feed_dict or {}, Mapping):
            raise TypeError("input must be a dictionary")
        for key, value in (feed_dict or {}).items():
            tensor = self._fed(key)
            if isinstance(value, Operand):
                raise TypeError(
                    "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, strings, "
                    f"lists, numpy ndarrays, or TensorHandles. For reference, the tensor object was {value} which was passed to "
                    f"the feed with key {tensor}."
                )
            if isinstance(value, int) and not _fits(value, tensor.dtype.dtype):
                raise TypeError(
                    f"Type of feed value {value} with type {type(value)} is not compatible with Tensor type "
                    f"{tensor.dtype.as_numpy_dtype}. Try explicitly setting the type of the feed tensor to a larger type "
                    "(e.g. int64)."
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
        with self.graph.running, np.errstate(all="ignore"):  # as in TensorFlow, 1 / 0 is infinite and says nothing
            self._bind()
            return rebuild(iter(Run(self.graph, values).fetch(elements)))

    def _fed(self, key: Any) -> Tensor:
        """Return the tensor that a key of `feed_dict` is, stands for, or names."""
        try:
            tensor = self.graph.get_tensor_by_name(key) if isinstance(key, str) else self.graph.as_graph_element(key)
        except (KeyError, ValueError) as error:
            why = error.args[0]
        else:
            if isinstance(tensor, Tensor) and tensor.graph is self.graph:
                return tensor
            why = f"Can not convert a {type(key).__name__} into a Tensor."
            if isinstance(tensor, Tensor):
                why = f"Tensor {tensor} is not an element of this graph."
        raise TypeError(f"Cannot interpret feed_dict key as Tensor: {why}")

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
        default_sessions.stack.append(self)

    def close(self) -> None:
        """Refuse further runs, and stop being the default."""
        super().close()
        if self in default_sessions.stack:
            default_sessions.stack.remove(self)


def _fits(value: int, dtype: np.dtype[Any]) -> bool:
    try:
        return bool(dtype.type(value).item() == value)
    except OverflowError:
        return False


def _flatten(fetches: Any, flat: list[Any]) -> Callable[[Iterator[Any]], Any]:
    """Append the leaves of `fetches`, and return what puts values in their places."""
    if isinstance(fetches, dict):
        items_by_key = {key: _flatten(value, flat) for key, value in fetches.items()}
        return lambda values: {key: part(values) for key, part in items_by_key.items()}
    if isinstance(fetches, (list, tuple)):
        items = [_flatten(value, flat) for value in fetches]
        if hasattr(fetches, "_fields"):
            return lambda values: type(fetches)(*[item(values) for item in items])
        return lambda values: type(fetches)([item(values) for item in items])
    if isinstance(fetches, IndexedSlices):
        parts = [_flatten(part, flat) for part in (fetches.values, fetches.indices, fetches.dense_shape) if part is not None]
        return lambda values: IndexedSlicesValue(*[part(values) for part in parts], *[None] * (3 - len(parts)))
    flat.append(fetches)
    return next
