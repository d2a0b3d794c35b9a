/* Preloaded into a process, lets chosen allocations fail: those from number `first` to before number `stop`, counted from `arm`
   on. Python counts its own small objects elsewhere; they are failed by _testcapi.set_nomemory. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static atomic_long counted, first, stop;
static atomic_int armed, threads_only;

void arm(long from, long to) {
    atomic_store(&counted, 0);
    atomic_store(&first, from);
    atomic_store(&stop, to);
    atomic_store(&armed, 1);
}

void arm_threads(long from, long to) {
    atomic_store(&threads_only, 1);
    arm(from, to);
}

long disarm(void) {
    atomic_store(&armed, 0);
    atomic_store(&threads_only, 0);
    return atomic_load(&counted);
}

static int fails(int starts_thread) {
    if (!atomic_load(&armed) || (atomic_load(&threads_only) && !starts_thread)) return 0;
    long number = atomic_fetch_add(&counted, 1);
    return number >= atomic_load(&first) && number < atomic_load(&stop);
}

static void* refuse(void) {
    errno = ENOMEM;
    return NULL;
}

void* malloc(size_t size) { return fails(0) ? refuse() : __libc_malloc(size); }
void* calloc(size_t n, size_t size) { return fails(0) ? refuse() : __libc_calloc(n, size); }
void* realloc(void* old, size_t size) { return fails(0) ? refuse() : __libc_realloc(old, size); }
void* memalign(size_t alignment, size_t size) { return fails(0) ? refuse() : __libc_memalign(alignment, size); }
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** memory, size_t alignment, size_t size) {
    void* found = memalign(alignment, size);
    if (found == NULL) return ENOMEM;
    *memory = found;
    return 0;
}

void* mmap(void* address, size_t length, int protection, int flags, int file, off_t offset) {
    if (!fails(0)) return (void*)syscall(SYS_mmap, address, length, protection, flags, file, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
    int (*create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) = dlsym(RTLD_NEXT, "pthread_create");
    return fails(1) ? EAGAIN : create(thread, attributes, start, argument);
}
