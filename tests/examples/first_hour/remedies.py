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
