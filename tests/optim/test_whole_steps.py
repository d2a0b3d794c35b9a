"""A step happens whole or not at all, also where a signal or a lack of memory comes in between."""

import itertools
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest
from optimizers import make, names, slots_of
from own import Fourth, GroupLasso, InOneGo
from twin.inputs import weights

import fastreg as fr

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals come from a timer of Unix"),
    # Raised in a destructor, an interrupt is reported as ignored, and the step goes on.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SHAPES = {"a": ((90_000,), np.float32), "b": ((40_000,), np.float64), "c": ((60, 50), np.float32)}


class Training:
    """Steps whose gradients depend on their number alone, over bare arrays, in which the names are placed by the first step."""

    def __init__(self, name, own=None, constraint=None):
        strengths = {f"l{i}_regularization_strength": 0.0 for i in (1, 2)} if isinstance(own, GroupLasso) else {}
        self.optimizer = make(name, learning_rate=2.0**-20, **strengths)
        self.arrays = {key: weights(shape, dtype, i) for i, (key, (shape, dtype)) in enumerate(SHAPES.items())}
        rules = [("a", fr.l1_l2_regularizer(0.25, 0.5)), ("b", fr.l2_regularizer(0.5))]
        self.terms = fr.regularize(self.arrays, rules if own is None else [*rules, ("c", own)])
        self.constraints = fr.constrain(self.arrays, [("*", constraint)])

    def step(self):
        seed = self.optimizer.iterations % 3
        given = [weights(w.shape, w.dtype, 10 + seed) for w in self.arrays.values()]
        return list(zip(given, self.arrays.values(), strict=True))

    def take(self, pairs=None):
        self.optimizer.apply_gradients(self.step() if pairs is None else pairs, self.terms, constraints=self.constraints)

    def state(self):
        state, slots = self.optimizer._state, slots_of(self.optimizer)
        return (
            {key: w.tobytes() for key, w in self.arrays.items()},
            {key: slot.tobytes() for key, slot in slots.items()},
            {key: id(w) == id(self.arrays.get(key, w)) for key, w in state.placed.items()},
        )


def halved(w):
    """Return what a constraint of the user's own could return."""
    return w * w.dtype.type(0.5)


STEPS = {
    f"{name}, {own.__name__ if own else 'compiled'}": (name, own, None)
    for name in ("GradientDescent", "Momentum", "Adam", "ProximalGradientDescent", "Ftrl")
    for own in (None, Fourth, InOneGo)
}
STEPS |= {"ProximalGradientDescent, prox": ("ProximalGradientDescent", partial(GroupLasso, 0.5), None)}
STEPS |= {
    f"{name}, {getattr(constraint, '__name__', constraint)}": (name, None, constraint)
    for name in ("GradientDescent", "Adam")
    for constraint in (fr.constraints.non_neg(), fr.constraints.max_norm(2.0), halved)
}


@pytest.mark.parametrize(("name", "own", "constraint"), STEPS.values(), ids=STEPS)
def test_an_interrupted_step_is_whole_or_has_not_begun(interrupts, name, own, constraint):
    interrupted, steady = (Training(name, own and own(), constraint) for _ in range(2))
    for _ in range(50):
        before = interrupted.optimizer.iterations
        pairs = interrupted.step()
        interrupts.during(interrupted.take, pairs)
        after = interrupted.optimizer.iterations
        assert after - before in (0, 1)
        while steady.optimizer.iterations < after:
            steady.take()
        assert interrupted.state() == steady.state()
    assert interrupts.n > 5


@names(["Adam", "Adagrad"])
def test_an_interrupted_first_step_keeps_its_slots(interrupts, name):
    first, fresh = Training(name), Training(name).state()
    first.optimizer.apply_gradients(first.step(), first.terms)
    right = first.state()
    for _ in range(70):
        interrupted = Training(name)
        pairs = interrupted.step()
        interrupts.during(interrupted.optimizer.apply_gradients, pairs, interrupted.terms)
        assert interrupted.state() == (right if interrupted.optimizer.iterations else fresh)
    assert interrupts.n > 5


@pytest.mark.parametrize("own", [None, Fourth])
@names(["GradientDescent", "Adam"])
def test_an_interrupted_step_in_parts_has_whole_parts_and_counts_if_it_has_one(interrupts, name, own):
    def by_variable(training):
        slots = slots_of(training.optimizer).items()
        return {
            key: (w.tobytes(), [slot.tobytes() for slot_name, slot in slots if slot_name.startswith(f"{key}/")])
            for key, w in training.arrays.items()
        }

    def named(training):
        return dict(zip(SHAPES, training.step(), strict=True))

    def take_parts(training, pairs):
        with training.optimizer.step():
            for key, pair in pairs.items():
                training.take({key: pair})

    whole, fresh = Training(name, own and own()), by_variable(Training(name))
    whole.take(named(whole))
    right, counts = by_variable(whole), []
    for _ in range(100):
        training = Training(name, own and own())
        pairs = named(training)
        interrupts.during(take_parts, training, pairs)
        found = by_variable(training)
        stepped = {key: found[key] for key in found if found[key] != fresh[key]}
        assert stepped == {key: right[key] for key in stepped}
        assert training.optimizer.iterations == (len(stepped) > 0)
        assert training.optimizer._state.streamed is None
        counts.append(len(stepped))
    assert interrupts.n > 5 and {1, 2} & set(counts)


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("own", [Fourth, InOneGo])
def test_interrupted_gradients_are_whole_or_untouched(interrupts, own, accumulate):
    training = Training("GradientDescent", own())
    out = {key: np.full_like(w, 3.0) for key, w in training.arrays.items()}
    before = {key: x.tobytes() for key, x in out.items()}
    fr.value_and_gradients(training.terms, out=out, accumulate=accumulate)
    right = {key: x.tobytes() for key, x in out.items()}
    for _ in range(70):
        for x in out.values():
            x[...] = 3.0
        interrupts.during(fr.value_and_gradients, training.terms, out=out, accumulate=accumulate)
        assert {key: x.tobytes() for key, x in out.items()} in (before, right)
    assert interrupts.n > 5


# --------------------------------------------------------------------------------------------------------------- memory
FAILING = """
import numpy as np, fastreg as fr
from _testcapi import remove_mem_hooks, set_nomemory

L2 = fr.l2_regularizer(0.5)

class Own:
    def __call__(self, w):
        return float(np.sum(w))
    def gradient(self, w):
        return np.ones_like(w)

def make():
    v, w = np.ones((9000, 5), np.float32), np.ones(50)
    terms = fr.regularize({"v": v, "w": w, "fixed": w.copy()}, [("v", fr.sum_regularizer([L2, OWN])), ("*", L2)])
    return v, w, terms, RULE(0.5, clip_norm=1.0), [(v, CONSTRAINT), (w, fr.constraints.non_neg())]

def state(v, w, terms, optimizer, constraints):
    found = optimizer.state_dict()
    return v.tobytes(), w.tobytes(), [(key, x.tobytes()) for key, x in found.items()]

pairs = np.ones((9000, 5), np.float32), np.ones(50)
def step(v, w, terms, optimizer, constraints):
    optimizer.apply_gradients(((pairs[0], v), (pairs[1], w)), terms, constraints=constraints)

for earlier in (0, 1):
    whole = make()
    step(*whole)  # what is imported or cached at the first call is there
    for _ in range(earlier):
        step(*whole)
    failed = finished = 0
    for point in range(1, 400):
        made = make()
        for _ in range(earlier):
            step(*made)
        before = state(*made)
        set_nomemory(point, point + 1)
        try:
            step(*made)
        except (MemoryError, SystemError):  # the second is NumPy's, which forgets to set the first
            remove_mem_hooks()
            failed += 1
            assert state(*made) == before, point
            step(*made)
        else:
            remove_mem_hooks()
            finished += 1
        assert state(*made) == state(*whole), point
    print(failed, finished)
"""


ADAM, PROXIMAL, L1_BALL = "fr.optim.Adam", "fr.optim.ProximalGradientDescent", "fr.constraints.l1_ball(1.0)"
NESTED = "fr.group_lasso_regularizer(0.5, 1), fr.group_lasso_regularizer(0.5, None)"  # two proxes behind the rule
PARTS = {
    f"{own}, {constraint}": (ADAM, own, constraint)
    for own in ("fr.no_regularizer", "Own()")
    for constraint in ("None", L1_BALL, "abs")
}
PARTS |= {f"groups, {last}": (PROXIMAL, NESTED, last) for last in ("fr.constraints.max_norm(1.0)", L1_BALL)}


@pytest.mark.parametrize(("rule", "own", "constraint"), PARTS.values(), ids=PARTS)
def test_a_step_without_memory_changes_nothing(run_python, rule, own, constraint):
    pytest.importorskip("_testcapi")
    done = run_python(FAILING.replace("RULE", rule).replace("OWN", own).replace("CONSTRAINT", constraint))
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        failed, finished = map(int, line.split())
        assert failed >= 20 and finished >= 1


FAILING_PARTS = """
import numpy as np, fastreg as fr
from _testcapi import remove_mem_hooks, set_nomemory

def make():
    return {"v": np.ones((9000, 5), np.float32), "w": np.ones(50), "x": np.ones(7)}, fr.optim.Adam(0.5, clip_norm=1.0)

gradients = {key: np.ones_like(w) for key, w in make()[0].items()}

def take(arrays, optimizer, missing):
    norm = optimizer.measure({key: (gradients[key], w) for key, w in arrays.items()})
    with optimizer.step(norm=norm):
        for key in missing:
            optimizer.apply_gradients({key: (gradients[key], arrays[key])})

whole = make()
take(*whole, whole[0])
counts = {True: set(), False: set()}  # of stepped parts, by whether the step failed
for point in range(1, 600):
    made = make()
    set_nomemory(point, point + 1)
    try:
        take(*made, made[0])
    except (MemoryError, SystemError):
        remove_mem_hooks()
        failed = True
    else:
        remove_mem_hooks()
        failed = False
    stepped = [key for key, w in made[0].items() if (w != 1).any()]
    counts[failed].add(len(stepped))
    assert stepped == list(made[0])[:len(stepped)], point
    assert all(made[0][key].tobytes() == whole[0][key].tobytes() for key in stepped), point
    assert made[1].iterations == (len(stepped) > 0), point
    with made[1].step(norm=1.0):
        for key, w in made[0].items():
            made[1].apply_gradients({key: (gradients[key], w)})
assert counts[True] >= {0, 1, 2} and counts[False] == {3}, counts
"""


def test_a_step_in_parts_without_memory_has_whole_parts(run_python):
    pytest.importorskip("_testcapi")
    done = run_python(FAILING_PARTS)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------------------------------- what changes while a step reads it
def test_a_collection_that_the_pairs_empty():
    arrays = {str(i): np.ones(3) for i in range(40)}
    terms = fr.regularize(arrays, [("*", fr.l2_regularizer(0.5))])
    optimizer = fr.optim.GradientDescent(1.0)

    def pairs():
        for term in list(terms):
            variable = term.variable
            variable.regularizer = None
            yield np.ones(3), variable

    loss = optimizer.apply_gradients(pairs(), terms)
    assert loss in (0.0, 30.0) and terms == []
    assert all(w.tolist() == [0.0 if loss == 0 else -0.5] * 3 for w in arrays.values())


@pytest.mark.parametrize("form", ["list", "total", "graph"])
def test_another_thread_takes_regularizers_off_and_puts_them_on(form):
    parts = [fr.l2_regularizer(0.5), fr.mcp_regularizer(0.5), fr.sum_regularizer([fr.mcp_regularizer(0.5)] * 9), None]
    if form == "graph":
        variables = [fr.get_variable(f"v{i}", shape=(50,), initializer=np.ones, regularizer=parts[0]) for i in range(30)]
        terms = fr.GraphKeys.REGULARIZATION_LOSSES
        read = lambda: fr.graph.get_collection_ref(terms)  # noqa: E731
    else:
        found = fr.regularize({f"v{i}": np.ones(50) for i in range(30)}, [("*", parts[0])])
        variables = [term.variable for term in found]
        read = (lambda: found) if form == "list" else (lambda: fr.add_n(found) if found else found)
    every = list(read().terms if form == "total" else read())
    stop, errors = threading.Event(), []

    def change():
        try:
            for i in itertools.count():
                if stop.is_set():
                    return
                variables[i % 30].regularizer = parts[i % 4]
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        until, optimizer = time.monotonic() + 1.0, fr.optim.GradientDescent(0.0)
        while time.monotonic() < until:
            assert 0 <= optimizer.apply_gradients([(np.ones(50, v.dtype), v) for v in variables], read()) < 30 * 50 * 2
            assert 0 <= fr.value_and_gradients(read())[0] < 30 * 50 * 2
            assert all(0 <= float(term) < 50 * 4 for term in every)
    finally:
        stop.set()
        thread.join()
    assert not errors
