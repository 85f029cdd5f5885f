"""P1: what was accepted ends, whatever dies."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from taskwire.client import Client
from taskwire.errors import TaskwireError
from taskwire.ids import fresh_task_id
from taskwire.task import TaskState
from taskwire_dev.children import Stage
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_dev.stack import Stack

pytestmark = pytest.mark.timeout(180)

_END_SECONDS = 60.0
_CREATORS = 8


async def _all_end(client: Client, task_ids: list[str]) -> None:
    async with asyncio.timeout(_END_SECONDS):
        for task_id in task_ids:
            task = await client.wait(task_id)
            assert task.state == TaskState.SUCCEEDED, task


class _Load:
    """Creates tasks without a pause and notes which were accepted."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.accepted: list[str] = []
        self.refused = 0
        self._moved = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["_Load"]:
        async with asyncio.TaskGroup() as group:
            creators = [group.create_task(self._create_forever()) for _ in range(_CREATORS)]
            try:
                yield self
            finally:
                for creator in creators:
                    creator.cancel()

    async def more(self, count: int) -> None:
        """Wait until `count` more tasks are accepted."""
        wanted = len(self.accepted) + count
        async with asyncio.timeout(_END_SECONDS):
            while len(self.accepted) < wanted:
                self._moved.clear()
                await self._moved.wait()

    async def _create_forever(self) -> None:
        while True:
            task_id = fresh_task_id()
            try:
                await self._client.create("echo", "hello", task_id=task_id)
            except TaskwireError:
                self.refused += 1
            else:
                self.accepted.append(task_id)
                self._moved.set()


async def test_p1_gateway_killed_between_commit_and_ring(
    stack: Stack,
    connect: Callable[[str], Client],
    faulty: Callable[[str], str],
    audit: Callable[[str], Awaitable[None]],
    database_url: str,
    eventually: Callable[..., Awaitable[object]],
) -> None:
    victim = await stack.gateway()
    await victim.kill()
    victim.environment["PYTHONPATH"] = faulty("kill_before_ring")
    address = (await victim.start()).grpc
    healthy = await stack.gateway()
    await stack.processor()
    task_id = fresh_task_id()

    doomed = Client(address, timeout=5, wait_for_ready=False)
    with pytest.raises(TaskwireError):
        await doomed.create("echo", "hello", task_id=task_id)
    await doomed.close()
    await eventually(lambda: not victim.is_running, what="the death of the gateway")

    task = await asyncio.wait_for(connect(healthy.ready.grpc).wait(task_id), timeout=15)
    assert task.state == TaskState.SUCCEEDED
    await audit(database_url)


async def test_p1_nats_stopped_wiped_and_started_under_load(
    stack_over: Callable[..., Stack],
    own_nats: EmbeddedNats,
    connect: Callable[[str], Client],
    database_url: str,
    audit: Callable[[str], Awaitable[None]],
) -> None:
    async with stack_over(database_url, own_nats.url) as stack:
        client = connect((await stack.gateway()).ready.grpc)
        await stack.processor()
        load = _Load(client)
        async with load.running():
            await load.more(100)
            await own_nats.stop()
            await load.more(300)
            own_nats.wipe()
            await own_nats.start()
            await load.more(100)
        assert load.refused == 0, "a create does not need NATS"
        await _all_end(client, load.accepted)
    await audit(database_url)


async def test_p1_postgres_crashes_under_load(
    stack_over: Callable[..., Stack],
    own_postgres: EmbeddedPostgres,
    nats: EmbeddedNats,
    nats_prefix: str,
    connect: Callable[[str], Client],
    audit: Callable[[str], Awaitable[None]],
) -> None:
    url = own_postgres.url("postgres")
    async with stack_over(url, nats.url, nats_prefix) as stack:
        client = connect((await stack.gateway()).ready.grpc)
        await stack.processor()
        load = _Load(client)
        async with load.running():
            for _ in range(2):
                await load.more(200)
                # SIGQUIT is what `pg_ctl stop -m immediate` sends: no checkpoint, recovery at the next start.
                await own_postgres.child.stop([Stage(signal.SIGQUIT, 10)])
                await own_postgres.start()
            await load.more(200)
        await _all_end(client, load.accepted)
        connection = await asyncpg.connect(url)
        stored = {row["id"] for row in await connection.fetch("SELECT id FROM tasks")}
        await connection.close()
        assert {uuid.UUID(task_id) for task_id in load.accepted} <= stored
    await audit(url)
