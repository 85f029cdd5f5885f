"""Keeps the lease, by which others know that this processor lives, and squares what it holds with the database."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from taskwire_processor.attempts import Attempts
from taskwire_processor.canceller import Canceller
from taskwire_processor.completer import Completer
from taskwire_processor.held import StopReason
from taskwire_processor.stopper import Stopper
from taskwire_shared.bus.bells import Bell
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.lease import renewal_seconds
from taskwire_shared.domain.outcome import Fence
from taskwire_shared.store import processors, reaps
from taskwire_shared.store.database import STATEMENT_SECONDS, Database
from taskwire_shared.store.processors import Holding, Processor
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

ANSWER_SECONDS_MIN = 1.0
"""The least time that a renewal waits for its answer; else a third of the lease."""
UNKNOWN_AFTER = timedelta(seconds=10)
"""A task that we hold without knowing for so long was claimed by a statement whose answer got lost. Longer than a claim
waits for its answer."""
SEARCHES_AFTER_SECONDS = (12.0, STATEMENT_SECONDS)
"""Before each of two searches for such tasks after a claim without an answer: they are old enough then where it was
stored at once, and where it was as late as the server lets any statement be."""
SEARCH_SECONDS = 300.0
"""Between two searches where every claim was answered: one takes half a second beside an open transaction of anybody
that began three minutes ago."""
RETRY_SECONDS = 0.5

log = logs.get(__name__)


class Lease:
    """Registers a processor and renews its lease."""

    def __init__(self, db: Database, processor: Processor, *, seconds: float) -> None:
        self.processor = processor
        self._db = db
        self._seconds = seconds
        self._renewed_at = -1.0
        self._loop = asyncio.get_running_loop()

    @property
    def is_fresh(self) -> bool:
        """Tell whether the last renewal was not longer ago than the lease lasts."""
        return self._renewed_at >= 0 and self._loop.time() - self._renewed_at < self._seconds

    @property
    def pause_seconds(self) -> float:
        """Return the time between two renewals."""
        return renewal_seconds(self._seconds)

    async def begin(self) -> None:
        """Register, trying until the database answers."""
        while True:
            asked_at = self._loop.time()
            try:
                await processors.register(self._db, self.processor, self._seconds)
            except BackendUnavailable:
                # Perhaps it was stored all the same: a renewal tells.
                if await self.renew():
                    return
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._renewed_at = asked_at
                return

    async def renew(self) -> bool | None:
        """Renew. False when the lease has passed, None when the database did not answer."""
        asked_at = self._loop.time()
        try:
            async with asyncio.timeout(max(ANSWER_SECONDS_MIN, self._seconds / 3)):
                is_ours = await processors.renew(self._db, self.processor.id, self._seconds)
        except (BackendUnavailable, TimeoutError):
            log.warning(Event.LEASE_RENEWAL_FAILED, processor=str(self.processor.id))
            return None
        if is_ours:
            self._renewed_at = asked_at
        return is_ours


class Leaseholder:
    """Renews a lease again and again, and learns each time what has happened to what this processor holds."""

    def __init__(
        self,
        db: Database,
        lease: Lease,
        *,
        attempts: Attempts,
        completer: Completer,
        stopper: Stopper,
        canceller: Canceller,
        ringer: Ringer,
        bell: Bell,
    ) -> None:
        self._db = db
        self._lease = lease
        self._attempts = attempts
        self._completer = completer
        self._stopper = stopper
        self._canceller = canceller
        self._ringer = ringer
        self._bell = bell
        self._loop = asyncio.get_running_loop()
        self._doubted = asyncio.Event()

    def doubt(self) -> None:
        """Take note of a claim without an answer: it may have given us tasks that we do not know."""
        self._doubted.set()

    async def hold(self) -> None:
        """Renew until the lease is lost; then return."""
        async with asyncio.TaskGroup() as group:
            searching = group.create_task(self._search_now_and_then())
            await self._renew_until_lost()
            searching.cancel()

    async def hand_back_unknown(self, *, older_than: timedelta = timedelta(0)) -> None:
        """Give back what the database has under our name and we do not know. Raises BackendUnavailable."""
        holdings = await processors.holdings(self._db, self._lease.processor.id)
        old = [Fence(one.task_id, one.attempt) for one in holdings.held if holdings.now - one.started_at >= older_than]
        unstored = self._completer.unstored() if old else set()
        unknown = [fence for fence in old if self._attempts.find(fence) is None and fence not in unstored]
        if unknown:
            log.warning(Event.CLAIMS_HANDED_BACK, tasks=len(unknown))
            settled = await reaps.hand_back_unknown(self._db, self._lease.processor.id, unknown)
            self._ringer.ring(filter(None, (one.ready for one in settled)))
            self._bell.strike()

    async def _renew_until_lost(self) -> None:
        while True:
            await asyncio.sleep(self._lease.pause_seconds)
            if await self._lease.renew() is False:
                log.error(Event.LEASE_LOST, processor=str(self._lease.processor.id))
                return
            await self._square_up()

    # What we hold, as the database sees it.

    async def _square_up(self) -> None:
        asked_at = self._loop.time()
        ids = [held.task.id for held in self._attempts]
        if not ids:
            return
        try:
            async with asyncio.timeout(max(ANSWER_SECONDS_MIN, self._lease.pause_seconds)):
                ours = await processors.held(self._db, self._lease.processor.id, ids)
        except (BackendUnavailable, TimeoutError):
            log.warning(Event.LEASE_RENEWAL_FAILED, processor=str(self._lease.processor.id))
            return
        self._pass_on_cancels(ours)
        self._let_go_of_lost(ours, asked_at)

    def _pass_on_cancels(self, ours: Sequence[Holding]) -> None:
        for one in ours:
            if one.cancel_requested:
                self._canceller.cancel(Fence(one.task_id, one.attempt))

    def _let_go_of_lost(self, ours: Sequence[Holding], asked_at: float) -> None:
        fences = {Fence(one.task_id, one.attempt) for one in ours}
        for held in self._attempts:
            # What was claimed after the question was asked is not in the answer.
            if held.since < asked_at and held.fence not in fences:
                if held.stop is not StopReason.LOST:
                    log.warning(Event.ATTEMPT_LOST, task_id=str(held.task.id), attempt=held.task.attempt)
                self._stopper.stop(held, StopReason.LOST)

    # What we hold without knowing.

    async def _search_now_and_then(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SEARCH_SECONDS):
                    await self._doubted.wait()
            pauses = SEARCHES_AFTER_SECONDS if self._doubted.is_set() else (0.0,)
            self._doubted.clear()
            for pause in pauses:
                await asyncio.sleep(pause)
                await self._search()

    async def _search(self) -> None:
        while True:
            try:
                await self.hand_back_unknown(older_than=UNKNOWN_AFTER)
            except BackendUnavailable:
                log.warning(Event.HOLDINGS_UNREAD, processor=str(self._lease.processor.id))
                await asyncio.sleep(self._lease.pause_seconds)
            else:
                return
