"""Ports of this machine."""

import json
import random
import socket
from contextlib import suppress
from pathlib import Path

from taskwire_dev.failure import StartFailed

LOOPBACK = "127.0.0.1"

_PORTS = range(20_000, 32_000)
"""Below those that Linux gives to outgoing connections (32768 and up). Else a client that keeps trying a server which
is down may be given the very port it tries, connect to itself, and keep the server from coming back."""
_TRIES_MAX = 100


def free_port(host: str = LOOPBACK) -> int:
    """Return a port that nobody listens on. Somebody may take it before the caller does."""
    for port in random.sample(_PORTS, _TRIES_MAX):
        if is_free(port, host):
            return port
    raise StartFailed(f"No port of {host} between {_PORTS.start} and {_PORTS.stop} seems to be free.")


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether one could listen on `port` now. Nobody can on a number that is none of a port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # Without this, a port whose last connections are still in TIME_WAIT would look taken after every restart.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError):
        return False
    return True


def free_port_near(wanted: int | None, host: str = LOOPBACK) -> int:
    """Return `wanted` when it is free, or else any port that is."""
    if wanted is not None and is_free(wanted, host):
        return wanted
    return free_port(host)


class PortBook:
    """The ports used last time, kept in a file so that the same ones are used again."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def recall(self, name: str) -> int | None:
        """Return the port that `name` had, or None when none is known."""
        port = self._read().get(name)
        return port if isinstance(port, int) and 0 < port < 65536 else None

    def keep(self, name: str, port: int) -> None:
        """Remember `port` for the next start."""
        ports = self._read()
        if ports.get(name) != port:
            self._file.write_text(json.dumps({**ports, name: port}) + "\n")

    def _read(self) -> dict[str, object]:
        with suppress(OSError, ValueError):
            ports = json.loads(self._file.read_text())
            if isinstance(ports, dict):
                return ports
        return {}
