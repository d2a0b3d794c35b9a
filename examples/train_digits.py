"""Train a network on handwritten digits, its kernels regularized through fastreg's registry.

The network is plain NumPy in float32: a few dense layers, mini-batches, momentum. Its training set is small and part of its
labels are wrong, so it can learn them by heart; what is an L2 penalty on its kernels worth on images it has never seen?

One part of the data trains, a second chooses the strength of the penalty, a third is looked at once, at the end::

    python -m pip install -e ".[examples]" && python examples/train_digits.py
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

import fastreg as fr

try:
    from matplotlib.figure import Figure
    from sklearn.datasets import load_digits
    from threadpoolctl import threadpool_limits
    from tqdm import tqdm
except ImportError as error:
    raise SystemExit(f'{error}; this example needs the extra "examples": python -m pip install -e ".[examples]"') from error

Array = NDArray[Any]

TEST_SIZE = 597
VALIDATION_SIZE = 300
CLASSES = 10


# Data


class Part(NamedTuple):
    """Images, one flattened to a row, and the digit on each."""

    images: Array
    labels: Array


class Split(NamedTuple):
    """Three parts that share no image."""

    train: Part
    validation: Part
    test: Part


def split_indices(count: int, train_size: int, seed: int) -> tuple[Array, Array, Array]:
    """Return the indices of the training, validation and test part.

    The test part is the same for every seed, so that no seed trains or chooses by another's test images.
    """
    order = np.random.default_rng(2026).permutation(count)
    test, rest = order[:TEST_SIZE], np.random.default_rng(seed).permutation(order[TEST_SIZE:])
    if train_size < 1 or train_size > len(rest) - VALIDATION_SIZE:
        raise ValueError(f"train_size must be from 1 to {len(rest) - VALIDATION_SIZE}, got {train_size}")
    return rest[VALIDATION_SIZE : VALIDATION_SIZE + train_size], rest[:VALIDATION_SIZE], test


def mislabel(labels: Array, share: float, rng: np.random.Generator) -> Array:
    """Return the labels with this share of them, picked at random, turned into another class each."""
    wrong = rng.choice(len(labels), round(share * len(labels)), replace=False)
    noisy = labels.copy()
    noisy[wrong] = (noisy[wrong] + rng.integers(1, CLASSES, len(wrong))) % CLASSES
    return noisy


def load_split(train_size: int, noise: float, seed: int) -> Split:
    """Return the digits, scaled to 0..1; only training labels are made wrong."""
    digits = load_digits()
    images = (digits.data / 16).astype(np.float32)
    parts = [Part(images[i], digits.target[i]) for i in split_indices(len(images), train_size, seed)]
    noisy = mislabel(parts[0].labels, noise, np.random.default_rng(seed))
    return Split(parts[0]._replace(labels=noisy), *parts[1:])


# The network


class Layer(NamedTuple):
    """The variables of a dense layer."""

    kernel: fr.Variable
    bias: fr.Variable


def build_network(sizes: Sequence[int], scale: float, dtype: DTypeLike = np.float32) -> list[Layer]:
    """Return the layers; every kernel files its penalty in the default graph, no bias does.

    A scale of 0. disables the regularizer, as in TensorFlow: nothing is filed then.
    """
    network = []
    with fr.variable_scope("digits", regularizer=fr.l2_regularizer(scale), dtype=dtype):
        for i, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
            with fr.variable_scope(f"dense{i}"):
                kernel = fr.get_variable("kernel", shape=(inputs, outputs))
                bias = fr.get_variable("bias", shape=(outputs,), initializer=np.zeros, regularizer=fr.no_regularizer)
                network.append(Layer(kernel, bias))
    return network


def forward(network: Sequence[Layer], images: Array) -> list[Array]:
    """Return the input of every layer, and last the logits."""
    activations = [images]
    for layer in network[:-1]:
        activations.append(np.maximum(activations[-1] @ layer.kernel.value + layer.bias.value, 0))
    last = network[-1]
    return [*activations, activations[-1] @ last.kernel.value + last.bias.value]


def cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """Return the mean cross-entropy and its gradient for the logits."""
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    error = np.exp(shifted)
    sums = error.sum(axis=1, keepdims=True)
    loss = float(np.mean(np.log(sums[:, 0]) - shifted[rows, labels]))
    error /= sums
    error[rows, labels] -= 1
    error /= len(labels)
    return loss, error


def backward(network: Sequence[Layer], activations: Sequence[Array], error: Array, grads: Mapping[str, Array]) -> None:
    """Write the data loss's gradient for every variable into `grads`, given its gradient for the logits."""
    for layer, inputs in zip(reversed(network), reversed(activations[:-1]), strict=True):
        np.matmul(inputs.T, error, out=grads[layer.kernel.name])
        error.sum(axis=0, out=grads[layer.bias.name])
        if inputs is not activations[0]:
            error = (error @ layer.kernel.value.T) * (inputs > 0)


def accuracy(network: Sequence[Layer], part: Part) -> float:
    """Return the share of images whose largest logit is their label's."""
    return float(np.mean(forward(network, part.images)[-1].argmax(axis=1) == part.labels))


# Training


@dataclass(frozen=True)
class Recipe:
    """How every network is trained, with and without a penalty alike."""

    epochs: int = 150
    train_size: int = 300
    noise: float = 0.2
    sizes: tuple[int, ...] = (64, 128, 64, CLASSES)
    batch: int = 32
    learning_rate: float = 0.05
    momentum: float = 0.9


@dataclass
class Run:
    """A trained network, the graph that holds its penalties, and what was seen at the end of each epoch."""

    scale: float
    graph: fr.Graph
    network: list[Layer]
    history: dict[str, list[float]] = field(default_factory=dict)

    def note(self, **values: float) -> None:
        """Add an epoch to the history."""
        for key, value in values.items():
            self.history.setdefault(key, []).append(value)


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield the indices of each mini-batch of one epoch."""
    order = rng.permutation(count)
    return (order[start : start + size] for start in range(0, count, size))


def train(recipe: Recipe, split: Split, scale: float, seed: int, after_epoch: Callable[[], object] = lambda: None) -> Run:
    """Train a network from scratch. Two runs of one seed differ in the penalty alone: same start, same batches."""
    rng = np.random.default_rng(seed)
    with fr.Graph().as_default() as graph:
        fr.set_random_seed(seed)
        network = build_network(recipe.sizes, scale)
        variables = fr.trainable_variables()
        penalties = fr.get_regularization_losses()
        penalty = fr.get_regularization_loss()
    run = Run(scale, graph, network)
    grads = {v.name: np.zeros_like(v.value) for v in variables}
    velocity = {v.name: np.zeros_like(v.value) for v in variables}
    images, labels = split.train
    for epoch in range(recipe.epochs):
        rate = recipe.learning_rate * (1 + np.cos(np.pi * epoch / recipe.epochs)) / 2
        for batch in batches(len(labels), recipe.batch, rng):
            activations = forward(network, images[batch])
            _, error = cross_entropy(activations[-1], labels[batch])
            backward(network, activations, error, grads)
            fr.value_and_gradients(penalties, out=grads, accumulate=True)
            for v in variables:
                velocity[v.name] *= recipe.momentum
                velocity[v.name] -= np.float32(rate) * grads[v.name]
                v.value[...] += velocity[v.name]
        run.note(
            train_loss=cross_entropy(forward(network, images)[-1], labels)[0],
            validation_loss=cross_entropy(forward(network, split.validation.images)[-1], split.validation.labels)[0],
            train_accuracy=accuracy(network, split.train),
            validation_accuracy=accuracy(network, split.validation),
            penalty=float(penalty),
            half_squares=half_squares(variables),
        )
        after_epoch()
    return run


def half_squares(variables: Sequence[fr.Variable]) -> float:
    """Return the sum of ``l2_loss`` over all variables but biases: what TensorFlow 1 scripts wrote by hand."""
    return float(sum(fr.l2_loss(v.value) for v in variables if "bias" not in v.name))


# What is shown


def mean_and_spread(values: Sequence[float] | Array) -> str:
    """Return the mean and standard deviation of shares, in per cent."""
    percent = 100 * np.asarray(values)
    return f"{percent.mean():5.1f} +- {percent.std():3.1f} %"


def name_of(scale: float) -> str:
    """Return how a strength is called on screen."""
    return f"L2, scale {scale:g}" if scale else "no penalty"


def penalty_table(run: Run, without: Run) -> str:
    """Return each variable's penalty, and the size of its weights with the penalty and without, as a table."""
    with run.graph.as_default():
        paid = {term.variable.name: float(term) for term in fr.get_regularization_losses()}
        total = float(fr.get_regularization_loss())
        variables = fr.trainable_variables()
    rms = {v.name: [np.sqrt(np.mean(np.square(u.value))) for u in (v, without.graph.variables[v.op_name])] for v in variables}
    width = max(len(v.name) for v in variables)
    rows = [f"{'variable':{width}}  {'shape':>10}  {'rms weight':>10}  {'(without)':>10}  {'penalty':>10}  {'share':>6}"]
    for v in variables:
        cost, share = (f"{paid[v.name]:.6f}", f"{paid[v.name] / total:.1%}") if v.name in paid else ("-", "-")
        shape = " x ".join(map(str, v.shape))
        rows.append(f"{v.name:{width}}  {shape:>10}  {rms[v.name][0]:10.4f}  {rms[v.name][1]:10.4f}  {cost:>10}  {share:>6}")
    rows.append(f"{'total':{width}}  {'':>10}  {'':>10}  {'':>10}  {total:10.6f}  {1:6.1%}")
    return "\n".join(rows)


def penalty_both_ways(run: Run) -> tuple[float, float]:
    """Return the penalty as the collection has it, and as a TensorFlow 1 script would form it by hand."""
    with run.graph.as_default():
        collected = fr.add_n(fr.get_collection(fr.GraphKeys.REGULARIZATION_LOSSES))
        return float(collected), run.scale * half_squares(fr.trainable_variables())


def plot(path: Path, without: Sequence[Run], runs: Sequence[Run], recipe: Recipe) -> None:
    """Draw loss, penalty and accuracy over the epochs: the mean over the seeds, in a band of one standard deviation."""
    scale = runs[0].scale
    figure = Figure(figsize=(12.5, 4.2), layout="constrained")
    figure.suptitle(f"Mean of {len(runs)} seeds, in a band of one standard deviation", fontsize=9, color="0.4")
    loss, penalty, correct = figure.subplots(1, 3)
    epochs = np.arange(1, recipe.epochs + 1)

    def curve(axes: Any, values: Array, color: str, style: str, label: str) -> None:
        mean, spread = values.mean(axis=0), values.std(axis=0)
        axes.plot(epochs, mean, color=color, linestyle=style, linewidth=1.6, label=label)
        axes.fill_between(epochs, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)

    for group, color in ((without, "#c1543c"), (runs, "#2a6f97")):
        seen = {key: np.array([run.history[key] for run in group]) for key in group[0].history}
        name = name_of(group[0].scale)
        for part, style in (("validation", "-"), ("train", ":")):
            curve(loss, seen[f"{part}_loss"], color, style, f"{part}, {name}")
            curve(correct, 100 * seen[f"{part}_accuracy"], color, style, f"{part}, {name}")
        if group[0].scale:
            curve(penalty, seen["penalty"], color, "-", "with the penalty")
        else:
            curve(penalty, scale * seen["half_squares"], color, "--", "without: what they would pay")
    loss.set(title="Data loss (mean cross-entropy)", ylim=(0, None))
    penalty.set(title=f"Penalty of the kernels ({name_of(scale)})", ylim=(0, None))
    correct.set(title="Accuracy in %", ylim=(None, 101))
    if recipe.noise:
        right = 100 * (1 - recipe.noise)
        correct.axhline(right, color="0.5", linewidth=0.8, zorder=0, label=f"training labels that are right, {right:g} %")
    for axes in (loss, penalty, correct):
        axes.set(xlabel="epoch", xlim=(1, max(2, recipe.epochs)))
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=120)


# The command


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    default = Recipe()
    parser.add_argument("--epochs", type=int, help=f"default {default.epochs}")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, help="how many networks for each strength (default 8)")
    parser.add_argument("--train-size", type=int, default=default.train_size, help=f"images, default {default.train_size}")
    parser.add_argument("--noise", type=float, default=default.noise, help=f"share of wrong labels, default {default.noise}")
    parser.add_argument("--scale", type=float, nargs="+", help="strengths to choose from (default 0.003 0.01 0.02 0.03)")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="default train_digits.png beside this file")
    parser.add_argument("--quick", action="store_true", help="one strength, two seeds, 40 epochs, where not told otherwise")
    options = parser.parse_args(argv)
    options.epochs = options.epochs if options.epochs is not None else 40 if options.quick else default.epochs
    options.seeds = options.seeds if options.seeds is not None else 2 if options.quick else 8
    options.scale = options.scale or ([0.02] if options.quick else [0.003, 0.01, 0.02, 0.03])
    options.plot = options.plot or Path(__file__).with_suffix(".png")
    if options.epochs < 1 or options.seeds < 1 or options.seed < 0:
        parser.error("--epochs and --seeds must be at least 1, --seed at least 0")
    if not 0 <= options.noise < 1 or not all(0 < scale < np.inf for scale in options.scale):
        parser.error("--noise must be a share from 0 to below 1, and every --scale above 0 and finite")
    if not options.plot.parent.is_dir():
        parser.error(f"--plot: {str(options.plot.parent)!r} is not a folder")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Train, choose, look once at the test part, and show what was found."""
    options = arguments(argv)
    recipe = Recipe(options.epochs, options.train_size, options.noise)
    seeds = range(options.seed, options.seed + options.seeds)
    try:
        splits = [load_split(recipe.train_size, recipe.noise, seed) for seed in seeds]
    except ValueError as error:
        raise SystemExit(f"--train-size: {error}") from error
    scales = [0.0, *options.scale]
    print(
        f"UCI handwritten digits: {recipe.train_size} images to train on, {recipe.noise:.0%} of them labelled wrong on purpose;\n"
        f"{VALIDATION_SIZE} to choose the strength by, {TEST_SIZE} to look at once, all of these labelled right.\n"
        f"Network {'-'.join(map(str, recipe.sizes))} in float32, {len(scales)} strengths, {len(seeds)} seeds, "
        f"{recipe.epochs} epochs each.\n"
    )
    begin = time.perf_counter()
    runs: dict[float, list[Run]] = {scale: [] for scale in scales}
    # Products this small are slower on several of BLAS's threads, by far where other work has the cores.
    one_thread = threadpool_limits(1, user_api="blas")
    with one_thread, tqdm(total=len(scales) * len(seeds) * recipe.epochs, unit="epoch", file=sys.stderr) as bar:
        for scale in scales:
            for seed, split in zip(seeds, splits, strict=True):
                bar.set_description(f"{name_of(scale)}, seed {seed}")
                runs[scale].append(train(recipe, split, scale, seed, bar.update))
    print(f"trained in {time.perf_counter() - begin:.1f} s\n")

    validation = {scale: [run.history["validation_accuracy"][-1] for run in runs[scale]] for scale in scales}
    print(f"{'':16}  {'training set':>15}  {'validation':>15}")
    for scale in scales:
        seen = [run.history["train_accuracy"][-1] for run in runs[scale]]
        print(f"{name_of(scale):16}  {mean_and_spread(seen)}  {mean_and_spread(validation[scale])}")
    chosen = max(options.scale, key=lambda scale: float(np.mean(validation[scale])))
    print(f"\nchosen by the validation part: {name_of(chosen)}\n")

    tested = {
        scale: np.array([accuracy(run.network, split.test) for run, split in zip(runs[scale], splits, strict=True)])
        for scale in (0.0, chosen)
    }
    gain = tested[chosen] - tested[0.0]
    print("Held-out accuracy, mean and standard deviation over the seeds")
    for scale in (0.0, chosen):
        print(f"  {name_of(scale):16}  {mean_and_spread(tested[scale])}")
    print(f"  {'difference':16}  {mean_and_spread(gain)}, better with the penalty for {np.sum(gain > 0)} of {len(gain)} seeds\n")

    shown = runs[chosen][0]
    print(f"The penalty per variable, seed {seeds[0]}\n{penalty_table(shown, runs[0.0][0])}\n")
    collected, by_hand = penalty_both_ways(shown)
    print(
        "The same number twice\n"
        f"  add_n(get_collection(REGULARIZATION_LOSSES))            {collected:.6f}\n"
        f"  scale * sum(l2_loss(v) for v not named 'bias')          {by_hand:.6f}"
    )
    if not np.isclose(collected, by_hand, rtol=1e-6, atol=0):
        print("  These should agree to the rounding of float32.", file=sys.stderr)
        return 1
    plot(options.plot, runs[0.0], runs[chosen], recipe)
    print(f"\nLoss, penalty and accuracy over the epochs: {options.plot}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
