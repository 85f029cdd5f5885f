"""Goes through all days, slice by slice, on two connections."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.audit_histories import Slice, audit_slice, list_days, next_slice
from taskwire_shared.verify.findings import SHOWN_MAX, Findings

if TYPE_CHECKING:
    from uuid import UUID


class Histories:
    """One run over the histories of all tasks, the newest day first."""

    def __init__(self, days: Sequence[date], is_over: Callable[[], bool]) -> None:
        self.tasks = 0
        """Looked at so far."""
        self.is_complete = False
        self._days = list(reversed(days))
        self._is_over = is_over
        self._after: UUID | None = None
        self._cutting = asyncio.Lock()
        self._found: defaultdict[date, Findings] = defaultdict(Findings)

    async def audit(self, connections: Sequence[AuditConnection]) -> Findings:
        """Look at everything, with one statement at a time on each of `connections`.

        Raises:
            BackendUnavailable: The database does not answer.
            NotTaskwire: A column is not there.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for connection in connections:
                    group.create_task(self._work(connection))
        except ExceptionGroup as failed:
            # Whatever befell one connection befell the run.
            raise failed.exceptions[0] from None
        # While a day was being dropped its tasks went first, and left its events behind for a moment.
        still_there = {day.day for day in await list_days(connections[0]) if day.has_tasks}
        found = Findings()
        for day, findings in self._found.items():
            if day in still_there:
                found.merge(findings)
        return found

    async def _work(self, connection: AuditConnection) -> None:
        while not self._is_over():
            async with self._cutting:
                cut = await self._cut(connection)
            if cut is None:
                self.is_complete = True
                return
            day, tasks = cut
            self._found[day].add_counted(await audit_slice(connection, tasks, SHOWN_MAX))
            self.tasks += tasks.tasks

    async def _cut(self, connection: AuditConnection) -> tuple[date, Slice] | None:
        while self._days:
            day = self._days[-1]
            tasks = await next_slice(connection, day, self._after)
            if tasks is not None:
                self._after = tasks.up_to
                return day, tasks
            self._days.pop()
            self._after = None
        return None
