"""The libraries that are compared, one file each; ``load`` imports one in the process that will run it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contenders.base import Contender

CONTENDERS = {
    "limit": "Limit",
    "fastreg": "Fastreg",
    "interop": "Interop",
    "NumPy": "NumPy",
    "torch": "Torch",
    "DeepSpeed": "DeepSpeed",
    "TensorFlow": "TensorFlow",
    "JAX": "JAX",
    "numba": "Numba",
    "numexpr": "NumExpr",
    "NumKong": "NumKong",
    "skglm": "Skglm",
    "PyProximal": "PyProximal",
}
PEERS = tuple(name for name in CONTENDERS if name not in ("limit", "fastreg", "interop"))


def load(name: str) -> type[Contender]:
    """Return the contender's class."""
    found: type[Contender] = getattr(import_module(f"contenders.{name.lower()}"), CONTENDERS[name])
    return found
