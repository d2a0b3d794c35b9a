"""Ctrl-C in a long call: KeyboardInterrupt comes when the compiled call has ended, and what it writes is whole."""

import signal
import sys

import numpy as np
import pytest

import fastreg as fr

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

LONG = """
import os, signal, threading, time
import numpy as np, fastreg as fr

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with the signal ignored
fr.set_num_threads(THREADS)
sent = [0.0]

def interrupt():
    sent[0] = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)

SETUP
def call():
    CALL

start = time.monotonic()
call()
longest = time.monotonic() - start
calls = 1
threading.Timer(0.3 + 0.5 * longest, interrupt).start()  # in the middle of a call that takes long
try:
    while True:
        call()
        calls += 1
except KeyboardInterrupt:
    late = time.monotonic() - sent[0]
assert late < 1.0 + 5 * longest, (late, longest)
CHECK
print("whole")
"""
ARRAYS = "w = np.full(1 << 24, 2.0, np.float32); out = np.zeros_like(w); l2 = fr.l2_regularizer(0.5)"
COUNTED = "assert (out == out[0]).all() and out[0] in (calls, calls + 1), (out.min(), out.max(), calls)"
STEP = "opt = fr.optim.GradientDescent(0.5)"
CALLS = {
    "value": (ARRAYS, "assert l2(w) == (1 << 24)", "assert (w == 2).all()"),
    "gradient": (ARRAYS, "l2.gradient(w, out=out, accumulate=True)", COUNTED),
    "prox": (
        ARRAYS + "; l1 = fr.l1_regularizer(0.5)",
        "l1.prox(w, 2.0**-20, out=w)",
        "assert (w == w[0]).all() and w[0] in (2 - calls * 2.0**-21, 2 - (calls + 1) * 2.0**-21), calls",
    ),
    "collection": (
        "arrays = {str(i): np.full(1 << 16, 2.0, np.float32) for i in range(200)}\n"
        "terms = fr.regularize(arrays, [('*', fr.l2_regularizer(0.5))])\n"
        "outs = {key: np.zeros_like(w) for key, w in arrays.items()}",
        "fr.value_and_gradients(terms, out=outs, accumulate=True)",
        "out = np.concatenate(list(outs.values()))\n" + COUNTED,
    ),
    "step": (
        "arrays = {str(i): np.zeros(1 << 16, np.float32) for i in range(200)}\n"
        "pairs = {key: (np.full_like(w, -2.0), w) for key, w in arrays.items()}\n" + STEP,
        "opt.apply_gradients(pairs)",
        "out = np.concatenate(list(arrays.values()))\nassert out[0] == opt.iterations\n" + COUNTED,
    ),
    "clipped step": (
        "arrays = {str(i): np.zeros(1 << 16, np.float32) for i in range(200)}\n"
        "pairs = {key: (np.full_like(w, -2.0), w) for key, w in arrays.items()}\n"
        "opt = fr.optim.GradientDescent(0.5, clip_norm=1e9, check_finite=True)",
        "opt.apply_gradients(pairs)",
        "out = np.concatenate(list(arrays.values()))\nassert out[0] == opt.iterations\n" + COUNTED,
    ),
    "one line": (
        "w = np.random.default_rng(0).standard_normal(1 << 22); out = np.zeros_like(w)\n"
        "tv = fr.total_variation_regularizer(0.5); right = tv.prox(w, 1.0)",
        "tv.prox(w, 1.0, out=out)",
        "assert (out == right).all()",
    ),
    "constraint": (
        "w = np.full((1 << 12, 1 << 12), 2.0, np.float32); out = np.zeros_like(w)\n"
        "ball = fr.constraints.max_norm(1.0, axis=1); right = ball(w)",
        "ball.project(w, out=out)",
        "assert (out == right).all()",
    ),
    "rows": (
        "w = np.zeros((1 << 14, 64), np.float32); rows = np.arange(1 << 18) % (1 << 14)\n"
        "values = np.full((1 << 18, 64), -0.125, np.float32)\n" + STEP,
        "opt.apply_gradients({'w': ((values, rows), w)})",
        "out = w.ravel()\nassert out[0] == opt.iterations\n" + COUNTED,
    ),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("setup", "call", "check"), CALLS.values(), ids=CALLS)
def test_an_interrupted_call_ends_soon_and_is_whole(run_python, setup, call, check, threads):
    code = LONG.replace("THREADS", str(threads)).replace("SETUP", setup).replace("CALL", call).replace("CHECK", check)
    done = run_python(code, timeout=300)
    assert (done.returncode, done.stdout.split()) == (0, ["whole"]), done.stderr


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals come from a timer of Unix")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_restore_is_whole_or_has_not_begun(interrupts):
    def made(value):
        arrays = {str(i): np.full(60_000, value, np.float32) for i in range(3)}
        terms = fr.regularize(arrays, [("*", fr.l2_regularizer(value))])
        optimizer = fr.optim.Momentum(value, 0.5)
        optimizer.apply_gradients({key: (w.copy(), w) for key, w in arrays.items()}, terms)
        return optimizer, arrays, terms

    def state(run):
        return [(key, x.tobytes()) for key, x in fr.optim.save(*run).items()]

    saved = fr.optim.save(*made(1.0))
    restored = [(key, x.tobytes()) for key, x in saved.items()]
    seen = set()
    for _ in range(70):
        run = made(0.25)
        before = state(run)
        interrupts.during(fr.optim.restore, saved, *run)
        found = state(run)
        assert found in (before, restored)
        seen.add(found == restored)
    assert interrupts.n > 5 and seen == {True, False}
