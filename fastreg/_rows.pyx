"""Floor 1: gradients of rows become rows that occur once, in rising order.

A gradient of rows is a pair: values, and the index of the row that each belongs to, in any order and with repetitions. The
kernels take each row once. So this module finds for every index the place of its row among the unique rows, and then adds the
values in one pass, in their order.

A place is the number of set bits below the row in a bitmap of all rows. Where that bitmap would take more memory than a radix
sort of the indices, the places come from the sort. Both take linear time, and at most 40 bytes for each index.
"""
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

cimport numpy as cnp
from numpy cimport ndarray

import numpy

from fastreg._arrays cimport as_array, format_of, is_double
from fastreg._arrays import convert
from fastreg._loops.sixteen cimport is_sixteen
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment

cnp.import_array()

ctypedef fused real:
    float
    double

cdef enum:
    NOGIL_BYTES = 1 << 16      # below, releasing the GIL costs more than it gives
    WORDS_PER_INDEX = 2        # of the bitmap; measured, more than 3 take longer than sorting
    DIGIT = 8                  # bits of a row that one pass of the sort looks at
    BINS = 1 << DIGIT


cdef struct Word:
    uint64_t rows              # a bit for each of 64 rows
    int64_t before             # number of bits set in the words before


cdef struct Entry:
    int64_t row
    Py_ssize_t position        # in the gradient


cdef inline int64_t count_bits(uint64_t x) noexcept nogil:
    """Return how many bits of x are set (H. S. Warren, Hacker's Delight, figure 5-2)."""
    x -= (x >> 1) & <uint64_t>0x5555555555555555
    x = (x & <uint64_t>0x3333333333333333) + ((x >> 2) & <uint64_t>0x3333333333333333)
    x = (x + (x >> 4)) & <uint64_t>0x0F0F0F0F0F0F0F0F
    return <int64_t>((x * <uint64_t>0x0101010101010101) >> 56)


cdef bint places_by_bitmap(const int64_t* rows, Py_ssize_t n, int64_t n_rows, int64_t* places) noexcept nogil:
    """Write the place of each of n rows among the unique ones; return False if there is no memory for it."""
    cdef Py_ssize_t n_words = n_rows // 64 + 1, i
    cdef int64_t before = 0
    cdef Word* words = <Word*>calloc(n_words, sizeof(Word))
    cdef Word* word
    if words == NULL:
        return False
    for i in range(n):
        words[rows[i] >> 6].rows |= <uint64_t>1 << (rows[i] & 63)
    for i in range(n_words):
        words[i].before = before
        before += count_bits(words[i].rows)
    for i in range(n):
        word = &words[rows[i] >> 6]
        places[i] = word.before + count_bits(word.rows & ((<uint64_t>1 << (rows[i] & 63)) - 1))
    free(words)
    return True


cdef bint places_by_sorting(const int64_t* rows, Py_ssize_t n, int64_t n_rows, int64_t* places) noexcept nogil:
    """Do the same by a radix sort from the least significant digit on."""
    cdef Entry* entries = <Entry*>malloc(2 * n * sizeof(Entry))
    cdef Entry* source = entries
    cdef Entry* target
    cdef Py_ssize_t[BINS] starts
    cdef Py_ssize_t i, start, count
    cdef int64_t place = 0
    cdef int shift = 0, digit
    if entries == NULL:
        return False
    target = entries + n
    for i in range(n):
        source[i].row = rows[i]
        source[i].position = i
    while shift < 63 and (n_rows - 1) >> shift > 0:
        memset(starts, 0, sizeof(starts))
        for i in range(n):
            starts[(source[i].row >> shift) & (BINS - 1)] += 1
        start = 0
        for digit in range(BINS):
            count = starts[digit]
            starts[digit] = start
            start += count
        for i in range(n):
            digit = (source[i].row >> shift) & (BINS - 1)
            target[starts[digit]] = source[i]
            starts[digit] += 1
        source, target = target, source
        shift += DIGIT
    for i in range(n):
        if i > 0 and source[i].row != source[i - 1].row:
            place += 1
        places[source[i].position] = place
    free(entries)
    return True


cdef Py_ssize_t add_rows(
    const real* values, const int64_t* rows, const int64_t* places, Py_ssize_t n, Py_ssize_t width, int64_t* unique, real* sums
) noexcept nogil:
    """Copy the first values of each row to its place, and add the later ones in order; return the number of unique rows."""
    cdef Py_ssize_t i, j, n_unique = 0
    cdef const real* given
    cdef real* total
    for i in range(n):
        unique[i] = -1
    for i in range(n):
        given = values + i * width
        total = sums + places[i] * width
        if unique[places[i]] < 0:
            unique[places[i]] = rows[i]
            n_unique += 1
            memcpy(total, given, width * sizeof(real))
        else:
            for j in range(width):
                total[j] += given[j]
    return n_unique


cdef Py_ssize_t merge(
    const void* values, bint in_float64, const int64_t* rows, Py_ssize_t n, Py_ssize_t width, int64_t n_rows,
    int64_t* unique, void* sums,
) noexcept nogil:
    """Fill `unique` and `sums`, which have room for n rows; return the number of unique rows, or -1 without memory."""
    cdef Py_ssize_t n_unique = -1
    cdef bint placed
    cdef FloatEnvironment found
    cdef int64_t* places = <int64_t*>malloc(n * sizeof(int64_t))
    if places == NULL:
        return -1
    if n_rows // 64 < WORDS_PER_INDEX * n:
        placed = places_by_bitmap(rows, n, n_rows, places)
    else:
        placed = places_by_sorting(rows, n, n_rows, places)
    found = enter_float_environment()
    if placed and in_float64:
        n_unique = add_rows(<const double*>values, rows, places, n, width, unique, <double*>sums)
    elif placed:
        n_unique = add_rows(<const float*>values, rows, places, n, width, unique, <float*>sums)
    leave_float_environment(found)
    free(places)
    return n_unique


cdef bint are_within(const int64_t* rows, Py_ssize_t n, int64_t n_rows) noexcept:
    cdef Py_ssize_t i
    cdef bint within = True
    for i in range(n):
        within &= 0 <= rows[i] < n_rows
    return within


cdef bint are_rising(const int64_t* rows, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    for i in range(1, n):
        if rows[i] <= rows[i - 1]:
            return False
    return True


cdef ndarray widened(ndarray values, ndarray weights):
    cdef ndarray given = numpy.ascontiguousarray(values)
    cdef ndarray wide = numpy.empty((<object>given).shape, numpy.float64 if is_double(weights) else numpy.float32)
    convert(given, wide)
    return wide


def merge_rows(values, indices, weights, str name):
    """Return the rows of a gradient once each, rising; values of the same row are added in their order.

    Parameters
    ----------
    values : ndarray, shape (n, *weights.shape[1:])
        A row for each index; of float32 or float64, or 16 bits wide.
    indices : array_like of int, shape (n,)
        The row of `weights` that each row of `values` belongs to.
    weights : ndarray of float32 or float64
        The variable's array, of at least one dimension.
    name : str
        The variable's name, for messages.

    Returns
    -------
    rows : ndarray of int64
        The rows that occur, unique and rising.
    sums : ndarray
        Their values, in C order. Not to be written to: where the indices are unique and rising already, this is `values` itself,
        unless it shares memory with `weights`. Sums of 16-bit values are of the dtype of the weights.

    Raises
    ------
    TypeError
        If the indices are not a vector of whole numbers, or an array is not of float32 or float64.
    ValueError
        If `values` has another shape, or an index is outside `weights`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg.kernels import merge_rows
    >>> rows, sums = merge_rows(np.array([[1.0], [2.0], [4.0]]), [5, 3, 5], np.zeros((9, 1)), "w")
    >>> rows.tolist(), sums.tolist()
    ([3, 5], [[2.0], [5.0]])
    """
    cdef ndarray array = as_array(weights, f"variable {name!r}", True)
    cdef ndarray given = as_array(values, f"gradient of {name!r}", True)
    cdef ndarray rows, unique, sums, index = numpy.asarray(indices)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(index), n_unique, width
    cdef int64_t n_rows
    cdef bint in_float64
    if cnp.PyArray_NDIM(index) != 1 or (n > 0 and (<object>index).dtype.kind not in "iu"):
        raise TypeError(
            f"row indices of {name!r} must be a vector of whole numbers, "
            f"got shape {(<object>index).shape} and dtype {index.dtype}"
        )
    expected = (n, *(<object>array).shape[1:])
    if cnp.PyArray_NDIM(array) == 0 or (<object>given).shape != expected:
        raise ValueError(
            f"gradient of {name!r} must have the shape {expected}, a row for each index, got {(<object>given).shape}"
        )
    # A copy, so that no other thread can change it after the check. Numbers above int64's become negative, and are refused.
    rows = index.astype(numpy.int64)
    n_rows = cnp.PyArray_DIM(array, 0)
    if not are_within(<int64_t*>cnp.PyArray_DATA(rows), n, n_rows):
        raise ValueError(
            f"row indices of {name!r} must be from 0 to {n_rows - 1}, got {index.min()} to {index.max()}"
        )
    given = numpy.ascontiguousarray(given)
    if are_rising(<int64_t*>cnp.PyArray_DATA(rows), n):
        return rows, given.copy() if numpy.may_share_memory(given, array) else given
    if is_sixteen(format_of(given)):
        given = widened(given, array)
    in_float64 = is_double(given)
    unique = numpy.empty(n, numpy.int64)
    sums = numpy.empty_like(given, subok=False)
    width = cnp.PyArray_SIZE(given) // n
    if cnp.PyArray_NBYTES(rows) + cnp.PyArray_NBYTES(given) < NOGIL_BYTES:
        n_unique = merge(
            cnp.PyArray_DATA(given), in_float64, <int64_t*>cnp.PyArray_DATA(rows), n, width, n_rows,
            <int64_t*>cnp.PyArray_DATA(unique), cnp.PyArray_DATA(sums),
        )
    else:
        with nogil:
            n_unique = merge(
                cnp.PyArray_DATA(given), in_float64, <int64_t*>cnp.PyArray_DATA(rows), n, width, n_rows,
                <int64_t*>cnp.PyArray_DATA(unique), cnp.PyArray_DATA(sums),
            )
    if n_unique < 0:
        raise MemoryError()
    return unique[:n_unique], sums[:n_unique]
