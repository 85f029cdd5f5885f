"""The life of a gateway: health, reflection, its end, outages."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_dev.postgres import EmbeddedPostgres, Stop
from taskwire_gateway.app import serve
from taskwire_gateway.methods import QUEUE_SERVICE, TASK_SERVICE
from taskwire_gateway.server import ListenError
from taskwire_migrations.schema import NotMigrated
from taskwire_shared.store.creations import Creations

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _health(api, service=""):
    stub = health_pb2_grpc.HealthStub(api.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


@pytest.mark.parametrize("service", ["", TASK_SERVICE, QUEUE_SERVICE, "grpc.health.v1.Health"])
async def test_every_service_is_healthy(api, service):
    assert await _health(api, service) == SERVING


async def test_an_unknown_service_has_no_health(api):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _health(api, "nothing")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    call = health_pb2_grpc.HealthStub(api.channel).Watch(health_pb2.HealthCheckRequest(service="nothing"))
    assert (await call.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    call.cancel()


async def test_a_question_for_health_that_cannot_be_read_is_refused(api):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.channel.unary_unary("/grpc.health.v1.Health/Check")(b"\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"\xff").read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_end_lets_calls_finish_and_moves_watches(gateway, monkeypatch):
    gate, entered = asyncio.Event(), asyncio.Event()
    plain = Creations.create_tasks

    async def held(self, tasks):
        entered.set()
        await gate.wait()
        return await plain(self, tasks)

    async with gateway(grace_seconds=10) as api:
        task = await api.create()
        watch = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
        feed = api.tasks.WatchTasks(pb.WatchTasksRequest())
        health = health_pb2_grpc.HealthStub(api.channel).Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        await feed.read()
        assert (await health.read()).status == SERVING
        monkeypatch.setattr(Creations, "create_tasks", held)
        creating = asyncio.ensure_future(_create(api))
        await asyncio.wait_for(entered.wait(), 5)
        api.stop.set()
        assert (await asyncio.wait_for(health.read(), 5)).status == NOT_SERVING
        for call in (watch, feed):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await asyncio.wait_for(_drain(call), 5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not creating.done()
        gate.set()
        assert (await asyncio.wait_for(creating, 5)).task.version == 1
        await asyncio.wait_for(asyncio.shield(api.serving), 5)


async def _create(api):
    return await api.tasks.CreateTask(pb.CreateTaskRequest(task=task_pb2.Task(type="echo")))


async def _drain(call):
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_a_port_that_is_taken_is_said(gateway, api):
    with pytest.raises(ExceptionGroup) as caught:
        async with gateway(listen=api.address):
            pass
    assert caught.group_contains(ListenError)


async def test_a_database_without_tables_is_said(gateway, postgres):
    with pytest.raises(NotMigrated):
        async with gateway(database_url=postgres.url("postgres")):
            pass


async def test_a_gateway_that_waits_for_its_database_can_be_stopped(settings):
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(settings(database_url="postgresql://nobody@127.0.0.1:9/none"), stop=stop))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(serving, 10)


async def test_a_setting_migrates(gateway, tmp_path):
    async with (
        EmbeddedPostgres(tmp_path) as own,
        gateway(database_url=own.url("postgres"), migrate=True) as api,
    ):
        await api.create()


async def test_p6_watches_outlive_an_outage_of_postgres(gateway, tmp_path, eventually):
    async with EmbeddedPostgres(tmp_path) as own, gateway(database_url=own.url("postgres"), migrate=True) as api:
        task = await api.create()
        watch = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
        feed = api.tasks.WatchTasks(pb.WatchTasksRequest())
        await watch.read()
        await feed.read()
        await own.stop(Stop.IMMEDIATE)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await api.get(task.id)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await eventually(lambda: _is(api, NOT_SERVING), what="an unhealthy gateway")
        await own.start()
        await eventually(lambda: _is(api, SERVING), what="a healthy gateway")
        await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=task.id))
        message = await asyncio.wait_for(watch.read(), 10)
        assert message.task.state == task_pb2.TASK_STATE_CANCELLED
        message = await asyncio.wait_for(feed.read(), 10)
        assert [change.version for change in message.changes.tasks] == [2]
        feed.cancel()


async def _is(api, status):
    return await _health(api) == status


async def test_a_gateway_serves_without_nats(gateway, eventually):
    async with gateway(nats_url=("nats://127.0.0.1:1",)) as api:
        task = await api.create()
        watch = api.tasks.WatchTask(pb.WatchTaskRequest(task_id=task.id))
        assert (await watch.read()).task.version == 1
        await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=task.id))
        message = await asyncio.wait_for(watch.read(), 10)
        assert message.task.state == task_pb2.TASK_STATE_CANCELLED
        await eventually(lambda: _is(api, SERVING), what="a healthy gateway")
