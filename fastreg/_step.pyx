"""Floor 1: one step of an update rule over many variables, in one parallel region.

An entry of a step has weights, a gradient and slots, and becomes an item of a job, its terms' penalties added. A step is
prepared, which checks everything, and then committed.
"""
from collections import namedtuple
from threading import get_ident

cimport cython
from libc.math cimport INFINITY, isfinite, ldexp, sqrt
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove, memset

cimport numpy as cnp
from numpy cimport ndarray

import numpy

from fastreg._abi cimport *
from fastreg._arrays cimport *
from fastreg._arrays import convert
from fastreg._collection cimport Items, Term
from fastreg._collection import evaluate
from fastreg._jobs cimport lay_out, measure_gradient, number_chunks, run
from fastreg._loops.profiles cimport has_closed_prox
from fastreg._loops.rules cimport n_slots, takes_l1, takes_prox
from fastreg._loops.sixteen cimport is_sixteen, rounding_key as hash_of_step
from fastreg._penalty cimport (
    axes_of, check_axes, float64_scalar, no_closed_prox, order_profiles, set_float64, set_rescaling, value_of
)
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment

cnp.import_array()

cdef enum:
    RESCALE = 700              # binary digits by which a gradient is scaled whose squares overflow or vanish
    LEAST_SQUARES = -900       # binary digits; below such a sum of squares, single ones may have vanished

cdef extern from "numpy/arrayobject.h":
    ndarray PyArray_NewLikeArray(ndarray prototype, cnp.NPY_ORDER order, void* descr, int subok)

cdef extern from *:
    """
    #define fr_add_to_float(x, value) (((PyFloatObject*)(x))->ob_fval += (value))
    """
    object new_float "PyFloat_FromDouble" (double value)
    void add_to_float "fr_add_to_float" (object x, double value)


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
    rule.keep = constants.get("keep", 1.0)
    rule.nesterov = constants.get("nesterov", False)
    rule.outside = constants.get("outside", False)
    rule.cautious = constants.get("cautious", False)
    rule.average = 1 - constants.get("average", 1.0)
    return 0


cdef class Entry:
    """One variable of a step.

    Parameters
    ----------
    name : str
    weights : ndarray
        Updated in place.
    gradient : ndarray
        Of the weights' shape, or of the rows that `rows` names; of their dtype, or 16 bits wide.
    rows : ndarray of int64, optional
        Which rows of the weights the gradient holds; unique and rising.
    given : ndarray, optional
        The array that the user gave, where `gradient` was formed from it.

    Attributes
    ----------
    slots : tuple of ndarray
        The update rule's arrays beside the weights, of their shape.
    rate : float
        The learning rate of this variable, bias-corrected for Adam.
    decay : float
        What is taken off the weights, as a fraction, before the rule.
    l2 : float
        The gradient of an L2 penalty of this strength is added to the given one; no loss has its value. torch's weight_decay.
    prox : callable or None
        A user's own prox, with which the step of this variable ends.
    constraint : callable or None
        What the weights are put through after the step, if no loop does it by the bounds or the limits of norms.
    rescaling : (float, float, float, tuple of int) or None
        Limits of norms with which the step of this variable ends: the least norm, the largest, the rate, and the axes.
    bounds : (float, float) or None
        Between which the weights are put after the step, in the same pass.
    scale : float
        By which the gradient is multiplied before the penalty's is added.
    clears : bool
        Whether the given gradient is set to 0 after it was read.
    copy : ndarray or None
        What receives the new weights in 16 bits.
    key : int or None
        By which weights are rounded to 16 bits up or down at random; None rounds to the nearest, to the even one of two.
    """

    cdef readonly str name
    cdef readonly ndarray weights
    cdef public ndarray gradient
    cdef readonly ndarray rows
    cdef public tuple slots
    cdef public double rate
    cdef public double decay
    cdef public double l2
    cdef public object prox
    cdef public object constraint
    cdef public tuple bounds
    cdef public tuple rescaling
    cdef readonly ndarray given
    cdef public double scale
    cdef public bint clears
    cdef public object copy
    cdef public object key

    def __cinit__(self, str name, weights, gradient, ndarray rows=None, ndarray given=None):
        self.name = name
        self.weights = plain_array(weights, "variable", name, True)
        self.gradient = plain_array(gradient, "gradient of", name, True)
        self.rows = rows
        self.given = self.gradient if given is None else given
        self.slots = ()
        self.scale = 1.0


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
        array = plain_array(term.cell[term.key], "the value of", term.variable_name, True)
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
    """What an optimizer keeps from step to step. The dicts are replaced and never changed, so whoever has one may keep it.

    Attributes
    ----------
    iterations : int
        Steps done.
    slots : dict of str to tuple of ndarray
    placed : dict of str to ndarray
        Arrays that came without a name, by the name that they were given.
    streamed : StreamedStep or None
        The step in parts that is under way.
    """

    cdef long long _iterations     # all four in a critical section: other threads read them during a step
    cdef dict _slots, _placed
    cdef StreamedStep _streamed

    def __init__(self, long long iterations=0, dict slots=None, dict placed=None):
        self._iterations = iterations
        self._slots = {} if slots is None else slots
        self._placed = {} if placed is None else placed

    @property
    def iterations(self):
        with cython.critical_section(self):
            return self._iterations

    @iterations.setter
    def iterations(self, long long iterations):
        with cython.critical_section(self):
            self._iterations = iterations

    @property
    def slots(self):
        with cython.critical_section(self):
            return self._slots

    @slots.setter
    def slots(self, dict slots not None):
        with cython.critical_section(self):
            self._slots = slots

    @property
    def placed(self):
        with cython.critical_section(self):
            return self._placed

    @property
    def streamed(self):
        with cython.critical_section(self):
            return self._streamed

    def __reduce__(self):
        return State, (self.iterations, self.slots)  # a copy works on other arrays, which its first step names


cdef class StreamedStep:
    """A step in parts, as a context: each commit within is a part, and the step counts once, at the end.

    Entering and leaving are compiled, so that no signal comes between what they change.

    Parameters
    ----------
    state : State
    lock : context manager
        Held by each step of the optimizer.
    norm : float, optional
        Of the total gradient of all parts.
    clip_norm : float, optional
        What this norm is scaled down to.
    done : callable
        Called after a step that raised nothing.

    Attributes
    ----------
    stepped : set of str
        The variables of the parts so far.
    thread : int
        In which the step began.
    """

    cdef State state
    cdef object lock
    cdef readonly object norm, clip_norm
    cdef readonly set stepped
    cdef readonly object thread
    cdef object done

    def __init__(self, State state not None, lock, norm, clip_norm, done):
        self.state, self.lock, self.norm, self.clip_norm, self.done = state, lock, norm, clip_norm, done

    def __enter__(self):
        with self.lock:  # so that no other thread is within a step
            if self.state.streamed is not None:
                raise RuntimeError("a step in parts is under way; steps of one optimizer do not nest")
            self.stepped = set()
            self.thread = get_ident()
            with cython.critical_section(self.state):
                self.state._streamed = self

    def __exit__(self, kind, error, traceback):
        cdef bint stepped = bool(self.stepped)
        with cython.critical_section(self.state):
            self.state._streamed = None
            if stepped:
                self.state._iterations += 1
        if stepped and kind is None:
            self.done()

    cdef int add(self, list entries) except -1:
        """Note that these variables are about to be stepped; refuse one that an earlier part has stepped."""
        cdef set names = {(<Entry>entry).name for entry in entries}
        for name in names:
            if name in self.stepped:
                raise ValueError(f"variable {name!r} was stepped by an earlier part of this step")
        try:
            self.stepped.update(names)
        except MemoryError:
            self.stepped.difference_update(names)
            raise
        return 0


cdef class LaterProx:
    """A prox or a projection of groups over the weights of an entry, in which the step ends. It is laid out before the step."""

    cdef Item item
    cdef Job job
    cdef Profile profile
    cdef Py_ssize_t place      # of the entry

    def __dealloc__(self):
        free(self.job.memory)

    @staticmethod
    cdef LaterProx over(Item* item, Profile* profile, double l1, double l2, Py_ssize_t place):
        cdef LaterProx later = LaterProx()
        later.item = item[0]
        later.profile = profile[0]
        later.place = place
        later.item.operation = PROX
        later.item.out = item.weights
        later.item.profiles = &later.profile
        later.item.n_profiles = 1
        later.item.bounded = later.item.mixed = False
        later.item.l1 = l1
        later.item.l2 = l2
        later.job.items = &later.item
        later.job.n_items = 1
        later.job.n_bytes = 2 * item.size * (8 if item.is_double else 4)
        lay_out(&later.job)
        return later

    cdef bint is_prox_of(self, Py_ssize_t place) noexcept:
        return self.place == place and self.profile.kind != NORM_LIMITS

    cdef int run_over(self, Item* preview) except -1:
        """Do the same to other weights: a copy of the entry's, or of its rows."""
        cdef Item item = self.item
        cdef LaterProx other
        item.weights = preview.weights
        item.rows = preview.rows
        item.shape = preview.shape
        item.n_dims = preview.n_dims
        other = LaterProx.over(&item, &self.profile, item.l1, item.l2, self.place)
        return run(&other.job)


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
    norm : float, optional
        Of the total gradient of this and other steps, which is clipped by it. Nothing is measured then.
    """

    cdef Items items
    cdef list entries, terms
    cdef list given            # the terms, those over variables that are not updated too
    cdef list kept             # arrays that the items point to
    cdef list proxes           # the LaterProx in which the step ends
    cdef list later            # what is assigned after the items: arrays, their new values, and the rows of these or None
    cdef list cleared          # the arrays that are set to 0 after the items
    cdef dict followed         # the entries whose copy and average follow after all else; whether the whole ones, by place
    cdef dict previews         # the slots after the rule alone, by the entries' places
    cdef dict apart            # the values of the terms over variables that are not updated, by their places among the terms
    cdef Items assigning, following  # the jobs behind that of the items, from `make_ready` on
    cdef ndarray others        # what is added to the loss, in this order, from there on too

    def __cinit__(
        self, str rule, dict constants, list entries, list terms, clip_norm=None, bint check_finite=False, str title=None,
        norm=None
    ):
        cdef FloatEnvironment found = enter_float_environment()
        try:
            self.prepare(rule, title or rule, constants, entries, terms)
            if norm is None:
                self.clip_measured(clip_norm, check_finite)
            elif clip_norm is not None:
                self.clip(norm, 1.0, clip_norm)
        finally:
            leave_float_environment(found)

    cdef int prepare(self, str rule, str title, dict constants, list entries, list terms) except -1:
        cdef Py_ssize_t n, i
        cdef Operation operation = RULES[rule].operation
        cdef Memory memory
        cdef Job* job
        cdef Entry entry
        cdef list owners
        self.entries, self.kept, self.proxes, self.later, self.previews = list(entries), [], [], [], {}
        self.cleared, self.followed, self.given = [], {}, list(terms)
        owners = owners_of(self.entries, terms)
        self.apart = {
            i: evaluate([term])
            for i, (term, place) in enumerate(zip(terms, owners)) if place < 0
        }
        self.terms = [term for i, term in enumerate(terms) if i not in self.apart] if self.apart else list(terms)
        owners = [place for place in owners if place >= 0] if self.apart else owners
        n = len(self.entries)
        self.items = Items()
        job = &self.items.job
        self.items.read_terms(n, self.terms)
        memory = Memory(8 * n + 2 * self.items.n_profiles)
        set_rule(&job.rule, constants)
        for i in range(n):
            entry = <Entry?>self.entries[i]
            job.items[i].operation = operation
            self.init_entry(&job.items[i], entry, memory)
        for i, place in enumerate(owners):
            entry = <Entry>self.entries[place]
            check_axes(&self.items.readings[i], entry.weights, repr(entry.name), entry.rows is not None)
            self.items.add_penalty(i, place)
            if self.items.n_profiles:
                self.items.bind(i, entry.weights, memory, entry.name)
        memory.check()
        self.items.place_profiles()
        for i in range(n):
            if is_sixteen(job.items[i].weights_format) and has_groups(&job.items[i]):
                refuse_sixteen(<Entry>self.entries[i], "penalty of groups")
            self.prepare_prox(&job.items[i], <Entry>self.entries[i], i, title)
            self.prepare_rescaling(&job.items[i], <Entry>self.entries[i], i)
        for later in self.proxes:
            self.follow_later((<LaterProx>later).place, (<LaterProx>later).item.rows == NULL)
        lay_out(job)
        return 0

    cdef int init_entry(self, Item* item, Entry entry, Memory memory) except -1:
        """Check what the update of one variable reads and writes."""
        cdef str name = entry.name
        cdef ndarray w = entry.weights, slot
        cdef tuple slots = entry.slots
        cdef Operation operation = item.operation
        cdef int n = n_slots(operation) + (self.items.job.rule.average != 0)
        cdef Py_ssize_t k
        cdef bint sixteen
        if slots is None or len(slots) != n:
            raise ValueError(f"{name!r} must have {n} slots, got {slots if slots is None else len(slots)}")
        self.kept.append(slots)
        if not cnp.PyArray_ISWRITEABLE(w):
            check_writeable(w, f"variable {name!r}")
        memory.note(w, True, WEIGHTS, name)
        init_item(item, w)
        sixteen = is_sixteen(item.weights_format)
        item.operation = operation
        item.rate = entry.rate
        item.decay = entry.decay
        item.l2 = entry.l2
        if entry.bounds is not None:
            item.bounded = True
            item.lower, item.upper = entry.bounds
        for k in range(n):
            found = slots[k]
            if PyArray_CheckExact(found) and is_plain(<ndarray>found):
                slot = <ndarray>found
            else:
                slot = as_array(found, f"slot {k} of {name!r}")
            if sixteen or not (matches(slot, w) and cnp.PyArray_ISWRITEABLE(slot)):
                check_slot(slot, f"slot {k} of {name!r}", w, f"variable {name!r}")
            if k < n_slots(operation):
                memory.note(slot, True, SLOT + <int>k, name)
                item.slots[k] = cnp.PyArray_DATA(slot)
            else:
                memory.note(slot, True, AVERAGE, name)
                item.average = cnp.PyArray_DATA(slot)
        self.init_gradient(item, entry, memory)
        if entry.copy is not None:
            self.init_copy(item, entry, memory)
        if sixteen:
            check_sixteen(entry)
            set_rounding(item, entry)
        item.mixed = (
            item.average != NULL or item.copy != NULL or item.clears or item.base_scale != 1 or is_sixteen(item.base_format)
        )
        self.items.job.n_bytes += (
            cnp.PyArray_NBYTES(entry.gradient) * (2 if item.clears else 1)
            + item.size * (2 * cnp.PyArray_ITEMSIZE(w) + 2 * n * (8 if item.is_double else 4) + (2 if item.copy != NULL else 0))
        )
        return 0

    cdef int init_gradient(self, Item* item, Entry entry, Memory memory) except -1:
        cdef str name = entry.name
        cdef ndarray w = entry.weights, g = plain_array(entry.gradient, "gradient of", name, True), given = entry.given
        self.kept.append(g)
        check_gradient_of(entry)
        if entry.rows is not None:
            set_rows(item, w, g, entry.rows)
        item.base = cnp.PyArray_DATA(g)
        item.base_format = <Format>format_of(g)
        item.base_scale = entry.scale
        check_scale(entry)
        if entry.clears:
            check_writeable(given, f"gradient of {name!r}")
        item.clears = entry.clears and cnp.PyArray_DATA(given) == item.base
        memory.note(g, item.clears, GIVEN_GRADIENT, name)
        if entry.clears and not item.clears:
            memory.note(given, True, GIVEN_GRADIENT, name)
            self.cleared.append(given)
        return 0

    cdef int init_copy(self, Item* item, Entry entry, Memory memory) except -1:
        cdef str what = f"the copy of {entry.name!r}"
        cdef ndarray copy = as_array(entry.copy, what, True), w = entry.weights
        cdef int format = format_of(copy)
        if not is_sixteen(format):
            raise TypeError(f"{what} must be a float16 or bfloat16 array, got dtype {dtype_name(copy)}")
        check_pair(copy, what, w, f"variable {entry.name!r}")
        check_writeable(copy, what)
        memory.note(copy, True, COPY, entry.name)
        entry.copy = copy
        item.copy = cnp.PyArray_DATA(copy)
        item.copy_format = <Format>format
        set_rounding(item, entry)
        return 0

    def norm(self):
        """Return the norm of the total gradient as a float64; nothing is written."""
        cdef FloatEnvironment found = enter_float_environment()
        cdef double root, scale = 1.0
        try:
            root = self.measure_norm(0.0, &scale)
            return float64_scalar(root / scale)
        finally:
            leave_float_environment(found)

    cdef double measure_norm(self, double limit, double* scale) except? -1:
        """Return the norm of the total gradient times `scale`, a power of two, which is 1 where the squares are in range.

        Where the squares vanish, they are formed again only if the norm may be above the limit.
        """
        cdef Job* job = &self.items.job
        cdef double squares = 0.0, scaled = INFINITY
        measure_gradient(job, &squares)
        # The square of a float64 number that is finite and not 0 may overflow or vanish. At another scale it does not.
        if squares == INFINITY:
            scale[0] = ldexp(1.0, -RESCALE)
        elif squares < ldexp(1.0, LEAST_SQUARES) and limit * limit < ldexp(1.0, LEAST_SQUARES):
            scale[0] = ldexp(1.0, RESCALE)
        else:
            return sqrt(squares)
        job.rule.clip = scale[0]
        measure_gradient(job, &scaled)
        job.rule.clip = 1.0
        if isfinite(scaled):
            return sqrt(scaled)
        scale[0] = 1.0
        return sqrt(squares)

    cdef int clip_measured(self, clip_norm, bint check_finite) except -1:
        """Measure the norm of the total gradient; refuse what must be finite and is not, and clip it."""
        cdef double limit = INFINITY if clip_norm is None else clip_norm
        cdef double root, scale = 1.0
        if clip_norm is None and not check_finite:
            return 0
        root = self.measure_norm(limit, &scale)
        if check_finite and not isfinite(root):
            refuse_gradients(self.entries)
        if clip_norm is not None:
            self.clip(root, scale, limit)
        return 0

    cdef int clip(self, double root, double scale, double limit) except -1:
        """Set the factor that brings a total gradient of the norm root / scale down to the limit."""
        cdef Job* job = &self.items.job
        cdef double norm = root / scale
        cdef double factor = limit / root * scale if norm == INFINITY else limit / max(norm, limit)
        cdef Py_ssize_t i
        if <float>factor == 0 and isfinite(root):
            for i in range(job.n_items):
                if factor == 0 or not job.items[i].is_double:
                    raise ValueError(
                        f"clip_norm is {limit:g}, so far below the norm of the total gradient that the factor between them is 0 "
                        f"in the dtype of {(<Entry>self.entries[i]).name!r}; nothing was updated"
                    )
        job.rule.clip = factor
        return 0

    cdef int prepare_prox(self, Item* item, Entry entry, Py_ssize_t place, str rule) except -1:
        """Refuse a penalty whose prox the rule's step cannot end in, and lay out the proxes of groups."""
        cdef Rule* constants = &self.items.job.rule
        cdef int k, n = item.n_profiles + (0 if entry.prox is None else 1)
        cdef bint of_elements = entry.prox is None
        cdef double l1 = constants.l1 + item.l1
        cdef LaterProx later = None
        cdef Profile* profiles
        if n == 0 or not takes_l1(item.operation):
            return 0
        for k in range(item.n_profiles):
            if not has_closed_prox(item.profiles[k].kind):
                raise ValueError(
                    f"a regularizer of {entry.name!r} has no closed prox, which the step of {rule} needs: "
                    f"{no_closed_prox(item.profiles[k].kind)}, and a rule without a prox, such as Adam, needs none"
                )
            of_elements = of_elements and not item.profiles[k].has_axes
        if not of_elements and not takes_prox(item.operation):
            raise ValueError(
                f"a regularizer of {entry.name!r} has a prox of its own, of several elements at once, for which the step of "
                f"{rule} has no closed form; use ProximalGradientDescent"
            )
        profiles = <Profile*>malloc((n + 1) * sizeof(Profile))
        if profiles == NULL:
            raise MemoryError()
        try:
            for k in range(item.n_profiles):
                profiles[k] = item.profiles[k]
            item.prox_later = entry.prox is None and order_profiles(profiles, n, item.n_dims)
            if not item.prox_later and (n > 1 or l1 != 0 or constants.l2 != 0):
                raise ValueError(
                    f"a regularizer of {entry.name!r} has a prox of its own, and the sum with another prox, with l1 or with the "
                    f"rule's own strengths has no closed prox; of group lassos with nested groups it has one"
                )
            if entry.prox is None and profiles[0].has_axes:
                item.prox_later = True
                for k in range(n):
                    later = LaterProx.over(item, &profiles[k], l1 if k == 0 else 0, constants.l2 if k == n - 1 else 0, place)
                    self.proxes.append(later)
                later.item.bounded = item.bounded
                item.bounded = False
        finally:
            free(profiles)
        return 0

    cdef int prepare_rescaling(self, Item* item, Entry entry, Py_ssize_t place) except -1:
        """Lay out the projection of an entry with limits of norms."""
        cdef Item whole = item[0]
        cdef Profile profile
        if entry.rescaling is None:
            return 0
        set_rescaling(&profile, entry.rescaling)
        if whole.rows != NULL and axes_of(&profile, item.n_dims) & 1:  # vectors over several rows
            whole.rows = NULL
            whole.size = cnp.PyArray_SIZE(entry.weights)
        self.proxes.append(LaterProx.over(&whole, &profile, 0, 0, place))
        return 0

    cdef void follow_later(self, Py_ssize_t i, bint whole):
        """Let the copy and the average of an entry follow when its weights are final: the `whole` ones, or the rows alone."""
        cdef Item* item = &self.items.job.items[i]
        if item.copy != NULL or item.average != NULL:
            item.follows_later = True
            self.followed[i] = whole or self.followed.get(i, False)

    cdef Items followers(self):
        """Return the job that lets copies and averages follow weights which are final only then."""
        cdef Items items = Items()
        cdef Item* item
        cdef Py_ssize_t i, k
        items.read_terms(len(self.followed), [])
        items.job.rule.average = self.items.job.rule.average
        for k, (i, whole) in enumerate(self.followed.items()):
            item = &items.job.items[k]
            item[0] = self.items.job.items[i]
            item.operation = ASSIGN    # the weights to themselves
            item.base = item.out = item.weights
            item.l1 = item.l2 = item.n_profiles = 0
            item.bounded = item.clears = item.follows_later = False
            item.mixed = True
            if whole:
                item.rows = NULL
                item.size = cnp.PyArray_SIZE((<Entry>self.entries[i]).weights)
            items.job.n_bytes += item.size * ((24 if item.is_double else 12) if item.average != NULL else 8)
        lay_out(&items.job)
        return items

    cdef Entry entry_at(self, Py_ssize_t i):
        if not 0 <= i < len(self.entries):
            raise IndexError(f"a step of {len(self.entries)} entries has no entry {i}")
        return <Entry>self.entries[i]

    def preview(self, Py_ssize_t i, bint whole=False):
        """Return the weights of an entry after the rule alone, without its bounds, as a new array; nothing else is written.

        Of a gradient of rows these are the rows, or the `whole` variable. `assign` is to follow.
        """
        cdef Entry entry = self.entry_at(i)
        cdef Item item = self.items.job.items[i]
        cdef ndarray rows = None if whole else entry.rows
        cdef ndarray copied = None if has_arrays(&item) else rows  # the penalty's arrays pair with the whole weights
        cdef ndarray weights = copy_of(entry.weights, copied), slot
        cdef list slots = []
        cdef Job job = self.items.job
        cdef Py_ssize_t k
        item.weights = item.out = cnp.PyArray_DATA(weights)
        item.clears = False
        item.follows_later = True
        for k in range(n_slots(item.operation)):
            slot = copy_of(entry.slots[k], copied)
            slots.append(slot)
            item.slots[k] = cnp.PyArray_DATA(slot)
        if copied is not None:
            item.rows = NULL
        for x in (weights, *slots):
            if copied is not None and cnp.PyArray_SIZE(<ndarray>x) != item.size:
                refuse_new_shape(entry.name)
        item.shape = <const Py_ssize_t*>cnp.PyArray_DIMS(weights)
        item.n_dims = cnp.PyArray_NDIM(weights)
        item.bounded = False
        job.items = &item
        job.n_items = 1
        job.measure = False
        job.memory = NULL
        number_chunks(&job)
        run(&job)
        for later in self.proxes:
            if (<LaterProx>later).is_prox_of(i):
                (<LaterProx>later).run_over(&item)
        if copied is not rows:
            weights, slots = copy_of(weights, rows), [copy_of(slot, rows) for slot in slots]
        self.previews[i] = slots
        return weights

    def assign(self, Py_ssize_t i, values):
        """Let the step set the weights of an entry to these values, of its preview's shape, and its slots to the preview's."""
        cdef Entry entry = self.entry_at(i)
        cdef ndarray array = plain_array(values, "the new weights of", entry.name), w = entry.weights, g = entry.gradient
        cdef Item* item = &self.items.job.items[i]
        cdef bint whole = entry.rows is not None and cnp.PyArray_SAMESHAPE(array, w) and not cnp.PyArray_SAMESHAPE(g, w)
        if whole:
            self.later.append((w, array, None))
            array = copy_of(array, entry.rows)  # the item measures these rows alone
        check_dtype(array, f"the new weights of {entry.name!r}", w, f"variable {entry.name!r}")
        check_pair(array, f"the new weights of {entry.name!r}", w if entry.rows is None else g, f"variable {entry.name!r}")
        for slot, values in zip(entry.slots, self.previews.pop(i, ())):
            self.later.append((slot, values, None if values.shape == slot.shape else entry.rows))
        self.kept.append(array)
        self.proxes = [later for later in self.proxes if not (<LaterProx>later).is_prox_of(i)]
        self.follow_later(i, whole)
        if item.clears:
            self.cleared.append(entry.given)
        item.mixed = item.clears = False
        item.base = cnp.PyArray_DATA(array)
        item.out = item.weights
        item.operation = ASSIGN

    cdef Items assignments(self):
        """Return the job that assigns what the items do not: the slots of previewed entries, and whole variables."""
        cdef Items items = Items()
        cdef Item* item
        cdef Py_ssize_t i
        cdef ndarray target, values, rows
        items.read_terms(len(self.later), [])
        for i, (target, values, rows) in enumerate(self.later):
            item = &items.job.items[i]
            init_item(item, target)
            item.operation = ASSIGN
            item.base = cnp.PyArray_DATA(values)
            item.out = item.weights
            if rows is not None:
                set_rows(item, target, values, rows)
                if item.size != item.width * cnp.PyArray_SIZE(rows):
                    refuse_new_shape("a variable or a slot")
            items.job.n_bytes += 2 * cnp.PyArray_NBYTES(values)
        lay_out(&items.job)
        return items

    cdef int make_ready(self, list values) except -1:
        """Lay out all that `write` does, and take what is added to the loss: nothing can fail from there on."""
        self.others = numpy.array([*self.apart.values(), *values], dtype=numpy.float64)
        self.assigning = self.assignments() if self.later else None
        self.following = self.followers() if self.followed else None
        self.items.job.measure = len(self.terms) > 0
        return 0

    cdef int write(self) except -1:
        cdef Py_ssize_t i, n_proxes = len(self.proxes)
        run(&self.items.job)
        for i in range(n_proxes):
            run(&(<LaterProx>self.proxes[i]).job)
        if self.assigning is not None:
            run(&self.assigning.job)
        if self.following is not None:
            run(&self.following.job)
        for i in range(len(self.cleared)):
            memset(cnp.PyArray_DATA(<ndarray>self.cleared[i]), 0, cnp.PyArray_NBYTES(<ndarray>self.cleared[i]))
        return 0

    cdef double loss(self) noexcept:
        """Return the terms' loss before the step, and what is added to it."""
        cdef FloatEnvironment found = enter_float_environment()
        cdef double total = self.items.total()
        cdef Py_ssize_t i
        for i in range(cnp.PyArray_SIZE(self.others)):
            total += (<double*>cnp.PyArray_DATA(self.others))[i]
        leave_float_environment(found)
        return total

    def commit(self, State state not None, dict placed, list values=None, bint per_term=False):
        """Do the step, and count it; within a step in parts, note it as one of them.

        No Python code runs from the first write to the count, so no signal comes between.

        Parameters
        ----------
        state : State
            Its count is raised; the entries' slots and the placed arrays are put into it.
        placed : dict of str to ndarray
        values : list of float, optional
            What is added to the loss, in this order: the values of users' own regularizers, in the terms' order, and others.
        per_term : bool, optional

        Returns
        -------
        loss : numpy.float64
            The terms' loss before the step; over the touched rows alone where a gradient is of rows.
        by_name : dict of str to float
            Each term's value, those of users' own regularizers included, only if `per_term` is true. Terms of one name are added.
        """
        cdef dict slots = {entry.name: entry.slots for entry in self.entries if state.slots.get(entry.name) is not entry.slots}
        cdef FloatEnvironment found
        cdef StreamedStep streamed = state.streamed
        cdef bint counts = streamed is None
        slots = state.slots | slots if slots else state.slots
        placed = state.placed | placed if placed else state.placed
        loss = float64_scalar(0.0)
        cdef TermValues by_term = TermValues(self.given, self.apart, values or []) if per_term else None
        result = (loss, by_term.by_name) if per_term else loss   # made before the work, so that nothing can fail behind it
        self.make_ready(values or [])
        if streamed is not None:
            streamed.add(self.entries)
        self.write()
        with cython.critical_section(state):
            state._iterations += counts
            state._slots = slots
            state._placed = placed
        if by_term is not None:
            found = enter_float_environment()
            by_term.fill(self.items)
            leave_float_environment(found)
        set_float64(loss, self.loss())
        return result


def commit_all(list steps, list news, list counts):
    """Do several steps, and what belongs to them, whole or not at all. No Python code of fastreg's or torch's runs in between.

    Parameters
    ----------
    steps : list of Step
    news : list of (dict, dict)
        Each first dict is given the items of the second.
    counts : list of memoryview
        Of no dimensions: each is raised by 1.

    Returns
    -------
    numpy.float64
        The sum of the steps' losses, in their order.
    """
    cdef double total = 0.0
    cdef FloatEnvironment found
    cdef Py_ssize_t i
    loss = float64_scalar(0.0)
    following = [count[()] + 1 for count in counts]
    before = [(<dict?>state).copy() for state, _ in news]
    for step in steps:
        (<Step?>step).make_ready([])
    try:
        for state, new in news:
            state.update(new)
    except BaseException:
        for (state, new), old in zip(news, before):
            for key in new:
                if key in old:
                    state[key] = old[key]
                else:
                    state.pop(key, None)
        raise
    for i in range(len(steps)):
        (<Step>steps[i]).write()
    for i in range(len(counts)):
        counts[i][()] = following[i]
    found = enter_float_environment()
    for i in range(len(steps)):
        total += (<Step>steps[i]).loss()
    leave_float_environment(found)
    set_float64(loss, total)
    return loss


def write_together(list targets, list sources, dict attributes, dict changes, list undo):
    """Write whole arrays, set items that a dict has, and empty a list, whole or not at all. No Python code runs in between.

    Parameters
    ----------
    targets, sources : list of ndarray
        In pairs of one shape, dtype and memory layout.
    attributes, changes : dict
        The first is given the items of the second.
    undo : list
    """
    cdef Py_ssize_t i
    cdef ndarray target, source
    for target, source in zip(targets, sources):
        check_match(source, "what is saved", target, "the array")
        check_writeable(target, "the array")
    attributes.update(changes)
    for i in range(len(targets)):
        target, source = <ndarray>targets[i], <ndarray>sources[i]
        memmove(cnp.PyArray_DATA(target), cnp.PyArray_DATA(source), cnp.PyArray_NBYTES(target))
    undo.clear()


cdef class TermValues:
    """The value of each term by its name: floats of 0, which are made before the step and filled behind it."""

    cdef dict by_name
    cdef list floats           # of each term; those of one name are one object
    cdef ndarray own           # of each term: the values of users' own regularizers, and of a term over another variable
    cdef ndarray apart         # of each term: whether it is over a variable that is not updated

    def __cinit__(self, list terms, dict apart, list values):
        cdef Py_ssize_t i
        self.by_name = {}
        for term in terms:
            if term.name not in self.by_name:
                self.by_name[term.name] = new_float(0.0)
        self.floats = [self.by_name[term.name] for term in terms]
        self.apart = numpy.array([i in apart for i in range(len(terms))], dtype=bool)
        following = iter(values)
        self.own = numpy.zeros(len(terms))
        for i, term in enumerate(terms):
            for _ in term.custom:
                self.own[i] += next(following)  # from left to right: Python's own sum makes up for rounding from 3.12 on
        for i, value in apart.items():
            self.own[i] = value + self.own[i]

    cdef void fill(self, Items items) noexcept:
        cdef Py_ssize_t i, k = 0
        cdef double value
        for i in range(len(self.floats)):
            value = (<double*>cnp.PyArray_DATA(self.own))[i]
            if not (<cnp.npy_bool*>cnp.PyArray_DATA(self.apart))[i]:
                value = value_of(&items.readings[k], &items.job.items[items.item_of[k]], items.readings[k].profiles) + value
                k += 1
            add_to_float(self.floats[i], value)


cdef int check_slot(ndarray slot, str what, ndarray w, str of) except -1:
    """Check a slot against its variable: of its dtype, or of float32 beside 16-bit weights."""
    if not is_sixteen(format_of(w)):
        check_dtype(slot, what, w, of)
    elif format_of(slot) != FLOAT32:
        raise TypeError(f"{what} must be of float32, since {of} is of {dtype_name(w)}; got {dtype_name(slot)}")
    check_pair(slot, what, w, of)
    return check_writeable(slot, what)


cdef int check_sixteen(Entry entry) except -1:
    """Refuse what a step of 16-bit weights, which are widened chunk by chunk, cannot end in."""
    cdef str what = None
    if entry.copy is not None:
        what = "copy beside it"
    elif entry.prox is not None:
        what = "prox of the user's own"
    elif entry.rescaling is not None or entry.constraint is not None:
        what = "constraint other than bounds"
    return 0 if what is None else refuse_sixteen(entry, what)


cdef int refuse_sixteen(Entry entry, str what) except -1:
    raise ValueError(
        f"variable {entry.name!r} is of {dtype_name(entry.weights)}, and its step takes no {what}; step weights "
        f"of float32, and let the step write `copies` of 16 bits"
    )


cdef void set_rounding(Item* item, Entry entry):
    if entry.key is not None:
        item.stochastic = True
        item.key = entry.key


cdef int check_gradient_of(Entry entry) except -1:
    """Check a gradient against its variable. 16 bits are taken in place of the dtype that the update computes in."""
    cdef ndarray w = entry.weights, g = entry.gradient
    if entry.rows is not None:
        return check_rows(entry)
    if matches(g, w):
        return 0
    if not (is_sixteen(format_of(g)) or is_sixteen(format_of(w)) and format_of(g) == FLOAT32):
        check_dtype(g, f"gradient of {entry.name!r}", w, f"variable {entry.name!r}")
    return check_pair(g, f"gradient of {entry.name!r}", w, f"variable {entry.name!r}")


cdef int check_scale(Entry entry) except -1:
    cdef float scale = <float>entry.scale
    if not is_double(entry.weights) and not 0 < abs(scale) < INFINITY:
        raise ValueError(f"gradient_scale is {entry.scale:g}, which is {scale:g} in float32, the dtype of {entry.name!r}")
    return 0


def check_gradient(x, str name not None):
    """Return a gradient, which may be of float16 or bfloat16, if the loops can read it, else raise what is wrong with it."""
    return plain_array(x, "gradient of", name, True)


def scaled_gradient(Entry entry not None):
    """Return a new array with the gradient of an entry, in the dtype of its weights, times its scale."""
    cdef ndarray w = entry.weights, g = plain_array(entry.gradient, "gradient of", entry.name, True)
    cdef ndarray scaled = PyArray_NewLikeArray(w, cnp.NPY_KEEPORDER, NULL, 0)
    cdef FloatEnvironment found
    if is_sixteen(format_of(w)):
        refuse_sixteen(entry, "regularizer of the user's own")
    check_gradient_of(entry)
    check_scale(entry)
    found = enter_float_environment()
    try:
        if is_sixteen(format_of(g)):
            convert(g, scaled)
        else:
            memcpy(cnp.PyArray_DATA(scaled), cnp.PyArray_DATA(g), cnp.PyArray_NBYTES(g))
        if entry.scale != 1:
            numpy.multiply(scaled, (<object>scaled).dtype.type(entry.scale), out=scaled)
    finally:
        leave_float_environment(found)
    return scaled


def wide_weights(Entry entry not None):
    """Return the weights of an entry; those of 16 bits as a new array of float32."""
    cdef ndarray w = entry.weights
    if not is_sixteen(format_of(w)):
        return w
    wide = numpy.empty_like(w, numpy.float32, subok=False)
    convert(w, wide)
    return wide


def rounding_key(seed, step, str name not None):
    """Return the key of the random bits by which a variable's elements are rounded in one step."""
    from hashlib import blake2b  # few programs round at random, and it loads OpenSSL
    return hash_of_step(seed, step, int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little"))


cdef ndarray copy_of(ndarray x, ndarray rows):
    """Return a copy of an array, or of these rows of it."""
    cdef ndarray copy
    if rows is not None:
        return numpy.asarray(x).take(rows, axis=0)
    copy = PyArray_NewLikeArray(x, cnp.NPY_KEEPORDER, NULL, 0)
    memcpy(cnp.PyArray_DATA(copy), cnp.PyArray_DATA(x), cnp.PyArray_NBYTES(x))
    return copy


cdef bint has_arrays(Item* item) noexcept:
    """Whether a profile of the item has a number for each element."""
    cdef int k
    for k in range(item.n_profiles):
        if item.profiles[k].owner != NULL:
            return True
    return False


cdef bint has_groups(Item* item) noexcept:
    cdef int k
    for k in range(item.n_profiles):
        if item.profiles[k].has_axes:
            return True
    return False


cdef int refuse_new_shape(str what) except -1:
    raise ValueError(f"the shape of {what!r} was changed during the step; nothing was updated")


cdef void set_rows(Item* item, ndarray w, ndarray values, ndarray rows) noexcept:
    """Let an item be of these rows of w, to which the values belong."""
    item.rows = <int64_t*>cnp.PyArray_DATA(rows)
    item.width = cnp.PyArray_SIZE(w) // max(<Py_ssize_t>1, <Py_ssize_t>cnp.PyArray_DIM(w, 0))
    item.size = cnp.PyArray_SIZE(values)


cdef int check_rows(Entry entry) except -1:
    """Check a gradient of rows against its variable."""
    cdef ndarray w = entry.weights, g = entry.gradient, index = entry.rows
    cdef Py_ssize_t k, row, last = -1
    name = entry.name
    of = f"variable {name!r}"
    if cnp.PyArray_NDIM(w) == 0 or not cnp.PyArray_IS_C_CONTIGUOUS(w) or not cnp.PyArray_IS_C_CONTIGUOUS(g):
        raise ValueError(f"a gradient of rows needs {of} and the rows in C order, with at least one dimension")
    if not (is_sixteen(format_of(g)) or is_sixteen(format_of(w)) and format_of(g) == FLOAT32):
        check_dtype(g, f"gradient of {name!r}", w, of)
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
        if not is_finite(entry.gradient):
            raise ValueError(f"gradient of {entry.name!r} is not finite; nothing was updated")
    raise ValueError(
        "the norm of the total gradient is not finite: a weight is not, or a gradient plus that of its penalty overflows; "
        "nothing was updated"
    )


cdef bint is_finite(ndarray x) except -1:
    cdef int format = format_of(x)
    cdef int exponent = 0x7C00 if format == FLOAT16 else 0x7F80
    if is_sixteen(format):
        return ((<object>x).view(numpy.uint16) & exponent != exponent).all()
    return numpy.isfinite(x).all()
