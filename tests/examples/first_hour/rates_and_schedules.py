"""Rates by name, and rates that change."""

import numpy as np

import fastreg as fr

params = {"net/kernel": np.ones(2), "net/bias": np.ones(2)}
warm = fr.optim.schedules.cosine_decay(0.1, decay_steps=100, warmup_steps=10)
sgd = fr.optim.GradientDescent([("*/bias", 1.0), ("*", warm)])
sgd.apply_gradients({k: (np.full(2, 0.5), w) for k, w in params.items()})
assert params["net/bias"].tolist() == [0.5, 0.5]
assert params["net/kernel"].tolist() == [1.0 - 0.5 * warm(0)] * 2
assert max(map(warm, range(120))) <= 0.1
