"""Conversions from and to float16 and bfloat16, with the same bits on every instruction set.

They are of integers, and of a few float operations that are exact or rounded once. The conversion instructions of a CPU are not
used: not every CPU has them, and those for bfloat16 take subnormal numbers for 0. Signs, subnormal numbers and infinities are
kept; what is too large becomes infinity; NaN stays NaN, made quiet, with as much of its payload as there is room for.
"""
from libc.stdint cimport int32_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastreg._abi cimport BFLOAT16, FLOAT16
from fastreg._loops.elements cimport from_bits, real, to_bits


cdef inline bint is_sixteen(int format) noexcept nogil:
    return format == FLOAT16 or format == BFLOAT16


cdef inline uint32_t float_bits(float x) noexcept nogil:
    cdef uint32_t bits
    memcpy(&bits, &x, sizeof(x))
    return bits


cdef inline float float_of(uint32_t bits) noexcept nogil:
    cdef float x
    memcpy(&x, &bits, sizeof(x))
    return x


# -------------------------------------------------------------------------------------------------------------- widening
cdef inline float from_float16(uint16_t half) noexcept nogil:
    cdef uint32_t sign = <uint32_t>(half & 0x8000) << 16, magnitude = half & 0x7FFF
    cdef uint32_t rebiased = (magnitude << 13) + (<uint32_t>112 << 23)
    # Half an infinity's exponent: a float16's largest exponent becomes a float32's largest.
    cdef uint32_t normal = rebiased + (<uint32_t>112 << 23) if <int32_t>magnitude >= 0x7C00 else rebiased
    cdef uint32_t subnormal = float_bits(<float><int32_t>magnitude * <float>5.960464477539063e-08)    # 2**-24
    return float_of(sign | (subnormal if <int32_t>magnitude < 0x0400 else normal))


cdef inline float from_bfloat16(uint16_t half) noexcept nogil:
    return float_of(<uint32_t>half << 16)


cdef inline void widen_all(real* out, void* x, Py_ssize_t n, int format) noexcept nogil:
    """Write n elements of a 16-bit format as float32 or float64. This is exact."""
    cdef uint16_t* halves = <uint16_t*>x
    cdef Py_ssize_t i
    if format == FLOAT16:
        for i in range(n):
            out[i] = from_float16(halves[i])
    else:
        for i in range(n):
            out[i] = from_bfloat16(halves[i])


# ------------------------------------------------------------------------------------------------------------- narrowing
cdef inline float shorten(real x) noexcept nogil:
    """Return x as a float32 from which a 16-bit number is rounded as from x itself.

    Of a float64 it keeps 16 significant bits. The last is set where one behind it was: then the rest is not taken for a half.
    """
    cdef uint64_t bits, rest = (<uint64_t>1 << 37) - 1
    if real is float:
        return x
    else:
        bits = to_bits(x)
        return <float>from_bits((bits | ((bits & rest) + rest)) & ~rest)


cdef inline uint16_t to_float16(float x) noexcept nogil:
    """Round to the nearest float16, to the even one of two."""
    cdef uint32_t bits = float_bits(x), magnitude = bits & 0x7FFF_FFFF, of_nan = 0x7E00 | (magnitude >> 13 & 0x3FF)
    cdef uint32_t normal = (magnitude - (<uint32_t>112 << 23) + 0xFFF + (magnitude >> 13 & 1)) >> 13
    # The last bit of a number from 0.5 to 1 is that of a subnormal float16, 2**-24.
    cdef uint32_t subnormal = float_bits(float_of(magnitude) + <float>0.5) - <uint32_t>0x3F00_0000
    cdef uint32_t finite = subnormal if <int32_t>magnitude < 0x3880_0000 else normal
    cdef uint32_t infinite = of_nan if <int32_t>magnitude > 0x7F80_0000 else 0x7C00
    return <uint16_t>((bits >> 16 & 0x8000) | (infinite if <int32_t>magnitude >= 0x4780_0000 else finite))


cdef inline uint16_t to_bfloat16(float x) noexcept nogil:
    """Round to the nearest bfloat16, to the even one of two."""
    cdef uint32_t bits = float_bits(x), rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return <uint16_t>(bits >> 16 | 0x40 if <int32_t>(bits & 0x7FFF_FFFF) > 0x7F80_0000 else rounded)


cdef inline void narrow_all(void* out, real* x, Py_ssize_t n, int format) noexcept nogil:
    """Round n elements to the nearest of a 16-bit format, once."""
    cdef uint16_t* halves = <uint16_t*>out
    cdef Py_ssize_t i
    if format == FLOAT16:
        for i in range(n):
            halves[i] = to_float16(shorten(x[i]))
    else:
        for i in range(n):
            halves[i] = to_bfloat16(shorten(x[i]))


# ---------------------------------------------------------------------------------------------------- stochastic rounding
cdef inline uint64_t mix(uint64_t key, uint64_t word) noexcept nogil:
    """Return a hash of a key and a word: a step of SplitMix64 from their sum."""
    cdef uint64_t x = (key ^ word) + <uint64_t>0x9E37_79B9_7F4A_7C15
    x = (x ^ x >> 30) * <uint64_t>0xBF58_476D_1CE4_E5B9
    x = (x ^ x >> 27) * <uint64_t>0x94D0_49BB_1331_11EB
    return x ^ x >> 31


cdef inline uint64_t rounding_key(uint64_t seed, uint64_t step, uint64_t variable) noexcept nogil:
    """Return the key by which a variable's elements are rounded in one step."""
    return mix(mix(mix(0, seed), step), variable)


cdef inline uint32_t draw(uint32_t index, uint32_t before, uint32_t amid) noexcept nogil:
    """Return 32 random bits of an element: Wellons's hash triple32 of its index, with a key in two halves."""
    cdef uint32_t x = index ^ before
    x = (x ^ x >> 17) * <uint32_t>0xED5A_D4BB
    x = (x ^ x >> 11) * <uint32_t>0xAC4C_1B51 + amid
    x = (x ^ x >> 15) * <uint32_t>0x3184_8BAB
    return x ^ x >> 14


cdef inline uint16_t to_float16_by(float x, uint32_t random) noexcept nogil:
    """Round up where the random bits exceed what is left of x; of a subnormal float16 this is cut to 20 bits."""
    cdef uint32_t bits = float_bits(x), magnitude = bits & 0x7FFF_FFFF, of_nan = 0x7E00 | (magnitude >> 13 & 0x3FF)
    cdef uint32_t normal = (magnitude - (<uint32_t>112 << 23) + (random >> 19)) >> 13
    cdef float small = float_of(magnitude if <int32_t>magnitude < 0x3880_0000 else 0)
    cdef uint32_t subnormal = (<uint32_t><int32_t>(small * <float>17592186044416.0) + (random >> 12)) >> 20    # 2**44
    cdef uint32_t finite = subnormal if <int32_t>magnitude < 0x3880_0000 else normal
    cdef uint32_t infinite = of_nan if <int32_t>magnitude > 0x7F80_0000 else 0x7C00
    return <uint16_t>((bits >> 16 & 0x8000) | (infinite if <int32_t>magnitude >= 0x4780_0000 else finite))


cdef inline uint16_t to_bfloat16_by(float x, uint32_t random) noexcept nogil:
    cdef uint32_t bits = float_bits(x), magnitude = bits & 0x7FFF_FFFF
    cdef uint32_t of_nan = bits >> 16 | 0x40, rounded = (bits + (random >> 16)) >> 16
    cdef uint32_t infinite = of_nan if <int32_t>magnitude > 0x7F80_0000 else bits >> 16
    return <uint16_t>(infinite if <int32_t>magnitude >= 0x7F80_0000 else rounded)


cdef inline void narrow_stochastic(
    void* out, real* x, Py_ssize_t n, int format, uint64_t key, Py_ssize_t first
) noexcept nogil:
    """Round n elements up or down at random, so that their mean is x; `first` is the index of the first in its variable.

    The random bits are a hash of the key and the index. A float64 is rounded to float32 first.
    """
    cdef uint16_t* halves = <uint16_t*>out
    cdef uint64_t keys
    cdef uint32_t before, amid, index
    cdef Py_ssize_t i, at = 0, m
    while at < n:
        keys = mix(key, <uint64_t>(first + at) >> 32)
        before = <uint32_t>keys
        amid = <uint32_t>(keys >> 32)
        index = <uint32_t>(first + at)
        m = min(n - at, (<Py_ssize_t>1 << 32) - <Py_ssize_t>index)
        if format == FLOAT16:
            for i in range(m):
                halves[at + i] = to_float16_by(<float>x[at + i], draw(index + <uint32_t>i, before, amid))
        else:
            for i in range(m):
                halves[at + i] = to_bfloat16_by(<float>x[at + i], draw(index + <uint32_t>i, before, amid))
        at += m
