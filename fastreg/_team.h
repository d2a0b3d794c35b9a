/* What the team in _threads.pyx stands on: atomics everywhere; on POSIX threads and something to sleep on, which on Linux is a futex;
   on Linux also affinity. On Windows a job opens an OpenMP region of its own, and what only the team uses does nothing.

   FR_PLAIN_POSIX in CFLAGS: use on Linux what macOS and others use. */
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

#if !defined(_WIN32)
#define FR_TEAM 1
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

#if FR_OPENMP
#define fr_thread_limit() omp_get_thread_limit()
#else
#define fr_thread_limit() INT_MAX
#endif

#define fr_yield_cpu() sched_yield()

static inline long long fr_nanoseconds(void) {
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

/* A stack of 0 bytes stands for the system's usual one. */
static inline int fr_start_thread(fr_thread* thread, void* (*start)(void*), void* argument, size_t stack_bytes) {
    pthread_attr_t attributes;
    int started;
    if (pthread_attr_init(&attributes) != 0) return 0;
    if (stack_bytes > 0) pthread_attr_setstacksize(&attributes, stack_bytes);
    started = pthread_create(thread, &attributes, start, argument) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

static inline void* fr_join_thread(fr_thread thread) {
    void* result = NULL;
    pthread_join(thread, &result);
    return result;
}

#if defined(__linux__) && !defined(FR_PLAIN_POSIX)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#define fr_futex_wait(p, seen) syscall(SYS_futex, (p), FUTEX_WAIT_PRIVATE, (seen), NULL, NULL, 0)
#define fr_futex_wake(p, n) syscall(SYS_futex, (p), FUTEX_WAKE_PRIVATE, (n), NULL, NULL, 0)
#define fr_current_cpu() sched_getcpu()

/* The number by which the system knows this thread. The system takes 50 ns to answer; a variable of each thread would need memory
   at its first use, and the C library ends the process where there is none. */
static inline int fr_thread_id(void) {
    return (int)syscall(SYS_gettid);
}

/* Whether the system still counts a thread that was joined: it does for some microseconds. */
static inline int fr_is_counted(int id) {
    return syscall(SYS_tgkill, getpid(), id, 0) == 0;
}

/* Bytes of stack that are left to this thread. */
static inline size_t fr_stack_left(void) {
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
static inline void fr_run_beside(int thread_id, int cpu) {
    cpu_set_t allowed;
    if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(thread_id, sizeof allowed, &allowed) != 0) return;
    CPU_CLR(cpu, &allowed);
    if (CPU_COUNT(&allowed) > 0) sched_setaffinity(0, sizeof allowed, &allowed);
}

/* Nothing that a child of fork would have to forget: a futex has no state but its value. */
#define fr_forget_parent() ((void)0)

#else
/* One lock and one condition for all values: whoever wakes looks whether its own has changed. */
static pthread_mutex_t fr_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fr_changed = PTHREAD_COND_INITIALIZER;

static inline void fr_futex_wait(int* value, int seen) {
    pthread_mutex_lock(&fr_lock);
    while (fr_load(value) == seen) pthread_cond_wait(&fr_changed, &fr_lock);
    pthread_mutex_unlock(&fr_lock);
}

static inline void fr_futex_wake(int* value, int sleepers) {
    (void)value, (void)sleepers;
    pthread_mutex_lock(&fr_lock);
    pthread_cond_broadcast(&fr_changed);
    pthread_mutex_unlock(&fr_lock);
}

/* In a child of fork nobody holds the lock or waits, whatever the parent's threads did. */
static inline void fr_forget_parent(void) {
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_cond_t unchanged = PTHREAD_COND_INITIALIZER;
    fr_lock = unlocked;
    fr_changed = unchanged;
}

#define fr_current_cpu() (-1)
#define fr_thread_id() 0
#define fr_is_counted(id) ((void)(id), 0)
#define fr_stack_left() SIZE_MAX
#define fr_run_beside(id, cpu) ((void)0)
#endif

#define fr_at_fork(child) pthread_atfork(NULL, NULL, (child))

#else
#define FR_TEAM 0
typedef int fr_thread;
#define fr_futex_wait(p, seen) ((void)0)
#define fr_futex_wake(p, n) ((void)0)
#define fr_yield_cpu() ((void)0)
#define fr_current_cpu() 0
#define fr_nanoseconds() 0LL
#define fr_pause() ((void)0)
#define fr_thread_limit() 1
#define fr_start_thread(thread, start, argument, stack_bytes) ((void)(start), (void)(argument), 0)
#define fr_join_thread(thread) NULL
#define fr_thread_id() 0
#define fr_is_counted(id) 0
#define fr_stack_left() 0
#define fr_run_beside(id, cpu) ((void)0)
#define fr_forget_parent() ((void)0)
#define fr_at_fork(child) ((void)(child), 0)
#endif

#endif
