"""Slots: variables that an optimizer or a moving average keeps beside another variable."""

from __future__ import annotations

from typing import Any

from fastreg.compat.v1.scopes import get_variable, variable_scope
from fastreg.variables import get_variable_scope


def create_slot(primary: Any, initial_value: Any, name: str) -> Any:
    """Return a variable named after `primary` and `name`. No regularizer and no partitioner of a scope applies to it."""
    with variable_scope(None, f"{primary.op.name}/{name}"):
        get_variable_scope().set_partitioner(None)
        return get_variable("", initializer=initial_value, regularizer=lambda _: None, trainable=False)
