"""Gets outcomes stored: in batches, each once, and whatever the database does."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar
from uuid import UUID

from taskwire_processor.held import Held
from taskwire_processor.outcome_line import OutcomeLine
from taskwire_shared.bus.bells import Bell
from taskwire_shared.bus.rings import Ringer
from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.domain.outcome import Failed, Fence, HandedBack, Outcome, RunnerLost, Succeeded
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import Failure, TaskState
from taskwire_shared.store import completions
from taskwire_shared.store.completions import ProgressReport, Settled, Unsuccessful
from taskwire_shared.store.database import Database
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.telemetry.metrics import ProcessorMetrics

UNSTORED_MAX = 5000
"""Outcomes that wait for the database before no more tasks are claimed."""
RETRY_SECONDS_MIN = 0.1
RETRY_SECONDS_MAX = 2.0
PROGRESS_SECONDS = 0.2
"""Between two batches of progress reports."""
UNSTORABLE = "OUTCOME_UNSTORABLE"
"""The reason of the failure when the database refuses an outcome for what is in it."""

log = logs.get(__name__)

O = TypeVar("O", Succeeded, Unsuccessful)  # noqa: E741


class Completer:
    """Stores the outcomes of one processor, and tells the world afterwards."""

    def __init__(self, db: Database, processor: UUID, *, bell: Bell, ringer: Ringer, metrics: ProcessorMetrics) -> None:
        self._db = db
        self._processor = processor
        self._bell = bell
        self._ringer = ringer
        self._metrics = metrics
        self.on_stored: Callable[[], None] = _nobody
        """Called whenever outcomes have been stored, which may end that it `is_full`."""
        told = self._note_stored
        self._succeeded: OutcomeLine[tuple[Succeeded, Held]] = OutcomeLine(self._store_successes, shrunk=told)
        self._others: OutcomeLine[tuple[Unsuccessful, Held]] = OutcomeLine(self._store_others, shrunk=told)
        self._progress: dict[Fence, ProgressReport] = {}
        self._progress_came = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Tell whether so much waits to be stored that nothing more should be started."""
        return len(self._succeeded) + len(self._others) >= UNSTORED_MAX

    def add(self, outcome: Outcome, held: Held) -> None:
        """Take the outcome of an attempt."""
        if isinstance(outcome, Succeeded):
            self._succeeded.add((outcome, held))
        else:
            self._others.add((outcome, held))

    def report(self, fence: Fence, fraction: float, message: str) -> None:
        """Take the newest progress of an attempt."""
        self._progress[fence] = ProgressReport(fraction, message, fence)
        self._progress_came.set()

    def unstored(self) -> set[Fence]:
        """Return the attempts whose outcome is not known to be stored."""
        return {outcome.fence for line in (self._succeeded, self._others) for outcome, _ in line}

    async def emptied(self) -> None:
        """Wait until every outcome is stored."""
        await self._succeeded.emptied()
        await self._others.emptied()

    async def run(self) -> None:
        """Store until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._succeeded.run())
            group.create_task(self._others.run())
            group.create_task(self._store_progress())

    def _note_stored(self) -> None:
        self.on_stored()

    async def _store_successes(self, batch: list[tuple[Succeeded, Held]]) -> None:
        applied: set[Fence] = set()

        async def write(outcomes: list[Succeeded]) -> None:
            applied.update(await completions.succeed(self._db, self._processor, outcomes))

        found = await self._persist([outcome for outcome, _ in batch], write)
        applied |= {fence for fence, state in found.items() if state is TaskState.SUCCEEDED}
        self._bell.strike()
        self._count_successes(batch)
        self._metrics.task_processing_success.inc(len(applied))
        self._note_refused(batch, applied)

    async def _store_others(self, batch: list[tuple[Unsuccessful, Held]]) -> None:
        settled: list[Settled] = []

        async def write(outcomes: list[Unsuccessful]) -> None:
            settled.extend(await completions.settle(self._db, self._processor, outcomes))

        found = await self._persist([outcome for outcome, _ in batch], write)
        applied = found.keys() | {one.fence for one in settled}
        self._bell.strike()
        self._ringer.ring(filter(None, (one.ready for one in settled)))
        self._ring_again(batch, found)
        self._count_others(batch, settled)
        self._note_refused(batch, applied)

    async def _persist(
        self, outcomes: list[O], write: Callable[[list[O]], Awaitable[None]]
    ) -> Mapping[Fence, TaskState]:
        """Write until the database has answered. Returns how attempts ended of which it had not said so."""
        found: dict[Fence, TaskState] = {}
        pause = RETRY_SECONDS_MIN
        is_unknown = False
        while True:
            try:
                if is_unknown:
                    # A commit without an answer: nothing is said before it is known what became of it.
                    found |= await completions.ended(self._db, self._processor, _fences(outcomes))
                    outcomes = [outcome for outcome in outcomes if outcome.fence not in found]
                await self._write_or_isolate(outcomes, write)
            except BackendUnavailable:
                is_unknown = True
                log.warning(Event.COMPLETION_FAILED, outcomes=len(outcomes))
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - only jitter
                pause = min(RETRY_SECONDS_MAX, pause * 2)
            else:
                return found

    async def _write_or_isolate(self, outcomes: list[O], write: Callable[[list[O]], Awaitable[None]]) -> None:
        if not outcomes:
            return
        try:
            await write(outcomes)
        except BackendUnavailable:
            raise
        except Exception:
            log.exception(Event.COMPLETION_FAILED, outcomes=len(outcomes))
            if len(outcomes) > 1:
                for outcome in outcomes:
                    await self._write_or_isolate([outcome], write)
            else:
                await self._replace(outcomes[0].fence)

    async def _replace(self, fence: Fence) -> None:
        """Fail a task whose outcome cannot be stored, so that it takes nothing else down and is not run for ever."""
        failure = Failure(UNSTORABLE, "What the attempt ended with could not be stored.")
        try:
            await completions.settle(self._db, self._processor, [Failed(fence, failure, final_failure=failure)])
        except BackendUnavailable:
            raise
        except Exception:
            log.exception(Event.COMPLETION_FAILED, task_id=str(fence.task_id))

    async def _store_progress(self) -> None:
        while True:
            await self._progress_came.wait()
            self._progress_came.clear()
            reports, self._progress = list(self._progress.values()), {}
            try:
                await completions.report_progress(self._db, self._processor, reports)
            except BackendUnavailable:
                log.warning(Event.COMPLETION_FAILED, reports=len(reports))
            await asyncio.sleep(PROGRESS_SECONDS)

    def _ring_again(self, batch: Sequence[tuple[Unsuccessful, Held]], found: Mapping[Fence, TaskState]) -> None:
        """Ring for tasks that wait again, though nobody was told when they began to."""
        self._ringer.ring(
            Ready(outcome.fence.task_id, held.task.queue, held.task.priority)
            for outcome, held in batch
            if found.get(outcome.fence) is TaskState.PENDING
        )

    def _count_successes(self, batch: Sequence[tuple[Succeeded, Held]]) -> None:
        took = [held.ended_at - held.since for _, held in batch]
        self._metrics.task_processing_seconds.observe_many(took)
        self._metrics.create_to_complete_seconds.observe_many(
            [held.task.waited_seconds + seconds for (_, held), seconds in zip(batch, took, strict=True)]
        )

    def _count_others(self, batch: Sequence[tuple[Unsuccessful, Held]], settled: Sequence[Settled]) -> None:
        self._metrics.task_processing_seconds.observe_many([held.ended_at - held.since for _, held in batch])
        failed = sum(isinstance(outcome, Failed | RunnerLost) for outcome, _ in batch)
        self._metrics.task_processing_failure.inc(failed)
        self._metrics.handed_back.inc(sum(isinstance(outcome, HandedBack) for outcome, _ in batch))
        cancelled = sum(one.state is TaskState.CANCELLED for one in settled)
        self._metrics.task_processing_cancelled.inc(cancelled)

    def _note_refused(
        self, batch: Sequence[tuple[Succeeded | Unsuccessful, Held]], applied: AbstractSet[Fence]
    ) -> None:
        if len(applied) == len(batch):
            return
        for outcome, held in batch:
            if outcome.fence not in applied:
                self._metrics.refused.inc()
                log.warning(Event.COMPLETION_REFUSED, task_id=str(held.task.id), attempt=held.task.attempt)


def _nobody() -> None:
    """Nobody waits for outcomes to be stored."""


def _fences(outcomes: Sequence[Succeeded | Unsuccessful]) -> list[Fence]:
    return [outcome.fence for outcome in outcomes]
