#!/usr/bin/env bash
# Build for arm64 and test there: on an arm64 machine as it is, on another with a cross-compiler and under qemu's emulation.
#
#     tests/slow/arm64.sh [pytest arguments]      # default: on arm64 all tests; under emulation those of the compiled loops
#
# Emulation needs Debian with the packages qemu-user and gcc-aarch64-linux-gnu. The arm64 Python is Debian's own, unpacked into a
# temporary folder; nothing is installed. The emulator computes IEEE arithmetic exactly: bits that come out are arm64's. Times mean
# nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/copy"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$scratch/copy"
cd "$scratch/copy"
python3 -m venv "$scratch/venv"
. "$scratch/venv/bin/activate"
export PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1

if [ "$(uname -m)" = aarch64 ]; then
    python -m pip install -e ".[test]"
    python -m pytest "$@"
    exit
fi

for command in qemu-aarch64 aarch64-linux-gnu-gcc; do
    command -v "$command" >/dev/null || { echo "no $command found: install qemu-user and gcc-aarch64-linux-gnu" >&2; exit 1; }
done

# An empty list of installed packages makes apt fetch all that Python needs, the C library too.
root=$scratch/root
mkdir -p "$root" "$scratch"/apt/{lists,archives}/partial
touch "$scratch/apt/status"
arm64_apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User="$(id -un)" -o Dir::State="$scratch/apt" \
        -o Dir::State::status="$scratch/apt/status" -o Dir::Cache="$scratch/apt" "$@"
}
arm64_apt update
arm64_apt install --yes --download-only --no-install-recommends python3 libpython3-dev libgomp1 libstdc++6 >/dev/null
for package in "$scratch"/apt/archives/*.deb; do dpkg --extract "$package" "$root"; done
[ -e "$root/lib" ] || ln -s usr/lib "$root/lib"

# sys.executable is made this file, so that processes which a test starts are emulated, too.
mkdir "$scratch/site"
echo "import sys; sys.executable = '$scratch/python'" >"$scratch/site/sitecustomize.py"
cat >"$scratch/python" <<END
#!/bin/sh
export PYTHONPATH="$scratch/site\${PYTHONPATH:+:\$PYTHONPATH}"
exec qemu-aarch64 -L "$root" "$root/usr/bin/python3" "\$@"
END
chmod +x "$scratch/python"

# Run by the arm64 Python, pip chooses wheels for arm64.
mkdir "$scratch/pip"
cp -r "$scratch"/venv/lib/python3*/site-packages/pip "$scratch/pip"
PYTHONPATH=$scratch/pip "$scratch/python" -m pip install --only-binary :all: --target "$scratch/site" \
    numpy scipy pytest pytest-xdist hypothesis threadpoolctl

# setup.py runs here, and reads there what the arm64 Python was built with: the compiler, its flags, how modules are named.
python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' >"$scratch/build.txt"
python -m pip install -r "$scratch/build.txt"
mkdir "$scratch/sysconfig"
cp "$root"/usr/lib/python3*/_sysconfigdata__aarch64-linux-gnu.py "$scratch/sysconfig"
CFLAGS=$(printf -- '-I%s ' "$root"/usr/include/python3* "$root/usr/include") PYTHONPATH=$scratch/sysconfig \
    _PYTHON_HOST_PLATFORM=linux-aarch64 _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata__aarch64-linux-gnu \
    python setup.py -q egg_info build_ext --inplace
"$scratch/python" -c 'import fastreg; fastreg.show_config()'

# A test in which memory runs out some hundred times takes longer than it may, under emulation.
core=(test_bits.py::test_{inputs_are_what_they_were,golden_digest}
    test_{kernels,elements,sums,losses,lines,projections,groups,sixteen,constraints,rows,float_environment}.py)
optim=(test_{rules,whole_steps,mixed,streamed,torch_forms,constrained_steps,prox,clipping}.py)
[ $# -gt 0 ] || set -- -k "not without_memory" "${core[@]/#/tests/core/}" "${optim[@]/#/tests/optim/}"
"$scratch/python" -m pytest -q -p no:cacheprovider -n "$(nproc)" "$@"
