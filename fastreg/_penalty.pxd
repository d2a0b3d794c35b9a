"""The compiled penalty, and its coefficients as they are read at a call."""
from fastreg._abi cimport Item, Profile, ProfileKind
from libc.stdint cimport uint64_t
from numpy cimport ndarray

cdef struct Reading:           # of a penalty, once for each call: another thread may set a scale while the GIL is released
    double l1
    double l2
    Profile* profiles          # with this much room
    Py_ssize_t room
    int n_profiles

cdef class Penalty:
    cdef double l1, l2
    cdef Profile profile
    cdef bint has_profile
    cdef tuple parts
    cdef ndarray element_strengths, reference  # of a number for each element, or None; set once
    cdef str strengths_name    # what messages call the first
    cdef bint is_part            # of another penalty
    cdef readonly int n_profiles  # at most, its parts' included
    cdef int read(self, Reading* reading) except -1

cdef uint64_t axes_of(Profile* profile, int n_dims) noexcept
cdef int set_rescaling(Profile* profile, tuple limits) except -1
cdef int check_axes(Reading* reading, ndarray w, str name, bint rows) except -1
cdef bint order_profiles(Profile* profiles, int n, int n_dims) noexcept
cdef int bind_arrays(Reading* reading, ndarray w) except -1
cdef double value_of(Reading* reading, Item* item, Profile* profiles) noexcept
cdef str no_closed_prox(ProfileKind kind)
cdef object scalar_like(ndarray w)
cdef void set_like(object scalar, ndarray w, double value) noexcept
cdef object float64_scalar(double value)
cdef void set_float64(object scalar, double value) noexcept
cdef int is_added(object out, object accumulate) except -1
cpdef double check_step(object step) except? -1
