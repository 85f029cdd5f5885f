"""A synchronous standby of Postgres, and its promotion."""

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg

from taskwire_dev.children import Command, spawn
from taskwire_dev.failure import StartFailed
from taskwire_dev.ports import LOOPBACK
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_dev.server import write_private

_LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_COPY_SECONDS = 60.0
_SYNC_SECONDS = 30.0
_POLL_SECONDS = 0.1
_BINARIES = "SELECT setting FROM pg_config WHERE name = 'BINDIR'"
_IN_STEP = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


async def copy_to_standby(primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
    """Make a standby out of a stopped server: copy the primary, start it, and have commits wait for it."""
    shutil.rmtree(standby.home, ignore_errors=True)
    standby.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not standby.password_file.exists():
        write_private(standby.password_file, primary.password)
    [binaries] = await _ask(primary, _BINARIES)
    await _copy(Path(binaries), primary, standby)
    await standby.start()
    await wait_for(primary, standby="*")
    async with asyncio.timeout(_SYNC_SECONDS):
        while await _ask(primary, _IN_STEP) != [1]:
            await asyncio.sleep(_POLL_SECONDS)


async def promote(standby: EmbeddedPostgres) -> None:
    """Make a standby the primary. Until it has a standby of its own, its commits wait for nobody."""
    async with asyncio.timeout(_SYNC_SECONDS):
        while await _ask(standby, "SELECT pg_promote(true, 20)") != [True]:
            await asyncio.sleep(_POLL_SECONDS)
    await wait_for(standby, standby="")


async def wait_for(primary: EmbeddedPostgres, *, standby: str) -> None:
    """Say for which standby commits wait: "*" for any, "" for none."""
    await _ask(primary, f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
    await _ask(primary, "SELECT pg_reload_conf()")


async def _ask(server: EmbeddedPostgres, statement: str) -> list[Any]:
    """Return the first column of what a server says, asked again while it does not answer."""
    async with asyncio.timeout(_SYNC_SECONDS):
        while True:
            with suppress(*_LOST):
                connection = await asyncpg.connect(server.url("postgres"), timeout=5, command_timeout=25)
                try:
                    return [row[0] for row in await connection.fetch(statement)]
                finally:
                    connection.terminate()
            await asyncio.sleep(_POLL_SECONDS)


async def _copy(binaries: Path, primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
    program: list[str | Path] = [binaries / "pg_basebackup", "-D", standby.home, "-R", "-X", "stream", "-c", "fast"]
    where = ["-h", LOOPBACK, "-p", str(primary.port), "-U", "postgres"]
    command = Command(
        program=[*program, *where],
        environment={"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": primary.password},
        folder=standby.folder,
        log=standby.log,
    )
    child = await spawn(command)
    try:
        async with asyncio.timeout(_COPY_SECONDS):
            exit_code = await child.ended()
    finally:
        await child.stop([])
    if exit_code != 0:
        raise StartFailed(f"The copy of Postgres ended with {exit_code}; see {standby.log}.")
