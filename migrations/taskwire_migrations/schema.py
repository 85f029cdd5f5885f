"""Sees to it that the database has its tables before a service looks for anything in them."""

import asyncio
from contextlib import suppress

from taskwire_migrations import migrate
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.settings import Settings
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

ANSWER_SECONDS = 60.0
"""For the database to answer: services are often started together with it."""
PAUSE_SECONDS = 0.5

_log = logs.get(__name__)


class NotMigrated(Exception):
    """The database has no tables yet: run `taskwire migrate`, or set TASKWIRE_MIGRATE=true."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


async def prepare_schema(
    settings: Settings, stop: asyncio.Event, *, empty_seconds: float, answer_seconds: float = ANSWER_SECONDS
) -> None:
    """Migrate the database where the settings say so, and wait until it is migrated or `stop` is set.

    Args:
        settings: Say which database it is, and whether to migrate it.
        stop: Ends the waiting, without an error.
        empty_seconds: How long it may be without tables: somebody else may be about to make them.
        answer_seconds: How long it may not answer.

    Raises:
        BackendUnavailable: It does not answer in time.
        NotMigrated: It stays empty.
        MigrationFailed: See `migrate.upgrade`.
    """
    began = asyncio.get_running_loop().time()
    said: set[Event] = set()
    while not stop.is_set():
        waited = asyncio.get_running_loop().time() - began
        try:
            if await _is_ready(settings):
                return
            if waited >= empty_seconds:
                raise NotMigrated
            _say_once(said, Event.DATABASE_EMPTY)
        except BackendUnavailable as error:
            if waited >= answer_seconds:
                raise
            why = f"{type(error.__cause__).__name__}: {error.__cause__}"
            _say_once(said, Event.DATABASE_UNREACHABLE, error=why)
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await stop.wait()


def _say_once(said: set[Event], event: Event, **facts: str) -> None:
    """Log why a service does not start: else nobody would hear of it for a minute."""
    if event not in said:
        said.add(event)
        _log.warning(event, **facts)


async def _is_ready(settings: Settings) -> bool:
    """Migrate or look, and tell whether there are tables."""
    if settings.migrate:
        await migrate.upgrade(settings.database_url)
        return True
    return (await migrate.status(settings.database_url)).current is not None
