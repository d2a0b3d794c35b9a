"""A network in plain NumPy, as somebody who trains by hand writes it: what regularization stands between in real life."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
BATCH = 128


class Network:
    """A fully connected network with ReLU and softmax, float32.

    Parameters
    ----------
    parameters, gradients : sequence of ndarray
        Kernel and bias of each layer in turn; `gradients` is where ``forward_backward`` writes.
    """

    def __init__(self, parameters: Sequence[Array], gradients: Sequence[Array]) -> None:
        rng = np.random.default_rng(7)
        self.layers = list(zip(parameters[::2], parameters[1::2], strict=True))
        self.gradients = list(zip(gradients[::2], gradients[1::2], strict=True))
        self.inputs = rng.random((BATCH, parameters[0].shape[0]), dtype=np.float32)
        self.labels = rng.integers(parameters[-1].shape[0], size=BATCH)

    def forward_backward(self) -> float:
        """One batch: the data loss, and its gradients into the given arrays."""
        activations = [self.inputs]
        for kernel, bias in self.layers[:-1]:
            activations.append(np.maximum(activations[-1] @ kernel + bias, 0))
        kernel, bias = self.layers[-1]
        logits = activations[-1] @ kernel + bias
        logits -= logits.max(axis=1, keepdims=True)
        probabilities = np.exp(logits)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        rows = np.arange(BATCH)
        loss = -float(np.log(probabilities[rows, self.labels]).mean())

        delta = probabilities
        delta[rows, self.labels] -= 1
        delta /= BATCH
        for layer in reversed(range(len(self.layers))):
            kernel_gradient, bias_gradient = self.gradients[layer]
            np.matmul(activations[layer].T, delta, out=kernel_gradient)
            np.sum(delta, axis=0, out=bias_gradient)
            if layer:
                delta = (delta @ self.layers[layer][0].T) * (activations[layer] > 0)
        return loss
