"""Floor 1: one step of an update rule over many variables, in one parallel region.

An entry of a step has weights, a gradient and slots, and becomes an item of a job, its terms' penalties added. A step is
prepared, which checks everything, and then committed.
"""
from collections import namedtuple

from libc.math cimport INFINITY, isfinite, ldexp, sqrt
from libc.stdint cimport int64_t
from libc.stdlib cimport free

cimport numpy as cnp
from numpy cimport ndarray

import numpy

from fastreg._abi cimport *
from fastreg._arrays cimport *
from fastreg._collection cimport Items, Term, evaluated
from fastreg._jobs cimport lay_out, measure_gradient, run
from fastreg._loops.profiles cimport has_closed_prox
from fastreg._loops.rules cimport n_slots, takes_l1, takes_prox
from fastreg._penalty cimport float64_scalar, no_closed_prox, set_float64, value_of
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment

cnp.import_array()

cdef enum:
    RESCALE = 700              # binary digits by which a gradient is scaled whose squares overflow or vanish
    LEAST_SQUARES = -900       # binary digits; below such a sum of squares, single ones may have vanished

cdef extern from "numpy/arrayobject.h":
    ndarray PyArray_NewCopy(ndarray x, cnp.NPY_ORDER order)


Traits = namedtuple("Traits", "operation n_slots takes_l1 takes_prox")
RULES = {
    name: Traits(operation, n_slots(operation), takes_l1(operation), takes_prox(operation))
    for name, operation in {
        "gradient_descent": GRADIENT_DESCENT,
        "momentum": MOMENTUM,
        "adagrad": ADAGRAD,
        "rmsprop": RMSPROP,
        "centered_rmsprop": CENTERED_RMSPROP,
        "adam": ADAM,
        "proximal_gradient_descent": PROXIMAL_GRADIENT_DESCENT,
        "proximal_adagrad": PROXIMAL_ADAGRAD,
        "ftrl": FTRL,
    }.items()
}


cdef int set_rule(Rule* rule, dict constants) except -1:
    """Take a step's hyperparameters; those that an update rule does not use are 0."""
    rule.momentum = constants.get("momentum", 0.0)
    rule.beta1 = constants.get("beta1", 0.0)
    rule.beta2 = constants.get("beta2", 0.0)
    rule.epsilon = constants.get("epsilon", 0.0)
    rule.l1 = constants.get("l1", 0.0)
    rule.l2 = constants.get("l2", 0.0)
    rule.shrinkage = constants.get("shrinkage", 0.0)
    rule.power = constants.get("power", 0.0)
    rule.nesterov = constants.get("nesterov", False)
    rule.cautious = constants.get("cautious", False)
    return 0


cdef class Entry:
    """One variable of a step.

    Parameters
    ----------
    name : str
    weights : ndarray
        Updated in place.
    gradient : ndarray
        Of the weights' shape, or of the rows that `rows` names. It is read, never written.
    rows : ndarray of int64, optional
        Which rows of the weights the gradient holds; unique and rising.

    Attributes
    ----------
    slots : tuple of ndarray
        The update rule's arrays beside the weights, of their shape.
    rate : float
        The learning rate of this variable, bias-corrected for Adam.
    decay : float
        What is taken off the weights, as a fraction, before the rule.
    prox : callable or None
        A user's own prox, with which the step of this variable ends.
    """

    cdef readonly str name
    cdef readonly ndarray weights
    cdef public ndarray gradient
    cdef readonly ndarray rows
    cdef public tuple slots
    cdef public double rate
    cdef public double decay
    cdef public object prox

    def __cinit__(self, str name, weights, gradient, ndarray rows=None):
        self.name = name
        self.weights = plain_array(weights, "variable", name)
        self.gradient = plain_array(gradient, "gradient of", name)
        self.rows = rows
        self.slots = ()


cpdef memory_of(x):
    """Return a key for the memory of an array; for an empty array and for anything else, a key for the object itself."""
    if isinstance(x, ndarray) and cnp.PyArray_SIZE(<ndarray>x):
        return <size_t>cnp.PyArray_DATA(<ndarray>x)
    return (id(x),)


def owners_of(list entries, list terms):
    """Return for each term the index of the entry over whose weights it is, or -1 where its variable is not updated.

    Raises
    ------
    ValueError
        If the variable of that name is updated, but is another array; or if the term is over another view of an updated array.
    """
    cdef list weights = [(<Entry?>entry).weights for entry in entries]
    cdef dict places = {memory_of(<ndarray>w): i for i, w in enumerate(weights)}
    cdef list owners = []
    cdef Term term
    for item in terms:
        term = <Term?>item
        array = plain_array(term.cell[term.key], "the value of", term.variable_name)
        place = places.get(memory_of(<ndarray>array))
        if place is None or not is_same(<ndarray>array, <ndarray>weights[place]):
            check_apart(term, <ndarray>array, entries)
            place = -1
        owners.append(place)
    return owners


cdef int check_apart(Term term, ndarray w, list entries) except -1:
    """Check that a term's array is of no entry: neither by its name nor by its memory."""
    cdef Entry entry
    cdef str variable = term.variable_name.removesuffix(":0")
    name = getattr(term, "name", term.variable_name)
    for entry in entries:
        if entry.name == variable:
            raise ValueError(
                f"term {name!r} is over an array that is not updated here: the {variable!r} that is updated is another array, in "
                f"other memory or of another shape; make the terms anew over the arrays that are updated"
            )
        if (
            cnp.PyArray_SIZE(w)
            and <char*>cnp.PyArray_DATA(w) < data_end(entry.weights)
            and <char*>cnp.PyArray_DATA(entry.weights) < data_end(w)
        ):
            raise ValueError(
                f"term {name!r} is over another view of the memory of variable {entry.name!r}, which is updated; make it over "
                f"the same view"
            )
    return 0


cdef class State:
    """What an optimizer keeps from step to step.

    Attributes
    ----------
    iterations : int
        Steps done.
    slots : dict of str to tuple of ndarray
    placed : dict of str to ndarray
        Arrays that came without a name, by the name that they were given.
    """

    cdef public long long iterations
    cdef public dict slots
    cdef public dict placed

    def __init__(self, long long iterations=0, dict slots=None, dict placed=None):
        self.iterations = iterations
        self.slots = {} if slots is None else slots
        self.placed = {} if placed is None else placed

    def __reduce__(self):
        return State, (self.iterations, self.slots)  # a copy works on other arrays, which its first step names


cdef class Step:
    """One step of an update rule over several variables and their penalties: checked when it is made, done by `commit`.

    Parameters
    ----------
    rule : str
        One of RULES.
    constants : dict of str to float
        Fields of `_abi.Rule`.
    entries : list of Entry
    terms : list of Term
        A term over a variable that is not updated is counted in the loss and changes nothing else.
    clip_norm : float, optional
        Scale the total gradient of all variables down to this norm. One extra pass.
    check_finite : bool, optional
        Raise if the total gradient is not finite. The same extra pass.
    title : str, optional
        What messages call the rule; its name by default.
    """

    cdef Items items
    cdef list entries, terms
    cdef list kept             # arrays that the items point to
    cdef dict apart            # the values of the terms over variables that are not updated, by their places among the terms

    def __cinit__(
        self, str rule, dict constants, list entries, list terms, clip_norm=None, bint check_finite=False, str title=None
    ):
        cdef FloatEnvironment found = enter_float_environment()
        try:
            self.prepare(rule, title or rule, constants, entries, terms, clip_norm, check_finite)
        finally:
            leave_float_environment(found)

    cdef int prepare(
        self, str rule, str title, dict constants, list entries, list terms, clip_norm, bint check_finite
    ) except -1:
        cdef Py_ssize_t n, i
        cdef Operation operation = RULES[rule].operation
        cdef Memory memory
        cdef Job* job
        cdef Entry entry
        cdef list owners
        self.entries, self.kept = list(entries), []
        owners = owners_of(self.entries, terms)
        self.apart = {
            i: evaluated([term], None, False, False, None, None)
            for i, (term, place) in enumerate(zip(terms, owners)) if place < 0
        }
        self.terms = [term for i, term in enumerate(terms) if i not in self.apart] if self.apart else list(terms)
        owners = [place for place in owners if place >= 0] if self.apart else owners
        n = len(self.entries)
        self.items = Items()
        job = &self.items.job
        self.items.read_terms(n, self.terms)
        memory = Memory(5 * n + 2 * self.items.n_profiles)
        set_rule(&job.rule, constants)
        for i in range(n):
            entry = <Entry?>self.entries[i]
            job.items[i].operation = operation
            self.init_entry(&job.items[i], entry, memory)
        for i, place in enumerate(owners):
            self.items.add_penalty(i, place)
            if self.items.n_profiles:
                entry = <Entry>self.entries[place]
                self.items.bind(i, entry.weights, memory, entry.name)
        memory.check()
        self.items.place_profiles()
        self.check_prox(title)
        lay_out(job)
        if clip_norm is not None or check_finite:
            self.measure_norm(clip_norm, check_finite)
        job.measure = len(self.terms) > 0
        return 0

    cdef int init_entry(self, Item* item, Entry entry, Memory memory) except -1:
        """Check what the update of one variable reads and writes."""
        cdef str name = entry.name
        cdef ndarray w = entry.weights, g = plain_array(entry.gradient, "gradient of", name), slot
        cdef tuple slots = entry.slots
        cdef Operation operation = item.operation
        cdef Py_ssize_t k
        if slots is None or len(slots) != n_slots(operation):
            raise ValueError(f"{name!r} must have {n_slots(operation)} slots, got {slots if slots is None else len(slots)}")
        self.kept += (g, slots)
        self.items.job.n_bytes += cnp.PyArray_NBYTES(g) * (3 + 2 * len(slots))
        if not cnp.PyArray_ISWRITEABLE(w):
            check_writeable(w, f"variable {name!r}")
        memory.note(w, True, WEIGHTS, name)
        memory.note(g, False, GIVEN_GRADIENT, name)
        init_item(item, w)
        item.operation = operation
        item.rate = entry.rate
        item.decay = entry.decay
        item.base = cnp.PyArray_DATA(g)
        for k in range(len(slots)):
            found = slots[k]
            if PyArray_CheckExact(found) and is_plain(<ndarray>found):
                slot = <ndarray>found
            else:
                slot = as_array(found, f"slot {k} of {name!r}")
            if not (matches(slot, w) and cnp.PyArray_ISWRITEABLE(slot)):
                check_match(slot, f"slot {k} of {name!r}", w, f"variable {name!r}")
                check_writeable(slot, f"slot {k} of {name!r}")
            memory.note(slot, True, SLOT + <int>k, name)
            item.slots[k] = cnp.PyArray_DATA(slot)
        if entry.rows is None:
            if not matches(g, w):
                check_match(g, f"gradient of {name!r}", w, f"variable {name!r}")
        else:
            check_rows(entry)
            item.rows = <int64_t*>cnp.PyArray_DATA(entry.rows)
            item.width = cnp.PyArray_SIZE(w) // max(<Py_ssize_t>1, <Py_ssize_t>cnp.PyArray_DIM(w, 0))
            item.size = cnp.PyArray_SIZE(g)
        return 0

    cdef int measure_norm(self, clip_norm, bint check_finite) except -1:
        """Measure the norm of the total gradient; refuse what must be finite and is not, and set the factor that clips it."""
        cdef Job* job = &self.items.job
        cdef double squares = 0.0, scaled = INFINITY, scale = 1.0, factor, limit = INFINITY if clip_norm is None else clip_norm
        cdef Py_ssize_t i
        measure_gradient(job, &squares)
        # The square of a float64 number that is finite and not 0 may overflow or vanish. At another scale it does not.
        if squares == INFINITY:
            scale = ldexp(1.0, -RESCALE)
        elif squares < ldexp(1.0, LEAST_SQUARES) and limit * limit < ldexp(1.0, LEAST_SQUARES):
            scale = ldexp(1.0, RESCALE)
        if scale != 1:
            job.rule.clip = scale
            measure_gradient(job, &scaled)
            job.rule.clip = 1.0
            if not isfinite(scaled):
                scale = 1.0
        if check_finite and scale == 1 and not isfinite(squares):
            refuse_gradients(self.entries)
        if clip_norm is None:
            return 0
        if scale == 1:
            factor = limit / max(sqrt(squares), limit)
        elif scale < 1:
            factor = min(limit / sqrt(scaled) * scale, 1.0)
        else:
            factor = min(limit * scale / sqrt(scaled), 1.0)
        if <float>factor == 0 and (scale != 1 or isfinite(squares)):
            for i in range(job.n_items):
                if factor == 0 or not job.items[i].is_double:
                    raise ValueError(
                        f"clip_norm is {limit:g}, so far below the norm of the total gradient that the factor between them is 0 "
                        f"in the dtype of {(<Entry>self.entries[i]).name!r}; nothing was updated"
                    )
        job.rule.clip = factor
        return 0

    cdef int check_prox(self, str rule) except -1:
        """Refuse a penalty whose prox the rule's step cannot end in."""
        cdef Job* job = &self.items.job
        cdef Item* item
        cdef Py_ssize_t i
        cdef int n, k
        for i in range(job.n_items):
            item = &job.items[i]
            n = item.n_profiles + (0 if (<Entry>self.entries[i]).prox is None else 1)
            if n == 0 or not takes_l1(item.operation):
                continue
            name = (<Entry>self.entries[i]).name
            for k in range(item.n_profiles):
                if not has_closed_prox(item.profiles[k].kind):
                    raise ValueError(
                        f"a regularizer of {name!r} has no closed prox, which the step of {rule} needs: "
                        f"{no_closed_prox(item.profiles[k].kind)}, and a rule without a prox, such as Adam, needs none"
                    )
            if not takes_prox(item.operation):
                raise ValueError(
                    f"a regularizer of {name!r} has a prox of its own, for which the step of {rule} has no closed form; "
                    f"use ProximalGradientDescent"
                )
            if n > 1 or job.rule.l1 + item.l1 != 0 or job.rule.l2 != 0:
                raise ValueError(
                    f"a regularizer of {name!r} has a prox of its own, and the sum with another prox, with l1 or with the rule's "
                    f"own strengths has no closed prox"
                )
        return 0

    cdef Entry entry_at(self, Py_ssize_t i):
        if not 0 <= i < len(self.entries):
            raise IndexError(f"a step of {len(self.entries)} entries has no entry {i}")
        return <Entry>self.entries[i]

    def preview(self, Py_ssize_t i):
        """Return the weights of an entry after the rule alone, as a new array; nothing else is written."""
        cdef Entry entry = self.entry_at(i)
        cdef ndarray copy = PyArray_NewCopy(entry.weights, cnp.NPY_KEEPORDER)
        cdef Item item = self.items.job.items[i]
        cdef Job job = self.items.job
        if n_slots(item.operation) or item.n_profiles:
            raise ValueError(f"the step of {entry.name!r} cannot be previewed: it has slots or a prox")
        item.weights = item.out = cnp.PyArray_DATA(copy)
        job.items = &item
        job.n_items = 1
        job.measure = False
        job.absolute = NULL
        lay_out(&job)
        try:
            run(&job)
        finally:
            free(job.absolute)
        return copy

    def assign(self, Py_ssize_t i, values):
        """Let the step set the weights of an entry to these values."""
        cdef Entry entry = self.entry_at(i)
        cdef ndarray array = plain_array(values, "the prox of", entry.name)
        cdef Item* item = &self.items.job.items[i]
        check_match(array, f"the prox of {entry.name!r}", entry.weights, f"variable {entry.name!r}")
        self.kept.append(array)
        item.base = cnp.PyArray_DATA(array)
        item.out = item.weights
        item.operation = ASSIGN

    def commit(self, State state not None, dict placed, list values=None):
        """Do the step, and count it. No Python code runs from the first write to the count, so no signal comes between.

        Parameters
        ----------
        state : State
            Its count is raised; the entries' slots and the placed arrays are put into it.
        placed : dict of str to ndarray
        values : list of float, optional
            What is added to the loss, in this order: the values of users' own regularizers.

        Returns
        -------
        numpy.float64
            The terms' loss before the step; over the touched rows alone where a gradient is of rows.
        """
        cdef dict slots = {entry.name: entry.slots for entry in self.entries if state.slots.get(entry.name) is not entry.slots}
        cdef double[::1] own = numpy.array(values, dtype=numpy.float64) if values else None
        cdef double total
        cdef FloatEnvironment found
        cdef Py_ssize_t i
        slots = state.slots | slots if slots else state.slots
        placed = state.placed | placed if placed else state.placed
        result = float64_scalar(0.0)
        run(&self.items.job)
        state.iterations += 1
        state.slots = slots
        state.placed = placed
        found = enter_float_environment()
        total = self.items.total()
        for value in self.apart.values():
            total += <double>value
        if own is not None:
            for i in range(own.shape[0]):
                total += own[i]
        leave_float_environment(found)
        set_float64(result, total)
        return result

    def values(self):
        """Return the value of each term's compiled part before the step, in the terms' order; for a step that was committed."""
        cdef FloatEnvironment found = enter_float_environment()
        cdef Items items = self.items
        cdef Py_ssize_t i
        try:
            compiled = iter([
                value_of(&items.readings[i], &items.job.items[items.item_of[i]], items.readings[i].profiles)
                for i in range(items.n_terms)
            ])
            n = items.n_terms + len(self.apart)
            return [float(self.apart[k]) if k in self.apart else next(compiled) for k in range(n)]
        finally:
            leave_float_environment(found)


cdef int check_rows(Entry entry) except -1:
    """Check a gradient of rows against its variable."""
    cdef ndarray w = entry.weights, g = entry.gradient, index = entry.rows
    cdef Py_ssize_t k, row, last = -1
    name = entry.name
    of = f"variable {name!r}"
    if cnp.PyArray_NDIM(w) == 0 or not cnp.PyArray_IS_C_CONTIGUOUS(w) or not cnp.PyArray_IS_C_CONTIGUOUS(g):
        raise ValueError(f"a gradient of rows needs {of} and the rows in C order, with at least one dimension")
    if cnp.PyArray_TYPE(g) != cnp.PyArray_TYPE(w):
        raise TypeError(f"gradient of {name!r} must have the dtype of {of}, {(<object>w).dtype}, got {(<object>g).dtype}")
    if cnp.PyArray_TYPE(index) != cnp.NPY_INT64 or cnp.PyArray_NDIM(index) != 1 or not cnp.PyArray_ISCARRAY_RO(index):
        raise TypeError(f"row indices of {name!r} must be a vector of int64, got {index!r}")
    expected = (cnp.PyArray_SIZE(index), *(<object>w).shape[1:])
    if (<object>g).shape != expected:
        raise ValueError(f"gradient of {name!r} must have the shape {expected}, a row for each index, got {(<object>g).shape}")
    for k in range(cnp.PyArray_SIZE(index)):
        row = (<int64_t*>cnp.PyArray_DATA(index))[k]
        if row <= last or row >= cnp.PyArray_DIM(w, 0):
            raise ValueError(
                f"row indices of {name!r} must be unique, rising and from 0 to {cnp.PyArray_DIM(w, 0) - 1}, got {row}"
            )
        last = row
    return 0


def refuse_gradients(list entries):
    """Raise for the first gradient that is not finite."""
    for entry in entries:
        if not numpy.isfinite(entry.gradient).all():
            raise ValueError(f"gradient of {entry.name!r} is not finite; nothing was updated")
    raise ValueError(
        "the norm of the total gradient is not finite: a weight is not, or a gradient plus that of its penalty overflows; "
        "nothing was updated"
    )
