#!/bin/sh
# Pin what pyproject.toml asks for, with hashes, for every platform and Python: requirements/compile.sh
# Further words go to uv, for example --upgrade-package grpcio. No address of a package index is written.
set -eu
cd "$(dirname "$0")/.."

pin() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make requirements" "$@"
}

pin "$@" --extra dev pyproject.toml --output-file requirements/dev.txt
# What the other sets have in common with dev has the same version there.
pin --constraints requirements/dev.txt --extra embedded pyproject.toml --output-file requirements/embedded.txt
pin --constraints requirements/dev.txt --extra server pyproject.toml --output-file requirements/server.txt
pin --constraints requirements/dev.txt requirements/build.in --output-file requirements/build.txt
