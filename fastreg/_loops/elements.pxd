"""Functions of one element of float32 or float64: the same IEEE operations in the same order on every instruction set."""
from libc.math cimport INFINITY, copysign as copysign_double, copysignf, fabs as fabs_double, fabsf, pow as pow_double, powf
from libc.math cimport sqrt as sqrt_double, sqrtf
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef extern from "_loops/vector.h":
    const bint FR_FMA          # whether `fma` rounds once; else it must not be relied on
    double fma "fr_fma"(double a, double b, double c) noexcept nogil

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


cdef inline real divide_by(real x, real divisor, double reciprocal, bint below_two) noexcept nogil:
    """Return x / divisor, given 1 / divisor in float64; `below_two`, a literal, says that the divisor is from 1 to 2.

    A quotient of two float32 numbers lies in the middle between two others only if it is subnormal and the divisor an even whole
    number. Otherwise it is at least 2**-49 of itself away from a middle, and the product with the reciprocal is within 2**-52 of
    it. So the product rounds to the same float32, in a quarter of a division's time.
    """
    if real is float:
        return <real>(x * reciprocal) if below_two else x / divisor
    else:
        return x / divisor


cdef inline double add_square(double total, real x) noexcept nogil:
    """Return total + x**2. The square of a float32 number is exact, so that to fuse leaves out no rounding."""
    cdef double wide = x
    return fma(wide, wide, total) if real is float else total + wide * wide


cdef inline double divide(double a, double divisor, double reciprocal, bint of_float32) noexcept nogil:
    """Return a / divisor, given 1 / divisor; `of_float32`, a literal, says that the result becomes a float32.

    Two corrections by an exact remainder make of a product with the reciprocal the rounded quotient (P. Markstein, "IA-64 and
    elementary functions", 2000), at a quarter of the time of a division. Where the remainder is not exact, because the quotient
    is near the least float64 numbers, it is 0 in float32.
    """
    cdef double quotient = a * reciprocal
    if not FR_FMA or not of_float32:
        return a / divisor
    quotient = fma(fma(-divisor, quotient, a), reciprocal, quotient)
    return fma(fma(-divisor, quotient, a), reciprocal, quotient)


# ----------------------------------------------------------------------------------------------------------- logarithm
# Of + - * / and integers alone: the C library's differs in its last bit between machines, and has no vector form.
cdef inline uint64_t to_bits(double x) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, &x, sizeof(x))
    return bits


cdef inline double from_bits(uint64_t bits) noexcept nogil:
    cdef double x
    memcpy(&x, &bits, sizeof(x))
    return x


cdef inline double log_of_sum(double x, double rest) noexcept nogil:
    """Return log(x + rest) of a normal x above 0, where rest is below the last bit of x.

    x is 2**k * (1 + f) with 1 + f between sqrt(1/2) and sqrt(2). With s = f / (2 + f), log(1 + f) is 2*(s + s**3/3 + s**5/5 +
    ...); the terms from s**23 on add less than 2**-60 of it. 2*s is computed as f - (f**2/2 - s * f**2/2), since f is exact.
    """
    cdef uint64_t shifted = to_bits(x) + <uint64_t>0x0009_5F61_9980_C433    # of 1 less those of sqrt(1/2): carries into k there
    cdef double k = from_bits(shifted >> 52 | <uint64_t>0x4330_0000_0000_0000) - (4503599627370496.0 + 1023.0)
    cdef double f = from_bits((shifted & <uint64_t>0x000F_FFFF_FFFF_FFFF) + <uint64_t>0x3FE6_A09E_667F_3BCD) - 1.0
    cdef double s = f / (2.0 + f), z = s * s, half_square = 0.5 * f * f, series
    series = 2.0 / 15 + z * (2.0 / 17 + z * (2.0 / 19 + z * (2.0 / 21)))
    series = z * (2.0 / 3 + z * (2.0 / 5 + z * (2.0 / 7 + z * (2.0 / 9 + z * (2.0 / 11 + z * (2.0 / 13 + z * series))))))
    # log(2) in two parts, the first so short that k times it is exact.
    return k * 0.6931471805598903 + (f - (half_square - (s * (half_square + series) + (rest / x + k * 5.497923018708371e-14))))


cdef inline double log_one_plus_ratio(double m, double d) noexcept nogil:
    """Return log(1 + m/d) for m >= 0 and a normal d > 0, to about one unit in the last place; also where m/d overflows."""
    cdef double ratio = m / d, x = 1.0 + ratio, above = x - 1.0, rest = (1.0 - (x - above)) + (ratio - above)
    cdef bint overflows = ratio == INFINITY
    cdef double y = log_of_sum(m if overflows else x, 0.0 if overflows else rest) - (log_of_sum(d, 0.0) if overflows else 0.0)
    return y if m < INFINITY else m  # NaN too
