"""Fuzz the public calls and whatever reads files: `python tests/slow/fuzz.py --minutes 60 --seed 1`.

The bytes of an input are read as a program of public calls. Three things are made of them:

- a call of `public_calls.py` with one or two of its arguments replaced: it succeeds, or raises what is documented and changes
  nothing;
- a training session: every value, gradient, prox, projection and step has the bits of the twin, and a refused step changes
  nothing;
- a damaged file or environment variable: a checkpoint of `optim.save`, one of `tf.train.Saver`, its state file, a launcher's
  variables. It is read, or refused by an error of the documented kind, and never executed.

With atheris the inputs are guided by the coverage of fastreg's Python; it runs on the Pythons for which it has a wheel or finds
clang. Without it (`--engine random`) inputs are random bytes and mutations of earlier ones. What is found is printed at the end
with the input in hexadecimal; `--replay HEX` runs one input again. The exit status is 1 if anything was found. A crash or a hang
ends the process that works; it counts as found, and another process takes over with the next seed.
"""

import argparse
import contextlib
import importlib.util
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
MOST_BYTES = 600
HANG_SECONDS = 300


def targets() -> tuple[list[Callable[[Any], str]], Callable[[bytes], Any]]:
    """Import fastreg, and return what can be done with an input, and what reads it. Atheris looks at what is imported here."""
    from fuzz_targets import TARGETS, Draw

    warnings.simplefilter("ignore")
    return TARGETS, Draw


class Record:
    """Counts what came of the inputs, and writes what was found to a file, each kind once."""

    def __init__(self, path: Path) -> None:
        self.path, self.outcomes, self.found = path, Counter[str](), set[str]()
        self.targets, self.read = targets()
        self.written = time.monotonic()

    def run(self, data: bytes) -> None:
        draw = self.read(data)
        target = self.targets[draw.below(len(self.targets))]
        try:
            self.outcomes[target(draw)] += 1
        except Exception as error:  # whatever a target did not expect
            self.note(data, error)
        if time.monotonic() - self.written > 10:
            self.write({"counts": dict(self.outcomes)})
            self.written = time.monotonic()

    def note(self, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        inner = next((f for f in reversed(frames) if "/fastreg/" in f.filename), frames[-1])
        kind = f"{type(error).__name__} in {Path(inner.filename).name}:{inner.lineno} {inner.name}"
        kind += f": {re.sub(r'[0-9].*', '', str(error))}" if isinstance(error, AssertionError) else ""
        self.outcomes["found"] += 1
        if kind not in self.found:
            self.found.add(kind)
            self.write({"kind": kind, "input": data.hex(), "trace": "".join(traceback.format_exception(error))[-3000:]})

    def write(self, entry: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def random_inputs(seed: int) -> Iterator[bytes]:
    source, corpus = random.Random(seed), list[bytes]()
    while True:
        if len(corpus) < 64 or source.random() < 0.2:
            data = source.randbytes(source.randrange(1, MOST_BYTES))
        else:
            changed = bytearray(source.choice(corpus))
            for _ in range(source.randrange(1, 8)):
                changed[source.randrange(len(changed))] = source.randrange(256)
            data = bytes(changed)
        if len(corpus) < 4096:
            corpus.append(data)
        yield data


def work(engine: str, seed: int, seconds: float, record: Path) -> None:
    """Run inputs until the time is over; never returns under atheris."""
    if engine == "random":
        found, end = Record(record), time.monotonic() + seconds
        for data in random_inputs(seed):
            Path(f"{record}.input").write_bytes(data)
            found.run(data)
            if time.monotonic() > end:
                found.write({"counts": dict(found.outcomes)})
                return
    import atheris

    with atheris.instrument_imports(include=["fastreg"]):
        import fastreg.compat.v1  # noqa: F401 - instrumented as it is imported
    found = Record(record)
    corpus = Path(f"{record}.corpus")
    corpus.mkdir(exist_ok=True)
    source = random.Random(seed)
    for i in range(64):
        (corpus / f"seed_{seed}_{i}").write_bytes(source.randbytes(source.randrange(1, MOST_BYTES)))
    options = [f"-seed={seed}", f"-max_total_time={int(seconds)}", f"-max_len={MOST_BYTES}", f"-timeout={HANG_SECONDS}"]
    options += ["-len_control=0", "-rss_limit_mb=8192", f"-artifact_prefix={record}.", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], found.run)
    atheris.Fuzz()


def report(record: Path, crashes: list[str]) -> int:
    entries = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    totals, last = Counter[str](), Counter[str]()
    for entry in entries:
        if "counts" in entry:
            counts = Counter(entry["counts"])
            if sum(counts.values()) < sum(last.values()):  # another process has begun
                totals += last
            last = counts
    totals += last
    found = {entry["kind"]: entry for entry in entries if "kind" in entry}
    print(f"{sum(totals.values())} inputs: " + ", ".join(f"{n} {name}" for name, n in totals.most_common()))
    for kind, entry in found.items():
        print(f"\n{kind}\n{entry['trace']}--replay {entry['input']}")
    for crash in crashes:
        print(f"\na process ended: {crash}")
    print(f"\n{len(found)} kinds of failure, {len(crashes)} crashes or hangs")
    return 1 if found or crashes else 0


def ended(command: list[str], log: Path, seconds: float) -> str:
    """Run a process to its end, and say how it ended if not well."""
    with log.open("ab") as file:
        try:
            status = subprocess.run(command, stdout=file, stderr=file, timeout=seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            return "a hang"
    return f"status {status}" if status else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["atheris", "random"], help="by default atheris where it is installed")
    parser.add_argument("--folder", type=Path, help="for the record and what libFuzzer writes; a temporary one by default")
    parser.add_argument("--replay", metavar="HEX", help="run one input, and let its error through")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.replay:
        known, read = targets()
        draw = read(bytes.fromhex(arguments.replay))
        print(known[draw.below(len(known))](draw))
        return 0
    engine = arguments.engine
    if engine is None:
        engine = "atheris" if importlib.util.find_spec("atheris") else "random"
    if arguments.work:
        work(engine, arguments.seed, arguments.minutes * 60, arguments.folder / "record")
        return 0
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        print(f"engine {engine}, seed {arguments.seed}, {arguments.minutes:g} minutes, {folder}", flush=True)
        end, seed, crashes = time.monotonic() + arguments.minutes * 60, arguments.seed, list[str]()
        while (left := end - time.monotonic()) > 1:
            command = [sys.executable, __file__, "--work", "--engine", engine, "--seed", str(seed), "--folder", str(folder)]
            command += ["--minutes", str(left / 60)]
            status = ended(command, folder / "log", left + 2 * HANG_SECONDS)
            if status:
                last = folder / "record.input"
                crashes.append(f"{status}, seed {seed}" + (f", --replay {last.read_bytes().hex()}" if last.exists() else ""))
                print(f"crash: {crashes[-1]}; the end of {folder / 'log'} says more", flush=True)
                if end - time.monotonic() > arguments.minutes * 60 - 10 * len(crashes):
                    break  # it ends at once, each time
            seed += 1
        return report(folder / "record", crashes)


if __name__ == "__main__":
    sys.exit(main())
