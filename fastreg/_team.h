/* What the team in _threads.pyx stands on: atomics everywhere; on Linux also threads, a futex to sleep on, and affinity. Elsewhere
   a job opens an OpenMP region of its own, and what only the team uses does nothing. */
#ifndef FASTREG_TEAM_H
#define FASTREG_TEAM_H

#ifdef _OPENMP
#include <omp.h>
#define FR_OPENMP 1
#else
#define FR_OPENMP 0
#define omp_get_max_threads() 1
#endif

#if defined(_MSC_VER)
#include <intrin.h>
#define fr_fetch_add(p, v) _InterlockedExchangeAdd64((volatile __int64*)(p), (v))
#define fr_load_relaxed(p) (*(volatile __int64*)(p))
#define fr_fetch_add_int(p, v) _InterlockedExchangeAdd((volatile long*)(p), (v))
#define fr_exchange(p, v) _InterlockedExchange((volatile long*)(p), (v))
#define fr_load(p) _InterlockedOr((volatile long*)(p), 0)
#define fr_store(p, v) ((void)fr_exchange((p), (v)))
#else
#define fr_fetch_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define fr_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define fr_fetch_add_int(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define fr_exchange(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define fr_load(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define fr_store(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#endif

#if FR_OPENMP && defined(__linux__)
#define FR_TEAM 1
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define fr_futex_wait(p, seen) syscall(SYS_futex, (p), FUTEX_WAIT_PRIVATE, (seen), NULL, NULL, 0)
#define fr_futex_wake(p, n) syscall(SYS_futex, (p), FUTEX_WAKE_PRIVATE, (n), NULL, NULL, 0)
#define fr_yield_cpu() sched_yield()
#define fr_current_cpu() sched_getcpu()

static long long fr_nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

#if defined(__x86_64__)
#define fr_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define fr_pause() __asm__ __volatile__("yield")
#else
#define fr_pause() ((void)0)
#endif

typedef pthread_t fr_thread;

static int fr_start_thread(fr_thread* thread, void* (*start)(void*), void* argument) {
    return pthread_create(thread, NULL, start, argument) == 0;
}

static void* fr_join_thread(fr_thread thread) {
    void* result = NULL;
    pthread_join(thread, &result);
    return result;
}

/* The number by which the system knows this thread. Asked once for each thread: the system takes 50 ns to answer. */
static int fr_thread_id(void) {
    static __thread int id = 0;
    if (id == 0) id = (int)syscall(SYS_gettid);
    return id;
}

/* Whether the system still counts a thread that was joined: it does for some microseconds. */
static int fr_is_counted(int id) {
    return syscall(SYS_tgkill, getpid(), id, 0) == 0;
}

/* Bytes of stack that are left to this thread. */
static size_t fr_stack_left(void) {
    pthread_attr_t attributes;
    void* lowest = NULL;
    size_t size;
    char here;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return SIZE_MAX;
    pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    return (size_t)((uintptr_t)&here - (uintptr_t)lowest);
}

/* Let this thread run where another may, but not on one processor. It stays where it is where that leaves none, or where the
   system does not say: more than 1024 processors, or a filter of system calls. */
static void fr_run_beside(int thread_id, int cpu) {
    cpu_set_t allowed;
    if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(thread_id, sizeof allowed, &allowed) != 0) return;
    CPU_CLR(cpu, &allowed);
    if (CPU_COUNT(&allowed) > 0) sched_setaffinity(0, sizeof allowed, &allowed);
}

#else
#define FR_TEAM 0
typedef int fr_thread;
#define fr_futex_wait(p, seen) ((void)0)
#define fr_futex_wake(p, n) ((void)0)
#define fr_yield_cpu() ((void)0)
#define fr_current_cpu() 0
#define fr_nanoseconds() 0LL
#define fr_pause() ((void)0)
#define fr_start_thread(thread, start, argument) ((void)(start), (void)(argument), 0)
#define fr_join_thread(thread) NULL
#define fr_thread_id() 0
#define fr_is_counted(id) 0
#define fr_stack_left() 0
#define fr_run_beside(id, cpu) ((void)0)
#endif

#endif
