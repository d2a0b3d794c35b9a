#!/usr/bin/env bash
# Build the extensions with AddressSanitizer and UndefinedBehaviorSanitizer, in a copy of the sources, and test them so.
#
#     tests/slow/sanitize.sh [pytest arguments]      # default: the tests of the compiled code
#
# Needs GCC with libasan and libubsan; takes some ten minutes. Leaks are not looked for: the interpreter has its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

libraries=()
for name in libasan.so libubsan.so; do
    path=$(gcc -print-file-name="$name")
    [ -e "$path" ] || { echo "gcc has no $name" >&2; exit 1; }
    libraries+=("$(realpath "$path")")
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$scratch"
cd "$scratch"
python3 -m venv venv
. venv/bin/activate
export CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"
export LDFLAGS="-fsanitize=address,undefined"
python -m pip install --quiet --disable-pip-version-check -e ".[test]"

[ $# -gt 0 ] || set -- tests/core/test_{kernels,rows,lines,projections,groups,constraints,family,sums,collections,checks,bits,regularizers,losses}.py tests/optim/test_constrained_steps.py
export LD_PRELOAD="${libraries[*]}" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
isas=$(python -c 'import fastreg; print(*fastreg.get_config()["isas"])')
for isa in $isas; do
    echo "=== $isa"
    # PYTHONMALLOC: every object an allocation of its own, so that reading past one is seen. --capture=sys: reports stay visible.
    FASTREG_ISA=$isa PYTHONMALLOC=malloc python -m pytest -q -x --capture=sys -p no:cacheprovider "$@"
done
