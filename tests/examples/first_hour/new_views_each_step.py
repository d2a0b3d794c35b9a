"""Terms made once, arrays handed over as new views at each step; a frozen variable is counted and left alone."""

import numpy as np

import fastreg as fr

memory = {"w": np.ones(4), "frozen": np.ones(2)}
terms = fr.regularize(memory, [("*", fr.l2_regularizer(1.0))])
sgd = fr.optim.GradientDescent(0.5)
for _ in range(2):
    loss = sgd.apply_gradients({"w": (np.zeros(4), memory["w"][:]), "frozen": (None, memory["frozen"])}, regularization=terms)
assert memory["w"].tolist() == [0.25] * 4
assert memory["frozen"].tolist() == [1.0, 1.0]
assert float(loss) == 0.5 + 1.0
