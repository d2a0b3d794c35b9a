"""How work is handed to the threads, and the floating-point environment in which they and their callers compute."""

cdef extern from "_float_environment.h":
    ctypedef unsigned long long FloatEnvironment "fr_float_environment"
    # Round to nearest, keep subnormal numbers, trap nothing. Returns what was found, to be restored by the second.
    FloatEnvironment enter_float_environment "fr_enter_float_environment" () noexcept nogil
    void leave_float_environment "fr_leave_float_environment" (FloatEnvironment found) noexcept nogil

# Process the chunks start..stop-1 of a job. Called by several threads at once, each chunk by one of them.
ctypedef void (*Task)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil

cdef int share_out(Task task, void* job, Py_ssize_t n_chunks, Py_ssize_t n_bytes) except -1
