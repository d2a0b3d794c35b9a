"""What is regularized, by what and how strongly, as a table (floor 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastreg.kernels import Term, convert, dtype_name, evaluate, value_dtype
from fastreg.losses import add_n
from fastreg.matching import named_arrays
from fastreg.regularizers import l2_regularizer
from fastreg.terms import Array, Parameter, RegularizationLoss, Terms, Total, live_terms, plain_name

__all__ = ["Summary", "SummaryRow", "summary"]

_HALF_SQUARES = l2_regularizer(1.0)


@dataclass(frozen=True)
class SummaryRow:
    """A line of the table: one term, or one array without a term.

    Attributes
    ----------
    name : str
        The variable's name.
    shape : tuple of int
    dtype : str
    rule : str or None
        The pattern of the rule that decided; None where no rule did.
    regularizer : str or None
        The regularizer with its strengths; None where the array is left out.
    reason : str or None
        Why the array is left out; None where it is not.
    penalty, share : float or None
        The term's value, and its part of the total.
    norm : float
        The square root of the sum of the squared weights.
    zeros : int
        How many weights are exactly 0.
    size : int
        How many weights there are.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    rule: str | None
    regularizer: str | None
    reason: str | None
    penalty: float | None
    share: float | None
    norm: float
    zeros: int
    size: int


class Summary:
    """The result of :func:`summary`: text in a terminal, a table in a notebook.

    Attributes
    ----------
    rows : tuple of SummaryRow
        The terms in their order, then what is left out.
    total : float
        The sum of the penalties.
    """

    def __init__(self, rows: Sequence[SummaryRow], total: float) -> None:
        self.rows, self.total = tuple(rows), total

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"total": float, "rows": [dict, ...]}`` of plain Python objects, as `json` takes them."""
        return {"total": self.total, "rows": [asdict(row) | {"shape": list(row.shape)} for row in self.rows]}

    def __str__(self) -> str:
        lines = self._cells()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = (
            [
                cell.ljust(width) if kind is str else cell.rjust(width)
                for cell, width, (_, kind) in zip(line, widths, _COLUMNS, strict=True)
            ]
            for line in lines
        )
        return "\n".join("  ".join(line).rstrip() for line in padded)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *body = self._cells()
        rows = "".join(_html_row("td", line) for line in body)
        return f"<table><thead>{_html_row('th', head)}</thead><tbody>{rows}</tbody></table>"

    def _cells(self) -> list[tuple[str, ...]]:
        covered = sum(row.reason is None for row in self.rows)
        last = (f"{covered} of {len(self.rows)} regularized", "", "", "", "", f"{self.total:.6g}", "", "", "")
        return [tuple(title for title, _ in _COLUMNS), *map(_cells, self.rows), last]


_COLUMNS = (
    ("name", str), ("shape", str), ("dtype", str), ("rule", str), ("regularizer", str),
    ("penalty", float), ("share", float), ("norm", float), ("exactly 0", float),
)  # fmt: skip


def _cells(row: SummaryRow) -> tuple[str, ...]:
    return (
        row.name,
        "x".join(map(str, row.shape)) or "scalar",
        row.dtype,
        row.rule or "",
        row.regularizer or f"none: {row.reason}",
        "" if row.penalty is None else f"{row.penalty:.6g}",
        "" if row.share is None else f"{row.share:.1%}",
        f"{row.norm:.4g}",
        f"{row.zeros} of {row.size}",
    )


def _html_row(tag: str, cells: Sequence[str]) -> str:
    from html import escape  # noqa: PLC0415 - its table of entities takes longer to load than this file

    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def summary(terms: Sequence[RegularizationLoss] | Total, params: Any = None) -> Summary:
    """Return a table of what is regularized, by which rule and how strongly, and of what is left out and why.

    Parameters
    ----------
    terms : list of RegularizationLoss, or Total
        What :func:`fastreg.regularize` returned, a collection of the registry, or a total of such.
    params : mapping of str to array, or nested, or iterable of Variable, optional
        What else to look for: each array without a term gets a line. By default the arrays that `regularize` was given; for the
        registry's terms give ``fastreg.global_variables()``.

    Returns
    -------
    Summary
        Print it, or leave it as the last line of a notebook's cell. `rows`, `total` and `to_dict()` hold the numbers.

    Examples
    --------
    >>> import numpy as np, fastreg as fr
    >>> params = {"conv/kernel": np.ones((3, 3)), "conv/bias": np.ones(3), "bias": np.zeros(2)}
    >>> terms = fr.regularize(params, [("*/bias", None), ("*kernel", fr.l2_regularizer(0.5))])
    >>> fr.summary(terms)
    name                 shape  dtype    rule     regularizer               penalty   share   norm  exactly 0
    conv/kernel          3x3    float64  *kernel  l2_regularizer(0.5)          2.25  100.0%      3     0 of 9
    conv/bias            3      float64  */bias   none: left out by its rule                 1.732     0 of 3
    bias                 2      float64           none: no rule matches                          0     2 of 2
    1 of 3 regularized                                                         2.25
    """
    live = live_terms(terms)[0]
    known = terms if isinstance(terms, Terms) else Terms({}, {})
    values = [float(add_n([term])) for term in live]
    total = math.fsum(values)
    rows = [
        _row(term.variable, term.weights, _shown(term.regularizer), None, value, value / total if total else 0.0)
        for term, value in zip(live, values, strict=True)
    ]
    covered = {row.name for row in rows}
    for name, given in named_arrays(known.params if params is None else params):
        if name not in covered:
            rule = known.left_out.get(name)
            reason = "left out by its rule" if rule is not None else "no rule matches" if name in known.left_out else "no term"
            rows.append(_row(Parameter([given], 0, name, name, [], rule), given, None, reason, None, None))
    return Summary(rows, total)


def _row(
    variable: Parameter, given: Any, regularizer: str | None, reason: str | None, penalty: float | None, share: float | None
) -> SummaryRow:
    array = np.asarray(given)
    dtype = array.dtype.name
    if value_dtype(array) != array.dtype and array.flags.forc and array.flags.aligned and array.dtype.isnative:
        dtype = dtype_name(array)
        narrow, array = array, np.empty_like(array, np.float32)
        convert(narrow, array)
    zeros = array.size - int(np.count_nonzero(array))
    return SummaryRow(
        plain_name(variable.name), array.shape, dtype, variable.pattern, regularizer, reason, penalty, share,
        _norm(array), zeros, array.size,
    )  # fmt: skip


def _norm(array: Array) -> float:
    """Return the root of the sum of squares, without a copy where the kernels can read the array as it is."""
    if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)) or not (array.flags.forc and array.flags.aligned):
        array = np.array(array, dtype=np.float64)
    return math.sqrt(2 * float(evaluate([Term.over(array, _HALF_SQUARES, "weights")])))


def _shown(regularizer: Any) -> str:
    """Return the regularizer with its strengths; one without a repr of its own by its name."""
    if hasattr(regularizer, "__name__"):
        return str(regularizer.__name__)
    has_repr = any("__repr__" in vars(kind) for kind in type(regularizer).__mro__[:-1])
    return repr(regularizer) if has_repr else type(regularizer).__name__
