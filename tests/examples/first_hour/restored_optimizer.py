"""A restored optimizer takes variables that come later, as a running one does, and loses nothing that it was given."""

import numpy as np

import fastreg as fr

body, head, lost = np.ones(3), np.ones(2), np.ones(4)
before = fr.optim.Adam(0.1)
before.apply_gradients({"body": (np.ones(3), body), "lost": (np.ones(4), lost)})

after = fr.optim.Adam(0.1)
after.load_state_dict(before.state_dict())
after.apply_gradients({"body": (np.ones(3), body)})
after.apply_gradients({"body": (np.ones(3), body), "head": (np.ones(2), head)})  # a new head
assert after.iterations == 3
assert set(after.unused_slots()) == {"lost"}
assert "lost/m" in after.state_dict()

first = fr.optim.Adam(0.1)
first.load_state_dict(fr.optim.Adam(0.1).state_dict())  # a checkpoint of step 0
first.apply_gradients({"body": (np.ones(3), body)})
