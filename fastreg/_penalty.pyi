from typing import Any

import numpy as np
from numpy.typing import NDArray

PROFILES: dict[str, int]

class Penalty:
    """Base of the compiled regularizers: the elastic pair, perhaps a profile, and parts that are added.

    All of them are read at each call, so a sum uses the scales that its parts have now. A critical section keeps the strengths
    of one penalty together, where another thread sets them.
    """

    @property
    def coefficients(self) -> tuple[float, float]:
        """Return the elastic pair (l1, l2) as it is now, that of the parts included."""
    @property
    def n_profiles(self) -> int: ...
    def _set(self, l1: float, l2: float) -> None: ...
    def _set_profile(self, name: str, scale: float, shape: float) -> None: ...
    def _set_axes(self, axes: tuple[int, ...] | None) -> None: ...
    def _set_arrays(self, name: str, strengths: NDArray[Any] | None, reference: NDArray[Any] | None) -> None: ...
    def _set_parts(self, parts: tuple[Penalty, ...]) -> None: ...
    def __call__(self, weights: Any) -> np.floating[Any]:
        """Return the penalty of `weights`.

        Parameters
        ----------
        weights : ndarray of float32, float64, float16 or bfloat16, any shape

        Returns
        -------
        numpy.float32 or numpy.float64
            Of the weights' dtype, or float32 for 16-bit weights: formed in float64, rounded once.
        """
    def gradient(self, weights: Any, out: NDArray[Any] | None = None, accumulate: bool = False) -> NDArray[Any]:
        """Return the penalty's gradient; it is 0 where the weight is 0.

        Parameters
        ----------
        weights : ndarray of float32, float64, float16 or bfloat16, any shape
        out : ndarray, optional
            Where to put it: of the weights' shape, dtype and memory order; `weights` itself is allowed. Of 16-bit weights the
            gradient is formed in float32 and rounded once; `out` may be of float32 then.
        accumulate : bool, optional
            Add to `out` instead of overwriting it.

        Returns
        -------
        ndarray
            `out`, or a new array.
        """
    def value_and_gradient(
        self, weights: Any, out: NDArray[Any] | None = None, accumulate: bool = False
    ) -> tuple[np.floating[Any], NDArray[Any]]:
        """Return the penalty and its gradient, in one pass over `weights`.

        Parameters and results are those of a call and of `gradient`.
        """
    def prox(self, weights: Any, step: float, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return ``argmin_z step*penalty(z) + |z - w|**2 / 2``.

        Parameters
        ----------
        weights : ndarray of float32, float64, float16 or bfloat16, any shape
        step : float
            At least 0; the learning rate, in a proximal gradient method.
        out : ndarray, optional
            Where to put it, as in `gradient`; `weights` itself is allowed.

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
        .. [1] N. Parikh and S. Boyd, "Proximal Algorithms", 2014, section 6.5.
        """

def check_step(step: float) -> float: ...
def l2_loss(weights: Any) -> np.floating[Any]:
    """Return sum(w**2) / 2, as TensorFlow's `tf.nn.l2_loss`.

    Parameters
    ----------
    weights : ndarray of float32, float64, float16 or bfloat16, any shape

    Returns
    -------
    numpy.float32 or numpy.float64
        Of the weights' dtype, or float32 for 16-bit weights: formed in float64, rounded once.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.l2_loss(np.array([3.0, 4.0]))
    np.float64(12.5)
    """
