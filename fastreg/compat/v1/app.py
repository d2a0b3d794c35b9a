"""tf.app.run: reads the flags and calls the script's `main`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from fastreg.compat.v1.flags import FLAGS


def run(main: Callable[[list[str]], Any] | None = None, argv: Sequence[str] | None = None) -> NoReturn:
    """Call `main` with the arguments that are no flags, and exit with what it returns."""
    main = main or sys.modules["__main__"].main
    sys.exit(main(FLAGS(sys.argv if argv is None else argv, known_only=True)))
