"""The bits do not depend on the caller's floating-point environment, and it is left as it was found."""

import ctypes
import platform
import struct
import sys
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from kernel_calls import project_l1_ball, project_simplex

import fastreg as fr

MACHINE = {"x86_64": "x86", "aarch64": "arm"}.get(platform.machine()) if sys.platform == "linux" else None
pytestmark = pytest.mark.skipif(
    MACHINE is None, reason="knows the control registers of x86-64 and arm64 as Linux's libm stores them"
)

# Where a fenv_t keeps the control register, and the bits to turn in it.
AT = {"x86": 28, "arm": 0}.get(MACHINE)
FLUSHED = {"x86": 0x8040, "arm": 1 << 24}.get(MACHINE)  # what flush-to-zero and denormals-are-zero, or FZ, turn
UP, DOWN, TO_ZERO = {"x86": (0x4000, 0x2000, 0x6000), "arm": (1 << 22, 2 << 22, 3 << 22)}.get(MACHINE, (0, 0, 0))
TRAPS = {"x86": 0x0680, "arm": 0x0700}.get(MACHINE)  # invalid operation, division by 0, overflow
ENVIRONMENTS = {"flushed": FLUSHED, "up": UP, "down": DOWN, "to zero": TO_ZERO, "flushed up": (FLUSHED or 0) | UP}
REGULARIZERS = [
    fr.l1_regularizer(0.3),
    fr.l2_regularizer(0.7),
    fr.l1_l2_regularizer(0.3, 0.7),
    fr.l2_regularizer(1e-39),
    fr.mcp_regularizer(0.3),
    fr.linf_regularizer(0.3),
    fr.total_variation_regularizer(0.3),
    fr.log_sum_regularizer(0.3, eps=0.01),
]
# Rates are corrected and slots begun in Python and NumPy, by the caller's rounding. With these numbers both are exact.
EXACT = {"initial_accumulator_value": 0.5}
RULES = [fr.optim.GradientDescent, partial(fr.optim.Momentum, momentum=0.9), partial(fr.optim.Adagrad, **EXACT), fr.optim.RMSProp]
RULES += [partial(fr.optim.Adam, beta1=0.5, beta2=0.75), fr.optim.ProximalGradientDescent]
RULES += [partial(fr.optim.ProximalAdagrad, **EXACT), partial(fr.optim.Ftrl, **EXACT)]
SMALL, SHARED = 97, 300_007


def get():
    """Return the control register, without what was raised so far."""
    environment = ctypes.create_string_buffer(64)
    ctypes.CDLL("libm.so.6").fegetenv(environment)
    return struct.unpack_from("I", environment, AT)[0] & ~0x3F


@contextmanager
def turned(bits):
    """Turn these bits of the control register within."""
    libm = ctypes.CDLL("libm.so.6")
    found, environment = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
    libm.fegetenv(found)
    libm.fegetenv(environment)
    struct.pack_into("I", environment, AT, struct.unpack_from("I", environment, AT)[0] ^ bits)
    libm.fesetenv(environment)
    try:
        yield
    finally:
        libm.fesetenv(found)


def arrays(size, dtype):
    """Return weights of all sizes from subnormal up, so that squares, products and sums are rounded and some vanish."""
    rng = np.random.default_rng(size)
    tiny = np.finfo(dtype).smallest_subnormal.astype(np.float64)
    exponents = rng.integers(int(np.log2(tiny)), 3, size)
    w = np.ldexp(rng.uniform(-2, 2, size), exponents).astype(dtype)
    return w, (rng.standard_normal(size) * 1e-3).astype(dtype)


def evaluated(w, base):
    """Yield what every operation gives."""
    for regularizer in REGULARIZERS:
        yield regularizer(w), regularizer.gradient(w)
        yield regularizer.value_and_gradient(w, out=base.copy(), accumulate=True)
        yield (regularizer.prox(w, 0.5),)
    yield project_simplex(w, (0,), 0.3), project_l1_ball(w, (0,), 0.3)
    terms = fr.regularize({"a": w, "b": base}, [("*", fr.sum_regularizer(REGULARIZERS[:3]))])
    terms += fr.regularize({"c": w}, [("*", REGULARIZERS[0])])
    total, gradients = fr.value_and_gradients(terms)
    yield float(fr.add_n(terms)), total, *gradients.values()


def updated(w, g):
    """Yield what every update rule gives, by itself and with the norm of the gradient clipped."""
    regularizer = fr.l1_l2_regularizer(0.3, 0.7)
    for rule in RULES:
        for clip_norm in (None, 0.1):
            v = w.copy()
            optimizer = rule(0.1, clip_norm=clip_norm)
            yield optimizer.apply_gradients([(g, v)], regularization=fr.regularize({"v": v}, [("*", regularizer)])), v
    v = w[: w.size // 4 * 4].reshape(-1, 4).copy()
    rows = np.arange(len(v)) // 2  # each twice
    yield fr.optim.GradientDescent(0.1).apply_gradients([((g[: v.size].reshape(v.shape), rows), v)]), v


def raw(results):
    return [np.asarray(x).tobytes() for found in results for x in found]


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("size", [SMALL, SHARED])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("operation", [evaluated, updated], ids=lambda operation: operation.__name__)
def test_bits_do_not_depend_on_the_callers_environment(num_threads, operation, dtype, size, name):
    num_threads(3)
    w, g = arrays(size, dtype)
    expected = raw(operation(w, g))
    with turned(ENVIRONMENTS[name]):
        before = get()
        for _ in range(3):
            found = raw(operation(w, g))
            assert found == expected
        assert get() == before


@pytest.mark.parametrize("size", [SMALL, SHARED])
def test_nothing_traps(run_python, size):
    done = run_python(
        f"""
import numpy as np
import fastreg as fr
from core.test_float_environment import TRAPS, get, turned
w = np.resize(np.array([np.nan, np.inf, -np.inf, 3e38, 0.0], np.float32), {size})
both = fr.l1_l2_regularizer(0.3, 0.7)
out = [w.copy() for _ in range(3)]
def call():
    both.value_and_gradient(w, out=out[0])
    both.gradient(w, out=out[1])
    both.prox(w, 0.5, out=out[2])
    return [x.tobytes() for x in out]
before = call()
with turned(TRAPS):
    trapping = get()
    after = call()
    same = get() == trapping
print(before == after, same)
""",
        FASTREG_NUM_THREADS="3",
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["True", "True"], "")


def test_an_error_leaves_the_environment_as_it_was():
    w = np.ones(SMALL, np.float32)
    with turned(FLUSHED):
        before = get()
        for call in (
            lambda: fr.l2_loss(w.tolist()),
            lambda: fr.l2_regularizer(0.5).gradient(w, out=w[1:]),
            lambda: fr.optim.Adam().apply_gradients([(w[1:], w)]),
            lambda: fr.optim.Adam().apply_gradients([(w * np.nan, w)], check_finite=True),
        ):
            with pytest.raises((TypeError, ValueError)):
                call()
            assert get() == before


@pytest.mark.parametrize("name", ["as it is", *ENVIRONMENTS])
def test_import_changes_no_environment(run_python, name):
    done = run_python(
        f"""
import ctypes, struct
import numpy
def control():
    environment = ctypes.create_string_buffer(64)
    libm.fegetenv(environment)
    return struct.unpack_from("I", environment, {AT})[0]
libm = ctypes.CDLL("libm.so.6")
environment = ctypes.create_string_buffer(64)
libm.fegetenv(environment)
struct.pack_into("I", environment, {AT}, control() ^ {ENVIRONMENTS.get(name, 0)})
libm.fesetenv(environment)
before = control() & ~0x3F
import fastreg
print(control() & ~0x3F == before)
"""
    )
    assert done.stdout.split() == ["True"], done.stderr
