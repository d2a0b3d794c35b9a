"""What a message tells to write can be pasted."""

import re

import numpy as np

import fastreg as fr

for x in ([1.0, 2.0], np.arange(3), np.ones((4, 4))[:, ::2]):
    try:
        fr.l2_loss(x)
    except (TypeError, ValueError) as error:
        code = re.search(r"((?:numpy|x)\.[\w.]+\([^;]*\))", str(error)).group(1)
        assert fr.l2_loss(eval(code, {"numpy": np, "x": x})) >= 0
    else:
        raise AssertionError(x)


class Tensor:
    """What a tensor of torch does: one with a gradient, or of another dtype, is not given as an array."""

    def __init__(self, array, dtype="torch.float32", detached=False):
        self.array, self.dtype, self.detached = array, dtype, detached

    def detach(self):
        return Tensor(self.array, self.dtype, True)

    def cpu(self):
        return self

    def float(self):
        return Tensor(self.array.astype(np.float32), "torch.float32", self.detached)

    def numpy(self):
        if not self.detached or self.dtype == "torch.bfloat16":
            raise RuntimeError(f"no array of {self.dtype}")
        return self.array

    def __array__(self, dtype=None, copy=None):
        return self.numpy()


for tensor in (Tensor(np.ones(2, np.float32)), Tensor(np.ones(2), "torch.float64"), Tensor(np.ones(2), "torch.bfloat16")):
    try:
        fr.l2_loss(tensor)
    except TypeError as error:
        code = str(error).partition("instead of x pass ")[2]
        assert fr.l2_loss(eval(code, {"numpy": np, "x": tensor})) == 1.0
    else:
        raise AssertionError(tensor)
integers = Tensor(np.arange(3), "torch.int64", detached=True)
try:
    fr.l2_loss(integers)
except TypeError as error:
    assert fr.l2_loss(eval(str(error).partition("instead of x pass ")[2], {"numpy": np, "x": integers})) == 2.5
