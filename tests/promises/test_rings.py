"""Rings are hints: with NATS away everything still runs, and at full speed soon after its return."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from taskwire.client import Client
from taskwire.task import TaskState
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.stack import Stack

_AWAY_SECONDS = 60.0
_SLOW_START_SECONDS = 10.0
"""P5: a task whose ring was lost starts within this when processors have room."""
_FULL_SPEED_WITHIN_SECONDS = 30.0
_RUNG_START_SECONDS = 0.5
"""Far below the pause between two claims without a bell, far above a start by ring."""
_RUNG_IN_A_ROW = 10


async def _seconds_to_start(client: Client) -> float:
    created = await client.create("echo", "hello")
    done = await asyncio.wait_for(client.wait(created.id), timeout=30)
    assert done.state == TaskState.SUCCEEDED
    assert done.create_time
    assert done.start_time
    return (done.start_time - done.create_time).total_seconds()


@pytest.mark.timeout(180)
async def test_p5_rings_with_nats_away_for_a_minute_and_then_wiped(
    stack_over: Callable[..., Stack],
    own_nats: EmbeddedNats,
    connect: Callable[[str], Client],
    database_url: str,
    audit: Callable[[str], Awaitable[None]],
) -> None:
    loop = asyncio.get_running_loop()
    async with stack_over(database_url, own_nats.url) as stack:
        client = connect((await stack.gateway()).ready.grpc)
        await stack.processor()
        assert await _seconds_to_start(client) < _SLOW_START_SECONDS

        await own_nats.stop()
        back_at = loop.time() + _AWAY_SECONDS
        while loop.time() < back_at:
            assert await _seconds_to_start(client) < _SLOW_START_SECONDS

        own_nats.wipe()
        await own_nats.start()
        returned_at = loop.time()
        in_a_row = 0
        while in_a_row < _RUNG_IN_A_ROW:
            in_a_row = in_a_row + 1 if await _seconds_to_start(client) < _RUNG_START_SECONDS else 0
            assert loop.time() - returned_at < _FULL_SPEED_WITHIN_SECONDS
    await audit(database_url)
