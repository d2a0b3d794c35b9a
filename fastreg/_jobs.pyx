"""Floor 1: run a job, a list of items, by the installed kernel, and fold the sums of its chunks.

It knows no arrays and no names.
"""
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdlib cimport malloc

from fastreg._abi cimport *
from fastreg._loops.profiles cimport prox_threshold
from fastreg._loops.rules cimport takes_prox
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment, share_out

cdef extern from *:
    """
    /* libgcc and compiler-rt ask the OS too (XGETBV) before they say that AVX state may be used. */
    #if (defined(__x86_64__) || defined(_M_X64)) && defined(__GNUC__)
    #define fr_cpu_init() __builtin_cpu_init()
    #define fr_has_v3() (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") \
        && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
    #define fr_has_v4() (fr_has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") \
        && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    #else
    #define fr_cpu_init() ((void)0)
    #define fr_has_v3() 0
    #define fr_has_v4() 0
    #endif
    """
    void cpu_init "fr_cpu_init" ()
    bint has_v3 "fr_has_v3" ()
    bint has_v4 "fr_has_v4" ()

cdef Kernel* kernel = NULL


def cpu_isas():
    """Return the instruction sets that this CPU and its operating system support, best first."""
    cpu_init()
    isas = ["x86-64-v4"] if has_v4() else []
    if has_v3():
        isas.append("x86-64-v3")
    return (*isas, "x86-64", "baseline")


def install(capsule):
    """Take the compiled kernel whose loops all later calls run."""
    global kernel
    kernel = <Kernel*>PyCapsule_GetPointer(capsule, "fastreg.kernel")


# ------------------------------------------------------------------------------------------------------------------ chunks
cdef inline Py_ssize_t chunks_of(Py_ssize_t size) noexcept nogil:
    return (size + CHUNK - 1) // CHUNK


cdef inline Py_ssize_t n_chunks_of(Job* job, Item* item) noexcept nogil:
    cdef Item* following = item + 1
    return (following.first_chunk if following < job.items + job.n_items else job.n_chunks) - item.first_chunk


cdef int lay_out(Job* job) except -1:
    """Number the chunks of all items, and allocate memory for their sums: it begins at `absolute`, and the caller frees it."""
    cdef Py_ssize_t i, chunks = 0, n_sums
    cdef Item* item
    cdef double* sums
    cdef int k
    for i in range(job.n_items):
        item = &job.items[i]
        item.first_chunk = chunks
        if item.rows == NULL or item.width == 0:
            chunks += chunks_of(item.size)
        else:
            item.chunks_per_row = chunks_of(item.width)
            chunks += item.size // item.width * item.chunks_per_row
    job.n_chunks = chunks
    n_sums = 2 * chunks
    for i in range(job.n_items):
        n_sums += job.items[i].n_profiles * n_chunks_of(job, &job.items[i])
    sums = <double*>malloc((n_sums + 1) * sizeof(double))
    if sums == NULL:
        raise MemoryError()
    job.absolute = sums
    job.square = sums + chunks
    sums += 2 * chunks
    for i in range(job.n_items):
        item = &job.items[i]
        for k in range(item.n_profiles):
            item.profiles[k].partials = sums
            sums += n_chunks_of(job, item)
    return 0


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


cdef double add_chunks(double total, double* sums, Job* job, Item* item) noexcept nogil:
    """Add the sums of the item's chunks to the total; the rows of a gradient of rows are added one by one."""
    cdef Py_ssize_t n = n_chunks_of(job, item), row
    if item.rows == NULL:
        return total + fold(sums, n)
    for row in range(n // max(item.chunks_per_row, <Py_ssize_t>1)):
        total += fold(sums + row * item.chunks_per_row, item.chunks_per_row)
    return total


# ----------------------------------------------------------------------------------------------------------------- running
cdef int run(Job* job) except -1:
    """Process all items; if the job measures, leave the sums of the weights in them."""
    cdef Py_ssize_t i
    cdef Item* item
    cdef Profile* profile
    cdef FloatEnvironment found
    cdef int k
    for i in range(job.n_items):
        item = &job.items[i]
        if item.n_profiles and (item.operation == PROX or takes_prox(item.operation)):
            item.profiles[0].threshold = prox_threshold(item.rate, &item.profiles[0])
    share_out(kernel.process, job, job.n_chunks, job.n_bytes)
    if not job.measure:
        return 0
    found = enter_float_environment()
    for i in range(job.n_items):
        item = &job.items[i]
        if item.l1 != 0:
            item.absolute_sum = add_chunks(0.0, job.absolute + item.first_chunk, job, item)
        if item.l2 != 0:
            item.square_sum = add_chunks(0.0, job.square + item.first_chunk, job, item)
        for k in range(item.n_profiles):
            profile = &item.profiles[k]
            profile.sum = add_chunks(0.0, profile.partials, job, item)
    leave_float_environment(found)
    return 0


cdef int measure_gradient(Job* job, double* squares) except -1:
    """Leave the sum of squares of all items' total gradients in `squares`; nothing else is written."""
    cdef Py_ssize_t i
    cdef FloatEnvironment found
    share_out(kernel.measure_gradient, job, job.n_chunks, job.n_bytes)
    found = enter_float_environment()
    squares[0] = 0.0
    for i in range(job.n_items):
        squares[0] = add_chunks(squares[0], job.square + job.items[i].first_chunk, job, &job.items[i])
    leave_float_environment(found)
    return 0
