"""Floor 1: one array put between two bounds, and the norms of its vectors between two limits."""
from libc.stdlib cimport free
from libc.string cimport memset

cimport numpy as cnp
from numpy cimport ndarray

from fastreg._abi cimport *
from fastreg._arrays cimport as_array, init_item, take_out
from fastreg._jobs cimport lay_out, run
from fastreg._penalty cimport set_rescaling
from fastreg._threads cimport FloatEnvironment, enter_float_environment, leave_float_environment

cnp.import_array()


def clamp(weights, double lower, double upper, out=None):
    """Return the weights with what is below `lower` or above `upper` replaced by it, in `out` if it is given.

    The bounds are rounded to the weights' dtype. NaN and what is between the bounds stay as they are, to the bit.
    """
    cdef ndarray w = as_array(weights, "weights"), target = take_out(out, w)
    cdef Item item
    cdef Job job
    cdef FloatEnvironment found
    init_item(&item, w)
    memset(&job, 0, sizeof(Job))
    item.operation = ASSIGN
    item.base = cnp.PyArray_DATA(w)
    item.out = cnp.PyArray_DATA(target)
    item.bounded = True
    item.lower = lower
    item.upper = upper
    job.items = &item
    job.n_items = 1
    job.n_chunks = (item.size + CHUNK - 1) // CHUNK
    job.n_bytes = 2 * cnp.PyArray_NBYTES(w)
    found = enter_float_environment()
    try:
        run(&job)
    finally:
        leave_float_environment(found)
    return target if out is None else out


def rescale(weights, tuple limits, out=None):
    """Return the weights with each vector multiplied by a factor that puts its norm between limits, in `out` if it is given.

    Parameters
    ----------
    weights : ndarray of float32 or float64
    limits : (float, float, float, tuple of int)
        The least norm, the largest one, the rate at which a norm moves there, and the axes of a vector, counted from the first.
    out : ndarray, optional
    """
    cdef ndarray w = as_array(weights, "weights"), target = take_out(out, w)
    cdef Item item
    cdef Job job
    cdef Profile profile
    cdef FloatEnvironment found
    init_item(&item, w)
    memset(&job, 0, sizeof(Job))
    set_rescaling(&profile, limits)
    item.operation = PROX
    item.out = cnp.PyArray_DATA(target)
    item.profiles = &profile
    item.n_profiles = 1
    job.items = &item
    job.n_items = 1
    job.n_bytes = 2 * cnp.PyArray_NBYTES(w)
    found = enter_float_environment()
    try:
        lay_out(&job)
        run(&job)
    finally:
        leave_float_environment(found)
        free(job.memory)
    return target if out is None else out
