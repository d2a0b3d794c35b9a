"""Penalties, each written once: what a magnitude m >= 0 costs, the slope of that cost, and its prox.

    value     sum of phi(m)
    gradient  phi'(m) with the sign of w, 0 at 0
    prox      argmin over z >= 0 of step * phi(z) + (z - m)**2 / 2, with the sign of w

The elastic pair l1*m + l2/2*m**2 works in the dtype of the weights and is fused with every update rule. Every other profile is
three functions of a float64 magnitude. The laws that they obey, and how to add one: docs/adding-a-penalty.md.
"""
from libc.math cimport INFINITY, fabs as fabs_double

from fastreg._abi cimport DISTANCE, HUBER, L0, LINEAR, LOG_SUM, MCP, PSEUDO_HUBER, SCAD, WEIGHTED, WEIGHTED_DISTANCE, Profile
from fastreg._loops.elements cimport copysign, divide, divide_by, fabs, log_one_plus_ratio, real, soft_threshold, sqrt, with_sign

cdef enum:
    L1_KIND = 1            # which coefficients of the pair are not 0; the others are left out, for 0 * inf would be NaN
    L2_KIND = 2


cdef enum:                 # numbers in Profile.for_prox
    PROX_THRESHOLD         # up to which a magnitude becomes 0
    PROX_END               # from which on it stays
    PROX_DIVISOR
    PROX_RECIPROCAL


cdef inline int kinds_of(double l1, double l2) noexcept nogil:
    """Decide by the coefficients as given: one that is rounded to 0 in float32 still counts in the value."""
    return (L1_KIND if l1 != 0 else 0) | (L2_KIND if l2 != 0 else 0)


# ------------------------------------------------------------------------------------------------------------- elastic
cdef inline real elastic_gradient(real w, real l1, real l2, int kinds) noexcept nogil:
    if kinds == L1_KIND:
        return copysign(l1, w)
    if kinds == L2_KIND:
        return l2 * w
    return with_sign(l1, w) + l2 * w  # NaN by its second term


cdef inline real elastic_prox(
    real w, real threshold, real divisor, double reciprocal, int kinds, bint below_two
) noexcept nogil:
    """Return the prox: the threshold is step*l1, the divisor 1 + step*l2. The literal `kinds` says which of them do something."""
    cdef real nothing = 0, x = soft_threshold(w, threshold) if kinds & L1_KIND else w + nothing  # makes 0 of -0
    return divide_by(x, divisor, reciprocal, below_two) if kinds & L2_KIND else x


# -------------------------------------------------------------------------------------------------------------- linear
cdef inline double linear_prox(double m, double step, Profile* p) noexcept nogil:
    cdef double excess = m - step * p.scale
    return 0 if excess <= 0 else excess


# ----------------------------------------------------------------------------------------------------------------- MCP
# C.-H. Zhang, "Nearly unbiased variable selection under minimax concave penalty", 2010. shape is gamma.
cdef inline double mcp_value(double m, Profile* p) noexcept nogil:
    return p.scale * p.scale * p.shape * 0.5 if m > p.shape * p.scale else m * (p.scale - m / (2 * p.shape))


cdef inline double mcp_gradient(double m, Profile* p) noexcept nogil:
    cdef double slope = p.scale - m / p.shape
    return 0 if slope < 0 else slope


cdef inline double mcp_prox(double m, Profile* p, bint of_float32) noexcept nogil:
    cdef double excess = m - p.for_prox[PROX_THRESHOLD]
    cdef double shrunk = divide(0 if excess < 0 else excess, p.for_prox[PROX_DIVISOR], p.for_prox[PROX_RECIPROCAL], of_float32)
    return m if m > p.for_prox[PROX_END] else shrunk


cdef inline void set_mcp_prox(double step, Profile* p) noexcept nogil:
    cdef bint convex = step < p.shape    # else of the two minima 0 wins up to the hard threshold, and m itself behind it
    p.for_prox[PROX_THRESHOLD] = step * p.scale if convex else INFINITY
    p.for_prox[PROX_END] = p.shape * p.scale if convex else p.scale * sqrt(p.shape * step)
    p.for_prox[PROX_DIVISOR] = 1 - step / p.shape if convex else 1
    p.for_prox[PROX_RECIPROCAL] = 1 / p.for_prox[PROX_DIVISOR]


# ---------------------------------------------------------------------------------------------------------------- SCAD
# J. Fan and R. Li, "Variable selection via nonconcave penalized likelihood and its oracle properties", 2001. shape is a.
cdef inline double scad_value(double m, Profile* p) noexcept nogil:
    cdef double over = 0 if m < p.scale else m - p.scale
    if m > p.shape * p.scale:
        return p.scale * p.scale * (p.shape + 1) * 0.5
    return p.scale * m - over * over / (2 * (p.shape - 1))


cdef inline double scad_gradient(double m, Profile* p) noexcept nogil:
    cdef double slope = (p.shape * p.scale - m) / (p.shape - 1)
    return p.scale if slope > p.scale else 0 if slope < 0 else slope


cdef inline double scad_prox(double m, double step, Profile* p) noexcept nogil:
    cdef double excess = m - step * p.scale, knee = p.scale * (1 + step), end = p.shape * p.scale
    cdef double root = sqrt(step * (p.shape + 1)), jump = p.scale * (root if step > p.shape + 1 else (p.shape + 1 + step) * 0.5)
    if step >= p.shape - 1:    # no longer convex: of the soft threshold and m itself, the first wins up to the jump
        knee = end = jump      # past a + 1, the root is at most the step, so the soft threshold is 0 there
    if m > end:
        return m
    return m - step * (end - m) / (p.shape - 1 - step) if m > knee else 0 if excess < 0 else excess


# ------------------------------------------------------------------------------------------------------------------ L0
cdef inline double l0_value(double m, Profile* p) noexcept nogil:
    return p.scale if m > 0 else m


cdef inline double l0_gradient(double m, Profile* p) noexcept nogil:
    return 0 if m >= 0 else m


cdef inline double l0_prox(double m, double step, Profile* p) noexcept nogil:
    return 0 if m <= sqrt(2 * step * p.scale) else m


# --------------------------------------------------------------------------------------------------------------- Huber
# P. J. Huber, "Robust estimation of a location parameter", 1964. shape is delta.
cdef inline double huber_value(double m, Profile* p) noexcept nogil:
    return p.scale * p.shape * (m - 0.5 * p.shape) if m > p.shape else p.scale * m * (0.5 * m)


cdef inline double huber_gradient(double m, Profile* p) noexcept nogil:
    return p.scale * (p.shape if m > p.shape else m)


cdef inline double huber_prox(double m, double step, Profile* p) noexcept nogil:
    cdef double strength = step * p.scale
    return m - strength * p.shape if m > p.shape * (1 + strength) else m / (1 + strength)


# -------------------------------------------------------------------------------------------------------- pseudo-Huber
# P. Charbonnier et al., "Deterministic edge-preserving regularization in computed imaging", 1997. shape is delta.
# Of m and delta the smaller is divided by the larger, so no square overflows.
cdef inline double pseudo_huber_value(double m, Profile* p) noexcept nogil:
    cdef bint far = m > p.shape
    cdef double ratio = (p.shape if far else m) / (m if far else p.shape), root = sqrt(1 + ratio * ratio)
    return p.scale * p.shape * (m * ((1 if far else ratio) / ((ratio if far else 1) + root)))


cdef inline double pseudo_huber_gradient(double m, Profile* p) noexcept nogil:
    cdef bint far = m > p.shape
    cdef double ratio = (p.shape if far else m) / (m if far else p.shape)
    return p.scale * p.shape * ((1 if far else ratio) / sqrt(1 + ratio * ratio))


# ------------------------------------------------------------------------------------------------------------- log-sum
# E. J. Candes, M. B. Wakin and S. P. Boyd, "Enhancing sparsity by reweighted l1 minimization", 2008. shape is epsilon.
cdef inline double log_sum_value(double m, Profile* p) noexcept nogil:
    return p.scale * log_one_plus_ratio(m, p.shape)


cdef inline double log_sum_gradient(double m, Profile* p) noexcept nogil:
    return p.scale / (p.shape + m)


cdef inline double log_sum_root(double m, double strength, double epsilon) noexcept nogil:
    """Return the larger root z of z - m + strength/(epsilon + z) = 0, or what is next to it where there is none."""
    cdef double middle = 0.5 * m + 0.5 * epsilon, least = sqrt(strength), gap = middle - least
    return m - strength / (middle + sqrt(0 if gap < 0 else gap) * sqrt(middle + least))


cdef inline double log_sum_prox(double m, double step, Profile* p) noexcept nogil:
    cdef double z = log_sum_root(m, step * p.scale, p.shape)
    return 0 if m <= p.for_prox[PROX_THRESHOLD] else 0 if z < 0 else z


cdef inline double log_sum_threshold(double step, Profile* p) noexcept nogil:
    """Return the largest magnitude whose prox is 0.

    Where the problem is not convex, that is where 0 costs as much as the root z: at m = z/2 + strength/z * log(1 + z/epsilon).
    Newton's method falls to it from above, because the difference of the costs is convex in m.
    """
    cdef double strength = step * p.scale, least = sqrt(strength), m, z, following
    cdef int _round
    if least <= p.shape:
        return strength / p.shape
    m = min(strength / p.shape, 64 * least)  # at 64*least 0 costs more, for no logarithm of float64 numbers is above 1500
    for _round in range(64):                 # far more than it takes
        z = log_sum_root(m, strength, p.shape)
        following = z / 2 + strength / z * log_one_plus_ratio(z, p.shape)
        if not following < m:
            break
        m = following
    return max(m, 2 * least - p.shape)       # below that there is no root


# -------------------------------------------------------------------------------------------------------- by their name
# `kind` is a literal, so the compiler makes a loop for each.
cdef inline double profile_value(double m, Profile* p, int kind) noexcept nogil:
    if kind == MCP:
        return mcp_value(m, p)
    if kind == LINEAR:
        return p.scale * m
    if kind == SCAD:
        return scad_value(m, p)
    if kind == L0:
        return l0_value(m, p)
    if kind == HUBER:
        return huber_value(m, p)
    if kind == PSEUDO_HUBER:
        return pseudo_huber_value(m, p)
    if kind == LOG_SUM:
        return log_sum_value(m, p)
    return 0


cdef inline double profile_gradient(double m, Profile* p, int kind) noexcept nogil:
    if kind == MCP:
        return mcp_gradient(m, p)
    if kind == LINEAR:
        return p.scale
    if kind == SCAD:
        return scad_gradient(m, p)
    if kind == L0:
        return l0_gradient(m, p)
    if kind == HUBER:
        return huber_gradient(m, p)
    if kind == PSEUDO_HUBER:
        return pseudo_huber_gradient(m, p)
    if kind == LOG_SUM:
        return log_sum_gradient(m, p)
    return 0


cdef inline double profile_prox(double m, double step, Profile* p, int kind, bint of_float32) noexcept nogil:
    if kind == MCP:
        return mcp_prox(m, p, of_float32)
    if kind == LINEAR:
        return linear_prox(m, step, p)
    if kind == SCAD:
        return scad_prox(m, step, p)
    if kind == L0:
        return l0_prox(m, step, p)
    if kind == HUBER:
        return huber_prox(m, step, p)
    if kind == LOG_SUM:
        return log_sum_prox(m, step, p)
    return m


cdef inline bint has_closed_prox(int kind) noexcept nogil:
    """Whether there is a formula. The equation of pseudo-Huber's prox is of the fourth degree."""
    return kind != PSEUDO_HUBER


cdef inline void set_prox(double step, Profile* p) noexcept nogil:
    """Set the numbers that are the same in the prox of every element, so that no loop has to find them."""
    if p.kind == MCP:
        set_mcp_prox(step, p)
    elif p.kind == LOG_SUM:
        p.for_prox[PROX_THRESHOLD] = log_sum_threshold(step, p)


# ------------------------------------------------------------------------------------------------ a number for each element
# A strength of 0 leaves its element out: it does not multiply by 0, because 0 * infinity is NaN.
# The elastic pair with a strength for each element: scale is l1, shape is l2. (H. Zou, "The adaptive lasso and its oracle
# properties", 2006.)
cdef inline double weighted_value(double m, double strength, Profile* p) noexcept nogil:
    cdef double part = 0 if p.scale == 0 else p.scale * m, half_square = 0 if p.shape == 0 else p.shape * (0.5 * m) * m
    cdef double value = strength * (part + half_square)
    return 0 if strength == 0 else value


cdef inline double weighted_gradient(double m, double strength, Profile* p) noexcept nogil:
    return strength * (p.scale + (0 if p.shape == 0 else p.shape * m))


cdef inline double weighted_prox(double m, double step, double strength, Profile* p) noexcept nogil:
    cdef double excess = m - step * strength * p.scale
    return 0 if excess < 0 else excess / (1 + step * strength * p.shape)


# Half the square of the distance d to the reference. (Li, Grandvalet and Davoine, "Explicit inductive bias for transfer learning
# with convolutional networks", 2018; with strengths: Kirkpatrick et al., "Overcoming catastrophic forgetting", 2017.)
cdef inline double distance_value(double d, double strength) noexcept nogil:
    cdef double value = strength * fabs_double(d) * (0.5 * fabs_double(d))
    return 0 if strength == 0 else value


cdef inline double distance_gradient(double d, double strength) noexcept nogil:
    cdef double slope = strength * d
    return 0 if strength == 0 else slope


cdef inline double distance_prox(double w, double reference, double strength) noexcept nogil:
    """Return (w + strength*reference) / (1 + strength), but w to the bit where it is the reference or the strength is 0."""
    cdef double t = 1152921504606846976.0 if strength > 1152921504606846976.0 else strength  # from 2**60 on nothing is left of w
    cdef double keep = 1 / (1 + t), share = t * keep, d = w - reference, shift = d * share
    cdef double far = w * keep + reference * share  # w is infinite, or d overflows
    return far if fabs_double(d) == INFINITY else w - (0.0 if shift == 0 else shift)


# --------------------------------------------------------------------------------------------------------- of an element
# `strengths` and `reference` begin where w begins; a kind that has none does not read them.
cdef inline double element_value(real* w, real* strengths, real* reference, int j, Profile* p, int kind) noexcept nogil:
    cdef double x = w[j]
    if kind == WEIGHTED:
        return weighted_value(fabs_double(x), strengths[j], p)
    if kind == DISTANCE:
        return distance_value(x - reference[j], p.scale)
    if kind == WEIGHTED_DISTANCE:
        return distance_value(x - reference[j], p.scale * strengths[j])
    return profile_value(fabs_double(x), p, kind)


cdef inline real element_gradient(real* w, real* strengths, real* reference, int j, Profile* p, int kind) noexcept nogil:
    cdef double x = w[j]
    if kind == WEIGHTED:
        return copysign(<real>weighted_gradient(fabs_double(x), strengths[j], p), w[j]) if strengths[j] != 0 else 0
    if kind == DISTANCE:
        return <real>distance_gradient(x - reference[j], p.scale)
    if kind == WEIGHTED_DISTANCE:
        return <real>distance_gradient(x - reference[j], p.scale * strengths[j])
    return with_sign(<real>profile_gradient(<double>fabs(w[j]), p, kind), w[j])


cdef inline real element_prox(
    real* w, real* strengths, real* reference, int j, double step, Profile* p, int kind
) noexcept nogil:
    cdef double x = w[j]
    if kind == WEIGHTED:
        return with_sign(<real>weighted_prox(fabs_double(x), step, strengths[j], p), w[j])
    if kind == DISTANCE:
        return <real>distance_prox(x, reference[j], step * p.scale)
    if kind == WEIGHTED_DISTANCE:
        return <real>distance_prox(x, reference[j], step * (p.scale * strengths[j]))
    return with_sign(<real>profile_prox(<double>fabs(w[j]), step, p, kind, real is float), w[j])


cdef inline void advance_profile(Profile* moved, Profile* p, Py_ssize_t n, real* _) noexcept nogil:
    """Let the arrays of `moved` begin n elements behind those of p; for a missing array that is a pointer that nobody reads."""
    moved[0] = p[0]
    moved.strengths = <real*>p.strengths + n
    moved.reference = <real*>p.reference + n
