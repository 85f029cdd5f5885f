"""What the embedded servers have in common: a folder, a password, a port that is kept, and one child process."""

import asyncio
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from taskwire_dev.children import Child, Command, Stage, spawn, until
from taskwire_dev.failure import StartFailed, tail_of
from taskwire_dev.occupants import evict
from taskwire_dev.ports import PortBook, free_port_near, is_free

_STARTS_MAX = 3
"""How often another port is tried when somebody takes the one just found free."""
_EVICT_SECONDS = 5.0
_PORT_SECONDS = 5.0
"""How long a server that starts again waits for its port."""
_PASSWORD_BYTES = 24


class EmbeddedServer(ABC):
    """A server in a folder; entered, it runs, with a password that only this folder knows.

    `folder` is made where missing and keeps the data. With `port` None the port of the last time is taken again when
    it is free. Raises StartFailed.
    """

    name: str
    """As in messages for people."""
    start_seconds: float

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder.absolute()
        self.port = 0
        self._wanted_port = port
        self._child: Child | None = None
        self._log_start = 0

    @property
    @abstractmethod
    def home(self) -> Path:
        """Return the folder with the data, which no other process may work in."""

    @property
    def log(self) -> Path:
        """Return the log of the server."""
        return self.folder / f"{self.name.lower()}.log"

    @property
    def child(self) -> Child:
        """Return the running server process."""
        if self._child is None:
            raise RuntimeError(f"{self.name} does not run.")
        return self._child

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the server and wait until it takes connections."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.password_file.exists():
                write_private(self.password_file, secrets.token_urlsafe(_PASSWORD_BYTES))
            await self._start()
        except OSError as error:
            raise StartFailed(f"{self.name} cannot use the folder {self.folder}: {error.strerror}.") from error

    @abstractmethod
    async def stop(self) -> None:
        """Stop the server. Does nothing when it does not run."""

    @abstractmethod
    async def _start(self) -> None:
        """Prepare the data and call `_start_on_a_port`."""

    @abstractmethod
    def _command(self) -> Command:
        """Return how to start the server on `port`."""

    @abstractmethod
    def _is_ready(self, pid: int, said: str) -> bool:
        """Tell whether process `pid`, which has logged `said`, takes connections."""

    @abstractmethod
    def _lost_its_port(self, said: str) -> bool:
        """Tell whether it ended because somebody else had taken `port`."""

    def _refuse(self, exit_code: int) -> None:
        """Raise for an exit that has a special meaning: none has, unless a server says so."""
        del exit_code

    @property
    def password_file(self) -> Path:
        """Return the file with the password."""
        return self.folder / "password"

    @property
    def password(self) -> str:
        """Return the password."""
        return self.password_file.read_text().strip()

    async def _start_on_a_port(self) -> None:
        if self.port:
            return await self._start_again()
        ports = PortBook(self.folder / "port.json")
        wanted = self._wanted_port or ports.recall(self.name)
        for _ in range(_STARTS_MAX):
            self.port = free_port_near(wanted)
            if await self._serves():
                return ports.keep(self.name, self.port)
            wanted = None
        raise self._did_not("does not start")

    async def _start_again(self) -> None:
        """Start it on the port that its clients know."""
        try:
            async with asyncio.timeout(_PORT_SECONDS):
                await until(lambda: is_free(self.port))
        except TimeoutError:
            raise StartFailed(f"{self.name} cannot start again: somebody has taken its port {self.port}.") from None
        if not await self._serves():
            raise self._did_not("does not start again")

    async def _serves(self) -> bool:
        """Start it once: False says that its port was taken meanwhile."""
        self._mark_log()
        self._child = child = await spawn(self._command())
        try:
            async with asyncio.timeout(self.start_seconds):
                await until(lambda: child.exit_code is not None or self._is_ready(child.pid, self._said()))
        except TimeoutError:
            raise self._did_not(f"takes more than {self.start_seconds:.0f} s to start") from None
        finally:
            if child.exit_code is not None or not self._is_ready(child.pid, self._said()):
                await self._end([])
        if child.exit_code is None:
            return True
        self._refuse(child.exit_code)
        if self._lost_its_port(self._said()):
            return False
        raise self._did_not("does not start")

    async def _end(self, stages: Sequence[Stage]) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            await child.stop(stages)

    def _mark_log(self) -> None:
        """Take what is in the log already for that of former starts."""
        self._log_start = self.log.stat().st_size if self.log.exists() else 0

    def _said(self) -> str:
        with suppress(OSError), self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")
        return ""

    def _vacate(self) -> None:
        """End a server of a former start that was not stopped: two must never have the same data."""
        remaining = evict(self.home, patience_seconds=_EVICT_SECONDS)
        if remaining:
            pids = ", ".join(str(process.pid) for process in remaining)
            raise StartFailed(f"Another {self.name} (process {pids}) uses {self.home} and cannot be stopped.")

    def _did_not(self, what: str) -> StartFailed:
        return StartFailed(f"{self.name} {what}. Its log {self.log} ends with:\n{tail_of(self.log, self._log_start)}")


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
