"""Floor 1: the compiled penalties, and their value, gradient and prox over one array.

A penalty is a sum of the elastic pair, l1 * sum(|w|) + l2/2 * sum(w**2), and of profiles of magnitudes (_loops/profiles.pxd).
"""
from libc.math cimport INFINITY, isfinite
from libc.stdlib cimport free, malloc

cimport numpy as cnp
from numpy cimport ndarray

import numpy

from fastreg._abi cimport *
from fastreg._arrays cimport STREAM_BYTES, as_array, check_match, data_end, init_item, is_double, is_plain, take_out
from fastreg._jobs cimport run
from fastreg._loops.profiles cimport has_closed_prox
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment

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
    #define fr_set_float64(scalar, value) PyArrayScalar_ASSIGN(scalar, Double, value)
    """
    object fr_float32(double value)
    object fr_float64(double value)
    void fr_set_float64(object scalar, double value)

cdef enum:
    STACK_CHUNKS = 16
    STACK_PROFILES = 4
    MOST_PROFILES = 1 << 16    # of a sum; far below what an int can count

PROFILES = {
    "mcp": MCP,
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


cdef object scalar_like(ndarray w, double value):
    return fr_float64(value) if is_double(w) else fr_float32(value)


cdef object float64_scalar(double value):
    return fr_float64(value)


cdef void set_float64(object scalar, double value) noexcept:
    """Give a new scalar its value; it was made before the work, so that nothing can fail behind it."""
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
        if owner.reference is not None:
            profile.reference = address(owner.reference, "reference", w)
    return 0


cdef void* address(ndarray x, str name, ndarray w) except? NULL:
    """Return where an array of a penalty is, which pairs with the weights."""
    if not is_plain(x):
        as_array(x, name)
    check_match(x, name, w, "the weights")
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


cdef object run_one(Penalty penalty, ndarray w, ndarray out, Operation operation, bint measure, double step):
    """Run one operation over one array; return the penalty's value if it is measured."""
    cdef Item item
    cdef Job job
    cdef Reading reading
    cdef double[2 * STACK_CHUNKS] few_sums
    cdef Profile[STACK_PROFILES] few_profiles
    cdef void* memory = NULL
    cdef Py_ssize_t n_sums, room = penalty.n_profiles
    cdef double* sums = few_sums
    cdef FloatEnvironment found
    cdef int k
    init_item(&item, w)
    item.operation = operation
    if out is not None:
        item.out = item.base = cnp.PyArray_DATA(out)
    job.items = &item
    job.n_items = 1
    job.n_chunks = (item.size + CHUNK - 1) // CHUNK
    job.measure = measure
    job.n_bytes = cnp.PyArray_NBYTES(w) * (1 if operation == MEASURE else 3 if operation == ACCUMULATE else 2)
    job.stream = False
    if operation == GRADIENT or operation == PROX:
        job.stream = item.out != item.weights and cnp.PyArray_NBYTES(w) >= STREAM_BYTES
    item.rate = step
    reading.profiles = few_profiles
    reading.room = room
    n_sums = (2 + room) * job.n_chunks
    if n_sums > 2 * STACK_CHUNKS or room > STACK_PROFILES:
        memory = malloc(n_sums * sizeof(double) + room * sizeof(Profile))
        if memory == NULL:
            raise MemoryError()
        sums = <double*>memory
        reading.profiles = <Profile*>(sums + n_sums)
    job.absolute = sums
    job.square = sums + job.n_chunks
    found = enter_float_environment()
    try:
        penalty.read(&reading)
        bind_arrays(&reading, w)
        if out is not None:
            check_apart(&reading, out)
        item.l1 = reading.l1
        item.l2 = reading.l2
        item.profiles = reading.profiles
        item.n_profiles = reading.n_profiles
        for k in range(item.n_profiles):
            item.profiles[k].partials = sums + (2 + k) * job.n_chunks
        if operation == PROX and item.n_profiles > 0 and (item.n_profiles > 1 or item.l1 != 0 or item.l2 != 0):
            raise ValueError(f"{penalty!r} has no closed prox: it is a sum, and only l1 and l2 can be added to each other")
        if operation == PROX and item.n_profiles > 0 and not has_closed_prox(item.profiles[0].kind):
            raise ValueError(f"{penalty!r} has no closed prox: {no_closed_prox(item.profiles[0].kind)}")
        run(&job)
        return scalar_like(w, value_of(&reading, &item, item.profiles)) if measure else None
    finally:
        leave_float_environment(found)
        free(memory)


cdef class Penalty:
    """Base of the compiled regularizers: the elastic pair, perhaps a profile, and parts that are added.

    All of them are read at each call, so a sum uses the scales that its parts have now.
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
        self.l1 = l1
        self.l2 = l2

    def _set_profile(self, str name, double scale, double shape):
        """Set the profile, one of PROFILES, and its two parameters."""
        self.profile.kind = PROFILES[name]
        self.profile.scale = scale
        self.profile.shape = shape
        if not self.has_profile:
            self.has_profile = True
            self.n_profiles += 1

    def _set_arrays(self, str name, strengths, reference):
        """Set the arrays of a number for each element, or None. To be called once: a call in another thread may read them."""
        self.strengths_name = name
        self.element_strengths = None if strengths is None else as_array(strengths, name)
        self.reference = None if reference is None else as_array(reference, "reference")
        self.profile.owner = NULL if strengths is None and reference is None else <void*>self

    def _set_parts(self, tuple parts):
        """Set the parts. To be called once: the profiles of the parts are counted here."""
        cdef Py_ssize_t n = 1 if self.has_profile else 0
        for part in parts:
            if not isinstance(part, Penalty):
                raise TypeError(f"a part must be a Penalty, got {type(part).__name__}")
            n += (<Penalty>part).n_profiles
        if n > MOST_PROFILES:
            raise ValueError(f"a sum must have at most {MOST_PROFILES} parts beside L1 and L2, got {n}")
        self.parts = parts
        self.n_profiles = <int>n

    def __call__(self, weights):
        """Return the penalty of `weights`.

        Parameters
        ----------
        weights : ndarray of float32 or float64, any shape

        Returns
        -------
        numpy.float32 or numpy.float64
            Of the weights' dtype: formed in float64, rounded once.
        """
        return run_one(self, as_array(weights, "weights"), None, MEASURE, True, 0)

    def gradient(self, weights, out=None, bint accumulate=False):
        """Return the penalty's gradient; it is 0 where the weight is 0.

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
        cdef ndarray w = as_array(weights, "weights"), target
        check_accumulate(out, accumulate)
        target = take_out(out, w)
        run_one(self, w, target, ACCUMULATE if accumulate else GRADIENT, False, 0)
        return target if out is None else out

    def value_and_gradient(self, weights, out=None, bint accumulate=False):
        """Return the penalty and its gradient, in one pass over `weights`.

        Parameters and results are those of a call and of `gradient`.
        """
        cdef ndarray w = as_array(weights, "weights"), target
        check_accumulate(out, accumulate)
        target = take_out(out, w)
        value = run_one(self, w, target, ACCUMULATE if accumulate else GRADIENT, True, 0)
        return value, (target if out is None else out)

    def prox(self, weights, step, out=None):
        """Return argmin_z step*penalty(z) + |z - w|**2 / 2.

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
            `out`, or a new array. What a penalty shrinks away is exactly 0.

        Raises
        ------
        ValueError
            If the penalty is a sum whose prox has no closed form.

        References
        ----------
        N. Parikh and S. Boyd, "Proximal Algorithms", 2014, section 6.5.
        """
        cdef ndarray w = as_array(weights, "weights"), target
        cdef double length = check_step(step)
        target = take_out(out, w)
        run_one(self, w, target, PROX, False, length)
        return target if out is None else out


cdef inline int add_own(Penalty penalty, Reading* reading) except -1:
    reading.l1 += penalty.l1
    reading.l2 += penalty.l2
    if penalty.has_profile and (penalty.profile.scale != 0 or penalty.profile.kind == WEIGHTED and penalty.profile.shape != 0):
        if reading.n_profiles >= reading.room:
            raise RuntimeError("a part of a sum was given a profile after the sum was made, or while it was read")
        reading.profiles[reading.n_profiles] = penalty.profile
        reading.n_profiles += 1
    return 0


cdef int check_accumulate(object out, bint accumulate) except -1:
    if accumulate and out is None:
        raise ValueError("accumulate=True adds to out, but out is None; pass the array to add to")
    return 0


cdef double check_step(object step) except? -1:
    cdef double length
    if step is True or step is False:
        raise TypeError(f"step must be a number, got {step}")
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
    return half_square(weights)
