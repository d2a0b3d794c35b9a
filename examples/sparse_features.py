"""Pick features by L1: what the plain gradient of |w| leaves small, the proximal step makes exactly zero.

Logistic regression tells malignant from benign tumours by 30 measurements of the Wisconsin breast cancer data, among which
stand nine shuffled copies of each: 270 features that look alike and say nothing. An L1 penalty should find that out. Every rule
gets the same penalty as a term of the same collection; a proximal rule takes it in its proximal step by itself.

Each is trained twice: on the whole training part at every step, and on mini-batches, whose noise pushes weights off zero again.
Ftrl, which weighs the penalty against all gradients so far, minds that least.

One part of the data trains, a second chooses the strength of the penalty, a third is looked at once, at the end::

    python -m pip install -e ".[examples]" && python examples/sparse_features.py
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

import fastreg as fr

try:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator
    from sklearn.datasets import load_breast_cancer
    from threadpoolctl import threadpool_limits
    from tqdm import tqdm
except ImportError as error:
    raise SystemExit(f'{error}; this example needs the extra "examples": python -m pip install -e ".[examples]"') from error

Array = NDArray[Any]

TEST_SIZE = 169
VALIDATION_SIZE = 100
NEARLY = 1e-3
RECORDED = 10  # steps between two looks at the zeros


# Data


class Part(NamedTuple):
    """Features, one patient to a row, and for each 1 for benign or 0 for malignant."""

    features: Array
    labels: Array


class Split(NamedTuple):
    """Three parts that share no patient."""

    train: Part
    validation: Part
    test: Part


def with_shuffled_copies(measured: Array, copies: int, rng: np.random.Generator) -> Array:
    """Return the measurements, and behind them copies whose columns are shuffled among the patients, each by itself."""
    return np.hstack([measured, *(rng.permuted(measured, axis=0) for _ in range(copies))])


def load_split(copies: int, seed: int) -> Split:
    """Return the data in float32, each feature scaled by the training part's mean and standard deviation.

    The test part is the same for every seed, so that no seed trains or chooses by another's test patients.
    """
    data = load_breast_cancer()
    rng = np.random.default_rng(seed)
    features = with_shuffled_copies(data.data, copies, rng)
    order = np.random.default_rng(2026).permutation(len(features))
    test, rest = order[:TEST_SIZE], rng.permutation(order[TEST_SIZE:])
    validation, train = rest[:VALIDATION_SIZE], rest[VALIDATION_SIZE:]
    scaled = ((features - features[train].mean(axis=0)) / features[train].std(axis=0)).astype(np.float32)
    return Split(*(Part(scaled[i], data.target[i].astype(np.float32)) for i in (train, validation, test)))


# Logistic regression


class Model(NamedTuple):
    """A weight for each feature, and a bias that pays no penalty."""

    kernel: fr.Variable
    bias: fr.Variable


def build(features: int, regularizer: Any) -> Model:
    """Return a model at zero; its kernel files its penalty in the default graph, unless the regularizer is disabled."""
    kernel = fr.get_variable("kernel", shape=(features,), initializer=np.zeros, regularizer=regularizer)
    return Model(kernel, fr.get_variable("bias", shape=(1,), initializer=np.zeros))


def logits(model: Model, features: Array) -> Array:
    """Return each patient's log-odds of benign."""
    return np.asarray(features @ model.kernel.value + model.bias.value)


def log_loss(model: Model, part: Part) -> float:
    """Return the mean cross-entropy."""
    z = logits(model, part.features).astype(np.float64)
    return float(np.mean(np.logaddexp(0, z) - part.labels * z))


def gradients(model: Model, part: Part) -> tuple[Array, Array]:
    """Return the gradients of `log_loss` for kernel and bias."""
    z = logits(model, part.features)
    error = (0.5 * (1 + np.tanh(0.5 * z)) - part.labels) / np.float32(len(z))  # a sigmoid that cannot overflow
    return part.features.T @ error, error.sum(keepdims=True)


def accuracy(model: Model, part: Part) -> float:
    """Return the share of patients who are told right."""
    return float(np.mean((logits(model, part.features) > 0) == (part.labels == 1)))


# Training


def cosine(rate: float, steps: int) -> Callable[[int], float]:
    """Return a learning rate that falls from `rate` to nearly 0 in this number of steps."""
    return lambda step: rate * (1 + np.cos(np.pi * step / steps)) / 2


class Method(NamedTuple):
    """An update rule for a number of steps, and whether it is given the penalty."""

    rule: Callable[[int], fr.optim.Optimizer]
    penalized: bool = True
    cumulative: bool = False


# Ftrl holds its l1 against the gradients of all steps so far, so there the penalty must grow with the steps.
METHODS: Mapping[str, Method] = {
    "no penalty": Method(lambda steps: fr.optim.GradientDescent(cosine(0.2, steps)), penalized=False),
    "GradientDescent": Method(lambda steps: fr.optim.GradientDescent(cosine(0.2, steps))),
    "ProximalGradientDescent": Method(lambda steps: fr.optim.ProximalGradientDescent(cosine(0.2, steps))),
    "Adagrad": Method(lambda steps: fr.optim.Adagrad(0.1)),
    "ProximalAdagrad": Method(lambda steps: fr.optim.ProximalAdagrad(0.1)),
    "Ftrl": Method(lambda steps: fr.optim.Ftrl(0.1), cumulative=True),
}
CHOOSES = "ProximalGradientDescent"


@dataclass
class Run:
    """A trained model, its median time a step, and the share of exact zeros in its kernel after every tenth step."""

    method: str
    scale: float
    model: Model
    microseconds: float = 0.0
    zeros: list[float] = field(default_factory=list)

    @property
    def weights(self) -> Array:
        """The kernel."""
        return np.asarray(self.model.kernel.value)

    def objective(self, part: Part) -> float:
        """Return what every penalized method tries to make small: the data loss and the penalty."""
        return log_loss(self.model, part) + self.scale * float(np.abs(self.weights).sum(dtype=np.float64))


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield the indices of one batch after the other, each patient once before any comes again."""
    while True:
        order = rng.permutation(count)
        yield from (order[start : start + size] for start in range(0, count - size + 1, size))


def train(method: str, split: Split, scale: float, steps: int, batch: int, seed: int) -> Run:
    """Train from zero. Two runs of one seed see the same batches."""
    rule, penalized, cumulative = METHODS[method]
    l1 = fr.l1_regularizer(scale)
    features, labels = split.train
    with fr.Graph().as_default():
        model = build(features.shape[1], l1 if penalized else None)
        terms = fr.get_regularization_losses()
    optimizer, run, seconds = rule(steps), Run(method, scale, model), []
    parts = (Part(features[i], labels[i]) for i in batches(len(labels), batch, np.random.default_rng(seed)))
    for part in itertools.islice(parts, steps) if batch < len(labels) else itertools.repeat(split.train, steps):
        begin = time.perf_counter()
        kernel, bias = gradients(model, part)
        if cumulative:
            l1.scale = scale * (optimizer.iterations + 1)
        optimizer.apply_gradients([(kernel, model.kernel), (bias, model.bias)], regularization=terms)
        seconds.append(time.perf_counter() - begin)
        if optimizer.iterations % RECORDED == 0:
            run.zeros.append(float(np.mean(run.weights == 0)))
    run.microseconds = 1e6 * float(np.median(seconds))
    return run


# What is shown


def mean_and_spread(values: Sequence[float], unit: float = 1.0, digits: int = 1) -> str:
    """Return the mean and standard deviation."""
    scaled = unit * np.asarray(values)
    return f"{scaled.mean():.{digits}f} +- {scaled.std():.{digits}f}"


def selection(weights: Array, measured: int) -> tuple[int, int, int]:
    """Return how many weights are exactly zero, how many measurements are kept, and how many shuffled copies."""
    kept = weights != 0
    return int(np.sum(~kept)), int(np.sum(kept[:measured])), int(np.sum(kept[measured:]))


def table(runs: Mapping[str, Sequence[Run]], splits: Sequence[Split], measured: int) -> str:
    """Return a line for each method: zeros, what is kept, objective, accuracy and time, over the seeds."""
    first = next(iter(runs.values()))[0]
    copies = len(first.weights) - measured
    header = (
        f"exactly 0 of {len(first.weights)}", f"below {NEARLY:g}", f"of {measured} real", f"of {copies} copies",
        "objective", "test accuracy", "us a step",
    )  # fmt: skip
    rows = [("", *header)]
    for method, group in runs.items():
        zeros, real, noise = zip(*(selection(run.weights, measured) for run in group), strict=True)
        rows.append(
            (
                method,
                mean_and_spread(zeros),
                mean_and_spread([float(np.sum(np.abs(run.weights) < NEARLY)) for run in group]),
                mean_and_spread(real),
                mean_and_spread(noise),
                f"{np.mean([run.objective(split.train) for run, split in zip(group, splits, strict=True)]):.5f}",
                mean_and_spread([accuracy(run.model, s.test) for run, s in zip(group, splits, strict=True)], 100) + " %",
                f"{np.median([run.microseconds for run in group]):.0f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    )


COLORS = {
    "no penalty": "0.6", "GradientDescent": "#c1543c", "ProximalGradientDescent": "#2a6f97", "Adagrad": "#e0a458",
    "ProximalAdagrad": "#5fa8d3", "Ftrl": "#4f772d",
}  # fmt: skip


Runs: TypeAlias = Mapping[str, Sequence[Run]]


def plot(path: Path, whole: Runs, batched: Runs, strengths: Mapping[float, Sequence[tuple[float, float]]], batch: int) -> None:
    """Draw the zeros over the steps, the sorted weights of the first seed, and accuracy over what is kept."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    (over_time, with_noise), (sizes, by_strength) = figure.subplots(2, 2)
    for axes, runs in ((over_time, whole), (with_noise, batched)):
        for method, group in runs.items():
            zeros = 100 * np.array([run.zeros for run in group]).mean(axis=0)
            steps = RECORDED * np.arange(1, len(zeros) + 1)
            axes.plot(steps, zeros, color=COLORS[method], linestyle=style(method), linewidth=1.6, label=method)
        axes.set(xlabel="step", ylabel="% of the weights", ylim=(-3, 103))
    for method, group in whole.items():
        weights = np.sort(np.abs(group[0].weights))[::-1]
        kept = weights[weights > 0]
        sizes.plot(np.arange(1, len(kept) + 1), kept, color=COLORS[method], linestyle=style(method), linewidth=1.6)
    sizes.set(xlabel="rank", ylabel="|weight|", yscale="log", ylim=(1e-9, None))
    seen = np.array(list(strengths.values())) * (1, 100)  # strength, seed, (kept, accuracy)
    (kept_counts, correct), (_, spread) = seen.mean(axis=1).T, seen.std(axis=1).T
    by_strength.errorbar(kept_counts, correct, spread, fmt="o", color=COLORS[CHOOSES], elinewidth=0.8, capsize=2)
    for scale, x, y in zip(strengths, kept_counts, correct, strict=True):
        by_strength.annotate(f"{scale:g}", (x, y), (5, 5), textcoords="offset points", fontsize=9)
    by_strength.set(xlabel="features kept", ylabel="validation accuracy in %", xscale="log")
    by_strength.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    by_strength.xaxis.set_major_formatter("{x:g}")
    by_strength.xaxis.set_minor_formatter("")
    over_time.set_title("Weights that are exactly 0: every step on all of the training part")
    with_noise.set_title(f"Weights that are exactly 0: mini-batches of {batch}")
    sizes.set_title("Weights that are not 0, by size (all of the training part, first seed)")
    by_strength.set_title(f"{CHOOSES} by strength of the penalty")
    for axes in (over_time, with_noise, sizes, by_strength):
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    over_time.legend(fontsize=9, frameon=False, loc="center right")
    figure.savefig(path, dpi=110)


def style(method: str) -> str:
    """Return a full line for the rules with a proximal step, a dashed one for the rest."""
    return "-" if method.startswith(("Proximal", "Ftrl")) else "--"


# The command


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--steps", type=int, help="default 2000")
    parser.add_argument("--batch", type=int, default=30, help="patients in a mini-batch, default 30")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, help="how many models for each method and strength (default 8)")
    parser.add_argument("--copies", type=int, default=9, help="shuffled copies of each measurement, default 9")
    parser.add_argument("--scale", type=float, nargs="+", help="strengths to choose from (default 0.003 0.01 0.02 0.04 0.08)")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="default sparse_features.png beside this file")
    parser.add_argument("--quick", action="store_true", help="two strengths, two seeds, 300 steps, where not told otherwise")
    options = parser.parse_args(argv)
    options.steps = options.steps if options.steps is not None else 300 if options.quick else 2000
    options.seeds = options.seeds if options.seeds is not None else 2 if options.quick else 8
    options.scale = options.scale or ([0.01, 0.04] if options.quick else [0.003, 0.01, 0.02, 0.04, 0.08])
    options.plot = options.plot or Path(__file__).with_suffix(".png")
    if min(options.steps // RECORDED, options.batch, options.seeds, options.copies) < 1 or options.seed < 0:
        parser.error(f"--steps must be at least {RECORDED}, --batch, --seeds and --copies at least 1, --seed at least 0")
    if not all(0 < scale < np.inf for scale in options.scale):
        parser.error("every --scale must be above 0 and finite")
    if not options.plot.parent.is_dir():
        parser.error(f"--plot: {str(options.plot.parent)!r} is not a folder")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Choose a strength, train by every rule, look once at the test part, and show what was found."""
    options = arguments(argv)
    seeds = range(options.seed, options.seed + options.seeds)
    splits = [load_split(options.copies, seed) for seed in seeds]
    features = splits[0].train.features.shape[1]
    measured = features // (options.copies + 1)
    patients = len(splits[0].train.labels)
    print(
        f"Wisconsin breast cancer data: {patients} patients to train on, {VALIDATION_SIZE} to choose the strength by, "
        f"{TEST_SIZE} to look at once.\n{measured} measurements and {features - measured} shuffled copies, {len(seeds)} seeds, "
        f"{options.steps} steps, float32.\n"
    )
    begin = time.perf_counter()
    strengths: dict[float, list[tuple[float, float]]] = {}
    losses: dict[float, float] = {}
    jobs = len(seeds) * (len(options.scale) + 2 * len(METHODS))
    # Products this small are slower on several of BLAS's threads, by far where other work has the cores.
    with threadpool_limits(1, user_api="blas"), tqdm(total=jobs, unit="run", file=sys.stderr) as bar:

        def trained(methods: Iterable[str], scale: float, batch: int) -> dict[str, list[Run]]:
            runs: dict[str, list[Run]] = {method: [] for method in methods}
            for seed, split in zip(seeds, splits, strict=True):  # methods by turns: what else the machine does hits all alike
                for method, group in runs.items():
                    bar.set_description(f"{method}, scale {scale:g}")
                    group.append(train(method, split, scale, options.steps, batch, seed))
                    bar.update()
            return runs

        for scale in options.scale:
            group = trained([CHOOSES], scale, patients)[CHOOSES]
            seen = [(run, split.validation) for run, split in zip(group, splits, strict=True)]
            strengths[scale] = [(float(np.sum(run.weights != 0)), accuracy(run.model, part)) for run, part in seen]
            losses[scale] = float(np.mean([log_loss(run.model, part) for run, part in seen]))
        chosen = min(losses, key=losses.__getitem__)
        whole = trained(METHODS, chosen, patients)
        batched = trained(METHODS, chosen, options.batch)
    print(f"trained in {time.perf_counter() - begin:.1f} s\n")

    print(f"{'L1 strength':>12}  {'features kept':>14}  {'validation loss':>15}  {'accuracy':>14}")
    for scale, points in strengths.items():
        kept, correct = zip(*points, strict=True)
        print(f"{scale:12g}  {mean_and_spread(kept):>14}  {losses[scale]:15.4f}  {mean_and_spread(correct, 100):>12} %")
    print(f"\nchosen by the validation part's loss: {chosen:g}")
    print(f"\nEvery step on all {patients} patients\n{table(whole, splits, measured)}")
    print(f"\nMini-batches of {options.batch}\n{table(batched, splits, measured)}")
    print(
        "\nMean and standard deviation over the seeds; of time the median. objective: training loss + strength * sum(|w|).\n"
        "The penalty is what helps accuracy; how a rule comes to its zeros decides only whether they are there."
    )
    plot(options.plot, whole, batched, strengths, options.batch)
    print(f"\nZeros, sizes of weights, and accuracy by what is kept: {options.plot}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
