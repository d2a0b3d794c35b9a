"""Every example in a docstring or in a page of Markdown runs and shows what it prints; what a page quotes or names is there."""

import ast
import doctest
import importlib
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

import figures
import numpy as np
import pytest
from kernel_calls import COMPILED_DOCS

import fastreg as fr

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)]
OPTIONAL = {"torch", "jax", "autograd", "scipy", "sklearn"}  # libraries that a page may show fastreg beside
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


def name_of(page):
    return page.relative_to(ROOT).as_posix()


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


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_the_files_that_a_page_names_exist(page):
    assert [str(path) for path in paths_in(page) if not path.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages(page):
    """The blocks of a page share their names, top to bottom."""
    text = "\n".join(blocks(page, "python"))
    for library in OPTIONAL & set(re.findall(r"^>>> (?:import|from) (\w+)", text, re.M)):
        pytest.importorskip(library, reason=f"{library} is not installed")
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert check([test]) == len(test.examples)


def listed_in_the_reference():
    """Return the modules that the reference shows whole, and the names that it lists, by their modules."""
    whole, listed = set(), {}
    for page in (DOCS / "reference").rglob("*.rst"):
        if "generated" in page.parts:
            continue
        names = set()
        for line in page.read_text().splitlines():
            if found := re.match(r"\.\. automodule:: (\S+)", line):
                whole.add(found[1])
            elif found := re.match(r"\.\. currentmodule:: (\S+)", line):
                names = listed.setdefault(found[1], set())
            elif found := re.match(r"   (\w+)$", line):
                names.add(found[1])
    return whole, listed


def public_names():
    """Return the names of each module that is not TensorFlow 1's face; torch's is read, not imported."""
    modules = (fr, fr.optim, fr.optim.schedules, fr.constraints)
    names = {m.__name__: {n for n in m.__all__ if not isinstance(getattr(m, n), ModuleType)} for m in modules}
    torch = ast.parse((ROOT / "fastreg" / "interop" / "torch" / "__init__.py").read_text())
    (listed,) = (node.value for node in torch.body if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
    return names | {"fastreg.interop.torch": set(ast.literal_eval(listed))}


def test_the_reference_lists_every_public_name():
    assert listed_in_the_reference()[1] == public_names()


def test_the_reference_shows_every_module_of_tensorflow_1():
    importlib.import_module("fastreg.compat.v1")
    face = {
        name
        for name, module in sys.modules.items()
        if type(module).__name__ == "_Namespace"
        and any(not isinstance(value, ModuleType) for key, value in vars(module).items() if not key.startswith("_"))
    }
    missing = face - listed_in_the_reference()[0]
    assert len(face) > 20
    assert missing == {"fastreg.compat.v1.python.framework.ops"}  # the names of tf itself


@pytest.mark.parametrize(("path", "drawing"), figures.figures().items(), ids=lambda value: getattr(value, "name", ""))
def test_the_figures_show_the_numbers_of_the_benchmarks(path, drawing):
    assert path.read_text() == drawing, "run: python benchmarks/figures.py"


def test_the_first_two_commands_of_the_readme():
    """Set up and run; set up and test. One line each: `.ci/run` takes the second from here."""
    run, test = (block.splitlines() for block in blocks(ROOT / "README.md", "sh")[:2])
    assert len(run) == len(test) == 1
    assert run[0].endswith("python examples/train_digits.py")
    assert test[0].endswith("python -m pytest")
