"""Number the chunks of a job, process them by the installed kernel, and fold their sums."""
from fastreg._abi cimport Conversion, Job

cdef Py_ssize_t number_chunks(Job* job) noexcept nogil
cdef int lay_out(Job* job) except -1
cdef int run(Job* job) except -1
cdef int measure_gradient(Job* job, double* squares) except -1
cdef int convert(Conversion* conversion) except -1
