"""P4 and P5: a processor that is lost, or only believed to be, and what becomes of its tasks."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest

from taskwire.client import Client
from taskwire.task import TaskState
from taskwire_dev.service import Service
from taskwire_dev.stack import Stack

pytestmark = pytest.mark.timeout(120)

_LEASE_SECONDS = 2.0
_SLACK_SECONDS = 5.0
"""What P5 allows on top of the lease."""


async def _runner_of(client: Client, task_id: str) -> str:
    """Wait until the task runs and return the id of its processor."""
    async for task in client.watch(task_id):
        if task.state == TaskState.RUNNING:
            return task.processor
    raise AssertionError("the task has ended without a start")


async def _back_after_seconds(url: str, task_id: str) -> float:
    """Return how long the first attempt's task was RUNNING before it was pending again."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT state, at FROM task_events WHERE task_id = $1 ORDER BY version", UUID(task_id)
        )
    finally:
        await connection.close()
    states = [row["state"] for row in rows]
    assert states[:4] == [TaskState.PENDING, TaskState.RUNNING, TaskState.PENDING, TaskState.RUNNING]
    return float((rows[2]["at"] - rows[1]["at"]).total_seconds())


async def _lose(victim: Service, how: str) -> None:
    if how == "killed":
        await victim.kill()
    else:
        victim.freeze()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_p4_p5_the_task_of_a_lost_processor_runs_again_and_ends_once(
    how: str,
    stack: Stack,
    connect: Callable[[str], Client],
    database_url: str,
    audit: Callable[[str], Awaitable[None]],
) -> None:
    client = connect((await stack.gateway()).ready.grpc)
    processors = [await stack.processor() for _ in range(2)]
    created = await client.create("sleep", {"seconds": 4})
    holder = await asyncio.wait_for(_runner_of(client, created.id), timeout=15)
    victim, other = sorted(processors, key=lambda processor: processor.ready.id != holder)

    await _lose(victim, how)
    done = await asyncio.wait_for(client.wait(created.id), timeout=30)
    if how == "frozen":
        # The first attempt ends now, in a processor that does not know yet that it was given up.
        victim.thaw()
        again = await client.create("sleep", {"seconds": 0}, queue="afterwards")
        await asyncio.wait_for(client.wait(again.id), timeout=15)

    final = await client.get(created.id)
    assert (done.state, final.state) == (TaskState.SUCCEEDED, TaskState.SUCCEEDED)
    assert (final.version, final.attempt_count, final.processor) == (done.version, 2, other.ready.id)
    assert await _back_after_seconds(database_url, created.id) < _LEASE_SECONDS + _SLACK_SECONDS
    await audit(database_url)
