"""Every example in a docstring or in a page of Markdown runs, and shows what it prints."""

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
    check(doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)))


def test_docstrings_of_the_compiled_border_are_found():
    found = doctest.DocTestFinder().find(importlib.import_module(COMPILED_DOCS))
    assert sum(len(test.examples) for test in found) > 0


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages(page):
    """The blocks of a page share their names, top to bottom."""
    text = "\n".join(blocks(page, "python"))
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert check([test]) == len(test.examples)


def test_the_first_two_commands_of_the_readme():
    """Set up and run; set up and test. One line each: `.ci/run` takes the second from here."""
    run, test = (block.splitlines() for block in blocks(ROOT / "README.md", "sh")[:2])
    assert len(run) == len(test) == 1
    assert run[0].endswith("python examples/train_digits.py")
    assert test[0].endswith("python -m pytest")
