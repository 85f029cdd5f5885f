"""A queue is judged by a sample; a refusal asks for another one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry

from taskwire_gateway import admission as admitting
from taskwire_gateway.admission import Admission
from taskwire_shared.domain.errors import QueueFull
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import NewTask
from taskwire_shared.store.database import Database
from taskwire_shared.telemetry.metrics import GatewayMetrics
from taskwire_shared.upkeep.rounds import Spacing


def _task() -> NewTask:
    return NewTask(id=new_id(), tenant="default", queue="mail", type="send", request_hash=bytes(16))


async def test_p9_a_refusal_asks_for_a_sample_however_long_the_pause_was_to_be(
    db: Database, monkeypatch: Any, eventually: Callable[..., Awaitable[Any]]
) -> None:
    """Or a queue that is emptied as fast as it is filled would count as full when samples come seldom."""
    monkeypatch.setattr(admitting, "SAMPLE_SECONDS", 0.01)
    monkeypatch.setattr(Spacing, "pause", lambda *_: 600.0)
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

    sampling = asyncio.create_task(admission.run())
    try:
        await eventually(is_let_in_again)
    finally:
        sampling.cancel()
        await asyncio.wait([sampling])
