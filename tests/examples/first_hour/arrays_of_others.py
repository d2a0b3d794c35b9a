"""What can be read without a copy is read; nested parameters get joined names."""

import tempfile
from pathlib import Path

import numpy as np

import fastreg as fr

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "w.npy")
    np.save(path, np.arange(4.0))
    mapped = np.load(path, mmap_mode="r")
    assert float(fr.l2_loss(mapped)) == 7.0
    del mapped


class Other:
    """Another library's array."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


assert float(fr.l2_loss(Other(np.ones(4)))) == 2.0
params = {"encoder": [{"kernel": np.ones((2, 2)), "bias": np.ones(2)}], "head": {"kernel": np.ones(3)}}
terms = fr.regularize(params, [("*kernel", fr.l2_regularizer(1.0))])
assert [term.variable.name for term in terms] == ["encoder/0/kernel", "head/kernel"]
