"""Reports of running attempts, read for all followers at once: no versions, so the tailer does not see them."""

import asyncio
from uuid import UUID

from taskwire_gateway.dispatcher import Dispatcher
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.database import Database
from taskwire_shared.store.progress import recent_progress

LOOK_SECONDS = 0.5
"""A report is to reach its watcher within a second."""
RECENT_SECONDS = 5.0
"""Reports are found for so long after their time, in case that a look or a commit is late. Known ones are dropped."""
TASKS_MAX = 5_000
"""In one statement."""


class ProgressReader:
    """Looks for new reports while somebody follows a running task."""

    def __init__(self, db: Database, dispatcher: Dispatcher) -> None:
        self._db = db
        self._dispatcher = dispatcher

    async def run(self) -> None:
        """Look until cancelled. What an outage hides is found afterwards."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            running = self._dispatcher.running()
            try:
                for start in range(0, len(running), TASKS_MAX):
                    await self._look(running[start : start + TASKS_MAX])
            except BackendUnavailable:
                # The tailer sees it too, and says so.
                continue

    async def _look(self, running: list[UUID]) -> None:
        self._dispatcher.report(await recent_progress(self._db, running, RECENT_SECONDS))
