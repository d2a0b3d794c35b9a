"""Floor 4: update rules that fold the regularization into the step.

A step reads the weights and the gradients and writes the weights; the penalty's gradient and its loss ride along in the same
pass over memory. The rules are TensorFlow 1's (python/training, contrib/opt), with its argument names, defaults and formulas;
the loops are the kernels'. Here stand the hyperparameters, the slots, and which array they belong to.

`apply_gradients` takes pairs (gradient, variable). A variable is a `Variable`, or an array of the user's own; a mapping
``{name: (gradient, array)}`` names arrays. Slots are kept by name, without the ``:0`` of a graph's names.

Hyperparameters are float64 and rounded once, to the weights' dtype, where they meet the weights. TensorFlow rounds them to
float32 first and forms 1 - beta in the weights' dtype, which for 0.999 is off by 5e-5; with numbers that are exact in float32
all rules give TensorFlow's results.

A gradient may be of rows, ``(values, row indices)``, as an embedding table gets: only those rows and their slots are touched,
and only those rows pay the penalty and the decay: the loss counts them alone. Values of one row that occurs several times are
added first, in their order. TensorFlow does the same, except that its Adam lets the slots of the other rows decay and moves
those rows.

Folding does not change bits: a step with `regularization=terms` gives the same weights, slots and loss as
``value_and_gradients(terms, out=gradients, accumulate=True)`` and a step without, clipping included. It cannot where

- a proximal rule (ProximalGradientDescent, ProximalAdagrad, Ftrl) is given an L1 term: it takes it in the proximal step, where
  zeros become exact;
- ProximalGradientDescent is given a regularizer with a prox of its own: its step ends in that prox, and the regularizer's
gradient
  is not used. ProximalAdagrad and Ftrl refuse such a regularizer, for in their metric its prox has no closed form;
- a gradient is of rows.
"""

from fastreg.optim.decoupled import AdamW, DecoupledWeightDecay, MomentumW
from fastreg.optim.optimizer import Optimizer
from fastreg.optim.proximal import Ftrl, ProximalAdagrad, ProximalGradientDescent
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
]
