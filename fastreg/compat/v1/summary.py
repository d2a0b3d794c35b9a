"""tf.summary: calls that scripts make and that do nothing here, which the first of them says in the log."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastreg.compat.v1.graph import get_default_graph, make, name_scope
from fastreg.graph import GraphKeys, get_collection

_log = logging.getLogger("fastreg")


@functools.cache  # once is enough
def _say() -> None:
    _log.warning("tf.summary writes nothing in fastreg.compat.v1: print, or write down, what session.run returns")


def _empty(kind: str, scope: str, collections: Sequence[Any]) -> Any:
    """Make a tensor that is fetched as a summary is, and is an empty text."""
    _say()
    out = make(kind, scope, [], lambda: np.array(b"", object), "string", ())
    get_default_graph().add_to_collections(collections, out)
    return out


def _summary(kind: str, name: str, collections: Sequence[Any] | None, family: str | None) -> Any:
    tag = re.sub(r"[^-/\w.]", "_", name).lstrip("/")
    if tag != name:
        _log.info("Summary name %s is illegal; using %s instead.", name, tag)
    with name_scope(tag if family is None else f"{family}/{tag}") as scope:
        return _empty(kind, scope, [GraphKeys.SUMMARIES] if collections is None else collections)


def scalar(name: str, tensor: Any, collections: Sequence[Any] | None = None, family: str | None = None) -> Any:
    """Return an empty text, where TensorFlow records a number."""
    return _summary("ScalarSummary", name, collections, family)


def histogram(name: str, values: Any, collections: Sequence[Any] | None = None, family: str | None = None) -> Any:
    """Return an empty text, where TensorFlow records a histogram."""
    return _summary("HistogramSummary", name, collections, family)


def image(
    name: str, tensor: Any, max_outputs: int = 3, collections: Sequence[Any] | None = None, family: str | None = None
) -> Any:
    """Return an empty text, where TensorFlow records images."""
    return _summary("ImageSummary", name, collections, family)


def merge(inputs: Sequence[Any], collections: Sequence[Any] | None = None, name: str | None = None) -> Any:
    """Return an empty text, where TensorFlow joins summaries."""
    with name_scope(name, "Merge"):
        return _empty("MergeSummary", "MergeSummary", collections or ())


def merge_all(key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None) -> Any:
    """Return an empty text, where TensorFlow joins all summaries; None if there are none."""
    found = get_collection(key, scope)
    return merge(found, name=name) if found else None


class Summary:
    """Numbers by tag, as scripts make them for a FileWriter."""

    class Value:
        """One number."""

        def __init__(self, tag: str = "", simple_value: float = 0.0, node_name: str = "") -> None:
            self.tag, self.simple_value, self.node_name = tag, simple_value, node_name

    class _Values(list[Value]):
        def add(self, **fields: Any) -> Summary.Value:
            """Append a number and return it."""
            self.append(Summary.Value(**fields))
            return self[-1]

    def __init__(self, value: Sequence[Value] = ()) -> None:
        self.value = Summary._Values(value)


class FileWriter:
    """Takes summaries and writes nothing, not even a folder."""

    def __init__(
        self, logdir: str, graph: Any = None, max_queue: int = 10, flush_secs: int = 120, graph_def: Any = None,
        filename_suffix: str | None = None, session: Any = None,
    ) -> None:  # fmt: skip
        self._logdir = logdir
        _say()

    def get_logdir(self) -> str:
        """Return the folder that it would write to."""
        return self._logdir

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Do nothing."""

    def add_graph(self, graph: Any, global_step: Any = None) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def reopen(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()
