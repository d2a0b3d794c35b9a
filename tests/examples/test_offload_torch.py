"""examples/offload_torch.py in small."""

import importlib.util
import re
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "offload_torch.py"

torch = pytest.importorskip("torch", reason="torch is not installed; it comes with the extra fastreg[torch]")


@pytest.fixture(scope="module")
def offload():
    spec = importlib.util.spec_from_file_location("offload_torch", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield module
    torch.set_num_threads(before)


def test_master_weights_are_those_of_the_long_way_and_bfloat16_alone_is_worse(offload):
    (one, weights), (other, copies), (alone, _) = (
        offload.train(stepper, 8) for stepper in (offload.by_fastreg, offload.by_copies, offload.in_bfloat16)
    )
    assert one == pytest.approx(other, rel=0.05)
    assert one[-1] < alone[-1] and one[-1] < one[0] / 2
    unlike = sum(float((w != copy).float().sum()) for w, copy in zip(weights, copies, strict=True))
    assert unlike < 0.5 * sum(w.numel() for w in weights)


def test_the_whole_in_small(offload, tmp_path, capsys):
    path = tmp_path / "offload.png"
    assert offload.main(["--epochs", "2", "--plot", str(path)]) == 0
    printed = capsys.readouterr().out
    assert len(re.findall(r"loss of the last epoch [\d.]+$", printed, re.M)) == 3
    assert re.search(r"weights with 1 to \d+ threads: the same bits", printed)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("argv", "message"),
    [(["--epochs", "0"], "--epochs must be at least 1"), (["--plot", "/no/such/folder/x.png"], "is not a folder")],
)
def test_bad_options(offload, argv, message, capsys):
    with pytest.raises(SystemExit):
        offload.main(argv)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["torch", "matplotlib"])
def test_what_is_missing_is_named(run_python, missing):
    code = f"import sys, runpy; sys.modules[{missing!r}] = None; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    done = run_python(code)
    assert done.returncode == 1
    assert missing in done.stderr and 'pip install -e ".[examples,torch]"' in done.stderr
