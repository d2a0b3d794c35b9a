"""Train a bfloat16 network with torch and step it on the CPU: 16-bit gradients in, float32 master weights, 16-bit weights out.

The network stands for one on a GPU, whose gradients are brought to main memory. Three optimizers train it from one start, and
their losses are drawn: fastreg's AdamW with `master_weights`, one pass; torch's AdamW over float32 copies, with a cast of each
gradient and of each weight around it; and torch's AdamW over the bfloat16 weights themselves, where a step that is smaller than
half of a weight's last digit is lost. fastreg's run is repeated with 1, 2, ... threads, which must give the same bits::

    python -m pip install -e ".[examples,torch]" && python examples/offload_torch.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import fastreg as fr

try:
    import torch
    from matplotlib.figure import Figure
    from sklearn.datasets import load_digits
    from torch import nn

    from fastreg.interop.torch import AdamW
except ImportError as error:
    raise SystemExit(f'{error}; this example needs two extras: python -m pip install -e ".[examples,torch]"') from error

Weights: TypeAlias = list[nn.Parameter]
LR = 3e-4


def by_fastreg(weights: Weights) -> Callable[[], object]:
    """Return the step of fastreg's AdamW, which owns float32 weights."""
    return AdamW(weights, lr=LR, master_weights=True).step


def by_copies(weights: Weights) -> Callable[[], object]:
    """Return the same step by torch alone: a float32 copy of each weight and gradient, and three passes."""
    masters = [w.detach().float() for w in weights]
    optimizer = torch.optim.AdamW(masters, lr=LR, fused=True)

    def step() -> None:
        for master, w in zip(masters, weights, strict=True):
            master.grad = None if w.grad is None else w.grad.float()
        optimizer.step()
        for master, w in zip(masters, weights, strict=True):
            w.data.copy_(master)

    return step


def in_bfloat16(weights: Weights) -> Callable[[], object]:
    """Return the step of torch's AdamW over the 16-bit weights."""
    return torch.optim.AdamW(weights, lr=LR).step


def train(stepper: Callable[[Weights], Callable[[], object]], epochs: int) -> tuple[list[float], Weights]:
    """Return the mean loss of each epoch, and the weights at the end. All runs have the same start and the same batches."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)).bfloat16()
    digits, weights = load_digits(), list(network.parameters())
    images, labels = torch.tensor(digits.data / 16, dtype=torch.bfloat16), torch.tensor(digits.target)
    step = stepper(weights)
    means: list[float] = []
    for _ in range(epochs):
        losses = []
        for batch in torch.randperm(len(labels)).split(128):
            network.zero_grad()
            losses.append(nn.functional.cross_entropy(network(images[batch]).float(), labels[batch]))
            losses[-1].backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            step()
        means.append(torch.stack(losses).mean().item())
    return means, weights


def main(argv: Sequence[str] | None = None) -> int:
    """Train, compare and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--epochs", type=int, default=40, help="default 40")
    parser.add_argument("--plot", type=Path, metavar="PATH", default=Path(__file__).with_suffix(".png"))
    options = parser.parse_args(argv)
    if options.epochs < 1:
        parser.error("--epochs must be at least 1")
    if not options.plot.parent.is_dir():
        parser.error(f"--plot: {str(options.plot.parent)!r} is not a folder")
    torch.set_num_threads(1)  # the bits of torch's sums depend on its threads
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, stepper, style in (
        ("fastreg, float32 masters", by_fastreg, "-"),
        ("torch, float32 copies", by_copies, "--"),
        ("torch, bfloat16 alone", in_bfloat16, ":"),
    ):
        losses, _ = train(stepper, options.epochs)
        print(f"{name:26} loss of the last epoch {losses[-1]:.4f}")
        axes.semilogy(range(1, options.epochs + 1), losses, style, label=name)
    axes.set(xlabel="epoch", ylabel="cross-entropy", title="AdamW over a bfloat16 network")
    axes.legend()
    figure.savefig(options.plot, dpi=120)
    most, ends = fr.get_num_threads(), []
    for n in range(1, max(most, 2) + 1):
        fr.set_num_threads(n)
        ends.append(train(by_fastreg, min(options.epochs, 3))[1])
    fr.set_num_threads(most)
    same = all(torch.equal(w, first) for weights in ends for w, first in zip(weights, ends[0], strict=True))
    print(f"weights with 1 to {len(ends)} threads: {'the same bits' if same else 'other bits'}\nlosses: {options.plot}")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
