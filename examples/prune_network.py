"""Train a network on handwritten digits, and remove whole neurons from it by group lasso.

The weights into a neuron are a column of its layer's kernel, (inputs, outputs): a group of ``axis=0``. Group lasso penalizes the
norm of each group, and a proximal step makes whole groups exactly zero. The last layer's neurons are the ten digits, which must
stay. There a group is a row, ``axis=1``: the weights out of a hidden neuron. Without a penalty on these, large weights out of a
neuron would make up for small weights into it.

A neuron with a zero column or a zero row is not needed: it is cut out of the arrays, and the smaller network gives the same
predictions. One part of the data trains, a second chooses the strength, a third is looked at once, at the end::

    python -m pip install -e ".[examples]" && python examples/prune_network.py
"""

from __future__ import annotations

import argparse
import time
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

import fastreg as fr

try:
    from matplotlib.figure import Figure
    from sklearn.datasets import load_digits
    from threadpoolctl import threadpool_limits
except ImportError as error:
    raise SystemExit(f'{error}; this example needs the extra "examples": python -m pip install -e ".[examples]"') from error

Array: TypeAlias = NDArray[Any]
Network: TypeAlias = dict[str, Array]
"""The arrays kernel1, bias1, kernel2, ... of dense layers."""

SIZES = (64, 128, 64, 10)
LAYERS = range(1, len(SIZES))
BATCH = 30


class Part(NamedTuple):
    """Images, one flattened to a row, and the digit on each."""

    images: Array
    labels: Array


def load_parts() -> tuple[Part, Part, Part]:
    """Return the training, validation and test part: 900, 300 and 597 images."""
    digits = load_digits()
    images = (digits.data / 16).astype(np.float32)
    order = np.random.default_rng(2026).permutation(len(images))
    train, validation, test = (Part(images[i], digits.target[i]) for i in np.split(order, [900, 1200]))
    return train, validation, test


def build(rng: np.random.Generator) -> Network:
    """Return a network with He's initial weights."""
    network = {}
    for i, (inputs, outputs) in zip(LAYERS, pairwise(SIZES), strict=True):
        network[f"kernel{i}"] = rng.normal(0, np.sqrt(2 / inputs), (inputs, outputs)).astype(np.float32)
        network[f"bias{i}"] = np.zeros(outputs, np.float32)
    return network


def forward(network: Network, images: Array) -> list[Array]:
    """Return the input of every layer, and last the logits."""
    values = [images]
    for i in LAYERS:
        values.append(values[-1] @ network[f"kernel{i}"] + network[f"bias{i}"])
        if i < LAYERS[-1]:
            np.maximum(values[-1], 0, out=values[-1])
    return values


def gradients(network: Network, part: Part) -> Network:
    """Return the gradients of the mean cross-entropy."""
    values = forward(network, part.images)
    error = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
    error /= error.sum(axis=1, keepdims=True)
    error[np.arange(len(error)), part.labels] -= 1
    error /= len(error)
    grads = {}
    for i in reversed(LAYERS):
        grads[f"kernel{i}"], grads[f"bias{i}"] = values[i - 1].T @ error, error.sum(axis=0)
        error = (error @ network[f"kernel{i}"].T) * (values[i - 1] > 0)
    return grads


def accuracy(network: Network, part: Part) -> float:
    """Return the share of images whose largest logit is their label's."""
    return float(np.mean(forward(network, part.images)[-1].argmax(axis=1) == part.labels))


# Neurons


def penalize(network: Network, scale: float) -> fr.Terms:
    """Return group lasso over the weights into each hidden neuron, and in the last layer over the weights out of each."""
    into, out_of = (fr.group_lasso_regularizer(scale, axis, size_power=0.5) for axis in (0, 1))
    return fr.regularize(network, [("bias*", None), (f"kernel{LAYERS[-1]}", out_of), ("kernel*", into)])


def used_neurons(network: Network) -> list[Array]:
    """Return for each hidden layer which neurons have a weight other than 0 both into and out of them."""
    kernels = [network[f"kernel{i}"] for i in LAYERS]
    return [np.asarray(into.any(axis=0) & out_of.any(axis=1)) for into, out_of in pairwise(kernels)]


def cut(network: Network) -> Network:
    """Return the network without the neurons that are not used.

    A neuron without weights into it has the same value for every image, max(bias, 0). Its share moves to the next layer's biases.
    """
    small = dict(network)
    for i, used in enumerate(used_neurons(network), start=1):
        into, bias, out_of, next_bias = f"kernel{i}", f"bias{i}", f"kernel{i + 1}", f"bias{i + 1}"
        small[next_bias] = small[next_bias] + np.maximum(small[bias][~used], 0) @ small[out_of][~used]
        small[into], small[bias], small[out_of] = small[into][:, used], small[bias][used], small[out_of][used]
    return small


class Run(NamedTuple):
    """A trained network, and how many neurons each hidden layer had left after each epoch."""

    network: Network
    left: Array


def train(part: Part, scale: float, epochs: int, seed: int) -> Run:
    """Train a network from scratch. Two runs of one seed differ in the strength alone: same start, same batches."""
    rng = np.random.default_rng(seed)
    network, left = build(rng), []
    terms = penalize(network, scale)
    n_batches = len(part.labels) // BATCH
    optimizer = fr.optim.ProximalGradientDescent(fr.optim.schedules.cosine_decay(0.3, epochs * n_batches))
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(len(part.labels)), n_batches):
            grads = gradients(network, Part(part.images[batch], part.labels[batch]))
            optimizer.apply_gradients({name: (grads[name], network[name]) for name in network}, regularization=terms)
        left.append([used.sum() for used in used_neurons(network)])
    return Run(network, np.array(left))


# What is shown


def milliseconds(call: Callable[[], object]) -> float:
    """Return the best time of a call."""
    return 1e3 * min(timeit.repeat(call, number=10, repeat=20)) / 10


def plot(path: Path, runs: dict[float, Run], validation: Part, chosen: float) -> None:
    """Draw neurons and accuracy over the strength, and the neurons of the chosen strength over the epochs."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    by_strength, over_time = figure.subplots(1, 2)
    scales = [scale for scale in runs if scale]
    correct = by_strength.twinx()
    correct.plot(scales, [100 * accuracy(runs[s].network, validation) for s in scales], "o-", color="#c1543c")
    correct.axhline(100 * accuracy(runs[0.0].network, validation), color="#c1543c", linestyle=":")
    correct.set(ylim=(80, 100))
    correct.set_ylabel("validation accuracy in % (dotted: no penalty)", color="#c1543c")
    by_strength.set(xscale="log", xlabel="strength of the penalty", ylabel="hidden neurons left", title="After training")
    by_strength.axvline(chosen, color="0.7", linewidth=0.8)
    for layer, color in enumerate(("#2a6f97", "#5fa8d3")):
        left = runs[chosen].left[:, layer]
        label = f"hidden layer {layer + 1}, of {SIZES[layer + 1]}"
        by_strength.plot(scales, [runs[s].left[-1, layer] for s in scales], "o-", color=color, label=label)
        over_time.plot(np.arange(1, len(left) + 1), left, color=color, label=label)
    over_time.set(xlabel="epoch", ylabel="hidden neurons left", title=f"Training with the chosen strength, {chosen:g}")
    for axes in (by_strength, over_time):
        axes.set_ylim(0, None)
        axes.grid(color="0.9")
        axes.legend(fontsize=9, frameon=False)
    figure.savefig(path, dpi=90)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--epochs", type=int, default=200, help="default 200")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, nargs="+", default=[1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 4e-3], help="strengths")
    parser.add_argument("--plot", type=Path, metavar="PATH", default=Path(__file__).with_suffix(".png"))
    options = parser.parse_args(argv)
    if options.epochs < 1 or options.seed < 0:
        parser.error("--epochs must be at least 1, --seed at least 0")
    if not all(0 < scale < np.inf for scale in options.scale):
        parser.error("every --scale must be above 0 and finite")
    if not options.plot.parent.is_dir():
        parser.error(f"--plot: {str(options.plot.parent)!r} is not a folder")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Train with each strength, choose one, cut its network, and show what that saves and costs."""
    options = arguments(argv)
    train_part, validation, test = load_parts()
    # Products this small are slower on several of BLAS's threads.
    with threadpool_limits(1, user_api="blas"):
        begin = time.perf_counter()
        runs = {scale: train(train_part, scale, options.epochs, options.seed) for scale in (0.0, *sorted(options.scale))}
        print(f"trained {len(runs)} networks {'-'.join(map(str, SIZES))} in {time.perf_counter() - begin:.1f} s\n")
        print(f"{'strength':>8}  {'neurons left':>12}  {'validation':>10}")
        correct = {scale: accuracy(run.network, validation) for scale, run in runs.items()}
        for scale, run in runs.items():
            print(f"{scale:8g}  {' + '.join(map(str, run.left[-1])):>12}  {correct[scale]:10.1%}")
        chosen = max((s for s in options.scale if correct[s] >= correct[0.0] - 0.01), default=min(options.scale))
        print(f"\nchosen: {chosen:g}, the largest that costs at most 1 point of validation accuracy, or else the smallest\n")

        whole = runs[chosen].network
        small = cut(whole)
        logits, again = (forward(network, test.images)[-1] for network in (whole, small))
        np.testing.assert_allclose(again, logits, rtol=1e-4, atol=1e-4)
        assert (again.argmax(axis=1) == logits.argmax(axis=1)).all()
        print(f"{'':12}  {'weights':>7}  {'forward pass':>12}  {'test accuracy':>13}")
        for name, network in (("no penalty", runs[0.0].network), ("group lasso", whole), ("cut", small)):
            weights = sum(array.size for array in network.values())
            duration = milliseconds(partial(forward, network, test.images))
            print(f"{name:12}  {weights:7}  {duration:9.2f} ms  {accuracy(network, test):13.1%}")
    plot(options.plot, runs, validation, chosen)
    print(f"\nNeurons and accuracy over strength and epochs: {options.plot}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
