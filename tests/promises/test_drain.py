"""SIGTERM under load: nothing is lost, no attempt is used up, and the end comes within the grace."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from taskwire.client import Client
from taskwire.requests import NewTask
from taskwire.task import TaskState
from taskwire_dev.stack import Stack

pytestmark = pytest.mark.timeout(180)

_TASKS = 200
_GRACE_SECONDS = 5.0
_END_SECONDS = 90.0


async def test_drain_of_a_processor_under_load_loses_nothing_and_uses_up_no_attempt(
    stack: Stack, connect: Callable[[str], Client], database_url: str, audit: Callable[[str], Awaitable[None]]
) -> None:
    client = connect((await stack.gateway()).ready.grpc)
    leaving = await stack.processor(concurrency="50")
    # Half of them end within the grace, half are handed back.
    created = await client.create_many(
        NewTask(type="sleep", input={"seconds": 1 if number % 2 else 8}, max_attempts=1) for number in range(_TASKS)
    )
    await asyncio.wait_for(_until_running(client, created[0].id), timeout=15)

    await stack.processor(concurrency="200")
    started = asyncio.get_running_loop().time()
    assert await leaving.stop() == 0
    assert asyncio.get_running_loop().time() - started < _GRACE_SECONDS + 2

    async with asyncio.timeout(_END_SECONDS):
        for task in created:
            done = await client.wait(task.id)
            assert (done.state, done.attempt_count) == (TaskState.SUCCEEDED, 1), done
    await audit(database_url)


async def test_drain_of_a_gateway_under_load_finishes_its_calls_and_moves_its_watches(
    stack: Stack, connect: Callable[[str], Client], database_url: str, audit: Callable[[str], Awaitable[None]]
) -> None:
    leaving, staying = await stack.gateway(), await stack.gateway()
    await stack.processor()
    client = connect(leaving.ready.grpc)
    calls = [asyncio.ensure_future(client.create("echo", str(number))) for number in range(_TASKS)]
    await calls[0]
    exit_code = await leaving.stop()

    results = await asyncio.gather(*calls, return_exceptions=True)
    accepted = [result.id for result in results if not isinstance(result, BaseException)]
    assert exit_code == 0
    assert accepted
    other = connect(staying.ready.grpc)
    async with asyncio.timeout(_END_SECONDS):
        for task_id in accepted:
            assert (await other.wait(task_id)).state == TaskState.SUCCEEDED
    await audit(database_url)


async def _until_running(client: Client, task_id: str) -> None:
    async for task in client.watch(task_id):
        if task.state == TaskState.RUNNING:
            return
