"""The client and the commands against real services: a gateway and a processor as processes of their own."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

import pytest

from taskwire import Client, NewTask, Selector, TaskState, errors
from taskwire.cli import main as entry
from taskwire.ids import fresh_task_id
from taskwire_dev.stack import Stack

SECONDS_MAX = 20


@pytest.fixture
async def stack(tmp_path, database_url, nats, nats_prefix) -> AsyncIterator[Stack]:
    environment = {
        "PATH": os.environ["PATH"],
        "TASKWIRE_DATABASE_URL": database_url,
        "TASKWIRE_NATS_URL": nats.url,
        "TASKWIRE_NATS_PREFIX": nats_prefix,
    }
    async with Stack(environment, folder=tmp_path) as running:
        await running.gateway()
        yield running


@pytest.fixture
async def live(stack: Stack) -> AsyncIterator[Client]:
    async with Client(stack.gateways[0].ready.grpc) as client:
        yield client


async def test_a_task_is_created_run_and_watched(stack: Stack, live: Client) -> None:
    await stack.processor()
    async with asyncio.timeout(SECONDS_MAX):
        task = await live.create("echo", {"name": "Ada"}, labels={"a": "b"})
        versions = [(one.version, one.state) async for one in live.watch(task.id, after_version=0)]
        done = await live.wait(task.id)
        failed = await live.wait((await live.create("flaky", {"failures": 9}, max_attempts=1)).id)
        again = await live.retry(failed.id)

    assert versions == [(1, TaskState.PENDING), (2, TaskState.RUNNING), (3, TaskState.SUCCEEDED)]
    assert done.output is not None
    assert done.output.json() == {"name": "Ada"}
    assert failed.state is TaskState.FAILED
    assert failed.failure is not None
    assert again.retry_of == failed.id


async def test_calls_and_their_errors(live: Client) -> None:
    tasks = await live.create_many([NewTask(type="x", queue="mail", delay=timedelta(hours=1)) for _ in range(3)])
    cancelled = await live.cancel(tasks[0].id, reason="a test")
    listed = [task.id async for task in live.list(Selector(queues=["mail"], states=[TaskState.SCHEDULED]))]

    assert cancelled.state is TaskState.CANCELLED
    assert set(listed) == {tasks[1].id, tasks[2].id}
    assert (await live.pause("mail")).paused
    assert not (await live.resume("mail")).paused
    assert (await live.queue("mail")).processor_count == 0
    assert [queue.name async for queue in live.queues()] == ["mail"]
    with pytest.raises(errors.TaskNotFound):
        await live.get(fresh_task_id())
    with pytest.raises(errors.QueueNotFound):
        await live.pause("nothing-here")
    with pytest.raises(errors.InvalidFields) as caught:
        await live.create("", queue="NOT VALID")
    assert {violation.field for violation in caught.value.violations} == {"task.type", "task.queue"}


async def test_p2_the_same_name_is_the_same_task(live: Client) -> None:
    first = await live.create("x", 1, idempotency_key="order-1")
    second = await live.create("x", 1, idempotency_key="order-1")

    assert (first.deduplicated, second.deduplicated, second.id) == (False, True, first.id)
    with pytest.raises(errors.TaskConflict) as caught:
        await live.create("x", 2, idempotency_key="order-1")
    assert caught.value.task_id == first.id


async def test_p6_watches_go_on_when_the_gateway_is_killed_and_comes_back(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    gateway = await stack.gateway(listen=f"127.0.0.1:{port}")
    async with asyncio.timeout(2 * SECONDS_MAX), Client(gateway.ready.grpc) as client:
        task = await client.create("never-served")
        async with aclosing(client.watch_all()) as feed, aclosing(client.watch(task.id)) as versions:
            assert (await anext(feed)).tasks == ()
            assert (await anext(versions)).version == 1
            await gateway.kill()
            # The same port: an address that clients know, as behind a service name.
            await gateway.start()
            await client.cancel(task.id)
            last = await anext(versions)
            seen = [one async for one in _first_changes(feed)]

    assert (last.version, last.state) == (2, TaskState.CANCELLED)
    assert [(one.id, one.version) for one in seen] == [(task.id, 2)]


async def _first_changes(feed):
    async for changes in feed:
        for task in changes.tasks:
            yield task
        if changes.tasks:
            return


async def test_commands(stack: Stack, monkeypatch, capsys) -> None:
    await stack.processor()
    gateway = stack.gateways[0].ready
    monkeypatch.setenv("TASKWIRE_ADDRESS", gateway.grpc)
    monkeypatch.setenv("TASKWIRE_LISTEN", gateway.grpc)
    monkeypatch.setenv("TASKWIRE_METRICS_LISTEN", stack.processors[0].ready.metrics)

    async def run(*argv: str) -> tuple[int, list[str]]:
        code = await asyncio.to_thread(entry.main, argv)
        return code, capsys.readouterr().out.splitlines()

    code, lines = await run("create", "echo", "hello", "--watch")
    assert code == 0
    states = [json.loads(line)["state"] for line in lines]
    # A version may come twice, with new progress.
    assert list(dict.fromkeys(states)) == ["TASK_STATE_PENDING", "TASK_STATE_RUNNING", "TASK_STATE_SUCCEEDED"]
    assert json.loads(lines[-1])["output"]["text"] == "hello"
    assert await run("health") == (0, ["SERVING"])
    assert await run("health", "--http") == (0, ["ok"])
    code, lines = await run("list", "--type", "echo")
    assert (code, len(lines)) == (0, 1)
