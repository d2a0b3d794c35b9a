"""A sweep over strengths begins at 0."""

import numpy as np

import fastreg as fr

w = np.array([1.0, -2.0])
values = []
for strength in (0.0, 0.5, 1.0):
    l2 = fr.l2_regularizer(strength)
    value, gradient = l2.value_and_gradient(w)
    values.append((float(value), gradient.tolist(), l2.prox(w, step=1.0).shape))
assert values == [(0.0, [0.0, 0.0], (2,)), (1.25, [0.5, -1.0], (2,)), (2.5, [1.0, -2.0], (2,))]
