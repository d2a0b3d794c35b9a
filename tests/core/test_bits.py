"""The same bits on every instruction set, thread count and buffer offset, in the twin, and on the next machine."""

import hashlib
import json
from itertools import count

import numpy as np
import pytest
from digests import DIGESTS
from twin.compare import assert_same, raw
from twin.inputs import offset, weights

import fastreg as fr

rows = pytest.mark.parametrize("row", DIGESTS.values(), ids=DIGESTS)
golden_rows = pytest.mark.parametrize(
    "row", [row for row in DIGESTS.values() if row.golden], ids=[name for name, row in DIGESTS.items() if row.golden]
)


@golden_rows
def test_golden_digest(row):
    assert row.of(row.by_kernels(row.cases, np.copy)) == row.golden


@golden_rows
def test_golden_digest_is_the_twins(row):
    assert row.of(row.by_twin(row.cases)) == row.golden


def test_inputs_are_what_they_were():
    found = [hashlib.sha256(raw(weights(1000, dtype, seed=1))).hexdigest()[:16] for dtype in (np.float32, np.float64)]
    assert found == ["673cca109ff5cc3d", "a00b457e5c554659"]


@pytest.fixture(scope="module")
def right():
    """What is right for a row's cases: by the twin, or without one by the kernels on one thread; formed once."""
    known = {}

    def find(row, cases):
        key = id(row), id(cases)
        if key not in known:
            before = fr.get_num_threads()
            fr.set_num_threads(1)
            known[key] = list(row.by_twin(cases) if row.by_twin else row.by_kernels(cases, np.copy))
            fr.set_num_threads(before)
        return known[key]

    return find


def assert_all_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


@rows
@pytest.mark.parametrize("threads", range(1, 8))
def test_bits_do_not_depend_on_threads(num_threads, right, row, threads):
    expected = right(row, row.large)
    num_threads(threads)
    for _ in range(3):  # who takes which chunk differs from call to call
        assert_all_same(row.by_kernels(row.large, np.copy), expected)


@golden_rows
@pytest.mark.parametrize("threads", [3, 7])
def test_golden_digest_does_not_depend_on_threads(num_threads, row, threads):
    num_threads(threads)
    assert row.of(row.by_kernels(row.cases, np.copy)) == row.golden


@rows
@pytest.mark.parametrize("first", range(16))
def test_bits_do_not_depend_on_where_a_buffer_starts(right, row, first):
    """The first array starts `first` of its items behind a cache line, each further one at another item."""
    starts = count(first)
    found = row.by_kernels(row.small, lambda x: offset(x, next(starts) * x.itemsize % 64))
    assert_all_same(found, right(row, row.small))


def test_every_instruction_set_gives_the_same_digests(run_python):
    seen = {}
    for isa in fr.get_config()["isas"]:
        done = run_python("import digests, json; print(json.dumps(digests.report()))", FASTREG_ISA=isa, FASTREG_NUM_THREADS="3")
        if "this CPU lacks it" in done.stderr:
            continue
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["isa"] == isa
        seen[isa] = report["digests"]
    assert seen
    for name, row in DIGESTS.items():
        found = {isa: digests[name] for isa, digests in seen.items()}
        assert len(set(found.values())) == 1, (name, found)
        assert set(found.values()) == {row.golden} or row.golden is None, (name, found)


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
