"""What a type checker and an editor make of fastreg: the README's program, the docs' examples and a user's sample."""

import ast
import doctest
import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import fastreg as fr
from fastreg import _penalty

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).parent / "typed" / "sample.py"
PACKAGE = Path(fr.__file__).parent
DOCS = ROOT / "docs"
GUIDE = [DOCS / "tutorial.md", *sorted((DOCS / "guide").glob("*.md"))]  # their functions have no types, as a beginner's have none
PAGES = [ROOT / "README.md", *sorted(set(DOCS.glob("*.md")) - set(GUIDE))]
NOT_CHECKED = {
    "torch": "no-untyped-call",  # its `backward` has no types
    "checkpoints": "arg-type",  # the stub of numpy.savez takes any array of **arrays for its `allow_pickle`
}
PYRIGHT = shutil.which("pyright", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def program(page):
    """Return the examples of a page as one program."""
    text = "\n".join(re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S))
    return "".join(example.source for example in doctest.DocTestParser().get_examples(text))


def write_programs(pages, folder):
    """Write the programs of the pages into the folder, and return the folder."""
    for page in pages:
        if page.stem == "torch" and find_spec("torch") is None:
            continue
        if code := program(page):
            if page.stem in NOT_CHECKED:
                code = f"# mypy: disable-error-code={NOT_CHECKED[page.stem]}\n{code}"
            folder.joinpath(f"page_{page.stem.replace('-', '_').lower()}.py").write_text(code)
    return folder


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Return a folder with the pages' programs and the sample."""
    folder = write_programs(PAGES, tmp_path_factory.mktemp("typed"))
    shutil.copy(SAMPLE, folder)
    return folder


def check_by(checker, files):
    """Return the exit status of a checker over these files, and what it prints."""
    # An installed fastreg is found without help, and mypy refuses the installation's folder as a path.
    sources = () if "site-packages" in PACKAGE.parts else ("PYTHONPATH", "MYPYPATH")
    found = dict.fromkeys(sources, str(PACKAGE.parent))
    done = subprocess.run(
        [*checker, *map(str, files)], env=os.environ | found, cwd=files[0].parent, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


MYPY = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={os.devnull}"]
CHECKERS = [
    pytest.param(MYPY, marks=pytest.mark.skipif(find_spec("mypy") is None, reason="no mypy: the extra lint has it"), id="mypy"),
    pytest.param(
        [PYRIGHT, "--pythonpath", sys.executable],
        marks=pytest.mark.skipif(PYRIGHT is None, reason="no pyright: the extra lint has it"),
        id="pyright",
    ),
]


@pytest.mark.skipif(not PAGES[0].is_file(), reason="tests without the pages")
@pytest.mark.parametrize("checker", CHECKERS)
def test_the_pages_and_a_users_program_are_clean(checker, programs):
    files = sorted(programs.glob("*.py"))
    assert len(files) >= 3
    code, output = check_by(checker, files)
    assert code == 0, output


@pytest.mark.skipif(not GUIDE[0].is_file(), reason="tests without the pages")
@pytest.mark.skipif(find_spec("mypy") is None, reason="no mypy: the extra lint has it")
def test_the_tutorial_and_the_guide_are_clean(tmp_path):
    files = sorted(write_programs(GUIDE, tmp_path).glob("*.py"))
    assert len(files) >= 5
    lenient = ["--check-untyped-defs", "--ignore-missing-imports"]
    code, output = check_by([*(word for word in MYPY if word != "--strict"), *lenient], files)
    assert code == 0, output


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_mistake_is_found(checker, tmp_path):
    """So a clean program is one whose types the checker knows."""
    mistake = tmp_path / "mistake.py"
    mistake.write_text('import fastreg as fr\nprint(fr.l2_regularizer("0.5").scale)\nprint(fr.l2_regularizer(0.5).strength)\n')
    code, output = check_by(checker, [mistake])
    assert code == 1
    assert sorted(re.findall(r"mistake\.py:(\d+)\S* (?:- )?error", output)) == ["2", "3"], output


def test_the_users_program_runs(capsys):
    runpy.run_path(str(SAMPLE), run_name="__main__")
    assert len(capsys.readouterr().out.splitlines()) == 4


def documented(stub):
    """Return the docstrings of a stub by name; None for what is public and has none."""
    found = {}
    for node in ast.parse(stub.read_text()).body:
        for owner, item in ((None, node), *((node, inner) for inner in getattr(node, "body", ()))):
            public = isinstance(item, (ast.FunctionDef, ast.ClassDef)) and (item.name[0] != "_" or item.name == "__call__")
            if public:
                found[f"{owner.name}.{item.name}" if owner else item.name] = ast.get_docstring(item)
    return found


@pytest.mark.parametrize(("name", "text"), documented(PACKAGE / "_penalty.pyi").items())
def test_an_editor_shows_the_compiled_docstrings(name, text):
    compiled = _penalty
    for part in name.split("."):
        compiled = getattr(compiled, part)
    assert text == (inspect.cleandoc(compiled.__doc__) if compiled.__doc__ else None)


def test_every_class_that_a_public_function_returns_is_exported():
    """A user can write the type of what they hold."""
    held = [
        fr.l1_regularizer(0.5), fr.l2_regularizer(0.5), fr.l1_l2_regularizer(0.5, 0.5), fr.mcp_regularizer(0.5),
        fr.scad_regularizer(0.5), fr.l0_regularizer(0.5), fr.huber_regularizer(0.5), fr.pseudo_huber_regularizer(0.5),
        fr.log_sum_regularizer(0.5, 0.25),
        fr.sum_regularizer([fr.l1_regularizer(0.5)]), fr.sum_regularizer([abs]), fr.regularize({}, []), fr.summary([]),
        fr.get_regularization_loss(),
    ]  # fmt: skip
    assert [type(each).__name__ for each in held if getattr(fr, type(each).__name__, None) is not type(each)] == []
