#!/usr/bin/env bash
# Report which lines of Python and of Cython the tests run, and list those that they do not.
#
#     tests/slow/coverage.sh [pytest arguments]      # default: the whole suite; half an hour
#
# Builds in a copy of the sources with GCC's counters. They count the lines of .pyx and .pxd files, inlined ones and those without
# the interpreter's lock too, because Cython writes where each line of C comes from. The kernels of all instruction sets count
# together. Writes coverage.txt, or what $REPORT names. Needs GCC with gcov.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

command -v gcov >/dev/null || { echo "gcov, which comes with GCC, is not here" >&2; exit 1; }
report=$(realpath -m "${REPORT:-coverage.txt}")
. tests/slow/scratch_build.sh
# Again, with the counters: pip builds in a folder that is gone afterwards, and the counters' files lie beside the objects.
python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' >build.txt
python -m pip install --quiet --disable-pip-version-check coverage gcovr -r build.txt
CFLAGS="--coverage -g0" LDFLAGS="--coverage" python setup.py --quiet build_ext --inplace --force

status=0
python -m coverage run --branch --source=fastreg -m pytest -q -p no:cacheprovider "$@" || status=1
{
    echo "Python"
    python -m coverage report --show-missing --skip-covered
    echo
    echo "Cython"
    gcovr --root . --filter 'fastreg/.*\.(pyx|pxd)$' --gcov-ignore-parse-errors=all --gcov-ignore-errors=no_working_dir_found --merge-mode-functions=merge-use-line-0 --txt
} | tee "$report"
exit "$status"
