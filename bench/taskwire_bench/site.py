"""A Postgres and a NATS of the benchmark's own, as `taskwire dev` runs them, in a folder that is deleted afterwards."""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg

from taskwire_bench.generator import ENVIRONMENT
from taskwire_dev.failure import StartFailed
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.nats_cluster import start_cluster
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_dev.stack import Stack
from taskwire_migrations.migrate import upgrade

SERVICE_SETTINGS: Mapping[str, str] = {
    "TASKWIRE_HANDLERS": "taskwire_bench.handlers",
    # What a processor that runs short handlers is given: as many slots as the claims under way have tasks at most. With
    # 2,000 claims, handlers and outcomes waited for each other, and the cores were idle for 15 % of the time after the
    # last create.
    "TASKWIRE_CONCURRENCY": "4000",
    "TASKWIRE_LOG_LEVEL": "warning",
    # No stream is moved to another gateway while it is measured.
    "TASKWIRE_WATCH_AGE_SECONDS": "3600",
}

SERVER_SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "min_wal_size": "8GB"}
"""Of Postgres, instead of the 128 MB and 2 GB of `taskwire dev`: a pass of 100,000 tasks alone writes 130 MiB of tables
and indexes. With 1 GB 35,717 instead of 34,387 tasks/s passed (medians of 6 passes by turns). Files of the log are used
again, all of them."""
LOG_FILES = 128
"""Of 16 MiB, made in advance, as on a server that has been at work: nothing commits while one is made, some 45 ms.
A pass of 100,000 tasks fills 13, and those of a pass can be used again from the next one on."""
_KEPT = "bench_log_files"


class Site:
    """Postgres and NATS, running."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres, nats: Sequence[EmbeddedNats]) -> None:
        self.folder = folder
        self.postgres = postgres
        self.nats = nats

    @classmethod
    @asynccontextmanager
    async def open(cls, *, nats_servers: int = 1, log_files: int = LOG_FILES) -> AsyncIterator["Site"]:
        """Start the servers, and have so many files of Postgres' log made in advance."""
        with tempfile.TemporaryDirectory(prefix="taskwire-bench-") as name:
            folder = Path(name)
            async with (
                EmbeddedPostgres(folder / "postgres", settings=SERVER_SETTINGS) as postgres,
                AsyncExitStack() as stack,
            ):
                await _make_log_files(postgres, log_files)
                if nats_servers > 1:
                    yield cls(folder, postgres, await start_cluster(stack, folder, nats_servers))
                else:
                    yield cls(folder, postgres, [await stack.enter_async_context(EmbeddedNats(folder / "nats"))])

    @property
    def nats_url(self) -> str:
        """Return the URLs of all servers, with commas between."""
        return ",".join(server.url for server in self.nats)

    async def database(self, name: str) -> str:
        """Make a database with all tables and return its URL."""
        url = await self.bare_database(name)
        await upgrade(url)
        return url

    async def bare_database(self, name: str) -> str:
        """Make a database with nothing in it and return its URL."""
        async with _administration(self.postgres) as connection:
            await connection.execute(f'CREATE DATABASE "{name}"')
        return self.postgres.url(name)

    async def drop_database(self, name: str) -> None:
        """Delete a database, whoever is connected to it."""
        async with _administration(self.postgres) as connection:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def stack(self, name: str, database_url: str, **variables: str) -> Stack:
        """Describe services on a database, whose logs go to the folder `name`.

        `concurrency="100"` sets TASKWIRE_CONCURRENCY.
        """
        logs = self.folder / name
        logs.mkdir()
        own = {f"TASKWIRE_{name.upper()}": value for name, value in variables.items()}
        environment = {
            **ENVIRONMENT,
            **SERVICE_SETTINGS,
            "TASKWIRE_DATABASE_URL": database_url,
            "TASKWIRE_NATS_URL": self.nats_url,
            "TASKWIRE_NATS_REPLICAS": str(len(self.nats)),
            **own,
        }
        return Stack(environment, folder=logs)

    async def postgres_settings(self) -> dict[str, str]:
        """Return the settings of Postgres that decide how fast it is and what survives."""
        names = (
            *("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size"),
            *("min_wal_size", "wal_sync_method", "commit_delay", "jit", "autovacuum"),
        )
        async with _administration(self.postgres) as connection:
            return {f"postgres.{name}": str(await connection.fetchval(f"SHOW {name}")) for name in names}


@asynccontextmanager
async def _administration(postgres: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.url("postgres"))
    try:
        yield connection
    finally:
        await connection.close()


async def _make_log_files(postgres: EmbeddedPostgres, count: int) -> None:
    async with _administration(postgres) as connection:
        # So that no checkpoint of the server's own hands out the first files again while more are to be made.
        await connection.execute(f"SELECT pg_create_physical_replication_slot('{_KEPT}', immediately_reserve => true)")
        for _ in range(count):
            # The server goes on to the next file only from one that something was written into.
            await connection.execute("SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()")
        await connection.execute(f"SELECT pg_drop_replication_slot('{_KEPT}')")
        # From here on they are free to be used again.
        await connection.execute("CHECKPOINT")
        made: int = await connection.fetchval("SELECT count(*) FROM pg_ls_waldir()")
    if made < count:
        raise StartFailed(f"Postgres keeps {made} files of its log instead of {count}")
