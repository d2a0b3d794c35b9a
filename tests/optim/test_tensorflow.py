"""The numbers of TensorFlow's optimizers, and their defaults."""

import numpy as np
import pytest
from optimizers import TENSORFLOW, VARIANTS, make

import fastreg as fr


@pytest.mark.parametrize("entry", TENSORFLOW["results"])
def test_tensorflows_numbers(entry):
    name, kind, dtype = entry.split(", ")
    dtype = getattr(np, dtype)
    data = TENSORFLOW[kind]
    optimizer, w = make(name), np.array(data["weights"], dtype)
    for i, g in enumerate(data["gradients"]):
        given = np.array(g, dtype)
        if kind == "rows" and name.startswith("Adam"):  # whose rows that are not touched move on, but do not decay
            rows = np.unique(data["rows"][i])
            w[rows] -= dtype(VARIANTS[name].get("weight_decay", 0)) * w[rows]
            optimizer.weight_decay = 0.0
            given = np.zeros_like(w)
            np.add.at(given, data["rows"][i], g)
        elif kind == "rows":
            given = given, data["rows"][i]
        optimizer.apply_gradients({"w": (given, w)})
    found = {"weights": w, **{slot: optimizer.get_slot("w", slot) for slot in optimizer.get_slot_names()}}
    expected = TENSORFLOW["results"][entry]
    assert found.keys() == expected.keys()
    for key, array in found.items():  # it takes reciprocals of roots and pow by other means
        theirs = np.array(expected[key], dtype)
        np.testing.assert_allclose(array.ravel(), theirs, rtol=4 * np.finfo(dtype).eps, atol=0, err_msg=key)
        assert np.array_equal(array.ravel() == 0, theirs == 0)


def test_tensorflows_defaults():
    defaults = {
        fr.optim.Adam(): (0.001, 0.9, 0.999, 1e-08),
        fr.optim.AdamW(weight_decay=0.01): (0.001, 0.9, 0.999, 1e-08),
        fr.optim.RMSProp(0.01): (0.01, 0.9, 0.0, 1e-10, False),
        fr.optim.Adagrad(0.01): (0.01, 0.1),
        fr.optim.Momentum(0.01, 0.9): (0.01, 0.9, False),
        fr.optim.ProximalAdagrad(0.01): (0.01, 0.1, 0.0, 0.0),
        fr.optim.Ftrl(0.01): (0.01, -0.5, 0.1, 0.0, 0.0, 0.0),
    }
    attributes = {
        fr.optim.Adam: "learning_rate beta1 beta2 epsilon",
        fr.optim.AdamW: "learning_rate beta1 beta2 epsilon",
        fr.optim.RMSProp: "learning_rate decay momentum epsilon centered",
        fr.optim.Adagrad: "learning_rate initial_accumulator_value",
        fr.optim.Momentum: "learning_rate momentum use_nesterov",
        fr.optim.ProximalAdagrad: (
            "learning_rate initial_accumulator_value l1_regularization_strength l2_regularization_strength"
        ),
        fr.optim.Ftrl: (
            "learning_rate learning_rate_power initial_accumulator_value l1_regularization_strength "
            "l2_regularization_strength l2_shrinkage_regularization_strength"
        ),
    }
    for optimizer, values in defaults.items():
        assert tuple(getattr(optimizer, key) for key in attributes[type(optimizer)].split()) == values
