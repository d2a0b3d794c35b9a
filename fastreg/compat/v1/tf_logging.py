"""tf.logging: the logger of fastreg, under TensorFlow's names."""

from __future__ import annotations

import collections
import logging
import sys
from typing import Any

from fastreg.locks import Lock

DEBUG, INFO, WARN, ERROR, FATAL = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL
_logger = logging.getLogger("fastreg")
debug, info, warn, warning = _logger.debug, _logger.info, _logger.warning, _logger.warning
error, fatal, log, vlog = _logger.error, _logger.critical, _logger.log, _logger.log
_counts: collections.Counter[tuple[str, int]] = collections.Counter()  # calls, by the line that they come from
_counting = Lock()


def set_verbosity(v: int) -> None:
    """Show messages of this level and above; on stderr, if the program has not said where."""
    _logger.setLevel(v)
    if not _logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        _logger.addHandler(handler)


def get_verbosity() -> int:
    """Return the level from which messages are shown."""
    return _logger.getEffectiveLevel()


def log_if(level: int, msg: str, condition: Any, *args: Any) -> None:
    """Log a message if a condition holds."""
    if condition:
        _logger.log(level, msg, *args)


def _earlier_calls() -> int:
    """Return how often the line that called the caller has called it before."""
    frame = sys._getframe(2)
    line = frame.f_code.co_filename, frame.f_lineno
    with _counting:
        _counts[line] += 1
        return _counts[line] - 1


def log_first_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Log a message at the first `n` calls from a line."""
    log_if(level, msg, _earlier_calls() < n, *args)


def log_every_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Log a message at every `n`-th call from a line, beginning with the first."""
    log_if(level, msg, _earlier_calls() % n == 0, *args)


def flush() -> None:
    """Write out what is held back."""
    for handler in _logger.handlers:
        handler.flush()
