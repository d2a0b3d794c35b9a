"""What stands in more than one place of the project agrees: slow suites, workflows, checks before a commit, versions."""

import importlib.util
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SLOW = ROOT / "tests" / "slow"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

in_the_repository = pytest.mark.skipif(not WORKFLOWS, reason="the sdist has no workflows")


def slow_suites():
    spec = importlib.util.spec_from_file_location("run_all", SLOW / "run_all.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_all"] = module  # where dataclasses look
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["run_all"]
    return module.SUITES


def listed(text, key):
    """The list that this key has in a file of YAML, on one line."""
    return [item.strip(" \"'") for item in re.search(rf"^ *{key}: \[(.*)\]$", text, re.MULTILINE)[1].split(",")]


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def is_program(text):
    return text.startswith("#!") or "\nif __name__ ==" in text


def test_every_slow_suite_has_a_runner():
    files = {word for suite in slow_suites() for word in shlex.split(suite.command) if word.startswith("tests/slow/")}
    programs = [path for path in SLOW.iterdir() if path.suffix in (".py", ".sh") and is_program(path.read_text())]
    there = {f"tests/slow/{path.name}" for path in programs}
    assert files == there - {"tests/slow/run_all.py"}


@in_the_repository
def test_every_slow_suite_runs_each_night():
    nightly = (ROOT / ".github" / "workflows" / "nightly.yml").read_text()
    assert listed(nightly, "suite") == [suite.name for suite in slow_suites()]


@in_the_repository
def test_every_python_is_tested():
    versions = [line.rpartition(" ")[2] for line in project()["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    tested = listed((ROOT / ".github" / "workflows" / "tests.yml").read_text(), "python")
    assert [version for version in tested if not version.endswith("t")] == versions
    assert project()["requires-python"] == f">={versions[0]}"


@in_the_repository
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_use_actions_by_commit_and_nothing_unasked(path):
    text = path.read_text()
    used = re.findall(r"uses: (.*)", text)
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    assert "\npermissions: {}\n" in text
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")
    assert text.count("timeout-minutes:") == text.count("runs-on:")


@in_the_repository
def test_one_action_has_one_version():
    used = {action for path in WORKFLOWS for action in re.findall(r"uses: (.*)", path.read_text())}
    assert len({action.partition("@")[0] for action in used}) == len(used)


@in_the_repository
def test_what_is_checked_before_a_commit_is_checked_before_a_merge():
    hooks = re.findall(r"entry: ([^,]+)", (ROOT / ".pre-commit-config.yaml").read_text())
    checks = re.findall(r"^check (.+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert len(hooks) == 4
    assert set(hooks) <= set(checks)


@in_the_repository
def test_one_version_everywhere():
    version = re.search(r'^__version__ = "(.*)"$', (ROOT / "fastreg" / "__init__.py").read_text(), re.MULTILINE)[1]
    if "dev" in version:
        pytest.skip("no release")
    assert re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1] == version
    assert re.search(r'^  version: "(.*)"$', (ROOT / "conda" / "recipe.yaml").read_text(), re.MULTILINE)[1] == version
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == version


@in_the_repository
def test_the_recipe_asks_for_what_the_project_asks_for():
    recipe = (ROOT / "conda" / "recipe.yaml").read_text()
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for requirement in [*build, *project()["dependencies"], *project()["optional-dependencies"]["suite"]]:
        assert f"- {requirement.replace('>=', ' >=')}\n" in recipe, requirement
