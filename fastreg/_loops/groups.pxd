"""Norms of groups, and what a profile of these norms makes of the members.

The penalty of a group is phi(n) of its norm n = sqrt(sum(w**2)). Its gradient and its prox multiply every member by one factor:
phi'(n) / n, and prox(n) / n.

The sum of a group is a function of its members alone, taken in memory order. A contiguous run of members is summed in segments,
each in 16 lanes, and a short run one member after the other. Groups side by side are summed row by row, in blocks of rows. The
levels in front, and the segments, add these sums one after the other.
"""
from libc.float cimport DBL_EPSILON, FLT_EPSILON
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from fastreg._abi cimport *
from fastreg._loops.elements cimport add_square, fabs, real, soft_threshold, sqrt
from fastreg._loops.lanes cimport (
    FR_VECTOR, FR_WIDE, add, load_vector, prefetch, store_vector, wide, wide_add, wide_fma_square, wide_load, wide_mul,
    wide_narrow, wide_narrow_add, wide_set, wide_store, wide_widen, wide_zero
)
from fastreg._loops.profiles cimport profile_gradient, profile_prox, profile_value
from fastreg._loops.rules cimport LANES, takes_prox

cdef enum:
    GROUP_LANES = 16
    BLOCK_OF_ROWS = 64         # whose sums are added up before they are added to the others
    ROWS_AT_ONCE = 4
    PIECE = 256                # of a row that is transformed or gathered, at most
    SHORT_RUN = 15             # members; so short runs are summed side by side, one member after the other
    LONG_RUN = 64              # elements; so long runs are multiplied one by one
    AHEAD = 4096               # bytes by which rows are asked for before they are summed


cdef extern from *:
    """
    #define FR_SCALE_UP 0x1p700    /* brings squares of float64 back that vanished; the other one, those that overflowed */
    #define FR_SCALE_DOWN 0x1p-700
    #define FR_LEAST_SQUARES 0x1p-900  /* below such a sum of squares, single ones may have vanished */
    #define FR_LEAST_NORM 0x1p-450
    """
    const double SCALE_UP "FR_SCALE_UP"
    const double SCALE_DOWN "FR_SCALE_DOWN"
    const double LEAST_SQUARES "FR_LEAST_SQUARES"
    const double LEAST_NORM "FR_LEAST_NORM"


cdef inline Py_ssize_t least(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a < b else b


cdef inline void ask_for(real* w, int n) noexcept nogil:
    """Ask for n elements."""
    cdef int line
    for line in range((n * <int>sizeof(real) + 63) // 64):
        prefetch(<char*>w + 64 * line)


cdef inline void ask_ahead(real* w, int n) noexcept nogil:
    """Ask for n elements that lie AHEAD bytes on. Behind the end of an array this does nothing."""
    cdef int line
    for line in range((n * <int>sizeof(real) + 63) // 64):
        prefetch(<char*>w + AHEAD + 64 * line)


# -------------------------------------------------------------------------------------------------------- sums of members
cdef struct Transform:             # of a member before it is squared: max(|w| - threshold, 0) * scale; none if `plain`
    bint plain
    double threshold           # of the dtype of the weights
    double scale               # a power of 2


cdef inline void transform_members(real* out, real* w, Py_ssize_t n, Transform* transform) noexcept nogil:
    """Transform n members; NaN stays NaN."""
    cdef real threshold = <real>transform.threshold, scale = <real>transform.scale
    cdef Py_ssize_t i
    cdef real excess
    for i in range(n):
        excess = fabs(w[i]) - threshold
        out[i] = 0 if excess < 0 else excess * scale


cdef inline wide wide_of(real* w) noexcept nogil:
    """Load FR_WIDE elements as float64."""
    if real is float:
        return wide_widen(w)
    else:
        return wide_load(w)


cdef inline wide wide_add_square(wide total, real* w) noexcept nogil:
    cdef wide x = wide_of(w)
    if real is float:
        return wide_fma_square(total, x)
    else:
        return wide_add(total, wide_mul(x, x))


cdef inline void add_to_lanes(wide* lanes, real* row) noexcept nogil:
    """Add the squares of GROUP_LANES elements to their lanes."""
    cdef int k
    for k in range(GROUP_LANES // FR_WIDE):
        lanes[k] = wide_add_square(lanes[k], row + k * FR_WIDE)


cdef inline double fold_group_lanes(wide* folded) noexcept nogil:
    cdef double[GROUP_LANES] lanes
    cdef int k
    for k in range(GROUP_LANES // FR_WIDE):
        wide_store(lanes + k * FR_WIDE, folded[k])
    for k in range(8):
        lanes[k] += lanes[k + 8]
    for k in range(4):
        lanes[k] += lanes[k + 4]
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])


cdef inline void sum_segments(double* sums, real* w, Py_ssize_t n, int count) noexcept nogil:
    """Sum the squares of neighbouring segments of n elements, up to SEGMENT, in lanes, and fold the lanes in halves.

    `count`, a literal, is 1 or 2. Two segments take as long as one, since the additions to one lane wait for each other.
    """
    cdef wide[2][GROUP_LANES] lanes
    cdef real[GROUP_LANES] padded
    cdef Py_ssize_t i, full = n - n % GROUP_LANES
    cdef int j, k
    for j in range(count):
        for k in range(GROUP_LANES // FR_WIDE):
            lanes[j][k] = wide_zero()
    for i in range(full // GROUP_LANES):
        ask_for(w + count * (i * GROUP_LANES + AHEAD // <int>sizeof(real)), count * GROUP_LANES)
        for j in range(count):
            add_to_lanes(lanes[j], w + j * n + i * GROUP_LANES)
    for j in range(count):
        if full < n:   # the rest, padded with zeros, which change no sum
            memcpy(padded, w + j * n + full, (n - full) * sizeof(real))
            memset(padded + (n - full), 0, (GROUP_LANES - (n - full)) * sizeof(real))
            add_to_lanes(lanes[j], padded)
        sums[j] = fold_group_lanes(lanes[j])


cdef inline double sum_run(real* w, Py_ssize_t n, Transform* transform) noexcept nogil:
    """Sum the squares of a run of members."""
    cdef real[SEGMENT] shrunk
    cdef double[2] sums
    cdef Py_ssize_t at = 0, m
    cdef double total = 0
    while at < n:
        m = least(n - at, SEGMENT)
        if transform.plain and n - at >= 2 * SEGMENT:
            sum_segments(sums, w + at, SEGMENT, 2)
            total = total + sums[0] + sums[1]
            m = 2 * SEGMENT
        elif transform.plain:
            sum_segments(sums, w + at, m, 1)
            total += sums[0]
        else:
            transform_members(shrunk, w + at, m, transform)
            sum_segments(sums, shrunk, m, 1)
            total += sums[0]
        at += m
    return total


cdef inline void add_row(double* sums, real* row, int n) noexcept nogil:
    """Add the squares of a row, of which there is one for each of n groups, to the sums of these groups."""
    cdef int j
    for j in range(n):
        sums[j] = add_square(sums[j], row[j])


cdef inline void add_rows(double* sums, real* row, Py_ssize_t stride, int n) noexcept nogil:
    """Add the squares of several rows at once, so that a sum is loaded and stored once; each to the same bits as by `add_row`."""
    cdef wide[GROUP_LANES] lanes
    cdef real* of_row
    cdef int part, i, j, k, full = n - n % GROUP_LANES
    for part in range(n // GROUP_LANES):
        i = part * GROUP_LANES
        for j in range(GROUP_LANES // FR_WIDE):
            lanes[j] = wide_load(sums + i + j * FR_WIDE)
        for k in range(ROWS_AT_ONCE):
            of_row = row + k * stride + i
            ask_for(of_row + ROWS_AT_ONCE * stride, GROUP_LANES)
            add_to_lanes(lanes, of_row)
        for j in range(GROUP_LANES // FR_WIDE):
            wide_store(sums + i + j * FR_WIDE, lanes[j])
    for k in range(ROWS_AT_ONCE):
        add_row(sums + full, row + k * stride + full, n - full)


cdef inline void add_all(double* sums, double* x, int n) noexcept nogil:
    """Add n numbers to n sums. GCC does not vectorize this where both lie in one array."""
    cdef int j, k
    for k in range(n // FR_VECTOR):
        store_vector(sums + k * FR_VECTOR, add(load_vector(sums + k * FR_VECTOR), load_vector(x + k * FR_VECTOR)))
    for j in range(n & -FR_VECTOR, n):
        sums[j] += x[j]


cdef inline void sum_rows(
    double* sums, real* w, Py_ssize_t stride, Py_ssize_t rows, Py_ssize_t step, int n, Transform* transform
) noexcept nogil:
    """Sum the squares of n groups side by side: their members are `stride` elements apart, the groups `step`."""
    cdef double[WIDE_STRIP] of_block
    cdef real[PIECE] magnitudes
    cdef double* target
    cdef Py_ssize_t i = 0, block, stop, part, at, m
    cdef int j
    for block in range(n_parts(rows, BLOCK_OF_ROWS)):
        target = sums if block == 0 else of_block
        memset(target, 0, n * sizeof(double))
        stop = least(rows, (block + 1) * BLOCK_OF_ROWS)
        while i < stop:
            if transform.plain and step == 1 and stop - i >= ROWS_AT_ONCE:
                add_rows(target, w + i * stride, stride, n)
                i += ROWS_AT_ONCE
                continue
            for part in range(n_parts(n, PIECE)):
                at = part * PIECE
                m = least(n - at, PIECE)
                for j in range(m):
                    magnitudes[j] = w[i * stride + (at + j) * step]
                if not transform.plain:
                    transform_members(magnitudes, magnitudes, m, transform)
                add_row(target + at, magnitudes, <int>m)
            i += 1
        if block > 0:
            add_all(sums, of_block, n)


cdef inline int strip_at(Layout* layout, Py_ssize_t strip, Py_ssize_t* offset, Py_ssize_t* group) noexcept nogil:
    """Find a strip of a block: its first element, its first group and, returned, how many groups it has."""
    cdef int last = layout.n_levels - 1, level
    cdef Py_ssize_t per_row, row, index
    if last == 0:
        offset[0] = group[0] = 0
        return 1
    if layout.group_strides[last] == 0:
        last -= 1              # the last level of groups
    per_row = (layout.extents[last] + layout.strip - 1) // layout.strip
    row = strip // per_row
    index = strip % per_row * layout.strip
    offset[0] = index * layout.strides[last]
    group[0] = index + row * layout.extents[last]
    level = last - 2
    while level > 0:
        offset[0] += row % layout.extents[level] * layout.strides[level]
        row //= layout.extents[level]
        level -= 2
    return <int>least(layout.extents[last] - index, layout.strip)


# ---------------------------------------------------------------------------------------------------------------- factors
cdef inline bint multiplies(Item* item) noexcept nogil:
    """Whether the operation multiplies the members of groups by factors."""
    return item.operation not in (MEASURE, ASSIGN) and not takes_prox(item.operation)


cdef inline double rescaling(double norm, Profile* p, bint is_double) noexcept nogil:
    """Return the factor that gives a vector a norm within its limits, or moves the norm there at the profile's rate.

    A norm is right that differs by rounding alone: so a second call changes no bit. A vector without a direction is left alone.
    """
    cdef double limit = p.shape if norm < p.shape else p.scale if norm > p.scale else norm
    cdef double desired = norm if limit == norm else p.rate * limit + (1 - p.rate) * norm
    cdef double factor = desired / norm
    if norm == 0 or norm == INFINITY or factor == INFINITY:
        return 1
    return 1 if fabs(norm - desired) <= desired * (4 * DBL_EPSILON if is_double else 4 * FLT_EPSILON) else factor


cdef inline double make_factors(double* norms, int n, Layout* layout, bint value, int kind) noexcept nogil:
    """Replace the norms of up to STRIP groups by their factors, and return the sum of the profile's values."""
    cdef Item* item = <Item*>layout.item
    cdef Profile p = (<Profile*>layout.profile)[0]
    cdef double[8] lanes
    cdef double total = 0, divisor, x
    cdef int j, k
    p.scale = layout.scale
    if value:
        for k in range(8):
            lanes[k] = 0
        for j in range(n):
            lanes[j % 8] += profile_value(norms[j], &p, kind)
        total = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
    if not multiplies(item):
        return total
    if kind == NORM_LIMITS:
        for j in range(n):
            norms[j] = rescaling(norms[j], &p, item.is_double)
        return total
    if item.operation == PROX:
        divisor = 1 + item.rate * item.l2
        for j in range(n):
            x = profile_prox(norms[j], item.rate, &p, kind, False)
            norms[j] = (1 if x == norms[j] else x / norms[j]) / divisor  # infinity, too, is left alone where the prox leaves it
    else:
        for j in range(n):
            x = profile_gradient(norms[j], &p, kind)
            x = 0 if norms[j] == 0 else x / norms[j]
            norms[j] = 0 if x == INFINITY else x                         # of a subnormal norm
    return total


cdef inline double factors_of_groups(double* norms, Py_ssize_t n, Layout* layout, bint value) noexcept nogil:
    cdef Py_ssize_t part, at
    cdef ProfileKind kind = (<Profile*>layout.profile).kind
    cdef double total = 0
    cdef int m
    for part in range(n_parts(n, STRIP)):
        at = part * STRIP
        m = <int>least(n - at, STRIP)
        if kind == LINEAR:
            total += make_factors(norms + at, m, layout, value, LINEAR)
        elif kind == MCP:
            total += make_factors(norms + at, m, layout, value, MCP)
        elif kind == SCAD:
            total += make_factors(norms + at, m, layout, value, SCAD)
        elif kind == NORM_LIMITS:
            total += make_factors(norms + at, m, layout, value, NORM_LIMITS)
    return total


cdef inline real threshold_of(Item* item, real* _) noexcept nogil:
    return <real>(item.rate * item.l1) if item.operation == PROX else <real>0


# ---------------------------------------------------------------------------------------------------------------- members
cdef inline Py_ssize_t find_factors(
    double* room, Layout* layout, double* of_groups, Py_ssize_t at, Py_ssize_t n, double** found, bint* each
) noexcept nogil:
    """Find the factors of the elements from `at` on. Return for how many of n: for those of a long run, or of several short ones.

    `found` becomes one factor for all of them or, if `each`, one for each. `room` has room for n.
    """
    cdef Py_ssize_t[MOST_LEVELS] index
    cdef int last = layout.n_levels - 1, level
    cdef Py_ssize_t i = 0, j, left, run, rest = at % layout.block, group = at // layout.block * layout.groups
    cdef bint of_members = layout.group_strides[last] == 0, short = of_members and layout.extents[last] <= SHORT_RUN
    cdef double factor
    for level in range(layout.n_levels):
        index[level] = rest // layout.strides[level]
        rest -= index[level] * layout.strides[level]
        group += index[level] * layout.group_strides[level]
    run = least(layout.extents[last] - index[last], n)
    each[0] = not of_members
    if run == n or run >= LONG_RUN:
        found[0] = of_groups + group
        return run
    found[0] = room
    each[0] = True
    while i < n:
        run = least(layout.extents[last] - index[last], n - i)
        if i > 0 and run >= LONG_RUN:
            break
        if short:
            run = least(n - i, (layout.extents[last - 1] - index[last - 1]) * layout.extents[last] - index[last] if last else n)
            left = layout.extents[last] - index[last]
            for j in range(i, i + run):
                room[j] = of_groups[group]
                left -= 1
                if left == 0:
                    left = layout.extents[last]
                    group += 1
            group -= 1
            index[last - 1 if last else 0] = layout.extents[last - 1] - 1 if last else 0
        elif of_members:
            factor = of_groups[group]
            for j in range(i, i + run):
                room[j] = factor
        else:
            memcpy(room + i, of_groups + group, run * sizeof(double))
        i += run
        group -= index[last] * layout.group_strides[last]
        index[last] = 0
        level = last - 1
        while level >= 0:
            index[level] += 1
            group += layout.group_strides[level]
            if index[level] < layout.extents[level]:
                break
            group -= layout.extents[level] * layout.group_strides[level]
            index[level] = 0
            level -= 1
        if level < 0:
            group += layout.groups
    return i


# FR_WIDE elements are computed before they are stored, so `out` may be `base` or `w`.
cdef inline void add_multiples(real* out, real* base, real* w, Py_ssize_t n, double* factors, bint each) noexcept nogil:
    """Write base + factor * w; the product is formed in float64 and rounded once."""
    cdef double factor = factors[0]
    cdef wide product, wide_factor = wide_set(factor)
    cdef Py_ssize_t i, row
    cdef int k
    for row in range(n // LANES):
        ask_ahead(base + row * LANES, LANES)
        for k in range(LANES // FR_WIDE):
            i = row * LANES + k * FR_WIDE
            product = wide_mul(wide_load(factors + i) if each else wide_factor, wide_of(w + i))
            if real is float:
                wide_narrow_add(out + i, base + i, product)
            else:
                wide_store(out + i, wide_add(wide_load(base + i), product))
    for i in range(n - n % LANES, n):
        out[i] = base[i] + <real>((factors[i] if each else factor) * w[i])


cdef inline void multiply(real* out, real* w, Py_ssize_t n, double* factors, bint each) noexcept nogil:
    """Write factor * w."""
    cdef double factor = factors[0]
    cdef wide product, wide_factor = wide_set(factor)
    cdef Py_ssize_t i, row
    cdef int k
    for row in range(n // LANES):
        ask_ahead(w + row * LANES, LANES)
        for k in range(LANES // FR_WIDE):
            i = row * LANES + k * FR_WIDE
            product = wide_mul(wide_load(factors + i) if each else wide_factor, wide_of(w + i))
            if real is float:
                wide_narrow(out + i, product)
            else:
                wide_store(out + i, product)
    for i in range(n - n % LANES, n):
        out[i] = <real>((factors[i] if each else factor) * w[i])


cdef inline void shrink_all(real* out, real* w, Py_ssize_t n, real threshold) noexcept nogil:
    """Write soft_threshold(w)."""
    cdef real[LANES] x
    cdef Py_ssize_t i, row
    cdef int j
    for row in range(n // LANES):
        i = row * LANES
        for j in range(LANES):
            x[j] = soft_threshold(w[i + j], threshold)
        for j in range(LANES):
            out[i + j] = x[j]
    for i in range(n - n % LANES, n):
        out[i] = soft_threshold(w[i], threshold)
