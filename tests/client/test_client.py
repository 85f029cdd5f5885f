"""Each method sends what it says and returns values."""

import asyncio
import math
import pickle
from datetime import UTC, datetime
from uuid import UUID

import grpc
import pytest

from taskwire import Client, NewTask, Selector, TaskPriority, TaskState, errors
from taskwire.v1 import queue_service_pb2 as queues_pb
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as tasks_pb

TASK = task_pb2.Task(id="task-1", type="greet", state=task_pb2.TASK_STATE_PENDING, version=1)


async def test_p2_create_always_names_its_task(client, gateway) -> None:
    gateway.script("CreateTask", tasks_pb.CreateTaskResponse(task=TASK, deduplicated=True))

    task = await client.create("greet", {"name": "Ada"}, priority=TaskPriority.HIGH, labels={"a": "b"})
    await client.create("greet", idempotency_key="order-1")
    await client.create("greet", task_id="of-the-caller")

    own, keyed, named = gateway.requests
    assert UUID(own.task_id).version == 7
    assert (own.task.input.text, own.task.input.content_type) == ('{"name":"Ada"}', "application/json")
    assert (keyed.task_id, keyed.idempotency_key) == ("", "order-1")
    assert (named.task_id, named.idempotency_key) == ("of-the-caller", "")
    assert task.id == "task-1"
    assert task.deduplicated


async def test_p2_a_repeated_request_is_the_same_request(client, gateway, reject) -> None:
    gateway.script("CreateTask", reject(grpc.StatusCode.UNAVAILABLE), tasks_pb.CreateTaskResponse(task=TASK))

    await client.create("greet")

    first, second = gateway.requests
    assert first == second


async def test_only_unavailable_is_repeated(client, gateway, reject) -> None:
    gateway.script("GetTask", reject(grpc.StatusCode.INTERNAL), tasks_pb.GetTaskResponse(task=TASK))

    with pytest.raises(errors.InternalError):
        await client.get("task-1")
    assert len(gateway.requests) == 1


async def test_no_more_than_four_attempts(client, gateway, reject) -> None:
    gateway.script("GetTask", reject(grpc.StatusCode.UNAVAILABLE, "BACKEND_UNAVAILABLE"))

    with pytest.raises(errors.BackendUnavailable):
        await client.get("task-1")
    assert len(gateway.requests) == 4


async def test_p2_a_large_request_is_repeated_too(client, gateway, reject) -> None:
    gateway.script("BatchCreateTasks", reject(grpc.StatusCode.UNAVAILABLE), tasks_pb.BatchCreateTasksResponse())

    # More than the 256 KiB that gRPC keeps by itself, and nearly what the service takes.
    await client.create_many([NewTask(type="x", input=b"x" * 250 * 1024) for _ in range(15)])

    first, second = gateway.requests
    assert first == second


async def test_p2_an_error_says_which_ids_were_sent(client, gateway, reject) -> None:
    for method in ("CreateTask", "BatchCreateTasks", "RetryTask", "GetTask"):
        gateway.script(method, reject(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"))

    async def sent_ids(call) -> tuple[str, ...]:
        with pytest.raises(errors.RetryLater) as caught:
            await call
        assert pickle.loads(pickle.dumps(caught.value)).sent_ids == caught.value.sent_ids
        return caught.value.sent_ids

    keyed = NewTask(type="x", idempotency_key="k")
    assert await sent_ids(client.create("x")) == (gateway.requests[0].task_id,)
    assert await sent_ids(client.create("x", task_id="mine")) == ("mine",)
    assert await sent_ids(client.create("x", idempotency_key="k")) == ()
    sent = await sent_ids(client.create_many([NewTask(type="x"), keyed, NewTask(type="x")]))
    assert sent == tuple(one.task_id for one in gateway.requests[3].requests if one.task_id)
    assert len(sent) == 2
    assert await sent_ids(client.retry("x")) == (gateway.requests[4].new_task_id,)
    assert await sent_ids(client.get("x")) == ()


async def test_empty_new_id_is_refused(client, gateway) -> None:
    with pytest.raises(ValueError, match="new_task_id must not be empty"):
        await client.retry("task-1", new_task_id="")
    assert gateway.requests == []


async def test_create_many_keeps_the_order(client, gateway) -> None:
    answers = [tasks_pb.CreateTaskResponse(task=task_pb2.Task(id=name)) for name in ("a", "b")]
    gateway.script("BatchCreateTasks", tasks_pb.BatchCreateTasksResponse(responses=answers))

    tasks = await client.create_many([NewTask(type="x", input=b"\0"), NewTask(type="y", delay=60)])

    (request,) = gateway.requests
    assert [one.task.type for one in request.requests] == ["x", "y"]
    assert request.requests[0].task.input.binary == b"\0"
    assert request.requests[1].task.HasField("schedule_time")
    assert [task.id for task in tasks] == ["a", "b"]


async def test_list_goes_through_the_pages(client, gateway) -> None:
    pages = [
        tasks_pb.ListTasksResponse(tasks=[task_pb2.Task(id="a")], next_page_token="next"),
        # A page may be empty before the end.
        tasks_pb.ListTasksResponse(next_page_token="later"),
        tasks_pb.ListTasksResponse(tasks=[task_pb2.Task(id="b")]),
    ]
    gateway.script("ListTasks", *pages)
    selector = Selector(queues=["q"], states=[TaskState.FAILED], min_create_time=datetime(2026, 1, 1, tzinfo=UTC))

    assert [task.id async for task in client.list(selector, full=True)] == ["a", "b"]

    assert [request.page_token for request in gateway.requests] == ["", "next", "later"]
    assert all(request.selector == selector.to_message() for request in gateway.requests)
    assert gateway.requests[0].view == task_pb2.TASK_VIEW_FULL


async def test_cancel_get_and_retry(client, gateway) -> None:
    gateway.script("CancelTask", tasks_pb.CancelTaskResponse(task=TASK))
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=TASK))
    gateway.script("RetryTask", tasks_pb.RetryTaskResponse(task=TASK))

    assert (await client.cancel("task-1", reason="why")).state is TaskState.PENDING
    assert (await client.get("task-1")).type == "greet"
    assert (await client.retry("task-1")).id == "task-1"

    cancel, _, retry = gateway.requests
    assert (cancel.task_id, cancel.reason) == ("task-1", "why")
    assert UUID(retry.new_task_id).version == 7


async def test_wait_returns_the_final_version(client, gateway) -> None:
    final = task_pb2.Task(id="task-1", version=2, done=True, output=task_pb2.Payload(text="yes"))
    gateway.script("WatchTask", [tasks_pb.WatchTaskResponse(task=TASK), tasks_pb.WatchTaskResponse(task=final)])

    done = await client.wait("task-1")

    assert done.output is not None
    assert done.output.text == "yes"


async def test_queues(client, gateway) -> None:
    queue = queues_pb.Queue(name="q", state=queues_pb.QUEUE_STATE_PAUSED)
    gateway.script("GetQueue", queues_pb.GetQueueResponse(queue=queue))
    gateway.script("ListQueues", queues_pb.ListQueuesResponse(queues=[queue]))
    gateway.script("PauseQueue", queues_pb.PauseQueueResponse(queue=queue))
    gateway.script("ResumeQueue", queues_pb.ResumeQueueResponse(queue=queue))

    assert (await client.queue("q")).paused
    assert [one.name async for one in client.queues()] == ["q"]
    assert (await client.pause("q")).name == "q"
    assert (await client.resume("q")).name == "q"


async def test_deadline_is_named(gateway) -> None:
    async with Client("127.0.0.1:1", timeout=0.05) as client:
        with pytest.raises(errors.DeadlineExceeded, match="may have happened"):
            await client.get("x")


async def test_without_waiting_an_absent_service_is_reported_at_once() -> None:
    async with Client("127.0.0.1:1", wait_for_ready=False) as client:
        with pytest.raises(errors.Unavailable):
            await client.get("x")


@pytest.mark.parametrize("timeout", [None, math.inf, 1e300])
async def test_no_timeout_is_no_deadline(gateway, timeout) -> None:
    gateway.script("GetTask", tasks_pb.GetTaskResponse(task=TASK))

    async with Client(gateway.address, timeout=timeout) as client:
        assert (await client.get("x")).id == "task-1"


@pytest.mark.parametrize("timeout", [0, -1, math.nan])
async def test_timeout_that_cannot_be_meant_is_refused(timeout) -> None:
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds"):
        Client("127.0.0.1:1", timeout=timeout)


@pytest.fixture
def held(gateway, monkeypatch) -> asyncio.Event:
    """An event that is set when a call has reached the gateway, which does not answer it."""
    reached = asyncio.Event()

    async def unary(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(gateway, "unary", unary)
    return reached


async def test_closing_says_so_to_calls_under_way_and_to_later_ones(gateway, held) -> None:
    client = Client(gateway.address)
    call = asyncio.create_task(client.create("x", task_id="mine"))
    async with asyncio.timeout(5):
        await held.wait()
        await client.close()
        with pytest.raises(errors.ClientClosed) as caught:
            await call

    assert (caught.value.code, caught.value.sent_ids) == (grpc.StatusCode.CANCELLED, ("mine",))
    with pytest.raises(errors.ClientClosed):
        await client.get("x")


async def test_cancelled_call_stays_cancelled_though_the_client_is_closed(gateway, held) -> None:
    client = Client(gateway.address)
    call = asyncio.create_task(client.get("x"))
    async with asyncio.timeout(5):
        await held.wait()
        call.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await call
