"""The sweeper: does what is due, and takes back what the dead have held."""

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import TypeVar

from taskwire_shared.bus.bells import Bell
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.lease import renewal_seconds
from taskwire_shared.domain.ready import Swept
from taskwire_shared.store.database import Database
from taskwire_shared.store.dues import seconds_to_next_due, start_due
from taskwire_shared.store.health import probe
from taskwire_shared.store.reaps import take_back
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.upkeep.rounds import Spacing, jittered, repeat

T = TypeVar("T")

DUE_SECONDS_MAX = 1.0
"""Between two looks for what is due; sooner when something is known to be."""
BATCH_TASKS = 500
BATCH_SECONDS = 0.02
"""Between two full batches, which caps their rate: 25,000 tasks a second for each sweeper."""
TAKE_BACK_SECONDS = 2.0
ANSWER_SECONDS_MAX = 1.0
"""A trivial question that takes longer counts as an outage: the renewals of the living may be stuck as well."""
CALM_RENEWALS = 3
"""For so many the database must have answered before anybody is taken for dead: the living get to renew first."""

log = logs.get(__name__)


def calm_seconds_of(lease_seconds: float) -> float:
    """Return how long the database must have answered before a processor with such a lease is taken for dead."""
    return CALM_RENEWALS * renewal_seconds(lease_seconds)


class Sweeper:
    """Two loops that never end. Many may run at once: they skip what another has locked."""

    def __init__(self, db: Database, ringer: Ringer, bell: Bell, *, calm_seconds: float) -> None:
        self._db = db
        self._ringer = ringer
        self._bell = bell
        self._calm_seconds = calm_seconds
        self._calm_since = monotonic()
        self._due_spacing, self._lost_spacing = Spacing(), Spacing()
        self.due = 0
        """Tasks moved because their time had come."""
        self.lost = 0
        """Tasks moved because their processor was gone."""

    async def run(self) -> None:
        """Sweep until cancelled. Outages of the database are waited out."""
        self._calm_since = monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(repeat(self.sweep_due, Event.SWEEP_FAILED))
            group.create_task(repeat(self.sweep_lost, Event.SWEEP_FAILED))

    async def sweep_due(self) -> float:
        """Do one batch of what is due, and return after how many seconds to look again."""
        began = monotonic()
        swept = await self._ask(start_due(self._db, BATCH_TASKS))
        self.due += swept.changed
        self._tell(swept)
        if swept.changed >= BATCH_TASKS:
            return BATCH_SECONDS
        pause = await self._ask(seconds_to_next_due(self._db))
        longest = jittered(DUE_SECONDS_MAX)
        pause = longest if pause is None else min(longest, max(BATCH_SECONDS, pause))
        return self._due_spacing.pause(pause, 0.0 if swept.changed else monotonic() - began)

    async def sweep_lost(self) -> float:
        """Take back one batch, once it is calm, and return after how many seconds to look again."""
        await self._feel_pulse()
        agitated_for = self._calm_since + self._calm_seconds - monotonic()
        if agitated_for > 0:
            return agitated_for
        began = monotonic()
        swept = await self._ask(take_back(self._db, BATCH_TASKS))
        self.lost += swept.changed
        self._tell(swept)
        if swept.changed:
            log.warning(Event.TASKS_TAKEN_BACK, count=swept.changed)
        if swept.changed >= BATCH_TASKS:
            return BATCH_SECONDS
        return self._lost_spacing.pause(jittered(TAKE_BACK_SECONDS), 0.0 if swept.changed else monotonic() - began)

    async def _feel_pulse(self) -> None:
        """Ask for an answer that costs nothing, and note an outage where it does not come at once."""
        asked = monotonic()
        await self._ask(probe(self._db))
        if monotonic() - asked > ANSWER_SECONDS_MAX:
            self._calm_since = monotonic()

    async def _ask(self, question: Awaitable[T]) -> T:
        """Await an answer of the database, and note an outage."""
        try:
            return await question
        except BackendUnavailable:
            self._calm_since = monotonic()
            raise

    def _tell(self, swept: Swept) -> None:
        self._ringer.ring(swept.ready)
        if swept.changed:
            self._bell.strike()
