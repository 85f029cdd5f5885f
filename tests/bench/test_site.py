"""The benchmark's servers are like servers that have been at work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from taskwire_bench import site
from taskwire_bench.site import Site

from taskwire_dev.failure import StartFailed

_FILES = "SELECT name FROM pg_ls_waldir() ORDER BY name"
_FILE_BYTES = 16 * 1024**2


@asynccontextmanager
async def _connected(running: Site) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(running.postgres.url("postgres"))
    try:
        yield connection
    finally:
        await connection.close()


async def test_the_log_goes_on_in_files_that_are_there() -> None:
    async with Site.open(log_files=4) as running, _connected(running) as connection:
        before = [row["name"] for row in await connection.fetch(_FILES)]
        # More than two files' worth.
        await connection.execute("SELECT pg_logical_emit_message(false, '', repeat('x', $1))", 2 * _FILE_BYTES)
        after = [row["name"] for row in await connection.fetch(_FILES)]
        current = await connection.fetchval("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")

    assert len(before) > 4
    assert after == before
    assert before.index(current) >= 2


async def test_no_file_is_used_again_while_others_are_still_to_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    # The server makes a checkpoint of its own after half of so much, here after 8 of 14 files.
    monkeypatch.setattr(site, "SERVER_SETTINGS", {"max_wal_size": "256MB", "min_wal_size": "256MB"})

    async with Site.open(log_files=14) as running, _connected(running) as connection:
        files = await connection.fetch(_FILES)

    assert len(files) >= 14


async def test_a_server_that_keeps_fewer_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "SERVER_SETTINGS", {"max_wal_size": "64MB", "min_wal_size": "64MB"})

    with pytest.raises(StartFailed, match="instead of 12"):
        async with Site.open(log_files=12):
            pass
