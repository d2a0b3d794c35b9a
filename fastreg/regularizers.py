"""Floor 2: the closures. TensorFlow 1's factories, messages and names over the compiled pair of coefficients.

A regularizer knows nothing of variables or collections. What it computes (value, gradient, prox) stands in one place,
`_border.Penalty`; here stand the rules for scales, and how regularizers are named, changed and summed.

The factor: `l2_regularizer(scale)` is scale * sum(w**2) / 2, so its gradient is scale * w. TensorFlow 1's scale is torch's
weight_decay, and twice the `l2` of Keras.
"""

import logging
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from numpy.typing import NDArray

from fastreg.kernels import Penalty

logger = logging.getLogger("fastreg")


def check_scale(scale: object, name: str = "scale", negative: str = "Setting a scale less than 0 on a regularizer: %g") -> float:
    """Return `scale` as a float if it can be one, by TensorFlow's rules and in its words where it has some."""
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"{name} cannot be an integer: {scale}")
    if not isinstance(scale, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {scale!r} of type {type(scale).__name__}")
    try:
        value = float(scale)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {scale!r}")
    if value < 0:
        raise ValueError(negative % value)
    return value


# TensorFlow's two messages differ in the period.
_NEGATIVE_L2 = "Setting a scale less than 0 on a regularizer: %g."


def _op_name(scope: str | None, default: str) -> str:
    if scope is None:
        return default
    if not isinstance(scope, str) or not scope:
        raise ValueError(f"scope must be a non-empty str or None, got {scope!r}")
    return scope


class L1Regularizer(Penalty):
    """Return of `l1_regularizer`: a function of the weights with a `scale` that may change."""

    def __init__(self, scale: float, name: str) -> None:
        self.name = name
        self.scale = scale

    @property
    def scale(self) -> float:
        """Strength; every later call, of a sum or a term as well, sees a new one."""
        return self.coefficients[0]

    @scale.setter
    def scale(self, scale: float) -> None:
        self._set(check_scale(scale), 0.0)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale, self.name)

    def __repr__(self) -> str:
        return f"l1_regularizer({self.scale!r})"


class L2Regularizer(Penalty):
    """Return of `l2_regularizer`: a function of the weights with a `scale` that may change."""

    def __init__(self, scale: float, name: str) -> None:
        self.name = name
        self.scale = scale

    @property
    def scale(self) -> float:
        """Strength; every later call, of a sum or a term as well, sees a new one."""
        return self.coefficients[1]

    @scale.setter
    def scale(self, scale: float) -> None:
        self._set(0.0, check_scale(scale, negative=_NEGATIVE_L2))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale, self.name)

    def __repr__(self) -> str:
        return f"l2_regularizer({self.scale!r})"


class L1L2Regularizer(Penalty):
    """Return of `l1_l2_regularizer`: both penalties in one pass, each with a scale that may change."""

    def __init__(self, scale_l1: float, scale_l2: float, name: str) -> None:
        self.name = name
        self.scale_l1 = scale_l1
        self.scale_l2 = scale_l2

    @property
    def scale_l1(self) -> float:
        """Strength of sum(|w|)."""
        return self.coefficients[0]

    @scale_l1.setter
    def scale_l1(self, scale: float) -> None:
        self._set(check_scale(scale, "scale_l1"), self.scale_l2)

    @property
    def scale_l2(self) -> float:
        """Strength of sum(w**2) / 2."""
        return self.coefficients[1]

    @scale_l2.setter
    def scale_l2(self, scale: float) -> None:
        self._set(self.scale_l1, check_scale(scale, "scale_l2", _NEGATIVE_L2))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.scale_l1, self.scale_l2, self.name)

    def __repr__(self) -> str:
        return f"l1_l2_regularizer({self.scale_l1!r}, {self.scale_l2!r})"


class SumRegularizer(Penalty):
    """Return of `sum_regularizer` when every part is of the family: one pass, whatever the number of parts."""

    def __init__(self, parts: tuple[Penalty, ...], name: str) -> None:
        self.name = name
        self.parts = parts
        self._set(0.0, 0.0, parts)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.parts, self.name)

    def __repr__(self) -> str:
        return f"sum_regularizer({list(self.parts)!r})"


_NOTHING = Penalty()


class MixedSum:
    """Return of `sum_regularizer` when a part is a user's own function: each part is called by itself."""

    def __init__(self, parts: tuple[Callable[[Any], Any], ...], name: str) -> None:
        self.name = name
        self.parts = parts

    def __call__(self, weights: Any) -> Any:
        """Return the sum of the parts that give something, None if none does."""
        values = [value for part in self.parts if (value := part(weights)) is not None]
        return None if not values else sum(values[1:], start=values[0])

    def gradient(self, weights: Any, out: NDArray[Any] | None = None, accumulate: bool = False) -> NDArray[Any]:
        """Return the sum of the parts' gradients; every part needs a `gradient` of its own."""
        if out is not None or accumulate:
            _NOTHING.gradient(weights, out=out, accumulate=True)  # refuses a bad out as every gradient does, and adds nothing
        gradients = [gradient_of(part)(weights) for part in self.parts]
        total: NDArray[Any] = sum(gradients[1:], start=gradients[0])
        if out is None:
            return total
        out[...] = out + total if accumulate else total
        return out

    def __repr__(self) -> str:
        return f"sum_regularizer({list(self.parts)!r})"


class DisabledRegularizer:
    """Return of a factory with a scale of 0., and `no_regularizer`: a function that gives None, so nothing is collected."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, weights: object) -> None:
        """Return None."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)

    def __setattr__(self, attribute: str, value: object) -> None:
        if attribute != "name":
            raise AttributeError(
                f"{self!r} has no {attribute} to set: no loss was collected for it; make it with a positive scale, which may "
                f"be set to 0. later"
            )
        object.__setattr__(self, attribute, value)

    def __repr__(self) -> str:
        return self.name if self.name == "no_regularizer" else f"{self.name}(0.0)"


def gradient_of(regularizer: Callable[[Any], Any]) -> Callable[..., NDArray[Any]]:
    """Return the `gradient` method of a regularizer, or say that it has none."""
    gradient = getattr(regularizer, "gradient", None)
    if not callable(gradient):
        raise TypeError(
            f"regularizer {regularizer!r} has no gradient; give it a method gradient(weights) that returns an array of the "
            f"weights' shape and dtype"
        )
    return gradient  # type: ignore[no-any-return]


def l1_regularizer(scale: float, scope: str | None = None) -> L1Regularizer | DisabledRegularizer:
    """Return a function that computes scale * sum(|w|).

    Parameters
    ----------
    scale : float
        Strength, above 0; 0. disables the regularizer. An integer is refused, as in TensorFlow.
    scope : str, optional
        Name of the loss; `l1_regularizer` by default.

    Returns
    -------
    L1Regularizer
        With the signature `l1(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attribute `scale`.
        For a scale of 0., a function that returns None.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite.
    TypeError
        If it is not a number.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> l1 = fr.l1_regularizer(0.5)
    >>> w = np.array([-1.0, 0.0, 3.0])
    >>> l1(w)
    np.float64(2.0)
    >>> l1.gradient(w)
    array([-0.5,  0. ,  0.5])
    >>> l1.prox(w, step=4.0)
    array([-0.,  0.,  1.])
    """
    if check_scale(scale) == 0:
        return _disabled(_op_name(scope, "l1_regularizer"))
    return L1Regularizer(scale, _op_name(scope, "l1_regularizer"))


def l2_regularizer(scale: float, scope: str | None = None) -> L2Regularizer | DisabledRegularizer:
    """Return a function that computes scale * sum(w**2) / 2.

    Parameters
    ----------
    scale : float
        Strength, above 0; 0. disables the regularizer. An integer is refused, as in TensorFlow. It is torch's
        `weight_decay`, and twice the `l2` of Keras.
    scope : str, optional
        Name of the loss; `l2_regularizer` by default.

    Returns
    -------
    L2Regularizer
        With the signature `l2(weights)`, and the methods `gradient`, `value_and_gradient`, `prox` and the attribute `scale`.
        For a scale of 0., a function that returns None.

    Raises
    ------
    ValueError
        If `scale` is an integer, negative, NaN or infinite.
    TypeError
        If it is not a number.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> l2 = fr.l2_regularizer(0.5)
    >>> loss, g = l2.value_and_gradient(np.array([-1.0, 0.0, 3.0]))
    >>> loss
    np.float64(2.5)
    >>> g
    array([-0.5,  0. ,  1.5])
    """
    if check_scale(scale, negative=_NEGATIVE_L2) == 0:
        return _disabled(_op_name(scope, "l2_regularizer"))
    return L2Regularizer(scale, _op_name(scope, "l2_regularizer"))


def l1_l2_regularizer(
    scale_l1: float = 1.0, scale_l2: float = 1.0, scope: str | None = None
) -> L1L2Regularizer | DisabledRegularizer:
    """Return a function that computes scale_l1 * sum(|w|) + scale_l2 * sum(w**2) / 2, in one pass.

    Parameters
    ----------
    scale_l1, scale_l2 : float
        Strengths, at least 0; 0. leaves that part out. Integers are refused, as in TensorFlow.
    scope : str, optional
        Name of the loss; `l1_l2_regularizer` by default.

    Returns
    -------
    L1L2Regularizer
        Like `l1_regularizer`'s, with `scale_l1` and `scale_l2`. With both scales 0., a function that returns None.

    Raises
    ------
    ValueError
        If a scale is an integer, negative, NaN or infinite.
    TypeError
        If it is not a number.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> fr.l1_l2_regularizer(0.5, 0.5)(np.array([-1.0, 0.0, 3.0]))
    np.float64(4.5)
    """
    for name, scale in (("scale_l1", scale_l1), ("scale_l2", scale_l2)):
        if isinstance(scale, numbers.Integral):
            check_scale(scale, name)
    l1, l2 = check_scale(scale_l1, "scale_l1"), check_scale(scale_l2, "scale_l2", _NEGATIVE_L2)
    name = _op_name(scope, "l1_l2_regularizer")
    if l1 == 0 == l2:
        return _disabled(name)
    return L1L2Regularizer(l1, l2, name)


def sum_regularizer(
    regularizer_list: Sequence[Callable[[Any], Any] | None], scope: str | None = None
) -> SumRegularizer | MixedSum | DisabledRegularizer | None:
    """Return a function that computes the sum of regularizers.

    Parameters
    ----------
    regularizer_list : sequence of callable or None
        None entries are dropped. A sum of the family's members is still one pass over the weights.
    scope : str, optional
        Name of the loss; `sum_regularizer` by default.

    Returns
    -------
    callable or None
        None if no entry is left. The function returns None if all of its parts do.

    Raises
    ------
    TypeError
        If it is no list, or an entry is neither None nor callable.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> both = fr.sum_regularizer([fr.l1_regularizer(0.5), None, fr.l2_regularizer(0.5)])
    >>> both(np.array([-1.0, 0.0, 3.0]))
    np.float64(4.5)
    """
    if not isinstance(regularizer_list, Iterable):
        raise TypeError(f"regularizer_list must be a list of regularizers, got {regularizer_list!r}")
    parts = [regularizer for regularizer in regularizer_list if regularizer is not None]
    for part in parts:
        if not callable(part):
            raise TypeError(f"regularizer_list must hold regularizers or None, got {part!r}")
    if not parts:
        return None
    name = _op_name(scope, "sum_regularizer")
    live = tuple(part for part in parts if not isinstance(part, DisabledRegularizer))
    if not live:
        return DisabledRegularizer(name)
    family = tuple(part for part in live if isinstance(part, Penalty))
    return SumRegularizer(family, name) if len(family) == len(live) else MixedSum(live, name)


def _disabled(name: str) -> DisabledRegularizer:
    logger.info("Scale of 0 disables regularizer.")
    return DisabledRegularizer(name)


no_regularizer = DisabledRegularizer("no_regularizer")
