"""Bringing a database up to this release, down again, and telling where it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from msgspec import Struct
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.database import REFUSED, UNAVAILABLE, Database
from taskwire_shared.store.partitions import ensure_partitions
from taskwire_shared.store.restores import adopt_history

T = TypeVar("T")

LOCK_WAIT_SECONDS = 120
"""How long we wait for somebody else who is migrating the same database."""
CONNECT_SECONDS = 10.0
STEP_LOCK_SECONDS = 2
"""How long a step waits for a table: whoever queues behind it waits as long."""

# Any number will do, as long as nobody else takes it. Held for one session, while it migrates.
ADVISORY_LOCK = 0x7461736B_77697265


class Status(Struct, frozen=True):
    """Where a database is."""

    current: str | None
    """Its revision; None when it has none."""
    newest: str
    """The revision that this release needs."""
    is_later: bool
    """Whether a later release has brought it where it is. It is usable for the release before that."""

    @property
    def is_current(self) -> bool:
        """Tell whether the database has what this release needs."""
        return self.is_later or self.current == self.newest


class MigrationFailed(Exception):
    """A step could not be carried out, and was taken back."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"{type(self).__doc__} {reason}")


async def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to `revision` and make the days that are missing. Harmless when there is nothing to do.

    A database that a later release has brought further is left where it is: this one may be in the middle of being
    replaced, or be back. A history that was dumped in another server is numbered anew, so that its readers go on with
    what is new here.

    Raises:
        BackendUnavailable: The server does not answer or refuses us, or others held what a step had to change.
        MigrationFailed: Something is wrong with a step, or with our rights.
    """

    def climb(connection: Connection) -> None:
        if not _status(connection).is_later:
            command.upgrade(alembic_config(connection), revision)

    await locked(database_url, climb)
    if revision == "head":
        async with Database.open(database_url, pool_size=1, name="taskwire migrate") as db:
            await adopt_history(db)
            await ensure_partitions(db)


async def downgrade(database_url: str, revision: str = "base") -> None:
    """Take the database back to `revision`. What later revisions brought is dropped, tasks included."""
    await locked(database_url, lambda connection: command.downgrade(alembic_config(connection), revision))


async def status(database_url: str) -> Status:
    """Return the revision of the database and the one that this release needs. It waits for no migration.

    Raises:
        BackendUnavailable: The server does not answer or refuses us.
    """
    async with _connected(database_url) as connection:
        return await connection.run_sync(_status)


async def locked(database_url: str, step: Callable[[Connection], T]) -> T:
    """Run `step` on a connection of its own while nobody else migrates the database, commit, and return its result.

    Raises:
        BackendUnavailable: The server does not answer or refuses us, or others held what the step had to change.
        MigrationFailed: Something is wrong with the step, or with our rights.
    """
    # Closing the session gives up the lock.
    async with _connected(database_url) as connection:
        await connection.execute(text(f"SET lock_timeout = '{LOCK_WAIT_SECONDS}s'"))
        await connection.execute(text(f"SELECT pg_advisory_lock({ADVISORY_LOCK})"))
        await connection.execute(text(f"SET lock_timeout = '{STEP_LOCK_SECONDS}s'"))
        await connection.commit()
        result = await connection.run_sync(step)
        await connection.commit()
        return result


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[AsyncConnection]:
    async def connect() -> asyncpg.Connection:
        try:
            return await asyncpg.connect(
                database_url, timeout=CONNECT_SECONDS, server_settings={"application_name": "taskwire migrate"}
            )
        except (*UNAVAILABLE, *REFUSED) as error:
            raise BackendUnavailable from error

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        # The driver's own error is behind that of SQLAlchemy and the one of its adapter.
        cause = error.orig and error.orig.__cause__
        if isinstance(cause, UNAVAILABLE):
            raise BackendUnavailable from cause
        raise MigrationFailed(cause or error) from error
    except CommandError as error:
        raise MigrationFailed(error) from error
    finally:
        await asyncio.shield(engine.dispose())


def _status(connection: Connection) -> Status:
    steps = ScriptDirectory.from_config(alembic_config(connection))
    current = MigrationContext.configure(connection).get_current_revision()
    known = {step.revision for step in steps.walk_revisions()}
    return Status(
        current=current, newest=steps.get_current_head() or "", is_later=current is not None and current not in known
    )


def alembic_config(connection: Connection) -> Config:
    """Tell Alembic where the steps are and which connection to use."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
