#!/bin/sh
# Install the peers beside their programs, and nothing outside this folder: bench/peers/install.sh
# The peers in Python run on the interpreter of Taskwire's .venv. Needs go, node with npm, and on Debian apt-get for a
# Redis. What cannot be installed is named at the end; the benchmark then says NOT MEASURED for it.
set -u
cd "$(dirname "$0")"
missing=

../../.venv/bin/python -m venv python/.venv && python/.venv/bin/pip install --quiet --disable-pip-version-check \
    -r python/requirements.txt || missing="$missing python"
(cd go && go build -o measure .) || missing="$missing go"
(cd node && npm ci --silent --no-audit --no-fund) || missing="$missing node"

# The packages are unpacked here instead of being installed, which would start a service.
install_redis() {
    mkdir -p redis && cd redis && apt-get download --quiet redis-server redis-tools libjemalloc2 liblua5.1-0 liblzf1 \
        libhiredis0.14 lua-cjson lua-bitop && for package in *.deb; do dpkg -x "$package" . || return 1; done
}
(install_redis >/dev/null 2>&1) || missing="$missing redis"

[ -z "$missing" ] || { echo "could not be installed:$missing" >&2; exit 1; }
