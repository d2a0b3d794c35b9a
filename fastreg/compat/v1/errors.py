"""Errors for which TensorFlow has its own classes.

Knows nothing of the operations that raise them.
"""

from __future__ import annotations

from typing import Any


class OpError(Exception):
    """Something failed while a session ran."""

    def __init__(self, op: Any, message: str) -> None:
        super().__init__(message)
        self.op, self.message = op, message


class FailedPreconditionError(OpError):
    """A variable was read before it was initialized."""


class InvalidArgumentError(OpError):
    """A value does not fit, or was not fed."""


class NotFoundError(OpError):
    """A checkpoint lacks a variable."""


class DataLossError(OpError):
    """A file cannot be read."""


class OperatorNotAllowedInGraphError(TypeError):
    """A tensor was used as a Python value, which it does not have before a session runs."""
