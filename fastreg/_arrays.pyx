"""Floor 1: every check of an array happens here, before anything is written.

Arrays are read through NumPy's C API at each call. No address is kept from call to call, so an array that was replaced, resized
or retyped since the last call is read, or refused, as it is now. This file knows no regularizer and no variable.
"""
from libc.stdlib cimport free, malloc, qsort

cimport numpy as cnp
from numpy cimport ndarray

import numpy

from fastreg._abi cimport Conversion
from fastreg._jobs cimport convert as convert_array
from fastreg._loops.sixteen cimport is_sixteen, rounding_key

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    const int NPY_USERDEF      # dtypes of other libraries have this number or a larger one
    ndarray PyArray_NewLikeArray(ndarray prototype, cnp.NPY_ORDER order, void* descr, int subok)

# A bfloat16 for where no library registers one: `x.view(TAGGED_BFLOAT16)` of an array of uint16, in place.
TAGGED_BFLOAT16 = numpy.dtype(numpy.uint16, metadata={"fastreg": "bfloat16"})

ROLES = ("the weights", "the gradient", "out", "slot 0", "slot 1", "slot 2", "an array of the penalty", "the copy", "the average")


# ------------------------------------------------------------------------------------------------------------ one array
cdef int bfloat16_number = -1  # NumPy's number of the dtype that was last found to be a bfloat16 by its name


cdef int rare_format_of(ndarray x) except -2:
    """Tell a bfloat16, which is no dtype of NumPy's: ml_dtypes registers one, a tensor of torch is viewed as TAGGED_BFLOAT16."""
    global bfloat16_number
    cdef int number = cnp.PyArray_TYPE(x)
    if number == cnp.NPY_UINT16:
        metadata = x.dtype.metadata
        return BFLOAT16 if metadata is not None and metadata.get("fastreg") == "bfloat16" else NO_FORMAT
    if number < NPY_USERDEF:
        return NO_FORMAT
    if number != bfloat16_number and cnp.PyArray_ITEMSIZE(x) == 2 and x.dtype.name == "bfloat16":
        bfloat16_number = number
    return BFLOAT16 if number == bfloat16_number else NO_FORMAT


cpdef str dtype_name(ndarray x):
    """Return what a person calls the dtype."""
    return "bfloat16" if format_of(x) == BFLOAT16 else str(x.dtype)


cdef int refuse(object x, str name, bint sixteen, bint foreign) except -1:
    """Say what is wrong with an array that is not plain; the code in a message runs, with x for the array."""
    cdef int format = format_of(x)
    if format == NO_FORMAT or not (sixteen or format == FLOAT32 or format == FLOAT64):
        raise TypeError(
            f"{name} must be a float32 or float64 array, got dtype {dtype_name(x)}; "
            f"instead of x pass {'numpy.asarray(x, numpy.float32)' if foreign else 'x.astype(numpy.float32)'}"
        )
    if not x.dtype.isnative:
        raise ValueError(
            f"{name} must be in this machine's byte order, got dtype {x.dtype.str!r}; "
            f"instead of x pass x.astype(x.dtype.newbyteorder('='))"
        )
    if not x.flags.aligned:
        raise ValueError(f"{name} must be aligned to its {x.itemsize}-byte items; instead of x pass x.copy()")
    raise ValueError(
        f"{name} must be contiguous (C or Fortran order), got shape {x.shape} with strides {x.strides}; "
        f"instead of x pass numpy.ascontiguousarray(x)"
    )


cdef ndarray view_of(object x, str name):
    """Return a read-only view of another library's array, by DLPack or ``__array__``, where no copy is needed."""
    cdef ndarray array
    view = numpy.from_dlpack if hasattr(x, "__dlpack__") else array_without_copy if hasattr(x, "__array__") else None
    reason = None
    if view is not None and not isinstance(x, numpy.generic):
        try:
            array = view(x)
        except Exception as error:  # each library has its own
            reason = error
        else:
            array = array.view()
            array.flags.writeable = False
            return array
    got = f"got {type(x).__name__}" + (f", which cannot be read without a copy ({reason})" if reason else "")
    code = "numpy.asarray(x, numpy.float32)"
    if hasattr(x, "detach"):  # a tensor of torch, to which NumPy's functions do not apply while it has a gradient
        code = f"x.detach().cpu(){'' if str(x.dtype) in ('torch.float32', 'torch.float64') else '.float()'}.numpy()"
    raise TypeError(f"{name} must be a numpy.ndarray, {got}; instead of x pass {code}") from reason


def array_without_copy(x):
    """Return the array that ``__array__`` gives. NumPy 1 cannot tell whether it is a copy."""
    if numpy.lib.NumpyVersion(numpy.__version__) < "2.0.0":
        raise ValueError("NumPy 1 cannot tell whether __array__ makes a copy")
    return numpy.asarray(x, copy=False)


cdef ndarray as_array(object x, str name, bint sixteen=False):
    """Return x (or the array of a Variable) if the loops can read it, or say why not; 16-bit formats are taken where asked for.

    An array of another library is read in place. Its view is read-only, so that it is refused wherever it would be written to.
    """
    cdef ndarray array
    if PyArray_CheckExact(x):
        array = <ndarray>x
    elif isinstance(x, ndarray):
        if isinstance(x, numpy.ma.MaskedArray):
            raise TypeError(f"{name} must not be a masked array, whose mask would be ignored; instead of x pass x.filled(0)")
        array = <ndarray>x
    else:
        value = getattr(x, "value", None)
        if isinstance(value, ndarray):
            return as_array(value, name, sixteen)
        array = view_of(x, name)
    if not (is_plain(array) or sixteen and format_of(array) != NO_FORMAT and is_laid_out(array)):
        refuse(array, name, sixteen, not isinstance(x, ndarray))
    return array


cdef ndarray as_array_of(object x, str role, str name, bint sixteen=False):
    return as_array(x, f"{role} {name!r}", sixteen)


cdef int check_match(ndarray x, str name, ndarray w, str of) except -1:
    """Check that x pairs with w element by element in memory order, and is of its dtype."""
    check_dtype(x, name, w, of)
    return check_pair(x, name, w, of)


cdef int check_dtype(ndarray x, str name, ndarray w, str of) except -1:
    if format_of(x) != format_of(w):
        raise TypeError(f"{name} must have the dtype of {of}, {dtype_name(w)}, got {dtype_name(x)}")
    return 0


cdef int check_pair(ndarray x, str name, ndarray w, str of) except -1:
    """Check the shape and the memory order, as `check_match` does, but not the dtype."""
    if not cnp.PyArray_SAMESHAPE(x, w):
        raise ValueError(f"{name} must have the shape of {of}, {(<object>w).shape}, got {(<object>x).shape}")
    if not (
        (cnp.PyArray_IS_C_CONTIGUOUS(x) and cnp.PyArray_IS_C_CONTIGUOUS(w))
        or (cnp.PyArray_IS_F_CONTIGUOUS(x) and cnp.PyArray_IS_F_CONTIGUOUS(w))
    ):
        raise ValueError(
            f"{name} must have the memory order of {of}: one is C-contiguous and the other Fortran-contiguous; "
            f"instead of x pass numpy.asarray(x, order={'C' if cnp.PyArray_IS_C_CONTIGUOUS(w) else 'F'!r})"
        )
    return 0


cdef int check_result(ndarray x, str name, ndarray w, str of) except -1:
    """Check that x can take results for w: of its dtype, or of float32 for 16-bit weights."""
    if format_of(x) == FLOAT32 and is_sixteen(format_of(w)):
        check_pair(x, name, w, of)
    else:
        check_match(x, name, w, of)
    return check_writeable(x, name)


cdef int check_writeable(ndarray x, str name) except -1:
    if not cnp.PyArray_ISWRITEABLE(x):
        raise ValueError(
            f"{name} is read-only and would be written to; pass a writeable array (of a torch tensor: x.detach().numpy())"
        )
    return 0


def check_array(x, str name, *, bint writeable=False, bint sixteen=False):
    """Return `x` if the loops can work on it as it stands, else raise what is wrong with it.

    Parameters
    ----------
    x : ndarray of float32 or float64 (or of 16 bits, where that is allowed), or object with such a `value`
        Or another library's array, which is read in place; what is returned is then a read-only view of it.
    name : str
        What the message calls it.
    writeable : bool, optional
        Whether it is to be written to.
    sixteen : bool, optional
        Whether float16 and bfloat16 are allowed.

    Raises
    ------
    TypeError
        If `x` is no ndarray, is masked, or is of another dtype.
    ValueError
        If it is in foreign byte order, misaligned, not contiguous, or read-only though it is to be written.
    """
    array = as_array(x, name, sixteen)
    if writeable:
        check_writeable(array, name)
    return array


def check_like(x, str name, ndarray weights not None, str of):
    """Return `x` if it pairs with the weights element by element: of their dtype, shape and memory order."""
    array = as_array(x, name)
    check_match(array, name, weights, of)
    return array


def check_out(out, ndarray weights not None):
    """Return `out` if results for the weights can be put into it, or a new array like the weights where `out` is None."""
    return take_out(out, weights)


cdef ndarray take_out(object out, ndarray w):
    """Return `out` checked against the weights, or a new array like them."""
    cdef ndarray array
    if out is None:
        return PyArray_NewLikeArray(w, cnp.NPY_KEEPORDER, NULL, 0)
    array = as_array(out, "out", is_sixteen(format_of(w)))
    check_result(array, "out", w, "weights")
    if cnp.PyArray_DATA(array) != cnp.PyArray_DATA(w) or format_of(array) != format_of(w):
        if <char*>cnp.PyArray_DATA(array) < data_end(w) and <char*>cnp.PyArray_DATA(w) < data_end(array):
            raise ValueError("out overlaps weights in part; pass weights itself, or an array with memory of its own")
    return array


def value_dtype(ndarray weights not None):
    """Return the dtype of a penalty's value: that of the weights, or float32 for 16-bit weights."""
    return numpy.dtype(numpy.float32) if is_sixteen(format_of(weights)) else weights.dtype


def convert(x, out, tuple rounding=None):
    """Write the elements of an array into another one: a float16 or bfloat16 from or to a float32 or float64.

    Widening is exact. Narrowing rounds once, to the nearest even; what is too large becomes infinity.

    Parameters
    ----------
    x, out : ndarray
        Of one shape and memory order. One of them is 16 bits wide, the other is not.
    rounding : (int, int, int), optional
        Narrow up or down at random instead, so that the mean is x: by a hash of these three, a seed, a step and the number of a
        variable, and of the element's place in memory. A float64 is rounded to float32 first.
    """
    cdef ndarray source = as_array(x, "x", True), target = as_array(out, "out", True)
    cdef int format = format_of(source), to = format_of(target)
    cdef Conversion conversion
    if is_sixteen(format) == is_sixteen(to):
        raise TypeError(f"of x and out one must be float16 or bfloat16, got {dtype_name(source)} and {dtype_name(target)}")
    check_pair(target, "out", source, "x")
    check_writeable(target, "out")
    if <char*>cnp.PyArray_DATA(target) < data_end(source) and <char*>cnp.PyArray_DATA(source) < data_end(target):
        raise ValueError("out overlaps x; pass an array with memory of its own")
    conversion.out = cnp.PyArray_DATA(target)
    conversion.x = cnp.PyArray_DATA(source)
    conversion.n = cnp.PyArray_SIZE(source)
    conversion.to = <Format>to
    conversion.format = <Format>format
    conversion.stochastic = rounding is not None
    if conversion.stochastic:
        seed, step, variable = rounding
        conversion.key = rounding_key(seed, step, variable)
    convert_array(&conversion)


# ---------------------------------------------------------------------------------------------------------- many arrays
cdef struct Span:
    char* start
    char* end
    bint written
    int role                   # which of ROLES
    void* name                 # of the variable: a str that the caller keeps


cdef int by_start(const void* a, const void* b) noexcept nogil:
    cdef char* left = (<Span*>a).start
    cdef char* right = (<Span*>b).start
    return (left > right) - (left < right)


cdef void sort_spans(Span* spans, Py_ssize_t n) noexcept nogil:
    """Sort by start. Insertion takes a fifth of the time of qsort where spans are few."""
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


cdef class Memory:

    def __cinit__(self, Py_ssize_t capacity):
        self.spans = malloc((capacity + 1) * sizeof(Span))
        if self.spans == NULL:
            raise MemoryError()
        self.capacity = capacity

    def __dealloc__(self):
        free(self.spans)

    cdef int note(self, ndarray x, bint written, int role, str name) except -1:
        cdef Span* span
        if cnp.PyArray_SIZE(x) == 0:
            return 0
        if self.n == self.capacity:
            raise SystemError("more arrays than were announced")
        span = &(<Span*>self.spans)[self.n]
        span.start = <char*>cnp.PyArray_DATA(x)
        span.end = data_end(x)
        span.written = written
        span.role = role
        span.name = <void*>name
        self.n += 1
        return 0

    cdef int check(self) except -1:
        """Refuse an array that is written to and shares memory with another array of the call."""
        cdef Py_ssize_t i
        cdef Span* last = NULL         # the spans that reach furthest so far, of all and of the written ones
        cdef Span* last_written = NULL
        cdef Span* span
        cdef Span* other
        sort_spans(<Span*>self.spans, self.n)
        for i in range(self.n):
            span = &(<Span*>self.spans)[i]
            other = last if span.written else last_written
            if other != NULL and span.start < other.end:
                raise ValueError(
                    f"{ROLES[span.role]} of {<object>span.name!r} overlaps {ROLES[other.role]} of {<object>other.name!r}; "
                    f"what is written to must have memory of its own"
                )
            if last == NULL or span.end > last.end:
                last = span
            if span.written and (last_written == NULL or span.end > last_written.end):
                last_written = span
        return 0
