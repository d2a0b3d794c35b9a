"""Floor 4: update rules that fold the regularization into the step.

A step reads the weights and the gradients and writes the weights. The penalty's gradient and its loss are formed in the same pass
over memory. The rules are TensorFlow 1's (python/training, contrib/opt), with its argument names, defaults and formulas. The
loops are the kernels'; here stand the hyperparameters, the slots and the classes.

`apply_gradients` takes pairs (gradient, variable). A variable is a `Variable`, or an array of the user's own; a mapping
``{name: (gradient, array)}`` names arrays. Slots are kept by name, without the ``:0`` of a graph's names.

Hyperparameters are float64 and rounded once, to the weights' dtype, where they meet the weights. TensorFlow rounds them to
float32 first and forms 1 - beta in the weights' dtype, which for 0.999 is off by 5e-5; with numbers that are exact in float32
all rules give TensorFlow's results.

A gradient may be of rows, ``(values, row indices)``, as for an embedding table. Then only those rows and their slots change, and
the penalty, the decay and the loss are those of these rows alone. Where a row occurs several times, its values are added first,
in their order. TensorFlow does the same, except that its Adam also lets the slots of the other rows decay and moves those rows.

Folding does not change bits: a step with `regularization=terms` gives the same weights, slots and loss as
``value_and_gradients(terms, out=gradients, accumulate=True)`` followed by a step without terms, clipping included. There are
four exceptions:

- A proximal rule (ProximalGradientDescent, ProximalAdagrad, Ftrl) takes an L1 term in its proximal step, which gives exact zeros.
- ProximalGradientDescent ends its step in the prox of a regularizer that has one of its own, and does not use its gradient.
  ProximalAdagrad and Ftrl refuse such a regularizer, because its prox has no closed form in their metric.
- A gradient of rows touches only its rows.
- Where a regularizer has groups, the norm that `clip_norm` limits is added up in another order. Its last bit may differ.
"""

from fastreg.optim import schedules
from fastreg.optim.checkpoint import restore, save
from fastreg.optim.decoupled import AdamW, DecoupledWeightDecay, MomentumW
from fastreg.optim.optimizer import Optimizer
from fastreg.optim.proximal import Ftrl, ProximalAdagrad, ProximalGradientDescent
from fastreg.optim.rounding import StochasticRounding
from fastreg.optim.rules import Adagrad, Adam, GradientDescent, Momentum, RMSProp

__all__ = [
    "Adagrad",
    "Adam",
    "AdamW",
    "DecoupledWeightDecay",
    "Ftrl",
    "GradientDescent",
    "Momentum",
    "MomentumW",
    "Optimizer",
    "ProximalAdagrad",
    "ProximalGradientDescent",
    "RMSProp",
    "StochasticRounding",
    "restore",
    "save",
    "schedules",
]
