"""A healthy system with tasks of all kinds in it, and ways to hurt it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec import Struct

from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Failed, Fence, HandedBack, RunnerLost, Stopped, Succeeded
from taskwire_shared.domain.task import Failure, NewTask, Payload, RetryPolicy
from taskwire_shared.settings import Settings
from taskwire_shared.store import cancels, claims, completions, dues, processors, reaps
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.database import Database
from taskwire_shared.verify.report import Report, Result
from taskwire_shared.verify.verification import Extent, verify

BOOM = Failure(reason="BOOM", message="it broke")
SHORT_PATIENCE_SECONDS = 0.05


class Population(Struct):
    """Tasks by what has become of them, and the processor that is busy with some."""

    processor: UUID
    scheduled: UUID
    pending: UUID
    running: UUID
    running_with_timeout: UUID
    asked_to_stop: UUID
    succeeded: UUID
    succeeded_after_cancel: UUID
    failed: UUID
    exhausted: UUID
    expired: UUID
    cancelled: UUID
    stopped: UUID
    handed_back: UUID
    taken_back: UUID
    retried: UUID
    keyed: UUID


class Life:
    """Lives through what a task can live through, with the statements of the store."""

    def __init__(self, db: Database, processor: UUID) -> None:
        self.db = db
        self.processor = processor
        self._creations = Creations(db)

    async def create(self, **given: Any) -> UUID:
        fields = {"tenant": "default", "queue": "mail", "type": "send", "request_hash": b"h" * 16}
        task = NewTask(id=new_id(), **{**fields, **given})
        await self._creations.create_tasks([task])
        return task.id

    async def claim(self, task_id: UUID, processor: UUID | None = None) -> Fence:
        (claimed,) = await claims.claim_rung(self.db, processor or self.processor, [task_id], ["send"], 1)
        return Fence(claimed.id, claimed.attempt)

    async def run(self, **given: Any) -> Fence:
        return await self.claim(await self.create(**given))

    async def succeed(self, fence: Fence) -> UUID:
        await completions.succeed(self.db, self.processor, [Succeeded(fence, Payload(b"done", is_text=True))])
        return fence.task_id

    async def settle(self, outcome: Failed | Stopped | HandedBack | RunnerLost) -> UUID:
        assert await completions.settle(self.db, self.processor, [outcome])
        return outcome.fence.task_id

    async def cancel(self, task_id: UUID) -> UUID:
        assert await cancels.cancel(self.db, "default", task_id, "enough")
        return task_id

    async def exhaust(self) -> UUID:
        fence = await self.run(retry_policy=RetryPolicy(max_attempts=2))
        await self.settle(Failed(fence, BOOM, retry_in_seconds=0.0))
        await dues.start_due(self.db, 10)
        fence = await self.claim(fence.task_id)
        return await self.settle(Failed(fence, BOOM, retry_in_seconds=0.0))

    async def expire(self) -> UUID:
        task_id = await self.create(expire_at=datetime.now(UTC) - timedelta(seconds=1))
        await dues.start_due(self.db, 10)
        return task_id

    async def lose_processor(self, task_id: UUID) -> UUID:
        description = processors.Processor(id=new_id(), queues=None, types=["send"], concurrency=1, host="there")
        await processors.register(self.db, description, 60)
        await self.claim(task_id, description.id)
        await processors.deregister(self.db, description.id)
        await reaps.take_back(self.db, 10)
        return task_id


@pytest.fixture
async def life(db: Database) -> Life:
    description = processors.Processor(id=new_id(), queues=None, types=["send"], concurrency=100, host="here")
    await processors.register(db, description, 600)
    return Life(db, description.id)


@pytest.fixture
async def population(life: Life) -> Population:
    """Make a healthy system with a task of every kind."""
    later = datetime.now(UTC) + timedelta(hours=1)
    expired = await life.expire()
    exhausted = await life.exhaust()
    return Population(
        processor=life.processor,
        scheduled=await life.create(schedule_at=later),
        pending=await life.create(expire_at=later),
        running=(await life.run()).task_id,
        running_with_timeout=(await life.run(retry_policy=RetryPolicy(attempt_timeout_ms=60_000))).task_id,
        asked_to_stop=await life.cancel((await life.run()).task_id),
        succeeded=await life.succeed(await life.run(labels={"colour": "blue"})),
        succeeded_after_cancel=await _succeed_after_cancel(life),
        failed=await life.settle(Failed(await life.run(), BOOM, BOOM)),
        exhausted=exhausted,
        expired=expired,
        cancelled=await life.cancel(await life.create()),
        stopped=await _stop(life),
        handed_back=await life.settle(HandedBack(await life.run())),
        taken_back=await life.lose_processor(await life.create()),
        retried=await life.settle(Failed(await life.run(), BOOM, retry_in_seconds=3600.0)),
        keyed=await life.create(idempotency_key="order-1"),
    )


async def _succeed_after_cancel(life: Life) -> UUID:
    fence = await life.run()
    await life.cancel(fence.task_id)
    return await life.succeed(fence)


async def _stop(life: Life) -> UUID:
    fence = await life.run()
    await life.cancel(fence.task_id)
    return await life.settle(Stopped(fence))


@pytest.fixture
async def hurt(database_url: str) -> Callable[..., Awaitable[None]]:
    """Give a function that changes the database past every rule of it: constraints on tasks are dropped first."""

    async def change(*statements: str) -> None:
        connection = await asyncpg.connect(database_url)
        try:
            names = await connection.fetch(
                "SELECT conname FROM pg_constraint WHERE conrelid = 'tasks'::regclass AND contype = 'c'"
            )
            for row in names:
                await connection.execute(f"ALTER TABLE tasks DROP CONSTRAINT {row['conname']}")
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    return change


@pytest.fixture
def verified(settings: Callable[..., Settings]) -> Callable[..., Awaitable[Report]]:
    """Give a function that verifies the test's database, waiting only a moment between its two looks."""

    async def run(**extent: Any) -> Report:
        return await verify(settings(), Extent(**{"patience_seconds": SHORT_PATIENCE_SECONDS, **extent}))

    return run


@pytest.fixture
def flawed() -> Callable[[Report], dict[str, Result]]:
    """Give a function that returns the checks that have found something."""
    return lambda report: {result.check: result for result in report.checks if result.violations or result.warnings}
