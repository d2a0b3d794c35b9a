"""Floor 1: how many of the machine's cores are this process's share, where a launcher has started several processes.

It knows environment variables, affinity masks and what the system says of its processors; it knows no threads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

TOPOLOGY = "/sys/devices/system/cpu"

# What launchers say of the number of their processes on this machine, the innermost launcher first: torchrun may run under srun.
# SLURM_NTASKS_PER_NODE is not among them: it is what the job asked for, and a batch script that runs once has it, too.
SLURM = "SLURM_STEP_TASKS_PER_NODE"  # a number for each machine, as in 5,4(x3)
VARIABLES = ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "PALS_LOCAL_SIZE", SLURM)


def share() -> tuple[int, str]:
    """Return how many threads are this process's share, and how this was found.

    The share is what the launcher may use, divided by its processes here, and not more than the mask of this process: where
    the launcher has put each process on cores of its own, the mask is the share already.

    Returns
    -------
    threads : int
        At least 1.
    reason : str

    Raises
    ------
    ValueError
        If a launcher's variable is not such a number.
    """
    variable, n_processes = local_processes()
    mine = processors_of(0)
    cores, unit = count_cores(mine)
    if variable == SLURM:  # its daemon may use the whole machine, the job's part of it stands in a variable
        processors = _number("SLURM_CPUS_ON_NODE", os.environ.get("SLURM_CPUS_ON_NODE") or str(len(mine)))
        pool = max(cores, processors * cores // len(mine))
    else:
        launchers = processors_of(os.getppid()) if variable else mine
        pool = count_cores(launchers)[0] if launchers >= mine else cores
    threads = max(1, min(cores, pool // n_processes))
    said = f"{variable} is {n_processes}" if variable else "no launcher"
    return threads, f"{threads} of {cores if pool == cores else f'{cores}, of {pool} for all,'} {unit}; {said}"


def local_processes() -> tuple[str, int]:
    """Return the first variable of a launcher that is set, and its number of processes on this machine; ("", 1) without one."""
    for variable in VARIABLES:
        text = os.environ.get(variable)
        if text:
            return variable, _here(text) if variable == SLURM else _number(variable, text)
    return "", 1


def _number(variable: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) == 0:
        raise ValueError(f"{variable} must be a whole number of at least 1, got {text!r}")
    return int(text)


def _here(text: str) -> int:
    """Return the number of this machine in Slurm's list of numbers by machine, where 4(x3) stands for three of 4."""
    counts: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"([1-9][0-9]{0,5})(?:\(x([1-9][0-9]{0,5})\))?", part, re.ASCII)
        if found is None:
            raise ValueError(f"{SLURM} must be numbers such as 5,4(x3), got {text!r}")
        counts += [int(found[1])] * int(found[2] or 1)
    node = os.environ.get("SLURM_NODEID") or "0"
    if not node.isascii() or not node.isdigit() or len(node) > 9 or int(node) >= len(counts):
        raise ValueError(f"SLURM_NODEID must be a number below {len(counts)}, the machines in {SLURM}={text}, got {node!r}")
    return counts[int(node)]


def processors_of(process: int) -> set[int]:
    """Return the processors that a process may run on, this one's (0) if another's cannot be read."""
    if not hasattr(os, "sched_getaffinity"):
        return set(range(os.cpu_count() or 1))
    try:
        return os.sched_getaffinity(process)
    except OSError:
        return os.sched_getaffinity(0)


def count_cores(processors: Iterable[int]) -> tuple[int, str]:
    """Return how many cores these processors are on, and "cores"; where the system does not tell, how many they are."""
    try:
        siblings = {_read(f"{TOPOLOGY}/cpu{processor}/topology/thread_siblings_list") for processor in processors}
    except OSError:
        return len(set(processors)), "processors"
    return len(siblings), "cores"


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()
