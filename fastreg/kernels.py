"""Floor 1: pick the compiled loops for this CPU, and show how they run.

It knows instruction sets, environment variables and the process's exit; it knows no array and no regularizer. The compiled
parts of this floor are exported here: checks (`_arrays`), one array (`_penalty`), many (`_collection`,
`_step`), gradients of rows (`_rows`), constraints (`_constraints`), whole lines (`_lines`).
"""

import atexit
import importlib
import numbers
import os
import re
import warnings
from importlib.util import find_spec
from typing import Literal

try:
    from fastreg import _jobs, _threads
except ImportError as error:
    raise ImportError(
        "fastreg's compiled part is missing. In its source folder, `import fastreg` finds the sources: leave the folder, or "
        "build them in place with `pip install -e .`"
    ) from error
from fastreg._arrays import TAGGED_BFLOAT16 as BFLOAT16
from fastreg._arrays import check_array, check_like, check_out, convert, dtype_name, value_dtype
from fastreg._collection import Term, evaluate, have_custom, take_terms
from fastreg._constraints import clamp, rescale
from fastreg._lines import LINES, line_gradient, line_prox, line_value, project_l1_ball, project_simplex
from fastreg._penalty import PROFILES, Penalty, check_step, l2_loss
from fastreg._rows import merge_rows
from fastreg._step import (
    RULES,
    Entry,
    State,
    Step,
    StreamedStep,
    check_gradient,
    commit_all,
    memory_of,
    owners_of,
    rounding_key,
    scaled_gradient,
    wide_weights,
    write_together,
)
from fastreg.launchers import processors_of, share

__all__ = [
    "BFLOAT16",
    "LINES",
    "PROFILES",
    "RULES",
    "Entry",
    "Penalty",
    "State",
    "Step",
    "StreamedStep",
    "Term",
    "check_array",
    "check_gradient",
    "check_like",
    "check_out",
    "check_step",
    "clamp",
    "commit_all",
    "convert",
    "dtype_name",
    "evaluate",
    "get_config",
    "get_num_threads",
    "have_custom",
    "l2_loss",
    "line_gradient",
    "line_prox",
    "line_value",
    "memory_of",
    "merge_rows",
    "owners_of",
    "project_l1_ball",
    "project_simplex",
    "rescale",
    "rounding_key",
    "scaled_gradient",
    "set_num_threads",
    "show_config",
    "take_terms",
    "value_dtype",
    "wide_weights",
    "write_together",
]

ISAS = ("x86-64-v4", "x86-64-v3", "x86-64", "arm64", "baseline")
MOST_THREADS = 4096  # a larger number is a typing mistake; the system would be asked for that many threads


def _module(isa: str) -> str:
    return f"fastreg._kernels_{isa.replace('-', '_')}"


def _choose() -> tuple[str, list[str]]:
    """Return the instruction set to use and those compiled; FASTREG_ISA overrules the choice."""
    compiled = [isa for isa in ISAS if find_spec(_module(isa)) is not None]
    usable = [isa for isa in compiled if isa in _jobs.cpu_isas()]
    forced = os.environ.get("FASTREG_ISA", "")
    if not forced and usable:
        return usable[0], compiled
    if forced in usable:
        return forced, compiled
    if not forced:
        raise ImportError(f"fastreg has no kernel for this CPU: compiled {compiled}, CPU supports {_jobs.cpu_isas()}")
    lacking = "this CPU lacks it" if forced in compiled else "this build does not contain it"
    raise ImportError(f"FASTREG_ISA={forced}: {lacking}; available are {', '.join(usable)}")


def _usual_threads() -> int:
    """Return 0 to follow OpenMP (and so OMP_NUM_THREADS); without OpenMP what it would say."""
    if _threads.has_openmp():
        return 0
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # a list has a number for each level of nested regions
    return int(text) if re.fullmatch("[1-9][0-9]{0,3}", text, re.ASCII) else len(processors_of(0))


def _environment_threads() -> tuple[int, str | None]:
    """Return FASTREG_NUM_THREADS, or what is used without it, and how a share was found."""
    text = os.environ.get("FASTREG_NUM_THREADS", "")
    if not text:
        return _usual_threads(), None
    if text == "share":
        try:
            return share()
        except ValueError as error:
            raise ImportError(f"FASTREG_NUM_THREADS is share, and {error}") from None
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= MOST_THREADS:
        raise ImportError(f"FASTREG_NUM_THREADS must be a whole number from 1 to {MOST_THREADS}, got {text!r}; or share")
    return int(text), None


_isa, _compiled = _choose()
_jobs.install(importlib.import_module(_module(_isa)).kernel)
_n_threads, _reason = _environment_threads()
_threads.request_threads(_n_threads)
_asked = {"share": _reason}  # how the share was found, if it was asked for
atexit.register(_threads.stop)


def set_num_threads(n: int | Literal["share"]) -> None:
    """Let fastreg use up to `n` threads.

    Small work uses fewer. A lower limit set through threadpoolctl still holds where it is in force.

    Parameters
    ----------
    n : int or "share"
        At least 1. "share" is this process's share of the cores, for programs of which a launcher such as torchrun or mpirun
        starts several on a machine; FASTREG_NUM_THREADS=share does the same.

    Raises
    ------
    TypeError, ValueError
        If `n` is not a whole number, or below 1; or, for "share", if a launcher's variable is wrong.

    Warns
    -----
    RuntimeWarning
        If this build has no threads: on Windows, without OpenMP.

    Notes
    -----
    Launchers set OMP_NUM_THREADS to 1, lest each of n processes use all cores, and leave most of the machine idle. The share is
    found when this is called, from three numbers:

    - The processes on this machine, by the first of these variables that is set: LOCAL_WORLD_SIZE (torchrun, accelerate),
      OMPI_COMM_WORLD_LOCAL_SIZE (Open MPI), MPI_LOCALNRANKS (Intel MPI, MPICH), PALS_LOCAL_SIZE (Cray),
      SLURM_STEP_TASKS_PER_NODE (srun). Without any it is 1, and the share is all cores.
    - The cores of the affinity mask of the process: physical ones, where Linux tells which processors share one, else
      processors. `show_config` says which. A container's quota of CPU time is not considered.
    - The cores of the launcher, which is taken to be the parent process; of srun, those that SLURM_CPUS_ON_NODE gives the job.

    The share is the launcher's cores divided by the processes, but not more than the cores of the process itself. So a process
    that its launcher put on cores of its own uses all of these, and processes that were put on the same half of the machine
    divide it. A script between launcher and process that sets the mask hides this, and the mask is divided again; give a number
    then. Where OMP_NUM_THREADS is 1, a limit of 1 by threadpoolctl cannot be told from it, and does not hold.

    Examples
    --------
    >>> import fastreg as fr
    >>> before = fr.get_num_threads()
    >>> fr.set_num_threads(1)
    >>> fr.get_num_threads()
    1
    >>> fr.set_num_threads(before)
    """
    reason = None
    if isinstance(n, str) and n == "share":
        n, reason = share()
    if not isinstance(n, numbers.Integral) or isinstance(n, bool):
        raise TypeError(f"n must be a whole number of threads, got {n!r}")
    if not 1 <= n <= MOST_THREADS:
        raise ValueError(f"n must be a number of threads from 1 to {MOST_THREADS}, got {n}")
    if n > 1 and _threads.threading() == "none":
        warnings.warn("this build of fastreg has no OpenMP; it works with one thread", RuntimeWarning, stacklevel=2)
    _threads.request_threads(int(n))
    _asked["share"] = reason


def get_num_threads() -> int:
    """Return how many threads a large call may use now, in the calling thread.

    It follows, in this order: `set_num_threads`, FASTREG_NUM_THREADS, OMP_NUM_THREADS, the cores; and a lower limit of
    threadpoolctl's, which needs OpenMP. A child process by fork has the number of its parent.
    """
    return int(_threads.threads())


def get_config() -> dict[str, object]:
    """Return the version, the instruction set in use and those compiled, OpenMP and threads.

    Returns
    -------
    dict
        With the keys `version`, `isa`, `isas`; `openmp`: whether this build has it; `threading`: whose threads work in this
        process, "openmp", "system" (in a build without OpenMP, and in a child process by fork) or "none"; `threads`: how many;
        and `share`: how the share was found, if it was asked for.
    """
    from importlib import metadata  # noqa: PLC0415 - it loads as much as all of fastreg does

    return {
        "version": metadata.version("fastreg"),
        "isa": _isa,
        "isas": list(_compiled),
        "openmp": _threads.has_openmp(),
        "threading": _threads.threading(),
        "threads": get_num_threads(),
        **_asked,
    }


def show_config() -> None:
    """Print `get_config` for a person."""
    for key, value in get_config().items():
        print(f"{key:9} {', '.join(value) if isinstance(value, list) else 'not asked for' if value is None else value}")
