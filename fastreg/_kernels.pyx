"""What a kernel does to a chunk of an item: measure its weights, form the gradient or the prox of its penalty, update it.

Floor 0: pointers, lengths and coefficients; no arrays, no names, no errors, no threads. setup.py compiles this file once for each
instruction set, under that set's module name. A module hands out one thing, the capsule `kernel` (`_abi.Kernel`).

What is called stands here, what is inlined in `_loops`. How an operation is composed of these: docs/design.md.
"""
from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport INFINITY
from libc.stdint cimport uint16_t
from libc.string cimport memcpy, memset

from fastreg._abi cimport *
from fastreg._loops.elements cimport between, real, sqrt
from fastreg._loops.groups cimport *
from fastreg._loops.lanes cimport *
from fastreg._loops.profiles cimport *
from fastreg._loops.rows cimport Streams, process_row
from fastreg._loops.rules cimport (
    CONSTANTS, LANES, LOWER, UPPER, is_update, round_constants, step_of_prox, takes_l1, takes_prox
)
from fastreg._loops.sixteen cimport is_sixteen, narrow_all, narrow_stochastic, widen_all

cdef extern from "_loops/vector.h":
    ctypedef void separate "fr_separate"
    void stream "fr_stream" (char* to, char* source, size_t n_bytes) noexcept nogil
    void stream_end "fr_stream_end" () noexcept nogil


# -------------------------------------------------------------------------------------------------------- passes by lane
# The last, incomplete group of a block, at most 127 elements, is left to two functions that are not specialized.
cdef void measure_tail(Sums* sums, real* w, int n, int kinds) noexcept nogil:
    add_tail(sums.absolute + (sums.blocks - 1) * LANES, sums.square + (sums.blocks - 1) * LANES, w, n, kinds)


cdef void process_tail(Streams* arrays, int n, real* c, int kinds, int operation) noexcept nogil:
    cdef int row
    for row in range((n + LANES - 1) // LANES):
        process_row(arrays, row * LANES, min(n - row * LANES, <int>LANES), c, kinds, operation)


cdef inline void advance(Streams* moved, Streams* arrays, Py_ssize_t n, real* _) noexcept nogil:
    """Let `moved` begin n elements behind `arrays`. For a missing array this makes a pointer that nobody reads."""
    cdef int k
    moved.weights = <real*>arrays.weights + n
    moved.base = <real*>arrays.base + n
    moved.out = <real*>arrays.out + n
    for k in range(3):
        moved.slots[k] = <real*>arrays.slots[k] + n


cdef inline void pass_chunk(
    Sums* sums,                # OUT: the blocks' lanes are appended, of |w| and w**2 as `kinds` tells
    Streams* arrays,
    Py_ssize_t n,              # elements, up to a chunk
    real* constants,
    real* buffer,              # a block, on its way around the caches; NULL: store to `out` itself
    int kinds,
    int operation,
) noexcept nogil:
    # Copies of its own, which no store to an array can change: the compiler keeps them in registers.
    cdef real[CONSTANTS] c, c_of_tail
    cdef Streams block, tail
    cdef Py_ssize_t i
    cdef int k, j, m, full, size = block_size(constants), group = group_size(constants)
    cdef int width = pass_width(constants, kinds, operation)
    memcpy(c, constants, sizeof(c))
    for k in range(n_blocks(n, constants)):
        i = k * size
        m = <int>min(n - i, <Py_ssize_t>size)
        full = m & -group
        advance(&block, arrays, i, c)
        if buffer != NULL:
            block.out = buffer
        sums.blocks += 1
        for j in range(LANES // width):
            pass_groups(sums, &block, full // group, c, j * width, width, kinds, operation)
        if full < m and kinds:
            measure_tail(sums, <real*>block.weights + full, m - full, kinds)
        if full < m and operation != MEASURE:
            memcpy(c_of_tail, c, sizeof(c))
            advance(&tail, &block, full, c)
            process_tail(&tail, m - full, c_of_tail, kinds, operation)
        if buffer != NULL:
            stream(<char*>(<real*>arrays.out + i), <char*>buffer, m * sizeof(real))


cdef inline void pass_kinds(
    Sums* sums, Streams* arrays, Py_ssize_t n, real* c, real* buffer, int kinds, int operation
) noexcept nogil:
    """`pass_chunk` for the kinds of coefficients that a job happens to have."""
    if kinds == L1_KIND + L2_KIND:
        pass_chunk(sums, arrays, n, c, buffer, L1_KIND + L2_KIND, operation)
    elif kinds == L1_KIND:
        pass_chunk(sums, arrays, n, c, buffer, L1_KIND, operation)
    elif kinds == L2_KIND:
        pass_chunk(sums, arrays, n, c, buffer, L2_KIND, operation)
    elif is_update(operation):
        pass_chunk(sums, arrays, n, c, buffer, 0, operation)
    elif operation == GRADIENT:
        memset(arrays.out, 0, n * sizeof(real))
    elif operation in (ACCUMULATE, ASSIGN) and arrays.out != arrays.base:
        memcpy(arrays.out, arrays.base, n * sizeof(real))


cdef void measure(Sums* sums, Streams* arrays, Py_ssize_t n, real* c, real* buffer, int kinds, int operation) noexcept nogil:
    """Sum up to a chunk by lane and, in the same pass, form its gradient or assign it."""
    if operation == MEASURE:
        pass_kinds(sums, arrays, n, c, NULL, kinds, MEASURE)
    elif operation == GRADIENT:
        pass_kinds(sums, arrays, n, c, buffer, kinds, GRADIENT)
    elif operation == ACCUMULATE:
        pass_kinds(sums, arrays, n, c, NULL, kinds, ACCUMULATE)
    elif operation == ASSIGN:
        pass_kinds(sums, arrays, n, c, NULL, kinds, ASSIGN)


cdef void update(Sums* sums, Streams* arrays, Py_ssize_t n, real* c, int kinds, int rule) noexcept nogil:
    """Sum up to a chunk by lane and, in the same pass, update it. GCC would compile it worse together with `measure`."""
    if rule == GRADIENT_DESCENT:
        pass_kinds(sums, arrays, n, c, NULL, kinds, GRADIENT_DESCENT)
    elif rule == MOMENTUM:
        pass_kinds(sums, arrays, n, c, NULL, kinds, MOMENTUM)
    elif rule == ADAGRAD:
        pass_kinds(sums, arrays, n, c, NULL, kinds, ADAGRAD)
    elif rule == RMSPROP:
        pass_kinds(sums, arrays, n, c, NULL, kinds, RMSPROP)
    elif rule == CENTERED_RMSPROP:
        pass_kinds(sums, arrays, n, c, NULL, kinds, CENTERED_RMSPROP)
    elif rule == ADAM:
        pass_kinds(sums, arrays, n, c, NULL, kinds, ADAM)
    elif rule == PROXIMAL_GRADIENT_DESCENT:
        pass_kinds(sums, arrays, n, c, NULL, kinds, PROXIMAL_GRADIENT_DESCENT)
    elif rule == PROXIMAL_ADAGRAD:
        pass_kinds(sums, arrays, n, c, NULL, kinds, PROXIMAL_ADAGRAD)
    elif rule == FTRL:
        pass_kinds(sums, arrays, n, c, NULL, kinds, FTRL)


cdef inline void pass_operation(
    Sums* sums, Streams* arrays, Py_ssize_t n, real* c, real* buffer, int kinds, int operation
) noexcept nogil:
    if is_update(operation):
        update(sums, arrays, n, c, kinds, operation)
    else:
        measure(sums, arrays, n, c, buffer, kinds, operation)


cdef double fold_blocks(double* lanes, int blocks) noexcept nogil:
    """Return the sum of a chunk. A block that is missing counts as zeros, which change no sum."""
    if blocks == 1:
        return fold_lanes(lanes, 1)
    if blocks == 2:
        return fold_lanes(lanes, 2)
    memset(lanes + blocks * LANES, 0, (-blocks & 3) * LANES * sizeof(double))
    return fold_lanes(lanes, 4) if blocks <= 4 else fold_lanes(lanes, 8)


# ----------------------------------------------------------------------------------------------- element-wise over a block
# An output may be one of the inputs, but overlaps none otherwise.
cdef inline void elastic_gradients(real* out, real* base, real* w, Py_ssize_t n, real l1, real l2, int kinds) noexcept nogil:
    """Write base + gradient, or the gradient alone where base is NULL."""
    cdef Py_ssize_t i
    if base == NULL:
        for i in range(n):
            out[i] = elastic_gradient(w[i], l1, l2, kinds)
    else:
        for i in range(n):
            out[i] = base[i] + elastic_gradient(w[i], l1, l2, kinds)


cdef void pair_gradient(real* out, real* base, real* w, Py_ssize_t n, double l1, double l2) noexcept nogil:
    cdef int kinds = kinds_of(l1, l2)
    if kinds == L1_KIND + L2_KIND:
        elastic_gradients(out, base, w, n, <real>l1, <real>l2, L1_KIND + L2_KIND)
    elif kinds == L1_KIND:
        elastic_gradients(out, base, w, n, <real>l1, <real>l2, L1_KIND)
    elif kinds == L2_KIND:
        elastic_gradients(out, base, w, n, <real>l1, <real>l2, L2_KIND)
    elif base == NULL:
        memset(out, 0, n * sizeof(real))
    elif out != base:
        memcpy(out, base, n * sizeof(real))


cdef inline void elastic_proxes(
    real* out, real* w, Py_ssize_t n, real threshold, real divisor, int kinds, bint below_two
) noexcept nogil:
    cdef real[LANES] x
    cdef double reciprocal = 1 / <double>divisor
    cdef Py_ssize_t i, row
    cdef int j
    for row in range(n // LANES):
        i = row * LANES
        ask_ahead(w + i, LANES)
        for j in range(LANES):
            x[j] = elastic_prox(w[i + j], threshold, divisor, reciprocal, kinds, below_two)
        for j in range(LANES):
            out[i + j] = x[j]
    for i in range(n - n % LANES, n):
        out[i] = elastic_prox(w[i], threshold, divisor, reciprocal, kinds, below_two)


cdef void pair_prox(real* out, real* w, Py_ssize_t n, double step, double l1, double l2) noexcept nogil:
    cdef real threshold = <real>(step * l1), divisor = <real>(1 + step * l2)
    if divisor == 1:
        elastic_proxes(out, w, n, threshold, divisor, L1_KIND, False)
    elif divisor >= 2:
        elastic_proxes(out, w, n, threshold, divisor, L1_KIND + L2_KIND, False)
    elif threshold == 0:
        elastic_proxes(out, w, n, threshold, divisor, L2_KIND, True)
    else:
        elastic_proxes(out, w, n, threshold, divisor, L1_KIND + L2_KIND, True)


cdef void clamp(real* x, Py_ssize_t n, double lower, double upper) noexcept nogil:
    """Put elements between bounds that no row of an update has put there."""
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = between(x[i], <real>lower, <real>upper)


cdef inline void profile_gradients(real* out, real* base, real* w, Py_ssize_t n, Profile* profile, int kind) noexcept nogil:
    cdef Profile p = profile[0]
    cdef Py_ssize_t row, k, full = n // LANES * LANES
    for row in range(n // LANES):
        k = row * LANES
        profile_gradients_of_row(out + k, base + k, w + k, k, LANES, &p, kind)
    if full < n:
        profile_gradients_of_row(out + full, base + full, w + full, full, <int>(n - full), &p, kind)


cdef inline void profile_gradients_of_row(
    real* out, real* base, real* w, Py_ssize_t at, int width, Profile* p, int kind
) noexcept nogil:
    cdef real[LANES] row
    cdef real* strengths = <real*>p.strengths + at
    cdef real* reference = <real*>p.reference + at
    cdef int j
    for j in range(width):
        row[j] = base[j] + element_gradient(w, strengths, reference, j, p, kind)
    for j in range(width):
        out[j] = row[j]


cdef inline void profile_proxes(real* out, real* w, Py_ssize_t n, double step, Profile* profile, int kind) noexcept nogil:
    cdef Profile p = profile[0]
    cdef Py_ssize_t row, k, full = n // LANES * LANES
    for row in range(n // LANES):
        k = row * LANES
        profile_proxes_of_row(out + k, w + k, k, LANES, step, &p, kind)
    if full < n:
        profile_proxes_of_row(out + full, w + full, full, <int>(n - full), step, &p, kind)


cdef inline void profile_proxes_of_row(
    real* out, real* w, Py_ssize_t at, int width, double step, Profile* p, int kind
) noexcept nogil:
    cdef real[LANES] row
    cdef real* strengths = <real*>p.strengths + at
    cdef real* reference = <real*>p.reference + at
    cdef int j
    ask_ahead(w, width)
    for j in range(width):
        row[j] = element_prox(w, strengths, reference, j, step, p, kind)
    for j in range(width):
        out[j] = row[j]


cdef void widen_array(float* out, void* x, Py_ssize_t at, Py_ssize_t n, int format) noexcept nogil:
    widen_all(out, <uint16_t*>x + at, n, format)


cdef inline void take_profile(Profile* taken, Profile* p, Py_ssize_t at, Py_ssize_t n, real* room) noexcept nogil:
    """Let the arrays of `taken` begin `at` elements behind those of p; of 16 bits, n elements are widened into the room."""
    advance_profile(taken, p, at, room)
    if real is float:
        if is_sixteen(p.strengths_format):
            widen_array(room, p.strengths, at, n, p.strengths_format)
            taken.strengths = room
        if is_sixteen(p.reference_format):
            widen_array(room + 2 * BLOCK, p.reference, at, n, p.reference_format)
            taken.reference = room + 2 * BLOCK


# `at` is the place of w[0] in the item's weights; n is up to a block.
cdef void add_profile_gradient(real* out, real* base, real* w, Py_ssize_t n, Profile* profile, Py_ssize_t at) noexcept nogil:
    cdef real[4 * BLOCK] room
    cdef Profile taken
    cdef Profile* p = &taken
    take_profile(p, profile, at, n, room)
    if p.kind == MCP:
        profile_gradients(out, base, w, n, p, MCP)
    elif p.kind == SCAD:
        profile_gradients(out, base, w, n, p, SCAD)
    elif p.kind == L0:
        profile_gradients(out, base, w, n, p, L0)
    elif p.kind == HUBER:
        profile_gradients(out, base, w, n, p, HUBER)
    elif p.kind == PSEUDO_HUBER:
        profile_gradients(out, base, w, n, p, PSEUDO_HUBER)
    elif p.kind == LOG_SUM:
        profile_gradients(out, base, w, n, p, LOG_SUM)
    elif p.kind == WEIGHTED:
        profile_gradients(out, base, w, n, p, WEIGHTED)
    elif p.kind == DISTANCE:
        profile_gradients(out, base, w, n, p, DISTANCE)
    elif p.kind == WEIGHTED_DISTANCE:
        profile_gradients(out, base, w, n, p, WEIGHTED_DISTANCE)


cdef void apply_profile_prox(real* out, real* w, Py_ssize_t n, double step, Profile* profile, Py_ssize_t at) noexcept nogil:
    cdef real[4 * BLOCK] room
    cdef Profile taken
    cdef Profile* p = &taken
    take_profile(p, profile, at, n, room)
    if p.kind == MCP:
        profile_proxes(out, w, n, step, p, MCP)
    elif p.kind == SCAD:
        profile_proxes(out, w, n, step, p, SCAD)
    elif p.kind == L0:
        profile_proxes(out, w, n, step, p, L0)
    elif p.kind == HUBER:
        profile_proxes(out, w, n, step, p, HUBER)
    elif p.kind == LOG_SUM:
        profile_proxes(out, w, n, step, p, LOG_SUM)
    elif p.kind == WEIGHTED:
        profile_proxes(out, w, n, step, p, WEIGHTED)
    elif p.kind == DISTANCE:
        profile_proxes(out, w, n, step, p, DISTANCE)
    elif p.kind == WEIGHTED_DISTANCE:
        profile_proxes(out, w, n, step, p, WEIGHTED_DISTANCE)


cdef inline void proxes_by_slot(real* w, real* slot, Py_ssize_t n, real* c, Profile* p, int rule, int kind) noexcept nogil:
    cdef real* strengths = <real*>p.strengths
    cdef real* reference = <real*>p.reference
    cdef Py_ssize_t i
    cdef double step
    for i in range(n):
        step = min(<double>step_of_prox(slot[i], c, rule), 1e290)  # infinite where the slot is 0; 0 * infinity is NaN
        set_prox(step, p)
        w[i] = element_prox(w, strengths, reference, <int>i, step, p, kind)


cdef void end_in_prox(real* w, real* slot, Py_ssize_t n, real* c, Profile* profile, Py_ssize_t at, int rule) noexcept nogil:
    """Apply a profile's prox with a step for each element, which the rule has from its first slot."""
    cdef real[4 * BLOCK] room
    cdef Profile taken
    cdef Profile* p = &taken
    take_profile(p, profile, at, n, room)
    if p.kind == MCP:
        proxes_by_slot(w, slot, n, c, p, rule, MCP)
    elif p.kind == SCAD:
        proxes_by_slot(w, slot, n, c, p, rule, SCAD)
    elif p.kind == L0:
        proxes_by_slot(w, slot, n, c, p, rule, L0)
    elif p.kind == HUBER:
        proxes_by_slot(w, slot, n, c, p, rule, HUBER)
    elif p.kind == LOG_SUM:
        proxes_by_slot(w, slot, n, c, p, rule, LOG_SUM)
    elif p.kind == WEIGHTED:
        proxes_by_slot(w, slot, n, c, p, rule, WEIGHTED)
    elif p.kind == DISTANCE:
        proxes_by_slot(w, slot, n, c, p, rule, DISTANCE)
    elif p.kind == WEIGHTED_DISTANCE:
        proxes_by_slot(w, slot, n, c, p, rule, WEIGHTED_DISTANCE)


cdef void measure_profile(double* lanes, real* w, Py_ssize_t n, Profile* profile, Py_ssize_t at) noexcept nogil:
    cdef real[4 * BLOCK] room
    cdef Profile taken
    cdef Profile* p = &taken
    take_profile(p, profile, at, n, room)
    if p.kind == MCP:
        add_profile(lanes, w, n, p, MCP)
    elif p.kind == SCAD:
        add_profile(lanes, w, n, p, SCAD)
    elif p.kind == L0:
        add_profile(lanes, w, n, p, L0)
    elif p.kind == HUBER:
        add_profile(lanes, w, n, p, HUBER)
    elif p.kind == PSEUDO_HUBER:
        add_profile(lanes, w, n, p, PSEUDO_HUBER)
    elif p.kind == LOG_SUM:
        add_profile(lanes, w, n, p, LOG_SUM)
    elif p.kind == WEIGHTED:
        add_profile(lanes, w, n, p, WEIGHTED)
    elif p.kind == DISTANCE:
        add_profile(lanes, w, n, p, DISTANCE)
    elif p.kind == WEIGHTED_DISTANCE:
        add_profile(lanes, w, n, p, WEIGHTED_DISTANCE)


# --------------------------------------------------------------------------------------------------------------- chunks
cdef inline Py_ssize_t start_of(Item* item, Py_ssize_t chunk) noexcept nogil:
    """Return how many elements of the item, or of its gradient of rows, lie in front of a chunk."""
    cdef Py_ssize_t i = chunk - item.first_chunk
    if item.rows == NULL:
        return i * item.chunk_size
    return i // item.chunks_per_row * item.width + i % item.chunks_per_row * item.chunk_size


cdef inline Py_ssize_t locate(Item* item, Py_ssize_t chunk, Streams* arrays, real* _) noexcept nogil:
    """Find the arrays of one of the item's chunks; return how many elements the chunk has."""
    cdef Py_ssize_t start = start_of(item, chunk), of_row, k
    cdef Streams whole
    whole.weights = item.weights
    whole.base = item.base
    whole.out = item.out
    for k in range(3):
        whole.slots[k] = item.slots[k]
    if item.rows == NULL:
        advance(arrays, &whole, start, _)
        return min(item.size - start, item.chunk_size)
    of_row = start % item.width
    advance(arrays, &whole, item.rows[start // item.width] * item.width + of_row, _)
    arrays.base = <real*>item.base + start
    return min(item.width - of_row, item.chunk_size)


cdef inline Py_ssize_t place(Streams* arrays, Item* item, real* _) noexcept nogil:
    """Return the index of the arrays' first element in the item's weights."""
    return <real*>arrays.weights - <real*>item.weights


# --------------------------------------------------------------------------------------------------------------- groups
cdef void sum_runs(double* sums, real* w, Py_ssize_t run, int n, Transform* transform) noexcept nogil:
    """Sum up to STRIP neighbouring runs of members. Short ones are summed side by side."""
    cdef int j = 0
    if run <= SHORT_RUN:
        sum_rows(sums, w, 1, run, run, n, transform)
        return
    while j < n:
        if transform.plain and run <= SEGMENT and n - j >= 2:
            sum_segments(sums + j, w + j * run, run, 2)
            j += 2
        else:
            sums[j] = sum_run(w + j * run, run, transform)
            j += 1


cdef void sum_members(
    double* sums, Layout* layout, int level, real* w, Py_ssize_t first, Py_ssize_t count, int n, Transform* transform
) noexcept nogil:
    """Sum n groups over the members first..first+count-1 of a level. `w` stands at the groups' first element."""
    cdef double[STRIP] of_one
    cdef Py_ssize_t i
    cdef int j, below = layout.n_levels - level
    cdef real* members = w + first * layout.strides[level]
    if below == 1 and layout.extents[level] > SHORT_RUN:
        sums[0] = sum_run(members, count, transform)
        return
    if below <= 2:
        sum_rows(sums, members, layout.strides[level], count, 1, n, transform)
        return
    for j in range(n):
        sums[j] = 0
    for i in range(count):
        if below == 3:
            sum_runs(of_one, members + i * layout.strides[level], layout.strides[level + 1], n, transform)
        else:
            sum_members(
                of_one, layout, level + 2, members + i * layout.strides[level], 0, layout.extents[level + 2], n, transform
            )
        add_all(sums, of_one, n)


cdef void sum_segment_of_strip(
    double* sums, Layout* layout, real* w, Py_ssize_t segment, int n, Transform* transform
) noexcept nogil:
    cdef Py_ssize_t first = segment * segment_size(layout)
    sum_members(sums, layout, 0, w, first, min(layout.extents[0] - first, segment_size(layout)), n, transform)


cdef void sum_strip(double* sums, Layout* layout, real* w, int n, Transform* transform) noexcept nogil:
    """Sum n groups, whose first elements stand at `w`: neighbouring blocks of one group, or groups of one block."""
    cdef double[STRIP] of_segment
    cdef Py_ssize_t segment
    if layout.n_levels == 1:
        sum_runs(sums, w, layout.block, n, transform)
        return
    sum_segment_of_strip(sums, layout, w, 0, n, transform)
    for segment in range(1, layout.n_segments):
        sum_segment_of_strip(of_segment, layout, w, segment, n, transform)
        add_all(sums, of_segment, n)


cdef void to_norms(double* sums, Layout* layout, real* w, int n, Transform* transform) noexcept nogil:
    """Replace the sums of squares of a strip by norms. Squares that overflowed or vanished are formed again, scaled."""
    cdef Transform scaled = transform[0]
    cdef double[STRIP] again
    cdef double unscale, least = LEAST_SQUARES if real is double else 0
    cdef bint large
    cdef int j, k, part, at, m, vanished = 0, overflowed = 0
    for j in range(n):
        vanished += sums[j] < least
        overflowed += sums[j] == INFINITY
    for j in range(n):
        sums[j] = sqrt(sums[j])
    if real is float:
        return
    scaled.plain = False
    for k in range(2):
        large = k == 1
        if (overflowed if large else vanished) == 0:
            continue
        scaled.scale = SCALE_DOWN if large else SCALE_UP
        unscale = SCALE_UP if large else SCALE_DOWN
        for part in range(n_parts(n, STRIP)):  # a strip of more groups is of neighbouring ones
            at = part * STRIP
            m = min(n - at, <int>STRIP)
            sum_strip(again, layout, w + at, m, &scaled)
            for j in range(m):
                if sums[at + j] == INFINITY if large else sums[at + j] < LEAST_NORM:
                    sums[at + j] = sqrt(again[j]) * unscale


cdef struct Groups:            # those of a chunk
    Py_ssize_t start           # elements of the item in front of the chunk
    double[LOCAL_GROUPS] factors  # of a layout that is local


cdef inline void set_transform(Transform* transform, Item* item, real* _) noexcept nogil:
    """Let the members of a prox be soft-thresholded before they are squared, and others be left as they are."""
    transform.threshold = threshold_of(item, _)
    transform.scale = 1
    transform.plain = transform.threshold == 0


cdef void measure_local(Groups* groups, Job* job, Item* item, Py_ssize_t chunk, real* w, Py_ssize_t n) noexcept nogil:
    """Leave the factors of a chunk that holds its groups whole, and the sum of their values."""
    cdef Layout* layout
    cdef Transform transform
    cdef Py_ssize_t block, blocks, strip, offset, group
    cdef double* norms = groups.factors
    cdef int k, m
    cdef double value
    set_transform(&transform, item, w)
    for k in range(item.n_profiles):
        layout = item.profiles[k].layout
        if layout == NULL or not layout.local or not (job.measure or multiplies(item)):
            continue
        blocks = n // layout.block
        if layout.n_levels == 1:
            for strip in range(n_parts(blocks, STRIP)):
                group = strip * STRIP
                m = <int>min(blocks - group, <Py_ssize_t>STRIP)
                sum_strip(norms + group, layout, w + group * layout.block, m, &transform)
                to_norms(norms + group, layout, w + group * layout.block, m, &transform)
        else:
            for block in range(blocks):
                for strip in range(layout.n_strips):
                    m = strip_at(layout, strip, &offset, &group)
                    offset += block * layout.block
                    group += block * layout.groups
                    sum_strip(norms + group, layout, w + offset, m, &transform)
                    to_norms(norms + group, layout, w + offset, m, &transform)
        value = factors_of_groups(norms, blocks * layout.groups, layout, job.measure)
        if job.measure:
            item.profiles[k].partials[chunk - item.first_chunk] = value


cdef inline Py_ssize_t factors_at(
    double* room, Groups* groups, Layout* layout, Py_ssize_t i, Py_ssize_t n, double** found, bint* each
) noexcept nogil:
    """Find the factors of up to n elements, from the one on that lies i elements behind the chunk's first."""
    if layout.local:
        return find_factors(room, layout, groups.factors, i, n, found, each)
    return find_factors(room, layout, layout.factors, groups.start + i, n, found, each)


cdef void add_group_gradient(
    real* out, real* base, real* w, Py_ssize_t n, Layout* layout, Groups* groups, Py_ssize_t i
) noexcept nogil:
    cdef double[2 * BLOCK] room
    cdef double* factors
    cdef bint each
    cdef Py_ssize_t at = 0, m
    while at < n:
        m = factors_at(room, groups, layout, i + at, n - at, &factors, &each)
        if each:
            add_multiples(out + at, base + at, w + at, m, factors, True)
        else:
            add_multiples(out + at, base + at, w + at, m, factors, False)
        at += m


cdef void apply_group_prox(
    real* out, real* w, Py_ssize_t n, Layout* layout, Groups* groups, Py_ssize_t i, real threshold
) noexcept nogil:
    cdef double[2 * BLOCK] room
    cdef double* factors
    cdef real* source = out if threshold != 0 else w
    cdef bint each
    cdef Py_ssize_t at = 0, m
    while at < n:
        m = factors_at(room, groups, layout, i + at, n - at, &factors, &each)
        if threshold != 0:
            shrink_all(out + at, w + at, m, threshold)
        if each:
            multiply(out + at, source + at, m, factors, True)
        else:
            multiply(out + at, source + at, m, factors, False)
        at += m


# --------------------------------------------------------------------------------------- beside an update, block by block
cdef inline void prefetch_lines(void* start, Py_ssize_t n_bytes) noexcept nogil:
    """Ask for what a block reads or writes in one go: the hardware does not see it coming."""
    cdef Py_ssize_t line
    for line in range(n_bytes // 64):
        prefetch(<char*>start + 64 * line)


cdef void take_gradient(real* out, Item* item, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    """Form n given gradients in the dtype that the update computes in, from the element `at` on: widened, then scaled."""
    cdef void* base = <char*>item.base + at * size_of(item.base_format)
    cdef real factor = <real>item.base_scale
    cdef Py_ssize_t i
    prefetch_lines(<char*>base + n * size_of(item.base_format), n * size_of(item.base_format))  # of the next block
    if is_sixteen(item.base_format):
        widen_all(out, base, n, item.base_format)
        base = out
    if factor != 1:
        for i in range(n):
            out[i] = (<real*>base)[i] * factor
    elif base != out:
        memcpy(out, base, n * sizeof(real))


cdef void round_to_sixteen(void* out, Item* item, int format, real* w, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    """Round n new weights, the item's from `at` on, to 16 bits."""
    if item.stochastic:
        narrow_stochastic(out, w, n, format, item.key, at)
    else:
        narrow_all(out, w, n, format)


cdef inline void move_average(real* average, real* w, Py_ssize_t n, real rate) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        average[i] = average[i] + (w[i] - average[i]) * rate


cdef void follow_update(Job* job, Item* item, real* w, Py_ssize_t at, Py_ssize_t at_base, Py_ssize_t n) noexcept nogil:
    """Let average and copy follow new weights, the item's from `at` on, and clear the gradient that they were made with."""
    if item.average != NULL and not item.follows_later:
        move_average(<real*>item.average + at, w, n, <real>job.rule.average)
    if item.copy != NULL and not item.follows_later:
        round_to_sixteen(<uint16_t*>item.copy + at, item, item.copy_format, w, at, n)
    if item.clears:
        memset(<char*>item.base + at_base * size_of(item.base_format), 0, n * size_of(item.base_format))


# ------------------------------------------------------------------------------------------------ chunks, block by block
cdef inline void total_gradient(
    real* out, Streams* arrays, Py_ssize_t n, Item* item, real* base, Groups* groups, Py_ssize_t i
) noexcept nogil:
    """Form base (or 0, where it is NULL) plus the gradient of the item's profiles; out may be base."""
    cdef int k
    if base == NULL:
        memset(out, 0, n * sizeof(real))
        base = out
    for k in range(item.n_profiles):
        if item.profiles[k].layout != NULL:
            add_group_gradient(out, base, <real*>arrays.weights, n, item.profiles[k].layout, groups, i)
        else:
            add_profile_gradient(out, base, <real*>arrays.weights, n, &item.profiles[k], place(arrays, item, out))
        base = out


cdef void apply_own_prox(real* out, real* w, Py_ssize_t n, Item* item, Groups* groups, Py_ssize_t i) noexcept nogil:
    """Apply the prox of the item's only profile."""
    if item.profiles[0].layout != NULL:
        apply_group_prox(out, w, n, item.profiles[0].layout, groups, i, threshold_of(item, w))
    else:
        apply_profile_prox(out, w, n, item.rate, &item.profiles[0], w - <real*>item.weights)


cdef inline void add_to_sum(double* sum, double* lanes, int blocks, bint first) noexcept nogil:
    cdef double of_blocks = fold_blocks(lanes, blocks)
    sum[0] = of_blocks if first else sum[0] + of_blocks


cdef void process_by_block(
    Job* job, Item* item, Py_ssize_t chunk, Streams* arrays, Py_ssize_t n, real* buffer
) noexcept nogil:
    """Process a chunk of an item with profiles or of a mixed step, block by block: a block stays in the first-level cache."""
    cdef real[CONSTANTS] c
    cdef double[BLOCKS * LANES] lanes
    cdef Groups groups
    cdef Sums sums
    cdef Streams block
    cdef Py_ssize_t part, at, i, m, stop, first, size = block_size(buffer)
    cdef real* target
    cdef real* base
    cdef int k, j, blocks, operation = item.operation, kinds = kinds_of(item.l1, item.l2)
    cdef bint direct, own_prox = item.n_profiles and takes_l1(operation)
    round_constants(c, job, item)
    if own_prox:
        c[LOWER], c[UPPER] = -INFINITY, INFINITY  # until the prox is done
    first = place(arrays, item, buffer)
    groups.start = start_of(item, chunk)
    measure_local(&groups, job, item, chunk, <real*>arrays.weights, n)
    for part in range(n_parts(n, CHUNK)):
        at = part * CHUNK
        stop = min(n, at + CHUNK)
        sums.blocks = 0
        blocks = n_blocks(stop - at, buffer)
        for k in range(item.n_profiles if job.measure else 0):
            if item.profiles[k].layout == NULL:
                for j in range(blocks):
                    i = at + j * size
                    m = min(stop - i, size)
                    measure_profile(lanes + j * LANES, <real*>arrays.weights + i, m, &item.profiles[k], first + i)
                add_to_sum(&item.profiles[k].partials[chunk - item.first_chunk], lanes, blocks, at == 0)
        for j in range(blocks):
            i = at + j * size
            m = min(stop - i, size)
            advance(&block, arrays, i, c)
            target = <real*>block.out
            if job.stream:
                block.out = buffer
            if operation in (GRADIENT, ACCUMULATE):
                base = <real*>NULL if operation == GRADIENT else <real*>block.base
                direct = kinds == 0 and block.out != block.weights
                total_gradient(<real*>block.out if direct else buffer, &block, m, item, base, &groups, i)
                if not direct:
                    block.base = buffer
                    pass_operation(&sums, &block, m, c, <real*>NULL, kinds, ACCUMULATE)
            else:
                if item.mixed and is_update(operation):
                    take_gradient(buffer, item, groups.start + i, m)
                    if item.copy != NULL:
                        prefetch_lines(<uint16_t*>item.copy + first + i, m * sizeof(uint16_t))
                    block.base = buffer
                if item.n_profiles and operation not in (MEASURE, ASSIGN) and not own_prox:
                    total_gradient(buffer, &block, m, item, <real*>block.base, &groups, i)
                    block.base = buffer
                pass_operation(&sums, &block, m, c, <real*>NULL, kinds, operation)
                if item.bounded and operation == ASSIGN:
                    clamp(target, m, item.lower, item.upper)
            if job.stream:
                stream(<char*>target, <char*>buffer, m * sizeof(real))
            if own_prox and item.profiles[0].layout == NULL:
                if takes_prox(operation):
                    apply_profile_prox(<real*>block.weights, <real*>block.weights, m, item.rate, &item.profiles[0], first + i)
                else:
                    end_in_prox(<real*>block.weights, <real*>block.slots[0], m, c, &item.profiles[0], first + i, operation)
                if item.bounded:
                    clamp(<real*>block.weights, m, item.lower, item.upper)
            if item.mixed:
                follow_update(job, item, <real*>block.weights, first + i, groups.start + i, m)
        if job.measure and kinds & L1_KIND:
            add_to_sum(&job.absolute[chunk], sums.absolute, sums.blocks, at == 0)
        if job.measure and kinds & L2_KIND:
            add_to_sum(&job.square[chunk], sums.square, sums.blocks, at == 0)


cdef separate process_unmeasured(
    Job* job, Item* item, Py_ssize_t chunk, Streams* arrays, Py_ssize_t n, real* buffer
) noexcept nogil:
    """Form the gradient of a pair without its value, or a prox."""
    cdef Groups groups
    cdef Py_ssize_t part, i, m, size = block_size(buffer)
    cdef real* w = <real*>arrays.weights
    cdef real* base
    cdef real* out
    cdef real* target
    groups.start = start_of(item, chunk)
    measure_local(&groups, job, item, chunk, w, n)
    for part in range(n_parts(n, size)):
        i = part * size
        m = min(n - i, size)
        target = <real*>arrays.out + i
        out = buffer if job.stream else target
        if item.operation == GRADIENT or item.operation == ACCUMULATE:
            base = <real*>NULL if item.operation == GRADIENT else <real*>arrays.base + i
            pair_gradient(out, base, w + i, m, item.l1, item.l2)
        elif item.n_profiles:
            apply_own_prox(out, w + i, m, item, &groups, i)
        else:
            pair_prox(out, w + i, m, item.rate, item.l1, item.l2)
        if item.bounded:
            clamp(out, m, item.lower, item.upper)
        if job.stream:
            stream(<char*>target, <char*>buffer, m * sizeof(real))


cdef void process_chunk(Job* job, Item* item, Py_ssize_t chunk, real* buffer) noexcept nogil:
    """Do the item's operation on one of its chunks, and leave the chunk's sums in the job."""
    cdef Sums sums
    cdef real[CONSTANTS] c
    cdef Streams arrays
    cdef Py_ssize_t n = locate(item, chunk, &arrays, buffer)
    cdef int kinds = kinds_of(item.l1, item.l2)
    if (item.n_profiles or item.mixed) and item.operation != PROX:
        process_by_block(job, item, chunk, &arrays, n, buffer)
        return
    sums.blocks = 0
    if job.measure or is_update(item.operation) or item.operation == ASSIGN:
        if item.operation != MEASURE:
            round_constants(c, job, item)
        pass_operation(&sums, &arrays, n, c, buffer if job.stream else <real*>NULL, kinds, item.operation)
    else:
        process_unmeasured(job, item, chunk, &arrays, n, buffer)
    if item.bounded and item.operation == ASSIGN:
        clamp(<real*>arrays.out, n, item.lower, item.upper)
    if job.measure and kinds & L1_KIND:
        job.absolute[chunk] = fold_blocks(sums.absolute, sums.blocks)
    if job.measure and kinds & L2_KIND:
        job.square[chunk] = fold_blocks(sums.square, sums.blocks)


cdef separate process_sixteen(Job* job, Item* item, Py_ssize_t chunk, float* buffer) noexcept nogil:
    """Process a chunk of 16-bit weights: widen it in a cache, process what is widened, and round the result once."""
    cdef float[CHUNK] weights, out
    cdef Job inner = job[0]
    cdef Item widened = item[0]
    cdef Py_ssize_t start = start_of(item, chunk), n = min(item.size - start, item.chunk_size)
    cdef uint16_t* target = <uint16_t*>item.out + start
    cdef bint narrows = item.operation != MEASURE and is_sixteen(item.out_format)
    widen_all(weights, <uint16_t*>item.weights + start, n, item.weights_format)
    widened.weights = weights - start
    widened.weights_format = FLOAT32
    if narrows:
        inner.stream = False
        widened.out = out - start
        if item.operation == ACCUMULATE:
            widen_all(out, <uint16_t*>item.base + start, n, item.base_format)
            widened.base = widened.out
    process_chunk(&inner, &widened, chunk, buffer)
    if narrows and job.stream:
        narrow_all(<void*>weights, out, n, item.out_format)
        stream(<char*>target, <char*>weights, n * sizeof(uint16_t))
    elif narrows:
        narrow_all(target, out, n, item.out_format)


cdef inline void scale(real* x, Py_ssize_t n, double factor) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = <real>(x[i] * factor)


cdef void measure_chunk_gradient(Job* job, Item* item, Py_ssize_t chunk, real* buffer) noexcept nogil:
    """Leave the sum of squares of the total gradient: what is given plus the penalty's, as the rule will form and clip it."""
    cdef Sums sums
    cdef Groups groups
    cdef real[CONSTANTS] unused  # MEASURE reads none
    cdef Streams arrays, gradient
    cdef Py_ssize_t part, at, i, m, stop, size = block_size(buffer), n = locate(item, chunk, &arrays, buffer)
    cdef double l1 = 0 if takes_l1(item.operation) else item.l1
    cdef real* base
    cdef int j
    gradient.weights = gradient.base = gradient.out = buffer
    groups.start = start_of(item, chunk)
    measure_local(&groups, job, item, chunk, <real*>arrays.weights, n)
    for part in range(n_parts(n, CHUNK)):
        at = part * CHUNK
        stop = min(n, at + CHUNK)
        sums.blocks = 0
        for j in range(n_blocks(stop - at, buffer)):
            i = at + j * size
            m = min(stop - i, size)
            base = <real*>arrays.base + i
            if item.mixed:
                take_gradient(buffer, item, groups.start + i, m)
                base = buffer
            if item.n_profiles and not takes_l1(item.operation):
                advance(&gradient, &arrays, i, buffer)
                total_gradient(buffer, &gradient, m, item, base, &groups, i)
                gradient.weights = buffer
                base = buffer
            pair_gradient(buffer, base, <real*>arrays.weights + i, m, l1, item.l2)
            if job.rule.clip != 1:
                scale(buffer, m, job.rule.clip)
            pass_operation(&sums, &gradient, m, unused, <real*>NULL, L2_KIND, MEASURE)
        add_to_sum(&job.square[chunk], sums.square, sums.blocks, at == 0)


cdef void step_sixteen(Job* job, Item* item, Py_ssize_t chunk, bint of_gradient, float* buffer) noexcept nogil:
    """Measure the gradient of a chunk of 16-bit weights, or update them: they are widened in a cache, and rounded once."""
    cdef float[CHUNK] weights
    cdef Item widened = item[0]
    cdef Streams arrays
    cdef Py_ssize_t n = locate(item, chunk, &arrays, buffer), at = place(&arrays, item, buffer)
    cdef uint16_t* source = <uint16_t*>item.weights + at
    widen_all(weights, source, n, item.weights_format)
    widened.weights = weights - at
    if of_gradient:
        measure_chunk_gradient(job, &widened, chunk, buffer)
    else:
        process_chunk(job, &widened, chunk, buffer)
        round_to_sixteen(source, item, item.weights_format, weights, at, n)


# ------------------------------------------------------------------------------------------- groups that span chunks
cdef inline real* strip_of(Layout* layout, Py_ssize_t block, Py_ssize_t offset, real* _) noexcept nogil:
    """Return where a strip of a block begins in the item's weights."""
    cdef Item* item = <Item*>layout.item
    cdef Py_ssize_t start = block * layout.block
    if item.rows != NULL:
        start = item.rows[start // item.width] * item.width + start % item.width
    return <real*>item.weights + start + offset


cdef void finish_strip(
    Job* job, Layout* layout, Py_ssize_t block, Py_ssize_t strip, Py_ssize_t group, real* w, int n, Transform* transform
) noexcept nogil:
    """Replace the sums of a strip by its factors, and leave the sum of its values."""
    cdef double* sums = layout.factors + block * layout.groups + group
    cdef double value
    to_norms(sums, layout, w, n, transform)
    value = factors_of_groups(sums, n, layout, job.measure)
    if job.measure:
        layout.values[block * layout.n_strips + strip] = value


cdef void measure_task(Job* job, Layout* layout, Py_ssize_t task, real* _) noexcept nogil:
    """Sum one segment of the first level for one strip of groups."""
    cdef Py_ssize_t strip = task % layout.n_strips, of_block = task // layout.n_strips
    cdef Py_ssize_t segment = of_block % layout.n_segments, block = of_block // layout.n_segments, offset, group
    cdef int n = strip_at(layout, strip, &offset, &group)
    cdef double* sums = layout.factors if layout.n_segments == 1 else layout.sums
    cdef real* w = strip_of(layout, block, offset, _)
    cdef Transform transform
    set_transform(&transform, <Item*>layout.item, _)
    sum_segment_of_strip(sums + (block * layout.n_segments + segment) * layout.groups + group, layout, w, segment, n, &transform)
    if layout.n_segments == 1:
        finish_strip(job, layout, block, strip, group, w, n, &transform)


cdef void fold_task(Job* job, Layout* layout, Py_ssize_t task, real* _) noexcept nogil:
    """Add the segments of one strip of groups."""
    cdef Py_ssize_t strip = task % layout.n_strips, block = task // layout.n_strips, offset, group, segment
    cdef int j, n = strip_at(layout, strip, &offset, &group)
    cdef double* total = layout.factors + block * layout.groups + group
    cdef double* sums = layout.sums + block * layout.n_segments * layout.groups + group
    cdef Transform transform
    set_transform(&transform, <Item*>layout.item, _)
    for j in range(n):
        total[j] = 0
    for segment in range(layout.n_segments):
        add_all(total, sums + segment * layout.groups, n)
    finish_strip(job, layout, block, strip, group, strip_of(layout, block, offset, _), n, &transform)


# ---------------------------------------------------------------------------------------------------------------- tasks
cdef inline void walk(Job* job, Py_ssize_t start, Py_ssize_t stop, bint of_gradient) noexcept nogil:
    """Process the chunks start..stop-1, which may belong to several items."""
    cdef double[BLOCK] buffer
    cdef Py_ssize_t chunk, low = 0, high = job.n_items, middle
    cdef Item* item
    # The last item whose first chunk is not behind the first one here.
    while high - low > 1:
        middle = (low + high) // 2
        if job.items[middle].first_chunk <= start:
            low = middle
        else:
            high = middle
    for chunk in range(start, stop):
        while low + 1 < job.n_items and job.items[low + 1].first_chunk <= chunk:
            low += 1
        item = &job.items[low]
        if is_sixteen(item.weights_format) and is_update(item.operation):
            step_sixteen(job, item, chunk, of_gradient, <float*>buffer)
        elif of_gradient:
            if item.is_double:
                measure_chunk_gradient(job, item, chunk, buffer)
            else:
                measure_chunk_gradient(job, item, chunk, <float*>buffer)
        elif item.is_double:
            process_chunk(job, item, chunk, buffer)
        elif is_sixteen(item.weights_format):
            process_sixteen(job, item, chunk, <float*>buffer)
        else:
            process_chunk(job, item, chunk, <float*>buffer)
    if job.stream:
        stream_end()


cdef void process(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    walk(<Job*>job, start, stop, False)


cdef void measure_gradient(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    walk(<Job*>job, start, stop, True)


cdef void measure_groups(void* of_groups, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Job* job = <Job*>of_groups
    cdef Layout* layout = job.layouts
    cdef Py_ssize_t task
    for task in range(start, stop):
        while layout + 1 < job.layouts + job.n_layouts and (layout + 1).first_task <= task:
            layout += 1
        if (<Item*>layout.item).is_double:
            measure_task(job, layout, task - layout.first_task, <double*>NULL)
        else:
            measure_task(job, layout, task - layout.first_task, <float*>NULL)


cdef void fold_groups(void* of_groups, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Job* job = <Job*>of_groups
    cdef Layout* layout = job.layouts
    cdef Py_ssize_t task
    for task in range(start, stop):
        while layout + 1 < job.layouts + job.n_layouts and (layout + 1).first_fold <= task:
            layout += 1
        if (<Item*>layout.item).is_double:
            fold_task(job, layout, task - layout.first_fold, <double*>NULL)
        else:
            fold_task(job, layout, task - layout.first_fold, <float*>NULL)


cdef inline void narrow_by(Conversion* c, void* out, real* x, Py_ssize_t n, Py_ssize_t at) noexcept nogil:
    if c.stochastic:
        narrow_stochastic(out, x, n, c.to, c.key, at)
    else:
        narrow_all(out, x, n, c.to)


cdef void convert(void* conversion, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef Conversion* c = <Conversion*>conversion
    cdef Py_ssize_t at = start * CHUNK, n = min(stop * CHUNK, c.n) - at
    if c.to == FLOAT32:
        widen_all(<float*>c.out + at, <uint16_t*>c.x + at, n, c.format)
    elif c.to == FLOAT64:
        widen_all(<double*>c.out + at, <uint16_t*>c.x + at, n, c.format)
    elif c.format == FLOAT32:
        narrow_by(c, <uint16_t*>c.out + at, <float*>c.x + at, n, at)
    else:
        narrow_by(c, <uint16_t*>c.out + at, <double*>c.x + at, n, at)


cdef Kernel table
table.abi = ABI
table.process = process
table.measure_gradient = measure_gradient
table.measure_groups = measure_groups
table.fold_groups = fold_groups
table.convert = convert
kernel = PyCapsule_New(&table, "fastreg.kernel", NULL)
