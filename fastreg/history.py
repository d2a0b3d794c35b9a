"""The numbers of a training loop, step by step, and their plot (floor 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastreg.arguments import check_whole
from fastreg.locks import Lock

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["History", "plot_history"]


class History:
    """The numbers of a training loop: one call of `record` a step.

    Attributes
    ----------
    steps : list of int
        The steps that were recorded.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> w = np.array([1.0, -2.0])
    >>> terms = fr.regularize({"w": w}, [("w", fr.l2_regularizer(0.5))])
    >>> opt, history = fr.optim.GradientDescent(learning_rate=1.0), fr.History()
    >>> for _ in range(3):
    ...     loss, penalties = opt.apply_gradients({"w": (np.zeros(2), w)}, terms, per_term=True)
    ...     history.record(opt.iterations, penalties)
    >>> history.steps
    [1, 2, 3]
    >>> history["w/Regularizer/l2_regularizer:0"]
    array([1.25    , 0.3125  , 0.078125])
    """

    def __init__(self) -> None:
        self.steps: list[int] = []
        self._values: dict[str, dict[int, float]] = {}
        self._lock = Lock()  # a thread may plot what another one records

    def record(self, step: int, values: Mapping[str, float] | None = None, **more: float) -> None:
        """Note the numbers of a step.

        Parameters
        ----------
        step : int
            Above the last one.
        values : mapping of str to float, optional
            What ``apply_gradients(..., per_term=True)`` returns beside the loss.
        **more : float
            Other numbers by name, such as ``loss=data_loss``.
        """
        step = check_whole(step, "step")
        if values is not None and not isinstance(values, Mapping):
            raise TypeError(f"values must be a mapping of names to numbers, got {values!r}")
        with self._lock:
            if self.steps and step <= self.steps[-1]:
                raise ValueError(f"step must be above the last one, {self.steps[-1]}, got {step}")
            numbers = {name: _as_number(value, name) for name, value in {**(values or {}), **more}.items()}
            try:
                for name, number in numbers.items():
                    self._values.setdefault(name, {})[step] = number
                self.steps.append(step)
            except BaseException:
                if not self.steps or self.steps[-1] != step:
                    self._values = {name: {at: x for at, x in row.items() if at != step} for name, row in self._values.items()}
                    self._values = {name: row for name, row in self._values.items() if row}
                raise

    @property
    def names(self) -> list[str]:
        """The names of what was recorded, in the order in which they came."""
        with self._lock:
            return list(self._values)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        with self._lock:
            values = self._values[name]
            return np.array([values.get(step, np.nan) for step in self.steps], dtype=np.float64)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<History: {len(self)} steps of {self.names}>"


def _as_number(value: Any, name: str) -> float:
    if np.ndim(value) or np.iscomplexobj(value) or isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        return float(value)
    except (TypeError, OverflowError):
        raise TypeError(f"{name} must be a number that float64 holds, got {value!r}") from None


def plot_history(history: History, axes: Any = None) -> Figure:
    """Draw a line for each name in a history, over the steps.

    Parameters
    ----------
    history : History
    axes : matplotlib.axes.Axes, optional
        What to draw into; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        Save it by ``figure.savefig("history.png")``.

    Raises
    ------
    ImportError
        If matplotlib is missing. The extra "plot" installs it.
    """
    if not isinstance(history, History):
        raise TypeError(f"history must be a History, got {history!r}")
    if axes is not None and not hasattr(axes, "plot"):
        raise TypeError(f"axes must be a matplotlib.axes.Axes or None, got {axes!r}")
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - the plot alone needs it
    except ImportError as error:
        raise ImportError(
            'plot_history needs matplotlib, which the extra "plot" installs: pip install "fastreg[plot]"'
        ) from error
    if axes is None:
        axes = Figure(figsize=(8, 4.5), layout="constrained").subplots()
    for name in history.names:
        axes.plot(history.steps, history[name], label=name)
    axes.set(xlabel="step", ylabel="value before the step", yscale="log" if _spans_decades(history) else "linear")
    if history.names:
        axes.legend(fontsize="small", frameon=False)
    figure: Figure = axes.figure
    return figure


def _spans_decades(history: History) -> bool:
    """Tell whether the values, all above 0, lie so far apart that a linear scale would hide the small ones."""
    values = np.concatenate([history[name] for name in history.names] or [np.zeros(1)])
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > 100 * values.min())
