# ruff: noqa: N802 - the names are TensorFlow's
"""tf.gfile: files and folders by TensorFlow's names, on this machine's disks alone.

Knows of the package only its errors.
"""

from __future__ import annotations

import glob
import shutil
from pathlib import Path
from typing import Any

from fastreg.compat.v1.errors import NotFoundError


def Exists(filename: str) -> bool:
    """Return whether there is a file or folder of this name."""
    return Path(filename).exists()


def IsDirectory(dirname: str) -> bool:
    """Return whether this is a folder."""
    return Path(dirname).is_dir()


def MkDir(dirname: str) -> None:
    """Make a folder in one that is there."""
    if not Path(dirname).parent.is_dir():
        raise NotFoundError(None, f"{dirname}; No such file or directory")
    Path(dirname).mkdir()


def MakeDirs(dirname: str) -> None:
    """Make a folder and those that it stands in; one that is there stays."""
    Path(dirname).mkdir(parents=True, exist_ok=True)


def ListDirectory(dirname: str) -> list[str]:
    """Return the names in a folder."""
    if not IsDirectory(dirname):
        raise NotFoundError(None, f"Could not find directory {dirname}")
    return [path.name for path in Path(dirname).iterdir()]


def Glob(filename: str) -> list[str]:
    """Return the names that fit the pattern."""
    return glob.glob(filename)


def Remove(filename: str) -> None:
    """Delete a file."""
    if not Exists(filename):
        raise NotFoundError(None, f"{filename}; No such file or directory")
    Path(filename).unlink()


def DeleteRecursively(dirname: str) -> None:
    """Delete a folder with all that it holds."""
    if not IsDirectory(dirname):
        raise NotFoundError(None, f"{dirname}; No such file or directory")
    shutil.rmtree(dirname)


def GFile(name: str, mode: str = "r") -> Any:
    """Open a file."""
    if "r" in mode and not Exists(name):
        raise NotFoundError(None, f"{name}; No such file or directory")
    return Path(name).open(mode)


FastGFile = Open = GFile
