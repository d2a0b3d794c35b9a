"""What threads may share, with the interpreter's lock and without: names, collections, terms, strengths, optimizers.

The rule: a graph, its variables and their terms, a regularizer's strengths and an optimizer may be used by any number of threads.
A default graph and its scopes belong to a thread. Arrays are NumPy's: whoever writes to one must be alone with it.
"""

import copy
import itertools
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

import fastreg as fr

THREADS, ROUNDS = 8, 60
LOSSES = fr.GraphKeys.REGULARIZATION_LOSSES


@pytest.fixture(autouse=True)
def short_turns():
    """Where there is an interpreter lock, let threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*works):
    """Run the functions, each in a thread of its own; all begin at once. Return what they return."""
    start = threading.Barrier(len(works))

    def begin(work):
        start.wait(timeout=60)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(begin, work) for work in works]
        wait(futures, timeout=120)
        return [future.result(timeout=0) for future in futures]


def each(work, n=THREADS):
    """Run work(0), work(1), ... each in a thread of its own."""
    return together(*(lambda k=k: work(k) for k in range(n)))


def until_done(*works):
    """Return the functions, of which the first runs once and the others again and again until it is done."""
    done = threading.Event()

    def first():
        try:
            return works[0]()
        finally:
            done.set()

    def repeated(work):
        results = [work()]
        while not done.is_set():
            results.append(work())
        return results

    return first, *(lambda work=work: repeated(work) for work in works[1:])


# ------------------------------------------------------------------------------------------------------ names, collections
def test_no_name_is_given_twice():
    graph = fr.Graph()

    def work(k):
        names = []
        for i in range(ROUNDS):
            with graph.name_scope("scope") as scope:
                names.append(scope)
            names.append(graph.unique_name(f"n{i % 3}"))
        return names

    found = list(itertools.chain(*each(work)))
    n = THREADS * ROUNDS
    assert len(set(found)) == 2 * n
    assert set(found) >= {"scope/", *(f"scope_{i}/" for i in range(1, n))}
    assert set(found) >= {f"n{i}" for i in range(3)} | {f"n{i}_{j}" for i in range(3) for j in range(1, n // 3)}


def test_variables_of_one_name_are_numbered_and_filed_once():
    graph, l2 = fr.Graph(), fr.l2_regularizer(0.5)

    def work(k):
        with graph.as_default():
            return [fr.Variable(np.ones(2), name="w", regularizer=l2) for _ in range(ROUNDS)]

    made = list(itertools.chain(*each(work)))
    names = ["w", *(f"w_{i}" for i in range(1, len(made)))]
    assert sorted(v.op_name for v in made) == sorted(names)
    for key in (fr.GraphKeys.GLOBAL_VARIABLES, fr.GraphKeys.TRAINABLE_VARIABLES):
        assert sorted(map(id, graph.get_collection(key))) == sorted(map(id, made))
    assert sorted(t.name for t in graph.get_collection(LOSSES)) == sorted(f"{n}/Regularizer/l2_regularizer:0" for n in names)
    assert graph.elements.keys() == set(names)


@pytest.mark.parametrize("partitioner", [None, fr.fixed_size_partitioner(2)], ids=["whole", "parts"])
def test_a_variable_that_many_threads_ask_for_is_made_once(partitioner):
    graph = fr.Graph()

    def work(k):
        with graph.as_default(), fr.variable_scope("net", reuse=fr.AUTO_REUSE, regularizer=fr.l1_regularizer(0.5)):
            return [fr.get_variable(f"v{i}", shape=(4, 3), partitioner=partitioner) for i in range(ROUNDS)]

    found = each(work)
    for variables in found:
        assert [id(v) for v in variables] == [id(v) for v in found[0]]
    parts = 1 if partitioner is None else 2
    assert len(graph.get_collection(fr.GraphKeys.GLOBAL_VARIABLES)) == len(graph.get_collection(LOSSES)) == ROUNDS * parts


def test_one_thread_makes_a_variable_that_must_be_new():
    graph = fr.Graph()

    def work(k):
        made = 0
        with graph.as_default():
            for i in range(ROUNDS):
                try:
                    fr.get_variable(f"v{i}", shape=())
                    made += 1
                except ValueError as error:
                    assert "already exists" in str(error)
        return made

    assert sum(each(work)) == ROUNDS == len(graph.get_collection(fr.GraphKeys.GLOBAL_VARIABLES))


def test_nothing_that_is_filed_is_lost_or_out_of_order():
    graph = fr.Graph()

    def work(k):
        for i in range(ROUNDS):
            graph.add_to_collections(["mine", f"of {k}"], (k, i))
            seen = [item for item in graph.get_collection("mine") if item[0] == k]
            assert seen == [(k, j) for j in range(i + 1)]

    each(work)
    assert len(graph.get_collection("mine")) == THREADS * ROUNDS
    assert sorted(graph.collections) == sorted(["mine", *(f"of {k}" for k in range(THREADS))])


def test_collections_are_cleared_while_others_fill_and_read_them():
    graph = fr.Graph()

    def clear():
        for _ in range(ROUNDS):
            graph.clear_collection("mine")
            assert graph.get_collection_ref("mine") is not None
        return True

    def fill():
        graph.add_to_collection("mine", fr.l2_loss)
        graph.add_to_collection("kept", 1)

    def read():
        assert set(graph.get_collection("mine")) <= {fr.l2_loss}
        assert set(graph.collections) <= {"mine", "kept"}

    filled = together(*until_done(clear, fill, fill, read, read))[1:3]
    assert len(graph.get_collection("kept")) == sum(map(len, filled))


def test_terms_come_and_go_and_none_is_lost():
    """Of one list, each thread sets the regularizers of its own variables."""
    graph = fr.Graph()
    with graph.as_default():
        variables = [fr.Variable(np.ones(3), name=f"v{k}") for k in range(THREADS)]
    params = {f"w{k}": np.ones(3) for k in range(THREADS)}
    terms = fr.regularize(params, [("*", fr.l1_regularizer(1.0))])
    own = [term.variable for term in terms]

    def work(k):
        for i in range(ROUNDS):
            for owner in (variables[k], own[k]):
                owner.regularizer = None if i % 3 == 1 else fr.l2_regularizer(2.0)
        return float(fr.add_n(graph.get_collection(LOSSES)))

    each(work)
    for items, prefix in ((graph.get_collection(LOSSES), "v"), (terms, "w")):
        assert sorted(t.name for t in items) == [f"{prefix}{k}/Regularizer/l2_regularizer:0" for k in range(THREADS)]
        assert float(fr.add_n(items)) == 3.0 * THREADS


def test_a_partitioned_variable_that_fails_takes_only_its_own_parts_back():
    graph = fr.Graph()
    calls = itertools.count()

    def fails_at_the_end(shape, dtype):
        if next(calls) % 4 == 3:
            raise RuntimeError("on purpose")
        return np.ones(shape, dtype)

    def fail():
        with graph.as_default(), pytest.raises(RuntimeError, match="on purpose"):
            fr.get_variable("bad", (4, 2), initializer=fails_at_the_end, partitioner=fr.fixed_size_partitioner(4))

    def make(k):
        with graph.as_default():
            return [fr.Variable(np.ones(1), name=f"good{k}").name for _ in range(ROUNDS)]

    found = together(*until_done(lambda: make(0), fail), lambda: make(1))
    names = [v.name for v in graph.get_collection(fr.GraphKeys.GLOBAL_VARIABLES)]
    assert sorted(names) == sorted(found[0] + found[2])


def test_a_total_has_one_name():
    with fr.Graph().as_default():
        totals = [fr.add_n([np.float64(1.0)]) for _ in range(ROUNDS)]
        meet = threading.Barrier(4)
        names = each(lambda k: [total.name for total in totals if meet.wait(timeout=60) >= 0], 4)
        assert all(found == names[0] for found in names)
        assert sorted(names[0]) == sorted(["AddN:0", *(f"AddN_{i}:0" for i in range(1, ROUNDS))])


def test_threads_draw_different_numbers_of_one_seed():
    graphs = [fr.Graph() for _ in range(ROUNDS)]
    for seed, graph in enumerate(graphs):
        graph.seed = seed
    drawn = each(lambda k: [graph.rng.random() for graph in graphs])
    for seed, found in enumerate(zip(*drawn, strict=True)):
        assert sorted(found) == sorted(np.random.default_rng(seed).random(THREADS))


# ------------------------------------------------------------------------------------------------------ what a thread has
def test_each_thread_has_a_stack_of_default_graphs_and_scopes():
    shared = fr.Graph()

    def work(k):
        own = fr.get_default_graph()
        for i in range(ROUNDS):
            with fr.Graph().as_default() as inner:
                with shared.as_default(), fr.variable_scope(f"thread{k}"), shared.name_scope(f"round{i}"):
                    assert fr.get_default_graph() is shared
                    assert fr.get_variable_scope().name == f"thread{k}"
                    assert fr.get_variable(f"v{i}", shape=()).name == f"thread{k}/v{i}:0"
                assert fr.get_default_graph() is inner
                assert fr.get_variable_scope().name == inner.get_name_scope() == ""
                fr.get_variable("alone", shape=())
                assert [v.name for v in fr.global_variables()] == ["alone:0"]
            assert fr.get_default_graph() is own
        fr.add_to_collection("mine", k)
        fr.reset_default_graph()
        assert fr.get_default_graph() is not own and fr.get_collection("mine") == []
        return own

    graphs = each(work)
    assert len({id(graph) for graph in graphs}) == THREADS
    assert [graph.get_collection("mine") for graph in graphs] == [[k] for k in range(THREADS)]
    assert len(shared.get_collection(fr.GraphKeys.GLOBAL_VARIABLES)) == THREADS * ROUNDS


def train(k):
    """Train a small net of one's own, and return its losses and weights."""
    rng = np.random.default_rng(k)
    with fr.Graph().as_default():
        fr.set_random_seed(k)
        with fr.variable_scope("net", regularizer=fr.l1_l2_regularizer(1e-3, 1e-2)):
            variables = [fr.get_variable(name, shape=(40, 25)) for name in "abc"]
        variables[1].regularizer = fr.group_lasso_regularizer(1e-2, axis=0)
        opt, losses = fr.optim.Adam(learning_rate=0.01), []
        for _ in range(10):
            total, gradients = fr.value_and_gradients(fr.get_regularization_losses())
            pairs = [(rng.standard_normal(v.shape).astype(v.dtype), v) for v in variables]
            losses += [total, opt.apply_gradients(pairs, fr.get_regularization_losses())]
            losses += [g.tobytes() for g in gradients.values()]
        return losses, [v.value.tobytes() for v in variables]


def test_threads_with_graphs_of_their_own_get_the_bits_that_one_thread_gets():
    assert each(train) == [train(k) for k in range(THREADS)]


# --------------------------------------------------------------------------------------------------------- terms, strengths
def test_many_threads_compute_one_collection_while_another_files_more():
    graph = fr.Graph()

    def file(i):
        with graph.as_default():
            return fr.get_variable(f"w{i}", initializer=np.full(1000, i, np.float32), regularizer=fr.l2_regularizer(2.0))

    file(1)

    def compute():
        terms = graph.get_collection(LOSSES)
        total, gradients = fr.value_and_gradients(terms)
        assert total == float(fr.add_n(terms)) == sum(1000 * i * i for i in range(1, len(terms) + 1))
        assert len(gradients) == len(terms)
        return len(terms)

    counts = together(*until_done(lambda: [file(i) for i in range(2, ROUNDS)], compute, compute, compute))[1:]
    assert all(sorted(seen) == seen for seen in counts)
    assert compute() == ROUNDS - 1


def test_a_strength_that_is_set_is_seen_old_or_new():
    w = np.array([0.5, -2.0, 3.0])
    l2, mcp = fr.l2_regularizer(1.0), fr.mcp_regularizer(1.0, 2.0)
    both = fr.sum_regularizer([l2, mcp])
    terms = fr.regularize({"w": w}, [("*", both)])
    values = {float(fr.l2_regularizer(a)(w) + fr.mcp_regularizer(b, 2.0)(w)) for a in (1.0, 4.0) for b in (1.0, 3.0)}

    def change():
        for i in range(20 * ROUNDS):
            l2.scale = (4.0, 1.0)[i % 2]
            mcp.scale = (3.0, 1.0)[i % 2]

    def compute():
        assert float(both(w)) in values
        assert float(fr.add_n(terms)) in values
        assert both.coefficients[1] in (1.0, 4.0)

    together(*until_done(change, compute, compute, compute))


def test_a_regularizer_that_is_set_is_seen_old_or_new():
    """What a term had is freed as soon as no call uses it."""
    w = np.array([1.0, -2.0])
    terms = fr.regularize({"w": w}, [("*", fr.l1_regularizer(1.0))])
    term, parameter = terms[0], terms[0].variable

    def change():
        for i in range(20 * ROUNDS):
            parameter.regularizer = (None, fr.l2_regularizer(2.0), fr.mcp_regularizer(1.0, 9.0), fr.l1_regularizer(1.0))[i % 4]

    allowed = {0.0, 3.0, 5.0, float(fr.mcp_regularizer(1.0, 9.0)(w))}

    def compute():
        assert float(term) in allowed
        assert float(fr.add_n([term])) in allowed
        assert fr.value_and_gradients([term])[0] in allowed
        assert term.penalty is None or float(term.penalty(w)) in allowed
        repr(term)

    together(*until_done(change, compute, compute, compute))
    assert list(terms) == [term] and float(term) == 3.0


def test_what_a_term_had_is_not_freed_under_a_call(run_python):
    """In a process of its own: what is read after it was freed ends it. Each penalty is new, and the term alone has it."""
    done = run_python(
        """
import sys, threading, time
import numpy as np
import fastreg as fr
sys.setswitchinterval(1e-6)
w = np.ones(3)
term = fr.regularize({"w": w}, [("*", fr.l1_regularizer(1.0))])[0]
end = time.monotonic() + 3

def change():
    while time.monotonic() < end:
        for scale in (1.0, 2.0) * 200:
            term._set_parts(fr.l1_regularizer(scale), ())

def read():
    while time.monotonic() < end:
        for _ in range(400):
            assert term.penalty(w) in (3.0, 6.0)
            assert float(fr.add_n([term])) in (3.0, 6.0)

threads = [threading.Thread(target=target) for target in (change, read, read)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("alive")
"""
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["alive"], "")


def test_gradients_are_written_into_a_dict_that_another_thread_refills():
    terms = fr.regularize({"w": np.ones(3)}, [("*", fr.l2_regularizer(2.0))])
    out = {"w": np.zeros(3)}

    def refill():
        for _ in range(20 * ROUNDS):
            out["w"] = np.zeros(3)

    def compute():
        assert fr.value_and_gradients(terms, out=out)[0] == 3.0

    together(*until_done(refill, compute, compute))


# ---------------------------------------------------------------------------------------------------------------- optimizers
def test_steps_of_one_optimizer_take_turns():
    """Each thread steps variables of its own; every step counts, and no slot is lost."""
    opt = fr.optim.Momentum(learning_rate=0.5, momentum=0.5)
    weights = [np.zeros(5) for _ in range(THREADS)]

    def work(k):
        for i in range(ROUNDS):
            opt.apply_gradients({f"w{k}/{i % 3}": (np.ones(5), weights[k])})
            assert opt.iterations > i

    each(work)
    alone = fr.optim.Momentum(learning_rate=0.5, momentum=0.5)
    expected = np.zeros(5)
    for i in range(ROUNDS):
        alone.apply_gradients({f"w/{i % 3}": (np.ones(5), expected)})
    assert opt.iterations == THREADS * ROUNDS
    for k in range(THREADS):
        assert np.array_equal(weights[k], expected)
        for i in range(3):
            assert np.array_equal(opt.get_slot(f"w{k}/{i}", "momentum"), alone.get_slot(f"w/{i}", "momentum"))


def test_steps_of_one_variable_take_turns():
    opt = fr.optim.GradientDescent(learning_rate=0.25)
    w = np.zeros(200_000, np.float32)  # so many that the interpreter's lock is released
    g = np.ones_like(w)
    each(lambda k: [opt.apply_gradients({"w": (g, w)}) for _ in range(ROUNDS)])
    assert opt.iterations == THREADS * ROUNDS
    assert np.array_equal(w, np.full_like(w, -0.25 * THREADS * ROUNDS))


def test_a_step_in_parts_keeps_other_threads_out():
    opt = fr.optim.GradientDescent(learning_rate=1.0)
    mine, theirs = {"a": np.zeros(3), "b": np.zeros(3)}, np.zeros(3)
    refused = []

    def in_parts():
        entered = 0
        for _ in range(ROUNDS):
            with opt.step():
                for name, w in mine.items():
                    opt.apply_gradients({name: (np.ones(3), w)})
            entered += 1
        return entered

    def whole():
        try:
            opt.apply_gradients({"c": (np.ones(3), theirs)})
        except RuntimeError as error:
            refused.append(error)
            return 0
        return 1

    entered, *whole_steps = together(*until_done(in_parts, whole, whole))
    counted = sum(map(sum, whole_steps))
    assert entered == ROUNDS and opt.iterations == ROUNDS + counted
    assert all(np.array_equal(w, np.full(3, -float(ROUNDS))) for w in mine.values())
    assert np.array_equal(theirs, np.full(3, -float(counted)))
    assert all("another thread has begun it" in str(error) for error in refused)


def test_what_is_saved_during_steps_is_of_one_step():
    opt = fr.optim.Momentum(learning_rate=1.0, momentum=1.0)  # after t steps the slot is t, and the weight -t*(t + 1)/2
    w = np.zeros(3)

    def step():
        for _ in range(4 * ROUNDS):
            opt.apply_gradients({"w": (np.ones(3), w)})

    def save():
        state = fr.optim.save(opt, {"w": w})
        t = int(state["iterations"])
        if t:
            assert np.array_equal(state["slots/w/momentum"], np.full(3, float(t)))
        assert np.array_equal(state["weights/w"], np.full(3, -t * (t + 1) / 2))
        assert all("momentum" in key for key in opt.state_dict() if key.startswith("w/"))
        if opt.iterations:
            opt.get_slot("w", "momentum")
        return t

    seen = together(*until_done(step, save, save))[1:]
    assert all(sorted(times) == times for times in seen)


def test_a_state_is_loaded_between_two_steps():
    w = np.zeros(3)
    opt = fr.optim.Adam(learning_rate=0.0)
    opt.apply_gradients({"w": (np.ones(3), w)})
    state = opt.state_dict()

    def load():
        for _ in range(ROUNDS):
            opt.load_state_dict(state)
            opt.unused_slots()

    def step():
        opt.apply_gradients({"w": (np.ones(3), w)})
        assert opt.measure({"w": (np.ones(3), w)}) == np.sqrt(3.0)
        opt.set_slots("w", {name: opt.get_slot("w", name) for name in opt.get_slot_names()})

    together(*until_done(load, step, step))
    opt.load_state_dict(state)
    assert opt.iterations == 1 and all(np.array_equal(x, state[key]) for key, x in opt.state_dict().items() if key != "rule")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_a_copy_waits_for_nobody(copied):
    opt = fr.optim.Momentum(learning_rate=0.5, momentum=0.5)
    opt.apply_gradients({"w": (np.ones(3), np.zeros(3))})
    history = fr.History()
    history.record(0, loss=1.0)

    other_opt, other_history = copied(opt), copied(history)

    def within_a_step(step):
        together(lambda: other_opt.apply_gradients({"w": (np.ones(3), np.zeros(3))}), lambda: other_history.record(1, loss=2.0))
        assert other_opt.iterations == 2 and len(other_history) == 2
        return 0.5

    opt.learning_rate = within_a_step
    assert opt.apply_gradients({"w": (np.ones(3), np.zeros(3))}) == 0.0
    assert opt.iterations == 2


def test_a_history_is_read_while_it_is_recorded():
    history = fr.History()

    def record():
        for i in range(10 * ROUNDS):
            history.record(i, {"loss": float(i)}, **{f"new{i // 100}": 1.0})

    def read():
        for name in history.names:
            values = history[name]
            if name == "loss":
                assert np.array_equal(values, np.arange(len(values)))

    together(*until_done(record, read, read))
    assert len(history) == 10 * ROUNDS


def test_a_step_of_a_history_is_recorded_once():
    history = fr.History()

    def work(k):
        recorded = 0
        for i in range(ROUNDS):
            try:
                history.record(i, loss=float(i))
                recorded += 1
            except ValueError:
                pass
        return recorded

    assert sum(each(work)) == len(history) == len(set(history.steps))
