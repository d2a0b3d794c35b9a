"""tf.contrib.framework.arg_scope: defaults of functions' arguments, for the calls within a ``with`` block."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class _Scopes(threading.local):
    """The scopes of a thread; one holds, for each function, the defaults of its arguments."""

    def __init__(self) -> None:
        self.stack: list[dict[Any, dict[str, Any]]] = [{}]


_scopes = _Scopes()
_arguments: dict[Any, tuple[str, ...]] = {}  # of each decorated function: those that have a default


def add_arg_scope(func: Callable[..., Any]) -> Callable[..., Any]:
    """Let the defaults of a function's arguments be set by arg_scope."""

    @functools.wraps(func)
    def with_defaults(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **(current_arg_scope().get(key, {}) | kwargs))

    key = arg_scope_func_key(func)
    with_defaults._key_op = key  # type: ignore[attr-defined]
    parameters = inspect.signature(func).parameters.values()
    _arguments[key] = tuple(p.name for p in parameters if p.default is not p.empty)
    return with_defaults


@contextlib.contextmanager
def arg_scope(list_ops_or_scope: Any, **kwargs: Any) -> Iterator[dict[Any, dict[str, Any]]]:
    """Set the defaults of arguments of some functions, beside those of the scopes around; or enter a scope again.

    Parameters
    ----------
    list_ops_or_scope : list of callable, or dict
        Functions decorated by add_arg_scope, or what another arg_scope gave.
    **kwargs
        The defaults; not with a scope that is entered again.
    """
    if isinstance(list_ops_or_scope, dict):
        if kwargs:
            raise ValueError("When attempting to re-use a scope by suppling adictionary, kwargs must be empty.")
        scope = list_ops_or_scope.copy()
    elif isinstance(list_ops_or_scope, (list, tuple)):
        scope = current_arg_scope().copy()
        for op in list_ops_or_scope:
            if not has_arg_scope(op):
                raise ValueError(f"{(op.__module__, op.__name__)} is not decorated with @add_arg_scope")
            key = arg_scope_func_key(op)
            scope[key] = scope.get(key, {}) | kwargs
    else:
        raise TypeError("list_ops_or_scope must either be a list/tuple or reused scope (i.e. dict)")
    _scopes.stack.append(scope)
    try:
        yield scope
    finally:
        _scopes.stack.pop()


def current_arg_scope() -> dict[Any, dict[str, Any]]:
    """Return the defaults that hold now, by function."""
    return _scopes.stack[-1]


def arg_scope_func_key(op: Callable[..., Any]) -> Any:
    """Return what a function is found by in a scope."""
    return getattr(op, "_key_op", str(op))


def has_arg_scope(func: Callable[..., Any]) -> bool:
    """Tell whether a function was decorated by add_arg_scope."""
    return arg_scope_func_key(func) in _arguments


def arg_scoped_arguments(func: Callable[..., Any]) -> Sequence[str]:
    """Return the arguments of a decorated function whose defaults can be set."""
    return _arguments[arg_scope_func_key(func)]
