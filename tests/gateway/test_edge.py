"""What all calls have in common: faults, limits, measures, methods."""

import asyncio
from collections import Counter
from unittest.mock import AsyncMock, Mock

import grpc
import pytest

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway import edge, methods
from taskwire_gateway.methods import queue_methods, task_methods
from taskwire_gateway.rpc_errors import rpc_error
from taskwire_shared.domain.errors import BackendUnavailable, WatchTooSlow
from taskwire_shared.domain.ids import new_id
from taskwire_shared.store import reads


def _methods_of(service):
    return {method.name: method for method in service.methods}


def test_every_method_of_the_api_is_served():
    class Anything:
        def __getattr__(self, name):
            return name

    anything = Anything()
    for descriptor, served in (
        (methods.task_pb.DESCRIPTOR.services_by_name["TaskService"], task_methods(anything, anything, anything)),
        (methods.queue_pb.DESCRIPTOR.services_by_name["QueueService"], queue_methods(anything)),
    ):
        declared = _methods_of(descriptor)
        assert set(served) == set(declared)
        for name, method in served.items():
            assert method.request.DESCRIPTOR is declared[name].input_type
            assert isinstance(method, edge.Stream) == declared[name].server_streaming


async def test_a_fault_is_logged_and_not_told(api, refused, monkeypatch, capsys):
    async def broken(*_args, **_more):
        raise RuntimeError("password=secret")

    monkeypatch.setattr(reads, "get_task", broken)
    refusal = await refused(api.tasks.GetTask(pb.GetTaskRequest(task_id=str(new_id()))))
    assert (refusal.code, refusal.reason) == ("INTERNAL", "INTERNAL")
    assert "secret" not in str(refusal.status)
    log_id = refusal.metadata["log_id"]
    said = capsys.readouterr()
    assert log_id in said.out + said.err
    refusal = await refused(api.tasks.WatchTask(pb.WatchTaskRequest(task_id=str(new_id()))))
    assert (refusal.code, refusal.reason) == ("INTERNAL", "INTERNAL")


async def test_an_outage_is_unavailable_and_says_when_to_come_back(api, refused, monkeypatch):
    async def away(*_args, **_more):
        raise BackendUnavailable from OSError("connection refused by 10.0.0.7")

    monkeypatch.setattr(reads, "get_task", away)
    refusal = await refused(api.tasks.GetTask(pb.GetTaskRequest(task_id=str(new_id()))))
    assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "BACKEND_UNAVAILABLE")
    assert refusal.details["RetryInfo"].retry_delay.seconds == 1
    assert refusal.pushback == "1000"
    assert "10.0.0.7" not in str(refusal.status)


@pytest.mark.parametrize(("limit", "most"), [("CALLS_MAX", 1), ("CALL_BYTES_MAX", 30)])
async def test_p9_calls_beyond_what_is_taken_on_are_refused(api, refused, monkeypatch, limit, most):
    # The first call is larger than that, but alone.
    monkeypatch.setattr(edge, limit, most)
    gate, entered = asyncio.Event(), asyncio.Event()

    async def slow(*_args, **_more):
        entered.set()
        await gate.wait()

    monkeypatch.setattr(reads, "get_task", slow)
    first = asyncio.ensure_future(refused(api.tasks.GetTask(pb.GetTaskRequest(task_id=str(new_id())))))
    await asyncio.wait_for(entered.wait(), 5)
    refusal = await refused(api.tasks.ListTasks(pb.ListTasksRequest()))
    assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
    assert "RetryInfo" in refusal.details
    gate.set()
    assert (await first).reason == "TASK_NOT_FOUND"
    await api.tasks.ListTasks(pb.ListTasksRequest())


async def test_p9_a_burst_that_the_library_would_cut_off_is_refused_by_us(api, refused, monkeypatch):
    monkeypatch.setattr(edge, "CALLS_MAX", 1)
    burst = [refused(api.tasks.CreateTask(pb.CreateTaskRequest())) for _ in range(4_000)]
    codes = Counter([refusal.code for refusal in await asyncio.gather(*burst)])
    assert set(codes) <= {"RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"}, codes
    assert codes["RESOURCE_EXHAUSTED"], codes


async def test_a_deadline_is_kept_and_leaks_nothing(api, refused, monkeypatch):
    plain = reads.get_task

    async def slow(*args, **more):
        await asyncio.sleep(0.2)
        return await plain(*args, **more)

    monkeypatch.setattr(reads, "get_task", slow)
    task = await api.create()
    for _ in range(30):
        call = api.tasks.GetTask(pb.GetTaskRequest(task_id=task.id), timeout=0.02)
        assert (await refused(call)).code == "DEADLINE_EXCEEDED"
    monkeypatch.undo()
    await asyncio.gather(*(api.get(task.id) for _ in range(30)))


async def test_a_reader_that_leaves_while_we_write_is_no_fault(capsys):
    class Left:
        async def write(self, _data):
            raise grpc.aio.InternalError

    async def say_hello(_tenant, _request, send):
        await send(pb.WatchTaskResponse())

    serve = edge.Edge(lambda _: "default", None)._stream("WatchTask", edge.Stream(pb.WatchTaskRequest, say_hello))
    with pytest.raises(asyncio.CancelledError):
        await serve(b"", Left())
    assert capsys.readouterr().err == ""


async def test_p9_a_reader_that_takes_nothing_is_too_slow(monkeypatch):
    monkeypatch.setattr(edge, "WRITE_SECONDS", 0.01)

    async def take_nothing(_data):
        await asyncio.Event().wait()

    async def say_hello(_tenant, _request, send):
        await send(pb.WatchTaskResponse())

    context = Mock(write=take_nothing, abort=AsyncMock())
    serve = edge.Edge(lambda _: "default", None)._stream("WatchTask", edge.Stream(pb.WatchTaskRequest, say_hello))
    await asyncio.wait_for(serve(b"", context), 5)
    failure = rpc_error(WatchTooSlow())
    context.abort.assert_awaited_once_with(failure.code, failure.text, failure.trailers)


async def test_metrics_count_tasks_and_calls(gateway, refused, nats):
    from taskwire_dev.ports import LOOPBACK

    async with gateway(metrics_listen=f"{LOOPBACK}:0") as api:
        made = await api.tasks.BatchCreateTasks(
            pb.BatchCreateTasksRequest(requests=[pb.CreateTaskRequest(task=task_pb2.Task(type="t"))] * 3)
        )
        await refused(api.tasks.CreateTask(pb.CreateTaskRequest()))
        await api.get(made.responses[0].task.id)
        await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=made.responses[0].task.id))
        text = await _scrape(api.metrics)
    for line in (
        "taskwire_task_create_requests_total 4.0",
        "taskwire_task_create_success_total 3.0",
        "taskwire_task_create_failure_total 1.0",
        "taskwire_task_get_requests_total 1.0",
        "taskwire_task_cancel_requests_total 1.0",
        "taskwire_task_cancel_success_total 1.0",
    ):
        assert line in text
    assert 'taskwire_rpc_seconds_count{code="INVALID_ARGUMENT",method="CreateTask"} 1' in text.replace(
        'method="CreateTask",code="INVALID_ARGUMENT"', 'code="INVALID_ARGUMENT",method="CreateTask"'
    )


async def _scrape(address):
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return text


@pytest.mark.parametrize("method", ["WatchTask", "WatchTasks"])
async def test_a_watch_that_its_caller_leaves_is_gone(gateway, method):
    async with gateway(watches_max=1) as api:
        task = await api.create()
        requests = {"WatchTask": pb.WatchTaskRequest(task_id=task.id), "WatchTasks": pb.WatchTasksRequest()}
        for _ in range(3):
            call = await _open_when_free(getattr(api.tasks, method), requests[method])
            call.cancel()


async def _open_when_free(stub, request):
    async with asyncio.timeout(10):
        while True:
            call = stub(request)
            try:
                await call.read()
            except grpc.aio.AioRpcError:
                # The one before has not been noticed to be gone yet.
                continue
            return call
