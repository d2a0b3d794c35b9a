"""The same penalty by the strength that another library calls by."""

import numpy as np

import fastreg as fr

w = np.array([1.0, -2.0])
assert fr.from_torch(weight_decay=0.1).gradient(w).tolist() == (0.1 * w).tolist()
assert float(fr.from_keras(l1=0.1, l2=0.2)(w)) == 0.1 * 3 + 0.2 * 5
ridge = fr.from_sklearn(alpha=0.5, l1_ratio=0.0, n_samples=10)
assert float(ridge(w)) > 0
