"""Bringing a database up to this release, down again, and telling where it is."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.database import Database
from taskwire_shared.store.partitions import ensure_partitions
from taskwire_shared.store.restores import adopt_history

T = TypeVar("T")

LOCK_WAIT_SECONDS = 120
"""How long we wait for somebody else who is migrating the same database."""
STEP_LOCK_SECONDS = 2
"""How long a step waits for a table: whoever queues behind it waits as long."""

# Any number will do, as long as nobody else takes it. Held for one session, while it migrates.
_ADVISORY_LOCK = 0x7461736B_77697265


class Status(Struct, frozen=True):
    """Where a database is."""

    current: str | None
    """Its revision; None when it has none."""
    newest: str
    """The revision that this release needs."""

    @property
    def is_current(self) -> bool:
        """Tell whether the database is what this release needs."""
        return self.current == self.newest


async def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to `revision` and make the days that are missing. Harmless when there is nothing to do.

    A history that was dumped in another server is numbered anew, so that its readers go on with what is new here.

    Raises:
        BackendUnavailable: The server does not answer.
        sqlalchemy.exc.DBAPIError: A step failed and was taken back, or another migration took too long.
    """
    await locked(database_url, lambda connection: command.upgrade(alembic_config(connection), revision))
    if revision == "head":
        async with Database.open(database_url, pool_size=1, name="taskwire migrate") as db:
            await adopt_history(db)
            await ensure_partitions(db)


async def downgrade(database_url: str, revision: str = "base") -> None:
    """Take the database back to `revision`. What later revisions brought is dropped, tasks included."""
    await locked(database_url, lambda connection: command.downgrade(alembic_config(connection), revision))


async def status(database_url: str) -> Status:
    """Return the revision of the database and the one that this release needs."""

    def read(connection: Connection) -> Status:
        newest = ScriptDirectory.from_config(alembic_config(connection)).get_current_head()
        current = MigrationContext.configure(connection).get_current_revision()
        return Status(current=current, newest=newest or "")

    return await locked(database_url, read)


async def locked(database_url: str, step: Callable[[Connection], T]) -> T:
    """Run `step` on a connection of its own while nobody else migrates the database, commit, and return its result.

    Raises:
        BackendUnavailable: The server does not answer.
    """

    async def connect() -> asyncpg.Connection:
        try:
            return await asyncpg.connect(database_url, server_settings={"application_name": "taskwire migrate"})
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
            raise BackendUnavailable from error

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SET lock_timeout = '{LOCK_WAIT_SECONDS}s'"))
            await connection.execute(text(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})"))
            await connection.execute(text(f"SET lock_timeout = '{STEP_LOCK_SECONDS}s'"))
            await connection.commit()
            result = await connection.run_sync(step)
            await connection.commit()
            return result
    finally:
        # Closing the session gives up the lock.
        await asyncio.shield(engine.dispose())


def alembic_config(connection: Connection) -> Config:
    """Tell Alembic where the steps are and which connection to use."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
