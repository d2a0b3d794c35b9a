"""The terms of a collection, and the items they become."""
from fastreg._abi cimport Job, Profile
from fastreg._arrays cimport Memory
from fastreg._penalty cimport Penalty, Reading
from numpy cimport ndarray

cdef class Term:
    cdef readonly object variable
    cdef readonly str variable_name
    cdef readonly object cell, key
    cdef Penalty _penalty      # these two in a critical section: another thread may set the regularizer
    cdef tuple _custom

cdef class Items:
    cdef Job job
    cdef Py_ssize_t n_terms
    cdef Py_ssize_t* item_of   # of each term
    cdef Reading* readings     # of each term
    cdef Profile* profiles     # as read, term by term; behind them those of all items, item by item
    cdef Py_ssize_t n_profiles
    cdef list penalties        # of each term: they keep the arrays that the profiles point to
    cdef int read_terms(self, Py_ssize_t n_items, list terms) except -1
    cdef void add_penalty(self, Py_ssize_t term, Py_ssize_t item) noexcept
    cdef int bind(self, Py_ssize_t term, ndarray w, Memory memory, str name) except -1
    cdef void place_profiles(self) noexcept
    cdef double total(self) noexcept

cdef int evaluate_into(
    object total, list terms, gradients, bint accumulate, bint fill, dict bases, find, list more
) except -1
