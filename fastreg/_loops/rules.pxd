"""Update rules: one small function each, by the formulas of TensorFlow 1's training_ops.cc in the dtype of the weights.

A rule gets rows that are loaded already: x the weights, g the total gradient, a, b and d the slots. It replaces the weights and
the slots. `c` holds the constants of the step. The traits of the rules are read by the kernels and by the checks.

To add one: docs/adding-a-penalty.md.
"""
from libc.math cimport INFINITY

from fastreg._abi cimport *
from fastreg._loops.elements cimport between, copysign, fabs, pow, real, soft_threshold, sqrt

cdef enum:
    LANES = 32                 # elements of a row, and sums that are formed side by side

cdef enum:                     # constants of one item in one step, each rounded once to the dtype of the weights
    L1                         # the penalties' coefficients
    L2
    DECAY
    CLIP
    RATE
    KEEP                       # momentum
    NESTEROV                   # 0 or 1
    CAUTIOUS                   # 0 or 1
    ONE_MINUS_BETA1
    ONE_MINUS_BETA2
    EPSILON
    KEEP_SQUARES               # Adagrad's
    EPSILON_INSIDE             # of the root, RMSProp's; EPSILON or 0
    EPSILON_OUTSIDE            # 0 or EPSILON
    RATE_INSIDE                # of RMSProp's momentum; RATE or 1
    RATE_OUTSIDE               # 1 or RATE
    L1_STRENGTH                # of a proximal step: the rule's own and the penalties'
    THRESHOLD                  # RATE * L1_STRENGTH
    L2_STRENGTH
    DIVISOR                    # 1 + RATE * L2_STRENGTH
    TWO_L2_STRENGTH
    TWO_SHRINKAGE
    EXPONENT                   # Ftrl's minus the learning-rate power
    LOWER                      # bounds of the weights; infinite where there are none, for a branch costs more than two operations
    UPPER
    CONSTANTS


cdef inline void round_constants(real* c, Job* job, Item* item) noexcept nogil:
    cdef Rule* rule = &job.rule
    cdef double l1_strength = 0 if item.prox_later else rule.l1 + item.l1
    cdef double l2_strength = 0 if item.prox_later else rule.l2
    c[L1] = <real>item.l1
    c[L2] = <real>item.l2
    c[DECAY] = <real>item.decay
    c[CLIP] = <real>rule.clip
    c[RATE] = <real>item.rate
    c[KEEP] = <real>rule.momentum
    c[NESTEROV] = <real>rule.nesterov
    c[CAUTIOUS] = <real>rule.cautious
    c[ONE_MINUS_BETA1] = <real>(1 - rule.beta1)
    c[ONE_MINUS_BETA2] = <real>(1 - rule.beta2)
    c[EPSILON] = <real>rule.epsilon
    c[KEEP_SQUARES] = <real>rule.keep
    c[EPSILON_INSIDE] = 0 if rule.outside else c[EPSILON]
    c[EPSILON_OUTSIDE] = c[EPSILON] if rule.outside else 0
    c[RATE_INSIDE] = 1 if rule.outside else c[RATE]
    c[RATE_OUTSIDE] = c[RATE] if rule.outside else 1
    c[L1_STRENGTH] = <real>l1_strength
    c[THRESHOLD] = <real>(item.rate * l1_strength)
    c[L2_STRENGTH] = <real>l2_strength
    c[DIVISOR] = <real>(1 + item.rate * l2_strength)
    c[TWO_L2_STRENGTH] = <real>(2 * l2_strength)
    c[TWO_SHRINKAGE] = <real>(2 * rule.shrinkage)
    c[EXPONENT] = <real>rule.power
    c[LOWER] = <real>(item.lower if item.bounded else -INFINITY)
    c[UPPER] = <real>(item.upper if item.bounded else INFINITY)


# -------------------------------------------------------------------------------------------------------------- traits
cdef inline bint is_update(int operation) noexcept nogil:
    return operation not in (MEASURE, GRADIENT, ACCUMULATE, ASSIGN, PROX)


cdef inline int n_slots(int rule) noexcept nogil:
    if rule in (MOMENTUM, ADAGRAD, PROXIMAL_ADAGRAD):
        return 1
    if rule in (RMSPROP, ADAM, FTRL):
        return 2
    if rule == CENTERED_RMSPROP:
        return 3
    return 0


cdef inline bint takes_l1(int rule) noexcept nogil:
    """Whether the penalties' l1 goes to the rule's proximal step, which gives exact zeros, and not to the gradient."""
    return rule in (PROXIMAL_GRADIENT_DESCENT, PROXIMAL_ADAGRAD, FTRL)


cdef inline bint takes_prox(int rule) noexcept nogil:
    """Whether the rule ends in a prox with one step, the rate, for all elements; so a prox of groups or a user's own fits in."""
    return rule == PROXIMAL_GRADIENT_DESCENT


cdef inline real step_of_prox(real a, real* c, int rule) noexcept nogil:
    """Return the step of the prox in which a rule that takes L1 ends, for one element; a is the element's updated first slot."""
    if rule == PROXIMAL_ADAGRAD or (rule == FTRL and c[EXPONENT] == 0.5):
        return c[RATE] / sqrt(a)
    return c[RATE] / pow(a, c[EXPONENT]) if rule == FTRL else c[RATE]


# ---------------------------------------------------------------------------------------------------- decay and bounds
cdef inline void decay_all(real* x, int width, real* c) noexcept nogil:
    cdef int j
    for j in range(width):
        x[j] = x[j] - c[DECAY] * x[j]


cdef inline void bound_all(real* x, int width, real* c) noexcept nogil:
    cdef int j
    for j in range(width):
        x[j] = between(x[j], c[LOWER], c[UPPER])


cdef inline void decay_cautiously(real* x, real* before, int width, real* c) noexcept nogil:
    """Take the decay off the new weights x, but not where the rule has moved a weight away from 0 (Chen et al. 2025)."""
    cdef real one = 1
    cdef int j
    for j in range(width):
        x[j] = x[j] - (0 if copysign(one, before[j]) * x[j] > fabs(before[j]) else c[DECAY] * before[j])


# --------------------------------------------------------------------------------------------------------------- rules
cdef inline void gradient_descent(real* x, real* g, int width, real* c) noexcept nogil:
    cdef int j
    for j in range(width):
        x[j] = x[j] - g[j] * c[RATE]


cdef inline void momentum(real* x, real* g, real* a, int width, real* c) noexcept nogil:
    """Polyak 1964; Nesterov's form by Sutskever et al. 2013."""
    cdef int j
    for j in range(width):
        a[j] = a[j] * c[KEEP] + g[j]
    if c[NESTEROV] != 0:
        for j in range(width):
            x[j] = x[j] - (g[j] * c[RATE] + a[j] * c[KEEP] * c[RATE])
    else:
        for j in range(width):
            x[j] = x[j] - a[j] * c[RATE]


cdef inline void adagrad(real* x, real* g, real* a, int width, real* c) noexcept nogil:
    """Duchi, Hazan and Singer 2011. With a running mean for the sum it is RMSProp without momentum, by torch's formula."""
    cdef int j
    for j in range(width):
        a[j] = a[j] * c[KEEP_SQUARES] + g[j] * g[j] * c[ONE_MINUS_BETA2]
    for j in range(width):
        x[j] = x[j] - g[j] * c[RATE] / (sqrt(a[j]) + c[EPSILON])


cdef inline void rmsprop(real* x, real* g, real* a, real* b, int width, real* c) noexcept nogil:
    """Tieleman and Hinton 2012: a is the mean square, b the momentum."""
    cdef int j
    for j in range(width):
        a[j] = a[j] + (g[j] * g[j] - a[j]) * c[ONE_MINUS_BETA1]
        b[j] = b[j] * c[KEEP] + g[j] * c[RATE_INSIDE] / (sqrt(a[j] + c[EPSILON_INSIDE]) + c[EPSILON_OUTSIDE])
    for j in range(width):
        x[j] = x[j] - b[j] * c[RATE_OUTSIDE]


cdef inline void centered_rmsprop(real* x, real* g, real* a, real* b, real* d, int width, real* c) noexcept nogil:
    """Graves 2013: as `rmsprop`, with the variance in place of the mean square; d is the mean."""
    cdef int j
    for j in range(width):
        a[j] = a[j] + (g[j] * g[j] - a[j]) * c[ONE_MINUS_BETA1]
        d[j] = d[j] + (g[j] - d[j]) * c[ONE_MINUS_BETA1]
        b[j] = b[j] * c[KEEP] + g[j] * c[RATE_INSIDE] / (sqrt(a[j] - d[j] * d[j] + c[EPSILON_INSIDE]) + c[EPSILON_OUTSIDE])
    for j in range(width):
        x[j] = x[j] - b[j] * c[RATE_OUTSIDE]


cdef inline void adam(real* x, real* g, real* a, real* b, int width, real* c) noexcept nogil:
    """Kingma and Ba 2015, with the bias correction in RATE."""
    cdef int j
    for j in range(width):
        a[j] = a[j] + (g[j] - a[j]) * c[ONE_MINUS_BETA1]
        b[j] = b[j] + (g[j] * g[j] - b[j]) * c[ONE_MINUS_BETA2]
        x[j] = x[j] - a[j] * c[RATE] / (sqrt(b[j]) + c[EPSILON])


cdef inline void proximal_gradient_descent(real* x, real* g, int width, real* c) noexcept nogil:
    """Duchi and Singer 2009."""
    cdef int j
    for j in range(width):
        x[j] = soft_threshold(x[j] - g[j] * c[RATE], c[THRESHOLD])
    if c[DIVISOR] != 1:
        for j in range(width):
            x[j] = x[j] / c[DIVISOR]


cdef inline void proximal_adagrad(real* x, real* g, real* a, int width, real* c) noexcept nogil:
    """Duchi, Hazan and Singer 2011, by Duchi and Singer's step."""
    cdef real[LANES] rate
    cdef real one = 1          # a literal would be a double, and the division with it
    cdef int j
    for j in range(width):
        a[j] = a[j] + g[j] * g[j]
        rate[j] = c[RATE] / sqrt(a[j])
        x[j] = soft_threshold(x[j] - g[j] * rate[j], rate[j] * c[L1_STRENGTH]) / (one + rate[j] * c[L2_STRENGTH])


cdef inline void ftrl(real* x, real* g, real* a, real* b, int width, real* c) noexcept nogil:
    """McMahan et al. 2013: a is the accumulator, b the linear slot. The usual power of 1/2 is a square root."""
    cdef real[LANES] before, after
    cdef int j
    if c[EXPONENT] == 0.5:
        for j in range(width):
            before[j] = sqrt(a[j])
            a[j] = a[j] + g[j] * g[j]
            after[j] = sqrt(a[j])
    else:
        for j in range(width):
            before[j] = pow(a[j], c[EXPONENT])
            a[j] = a[j] + g[j] * g[j]
            after[j] = pow(a[j], c[EXPONENT])
    for j in range(width):
        b[j] = b[j] + (g[j] + c[TWO_SHRINKAGE] * x[j] - (after[j] - before[j]) / c[RATE] * x[j])
        x[j] = (
            (copysign(c[L1_STRENGTH], b[j]) - b[j]) / (after[j] / c[RATE] + c[TWO_L2_STRENGTH])
            if fabs(b[j]) > c[L1_STRENGTH] else 0
        )


cdef inline void apply_rule(real* x, real* g, real* a, real* b, real* d, int width, real* c, int rule) noexcept nogil:
    """`rule` is a literal, so the compiler makes a loop without branches for each."""
    if rule == GRADIENT_DESCENT:
        gradient_descent(x, g, width, c)
    elif rule == MOMENTUM:
        momentum(x, g, a, width, c)
    elif rule == ADAGRAD:
        adagrad(x, g, a, width, c)
    elif rule == RMSPROP:
        rmsprop(x, g, a, b, width, c)
    elif rule == CENTERED_RMSPROP:
        centered_rmsprop(x, g, a, b, d, width, c)
    elif rule == ADAM:
        adam(x, g, a, b, width, c)
    elif rule == PROXIMAL_GRADIENT_DESCENT:
        proximal_gradient_descent(x, g, width, c)
    elif rule == PROXIMAL_ADAGRAD:
        proximal_adagrad(x, g, a, width, c)
    elif rule == FTRL:
        ftrl(x, g, a, b, width, c)
