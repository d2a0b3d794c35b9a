#!/usr/bin/env python
"""fastreg beside its peers, and beside what memory allows: one command, one table.

    python benchmarks/peers.py                    # everything; takes three quarters of an hour
    python benchmarks/peers.py --quick            # a minute or two
    python benchmarks/peers.py --cells 'value/*' --only limit,fastreg,torch
    python benchmarks/peers.py --markdown table.md --json table.json --plot table.png

Every library that is installed runs in a process of its own and takes turns with the others; the rest is left out and
named. All have the same number of threads, and with all cores the environment is as it comes. Each form of each library
is first held to a float64 reference. A time is the median of a turn in a tight loop on warm arrays, a ratio the median
over the rounds of the ratio within each round.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

import report
from cells import Cell, all_cells
from contenders import CONTENDERS
from rounds import Match, Player, Result


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the most telling cells, few rounds")
    parser.add_argument("--cells", action="append", metavar="PATTERN", help="cells whose name matches (repeatable); see --list")
    parser.add_argument("--only", metavar="NAMES", help=f"contenders, by commas, of {', '.join(CONTENDERS)}")
    parser.add_argument("--threads", type=int, default=cores, help="threads of every contender (default: all cores)")
    parser.add_argument("--rounds", type=int, help="rounds of each cell (default: 15; 5 with --quick)")
    parser.add_argument("--seconds", type=float, default=0.04, help="length of a turn (default: 0.04)")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    parser.add_argument("--json", type=Path, help="write every time of every round to this file")
    parser.add_argument("--plot", type=Path, help="write a plot to this PNG file")
    parser.add_argument("--list", action="store_true", help="list the cells and stop")
    options = parser.parse_args(argv)
    if not 1 <= options.threads <= cores:
        parser.error(f"--threads must be from 1 to {cores}, the cores at hand, not {options.threads}")
    options.names = options.only.split(",") if options.only else list(CONTENDERS)
    if unknown := set(options.names) - set(CONTENDERS):
        parser.error(f"--only names {', '.join(sorted(unknown))}, which is none of {', '.join(CONTENDERS)}")
    options.rounds = options.rounds or (5 if options.quick else 15)
    return options


def chosen_cells(options: argparse.Namespace) -> list[Cell]:
    """Return the cells that the command line asks for."""
    cells = all_cells(options.threads, 1e6 if options.quick else 1e8)
    if options.cells:
        return [cell for cell in cells if any(fnmatch(cell.name, pattern) for pattern in options.cells)]
    return [cell for cell in cells if cell.quick] if options.quick else cells


def main(argv: list[str] | None = None) -> None:
    """Run the match and write what was asked for."""
    options = arguments(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cells = chosen_cells(options)
    if options.list or not cells:
        print("\n".join(cell.name for cell in cells) or "no cell matches")
        return
    match = Match(options.names, options.threads, options.rounds, options.seconds)
    results: list[Result] = []
    versions: dict[str, str] = {}
    started = time.time()
    try:
        versions = {p.name: p.said if p.present else f"absent ({p.said})" for p in _start(match)}
        for number, cell in enumerate(cells, start=1):
            print(f"{number}/{len(cells)} {cell.name}, {time.time() - started:.0f} s", file=sys.stderr, flush=True)
            results.append(match.play(cell))
    except KeyboardInterrupt:
        print("interrupted: the report holds the cells so far", file=sys.stderr)
    finally:
        match.stop()
    table = report.markdown(results, report.machine(), versions, options)
    print(table)
    if options.markdown:
        options.markdown.write_text(table)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(results, report.machine(), versions, options), indent=1))
    if options.plot:
        report.plot(results, options.plot)


def _start(match: Match) -> list[Player]:
    match.players(match.cores)
    return list(match.started.values())


if __name__ == "__main__":
    main()
