"""Floor 1: the terms of a collection, evaluated in one parallel region.

A term has a variable and a penalty, and becomes an item of a job. Everything is checked before anything is written.
"""
cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.stdlib cimport calloc, free

cimport numpy as cnp
from numpy cimport ndarray

import numpy

from fastreg._abi cimport *
from fastreg._arrays cimport *
from fastreg._jobs cimport lay_out, run
from fastreg._loops.sixteen cimport is_sixteen
from fastreg._penalty cimport Penalty, Reading, bind_arrays, check_axes, float64_scalar, set_float64, value_of
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    ndarray PyArray_NewLikeArray(ndarray prototype, cnp.NPY_ORDER order, void* descr, int subok)


# --------------------------------------------------------------------------------------------------------------- terms
cdef class Term:
    """One regularizer over one variable, split into what is compiled and what is a user's own.

    Attributes
    ----------
    variable : object
        The variable whose weights are read.
    variable_name : str
    cell, key : object
        Where the array is looked up: ``cell[key]``.
    penalty : Penalty or None
        What of the regularizer is compiled.
    custom : tuple of callable
        What of it is a user's own.
    """

    @staticmethod
    def over(weights, Penalty penalty, str name):
        """Return a term over a bare array."""
        cdef Term term = Term()
        term._set_variable(None, name, [weights], 0)
        term._set_parts(penalty, ())
        return term

    def _set_variable(self, variable, str name, cell, key):
        self.variable, self.variable_name, self.cell, self.key = variable, name, cell, key

    def _set_parts(self, Penalty penalty, tuple custom):
        with cython.critical_section(self):
            self._penalty, self._custom = penalty, custom

    @property
    def penalty(self):
        return penalty_of(self)

    @property
    def custom(self):
        return custom_of(self)

    @property
    def weights(self):
        """The array, looked up at each use: a new array in its place is used from then on."""
        array = self.cell[self.key]
        if array is None or isinstance(array, ndarray):
            return array
        return as_array_of(array, "the value of", self.variable_name, True)


cdef inline Penalty penalty_of(Term term):
    with cython.critical_section(term):
        return term._penalty


cdef inline tuple custom_of(Term term):
    with cython.critical_section(term):
        return term._custom


def have_custom(list terms):
    """Tell whether a term has a part that is a user's own."""
    for term in terms:
        if custom_of(<Term?>term):
            return True
    return False


def take_terms(terms):
    """Return a list of the live terms in a list or tuple, or None if something else is among them.

    The list is a snapshot: a collection may change while a step reads it. A term whose regularizer was taken off is left out.
    """
    cdef list live = []
    if not isinstance(terms, (list, tuple)):
        return None
    for term in terms:
        if not isinstance(term, Term):
            return None
        if penalty_of(<Term>term) is not None or custom_of(<Term>term):
            live.append(term)
    return live


cdef class Items:
    """The memory of one job over many items and terms; it is freed with the object."""

    def __dealloc__(self):
        free(self.job.items)   # and what lies behind them
        free(self.job.memory)

    cdef int read_terms(self, Py_ssize_t n_items, list terms) except -1:
        """Make room for the items, and read the penalty of each term once: another thread may set it meanwhile."""
        cdef list penalties = [penalty_of(<Term?>term) for term in terms]
        cdef Py_ssize_t i, n = len(penalties), room = 0
        cdef Penalty penalty
        self.penalties = penalties
        for penalty in penalties:
            if penalty is not None:
                room += penalty.n_profiles
        self.job.items = <Item*>calloc(
            1, n_items * sizeof(Item) + 2 * room * sizeof(Profile) + n * (sizeof(Reading) + sizeof(Py_ssize_t)) + 1
        )
        if self.job.items == NULL:
            raise MemoryError()
        self.profiles = <Profile*>(self.job.items + n_items)
        self.readings = <Reading*>(self.profiles + 2 * room)
        self.item_of = <Py_ssize_t*>(self.readings + n)
        self.job.n_items = n_items
        self.job.rule.clip = 1.0
        self.n_terms = n
        for i in range(n):
            penalty = <Penalty>penalties[i]
            self.readings[i].profiles = self.profiles + self.n_profiles
            self.readings[i].room = room - self.n_profiles
            if penalty is not None:
                penalty.read(&self.readings[i])
                self.n_profiles += self.readings[i].n_profiles
        return 0

    cdef void add_penalty(self, Py_ssize_t term, Py_ssize_t item) noexcept:
        """Add the penalty of a term to an item."""
        self.item_of[term] = item
        self.job.items[item].l1 += self.readings[term].l1
        self.job.items[item].l2 += self.readings[term].l2
        self.job.items[item].n_profiles += self.readings[term].n_profiles

    cdef int bind(self, Py_ssize_t term, ndarray w, Memory memory, str name) except -1:
        """Check the arrays that a term's penalty has against the weights; a memory notes that they are read."""
        cdef Reading* reading = &self.readings[term]
        cdef Penalty owner
        cdef int k
        bind_arrays(reading, w)
        if memory is not None:
            for k in range(reading.n_profiles):
                if reading.profiles[k].owner == NULL:
                    continue
                owner = <Penalty>reading.profiles[k].owner
                if owner.element_strengths is not None:
                    memory.note(owner.element_strengths, False, ELEMENTS, name)
                if owner.reference is not None:
                    memory.note(owner.reference, False, ELEMENTS, name)
        return 0

    cdef void place_profiles(self) noexcept:
        """Lay the profiles of each item side by side, in the order of its terms."""
        cdef Profile* place = self.profiles + self.n_profiles
        cdef Reading* reading
        cdef Item* item
        cdef Py_ssize_t i
        cdef int k
        if self.n_profiles == 0:
            return
        for i in range(self.job.n_items):
            item = &self.job.items[i]
            item.profiles = place
            place += item.n_profiles
            item.n_profiles = 0
        for i in range(self.n_terms):
            reading = &self.readings[i]
            item = &self.job.items[self.item_of[i]]
            place = item.profiles + item.n_profiles
            for k in range(reading.n_profiles):
                place[k] = reading.profiles[k]
            reading.profiles = place
            item.n_profiles += reading.n_profiles

    cdef double total(self) noexcept:
        """Return the sum of the terms' values, in their order."""
        cdef double total = 0.0
        cdef Py_ssize_t i
        for i in range(self.n_terms):
            total += value_of(&self.readings[i], &self.job.items[self.item_of[i]], self.readings[i].profiles)
        return total


# ---------------------------------------------------------------------------------------------------------- evaluation
def evaluate(
    list terms, gradients=None, bint accumulate=False, bint fill=False, dict bases=None, find=None, list more=None
):
    """Evaluate the compiled penalties of a collection in one parallel region.

    Parameters
    ----------
    terms : list of Term
        Dtypes may mix. With gradients, the terms of one variable are evaluated together.
    gradients : mapping of str to ndarray, optional
        What receives each variable's gradient, by name.
    accumulate : bool, optional
        Add to what stands in `gradients`.
    fill : bool, optional
        `gradients` is a dict to be filled with new arrays.
    bases : dict of str to ndarray, optional
        What a variable's gradient is added to, where that is not `gradients`.
    find : callable, optional
        Called as ``find(gradients, name, terms)`` for a name that is not in a dict `gradients` as it stands.
    more : list of float, optional
        What is added to the sum, in this order.

    Returns
    -------
    total : numpy.float64
        The sum of the penalties' values, in the terms' order.
    gradients : mapping
        What was given, only if it was.
    """
    cdef FloatEnvironment found = enter_float_environment()
    total = float64_scalar(0.0)
    result = total if gradients is None else (total, gradients)  # made before the work, so that nothing can fail behind it
    try:
        evaluate_into(total, terms, gradients, accumulate, fill, bases, find, more)
    finally:
        leave_float_environment(found)
    return result


cdef int evaluate_into(
    object total, list terms, gradients, bint accumulate, bint fill, dict bases, find, list more
) except -1:
    """Do what `evaluate` does, and give the sum to a float64 scalar."""
    cdef list live = list(terms)       # which no other thread can change
    cdef Py_ssize_t n = len(live), i, j, factor = 1 if gradients is None else 3 if accumulate else 2
    cdef Items items = Items()
    cdef Memory memory = None
    cdef Job* job = &items.job
    cdef Item* item
    cdef Term term
    cdef str name
    cdef ndarray w, out
    cdef dict first = {}               # the first term of each name; it keeps the names alive
    cdef list arrays = [], outs = [], kept = []  # references that keep the arrays alive
    cdef PyObject* known
    cdef bint in_place = False
    cdef ndarray added = numpy.array(more, dtype=numpy.float64) if more else None
    cdef double value
    items.read_terms(n, live)
    if gradients is not None:
        memory = Memory(2 * n + 2 * items.n_profiles)
    for i in range(n):
        term = <Term>live[i]
        name = term.variable_name
        w = plain_array(term.cell[term.key], "the value of", name, True)
        if items.n_profiles:
            items.bind(i, w, memory, name)
        arrays.append(w)
        if items.readings[i].n_profiles:
            check_axes(&items.readings[i], w, repr(name), False)
        item = &job.items[i]
        job.n_bytes += factor * cnp.PyArray_NBYTES(w)
        if gradients is None:
            init_item(item, w)
            items.add_penalty(i, i)
            continue
        out = None
        known = PyDict_GetItemWithError(first, name)
        j = i if known == NULL else <Py_ssize_t><object>known
        if j == i:
            first[name] = i
        if fill and j == i:
            out = PyArray_NewLikeArray(w, cnp.NPY_KEEPORDER, NULL, 0)
            gradients[name] = out
        else:
            out = plain_array(look_up(gradients, name, find, live), "out of", name, is_sixteen(format_of(w)))
        outs.append(out)
        if j != i:
            if not (is_same(arrays[j], w) and is_same(outs[j], out)):
                raise ValueError(f"two variables are named {name!r}; their gradients could not be told apart")
            items.add_penalty(i, j)
            continue
        if not (matches(out, w) and cnp.PyArray_ISWRITEABLE(out)):
            check_result(out, f"out of {name!r}", w, "its variable")
        init_item(item, w)
        items.add_penalty(i, i)
        item.out = item.base = cnp.PyArray_DATA(out)
        item.out_format = item.base_format = <Format>format_of(out)
        item.operation = ACCUMULATE if accumulate else GRADIENT
        memory.note(out, True, OUT, name)
        if item.out == item.weights and item.out_format == item.weights_format:
            in_place = True
        else:
            memory.note(w, False, WEIGHTS, name)
        if bases is not None and name in bases:
            kept.append(set_base(item, bases[name], w, name))
    job.measure = True
    if gradients is not None:
        memory.check()
        job.stream = not (accumulate or in_place) and job.n_bytes >= 2 * STREAM_BYTES
    items.place_profiles()
    lay_out(job)
    run(job)
    value = items.total()
    if added is not None:
        for i in range(cnp.PyArray_SIZE(added)):
            value += (<double*>cnp.PyArray_DATA(added))[i]
    set_float64(total, value)
    return 0


cdef inline object look_up(gradients, str name, find, list terms):
    cdef PyObject* found
    if type(gradients) is dict:
        with cython.critical_section(gradients):  # the reference is borrowed
            found = PyDict_GetItemWithError(gradients, name)
            if found != NULL:
                return <object>found
    if find is None:
        return gradients[name]
    return find(gradients, name, terms)


cdef ndarray set_base(Item* item, base, ndarray w, str name):
    """Let the gradient be added to `base`; return its array, which must outlive the job."""
    cdef ndarray array = plain_array(base, "the base of", name)
    if not matches(array, w):
        check_match(array, f"the base of {name!r}", w, "its variable")
    item.base = cnp.PyArray_DATA(array)
    item.operation = ACCUMULATE
    return array
