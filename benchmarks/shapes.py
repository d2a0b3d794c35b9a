"""Shapes of the parameters of real networks, so that every benchmark measures the same collections.

A penalty's cost depends on how many tensors there are as much as on how many elements: half of ResNet-50's 161
tensors are vectors of a few hundred elements. Each network is a dict from parameter name to shape, in the order in
which its usual implementation creates them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


def dense_network(*widths: int) -> dict[str, Shape]:
    """Kernels and biases of a fully connected network with layers of these widths."""
    shapes: dict[str, Shape] = {}
    for layer, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        shapes[f"dense{layer}/kernel"] = (inputs, outputs)
        shapes[f"dense{layer}/bias"] = (outputs,)
    return shapes


def resnet50() -> dict[str, Shape]:
    """Return the 161 trainable tensors of ResNet-50 (He et al. 2015, table 1), 25.557 million parameters."""
    shapes: dict[str, Shape] = {}

    def convolution(name: str, size: int, inputs: int, outputs: int) -> None:
        shapes[f"{name}/kernel"] = (size, size, inputs, outputs)
        shapes[f"{name}/gamma"] = (outputs,)
        shapes[f"{name}/beta"] = (outputs,)

    convolution("conv1", 7, 3, 64)
    inputs = 64
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=2):
        outputs = 4 * width
        for block in range(1, blocks + 1):
            name = f"stage{stage}/block{block}"
            if block == 1:
                convolution(f"{name}/shortcut", 1, inputs, outputs)
            convolution(f"{name}/conv1", 1, inputs, width)
            convolution(f"{name}/conv2", 3, width, width)
            convolution(f"{name}/conv3", 1, width, outputs)
            inputs = outputs
    shapes["fc/kernel"] = (inputs, 1000)
    shapes["fc/bias"] = (1000,)
    return shapes


def bert_base() -> dict[str, Shape]:
    """Return the 199 tensors of BERT-base uncased (Devlin et al. 2018), 109.5 million parameters."""
    width, inner = 768, 3072
    shapes: dict[str, Shape] = {
        "embeddings/word": (30522, width),
        "embeddings/position": (512, width),
        "embeddings/type": (2, width),
        "embeddings/gamma": (width,),
        "embeddings/beta": (width,),
    }
    for layer in range(12):
        name = f"layer{layer}"
        for part in ("query", "key", "value", "attention/output"):
            shapes[f"{name}/{part}/kernel"] = (width, width)
            shapes[f"{name}/{part}/bias"] = (width,)
        shapes[f"{name}/attention/gamma"] = (width,)
        shapes[f"{name}/attention/beta"] = (width,)
        shapes[f"{name}/inner/kernel"] = (width, inner)
        shapes[f"{name}/inner/bias"] = (inner,)
        shapes[f"{name}/output/kernel"] = (inner, width)
        shapes[f"{name}/output/bias"] = (width,)
        shapes[f"{name}/output/gamma"] = (width,)
        shapes[f"{name}/output/beta"] = (width,)
    shapes["pooler/kernel"] = (width, width)
    shapes["pooler/bias"] = (width,)
    return shapes


def gpt2_small() -> dict[str, Shape]:
    """Return the 148 tensors of GPT-2 small (Radford et al. 2019), 124.4 million parameters; its output layer is ``wte``."""
    width = 768
    shapes: dict[str, Shape] = {"wte": (50257, width), "wpe": (1024, width)}
    for layer in range(12):
        name = f"h{layer}"
        for part, (inputs, outputs) in {
            "attn/c_attn": (width, 3 * width),
            "attn/c_proj": (width, width),
            "mlp/c_fc": (width, 4 * width),
            "mlp/c_proj": (4 * width, width),
        }.items():
            shapes[f"{name}/{part}/w"] = (inputs, outputs)
            shapes[f"{name}/{part}/b"] = (outputs,)
        for norm in ("ln_1", "ln_2"):
            shapes[f"{name}/{norm}/g"] = (width,)
            shapes[f"{name}/{norm}/b"] = (width,)
    shapes["ln_f/g"] = (width,)
    shapes["ln_f/b"] = (width,)
    return shapes


SMALL_MLP = dense_network(64, 96, 72, 64, 32, 10)
DIGITS_MLP = dense_network(784, 1024, 1024, 10)
RESNET50 = resnet50()
RESNET50_FILTERS = {name: shape for name, shape in RESNET50.items() if len(shape) == 4}
BERT_BASE = bert_base()
GPT2_SMALL = gpt2_small()

NETWORKS: Mapping[str, Shapes] = {
    "small MLP": SMALL_MLP,
    "784-1024-1024-10": DIGITS_MLP,
    "ResNet-50": RESNET50,
    "BERT-base": BERT_BASE,
    "GPT-2 small": GPT2_SMALL,
}


def elements(shapes: Shapes) -> int:
    """Return the number of parameters."""
    return sum(prod(shape) for shape in shapes.values())
