"""``python -m fastreg.compat.v1 script.py ARGS`` runs a script of TensorFlow 1 as it is.

What the script imports as tensorflow is this face.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import fastreg.compat.v1 as face

_FACE, _TENSORFLOW = face.__name__, "tensorflow"


class _Outside:
    """Says of submodules of TensorFlow's that are not here what to do instead."""

    @staticmethod
    def find_spec(name: str, *more: Any) -> None:
        """Refuse an import of what is not here."""
        package, _, last = name.rpartition(".")
        if name.startswith(f"{_TENSORFLOW}."):
            raise ModuleNotFoundError(str(face._missing(package, last)), name=name)


def stand_in() -> None:
    """Let imports of tensorflow and its submodules get this face."""
    modules: dict[str, ModuleType] = {_TENSORFLOW: face}
    for name, module in sys.modules.items():
        if isinstance(module, face._Namespace) or (module is face and name != _FACE):
            modules[_TENSORFLOW + name.removeprefix(_FACE)] = module
    sys.modules.update(modules)
    sys.meta_path.insert(0, _Outside)


def main(arguments: Sequence[str]) -> None:
    """Run the script that the first argument names, with the others as its own."""
    if not arguments:
        sys.exit(f"usage: python -m {_FACE} script.py [argument ...]")
    stand_in()
    sys.argv[:] = arguments
    sys.path[0] = str(Path(arguments[0]).resolve().parent)
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
