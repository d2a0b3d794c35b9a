"""What each rule decided can be seen: a pattern may leave a bias regularized."""

import numpy as np

import fastreg as fr

params = {"attention.in_proj_bias": np.ones(3), "fc.weight": np.ones((2, 2)), "fc.bias": np.ones(2)}
terms = fr.regularize(params, [("*.bias", None), ("*", fr.l2_regularizer(0.5))])
rows = {row.name: row for row in fr.summary(terms).rows}
assert rows["attention.in_proj_bias"].regularizer.startswith("l2_regularizer")  # seen, and mended by another pattern
assert rows["fc.bias"].rule == "*.bias"
assert "in_proj_bias" in str(fr.summary(terms))
assert "<table" in fr.summary(terms)._repr_html_()
