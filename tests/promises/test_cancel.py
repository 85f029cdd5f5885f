"""P7: one winner of cancel against completion, the same for everybody."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from taskwire.client import Client
from taskwire.errors import TaskAlreadyFinished
from taskwire.requests import NewTask
from taskwire.task import TaskState
from taskwire_dev.stack import Stack

pytestmark = pytest.mark.timeout(180)

_RACES = 1000
_AT_ONCE = 100
_END_SECONDS = 120.0
_WINNERS = (TaskState.SUCCEEDED, TaskState.CANCELLED)


async def _race(client: Client, task_id: str) -> TaskState:
    """Cancel a task that is about to end, and return who won, having asked three times in three ways."""
    try:
        replied = await client.cancel(task_id)
    except TaskAlreadyFinished:
        replied = None
    watched, read = await client.wait(task_id), await client.get(task_id)
    assert watched.state == read.state
    assert watched.version == read.version
    if replied is None:
        assert read.state == TaskState.SUCCEEDED
    elif replied.done:
        assert read.state == replied.state == TaskState.CANCELLED
    return read.state


async def test_p7_1000_races_of_cancel_against_completion_have_one_winner(
    stack: Stack, connect: Callable[[str], Client], database_url: str, audit: Callable[[str], Awaitable[None]]
) -> None:
    client = connect((await stack.gateway()).ready.grpc)
    await stack.processor()
    winners: list[TaskState] = []
    async with asyncio.timeout(_END_SECONDS):
        for start in range(0, _RACES, _AT_ONCE):
            created = await client.create_many(
                NewTask(type="sleep", input={"seconds": (start + number) % 20 / 400}) for number in range(_AT_ONCE)
            )
            winners += await asyncio.gather(*(_race(client, task.id) for task in created))
    assert len(winners) == _RACES
    assert set(winners) == set(_WINNERS), "the races were not close"
    await audit(database_url)
