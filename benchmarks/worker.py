"""One contender in a process of its own, which runs when it is told to and sleeps otherwise.

Thread pools of torch, TensorFlow, JAX, OpenMP and OpenBLAS spin for a while after each piece of work. In one process, or
in processes that run at once, they take cores from each other and every measurement is false. Here a worker hands the
machine on only once its threads have stopped using the processor.
"""

from __future__ import annotations

import gc
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from cells import Cell
from contenders import load
from contenders.base import Contender, Form
from problem import Problem

WARM_SECONDS = 0.01
SAMPLE_SECONDS = 100e-6
LONGEST_SPIN = 0.3


def serve(connection: Connection, name: str, threads: int) -> None:
    """Answer requests until the other side says stop, or is gone: each is a method's name and its arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side decides what an interrupt means
    warnings.simplefilter("ignore")
    try:
        worker = Worker(load(name)(threads))
    except Exception as error:
        connection.send(("absent", f"{type(error).__name__}: {error}"))
        return
    connection.send(("present", worker.contender.version))
    while (request := _receive(connection))[0] != "stop":
        try:
            connection.send(("done", getattr(worker, request[0])(*request[1:])))
        except BrokenPipeError:
            return
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            connection.send(("failed", f"{type(error).__name__}: {error} ({os.path.basename(last.filename)}:{last.lineno})"))


def _receive(connection: Connection) -> tuple[Any, ...]:
    try:
        request: tuple[Any, ...] = connection.recv()
    except (EOFError, ConnectionError):
        return ("stop",)
    return request


class Worker:
    """What a contender's process does when asked."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.forms: dict[str, Form] = {}
        self.clocks: dict[str, Callable[[int], float]] = {}
        self.problem: Problem | None = None

    def prepare(self, cell: Cell) -> tuple[list[tuple[str, bool]], list[str]]:
        """Make the arrays and check every form once. Gives the labels of the right ones (and whether each is an anchor)
        and what is wrong with the others.
        """  # noqa: D205
        self.release()
        if not hasattr(self.contender, cell.method):
            return [], []
        self.problem = problem = Problem(cell)
        found, complaints = [], []
        for form in self.contender.forms(problem):
            try:
                complaint = self._check(form, problem)
            except Exception as error:
                complaint = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            if complaint:
                complaints.append(f"{form.label}: {complaint}")
                continue
            self.forms[form.label] = form
            self.clocks[form.label] = form.clock()
            found.append((form.label, form.anchor))
        self._sleep()
        return found, complaints

    @staticmethod
    def _check(form: Form, problem: Problem) -> str | None:
        if form.seconds is not None:
            return None
        problem.fresh()
        form.fresh()
        with form.around():
            result = form.run()
        if form.anchor or problem.cell.operation == "error":
            return None
        return problem.complaint(form.value(result) if form.value else None, form.arrays() if form.arrays else None)

    def turn(self, label: str, seconds: float) -> tuple[float, float]:
        """Median seconds of one run of a form, in a tight loop on warm arrays; and the processor time of the whole turn."""
        form, clock = self.forms[label], self.clocks[label]
        used = time.process_time()
        with form.around():
            number, spent = 1, clock(1)
            warm_until = time.perf_counter() + min(WARM_SECONDS, seconds)
            while time.perf_counter() < warm_until:
                number = max(1, int(SAMPLE_SECONDS / max(spent, 1e-9)))
                spent = clock(number) / number
            samples: list[float] = []
            until = time.perf_counter() + seconds
            while not samples or time.perf_counter() < until:
                samples.append(clock(number) / number)
        self._sleep()
        return median(samples) * form.factor, time.process_time() - used

    def value(self, label: str) -> float:
        """Return the penalty by a form, for comparison with the exact one."""
        form = self.forms[label]
        if form.value is None:
            raise ValueError(f"{label} computes no value")
        return form.value(form.run())

    def release(self) -> None:
        """Give the arrays of the last cell back."""
        self.forms.clear()
        self.clocks.clear()
        self.problem = None
        self.contender.release()
        gc.collect()

    @staticmethod
    def _sleep() -> None:
        """Wait until no thread of this process spins any more."""
        give_up = time.perf_counter() + LONGEST_SPIN
        while time.perf_counter() < give_up:
            used = time.process_time()
            time.sleep(0.002)
            if time.process_time() - used < 0.0005:
                return


__all__: list[Any] = ["serve"]
