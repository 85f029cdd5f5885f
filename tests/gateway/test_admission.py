"""A queue is judged by a sample, counted or estimated; a refusal asks for a count."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from taskwire_gateway import admission as admitting
from taskwire_gateway.admission import Admission
from taskwire_shared.domain.errors import QueueFull
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import NewTask, TaskState
from taskwire_shared.store import queues
from taskwire_shared.store.creations import Creations
from taskwire_shared.store.database import STATEMENT_SECONDS, Database
from taskwire_shared.telemetry.metrics import GatewayMetrics


def _task() -> NewTask:
    return NewTask(id=new_id(), tenant="default", queue="mail", type="send", request_hash=bytes(16))


@asynccontextmanager
async def sampling(admission: Admission) -> AsyncIterator[None]:
    task = asyncio.create_task(admission.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def slow_counts(monkeypatch: Any) -> list[float]:
    """Let every count take longer than it may, unless it may take as long as it likes."""
    original = queues.depths
    limits: list[float] = []

    async def depths(db: Database, *, seconds: float = STATEMENT_SECONDS) -> list[queues.Depth] | None:
        limits.append(seconds)
        return await original(db) if seconds == STATEMENT_SECONDS else None

    monkeypatch.setattr(queues, "depths", depths)
    monkeypatch.setattr(admitting, "SAMPLE_SECONDS", 0.01)
    return limits


async def test_p9_a_refusal_asks_for_a_count_however_long_that_takes(
    db: Database, slow_counts: list[float], eventually: Callable[..., Awaitable[Any]], monkeypatch: Any
) -> None:
    """Or a queue that is emptied as fast as it is filled would count as full for as long as estimates are wrong."""

    async def estimate_too_much(_: Database) -> list[queues.Depth]:
        return [queues.Depth("default", "mail", TaskState.PENDING, 3)]

    monkeypatch.setattr(queues, "estimated_depths", estimate_too_much)
    admission = Admission(db, GatewayMetrics(CollectorRegistry()), queue_depth_max=3)
    refusals = 0

    async def is_let_in_again() -> bool:
        nonlocal refusals
        try:
            await admission.admit([_task()])
        except QueueFull:
            refusals += 1
            return False
        return refusals > 0

    async with sampling(admission):
        await eventually(is_let_in_again)

    assert STATEMENT_SECONDS in slow_counts


async def test_what_takes_too_long_to_count_is_estimated(
    db: Database, slow_counts: list[float], eventually: Callable[..., Awaitable[Any]]
) -> None:
    creations = Creations(db)
    registry = CollectorRegistry()
    await creations.create_tasks([_task() for _ in range(7)])

    async with sampling(Admission(db, GatewayMetrics(registry))):
        await eventually(lambda: registry.get_sample_value("taskwire_tasks", {"state": "pending"}) == 7)
        await creations.create_tasks([_task()])
        await eventually(lambda: registry.get_sample_value("taskwire_tasks", {"state": "pending"}) == 8)

    # Counting was tried once, and then not again for a minute.
    assert slow_counts == [admitting.COUNT_SECONDS]
