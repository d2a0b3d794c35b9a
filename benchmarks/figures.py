"""Draw a few cells of docs/benchmarks.md large: python benchmarks/figures.py writes docs/figures/*.svg from the page's tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
CELLS = {
    "value/L2/float32/1000": "L2 of 1000 weights",
    "value/L2/float32/2e7": "L2 of 20 million weights",
    "accumulated/L1+L2/float32/2e7": "L1 and L2 of 20 million weights, with the gradient",
    "update/Adam/L2/float32/ResNet-50": "A step of Adam with L2, 25.6 million weights",
    "step/L2/float32/784-1024-1024-10": "A training step of a network, with L2",
    "value/L1/float32/1e6": "L1 of 1 million weights, in cache: NumPy is ahead",
}
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
WIDTH, LEFT, RIGHT, ROW, TOP = 460, 96, 70, 27, 62
LONGEST = 6  # times fastreg's; a longer bar is cut
# In the built pages an SVG is part of the page, whose style sheet sets these colours; elsewhere it follows the reader's system.
STYLE = (
    ".chart { --ink: #1f2933; --faint: #5c6875; --bar: #a9b6c4; --own: #b4530a; } "
    "@media (prefers-color-scheme: dark) { .chart { --ink: #e4e7eb; --faint: #9aa5b1; --bar: #5f6c7a; --own: #f2a65a; } } "
    ".chart text { fill: var(--ink); } .chart .faint { fill: var(--faint); } .chart .bar { fill: var(--bar); } "
    ".chart .own { fill: var(--own); } .chart .limit { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; }"
)


def duration(written: str) -> float:
    """Return the seconds of a time such as "1.72 ms"; what follows it does not count."""
    number, unit = written.split()[:2]
    return float(number) * SECONDS[unit]


def shown(seconds: float) -> str:
    """Write a time with three digits."""
    unit = next(unit for unit in ("s", "ms", "us", "ns") if seconds >= SECONDS[unit])
    return f"{float(f'{seconds / SECONDS[unit]:.3g}'):g} {unit}"


def rows(page: str) -> Iterator[list[str]]:
    """Return the columns of every row of a table of times."""
    for line in page.splitlines():
        columns = [column.strip() for column in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(columns) == 7:
            yield columns


def times(columns: list[str]) -> tuple[dict[str, float], float | None]:
    """Return the seconds of fastreg and of each peer, the quickest first, and those of the limit."""
    _, _, limit, own, _, _, peers = columns
    found = {"fastreg": duration(own)}
    for peer in peers.split("<br>"):
        name, over = peer.split()[:2]
        found[name] = float(over.removesuffix("x")) * found["fastreg"]
    return dict(sorted(found.items(), key=lambda item: item[1])), None if limit == "-" else duration(limit)


def chart(title: str, cell: str, found: dict[str, float], limit: float | None) -> str:
    """Return a drawing: a bar for each library, and a line at the machine's own limit."""
    height = TOP + ROW * len(found) + (24 if limit else 6)
    longest = min(max(found.values()), LONGEST * found["fastreg"])
    scale = (WIDTH - LEFT - RIGHT) / longest
    said = ", ".join(f"{name} {shown(seconds)}" for name, seconds in found.items())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' font-family="system-ui, Helvetica, Arial, sans-serif" font-size="14" role="img">',
        f"<title>{escape(title)}: {escape(said)}</title>",
        f"<style>{STYLE}</style>",
        f'<text x="0" y="18" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="0" y="40" class="faint" font-size="12.5">{escape(cell)}; shorter is faster</text>',
    ]
    for row, (name, seconds) in enumerate(found.items()):
        y = TOP + ROW * row
        cut = seconds > longest * 1.001
        length = min(seconds, longest) * scale
        own = name == "fastreg"
        weight = "bold" if own else "normal"
        lines.append(f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end" font-weight="{weight}">{name}</text>')
        lines.append(f'<rect class="{"own" if own else "bar"}" x="{LEFT}" y="{y + 2}" width="{length:.1f}" height="18" rx="2"/>')
        said = f"{shown(seconds)} \N{RIGHTWARDS ARROW}" if cut else shown(seconds)
        lines.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + 15}" font-size="12.5">{said}</text>')
    if limit:
        x, bottom = LEFT + limit * scale, TOP + ROW * len(found)
        lines.append(f'<line class="limit" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}"/>')
        place = f'x="{x:.1f}" y="{bottom + 16}" text-anchor="middle"'
        lines.append(f'<text {place} class="faint" font-size="12.5">limit {shown(limit)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def figures() -> dict[Path, str]:
    """Return every drawing with the file it belongs into."""
    found: dict[str, list[str]] = {}
    for columns in rows((DOCS / "benchmarks.md").read_text(encoding="utf-8")):
        found.setdefault(columns[0], columns)
    drawings = {}
    for cell, title in CELLS.items():
        name = re.sub(r"[^a-z0-9]+", "-", cell.lower())
        drawings[DOCS / "figures" / f"{name}.svg"] = chart(title, cell, *times(found[cell]))
    return drawings


if __name__ == "__main__":
    for path, drawing in figures().items():
        path.write_text(drawing, encoding="utf-8")
        print(path.name)
