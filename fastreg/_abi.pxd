"""What the checks and a compiled kernel say to each other: items, a job over them, and the kernel's two tasks.

Plain C data. A kernel knows pointers, lengths and coefficients; arrays, names and errors stay on the other side.
"""
from libc.stdint cimport int64_t

cdef enum:
    CHUNK = 4096               # elements that are processed in one go and leave one sum

cdef enum Operation:
    MEASURE                    # sums, nothing else
    GRADIENT                   # out = gradient of the penalty
    ACCUMULATE                 # out = base + gradient of the penalty
    ASSIGN                     # out = base
    PROX                       # out = prox of the penalty at step `item.rate`
    GRADIENT_DESCENT           # from here on: weights and slots are updated in place; traits in _loops/rules.pxd
    MOMENTUM
    ADAGRAD
    RMSPROP
    CENTERED_RMSPROP
    ADAM
    PROXIMAL_GRADIENT_DESCENT
    PROXIMAL_ADAGRAD
    FTRL

cdef enum ProfileKind:         # the profiles besides the elastic pair; their functions stand in _loops/profiles.pxd
    MCP
    SCAD
    L0
    HUBER
    PSEUDO_HUBER
    LOG_SUM
    WEIGHTED                   # from here on: with arrays of a number for each element; they pair with the item's weights
    DISTANCE
    WEIGHTED_DISTANCE

cdef struct Profile:
    ProfileKind kind
    double scale
    double shape               # the second parameter, such as MCP's gamma
    double threshold           # of a prox, from its step: `prox_threshold`
    void* strengths            # of each element, for the weighted kinds
    void* reference            # of each element, for the distances
    void* owner                # the Penalty that keeps these arrays; NULL without arrays
    double* partials           # each chunk's sum of the profile's values
    double sum                 # OUT, if the job measures

cdef struct Item:              # one array, or the rows of it that a gradient touches
    Operation operation
    bint is_double
    void* weights              # IN, and OUT for an update
    void* base                 # IN: the gradient's starting value; the given gradient of an update; the values to ASSIGN
    void* out                  # OUT where the operation has one; may be weights or base
    void* slots[3]             # IN and OUT for an update
    Py_ssize_t size            # elements that are processed
    const int64_t* rows        # the rows of weights and slots that the elements belong to, in order; NULL for all
    Py_ssize_t width           # elements of a row, if `rows` is given
    Py_ssize_t chunks_per_row
    Py_ssize_t first_chunk
    double l1                  # the elastic pair; 0 leaves its part out
    double l2
    Profile* profiles          # what is added to the pair, block by block
    int n_profiles
    double rate                # learning rate, bias-corrected for Adam; the step of PROX
    double decay               # decoupled: weights -= decay * weights before the rule, unless it is cautious
    double absolute_sum        # OUT, if the job measures: sum(|w|) where l1 is not 0
    double square_sum          # OUT, if the job measures: sum(w**2) where l2 is not 0

cdef struct Rule:              # an update rule's hyperparameters in one step
    double momentum
    double beta1               # RMSProp: its decay rho
    double beta2
    double epsilon
    double l1                  # the proximal rules' own strengths
    double l2
    double shrinkage
    double power               # Ftrl: minus the learning-rate power
    double clip                # the total gradient is multiplied by it; 1 leaves it alone
    bint nesterov
    bint cautious              # decay where the rule does not move the weight away from 0, and after it

cdef struct Job:
    Item* items
    Py_ssize_t n_items
    Py_ssize_t n_chunks
    Py_ssize_t n_bytes         # the memory traffic of the operations; it decides how many threads work
    double* absolute           # each chunk's sum of |w|, where its item's l1 is not 0
    double* square             # each chunk's sum of w**2, where its item's l2 is not 0
    bint measure               # whether to form these sums
    bint stream                # `out` is larger than the caches: store around them
    Rule rule

cdef struct Kernel:
    # Both process the chunks start..stop-1 of a Job. The second writes only `square`: of each chunk's total gradient.
    void (*process)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil
    void (*measure_gradient)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil
