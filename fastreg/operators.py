"""NumPy's operators for what stands for an array or a number (floor 2)."""

from __future__ import annotations

from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["Operators"]


class Operators(NDArrayOperatorsMixin):
    """NumPy's operators, by the ``__array_ufunc__`` of the class that inherits them.

    ``==`` and ``!=`` compare objects, not values: variables and terms are looked for in lists and are keys of dicts.
    ``numpy.equal`` compares values.
    """

    __slots__ = ()
    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__
