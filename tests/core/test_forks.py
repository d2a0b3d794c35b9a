"""A child of a process that has used threads has threads of its own, and the same bits."""

import os

import pytest

import fastreg as fr

needs_tasks = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux lists them")


@pytest.mark.parametrize("threads", ["2", "4", "17"])
def test_100_children_of_100(run_forks, threads):
    code = "print(in_children(100, lambda: right(expected)), right(expected))"
    assert run_forks(code, FASTREG_NUM_THREADS=threads) == ["{0: 100} True"]


def test_a_child_says_whose_threads_work(run_forks):
    code = """
def say():
    print(fr.get_config()["openmp"], fr.get_config()["threading"], fr.get_num_threads(), flush=True)
    return True
say()
in_children(1, say)
"""
    config = fr.get_config()
    assert run_forks(code) == [f"{config['openmp']} {config['threading']} 3", f"{config['openmp']} system 3"]


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        ("os._exit(3)", 3),
        ("sys.exit(4)", 4),
        ("raise SystemExit(5)", 5),
        ("pass", 0),
        ("os.kill(os.getpid(), 9)", -9),
        ("import atexit; atexit.register(bits)", 0),
        ("threading.Thread(target=bits).start()", 0),
        ("threading.Thread(target=lambda: [bits() for _ in range(10**9)], daemon=True).start()", 0),
        ("fr.set_num_threads(40); bits()", 0),
    ],
    ids=["_exit", "exit", "SystemExit", "end", "killed", "atexit", "thread", "daemon", "threads that begin"],
)
def test_a_child_leaves_as_it_likes(run_forks, leave, code):
    program = f"""
child = os.fork()
if child == 0:
    print(right(expected), flush=True)
    {leave}
else:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), right(expected))
"""
    assert run_forks(program) == ["True", f"{code} True"]


def test_a_child_from_before_the_first_threads(run_forks):
    code = """
print(in_children(3, lambda: bits() == bits() and others_work()))
expected = bits()
print(in_children(3, lambda: right(expected)), right(expected))
"""
    assert run_forks(code, used=False) == ["{0: 3}", "{0: 3} True"]


def test_children_of_children(run_forks):
    code = """
def generation(n):
    return right(expected) and (n == 0 or in_children(2, lambda: generation(n - 1)) == {0: 2}) and right(expected)
print(in_children(2, lambda: generation(3)), right(expected))
"""
    assert run_forks(code) == ["{0: 2} True"]


def test_a_child_of_a_child_that_has_used_no_threads(run_forks):
    code = "print(in_children(3, lambda: in_children(3, lambda: right(expected)) == {0: 3}), right(expected))"
    assert run_forks(code) == ["{0: 3} True"]


@pytest.mark.parametrize("callers", [1, 3])
def test_fork_while_others_are_in_a_call(run_forks, callers):
    code = f"""
stop = threading.Event()
def call():
    while not stop.is_set():
        assert bits() == expected
threads = [threading.Thread(target=call) for _ in range({callers})]
for thread in threads:
    thread.start()
print(in_children(40, lambda: right(expected)))
stop.set()
for thread in threads:
    thread.join()
print(right(expected))
"""
    assert run_forks(code) == ["{0: 40}", "True"]


def test_fork_while_threads_begin(run_forks):
    code = """
codes = []
for n in range(3, 43):
    fr.set_num_threads(n)
    thread = threading.Thread(target=bits)
    thread.start()
    codes.append(in_children(1, lambda: right(expected)))
    thread.join()
print(codes == [{0: 1}] * 40, right(expected))
"""
    assert run_forks(code) == ["True True"]


def test_fork_from_another_thread_than_the_first(run_forks):
    code = """
codes = []
def fork():
    codes.append(in_children(10, lambda: right(expected)))
threads = [threading.Thread(target=fork) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(codes, right(expected))
"""
    assert run_forks(code) == ["[{0: 10}, {0: 10}, {0: 10}] True"]


def test_a_fork_that_python_does_not_know_of(run_forks):
    """As a library of C makes it. Python's own hooks do not run in the child."""
    code = """
import ctypes
fork = ctypes.PyDLL(None).fork
codes = []
for _ in range(10):
    child = fork()
    if child == 0:
        signal.alarm(120)
        os._exit(0 if right(expected) else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(codes, right(expected))
"""
    assert run_forks(code) == [f"{[0] * 10} True"]


def test_fork_while_others_use_the_graph(run_forks):
    code = """
graph, stop = fr.Graph(), threading.Event()
def register():
    while not stop.is_set():
        with graph.as_default():
            fr.get_variable(graph.unique_name("v"), shape=(3,), initializer=np.zeros)
def use():
    with graph.as_default():
        fr.get_variable("mine", shape=(3,), initializer=np.zeros)
        return len(fr.get_collection(fr.GraphKeys.GLOBAL_VARIABLES)) > 0
threads = [threading.Thread(target=register) for _ in range(3)]
for thread in threads:
    thread.start()
print(in_children(40, use))
stop.set()
for thread in threads:
    thread.join()
"""
    assert run_forks(code) == ["{0: 40}"]


def test_fork_while_a_session_computes(run_forks):
    code = """
import fastreg.compat.v1 as tf
w = tf.get_variable("w", initializer=np.ones(300_000, np.float32))
loss, stop = tf.nn.l2_loss(w), threading.Event()
session = tf.Session()
session.run(tf.global_variables_initializer())
def run():
    while not stop.is_set():
        session.run(loss)
thread = threading.Thread(target=run)
thread.start()
print(in_children(40, lambda: session.run(loss) == 150_000))
stop.set()
thread.join()
"""
    assert run_forks(code) == ["{0: 40}"]


# ---------------------------------------------------------------------------------------------------------- how many
@needs_tasks
def test_a_child_has_the_number_of_its_parent_until_it_sets_another(run_forks):
    code = """
def count():
    before = fr.get_num_threads()
    alone = bits() == expected and not first_writes()
    fr.set_num_threads(6)
    print(before, alone, fr.get_num_threads(), right(expected), len(first_writes()), flush=True)
    fr.set_num_threads(2)
    print(fr.get_num_threads(), right(expected), flush=True)
    return True
fr.set_num_threads(1)
in_children(1, count)
print(fr.get_num_threads())
"""
    assert run_forks(code) == ["1 True 6 True 5", "2 True", "1"]


@pytest.mark.skipif(not fr.get_config()["openmp"], reason="threadpoolctl limits OpenMP")
def test_limits_of_threadpoolctl_hold_in_a_child(run_forks):
    code = """
from threadpoolctl import threadpool_limits
def count():
    before = fr.get_num_threads()
    with threadpool_limits(1):
        print(before, fr.get_num_threads(), bits() == expected)
    print(fr.get_num_threads(), right(expected), flush=True)
    return True
in_children(1, count)
"""
    assert run_forks(code, OMP_NUM_THREADS="4", FASTREG_NUM_THREADS="") == ["4 1 True", "4 True"]


@needs_tasks
@pytest.mark.parametrize("room", range(6))
def test_a_child_starts_as_many_threads_as_the_system_gives(run_forks, room):
    if os.geteuid() != 0 and room > 0:
        pytest.skip("needs root, to become a user with no other process")
    code = f"""
import resource
def count():
    if os.geteuid() == 0:
        os.setresuid(54_322, 54_322, 54_322)
    resource.setrlimit(resource.RLIMIT_NPROC, (1 + {room}, 1 + {room}))
    same = bits() == expected
    print(len(first_writes()), same and (right(expected) if {room} else bits() == expected), flush=True)
    return True
fr.set_num_threads(5)
in_children(1, count)
"""
    assert run_forks(code) == [f"{min(room, 4)} True"]


@needs_tasks
@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two processors, and Linux to pin threads",
)
def test_a_childs_threads_keep_to_its_processors(run_forks):
    """Not to those of its parent, whose thread has called before and is still there."""
    code = """
def where():
    return set().union(*(os.sched_getaffinity(int(task)) for task in first_writes()))
def keep():
    os.sched_setaffinity(0, {one})
    bits()
    for processors in ({other}, {one}, {other}):
        for task in os.listdir(TASKS):
            os.sched_setaffinity(int(task), processors)
        for _ in range(5):
            bits()
            time.sleep(0.01)
        if where() != processors:
            print(where(), processors, flush=True)
            return False
    return True
one, other = sorted(os.sched_getaffinity(0))[:2]
print(in_children(3, keep))
"""
    assert run_forks(code) == ["{0: 3}"]


# ------------------------------------------------------------------------------------------------------------- beside others
WORK = "def work(k):\n    return right(expected)\n"


def test_a_pool_of_multiprocessing(run_forks):
    code = """
import multiprocessing
with multiprocessing.get_context("fork").Pool(3) as pool:
    print(pool.map(work, range(12)), right(expected))
"""
    assert run_forks(WORK + code) == [f"{[True] * 12} True"]


def test_processes_of_multiprocessing(run_forks):
    code = """
import multiprocessing
def check():
    sys.exit(0 if right(expected) else 1)
processes = [multiprocessing.get_context("fork").Process(target=check) for _ in range(6)]
for process in processes:
    process.start()
for process in processes:
    process.join()
print([process.exitcode for process in processes], right(expected))
"""
    assert run_forks(code) == [f"{[0] * 6} True"]


def test_a_pool_of_concurrent_futures(run_forks):
    code = """
import concurrent.futures, multiprocessing
with concurrent.futures.ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("fork")) as pool:
    print(list(pool.map(work, range(12), timeout=300)), right(expected))
"""
    assert run_forks(WORK + code) == [f"{[True] * 12} True"]


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_joblib(run_forks, backend):
    pytest.importorskip("joblib")
    code = f"""
from joblib import Parallel, delayed
print(Parallel(2, backend="{backend}", timeout=300)(delayed(right)(expected) for _ in range(8)), right(expected))
"""
    assert run_forks(code) == [f"{[True] * 8} True"]


SKLEARN = """
import numpy
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingRegressor
numbers = numpy.random.default_rng(0)
X, y = numbers.normal(size=(3000, 10)), numbers.normal(size=3000)
def theirs():
    HistGradientBoostingRegressor(max_iter=5).fit(X, y)
    KMeans(4, n_init=1, random_state=0).fit(X)
theirs()
"""


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_beside_scikit_learns_threads(run_forks, first):
    """They have worked in the parent; in the child, fastreg alone works."""
    before, after = (SKLEARN, "") if first == "theirs" else ("", SKLEARN)
    code = after + "print(in_children(100, lambda: right(expected)), right(expected))\ntheirs()\n"
    assert run_forks(code, before, OMP_NUM_THREADS="4") == ["{0: 100} True"]
