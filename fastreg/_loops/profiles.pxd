"""Penalties, each written once: what a magnitude m >= 0 costs, the slope of that cost, and its prox.

    value     sum of phi(m)
    gradient  phi'(m) with the sign of w, 0 at 0
    prox      argmin over z >= 0 of step * phi(z) + (z - m)**2 / 2, with the sign of w

The elastic pair l1*m + l2/2*m**2 works in the dtype of the weights and is fused with every update rule. Every other profile is
three functions of a float64 magnitude. The laws that they obey, and how to add one: docs/adding-a-penalty.md.
"""
from fastreg._abi cimport LINEAR, MCP, Profile
from fastreg._loops.elements cimport copysign, real, soft_threshold, sqrt, with_sign

cdef enum:
    L1_KIND = 1            # which coefficients of the pair are not 0; the others are left out, for 0 * inf would be NaN
    L2_KIND = 2


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


cdef inline real elastic_prox(real w, real threshold, real divisor, bint divides) noexcept nogil:
    """Take step*l1 and 1 + step*l2. `divides` is a literal, because a division costs more than everything else here."""
    cdef real x = soft_threshold(w, threshold)
    return x / divisor if divides else x


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


cdef inline double mcp_prox(double m, double step, Profile* p) noexcept nogil:
    cdef double excess = m - step * p.scale
    if step >= p.shape:    # no longer convex: of the two minima, 0 wins up to the hard threshold
        return 0 if m <= p.scale * sqrt(p.shape * step) else m
    if m > p.shape * p.scale:
        return m
    return 0 if excess < 0 else excess / (1 - step / p.shape)


# -------------------------------------------------------------------------------------------------------- by their name
# `kind` is a literal, so the compiler makes a loop for each.
cdef inline double profile_value(double m, Profile* p, int kind) noexcept nogil:
    if kind == LINEAR:
        return p.scale * m
    if kind == MCP:
        return mcp_value(m, p)
    return 0


cdef inline double profile_gradient(double m, Profile* p, int kind) noexcept nogil:
    if kind == LINEAR:
        return p.scale
    if kind == MCP:
        return mcp_gradient(m, p)
    return 0


cdef inline double profile_prox(double m, double step, Profile* p, int kind) noexcept nogil:
    if kind == LINEAR:
        return linear_prox(m, step, p)
    if kind == MCP:
        return mcp_prox(m, step, p)
    return m
