"""The registry: graphs, their collections, and the names in them (floor 2).

A graph knows names and lists. It lists variables, loss terms and objects of a user's own, and reads nothing of them but the
`name` by which a collection is filtered. Rules and messages are TensorFlow 1's (``python/framework/ops.py``).

Any number of threads may share a graph: what changes it holds its lock. Which graph is the default, and where a thread stands in
the scopes of a graph, belongs to the thread.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastreg.arguments import check_flag, check_name, check_seed, is_listed
from fastreg.locks import Lock

__all__ = [
    "Graph",
    "GraphKeys",
    "add_to_collection",
    "add_to_collections",
    "get_collection",
    "get_collection_ref",
    "get_default_graph",
    "reset_default_graph",
    "set_random_seed",
]

_OP_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\\-/]*\Z")
_SCOPE_NAME = re.compile(r"[A-Za-z0-9_.\\\-/]*\Z")


def check_collection(name: Any) -> Any:
    """Return the name of a collection: a string, or anything else that can be a key."""
    try:
        hash(name)
    except TypeError:
        raise TypeError(f"the name of a collection must be a string, got {name!r}") from None
    return name


def _scope_pattern(scope: Any) -> re.Pattern[str]:
    if not isinstance(scope, str):
        raise TypeError(f"scope must be a string or None, got {scope!r}")
    try:
        return re.compile(scope)
    except re.error as error:
        raise ValueError(f"scope must be a regular expression, got {scope!r}: {error}") from None


class GraphKeys:
    """The names of the collections that TensorFlow 1 keeps by itself or by its conventions."""

    GLOBAL_VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    MODEL_VARIABLES = "model_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    WEIGHTS = "weights"
    BIASES = "biases"
    LOSSES = "losses"
    REGULARIZATION_LOSSES = "regularization_losses"
    CONCATENATED_VARIABLES = "concatenated_variables"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    ACTIVATIONS = "activations"
    UPDATE_OPS = "update_ops"
    SUMMARIES = "summaries"
    GLOBAL_STEP = "global_step"
    TRAIN_OP = "train_op"


class Graph:
    """A registry: names, collections, and the variables that :func:`fastreg.get_variable` finds again.

    Attributes
    ----------
    variables : dict
        The variables made by ``get_variable``, by name without ``:0``.
    elements : dict
        The objects that have a name in this graph, by that name.
    lock : fastreg.locks.Lock
        Held while the graph changes. Who holds it can look something up and then change the graph by what was found.
    local : threading.local
        Where each thread stands in this graph: its scopes. A face over the registry keeps here what it has for each thread.

    Examples
    --------
    >>> import fastreg as fr
    >>> graph = fr.Graph()
    >>> with graph.as_default():
    ...     w = fr.get_variable("w", shape=(2, 2), regularizer=fr.l2_regularizer(0.1))
    >>> graph.get_collection(fr.GraphKeys.REGULARIZATION_LOSSES)[0].name
    'w/Regularizer/l2_regularizer:0'
    """

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.elements: dict[str, Any] = {}
        self._collections: dict[Any, list[Any]] = {}
        self._names_in_use: dict[str, int] = {}
        self.lock = Lock()
        self.local = threading.local()
        self.seed: int | None = None

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Make this the default graph of this thread, for a ``with`` block."""
        stack = _defaults.stack
        stack.append(self)
        try:
            yield self
        finally:
            if stack[-1] is not self:
                raise AssertionError("Nesting violated for default stack of graphs")
            stack.pop()

    @property
    def seed(self) -> int | None:
        """The seed of :attr:`rng`; None draws a new one from the system. Setting it starts the generator anew."""
        return self._seed

    @seed.setter
    def seed(self, seed: int | None) -> None:
        seed = check_seed(seed)
        with self.lock:
            self._seed = seed
            self._rng: np.random.Generator | None = None

    @property
    def rng(self) -> np.random.Generator:
        """The generator behind initializers that have no seed of their own."""
        with self.lock:  # two generators of one seed would give the same numbers twice
            if self._rng is None:
                self._rng = np.random.default_rng(self._seed)
            return self._rng

    # Names

    @property
    def _name_stack(self) -> str:
        stack: str = getattr(self.local, "name_stack", "")
        return stack

    def get_name_scope(self) -> str:
        """Return the name scope that new names are put in, without a closing slash; '' at the root."""
        return self._name_stack

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """Return `name` within the current name scope; ``_1``, ``_2``, ... is added where the name is taken.

        Names that differ in case alone count as the same, as in TensorFlow.
        """
        check_name(name)
        mark_as_used = check_flag(mark_as_used, "mark_as_used")
        name = self._in_scope(name)
        key = name.lower()
        with self.lock:
            used = self._names_in_use
            count, base = used.get(key, 0), key
            following = count + 1
            if count:
                while key in used:
                    key = f"{base}_{count}"
                    count += 1
                name = f"{name}_{count - 1}"
            if mark_as_used:
                used[key] = 1
                used[base] = following
            return name

    def _in_scope(self, name: str) -> str:
        return f"{self._name_stack}/{name}" if self._name_stack else name

    def _release_name(self, name: str, unique: str) -> None:
        """Take back the name that `name` became, and all names within it; both are given with their scopes."""
        base, key, used = name.lower(), unique.lower(), self._names_in_use
        for other in [other for other in used if other == key or other.startswith(f"{key}/")]:
            del used[other]
        if base in used:
            used[base] -= 1

    def release_scope(self, name: str, scope: str) -> None:
        """Take back the name scope that ``name_scope(name)`` opened, and all names within it."""
        with self.lock:
            self._release_name(self._in_scope(name), scope)

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Prefix new names with `name`, made unique, and a slash.

        None or '' leads back to the root; a `name` that ends in a slash is taken as it is, so that a scope can be entered
        again.
        """
        if name is not None and not isinstance(name, str):
            raise TypeError(f"the name of a scope must be a string or None, got {name!r}")
        if name and not (_SCOPE_NAME if self._name_stack else _OP_NAME).match(name):
            raise ValueError(f"'{name}' is not a valid scope name")
        outer, given = self._name_stack, name or ""
        fresh = given != "" and not given.endswith("/")
        scope = self.unique_name(given) if fresh else given[:-1]
        try:
            prefix = scope + "/" if scope else ""
            self.local.name_stack = scope
        except BaseException:
            if fresh:
                self.release_scope(given, scope)
            raise
        try:
            yield prefix
        finally:
            self.local.name_stack = outer

    # Collections

    def add_to_collection(self, name: Any, value: Any) -> None:
        """Append `value` to the collection `name`, also when it is there already."""
        check_collection(name)
        with self.lock:
            self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Append `value` to each collection of `names`: one name, or several, where one given twice counts once."""
        if not isinstance(names, str) and not is_listed(names):
            raise TypeError(f"names must be the name of a collection or a list of such, got {names!r}")
        names = (names,) if isinstance(names, str) else tuple(dict.fromkeys(map(check_collection, names)))
        with self.lock:
            before = [len(self._collections.get(name, ())) for name in names]
            try:
                for name in names:
                    self.add_to_collection(name, value)
            except BaseException:
                for name, n in zip(names, before, strict=True):
                    del self._collections.get(name, [])[n:]
                raise

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """Return a new list of the collection's items, in the order in which they were added.

        With a `scope`, only the items whose name it matches as a regular expression, from the start of the name: 'w1' also
        matches ``w10/...``, while 'w1/' does not. Items without a name are left out then.
        """
        check_collection(name)
        pattern = None if scope is None else _scope_pattern(scope)
        with self.lock:
            items = list(self._collections.get(name, ()))
        if pattern is None:
            return items
        return [item for item in items if hasattr(item, "name") and pattern.match(item.name)]

    def get_collection_ref(self, name: Any) -> list[Any]:
        """Return the list of the collection itself, not a copy. It is made if missing.

        Hold the graph's `lock` while you change it, where other threads use the graph.
        """
        check_collection(name)
        with self.lock:
            return self._collections.setdefault(name, [])

    def clear_collection(self, name: Any) -> None:
        """Drop the collection `name`."""
        check_collection(name)
        with self.lock:
            self._collections.pop(name, None)

    def get_all_collection_keys(self) -> list[Any]:
        """Return the names of the collections that there are."""
        with self.lock:
            return [key for key in self._collections if isinstance(key, str)]

    def forget(self, element: Any) -> None:
        """Take a variable out of the graph again: out of every collection; its name becomes free."""
        if not isinstance(getattr(element, "op_name", None), str):
            raise TypeError(f"element must be a variable, got {element!r}")
        with self.lock:
            self._withdraw(element, element.op_name, element.op_name)
            self.elements.pop(element.op_name, None)  # compat/v1 has put an operation there

    def withdraw(self, element: Any, name: str, unique: str) -> None:
        """Take out what was given this name, made unique, in this name scope, and may be filed in part only."""
        with self.lock:
            self._withdraw(element, self._in_scope(name), unique)

    def _withdraw(self, element: Any, name: str, unique: str) -> None:
        lists = self._collections.values()
        places = [(items, i) for items in lists for i in reversed(range(len(items))) if items[i] is element]
        left = {key: items for key, items in self._collections.items() if any(item is not element for item in items)}
        for items, i in places:
            del items[i]
        self._collections = left
        for known in (self.variables, self.elements):
            if known.get(unique) is element:
                del known[unique]
        self._release_name(name, unique)

    @property
    def collections(self) -> list[Any]:
        """The names of the collections that there are."""
        return self.get_all_collection_keys()


class _DefaultGraphs(threading.local):
    """Each thread has a stack of graphs and, below it, a graph of its own."""

    graph_class: type[Graph] = Graph

    def __init__(self) -> None:
        self.stack: list[Graph] = []
        self.bottom: Graph | None = None

    def get(self) -> Graph:
        if self.stack:
            return self.stack[-1]
        if self.bottom is None:
            self.bottom = self.graph_class()
        return self.bottom


_defaults = _DefaultGraphs()


def set_graph_class(graph_class: type[Graph]) -> None:
    """Let the graphs that threads have by default be of this class, as a face over the registry needs."""
    _DefaultGraphs.graph_class = graph_class


def get_default_graph() -> Graph:
    """Return this thread's default graph: the innermost of ``with graph.as_default():``, or else the thread's own."""
    return _defaults.get()


def reset_default_graph() -> None:
    """Replace this thread's own default graph by a new one. Variables of the old one stay usable where they are still held."""
    if _defaults.stack:
        raise AssertionError(
            "Do not use tf.reset_default_graph() to clear nested graphs. If you need a cleared graph, exit the nesting and "
            "create a new graph."
        )
    _defaults.bottom = None


def set_random_seed(seed: int | None) -> None:
    """Seed the default graph's initializers, so that the same calls make the same variables."""
    get_default_graph().seed = seed


def add_to_collection(name: Any, value: Any) -> None:
    """Append `value` to a collection of the default graph."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: str | Iterable[Any], value: Any) -> None:
    """Append `value` to several collections of the default graph."""
    get_default_graph().add_to_collections(names, value)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """Return a new list of what the default graph's collection `key` holds; see :meth:`Graph.get_collection`."""
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: Any) -> list[Any]:
    """Return the default graph's collection `key` itself."""
    return get_default_graph().get_collection_ref(key)
