# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, freethreading_compatible=True
"""Where ndarrays become pointers: every check of an array happens here, once, before anything is written.

Floor 1, compiled half of `kernels`. Arrays are read through NumPy's C API at each call (some 10 ns), so a prepared copy of
their addresses that could go stale does not exist: an array that was replaced, resized or retyped since the last call is
simply read, or refused, as it is now.

`Penalty` is the pair of coefficients that TensorFlow 1's whole family comes down to:

    value     l1 * sum(|w|) + l2/2 * sum(w**2)
    gradient  l1 * sign(w) + l2 * w
    prox      sign(w) * max(|w| - step*l1, 0) / (1 + step*l2)
"""
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, isfinite, sqrt
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memset

cimport numpy as cnp
from numpy cimport ndarray

import numpy

from fastreg._abi cimport *
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment, share_out

cnp.import_array()

cdef extern from *:
    """
    #include <numpy/arrayscalars.h>

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

    static PyObject* fr_float32(double value) {
        PyObject* scalar = PyArrayScalar_New(Float);
        if (scalar != NULL) PyArrayScalar_ASSIGN(scalar, Float, (npy_float)value);
        return scalar;
    }
    static PyObject* fr_float64(double value) {
        PyObject* scalar = PyArrayScalar_New(Double);
        if (scalar != NULL) PyArrayScalar_ASSIGN(scalar, Double, value);
        return scalar;
    }
    """
    void fr_cpu_init()
    bint fr_has_v3()
    bint fr_has_v4()
    object fr_float32(double value)
    object fr_float64(double value)

cdef extern from "numpy/arrayobject.h":
    ndarray PyArray_NewLikeArray(ndarray prototype, cnp.NPY_ORDER order, void* descr, int subok)
    bint PyArray_CheckExact(object x)

cdef enum:
    STREAM_BYTES = 1 << 25     # an output this large is stored around the caches
    STACK_CHUNKS = 16


def cpu_isas():
    """Return the instruction sets that this CPU and its operating system support, best first."""
    fr_cpu_init()
    isas = ["x86-64-v4"] if fr_has_v4() else []
    if fr_has_v3():
        isas.append("x86-64-v3")
    return (*isas, "x86-64", "baseline")


# ------------------------------------------------------------------------------------------------------------------ jobs
cdef Kernel* kernel = NULL


def install(capsule):
    """Take the compiled kernel whose loops all later calls run."""
    global kernel
    kernel = <Kernel*>PyCapsule_GetPointer(capsule, "fastreg.kernel")


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


cdef int execute(Job* job) except -1:
    """Do the job, and leave each item's two sums in it."""
    cdef Py_ssize_t i, first, count
    cdef Item* item
    share_out(kernel.process, job, job.n_chunks, job.n_bytes)
    for i in range(job.n_items):
        item = &job.items[i]
        first = item.first_chunk
        count = (item.size + CHUNK - 1) // CHUNK
        item.absolute_sum = fold(&job.partials[first], count) if wants_absolute(job, item) else 0.0
        item.square_sum = fold(&job.partials[job.n_chunks + first], count) if wants_square(job, item) else 0.0
    return 0


# --------------------------------------------------------------------------------------------------------------- arrays
cdef inline bint is_plain(ndarray x) noexcept:
    return (
        (cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT or cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE)
        and cnp.PyArray_ISBEHAVED_RO(x)
        and (cnp.PyArray_IS_C_CONTIGUOUS(x) or cnp.PyArray_IS_F_CONTIGUOUS(x))
    )


cdef inline bint is_double(ndarray x) noexcept:
    return cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE


cdef int refuse(object x, str name) except -1:
    """Say what is wrong with an array that is not plain."""
    if x.dtype not in (numpy.float32, numpy.float64) and x.dtype.newbyteorder("=") not in (numpy.float32, numpy.float64):
        raise TypeError(
            f"{name} must be a float32 or float64 array, got dtype {x.dtype}; convert it with {name}.astype(numpy.float32)"
        )
    if not x.dtype.isnative:
        raise ValueError(
            f"{name} must be in this machine's byte order, got dtype {x.dtype.str!r}; "
            f"convert it with {name}.astype({name}.dtype.newbyteorder('='))"
        )
    if not x.flags.aligned:
        raise ValueError(f"{name} must be aligned to its {x.itemsize}-byte items; make an aligned one with {name}.copy()")
    raise ValueError(
        f"{name} must be contiguous (C or Fortran order), got shape {x.shape} with strides {x.strides}; "
        f"make a contiguous copy with numpy.ascontiguousarray({name})"
    )


cdef ndarray take(object x, str name):
    """Return x (or the array of a Variable) if the loops can read it, or say why not."""
    cdef ndarray array
    if PyArray_CheckExact(x):
        array = <ndarray>x
    elif isinstance(x, ndarray):
        if isinstance(x, numpy.ma.MaskedArray):
            raise TypeError(f"{name} must not be a masked array, whose mask would be ignored; pass {name}.filled(0)")
        array = <ndarray>x
    else:
        value = getattr(x, "value", None)
        if not isinstance(value, ndarray):
            raise TypeError(
                f"{name} must be a numpy.ndarray, got {type(x).__name__}; convert it with numpy.asarray({name}, numpy.float32)"
            )
        return take(value, name)
    if not is_plain(array):
        refuse(array, name)
    return array


cdef inline ndarray plain_or_take(object x, str role, str name):
    """`take`, without forming the name where nothing is wrong."""
    if PyArray_CheckExact(x) and is_plain(<ndarray>x):
        return <ndarray>x
    return take(x, role.format(name))


cdef int check_match(ndarray x, str name, ndarray w, str of) except -1:
    """Check that x pairs with w element by element in memory order."""
    if cnp.PyArray_TYPE(x) != cnp.PyArray_TYPE(w):
        raise TypeError(f"{name} must have the dtype of {of}, {w.dtype}, got {x.dtype}")
    if not cnp.PyArray_SAMESHAPE(x, w):
        raise ValueError(f"{name} must have the shape of {of}, {(<object>w).shape}, got {(<object>x).shape}")
    if not (
        (cnp.PyArray_IS_C_CONTIGUOUS(x) and cnp.PyArray_IS_C_CONTIGUOUS(w))
        or (cnp.PyArray_IS_F_CONTIGUOUS(x) and cnp.PyArray_IS_F_CONTIGUOUS(w))
    ):
        raise ValueError(
            f"{name} must have the memory order of {of}: one is C-contiguous and the other Fortran-contiguous; "
            f"make it with numpy.empty_like({of})"
        )
    return 0


cdef int check_writeable(ndarray x, str name) except -1:
    if not cnp.PyArray_ISWRITEABLE(x):
        raise ValueError(f"{name} is read-only and would be written to; pass a writeable array")
    return 0


def check_array(x, str name, *, bint writeable=False):
    """Return `x` if the loops can work on it as it stands, else raise what is wrong with it.

    Parameters
    ----------
    x : ndarray of float32 or float64, or object with such a `value`
    name : str
        What the message calls it.
    writeable : bool, optional
        Whether it is to be written to.

    Raises
    ------
    TypeError
        If `x` is no ndarray, is masked, or is of another dtype.
    ValueError
        If it is in foreign byte order, misaligned, not contiguous, or read-only though it is to be written.
    """
    array = take(x, name)
    if writeable:
        check_writeable(array, name)
    return array


cdef inline char* data_end(ndarray x) noexcept:
    return <char*>cnp.PyArray_DATA(x) + cnp.PyArray_NBYTES(x)


cdef ndarray take_out(object out, ndarray w):
    """Return `out` checked against the weights, or a new array like them."""
    cdef ndarray array
    if out is None:
        return PyArray_NewLikeArray(w, cnp.NPY_KEEPORDER, NULL, 0)
    array = take(out, "out")
    check_match(array, "out", w, "weights")
    check_writeable(array, "out")
    if cnp.PyArray_DATA(array) != cnp.PyArray_DATA(w):
        if <char*>cnp.PyArray_DATA(array) < data_end(w) and <char*>cnp.PyArray_DATA(w) < data_end(array):
            raise ValueError("out overlaps weights in part; pass weights itself, or an array with memory of its own")
    return array


cdef inline void fill(Item* item, ndarray w) noexcept:
    memset(item, 0, sizeof(Item))
    item.weights = cnp.PyArray_DATA(w)
    item.size = cnp.PyArray_SIZE(w)
    item.is_double = is_double(w)


# -------------------------------------------------------------------------------------------------------------- penalty
cdef double value_of(Item* item, double l1, double l2) noexcept:
    """The penalty's value from the sums; a coefficient of 0 leaves its part out."""
    if l1 == 0:
        return l2 * 0.5 * item.square_sum if l2 != 0 else 0.0
    if l2 == 0:
        return l1 * item.absolute_sum
    return l1 * item.absolute_sum + l2 * 0.5 * item.square_sum


cdef object scalar(ndarray like, double value):
    return fr_float64(value) if is_double(like) else fr_float32(value)


cdef object single(Penalty penalty, ndarray w, ndarray out, Operation operation, bint measure, double step):
    """Run one operation over one array; return the penalty's value if it is measured."""
    cdef Item item
    cdef Job job
    cdef double[2 * STACK_CHUNKS] few
    cdef double l1 = 0, l2 = 0
    cdef FloatEnvironment found
    fill(&item, w)
    item.out = NULL if out is None else cnp.PyArray_DATA(out)
    job.items = &item
    job.n_items = 1
    job.n_chunks = (item.size + CHUNK - 1) // CHUNK
    job.operation = operation
    job.measure = measure
    job.n_bytes = cnp.PyArray_NBYTES(w) * (1 if operation == MEASURE else 3 if operation == ACCUMULATE else 2)
    job.stream = False
    job.rule.rate = step
    if operation == GRADIENT or operation == PROX:
        job.stream = item.out != item.weights and cnp.PyArray_NBYTES(w) >= STREAM_BYTES
    job.partials = few
    if job.n_chunks > STACK_CHUNKS:
        job.partials = <double*>malloc(2 * job.n_chunks * sizeof(double))
        if job.partials == NULL:
            raise MemoryError()
    found = enter_float_environment()
    try:
        penalty.add_to(&l1, &l2)
        item.l1 = l1
        item.l2 = l2
        execute(&job)
        return scalar(w, value_of(&item, l1, l2)) if measure else None
    finally:
        leave_float_environment(found)
        if job.partials != few:
            free(job.partials)


cdef class Penalty:
    """A pair of coefficients, and what follows from it.

    Base of the regularizers of TensorFlow 1's family. `parts` are penalties that are added to this one's own pair, read at
    each call, so that a sum sees the scales of its parts as they are.
    """

    cdef double l1
    cdef double l2
    cdef tuple parts

    def __cinit__(self, *args, **kwargs):
        self.l1 = self.l2 = 0.0
        self.parts = ()

    cdef void add_to(self, double* l1, double* l2) noexcept:
        l1[0] += self.l1
        l2[0] += self.l2
        for part in self.parts:
            (<Penalty>part).add_to(l1, l2)

    @property
    def coefficients(self):
        """Return the pair (l1, l2) as it is now."""
        cdef double l1 = 0, l2 = 0
        self.add_to(&l1, &l2)
        return l1, l2

    def _set(self, double l1, double l2, tuple parts=()):
        for part in parts:
            if not isinstance(part, Penalty):
                raise TypeError(f"a part must be a Penalty, got {type(part).__name__}")
        self.l1 = l1
        self.l2 = l2
        self.parts = parts

    def __call__(self, weights):
        """Return the penalty of `weights`: l1*sum(|w|) + l2*sum(w**2)/2.

        Parameters
        ----------
        weights : ndarray of float32 or float64, any shape

        Returns
        -------
        numpy.float32 or numpy.float64
            Of the weights' dtype: formed in float64, rounded once.
        """
        cdef ndarray w = take(weights, "weights")
        return single(self, w, None, MEASURE, True, 0)

    def gradient(self, weights, out=None, bint accumulate=False):
        """Return the penalty's gradient l1*sign(w) + l2*w; at 0 the sign is 0.

        Parameters
        ----------
        weights : ndarray of float32 or float64, any shape
        out : ndarray, optional
            Where to put it: of the weights' shape, dtype and memory order; `weights` itself is allowed.
        accumulate : bool, optional
            Add to `out` instead of overwriting it.

        Returns
        -------
        ndarray
            `out`, or a new array.
        """
        cdef ndarray w = take(weights, "weights"), target
        check_accumulate(out, accumulate)
        target = take_out(out, w)
        single(self, w, target, ACCUMULATE if accumulate else GRADIENT, False, 0)
        return target if out is None else out

    def value_and_gradient(self, weights, out=None, bint accumulate=False):
        """Return the penalty and its gradient, in one pass over `weights`.

        Parameters and results are those of a call and of `gradient`.
        """
        cdef ndarray w = take(weights, "weights"), target
        check_accumulate(out, accumulate)
        target = take_out(out, w)
        value = single(self, w, target, ACCUMULATE if accumulate else GRADIENT, True, 0)
        return value, (target if out is None else out)

    def prox(self, weights, step, out=None):
        """Return argmin_z step*penalty(z) + |z - w|**2 / 2: sign(w)*max(|w| - step*l1, 0) / (1 + step*l2).

        Parameters
        ----------
        weights : ndarray of float32 or float64, any shape
        step : float
            At least 0; the learning rate, in a proximal gradient method.
        out : ndarray, optional
            Where to put it; `weights` itself is allowed.

        Returns
        -------
        ndarray
            `out`, or a new array. What L1 shrinks away is exactly 0.

        References
        ----------
        N. Parikh and S. Boyd, "Proximal Algorithms", 2014, section 6.5.
        """
        cdef ndarray w = take(weights, "weights"), target
        cdef double length = check_step(step)
        target = take_out(out, w)
        single(self, w, target, PROX, False, length)
        return target if out is None else out


cdef int check_accumulate(object out, bint accumulate) except -1:
    if accumulate and out is None:
        raise ValueError("accumulate=True adds to out, but out is None; pass the array to add to")
    return 0


cdef double check_step(object step) except? -1:
    cdef double length
    try:
        length = step
    except TypeError:
        raise TypeError(f"step must be a number, got {type(step).__name__}") from None
    except OverflowError:
        length = INFINITY
    if not (isfinite(length) and length >= 0):
        raise ValueError(f"step must be finite and at least 0, got {step!r}")
    return length


cdef Penalty half_of_squares = Penalty()
half_of_squares.l2 = 1


def l2_loss(weights):
    """Return sum(w**2) / 2, as TensorFlow's `tf.nn.l2_loss`.

    Parameters
    ----------
    weights : ndarray of float32 or float64, any shape

    Returns
    -------
    numpy.float32 or numpy.float64
        Of the weights' dtype: formed in float64, rounded once.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.l2_loss(np.array([3.0, 4.0]))
    np.float64(12.5)
    """
    return single(half_of_squares, take(weights, "weights"), None, MEASURE, True, 0)


# ----------------------------------------------------------------------------------------------------------- collections
cdef struct Pair:
    double l1
    double l2


cdef struct Span:
    char* start
    char* end
    bint written
    int role               # which of ROLES
    Py_ssize_t owner       # index of the variable


ROLES = ("the weights", "the gradient", "out", "slot 0", "slot 1", "slot 2")

cdef enum:
    WEIGHTS
    GRADIENTS
    OUT
    SLOT


cdef int by_start(const void* a, const void* b) noexcept nogil:
    cdef char* left = (<Span*>a).start
    cdef char* right = (<Span*>b).start
    return (left > right) - (left < right)


cdef void sort_spans(Span* spans, Py_ssize_t n) noexcept:
    """Few spans are put in place one by one, at a fifth of what qsort costs."""
    cdef Py_ssize_t i, j
    cdef Span span
    if n > 48:
        qsort(spans, n, sizeof(Span), by_start)
        return
    for i in range(1, n):
        span = spans[i]
        j = i
        while j > 0 and spans[j - 1].start > span.start:
            spans[j] = spans[j - 1]
            j -= 1
        spans[j] = span


cdef class Batch:
    """The items of one call and the job over them: memory that is freed with it."""

    cdef Job job
    cdef Item* items
    cdef Span* spans
    cdef Py_ssize_t n_spans
    cdef Pair* pairs       # of each term, read once: another thread may set a scale while the GIL is released
    cdef double* partials

    def __cinit__(self, Py_ssize_t n_items, Py_ssize_t n_spans, Py_ssize_t n_terms):
        self.items = <Item*>malloc((n_items + 1) * sizeof(Item))
        self.spans = <Span*>malloc((n_spans + 1) * sizeof(Span))
        self.pairs = <Pair*>malloc((n_terms + 1) * sizeof(Pair))
        if self.items == NULL or self.spans == NULL or self.pairs == NULL:
            raise MemoryError()
        self.n_spans = 0
        memset(&self.job, 0, sizeof(Job))
        self.job.items = self.items
        self.job.n_items = n_items

    def __dealloc__(self):
        free(self.items)
        free(self.spans)
        free(self.pairs)
        free(self.partials)

    cdef Pair* read_pair(self, Py_ssize_t term, Penalty penalty) noexcept:
        cdef Pair* pair = &self.pairs[term]
        pair.l1 = pair.l2 = 0.0
        penalty.add_to(&pair.l1, &pair.l2)
        return pair

    cdef void claim(self, ndarray x, bint written, int role, Py_ssize_t owner) noexcept:
        """Note the memory of x for `check_spans`."""
        cdef Span* span
        if cnp.PyArray_SIZE(x) == 0:
            return
        span = &self.spans[self.n_spans]
        span.start = <char*>cnp.PyArray_DATA(x)
        span.end = data_end(x)
        span.written = written
        span.role = role
        span.owner = owner
        self.n_spans += 1

    cdef int check_spans(self, list names) except -1:
        """Refuse memory that is written to and stands in the call a second time."""
        cdef Py_ssize_t i
        cdef Span* last = NULL         # the spans that reach furthest so far, of all and of the written ones
        cdef Span* last_written = NULL
        cdef Span* span
        cdef Span* other
        sort_spans(self.spans, self.n_spans)
        for i in range(self.n_spans):
            span = &self.spans[i]
            other = last if span.written else last_written
            if other != NULL and span.start < other.end:
                raise ValueError(
                    f"{ROLES[span.role]} of {names[span.owner]!r} overlaps {ROLES[other.role]} of {names[other.owner]!r}; "
                    f"what is written to must have memory of its own"
                )
            if last == NULL or span.end > last.end:
                last = span
            if span.written and (last_written == NULL or span.end > last_written.end):
                last_written = span
        return 0

    cdef int lay_out(self) except -1:
        """Give each item its chunks, and the job room for their sums."""
        cdef Py_ssize_t i, chunks = 0
        for i in range(self.job.n_items):
            self.items[i].first_chunk = chunks
            chunks += (self.items[i].size + CHUNK - 1) // CHUNK
        self.job.n_chunks = chunks
        self.partials = self.job.partials = <double*>malloc((2 * chunks + 1) * sizeof(double))
        if self.partials == NULL:
            raise MemoryError()
        return 0


def evaluate(list arrays, list penalties, list names, list outs=None, bint accumulate=False):
    """Evaluate a collection in one parallel region.

    Parameters
    ----------
    arrays : list of ndarray
        The weights of each term; float32 and float64 may mix.
    penalties : list of Penalty
    names : list of str
        The variable of each term, for messages. Terms of one name and array are evaluated together.
    outs : list of ndarray, optional
        What receives each term's gradient; terms of one variable come with the same array.
    accumulate : bool, optional
        Add to `outs`.

    Returns
    -------
    numpy.float64
        The sum of the terms' values, in their order.
    """
    cdef FloatEnvironment found = enter_float_environment()
    try:
        return fr_float64(evaluated(arrays, penalties, names, outs, accumulate))
    finally:
        leave_float_environment(found)


cdef double evaluated(list arrays, list penalties, list names, list outs, bint accumulate) except? -1:
    cdef Py_ssize_t n = len(arrays), i, j
    cdef Batch batch = Batch(n, 2 * n, n)
    cdef Item* item
    cdef Item* owner
    cdef Pair* pair
    cdef ndarray w, out
    cdef double total = 0.0
    cdef Py_ssize_t factor = 1 if outs is None else 3 if accumulate else 2
    cdef bint in_place = False
    cdef dict first = {}
    cdef list owners = None
    if not (len(penalties) == len(names) == n and (outs is None or len(outs) == n)):
        raise ValueError("arrays, penalties, names and outs must have one entry for each term")
    for i in range(n):
        item = &batch.items[i]
        w = plain_or_take(arrays[i], "the value of {!r}", names[i])
        arrays[i] = w
        fill(item, w)
        pair = batch.read_pair(i, <Penalty?>penalties[i])
        item.l1 = pair.l1
        item.l2 = pair.l2
        if outs is not None:
            out = plain_or_take(outs[i], "out of {!r}", names[i])
            outs[i] = out
            j = first.setdefault(names[i], i)
            if j != i:
                if arrays[j] is not w or outs[j] is not out:
                    raise ValueError(f"two variables are named {names[i]!r}; their gradients could not be told apart")
                batch.items[j].l1 += item.l1
                batch.items[j].l2 += item.l2
                item.size = 0
                if owners is None:
                    owners = list(range(n))
                owners[i] = j
                continue
            if not (same_kind(out, w) and cnp.PyArray_ISWRITEABLE(out)):
                check_match(out, f"out of {names[i]!r}", w, "its variable")
                check_writeable(out, f"out of {names[i]!r}")
            item.out = cnp.PyArray_DATA(out)
            batch.claim(out, True, OUT, i)
            if item.out == item.weights:
                in_place = True
            else:
                batch.claim(w, False, WEIGHTS, i)
        batch.job.n_bytes += factor * cnp.PyArray_NBYTES(w)
    batch.job.operation = MEASURE
    batch.job.measure = True
    if outs is not None:
        batch.check_spans(names)
        batch.job.operation = ACCUMULATE if accumulate else GRADIENT
        batch.job.stream = not (accumulate or in_place) and batch.job.n_bytes >= 2 * STREAM_BYTES
    batch.lay_out()
    execute(&batch.job)
    for i in range(n):
        owner = &batch.items[i if owners is None else <Py_ssize_t>owners[i]]
        total += value_of(owner, batch.pairs[i].l1, batch.pairs[i].l2)
    return total


cdef inline bint same_kind(ndarray x, ndarray w) noexcept:
    return (
        cnp.PyArray_TYPE(x) == cnp.PyArray_TYPE(w)
        and cnp.PyArray_SAMESHAPE(x, w)
        and cnp.PyArray_IS_C_CONTIGUOUS(x)
        and cnp.PyArray_IS_C_CONTIGUOUS(w)
    )


OPERATIONS = {
    "gradient_descent": GRADIENT_DESCENT,
    "momentum": MOMENTUM,
    "adagrad": ADAGRAD,
    "rmsprop": RMSPROP,
    "adam": ADAM,
    "proximal_gradient_descent": PROXIMAL_GRADIENT_DESCENT,
    "proximal_adagrad": PROXIMAL_ADAGRAD,
    "ftrl": FTRL,
}


cdef inline ndarray plain(object x):
    """Return x if the loops can read it as it stands, or None: messages are made only for what is refused."""
    return <ndarray>x if PyArray_CheckExact(x) and is_plain(<ndarray>x) else None


cdef int claim_update(Batch batch, Py_ssize_t i, str name, ndarray w, ndarray g, tuple slots, rows) except -1:
    """Check and claim what the update of one variable reads and writes."""
    cdef Py_ssize_t k, last = -1, row
    cdef ndarray slot, index
    if not cnp.PyArray_ISWRITEABLE(w):
        check_writeable(w, f"variable {name!r}")
    batch.claim(w, True, WEIGHTS, i)
    batch.claim(g, False, GRADIENTS, i)
    for k in range(len(slots)):
        slot = slots[k]
        if not (is_plain(slot) and same_kind(slot, w) and cnp.PyArray_ISWRITEABLE(slot)):
            check_match(take(slot, f"slot {k} of {name!r}"), f"slot {k} of {name!r}", w, f"variable {name!r}")
            check_writeable(slot, f"slot {k} of {name!r}")
        batch.claim(slot, True, SLOT + <int>k, i)
    if rows is None:
        if not same_kind(g, w):
            check_match(g, f"gradient of {name!r}", w, f"variable {name!r}")
        return 0
    of = f"variable {name!r}"
    if cnp.PyArray_NDIM(w) == 0 or not cnp.PyArray_IS_C_CONTIGUOUS(w) or not cnp.PyArray_IS_C_CONTIGUOUS(g):
        raise ValueError(f"a gradient of rows needs {of} and the rows in C order, with at least one dimension")
    if cnp.PyArray_TYPE(g) != cnp.PyArray_TYPE(w):
        raise TypeError(f"gradient of {name!r} must have the dtype of {of}, {(<object>w).dtype}, got {(<object>g).dtype}")
    index = rows
    expected = (cnp.PyArray_SIZE(index), *(<object>w).shape[1:])
    if (<object>g).shape != expected:
        raise ValueError(f"gradient of {name!r} must have the shape {expected}, a row for each index, got {(<object>g).shape}")
    for k in range(cnp.PyArray_SIZE(index)):
        row = (<cnp.int64_t*>cnp.PyArray_DATA(index))[k]
        if row <= last or row >= cnp.PyArray_DIM(w, 0):
            raise ValueError(
                f"row indices of {name!r} must be unique, rising and from 0 to {cnp.PyArray_DIM(w, 0) - 1}, got {row}"
            )
        last = row
    return 0


cdef void fill_row(Item* item, ndarray w, ndarray g, tuple slots, Py_ssize_t row, Py_ssize_t k, Py_ssize_t width) noexcept:
    """Make an item of row `row`, or of the whole for a width of the whole."""
    cdef Py_ssize_t item_bytes = cnp.PyArray_ITEMSIZE(w), j
    fill(item, w)
    item.size = width
    item.weights = cnp.PyArray_BYTES(w) + row * width * item_bytes
    item.gradient = cnp.PyArray_BYTES(g) + k * width * item_bytes
    for j in range(len(slots)):
        item.slots[j] = cnp.PyArray_BYTES(<ndarray>slots[j]) + row * width * item_bytes


def update(
    str operation,
    dict parameters,
    list names,
    list weights,
    list gradients,
    list rows,
    list slots,
    list decays,
    list penalties,
    list owners,
    clip_norm=None,
    bint check_finite=False,
):
    """Step every variable by one rule, its penalties included, in one parallel region and one pass over memory.

    Parameters
    ----------
    operation : str
        One of OPERATIONS.
    parameters : dict of str to float
        Fields of `_abi.Rule`.
    names, weights, gradients, slots : list
        Of each variable: its name, its array, its gradient, the tuple of its slots.
    rows : list
        Of each variable: None, or the int64 indices of the rows that its gradient holds; unique and rising.
    decays : list of float
        Of each variable: what is taken off the weights, as a fraction, before the rule.
    penalties, owners : list
        Of each term, in the collection's order: its Penalty and the index of its variable.
    clip_norm : float, optional
        Scale the total gradient of all variables down to this norm; a pass of its own.
    check_finite : bool, optional
        Raise before anything is written if the total gradient is not finite; the same pass.

    Returns
    -------
    numpy.float64
        The terms' loss before the step; over the touched rows alone where a gradient is of rows.
    """
    cdef FloatEnvironment found = enter_float_environment()
    try:
        return fr_float64(
            updated(
                operation, parameters, names, weights, gradients, rows, slots, decays, penalties, owners, clip_norm, check_finite
            )
        )
    finally:
        leave_float_environment(found)


cdef double updated(
    str operation,
    dict parameters,
    list names,
    list weights,
    list gradients,
    list rows,
    list slots,
    list decays,
    list penalties,
    list owners,
    clip_norm,
    bint check_finite,
) except? -1:
    cdef Py_ssize_t n = len(names), n_items = 0, i, j, k, width, first
    cdef Batch batch
    cdef Item* item
    cdef Item sums
    cdef ndarray w, g, index
    cdef Pair* pair
    cdef double total = 0.0, squares = 0.0, norm
    cdef Operation chosen = OPERATIONS[operation]
    cdef list starts = []
    for i in range(n):
        starts.append(n_items)
        n_items += 1 if rows[i] is None else cnp.PyArray_SIZE(<ndarray?>rows[i])
    starts.append(n_items)
    batch = Batch(n_items, 5 * n, len(penalties))
    for i in range(n):
        w = plain(weights[i])
        if w is None:
            w = take(weights[i], f"variable {names[i]!r}")
        g = plain(gradients[i])
        if g is None:
            g = take(gradients[i], f"gradient of {names[i]!r}")
        weights[i] = w
        gradients[i] = g
        claim_update(batch, i, names[i], w, g, slots[i], rows[i])
        first = starts[i]
        if rows[i] is None:
            fill_row(&batch.items[first], w, g, slots[i], 0, 0, cnp.PyArray_SIZE(w))
        else:
            index = rows[i]
            width = cnp.PyArray_SIZE(w) // max(<Py_ssize_t>1, <Py_ssize_t>cnp.PyArray_DIM(w, 0))
            for k in range(cnp.PyArray_SIZE(index)):
                fill_row(&batch.items[first + k], w, g, slots[i], (<cnp.int64_t*>cnp.PyArray_DATA(index))[k], k, width)
        for k in range(first, <Py_ssize_t>starts[i + 1]):
            batch.items[k].decay = decays[i]
        batch.job.n_bytes += cnp.PyArray_NBYTES(g) * (3 + 2 * <Py_ssize_t>len(slots[i]))
    batch.check_spans(names)
    for j in range(len(penalties)):
        i = owners[j]
        pair = batch.read_pair(j, <Penalty?>penalties[j])
        for k in range(<Py_ssize_t>starts[i], <Py_ssize_t>starts[i + 1]):
            item = &batch.items[k]
            item.l1 += pair.l1
            item.l2 += pair.l2
    batch.job.rule = parameters
    batch.job.rule.clip = 1.0
    batch.job.rule.proximal = chosen >= PROXIMAL_GRADIENT_DESCENT
    batch.lay_out()
    if clip_norm is not None or check_finite:
        batch.job.operation = TOTAL_NORM
        execute(&batch.job)
        for k in range(n_items):
            squares += batch.items[k].square_sum
        if check_finite and not isfinite(squares):
            refuse_gradients(names, gradients)
        if clip_norm is not None:
            norm = sqrt(squares)
            batch.job.rule.clip = clip_norm / max(norm, <double>clip_norm)
    batch.job.operation = chosen
    batch.job.measure = len(penalties) > 0
    execute(&batch.job)
    for j in range(len(penalties)):
        i = owners[j]
        sums.absolute_sum = sums.square_sum = 0.0
        for k in range(<Py_ssize_t>starts[i], <Py_ssize_t>starts[i + 1]):
            sums.absolute_sum += batch.items[k].absolute_sum
            sums.square_sum += batch.items[k].square_sum
        total += value_of(&sums, batch.pairs[j].l1, batch.pairs[j].l2)
    return total


def refuse_gradients(list names, list gradients):
    """Raise for the first gradient that is not finite."""
    for name, gradient in zip(names, gradients, strict=True):
        if not numpy.isfinite(gradient).all():
            raise ValueError(f"gradient of {name!r} is not finite; nothing was updated")
    raise ValueError(
        "the norm of the total gradient is not finite: a weight is not, or the sum of squares overflows; nothing was updated"
    )
