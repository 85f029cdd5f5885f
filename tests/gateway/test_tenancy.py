"""P10: two tenants see nothing of each other, in any method, token or error."""

import asyncio
from uuid import UUID

import pytest

from taskwire.v1 import queue_service_pb2 as queue_pb
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_shared.domain.ids import new_id

SECONDS = 10


def _request(text="x", **fields):
    return pb.CreateTaskRequest(task=task_pb2.Task(type="echo", input=task_pb2.Payload(text=text)), **fields)


async def test_p10_a_call_without_a_tenant_is_refused(tenants, refused):
    for call in (
        tenants.api.tasks.GetTask(pb.GetTaskRequest()),
        tenants.api.tasks.WatchTasks(pb.WatchTasksRequest()),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED")


async def test_p10_the_task_of_another_is_as_absent_as_no_task(tenants, refused):
    task = (await tenants.a.CreateTask(_request())).task
    absent = str(new_id())
    for make in (
        lambda task_id: tenants.b.GetTask(pb.GetTaskRequest(task_id=task_id)),
        lambda task_id: tenants.b.CancelTask(pb.CancelTaskRequest(task_id=task_id)),
        lambda task_id: tenants.b.RetryTask(pb.RetryTaskRequest(task_id=task_id)),
        lambda task_id: tenants.b.WatchTask(pb.WatchTaskRequest(task_id=task_id)),
    ):
        foreign, missing = await refused(make(task.id)), await refused(make(absent))
        assert (foreign.code, foreign.reason, foreign.metadata) == ("NOT_FOUND", "TASK_NOT_FOUND", {"task_id": task.id})
        assert foreign.status.SerializeToString() == missing.status.SerializeToString().replace(
            absent.encode(), task.id.encode()
        )
    assert (await tenants.a.GetTask(pb.GetTaskRequest(task_id=task.id))).task.version == 1


async def test_p10_an_id_of_another_is_a_conflict_that_says_nothing(tenants, refused):
    task_id = str(new_id())
    await tenants.a.CreateTask(_request(task_id=task_id))
    for text in ("x", "other"):
        refusal = await refused(tenants.b.CreateTask(_request(text, task_id=task_id)))
        assert (refusal.code, refusal.reason, refusal.metadata) == ("ALREADY_EXISTS", "TASK_CONFLICT", {})
    batch = pb.BatchCreateTasksRequest(requests=[_request(), _request(task_id=task_id)])
    refusal = await refused(tenants.b.BatchCreateTasks(batch))
    assert (refusal.reason, refusal.metadata) == ("TASK_CONFLICT", {"index": "1"})
    assert not (await tenants.b.ListTasks(pb.ListTasksRequest())).tasks


async def test_p10_keys_queues_and_lists_are_apart(tenants, refused):
    of_a = (await tenants.a.CreateTask(_request(idempotency_key="k"))).task
    of_b = await tenants.b.CreateTask(_request("other", idempotency_key="k"))
    assert not of_b.deduplicated
    assert [task.id for task in (await tenants.a.ListTasks(pb.ListTasksRequest())).tasks] == [of_a.id]
    assert [task.id for task in (await tenants.b.ListTasks(pb.ListTasksRequest())).tasks] == [of_b.task.id]
    mail = pb.CreateTaskRequest(task=task_pb2.Task(type="echo", queue="mail"))
    await tenants.a.CreateTask(mail)
    for call in (
        tenants.b.GetQueue(queue_pb.GetQueueRequest(queue="mail")),
        tenants.b.PauseQueue(queue_pb.PauseQueueRequest(queue="mail")),
        tenants.b.ResumeQueue(queue_pb.ResumeQueueRequest(queue="mail")),
    ):
        assert (await refused(call)).reason == "QUEUE_NOT_FOUND"
    assert [queue.name for queue in (await tenants.b.ListQueues(queue_pb.ListQueuesRequest())).queues] == ["default"]
    await tenants.b.PauseQueue(queue_pb.PauseQueueRequest(queue="default"))
    queue = (await tenants.a.GetQueue(queue_pb.GetQueueRequest(queue="default"))).queue
    assert (queue.state, queue.stats.pending_count) == (queue_pb.QUEUE_STATE_ACTIVE, 1)


async def test_p10_tokens_of_another_are_refused(tenants, refused):
    for tenant in (tenants.a, tenants.b):
        for name in ("one", "two"):
            await tenant.CreateTask(pb.CreateTaskRequest(task=task_pb2.Task(type="echo", queue=name)))
    page = await tenants.a.ListTasks(pb.ListTasksRequest(page_size=1))
    token = page.next_page_token
    assert (await refused(tenants.b.ListTasks(pb.ListTasksRequest(page_token=token)))).fields == ["page_token"]
    queues = await tenants.a.ListQueues(queue_pb.ListQueuesRequest(page_size=1))
    request = queue_pb.ListQueuesRequest(page_token=queues.next_page_token)
    assert (await refused(tenants.b.ListQueues(request))).fields == ["page_token"]
    call = tenants.a.WatchTasks(pb.WatchTasksRequest())
    token = (await call.read()).resume_token
    call.cancel()
    request = pb.WatchTasksRequest(resume_token=token)
    assert (await refused(tenants.b.WatchTasks(request))).fields == ["resume_token"]


@pytest.mark.parametrize("resumed", [False, True])
async def test_p10_a_feed_holds_nothing_of_another(tenants, worker, resumed):
    call = tenants.b.WatchTasks(pb.WatchTasksRequest())
    token = (await call.read()).resume_token
    if resumed:
        call.cancel()
    of_a = (await tenants.a.CreateTask(_request())).task
    await worker.succeed(*await worker.claim(UUID(of_a.id)))
    of_b = (await tenants.b.CreateTask(_request())).task
    if resumed:
        call = tenants.b.WatchTasks(pb.WatchTasksRequest(resume_token=token))
        await call.read()
    async with asyncio.timeout(SECONDS):
        message = await call.read()
    assert [change.id for change in message.changes.tasks] == [of_b.id]
    call.cancel()
