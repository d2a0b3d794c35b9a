# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, freethreading_compatible=True
"""Loops over contiguous float32 and float64 buffers.

Floor 0: pointers, lengths and coefficients; no arrays, no names, no errors. setup.py compiles this file once for each
instruction set, under that set's module name. A module hands out one thing, the capsule `kernel` (`_abi.Kernel`).

How it is laid out, from the inside out:

    elements   sign, slope, shrink
    rows       what becomes of 32 elements            put_row, update_row
    lanes      sums by lane, rows put in the same pass, and the sums' folding    measure_chunk, update_chunk, fold_blocks
    blocks     element-wise loops over one block      penalty_gradient, prox
    chunks     choose among them                      process_chunk
    work       finds the items of a range of chunks   process

An operation is a composition, not a loop of its own: a row stays in registers while it is measured, its penalty's gradient is
formed, and the rule consumes it. So every rule takes every penalty, and memory is passed over once, all arrays abreast.

Bits. The element-wise loops do the same IEEE operations in the same order on every instruction set (contraction is off).
The sums are formed in float64 by a fixed shape. A block is 1024 elements of float32 or 512 of float64; its element i goes to lane
i mod 32, so a block is up to 32 or 16 rows of lanes. A lane adds its rows in order, float64 four at a time as (a+b)+(c+d). What
is missing at the end counts as 0. A chunk's blocks are folded lane by lane in a tree of neighbours, the odd one carried; then
its lanes in halves; then a tensor's chunks in a tree of neighbours. Neither threads nor alignment nor the vector length can be
seen in the result.

Runs are short because the weights of a layer can be equal: a running sum of n equal terms loses up to n/6 ulp to one-sided
rounding, 20 ulp for 128 of them. The square of a float32 has 48 bits, so 32 equal ones add up exactly; 4 groups of 4 float64
cost 0.7 ulp. Trees of equal terms cost nothing.
"""
from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport copysign, copysignf, fabs, fabsf, pow, powf, sqrt, sqrtf
from libc.string cimport memcpy, memset

from fastreg._abi cimport *

cdef extern from "_vector.h":
    const int FR_VECTOR                                # float64 elements of a vector
    const int FR_PASS_ONE
    const int FR_PASS_BOTH
    const int FR_WIDE_PASS_ONE
    const int FR_WIDE_PASS_BOTH
    ctypedef double vector "fr_vector"                 # opaque
    vector fr_zero() noexcept nogil
    vector fr_ones() noexcept nogil
    vector fr_widen(float* p) noexcept nogil
    vector fr_fetch(double* p) noexcept nogil
    void fr_keep(double* p, vector x) noexcept nogil
    vector fr_magnitude(vector x) noexcept nogil
    vector fr_plus(vector a, vector x) noexcept nogil
    vector fr_plus_float(vector a, vector x, vector ones) noexcept nogil
    vector fr_plus_exact_square(vector a, vector x) noexcept nogil
    const int FR_WIDE                                  # the same for rows of float64
    ctypedef double wide "fr_wide"
    wide fr_wide_zero() noexcept nogil
    wide fr_wide_fetch(double* p) noexcept nogil
    wide fr_wide_fetch_next(double* p) noexcept nogil
    void fr_wide_keep(double* p, wide x) noexcept nogil
    wide fr_wide_magnitude(wide x) noexcept nogil
    wide fr_wide_plus(wide a, wide x) noexcept nogil
    wide fr_wide_square(wide x) noexcept nogil
    void fr_stream(char* to, char* source, size_t n_bytes) noexcept nogil
    void fr_stream_end() noexcept nogil

ctypedef fused real:
    float
    double

cdef enum:
    LANES = 32
    BLOCK = 512                # float64 elements, or twice as many float32, whose sums the lanes form before they are folded
    BLOCKS = 8                 # at most, of a chunk


# ------------------------------------------------------------------------------------------------------------- elements
# What is not 0 in a penalty, and what becomes of its gradient. The functions that take `parts`, `action` or `operation` are
# called with literals, so that the compiler makes a loop without branches of each.
cdef enum:
    LASSO = 1
    RIDGE = 2

cdef enum:
    NOTHING
    WRITE
    ADD
    STREAM                 # write around the caches
    UPDATE                 # add to the given gradient, and let the rule consume it

cdef struct Sums:
    int blocks                       # taken in so far
    double[BLOCKS * LANES] absolute  # their lanes of |w|
    double[BLOCKS * LANES] square    # and of w**2

cdef struct Setting:
    double l1              # coefficients of the penalty
    double l2
    double strength        # what a proximal rule shrinks by: its own l1 and the penalty's
    double decay
    Rule rule


cdef inline real with_sign(real size, real w) noexcept nogil:
    """size at the sign of w, 0 at 0. Half the instructions of comparisons with 0 on both sides."""
    cdef real x
    if real is float:
        x = copysignf(size, w)
    else:
        x = copysign(size, w)
    return x if w != 0 else 0


cdef inline real signed(real size, real w) noexcept nogil:
    """size * numpy.sign(w) for a size of at least 0: 0 at 0, NaN at NaN."""
    cdef real x = with_sign(size, w)
    return x if w == w else w


cdef inline real root(real x) noexcept nogil:
    if real is float:
        return sqrtf(x)
    else:
        return sqrt(x)


cdef inline real magnitude(real x) noexcept nogil:
    if real is float:
        return fabsf(x)
    else:
        return fabs(x)


cdef inline real slope(real w, real l1, real l2, int parts) noexcept nogil:
    if parts == LASSO:
        return signed(l1, w)
    if parts == RIDGE:
        return l2 * w
    return with_sign(l1, w) + l2 * w  # NaN by its second term


cdef inline real shrink(real w, real threshold) noexcept nogil:
    """sign(w) * max(|w| - threshold, 0); NaN stays NaN."""
    cdef real rest = magnitude(w) - threshold
    return signed(0 if rest < 0 else rest, w)


cdef inline real raised(real x, real power) noexcept nogil:
    if real is float:
        return powf(x, power)
    else:
        return pow(x, power)


# ----------------------------------------------------------------------------------------------------------------- rows
# A row is up to LANES elements of each array, which stay in registers from the first read to the last store. Everything is
# computed into rows of its own before anything is stored, so the compiler need not ask which arrays are the same.
cdef inline void update_row(
    real* w,               # IN and OUT, width elements
    real* g,               # IN: the total gradient
    real* s0,              # IN and OUT: the rule's slots
    real* s1,
    real* s2,
    int width,
    Setting* setting,
    int operation,
) noexcept nogil:
    """One update rule, by the formulas of TensorFlow 1's training_ops.cc, in the weights' dtype as there."""
    cdef real[LANES] x, a, b, c
    cdef real rate = <real>setting.rule.rate, keep = <real>setting.rule.momentum, epsilon = <real>setting.rule.epsilon
    cdef real fresh1 = <real>(1 - setting.rule.beta1), fresh2 = <real>(1 - setting.rule.beta2)
    cdef real decay = <real>setting.decay, lasso = <real>setting.strength, ridge = <real>setting.rule.l2, one = 1
    cdef real threshold = <real>(setting.rule.rate * setting.strength)
    cdef real divisor = <real>(1 + setting.rule.rate * setting.rule.l2)
    cdef real ridge2 = <real>(2 * setting.rule.l2), shrinkage2 = <real>(2 * setting.rule.shrinkage)
    cdef real power = <real>setting.rule.power
    cdef int j
    for j in range(width):
        x[j] = w[j]
    if decay != 0:
        for j in range(width):
            x[j] = x[j] - decay * x[j]

    if operation == GRADIENT_DESCENT:
        for j in range(width):
            x[j] = x[j] - g[j] * rate
    elif operation == MOMENTUM:
        for j in range(width):
            a[j] = s0[j] * keep + g[j]
        if setting.rule.nesterov:
            for j in range(width):
                x[j] = x[j] - (g[j] * rate + a[j] * keep * rate)
        else:
            for j in range(width):
                x[j] = x[j] - a[j] * rate
    elif operation == ADAGRAD:
        for j in range(width):
            a[j] = s0[j] + g[j] * g[j]
            x[j] = x[j] - g[j] * rate / root(a[j])
    elif operation == RMSPROP:
        for j in range(width):
            a[j] = s0[j] + (g[j] * g[j] - s0[j]) * fresh1
        if setting.rule.centered:
            for j in range(width):
                c[j] = s2[j] + (g[j] - s2[j]) * fresh1
                b[j] = s1[j] * keep + g[j] * rate / root(a[j] - c[j] * c[j] + epsilon)
            for j in range(width):
                s2[j] = c[j]
        else:
            for j in range(width):
                b[j] = s1[j] * keep + g[j] * rate / root(a[j] + epsilon)
        for j in range(width):
            x[j] = x[j] - b[j]
    elif operation == ADAM:
        for j in range(width):
            a[j] = s0[j] + (g[j] - s0[j]) * fresh1
            b[j] = s1[j] + (g[j] * g[j] - s1[j]) * fresh2
            x[j] = x[j] - a[j] * rate / (root(b[j]) + epsilon)
    elif operation == PROXIMAL_GRADIENT_DESCENT:
        for j in range(width):
            x[j] = shrink(x[j] - g[j] * rate, threshold)
        if divisor != 1:
            for j in range(width):
                x[j] = x[j] / divisor
    elif operation == PROXIMAL_ADAGRAD:
        for j in range(width):
            a[j] = s0[j] + g[j] * g[j]
            b[j] = rate / root(a[j])
            x[j] = shrink(x[j] - g[j] * b[j], b[j] * lasso) / (one + b[j] * ridge)
    elif operation == FTRL:
        # a is the accumulator, b the linear slot, c a power of the accumulator; the usual power of 1/2 is a square root.
        for j in range(width):
            a[j] = s0[j] + g[j] * g[j]
        if setting.rule.power == 0.5:
            for j in range(width):
                c[j] = root(a[j])
                b[j] = s1[j] + (g[j] + shrinkage2 * x[j] - (c[j] - root(s0[j])) / rate * x[j])
        else:
            for j in range(width):
                c[j] = raised(a[j], power)
                b[j] = s1[j] + (g[j] + shrinkage2 * x[j] - (c[j] - raised(s0[j], power)) / rate * x[j])
        for j in range(width):
            x[j] = (signed(lasso, b[j]) - b[j]) / (c[j] / rate + ridge2) if magnitude(b[j]) > lasso else 0

    if operation not in (GRADIENT_DESCENT, PROXIMAL_GRADIENT_DESCENT):
        for j in range(width):
            s0[j] = a[j]
    if operation in (RMSPROP, ADAM, FTRL):
        for j in range(width):
            s1[j] = b[j]
    for j in range(width):
        w[j] = x[j]


cdef inline void put_row(
    real* w,
    real* base,
    real* out,
    real* s0,
    real* s1,
    real* s2,
    int width,
    Setting* setting,
    int parts,
    int action,
    int operation,
) noexcept nogil:
    cdef real[LANES] row
    cdef real l1 = <real>setting.l1, l2 = <real>setting.l2, clip = <real>setting.rule.clip
    cdef int j, smooth = parts
    if action == NOTHING:
        return
    if operation in (PROXIMAL_GRADIENT_DESCENT, PROXIMAL_ADAGRAD, FTRL):
        smooth = parts & RIDGE
    for j in range(width):
        if action == WRITE:
            row[j] = slope(w[j], l1, l2, smooth)
        elif smooth:
            row[j] = base[j] + slope(w[j], l1, l2, smooth)
        else:
            row[j] = base[j]
    if action == UPDATE:
        if clip != 1:
            for j in range(width):
                row[j] = row[j] * clip
        update_row(w, row, s0, s1, s2, width, setting, operation)
    else:
        for j in range(width):
            out[j] = row[j]


# ---------------------------------------------------------------------------------------------------------------- lanes
cdef inline void add_pair(wide* a, wide* s, double* w, int width, int parts) noexcept nogil:
    """The sums of two rows, row after row: the prefetcher loses a walk across the rows."""
    cdef wide x
    cdef int k
    for k in range(width // FR_WIDE):
        x = fr_wide_fetch_next(w + k * FR_WIDE)
        if parts & LASSO:
            a[k] = fr_wide_magnitude(x)
        if parts & RIDGE:
            s[k] = fr_wide_square(x)
    for k in range(width // FR_WIDE):
        x = fr_wide_fetch_next(w + LANES + k * FR_WIDE)
        if parts & LASSO:
            a[k] = fr_wide_plus(a[k], fr_wide_magnitude(x))
        if parts & RIDGE:
            s[k] = fr_wide_plus(s[k], fr_wide_square(x))


cdef inline void add_four(wide* a, wide* s, double* w, int width, int parts) noexcept nogil:
    """Add (a + b) + (c + d) of four rows to the sums."""
    cdef wide[LANES] a_ab, a_cd, s_ab, s_cd
    cdef int k
    add_pair(a_ab, s_ab, w, width, parts)
    add_pair(a_cd, s_cd, w + 2 * LANES, width, parts)
    for k in range(width // FR_WIDE):
        if parts & LASSO:
            a[k] = fr_wide_plus(a[k], fr_wide_plus(a_ab[k], a_cd[k]))
        if parts & RIDGE:
            s[k] = fr_wide_plus(s[k], fr_wide_plus(s_ab[k], s_cd[k]))


cdef inline void pass_rows(
    double* absolute,      # OUT: sums of |w|, the lanes from `first` on
    double* square,        # OUT: sums of w**2
    real* w,               # IN, groups of one row (float32) or four (float64) of LANES elements
    real* base,            # IN: what the gradient is added to
    real* out,             # OUT: the gradient; may be w or base
    real* s0,              # IN and OUT: slots of an update
    real* s1,
    real* s2,
    Py_ssize_t groups,
    Setting* setting,
    int first,
    int width,             # lanes; as many as keep the accumulators in registers
    int parts,
    int action,
    int operation,
) noexcept nogil:
    """Sum by lane and put the gradient, group by group: what one costs to compute hides behind the memory of the next."""
    cdef vector[LANES] a, s
    cdef wide[LANES] wide_a, wide_s
    cdef vector x, ones = fr_ones()
    cdef Py_ssize_t i, at
    cdef int k, _row
    for k in range(width // FR_VECTOR):
        a[k] = s[k] = fr_zero()
    for k in range(width // FR_WIDE):
        wide_a[k] = wide_s[k] = fr_wide_zero()
    for i in range(groups):
        if real is float:
            at = i * LANES + first
            for k in range(width // FR_VECTOR):
                if parts:
                    x = fr_widen(w + at + k * FR_VECTOR)
                if parts & LASSO:
                    x = fr_magnitude(x)
                    a[k] = fr_plus_float(a[k], x, ones)
                if parts & RIDGE:
                    s[k] = fr_plus_exact_square(s[k], x)
            put_row(w + at, base + at, out + at, s0 + at, s1 + at, s2 + at, width, setting, parts, action, operation)
        else:
            at = 4 * i * LANES + first
            if parts:
                add_four(wide_a, wide_s, w + at, width, parts)
            for _row in range(4):
                put_row(w + at, base + at, out + at, s0 + at, s1 + at, s2 + at, width, setting, parts, action, operation)
                at += LANES
    if real is float:
        for k in range(width // FR_VECTOR):
            if parts & LASSO:
                fr_keep(absolute + first + k * FR_VECTOR, a[k])
            if parts & RIDGE:
                fr_keep(square + first + k * FR_VECTOR, s[k])
    else:
        for k in range(width // FR_WIDE):
            if parts & LASSO:
                fr_wide_keep(absolute + first + k * FR_WIDE, wide_a[k])
            if parts & RIDGE:
                fr_wide_keep(square + first + k * FR_WIDE, wide_s[k])


cdef void pass_tail(
    double* absolute,
    double* square,
    real* w,
    real* base,
    real* out,
    real* s0,
    real* s1,
    real* s2,
    int n,
    Setting* setting,
    int parts,
    int action,
    int operation,
) noexcept nogil:
    """The rest that makes no group, as a group filled up with zeros, which change no sum. One function for all: it is short."""
    cdef real[4 * LANES] padded
    cdef vector x
    cdef wide[LANES] a, s
    cdef int j, k, at, group = LANES if real is float else 2 * LANES if n <= 2 * LANES else 4 * LANES
    memcpy(padded, w, n * sizeof(real))
    memset(padded + n, 0, (group - n) * sizeof(real))
    if real is float:
        for k in range(LANES // FR_VECTOR):
            at = k * FR_VECTOR
            x = fr_widen(padded + at)
            if parts & LASSO:
                fr_keep(absolute + at, fr_plus(fr_fetch(absolute + at), fr_magnitude(x)))
            if parts & RIDGE:
                fr_keep(square + at, fr_plus_exact_square(fr_fetch(square + at), x))
    else:
        if group == 2 * LANES:
            add_pair(a, s, padded, LANES, parts)
        else:
            for k in range(LANES // FR_WIDE):
                a[k] = s[k] = fr_wide_zero()
            add_four(a, s, padded, LANES, parts)
        for k in range(LANES // FR_WIDE):
            at = k * FR_WIDE
            if parts & LASSO:
                fr_wide_keep(absolute + at, fr_wide_plus(fr_wide_fetch(absolute + at), a[k]))
            if parts & RIDGE:
                fr_wide_keep(square + at, fr_wide_plus(fr_wide_fetch(square + at), s[k]))
    for j in range((n + LANES - 1) // LANES):
        at = j * LANES
        put_row(
            w + at, base + at, out + at, s0 + at, s1 + at, s2 + at, min(n - at, <int>LANES), setting, parts, action, operation
        )


cdef inline vector add_two_blocks(double* lanes) noexcept nogil:
    return fr_plus(fr_fetch(lanes), fr_fetch(lanes + LANES))


cdef inline vector add_four_blocks(double* lanes) noexcept nogil:
    return fr_plus(add_two_blocks(lanes), add_two_blocks(lanes + 2 * LANES))


cdef inline double fold_lanes(double* lanes, int blocks) noexcept nogil:
    """Fold 1, 2, 4 or 8 blocks, lane by lane, in a tree of neighbours; then the lanes in halves."""
    cdef vector[LANES] x
    cdef double[4] rest
    cdef double* at
    cdef int k
    for k in range(LANES // FR_VECTOR):
        at = lanes + k * FR_VECTOR
        if blocks == 1:
            x[k] = fr_fetch(at)
        elif blocks == 2:
            x[k] = add_two_blocks(at)
        elif blocks == 4:
            x[k] = add_four_blocks(at)
        else:
            x[k] = fr_plus(add_four_blocks(at), add_four_blocks(at + 4 * LANES))
    for k in range(16 // FR_VECTOR):
        x[k] = fr_plus(x[k], x[k + 16 // FR_VECTOR])
    for k in range(8 // FR_VECTOR):
        x[k] = fr_plus(x[k], x[k + 8 // FR_VECTOR])
    for k in range(4 // FR_VECTOR):
        fr_keep(rest + k * FR_VECTOR, fr_plus(x[k], x[k + 4 // FR_VECTOR]))
    return (rest[0] + rest[2]) + (rest[1] + rest[3])


cdef double fold_blocks(double* lanes, int blocks) noexcept nogil:
    """The sum of a chunk. A block that is missing counts as zeros, which change no sum."""
    if blocks == 1:
        return fold_lanes(lanes, 1)
    if blocks == 2:
        return fold_lanes(lanes, 2)
    memset(lanes + blocks * LANES, 0, (-blocks & 3) * LANES * sizeof(double))
    return fold_lanes(lanes, 4) if blocks <= 4 else fold_lanes(lanes, 8)


cdef inline void pass_chunk(
    Sums* sums,            # OUT: the blocks' lanes are added, of |w| if parts has LASSO, of w**2 if it has RIDGE
    real* w,               # IN, n elements, up to a chunk
    real* base,
    real* out,
    real* s0,
    real* s1,
    real* s2,
    Py_ssize_t n,
    Setting* given,
    real* buffer,          # a block, on its way around the caches
    int parts,
    int action,
    int operation,
) noexcept nogil:
    # A copy of its own, which no store to an array can change: the compiler keeps it in registers.
    cdef Setting setting = given[0]
    cdef int size = 2 * BLOCK if real is float else BLOCK
    cdef int group = LANES if real is float else 4 * LANES
    cdef int one = FR_PASS_ONE if real is float else FR_WIDE_PASS_ONE
    cdef int both = FR_PASS_BOTH if real is float else FR_WIDE_PASS_BOTH
    # Of a part of a row GCC makes scalar code where the rule is long.
    cdef int width = LANES if action == UPDATE else both if parts == LASSO + RIDGE else one
    cdef int block, j, m, full, put = WRITE if action == STREAM else action
    cdef Py_ssize_t i
    cdef double* absolute
    cdef double* square
    cdef real* target
    for block in range(<int>((n + size - 1) // size)):
        i = block * size
        m = <int>min(n - i, <Py_ssize_t>size)
        full = m & -group
        absolute = sums.absolute + sums.blocks * LANES
        square = sums.square + sums.blocks * LANES
        sums.blocks += 1
        target = buffer if action == STREAM else out + i
        for j in range(LANES // width):
            pass_rows(
                absolute, square, w + i, base + i, target, s0 + i, s1 + i, s2 + i, full // group, &setting, j * width, width,
                parts, put, operation,
            )
        if full < m:
            i += full
            pass_tail(
                absolute, square, w + i, base + i, target + full, s0 + i, s1 + i, s2 + i, m - full, &setting, parts, put,
                operation,
            )
        if action == STREAM:
            fr_stream(<char*>(out + block * size), <char*>buffer, m * sizeof(real))


cdef inline void pass_parts(
    Sums* sums,
    real* w,
    real* base,
    real* out,
    real* s0,
    real* s1,
    real* s2,
    Py_ssize_t n,
    Setting* setting,
    real* buffer,
    int action,
    int operation,
) noexcept nogil:
    """Decided by the coefficients as given: one that vanishes in float32 still counts in the value."""
    if setting.l1 != 0 and setting.l2 != 0:
        pass_chunk(sums, w, base, out, s0, s1, s2, n, setting, buffer, LASSO + RIDGE, action, operation)
    elif setting.l1 != 0:
        pass_chunk(sums, w, base, out, s0, s1, s2, n, setting, buffer, LASSO, action, operation)
    elif setting.l2 != 0:
        pass_chunk(sums, w, base, out, s0, s1, s2, n, setting, buffer, RIDGE, action, operation)
    elif action == UPDATE:
        pass_chunk(sums, w, base, out, s0, s1, s2, n, setting, buffer, 0, action, operation)
    elif action == WRITE or action == STREAM:
        memset(out, 0, n * sizeof(real))


cdef void measure_chunk(
    Sums* sums,            # OUT: of |w| if l1 is not 0, of w**2 if l2 is not 0
    real* w,               # IN, n elements
    real* out,             # OUT, or IN and OUT to ADD: the gradient; may be w
    Py_ssize_t n,
    Setting* setting,
    real* buffer,
    int action,
) noexcept nogil:
    """The sums of up to a chunk by lane and, in the same pass, its gradient."""
    if action == NOTHING:
        pass_parts(sums, w, w, w, w, w, w, n, setting, buffer, NOTHING, MEASURE)
    elif action == WRITE:
        pass_parts(sums, w, w, out, w, w, w, n, setting, buffer, WRITE, GRADIENT)
    elif action == ADD:
        pass_parts(sums, w, out, out, w, w, w, n, setting, buffer, ADD, ACCUMULATE)
    else:
        pass_parts(sums, w, w, out, w, w, w, n, setting, buffer, STREAM, GRADIENT)


cdef void update_chunk(
    Sums* sums,            # OUT, as above
    real* w,               # IN and OUT, n elements
    real* g,               # IN: the given gradient
    real* s0,              # IN and OUT: slots; w where the rule has none
    real* s1,
    real* s2,
    Py_ssize_t n,
    Setting* setting,
    Operation operation,
) noexcept nogil:
    """The sums of up to a chunk by lane and, in the same pass, its update."""
    if operation == GRADIENT_DESCENT:
        pass_parts(sums, w, g, w, s0, s1, s2, n, setting, w, UPDATE, GRADIENT_DESCENT)
    elif operation == MOMENTUM:
        pass_parts(sums, w, g, w, s0, s1, s2, n, setting, w, UPDATE, MOMENTUM)
    elif operation == ADAGRAD:
        pass_parts(sums, w, g, w, s0, s1, s2, n, setting, w, UPDATE, ADAGRAD)
    elif operation == RMSPROP:
        pass_parts(sums, w, g, w, s0, s1, s2, n, setting, w, UPDATE, RMSPROP)
    elif operation == ADAM:
        pass_parts(sums, w, g, w, s0, s1, s2, n, setting, w, UPDATE, ADAM)
    elif operation == PROXIMAL_GRADIENT_DESCENT:
        pass_parts(sums, w, g, w, s0, s1, s2, n, setting, w, UPDATE, PROXIMAL_GRADIENT_DESCENT)
    elif operation == PROXIMAL_ADAGRAD:
        pass_parts(sums, w, g, w, s0, s1, s2, n, setting, w, UPDATE, PROXIMAL_ADAGRAD)
    elif operation == FTRL:
        pass_parts(sums, w, g, w, s0, s1, s2, n, setting, w, UPDATE, FTRL)


# --------------------------------------------------------------------------------------------------------------- blocks
# Element-wise; an output may be one of the inputs, but overlaps none otherwise.
cdef inline void slopes(
    real* out,             # OUT, n elements
    real* base,            # IN if add
    real* w,               # IN
    Py_ssize_t n,
    real l1,
    real l2,
    int parts,
    bint add,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if add:
            out[i] = base[i] + slope(w[i], l1, l2, parts)
        else:
            out[i] = slope(w[i], l1, l2, parts)


cdef void penalty_gradient(
    real* out,             # OUT, n elements
    real* base,            # IN, what it is added to; NULL for nothing
    real* w,               # IN
    Py_ssize_t n,
    double l1,
    double l2,
) noexcept nogil:
    """A coefficient of 0 leaves its part out: 0 * inf would be NaN."""
    if base == NULL:
        if l1 == 0 and l2 == 0:
            memset(out, 0, n * sizeof(real))
        elif l1 == 0:
            slopes(out, base, w, n, <real>l1, <real>l2, RIDGE, False)
        elif l2 == 0:
            slopes(out, base, w, n, <real>l1, <real>l2, LASSO, False)
        else:
            slopes(out, base, w, n, <real>l1, <real>l2, LASSO + RIDGE, False)
    elif l1 == 0 and l2 == 0:
        if out != base:
            memcpy(out, base, n * sizeof(real))
    elif l1 == 0:
        slopes(out, base, w, n, <real>l1, <real>l2, RIDGE, True)
    elif l2 == 0:
        slopes(out, base, w, n, <real>l1, <real>l2, LASSO, True)
    else:
        slopes(out, base, w, n, <real>l1, <real>l2, LASSO + RIDGE, True)


cdef inline void shrink_all(real* out, real* w, Py_ssize_t n, real threshold, real divisor, bint divide) noexcept nogil:
    """Called with a literal `divide`: a division costs more than all the rest."""
    cdef Py_ssize_t i
    for i in range(n):
        if divide:
            out[i] = shrink(w[i], threshold) / divisor
        else:
            out[i] = shrink(w[i], threshold)


cdef void prox(
    real* out,             # OUT, n elements
    real* w,               # IN
    Py_ssize_t n,
    double step,
    double l1,
    double l2,
) noexcept nogil:
    cdef real threshold = <real>(step * l1), divisor = <real>(1 + step * l2)
    if divisor == 1:
        shrink_all(out, w, n, threshold, divisor, False)
    else:
        shrink_all(out, w, n, threshold, divisor, True)


# --------------------------------------------------------------------------------------------------------------- chunks
cdef inline real* at(void* data, Py_ssize_t i, real* otherwise) noexcept nogil:
    """Address of element i; `otherwise` where there is no such array."""
    return otherwise if data == NULL else <real*>data + i


cdef void put_block(Job* job, Item* item, real* buffer, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """A gradient that is not measured in the same pass, or a prox."""
    cdef real* w = at(item.weights, i, buffer)
    cdef real* target = at(item.out, i, buffer)
    cdef real* out = buffer if job.stream else target
    if job.operation == PROX:
        prox(out, w, n, job.rule.rate, item.l1, item.l2)
    else:
        penalty_gradient(out, target if job.operation == ACCUMULATE else <real*>NULL, w, n, item.l1, item.l2)
    if job.stream:
        fr_stream(<char*>target, <char*>buffer, n * sizeof(real))


cdef void process_chunk(Job* job, Item* item, Py_ssize_t chunk, real* buffer) noexcept nogil:
    """Measure and operate; leave the chunk's two sums in the job's partials."""
    cdef Sums sums
    cdef Py_ssize_t start = (chunk - item.first_chunk) * CHUNK, n = min(item.size - start, <Py_ssize_t>CHUNK), i, m
    cdef int block, action = NOTHING
    cdef int size = 2 * BLOCK if real is float else BLOCK
    cdef real* w = at(item.weights, start, buffer)
    cdef real* g = at(item.gradient, start, w)
    cdef Setting setting
    sums.blocks = 0
    setting.l1 = item.l1
    setting.l2 = item.l2
    if job.operation > TOTAL_NORM:
        setting.strength = job.rule.l1 + item.l1
        setting.decay = item.decay
        setting.rule = job.rule
        update_chunk(
            &sums, w, g, at(item.slots[0], start, w), at(item.slots[1], start, w), at(item.slots[2], start, w), n,
            &setting, job.operation,
        )
    elif job.measure:
        if job.operation == GRADIENT:
            action = STREAM if job.stream else WRITE
        elif job.operation == ACCUMULATE:
            action = ADD
        measure_chunk(&sums, w, at(item.out, start, w), n, &setting, buffer, action)
    else:
        for block in range(<int>((n + size - 1) // size)):
            i = block * size
            m = min(n - i, <Py_ssize_t>size)
            if job.operation == TOTAL_NORM:
                penalty_gradient(buffer, g + i, w + i, m, 0 if job.rule.proximal else item.l1, item.l2)
                setting.l1 = 0
                setting.l2 = 1
                measure_chunk(&sums, buffer, buffer, m, &setting, buffer, NOTHING)
            else:
                put_block(job, item, buffer, start + i, m)
    if wants_absolute(job, item):
        job.partials[chunk] = fold_blocks(sums.absolute, sums.blocks)
    if wants_square(job, item):
        job.partials[job.n_chunks + chunk] = fold_blocks(sums.square, sums.blocks)


cdef void process(void* task, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Process the chunks start..stop-1 of a job, which may belong to several items."""
    cdef Job* job = <Job*>task
    cdef double[BLOCK] buffer
    cdef Py_ssize_t chunk, low = 0, high = job.n_items, middle
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
        if job.items[low].is_double:
            process_chunk(job, &job.items[low], chunk, buffer)
        else:
            process_chunk(job, &job.items[low], chunk, <float*>buffer)
    if job.stream:
        fr_stream_end()


cdef Kernel table
table.process = process
kernel = PyCapsule_New(&table, "fastreg.kernel", NULL)
