"""Projections of vectors that need their elements in order: onto the simplex and onto the L1 ball."""

from __future__ import annotations

from fastreg.axes import Axis
from fastreg.constraints.base import AlongAxes, Array, number
from fastreg.kernels import project_l1_ball, project_simplex


class Simplex(AlongAxes):
    """The projection onto the simplex: weights of at least 0 whose sum is `radius`.

    Parameters
    ----------
    radius : float, optional
        Above 0.
    axis : int or tuple of int, optional
        The axes of one vector; None, the default, for the whole array.

    References
    ----------
    .. [1] L. Condat, "Fast projection onto the simplex and the l1 ball", 2016.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.constraints.simplex()(np.array([0.75, 0.5, -1.0]))
    array([0.625, 0.375, 0.   ])
    """

    name = "simplex"
    arguments = "radius", "axis"
    radius = number(above=0)

    def __init__(self, radius: float = 1.0, axis: Axis = None) -> None:
        self.radius = radius
        self.axis = axis

    def _put(self, w: Array, out: Array) -> None:
        project_simplex(w, self.axes(w.ndim), self.radius, out)


class L1Ball(AlongAxes):
    """The projection onto the ball of L1 norm `radius`: longer vectors are soft-thresholded to it, with exact zeros.

    Parameters
    ----------
    radius : float, optional
        At least 0.
    axis : int or tuple of int, optional
        The axes of one vector; None, the default, for the whole array.

    References
    ----------
    .. [1] J. Duchi et al., "Efficient projections onto the l1-ball for learning in high dimensions", 2008.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.constraints.l1_ball()(np.array([1.0, -0.5, 0.125]))
    array([ 0.75, -0.25,  0.  ])
    """

    name = "l1_ball"
    arguments = "radius", "axis"
    radius = number(least=0)

    def __init__(self, radius: float = 1.0, axis: Axis = None) -> None:
        self.radius = radius
        self.axis = axis

    def _put(self, w: Array, out: Array) -> None:
        project_l1_ball(w, self.axes(w.ndim), self.radius, out)
