#!/bin/sh
# Make the virtual environment .venv with one set of requirements: requirements/install.sh embedded|dev
#
# Uses uv when it is on the PATH, python3 -m venv and pip otherwise. Every package is pinned by its hash. PYTHON names
# the interpreter to use. Safe to repeat; a set that is there already costs a look.
set -eu

set_name=$1
cd "$(dirname "$0")/.."

# The least Python that the code runs on is 3.11; the newest that every pinned package has a wheel for is 3.14.
is_right='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c "$is_right" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "Taskwire needs Python 3.11 to 3.14. Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2
    return 1
}

make_environment() {
    python=$(find_python)
    echo "Making .venv with $("$python" --version)" >&2
    if command -v uv >/dev/null; then
        uv venv --quiet --allow-existing --no-python-downloads --python "$python" .venv
    elif ! "$python" -m venv .venv; then
        echo "$python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2
        return 1
    fi
}

install_packages() {
    if command -v uv >/dev/null; then
        uv pip install --quiet --python .venv/bin/python "$@"
    else
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@"
    fi
}

if ! .venv/bin/python -c "$is_right" 2>/dev/null; then
    make_environment
fi
# An environment that uv has made has no pip.
if ! command -v uv >/dev/null && ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    .venv/bin/python -m ensurepip >/dev/null
fi
echo "Installing the packages of requirements/$set_name.txt" >&2
install_packages --require-hashes -r requirements/build.txt -r "requirements/$set_name.txt"
# The builder came with build.txt: no isolated environment, hence no unpinned download.
install_packages --no-deps --no-build-isolation --editable .
