"""Every example in a docstring or in a page of Markdown runs and shows what it prints; what a page quotes or names is there."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from kernel_calls import COMPILED_DOCS

import fastreg as fr

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = sorted({fr.__name__, *(m.name for m in pkgutil.walk_packages(fr.__path__, "fastreg.") if "._kernels_" not in m.name)})

pytestmark = pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="examples show NumPy 2's scalars")


def check(tests):
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    with fr.Graph().as_default():
        for test in tests:
            runner.run(test)
    assert runner.failures == 0
    return runner.tries


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_docstrings(name):
    if name.startswith("fastreg.interop.torch"):
        pytest.importorskip("torch", reason="torch is not installed; it comes with the extra fastreg[torch]")
    check(doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)))


def test_docstrings_of_the_compiled_border_are_found():
    found = doctest.DocTestFinder().find(importlib.import_module(COMPILED_DOCS))
    assert sum(len(test.examples) for test in found) > 0


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.M | re.S)


def quotations():
    """Return file and code of every block that names a file behind its language."""
    pattern = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.M | re.S)
    return [pytest.param(*found, id=found[0]) for page in PAGES for found in pattern.findall(page.read_text())]


def missing(code, source):
    """Return the first piece of the code that does not stand in the source, whole lines in order; `...` is between the pieces."""
    start = 0
    for piece in re.split(r"^\.\.\.\n", code, flags=re.M):
        found = ("\n" + source).find("\n" + piece, start)
        if found < 0:
            return piece
        start = found + len(piece)
    return None


@pytest.mark.parametrize(("path", "code"), quotations())
def test_quoted_code_stands_in_its_file(path, code):
    assert missing(code, (ROOT / path).read_text()) is None


def test_a_changed_quotation_is_found():
    assert len(quotations()) > 0
    source = "a = 1\nb = 2\nc = 3\n"
    assert missing("a = 1\n...\nc = 3\n", source) is None
    for code in ("a = 2\n", "c = 3\n...\na = 1\n", " = 2\n", "a = 1\nc = 3\n"):
        assert missing(code, source)


def paths_in(page):
    """Return the files that a page names: the targets of its links, and what is written as code and ends like a file."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    links = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    named = re.findall(r"`((?:[\w.]+/)+(?:[\w.]+\.(?:py|pyx|pxd|h|md|svg|sh|json))?)`", text)
    return [page.parent / link for link in links if link] + [ROOT / name for name in named]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_the_files_that_a_page_names_exist(page):
    assert [str(path) for path in paths_in(page) if not path.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages(page):
    """The blocks of a page share their names, top to bottom."""
    if page.name == "torch.md":
        pytest.importorskip("torch", reason="torch is not installed; it comes with the extra fastreg[torch]")
    text = "\n".join(blocks(page, "python"))
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert check([test]) == len(test.examples)


def test_the_first_two_commands_of_the_readme():
    """Set up and run; set up and test. One line each: `.ci/run` takes the second from here."""
    run, test = (block.splitlines() for block in blocks(ROOT / "README.md", "sh")[:2])
    assert len(run) == len(test) == 1
    assert run[0].endswith("python examples/train_digits.py")
    assert test[0].endswith("python -m pytest")
