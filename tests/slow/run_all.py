#!/usr/bin/env python
"""Run the slow suites one after another, and write what each did to a report.

python tests/slow/run_all.py                      # all of them
python tests/slow/run_all.py sanitize large       # these; one that cannot run here is a failure then
python tests/slow/run_all.py --list               # what there is

Leaves `slow-suites/report.md`, `report.json` and the output of each suite. A suite that lacks something here is reported as not
run, with the reason, and never as passed.
"""

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "slow-suites"
LAST_LINES = 30

Need = Callable[[], str | None]  # what is missing here, or None


def program(*names: str) -> Need:
    """Need one of these programs."""
    return lambda: None if any(map(shutil.which, names)) else f"no {' or '.join(names)} on the path"


def gigabytes(least: float) -> Need:
    """Need this much free memory."""

    def lacking() -> str | None:
        if not hasattr(os, "sysconf") or "SC_AVPHYS_PAGES" not in os.sysconf_names:
            return "the system does not say how much memory is free"
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
        return None if free >= least else f"{free:.0f} GB of memory are free, and it takes {least:.0f}"

    return lacking


def linux() -> str | None:
    """Need Linux."""
    return None if sys.platform == "linux" else "it is written for Linux"


def arm64() -> str | None:
    """Need an arm64 machine, or what emulates one and compiles for it."""
    if platform.machine() == "aarch64":
        return None
    return program("qemu-aarch64")() or program("aarch64-linux-gnu-gcc")()


@dataclass(frozen=True)
class Suite:
    """A suite: its name, its command from the project's folder, and what it needs."""

    name: str
    command: str
    needs: tuple[Need, ...] = ()


# One line for each; tests/test_habits.py holds this table to the files of this folder and to the nightly workflow.
SUITES = (
    Suite("sanitize", "tests/slow/sanitize.sh", (linux, program("gcc"))),
    Suite("sanitize_thread", "tests/slow/sanitize.sh thread", (linux, program("gcc"))),
    Suite("valgrind", "tests/slow/valgrind.sh", (linux, program("gcc"), program("valgrind"))),
    Suite("free_threading", "tests/slow/free_threading.sh", (linux, program("python3.14t", "python3.13t"))),
    Suite("arm64", "tests/slow/arm64.sh", (linux, arm64)),
    Suite("exactness", f"{sys.executable} -m pytest tests/core/test_exactness.py --hypothesis-profile thorough"),
    Suite("fuzz", f"{sys.executable} tests/slow/fuzz.py --minutes 60"),
    Suite("coverage", "tests/slow/coverage.sh", (linux, program("gcc"), program("gcov"))),
    Suite("large", f"{sys.executable} tests/slow/large.py", (gigabytes(10),)),
    Suite("large_out", f"{sys.executable} tests/slow/large.py --out", (gigabytes(19),)),
    Suite("wheel", f"tests/slow/wheel.sh {sys.executable}", (linux, program("gcc"))),
)


@dataclass
class Outcome:
    """What became of a suite."""

    name: str
    command: str
    result: str  # "passed", "failed: ..." or "not run: ..."
    seconds: float = 0.0
    tail: str = ""


def run(suite: Suite) -> Outcome:
    """Run a suite, or say what it lacks."""
    if lacks := [missing for need in suite.needs if (missing := need())]:
        return Outcome(suite.name, suite.command, f"not run: {'; '.join(lacks)}")
    log = FOLDER / f"{suite.name}.log"
    began = time.monotonic()
    with log.open("wb") as output:
        status = subprocess.run(
            shlex.split(suite.command), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
    result = "passed" if status == 0 else f"failed: exit status {status}"
    return Outcome(suite.name, suite.command, result, round(time.monotonic() - began, 1), tail)


def facts() -> dict[str, str]:
    """Describe the machine and the sources."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    }


def markdown(about: dict[str, str], outcomes: list[Outcome]) -> str:
    """Return the report as a page."""
    lines = ["# Slow suites", "", ", ".join(f"{key} {value}" for key, value in about.items()), ""]
    lines += ["| suite | result | seconds | command |", "|---|---|---|---|"]
    lines += [f"| {it.name} | {it.result} | {it.seconds:.0f} | `{it.command}` |" for it in outcomes]
    for it in outcomes:
        if it.result.startswith("failed"):
            lines += ["", f"## {it.name}", "", "```text", it.tail, "```"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what the command line names; exit status 1 if anything failed, or was named and could not run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="suite", help=", ".join(suite.name for suite in SUITES))
    parser.add_argument("--list", action="store_true", help="list the suites, and what they lack here, and stop")
    options = parser.parse_args()
    if unknown := set(options.names) - {suite.name for suite in SUITES}:
        parser.error(f"no suite is called {', '.join(sorted(unknown))}; there are {', '.join(suite.name for suite in SUITES)}")
    chosen = [suite for suite in SUITES if not options.names or suite.name in options.names]
    if options.list:
        for suite in chosen:
            lacks = "; ".join(missing for need in suite.needs if (missing := need()))
            print(f"{suite.name:20} {suite.command}{f'    ({lacks})' if lacks else ''}")
        return
    FOLDER.mkdir(exist_ok=True)
    about, outcomes = facts(), []
    for suite in chosen:
        print(f"{suite.name}: {suite.command}", flush=True)
        outcomes.append(run(suite))
        print(f"{suite.name}: {outcomes[-1].result}, {outcomes[-1].seconds:.0f} s", flush=True)
        if outcomes[-1].result.startswith("failed"):
            print(outcomes[-1].tail, flush=True)
        (FOLDER / "report.md").write_text(markdown(about, outcomes))
        (FOLDER / "report.json").write_text(json.dumps({**about, "suites": [vars(it) for it in outcomes]}, indent=1) + "\n")
    refused = ("failed", "not run") if options.names else ("failed",)
    sys.exit(any(it.result.startswith(refused) for it in outcomes))


if __name__ == "__main__":
    main()
