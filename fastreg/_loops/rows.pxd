"""A row: up to LANES elements of each array, in registers from the first read to the last store.

The only code that loads and stores elements for gradients and updates. A row is computed in local arrays before anything is
stored, so the compiler need not ask whether arrays share memory.
"""
from fastreg._abi cimport *
from fastreg._loops.elements cimport real
from fastreg._loops.profiles cimport L2_KIND, elastic_gradient
from fastreg._loops.rules cimport (
    CAUTIOUS, CLIP, DECAY, L1, L2, LANES, apply_rule, bound_all, decay_all, decay_cautiously, is_update, n_slots,
    takes_l1
)

cdef struct Streams:           # the arrays that one pass reads and writes together, each from the same element on
    void* weights              # IN, and OUT for an update
    void* base                 # IN: the gradient's starting value; the given gradient of an update; the values to ASSIGN
    void* out                  # OUT; may be weights or base
    void* slots[3]             # IN and OUT


cdef inline void load(real* row, void* array, Py_ssize_t at, int width) noexcept nogil:
    cdef real* source = <real*>array + at
    cdef int j
    for j in range(width):
        row[j] = source[j]


cdef inline void store(void* array, real* row, Py_ssize_t at, int width) noexcept nogil:
    cdef real* target = <real*>array + at
    cdef int j
    for j in range(width):
        target[j] = row[j]


cdef inline void process_row(Streams* arrays, Py_ssize_t at, int width, real* c, int kinds, int operation) noexcept nogil:
    """Form the gradient of elements at..at+width-1 and store it, or update by it. `kinds` and `operation` are literals."""
    cdef real[LANES] x, g, s0, s1, s2
    cdef real* w = <real*>arrays.weights + at
    cdef real* base = <real*>arrays.base + at
    cdef real l1 = c[L1], l2 = c[L2]
    cdef int j, kinds_in_gradient = kinds & L2_KIND if takes_l1(operation) else 0 if operation == ASSIGN else kinds
    if operation == MEASURE:
        return
    for j in range(width):
        if operation == GRADIENT:
            g[j] = elastic_gradient(w[j], l1, l2, kinds)
        elif kinds_in_gradient:
            g[j] = base[j] + elastic_gradient(w[j], l1, l2, kinds_in_gradient)
        else:
            g[j] = base[j]
    if not is_update(operation):
        store(arrays.out, g, at, width)
        return
    if c[CLIP] != 1:
        for j in range(width):
            g[j] = g[j] * c[CLIP]
    load(x, arrays.weights, at, width)
    if c[DECAY] != 0 and c[CAUTIOUS] == 0:
        decay_all(x, width, c)
    if n_slots(operation) > 0:
        load(s0, arrays.slots[0], at, width)
    if n_slots(operation) > 1:
        load(s1, arrays.slots[1], at, width)
    if n_slots(operation) > 2:
        load(s2, arrays.slots[2], at, width)
    apply_rule(x, g, s0, s1, s2, width, c, operation)
    if c[DECAY] != 0 and c[CAUTIOUS] != 0:
        decay_cautiously(x, w, width, c)
    bound_all(x, width, c)
    if n_slots(operation) > 0:
        store(arrays.slots[0], s0, at, width)
    if n_slots(operation) > 1:
        store(arrays.slots[1], s1, at, width)
    if n_slots(operation) > 2:
        store(arrays.slots[2], s2, at, width)
    store(arrays.weights, x, at, width)
