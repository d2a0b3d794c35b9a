#!/usr/bin/env bash
# Test on a Python without the global interpreter lock, in a virtual environment of its own.
#
#     tests/slow/free_threading.sh [python]          # default: python3.14t or python3.13t, whichever is found
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=${1:-$(command -v python3.14t || command -v python3.13t || true)}
[ -n "$python" ] || { echo "no free-threaded Python found: neither python3.14t nor python3.13t; name one as the argument" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
. "$scratch/venv/bin/activate"
python -m pip install --quiet --disable-pip-version-check -e ".[test]"
python -c '
import sys
import fastreg
sys.exit("importing fastreg switched the interpreter lock on" if sys._is_gil_enabled() else 0)
'
python -m pytest
