# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, freethreading_compatible=True
"""Loops over contiguous float32 and float64 buffers, and the threads that share them out.

Floor 0: pointers, lengths and coefficients; no arrays, no names, no errors. setup.py compiles this file once for each
instruction set, under that set's module name. A module hands out one thing, the capsule `kernel` (`_abi.Kernel`).

How it is laid out, from the inside out:

    lanes      sums by lane, with the gradient in the same pass, and their folding   measure_chunk, fold_chunk, fold
    blocks     element-wise loops over one block      penalty_gradient, prox, one function for each update rule
    chunks     composes them while a block is in L1   process_chunk
    work       claims chunks until none is left       work
    threads    one region over all items of a job     run, and the team that helps it

An operation is a composition, not a loop of its own: a block of 512 elements stays in L1 while it is measured, its penalty's
gradient is formed, and the rule consumes it. So every rule takes every penalty, and memory is passed over once.

Bits. The element-wise loops do the same IEEE operations in the same order on every instruction set (contraction is off).
The sums are formed in float64 by a fixed shape. Element i of a block of 512 goes to lane i mod 32, so a block is up to 16 rows
of lanes; a lane adds its rows in order, float64 four at a time as (a+b)+(c+d). What is missing at the end counts as 0. A
chunk's 8 blocks are folded lane by lane in a tree of neighbours, the odd one carried; then its lanes in halves; then a
tensor's chunks in a tree of neighbours. Neither threads nor alignment nor the vector length can be seen in the result.

Runs are short because the weights of a layer can be equal: a running sum of n equal terms loses up to n/6 ulp to one-sided
rounding, 20 ulp in a block of 4096 with 128 terms a lane. 16 terms cost 2.7, which float32 results never show; 4 groups of 4
cost 0.7. Trees of equal terms cost nothing.
"""
from cpython.pycapsule cimport PyCapsule_New
from cython.parallel cimport prange
from libc.math cimport copysign, fabs, fabsf, pow, powf, sqrt, sqrtf

cdef extern from "<math.h>" nogil:
    float copysignf(float size, float sign) noexcept

from libc.string cimport memcpy, memset

from fastreg._abi cimport *

cdef extern from "_vector.h":
    const int FR_VECTOR                                # float64 elements of a vector
    const int FR_PASS_ONE
    const int FR_PASS_BOTH
    ctypedef double vector "fr_vector"                 # opaque
    vector fr_zero() noexcept nogil
    vector fr_ones() noexcept nogil
    vector fr_widen(float* p) noexcept nogil
    vector fr_widen_magnitude(float* p) noexcept nogil
    vector fr_fetch(double* p) noexcept nogil
    void fr_keep(double* p, vector x) noexcept nogil
    vector fr_magnitude(vector x) noexcept nogil
    vector fr_plus(vector a, vector x) noexcept nogil
    vector fr_plus_float(vector a, vector x, vector ones) noexcept nogil
    vector fr_square(vector x) noexcept nogil
    vector fr_plus_exact_square(vector a, vector x) noexcept nogil
    void fr_stream(char* to, char* source, size_t n_bytes) noexcept nogil
    void fr_stream_end() noexcept nogil

cdef extern from "_team.h":
    const bint FR_OPENMP
    const bint FR_TEAM
    int omp_get_max_threads() noexcept nogil
    Py_ssize_t fr_add(Py_ssize_t* value, Py_ssize_t change) noexcept nogil
    int fr_add_int(int* value, int change) noexcept nogil
    int fr_load(int* value) noexcept nogil
    void fr_store(int* value, int new) noexcept nogil
    int fr_swap(int* value, int new) noexcept nogil
    void fr_sleep(int* value, int seen) noexcept nogil
    void fr_wake(int* value, int sleepers) noexcept nogil
    ctypedef struct cpu_set_t:
        pass
    void fr_yield() noexcept nogil
    int fr_cpu() noexcept nogil
    void fr_home(cpu_set_t* home) noexcept nogil
    void fr_avoid(cpu_set_t* home, int cpu) noexcept nogil
    long long fr_nanoseconds() noexcept nogil
    void fr_pause() noexcept nogil

ctypedef fused real:
    float
    double

cdef enum:
    LANES = 32
    BLOCKS = CHUNK // BLOCK
    CLAIM_BYTES = 1 << 17      # what a thread takes at a time, so that a thread that is held up holds up little


# ------------------------------------------------------------------------------------------------------------- elements
# What is not 0 in a penalty, and what becomes of its gradient. The functions that take `parts` or `action` are called with
# literals, so that the compiler makes a loop without branches of each.
cdef enum:
    LASSO = 1
    RIDGE = 2

cdef enum:
    NOTHING
    WRITE
    ADD
    STREAM                 # write around the caches


cdef inline real signed(real size, real w) noexcept nogil:
    """size * numpy.sign(w) for a size of at least 0: 0 at 0, NaN at NaN. Half the instructions of three comparisons."""
    cdef real x
    if real is float:
        x = copysignf(size, w)
    else:
        x = copysign(size, w)
    x = x if w != 0 else 0
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
    return signed(l1, w) + l2 * w


# ---------------------------------------------------------------------------------------------------------------- lanes
cdef inline void put_row(
    real* w, real* base, real* out, real l1, real l2, int width, int parts, int action
) noexcept nogil:
    """By way of a row of its own, so that the compiler need not ask whether out is w or base."""
    cdef real[LANES] row
    cdef int j
    if action != NOTHING:
        for j in range(width):
            row[j] = slope(w[j], l1, l2, parts)
            if action == ADD:
                row[j] = base[j] + row[j]
        for j in range(width):
            out[j] = row[j]


cdef inline vector four(double* w, int part) noexcept nogil:
    """(a + b) + (c + d) of one vector of lanes in four rows."""
    cdef vector a = fr_fetch(w), b = fr_fetch(w + LANES), c = fr_fetch(w + 2 * LANES), d = fr_fetch(w + 3 * LANES)
    if part == LASSO:
        return fr_plus(fr_plus(fr_magnitude(a), fr_magnitude(b)), fr_plus(fr_magnitude(c), fr_magnitude(d)))
    return fr_plus(fr_plus(fr_square(a), fr_square(b)), fr_plus(fr_square(c), fr_square(d)))


cdef inline void pass_rows(
    double* absolute,      # OUT: sums of |w|, the lanes from `first` on
    double* square,        # OUT: sums of w**2
    real* w,               # IN, groups of one row (float32) or four (float64) of LANES elements
    real* base,            # IN to ADD: what the gradient is added to
    real* out,             # OUT: the gradient; may be w or base
    Py_ssize_t groups,
    real l1,
    real l2,
    int first,
    int width,             # lanes; as many as keep the accumulators in registers
    int parts,
    int action,
) noexcept nogil:
    """Sum by lane and put the gradient, group by group: what one costs to compute hides behind the memory of the next."""
    cdef vector[LANES] a, s
    cdef vector x, ones = fr_ones()
    cdef Py_ssize_t i, begin
    cdef int k, row
    for k in range(width // FR_VECTOR):
        a[k] = s[k] = fr_zero()
    for i in range(groups):
        if real is float:
            begin = i * LANES + first
            for k in range(width // FR_VECTOR):
                if parts & LASSO:
                    x = fr_widen_magnitude(w + begin + k * FR_VECTOR)
                    a[k] = fr_plus_float(a[k], x, ones)
                else:
                    x = fr_widen(w + begin + k * FR_VECTOR)
                if parts & RIDGE:
                    s[k] = fr_plus_exact_square(s[k], x)
            put_row(w + begin, base + begin, out + begin, l1, l2, width, parts, action)
        else:
            begin = 4 * i * LANES + first
            for k in range(width // FR_VECTOR):
                if parts & LASSO:
                    a[k] = fr_plus(a[k], four(w + begin + k * FR_VECTOR, LASSO))
                if parts & RIDGE:
                    s[k] = fr_plus(s[k], four(w + begin + k * FR_VECTOR, RIDGE))
            for row in range(4):
                put_row(w + begin, base + begin, out + begin, l1, l2, width, parts, action)
                begin += LANES
    for k in range(width // FR_VECTOR):
        if parts & LASSO:
            fr_keep(absolute + first + k * FR_VECTOR, a[k])
        if parts & RIDGE:
            fr_keep(square + first + k * FR_VECTOR, s[k])


cdef inline void pass_tail(
    double* absolute, double* square, real* w, real* base, real* out, int n, real l1, real l2, int parts, int action
) noexcept nogil:
    """The rest that makes no group, as a group filled up with zeros, which change no sum."""
    cdef real[4 * LANES] padded
    cdef double a, b, c, d
    cdef int j
    memset(padded, 0, sizeof(padded))
    memcpy(padded, w, n * sizeof(real))
    for j in range(LANES):
        a = padded[j]
        if real is float:
            if parts & LASSO:
                absolute[j] = absolute[j] + fabs(a)
            if parts & RIDGE:
                square[j] = square[j] + a * a
        else:
            b = padded[LANES + j]
            c = padded[2 * LANES + j]
            d = padded[3 * LANES + j]
            if parts & LASSO:
                absolute[j] = absolute[j] + ((fabs(a) + fabs(b)) + (fabs(c) + fabs(d)))
            if parts & RIDGE:
                square[j] = square[j] + ((a * a + b * b) + (c * c + d * d))
    for j in range((n + LANES - 1) // LANES):
        put_row(
            w + j * LANES, base + j * LANES, out + j * LANES, l1, l2, min(n - j * LANES, <int>LANES), parts, action
        )


cdef inline void pass_block(
    double* absolute,
    double* square,
    real* w,
    real* base,
    real* out,
    Py_ssize_t n,
    real l1,
    real l2,
    int parts,
    int action,
) noexcept nogil:
    cdef int group = LANES if real is float else 4 * LANES
    cdef int j, width = FR_PASS_BOTH if parts == LASSO + RIDGE else FR_PASS_ONE
    cdef Py_ssize_t full = n - n % group
    for j in range(LANES // width):
        pass_rows(absolute, square, w, base, out, n // group, l1, l2, j * width, width, parts, action)
    if full < n:
        pass_tail(absolute, square, w + full, base + full, out + full, <int>(n - full), l1, l2, parts, action)


cdef inline void pass_chunk(
    double* absolute,
    double* square,
    real* w,
    real* base,
    real* out,
    Py_ssize_t n,
    real l1,
    real l2,
    real* buffer,
    int parts,
    int action,
) noexcept nogil:
    cdef Py_ssize_t i, m
    cdef int block
    for block in range(<int>((n + BLOCK - 1) // BLOCK)):
        i = block * BLOCK
        m = min(n - i, <Py_ssize_t>BLOCK)
        if action == STREAM:
            pass_block(absolute + block * LANES, square + block * LANES, w + i, w, buffer, m, l1, l2, parts, WRITE)
            fr_stream(<char*>(out + i), <char*>buffer, m * sizeof(real))
        else:
            pass_block(
                absolute + block * LANES, square + block * LANES, w + i, base + i, out + i, m, l1, l2, parts, action
            )


cdef inline void pass_parts(
    double* absolute,
    double* square,
    real* w,
    real* base,
    real* out,
    Py_ssize_t n,
    real l1,
    real l2,
    real* buffer,
    int parts,
    int action,
) noexcept nogil:
    if action == NOTHING:
        pass_chunk(absolute, square, w, w, w, n, l1, l2, buffer, parts, NOTHING)
    elif action == WRITE:
        pass_chunk(absolute, square, w, w, out, n, l1, l2, buffer, parts, WRITE)
    elif action == ADD:
        pass_chunk(absolute, square, w, base, out, n, l1, l2, buffer, parts, ADD)
    else:
        pass_chunk(absolute, square, w, w, out, n, l1, l2, buffer, parts, STREAM)


cdef void measure_chunk(
    double* absolute,      # OUT, LANES sums of |w| for each block, if l1 is not 0
    double* square,        # OUT, LANES sums of w**2 for each block, if l2 is not 0
    real* w,               # IN, n elements
    real* base,            # IN to ADD: what the gradient is added to
    real* out,             # OUT: the gradient; may be w or base
    Py_ssize_t n,
    double l1,
    double l2,
    real* buffer,          # a block, on its way around the caches
    int action,
) noexcept nogil:
    """The sums of up to a chunk by lane and, in the same pass, its gradient."""
    if l1 != 0 and l2 != 0:
        pass_parts(absolute, square, w, base, out, n, <real>l1, <real>l2, buffer, LASSO + RIDGE, action)
    elif l1 != 0:
        pass_parts(absolute, square, w, base, out, n, <real>l1, <real>l2, buffer, LASSO, action)
    elif l2 != 0:
        pass_parts(absolute, square, w, base, out, n, <real>l1, <real>l2, buffer, RIDGE, action)
    elif action == WRITE or action == STREAM:
        memset(out, 0, n * sizeof(real))
    elif action == ADD and out != base:
        memcpy(out, base, n * sizeof(real))


cdef double fold_chunk(double* lanes, int blocks) noexcept nogil:
    """Fold the blocks' lanes, lane by lane, in a tree of neighbours; then the lanes in halves."""
    cdef double* left
    cdef int i, j, k
    while blocks > 1:
        for i in range(blocks // 2):
            left = lanes + 2 * i * LANES
            for k in range(LANES // FR_VECTOR):
                fr_keep(
                    lanes + i * LANES + k * FR_VECTOR,
                    fr_plus(fr_fetch(left + k * FR_VECTOR), fr_fetch(left + LANES + k * FR_VECTOR)),
                )
        if blocks % 2:
            memcpy(lanes + blocks // 2 * LANES, lanes + (blocks - 1) * LANES, LANES * sizeof(double))
        blocks = (blocks + 1) // 2
    for j in range(16):
        lanes[j] = lanes[j] + lanes[j + 16]
    for j in range(8):
        lanes[j] = lanes[j] + lanes[j + 8]
    for j in range(4):
        lanes[j] = lanes[j] + lanes[j + 4]
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])


cdef double fold(double* sums, Py_ssize_t n) noexcept nogil:
    """Fold n sums in place in a tree of neighbours; an odd last one is carried up."""
    cdef Py_ssize_t i
    if n == 0:
        return 0.0
    while n > 1:
        for i in range(n // 2):
            sums[i] = sums[2 * i] + sums[2 * i + 1]
        if n % 2:
            sums[n // 2] = sums[n - 1]
        n = (n + 1) // 2
    return sums[0]


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


cdef inline real shrink(real w, real threshold) noexcept nogil:
    """sign(w) * max(|w| - threshold, 0); NaN stays NaN."""
    cdef real rest = magnitude(w) - threshold
    return signed(0 if rest < 0 else rest, w)


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


cdef void multiply(
    real* out,             # OUT, n elements
    real* x,               # IN
    Py_ssize_t n,
    real factor,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = x[i] * factor


cdef void decay_weights(real* w, Py_ssize_t n, real decay) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        w[i] = w[i] - decay * w[i]


# Update rules, by the formulas of TensorFlow 1's training_ops.cc. All arithmetic is in the weights' dtype, as there.
# w and the slots are IN and OUT, g is IN: the total gradient.
cdef void gradient_descent(real* w, real* g, Py_ssize_t n, Rule* rule) noexcept nogil:
    cdef real rate = <real>rule.rate
    cdef Py_ssize_t i
    for i in range(n):
        w[i] = w[i] - g[i] * rate


cdef void momentum(real* w, real* g, real* m, Py_ssize_t n, Rule* rule) noexcept nogil:
    cdef real rate = <real>rule.rate, keep = <real>rule.momentum
    cdef Py_ssize_t i
    if rule.nesterov:
        for i in range(n):
            m[i] = m[i] * keep + g[i]
            w[i] = w[i] - (g[i] * rate + m[i] * keep * rate)
    else:
        for i in range(n):
            m[i] = m[i] * keep + g[i]
            w[i] = w[i] - m[i] * rate


cdef void adagrad(real* w, real* g, real* a, Py_ssize_t n, Rule* rule) noexcept nogil:
    cdef real rate = <real>rule.rate
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = a[i] + g[i] * g[i]
        w[i] = w[i] - g[i] * rate / root(a[i])


cdef void rmsprop(real* w, real* g, real* s, real* m, real* c, Py_ssize_t n, Rule* rule) noexcept nogil:
    cdef real rate = <real>rule.rate, keep = <real>rule.momentum, epsilon = <real>rule.epsilon
    cdef real fresh = <real>(1 - rule.beta1)
    cdef Py_ssize_t i
    if rule.centered:
        for i in range(n):
            s[i] = s[i] + (g[i] * g[i] - s[i]) * fresh
            c[i] = c[i] + (g[i] - c[i]) * fresh
            m[i] = m[i] * keep + g[i] * rate / root(s[i] - c[i] * c[i] + epsilon)
            w[i] = w[i] - m[i]
    else:
        for i in range(n):
            s[i] = s[i] + (g[i] * g[i] - s[i]) * fresh
            m[i] = m[i] * keep + g[i] * rate / root(s[i] + epsilon)
            w[i] = w[i] - m[i]


cdef void adam(real* w, real* g, real* m, real* v, Py_ssize_t n, Rule* rule) noexcept nogil:
    cdef real rate = <real>rule.rate, epsilon = <real>rule.epsilon
    cdef real fresh1 = <real>(1 - rule.beta1), fresh2 = <real>(1 - rule.beta2)
    cdef Py_ssize_t i
    for i in range(n):
        m[i] = m[i] + (g[i] - m[i]) * fresh1
        v[i] = v[i] + (g[i] * g[i] - v[i]) * fresh2
        w[i] = w[i] - m[i] * rate / (root(v[i]) + epsilon)


cdef void proximal_gradient_descent(real* w, real* g, Py_ssize_t n, Rule* rule, double l1) noexcept nogil:
    cdef real rate = <real>rule.rate, threshold = <real>(rule.rate * l1), divisor = <real>(1 + rule.rate * rule.l2)
    cdef Py_ssize_t i
    for i in range(n):
        w[i] = shrink(w[i] - g[i] * rate, threshold) / divisor


cdef void proximal_adagrad(real* w, real* g, real* a, Py_ssize_t n, Rule* rule, double l1) noexcept nogil:
    cdef real rate = <real>rule.rate, lasso = <real>l1, ridge = <real>rule.l2, one = 1, step
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = a[i] + g[i] * g[i]
        step = rate / root(a[i])
        w[i] = shrink(w[i] - g[i] * step, step * lasso) / (one + step * ridge)


cdef inline real raised(real x, real power) noexcept nogil:
    if real is float:
        return powf(x, power)
    else:
        return pow(x, power)


cdef inline void ftrl_element(
    real* w, real* g, real* a, real* z, real grown, real before, real after, real rate, real lasso, real ridge2, real shrinkage2,
) noexcept nogil:
    cdef real shrunk = g[0] + shrinkage2 * w[0]
    z[0] = z[0] + (shrunk - (after - before) / rate * w[0])
    a[0] = grown
    w[0] = (signed(lasso, z[0]) - z[0]) / (after / rate + ridge2) if magnitude(z[0]) > lasso else 0


cdef void ftrl(real* w, real* g, real* a, real* z, Py_ssize_t n, Rule* rule, double l1) noexcept nogil:
    """a is the accumulator, z the linear slot. The usual power of 1/2 is a square root."""
    cdef real rate = <real>rule.rate, lasso = <real>l1, ridge2 = <real>(2 * rule.l2), shrinkage2 = <real>(2 * rule.shrinkage)
    cdef real power = <real>rule.power, grown
    cdef Py_ssize_t i
    if rule.power == 0.5:
        for i in range(n):
            grown = a[i] + g[i] * g[i]
            ftrl_element(&w[i], &g[i], &a[i], &z[i], grown, root(a[i]), root(grown), rate, lasso, ridge2, shrinkage2)
    else:
        for i in range(n):
            grown = a[i] + g[i] * g[i]
            ftrl_element(&w[i], &g[i], &a[i], &z[i], grown, raised(a[i], power), raised(grown, power), rate, lasso, ridge2,
                         shrinkage2)


# --------------------------------------------------------------------------------------------------------------- chunks
cdef inline real* at(void* data, Py_ssize_t i, real* kind) noexcept nogil:
    """Address of element i, or NULL; `kind` only names the type."""
    return NULL if data == NULL else <real*>data + i


cdef void update_block(
    Job* job, Item* item, double* absolute, double* square, real* buffer, Py_ssize_t i, Py_ssize_t n
) noexcept nogil:
    """Measure a block, form its total gradient, and let the rule consume it. TOTAL_NORM measures the total gradient instead."""
    cdef Rule* rule = &job.rule
    cdef real* w = at(item.weights, i, buffer)
    cdef real* g = at(item.gradient, i, buffer)
    cdef real* s0 = at(item.slots[0], i, buffer)
    cdef real* s1 = at(item.slots[1], i, buffer)
    cdef real* s2 = at(item.slots[2], i, buffer)
    cdef double l1 = 0 if rule.proximal else item.l1, strength = rule.l1 + item.l1

    if job.measure and l1 == item.l1:
        measure_chunk(absolute, square, w, g, buffer, n, l1, item.l2, buffer, ADD)
        g = buffer
    else:
        if job.measure:
            measure_chunk(absolute, square, w, g, buffer, n, item.l1, item.l2, buffer, NOTHING)
        if l1 != 0 or item.l2 != 0:
            penalty_gradient(buffer, g, w, n, l1, item.l2)
            g = buffer
    if job.operation == TOTAL_NORM:
        measure_chunk(absolute, square, g, g, g, n, 0, 1, buffer, NOTHING)
        return
    if rule.clip != 1:
        multiply(buffer, g, n, <real>rule.clip)
        g = buffer
    if item.decay != 0:
        decay_weights(w, n, <real>item.decay)

    if job.operation == GRADIENT_DESCENT:
        gradient_descent(w, g, n, rule)
    elif job.operation == MOMENTUM:
        momentum(w, g, s0, n, rule)
    elif job.operation == ADAGRAD:
        adagrad(w, g, s0, n, rule)
    elif job.operation == RMSPROP:
        rmsprop(w, g, s0, s1, s2, n, rule)
    elif job.operation == ADAM:
        adam(w, g, s0, s1, n, rule)
    elif job.operation == PROXIMAL_GRADIENT_DESCENT:
        proximal_gradient_descent(w, g, n, rule, strength)
    elif job.operation == PROXIMAL_ADAGRAD:
        proximal_adagrad(w, g, s0, n, rule, strength)
    elif job.operation == FTRL:
        ftrl(w, g, s0, s1, n, rule, strength)


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
    cdef double[BLOCKS * LANES] absolute, square
    cdef bint lasso = job.measure and item.l1 != 0, ridge = job.measure and item.l2 != 0 or job.operation == TOTAL_NORM
    cdef Py_ssize_t start = (chunk - item.first_chunk) * CHUNK, n = min(item.size - start, <Py_ssize_t>CHUNK), i, m
    cdef int block, blocks = <int>((n + BLOCK - 1) // BLOCK), action = NOTHING
    cdef real* w = at(item.weights, start, buffer)
    cdef real* out = at(item.out, start, buffer)
    if job.measure and job.operation <= ACCUMULATE:
        if job.operation == GRADIENT:
            action = STREAM if job.stream else WRITE
        elif job.operation == ACCUMULATE:
            action = ADD
        measure_chunk(absolute, square, w, out, out, n, item.l1, item.l2, buffer, action)
    else:
        for block in range(blocks):
            i = start + block * BLOCK
            m = min(n - block * BLOCK, <Py_ssize_t>BLOCK)
            if job.operation <= PROX:
                put_block(job, item, buffer, i, m)
            else:
                update_block(job, item, absolute + block * LANES, square + block * LANES, buffer, i, m)
    job.partials[chunk] = fold_chunk(absolute, blocks) if lasso else 0.0
    job.partials[job.n_chunks + chunk] = fold_chunk(square, blocks) if ridge else 0.0


# ----------------------------------------------------------------------------------------------------------------- work
cdef void work(Job* job, int me) noexcept nogil:
    """Claim chunks and process them until none is left. Any number of threads may be at it, from any moment on.

    Each begins in the region of its own number, which is the same memory at the next call and so may still be in its cache,
    and then helps in the others'.
    """
    cdef float[BLOCK] float_buffer
    cdef double[BLOCK] double_buffer
    cdef Py_ssize_t chunk, stop, low, high, middle
    cdef Region* region
    cdef int i
    for i in range(job.n_regions):
        region = &job.regions[(me + i) % job.n_regions]
        low = 0
        while True:
            chunk = fr_add(&region.next_chunk, job.claim)
            if chunk >= region.stop:
                break
            stop = min(chunk + job.claim, region.stop)
            # The last item whose first chunk is not behind this one. A region's claims only grow: search from the last find.
            high = job.n_items
            while high - low > 1:
                middle = (low + high) // 2
                if job.items[middle].first_chunk <= chunk:
                    low = middle
                else:
                    high = middle
            while chunk < stop:
                while low + 1 < job.n_items and job.items[low + 1].first_chunk <= chunk:
                    low += 1
                if job.items[low].is_double:
                    process_chunk(job, &job.items[low], chunk, double_buffer)
                else:
                    process_chunk(job, &job.items[low], chunk, float_buffer)
                chunk += 1
    if job.stream:
        fr_stream_end()


cdef void divide(Job* job, int threads) noexcept nogil:
    """Cut the chunks into a region for each thread, and decide how many a thread claims at a time."""
    cdef int i
    cdef Py_ssize_t claim = CLAIM_BYTES * job.n_chunks // (job.n_bytes + 1)
    job.n_regions = min(threads, <int>REGIONS)
    for i in range(job.n_regions):
        job.regions[i].next_chunk = job.n_chunks * i // job.n_regions
        job.regions[i].stop = job.n_chunks * (i + 1) // job.n_regions
    job.claim = job.n_chunks if threads == 1 else max(<Py_ssize_t>1, min(claim, job.n_chunks // (8 * threads)))


# -------------------------------------------------------------------------------------------------------------- threads
# The team. `serve` keeps OpenMP's threads in one long region; each helper sleeps on a futex until a job is announced. The
# caller starts at once and shares the chunks with whoever comes; at the end it waits only for helpers that are inside a
# chunk, never for one that is still waking up. So a late helper costs nothing, and no barrier makes everyone wait for it.
#
# A helper enters `active` before it asks whether its number has a seat, and the caller takes the seats away before it looks at
# `active`; with sequentially consistent operations either the helper finds no seat or the caller sees the helper. Only then
# may the job go.
cdef struct Team:
    int announced          # futex: changes with every job
    int[15] pad0           # each on a cache line of its own
    int seats              # helpers up to this number may join; 0 when there is no job
    int[15] pad1
    int active             # helpers between entering and leaving
    int[15] pad2
    int sleepers
    int[15] pad3
    int busy               # a caller has the team
    int cpu                # the processor that it runs on
    int helpers
    int dismissed
    Job* job

cdef Team team

cdef enum:
    # A helper that has just worked looks out for this long before it sleeps: a tight loop finds it awake, and BLAS, which
    # comes next in a training step, gets the core back soon.
    LOOKOUT = 50_000       # ns
    AWAKE_GRAIN = 1 << 16  # bytes a thread, when helpers are awake
    ASLEEP_GRAIN = 1 << 18 # bytes of a job for which waking them pays


cdef void help() noexcept nogil:
    cdef int me = fr_add_int(&team.helpers, 1) + 1, seen = 0, i
    cdef int avoided = -1
    cdef cpu_set_t home
    cdef long long deadline
    fr_home(&home)
    while not fr_load(&team.dismissed):
        deadline = fr_nanoseconds() + LOOKOUT
        while fr_load(&team.announced) == seen and fr_nanoseconds() < deadline:
            for i in range(32):
                fr_pause()
        if fr_load(&team.announced) == seen:
            fr_add_int(&team.sleepers, 1)
            while fr_load(&team.announced) == seen:
                fr_sleep(&team.announced, seen)
            fr_add_int(&team.sleepers, -1)
        seen = fr_load(&team.announced)
        fr_add_int(&team.active, 1)
        if me <= fr_load(&team.seats):
            work(team.job, me)
        fr_add_int(&team.active, -1)
        # Where BLAS's threads spin on every other processor, Linux wakes a helper on the caller's, and the caller waits.
        if avoided != team.cpu:
            avoided = team.cpu
            fr_avoid(&home, avoided)
    fr_add_int(&team.helpers, -1)


cdef void serve(int helpers) noexcept nogil:
    """Lend this thread's OpenMP region to the team until it is dismissed. Thread 0 keeps out of the way of the caller's core."""
    cdef int i
    for i in prange(helpers + 1, num_threads=helpers + 1, schedule="static", chunksize=1):
        if i > 0:
            help()
        else:
            while not fr_load(&team.dismissed):
                fr_sleep(&team.dismissed, 0)


cdef void dismiss() noexcept nogil:
    fr_store(&team.dismissed, 1)
    fr_add_int(&team.announced, 1)
    fr_wake(&team.announced, 1 << 30)
    fr_wake(&team.dismissed, 1 << 30)


cdef int hands(Job* job, int allowed) noexcept nogil:
    """How many threads this job is worth, the caller among them."""
    cdef Py_ssize_t worth = (job.n_bytes + AWAKE_GRAIN - 1) // AWAKE_GRAIN
    cdef int helpers = fr_load(&team.helpers)
    if FR_TEAM:
        if fr_load(&team.sleepers) >= helpers and job.n_bytes < ASLEEP_GRAIN:
            return 1
        allowed = min(allowed, helpers + 1)
    return <int>min(<Py_ssize_t>allowed, worth)


cdef void run(Job* job, int allowed) noexcept nogil:
    """Do the job with up to `allowed` threads, and leave each item's two sums in it."""
    cdef int threads = 1, spins = 0, i
    cdef Py_ssize_t k, first, count
    if allowed > 1 and job.n_chunks > 1:
        threads = hands(job, allowed)
    if threads > 1 and FR_TEAM and fr_swap(&team.busy, 1):
        threads = 1
    divide(job, threads)
    if threads == 1:
        work(job, 0)
    elif FR_TEAM:
        team.job = job
        team.cpu = fr_cpu()
        fr_store(&team.seats, threads - 1)
        fr_add_int(&team.announced, 1)
        if fr_load(&team.sleepers) > 0:
            fr_wake(&team.announced, 1 << 30)
        work(job, 0)
        fr_store(&team.seats, 0)
        while fr_load(&team.active) > 0:
            fr_pause()
            spins += 1
            if spins % 1024 == 0:
                fr_yield()
        fr_store(&team.busy, 0)
    else:
        for i in prange(threads, num_threads=threads, schedule="static", chunksize=1):
            work(job, i)
    for k in range(job.n_items):
        first = job.items[k].first_chunk
        count = (job.items[k].size + CHUNK - 1) // CHUNK
        job.items[k].absolute_sum = fold(&job.partials[first], count)
        job.items[k].square_sum = fold(&job.partials[job.n_chunks + first], count)


cdef int max_threads() noexcept nogil:
    return omp_get_max_threads()


cdef Kernel table
table.run = run
table.max_threads = max_threads
table.serve = serve
table.dismiss = dismiss
table.openmp = FR_OPENMP
table.team = FR_TEAM
kernel = PyCapsule_New(&table, "fastreg.kernel", NULL)
