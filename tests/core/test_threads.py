"""How many threads may work, and what threads and exits must not break."""

import os
import platform
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from kernel_calls import evaluate
from twin.compare import assert_same
from twin.inputs import weights
from twin.penalties import Elastic

import fastreg as fr

needs_threads = pytest.mark.skipif(fr.get_config()["threading"] == "none", reason="a build without threads")
needs_openmp = pytest.mark.skipif(not fr.get_config()["openmp"], reason="a build without OpenMP")
needs_tasks = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux lists them")
LARGE = 1 << 20  # elements that several threads share


# ---------------------------------------------------------------------------------------------------------- how many
@needs_threads
@pytest.mark.parametrize("n", [1, 2, 7, np.int64(3), 4096])
def test_set_num_threads(num_threads, n):
    num_threads(n)
    assert fr.get_num_threads() == n
    assert type(fr.get_num_threads()) is int
    assert fr.get_config()["threads"] == n


@pytest.mark.parametrize("n", [1.0, "2", None, True, np.float64(2.0), [2], 1j], ids=repr)
def test_threads_are_a_whole_number(n):
    before = fr.get_num_threads()
    with pytest.raises(TypeError, match=r"^n must be a whole number of threads, got "):
        fr.set_num_threads(n)
    assert fr.get_num_threads() == before


@pytest.mark.parametrize("n", [0, -1, 4097, 10**30])
def test_threads_are_from_1_to_4096(n):
    before = fr.get_num_threads()
    with pytest.raises(ValueError, match=f"^n must be a number of threads from 1 to 4096, got {n}$"):
        fr.set_num_threads(n)
    assert fr.get_num_threads() == before


@needs_threads
@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "1"}, 1),
        ({"FASTREG_NUM_THREADS": "5", "OMP_NUM_THREADS": "2"}, 5),
        ({"FASTREG_NUM_THREADS": "1", "OMP_NUM_THREADS": "4"}, 1),
        ({"FASTREG_NUM_THREADS": "", "OMP_NUM_THREADS": "4"}, 4),
        ({"OMP_NUM_THREADS": "3,2"}, 3),
        ({"OMP_NUM_THREADS": " 2 "}, 2),
    ],
    ids=str,
)
def test_environment_says_how_many(run_python, variables, threads):
    done = run_python("import fastreg as fr; print(fr.get_num_threads(), fr.get_config()['threads'])", **variables)
    assert done.stdout.split() == [str(threads)] * 2, done.stderr


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "+2", " 2", "²", "4097", "9" * 30])
def test_bad_fastreg_num_threads_is_refused(run_python, text):
    done = run_python("import fastreg", FASTREG_NUM_THREADS=text)
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("ImportError: FASTREG_NUM_THREADS must be a whole number from 1 to 4096, got ")


@needs_openmp
def test_threadpoolctl_lowers_the_number_within_its_scope(run_python):
    done = run_python(
        """
import threading
import fastreg as fr
from threadpoolctl import threadpool_limits
seen = [fr.get_num_threads()]
with threadpool_limits(2):
    seen.append(fr.get_num_threads())
    with threadpool_limits(1, user_api="openmp"):
        seen.append(fr.get_num_threads())
    fr.set_num_threads(3)
    seen.append(fr.get_num_threads())
    fr.set_num_threads(1)
    seen.append(fr.get_num_threads())
    fr.set_num_threads(3)
seen.append(fr.get_num_threads())
with threadpool_limits(1, user_api="blas"):
    seen.append(fr.get_num_threads())
print(*seen)
""",
        OMP_NUM_THREADS="4",
    )
    assert done.stdout.split() == list("4212133"), done.stderr


def test_config_and_its_print(capsys):
    config = fr.get_config()
    assert {"version", "isa", "isas", "openmp", "threading", "threads", "share"} == set(config)
    assert isinstance(config["openmp"], bool)
    assert config["threading"] in (["openmp"] if config["openmp"] else ["system", "none"])
    fr.show_config()
    printed = capsys.readouterr().out
    for key in config:
        assert key in printed
    assert str(config["version"]) in printed and ", ".join(config["isas"]) in printed


# ------------------------------------------------------------------------------------------------- small work, large work
@needs_tasks
@needs_threads
def test_small_work_starts_no_threads_and_large_work_does(run_python):
    done = run_python(
        f"""
import os
import numpy as np
import fastreg as fr
l2 = fr.l2_regularizer(0.5)
count = [len(os.listdir("/proc/self/task"))]
for n in (1, 1000, {LARGE}):
    l2.value_and_gradient(np.ones(n, np.float32))
    count.append(len(os.listdir("/proc/self/task")))
print(count[0] == count[1] == count[2], count[3] > count[0])
""",
        FASTREG_NUM_THREADS="3",
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


@needs_threads
@pytest.mark.parametrize("limit", [{}, {"OMP_THREAD_LIMIT": "1"}, {"OMP_THREAD_LIMIT": "2"}, {"OMP_DYNAMIC": "true"}], ids=str)
def test_more_threads_than_there_can_be(run_python, limit):
    done = run_python(
        """
import numpy as np
import fastreg as fr
from twin.compare import assert_same
from twin.inputs import weights
from twin.penalties import Elastic
w = weights(300_007, np.float32)
l2 = fr.l2_regularizer(0.7)
for n in (3, 64, 65, 100):
    fr.set_num_threads(n)
    for _ in range(5):
        total, slope = l2.value_and_gradient(w)
        assert_same(total, Elastic(0.0, 0.7).value(w))
        assert_same(slope, Elastic(0.0, 0.7).gradient(w))
print("right")
""",
        **limit,
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["right"], "")


def test_many_python_threads_at_once(num_threads):
    num_threads(3)
    sizes = (100, 5000, 70_001, 300_007, LARGE)
    cases = [(weights(n, dtype, seed=n), dtype) for n in sizes for dtype in (np.float32, np.float64)]
    l1, both = fr.l1_regularizer(0.3), fr.l1_l2_regularizer(0.3, 0.7)
    twins = [(Elastic(0.3, 0.7).value(w), Elastic(0.3, 0.7).gradient(w), Elastic(0.3, 0.0).value64(w)) for w, _ in cases]
    start = threading.Barrier(8)

    def work(thread):
        start.wait()
        for k in range(30):
            at = (thread + k) % len(cases)
            (w, _), (total, slope, total_l1) = cases[at], twins[at]
            found, out = both.value_and_gradient(w)
            assert found == total
            assert out.tobytes() == slope.tobytes()
            assert evaluate([w, w], [l1, l1], ["a", "b"]) == total_l1 + total_l1

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, thread) for thread in range(8)]:
            future.result(timeout=60)


def test_threads_may_change_while_others_work(num_threads):
    w = weights(LARGE, np.float32)
    l2 = fr.l2_regularizer(0.7)
    total = Elastic(0.0, 0.7).value(w)
    stop = threading.Event()

    def change():
        for n in range(10**9):
            num_threads(n % 7 + 1)
            if stop.wait(0.001):
                break

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(100):
            assert_same(l2(w), total)
    finally:
        stop.set()
        changer.join()


def test_a_long_call_releases_the_gil(num_threads):
    num_threads(1)
    w = np.ones(20_000_000, np.float32)
    calls, ticks = 20, 0
    thread = threading.Thread(target=lambda: [fr.l2_loss(w) for _ in range(calls)])
    thread.start()
    while thread.is_alive():
        ticks += 1
        time.sleep(0.0001)
    assert ticks > 3 * calls  # without, this thread has a turn between two calls at most


# ------------------------------------------------------------------------------------------------------------------ exit
PARALLEL = f"""
import os, sys, time
import numpy as np
import fastreg as fr
from twin.inputs import weights
w = weights({LARGE}, np.float32)
l2 = fr.l2_regularizer(0.7)
def call():
    return repr(l2(w)), l2.gradient(w).tobytes()
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("call()", 0),
        ("call(); sys.exit(3)", 3),
        ("call(); os._exit(4)", 4),
        ("call(); raise SystemExit(5)", 5),
        ("import threading; threading.Thread(target=call).start()", 0),
        ("call(); import atexit; atexit.register(call)", 0),
        ("import atexit; atexit.register(call)", 0),
        ("import threading\ndef spin():\n    while True: call()\nthreading.Thread(target=spin, daemon=True).start(); call()", 0),
    ],
    ids=["end", "exit", "_exit", "SystemExit", "thread", "atexit", "first in atexit", "daemon"],
)
def test_a_process_that_used_threads_exits_at_once(run_python, end, code):
    done = run_python(f"{PARALLEL}\nprint(time.time(), flush=True)\n{end}\n", FASTREG_NUM_THREADS="3")
    ended = time.time()
    assert (done.returncode, done.stderr) == (code, "")
    assert ended - float(done.stdout) < 10.0


@needs_threads
@pytest.mark.parametrize("seconds", [0, 0.0001, 0.001, 0.01])
def test_a_process_that_ends_while_its_first_threads_start_is_silent(run_python, seconds):
    code = f"import threading\nthreading.Thread(target=call, daemon=True).start()\ntime.sleep({seconds})"
    done = run_python(PARALLEL + code, FASTREG_NUM_THREADS="3")
    assert (done.returncode, done.stderr) == (0, "")


@needs_threads
@needs_tasks
def test_threads_that_call_first_at_once_start_no_more_than_one_would(run_python):
    done = run_python(
        PARALLEL
        + """
import threading
def tasks():
    return len(os.listdir("/proc/self/task"))
callers = [threading.Thread(target=call) for _ in range(4)]
before = tasks()
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
time.sleep(0.5)
print(tasks() - before)
""",
        FASTREG_NUM_THREADS="3",
    )
    started = 2 + fr.get_config()["openmp"]  # two that work, and the one whose region they are in
    assert done.stdout.split() == [str(started)], done.stderr


@needs_threads
@pytest.mark.parametrize(
    "leave",
    [
        "import builtins; builtins.late = Late()",
        "late = Late()",
        "import weakref; late = type('C', (), {})(); weakref.finalize(late, Late().__del__)",
        "import threading; threading._register_atexit(Late().__del__)",
    ],
    ids=["builtins", "main", "finalize", "threads' exit"],
)
def test_a_first_large_call_may_come_as_the_interpreter_ends(run_python, leave):
    done = run_python(
        PARALLEL
        + f"""
class Late:
    def __del__(self, call=call, write=os.write):
        call()
        write(1, b"called ")
{leave}
""",
        FASTREG_NUM_THREADS="3",
    )
    assert (done.returncode, set(done.stdout.split()), done.stderr) == (0, {"called"}, "")


@needs_threads
def test_threads_start_where_pythons_are_replaced(run_python):
    """As gevent and eventlet do: what should be a thread of its own runs when the one that starts it waits."""
    done = run_python(
        PARALLEL
        + """
import _thread, threading
def in_turn(function, args=(), kwargs={}):
    function(*args, **kwargs)
    return 1
_thread.start_new_thread = _thread.start_new = threading._start_new_thread = in_turn
print(call() == call())
""",
        FASTREG_NUM_THREADS="3",
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["True"], "")


@needs_threads
@needs_tasks
@pytest.mark.parametrize("room", range(8))
def test_a_call_works_alone_where_the_system_gives_no_more_threads(run_python, room):
    """OpenMP ends the process there. Root has no limit, and only root can become a user of whom nothing else runs."""
    can_start = {0, 5} if fr.get_config()["openmp"] else {min(room, 4)}
    if os.geteuid() != 0 and room > 0:
        pytest.skip("needs root, to become a user with no other process")
    done = run_python(
        PARALLEL
        + f"""
import resource
before = l2(w)
if os.geteuid() == 0:
    os.setresuid(54_321, 54_321, 54_321)
n = len(os.listdir("/proc/self/task"))
resource.setrlimit(resource.RLIMIT_NPROC, (n + {room}, n + {room}))
fr.set_num_threads(5)
first = call()
time.sleep(0.2)
started = len(os.listdir("/proc/self/task")) - n
print(call() == call() == first, started in {can_start} and started <= {room})
""",
        FASTREG_NUM_THREADS="1",
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["True", "True"], "")


needs_processors = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two processors, and Linux to pin threads",
)


@needs_threads
@needs_tasks
@needs_processors
def test_threads_stay_where_they_are_sent_from_outside(run_python):
    """`taskset -a -p` sets the affinity of each thread."""
    done = run_python(
        PARALLEL
        + """
def send(processors):
    for task in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(task), processors)
def where():
    return set().union(*(os.sched_getaffinity(int(task)) for task in os.listdir("/proc/self/task")))
everywhere = os.sched_getaffinity(0)
one, other = sorted(everywhere)[:2]
call()
time.sleep(0.3)  # until all have started
for processors in ({one}, {other}, everywhere, {one}, {one, other}, {other}):
    send(processors)
    for _ in range(5):
        call()
        time.sleep(0.01)
    print(where() <= processors)
""",
        FASTREG_NUM_THREADS="3",
    )
    assert done.stdout.split() == ["True"] * 6, done.stderr


@needs_threads
@needs_tasks
@needs_processors
@pytest.mark.skipif(platform.machine() != "x86_64", reason="a filter of this machine's system calls")
def test_threads_stay_where_they_are_if_the_system_does_not_say_where(run_python):
    """Where there are more than 1024 processors, or under a filter of system calls as here, it does not."""
    done = run_python(
        PARALLEL
        + """
import ctypes, struct
def instruction(code, if_true, if_false, k):
    return struct.pack("HBBI", code, if_true, if_false, k)
program = b"".join([
    instruction(0x20, 0, 0, 0),             # load the number of the system call
    instruction(0x15, 0, 1, 204),           # sched_getaffinity?
    instruction(0x06, 0, 0, 0x00050000 | 1),  # then EPERM
    instruction(0x06, 0, 0, 0x7FFF0000),    # else allow
])
code = ctypes.create_string_buffer(program)
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
everywhere = os.sched_getaffinity(0)
if prctl(38, 1, 0, 0, 0) or prctl(22, 2, ctypes.c_void_p(ctypes.addressof(filter)), 0, 0):
    print("no filter")
    sys.exit()
try:
    os.sched_getaffinity(0)
except OSError as error:
    print(error.errno)
def where():
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/status") as status:
            yield next(line for line in status if line.startswith("Cpus_allowed_list:"))
call()
time.sleep(0.3)
before = set(where())
for processor in sorted(everywhere)[:2] * 3:
    os.sched_setaffinity(0, {processor})
    call()
    time.sleep(0.01)
    os.sched_setaffinity(0, everywhere)
print(set(where()) == before)
""",
        FASTREG_NUM_THREADS="3",
    )
    if "no filter" in done.stdout:
        pytest.skip("filters of system calls are not allowed here")
    if "OMP: Error #100" in done.stderr:
        pytest.skip("LLVM's OpenMP itself ends the process where it is refused that call")
    assert done.stdout.split() == ["1", "True"], done.stderr


@needs_openmp
@pytest.mark.parametrize("size", ["16k", "20k", "40k", "64k"])
@pytest.mark.parametrize("isa", fr.get_config()["isas"])
def test_openmps_stack_may_be_small(run_python, isa, size):
    done = run_python(
        PARALLEL
        + """
def step():
    v = fr.Variable(w.copy(), name="v")
    terms = fr.regularize({"v": v.value}, [("*", fr.l1_l2_regularizer(0.3, 0.7))])
    losses = [rule.apply_gradients([(w, v)], regularization=terms) for rule in (fr.optim.Adam(), fr.optim.Ftrl(0.1)) * 10]
    return repr(losses), v.value.tobytes()
fr.set_num_threads(1)
alone = step(), call()
fr.set_num_threads(3)
print((step(), call()) == alone)
""",
        FASTREG_ISA=isa,
        OMP_STACKSIZE=size,
    )
    if "this CPU lacks it" in done.stderr:
        pytest.skip("this CPU lacks it")
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["True"], "")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_ends_a_process_that_uses_threads(run_python):
    done = run_python(
        PARALLEL
        + """
import signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with the signal ignored
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        call()
except KeyboardInterrupt:
    print("interrupted")
""",
        FASTREG_NUM_THREADS="3",
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["interrupted"], ""), signal.SIGINT


def test_import_changes_no_environment_and_starts_no_threads(run_python):
    done = run_python(
        """
import os, threading
import numpy
before = dict(os.environ), threading.active_count()
import fastreg
print((dict(os.environ), threading.active_count()) == before)
"""
    )
    assert done.stdout.split() == ["True"], done.stderr
