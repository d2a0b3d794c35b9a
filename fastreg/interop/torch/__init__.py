"""torch's optimizers with fastreg's step on the CPU, and fastreg's penalties for a torch model (floor 5).

Optimizers, subclasses of those of `torch.optim`: AdamW, Adam, SGD, RMSprop, Adagrad
Penalties of a model's parameters: regularize, penalty

docs/torch.md says for whom this is.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("fastreg.interop.torch needs torch: pip install 'fastreg[torch]'") from error

from fastreg.interop.torch.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from fastreg.interop.torch.penalties import penalty, regularize

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop", "penalty", "regularize"]
