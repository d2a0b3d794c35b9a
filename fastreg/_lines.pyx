"""Floor 1: what needs a whole line of an array at once: total variation, maxima, and projections by a threshold.

A line is what has one index on all axes but the reduced ones. Its members stand in memory order. A line is gathered into float64,
processed by one thread, and rounded once as it is written back. Where a line's members are not neighbours in memory, several
neighbouring lines are gathered together, so that each cache line is read once.
"""
from libc.float cimport DBL_EPSILON, FLT_EPSILON
from libc.math cimport INFINITY, NAN, fabs, isinf
from libc.stdlib cimport calloc, free

cimport numpy as cnp
from numpy cimport ndarray

from fastreg._arrays cimport as_array, is_double, take_out
from fastreg._threads cimport share_out

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

cdef enum Operation:
    SIMPLEX
    L1_BALL

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
    Operation operation
    bint is_double
    void* weights
    void* out                  # may be weights
    Axes members               # of a line
    Axes lines
    Py_ssize_t lines_per_chunk
    double strength            # a radius
    double tolerance           # of the dtype: a sum this close to the radius, relatively, is the radius
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


# -------------------------------------------------------------------------------------------------------------- one line
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


# ------------------------------------------------------------------------------------------------------------- many lines
cdef void append(Axes* axes, Py_ssize_t size, Py_ssize_t stride) noexcept:
    cdef Axis* slower = &axes.axes[axes.n - 1]
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


cdef void scatter(real* out, const double* lines, Axes* members, Py_ssize_t n_lines, Py_ssize_t line_step) noexcept nogil:
    """Round neighbouring lines once and write them to where the first starts at out."""
    cdef Py_ssize_t start = 0, i, k, run = run_of(members), step = step_of(members)
    cdef real* member
    while start < members.size:
        member = out + offset_of(members, start)
        for i in range(run):
            for k in range(n_lines):
                member[i * step + k * line_step] = <real>lines[k * members.size + start + i]
        start += run


cdef void process_line(Job* job, double* x, double* work) noexcept nogil:
    if job.operation == SIMPLEX:
        onto_simplex(x, work, job.members.size, job.strength, job.tolerance)
    elif job.operation == L1_BALL:
        onto_l1_ball(x, work, job.members.size, job.strength, job.tolerance)


cdef void process_chunk(Job* job, real* w, real* out, Scratch* scratch, Py_ssize_t chunk) noexcept nogil:
    cdef Py_ssize_t line = chunk * job.lines_per_chunk, stop = min(line + job.lines_per_chunk, job.lines.size)
    cdef Py_ssize_t n, k, offset, run = run_of(&job.lines), step = step_of(&job.lines)
    while line < stop:
        n = min(stop - line, run - line % run, width_of(job))
        offset = offset_of(&job.lines, line)
        gather(scratch.lines, w + offset, &job.members, n, step)
        for k in range(n):
            process_line(job, scratch.lines + k * job.members.size, scratch.work)
        scatter(out + offset, scratch.lines, &job.members, n, step)
        line += n


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


cdef int run(Job* job, ndarray w, Py_ssize_t work_per_member) except -1:
    """Process all lines; raise MemoryError before anything is written."""
    cdef Py_ssize_t n = job.members.size, width = width_of(job), n_chunks, per_thread
    cdef char* memory
    cdef double* doubles
    cdef int i
    if cnp.PyArray_SIZE(w) == 0:
        return 0
    job.is_double = is_double(w)
    job.tolerance = 4 * (DBL_EPSILON if job.is_double else FLT_EPSILON)
    job.lines_per_chunk = max(width, CHUNK // n)
    n_chunks = (job.lines.size + job.lines_per_chunk - 1) // job.lines_per_chunk
    job.n_scratch = <int>min(<Py_ssize_t>threads(), n_chunks)
    per_thread = width * n + work_per_member * (n + 1)
    memory = <char*>calloc(job.n_scratch, sizeof(Scratch) + per_thread * sizeof(double))
    if memory == NULL:
        raise MemoryError()
    job.scratch = <Scratch*>memory
    doubles = <double*>(memory + job.n_scratch * sizeof(Scratch))
    for i in range(job.n_scratch):
        job.scratch[i].lines = doubles + i * per_thread
        job.scratch[i].work = job.scratch[i].lines + width * n
    try:
        share_out(process, job, n_chunks, 2 * cnp.PyArray_NBYTES(w))
    finally:
        free(memory)
    return 0


# ------------------------------------------------------------------------------------------------------------- projections
cdef object project(weights, tuple axes, double radius, out, Operation operation):
    cdef ndarray w = as_array(weights, "weights"), target
    cdef Job job
    if not 0 <= radius < INFINITY:
        raise ValueError(f"radius must be at least 0 and finite, got {radius!r}")
    target = take_out(out, w)
    set_axes(&job, w, axes)
    job.operation = operation
    job.weights = cnp.PyArray_DATA(w)
    job.out = cnp.PyArray_DATA(target)
    job.strength = radius
    run(&job, w, 1)
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
    C. Michelot, "A finite algorithm for finding the projection of a point onto the canonical simplex of R^n", 1986.

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
