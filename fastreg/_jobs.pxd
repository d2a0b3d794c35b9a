"""How a job is done: its chunks are laid out, processed by the installed kernel, and their sums folded."""
from fastreg._abi cimport Job

cdef int lay_out(Job* job) except -1
cdef int run(Job* job) except -1
cdef int measure_gradient(Job* job, double* squares) except -1
