"""tf.train.Saver: variables' values in files of NumPy's, and the file `checkpoint` that says which of these is the latest.

A checkpoint `model.ckpt-7` is one file, `model.ckpt-7.npz`, which ``numpy.load`` reads too. It holds arrays alone: no
graph, and nothing that Python would have to execute. A variable that is kept in parts is saved as one array.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from fastreg.compat.v1.dtypes import as_dtype
from fastreg.compat.v1.errors import DataLossError, InvalidArgumentError, NotFoundError
from fastreg.compat.v1.graph import get_default_graph
from fastreg.compat.v1.session import Session
from fastreg.compat.v1.variables import PartitionedVariable, Variable
from fastreg.variables import global_variables

_log = logging.getLogger("fastreg")
_CHANGED = (
    "Restoring from checkpoint failed. This is most likely due to {} from the checkpoint. Please ensure that you have not "
    "altered the graph expected based on the checkpoint. Original error:\n\n{}"
)
_STATE = "checkpoint"


class CheckpointState(NamedTuple):
    """What the file `checkpoint` of a folder says."""

    model_checkpoint_path: str
    all_model_checkpoint_paths: list[str]

    def __str__(self) -> str:
        paths = [("model_checkpoint_path", self.model_checkpoint_path)]
        paths += [("all_model_checkpoint_paths", path) for path in self.all_model_checkpoint_paths]
        return "".join(f"{key}: {json.dumps(path, ensure_ascii=False)}\n" for key, path in paths)


class Saver:
    """Saves variables and restores them.

    Parameters
    ----------
    var_list : list of Variable, or mapping of str to Variable, optional
        What is saved, by the variables' own names or by those of the mapping; by default all global variables.
    reshape : bool
        Whether a value of another shape is restored if it has as many elements.
    max_to_keep : int or None
        How many of the latest checkpoints stay. None or 0 for all of them.
    keep_checkpoint_every_n_hours : float
        One checkpoint for each such time stays all the same.
    name : str, optional
    allow_empty : bool
        Whether there may be nothing to save.
    pad_step_number : bool
        Whether step numbers in names of files have eight digits.
    save_relative_paths : bool
        Whether the state file has paths that are relative to its own folder.
    """

    def __init__(
        self, var_list: Any = None, reshape: bool = False, sharded: bool = False, max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0, name: str | None = None, restore_sequentially: bool = False,
        allow_empty: bool = False, write_version: int = 2, pad_step_number: bool = False, save_relative_paths: bool = False,
    ) -> None:  # fmt: skip
        self._variables = _by_name(global_variables() if var_list is None else var_list)
        if not self._variables and not allow_empty:
            raise ValueError("No variables to save")
        get_default_graph().unique_name(name or "save")  # TensorFlow's operations for it, which later names count
        self._reshape, self._pad, self._relative = reshape, pad_step_number, save_relative_paths
        self._max_to_keep, self._hours = max_to_keep, keep_checkpoint_every_n_hours
        self._next_kept = time.time() + keep_checkpoint_every_n_hours * 3600
        self._last: list[tuple[str, float]] = []

    @property
    def last_checkpoints(self) -> list[str]:
        """The checkpoints that it has saved and not deleted, the latest one last."""
        return [path for path, _ in self._last]

    def set_last_checkpoints(self, last_checkpoints: list[str]) -> None:
        """Count these checkpoints as saved by this saver; they are not deleted."""
        self._last = [(path, np.inf) for path in last_checkpoints]

    def save(
        self, sess: Any, save_path: str, global_step: Any = None, latest_filename: str | None = None,
        meta_graph_suffix: str = "meta", write_meta_graph: bool = True, write_state: bool = True,
    ) -> str | None:  # fmt: skip
        """Save the variables' values in the session, and return the checkpoint's path: `save_path` and, if given, the step."""
        state, path = latest_filename or _STATE, os.fspath(save_path)
        if os.path.split(state)[0]:
            raise ValueError("'latest_filename' must not contain path components")
        if not path:
            raise ValueError("no path specified")
        if global_step is None and os.path.basename(path) == state:
            raise ValueError(f"'latest_filename' collides with 'save_path': '{state}' and '{path}'")
        if not isinstance(sess, Session):
            raise TypeError(f"'sess' must be a Session; {sess}")
        if not self._variables:
            return None
        if global_step is not None:
            step = int(global_step if isinstance(global_step, (int, np.integer)) else sess.run(global_step))
            path += f"-{step:08d}" if self._pad else f"-{step}"
        held = sess.run({name: list(v) if isinstance(v, PartitionedVariable) else v for name, v in self._variables.items()})
        _write(
            path, {name: np.concatenate(a, self._variables[name].axis) if isinstance(a, list) else a for name, a in held.items()}
        )
        if write_state:
            old = self._note(path)
            self._write_state(path, state)
            if old is not None:
                _file(old).unlink(missing_ok=True)
        return path

    def _note(self, path: str) -> str | None:
        """Note a new checkpoint, and return the one that is to be deleted."""
        if not self._max_to_keep:
            return None
        self._last = [item for item in self._last if item[0] != path] + [(path, time.time())]
        if len(self._last) <= self._max_to_keep:
            return None
        old, saved = self._last.pop(0)
        if saved <= self._next_kept:
            return old
        self._next_kept += self._hours * 3600
        return None

    def _write_state(self, path: str, state: str) -> None:
        folder = os.path.dirname(path)
        relative = self._relative or not os.path.isabs(folder)

        def shown(p: str) -> str:
            return os.path.relpath(p, folder or ".") if relative and (self._relative or not os.path.isabs(p)) else p

        text = str(CheckpointState(shown(path), [shown(p) for p in self.last_checkpoints or [path]]))
        _replace(Path(folder, state), lambda file: file.write(text.encode()))

    def restore(self, sess: Any, save_path: Any) -> None:
        """Give the variables the values of a checkpoint. Nothing is changed if one of them is missing there or does not fit."""
        if not self._variables:
            return
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        path = os.fsdecode(save_path)
        if not checkpoint_exists(path):
            raise ValueError("The passed save_path is not a valid checkpoint: " + path)
        _log.info("Restoring parameters from %s", path)
        saved = _read(path)
        missing = sorted(self._variables.keys() - saved.keys())
        if missing:
            others = f"; neither are {missing[1:]}" if missing[1:] else ""
            text = f"Key {missing[0]} not found in checkpoint{others}. It has {sorted(saved)}"
            raise NotFoundError(None, _CHANGED.format("a Variable name or other graph key that is missing", text))
        values = [(v, self._fitting(name, v, saved[name])) for name, v in self._variables.items()]
        for variable, value in values:
            for part, own in _parts(variable, value):
                part.load(own, sess)

    def _fitting(self, name: str, variable: Any, value: Any) -> Any:
        wanted, problem = variable.dtype.base_dtype, None
        if as_dtype(value.dtype) != wanted:
            problem = f"tensor_name = {name}; expected dtype {wanted.name} does not equal original dtype {value.dtype.name}"
        elif not variable.shape.is_compatible_with(value.shape):
            if self._reshape and variable.shape.num_elements() == value.size:
                return value.reshape(variable.shape.as_list())
            shapes = [str(list(shape)).replace(" ", "") for shape in (variable.shape.as_list(), value.shape)]
            problem = f"Assign requires shapes of both tensors to match. lhs shape= {shapes[0]} rhs shape= {shapes[1]}"
            problem += f"\n\t [[variable {name}]]"
        if problem is not None:
            raise InvalidArgumentError(None, _CHANGED.format("a mismatch between the current graph and the graph", problem))
        return value


def _by_name(var_list: Any) -> dict[str, Any]:
    """Return variables by the names that they are saved under; the parts of a variable become one."""
    if isinstance(var_list, Mapping):
        for v in var_list.values():
            if not isinstance(v, (Variable, PartitionedVariable)):
                raise TypeError(
                    f"names_to_saveables must be a dict mapping string names to Tensors/Variables. Not a variable: {v}"
                )
        return dict(var_list)
    if not isinstance(var_list, (list, tuple)):
        raise TypeError(f"Variables to save should be passed in a dict or a list: {var_list}")
    wholes = [v for v in list(get_default_graph().variables.values()) if isinstance(v, PartitionedVariable)]
    whole_of = {part: whole for whole in wholes for part in whole.parts}
    found: dict[str, Any] = {}
    for v in var_list:
        if not isinstance(v, (Variable, PartitionedVariable)):
            raise TypeError(f"Variable to save is not a Variable: {v}")
        saved = whole_of.get(v, v)
        name = saved.name if isinstance(saved, PartitionedVariable) else saved.op.name
        if name in found and saved is v:
            raise ValueError(f"At least two variables have the same name: {name}")
        found[name] = saved
    return found


def _parts(variable: Any, value: Any) -> list[tuple[Variable, Any]]:
    """Return a variable and its value, or the parts of one with theirs."""
    if isinstance(variable, Variable):
        return [(variable, value)]
    ends = np.cumsum([part.shape.as_list()[variable.axis] for part in variable.parts])
    return list(zip(variable.parts, np.split(value, ends[:-1], variable.axis), strict=True))


def _file(path: str) -> Path:
    return Path(path + ".npz")


def _write(path: str, arrays: dict[str, Any]) -> None:
    """Write arrays as ``numpy.savez`` does, but with any names."""
    for name, array in arrays.items():
        if np.asarray(array).dtype.kind in "OUS":
            raise TypeError(f"variable {name!r} holds strings, which a checkpoint here cannot hold")

    def fill(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(name + ".npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)

    _replace(_file(path), fill)


def _read(path: str) -> dict[str, Any]:
    with _file(path).open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
            for name, array in arrays.items():
                if not isinstance(array, np.ndarray):
                    raise TypeError(f"{name} is no array")
                as_dtype(array.dtype)
        except MemoryError:
            raise
        except Exception as error:  # a damaged file makes zipfile, zlib and NumPy raise errors of many kinds
            raise DataLossError(None, f"Unable to read the checkpoint {_file(path)}: {error}") from None
    return arrays


def _replace(path: Path, fill: Callable[[BinaryIO], Any]) -> None:
    """Write a file whole or not at all: another one, which then takes the place of the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path) as file:
        fill(file)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp lets nobody else read
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def checkpoint_exists(checkpoint_prefix: str) -> bool:
    """Tell whether there is a checkpoint of this path."""
    return _file(checkpoint_prefix).is_file()


def get_checkpoint_state(checkpoint_dir: str, latest_filename: str | None = None) -> CheckpointState | None:
    """Return what the state file of a folder says, None if it has none."""
    path = os.path.join(checkpoint_dir, latest_filename or _STATE)
    if not os.path.isfile(path):
        return None
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    found: dict[str, list[str]] = {"model_checkpoint_path": [], "all_model_checkpoint_paths": []}
    for key, shown in re.findall(r'^(\w+): ("(?:[^"\\]|\\.)*")$', text, re.MULTILINE):
        found.setdefault(key, []).append(os.path.join(checkpoint_dir, json.loads(shown)))
    if not found["model_checkpoint_path"]:
        _log.warning("%s: Checkpoint ignored", path)
        return None
    return CheckpointState(found["model_checkpoint_path"][0], found["all_model_checkpoint_paths"])


def latest_checkpoint(checkpoint_dir: str, latest_filename: str | None = None) -> str | None:
    """Return the path of the latest checkpoint in a folder, None if there is none."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if not checkpoint_exists(state.model_checkpoint_path):
        _log.error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
        return None
    return state.model_checkpoint_path
