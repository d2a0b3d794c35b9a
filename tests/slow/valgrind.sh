#!/usr/bin/env bash
# Test a part under valgrind, which also sees what is read before it was written.
#
#     tests/slow/valgrind.sh [pytest arguments]      # default: every row of tests/digests.py; some ten minutes
#
# Needs valgrind and GCC. One kernel is built, that of x86-64-v3, since valgrind knows no AVX-512. Leaks are not looked for: the
# interpreter has its own. tests/slow/valgrind.supp names what is reported and is not ours.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v valgrind >/dev/null || { echo "no valgrind found; it is in the package valgrind of Linux distributions" >&2; exit 1; }

export FASTREG_BUILD_ISAS=x86-64-v3
. tests/slow/scratch_build.sh

# PYTHONMALLOC: every object an allocation of its own, so that reading past one is seen.
under_valgrind() {
    PYTHONMALLOC=malloc PYTHONPATH=tests FASTREG_NUM_THREADS=2 valgrind --quiet --error-exitcode=9 --num-callers=25 \
        --suppressions=tests/slow/valgrind.supp python "$@"
}
if [ $# -gt 0 ]; then
    under_valgrind -m pytest -q -x --capture=sys -p no:cacheprovider "$@"
else
    under_valgrind -c '
import digests
found, rows = digests.report()["digests"], digests.DIGESTS
wrong = [name for name in rows if rows[name].golden not in (None, found[name])]
assert not wrong, wrong
print(len(rows), "rows, and the digests are golden")
'
fi
