"""Sees to it that the database has its tables before a processor looks for tasks in them."""

import asyncio
from contextlib import suppress

from taskwire_migrations import migrate
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.settings import Settings

PATIENCE_SECONDS = 60.0
"""For the database to answer and for somebody else to migrate it: services are often started together."""
PAUSE_SECONDS = 0.5


class NotMigrated(Exception):
    """The database has no tables: run `taskwire migrate`, or set TASKWIRE_MIGRATE=true."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


async def prepare_schema(
    settings: Settings, stop: asyncio.Event, *, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Migrate the database where the settings say so, and wait until it is migrated or `stop` is set.

    Raises BackendUnavailable when it does not answer in time, NotMigrated when it stays empty.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_seconds
    while not stop.is_set():
        try:
            if settings.migrate:
                return await migrate.upgrade(settings.database_url)
            if (await migrate.status(settings.database_url)).current is not None:
                return None
            if loop.time() >= deadline:
                raise NotMigrated
        except BackendUnavailable:
            if loop.time() >= deadline:
                raise
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await stop.wait()
    return None
