"""Floor 1: the compiled penalties, and their value, gradient and prox over one array.

A penalty is a sum of the elastic pair, l1 * sum(|w|) + l2/2 * sum(w**2), and of profiles of magnitudes (_loops/profiles.pxd).
"""
cimport cython
from libc.math cimport INFINITY, isfinite
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

cimport numpy as cnp
from numpy cimport ndarray

import numpy

from fastreg._abi cimport *
from fastreg.arguments import check_flag
from fastreg._arrays cimport (
    STREAM_BYTES, as_array, check_match, check_pair, data_end, format_of, init_item, is_double, is_plain, take_out
)
from fastreg._jobs cimport convert, lay_out, run
from fastreg._loops.profiles cimport has_closed_prox
from fastreg._loops.sixteen cimport is_sixteen
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment

from fastreg.arguments import check_flag

cnp.import_array()

cdef extern from *:
    """
    #include <numpy/arrayscalars.h>

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
    #define fr_set_float32(scalar, value) PyArrayScalar_ASSIGN(scalar, Float, (npy_float)(value))
    #define fr_set_float64(scalar, value) PyArrayScalar_ASSIGN(scalar, Double, value)
    """
    object fr_float32(double value)
    object fr_float64(double value)
    void fr_set_float32(object scalar, double value)
    void fr_set_float64(object scalar, double value)

cdef enum:
    STACK_CHUNKS = 16
    MOST_PROFILES = 1 << 16    # of a sum; far below what an int can count
    MOST_AXES = 64             # what an array can have

PROFILES = {
    "mcp": MCP,
    "linear": LINEAR,
    "scad": SCAD,
    "l0": L0,
    "huber": HUBER,
    "pseudo_huber": PSEUDO_HUBER,
    "log_sum": LOG_SUM,
    "weighted": WEIGHTED,
    "distance": DISTANCE,
    "weighted_distance": WEIGHTED_DISTANCE,
}


cdef str no_closed_prox(ProfileKind kind):
    """Say why, and what to use instead."""
    if kind == PSEUDO_HUBER:
        return "pseudo-Huber's is the root of an equation of the fourth degree; huber_regularizer has a closed one"
    raise SystemError("the prox of this profile is closed")


# A value is given to a scalar that was made before the work, so that nothing can fail behind it.
cdef object scalar_like(ndarray w):
    return fr_float64(0.0) if is_double(w) else fr_float32(0.0)


cdef void set_like(object scalar, ndarray w, double value) noexcept:
    """Give a scalar of `scalar_like` its value, rounded once."""
    if is_double(w):
        fr_set_float64(scalar, value)
    else:
        fr_set_float32(scalar, value)


cdef object float64_scalar(double value):
    return fr_float64(value)


cdef void set_float64(object scalar, double value) noexcept:
    fr_set_float64(scalar, value)


cdef double value_of(Reading* reading, Item* item, Profile* profiles) noexcept:
    """Return the value from the sums of an item; `profiles` are those of the reading, as they lie in the item."""
    cdef double value = 0.0
    cdef int k
    if reading.l1 != 0 and reading.l2 != 0:
        value = reading.l1 * item.absolute_sum + reading.l2 * 0.5 * item.square_sum
    elif reading.l1 != 0:
        value = reading.l1 * item.absolute_sum
    elif reading.l2 != 0:
        value = reading.l2 * 0.5 * item.square_sum
    for k in range(reading.n_profiles):
        value += profiles[k].sum
    return value


cdef int bind_arrays(Reading* reading, ndarray w) except -1:
    """Check the arrays of the penalty's profiles against the weights, and note where they are now."""
    cdef Profile* profile
    cdef Penalty owner
    cdef int k
    for k in range(reading.n_profiles):
        profile = &reading.profiles[k]
        if profile.owner == NULL:
            continue
        owner = <Penalty>profile.owner
        if owner.element_strengths is not None:
            profile.strengths = address(owner.element_strengths, owner.strengths_name, w)
            profile.strengths_format = <Format>format_of(owner.element_strengths)
        if owner.reference is not None:
            profile.reference = address(owner.reference, "reference", w)
            profile.reference_format = <Format>format_of(owner.reference)
    return 0


cdef void* address(ndarray x, str name, ndarray w) except? NULL:
    """Return where an array of a penalty is, which pairs with the weights. What float32 computes with may be 16 bits wide."""
    if not is_plain(x):
        as_array(x, name, True)
    if is_double(w) or is_double(x):
        check_match(x, name, w, "the weights")
    else:
        check_pair(x, name, w, "the weights")
    if cnp.PyArray_SIZE(w) and <char*>cnp.PyArray_DATA(x) < data_end(w) and <char*>cnp.PyArray_DATA(w) < data_end(x):
        raise ValueError(f"{name} shares memory with the weights, so it would change with them; pass a copy")
    return cnp.PyArray_DATA(x)


cdef int check_apart(Reading* reading, ndarray out) except -1:
    """Refuse an output over an array of the penalty."""
    cdef Penalty owner
    cdef int k
    for k in range(reading.n_profiles):
        if reading.profiles[k].owner == NULL:
            continue
        owner = <Penalty>reading.profiles[k].owner
        for name, x in ((owner.strengths_name, owner.element_strengths), ("reference", owner.reference)):
            if x is not None and numpy.may_share_memory(x, out):
                raise ValueError(f"out shares memory with {name} of the penalty; pass another array")
    return 0


# ------------------------------------------------------------------------------------------------------------------ groups
cdef uint64_t axes_of(Profile* profile, int n_dims) noexcept:
    """Return the axes that run over members, bit by bit."""
    cdef uint64_t axes = profile.axes
    cdef int k
    for k in range(n_dims):
        if profile.axes_from_last >> k & 1:
            axes |= <uint64_t>1 << (n_dims - 1 - k)
    return axes


cdef int set_rescaling(Profile* profile, tuple limits) except -1:
    """Take the limits of norms: the least norm, the largest, the rate, and the axes of the vectors, counted from the first."""
    memset(profile, 0, sizeof(Profile))
    profile.kind = NORM_LIMITS
    profile.has_axes = True
    profile.shape, profile.scale, profile.rate, axes = limits
    for axis in axes:
        profile.axes |= <uint64_t>1 << <int>axis
    return 0


cdef int check_axes(Reading* reading, ndarray w, str name, bint rows) except -1:
    """Check that an array has the axes of the penalty's groups."""
    cdef int k, axis, n = cnp.PyArray_NDIM(w)
    cdef Profile* profile
    for k in range(reading.n_profiles):
        profile = &reading.profiles[k]
        if not profile.has_axes or profile.axes_from_last == ~<uint64_t>0:
            if profile.has_axes and rows:
                refuse_rows(name)
            continue
        for axis in range(n, MOST_AXES):
            if profile.axes >> axis & 1 or profile.axes_from_last >> axis & 1:
                shown = axis if profile.axes >> axis & 1 else -1 - axis
                raise ValueError(
                    f"axis {shown} of the penalty's groups is out of bounds for {name}, which has {n} dimensions"
                )
        for axis in range(n):
            if profile.axes >> axis & 1 and profile.axes_from_last >> (n - 1 - axis) & 1:
                raise ValueError(f"axis {axis} and axis {axis - n} of the penalty's groups are the same axis of {name}")
        if rows and axes_of(profile, n) & 1:
            refuse_rows(name)
    return 0


cdef int refuse_rows(str name) except -1:
    raise ValueError(
        f"the groups of a penalty of {name} run over its rows, of which the gradient holds some only; pass a gradient of all rows"
    )


cdef bint order_profiles(Profile* profiles, int n, int n_dims) noexcept:
    """Put linear profiles of nested groups in order, the smallest groups first; tell whether they are nested."""
    cdef Profile moved
    cdef uint64_t inner, outer
    cdef int i, j
    for i in range(n):
        if profiles[i].kind != LINEAR or not profiles[i].has_axes:
            return False
        for j in range(i, 0, -1):
            inner, outer = axes_of(&profiles[j], n_dims), axes_of(&profiles[j - 1], n_dims)
            if inner & outer != inner or inner == outer:
                break
            moved = profiles[j]
            profiles[j] = profiles[j - 1]
            profiles[j - 1] = moved
    for i in range(1, n):
        inner, outer = axes_of(&profiles[i - 1], n_dims), axes_of(&profiles[i], n_dims)
        if inner & outer != inner:
            return False
    return True


# --------------------------------------------------------------------------------------------------------------- one array
cdef int run_one(Penalty penalty, ndarray w, ndarray out, Operation operation, object value, double step) except -1:
    """Run one operation over one array; give the penalty's value to a scalar, or to None."""
    cdef Item item
    cdef Job job
    cdef Reading reading
    cdef double[2 * STACK_CHUNKS] few_sums
    cdef FloatEnvironment found
    init_item(&item, w)
    item.operation = operation
    if out is not None:
        item.out = item.base = cnp.PyArray_DATA(out)
        item.out_format = item.base_format = <Format>format_of(out)
    memset(&job, 0, sizeof(Job))
    job.items = &item
    job.n_items = 1
    job.measure = value is not None
    job.n_bytes = cnp.PyArray_NBYTES(w) * (1 if operation == MEASURE else 3 if operation == ACCUMULATE else 2)
    if operation == GRADIENT or operation == PROX:
        job.stream = item.out != item.weights and cnp.PyArray_NBYTES(out) >= STREAM_BYTES
    item.rate = step
    reading.profiles = NULL
    reading.room = penalty.n_profiles
    if reading.room:
        reading.profiles = <Profile*>malloc(reading.room * sizeof(Profile))
        if reading.profiles == NULL:
            raise MemoryError()
    found = enter_float_environment()
    try:
        penalty.read(&reading)
        if reading.n_profiles:
            check_axes(&reading, w, "weights", False)
            bind_arrays(&reading, w)
            if out is not None:
                check_apart(&reading, out)
        item.l1 = reading.l1
        item.l2 = reading.l2
        item.profiles = reading.profiles
        item.n_profiles = reading.n_profiles
        if operation == PROX and item.n_profiles:
            run_proxes(penalty, &job)
        elif item.n_profiles == 0 and item.size <= STACK_CHUNKS * CHUNK:
            job.n_chunks = (item.size + CHUNK - 1) // CHUNK
            job.absolute = few_sums
            job.square = few_sums + STACK_CHUNKS
            run(&job)
        else:
            lay_out(&job)
            run(&job)
        if value is not None:
            set_like(value, w, value_of(&reading, &item, item.profiles))
    finally:
        leave_float_environment(found)
        free(job.memory)
        free(reading.profiles)
    return 0


cdef int run_proxes(Penalty penalty, Job* job) except -1:
    """Run the prox of an item with profiles. Of nested groups the smaller ones come first; l1 before all, l2 behind them.

    All are laid out before the first one writes.
    """
    cdef Item* item = job.items
    cdef Profile* profiles = item.profiles
    cdef int k, n = item.n_profiles
    cdef Job* jobs
    cdef Item* items
    cdef Conversion rounding   # of what all proxes leave in float32 to a 16-bit result
    if not order_profiles(profiles, n, item.n_dims) and (n > 1 or item.l1 != 0 or item.l2 != 0):
        raise ValueError(
            f"{penalty!r} has no closed prox: it is a sum, and only l1, l2 and group lassos whose groups are nested can be added"
        )
    for k in range(n):
        if not has_closed_prox(profiles[k].kind):
            raise ValueError(f"{penalty!r} has no closed prox: {no_closed_prox(profiles[k].kind)}")
    jobs = <Job*>calloc(max(n, 1), sizeof(Job) + sizeof(Item))
    if jobs == NULL:
        raise MemoryError()
    rounding.x = NULL
    items = <Item*>(jobs + n)
    try:
        if n > 1 and is_sixteen(item.out_format):
            rounding.x = malloc((item.size + 1) * sizeof(float))
            if rounding.x == NULL:
                raise MemoryError()
            rounding.out, rounding.n, rounding.to, rounding.format = item.out, item.size, item.out_format, FLOAT32
            rounding.stochastic = False
            item.out, item.out_format = rounding.x, FLOAT32
        for k in range(n):
            items[k] = item[0]
            items[k].profiles = &profiles[k]
            items[k].n_profiles = 1
            items[k].l1 = item.l1 if k == 0 else 0
            items[k].l2 = item.l2 if k == n - 1 else 0
            if k > 0:
                items[k].weights, items[k].weights_format = item.out, item.out_format
            jobs[k] = job[0]
            jobs[k].items = &items[k]
            jobs[k].stream = job.stream and k == 0
            lay_out(&jobs[k])
        for k in range(n):
            run(&jobs[k])
        if rounding.x != NULL:
            convert(&rounding)
    finally:
        for k in range(n):
            free(jobs[k].memory)
        free(jobs)
        free(rounding.x)
    return 0


cdef class Penalty:
    """Base of the compiled regularizers: the elastic pair, perhaps a profile, and parts that are added.

    All of them are read at each call, so a sum uses the scales that its parts have now. A critical section keeps the strengths
    of one penalty together, where another thread sets them.
    """

    def __cinit__(self, *args, **kwargs):
        self.parts = ()

    cdef int read(self, Reading* reading) except -1:
        """Add up the penalty and its parts as they are now, depth first. Sums of sums may be deeper than the C stack."""
        cdef list waiting
        cdef Penalty penalty
        reading.l1 = reading.l2 = 0.0
        reading.n_profiles = 0
        add_own(self, reading)
        if self.parts:
            waiting = list(reversed(self.parts))
            while waiting:
                penalty = waiting.pop()
                add_own(penalty, reading)
                waiting.extend(reversed(penalty.parts))
            check_sum(self, reading)
        return 0

    @property
    def coefficients(self):
        """Return the elastic pair (l1, l2) as it is now, that of the parts included."""
        cdef Reading reading
        reading.room = self.n_profiles
        reading.profiles = <Profile*>malloc((reading.room + 1) * sizeof(Profile))
        if reading.profiles == NULL:
            raise MemoryError()
        try:
            self.read(&reading)
        finally:
            free(reading.profiles)
        return reading.l1, reading.l2

    def _set(self, double l1, double l2):
        """Set the pair."""
        with cython.critical_section(self):
            self.l1 = l1
            self.l2 = l2

    def _set_profile(self, str name, double scale, double shape):
        """Set the profile, one of PROFILES, and its two parameters."""
        cdef ProfileKind kind = PROFILES[name]
        with cython.critical_section(self):
            self.profile.kind = kind
            self.profile.scale = scale
            self.profile.shape = shape
            if not self.has_profile:
                self.has_profile = True
                self.n_profiles += 1

    def _set_axes(self, axes):
        """Let the profile's magnitudes be the norms of groups, whose members lie along these axes; None: along all."""
        cdef uint64_t from_first = 0, from_last = 0
        if axes is None:
            from_last = ~from_first
        else:
            for axis in axes:
                if axis >= 0:
                    from_first |= <uint64_t>1 << <int>axis
                else:
                    from_last |= <uint64_t>1 << <int>(-1 - axis)
        self.profile.axes, self.profile.axes_from_last = from_first, from_last
        self.profile.has_axes = True

    def _set_arrays(self, str name, strengths, reference):
        """Set the arrays of a number for each element, or None. To be called once: a call in another thread may read them."""
        self.strengths_name = name
        self.element_strengths = None if strengths is None else as_array(strengths, name, True)
        self.reference = None if reference is None else as_array(reference, "reference", True)
        self.profile.owner = NULL if strengths is None and reference is None else <void*>self

    def _set_parts(self, tuple parts):
        """Set the parts. The profiles of the parts are counted here, so what is a part of another penalty takes no new ones.

        That also keeps a penalty from being a part of its own parts.
        """
        cdef Py_ssize_t n = 1 if self.has_profile else 0
        if self.is_part:
            raise ValueError("a penalty that is a part of another one cannot be given parts")
        for part in parts:
            if not isinstance(part, Penalty):
                raise TypeError(f"a part must be a Penalty, got {type(part).__name__}")
            if part is self:
                raise ValueError("a penalty cannot be a part of itself")
            n += (<Penalty>part).n_profiles
        if n > MOST_PROFILES:
            raise ValueError(f"a sum must have at most {MOST_PROFILES} parts beside L1 and L2, got {n}")
        for part in parts:
            with cython.critical_section(part):
                (<Penalty>part).is_part = True
        self.parts = parts
        self.n_profiles = <int>n

    def __call__(self, weights):
        """Return the penalty of `weights`.

        Parameters
        ----------
        weights : ndarray of float32, float64, float16 or bfloat16, any shape

        Returns
        -------
        numpy.float32 or numpy.float64
            Of the weights' dtype, or float32 for 16-bit weights: formed in float64, rounded once.
        """
        cdef ndarray w = as_array(weights, "weights", True)
        value = scalar_like(w)
        run_one(self, w, None, MEASURE, value, 0)
        return value

    def gradient(self, weights, out=None, accumulate=False):
        """Return the penalty's gradient; it is 0 where the weight is 0.

        Parameters
        ----------
        weights : ndarray of float32, float64, float16 or bfloat16, any shape
        out : ndarray, optional
            Where to put it: of the weights' shape, dtype and memory order; `weights` itself is allowed. Of 16-bit weights the
            gradient is formed in float32 and rounded once; `out` may be of float32 then.
        accumulate : bool, optional
            Add to `out` instead of overwriting it.

        Returns
        -------
        ndarray
            `out`, or a new array.
        """
        cdef ndarray w = as_array(weights, "weights", True), target
        cdef bint added = is_added(out, accumulate)
        target = take_out(out, w)
        run_one(self, w, target, ACCUMULATE if added else GRADIENT, None, 0)
        return target if out is None else out

    def value_and_gradient(self, weights, out=None, accumulate=False):
        """Return the penalty and its gradient, in one pass over `weights`.

        Parameters and results are those of a call and of `gradient`.
        """
        cdef ndarray w = as_array(weights, "weights", True), target
        cdef bint added = is_added(out, accumulate)
        target = take_out(out, w)
        value = scalar_like(w)
        result = value, (target if out is None else out)
        run_one(self, w, target, ACCUMULATE if added else GRADIENT, value, 0)
        return result

    def prox(self, weights, step, out=None):
        """Return ``argmin_z step*penalty(z) + |z - w|**2 / 2``.

        Parameters
        ----------
        weights : ndarray of float32, float64, float16 or bfloat16, any shape
        step : float
            At least 0; the learning rate, in a proximal gradient method.
        out : ndarray, optional
            Where to put it, as in `gradient`; `weights` itself is allowed.

        Returns
        -------
        ndarray
            `out`, or a new array. What a penalty shrinks away is exactly 0.

        Raises
        ------
        ValueError
            If the penalty is a sum whose prox has no closed form.

        References
        ----------
        .. [1] N. Parikh and S. Boyd, "Proximal Algorithms", 2014, section 6.5.
        """
        cdef ndarray w = as_array(weights, "weights", True), target
        cdef double length = check_step(step)
        target = take_out(out, w)
        run_one(self, w, target, PROX, None, length)
        return target if out is None else out


cdef inline bint can_join(Profile* a, Profile* b) noexcept:
    """Whether two profiles are of one form, so that their strengths add up."""
    return (
        a.kind == LINEAR and b.kind == LINEAR and a.shape == b.shape and a.has_axes == b.has_axes
        and a.axes == b.axes and a.axes_from_last == b.axes_from_last
    )


cdef inline int add_own(Penalty penalty, Reading* reading) except -1:
    cdef Profile* profile = &penalty.profile
    cdef Profile* known
    cdef int k
    with cython.critical_section(penalty):
        reading.l1 += penalty.l1
        reading.l2 += penalty.l2
        if penalty.has_profile and (profile.scale != 0 or profile.kind == WEIGHTED and profile.shape != 0):
            for k in range(reading.n_profiles):
                known = &reading.profiles[k]
                if can_join(known, profile):
                    known.scale += profile.scale
                    return 0
            if reading.n_profiles >= reading.room:
                raise RuntimeError("a part of a sum was given a profile after the sum was made, or while it was read")
            reading.profiles[reading.n_profiles] = penalty.profile
            reading.n_profiles += 1
    return 0


cdef int check_sum(Penalty penalty, Reading* reading) except -1:
    """Check the strengths of a sum, of which each by itself is finite: an infinite one times a weight of 0 would be NaN."""
    cdef bint finite = isfinite(reading.l1) and isfinite(reading.l2)
    cdef int k
    for k in range(reading.n_profiles):
        finite = finite and isfinite(reading.profiles[k].scale)
    if not finite:
        raise ValueError(f"the strengths of {penalty!r} add up to more than float64 holds")
    return 0


cdef int is_added(object out, object accumulate) except -1:
    """Check the flag and return it."""
    if accumulate is False:
        return False
    if accumulate is not True:
        return is_added(out, check_flag(accumulate, "accumulate"))
    if out is None:
        raise ValueError("accumulate=True adds to out, but out is None; pass the array to add to")
    return True


cpdef double check_step(object step) except? -1:
    cdef double length
    if not isinstance(step, float) and isinstance(step, (bool, numpy.bool_, numpy.complexfloating)):
        raise TypeError(f"step must be a number, got {step!r} of type {type(step).__name__}")
    try:
        length = step
    except TypeError:
        raise TypeError(f"step must be a number, got {type(step).__name__}") from None
    except OverflowError:
        length = INFINITY
    if not (isfinite(length) and length >= 0):
        raise ValueError(f"step must be finite and at least 0, got {step!r}")
    return length


cdef Penalty half_square = Penalty()
half_square._set(0, 1)


def l2_loss(weights):
    """Return sum(w**2) / 2, as TensorFlow's `tf.nn.l2_loss`.

    Parameters
    ----------
    weights : ndarray of float32, float64, float16 or bfloat16, any shape

    Returns
    -------
    numpy.float32 or numpy.float64
        Of the weights' dtype, or float32 for 16-bit weights: formed in float64, rounded once.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.l2_loss(np.array([3.0, 4.0]))
    np.float64(12.5)
    """
    return half_square(weights)
