"""A forked child has threads of its own beside torch's in its parent, too."""

import pytest

pytest.importorskip("torch")

TORCH = """
import torch
torch.set_num_threads(4)
X = torch.ones(600, 600)
def theirs():
    torch.softmax(X @ X, 1).sum().item()
theirs()
"""


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_beside_torchs_threads(run_forks, first):
    """They have worked in the parent; in the child, fastreg alone works."""
    before, after = (TORCH, "") if first == "theirs" else ("", TORCH)
    code = after + "print(in_children(100, lambda: right(expected)), right(expected))\ntheirs()\n"
    assert run_forks(code, before, OMP_NUM_THREADS="4") == ["{0: 100} True"]
