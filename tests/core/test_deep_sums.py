"""Sums of sums, deeper than the stack of C: they are computed, or Python says that they are too deep."""

import pytest
from kernel_calls import set_parts

import fastreg as fr

DEEP = """
import copy, gc, pickle
import numpy as np, fastreg as fr

class Own:
    def __call__(self, w):
        return 1.5
    def gradient(self, w):
        return np.full_like(w, 0.5)
    def prox(self, w, step):
        return w - 0.05

inner = total = INNER
for _ in range(200_000):
    total = fr.sum_regularizer([total])
w = np.ones(3)
CALLS
del total
gc.collect()
print("deleted")
"""
ANSWERS = (
    "assert total(w) == 1.5",
    "assert total.gradient(w).tolist() == [0.5] * 3",
    "assert total.value_and_gradient(w)[0] == 1.5",
    "assert total.prox(w, 0.1).tolist() == [0.95] * 3",
    "assert getattr(total, 'coefficients', (0.5, 0.0)) == (0.5, 0.0)",
    "assert float(fr.regularize({'w': w}, [('w', total)])[0]) == 1.5",
    "assert fr.value_and_gradients(fr.regularize({'w': w}, [('w', total)]))[0] == 1.5",
    "assert fr.optim.Adam().apply_gradients({'w': (w.copy(), w)}, fr.regularize({'w': w}, [('w', total)])) == 1.5",
)
COPIES = ("repr(total)", "pickle.dumps(total)", "copy.deepcopy(total)")  # Python's own recursion, which it limits


@pytest.mark.parametrize("inner", ["fr.l1_regularizer(0.5)", "Own()"], ids=["compiled", "own"])
def test_a_deep_sum(run_python, inner):
    calls = [*ANSWERS, *(f"try:\n    {call}\nexcept RecursionError:\n    pass" for call in COPIES)]
    done = run_python(DEEP.replace("INNER", inner).replace("CALLS", "\n".join(calls)))
    assert (done.returncode, done.stdout) == (0, "deleted\n"), done.stderr[-2000:]


def test_a_sum_that_would_hold_itself_is_refused():
    inner = fr.sum_regularizer([fr.l1_regularizer(0.5)])
    outer = fr.sum_regularizer([inner, fr.l2_regularizer(0.5)])
    with pytest.raises(ValueError, match="is a part of another one"):
        set_parts(inner, (outer,))
    with pytest.raises(ValueError, match="a part of itself"):
        set_parts(outer, (outer,))
    assert outer.coefficients == (0.5, 0.5)
