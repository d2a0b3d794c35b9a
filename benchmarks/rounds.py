"""Taking turns: every contender runs each cell for a moment, round after round, and ratios are formed within a round.

A machine's speed drifts: neighbours on the same host, clock frequencies, memory refresh. Two runs of a minute each
compare two moments; many short turns compare the libraries.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from cells import Cell
from contenders import load
from problem import errors_in_ulp, exact_value
from worker import serve

NEAR_BEST = 1.25
"""Forms within this factor of their library's best after the trial stay for all rounds; those slower by ``HOPELESS`` after
one turn get no second."""
HOPELESS = 4
QUIET = 0.1
"""A turn is quiet if all other processes used less than this share of one core meanwhile (and the host took no more)."""
TRIES = 2
"""How often a turn that was not quiet is taken."""


@dataclass
class Result:
    """What one cell gave.

    Attributes
    ----------
    seconds : dict
        Contender to form to the median seconds of each round.
    anchors : set
        Names "contender: form" of forms that serve only as the other side of a ratio.
    errors : dict
        Contender to form to the error in units of the last place, in "error" cells.
    complaints : list
        Forms that did not run, or whose result was wrong.
    turns, disturbed : int
        Turns that count, and those among them during which somebody else used the machine.
    """

    cell: Cell
    seconds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    anchors: set[str] = field(default_factory=set)
    errors: dict[str, dict[str, float]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    turns: int = 0
    disturbed: int = 0

    def best(self, name: str) -> str | None:
        """Return the form of a contender with the lowest median."""
        forms = {form: times for form, times in self.seconds.get(name, {}).items() if f"{name}: {form}" not in self.anchors}
        return min(forms, key=lambda form: median(forms[form])) if forms else None

    def times(self, name: str, form: str | None = None) -> list[float] | None:
        """Seconds per round of a contender's form, of its best one unless named."""
        form = form or self.best(name)
        return self.seconds.get(name, {}).get(form or "")


class Player:
    """The side that asks: of a worker, or of several that do the same at once."""

    def __init__(self, name: str, threads: int, cores: int, n_processes: int) -> None:
        self.name = name
        self.threads = threads
        self.processes: list[Any] = []
        self.connections: list[Connection] = []
        context = multiprocessing.get_context("spawn")
        for place in range(n_processes):
            here, there = context.Pipe()
            with _environment(name, threads, cores, place):
                process = context.Process(target=serve, args=(there, name, threads), daemon=True)
                process.start()
            there.close()
            self.processes.append(process)
            self.connections.append(here)
        self.present = True
        for connection in self.connections:
            try:
                state, self.said = connection.recv()
            except EOFError:
                state, self.said = "absent", "its process died"
            self.present &= state == "present"

    def send(self, method: str, *arguments: Any) -> None:
        """Ask for something."""
        for connection in self.connections:
            connection.send((method, *arguments))

    def receive(self) -> list[Any]:
        """Return each worker's answer; a RuntimeError if there is none."""
        answers: list[Any] = []
        complaints: list[str] = []
        for process, connection in zip(self.processes, self.connections, strict=True):
            try:
                state, said = connection.recv()
            except EOFError:
                self.present = False
                state, said = "died", f"its process died (exit code {process.exitcode})"
            (answers if state == "done" else complaints).append(said)
        if complaints:
            raise RuntimeError(complaints[0])
        return answers

    def ask(self, method: str, *arguments: Any) -> list[Any]:
        """Ask, and wait for the answers."""
        self.send(method, *arguments)
        return self.receive()

    def prepared(self) -> tuple[list[tuple[str, bool]], list[str]]:
        """Return the forms that are right in every worker, and the complaints; "prepare" has been asked for."""
        answers = self.receive()
        labels = [label for label in answers[0][0] if all(label in found for found, _ in answers)]
        return labels, list(dict.fromkeys(complaint for _, complaints in answers for complaint in complaints))

    def turn(self, label: str, seconds: float) -> tuple[float, bool]:
        """One turn's median, of the slowest worker, and whether the machine was quiet; taken again if it was not."""
        for _ in range(TRIES):
            busy, started = _busy_seconds(), time.perf_counter()
            answers = self.ask("turn", label, seconds)
            middle, own = max(middle for middle, _ in answers), sum(own for _, own in answers)
            others = _busy_seconds() - busy - own
            # the kernel counts in hundredths of a second: two of them mean nothing
            quiet = others <= max(0.02, QUIET * (time.perf_counter() - started))
            if quiet:
                break
        return middle, quiet

    def stop(self) -> None:
        """End the processes."""
        for process, connection in zip(self.processes, self.connections, strict=True):
            with suppress(ConnectionError):
                connection.send(("stop",))
            process.join(5)
            if process.is_alive():
                process.kill()


def _busy_seconds() -> float:
    """Processor time that this machine has spent or had taken away by its host, all processes together."""
    try:
        user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    return sum(map(int, (user, nice, system, *interrupts))) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _environment(name: str, threads: int, cores: int, place: int) -> Iterator[None]:
    """Set what a process must find when it starts. With all cores that is the user's environment, untouched.

    Processes that run at once have places, and cores of their own.

    With fewer threads it also gets only as many cores: some libraries (JAX) take their thread count from nothing else,
    and nobody shall use more than the others.
    """
    if threads == cores:
        yield
        return
    variables, available = dict(os.environ), os.sched_getaffinity(0)
    try:
        os.environ.update({"OMP_NUM_THREADS": str(threads), **load(name).environment(threads)})
        os.sched_setaffinity(0, sorted(available)[place * threads : (place + 1) * threads])
        yield
    finally:
        os.sched_setaffinity(0, available)
        os.environ.clear()
        os.environ.update(variables)


@dataclass
class Match:
    """All contenders, at every number of threads that is asked for.

    Parameters
    ----------
    names : sequence of str
        The contenders.
    cores : int
        Threads of the cells that do not say.
    rounds : int
        Rounds of each cell.
    seconds : float
        Length of a turn.
    """

    names: Sequence[str]
    cores: int
    rounds: int
    seconds: float
    started: dict[tuple[str, int, int], Player] = field(default_factory=dict)

    def players(self, threads: int, n_processes: int = 1) -> list[Player]:
        """Give the players of so many processes with so many threads each, started when first needed."""
        keys = [(name, threads, n_processes) for name in self.names]
        for key in keys:
            if key not in self.started:
                self.started[key] = player = Player(key[0], threads, self.cores, n_processes)
                times = f"{n_processes} times " if n_processes > 1 else ""
                _say(f"  {key[0]}, {times}{threads} threads: {player.said}")
        return [self.started[key] for key in keys if self.started[key].present]

    def retire(self, threads: int, n_processes: int) -> None:
        """Stop the players with any other numbers."""
        for key in [key for key in self.started if key[1:] != (threads, n_processes)]:
            self.started.pop(key).stop()

    def stop(self) -> None:
        """Stop everything."""
        self.retire(0, 0)

    def play(self, cell: Cell) -> Result:
        """Measure one cell."""
        result = Result(cell)
        threads = cell.threads or self.cores
        self.retire(threads, cell.processes)
        players = self.players(threads, cell.processes)
        if cell.operation == "error":
            self._show_errors(players, result)
            return result
        forms = self._prepare(players, result)
        self._trial(forms, result)
        for number in range(self.rounds):
            turns = [(player, label) for player, labels in forms for label in labels]
            shift = number % len(turns) if turns else 0
            for player, label in turns[shift:] + turns[:shift]:
                seconds, quiet = player.turn(label, self.seconds)
                result.turns += 1
                result.disturbed += not quiet
                result.seconds.setdefault(player.name, {}).setdefault(label, []).append(seconds)
        for player, _ in forms:
            player.ask("release")
        return result

    def _prepare(self, players: Sequence[Player], result: Result) -> list[tuple[Player, list[str]]]:
        """All at once: compiling takes long, and nothing is timed yet."""
        for player in players:
            player.send("prepare", result.cell)
        forms = []
        for player in players:
            try:
                labels, complaints = player.prepared()
            except RuntimeError as error:
                result.complaints.append(f"{player.name}: {error}")
                continue
            result.complaints += [f"{player.name}: {complaint}" for complaint in complaints]
            result.anchors |= {f"{player.name}: {label}" for label, anchor in labels if anchor}
            if labels:
                forms.append((player, [label for label, _ in labels]))
        return forms

    def _trial(self, forms: list[tuple[Player, list[str]]], result: Result) -> None:
        """Leave each library its fastest forms, and those too near to tell; one turn is enough for a hopeless one.

        A form that a target names stays, however slow.
        """
        named = {target.over for target in result.cell.targets}
        for player, labels in forms:
            rivals = [label for label in labels if f"{player.name}: {label}" not in result.anchors]
            if len(rivals) < 2:
                continue
            times = {label: player.turn(label, self.seconds)[0] for label in rivals}
            for label in rivals:
                if times[label] <= HOPELESS * min(times.values()):
                    times[label] = min(times[label], player.turn(label, self.seconds)[0])
            best = min(times.values())
            labels[:] = [
                label
                for label in labels
                if label not in times or times[label] <= NEAR_BEST * best or f"{player.name}: {label}" in named
            ]

    def _show_errors(self, players: Sequence[Player], result: Result) -> None:
        """One after another: the arrays are large."""
        right = exact_value(result.cell)
        for player in players:
            try:
                player.send("prepare", result.cell)
                labels, complaints = player.prepared()
                result.complaints += [f"{player.name}: {complaint}" for complaint in complaints]
                for label, _ in labels:
                    (value,) = player.ask("value", label)
                    result.errors.setdefault(player.name, {})[label] = errors_in_ulp(value, right, result.cell.dtype)
                player.ask("release")
            except RuntimeError as error:
                result.complaints.append(f"{player.name}: {error}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
