# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, freethreading_compatible=True
"""Loops over contiguous float32 and float64 buffers, and the threads that share them out.

Floor 0: pointers, lengths and coefficients; no arrays, no names, no errors. setup.py compiles this file once for each
instruction set, under that set's module name. A module hands out one thing, the capsule `kernel` (`_abi.Kernel`).

How it is laid out, from the inside out:

    lanes      sums of one block                      absolute_sum, square_sum
    blocks     element-wise loops over one block      penalty_gradient, prox, one function for each update rule
    chunks     composes them while a block is in L1   measure_chunk, process_chunk
    work       claims chunks until none is left       work
    threads    one region over all items of a job     run, and the team that helps it

An operation is a composition, not a loop of its own: a block of 512 elements stays in L1 while it is measured, its penalty's
gradient is formed, and the rule consumes it. So every rule takes every penalty, and memory is passed over once.

Bits. The element-wise loops do the same IEEE operations in the same order on every instruction set (contraction is off).
The sums are formed in float64 by a fixed shape: element i of a block goes to lane i mod 32, in order, the tail too; the lanes
are folded in halves; block sums are folded in a tree of neighbours, the odd one carried. A chunk is 8 blocks, a power of
two, so folding chunk by chunk is the same tree. Neither threads nor alignment can be seen in the result.

A lane adds at most 16 terms. An n-fold sum of equal terms loses up to n/6 ulp to one-sided rounding, and every weight of a
layer can be equal: 128 terms a lane (blocks of 4096) cost 20 ulp in the worst case, 16 cost 2.7.
"""
from cpython.pycapsule cimport PyCapsule_New
from cython.parallel cimport prange
from libc.math cimport fabs, fabsf, pow, powf, sqrt, sqrtf
from libc.string cimport memcpy, memset

from fastreg._abi cimport *

cdef extern from *:
    """
    #include <string.h>
    #ifdef _OPENMP
    #include <omp.h>
    #define FR_OPENMP 1
    #else
    #define FR_OPENMP 0
    #define omp_get_max_threads() 1
    #endif

    #if defined(_MSC_VER)
    #include <intrin.h>
    #define fr_add(p, v) _InterlockedExchangeAdd64((volatile __int64*)(p), (v))
    #else
    #define fr_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
    #endif

    /* The team sleeps on a futex; elsewhere a job opens an OpenMP region of its own. */
    #if FR_OPENMP && defined(__linux__)
    #define FR_TEAM 1
    #include <linux/futex.h>
    #include <sched.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    #define fr_load(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
    #define fr_store(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
    #define fr_swap(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
    #define fr_sleep(p, seen) syscall(SYS_futex, (p), FUTEX_WAIT_PRIVATE, (seen), NULL, NULL, 0)
    #define fr_wake(p, n) syscall(SYS_futex, (p), FUTEX_WAKE_PRIVATE, (n), NULL, NULL, 0)
    #define fr_yield() sched_yield()
    static long long fr_nanoseconds(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000LL + t.tv_nsec;
    }
    #if defined(__x86_64__)
    #define fr_pause() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define fr_pause() __asm__ __volatile__("yield")
    #else
    #define fr_pause() ((void)0)
    #endif
    #else
    #define FR_TEAM 0
    #define fr_load(p) (*(p))
    #define fr_store(p, v) (*(p) = (v))
    #define fr_swap(p, v) (*(p) = (v), 1)
    #define fr_sleep(p, seen) ((void)0)
    #define fr_wake(p, n) ((void)0)
    #define fr_yield() ((void)0)
    #define fr_nanoseconds() 0LL
    #define fr_pause() ((void)0)
    #endif

    /* Copy to memory around the caches. `to` is aligned like an element, which is what an ordinary store needs first. */
    #if defined(__SSE2__)
    #include <immintrin.h>
    #if defined(__AVX512F__)
    #define FR_WIDE 64
    #define fr_stream_one(to, from) _mm512_stream_si512((void*)(to), _mm512_loadu_si512((const void*)(from)))
    #elif defined(__AVX__)
    #define FR_WIDE 32
    #define fr_stream_one(to, from) _mm256_stream_si256((__m256i*)(to), _mm256_loadu_si256((const __m256i*)(from)))
    #else
    #define FR_WIDE 16
    #define fr_stream_one(to, from) _mm_stream_si128((__m128i*)(to), _mm_loadu_si128((const __m128i*)(from)))
    #endif
    static void fr_stream(char* to, const char* from, size_t bytes) {
        size_t head = (size_t)(-(size_t)to) % 64, i;
        if (head > bytes) head = bytes;
        memcpy(to, from, head);
        for (i = head; i + FR_WIDE <= bytes; i += FR_WIDE) fr_stream_one(to + i, from + i);
        memcpy(to + i, from + i, bytes - i);
    }
    #define fr_stream_end() _mm_sfence()
    #else
    #define fr_stream(to, from, bytes) memcpy((to), (from), (bytes))
    #define fr_stream_end() ((void)0)
    #endif
    """
    const bint FR_OPENMP
    const bint FR_TEAM
    int omp_get_max_threads() noexcept nogil
    Py_ssize_t fr_add(Py_ssize_t* value, Py_ssize_t change) noexcept nogil
    int fr_add_int "fr_add"(int* value, int change) noexcept nogil
    int fr_load(int* value) noexcept nogil
    void fr_store(int* value, int new) noexcept nogil
    int fr_swap(int* value, int new) noexcept nogil
    void fr_sleep(int* value, int seen) noexcept nogil
    void fr_wake(int* value, int sleepers) noexcept nogil
    void fr_yield() noexcept nogil
    long long fr_nanoseconds() noexcept nogil
    void fr_pause() noexcept nogil
    void fr_stream(char* to, char* source, size_t n_bytes) noexcept nogil
    void fr_stream_end() noexcept nogil

ctypedef fused real:
    float
    double

cdef enum:
    LANES = 32
    BLOCKS = CHUNK // BLOCK


# ---------------------------------------------------------------------------------------------------------------- lanes
cdef inline double fold_lanes(double* lanes) noexcept nogil:
    cdef int j
    for j in range(16):
        lanes[j] += lanes[j + 16]
    for j in range(8):
        lanes[j] += lanes[j + 8]
    for j in range(4):
        lanes[j] += lanes[j + 4]
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])


cdef double square_sum(
    real* w,               # IN, n elements
    Py_ssize_t n,
) noexcept nogil:
    cdef double[LANES] lanes
    cdef Py_ssize_t i, full = n - n % LANES
    cdef int j
    for j in range(LANES):
        lanes[j] = 0.0
    for i in range(n // LANES):
        for j in range(LANES):
            lanes[j] = lanes[j] + <double>w[i * LANES + j] * <double>w[i * LANES + j]
    for j in range(<int>(n - full)):
        lanes[j] = lanes[j] + <double>w[full + j] * <double>w[full + j]
    return fold_lanes(lanes)


cdef double absolute_sum(
    real* w,               # IN, n elements
    Py_ssize_t n,
) noexcept nogil:
    cdef double[LANES] lanes
    cdef Py_ssize_t i, full = n - n % LANES
    cdef int j
    for j in range(LANES):
        lanes[j] = 0.0
    for i in range(n // LANES):
        for j in range(LANES):
            lanes[j] = lanes[j] + fabs(<double>w[i * LANES + j])
    for j in range(<int>(n - full)):
        lanes[j] = lanes[j] + fabs(<double>w[full + j])
    return fold_lanes(lanes)


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
# Element-wise; an output may be one of the inputs, but overlaps none otherwise. Called with literal `parts` and `add`, so that
# the compiler makes a loop without branches of each.
cdef enum:
    LASSO = 1
    RIDGE = 2


cdef inline real sign(real w) noexcept nogil:
    """1, -1, 0, or NaN, as numpy.sign."""
    return 1 if w > 0 else (-1 if w < 0 else (0 if w == 0 else w))


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
        return l1 * sign(w)
    if parts == RIDGE:
        return l2 * w
    return l1 * sign(w) + l2 * w


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
    real l1,
    real l2,
) noexcept nogil:
    """A coefficient of 0 leaves its part out: 0 * inf would be NaN."""
    if base == NULL:
        if l1 == 0 and l2 == 0:
            memset(out, 0, n * sizeof(real))
        elif l1 == 0:
            slopes(out, base, w, n, l1, l2, RIDGE, False)
        elif l2 == 0:
            slopes(out, base, w, n, l1, l2, LASSO, False)
        else:
            slopes(out, base, w, n, l1, l2, LASSO + RIDGE, False)
    elif l1 == 0 and l2 == 0:
        if out != base:
            memcpy(out, base, n * sizeof(real))
    elif l1 == 0:
        slopes(out, base, w, n, l1, l2, RIDGE, True)
    elif l2 == 0:
        slopes(out, base, w, n, l1, l2, LASSO, True)
    else:
        slopes(out, base, w, n, l1, l2, LASSO + RIDGE, True)


cdef inline real shrink(real w, real threshold, real divisor) noexcept nogil:
    """sign(w) * max(|w| - threshold, 0) / divisor; NaN stays NaN."""
    cdef real rest = magnitude(w) - threshold
    return sign(w) * (0 if rest < 0 else rest) / divisor


cdef void prox(
    real* out,             # OUT, n elements
    real* w,               # IN
    Py_ssize_t n,
    double step,
    double l1,
    double l2,
) noexcept nogil:
    cdef real threshold = <real>(step * l1), divisor = <real>(1 + step * l2)
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = shrink(w[i], threshold, divisor)


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
        w[i] = shrink(w[i] - g[i] * rate, threshold, divisor)


cdef void proximal_adagrad(real* w, real* g, real* a, Py_ssize_t n, Rule* rule, double l1) noexcept nogil:
    cdef real rate = <real>rule.rate, lasso = <real>l1, ridge = <real>rule.l2, one = 1, step
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = a[i] + g[i] * g[i]
        step = rate / root(a[i])
        w[i] = shrink(w[i] - g[i] * step, step * lasso, one + step * ridge)


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
    w[0] = (sign(z[0]) * lasso - z[0]) / (after / rate + ridge2) if magnitude(z[0]) > lasso else 0


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


cdef void update_block(Job* job, Item* item, real* buffer, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """One block of an update rule (or of TOTAL_NORM: then `buffer` ends up with the total gradient)."""
    cdef Rule* rule = &job.rule
    cdef real* w = at(item.weights, i, buffer)
    cdef real* g = at(item.gradient, i, buffer)
    cdef real* s0 = at(item.slots[0], i, buffer)
    cdef real* s1 = at(item.slots[1], i, buffer)
    cdef real* s2 = at(item.slots[2], i, buffer)
    cdef bint proximal = job.operation >= PROXIMAL_GRADIENT_DESCENT
    cdef double l1 = 0 if proximal else item.l1
    cdef double strength = rule.l1 + item.l1

    if l1 != 0 or item.l2 != 0 or job.operation == TOTAL_NORM:
        penalty_gradient(buffer, g, w, n, <real>l1, <real>item.l2)
        g = buffer
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


cdef void process_chunk(Job* job, Item* item, Py_ssize_t chunk, real* buffer) noexcept nogil:
    """Measure and operate block by block; leave the chunk's two sums in the job's partials."""
    cdef double[BLOCKS] absolute, square
    cdef Py_ssize_t start = (chunk - item.first_chunk) * CHUNK, rest = min(item.size - start, <Py_ssize_t>CHUNK), i, n
    cdef int block, blocks = <int>((rest + BLOCK - 1) // BLOCK)
    cdef real* w
    cdef real* out
    for block in range(blocks):
        i = start + block * BLOCK
        n = min(rest - block * BLOCK, <Py_ssize_t>BLOCK)
        w = at(item.weights, i, buffer)
        absolute[block] = square[block] = 0.0
        if job.measure:
            if item.l1 != 0:
                absolute[block] = absolute_sum(w, n)
            if item.l2 != 0:
                square[block] = square_sum(w, n)
        if job.operation == GRADIENT or job.operation == PROX:
            out = at(item.out, i, buffer)
            if job.stream:
                out = buffer
            if job.operation == GRADIENT:
                penalty_gradient(out, <real*>NULL, w, n, <real>item.l1, <real>item.l2)
            else:
                prox(out, w, n, job.rule.rate, item.l1, item.l2)
            if job.stream:
                fr_stream(<char*>at(item.out, i, buffer), <char*>buffer, n * sizeof(real))
        elif job.operation == ACCUMULATE:
            out = at(item.out, i, buffer)
            penalty_gradient(out, out, w, n, <real>item.l1, <real>item.l2)
        elif job.operation != MEASURE:
            update_block(job, item, buffer, i, n)
            if job.operation == TOTAL_NORM:
                square[block] = square_sum(buffer, n)
    job.partials[chunk] = fold(absolute, blocks)
    job.partials[job.n_chunks + chunk] = fold(square, blocks)


# ----------------------------------------------------------------------------------------------------------------- work
cdef void work(Job* job) noexcept nogil:
    """Claim chunks and process them until none is left. Any number of threads may be at it, from any moment on."""
    cdef float[BLOCK] float_buffer
    cdef double[BLOCK] double_buffer
    cdef Py_ssize_t chunk, stop, low = 0, high, middle
    while True:
        chunk = fr_add(&job.next_chunk, job.claim)
        if chunk >= job.n_chunks:
            break
        stop = min(chunk + job.claim, job.n_chunks)
        # The last item whose first chunk is not behind this one. Claims only grow, so the search starts at the last find.
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


# -------------------------------------------------------------------------------------------------------------- threads
# The team. `serve` keeps OpenMP's threads in one long region; each helper sleeps on a futex until a job is announced. The
# caller starts at once and shares the chunks with whoever comes; at the end it waits only for helpers that are inside a
# chunk, never for one that is still waking up. So a late helper costs nothing, and no barrier makes everyone wait for it.
#
# A helper enters `active` before it asks for a seat, and the caller closes the seats before it looks at `active`; with
# sequentially consistent operations either the helper finds no seat or the caller sees the helper. Only then may the job go.
cdef struct Team:
    int announced          # futex: changes with every job
    int[15] pad0           # each on a cache line of its own
    int seats              # helpers that may still join; far below zero when closed
    int[15] pad1
    int active             # helpers between entering and leaving
    int[15] pad2
    int sleepers
    int[15] pad3
    int busy               # a caller has the team
    int helpers
    int dismissed
    Job* job

cdef Team team
team.seats = -(1 << 30)

cdef enum:
    # A helper that has just worked looks out for this long before it sleeps: a tight loop finds it awake, and BLAS, which
    # comes next in a training step, gets the core back soon.
    LOOKOUT = 50_000       # ns
    AWAKE_GRAIN = 1 << 16  # bytes a thread, when helpers are awake
    ASLEEP_GRAIN = 1 << 18 # bytes of a job for which waking them pays


cdef void help() noexcept nogil:
    cdef int seen = 0, i
    cdef long long deadline
    fr_add_int(&team.helpers, 1)
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
        if fr_add_int(&team.seats, -1) > 0:
            work(team.job)
        fr_add_int(&team.active, -1)
    fr_add_int(&team.helpers, -1)


cdef void serve(int helpers) noexcept nogil:
    """Lend this thread's OpenMP region to the team until it is dismissed. Thread 0 keeps out of the way of the caller's core."""
    cdef int i, seen
    for i in prange(helpers + 1, num_threads=helpers + 1, schedule="static", chunksize=1):
        if i > 0:
            help()
        else:
            while not fr_load(&team.dismissed):
                seen = fr_load(&team.dismissed)
                fr_sleep(&team.dismissed, seen)


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
    cdef int threads = 1, spins = 0, sleepers, i
    cdef Py_ssize_t k, first, count
    job.next_chunk = 0
    job.claim = job.n_chunks
    if allowed > 1 and job.n_chunks > 1:
        threads = hands(job, allowed)
    if threads > 1:
        job.claim = max(<Py_ssize_t>1, min(<Py_ssize_t>64, job.n_chunks // (16 * threads)))
    if threads == 1 or (FR_TEAM and fr_swap(&team.busy, 1)):
        work(job)
    elif FR_TEAM:
        team.job = job
        fr_store(&team.seats, threads - 1)
        fr_add_int(&team.announced, 1)
        sleepers = fr_load(&team.sleepers)
        if sleepers > 0:
            fr_wake(&team.announced, min(sleepers, threads - 1))
        work(job)
        fr_store(&team.seats, -(1 << 30))
        while fr_load(&team.active) > 0:
            fr_pause()
            spins += 1
            if spins % 1024 == 0:
                fr_yield()
        fr_store(&team.busy, 0)
    else:
        for i in prange(threads, num_threads=threads, schedule="static", chunksize=1):
            work(job)
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
