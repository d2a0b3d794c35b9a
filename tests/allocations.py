"""Public calls whose allocations are made to fail, one by one: `python allocations.py python|c|threads group [call]`.

A failed call must raise MemoryError and leave everything that it was given as it was, to the bit, and must then give the right
result. A failure that does no harm may go unnoticed; the result must then be right at once. `core/test_allocation_failures.py`
runs this file in processes of its own, where a crash is seen as one.
"""

import ctypes
import gc
import sys

import numpy as np

import fastreg as fr

GROUPS = {}
QUIET = 40  # calls in a row that no failure disturbs: the last allocation is behind us


def group(table):
    """Note a function that yields the name and the setup of each call; a setup returns the call and what it may change."""
    GROUPS[table.__name__] = table
    return table


class Own:
    """A regularizer of a user's own."""

    def __call__(self, w):
        return w.item(0)

    def gradient(self, w):
        return np.ones_like(w)

    def __repr__(self):
        return "Own()"


# ---------------------------------------------------------------------------------------------------------- what is compared
def frozen(x):
    """Return the bits of everything that can be reached from x, and no identities."""
    if isinstance(x, (np.ndarray, np.generic)):
        return str(x.dtype), x.shape, x.tobytes()
    if isinstance(x, dict):
        return [(frozen(key), frozen(value)) for key, value in x.items()]
    if isinstance(x, (list, tuple)):
        return [frozen(item) for item in x]
    if isinstance(x, set):
        return sorted(x)
    for kind, parts_of in PARTS.items():
        if isinstance(x, kind):
            return frozen(parts_of(x))
    return type(x).__name__ if " at 0x" in repr(x) else repr(x)


def parts_of_graph(graph):
    collections = {key: [getattr(item, "name", item) for item in items] for key, items in graph._collections.items() if items}
    scopes = graph.get_name_scope(), fr.get_variable_scope().name
    return collections, graph.variables, sorted(graph.elements), graph._names_in_use, scopes


CACHES = "_matched", "_tried"  # of an optimizer
PARTS = {
    fr.optim.Optimizer: lambda x: ({key: value for key, value in vars(x).items() if key not in CACHES}, x.state_dict()),
    fr.Graph: parts_of_graph,
    fr.Parameter: lambda x: (x.name, x.array, x._term),
    fr.RegularizationLoss: lambda x: (x.name, repr(x.regularizer), repr(x.penalty), len(x.custom)),
    fr.History: lambda x: (x.steps, x._values),
    type(fr.add_n([np.float64(0)])): lambda x: (x.name, x.terms, x.factors),
}


# ------------------------------------------------------------------------------------------------------------------- failures
class PythonFailures:
    """Of Python's own allocations, and of those that NumPy asks Python for."""

    def __init__(self):
        from _testcapi import remove_mem_hooks, set_nomemory  # not every Python has it

        self.disarm, self._fail = remove_mem_hooks, set_nomemory

    def arm(self, point):
        self._fail(point, point + 1)


class CFailures:
    """Of malloc, calloc, realloc, memalign, mmap and pthread_create, by the preloaded library; or of the last one alone."""

    def __init__(self, threads_only):
        library = ctypes.CDLL(None)
        self._arm = library.arm_threads if threads_only else library.arm
        self._arm.argtypes, self._arm.restype = [ctypes.c_long] * 2, None
        self.disarm = library.disarm
        self.disarm.restype = ctypes.c_long

    def arm(self, point):
        self._arm(point, point + 1)


def fail_each(name, setup, failures):
    """Let each allocation of a call fail in turn; return how many calls failed."""
    call, watched = setup()
    before = frozen(watched)
    right = frozen(call())
    after = frozen(watched)
    failed = quiet = point = 0
    while quiet < QUIET:
        call, watched = setup()
        assert frozen(watched) == before, f"{name}: its setup gives different things"
        result = error = None
        try:
            failures.arm(point)
            result = call()
        except BaseException as raised:
            failures.disarm()
            error = raised
        else:
            failures.disarm()
        if error is None:
            quiet += 1
        else:
            quiet = 0
            failed += 1
            assert isinstance(error, MemoryError), f"{name}, allocation {point}: {error!r}"
            found = frozen(watched)
            error = None
            assert found == before, f"{name}, allocation {point}: what failed has changed something: {differences(before, found)}"
            result = call()
        assert frozen(result) == right, f"{name}, allocation {point}: {differences(right, frozen(result))}"
        assert frozen(watched) == after, f"{name}, allocation {point}: {differences(after, frozen(watched))}"
        point += 1
    return failed


def differences(x, y):
    """Return the first place where two frozen things differ."""
    if isinstance(x, (list, tuple)) and isinstance(y, (list, tuple)) and len(x) == len(y):
        return next(f"[{i}]{differences(a, b)}" for i, (a, b) in enumerate(zip(x, y, strict=True)) if a != b)
    return f": {str(x)[:200]} became {str(y)[:200]}"


# ------------------------------------------------------------------------------------------------------------------ the calls
SHAPE = 70, 65  # several chunks of 4096 elements, and more than NumPy's cache of small memory


def array(dtype=np.float32, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# Those of matrices are left out: NumPy's functions, of which they consist, raise SystemError or crash without memory.
PENALTIES = {
    "l1": fr.l1_regularizer(0.5),
    "l1_l2": fr.l1_l2_regularizer(0.5, 0.25),
    "sum": fr.sum_regularizer([fr.l2_regularizer(0.5), fr.l1_regularizer(0.25)]),
    "mcp": fr.mcp_regularizer(0.5),
    "l1 weighted": fr.l1_regularizer(0.5, weights=np.abs(array(seed=3))),
    "l2_sp": fr.l2_sp_regularizer(0.5, array(seed=4)),
    "rows": fr.group_lasso_regularizer(0.5, 1),
    "columns": fr.group_lasso_regularizer(0.5, 0),
    "nested": fr.sum_regularizer([fr.group_lasso_regularizer(0.5, 1), fr.group_lasso_regularizer(0.5, None)]),
    "total_variation": fr.total_variation_regularizer(0.5),
    "linf": fr.linf_regularizer(0.5, axis=0),
    "own": fr.sum_regularizer([Own(), fr.l2_regularizer(0.5)]),
}
FORMS = {
    "value": lambda r, w, out: r(w),
    "gradient": lambda r, w, out: r.gradient(w),
    "gradient out": lambda r, w, out: r.gradient(w, out=out),
    "gradient added": lambda r, w, out: r.gradient(w, out=out, accumulate=True),
    "value_and_gradient": lambda r, w, out: r.value_and_gradient(w),
    "value_and_gradient out": lambda r, w, out: r.value_and_gradient(w, out=out),
    "value_and_gradient added": lambda r, w, out: r.value_and_gradient(w, out=out, accumulate=True),
    "prox": lambda r, w, out: r.prox(w, 0.25),
    "prox out": lambda r, w, out: r.prox(w, 0.25, out=out),
    "prox in place": lambda r, w, out: r.prox(w, 0.25, out=w),
}


def over_an_array(function, dtype=np.float32):
    def setup():
        w, out = array(dtype), array(dtype, 1)
        return lambda: function(w, out), [w, out]

    return setup


@group
def penalties():
    for key, penalty in PENALTIES.items():
        for form, function in FORMS.items():
            if "prox" in form and key == "own":
                continue
            yield f"{key}, {form}", over_an_array(lambda w, out, r=penalty, f=function: f(r, w, out))


@group
def sixteen():
    for key in ("l1_l2", "rows", "columns", "nested", "l2_sp"):
        for form, function in FORMS.items():
            yield (
                f"{key}, {form}",
                over_an_array(lambda w, out, r=PENALTIES[key], f=function: f(r, w, out), np.float16),
            )


@group
def constraints():
    made = {
        "non_neg": fr.constraints.non_neg(),
        "max_norm": fr.constraints.max_norm(1.0, axis=0),
        "max_norm of rows": fr.constraints.max_norm(1.0, axis=1),
        "simplex": fr.constraints.simplex(1.0, axis=1),
        "l1_ball": fr.constraints.l1_ball(1.0, axis=0),
    }
    for key, constraint in made.items():
        yield key, over_an_array(lambda w, out, c=constraint: c(w))
        yield f"{key}, out", over_an_array(lambda w, out, c=constraint: c.project(w, out=out))
        yield f"{key}, in place", over_an_array(lambda w, out, c=constraint: c.project(w, out=w))


def params():
    return {"conv/kernel": array(), "dense/kernel": array(np.float64, 1, (900, 5)), "dense/bias": array(seed=2, shape=(300,))}


def collected(own=False):
    arrays = params()
    second = fr.sum_regularizer([fr.l1_regularizer(0.5), Own()]) if own else fr.mcp_regularizer(0.5)
    groups = fr.group_lasso_regularizer(0.5, 1)
    return arrays, fr.regularize(arrays, [("*/bias", fr.l2_regularizer(0.5)), ("dense/*", second), ("*", groups)])


def over_terms(function, own=False):
    def setup():
        arrays, terms = collected(own)
        out = {key: np.full_like(w, 3) for key, w in arrays.items()}
        return lambda: function(terms, out), [arrays, out, list(terms), terms.left_out]

    return setup


def over_params(function):
    def setup():
        arrays = params()
        return lambda: function(arrays), [arrays]

    return setup


@group
def collections():
    for own in (False, True):
        kind = "own, " if own else ""
        yield f"{kind}add_n", over_terms(lambda terms, out: float(fr.add_n([terms[0], terms[2]])), own)
        yield f"{kind}multiple", over_terms(lambda terms, out: float(2 * fr.add_n(terms[:1]) + 1.5), own)
        yield f"{kind}value_and_gradients", over_terms(lambda terms, out: fr.value_and_gradients(terms), own)
        yield f"{kind}out", over_terms(lambda terms, out: fr.value_and_gradients(terms, out=out), own)
        yield f"{kind}added", over_terms(lambda terms, out: fr.value_and_gradients(terms, out=out, accumulate=True), own)
        yield (
            f"{kind}of a total",
            over_terms(lambda terms, out: fr.value_and_gradients(fr.add_n(terms[:1]) * 2 + 1, out=out, accumulate=True), own),
        )
        yield f"{kind}summary", over_terms(lambda terms, out: fr.summary(terms).to_dict(), own)
    yield "a term", over_terms(lambda terms, out: terms[0].value())
    yield "regularize", over_params(lambda arrays: fr.regularize(arrays, [("*", fr.l2_regularizer(0.5))]))
    yield "constrain", over_params(lambda arrays: fr.constrain(arrays, [("*", fr.constraints.non_neg())]))
    yield "a regularizer is set", over_terms(lambda terms, out: setattr(terms[0].variable, "regularizer", fr.l1_regularizer(0.5)))
    yield "a regularizer is taken off", over_terms(lambda terms, out: setattr(terms[0].variable, "regularizer", None))


RULES = {
    "GradientDescent": lambda **o: fr.optim.GradientDescent(0.5, **o),
    "Momentum": lambda **o: fr.optim.Momentum(0.5, 0.9, **o),
    "Adagrad": lambda **o: fr.optim.Adagrad(0.5, **o),
    "RMSProp": lambda **o: fr.optim.RMSProp(0.5, centered=True, **o),
    "Adam": lambda **o: fr.optim.Adam(0.5, **o),
    "AdamW": lambda **o: fr.optim.AdamW(weight_decay=[("*/bias", None), ("*", 0.01)], **o),
    "ProximalGradientDescent": lambda **o: fr.optim.ProximalGradientDescent(0.5, **o),
    "ProximalAdagrad": lambda **o: fr.optim.ProximalAdagrad(0.5, **o),
    "Ftrl": lambda **o: fr.optim.Ftrl(0.5, **o),
}


def stepped(make, earlier, take=None, own=False, proxes=False, **options):
    """Return a setup of a step after `earlier` ones."""

    def setup():
        arrays, terms = collected(own)
        if not proxes:
            terms = [term for term in terms if term.variable.name != "conv/kernel"]
        gradients = {key: np.full_like(w, 0.25) for key, w in arrays.items()}
        copies = {"conv/kernel": np.zeros(SHAPE, np.float16)}
        optimizer = make(**options)
        step = take or (lambda opt, pairs, terms, copies: opt.apply_gradients(pairs, terms))
        pairs = {key: (gradients[key], w) for key, w in arrays.items()}
        for _ in range(earlier):
            step(optimizer, pairs, terms, copies)
        return lambda: step(optimizer, pairs, terms, copies), [arrays, gradients, copies, optimizer]

    return setup


STEPS = {
    "mixed": lambda opt, pairs, terms, copies: opt.apply_gradients(
        pairs, terms, gradient_scale=0.5, copies=copies, zero_gradients=True, rounding=fr.optim.StochasticRounding(1)
    ),
    "per term": lambda opt, pairs, terms, copies: opt.apply_gradients(pairs, terms, per_term=True),
    "bare arrays": lambda opt, pairs, terms, copies: opt.apply_gradients(list(pairs.values()), terms),
    "measure": lambda opt, pairs, terms, copies: opt.measure(pairs, terms),
    "rows": lambda opt, pairs, terms, copies: opt.apply_gradients(
        {"dense/kernel": ((np.ones((400, 5)), np.arange(400)[::-1] % 350), pairs["dense/kernel"][1])}
    ),
    "constraints": lambda opt, pairs, terms, copies: opt.apply_gradients(
        pairs, terms, constraints=[(pairs["conv/kernel"][1], fr.constraints.max_norm(1.0)),
                                   (pairs["dense/kernel"][1], fr.constraints.simplex(1.0, axis=1)),
                                   (pairs["dense/bias"][1], fr.constraints.non_neg())],
    ),
}  # fmt: skip


@group
def rules():
    for key, make in RULES.items():
        for earlier in (0, 1):
            yield f"{key} after {earlier}", stepped(make, earlier)


@group
def steps():
    for key, take in STEPS.items():
        for earlier in (0, 1):
            yield f"{key} after {earlier}", stepped(RULES["Adam"], earlier, take, average=0.5)
    yield "clipped", stepped(RULES["Adam"], 1, clip_norm=1.0, check_finite=True)
    yield "own", stepped(RULES["Adam"], 1, own=True)
    yield "own, per term", stepped(RULES["Adam"], 0, STEPS["per term"], own=True)
    yield "groups", stepped(RULES["ProximalGradientDescent"], 1, proxes=True, average=0.5)
    yield "a rule that was loaded", loaded


def loaded():
    """A step with slots that were loaded, of which one is of a name that no step has used."""
    arrays, terms = collected()
    old, new = RULES["Adam"](), RULES["Adam"]()
    pairs = {key: (np.full_like(w, 0.25), w) for key, w in arrays.items()}
    old.apply_gradients(pairs)
    new.load_state_dict(old.state_dict())
    some = {key: pair for key, pair in pairs.items() if key != "dense/bias"}
    return lambda: new.apply_gradients(some, terms[1:]), [arrays, new]


def kept(function):
    """Return a setup of a call with an optimizer, its arrays and terms, and a state that was saved a step ago."""

    def setup():
        arrays, terms = collected()
        optimizer = RULES["Momentum"]()
        pairs = {key: (np.full_like(w, 0.25), w) for key, w in arrays.items()}
        optimizer.apply_gradients(pairs, terms)
        saved, slots = fr.optim.save(optimizer, arrays, terms), optimizer.state_dict()
        terms[0].regularizer.scale, optimizer.learning_rate = 0.75, 0.125
        optimizer.apply_gradients(pairs, terms)
        return lambda: function(optimizer, arrays, terms, saved, slots), [arrays, optimizer, list(terms)]

    return setup


@group
def checkpoints():
    yield "state_dict", kept(lambda opt, arrays, terms, saved, slots: opt.state_dict())
    yield "load_state_dict", kept(lambda opt, arrays, terms, saved, slots: opt.load_state_dict(slots))
    yield "save", kept(lambda opt, arrays, terms, saved, slots: fr.optim.save(opt, arrays, terms))
    yield "restore", kept(lambda opt, arrays, terms, saved, slots: fr.optim.restore(saved, opt, arrays, terms))
    yield (
        "restore, not strict",
        kept(lambda opt, arrays, terms, saved, slots: fr.optim.restore(saved, opt, arrays, terms, strict=False)),
    )
    yield (
        "set_slots",
        kept(lambda opt, arrays, terms, saved, slots: opt.set_slots("new", {"momentum": arrays["dense/bias"].copy()})),
    )
    yield "average is set", kept(lambda opt, arrays, terms, saved, slots: setattr(opt, "average", 0.5))
    yield (
        "average is taken off",
        stepped(RULES["Adam"], 1, lambda opt, pairs, *_: setattr(opt, "average", None) or opt.slot_names, average=0.5),
    )
    yield "centered is set", centered
    yield "History", recorded


def centered():
    rule = fr.optim.RMSProp(0.5)
    return lambda: setattr(rule, "centered", True), [rule]


def recorded():
    history = fr.History()
    history.record(1, {"a": 1.0})
    return lambda: history.record(2, {"a": 2.5, "b": 3.5}, loss=0.5), [history]


# ------------------------------------------------------------------------------------------------------------- the registry
def in_a_graph(function):
    def setup():
        fr.reset_default_graph()
        graph = fr.get_default_graph()
        fr.set_random_seed(1)
        fr.get_variable("known", shape=(4, 5), regularizer=fr.l2_regularizer(0.5))
        return lambda: function(graph), [graph]

    return setup


def partitioned(graph):
    return fr.get_variable(
        "split", shape=(6, 2), partitioner=lambda shape, dtype: [2, 1], regularizer=fr.l2_regularizer(0.5), initializer=np.ones
    ).name


def in_a_scope():
    fr.reset_default_graph()
    graph = fr.get_default_graph()
    with fr.variable_scope("net", regularizer=fr.l1_regularizer(0.5), initializer=np.ones) as scope:
        fr.get_variable("known", shape=(4, 5))
    return lambda: scope.get_variable("w", shape=(30, 40)), [graph]


@group
def registry():
    regularizer = fr.l2_regularizer(0.5)
    calls = {
        "get_variable": lambda graph: fr.get_variable("new", shape=(40, 50), initializer=np.ones, regularizer=regularizer),
        "get_variable, constrained": lambda graph: fr.get_variable(
            "c", shape=(4,), initializer=np.ones, constraint=fr.constraints.non_neg()
        ),
        "Variable": lambda graph: fr.Variable(np.ones(3000), name="v", regularizer=regularizer),
        "Variable of a known name": lambda graph: fr.Variable(np.ones(3), name="known").name,
        "reused": lambda graph: graph.variables["known"] is fr.get_variable_scope().get_variable("known", reuse=True),
        "variable_scope": lambda graph: fr.variable_scope("net").__enter__().name,
        "in parts": partitioned,
        "regularizer": lambda graph: setattr(graph.variables["known"], "regularizer", fr.l1_regularizer(0.5)),
        "no regularizer": lambda graph: setattr(graph.variables["known"], "regularizer", None),
        "assign": lambda graph: graph.variables["known"].assign(np.ones((4, 5))),
        "apply_regularization": lambda graph: fr.apply_regularization(regularizer, fr.trainable_variables()),
        "add_to_collections": lambda graph: fr.add_to_collections(["a", "b", "c"], graph.variables["known"]),
        "add_loss": lambda graph: fr.add_loss(np.float64(1.0)),
        "get_collection": lambda graph: fr.get_collection(fr.GraphKeys.TRAINABLE_VARIABLES, "known"),
        "get_collection_ref": lambda graph: fr.get_collection_ref("new"),
        "get_regularization_loss": lambda graph: float(fr.get_regularization_loss()),
        "get_total_loss": lambda graph: float(fr.get_total_loss()),
        "clear": lambda graph: graph.clear_collection(fr.GraphKeys.TRAINABLE_VARIABLES),
        "unique_name": lambda graph: graph.unique_name("known"),
        "set_random_seed": lambda graph: fr.set_random_seed(7),
    }
    for key, call in calls.items():
        yield key, in_a_graph(call)
    yield "in a scope", in_a_scope


@group
def threads():
    """More than the bytes from which on other threads help; they are there already."""
    fr.set_num_threads(3)
    for key in ("l1_l2", "mcp", "columns", "total_variation"):
        for form in ("value", "gradient added", "prox out"):
            function, penalty = FORMS[form], PENALTIES[key]
            yield f"{key}, {form}", large(lambda w, out, r=penalty, f=function: f(r, w, out))


def large(function):
    def setup():
        w, out = array(shape=(512, 512)), array(seed=1, shape=(512, 512))
        return lambda: function(w, out), [w, out]

    return setup


def main():
    """Print the number of failed calls beside each name; stop at what is wrong."""
    kind, table, *names = sys.argv[1:]
    sys.unraisablehook = lambda unraisable: None  # of generators that end without memory
    failures = PythonFailures() if kind == "python" else CFailures(threads_only=kind == "threads")
    np.seterr(all="ignore")
    gc.disable()
    problems = 0
    for name, setup in GROUPS[table]():
        if names and name not in names:
            continue
        print(name, end=": ", flush=True)
        try:
            print(fail_each(name, setup, failures), flush=True)
        except AssertionError as problem:
            print(f"PROBLEM {problem}", flush=True)
            problems += 1
        gc.collect()
    sys.exit(problems > 0)


if __name__ == "__main__":
    main()
