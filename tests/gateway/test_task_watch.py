"""`WatchTask`: every version, once, in order, whatever the reader does."""

import asyncio
from unittest.mock import AsyncMock, Mock
from uuid import UUID

import grpc
import pytest
from prometheus_client import CollectorRegistry

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway import follower, task_watch
from taskwire_gateway.convert import new_task
from taskwire_gateway.dispatcher import Dispatcher
from taskwire_gateway.watch_reads import WatchReads
from taskwire_gateway.watches import Watches
from taskwire_shared.domain.errors import WatchMoved
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import HandedBack
from taskwire_shared.store import completions, events
from taskwire_shared.store.creations import Creations
from taskwire_shared.telemetry.metrics import GatewayMetrics

SECONDS = 10


async def _collect(call):
    tasks, heartbeats = [], []
    async with asyncio.timeout(SECONDS):
        while (message := await call.read()) is not grpc.aio.EOF:
            if message.HasField("task"):
                tasks.append(message.task)
            else:
                heartbeats.append(message.heartbeat)
    return tasks, heartbeats


async def test_p6_a_watcher_gets_every_version_to_the_end(api, worker, eventually):
    task = await api.create()
    call = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
    assert (await call.read()).task == task
    (fence,) = await worker.claim(UUID(task.id))
    await worker.fail(fence, retry_in=0.0)
    await eventually(lambda: _is_pending(api, task.id))
    (fence,) = await worker.claim(UUID(task.id))
    await worker.succeed(fence)
    rest, _ = await _collect(call)
    assert [version.version for version in rest] == [2, 3, 4, 5, 6]
    assert [version.state for version in rest] == [3, 1, 2, 3, 4]
    assert rest[-1].done
    assert rest[-1].output.text == "done"
    assert not rest[-1].HasField("input")
    assert rest[1].last_failure.reason == "BROKEN"
    assert (await call.code()).name == "OK"


async def _is_pending(api, task_id):
    return (await api.get(task_id)).state == task_pb2.TASK_STATE_PENDING


async def test_p6_a_watch_starts_after_the_version_named(api, worker):
    task = await api.create()
    (fence,) = await worker.claim(UUID(task.id))
    await worker.succeed(fence)
    for after, expected in ((0, [1, 2, 3]), (1, [2, 3]), (2, [3]), (3, [3])):
        tasks, _ = await _collect(api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id, after_version=after)))
        assert [version.version for version in tasks] == expected
    tasks, _ = await _collect(api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id)))
    assert [version.version for version in tasks] == [3]
    assert tasks[0].output.text == "done"


async def test_p6_a_watch_of_a_history_with_a_gap_ends_instead_of_leaving_something_out(api, worker, refused, db):
    task = await api.create()
    await worker.succeed(*await worker.claim(UUID(task.id)))
    await db.execute("DELETE FROM task_events WHERE task_id = $1 AND version = 2", UUID(task.id))
    refusal = await refused(api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id, after_version=0)))
    assert (refusal.code, refusal.reason) == ("OUT_OF_RANGE", "RESUME_TOKEN_EXPIRED")


async def test_a_full_watch_carries_the_payloads(api, worker):
    task = await api.create(input=task_pb2.Payload(binary=b"\x00in"))
    (fence,) = await worker.claim(UUID(task.id))
    await worker.succeed(fence)
    request = pb.WatchTaskRequest(task_id=task.id, after_version=0, view=task_pb2.TASK_VIEW_FULL)
    tasks, _ = await _collect(api.tasks.WatchTask(request))
    assert [version.input.binary for version in tasks] == [b"\x00in"] * 3
    assert [version.output.text for version in tasks] == ["", "", "done"]


@pytest.mark.parametrize("after", [-1, 2])
async def test_a_version_that_cannot_have_been_seen_is_refused(api, refused, after):
    task = await api.create()
    refusal = await refused(api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id, after_version=after)))
    assert (refusal.code, refusal.reason, refusal.fields) == ("INVALID_ARGUMENT", "INVALID_FIELDS", ["after_version"])


async def test_a_watch_of_no_task_is_refused(api, refused):
    missing = str(new_id())
    refusal = await refused(api.tasks.WatchTask(pb.WatchTaskRequest(task_id=missing)))
    assert (refusal.code, refusal.reason, refusal.metadata) == ("NOT_FOUND", "TASK_NOT_FOUND", {"task_id": missing})
    assert refusal.details["ResourceInfo"].resource_name == missing


async def test_heartbeats_keep_coming_and_carry_progress(gateway, worker):
    async with gateway(heartbeat_seconds=0.2) as api:
        task = await api.create()
        call = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
        async with asyncio.timeout(SECONDS):
            assert (await call.read()).task.version == 1
            quiet = await call.read()
            assert quiet.heartbeat.server_time.seconds
            assert not quiet.heartbeat.HasField("progress")
            (fence,) = await worker.claim(UUID(task.id))
            message = await call.read()
            while not message.HasField("task"):
                message = await call.read()
            assert message.task.version == 2
            await worker.report(fence, 0.5, "half")
            message = await call.read()
            while not message.heartbeat.HasField("progress"):
                message = await call.read()
        assert (message.heartbeat.progress.fraction, message.heartbeat.progress.message) == (0.5, "half")
        call.cancel()


async def test_a_watch_is_not_silent_for_longer_than_its_callers_take_for_granted(gateway, monkeypatch):
    monkeypatch.setattr(task_watch, "SILENCE_SECONDS_MAX", 0.1)
    async with gateway(heartbeat_seconds=300, watch_age_seconds=300) as api:
        task = await api.create()
        call = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
        async with asyncio.timeout(SECONDS):
            assert (await call.read()).HasField("task")
            assert (await call.read()).HasField("heartbeat")
        call.cancel()


async def test_progress_arrives_within_a_second(api, worker):
    task = await api.create()
    (fence,) = await worker.claim(UUID(task.id))
    call = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
    assert (await call.read()).task.version == 2
    await worker.report(fence, 0.25)
    async with asyncio.timeout(1.0):
        message = await call.read()
    assert message.heartbeat.progress.fraction == 0.25
    call.cancel()


async def test_progress_of_an_attempt_that_a_watcher_does_not_know_of_makes_no_heartbeats(api, worker, monkeypatch):
    read, held, gate = events.moves_since, asyncio.Event(), asyncio.Event()

    async def hold(*args):
        held.set()
        await gate.wait()
        return await read(*args)

    task = await api.create()
    early = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
    async with asyncio.timeout(SECONDS):
        assert (await early.read()).task.version == 1
        monkeypatch.setattr(events, "moves_since", hold)
        await held.wait()
        (fence,) = await worker.claim(UUID(task.id))
        late = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
        assert (await late.read()).task.version == 2
        await worker.report(fence, 0.5)
        assert (await late.read()).heartbeat.progress.fraction == 0.5
        gate.set()
        assert (await early.read()).task.version == 2
    early.cancel()
    late.cancel()


async def test_an_old_watch_is_moved(gateway, refused):
    async with gateway(watch_age_seconds=0.3, heartbeat_seconds=0.2) as api:
        task = await api.create()
        refusal = await refused(api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id)))
        assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "WATCH_MOVED")
        assert refusal.details["RetryInfo"].retry_delay.ToTimedelta().total_seconds() <= 2
        refusal = await refused(api.tasks.WatchTasks(pb.WatchTasksRequest()))
        assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "WATCH_MOVED")


async def test_p9_watches_beyond_the_limit_are_refused(gateway, refused):
    async with gateway(watches_max=1) as api:
        task = await api.create()
        call = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
        await call.read()
        for other in (
            api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id)),
            api.tasks.WatchTasks(pb.WatchTasksRequest()),
        ):
            refusal = await refused(other)
            assert (refusal.code, refusal.reason, refusal.metadata) == (
                "RESOURCE_EXHAUSTED",
                "TOO_MANY_WATCHES",
                {"limit": "1"},
            )
            assert "RetryInfo" in refusal.details
        call.cancel()
        async with asyncio.timeout(SECONDS):
            while True:
                call = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
                if await _opens(call):
                    break
        call.cancel()


async def _opens(call):
    try:
        return (await call.read()).HasField("task")
    except grpc.aio.AioRpcError:
        return False


async def test_what_is_sent_is_counted_however_the_watch_ends(db):
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)
    task = new_task("t", pb.CreateTaskRequest(task=task_pb2.Task(type="echo")))
    await Creations(db).create_tasks([task])
    outlived = Watches(1, 0.0, 15, metrics)
    watcher = task_watch.TaskWatcher(WatchReads(db), Mock(joined=AsyncMock()), Dispatcher(), outlived, metrics)
    send = AsyncMock()
    with pytest.raises(WatchMoved):
        await watcher.watch_task("t", pb.WatchTaskRequest(task_id=str(task.id)), send)
    send.assert_awaited_once()
    assert registry.get_sample_value("taskwire_watch_tasks_sent_total", {"method": "WatchTask"}) == 1


async def test_p6_a_reader_that_sleeps_is_not_skipped(api, worker, monkeypatch):
    monkeypatch.setattr(follower, "BUFFER_VERSIONS_MAX", 1)
    task = await api.create(retry_policy=task_pb2.RetryPolicy(max_attempts=100))
    call = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
    assert (await call.read()).task.version == 1
    for _ in range(20):
        (fence,) = await worker.claim(UUID(task.id))
        await completions.settle(worker._db, worker.id, [HandedBack(fence)])
    (fence,) = await worker.claim(UUID(task.id))
    await worker.succeed(fence)
    tasks, _ = await _collect(call)
    assert [version.version for version in tasks] == list(range(2, 44))
