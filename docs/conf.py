"""How Sphinx builds these pages: python -m sphinx -W --keep-going -b html docs docs/_build/html."""

import os
import re
import tomllib
from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

import fastreg

ROOT = Path(__file__).parents[1]
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]

project = "fastreg"
author = "the fastreg developers"
copyright = f"2026, {author}"
version = release = fastreg.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
smartquotes = False  # what is typed is shown
templates_path = ["_templates"]

# Pages: Markdown that the code host shows as well.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# The reference, from the docstrings.
autodoc_mock_imports = ["torch"]
autodoc_typehints = "none"  # the docstrings name the types
autosummary_generate = True
numpydoc_show_class_members = False  # the template of a class shows its members whole
maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "fastreg"
html_static_path = ["_static"]
html_css_files = ["fastreg.css"]
html_js_files = ["sort-tables.js"]
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "tutorial", "benchmarks", "changelog")}  # they have no pages below them
html_theme_options = {
    "github_url": REPOSITORY,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "benchmarks": []},
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}


# Many file systems take names that differ in case alone, such as `Box` and `box`, for one.
_names = [f"{module.__name__}.{name}" for module in (fastreg, fastreg.constraints, fastreg.optim) for name in module.__all__]
_count = Counter(name.lower() for name in _names)
autosummary_filename_map = {name: f"{name}-function" for name in _names if name.islower() and _count[name] > 1}


def link_to_repository(app: Sphinx, docname: str, source: list[str]) -> None:
    """Turn links to files outside the pages into links to the repository, and the file above a quotation into its caption."""
    folder = Path(app.srcdir, docname).parent

    def resolved(link: re.Match[str]) -> str:
        path, hash_, anchor = link[1].partition("#")
        target = Path(os.path.normpath(folder / path))
        if target.is_relative_to(app.srcdir) or not target.is_relative_to(ROOT):
            return link[0]
        kind = "tree" if target.is_dir() else "blob"
        return f"]({REPOSITORY}/{kind}/main/{target.relative_to(ROOT).as_posix()}{hash_}{anchor})"

    text = re.sub(r"\]\((\.\.?/[^)\s]+)\)", resolved, source[0])
    source[0] = re.sub(r"^```(\w+) (\S+/\S+)$", r"```{code-block} \1\n:caption: \2\n", text, flags=re.M)


class InlineFigures(SphinxPostTransform):
    """Puts the drawings of docs/figures into the page itself, where its light or dark style sets their colours."""

    default_priority = 5
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Replace the images."""
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].startswith("figures/"):
                svg = Path(self.app.srcdir, image["uri"]).read_text(encoding="utf-8")
                image.replace_self(nodes.raw("", svg, format="html"))


def tidy_docstring(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Leave out what the modules of TensorFlow 1's names say of themselves; let an author's initial not begin a list."""
    if what == "module" and name.startswith("fastreg.compat.v1"):
        lines.clear()
    lines[:] = [re.sub(r"^((?:\.\. \[\w+-?\w*\])?\s*)([A-Z]\. )", r"\1\\\2", line) for line in lines]


def skip_undocumented(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Leave out the attributes and methods of a class that say nothing of themselves."""
    return True if what == "class" and not getattr(obj, "__doc__", None) else None


def setup(app: Sphinx) -> None:
    """Connect what stands here."""
    app.add_post_transform(InlineFigures)
    app.connect("source-read", link_to_repository)
    app.connect("autodoc-process-docstring", tidy_docstring)
    app.connect("autodoc-skip-member", skip_undocumented)
