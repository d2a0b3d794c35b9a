"""Floor 1: run a job, a list of items, by the installed kernel, and fold the sums of its chunks.

It knows no arrays and no names.
"""
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from fastreg._abi cimport *
from fastreg._loops.profiles cimport set_prox
from fastreg._loops.rules cimport is_update, takes_prox
from fastreg._loops.sixteen cimport is_sixteen
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment, share_out

cdef extern from *:
    """
    /* libgcc and compiler-rt ask the OS too (XGETBV) before they say that AVX state may be used. */
    #if (defined(__x86_64__) || defined(_M_X64)) && defined(__GNUC__)
    #define fr_cpu_init() __builtin_cpu_init()
    #define fr_has_v3() (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") \
        && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
    #define fr_has_v4() (fr_has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") \
        && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    #else
    #define fr_cpu_init() ((void)0)
    #define fr_has_v3() 0
    #define fr_has_v4() 0
    #endif
    #if defined(__x86_64__) || defined(_M_X64)
    #define fr_is_x86_64() 1
    #else
    #define fr_is_x86_64() 0
    #endif
    #if defined(__aarch64__) || defined(_M_ARM64)
    #define fr_is_arm64() 1
    #else
    #define fr_is_arm64() 0
    #endif
    """
    void cpu_init "fr_cpu_init" ()
    bint has_v3 "fr_has_v3" ()
    bint has_v4 "fr_has_v4" ()
    bint is_x86_64 "fr_is_x86_64" ()
    bint is_arm64 "fr_is_arm64" ()

cdef enum:
    LOCAL_SIZE = 1 << 15       # elements of a block that stays in the second-level cache from its norms to its members

cdef Kernel* kernel = NULL


def cpu_isas():
    """Return the instruction sets that this CPU and its operating system support, best first."""
    cpu_init()
    isas = {"x86-64-v4": has_v4(), "x86-64-v3": has_v3(), "x86-64": is_x86_64(), "arm64": is_arm64(), "baseline": True}
    return [isa for isa, is_supported in isas.items() if is_supported]


def install(capsule):
    """Take the compiled kernel whose loops all later calls run."""
    global kernel
    cdef Kernel* given = <Kernel*>PyCapsule_GetPointer(capsule, "fastreg.kernel")
    if given.abi != ABI:
        raise ImportError(
            "fastreg's compiled kernel is of another build than its other compiled modules; build all of them again: "
            "python setup.py build_ext --inplace --force"
        )
    kernel = given


# ----------------------------------------------------------------------------------------------------------------- layouts
cdef inline bint is_reduced(Item* item, Profile* profile, int axis) noexcept nogil:
    return (profile.axes >> axis | profile.axes_from_last >> (item.n_dims - 1 - axis)) & 1 != 0


cdef void find_layout(Layout* layout, Item* item, Profile* profile) noexcept nogil:
    """Find how the weights, or a row of them, fall into groups. Neighbouring axes of one kind are one level."""
    cdef Py_ssize_t extent, size = 1, widest
    cdef int i, axis, first = 0 if item.rows == NULL else 1, n = item.n_dims - first
    cdef bint reduced, last = False
    memset(layout, 0, sizeof(Layout))
    layout.item = item
    layout.profile = profile
    layout.n_blocks = layout.members = layout.groups = 1
    for i in range(n):                       # from the slowest axis to the fastest
        axis = n - 1 - i if item.is_fortran else first + i
        extent = item.shape[axis]
        reduced = is_reduced(item, profile, axis)
        if extent == 1:
            continue
        size *= extent
        if not reduced and layout.n_levels == 0:
            layout.n_blocks *= extent
        elif layout.n_levels and reduced == last:
            layout.extents[layout.n_levels - 1] *= extent
        else:
            layout.extents[layout.n_levels] = extent
            layout.n_levels += 1
        last = reduced
    if layout.n_levels == 0:                 # every element is a group
        layout.extents[0] = layout.n_levels = 1
    layout.block = 1
    for i in range(layout.n_levels - 1, -1, -1):
        layout.strides[i] = layout.block
        layout.block *= layout.extents[i]
        if i % 2:
            layout.group_strides[i] = layout.groups
            layout.groups *= layout.extents[i]
        else:
            layout.members *= layout.extents[i]
    if item.rows != NULL and item.width:
        layout.n_blocks *= item.size // item.width
    layout.scale = profile.scale
    if profile.kind == LINEAR and profile.shape > 0:
        layout.scale *= sqrt(<double>layout.members)
    elif profile.kind == LINEAR and profile.shape < 0:
        layout.scale /= sqrt(<double>layout.members)
    layout.n_segments = n_parts(layout.extents[0], segment_size(layout))
    layout.strip = layout.n_strips = 1
    if layout.n_levels > 1:
        i = layout.n_levels - 1 - layout.n_levels % 2      # the last level of groups
        widest = WIDE_STRIP if layout.n_levels == 2 and layout.n_blocks == 1 else STRIP
        layout.strip = min(max(CHUNK // layout.strides[i], <Py_ssize_t>1), widest)
        layout.n_strips = layout.groups // max(layout.extents[i], <Py_ssize_t>1) * n_parts(layout.extents[i], layout.strip)


# ------------------------------------------------------------------------------------------------------------------ chunks
cdef inline Py_ssize_t n_chunks_of(Job* job, Item* item) noexcept nogil:
    cdef Item* following = item + 1
    return (following.first_chunk if following < job.items + job.n_items else job.n_chunks) - item.first_chunk


cdef inline void choose_chunks(Item* item) noexcept nogil:
    """Let a chunk hold whole blocks where the item has one layout, of blocks that fit into a cache."""
    cdef Layout* layout = NULL
    cdef int k, n = 0
    item.chunk_size = CHUNK
    for k in range(item.n_profiles):
        if item.profiles[k].layout != NULL:
            layout = item.profiles[k].layout
            layout.local = item.size == 0
            n += 1
    if n == 1 and item.size and layout.block <= LOCAL_SIZE and layout.groups <= LOCAL_GROUPS:
        layout.local = True
        item.chunk_size = max(<Py_ssize_t>1, min(CHUNK // layout.block, LOCAL_GROUPS // layout.groups)) * layout.block


cdef Py_ssize_t number_chunks(Job* job) noexcept nogil:
    """Number the chunks of all items; return how many sums they leave."""
    cdef Py_ssize_t i, n, n_sums = 0, chunks = 0
    cdef Item* item
    for i in range(job.n_items):
        item = &job.items[i]
        choose_chunks(item)
        item.first_chunk = chunks
        if item.rows == NULL or item.width == 0:
            n = n_parts(item.size, item.chunk_size)
        else:
            item.chunks_per_row = n_parts(item.width, item.chunk_size)
            n = item.size // item.width * item.chunks_per_row
        chunks += n
        n_sums += (2 + item.n_profiles) * n
    job.n_chunks = chunks
    return n_sums


# A chunk of 16-bit weights is widened in a cache. An item with groups, which may span chunks, is computed from a copy in float32.
cdef inline bint needs_copy(Item* item) noexcept nogil:
    cdef int k
    if not is_sixteen(item.weights_format) or is_update(item.operation):
        return False
    for k in range(item.n_profiles):
        if item.profiles[k].layout != NULL:
            return True
    return False


cdef inline bint needs_copy_of_out(Item* item) noexcept nogil:
    return item.operation != MEASURE and is_sixteen(item.out_format)


cdef inline Conversion* add_conversion(Job* job) noexcept nogil:
    job.n_conversions += 1
    return &job.conversions[job.n_conversions - 1]


cdef void widen_before(Job* job, float* out, void* x, Py_ssize_t n, Format format) noexcept nogil:
    cdef Conversion* c = add_conversion(job)
    c.out, c.x, c.n, c.to, c.format, c.stochastic, c.after = out, x, n, FLOAT32, format, False, False


cdef void narrow_after(Job* job, void* out, float* x, Py_ssize_t n, Format to) noexcept nogil:
    cdef Conversion* c = add_conversion(job)
    c.out, c.x, c.n, c.to, c.format, c.stochastic, c.after = out, x, n, to, FLOAT32, False, True


cdef void copy_in_float32(Job* job, Item* item, float* room) noexcept nogil:
    """Let an item read and write float32 instead of its 16-bit arrays; the conversions are noted."""
    widen_before(job, room, item.weights, item.size, item.weights_format)
    item.weights = room
    item.weights_format = FLOAT32
    if not needs_copy_of_out(item):
        return
    room += item.size
    if item.operation == ACCUMULATE:
        widen_before(job, room, item.base, item.size, item.base_format)
        item.base = room
        item.base_format = FLOAT32
    narrow_after(job, item.out, room, item.size, item.out_format)
    item.out = room
    item.out_format = FLOAT32


cdef inline Py_ssize_t n_sums_of(Layout* layout) noexcept nogil:
    return layout.n_blocks * layout.n_segments * layout.groups if layout.n_segments > 1 else 0


cdef double* place_layouts(Job* job, Layout* found, Py_ssize_t n, double* room) noexcept nogil:
    """Copy the layouts to their place, first those that are not local; number their tasks, and give them room."""
    cdef Layout* place = job.layouts
    cdef Layout* layout
    cdef Item* item
    cdef Py_ssize_t i
    cdef int local
    for local in range(2):
        for i in range(n):
            if found[i].local != local:
                continue
            layout = place
            place += 1
            layout[0] = found[i]
            (<Profile*>layout.profile).layout = layout
            if local:
                continue
            item = <Item*>layout.item
            job.n_layouts += 1
            job.layout_bytes += item.size * (8 if item.is_double else 4)
            layout.first_task = job.n_tasks
            job.n_tasks += layout.n_blocks * layout.n_segments * layout.n_strips
            layout.first_fold = job.n_folds
            layout.sums = room
            layout.factors = room + n_sums_of(layout)
            layout.values = layout.factors + layout.n_blocks * layout.groups
            room = layout.values + layout.n_blocks * layout.n_strips
            if layout.n_segments > 1:
                job.n_folds += layout.n_blocks * layout.n_strips
    return room


cdef int lay_out(Job* job) except -1:
    """Number the chunks of all items, and allocate memory for their sums: it begins at `memory`, and the caller frees it."""
    cdef Py_ssize_t i, n = 0, n_sums, j = 0, n_copied = 0, room = 0
    cdef Layout* found = NULL
    cdef float* copy
    cdef Item* item
    cdef double* sums
    cdef int k
    job.memory = NULL
    job.n_layouts = job.n_tasks = job.n_folds = job.layout_bytes = job.n_conversions = 0
    for i in range(job.n_items):
        for k in range(job.items[i].n_profiles):
            n += job.items[i].profiles[k].has_axes
    if n:
        found = <Layout*>malloc(n * sizeof(Layout))
        if found == NULL:
            raise MemoryError()
    for i in range(job.n_items):
        item = &job.items[i]
        for k in range(item.n_profiles):
            item.profiles[k].layout = NULL
            if item.profiles[k].has_axes:
                item.profiles[k].layout = &found[j]
                find_layout(&found[j], item, &item.profiles[k])
                j += 1
    n_sums = number_chunks(job) + 1
    for j in range(n):
        if not found[j].local:
            n_sums += n_sums_of(&found[j]) + found[j].n_blocks * (found[j].groups + found[j].n_strips)
    for i in range(job.n_items):
        item = &job.items[i]
        if needs_copy(item):
            n_copied += 1
            room += item.size * (2 if needs_copy_of_out(item) else 1)
    job.memory = malloc(n * sizeof(Layout) + n_sums * sizeof(double) + 3 * n_copied * sizeof(Conversion) + room * sizeof(float))
    if job.memory == NULL:
        free(found)
        raise MemoryError()
    job.layouts = <Layout*>job.memory
    sums = place_layouts(job, found, n, <double*>(job.layouts + n))
    free(found)
    job.absolute = sums
    job.square = sums + job.n_chunks
    sums += 2 * job.n_chunks
    for i in range(job.n_items):
        item = &job.items[i]
        for k in range(item.n_profiles):
            item.profiles[k].partials = sums
            sums += n_chunks_of(job, item)
    job.conversions = <Conversion*>(<double*>(job.layouts + n) + n_sums)
    copy = <float*>(job.conversions + 3 * n_copied)
    for i in range(job.n_items):
        item = &job.items[i]
        if needs_copy(item):
            room = item.size * (2 if needs_copy_of_out(item) else 1)
            copy_in_float32(job, item, copy)
            copy += room
    return 0


cdef double fold(double* sums, Py_ssize_t n) noexcept nogil:
    """Fold n sums in place in a tree of neighbours; an odd last one is carried up."""
    cdef Py_ssize_t i
    if n == 0:
        return 0.0
    while n > 1:
        for i in range(n // 2):
            sums[i] = sums[2 * i] + sums[2 * i + 1]
        if n % 2:
            sums[n // 2] = sums[n - 1]
        n = (n + 1) // 2
    return sums[0]


cdef double add_chunks(double total, double* sums, Job* job, Item* item) noexcept nogil:
    """Add the sums of the item's chunks to the total; the rows of a gradient of rows are added one by one."""
    cdef Py_ssize_t n = n_chunks_of(job, item), row
    if item.rows == NULL:
        return total + fold(sums, n)
    for row in range(n // max(item.chunks_per_row, <Py_ssize_t>1)):
        total += fold(sums + row * item.chunks_per_row, item.chunks_per_row)
    return total


# ----------------------------------------------------------------------------------------------------------------- running
cdef int form_factors(Job* job) except -1:
    """Form the factors of the groups that span chunks."""
    if job.n_tasks:
        share_out(kernel.measure_groups, job, job.n_tasks, job.layout_bytes)
    if job.n_folds:
        share_out(kernel.fold_groups, job, job.n_folds, job.layout_bytes // ROWS)
    return 0


cdef double add_strips(Layout* layout) noexcept nogil:
    """Add the values of a layout's strips; the rows of a gradient of rows are added one by one."""
    cdef Item* item = <Item*>layout.item
    cdef Py_ssize_t n = layout.n_blocks * layout.n_strips, rows = 1, row
    cdef double total = 0.0
    if item.rows != NULL:
        rows = max(item.size // max(item.width, <Py_ssize_t>1), <Py_ssize_t>1)
    for row in range(rows):
        total += fold(layout.values + row * (n // rows), n // rows)
    return total


cdef int run(Job* job) except -1:
    """Process all items; if the job measures, leave the sums of the weights in them."""
    cdef Py_ssize_t i
    cdef Item* item
    cdef Profile* profile
    cdef FloatEnvironment found
    cdef int k
    for i in range(job.n_items):
        item = &job.items[i]
        if item.n_profiles and (item.operation == PROX or takes_prox(item.operation)):
            set_prox(item.rate, &item.profiles[0])
    convert_all(job, False)
    form_factors(job)
    share_out(kernel.process, job, job.n_chunks, job.n_bytes)
    convert_all(job, True)
    if not job.measure:
        return 0
    found = enter_float_environment()
    for i in range(job.n_items):
        item = &job.items[i]
        if item.l1 != 0:
            item.absolute_sum = add_chunks(0.0, job.absolute + item.first_chunk, job, item)
        if item.l2 != 0:
            item.square_sum = add_chunks(0.0, job.square + item.first_chunk, job, item)
        for k in range(item.n_profiles):
            profile = &item.profiles[k]
            if profile.layout == NULL or profile.layout.local:
                profile.sum = add_chunks(0.0, profile.partials, job, item)
            else:
                profile.sum = add_strips(profile.layout)
    leave_float_environment(found)
    return 0


cdef int measure_gradient(Job* job, double* squares) except -1:
    """Leave the sum of squares of all items' total gradients in `squares`; nothing else is written."""
    cdef Py_ssize_t i
    cdef FloatEnvironment found
    form_factors(job)
    share_out(kernel.measure_gradient, job, job.n_chunks, job.n_bytes)
    found = enter_float_environment()
    squares[0] = 0.0
    for i in range(job.n_items):
        squares[0] = add_chunks(squares[0], job.square + job.items[i].first_chunk, job, &job.items[i])
    leave_float_environment(found)
    return 0


cdef int convert(Conversion* conversion) except -1:
    """Write a whole array in another format."""
    share_out(kernel.convert, conversion, n_parts(conversion.n, CHUNK), 6 * conversion.n)
    return 0


cdef int convert_all(Job* job, bint after) except -1:
    cdef Py_ssize_t i
    for i in range(job.n_conversions):
        if job.conversions[i].after == after:
            convert(&job.conversions[i])
    return 0
