"""A lock for objects that can be copied and pickled (floor 2)."""

from __future__ import annotations

from _thread import RLock
from typing import Any

__all__ = ["Lock"]


class Lock(RLock):  # type: ignore[misc]  # the stubs call it final, which it is not
    """A reentrant lock. Where an object is copied or pickled, the copy gets a lock of its own.

    It is C's own, so that an interrupt cannot come between taking it and the block that it is for.
    """

    def __new__(cls) -> Lock:
        """Make a lock, or raise MemoryError."""
        try:
            return super().__new__(cls)
        except RuntimeError:  # what Python raises where there is no memory for a lock
            raise MemoryError("no memory for a lock") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return Lock, ()
