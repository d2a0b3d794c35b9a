"""Floor 1: what needs a whole line of an array at once: total variation, the largest magnitude, projections by a threshold.

A line is what has one index on all axes but the reduced ones. Its members stand in memory order. A line is gathered into float64,
processed by one thread, and rounded once as it is written back. Where a line's members are not neighbours in memory, several
neighbouring lines are gathered together, so that each cache line is read once.
"""
from libc.float cimport DBL_EPSILON, DBL_MAX, FLT_EPSILON
from libc.math cimport INFINITY, NAN, fabs, isinf
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

cimport numpy as cnp
from numpy cimport ndarray

from fastreg._arrays cimport as_array, is_double, take_out
from fastreg._penalty cimport check_step, is_added, scalar_like, set_like
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment, share_out

from fastreg._threads import threads

cnp.import_array()

cdef extern from "_team.h":
    int exchange "fr_exchange" (int* value, int new) noexcept nogil
    void store "fr_store" (int* value, int new) noexcept nogil

ctypedef fused real:
    float
    double

cdef enum:
    MOST_AXES = 64             # of an array, in every version of NumPy
    CHUNK = 4096               # elements of short lines that are processed in one go
    WIDTH = 16                 # neighbouring lines that are gathered together, at most
    BLOCK = 128                # terms that a sum adds in order, before the sums are folded
    LEVELS = 64

cdef enum Kind:
    TOTAL_VARIATION
    LINF
    SIMPLEX
    L1_BALL

cdef enum Operation:
    MEASURE                    # the value alone
    GRADIENT                   # out = gradient; leaves the value too
    ACCUMULATE                 # out += gradient; leaves the value too
    CHANGE                     # out = prox or projection

LINES = {"total_variation": TOTAL_VARIATION, "linf": LINF}

cdef struct Axis:
    Py_ssize_t size
    Py_ssize_t stride          # in elements

cdef struct Axes:              # in memory order, slowest first; neighbours are merged
    Axis[MOST_AXES] axes
    int n
    Py_ssize_t size

cdef struct Scratch:           # the memory of one thread
    int taken
    double* lines              # the gathered lines, one after the other
    double* work               # of the line in process

cdef struct Job:
    Kind kind
    Operation operation
    bint is_double
    void* weights
    void* out                  # may be weights
    Axes members               # of a line
    Axes lines
    Py_ssize_t lines_per_chunk
    double scale
    double strength            # of a prox, the step times the scale; or a radius
    double tolerance           # of the dtype: a sum this close to the radius, relatively, is the radius
    double* partials           # each chunk's sum of its lines' values
    double total               # OUT: the sum of all
    Scratch* scratch
    int n_scratch


# ------------------------------------------------------------------------------------------------------------------- sums
cdef struct Sum:               # blocks of terms, and a tree of neighbours over the blocks; an odd last one is carried up
    double block
    Py_ssize_t n               # terms so far
    double[LEVELS] folded      # a tree of 2**level blocks for each bit of the number of whole blocks


cdef inline void begin(Sum* total) noexcept nogil:
    total.block = 0.0
    total.n = 0


cdef inline void add(Sum* total, double term) noexcept nogil:
    cdef Py_ssize_t blocks
    cdef int level = 0
    total.block += term
    total.n += 1
    if total.n % BLOCK == 0:
        blocks = total.n // BLOCK - 1
        while blocks & 1:
            total.block = total.folded[level] + total.block
            blocks >>= 1
            level += 1
        total.folded[level] = total.block
        total.block = 0.0


cdef double result(Sum* total) noexcept nogil:
    """Return the sum, whose bits depend on the terms and their order alone."""
    cdef Py_ssize_t blocks = total.n // BLOCK
    cdef bint found = total.n % BLOCK != 0
    cdef double value = total.block
    cdef int level = 0
    while blocks:
        if blocks & 1:
            value = total.folded[level] + value if found else total.folded[level]
            found = True
        blocks >>= 1
        level += 1
    return value


cdef double sum_of(const double* x, Py_ssize_t n) noexcept nogil:
    cdef Sum total
    cdef Py_ssize_t i
    begin(&total)
    for i in range(n):
        add(&total, x[i])
    return result(&total)


# ------------------------------------------------------------------------------------------------- one line: its projections
cdef inline double with_sign(double magnitude, double x) noexcept nogil:
    """Return the magnitude with the sign of x, and 0.0 where x is 0."""
    return magnitude if x > 0 else -magnitude if x < 0 else 0.0 if x == 0 else x


cdef double largest(const double* x, Py_ssize_t n) noexcept nogil:
    """Return the maximum, or NaN if there is one."""
    cdef double found = -INFINITY
    cdef Py_ssize_t i
    for i in range(n):
        if not x[i] <= found:
            found = x[i]
        if found != found:
            break
    return found


cdef double excess(double* x, Py_ssize_t n, double radius) noexcept nogil:
    """Return t with sum(max(x - t, 0)) = radius, for x of at most 0 with a maximum of 0. Overwrites x.

    C. Michelot, "A finite algorithm for finding the projection of a point onto the canonical simplex of R^n", 1986: form t over
    all, leave out what is not above it, and repeat until nothing is left out.
    """
    cdef double t = -radius
    cdef Py_ssize_t i, kept, active = n, last = 0
    if radius == 0:
        return 0.0
    while True:
        kept = 0
        for i in range(active):
            x[kept] = x[i]
            kept += x[i] > t
        if kept == last or kept == 0:  # 0 by rounding alone
            return t
        active = last = kept
        t = (sum_of(x, active) - radius) / active


cdef void share(double* x, Py_ssize_t n, double top, double radius) noexcept nogil:
    """Share the radius among the members that are the infinite maximum: the limit of ever larger ones."""
    cdef Py_ssize_t i, ties = 0
    for i in range(n):
        ties += x[i] == top
    for i in range(n):
        x[i] = radius / ties if x[i] == top else 0.0


cdef void fill(double* x, Py_ssize_t n, double value) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = value


cdef void onto_simplex(double* x, double* work, Py_ssize_t n, double radius, double tolerance) noexcept nogil:
    """Replace x by the nearest point with x >= 0 and sum(x) = radius."""
    cdef double top = largest(x, n), t
    cdef Py_ssize_t i
    cdef bint inside = True
    if top != top:
        fill(x, n, NAN)
        return
    if isinf(top):
        share(x, n, top, radius)
        return
    for i in range(n):
        inside = inside and x[i] >= 0
    if inside and fabs(sum_of(x, n) - radius) <= tolerance * radius:
        return
    for i in range(n):
        work[i] = x[i] - top
    t = excess(work, n, radius)
    for i in range(n):
        x[i] = max((x[i] - top) - t, 0.0)


cdef void onto_l1_ball(double* x, double* work, Py_ssize_t n, double radius, double tolerance) noexcept nogil:
    """Replace x by the nearest point with sum(|x|) <= radius."""
    cdef double top, t
    cdef Py_ssize_t i
    for i in range(n):
        work[i] = fabs(x[i])
    top = largest(work, n)
    if top != top:
        fill(x, n, NAN)
        return
    if isinf(top):
        share(work, n, top, radius)
    else:
        if sum_of(work, n) <= radius + tolerance * radius:
            return
        for i in range(n):
            work[i] = work[i] - top
        t = excess(work, n, radius)
        for i in range(n):
            work[i] = max((fabs(x[i]) - top) - t, 0.0)
    for i in range(n):
        x[i] = with_sign(work[i], x[i])


# -------------------------------------------------------------------------------------------- one line: the largest magnitude
cdef double largest_magnitude(const double* x, Py_ssize_t n) noexcept nogil:
    """Return max(|x|), or NaN if there is one."""
    cdef double found = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        if not fabs(x[i]) <= found:
            found = fabs(x[i])
        if found != found:
            break
    return found


cdef void linf_gradient(double* x, Py_ssize_t n, double scale) noexcept nogil:
    """Replace x by the gradient of its least norm: the members of the largest magnitude share the scale."""
    cdef double top = largest_magnitude(x, n)
    cdef Py_ssize_t i, ties = 0
    if top != top:
        fill(x, n, NAN)
        return
    for i in range(n):
        ties += fabs(x[i]) == top
    for i in range(n):
        x[i] = with_sign(scale / ties, x[i]) if fabs(x[i]) == top else 0.0


cdef void linf_prox(double* x, double* work, Py_ssize_t n, double strength) noexcept nogil:
    """Cut the magnitudes down to the t with sum(max(|x| - t, 0)) = strength, or to 0 if their sum is no larger than that."""
    cdef double top = largest_magnitude(x, n), t
    cdef Py_ssize_t i
    if top != top:
        fill(x, n, NAN)
        return
    if isinf(top):             # the limit of ever larger members: they stay the largest
        return
    for i in range(n):
        work[i] = fabs(x[i])
    if sum_of(work, n) <= strength:
        t = 0.0
    else:
        for i in range(n):
            work[i] = work[i] - top
        t = max(top + excess(work, n, strength), 0.0)
    for i in range(n):
        x[i] = with_sign(min(fabs(x[i]), t), x[i])


# --------------------------------------------------------------------------------------------- one line: the total variation
cdef inline double sign_between(double before, double after) noexcept nogil:
    """Return the sign of after - before; that of two equal infinities is 0, too."""
    return 1.0 if after > before else -1.0 if after < before else 0.0 if after == before else NAN


cdef double variation(const double* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef Sum total
    begin(&total)
    for i in range(1, n):
        add(&total, 0.0 if x[i] == x[i - 1] else fabs(x[i] - x[i - 1]))
    return result(&total)


cdef void variation_gradient(double* x, Py_ssize_t n, double scale) noexcept nogil:
    cdef double before = 0.0, after
    cdef Py_ssize_t i
    for i in range(n):
        after = sign_between(x[i], x[i + 1]) if i + 1 < n else 0.0
        x[i] = scale * (before - after)
        before = after


cdef struct String:            # sums of a line's first members, each as a sum of two numbers, and the tube around them
    double* high
    double* low
    double radius


cdef struct Knot:
    Py_ssize_t i               # behind so many members
    double side                # of the tube: 1 above, -1 below, 0 in the middle


cdef struct Chain:             # of knots, from the apex on: indices into the string
    Py_ssize_t* knots
    Py_ssize_t first
    Py_ssize_t stop
    double side


cdef inline double rise(String* s, Knot a, Knot b) noexcept nogil:
    """Return how much the string rises for each member from knot a to knot b."""
    cdef double low = (s.low[b.i] - s.low[a.i]) + s.radius * (b.side - a.side)
    return ((s.high[b.i] - s.high[a.i]) + low) / (b.i - a.i)


cdef inline Knot knot_at(Chain* chain, Py_ssize_t at) noexcept nogil:
    cdef Knot knot
    knot.i = chain.knots[at]
    knot.side = chain.side
    return knot


cdef void level(double* x, Knot a, Knot b, double radius) noexcept nogil:
    """Replace the members between two knots by the rise between them, formed anew from the members."""
    cdef double first = x[a.i], value
    cdef Py_ssize_t i
    cdef Sum total
    begin(&total)
    for i in range(a.i, b.i):
        add(&total, x[i] - first)
    value = first + (result(&total) + radius * (b.side - a.side)) / (b.i - a.i)
    for i in range(a.i, b.i):
        x[i] = value


cdef Knot extend(double* x, String* s, Knot apex, Knot new, Chain* chain, Chain* other) noexcept nogil:
    """Append a knot to a chain; where the other chain is in the way, pull the string tight around it. Return the apex."""
    cdef double side = chain.side
    cdef Knot before, last
    while chain.stop > chain.first:
        last = knot_at(chain, chain.stop - 1)
        before = knot_at(chain, chain.stop - 2) if chain.stop - chain.first > 1 else apex
        if side * rise(s, last, new) > side * rise(s, before, last):
            break
        chain.stop -= 1
    if chain.stop == chain.first:
        while other.first < other.stop and side * rise(s, apex, new) < side * rise(s, apex, knot_at(other, other.first)):
            level(x, apex, knot_at(other, other.first), s.radius)
            apex = knot_at(other, other.first)
            other.first += 1
        chain.first = chain.stop = apex.i
    chain.knots[chain.stop] = new.i
    chain.stop += 1
    return apex


cdef void tighten(double* x, double* work, Py_ssize_t n, double radius, double start, double end) noexcept nogil:
    """Replace finite x by the rises of the taut string; start and end are the sides of its first and last knot.

    P. L. Davies and A. Kovac, "Local extremes, runs, strings and multiresolution", 2001: the string is the shortest way through
    the tube. It follows the greatest convex minorant of the upper border or the least concave majorant of the lower one. Each
    knot enters and leaves a chain once, so the time is linear.
    """
    cdef String s
    cdef Chain upper, lower
    cdef Knot apex, new
    cdef double added
    cdef Py_ssize_t i
    s.high = work
    s.low = work + (n + 1)
    s.radius = radius
    upper.knots = <Py_ssize_t*>(work + 2 * (n + 1))
    lower.knots = <Py_ssize_t*>(work + 3 * (n + 1))
    upper.first = upper.stop = lower.first = lower.stop = 0
    upper.side = 1
    lower.side = -1
    s.high[0] = s.low[0] = 0.0
    for i in range(n):         # each sum with its rounding error: D. E. Knuth's TwoSum
        s.high[i + 1] = s.high[i] + x[i]
        added = s.high[i + 1] - s.high[i]
        s.low[i + 1] = s.low[i] + ((s.high[i] - (s.high[i + 1] - added)) + (x[i] - added))
    apex.i = 0
    apex.side = start
    for i in range(1, n):
        new.i = i
        new.side = 1
        apex = extend(x, &s, apex, new, &upper, &lower)
        new.side = -1
        apex = extend(x, &s, apex, new, &lower, &upper)
    new.i = n
    new.side = end
    apex = extend(x, &s, apex, new, &upper, &lower)
    upper.stop -= 1            # the last knot, which has a side of its own
    while upper.first < upper.stop:
        level(x, apex, knot_at(&upper, upper.first), radius)
        apex = knot_at(&upper, upper.first)
        upper.first += 1
    level(x, apex, new, radius)


cdef void variation_prox(double* x, double* work, Py_ssize_t n, double strength) noexcept nogil:
    """Infinite members stay, and those between them are a line each, which ends at a knot on the infinity's side."""
    cdef Py_ssize_t start = 0, stop
    cdef double side
    for stop in range(n):
        if x[stop] != x[stop]:
            fill(x, n, NAN)
            return
    if strength == 0:
        return
    while start < n:
        if isinf(x[start]):
            start += 1
            continue
        stop = start
        while stop < n and not isinf(x[stop]):
            stop += 1
        side = 0.0 if start == 0 else -1.0 if x[start - 1] > 0 else 1.0
        tighten(x + start, work, stop - start, strength, side, 0.0 if stop == n else 1.0 if x[stop] > 0 else -1.0)
        start = stop


# ------------------------------------------------------------------------------------------------------------- many lines
cdef void append(Axes* axes, Py_ssize_t size, Py_ssize_t stride) noexcept:
    cdef Axis* slower = &axes.axes[max(axes.n, 1) - 1]
    axes.size *= size
    if size == 1:
        return
    if axes.n > 0 and slower.stride == size * stride:
        slower.size *= size
        slower.stride = stride
    else:
        axes.axes[axes.n].size = size
        axes.axes[axes.n].stride = stride
        axes.n += 1


cdef int set_axes(Job* job, ndarray w, tuple reduced) except -1:
    """Sort the axes of an array, slowest first, into those of a line's members and those of the lines."""
    cdef int n = cnp.PyArray_NDIM(w), i, axis
    cdef bint in_c_order = cnp.PyArray_IS_C_CONTIGUOUS(w)
    cdef Py_ssize_t stride = cnp.PyArray_SIZE(w), size
    job.members.n = job.lines.n = 0
    job.members.size = job.lines.size = 1
    for i in range(n):
        axis = i if in_c_order else n - 1 - i
        size = cnp.PyArray_DIM(w, axis)
        stride = stride // size if size else 0
        append(&job.members if axis in reduced else &job.lines, size, stride)
    return 0


cdef inline Py_ssize_t offset_of(Axes* axes, Py_ssize_t index) noexcept nogil:
    cdef Py_ssize_t offset = 0
    cdef int i
    for i in range(axes.n - 1, -1, -1):
        offset += index % axes.axes[i].size * axes.axes[i].stride
        index //= axes.axes[i].size
    return offset


cdef inline Py_ssize_t run_of(Axes* axes) noexcept nogil:
    """Return the size of the fastest axis."""
    return axes.axes[axes.n - 1].size if axes.n else 1


cdef inline Py_ssize_t step_of(Axes* axes) noexcept nogil:
    return axes.axes[axes.n - 1].stride if axes.n else 0


cdef void gather(double* lines, const real* x, Axes* members, Py_ssize_t n_lines, Py_ssize_t line_step) noexcept nogil:
    """Copy neighbouring lines, the first of which starts at x."""
    cdef Py_ssize_t start = 0, i, k, run = run_of(members), step = step_of(members)
    cdef const real* member
    while start < members.size:
        member = x + offset_of(members, start)
        for i in range(run):
            for k in range(n_lines):
                lines[k * members.size + start + i] = member[i * step + k * line_step]
        start += run


cdef void scatter(
    real* out, const double* lines, Axes* members, Py_ssize_t n_lines, Py_ssize_t line_step, bint accumulate
) noexcept nogil:
    """Round neighbouring lines once, and write them to where the first starts at out, or add them to what is there."""
    cdef Py_ssize_t start = 0, i, k, run = run_of(members), step = step_of(members)
    cdef real* member
    cdef real rounded
    while start < members.size:
        member = out + offset_of(members, start)
        for i in range(run):
            for k in range(n_lines):
                rounded = <real>lines[k * members.size + start + i]
                member[i * step + k * line_step] = member[i * step + k * line_step] + rounded if accumulate else rounded
        start += run


cdef double value_of(Kind kind, const double* x, Py_ssize_t n) noexcept nogil:
    return variation(x, n) if kind == TOTAL_VARIATION else largest_magnitude(x, n)


cdef void gradient_of(Kind kind, double* x, Py_ssize_t n, double scale) noexcept nogil:
    if kind == TOTAL_VARIATION:
        variation_gradient(x, n, scale)
    else:
        linf_gradient(x, n, scale)


cdef void change_line(Job* job, double* x, double* work) noexcept nogil:
    if job.kind == TOTAL_VARIATION:
        variation_prox(x, work, job.members.size, job.strength)
    elif job.kind == LINF:
        linf_prox(x, work, job.members.size, job.strength)
    elif job.kind == SIMPLEX:
        onto_simplex(x, work, job.members.size, job.strength, job.tolerance)
    else:
        onto_l1_ball(x, work, job.members.size, job.strength, job.tolerance)


cdef inline bint stay(Job* job) noexcept nogil:
    """Whether the lines are read where they are: the largest magnitude of neighbours in memory needs no copy of them."""
    cdef bint neighbours = job.members.n == 0 or (job.members.n == 1 and step_of(&job.members) == 1)
    return neighbours and job.kind == LINF and job.operation != CHANGE


cdef real largest_of_run(const real* x, Py_ssize_t n) noexcept nogil:
    """Return max(|x|), or NaN if there is one: as integers, magnitudes have the same order, and NaN comes last."""
    cdef int32_t bits, most = 0
    cdef int64_t wide_bits, wide_most = 0
    cdef real found
    cdef Py_ssize_t i
    if real is float:
        for i in range(n):
            memcpy(&bits, &x[i], sizeof(real))
            bits &= 0x7FFFFFFF
            most = bits if bits > most else most
        memcpy(&found, &most, sizeof(real))
    else:
        for i in range(n):
            memcpy(&wide_bits, &x[i], sizeof(real))
            wide_bits &= <int64_t>0x7FFFFFFFFFFFFFFF
            wide_most = wide_bits if wide_bits > wide_most else wide_most
        memcpy(&found, &wide_most, sizeof(real))
    return found


cdef double measure_run(const real* x, real* out, Job* job) noexcept nogil:
    """Return the largest magnitude of a line, and write or add its gradient, as `linf_gradient` forms it, if there is an out."""
    cdef Py_ssize_t i, ties = 0, n = job.members.size
    cdef real top = largest_of_run(x, n), share, slope
    if out == NULL:
        return top
    for i in range(n):
        ties += (x[i] if x[i] > 0 else -x[i]) == top
    share = <real>(job.scale / ties) if top == top else <real>NAN
    for i in range(n):
        slope = 0
        if top != top:
            slope = top
        elif x[i] == top:
            slope = share if top != 0 else 0
        elif x[i] == -top:
            slope = -share
        out[i] = out[i] + slope if job.operation == ACCUMULATE else slope
    return top


cdef void process_chunk(Job* job, real* w, real* out, Scratch* scratch, Py_ssize_t chunk) noexcept nogil:
    cdef Py_ssize_t line = chunk * job.lines_per_chunk, stop = min(line + job.lines_per_chunk, job.lines.size)
    cdef Py_ssize_t n, k, offset, run = run_of(&job.lines), step = step_of(&job.lines)
    cdef double* x
    cdef Sum total
    begin(&total)
    if stay(job):
        for line in range(line, stop):
            offset = offset_of(&job.lines, line)
            add(&total, measure_run(w + offset, out + offset if out != NULL else NULL, job))
        line = stop
    while line < stop:
        n = min(stop - line, run - line % run, width_of(job))
        offset = offset_of(&job.lines, line)
        gather(scratch.lines, w + offset, &job.members, n, step)
        for k in range(n):
            x = scratch.lines + k * job.members.size
            if job.operation == CHANGE:
                change_line(job, x, scratch.work)
                continue
            add(&total, value_of(job.kind, x, job.members.size))
            if job.operation != MEASURE:
                gradient_of(job.kind, x, job.members.size, job.scale)
        if job.operation != MEASURE:
            scatter(out + offset, scratch.lines, &job.members, n, step, job.operation == ACCUMULATE)
        line += n
    job.partials[chunk] = result(&total)


cdef inline Py_ssize_t width_of(Job* job) noexcept nogil:
    """Return how many lines are gathered together: several where they are neighbours in memory and leave 16 chunks."""
    if step_of(&job.lines) != 1:
        return 1
    return max(min(<Py_ssize_t>WIDTH, job.lines.size // 16), <Py_ssize_t>1)


cdef void process(void* given, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Job* job = <Job*>given
    cdef int own = 0
    cdef Py_ssize_t chunk
    while exchange(&job.scratch[own].taken, 1):
        own = (own + 1) % job.n_scratch
    for chunk in range(start, stop):
        if job.is_double:
            process_chunk(job, <double*>job.weights, <double*>job.out, &job.scratch[own], chunk)
        else:
            process_chunk(job, <float*>job.weights, <float*>job.out, &job.scratch[own], chunk)
    store(&job.scratch[own].taken, 0)


cdef int run(Job* job, ndarray w, tuple axes, ndarray out, Py_ssize_t work_per_member) except -1:
    """Process all lines, and leave the sum of their values in the job; raise MemoryError before anything is written."""
    cdef Py_ssize_t n, width, n_chunks, per_thread
    cdef FloatEnvironment found
    cdef char* memory
    cdef int i
    job.total = 0.0
    if cnp.PyArray_SIZE(w) == 0:
        return 0
    set_axes(job, w, axes)
    job.is_double = is_double(w)
    job.weights = cnp.PyArray_DATA(w)
    job.out = NULL if out is None else cnp.PyArray_DATA(out)
    job.tolerance = 4 * (DBL_EPSILON if job.is_double else FLT_EPSILON)
    n = job.members.size
    width = width_of(job)
    job.lines_per_chunk = max(width, CHUNK // n)
    n_chunks = (job.lines.size + job.lines_per_chunk - 1) // job.lines_per_chunk
    job.n_scratch = <int>min(<Py_ssize_t>threads(), n_chunks)
    per_thread = 0 if stay(job) else width * n + work_per_member * (n + 1)
    memory = <char*>calloc(n_chunks * sizeof(double) + job.n_scratch * (sizeof(Scratch) + per_thread * sizeof(double)), 1)
    if memory == NULL:
        raise MemoryError()
    job.partials = <double*>memory
    job.scratch = <Scratch*>(job.partials + n_chunks)
    for i in range(job.n_scratch):
        job.scratch[i].lines = <double*>(job.scratch + job.n_scratch) + i * per_thread
        job.scratch[i].work = job.scratch[i].lines + width * n
    try:
        share_out(process, job, n_chunks, cnp.PyArray_NBYTES(w) * (1 if out is None else 2))
        found = enter_float_environment()
        job.total = sum_of(job.partials, n_chunks)
        leave_float_environment(found)
    finally:
        free(memory)
    return 0


# --------------------------------------------------------------------------------------------------------------- penalties
def line_value(str kind, weights, tuple axes, double scale):
    """Return scale * the sum of the lines' values, rounded once to the dtype of the weights.

    Parameters
    ----------
    kind : str
        One of `LINES`.
    weights : ndarray of float32 or float64, contiguous in C or Fortran order
    axes : tuple of int
        What is reduced: the members of one line differ in their index on these axes. From 0 on, each once.
    scale : float
        At least 0.
    """
    cdef ndarray w = as_array(weights, "weights")
    cdef Job job
    job.kind = LINES[kind]
    job.operation = MEASURE
    job.scale = scale
    value = scalar_like(w)
    run(&job, w, axes, None, 0)
    set_value(value, &job, w)
    return value


def line_gradient(str kind, weights, tuple axes, double scale, out=None, bint accumulate=False):
    """Return what `line_value` does, and the gradient: `out`, or a new array."""
    cdef ndarray w = as_array(weights, "weights"), target
    cdef Job job
    is_added(out, accumulate)
    target = take_out(out, w)
    job.kind = LINES[kind]
    job.operation = ACCUMULATE if accumulate else GRADIENT
    job.scale = scale
    value = scalar_like(w)
    result = value, (target if out is None else out)
    run(&job, w, axes, target, 0)
    set_value(value, &job, w)
    return result


def line_prox(str kind, weights, tuple axes, double scale, step, out=None):
    """Return argmin_z step*penalty(z) + |z - w|**2 / 2, in `out` if it is given."""
    cdef ndarray w = as_array(weights, "weights"), target
    cdef double length = check_step(step)
    cdef Job job
    target = take_out(out, w)
    job.kind = LINES[kind]
    job.operation = CHANGE
    job.scale = scale
    set_strength(&job, length)
    run(&job, w, axes, target, 4 if job.kind == TOTAL_VARIATION else 1)
    return target if out is None else out


cdef void set_value(object value, Job* job, ndarray w) noexcept:
    """Give a scalar the scaled sum of the lines' values. Both are read from memory, which no compiler moves out of here."""
    cdef FloatEnvironment found = enter_float_environment()
    set_like(value, w, job.scale * job.total)
    leave_float_environment(found)


cdef void set_strength(Job* job, double step) noexcept:
    """Set the strength of a prox: step * scale, and a finite number where that overflows."""
    cdef FloatEnvironment found
    job.strength = step
    found = enter_float_environment()
    job.strength = min(job.strength * job.scale, DBL_MAX)
    leave_float_environment(found)


# ------------------------------------------------------------------------------------------------------------- projections
cdef object project(weights, tuple axes, double radius, out, Kind kind):
    cdef ndarray w = as_array(weights, "weights"), target
    cdef Job job
    if not 0 <= radius < INFINITY:
        raise ValueError(f"radius must be at least 0 and finite, got {radius!r}")
    target = take_out(out, w)
    job.kind = kind
    job.operation = CHANGE
    job.strength = radius
    run(&job, w, axes, target, 1)
    return target if out is None else out


def project_simplex(weights, tuple axes, double radius, out=None):
    """Return each line's nearest point with members of at least 0 whose sum is `radius`.

    A line that is there already is left alone to the bit: its members are at least 0, and their sum differs from the radius by
    rounding alone, 4 units in the last place. A line with a NaN becomes NaN. Where the largest member is infinite, the members
    that are equal to it share the radius, and the others are 0.

    Parameters
    ----------
    weights : ndarray of float32 or float64, contiguous in C or Fortran order
    axes : tuple of int
        What is reduced: the members of one line differ in their index on these axes. From 0 on, each once.
    radius : float
        At least 0.
    out : ndarray, optional
        Where to put it; `weights` itself is allowed.

    Returns
    -------
    ndarray
        `out`, or a new array.

    References
    ----------
    .. [1] C. Michelot, "A finite algorithm for finding the projection of a point onto the canonical simplex of R^n", 1986.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg._lines import project_simplex
    >>> project_simplex(np.array([[1.0, 0.5], [2.0, -1.0]]), (1,), 1.0)
    array([[0.75, 0.25],
           [1.  , 0.  ]])
    """
    return project(weights, axes, radius, out, SIMPLEX)


def project_l1_ball(weights, tuple axes, double radius, out=None):
    """Return each line's nearest point whose sum of magnitudes is at most `radius`.

    A line inside the ball is left alone to the bit, also where rounding, up to 4 units in the last place, makes its sum of
    magnitudes larger. A line with a NaN becomes NaN. The infinite members of a line share the radius, and the others are 0.

    Parameters and results are those of `project_simplex`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg._lines import project_l1_ball
    >>> project_l1_ball(np.array([[1.0, -0.5], [0.25, 0.5]]), (1,), 1.0)
    array([[ 0.75, -0.25],
           [ 0.25,  0.5 ]])
    """
    return project(weights, axes, radius, out, L1_BALL)
