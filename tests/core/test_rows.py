"""Gradients of rows: each row once, rising, and the values of a row that occurs several times added in their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastreg as fr
from fastreg.kernels import merge_rows

DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4", ">u8"]
# A bitmap of the rows up to some 128 for each index, sorting above; 64 rows to a word, 8 bits to a pass of the sort.
N_ROWS = [1, 2, 63, 64, 65, 128, 129, 1000, 2**16, 2**16 + 1, 2**24]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e-3, 3e7, 1e-45, 2e38, np.inf, -np.inf, np.nan]


def twin(values, indices):
    """Return rows and sums as NumPy alone forms them."""
    rows = np.unique(indices)
    sums = np.empty((len(rows), *values.shape[1:]), values.dtype)
    for i, row in enumerate(rows):
        sums[i], *later = values[indices == row]
        for value in later:
            sums[i] += value
    return rows.astype(np.int64), sums


def assert_same_bits(found, expected):
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (expected.dtype, expected.shape, True)
    assert np.array_equal(np.isnan(found), np.isnan(expected))  # of which NaN, IEEE 754 says nothing
    number = ~np.isnan(expected)
    assert found[number].tobytes() == expected[number].tobytes()


def check(values, indices, n_rows):
    weights = np.empty((n_rows, *values.shape[1:]), values.dtype)  # never read, so no memory is taken
    before = values.copy()
    with np.errstate(all="ignore"):
        expected_rows, expected = twin(values, np.asarray(indices))
    rows, sums = merge_rows(values, indices, weights, "t")
    assert rows.dtype == np.int64 and rows.tolist() == expected_rows.tolist()
    assert_same_bits(sums, expected)
    assert values.tobytes() == before.tobytes()
    return sums


@st.composite
def gradients(draw):
    n_rows = draw(st.sampled_from(N_ROWS))
    kind = np.dtype(draw(st.sampled_from(DTYPES)))
    most = min(n_rows - 1, np.iinfo(kind).max)
    some = draw(st.lists(st.integers(0, most), min_size=1, max_size=6))
    row = st.one_of(st.sampled_from([*some, most]), st.integers(0, most))
    indices = np.array(draw(st.lists(row, max_size=60)), kind)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (indices.size, *draw(st.sampled_from([(), (0,), (1,), (5,), (2, 3)])))
    numbers = rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 7, shape)
    values = np.where(rng.random(shape) < 0.1, rng.choice(SPECIAL, shape), numbers)
    return values.astype(draw(st.sampled_from([np.float32, np.float64]))), indices, n_rows


@given(gradients())
def test_rows_are_merged_as_numpy_merges_them(gradient):
    check(*gradient)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [300, 100_000, 3_000_000], ids=["dense", "bitmap", "sorted"])
def test_many_rows(n_rows, dtype):
    rng = np.random.default_rng(0)
    indices = np.minimum(rng.zipf(1.2, 5000) - 1, rng.integers(0, n_rows, 5000))
    check(rng.standard_normal((5000, 7)).astype(dtype), indices, n_rows)


@pytest.mark.parametrize("indices", [[2**59, 3, 2**59 + 2**30, 3, 2**59 + 1], [2**60 - 1, 2**59, 0]])
def test_as_many_rows_as_an_array_can_have(indices):
    values = np.empty((len(indices), 0), np.float32)
    assert merge_rows(values, indices, np.empty((2**60, 0), np.float32), "t")[0].tolist() == sorted(set(indices))


def test_indices_may_be_of_any_layout():
    values, weights = np.arange(6.0).reshape(3, 2), np.zeros((9, 2))
    for indices in ([5, 3, 5], (5, 3, 5), np.array([5, 0, 3, 0, 5])[::2], np.array([5, 3, 5])[::-1]):
        rows, sums = merge_rows(values, indices, weights, "t")
        assert (rows.tolist(), sums.tolist()) == ([3, 5], [[2, 3], [4, 6]])


def test_values_may_be_in_fortran_order():
    values = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    check(values, [2, 0, 2], 3)
    check(values, [0, 1, 2], 3)


def test_values_of_rising_rows_are_not_copied():
    values, weights = np.ones((3, 2)), np.ones((9, 2))
    indices = np.array([0, 4, 8])
    rows, sums = merge_rows(values, indices, weights, "t")
    assert sums is values and not np.shares_memory(rows, indices)
    for others in ([0, 4, 4], [4, 0, 8]):
        assert not np.shares_memory(merge_rows(values, others, weights, "t")[1], values)


def test_rows_of_the_variable_itself_may_be_its_gradient():
    table = np.arange(8.0).reshape(4, 2)
    assert not np.shares_memory(merge_rows(table[1:3], [1, 2], table, "t")[1], table)
    fr.optim.GradientDescent(0.5).apply_gradients({"t": ((table[1:3], [1, 2]), table)})
    assert table.tolist() == [[0, 1], [1, 1.5], [2, 2.5], [6, 7]]


@pytest.mark.parametrize(
    ("indices", "n_rows", "message"),
    [
        ([4], 4, "from 0 to 3, got 4 to 4"),
        ([2, -1], 4, "from 0 to 3, got -1 to 2"),
        ([0], 0, "from 0 to -1, got 0 to 0"),
        (np.array([1, 2**64 - 1], np.uint64), 4, "from 0 to 3, got 1 to 18446744073709551615"),
        (np.array([-(2**63), 2**63 - 1]), 4, "from 0 to 3, got -9223372036854775808 to 9223372036854775807"),
    ],
)
def test_indices_outside_the_variable(indices, n_rows, message):
    with pytest.raises(ValueError, match=f"row indices of 't' must be {message}$"):
        merge_rows(np.ones((len(indices), 2)), indices, np.ones((n_rows, 2)), "t")


@pytest.mark.parametrize(
    ("values", "indices", "weights", "error", "message"),
    [
        (np.ones((2, 2)), [1.0, 2.0], np.ones((4, 2)), TypeError, r"of whole numbers, got shape \(2,\) and dtype float64"),
        (np.ones((2, 2)), [[1, 2]], np.ones((4, 2)), TypeError, r"a vector of .*, got shape \(1, 2\) and dtype int64"),
        (np.ones((3, 2)), [1, 2], np.ones((4, 2)), ValueError, r"the shape \(2, 2\), a row for each index, got \(3, 2\)"),
        (np.ones(()), [1], np.ones(4), ValueError, r"the shape \(1,\), a row for each index, got \(\)"),
        (np.ones(1), [0], np.ones(()), ValueError, r"the shape \(1,\), a row for each index, got \(1,\)"),
        (np.ones((1, 2), int), [1], np.ones((4, 2)), TypeError, "gradient of 't' must be a float32 or float64 array"),
        (np.ones((1, 2)), [1], np.ones((4, 2), int), TypeError, "variable 't' must be a float32 or float64 array"),
    ],
)
def test_what_is_no_gradient_of_rows(values, indices, weights, error, message):
    with pytest.raises(error, match=message):
        merge_rows(values, indices, weights, "t")
