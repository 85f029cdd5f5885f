"""One run: all checks, in an order that puts the waiting to use."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import date
from time import monotonic

from msgspec import Struct

from taskwire_shared.bus.connection import Bus, BusUnavailableError
from taskwire_shared.bus.ring_census import Census, take_census
from taskwire_shared.domain.audit import Flaw
from taskwire_shared.settings import Settings
from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.audit_histories import list_days
from taskwire_shared.store.audit_keys import KeyPage, audit_key_page, repeated_keys
from taskwire_shared.store.audit_premises import audit_connections, audit_days, audit_indexes
from taskwire_shared.store.audit_suspects import Suspect, look_for_suspects, served_queues
from taskwire_shared.verify.findings import SHOWN_MAX, Findings
from taskwire_shared.verify.histories import Histories
from taskwire_shared.verify.report import Report, results
from taskwire_shared.verify.rings import UNREACHABLE, suspect_rings

SECONDS_MAX = 600.0
"""For a whole run, unless another time is given."""
CONNECTIONS = 2
"""To the database. Each keeps at most one core of it busy."""
PATIENCE_SECONDS = 20.0
"""Between two looks. Longer than anything that is owed takes: what the dead held is taken back after a calm of 9 s and
within 2 s more, a lost ring is made good within 10 s, and an ear looks for new queues at least every 18 s."""
BROKER_SECONDS = 5.0
"""For connecting to the broker."""


class Extent(Struct, frozen=True):
    """How much to look at."""

    days: int | None = None
    """Only tasks of so many days, by the time in their ids; None for all."""
    seconds_max: float = SECONDS_MAX
    patience_seconds: float = PATIENCE_SECONDS


async def verify(settings: Settings, extent: Extent) -> Report:
    """Look at everything once. Reads only.

    Raises:
        BackendUnavailable: The database does not answer.
        NotTaskwire: It has not the tables of this release.
    """
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(AuditConnection.open(settings.database_url)) for _ in range(CONNECTIONS)
        ]
        bus = await stack.enter_async_context(Bus.open(settings.nats_url, settings.nats_prefix))
        return await _Verification(connections, bus, extent).run()


class _Verification:
    def __init__(self, connections: Sequence[AuditConnection], bus: Bus, extent: Extent) -> None:
        self._connections = connections
        self._connection = connections[0]
        self._bus = bus
        self._extent = extent
        self._findings = Findings()
        self._began = monotonic()
        self._keys = 0
        self._rings: int | None = None

    async def run(self) -> Report:
        first = await self._look()
        looked_at = monotonic()
        for audit in (audit_days, audit_indexes, audit_connections):
            self._findings.add(await audit(self._connection))
        histories = Histories(await self._days(), self._is_over)
        self._findings.merge(await histories.audit(self._connections))
        is_complete = await self._audit_keys() and histories.is_complete
        if first:
            await asyncio.sleep(looked_at + self._extent.patience_seconds - monotonic())
            self._convict(first, await self._look())
        return Report(
            sound=not any(self._findings.violations.values()),
            complete=is_complete,
            tasks=histories.tasks,
            keys=self._keys,
            rings=self._rings,
            seconds=round(monotonic() - self._began, 3),
            checks=results(self._findings),
        )

    def _is_over(self) -> bool:
        return monotonic() - self._began > self._extent.seconds_max

    async def _days(self) -> list[date]:
        """Return the days to look at, the newest first."""
        most = self._extent.days
        return [
            day.day for day in await list_days(self._connection) if day.has_tasks and (most is None or day.age < most)
        ]

    async def _audit_keys(self) -> bool:
        """Look at the keys, and tell whether there was time for all."""
        self._findings.add_counted(await repeated_keys(self._connection, SHOWN_MAX))
        page: KeyPage | None = KeyPage()
        while page is not None and not self._is_over():
            audited = await audit_key_page(self._connection, page, SHOWN_MAX)
            self._findings.add_counted(audited.flaws)
            self._keys += audited.keys
            page = audited.next_page
        return page is None

    async def _look(self) -> list[Suspect]:
        suspects = await look_for_suspects(self._connection)
        served = await served_queues(self._connection)
        try:
            census = await self._take_census()
        except BusUnavailableError:
            return [*suspects, UNREACHABLE]
        return [*suspects, *suspect_rings(census, served)]

    async def _take_census(self) -> Census | None:
        try:
            async with asyncio.timeout(BROKER_SECONDS):
                await self._bus.connected()
        except TimeoutError:
            raise BusUnavailableError from None
        census = await take_census(self._bus)
        self._rings = None if census is None else census.rings
        return census

    def _convict(self, first: Sequence[Suspect], second: Sequence[Suspect]) -> None:
        """Note what both looks have seen, with nothing done about it in between."""
        marks = {(suspect.check, suspect.subject, suspect.mark) for suspect in first}
        self._findings.add(
            Flaw(suspect.check, suspect.subject, suspect.detail, suspect.is_warning)
            for suspect in second
            if (suspect.check, suspect.subject, suspect.mark) in marks
        )
