import signal

import pytest

from taskwire.client import Client
from taskwire_dev.stack import Stack

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def stack(settings, tmp_path):
    given = settings(lease_seconds=2, metrics_listen="127.0.0.1:0")
    async with Stack(given.as_environment(), folder=tmp_path) as started:
        yield started


async def test_services_work_together_and_are_stopped_at_the_end(settings, tmp_path):
    async with Stack(settings().as_environment(), folder=tmp_path) as stack:
        gateway = await stack.gateway()
        processor = await stack.processor(concurrency="4")
        async with Client(gateway.ready.grpc) as client:
            task = await client.create("echo", "hello")
            done = await client.wait(task.id)
            assert done.processor == processor.ready.id
            assert done.output is not None

    assert not gateway.is_running
    assert not processor.is_running
    assert gateway.child.exit_code == processor.child.exit_code == 0


async def test_a_task_outlives_the_processor_that_held_it(stack):
    gateway = await stack.gateway()
    first = await stack.processor()
    async with Client(gateway.ready.grpc) as client:
        task = await client.create("sleep", {"seconds": 1})
        async for version in client.watch(task.id):
            if version.state.name == "RUNNING":
                break
        await first.kill()
        second = await stack.processor()

        done = await client.wait(task.id)

    assert first.child.exit_code == -signal.SIGKILL
    assert done.state.name == "SUCCEEDED"
    assert done.processor == second.ready.id


async def test_a_frozen_service_is_stopped_too(stack):
    processor = await stack.processor()

    processor.freeze()
    await stack.stop()

    assert not processor.is_running
