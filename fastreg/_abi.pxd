"""What the border and a compiled kernel say to each other: items, a job over them, and the kernel's entry points.

Plain C data. A kernel knows pointers, lengths and coefficients; arrays, names and errors stay on the border's side.
"""

cdef enum:
    CHUNK = 4096           # elements that are processed in one go and leave one sum

cdef enum Operation:
    MEASURE                # sums alone
    GRADIENT               # out = gradient of the penalty
    ACCUMULATE             # out = out + gradient of the penalty
    PROX                   # out = prox of the penalty at step `rate`
    TOTAL_NORM             # sums of gradient + penalty's gradient; nothing is written
    GRADIENT_DESCENT       # the rest update weights and slots in place
    MOMENTUM
    ADAGRAD
    RMSPROP
    ADAM
    PROXIMAL_GRADIENT_DESCENT
    PROXIMAL_ADAGRAD
    FTRL

cdef struct Item:
    void* weights          # IN, and OUT for an update
    void* gradient         # IN for an update and TOTAL_NORM
    void* out              # OUT for GRADIENT, ACCUMULATE and PROX; may be `weights` itself
    void* slots[3]         # IN and OUT for an update
    Py_ssize_t size        # elements
    Py_ssize_t first_chunk
    double l1              # coefficients of the penalty; 0 leaves its part out
    double l2
    double decay           # decoupled: weights -= decay * weights before the rule
    bint is_double
    double absolute_sum    # OUT: sum(|w|) if l1 is not 0
    double square_sum      # OUT: sum(w**2) if l2 is not 0

cdef struct Rule:
    double rate            # learning rate, bias-corrected for Adam; the step of PROX
    double momentum
    double beta1           # RMSProp: its decay rho
    double beta2
    double epsilon
    double l1              # strengths of the proximal rules' own
    double l2
    double shrinkage
    double power           # Ftrl: minus the learning-rate power
    double clip            # the total gradient is multiplied by it; 1 leaves it alone
    bint nesterov
    bint centered
    bint proximal          # the l1 of the penalties goes to the proximal step, not to the gradient

cdef struct Job:
    Item* items
    Py_ssize_t n_items
    Py_ssize_t n_chunks
    Py_ssize_t n_bytes     # that the operation moves, which decides on threads and streaming
    double* partials       # 2 * n_chunks: each chunk's sum of |w|, then each one's sum of w**2
    Operation operation
    bint measure           # also form the sums of the weights
    bint stream            # OUT is larger than the caches: store around them
    Rule rule

cdef struct Kernel:
    void (*process)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil  # the chunks start..stop-1 of a Job


cdef inline bint wants_absolute(Job* job, Item* item) noexcept nogil:
    return job.measure and item.l1 != 0


cdef inline bint wants_square(Job* job, Item* item) noexcept nogil:
    return job.measure and item.l2 != 0 or job.operation == TOTAL_NORM
