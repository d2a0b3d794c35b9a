/* The few vector operations from which _kernels.pyx forms its sums, and stores that go around the caches.

   GCC vectorizes the plain loop, but widens float32 by unpacking halves of a wider load. Measured on one Zen 4 core, sums of
   squares run at 38 GB/s in that way, at 57 GB/s with conversions of 8 straight from memory, and at 97 GB/s with conversions
   of 4. So these operations stand here, and float32 uses vectors of 4 even where there are longer ones.

   The vector length differs between instruction sets, the lane of an element does not, so the bits are the same.
   fr_fma_square may fuse: the square of a float32 is exact in float64, so fusing leaves out no rounding.
   fr_add_by_fma is a + x. Where the CPU has an FMA unit beside the adder, the FMA unit adds: the adder is busy with conversions. */
#ifndef FASTREG_VECTOR_H
#define FASTREG_VECTOR_H

#include <math.h>
#include <string.h>

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define FR_VECTOR 4
#ifdef __AVX512VL__
#define FR_REGISTER "v"
#define FR_PASS_ONE 32       /* lanes of float32 that are summed at a time, for one kind of sum */
#define FR_PASS_BOTH 32      /* and for two: as many as the compiler unrolls and keeps in registers; */
#define FR_WIDE_PASS_ONE 32  /* for float64 the sums of four rows are in registers too */
#define FR_WIDE_PASS_BOTH 32
#else
#define FR_REGISTER "x"
#define FR_PASS_ONE 32
#define FR_PASS_BOTH 16
#define FR_WIDE_PASS_ONE 16
#define FR_WIDE_PASS_BOTH 8
#endif
typedef __m256d fr_vector;
#define fr_zero() _mm256_setzero_pd()
#define fr_widen(p) _mm256_cvtps_pd(_mm_loadu_ps(p))
#define fr_load(p) _mm256_loadu_pd(p)
#define fr_store(p, x) _mm256_storeu_pd(p, x)
#define fr_abs(x) _mm256_andnot_pd(_mm256_set1_pd(-0.0), x)
#define fr_add(a, x) _mm256_add_pd(a, x)
#define fr_mul(a, x) _mm256_mul_pd(a, x)
#define fr_set(x) _mm256_set1_pd(x)
#define fr_narrow(p, x) _mm_storeu_ps(p, _mm256_cvtpd_ps(x))
#define fr_narrow_add(p, a, x) _mm_storeu_ps(p, _mm_add_ps(_mm_loadu_ps(a), _mm256_cvtpd_ps(x)))
#define fr_fma_square(a, x) _mm256_fmadd_pd(x, x, a)
#define fr_ones() _mm256_set1_pd(fr_one)
#define fr_add_by_fma(a, x, ones) _mm256_fmadd_pd(x, ones, a)

#elif defined(__SSE2__)
#include <emmintrin.h>
#define FR_VECTOR 2
#define FR_REGISTER "x"
#define FR_PASS_ONE 16
#define FR_PASS_BOTH 8
#define FR_WIDE_PASS_ONE 8
#define FR_WIDE_PASS_BOTH 4
typedef __m128d fr_vector;
#define fr_zero() _mm_setzero_pd()
#define fr_widen(p) _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64((const __m128i*)(p))))
#define fr_load(p) _mm_loadu_pd(p)
#define fr_store(p, x) _mm_storeu_pd(p, x)
#define fr_abs(x) _mm_andnot_pd(_mm_set1_pd(-0.0), x)
#define fr_add(a, x) _mm_add_pd(a, x)
#define fr_mul(a, x) _mm_mul_pd(a, x)
#define fr_set(x) _mm_set1_pd(x)
#define fr_narrow(p, x) _mm_storel_epi64((__m128i*)(p), _mm_castps_si128(_mm_cvtpd_ps(x)))
#define fr_narrow_add(p, a, x) \
    _mm_storel_epi64((__m128i*)(p), _mm_castps_si128(_mm_add_ps(_mm_castsi128_ps(_mm_loadl_epi64((const __m128i*)(a))), _mm_cvtpd_ps(x))))
#define fr_fma_square(a, x) fr_add(a, fr_mul(x, x))
#define fr_ones() _mm_setzero_pd()
#define fr_add_by_fma(a, x, ones) ((void)(ones), fr_add(a, x))

#elif defined(__aarch64__)
#include <arm_neon.h>
#define FR_VECTOR 2
#define FR_REGISTER "w"
#define FR_PASS_ONE 32
#define FR_PASS_BOTH 16
#define FR_WIDE_PASS_ONE 8
#define FR_WIDE_PASS_BOTH 8
typedef float64x2_t fr_vector;
#define fr_zero() vdupq_n_f64(0.0)
#define fr_widen(p) vcvt_f64_f32(vld1_f32(p))
#define fr_load(p) vld1q_f64(p)
#define fr_store(p, x) vst1q_f64(p, x)
#define fr_abs(x) vabsq_f64(x)
#define fr_add(a, x) vaddq_f64(a, x)
#define fr_mul(a, x) vmulq_f64(a, x)
#define fr_set(x) vdupq_n_f64(x)
#define fr_narrow(p, x) vst1_f32(p, vcvt_f32_f64(x))
#define fr_narrow_add(p, a, x) vst1_f32(p, vadd_f32(vld1_f32(a), vcvt_f32_f64(x)))
#define fr_fma_square(a, x) vfmaq_f64(a, x, x)
#define fr_ones() vdupq_n_f64(0.0)
#define fr_add_by_fma(a, x, ones) ((void)(ones), fr_add(a, x))

#else /* left to the compiler */
#define FR_VECTOR 1
#define FR_PASS_ONE 32
#define FR_PASS_BOTH 16
#define FR_WIDE_PASS_ONE 32
#define FR_WIDE_PASS_BOTH 16
typedef double fr_vector;
#define fr_zero() 0.0
#define fr_widen(p) ((double)*(p))
#define fr_load(p) (*(p))
#define fr_store(p, x) (*(p) = (x))
#define fr_abs(x) fabs(x)
#define fr_add(a, x) ((a) + (x))
#define fr_mul(a, x) ((a) * (x))
#define fr_set(x) (x)
#define fr_narrow(p, x) (*(p) = (float)(x))
#define fr_narrow_add(p, a, x) (*(p) = *(a) + (float)(x))
#define fr_fma_square(a, x) ((a) + (x) * (x))
#define fr_ones() 0.0
#define fr_add_by_fma(a, x, ones) ((void)(ones), fr_add(a, x))
#endif

/* One multiplication and addition, rounded once, for loops over float64 that the compiler makes vectors of. */
#if defined(__FMA__) || defined(__aarch64__)
#define FR_FMA 1
#define fr_fma(a, b, c) __builtin_fma(a, b, c)
#else
#define FR_FMA 0
#define fr_fma(a, b, c) ((a) * (b) + (c))
#endif

/* Rows of float64, and members of groups, use the longest vectors of the CPU: half the instructions, which matters where two threads share a core. */
#if defined(__AVX512F__) && FR_VECTOR == 4
#define FR_WIDE 8
typedef __m512d fr_wide;
#define fr_wide_zero() _mm512_setzero_pd()
#define fr_wide_load(p) _mm512_loadu_pd(p)
#define fr_wide_set(x) _mm512_set1_pd(x)
#define fr_wide_widen(p) _mm512_cvtps_pd(_mm256_loadu_ps(p))
#define fr_wide_narrow(p, x) _mm256_storeu_ps(p, _mm512_cvtpd_ps(x))
#define fr_wide_narrow_add(p, a, x) _mm256_storeu_ps(p, _mm256_add_ps(_mm256_loadu_ps(a), _mm512_cvtpd_ps(x)))
#define fr_wide_fma_square(a, x) _mm512_fmadd_pd(x, x, a)
#define fr_wide_store(p, x) _mm512_storeu_pd(p, x)
#define fr_wide_abs(x) _mm512_abs_pd(x)
#define fr_wide_add(a, x) _mm512_add_pd(a, x)
#define fr_wide_mul(a, x) _mm512_mul_pd(a, x)
#else
#define FR_WIDE FR_VECTOR
typedef fr_vector fr_wide;
#define fr_wide_zero() fr_zero()
#define fr_wide_load(p) fr_load(p)
#define fr_wide_set(x) fr_set(x)
#define fr_wide_widen(p) fr_widen(p)
#define fr_wide_narrow(p, x) fr_narrow(p, x)
#define fr_wide_narrow_add(p, a, x) fr_narrow_add(p, a, x)
#define fr_wide_fma_square(a, x) fr_fma_square(a, x)
#define fr_wide_store(p, x) fr_store(p, x)
#define fr_wide_abs(x) fr_abs(x)
#define fr_wide_add(a, x) fr_add(a, x)
#define fr_wide_mul(a, x) fr_mul(a, x)
#endif

/* Load in the order of the program. GCC moves a load to where its value is used. A sum over several rows then reads from all of
   them in turns, which the prefetcher does not follow: sums of 160 MB of float64 ran at two thirds of their speed. */
#if FR_VECTOR > 1 && defined(__GNUC__)
#define fr_wide_load_ordered(p) ({ fr_wide fr_x = fr_wide_load(p); __asm__ volatile("" : "+" FR_REGISTER (fr_x)); fr_x; })
#else
#define fr_wide_load_ordered(p) fr_wide_load(p)
#endif

#if FR_VECTOR >= 4
/* A 1 that the compiler does not know: it would turn x * 1 + a back into an addition. */
static volatile double fr_one = 1.0;
#endif

/* One thread reads memory faster where it asks for lines before the hardware does. Measured on a Sapphire Rapids core, 80 MB of float32
   in huge pages: 9.5 GB/s without, 11.2 with 1 KB ahead, 12.3 with 2, 15.0 with 4; in cache no difference. */
#define FR_AHEAD 4096
#if defined(__GNUC__)
#define fr_prefetch(p) __builtin_prefetch(p)
#else
#define fr_prefetch(p) ((void)(p))
#endif

/* The result of a function that is never inlined, so that what it keeps on the stack weighs on no caller. */
#if defined(__GNUC__)
#define fr_separate __attribute__((noinline)) void
#elif defined(_MSC_VER)
#define fr_separate __declspec(noinline) void
#else
#define fr_separate void
#endif

/* Copy around the caches, without the read that an ordinary store makes of the line it is about to replace. */
#if defined(__SSE2__)
#if defined(__AVX512F__)
#define FR_STREAM 64
#define fr_stream_one(to, from) _mm512_stream_si512((void*)(to), _mm512_loadu_si512(from))
#elif defined(__AVX__)
#define FR_STREAM 32
#define fr_stream_one(to, from) _mm256_stream_si256((__m256i*)(to), _mm256_loadu_si256((const __m256i*)(from)))
#else
#define FR_STREAM 16
#define fr_stream_one(to, from) _mm_stream_si128((__m128i*)(to), _mm_loadu_si128((const __m128i*)(from)))
#endif
/* Store the ends of a block around the caches, too. An ordinary store to the line that two blocks share waits until this line has
   been read, and the stores after it wait as well: an output that began 16 bytes behind a line took 1.5 times as long as one on a
   line. Numbers of 16 bits may lie between words; their ends are stored as usual. */
static void fr_stream_words(char* to, const char* from, size_t bytes) {
    size_t i;
    int word;
    if (((size_t)to | bytes) % 4) {
        memcpy(to, from, bytes);
        return;
    }
    for (i = 0; i < bytes; i += 4) {
        memcpy(&word, from + i, 4);
        _mm_stream_si32((int*)(to + i), word);
    }
}
__attribute__((unused)) static void fr_stream(char* to, const char* from, size_t bytes) {
    size_t head = (size_t)(-(size_t)to) % 64, i;
    if (head > bytes) head = bytes;
    fr_stream_words(to, from, head);
    for (i = head; i + FR_STREAM <= bytes; i += FR_STREAM) fr_stream_one(to + i, from + i);
    fr_stream_words(to + i, from + i, bytes - i);
}
#define fr_stream_end() _mm_sfence()
#else /* arm64 has a hint for such stores (stnp); whether it helps was not measured, so the copy is the C library's */
#define fr_stream(to, from, bytes) memcpy((to), (from), (bytes))
#define fr_stream_end() ((void)0)
#endif

#endif
