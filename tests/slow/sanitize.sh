#!/usr/bin/env bash
# Build the extensions with sanitizers, in a copy of the sources, and test them so.
#
#     tests/slow/sanitize.sh [memory] [pytest arguments]     # AddressSanitizer and UndefinedBehaviorSanitizer; some ten minutes
#     tests/slow/sanitize.sh thread [pytest arguments]       # ThreadSanitizer; some five minutes
#
# The default arguments are the tests of the compiled code, and those of threads. Each kernel is tested; FASTREG_BUILD_ISAS=x86-64-v3
# builds one. Needs GCC with libasan and libubsan, or libtsan. Leaks are not looked for: the interpreter has its own.
#
# ThreadSanitizer sees what is compiled with it and what calls pthreads. It knows an interpreter's lock, then, and nothing of
# OpenMP's library; what that costs stands in tests/slow/tsan.supp, and FASTREG_BUILD_OPENMP=0 builds without. An interpreter without
# the lock must be built with --with-thread-sanitizer and is named by PYTHON=.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

what=memory
case "${1-}" in memory | thread) what=$1; shift ;; esac

[ $# -gt 0 ] || if [ $what = thread ]; then
    set -- tests/core/test_{free_threading,threads}.py
else
    set -- tests/core/test_{kernels,rows,lines,projections,groups,constraints,family,sums,collections,checks,bits,regularizers,losses,sixteen,free_threading}.py \
        tests/optim/test_{constrained_steps,mixed,streamed}.py
fi

if [ $what = thread ]; then
    names=(libtsan.so) flags="-fsanitize=thread"
else
    names=(libasan.so libubsan.so) flags="-fsanitize=address,undefined"
fi
libraries=()
for name in "${names[@]}"; do
    path=$(gcc -print-file-name="$name")
    [ -e "$path" ] || { echo "gcc has no $name" >&2; exit 1; }
    libraries+=("$(realpath "$path")")
done

export CC=gcc CFLAGS="$flags -fno-omit-frame-pointer -g" LDFLAGS="$flags"
[ $what = thread ] || CFLAGS+=" -fno-sanitize-recover=undefined"
. tests/slow/scratch_build.sh

python=(python)
export LD_PRELOAD="${libraries[*]}" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
if [ $what = thread ]; then
    # A child of a fork may start threads of its own. What is reported goes to files, since a test may want an empty stderr.
    TSAN_OPTIONS="suppressions=$scratch/tests/slow/tsan.supp log_path=$scratch/race"
    export TSAN_OPTIONS+=" ignore_noninstrumented_modules=1 die_after_fork=0 history_size=5"
    python=(setarch "$(uname -m)" -R python)  # its shadow memory has no room for random addresses
fi
isas=$("${python[@]}" -c 'import fastreg; print(*fastreg.get_config()["isas"])')
for isa in $isas; do
    echo "=== $isa"
    # PYTHONMALLOC: every object an allocation of its own, so that reading past one is seen. --capture=sys: reports stay visible.
    FASTREG_ISA=$isa PYTHONMALLOC=malloc "${python[@]}" -m pytest -q -x --capture=sys -p no:cacheprovider "$@"
    if compgen -G "$scratch/race.*" >/dev/null; then
        cat "$scratch"/race.*
        exit 1
    fi
done
