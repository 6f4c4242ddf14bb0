#!/bin/sh
# Install a requirements file into .venv. Usage: infra/requirements/install.sh run|test
#
# uv installs several times faster than pip; it comes from the PATH, otherwise from PyPI. If uv fails, for example because
# only pip is configured for the local index, pip installs the same versions. Both check the hashes.
set -eu
PYTHON=${PYTHON:-python3}
VENV=.venv
HERE=$(dirname "$0")
FILE=$HERE/$1.txt

require_version() {
    "$1" -c 'import sys; sys.exit("Python 3.11 or newer is required: make clean, then make PYTHON=…" if sys.version_info < (3, 11) else 0)'
}

pip_install() {
    python=$1
    shift
    PIP_REQUIRE_VIRTUALENV=0 "$python" -m pip --disable-pip-version-check --no-input --quiet install \
        --progress-bar off --require-hashes "$@"
}

# An interrupted installation can leave a .venv without a working Python.
if ! "$VENV/bin/python" -c '' 2>/dev/null; then
    require_version "$PYTHON"
    "$PYTHON" -m venv --clear --without-pip "$VENV"
fi
require_version "$VENV/bin/python"

uv=$(command -v uv || echo "$VENV/uv/bin/uv")
[ -x "$uv" ] || pip_install "$PYTHON" --target "$VENV/uv" -r "$HERE/uv.txt" 2>"$VENV/uv.log" || true
if [ -x "$uv" ] && "$uv" pip install --quiet --python "$VENV/bin/python" --require-hashes -r "$FILE"; then
    exit 0
fi
echo "uv is not available or can't install $FILE: using pip, which takes longer." >&2
"$VENV/bin/python" -m pip --version >/dev/null 2>&1 || "$PYTHON" -m venv "$VENV"
pip_install "$VENV/bin/python" -r "$FILE" || {
    echo "Installing $FILE needs a package index; set pip's index-url if yours is not PyPI." >&2
    exit 1
}
