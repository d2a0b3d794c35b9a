"""tf.train's global step: the variable that counts the training steps of a graph."""

from __future__ import annotations

from typing import Any

from fastreg.compat.v1.array_ops import zeros
from fastreg.compat.v1.graph import Graph, get_default_graph
from fastreg.compat.v1.scopes import get_variable
from fastreg.compat.v1.variables import Variable
from fastreg.graph import GraphKeys


def _graph(graph: Any) -> Graph:
    if graph is not None and not isinstance(graph, Graph):
        raise TypeError(f"graph must be a Graph or None, got {graph!r}")
    return get_default_graph() if graph is None else graph


def get_global_step(graph: Any = None) -> Any:
    """Return the graph's global step: the one in its collection, or the variable of that name, or None."""
    graph = _graph(graph)
    steps = graph.get_collection(GraphKeys.GLOBAL_STEP)
    named = [v for v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES) if v.name == "global_step:0"]
    found = next(iter([*steps, *named]), None)
    if found is not None:
        assert_global_step(found)
    return found


def assert_global_step(global_step_tensor: Any) -> None:
    """Refuse what cannot be a global step."""
    step = global_step_tensor
    if not hasattr(step, "op"):
        raise TypeError(f'Existing "global_step" must be a Variable or Tensor: {step}.')
    if not step.dtype.base_dtype.is_integer:
        raise TypeError(f'Existing "global_step" does not have integer type: {step.dtype}')
    if step.shape.ndims != 0 and step.shape.is_fully_defined():
        raise TypeError(f'Existing "global_step" is not scalar: {step.shape}')


def create_global_step(graph: Any = None) -> Variable:
    """Return a new global step; there must be none."""
    graph = _graph(graph)
    with graph.lock, graph.as_default(), graph.name_scope(None):
        if get_global_step(graph) is not None:
            raise ValueError('"global_step" already exists.')
        step: Variable = get_variable(
            "global_step", (), "i8", zeros, trainable=False, collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP]
        )
        return step


def get_or_create_global_step(graph: Any = None) -> Any:
    """Return the graph's global step, made if there is none."""
    graph = _graph(graph)
    with graph.lock:
        found = get_global_step(graph)
        return create_global_step(graph) if found is None else found


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """Return the value of a global step in a session."""
    return int(sess.run(global_step_tensor))
