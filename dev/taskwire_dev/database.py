"""The database `taskwire` on the embedded Postgres."""

import asyncpg

from taskwire_dev.failure import StartFailed
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_migrations.migrate import MigrationFailed, upgrade
from taskwire_shared.domain.errors import BackendUnavailable

DATABASE = "taskwire"


async def prepare_database(postgres: EmbeddedPostgres) -> None:
    """Make the database where it is missing, and bring it up to date. Raises StartFailed."""
    try:
        await _create(postgres)
        await upgrade(postgres.url(DATABASE))
    except (asyncpg.PostgresError, BackendUnavailable, MigrationFailed, OSError) as error:
        cause = error.__cause__ if isinstance(error, BackendUnavailable) else error
        raise StartFailed(f"The database in {postgres.folder} cannot be brought up to date: {cause}") from error


async def served_types(postgres: EmbeddedPostgres, processor: str) -> list[str]:
    """Return the types of tasks that a processor has handlers for, none when that cannot be found out."""
    try:
        connection = await asyncpg.connect(postgres.url(DATABASE))
        try:
            return list(await connection.fetchval("SELECT types FROM processors WHERE id = $1::uuid", processor) or ())
        finally:
            await connection.close()
    except (asyncpg.PostgresError, OSError):
        return []


async def _create(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.url("postgres"))
    try:
        await connection.execute(f"CREATE DATABASE {DATABASE}")
    except asyncpg.DuplicateDatabaseError:
        pass
    finally:
        await connection.close()
