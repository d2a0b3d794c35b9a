"""Decide how many threads work on a job, and share its chunks out among them.

Floor 1, and the only user of OpenMP. It knows chunks by number and a job by its size; no arrays, no items, no instruction set.

The team of threads is described in docs/design.md. Its workers are OpenMP's threads; `lend_region` keeps them in one long region.
In a child of fork, and where there is no OpenMP, the team starts its workers itself. The caller of a job waits only for workers
that are inside a chunk.

A worker says that it is inside before it asks whether there is a slot for its number, and the caller takes the slots away before
it looks who is inside; with sequentially consistent operations either the worker finds no slot or the caller sees the worker.
Only then may the job go.

The region belongs to a thread that Python knows nothing of, so it starts where Python can start none: at the interpreter's exit,
and where threads are replaced by something else (gevent, eventlet).

On Windows a job opens an OpenMP region of its own.
"""
from cython.parallel cimport prange
from libc.string cimport memset

ctypedef void* (*Start)(void* argument) noexcept nogil

cdef extern from "_team.h":
    const bint FR_OPENMP
    const bint FR_TEAM
    int omp_get_max_threads() noexcept nogil
    Py_ssize_t fetch_add "fr_fetch_add" (Py_ssize_t* value, Py_ssize_t change) noexcept nogil
    Py_ssize_t load_relaxed "fr_load_relaxed" (Py_ssize_t* value) noexcept nogil
    int fetch_add_int "fr_fetch_add_int" (int* value, int change) noexcept nogil
    int load "fr_load" (int* value) noexcept nogil
    void store "fr_store" (int* value, int new) noexcept nogil
    int exchange "fr_exchange" (int* value, int new) noexcept nogil
    void futex_wait "fr_futex_wait" (int* value, int seen) noexcept nogil
    void futex_wake "fr_futex_wake" (int* value, int sleepers) noexcept nogil
    void yield_cpu "fr_yield_cpu" () noexcept nogil
    int current_cpu "fr_current_cpu" () noexcept nogil
    long long nanoseconds "fr_nanoseconds" () noexcept nogil
    void pause "fr_pause" () noexcept nogil
    int thread_limit "fr_thread_limit" () noexcept nogil
    ctypedef unsigned long thread_t "fr_thread"
    bint start_thread "fr_start_thread" (thread_t* thread, Start start, void* argument, size_t stack_bytes) noexcept nogil
    void* join_thread "fr_join_thread" (thread_t thread) noexcept nogil
    int thread_id "fr_thread_id" () noexcept nogil
    bint is_counted "fr_is_counted" (int thread_id) noexcept nogil
    size_t stack_left "fr_stack_left" () noexcept nogil
    void run_beside "fr_run_beside" (int thread_id, int cpu) noexcept nogil
    void forget_parent "fr_forget_parent" () noexcept nogil
    int at_fork "fr_at_fork" (void (*child)() noexcept nogil) noexcept nogil

cdef enum:
    NOGIL_BYTES = 1 << 16   # a smaller job keeps the GIL: releasing it costs more than it gives
    CLAIM_BYTES = 1 << 17   # a thread claims no more at a time, so a thread that is interrupted delays few chunks
    REGIONS = 64            # at most, of a job's chunks; each is where one thread begins
    AWAKE_GRAIN = 1 << 16   # bytes a thread, when workers are awake
    ASLEEP_GRAIN = 1 << 18  # bytes of a job for which waking them pays
    # A worker that has just worked spins for this long before it sleeps: a tight loop finds it awake, and BLAS, which comes next
    # in a training step, gets the core back soon.
    SPIN_NS = 50_000
    PROBE_NS = 10_000_000   # that the system may take to forget the threads it was asked for
    STACK_BYTES = 120_000   # that a worker needs: 90 KB for the loops, 11 KB for a signal where registers are large, and spare
    OWN_STACK_BYTES = 1 << 20  # of a thread that the team starts; other libraries' thread-local variables take some of it
    ALL = 1 << 30

cdef struct Region:
    Py_ssize_t next_chunk   # atomic
    Py_ssize_t stop
    Py_ssize_t[6] padding   # to the length of a cache line

cdef struct Work:
    Task task
    void* job
    Py_ssize_t largest_claim  # chunks that a thread takes at a time, at most
    int n_regions
    char[64] padding        # what all threads read shares no cache line with what they write
    Region[REGIONS] regions

cdef struct Slot:
    int inside              # workers between entering and leaving
    int[15] padding         # to a cache line, as below

cdef struct Team:
    int announced           # futex: changes with every job. What a worker needs to know next lies beside it
    int slots               # workers up to this number may join; 0 when there is no job
    int caller              # the caller's thread, and the processor that it runs on
    int cpu
    Work* work
    int[10] padding1
    int sleepers
    int[15] padding2
    int busy                # a caller has the team
    int workers             # that have come so far
    int wanted              # that were asked for so far
    int growing             # a caller is asking for more; from `stop` on for good
    int stopped
    int[11] padding3
    Slot[REGIONS] places    # a worker's is that of its number, modulo their number

cdef Team team
cdef int requested = 0      # by set_num_threads or FASTREG_NUM_THREADS; 0, where there is OpenMP: as many as it allows
cdef int openmp_threads = omp_get_max_threads()  # what OpenMP allows as this module is imported
cdef int in_regions = FR_OPENMP  # the workers are OpenMP's threads
cdef thread_t[REGIONS] started  # by `grow`: owners of OpenMP regions, or workers
cdef int n_started = 0


# ----------------------------------------------------------------------------------------------------------------- policy
def has_openmp():
    """Tell whether this build has OpenMP."""
    return FR_OPENMP


def threading():
    """Tell what threads large calls use in this process: OpenMP's, the system's own, or none."""
    return "openmp" if in_regions else "system" if FR_TEAM else "none"


cdef int allowed_threads() noexcept:
    """OpenMP's limit is asked for anew: threadpoolctl changes it, for the asking thread alone."""
    cdef int limit
    cdef int wished = load(&requested)
    if not FR_OPENMP:
        return wished if FR_TEAM else 1
    limit = omp_get_max_threads()
    if wished == 0:
        return limit
    return min(wished, limit) if limit < openmp_threads else wished


def threads():
    """Return how many threads the next large call may use."""
    return allowed_threads()


def request_threads(int n):
    """Let calls use n threads; 0 returns to OpenMP's own number."""
    store(&requested, n)


cdef int n_threads_for(Py_ssize_t n_bytes, int allowed) noexcept nogil:
    """How many threads a job of this size is worth, the caller among them."""
    cdef Py_ssize_t worth = (n_bytes + AWAKE_GRAIN - 1) // AWAKE_GRAIN
    cdef int present
    if FR_TEAM:
        present = load(&team.workers)
        if load(&team.sleepers) >= present and n_bytes < ASLEEP_GRAIN:
            return 1
        allowed = min(allowed, present + 1)
    return <int>min(<Py_ssize_t>allowed, worth)


# ------------------------------------------------------------------------------------------------------------------- team
cdef void after_fork() noexcept nogil:
    """In a child: none of its parent's threads is there, and an OpenMP region would wait for them for ever."""
    global in_regions, n_started
    cdef int stopped = team.stopped
    memset(&team, 0, sizeof(Team))
    team.stopped = team.growing = stopped
    in_regions = False
    n_started = 0
    forget_parent()


if at_fork(after_fork) != 0:
    raise MemoryError


def stop():
    """Let the workers end, and wait for them. No new ones start."""
    cdef int i
    if load(&team.stopped):
        return
    with nogil:
        while exchange(&team.growing, True):
            yield_cpu()
        store(&team.stopped, True)
        fetch_add_int(&team.announced, 1)
        futex_wake(&team.announced, ALL)
        futex_wake(&team.stopped, ALL)
        for i in range(n_started):
            join_thread(started[i])


cdef void grow(int wanted) noexcept:
    """Bring the team to this many workers. They work from the next jobs on; nobody waits for them."""
    global n_started
    cdef int more
    wanted = min(wanted, <int>REGIONS - 1, thread_limit() - 1)  # OMP_THREAD_LIMIT: LLVM's OpenMP warns of a larger region
    if wanted <= load(&team.wanted) or exchange(&team.growing, True):
        return
    # Another caller may have brought it there meanwhile. What the system refuses now is not asked for again.
    more = wanted - load(&team.wanted)
    if more > 0:
        if in_regions:
            n_started += start_thread(&started[n_started], own_region, <void*><Py_ssize_t>more, 0)
        else:
            while more > 0 and start_thread(&started[n_started], own_worker, NULL, OWN_STACK_BYTES):
                n_started += 1
                more -= 1
        store(&team.wanted, wanted)
    store(&team.growing, False)


cdef void* own_worker(void* nothing) noexcept nogil:
    worker_loop()
    return NULL


cdef void* own_region(void* n_workers) noexcept nogil:
    if can_start(<int><Py_ssize_t>n_workers):
        lend_region(<int><Py_ssize_t>n_workers)
    return NULL


cdef bint can_start(int n_threads) noexcept nogil:
    """Tell whether the system gives this many threads at once. OpenMP ends the process where it is refused one, so ask before."""
    cdef thread_t[REGIONS] probes
    cdef int gate = 0, n_probes = 0, i, probe
    cdef long long deadline
    while n_probes < n_threads and start_thread(&probes[n_probes], wait_at, &gate, 0):
        n_probes += 1
    store(&gate, 1)
    futex_wake(&gate, ALL)
    for i in range(n_probes):
        probe = <int><Py_ssize_t>join_thread(probes[i])
        deadline = nanoseconds() + PROBE_NS
        while is_counted(probe):
            if nanoseconds() > deadline:
                return False
            yield_cpu()
    return n_probes == n_threads


cdef void* wait_at(void* gate) noexcept nogil:
    """Wait until the gate opens, and return this thread's number."""
    while not load(<int*>gate):
        futex_wait(<int*>gate, 0)
    return <void*><Py_ssize_t>thread_id()


cdef void wait_for_stop() noexcept nogil:
    while not load(&team.stopped):
        futex_wait(&team.stopped, 0)


cdef void lend_region(int n_workers) noexcept nogil:
    """Lend this thread's OpenMP region to the team until it is stopped. Thread 0 keeps out of the way of the caller's core."""
    cdef int i
    for i in prange(n_workers + 1, num_threads=n_workers + 1, schedule="static", chunksize=1):
        if i > 0 and stack_left() >= STACK_BYTES:
            worker_loop()
        else:
            wait_for_stop()


cdef void worker_loop() noexcept nogil:
    cdef int me = fetch_add_int(&team.workers, 1) + 1, seen = 0, spins
    cdef int cpu = -1
    cdef int* inside = &team.places[me % REGIONS].inside
    cdef long long deadline
    while not load(&team.stopped):
        deadline = nanoseconds() + SPIN_NS
        spins = 0
        while load(&team.announced) == seen:
            pause()
            spins += 1
            if spins % 32 == 0 and nanoseconds() > deadline:
                break
        if load(&team.announced) == seen:
            fetch_add_int(&team.sleepers, 1)
            while load(&team.announced) == seen:
                futex_wait(&team.announced, seen)
            fetch_add_int(&team.sleepers, -1)
        seen = load(&team.announced)
        fetch_add_int(inside, 1)
        if me <= load(&team.slots):
            claim_chunks(team.work, me)
        fetch_add_int(inside, -1)
        # Where BLAS's threads spin on every other processor, Linux wakes a worker on the caller's, and the caller waits. So a
        # worker avoids it. The affinity is read from the caller each time: `taskset -a -p` may change it from outside.
        if cpu != load(&team.cpu):
            cpu = load(&team.cpu)
            run_beside(load(&team.caller), cpu)
    fetch_add_int(&team.workers, -1)


# ------------------------------------------------------------------------------------------------------------- sharing out
cdef int share_out(Task task, void* job, Py_ssize_t n_chunks, Py_ssize_t n_bytes) except -1:
    """Process all chunks of a job by as many threads as it is worth. Called with the GIL; releases it for a large job.

    The chunks' order and threads are not fixed, so a task gives the same bits only if its chunks do not depend on each other.

    Parameters
    ----------
    task : Task
    job : void*
        What `task` is given.
    n_chunks : int
        The chunks of the job are 0..n_chunks-1.
    n_bytes : int
        The memory traffic of the job, which decides on its threads.
    """
    cdef int allowed
    if n_bytes < NOGIL_BYTES:
        process(task, job, 0, n_chunks)
        return 0
    allowed = allowed_threads()
    if allowed > 1 and FR_TEAM:
        grow(allowed - 1)
    with nogil:
        run(task, job, n_chunks, n_bytes, allowed)
    return 0


cdef inline void process(Task task, void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Process chunks in the floating-point environment that all threads share, whatever theirs is."""
    cdef FloatEnvironment found = enter_float_environment()
    task(job, start, stop)
    leave_float_environment(found)


cdef void run(Task task, void* job, Py_ssize_t n_chunks, Py_ssize_t n_bytes, int allowed) noexcept nogil:
    cdef int n_threads = 1
    if allowed > 1 and n_chunks > 1:
        n_threads = n_threads_for(n_bytes, allowed)
    if n_threads > 1 and FR_TEAM and exchange(&team.busy, 1):
        n_threads = 1
    if n_threads == 1:
        process(task, job, 0, n_chunks)
    else:
        run_shared(task, job, n_chunks, n_bytes, n_threads)


cdef void run_shared(Task task, void* job, Py_ssize_t n_chunks, Py_ssize_t n_bytes, int n_threads) noexcept nogil:
    """Cut the chunks into a region for each thread, and claim them together with the team, which the caller has."""
    cdef Work work
    cdef int spins = 0, i
    work.task = task
    work.job = job
    work.largest_claim = CLAIM_BYTES * n_chunks // (n_bytes + 1) + 1
    work.n_regions = min(n_threads, <int>REGIONS)
    for i in range(work.n_regions):
        work.regions[i].next_chunk = n_chunks * i // work.n_regions
        work.regions[i].stop = n_chunks * (i + 1) // work.n_regions
    if FR_TEAM:
        team.work = &work
        store(&team.caller, thread_id())
        store(&team.cpu, current_cpu())
        store(&team.slots, n_threads - 1)
        fetch_add_int(&team.announced, 1)
        if load(&team.sleepers) > 0:
            futex_wake(&team.announced, ALL)
        claim_chunks(&work, 0)
        store(&team.slots, 0)
        for i in range(work.n_regions):
            while load(&team.places[i].inside) > 0:
                pause()
                spins += 1
                if spins % 1024 == 0:
                    yield_cpu()
        store(&team.busy, 0)
    else:
        for i in prange(n_threads, num_threads=n_threads, schedule="static", chunksize=1):
            claim_chunks(&work, i)


cdef void claim_chunks(Work* work, int me) noexcept nogil:
    """Claim chunks and process them until none is left. Thread-safe; threads may join at any time.

    Each thread begins in the region of its own number, which is the same memory at the next call and so may still be in its
    cache, and then helps in the others'.
    """
    cdef Py_ssize_t claim, start
    cdef Region* region
    cdef int i
    for i in range(work.n_regions):
        region = &work.regions[(me + i) % work.n_regions]
        while True:
            # Guided self-scheduling: take half of what is left, so that few claims are made and the last ones are small.
            claim = min(work.largest_claim, (region.stop - load_relaxed(&region.next_chunk) + 1) // 2)
            if claim <= 0:
                break
            start = fetch_add(&region.next_chunk, claim)
            if start >= region.stop:
                break
            process(work.task, work.job, start, min(start + claim, region.stop))
