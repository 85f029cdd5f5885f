"""The benchmark's servers are like servers that have been at work."""

import asyncpg
from taskwire_bench.site import Site

_FILES = "SELECT name FROM pg_ls_waldir() ORDER BY name"
_FILE_BYTES = 16 * 1024**2


async def test_the_log_goes_on_in_files_that_are_there() -> None:
    async with Site.open(log_files=4) as site:
        connection = await asyncpg.connect(site.postgres.url("postgres"))
        try:
            before = [row["name"] for row in await connection.fetch(_FILES)]
            # More than two files' worth.
            await connection.execute("SELECT pg_logical_emit_message(false, '', repeat('x', $1))", 2 * _FILE_BYTES)
            after = [row["name"] for row in await connection.fetch(_FILES)]
            current = await connection.fetchval("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        finally:
            await connection.close()

    assert len(before) > 4
    assert after == before
    assert before.index(current) >= 2
