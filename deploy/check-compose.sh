#!/bin/sh
# Check that docker-compose.yml is what Compose understands. Needs no Docker engine.
set -eu
cd "$(dirname "$0")/.."

if command -v docker-compose >/dev/null; then
    docker-compose --file docker-compose.yml config --quiet
elif docker compose version >/dev/null 2>&1; then
    docker compose --file docker-compose.yml config --quiet
else
    echo "docker-compose.yml cannot be checked: install Compose (on Debian: apt install docker-compose)" >&2
    exit 1
fi
