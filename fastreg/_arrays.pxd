"""The inlined part of the checks: a good array costs some 10 ns; a message is made only for a bad one."""
from libc.string cimport memset

cimport numpy as cnp
from numpy cimport ndarray

from fastreg._abi cimport BFLOAT16, CHUNK, FLOAT16, FLOAT32, FLOAT64, Format, Item

cdef extern from "numpy/arrayobject.h":
    bint PyArray_CheckExact(object x)

cdef enum:
    STREAM_BYTES = 1 << 25     # an output this large is stored around the caches
    NO_FORMAT = -1             # of a dtype that no loop reads

cdef enum Role:                # of an array in a call, as ROLES spells them
    WEIGHTS
    GIVEN_GRADIENT
    OUT
    SLOT                       # the first of three
    ELEMENTS = SLOT + 3
    COPY
    AVERAGE

cdef int rare_format_of(ndarray x) except -2
cpdef str dtype_name(ndarray x)
cdef ndarray as_array(object x, str name, bint sixteen=*)
cdef ndarray as_array_of(object x, str role, str name, bint sixteen=*)
cdef int check_match(ndarray x, str name, ndarray w, str of) except -1
cdef int check_dtype(ndarray x, str name, ndarray w, str of) except -1
cdef int check_pair(ndarray x, str name, ndarray w, str of) except -1
cdef int check_result(ndarray x, str name, ndarray w, str of) except -1
cdef int check_writeable(ndarray x, str name) except -1
cdef ndarray take_out(object out, ndarray w)

cdef class Memory:
    """The memory that one call reads and writes, to find arrays that are written to and overlap others."""
    cdef void* spans
    cdef Py_ssize_t n, capacity
    cdef int note(self, ndarray x, bint written, int role, str name) except -1  # the caller keeps the name
    cdef int check(self) except -1


cdef inline bint is_laid_out(ndarray x) noexcept:
    """Whether the elements of x lie side by side, aligned, in this machine's byte order."""
    return cnp.PyArray_ISBEHAVED_RO(x) and (cnp.PyArray_IS_C_CONTIGUOUS(x) or cnp.PyArray_IS_F_CONTIGUOUS(x))


cdef inline bint is_plain(ndarray x) noexcept:
    """Whether the loops can read x as it stands."""
    return (cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT or cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE) and is_laid_out(x)


cdef inline bint is_double(ndarray x) noexcept:
    return cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE


cdef inline int format_of(ndarray x) except -2:
    """Return the Format of the elements, or NO_FORMAT for another dtype."""
    cdef int number = cnp.PyArray_TYPE(x)
    if number == cnp.NPY_FLOAT:
        return FLOAT32
    if number == cnp.NPY_DOUBLE:
        return FLOAT64
    if number == cnp.NPY_FLOAT16:
        return FLOAT16
    return rare_format_of(x)


cdef inline bint matches(ndarray x, ndarray w) noexcept:
    """Whether x pairs with w element by element, both in C order; `check_match` decides of the rest."""
    return (
        cnp.PyArray_TYPE(x) == cnp.PyArray_TYPE(w)
        and cnp.PyArray_SAMESHAPE(x, w)
        and cnp.PyArray_IS_C_CONTIGUOUS(x)
        and cnp.PyArray_IS_C_CONTIGUOUS(w)
    )


cdef inline ndarray plain_array(object x, str role, str name, bint sixteen=False):
    """Return x, or the array of a Variable, if the loops can read it; else say what is wrong with the `role` of `name`."""
    if PyArray_CheckExact(x) and is_plain(<ndarray>x):
        return <ndarray>x
    return as_array_of(x, role, name, sixteen)


cdef inline char* data_end(ndarray x) noexcept:
    return <char*>cnp.PyArray_DATA(x) + cnp.PyArray_NBYTES(x)


cdef inline int init_item(Item* item, ndarray w) except -1:
    memset(item, 0, sizeof(Item))
    item.weights = cnp.PyArray_DATA(w)
    item.shape = <const Py_ssize_t*>cnp.PyArray_DIMS(w)
    item.n_dims = cnp.PyArray_NDIM(w)
    item.is_fortran = not cnp.PyArray_IS_C_CONTIGUOUS(w)
    item.size = cnp.PyArray_SIZE(w)
    item.chunk_size = CHUNK
    item.is_double = is_double(w)
    item.weights_format = item.base_format = item.out_format = <Format>format_of(w)
    return 0


cdef inline bint is_same(ndarray x, ndarray y) noexcept:
    """Whether two plain arrays are one, or views of the same memory with the same elements."""
    return x is y or (
        cnp.PyArray_DATA(x) == cnp.PyArray_DATA(y)
        and cnp.PyArray_TYPE(x) == cnp.PyArray_TYPE(y)
        and cnp.PyArray_SAMESHAPE(x, y)
        and cnp.PyArray_IS_C_CONTIGUOUS(x) == cnp.PyArray_IS_C_CONTIGUOUS(y)
        and cnp.PyArray_SIZE(x) != 0
    )
