"""A cluster of NATS servers keeps what is replicated when one of them is lost."""

import signal
from contextlib import AsyncExitStack

import nats as client
import nats.errors
import pytest

from taskwire_dev.nats_cluster import start_cluster


@pytest.fixture
async def servers(tmp_path):
    async with AsyncExitStack() as stack:
        yield await start_cluster(stack, tmp_path, 3)


async def test_what_three_keep_is_there_when_one_is_killed(servers, eventually):
    connection = await client.connect([server.url for server in servers])
    stream = connection.jetstream()

    async def tried(call):
        # A cluster that has just begun, or has lost its leader, first agrees on another.
        try:
            return await call()
        except (nats.errors.Error, OSError):
            return None

    async def count() -> int:
        return (await stream.stream_info("KEPT")).state.messages

    await eventually(lambda: tried(lambda: stream.add_stream(name="KEPT", subjects=["kept"], num_replicas=3)))
    await eventually(lambda: tried(lambda: stream.publish("kept", b"hello", timeout=2)))
    leader = (await stream.stream_info("KEPT")).cluster.leader
    await next(server for server in servers if server.name == leader).stop(signal.SIGKILL)

    assert await eventually(lambda: tried(count)) >= 1
    await connection.close()
