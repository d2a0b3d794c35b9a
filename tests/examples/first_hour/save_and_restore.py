"""Two calls save and restore a run; it goes on with the bits of one that was not interrupted."""

import io

import numpy as np

import fastreg as fr


def start():
    params = {"w": np.linspace(-1, 1, 50)}
    return params, fr.regularize(params, [("*", fr.l1_regularizer(0.01))]), fr.optim.Adam(0.01)


def train(params, terms, adam, steps):
    for _ in range(steps):
        adam.apply_gradients({"w": (np.sin(params["w"]), params["w"])}, regularization=terms)


whole = start()
train(*whole, 10)
params, terms, adam = start()
train(params, terms, adam, 4)
file = io.BytesIO()
np.savez(file, **fr.optim.save(adam, params, terms))
file.seek(0)
params, terms, adam = start()
fr.optim.restore(np.load(file), adam, params, terms)
train(params, terms, adam, 6)
assert params["w"].tobytes() == whole[0]["w"].tobytes()
