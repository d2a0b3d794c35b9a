"""Each term's value at every step costs no pass over memory, and a history keeps them."""

import numpy as np

import fastreg as fr

params = {"a": np.ones(3), "b": np.ones(2)}
terms = fr.regularize(params, [("a", fr.l2_regularizer(0.5)), ("b", fr.l1_regularizer(0.5))])
adam, history = fr.optim.Adam(0.1), fr.History()
for _ in range(3):
    loss, values = adam.apply_gradients({k: (np.zeros_like(w), w) for k, w in params.items()}, terms, per_term=True)
    history.record(adam.iterations, values, loss=float(loss))
assert len(values) == 2
assert abs(sum(values.values()) - loss) < 1e-12
assert len(history.names) == 3
