"""Penalties of a whole matrix: orthogonality and the nuclear norm.

They are computed by NumPy's matrix product and singular value decomposition, in float64, and rounded once. So their bits are
those of its BLAS and LAPACK, and differ between machines, versions and numbers of threads.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, Literal, NoReturn

import numpy as np

from fastreg.kernels import check_array
from fastreg.regularizers.scales import check_scale, disabled_at, op_name
from fastreg.regularizers.whole import NOTHING, Array, WholeRegularizer, WithProx


class MatrixRegularizer(WholeRegularizer):
    """Base of the penalties of a matrix; a subclass has value and gradient for a scale of 1."""

    def _check(self, array: Array) -> None:
        if array.ndim != 2:
            raise ValueError(
                f"{self!r} needs weights of rank 2, got the shape {array.shape}; regularize a matrix, such as "
                f"weights.reshape(-1, weights.shape[-1])"
            )

    def _value(self, array: Array) -> Any:
        with np.errstate(all="ignore"):
            return array.dtype.type(self._scale * self._measure(array))

    def _value_and_gradient(self, array: Array, out: Array | None, accumulate: bool) -> tuple[Any, Array]:
        if out is not None or accumulate:
            NOTHING.gradient(array, out=out, accumulate=True)  # refuses a bad out, and adds nothing
        with np.errstate(all="ignore"):
            value, slope = self._measure_with_slope(array)
            rounded = array.dtype.type(self._scale * value)
            slope = (self._scale * slope).astype(array.dtype)
            if out is not None and accumulate:
                slope += check_array(out, "out")
        return rounded, _put(slope, array, out)

    @abstractmethod
    def _measure(self, array: Array) -> float:
        """Return the value."""

    @abstractmethod
    def _measure_with_slope(self, array: Array) -> tuple[float, Array]:
        """Return the value, and the gradient in float64."""


def _wide(array: Array) -> Array:
    return array.astype(np.float64, copy=False)


def _put(result: Array, array: Array, out: Array | None) -> Array:
    """Round the result and put it into out, or into a new array like the weights."""
    with np.errstate(all="ignore"):
        if out is not None:
            np.copyto(check_array(out, "out"), result, casting="same_kind")
            return out
        new = np.empty_like(array, subok=False)
        np.copyto(new, result, casting="same_kind")
        return new


class _WithoutProx(MatrixRegularizer):
    def __getattr__(self, name: str) -> NoReturn:
        """Say why there is no prox. As an attribute that is not there, it leaves the gradient to every update rule."""
        if name == "prox":
            raise AttributeError(f"{self!r} has no prox: no closed form of it is known; use its gradient")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class OrthogonalRegularizer(_WithoutProx):
    """The result of `orthogonal_regularizer`: a function of a matrix with a `scale` that may change."""

    def __init__(self, scale: float, mode: Literal["rows", "columns"], name: str, disabled: bool = False) -> None:
        super().__init__(scale, name, disabled)
        self._mode = mode

    @property
    def mode(self) -> Literal["rows", "columns"]:
        """What shall be orthogonal to each other."""
        return self._mode

    def _measure(self, array: Array) -> float:
        return _mean_cosine(_cosines(_unit_rows(self._rows(array))[0]))

    def _measure_with_slope(self, array: Array) -> tuple[float, Array]:
        units, norms = _unit_rows(self._rows(array))
        cosines = _cosines(units)
        n_pairs = max(len(units) * (len(units) - 1), 1)
        towards = 2 / n_pairs * (np.sign(cosines) @ units)
        across = towards - units * np.sum(units * towards, axis=1, keepdims=True)
        slope = np.where(norms == 0, 0.0, across / norms)
        return _mean_cosine(cosines), slope if self._mode == "rows" else slope.T

    def _rows(self, array: Array) -> Array:
        return _wide(array if self._mode == "rows" else array.T)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._scale, self._mode, self.name, self.disabled)

    def __repr__(self) -> str:
        return f"orthogonal_regularizer({self._scale!r}, mode={self._mode!r})"


def _unit_rows(w: Array) -> tuple[Array, Array]:
    """Return the rows divided by their norms, a row of zeros as it is, and the norms. No square overflows or vanishes."""
    largest = np.max(np.abs(w), axis=1, keepdims=True, initial=0.0)
    scaled = w / np.where(largest == 0, 1.0, largest)
    norms = np.sqrt(np.sum(np.square(scaled), axis=1, keepdims=True))
    return scaled / np.where(norms == 0, 1.0, norms), norms * largest


def _cosines(units: Array) -> Array:
    """Return the cosines between different rows, and 0 on the diagonal."""
    cosines = units @ units.T
    np.fill_diagonal(cosines, np.where(np.isnan(np.diagonal(cosines)), np.nan, 0.0))
    return cosines


def _mean_cosine(cosines: Array) -> float:
    n = len(cosines)
    return float(np.sum(np.abs(cosines)) / max(n * (n - 1), 1))


class SoftOrthogonalRegularizer(_WithoutProx):
    """The result of `soft_orthogonal_regularizer`: a function of a matrix with a `scale` that may change."""

    def _measure(self, array: Array) -> float:
        return self._excess(_wide(array))[0]

    def _measure_with_slope(self, array: Array) -> tuple[float, Array]:
        w = _wide(array)
        value, tall, excess = self._excess(w)
        slope = 4 * (tall @ excess)
        return value, slope if tall is w else slope.T

    @staticmethod
    def _excess(w: Array) -> tuple[float, Array, Array]:
        """Return the value, w or its transpose, whichever is tall, and the smaller of the two matrices W'W - I and WW' - I.

        Their eigenvalues are the same but for as many of -1 as the larger one has more columns.
        """
        tall = w if w.shape[0] >= w.shape[1] else w.T
        excess = tall.T @ tall - np.eye(tall.shape[1])
        return float(np.sum(np.square(excess))) + max(w.shape[1] - w.shape[0], 0), tall, excess

    def __repr__(self) -> str:
        return f"soft_orthogonal_regularizer({self._scale!r})"


class NuclearRegularizer(MatrixRegularizer, WithProx):
    """The result of `nuclear_regularizer`: a function of a matrix with a `scale` that may change."""

    def _measure(self, array: Array) -> float:
        w = _wide(array)
        return float(np.sum(np.linalg.svd(w, compute_uv=False))) if np.isfinite(w).all() else math.nan

    def _measure_with_slope(self, array: Array) -> tuple[float, Array]:
        w = _wide(array)
        if not np.isfinite(w).all():
            return math.nan, np.full_like(w, np.nan)
        u, sizes, v = np.linalg.svd(w, full_matrices=False)
        smallest = np.max(sizes, initial=0.0) * max(w.shape) * np.finfo(array.dtype).eps
        rank = np.count_nonzero(sizes > smallest)
        return float(np.sum(sizes)), u[:, :rank] @ v[:rank]

    def _prox(self, array: Array, step: float, out: Array | None) -> Array:
        if out is not None:
            NOTHING.gradient(array, out=out, accumulate=True)  # refuses a bad out, and adds nothing
        w, threshold = _wide(array), step * self._scale
        if threshold == 0:
            return NOTHING.prox(array, 0.0, out)
        if not np.isfinite(w).all():
            return _put(np.full_like(w, np.nan), array, out)
        u, sizes, v = np.linalg.svd(w, full_matrices=False)
        kept = np.maximum(sizes - threshold, 0.0)
        rank = np.count_nonzero(kept)
        return _put((u[:, :rank] * kept[:rank]) @ v[:rank], array, out)

    def __repr__(self) -> str:
        return f"nuclear_regularizer({self._scale!r})"


def orthogonal_regularizer(
    scale: float = 0.01, mode: Literal["rows", "columns"] = "rows", scope: str | None = None
) -> OrthogonalRegularizer:
    """Return a function that computes scale times the mean of ``|cos|`` over all pairs of rows, or of columns, of a matrix.

    This is `OrthogonalRegularizer` of Keras: it is 0 where all rows (columns) are orthogonal to each other, and scale where all
    are parallel, whatever their lengths.

    Parameters
    ----------
    scale : float, optional
        Strength, at least 0; `factor` in Keras. At 0. the value is 0, and no loss is filed. An integer is refused, as in
        TensorFlow's family.
    mode : {"rows", "columns"}, optional
        What shall be orthogonal to each other.
    scope : str, optional
        Name of the loss; `orthogonal_regularizer` by default.

    Returns
    -------
    OrthogonalRegularizer
        With the signature `orthogonal(weights)`, the methods `gradient`, `value_and_gradient` and the attributes `scale`, which
        may change, and `mode`. There is no prox, since no closed form of it is known: all update rules take the gradient.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite, or `mode` is neither; at a call, if the weights are no matrix.
    TypeError
        If `scale` is not a number.

    Notes
    -----
    A row of zeros is orthogonal to every other, and its gradient is 0. Two rows that are orthogonal to each other add 0 to the
    gradient. A matrix with a single row has the value 0, where Keras gives NaN. In Keras the cosines of very short rows come out
    too small; here only directions count. A NaN or an infinity makes the value NaN, and the gradient at every row but those of
    zeros.

    The matrix product is that of NumPy's BLAS, so bits differ between machines.

    References
    ----------
    .. [1] F. Chollet and others, Keras, `keras.regularizers.OrthogonalRegularizer`.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> orthogonal = fr.orthogonal_regularizer(0.5)
    >>> orthogonal(np.array([[3.0, 0.0], [0.0, 2.0]]))
    np.float64(0.0)
    >>> loss, g = orthogonal.value_and_gradient(np.array([[2.0, 0.0], [3.0, 4.0]]))
    >>> round(float(loss), 6)
    0.3
    >>> g.round(6)
    array([[ 0.   ,  0.2  ],
           [ 0.064, -0.048]])
    """
    strength = check_scale(scale)
    if not isinstance(mode, str) or mode not in ("rows", "columns"):
        raise ValueError(f"mode must be 'rows' or 'columns', got {mode!r}")
    return OrthogonalRegularizer(strength, mode, op_name(scope, "orthogonal_regularizer"), disabled_at(strength))


def soft_orthogonal_regularizer(scale: float, scope: str | None = None) -> SoftOrthogonalRegularizer:
    """Return a function that computes ``scale * |W'W - I|**2``, the sum of the squared elements, of a matrix W.

    It is 0 where the columns are orthogonal to each other and of length 1. A matrix with more columns than rows cannot have such
    columns: the value is at least scale times the difference of the two numbers. For orthogonal rows, pass the transpose.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    scope : str, optional
        Name of the loss; `soft_orthogonal_regularizer` by default.

    Returns
    -------
    SoftOrthogonalRegularizer
        With the signature `soft(weights)`, the methods `gradient`, `value_and_gradient` and the attribute `scale`, which may
        change. There is no prox, since no closed form of it is known: all update rules take the gradient.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite; at a call, if the weights are no matrix.
    TypeError
        If it is not a number.

    Notes
    -----
    The gradient is 4 * scale * W(W'W - I). A NaN makes the value NaN. The matrix product is that of NumPy's BLAS, so bits differ
    between machines.

    References
    ----------
    .. [1] N. Bansal, X. Chen and Z. Wang, "Can we gain more from orthogonality regularizations in training deep CNNs?", 2018.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> soft = fr.soft_orthogonal_regularizer(0.5)
    >>> soft(np.array([[0.0, 2.0], [1.0, 0.0]]))
    np.float64(4.5)
    """
    strength = check_scale(scale)
    return SoftOrthogonalRegularizer(strength, op_name(scope, "soft_orthogonal_regularizer"), disabled_at(strength))


def nuclear_regularizer(scale: float, scope: str | None = None) -> NuclearRegularizer:
    """Return a function that computes scale * the sum of a matrix's singular values.

    Its prox lowers each singular value by step * scale, to 0 at least. So it gives matrices of low rank, as L1 gives zeros.

    Parameters
    ----------
    scale : float
        Strength, at least 0. At 0. the value is 0, and no loss is filed. An integer is refused, as in TensorFlow's family.
    scope : str, optional
        Name of the loss; `nuclear_regularizer` by default.

    Returns
    -------
    NuclearRegularizer
        With the signature `nuclear(weights)`, the methods `gradient`, `value_and_gradient`, `prox` and the attribute `scale`,
        which may change.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite; at a call, if the weights are no matrix.
    TypeError
        If it is not a number.
    numpy.linalg.LinAlgError
        At a call, if LAPACK finds no singular values; nothing is written then.

    Notes
    -----
    With W = U S V', the gradient is scale * UV' over the singular values that are not 0 but for rounding: above the largest one
    times the larger side times the unit in the last place of the weights' dtype. This is the subgradient of the least norm. With
    a NaN or an infinity among the weights the value is NaN, and so is every element of the gradient and of the prox.

    The decomposition is that of NumPy's LAPACK, so bits differ between machines.

    References
    ----------
    J.-F. Cai, E. Candes and Z. Shen, "A singular value thresholding algorithm for matrix completion", 2010.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> nuclear = fr.nuclear_regularizer(0.5)
    >>> w = np.array([[3.0, 0.0], [0.0, -1.0]])
    >>> nuclear(w)
    np.float64(2.0)
    >>> nuclear.prox(w, step=4.0) + 0.0
    array([[1., 0.],
           [0., 0.]])
    """
    strength = check_scale(scale)
    return NuclearRegularizer(strength, op_name(scope, "nuclear_regularizer"), disabled_at(strength))
