"""A newcomer's first hour: each script does one thing as a user would, and checks what came of it."""

from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).with_name("first_hour").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_of_the_first_hour(run_python, script):
    done = run_python(script.read_text())
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
