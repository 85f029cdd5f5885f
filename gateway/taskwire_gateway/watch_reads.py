"""What single watches read from the tables, a few at a time.

The tailer reads for everybody; a watch reads for itself when it starts, resumes or has fallen behind. Thousands may do
so at once after another gateway has died, and must leave connections to the creates.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from taskwire_shared.domain.task import Task
from taskwire_shared.store import events, reads
from taskwire_shared.store.database import Database
from taskwire_shared.store.events import FeedPage
from taskwire_shared.store.installation import read_installation
from taskwire_shared.store.positions import Position

READS_MAX = 3
"""At once."""
VERSIONS_MAX = 64
"""In one read of one task's history; the last of them may carry 256 KiB."""
PAGE_TASKS_MAX = 500


class VersionsPage(Struct, frozen=True):
    """Versions of one task, in order."""

    versions: Sequence[Task]
    is_last: bool


class WatchReads:
    """Reads for watches. Raises `BackendUnavailable` where the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._turns = asyncio.Semaphore(READS_MAX)

    async def task(self, tenant: str, task_id: UUID, *, full: bool) -> Task | None:
        """Read a task as it is now."""
        async with self._turns:
            return await reads.get_task(self._db, tenant, task_id, full=full)

    async def versions(self, task_id: UUID, after: int) -> VersionsPage:
        """Read the versions of a task after `after`."""
        async with self._turns:
            versions = await events.versions_after(self._db, [(task_id, after)], VERSIONS_MAX)
        return VersionsPage(versions, len(versions) < VERSIONS_MAX)

    async def feed(self, position: Position, incarnation: str) -> FeedPage[Task]:
        """Read a page of what was committed since `position`, which was read in this incarnation of the database.

        Raises `ResumeTokenExpired` when it is no longer kept, or it is another database that answers.
        """
        async with self._turns:
            return await events.feed_since(self._db, position, incarnation, PAGE_TASKS_MAX)

    async def incarnation(self) -> str:
        """Read which life of the database this is."""
        async with self._turns:
            return (await read_installation(self._db)).incarnation
