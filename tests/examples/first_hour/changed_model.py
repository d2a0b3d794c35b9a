"""A saved run goes on in a changed model: a new head, and a layer that is frozen now."""

import logging

import numpy as np

import fastreg as fr

logging.disable()  # the warning that names what differs


def start(head):
    params = {"body": np.linspace(-1, 1, 6), "frozen": np.ones(3), head: np.ones(4)}
    terms = fr.regularize(params, [("body", fr.l1_regularizer(0.1)), (head, fr.l2_regularizer(0.1))])
    return params, terms, fr.optim.Adam(0.01)


def step(params, terms, adam):
    return adam.apply_gradients(
        {name: (None if name == "frozen" else np.cos(w), w) for name, w in params.items()}, regularization=terms
    )


params, terms, adam = start("head")
adam.apply_gradients({name: (np.cos(w), w) for name, w in params.items()}, regularization=terms)
terms[0].regularizer.scale = 0.2
state = fr.optim.save(adam, params, terms)
step(params, terms, adam)

new, new_terms, new_adam = start("new_head")
try:
    fr.optim.restore(state, new_adam, new, new_terms)
except ValueError as error:
    assert str(error).startswith("weights: the state lacks ['new_head'], and has ['head'], which are not here"), error
    assert "strict=False" in str(error)
else:
    raise AssertionError("the heads differ")
assert new_adam.iterations == 0

fr.optim.restore(state, new_adam, new, new_terms, strict=False)
assert (new_adam.iterations, new_terms[0].regularizer.scale, new_terms[1].regularizer.scale) == (1, 0.2, 0.1)
assert new["new_head"].tolist() == [1.0] * 4
step(new, new_terms, new_adam)
assert new["body"].tobytes() == params["body"].tobytes()
assert new["frozen"].tobytes() == params["frozen"].tobytes() == state["weights/frozen"].tobytes()
assert new_adam.unused_slots() == ["frozen", "head"]
assert np.array_equal(fr.optim.save(new_adam, new, new_terms)["slots/head/m"], state["slots/head/m"])
