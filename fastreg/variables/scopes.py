"""Variable scopes: the prefix of variables' names, the defaults that variables are made with, and whether they are reused."""

from __future__ import annotations

import copy
import enum
import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import DTypeLike

from fastreg.arguments import check_dtype
from fastreg.constraints import WeightConstraint
from fastreg.graph import Graph, GraphKeys, get_collection, get_default_graph
from fastreg.terms import Regularizer
from fastreg.variables.initializers import as_initial_value, parameters_of
from fastreg.variables.partitioned import PartitionedVariable
from fastreg.variables.store import find_or_make
from fastreg.variables.variable import Variable


class _ReuseMode(enum.Enum):
    AUTO_REUSE = 1


AUTO_REUSE = _ReuseMode.AUTO_REUSE
"""A scope's `reuse` that finds the variable if it exists and makes it if not."""


def _is_reuse(reuse: Any) -> bool:
    return reuse is None or reuse is AUTO_REUSE or isinstance(reuse, (bool, np.bool_))


class VariableScope:
    """The name prefix and the defaults that variables are made with; ``with variable_scope(...) as scope`` gives one.

    Attributes
    ----------
    name, original_name_scope : str
        The prefix of variables' names, and the name scope that was opened with it.
    reuse : bool or AUTO_REUSE
        True: ``get_variable`` must find the variable. False: it must make it. AUTO_REUSE: it may do either.
    initializer, regularizer, dtype, partitioner, custom_getter
        The defaults of ``get_variable``; inner scopes inherit them.
    constraint
        Another default of ``get_variable``. As in TensorFlow, inner scopes do not inherit it.
    """

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Regularizer | None = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        name_scope: str = "",
        dtype: Any = np.float32,
        constraint: WeightConstraint | None = None,
    ) -> None:
        self.reuse, self.name, self.original_name_scope = reuse, name, name_scope
        self.constraint = constraint
        self.initializer, self.regularizer, self.dtype = initializer, regularizer, dtype
        self.partitioner, self.custom_getter = partitioner, custom_getter

    def reuse_variables(self) -> None:
        """Find variables from here on, instead of making them."""
        self.reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """Set the initializer of variables made from here on."""
        self.initializer = initializer

    def set_regularizer(self, regularizer: Regularizer | None) -> None:
        """Set the regularizer of variables made from here on; existing ones keep theirs."""
        self.regularizer = regularizer

    def set_dtype(self, dtype: Any) -> None:
        """Set the dtype of variables made from here on."""
        self.dtype = dtype

    def set_partitioner(self, partitioner: Any) -> None:
        """Set the partitioner of variables made from here on."""
        self.partitioner = partitioner

    def set_custom_getter(self, custom_getter: Any) -> None:
        """Set the function called in place of ``get_variable``, whose first argument is the real getter."""
        self.custom_getter = custom_getter

    def get_collection(self, name: Any) -> list[Any]:
        """Return the items of the collection `name` that belong to this scope."""
        return get_collection(name, self.name + "/" if self.name else "")

    def trainable_variables(self) -> list[Any]:
        """Return this scope's trainable variables."""
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        """Return this scope's variables."""
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        """Return this scope's local variables."""
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def get_variable(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Regularizer | None = None,
        reuse: Any = None,
        trainable: bool = True,
        collections: Sequence[Any] | None = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        constraint: WeightConstraint | None = None,
        variable_class: type[Variable] = Variable,
        **options: Any,
    ) -> Any:
        """Return the variable `name` of this scope; see :func:`fastreg.get_variable`.

        A new variable is a `variable_class`, whose constructor is given the `options` too. A custom getter also gets them, and
        the constraint if it has such a parameter.
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, not {name!r}")
        if not (name or self.name):
            raise ValueError("name must not be empty outside of a scope")
        if not _is_reuse(self.reuse if reuse is None else reuse):
            raise ValueError(f"reuse must be True, False, None or AUTO_REUSE, not {reuse!r}")
        custom_getter = self.custom_getter if custom_getter is None else custom_getter
        if custom_getter is not None and not callable(custom_getter):
            raise ValueError(f"Passed a custom_getter which is not callable: {custom_getter}")
        if dtype is not None and initializer is not None and not callable(initializer):
            if not hasattr(initializer, "dtype"):
                initializer = as_initial_value(initializer, dtype)
            if initializer.dtype != dtype:
                raise ValueError(f"Initializer type '{initializer.dtype}' and explicit dtype '{dtype}' don't match.")
        graph = get_default_graph()
        getter: Callable[..., Any] = functools.partial(find_or_make, graph, variable_class)
        if custom_getter is None or _takes_constraint(custom_getter):
            options["constraint"] = self.constraint if constraint is None else constraint
        if custom_getter is not None:
            getter = functools.partial(custom_getter, getter)
        outer = graph.get_name_scope()
        graph.local.name_stack = ""  # a variable's name depends on variable scopes alone
        try:
            return getter(
                name=f"{self.name}/{name}" if self.name else name,
                shape=shape,
                dtype=self.dtype if dtype is None else dtype,
                initializer=self.initializer if initializer is None else initializer,
                regularizer=self.regularizer if regularizer is None else regularizer,
                reuse=self.reuse if reuse is None else reuse,
                trainable=trainable,
                collections=collections,
                partitioner=self.partitioner if partitioner is None else partitioner,
                **options,
            )
        finally:
            graph.local.name_stack = outer  # unlike the end of a `with`, this needs no memory


def _takes_constraint(getter: Any) -> bool:
    parameters = parameters_of(getter)
    return "constraint" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


_NameScope: TypeAlias = AbstractContextManager[str]


class _Scopes:
    """The current scope of one thread in one graph, and how often each scope name has been opened."""

    def __init__(self) -> None:
        self.current = VariableScope(False)
        self.opened: dict[str, int] = {}


def _scopes(graph: Graph) -> _Scopes:
    local = graph.local
    if not hasattr(local, "variable_scopes"):
        local.variable_scopes = _Scopes()
    scopes: _Scopes = local.variable_scopes
    return scopes


class variable_scope:  # noqa: N801 - TensorFlow's name
    """Prefix variables' names, and give them defaults, within a ``with`` block.

    Parameters
    ----------
    name_or_scope : str or VariableScope
        A name is appended to the current scope's name, and the current scope's defaults are inherited. A scope object is
        entered again with its own defaults.
    default_name : str, optional
        The name to use, made unique, if `name_or_scope` is None.
    initializer, regularizer, dtype, partitioner, custom_getter : optional
        Defaults that replace the inherited ones. A regularizer replaces the outer scope's and is not added to it;
        ``no_regularizer`` switches it off.
    constraint : callable, optional
        The default of this scope alone: as in TensorFlow, inner scopes do not inherit it.
    reuse : bool or AUTO_REUSE, optional
        True: variables must exist. AUTO_REUSE: variables that do not exist are made. None and False inherit.
    auxiliary_name_scope : bool
        Whether to open a name scope too.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> with fr.Graph().as_default():
    ...     with fr.variable_scope("net", regularizer=fr.l2_regularizer(0.1)):
    ...         w = fr.get_variable("w", shape=(2, 3))
    ...         b = fr.get_variable("b", shape=(3,), regularizer=fr.no_regularizer)
    ...     w.name, [t.name for t in fr.get_regularization_losses()]
    ('net/w:0', ['net/w/Regularizer/l2_regularizer:0'])
    """

    def __init__(
        self,
        name_or_scope: str | VariableScope | None,
        default_name: str | None = None,
        *,
        initializer: Any = None,
        regularizer: Regularizer | None = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        reuse: Any = None,
        dtype: Any = None,
        constraint: WeightConstraint | None = None,
        auxiliary_name_scope: bool = True,
    ) -> None:
        if default_name is None and name_or_scope is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        if not isinstance(name_or_scope, (str, VariableScope, type(None))):
            raise TypeError("VariableScope: name_or_scope must be a string or VariableScope.")
        if not isinstance(default_name, (str, type(None))):
            raise TypeError(f"default_name must be a string or None, not {default_name!r}")
        if not _is_reuse(reuse):
            raise ValueError("The reuse parameter must be True or False or None.")
        if reuse and name_or_scope is None:
            raise ValueError("reuse=True cannot be used without a name_or_scope")
        if not isinstance(auxiliary_name_scope, bool):
            raise TypeError(f"The auxiliary_name_scope must be `True` or `False`, while get {auxiliary_name_scope}")
        self._name_or_scope, self._default_name = name_or_scope, default_name
        self._reuse, self._auxiliary, self._constraint = reuse, auxiliary_name_scope, constraint
        self._defaults = dict(
            initializer=initializer, regularizer=regularizer, dtype=dtype, partitioner=partitioner, custom_getter=custom_getter
        )
        self._entered: list[tuple[_Scopes, VariableScope, VariableScope, dict[str, int] | None, _NameScope | None]] = []

    def __enter__(self) -> VariableScope:
        graph = get_default_graph()
        scopes = _scopes(graph)
        jump = isinstance(self._name_or_scope, VariableScope)
        base: VariableScope = self._name_or_scope if jump else scopes.current  # type: ignore[assignment]
        leaf = base.name.split("/")[-1] if jump else self._name_or_scope
        if leaf is None:
            leaf = self._default_name
        names: _NameScope | None = None
        if not self._auxiliary:
            current = graph.get_name_scope()
            names = graph.name_scope(current + "/" if current else None)
        elif leaf:
            names = graph.name_scope(leaf)  # type: ignore[arg-type]
        opened = leaf if names is None else names.__enter__()
        try:
            scope = self._open(scopes, base, leaf, opened, names)
        except BaseException:
            if names is not None:
                names.__exit__(None, None, None)
                if self._auxiliary and not str(leaf).endswith("/"):
                    graph.release_scope(str(leaf), str(opened)[:-1])
            raise
        scopes.current = scope
        return scope

    def _open(self, scopes: _Scopes, base: VariableScope, leaf: Any, opened: Any, names: _NameScope | None) -> VariableScope:
        """Return the scope that is entered, and note what leaving it restores."""
        jump, outer = base is self._name_or_scope, scopes.current
        if self._name_or_scope is None:
            leaf = _unused_name(scopes, str(leaf))
        name = base.name if jump else f"{outer.name}/{leaf}" if outer.name else str(leaf)
        scope = copy.copy(base)
        scope.name, scope.reuse, scope.constraint = name, self._reuse or base.reuse, self._constraint
        if not jump:
            scope.original_name_scope = str(opened)
        for key, value in self._defaults.items():
            if value is not None:
                setattr(scope, key, value)
        if self._defaults["custom_getter"] is not None and base.custom_getter is not None:
            scope.custom_getter = functools.partial(_nested_getter, self._defaults["custom_getter"], base.custom_getter)
        numbers = scopes.opened | {name: scopes.opened.get(name, 0) + 1}
        self._entered.append((scopes, outer, scope, dict(numbers) if jump else None, names))
        scopes.opened = numbers
        if self._name_or_scope is None:
            self._name_or_scope = leaf
        return scope

    def __exit__(self, *error: Any) -> None:
        scopes, outer, scope, opened, names = self._entered[-1]
        if scopes.current is not scope:
            raise RuntimeError("Improper nesting of variable_scope.")
        self._entered.pop()
        try:
            if opened is not None:  # leaving a scope object: numbering resumes as before
                scopes.opened = opened
            else:
                for name in scopes.opened:
                    if name.startswith(scope.name + "/"):
                        scopes.opened[name] = 0
        finally:
            scopes.current = outer
            if names is not None:
                names.__exit__(*(error or (None, None, None)))


def _nested_getter(inner: Any, outer: Any, getter: Any, *args: Any, **kwargs: Any) -> Any:
    return inner(functools.partial(outer, getter), *args, **kwargs)


def _unused_name(scopes: _Scopes, name: str) -> str:
    prefix = scopes.current.name + "/" if scopes.current.name else ""
    unused, i = name, 0
    while scopes.opened.get(prefix + unused):
        i += 1
        unused = f"{name}_{i}"
    return unused


def get_variable_scope() -> VariableScope:
    """Return the current scope, which ``get_variable`` uses."""
    return _scopes(get_default_graph()).current


@overload
def get_variable(
    name: str,
    shape: Any = None,
    dtype: DTypeLike | None = None,
    initializer: Any = None,
    regularizer: Regularizer | None = None,
    trainable: bool = True,
    collections: Sequence[Any] | None = None,
    partitioner: None = None,
    custom_getter: Any = None,
    constraint: WeightConstraint | None = None,
) -> Variable: ...


@overload
def get_variable(
    name: str,
    shape: Any = None,
    dtype: DTypeLike | None = None,
    initializer: Any = None,
    regularizer: Regularizer | None = None,
    trainable: bool = True,
    collections: Sequence[Any] | None = None,
    *,
    partitioner: Callable[..., Any],
    custom_getter: Any = None,
    constraint: WeightConstraint | None = None,
) -> PartitionedVariable: ...


def get_variable(
    name: str,
    shape: Any = None,
    dtype: DTypeLike | None = None,
    initializer: Any = None,
    regularizer: Regularizer | None = None,
    trainable: bool = True,
    collections: Sequence[Any] | None = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    constraint: WeightConstraint | None = None,
) -> Any:
    """Return the variable `name` of the current scope, found or made as the scope's `reuse` says.

    Parameters
    ----------
    name : str
        The scope's name is prefixed.
    shape : int or sequence of int, optional
        Must be left out if `initializer` is a value.
    dtype : dtype, optional
        The scope's by default, which is float32 where none was set.
    initializer : array_like or callable, optional
        A value, which is copied, or a function of ``(shape, dtype)``. By default the scope's. If that has none, Glorot's uniform
        from the graph's generator (see :func:`fastreg.set_random_seed`), or zeros for integers.
    regularizer : callable, optional
        The scope's by default; ``no_regularizer`` for none. A loss is filed under REGULARIZATION_LOSSES when the variable is
        made, and nothing when it is found.
    trainable : bool
        Also list the variable under TRAINABLE_VARIABLES.
    collections : sequence of str, optional
        Where to list the variable; GLOBAL_VARIABLES by default.
    partitioner : callable, optional
        A function of ``(shape, dtype)`` that returns the number of parts for each axis.
    custom_getter : callable, optional
        Called as ``custom_getter(getter, name=..., shape=..., ...)`` in place of the getter.
    constraint : callable, optional
        The scope's by default. What every update rule puts the weights through after its step: one of
        :mod:`fastreg.constraints`, or a function of the weights that returns new ones. The initial value is not constrained. Of
        a variable in parts each part is constrained by itself, as in TensorFlow.

    Returns
    -------
    Variable or PartitionedVariable

    Raises
    ------
    ValueError
        If the variable exists although it must be new, or does not although it must be reused; or if shape, dtype and
        initializer contradict each other.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> with fr.Graph().as_default():
    ...     w = fr.get_variable("w", shape=(2, 3), initializer=np.ones, regularizer=fr.l2_regularizer(0.5))
    ...     float(fr.get_regularization_loss())
    1.5
    """
    return get_variable_scope().get_variable(
        name,
        shape=shape,
        dtype=None if dtype is None else check_dtype(dtype),
        initializer=initializer,
        regularizer=regularizer,
        trainable=trainable,
        collections=collections,
        partitioner=partitioner,
        custom_getter=custom_getter,
        constraint=constraint,
    )


def trainable_variables(scope: str | None = None) -> list[Variable]:
    """Return the default graph's trainable variables; with a `scope`, those whose names it matches from the start."""
    return get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def global_variables(scope: str | None = None) -> list[Variable]:
    """Return the default graph's variables; with a `scope`, those whose names it matches from the start."""
    return get_collection(GraphKeys.GLOBAL_VARIABLES, scope)
