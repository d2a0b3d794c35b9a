"""From times to verdicts: the table in Markdown, everything in JSON, a plot."""

from __future__ import annotations

import argparse
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from cells import Cell, Target
from contenders import PEERS
from rounds import Result


@dataclass(frozen=True)
class Ratio:
    """Median and quartiles of a ratio over the rounds."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.3g} ({self.low:.3g}-{self.high:.3g})"


def ratio(above: Sequence[float] | None, below: Sequence[float] | None) -> Ratio | None:
    """Ratio of times, formed within each round."""
    if not above or not below:
        return None
    values = [a / b for a, b in zip(above, below, strict=False)]
    if len(values) < 2:
        return Ratio(values[0], values[0], values[0])
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Ratio(median(values), low, high)


def best_peer(result: Result) -> str | None:
    """Return the peer with the lowest median."""
    medians = {name: median(times) for name in PEERS if (times := result.times(name))}
    return min(medians, key=lambda name: medians[name]) if medians else None


@dataclass(frozen=True)
class Verdict:
    """A target, what was measured, and whether that meets it."""

    target: Target
    over: str
    ratio: Ratio | None

    @property
    def met(self) -> bool | None:
        """None where there is nothing to compare."""
        if self.ratio is None:
            return None
        if self.target.at_most is not None:
            return self.ratio.middle <= self.target.at_most
        assert self.target.at_least is not None
        return self.ratio.middle >= self.target.at_least

    def __str__(self) -> str:
        bound = f"at most {self.target.at_most:g}" if self.target.at_most is not None else f"at least {self.target.at_least:g}"
        kind = "share of the limit" if self.target.over == "limit" else f"over {self.over}"
        kind = kind if self.target.of == "fastreg" else f"{self.target.of} {kind}"
        said = {True: "met", False: "**missed**", None: "not measured"}[self.met]
        return f"{kind}: {self.ratio or '-'}, {bound}: {said}"


def verdicts(result: Result) -> list[Verdict]:
    """One for each target of the cell."""
    found = []
    for target in result.cell.targets:
        ours = result.times(target.of, target.form)
        if target.over == "limit":
            found.append(Verdict(target, "limit", ratio(result.times("limit"), ours)))
        elif target.over == "peers":
            peer = best_peer(result)
            found.append(Verdict(target, peer or "peers", ratio(ours, result.times(peer)) if peer else None))
        else:
            name, _, form = target.over.partition(": ")
            label = form if name == "fastreg" and form else target.over
            found.append(Verdict(target, label, ratio(ours, result.times(name, form))))
    return found


def machine() -> dict[str, Any]:
    """Describe the machine, without its name."""
    facts: dict[str, Any] = {
        "processor": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "caches": _caches(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    huge = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if huge.exists():
        facts["huge pages"] = huge.read_text().partition("[")[2].partition("]")[0]
    return facts


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in fields.items()}
    return f"{facts.get('model name', '?')} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')})"


def _caches() -> dict[str, int]:
    """Bytes of each cache of the first core, by level."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if (folder / "type").read_text().strip() != "Instruction":
            size = (folder / "size").read_text().strip()
            found[f"L{(folder / 'level').read_text().strip()}"] = int(size.removesuffix("K")) * 1024
    return found


def regime(cell: Cell) -> str:
    """Where the arrays lie in a tight loop: the smallest cache that holds them all, or memory."""
    caches = _caches()
    cores = cell.threads or len(os.sched_getaffinity(0))
    for level, size in caches.items():
        if cell.working_set <= size * (cores if level != "L3" else 1):
            return level
    return "memory"


def duration(seconds: float) -> str:
    """Write a time for people."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def markdown(results: Sequence[Result], facts: dict[str, Any], versions: dict[str, str], options: argparse.Namespace) -> str:
    """Write the report."""
    lines = ["# fastreg beside its peers", ""]
    caches = ", ".join(f"{level} {size // 1024} KiB" for level, size in facts["caches"].items())
    lines.append(
        f"{facts['processor']}, {facts['cores']} cores ({caches}), {facts['memory']}, {facts['system']}, "
        f"Python {facts['python']}; {options.threads} threads where a cell does not say; "
        f"{options.rounds} rounds of {options.seconds:g} s."
    )
    lines += ["", ", ".join(f"{name} {version}" for name, version in versions.items()), ""]
    if versions.get("fastreg", "absent").startswith("absent"):
        lines += ["**fastreg itself is not installed here: its column is empty and no target is judged.**", ""]
    judged = [verdict for result in results for verdict in verdicts(result) if verdict.met is not None]
    lines += [f"Targets met: {sum(bool(v.met) for v in judged)} of {len(judged)} measured.", ""]
    turns, disturbed = (sum(getattr(result, kind) for result in results) for kind in ("turns", "disturbed"))
    if turns:
        said = "all turns were quiet" if not disturbed else f"other processes disturbed {disturbed / turns:.0%} of the turns"
        lines += [f"The machine during the run: {said}.", ""]
    timed = [result for result in results if result.cell.operation != "error"]
    if timed:
        lines += [
            "Times are medians; ratios are medians over the rounds, with quartiles. In the last column each library's time "
            "is divided by fastreg's, and the form that won is named; below 1 the peer is ahead.",
            "",
            "| cell | in | limit | fastreg | targets | best peer | all peers |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_row(result) for result in timed]
    errors = [result for result in results if result.errors]
    if errors:
        lines += ["", "Errors against the exact sum, in units of the last place of the weights' dtype:", ""]
        lines += ["| cell | target | fastreg | others |", "|---|---|---|---|"]
        lines += [_error_row(result) for result in errors]
    lines += _scaling(timed)
    complaints = [f"- {result.cell.name}: {complaint}" for result in results for complaint in result.complaints]
    if complaints:
        lines += ["", "Not measured, because it did not run or gave a wrong result:", "", *complaints]
    return "\n".join(lines) + "\n"


def _row(result: Result) -> str:
    ours, limit, peer = result.times("fastreg"), result.times("limit"), best_peer(result)
    others = []
    for name in PEERS:
        times = result.times(name)
        if times:
            over = ratio(times, ours)
            amount = f"{over.middle:.3g}x" if over else duration(median(times))
            others.append(f"{name} {amount} [{_code(result.best(name))}]")
    columns = [
        result.cell.name,
        regime(result.cell),
        f"{duration(median(limit))} [{result.best('limit')}]" if limit else "-",
        duration(median(ours)) if ours else "-",
        "<br>".join(str(verdict) for verdict in verdicts(result)),
        f"{peer} {duration(median(result.times(peer) or [0]))}" if peer else "-",
        "<br>".join(others),
    ]
    return "| " + " | ".join(columns) + " |"


def _code(label: str | None) -> str:
    """Escape what Markdown would take for the border of a cell or for emphasis."""
    return re.sub(r"\||\b_|_\b", r"\\\g<0>", label or "")


def _error_row(result: Result) -> str:
    bound = error_bound(result.cell)
    ours = result.errors.get("fastreg", {})
    said = ", ".join(f"{error:.3g}: {'met' if error <= bound else '**missed**'}" for error in ours.values()) or "-"
    others = [
        f"{name} {error:.3g} [{_code(form)}]"
        for name, forms in result.errors.items()
        if name != "fastreg"
        for form, error in forms.items()
    ]
    return f"| {result.cell.name} | at most {bound:.3g} | {said} | {'<br>'.join(others)} |"


def error_bound(cell: Cell) -> float:
    """Return the largest error allowed: float32 the exact sum rounded (and 1e-9 of it), float64 two units of the last place."""
    return 0.5 + 1e-9 * 2**24 if cell.dtype == "float32" else 2.0


def _scaling(results: Sequence[Result]) -> list[str]:
    """How the speed grows with the threads, beside how the limit's does."""
    families: dict[tuple[str, str], dict[int, Result]] = {}
    for result in results:
        cell = result.cell
        if cell.rule is None and cell.penalty == "L2" and cell.dtype == "float32" and cell.single:
            families.setdefault((cell.operation, cell.on), {})[cell.threads or 0] = result
    lines = []
    for (operation, on), by_threads in families.items():
        if 1 not in by_threads or 0 not in by_threads:
            continue
        gains = {}
        for name in ("fastreg", "limit"):
            one, full = by_threads[1].times(name), by_threads[0].times(name)
            gains[name] = median(one) / median(full) if one and full else None
        if gains["limit"] is None:
            continue
        steps = ", ".join(f"{threads or 'all'}: {duration(median(times))}"
                          for threads, result in sorted(by_threads.items(), key=lambda item: item[0] or 10**6)
                          if (times := result.times("fastreg") or result.times("limit")))  # fmt: skip
        said = "not measured"
        if gains["fastreg"] is not None:
            close = gains["fastreg"] >= 0.9 * gains["limit"]
            said = f"fastreg {gains['fastreg']:.2f}, {'met' if close else '**missed**'}"
        lines.append(f"| {operation} {on} | {steps} | {gains['limit']:.2f} | {said} |")
    if not lines:
        return []
    head = ["", "Speed-up from one thread to all, target: within 10 % of the limit's own:", ""]
    return [*head, "| cell | times by threads | limit | fastreg |", "|---|---|---|---|", *lines]


def as_json(results: Sequence[Result], facts: dict[str, Any], versions: dict[str, str], options: argparse.Namespace) -> Any:
    """Everything that was measured."""
    return {
        "machine": facts,
        "versions": versions,
        "threads": options.threads,
        "rounds": options.rounds,
        "turn_seconds": options.seconds,
        "cells": [
            {
                "name": result.cell.name,
                "threads": result.cell.threads or options.threads,
                "in": regime(result.cell),
                "bytes": result.cell.working_set,
                "seconds_of_each_round": result.seconds,
                "best_form": {name: best for name in result.seconds if (best := result.best(name))},
                "targets": [
                    {
                        "over": verdict.over,
                        "at_most": verdict.target.at_most,
                        "at_least": verdict.target.at_least,
                        "ratio": None if verdict.ratio is None else vars(verdict.ratio),
                        "met": verdict.met,
                    }
                    for verdict in verdicts(result)
                ],
                "errors_in_ulp": result.errors,
                "complaints": result.complaints,
                "turns": result.turns,
                "turns_disturbed": result.disturbed,
            }
            for result in results
        ],
    }


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw times over fastreg's (over the limit's where fastreg is not installed), one line of dots per cell."""
    import_module("matplotlib").use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")

    rows = [result for result in results if result.times("fastreg") or result.times("limit")]
    figure, axes = pyplot.subplots(figsize=(9, 1.5 + 0.22 * len(rows)), layout="constrained")
    markers = dict(zip(("limit", *PEERS), "|os^*vDPX<>", strict=True))
    for name, marker in markers.items():
        points = [
            (found.middle, -y)
            for y, result in enumerate(rows)
            if (found := ratio(result.times(name), result.times("fastreg") or result.times("limit")))
        ]
        if points:
            size, colour = (90, "black") if name == "limit" else (26, None)
            axes.scatter(*zip(*points, strict=True), marker=marker, s=size, color=colour, label=name, alpha=0.85)
    reference = "fastreg" if any(result.times("fastreg") for result in rows) else "limit"
    axes.axvline(1, color="C3", linewidth=1.2, label=reference, zorder=0)
    axes.set_xscale("log", subs=[2, 5])
    for axis_format in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis_format(lambda x, _: f"{x:g}")
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.set_xlabel(f"time / {reference}'s time (left of 1: faster)")
    axes.set_yticks([-y for y in range(len(rows))], [result.cell.name for result in rows], fontsize=7)
    axes.set_ylim(-len(rows) + 0.2, 0.8)
    axes.grid(axis="x", which="both", linewidth=0.3)
    figure.legend(loc="outside upper center", ncols=5, fontsize=8)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
