"""The same bits on every instruction set, thread count and buffer offset, and on the next machine.

`python tests/test_bits.py` prints this machine's digest, which must be GOLDEN.
"""

import hashlib
import json

import numpy as np
import pytest
from reference import CHUNK, SIZES, assert_same, expected, gradient, offset, outcomes, raw, value64, weights

import fastreg as fr
from fastreg.kernels import evaluate

DTYPES = (np.float32, np.float64)
REGULARIZERS = {
    (0.3, 0.0): fr.l1_regularizer(0.3),
    (0.0, 0.7): fr.l2_regularizer(0.7),
    (0.3, 0.7): fr.l1_l2_regularizer(0.3, 0.7),
}
SHAPES = [*((size,) for size in SIZES), (), (5, 7), (3, 1, 700)]
SHARED = [(70_001,), (200_003,), (40, 41, 43)]  # large enough for several threads

# Of `digest`. It was formed by the kernels and by their NumPy twin alike.
GOLDEN = "b28aba0bbfa78389bfb39ad013f6150604043537972e54139cd33850da7de8e3"


def digest(results):
    """Return one sha256 over the bits of many results."""
    total = hashlib.sha256()
    for found in results:
        for name in sorted(found):
            total.update(name.encode() + raw(found[name]))
    return total.hexdigest()


def inputs(shapes):
    for shape in shapes:
        for dtype in DTYPES:
            yield weights(shape, dtype), weights(shape, dtype, seed=1)


def by_kernels(shapes):
    """Yield what every operation gives over these shapes, and what the collection of them all gives."""
    for w, base in inputs(shapes):
        for regularizer in REGULARIZERS.values():
            yield outcomes(regularizer, w, base) | {"value64": evaluate([w], [regularizer], ["w"])}
    arrays, bases = map(list, zip(*inputs(shapes), strict=True))
    regularizers = [list(REGULARIZERS.values())[i % 3] for i in range(len(arrays))]
    total = evaluate(arrays, regularizers, [str(i) for i in range(len(arrays))], bases, accumulate=True)
    yield {"total": total} | {f"slope {i}": base for i, base in enumerate(bases)}


def by_twin(shapes):
    """Yield the same in NumPy."""
    for w, base in inputs(shapes):
        for pair in REGULARIZERS:
            yield expected(*pair, w, base) | {"value64": value64(w, *pair)}
    total, slopes = np.float64(0.0), {}
    for i, (w, base) in enumerate(inputs(shapes)):
        pair = list(REGULARIZERS)[i % 3]
        total += value64(w, *pair)
        slopes[f"slope {i}"] = gradient(w, *pair, base)
    yield {"total": total} | slopes


def test_golden_digest():
    assert digest(by_kernels(SHAPES + SHARED)) == GOLDEN


def test_golden_digest_is_the_twins():
    assert digest(by_twin(SHAPES + SHARED)) == GOLDEN


def test_inputs_are_what_they_were():
    found = [hashlib.sha256(raw(weights(1000, dtype, seed=1))).hexdigest()[:16] for dtype in DTYPES]
    assert found == ["673cca109ff5cc3d", "a00b457e5c554659"]


@pytest.fixture(scope="module")
def shared():
    return digest(by_twin(SHARED))


@pytest.mark.parametrize("threads", range(1, 8))
def test_bits_do_not_depend_on_threads(num_threads, shared, threads):
    num_threads(threads)
    for _ in range(3):  # who takes which chunk differs from call to call
        assert digest(by_kernels(SHARED)) == shared


@pytest.mark.parametrize("n_bytes", range(0, 64, 4))
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_bits_do_not_depend_on_where_a_buffer_starts(dtype, n_bytes):
    if n_bytes % np.dtype(dtype).itemsize:
        n_bytes += 60  # off by whole items, beyond the first cache line
    for size in (31, 513, CHUNK + 33):
        w, base = weights(size, dtype), weights(size, dtype, seed=1)
        starts = iter(range(100))

        def put(x, starts=starts):  # each array at another offset, the first at n_bytes
            return offset(x, (n_bytes + next(starts) * x.itemsize) % 64)

        for pair, regularizer in REGULARIZERS.items():
            assert_same(outcomes(regularizer, w, base, put=put), expected(*pair, w, base))


def test_every_instruction_set_gives_the_golden_digest(run_python):
    code = "import json, test_bits; print(json.dumps(test_bits.report()))"
    seen = {}
    for isa in fr.get_config()["isas"]:
        done = run_python(code, FASTREG_ISA=isa, FASTREG_NUM_THREADS="3")
        if "this CPU lacks it" in done.stderr:
            continue
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["isa"] == isa
        seen[isa] = report["digest"]
    assert seen
    assert set(seen.values()) == {GOLDEN}, seen


@pytest.mark.parametrize("isa", ["x86-64-v5", "avx2", "X86-64", " ", "../x"])
def test_an_instruction_set_that_is_not_there_is_an_error_that_lists_those_that_are(run_python, isa):
    done = run_python("import fastreg", FASTREG_ISA=isa)
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith(f"ImportError: FASTREG_ISA={isa}: ")
    assert fr.get_config()["isa"] in message.partition("available are ")[2].split(", ")


def test_an_empty_instruction_set_is_none_that_was_asked_for(run_python):
    done = run_python("import fastreg as fr; print(fr.get_config()['isa'])", FASTREG_ISA="")
    assert done.stdout.split() == run_python("import fastreg as fr; print(fr.get_config()['isa'])").stdout.split(), done.stderr


def test_the_instruction_set_in_use_is_one_of_those_compiled():
    config = fr.get_config()
    assert config["isa"] in config["isas"]


def report():
    return {"isa": fr.get_config()["isa"], "digest": digest(by_kernels(SHAPES + SHARED))}


if __name__ == "__main__":
    print(json.dumps(report() | {"golden": GOLDEN}))
