"""Losses are numbers and variables are arrays, wherever one stands for the other."""

import json

import numpy as np

import fastreg as fr

w = fr.get_variable("w", initializer=np.array([[1.0, 2.0], [3.0, 4.0]]), regularizer=fr.l2_regularizer(0.5))
assert np.asarray(w).shape == (2, 2)
assert (w @ np.ones(2)).tolist() == [3.0, 7.0]
total = fr.get_regularization_loss()
assert float(10.0 + total) == 17.5
assert float(2 * total) == 15.0
assert float(sum(fr.get_regularization_losses())) == 7.5
assert (f"{total:.3f}", round(total, 1), total < 8, bool(np.isclose(total, 0))) == ("7.500", 7.5, True, False)
assert json.dumps(float(total)) == "7.5"
loss, gradients = fr.value_and_gradients(10.0 + 2 * total)
assert (float(loss), gradients["w"].tolist()) == (25.0, [[1.0, 2.0], [3.0, 4.0]])
