"""What a child of fork is asked for: its parent's bits, by threads of its own. The programs of core/test_forks.py import it."""

import mmap
import os
import signal
import threading
import time
import traceback
import warnings
from collections import Counter
from contextlib import suppress

import numpy as np
from twin.inputs import weights

import fastreg as fr

W = weights(300_007, np.float32)  # several threads share it
PENALTY = fr.l1_l2_regularizer(0.3, 0.7)
TASKS = "/proc/self/task"
PAGES = 16  # a thread that begins writes to fewer new ones

# From Python 3.12 on, every fork beside threads warns. A child that hangs is killed, and so is a child of it.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
os.register_at_fork(after_in_child=lambda: signal.alarm(120))


def bits():
    """A value, a gradient, a prox and a step of Adam, as bytes."""
    stepped = W.copy()
    loss = fr.optim.Adam().apply_gradients({"w": (W, stepped)}, fr.regularize({"w": stepped}, [("*", PENALTY)]))
    results = PENALTY(W), PENALTY.gradient(W), PENALTY.prox(W, 0.5), loss, stepped
    return b"".join(np.asarray(result).tobytes() for result in results)


def first_writes():
    """How many new pages each thread but this one has written to, by the system's count."""
    found = {}
    for task in os.listdir(TASKS):
        if int(task) != threading.get_native_id():
            with suppress(FileNotFoundError, ProcessLookupError), open(f"{TASKS}/{task}/stat") as stat:  # it has ended
                found[task] = int(stat.read().rpartition(")")[2].split()[7])
    return found


def others_work():
    """Whether another thread writes a part of a gradient, sooner or later. Only Linux tells."""
    deadline = time.monotonic() + 60
    while os.path.isdir(TASKS):
        before = first_writes()
        PENALTY.gradient(W, out=np.frombuffer(mmap.mmap(-1, W.nbytes), W.dtype))
        after = first_writes()
        if any(after[task] - before[task] >= PAGES for task in before.keys() & after.keys()):
            return True
        if time.monotonic() > deadline:
            return False
    return True


def right(expected):
    return bits() == expected and others_work() and bits() == expected


def in_children(n, work):
    """Let n children work, one after another, and count their exit codes: 0 where `work()` is true."""
    codes = Counter()
    for _ in range(n):
        child = os.fork()
        if child == 0:
            code = 2
            try:
                code = 0 if work() else 1
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        codes[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] += 1
    return dict(codes)
