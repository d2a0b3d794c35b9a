"""fastreg in one process with libraries that bring an OpenMP runtime of their own, loaded before it and after it."""

import json

import pytest

# Each works with all its threads, and knows its result: whole numbers, exact in float32.
LIBRARIES = {
    "fastreg": (
        "import fastreg as fr",
        """
        weights = np.ones(3_000_000, np.float32)
        gradients = np.full_like(weights, 0.5)
        assert float(fr.l2_loss(weights)) == 1_500_000
        fr.optim.GradientDescent(0.5).apply_gradients({"w": (gradients, weights)}, fr.regularize({"w": weights}, [("*", l2)]))
        assert (weights == 0.25).all()
        """,
    ),
    "torch": (
        "import torch",
        """
        ones = torch.ones(3_000_000)
        assert float((ones + ones).sum()) == 6_000_000
        """,
    ),
    "sklearn": (
        "from sklearn.cluster import KMeans",
        """
        points = np.repeat([[0.0], [8.0]], 5_000, axis=0)
        assert sorted(KMeans(2, n_init=1, max_iter=5, random_state=0).fit(points).cluster_centers_.ravel()) == [0.0, 8.0]
        """,
    ),
}


def body(text):
    return "\n".join("        " + line.strip() for line in text.strip().splitlines())


ORDERS = [
    ("fastreg", "sklearn"),
    ("sklearn", "fastreg"),
    ("fastreg", "torch", "sklearn"),
    ("torch", "fastreg", "sklearn"),
    ("sklearn", "torch", "fastreg"),
]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_runtimes_side_by_side(run_python, order):
    """All work by turns, first in one thread of Python and then in two at once."""
    for name in order:
        if name != "fastreg":
            pytest.importorskip(name, reason=f"{name} is not installed")
    imports = "\n".join(LIBRARIES[name][0] for name in order)
    functions = "\n".join(f"def use_{name}():\n    for _ in range(3):\n{body(LIBRARIES[name][1])}" for name in order)
    code = f"""
import json, threading
import numpy as np
{imports}
from threadpoolctl import threadpool_info

l2 = fr.l2_regularizer(1.0)

{functions}

def all_of_them():
    {"; ".join(f"use_{name}()" for name in order)}
    done.append(True)

done = []
all_of_them()
threads = [threading.Thread(target=all_of_them) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
runtimes = [each["filepath"] for each in threadpool_info() if each["user_api"] == "openmp"]
print(json.dumps([len(done), fr.get_num_threads(), runtimes]))
"""
    done = run_python(code, timeout=300, OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    finished, n_threads, runtimes = json.loads(done.stdout)
    assert finished == 3
    assert n_threads == 2
    assert len(set(runtimes)) == len(runtimes)
