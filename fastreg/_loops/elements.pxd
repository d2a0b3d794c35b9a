"""Functions of one element of float32 or float64: the same IEEE operations in the same order on every instruction set."""
from libc.math cimport copysign as copysign_double, copysignf, fabs as fabs_double, fabsf, pow as pow_double, powf
from libc.math cimport sqrt as sqrt_double, sqrtf

ctypedef fused real:
    float
    double


cdef inline real fabs(real x) noexcept nogil:
    if real is float:
        return fabsf(x)
    else:
        return fabs_double(x)


cdef inline real sqrt(real x) noexcept nogil:
    if real is float:
        return sqrtf(x)
    else:
        return sqrt_double(x)


cdef inline real pow(real x, real exponent) noexcept nogil:
    """The C library's, whose last bit differs between machines."""
    if real is float:
        return powf(x, exponent)
    else:
        return pow_double(x, exponent)


cdef inline real with_sign(real magnitude, real w) noexcept nogil:
    """Return magnitude with the sign of w, and 0 at 0; NaN in w is ignored. Half the instructions of comparing w with 0 twice."""
    cdef real x
    if real is float:
        x = copysignf(magnitude, w)
    else:
        x = copysign_double(magnitude, w)
    return x if w != 0 else 0


cdef inline real copysign(real magnitude, real w) noexcept nogil:
    """Return magnitude * numpy.sign(w) for a magnitude of at least 0: 0 at 0, NaN at NaN."""
    cdef real x = with_sign(magnitude, w)
    return x if w == w else w


cdef inline real soft_threshold(real w, real threshold) noexcept nogil:
    """Return sign(w) * max(|w| - threshold, 0); NaN stays NaN."""
    cdef real excess = fabs(w) - threshold
    return copysign(<real>0 if excess < 0 else excess, w)


cdef inline real between(real x, real lower, real upper) noexcept nogil:
    """Return x between the bounds; NaN and what is within, -0.0 too, stays as it is."""
    cdef real raised = lower if x < lower else x
    return upper if raised > upper else raised
