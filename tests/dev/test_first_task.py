import pytest

from taskwire.client import Client
from taskwire.errors import TaskwireError
from taskwire.task import TaskState, WaitReason
from taskwire_dev.first_task import run_first_task
from taskwire_dev.stack import Stack


@pytest.fixture
async def stack(settings, tmp_path):
    async with Stack(settings().as_environment(), folder=tmp_path) as started:
        yield started


async def test_it_succeeds_where_everything_works(stack):
    gateway = await stack.gateway()
    await stack.processor()

    task = await run_first_task(gateway.ready.grpc, "default")

    assert task.succeeded
    assert task.states == (TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCEEDED)


async def test_without_a_processor_it_says_what_it_waits_for(stack):
    gateway = await stack.gateway()

    task = await run_first_task(gateway.ready.grpc, "default", patience=0.5)

    assert not task.succeeded
    assert task.states == (TaskState.PENDING,)
    assert task.waits_for is WaitReason.NO_PROCESSOR


async def test_it_does_not_wait_for_ever_in_a_paused_queue(stack):
    gateway = await stack.gateway()
    await stack.processor()
    async with Client(gateway.ready.grpc) as client:
        await client.create("echo", "first")
        await client.pause("default")

    task = await run_first_task(gateway.ready.grpc, "default", patience=0.5)

    assert task.waits_for is WaitReason.QUEUE_PAUSED


async def test_a_gateway_that_refuses_is_an_error(stack):
    gateway = await stack.gateway()

    with pytest.raises(TaskwireError):
        await run_first_task(gateway.ready.grpc, "NOT A QUEUE")
