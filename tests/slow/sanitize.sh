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
# the lock has locks that it does not know: that interpreter must be built with --with-thread-sanitizer. PYTHON= names one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

what=memory
case "${1-}" in memory | thread)
    what=$1
    shift
    ;;
esac
if [ "$what" = thread ]; then
    names=(libtsan.so) flags="-fsanitize=thread"
    # It has a thread of its own, which a child of a fork lacks and a limit of threads counts, and it needs a larger stack.
    default=(
        tests/core/test_{free_threading,threads}.py tests/core/test_bits.py::test_golden_digest_does_not_depend_on_threads
        -k "not fork and not gives_no_more_threads and not stack_may_be_small"
    )
else
    names=(libasan.so libubsan.so) flags="-fsanitize=address,undefined"
    default=(
        tests/core/test_{kernels,rows,lines,projections,groups,constraints,family,sums,collections,checks,bits,regularizers,losses}.py
        tests/core/test_{sixteen,free_threading}.py tests/optim/test_{constrained_steps,mixed,streamed}.py
    )
fi
[ $# -gt 0 ] || set -- "${default[@]}"

command -v gcc >/dev/null || { echo "no gcc found; its sanitizers are needed" >&2; exit 1; }
libraries=()
for name in "${names[@]}"; do
    path=$(gcc -print-file-name="$name")
    [ -e "$path" ] || { echo "gcc has no $name" >&2; exit 1; }
    libraries+=("$(realpath "$path")")
done

export CC=gcc CFLAGS="$flags -fno-omit-frame-pointer -g" LDFLAGS="$flags"
[ "$what" = thread ] || CFLAGS+=" -fno-sanitize-recover=undefined"
. tests/slow/scratch_build.sh

run=(python)
export LD_PRELOAD="${libraries[*]}" ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
if [ "$what" = thread ]; then
    # A child of a fork may start threads of its own. What is reported goes to files, since a test may want an empty stderr.
    TSAN_OPTIONS="suppressions=$scratch/tests/slow/tsan.supp log_path=$scratch/race"
    export TSAN_OPTIONS+=" ignore_noninstrumented_modules=1 die_after_fork=0 history_size=5 allocator_may_return_null=1"
    run=(setarch "$(uname -m)" -R python)  # its shadow memory has no room for random addresses
    "${run[@]}" -c '
import sys, sysconfig
if sysconfig.get_config_var("Py_GIL_DISABLED") and "thread-sanitizer" not in sysconfig.get_config_var("CONFIG_ARGS"):
    sys.exit("this Python has no interpreter lock and was built without --with-thread-sanitizer; name another one by PYTHON=")
'
fi
isas=$("${run[@]}" -c 'import fastreg; print(*fastreg.get_config()["isas"])')
for isa in $isas; do
    echo "=== $isa"
    # PYTHONMALLOC: every object an allocation of its own, so that reading past one is seen. --capture=sys: reports stay visible.
    status=0
    FASTREG_ISA=$isa PYTHONMALLOC=malloc "${run[@]}" -m pytest -q -x --capture=sys -p no:cacheprovider "$@" || status=$?
    for report in "$scratch"/race.*; do
        [ ! -e "$report" ] || { cat "$report"; status=1; }
    done
    [ $status = 0 ] || exit $status
done
