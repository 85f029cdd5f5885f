"""What a processor does under one lease: from taking an id to giving it up, or losing it."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import Enum, auto
from random import Random
from uuid import UUID

from msgspec import Struct

from taskwire_processor.attempts import Attempts
from taskwire_processor.canceller import Canceller
from taskwire_processor.claimant import Claimant
from taskwire_processor.claimer import Claimer
from taskwire_processor.completer import Completer
from taskwire_processor.deafness import Deafness
from taskwire_processor.drain import Drain
from taskwire_processor.held import StopReason
from taskwire_processor.leaseholder import Lease, Leaseholder
from taskwire_processor.runner import wire
from taskwire_processor.runners import Runners
from taskwire_processor.slots import Slots
from taskwire_processor.stopper import Stopper
from taskwire_processor.verdict import Judge
from taskwire_shared.bus.bells import Bell, QueueNews
from taskwire_shared.bus.connection import Bus
from taskwire_shared.bus.ear import Ear
from taskwire_shared.bus.notices import CancelNotices
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import ClaimedTask
from taskwire_shared.settings import Settings
from taskwire_shared.store import processors
from taskwire_shared.store.claims import BEYOND_GRACE_SECONDS
from taskwire_shared.store.database import Database
from taskwire_shared.store.processors import Processor
from taskwire_shared.store.queues import served_queues
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.metrics import ProcessorMetrics

ALONE_RUNNERS_MIN = 4
"""Runners that serve one attempt at a time: as many as there are CPUs, and these few where that is less, since such
handlers may wait as well as compute."""
LAST_STORE_SECONDS = 5.0
"""For storing what had ended when the lease was lost: it may still count."""
FAREWELL_SECONDS = 2.0
SHOW_SECONDS = 1.0
"""Between two looks at how much runs, for the metrics."""

log = logs.get(__name__)


class End(Enum):
    """How a tenure ended."""

    STOPPED = auto()
    LEASE_LOST = auto()
    DEAF = auto()


class House(Struct, frozen=True, kw_only=True):
    """What outlives a tenure."""

    settings: Settings
    db: Database
    bus: Bus
    bell: Bell
    ringer: Ringer
    metrics: ProcessorMetrics


class Tenure:
    """A processor under one id. For one use."""

    def __init__(self, house: House) -> None:
        settings = house.settings
        self.id = new_id()
        self._house = house
        self._queues = list(settings.queues) or None
        self._slots = Slots(settings.concurrency)
        self._completer = Completer(house.db, self.id, bell=house.bell, ringer=house.ringer, metrics=house.metrics)
        # Jitter needs no secrecy.
        self._attempts = Attempts(self._slots, Judge(Random()), self._completer)  # noqa: S311
        self._runners = Runners(
            _setup(settings),
            self._attempts,
            house.metrics,
            shared=settings.processes,
            alone_max=min(settings.concurrency, max(ALONE_RUNNERS_MIN, os.cpu_count() or 1)),
        )
        self._stopper = Stopper(self._attempts, self._runners, grace_seconds=settings.cancel_grace_seconds)
        self._canceller = Canceller(self._attempts, self._stopper)
        self._lease: Lease | None = None
        self._is_ending = False

    @property
    def is_healthy(self) -> bool:
        """Tell whether the lease is known to be alive."""
        return self._lease is not None and self._lease.is_fresh

    async def run(self, stop: asyncio.Event, ready: Callable[[UUID], None]) -> End:
        """Run tasks until `stop` is set or the lease is lost. `ready` is called when the first can be claimed.

        Raises RunnerFailed when no runner comes up.
        """
        # Modules of handlers may take long to load.
        try:
            if not await _unless(stop, self._runners.load()):
                return End.STOPPED
        except BaseException:
            # Cancelled when they had just been loaded, nobody would end that runner.
            await self._runners.unload()
            raise
        async with self._runners:
            lease = self._lease = Lease(self._house.db, self._describe(), seconds=self._house.settings.lease_seconds)
            if not await _unless(stop, lease.begin()):
                return End.STOPPED
            log.info(Event.PROCESSOR_REGISTERED, processor=str(self.id), types=list(lease.processor.types))
            ready(self.id)
            return await self._work(lease, stop)

    async def _work(self, lease: Lease, stop: asyncio.Event) -> End:
        house = self._house
        leaseholder = Leaseholder(
            house.db,
            lease,
            attempts=self._attempts,
            completer=self._completer,
            stopper=self._stopper,
            canceller=self._canceller,
            ringer=house.ringer,
            bell=house.bell,
        )
        ear = Ear(house.bus, self._served_queues, replicas=house.settings.nats_replicas)
        deafness = Deafness(house.bus, ear, house.ringer)
        claimer = self._claimer(ear, deafness, leaseholder)
        listeners = [
            CancelNotices(house.bus).listen(self.id, self._canceller.cancel),
            QueueNews(house.bus).listen(lambda _: claimer.scan_soon()),
        ]
        async with asyncio.TaskGroup() as group:
            steady = [
                group.create_task(work)
                for work in (self._completer.run(), self._stopper.run(), self._show(), ear.listen(claimer.hear))
            ]
            holding = group.create_task(leaseholder.hold())
            claiming = group.create_task(claimer.run())
            end = await self._until_the_end(stop, deafness.is_hopeless, holding)
            self._is_ending = True
            claimer.close()
            await claiming
            await self._bring_to_an_end(end)
            for listener in listeners:
                listener.close()
            for task in (*steady, holding):
                task.cancel()
        if end is not End.LEASE_LOST:
            await self._sign_off(leaseholder)
        return end

    def _claimer(self, ear: Ear, deafness: Deafness, leaseholder: Leaseholder) -> Claimer:
        return Claimer(
            Claimant(
                self._house.db,
                self.id,
                queues=self._queues,
                due_slack_seconds=self._house.settings.cancel_grace_seconds + BEYOND_GRACE_SECONDS,
            ),
            slots=self._slots,
            runners=self._runners,
            completer=self._completer,
            ear=ear,
            deafness=deafness,
            bell=self._house.bell,
            ringer=self._house.ringer,
            take_in=self._take_in,
            unanswered=leaseholder.doubt,
            metrics=self._house.metrics,
        )

    def _take_in(self, tasks: Sequence[ClaimedTask]) -> None:
        taken = self._attempts.hold(tasks)
        if self._is_ending:
            for held in taken:
                self._stopper.stop(held, StopReason.DRAINED)
            return
        self._runners.run(taken)
        self._stopper.limit(taken)
        self._canceller.catch_up(taken)

    async def _until_the_end(self, stop: asyncio.Event, hopeless: asyncio.Event, holding: "asyncio.Task[None]") -> End:
        stopping = asyncio.create_task(stop.wait())
        despairing = asyncio.create_task(hopeless.wait())
        try:
            await asyncio.wait((stopping, despairing, holding), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            despairing.cancel()
        if stop.is_set():
            return End.STOPPED
        return End.LEASE_LOST if holding.done() else End.DEAF

    async def _bring_to_an_end(self, end: End) -> None:
        drain = Drain(self._attempts, self._stopper, self._runners, self._completer)
        if end is End.LEASE_LOST:
            self._house.metrics.lease_losses.inc()
            await drain.stop_everything(asyncio.get_running_loop().time() + LAST_STORE_SECONDS)
        else:
            await drain.run(self._house.settings.grace_seconds)

    async def _sign_off(self, leaseholder: Leaseholder) -> None:
        with suppress(BackendUnavailable, TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await leaseholder.hand_back_unknown()
                await processors.deregister(self._house.db, self.id)

    async def _served_queues(self) -> frozenset[str]:
        return await served_queues(self._house.db, self._queues)

    async def _show(self) -> None:
        metrics = self._house.metrics
        metrics.slots.set(self._slots.total)
        while True:
            metrics.running.set(len(self._attempts))
            metrics.runners.set(self._runners.count)
            await asyncio.sleep(SHOW_SECONDS)

    def _describe(self) -> Processor:
        return Processor(
            id=self.id,
            queues=self._queues,
            types=[offer.type for offer in self._runners.offers],
            concurrency=self._slots.total,
            host=socket.gethostname(),
        )


def _setup(settings: Settings) -> wire.Setup:
    return wire.Setup(settings.handlers, settings.threads, settings.log_level, settings.log_file)


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> bool:
    """Wait for `work`, but not when `stop` is set. Tells whether it is done."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        doing.cancel()
        # It may have to clear up.
        await asyncio.wait((doing,))
    if not doing.cancelled():
        doing.result()
        return True
    return False
