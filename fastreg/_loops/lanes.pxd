"""Sums by lane, with the same bits on every instruction set, with any number of threads, at any address.

The order of the additions is fixed, since the digests depend on it. What it is, and why: docs/design.md, "How a sum is formed".
"""
from libc.string cimport memcpy, memset

from fastreg._abi cimport *
from fastreg._loops.elements cimport real
from fastreg._loops.profiles cimport L1_KIND, L2_KIND, element_value
from fastreg._loops.rows cimport Streams, process_row
from fastreg._loops.rules cimport LANES, is_update

cdef extern from "_loops/vector.h":
    const int FR_VECTOR                                # float64 elements of a vector
    const int FR_PASS_ONE                              # lanes that are summed at a time
    const int FR_PASS_BOTH
    const int FR_WIDE_PASS_ONE
    const int FR_WIDE_PASS_BOTH
    const int FR_AHEAD                                 # bytes
    void prefetch "fr_prefetch"(char* p) noexcept nogil
    ctypedef double vector "fr_vector"                 # opaque
    vector zero "fr_zero"() noexcept nogil
    vector ones "fr_ones"() noexcept nogil
    vector widen "fr_widen"(float* p) noexcept nogil
    vector load_vector "fr_load"(double* p) noexcept nogil
    void store_vector "fr_store"(double* p, vector x) noexcept nogil
    vector abs_vector "fr_abs"(vector x) noexcept nogil
    vector add "fr_add"(vector a, vector x) noexcept nogil
    vector add_by_fma "fr_add_by_fma"(vector a, vector x, vector one) noexcept nogil
    vector fma_square "fr_fma_square"(vector a, vector x) noexcept nogil
    const int FR_WIDE                                  # the same for rows of float64
    ctypedef double wide "fr_wide"
    wide wide_zero "fr_wide_zero"() noexcept nogil
    wide wide_load "fr_wide_load"(double* p) noexcept nogil
    wide wide_widen "fr_wide_widen"(float* p) noexcept nogil
    wide wide_fma_square "fr_wide_fma_square"(wide a, wide x) noexcept nogil
    wide wide_load_ordered "fr_wide_load_ordered"(double* p) noexcept nogil
    void wide_store "fr_wide_store"(double* p, wide x) noexcept nogil
    wide wide_abs "fr_wide_abs"(wide x) noexcept nogil
    wide wide_add "fr_wide_add"(wide a, wide x) noexcept nogil
    wide wide_mul "fr_wide_mul"(wide a, wide x) noexcept nogil
    wide wide_set "fr_wide_set"(double x) noexcept nogil
    void wide_narrow "fr_wide_narrow"(float* p, wide x) noexcept nogil
    void wide_narrow_add "fr_wide_narrow_add"(float* p, float* a, wide x) noexcept nogil

cdef enum:
    BLOCK = 512                # float64 elements, or twice as many float32, whose sums the lanes form before they are folded
    BLOCKS = 8                 # at most, of a chunk

cdef struct Sums:              # of one chunk
    int blocks                 # summed so far
    double[BLOCKS * LANES] absolute
    double[BLOCKS * LANES] square


cdef inline int block_size(real* _) noexcept nogil:
    return 2 * BLOCK if real is float else BLOCK


cdef inline int n_blocks(Py_ssize_t n, real* _) noexcept nogil:
    return <int>((n + block_size(_) - 1) // block_size(_))


cdef inline int group_size(real* _) noexcept nogil:
    """Elements that are added to the lanes at a time: one row of float32, four rows of float64."""
    return LANES if real is float else 4 * LANES


cdef inline int pass_width(real* _, int kinds, int operation) noexcept nogil:
    """Return how many lanes are summed at a time: as many as keep the accumulators in registers.

    What stores as much as it reads takes whole rows, which GCC vectorizes best; measured, two sums of float32 excepted.
    """
    if is_update(operation) or operation == ACCUMULATE and not (real is float and kinds == L1_KIND + L2_KIND):
        return LANES
    if kinds == L1_KIND + L2_KIND:
        return FR_PASS_BOTH if real is float else FR_WIDE_PASS_BOTH
    return FR_PASS_ONE if real is float else FR_WIDE_PASS_ONE


# --------------------------------------------------------------------------------------------------------- sums by lane
cdef inline void add_two_rows(wide* a, wide* s, double* w, int width, int kinds) noexcept nogil:
    """Sum two rows, one after the other: the prefetcher does not follow reads that alternate between rows."""
    cdef wide x
    cdef int k
    for k in range(width // FR_WIDE):
        x = wide_load_ordered(w + k * FR_WIDE)
        if kinds & L1_KIND:
            a[k] = wide_abs(x)
        if kinds & L2_KIND:
            s[k] = wide_mul(x, x)
    for k in range(width // FR_WIDE):
        x = wide_load_ordered(w + LANES + k * FR_WIDE)
        if kinds & L1_KIND:
            a[k] = wide_add(a[k], wide_abs(x))
        if kinds & L2_KIND:
            s[k] = wide_add(s[k], wide_mul(x, x))


cdef inline void add_four_rows(wide* a, wide* s, double* w, int width, int kinds) noexcept nogil:
    """Add (a + b) + (c + d) of four rows to the sums."""
    cdef wide[LANES] a_ab, a_cd, s_ab, s_cd
    cdef int k
    add_two_rows(a_ab, s_ab, w, width, kinds)
    add_two_rows(a_cd, s_cd, w + 2 * LANES, width, kinds)
    for k in range(width // FR_WIDE):
        if kinds & L1_KIND:
            a[k] = wide_add(a[k], wide_add(a_ab[k], a_cd[k]))
        if kinds & L2_KIND:
            s[k] = wide_add(s[k], wide_add(s_ab[k], s_cd[k]))


cdef inline void prefetch_group(real* w) noexcept nogil:
    """Ask for the group that lies FR_AHEAD bytes on. Behind the end of an array this does nothing."""
    cdef int line
    for line in range(group_size(w) * <int>sizeof(real) // 64):
        prefetch(<char*>w + FR_AHEAD + 64 * line)


cdef inline void pass_groups(
    Sums* sums,            # OUT: the newest block's lanes first..first+width-1
    Streams* arrays,       # at the block's first element
    Py_ssize_t groups,
    real* c,               # the item's constants
    int first,
    int width,
    int kinds,
    int operation,
) noexcept nogil:
    """Sum by lane and process the rows, group by group: while one group is computed, the memory of the next is on its way."""
    cdef vector[LANES] a, s
    cdef wide[LANES] wide_a, wide_s
    cdef vector x, one = ones()
    cdef double* absolute = sums.absolute + (sums.blocks - 1) * LANES + first
    cdef double* square = sums.square + (sums.blocks - 1) * LANES + first
    cdef real* w = <real*>arrays.weights
    cdef Py_ssize_t i, offset
    cdef int k, _row
    for k in range(width // FR_VECTOR):
        a[k] = s[k] = zero()
    for k in range(width // FR_WIDE):
        wide_a[k] = wide_s[k] = wide_zero()
    for i in range(groups):
        if first == 0:
            prefetch_group(w + i * group_size(w))
        if real is float:
            offset = i * LANES + first
            for k in range(width // FR_VECTOR):
                if kinds:
                    x = widen(w + offset + k * FR_VECTOR)
                if kinds & L1_KIND:
                    x = abs_vector(x)
                    a[k] = add_by_fma(a[k], x, one)
                if kinds & L2_KIND:
                    s[k] = fma_square(s[k], x)
            process_row(arrays, offset, width, c, kinds, operation)
        else:
            offset = 4 * i * LANES + first
            if kinds:
                add_four_rows(wide_a, wide_s, w + offset, width, kinds)
            for _row in range(4):
                process_row(arrays, offset, width, c, kinds, operation)
                offset += LANES
    if real is float:
        for k in range(width // FR_VECTOR):
            if kinds & L1_KIND:
                store_vector(absolute + k * FR_VECTOR, a[k])
            if kinds & L2_KIND:
                store_vector(square + k * FR_VECTOR, s[k])
    else:
        for k in range(width // FR_WIDE):
            if kinds & L1_KIND:
                wide_store(absolute + k * FR_WIDE, wide_a[k])
            if kinds & L2_KIND:
                wide_store(square + k * FR_WIDE, wide_s[k])


cdef inline void add_tail(double* absolute, double* square, real* w, int n, int kinds) noexcept nogil:
    """Add the last, incomplete group of a block to its lanes, padded with zeros: zeros do not change a sum."""
    cdef real[4 * LANES] padded
    cdef vector x
    cdef wide[LANES] a, s
    cdef int k, at, group = LANES if real is float else 2 * LANES if n <= 2 * LANES else 4 * LANES
    memcpy(padded, w, n * sizeof(real))
    memset(padded + n, 0, (group - n) * sizeof(real))
    if real is float:
        for k in range(LANES // FR_VECTOR):
            at = k * FR_VECTOR
            x = widen(padded + at)
            if kinds & L1_KIND:
                store_vector(absolute + at, add(load_vector(absolute + at), abs_vector(x)))
            if kinds & L2_KIND:
                store_vector(square + at, fma_square(load_vector(square + at), x))
    else:
        if group == 2 * LANES:
            add_two_rows(a, s, padded, LANES, kinds)
        else:
            for k in range(LANES // FR_WIDE):
                a[k] = s[k] = wide_zero()
            add_four_rows(a, s, padded, LANES, kinds)
        for k in range(LANES // FR_WIDE):
            at = k * FR_WIDE
            if kinds & L1_KIND:
                wide_store(absolute + at, wide_add(wide_load(absolute + at), a[k]))
            if kinds & L2_KIND:
                wide_store(square + at, wide_add(wide_load(square + at), s[k]))


cdef inline double value_of_four(real* w, real* strengths, real* reference, int j, Profile* p, int kind) noexcept nogil:
    """Return (a + b) + (c + d) of lane j of four rows."""
    cdef double first = element_value(w, strengths, reference, j, p, kind)
    cdef double second = element_value(w, strengths, reference, 2 * LANES + j, p, kind)
    first = first + element_value(w, strengths, reference, LANES + j, p, kind)
    second = second + element_value(w, strengths, reference, 3 * LANES + j, p, kind)
    return first + second


cdef inline void pad(real* padded, real* rows, Py_ssize_t n) noexcept nogil:
    memcpy(padded, rows, n * sizeof(real))
    memset(padded + n, 0, (4 * LANES - n) * sizeof(real))


cdef inline void add_profile(double* lanes, real* w, Py_ssize_t n, Profile* profile, int kind) noexcept nogil:
    """Sum a profile's values over a block by lane: in float64, four rows at a time, the end padded with zeros."""
    cdef Profile p = profile[0]
    cdef real[4 * LANES] padded, padded_strengths, padded_reference
    cdef double[LANES] sums
    cdef real* strengths = <real*>p.strengths
    cdef real* reference = <real*>p.reference
    cdef Py_ssize_t _group, full = n // (4 * LANES) * (4 * LANES)
    cdef int j
    for j in range(LANES):
        sums[j] = 0
    for _group in range(n // (4 * LANES)):
        for j in range(LANES):
            sums[j] += value_of_four(w, strengths, reference, j, &p, kind)
        w += 4 * LANES
        strengths += 4 * LANES
        reference += 4 * LANES
    if full < n:
        pad(padded, w, n - full)
        if kind in (WEIGHTED, WEIGHTED_DISTANCE):
            pad(padded_strengths, strengths, n - full)
        if kind in (DISTANCE, WEIGHTED_DISTANCE):
            pad(padded_reference, reference, n - full)
        for j in range(LANES):
            sums[j] += value_of_four(padded, padded_strengths, padded_reference, j, &p, kind)
    for j in range(LANES):
        lanes[j] = sums[j]


# -------------------------------------------------------------------------------------------------------------- folding
cdef inline vector add_two_blocks(double* lanes) noexcept nogil:
    return add(load_vector(lanes), load_vector(lanes + LANES))


cdef inline vector add_four_blocks(double* lanes) noexcept nogil:
    return add(add_two_blocks(lanes), add_two_blocks(lanes + 2 * LANES))


cdef inline double fold_lanes(double* lanes, int blocks) noexcept nogil:
    """Fold 1, 2, 4 or 8 blocks, lane by lane, in a tree of neighbours; then the lanes in halves."""
    cdef vector[LANES] x
    cdef double[4] last
    cdef double* lane
    cdef int k
    for k in range(LANES // FR_VECTOR):
        lane = lanes + k * FR_VECTOR
        if blocks == 1:
            x[k] = load_vector(lane)
        elif blocks == 2:
            x[k] = add_two_blocks(lane)
        elif blocks == 4:
            x[k] = add_four_blocks(lane)
        else:
            x[k] = add(add_four_blocks(lane), add_four_blocks(lane + 4 * LANES))
    for k in range(16 // FR_VECTOR):
        x[k] = add(x[k], x[k + 16 // FR_VECTOR])
    for k in range(8 // FR_VECTOR):
        x[k] = add(x[k], x[k + 8 // FR_VECTOR])
    for k in range(4 // FR_VECTOR):
        store_vector(last + k * FR_VECTOR, add(x[k], x[k + 4 // FR_VECTOR]))
    return (last[0] + last[2]) + (last[1] + last[3])
