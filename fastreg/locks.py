"""Locks for objects that can be copied, and that a forked child finds free (floor 2)."""

from __future__ import annotations

import os
from _thread import RLock
from typing import Any
from weakref import WeakSet

__all__ = ["Lock"]


class Lock(RLock):  # type: ignore[misc]  # the stubs call it final, which it is not
    """A reentrant lock. Where an object is copied or pickled, the copy gets a lock of its own.

    It is C's own, so that an interrupt cannot come between taking it and the block that it is for.
    """

    def __new__(cls) -> Lock:
        """Make a lock, or raise MemoryError."""
        try:
            lock = super().__new__(cls)
        except RuntimeError:  # what Python raises where there is no memory for a lock
            raise MemoryError("no memory for a lock") from None
        _locks.add(lock)
        return lock

    def __reduce__(self) -> tuple[Any, ...]:
        return Lock, ()


_locks: WeakSet[Lock] = WeakSet()


def _free_all() -> None:
    """Free the locks whose holders are not there: of the parent's threads, a child of fork has one."""
    for lock in _locks:
        if not lock._is_owned():  # type: ignore[attr-defined]  # what threading itself uses
            lock._at_fork_reinit()  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_all)
