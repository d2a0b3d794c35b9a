/* The physical limit of a run: what the machine's memory allows with the same threads, with nothing else to do.
 *
 * read   xor of every word: no arithmetic that could be slower than memory; each thread in 1, 2 or 4 places at once
 * axpy   y += s*x: two streams in, one out, as value+gradient accumulated, and as an update rule
 * scale  y = s*x: one stream in, one out, as value+gradient written; with ordinary stores (which first read the line
 *        they are about to overwrite) and with streaming ones (which do not, and miss the cache)
 *
 * Each entry repeats itself and returns the seconds of all repeats, so that no call into C is counted.
 */
#include <omp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LINE = 64, UNROLL = 8, TURN = 4 };

static volatile uint64_t sink;

typedef uint64_t words __attribute__((vector_size(LINE), aligned(LINE), may_alias));
typedef float floats __attribute__((vector_size(LINE), aligned(LINE), may_alias));
typedef double doubles __attribute__((vector_size(LINE), aligned(LINE), may_alias));

/* The calling thread's next lines: an equal share for each thread at once, or blocks to whoever comes first, which wins
 * where a core is slower than the others for a moment. Returns 0 when there are none left. */
static int claim(ptrdiff_t *next, ptrdiff_t block, ptrdiff_t lines, ptrdiff_t *start, ptrdiff_t *stop)
{
    if (block == 0) {
        const ptrdiff_t threads = omp_get_num_threads(), me = omp_get_thread_num();
        if (*stop >= 0)
            return 0;
        *start = lines * me / threads;
        *stop = lines * (me + 1) / threads;
        return 1;
    }
    *start = __atomic_fetch_add(next, block, __ATOMIC_RELAXED);
    *stop = *start + block < lines ? *start + block : lines;
    return *start < lines;
}

/* Read the lines start..stop-1 in so many places at once, in turns of TURN lines: one thread gets more from memory so. */
static inline __attribute__((always_inline)) void read_lines(const words *lines, ptrdiff_t start, ptrdiff_t stop, int streams, words *sums)
{
    const ptrdiff_t part = (stop - start) / streams / TURN * TURN;
    for (ptrdiff_t i = 0; i < part; i += TURN)
        for (int stream = 0; stream < streams; stream++)
            for (int k = 0; k < TURN; k++)
                sums[(stream % 2) * TURN + k] ^= lines[start + stream * part + i + k];
    for (ptrdiff_t i = start + streams * part; i < stop; i++)
        sums[0] ^= lines[i];
}

double limit_read(const void *x, ptrdiff_t bytes, ptrdiff_t block, int threads, int streams, int repeats)
{
    const words *lines = x;
    const double started = omp_get_wtime();
    for (int repeat = 0; repeat < repeats; repeat++) {
        uint64_t total = 0;
        ptrdiff_t next = 0;
#pragma omp parallel num_threads(threads) reduction(^ : total) if (threads > 1)
        {
            ptrdiff_t i, stop = -1;
            words sums[UNROLL] = {{0}};
            while (claim(&next, block / LINE, bytes / LINE, &i, &stop)) {
                if (streams == 1)
                    read_lines(lines, i, stop, 1, sums);
                else if (streams == 2)
                    read_lines(lines, i, stop, 2, sums);
                else
                    read_lines(lines, i, stop, 4, sums);
            }
            for (int k = 1; k < UNROLL; k++)
                sums[0] ^= sums[k];
            for (size_t k = 0; k < LINE / sizeof(uint64_t); k++)
                total ^= sums[0][k];
        }
        sink = total;
    }
    return omp_get_wtime() - started;
}

/* One elementwise loop over whole lines, in parallel, repeated and timed. */
#define ELEMENTWISE(name, vector, scalar, statement)                                                            \
    double name(scalar s, const void *from, void *to, ptrdiff_t bytes, ptrdiff_t block, int threads, int repeats) \
    {                                                                                                           \
        const vector *restrict x = from;                                                                        \
        vector *restrict y = to;                                                                                \
        const double started = omp_get_wtime();                                                                 \
        for (int repeat = 0; repeat < repeats; repeat++) {                                                      \
            ptrdiff_t next = 0;                                                                                 \
            _Pragma("omp parallel num_threads(threads) if (threads > 1)")                                       \
            {                                                                                                   \
                ptrdiff_t start, stop = -1;                                                                     \
                while (claim(&next, block / LINE, bytes / LINE, &start, &stop))                                 \
                    for (ptrdiff_t i = start; i < stop; i++) {                                                  \
                        statement;                                                                              \
                    }                                                                                           \
                STORES_DONE;                                                                                    \
            }                                                                                                   \
        }                                                                                                       \
        return omp_get_wtime() - started;                                                                       \
    }

#if defined(__x86_64__)
#define STORES_DONE _mm_sfence()
/* A full line in one go: parts of a line would leave the write-combining buffer apart. */
static inline void stream(void *to, const void *line)
{
#if defined(__AVX512F__)
    _mm512_stream_si512(to, _mm512_loadu_si512(line));
#else
    for (int k = 0; k < LINE / 16; k++)
        _mm_stream_si128((__m128i *)to + k, _mm_loadu_si128((const __m128i *)line + k));
#endif
}
#else
#define STORES_DONE
static inline void stream(void *to, const void *line) { memcpy(to, line, LINE); }
#endif

ELEMENTWISE(limit_axpy_float32, floats, float, y[i] += s * x[i])
ELEMENTWISE(limit_axpy_float64, doubles, double, y[i] += s * x[i])
ELEMENTWISE(limit_scale_float32, floats, float, y[i] = s * x[i])
ELEMENTWISE(limit_scale_float64, doubles, double, y[i] = s * x[i])
ELEMENTWISE(limit_stream_float32, floats, float, floats line = s * x[i]; stream(y + i, &line))
ELEMENTWISE(limit_stream_float64, doubles, double, doubles line = s * x[i]; stream(y + i, &line))
