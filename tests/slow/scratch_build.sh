# To be sourced: copies the sources into a folder that is removed at exit, builds them there with the CFLAGS and LDFLAGS that are
# set, in a virtual environment of $PYTHON (default: python3), and goes there. FASTREG_BUILD_ISAS and FASTREG_BUILD_OPENMP hold.
python=${PYTHON:-python3}
command -v "$python" >/dev/null || { echo "no Python called $python; name one by PYTHON=" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$scratch"
cd "$scratch"
"$python" -m venv venv
. venv/bin/activate
python -m pip install --quiet --disable-pip-version-check -e ".[test]"
