"""How work is handed to the threads."""

# Process the chunks start..stop-1 of a job. Called by several threads at once, each chunk by one of them.
ctypedef void (*Task)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil

cdef int share_out(Task task, void* job, Py_ssize_t n_chunks, Py_ssize_t n_bytes) except -1
