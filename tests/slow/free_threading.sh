#!/usr/bin/env bash
# Test on a Python without the global interpreter lock, in a virtual environment of its own: first one test after another, then each
# test in several threads at once, by pytest-run-parallel.
#
#     tests/slow/free_threading.sh [python]          # default: python3.14t or python3.13t, whichever is found
#
# Tests that are marked `thread_unsafe`, with the reason, run in one thread.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=${1:-$(command -v python3.14t || command -v python3.13t || true)}
if [ -z "$python" ]; then
    cat >&2 <<'END'
no free-threaded Python found: neither python3.14t nor python3.13t. Get one by one of
    uv python install 3.14t
    pyenv install 3.14t
    https://www.python.org/downloads/, whose installers for macOS and Windows offer free-threaded binaries
    the sources: ./configure --disable-gil && make
and name it as the argument.
END
    exit 1
fi
"$python" -c 'import sysconfig, sys; sys.exit(0 if sysconfig.get_config_var("Py_GIL_DISABLED") else f"{sys.executable} has the interpreter lock; name a free-threaded Python")'

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
. "$scratch/venv/bin/activate"
python -m pip install --quiet --disable-pip-version-check -e ".[test]" pytest-run-parallel
python -c '
import sys
import fastreg
sys.exit("importing fastreg switched the interpreter lock on" if sys._is_gil_enabled() else 0)
'
python -m pytest
python -m pytest --parallel-threads=4 tests/core tests/optim tests/compat
