"""Get, list, cancel, retry over a real server."""

import asyncio
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.admission import Admission
from taskwire_shared.bus.bells import Bell
from taskwire_shared.bus.notices import CancelNotices
from taskwire_shared.domain import limits
from taskwire_shared.domain.errors import QueueFull
from taskwire_shared.domain.ids import new_id

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED = 2, 3, 4, 5, 6


async def test_a_view_decides_what_is_returned(api, worker):
    task = await api.create(input=task_pb2.Payload(text="in"))
    await worker.succeed(*await worker.claim(UUID(task.id)))
    full = await api.get(task.id)
    assert (full.input.text, full.output.text, full.wait_reason) == ("in", "done", 0)
    request = pb.GetTaskRequest(task_id=task.id, view=task_pb2.TASK_VIEW_BASIC)
    basic = (await api.tasks.GetTask(request)).task
    assert not basic.HasField("input")
    assert not basic.HasField("output")
    full.ClearField("input")
    full.ClearField("output")
    assert basic == full
    assert (basic.processor, basic.attempt_count, basic.done) == (str(worker.id), 1, True)


async def test_a_failed_task_says_why(api, worker):
    task = await api.create()
    await worker.fail(*await worker.claim(UUID(task.id)))
    failed = await api.get(task.id)
    assert failed.state == FAILED
    assert (failed.failure.reason, failed.failure.message) == ("BROKEN", "It broke.")
    assert dict(failed.failure.metadata) == {"part": "wheel"}
    assert failed.last_failure == failed.failure


async def test_pages_hold_every_task_once_newest_first(api):
    requests = [pb.CreateTaskRequest(task=task_pb2.Task(type="echo", queue=f"q{n % 2}")) for n in range(25)]
    made = await api.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests))
    ids = [item.task.id for item in made.responses]
    seen, token = [], ""
    while True:
        page = await api.tasks.ListTasks(pb.ListTasksRequest(page_size=7, page_token=token))
        assert len(page.tasks) <= 7
        seen += [task.id for task in page.tasks]
        token = page.next_page_token
        if not token:
            break
    assert seen == sorted(ids, reverse=True)
    everything = await api.tasks.ListTasks(pb.ListTasksRequest(page_size=2_000_000_000))
    assert [task.id for task in everything.tasks] == seen


async def test_p9_a_page_has_an_end_however_many_tasks_are_asked_for(api, monkeypatch):
    monkeypatch.setattr(limits, "PAGE_SIZE_MAX", 3)
    for _ in range(5):
        await api.create()
    page = await api.tasks.ListTasks(pb.ListTasksRequest(page_size=2_000_000_000))
    assert len(page.tasks) == 3
    assert page.next_page_token


async def test_a_list_holds_what_is_selected(api, worker):
    wanted = await api.create(queue="mail", labels={"a": "1", "b": "2"})
    await api.create(queue="mail", labels={"a": "2"})
    await api.create(type_name="other", labels={"a": "1"})

    async def ids(**selector):
        page = await api.tasks.ListTasks(pb.ListTasksRequest(selector=pb.TaskSelector(**selector)))
        return [task.id for task in page.tasks]

    assert await ids(queues=["mail"], labels={"a": "1"}) == [wanted.id]
    assert await ids(types=["echo"], labels={"b": "2"}, states=[PENDING, 99]) == [wanted.id]
    assert await ids(states=[99]) == []
    assert await ids(states=[0]) == []
    assert await ids(queues=["nowhere"]) == []
    assert len(await ids(min_create_time=wanted.create_time)) == 3
    assert await ids(max_create_time=wanted.create_time) == []
    later = Timestamp(seconds=wanted.create_time.seconds + 1)
    assert await ids(min_create_time=later, max_create_time=wanted.create_time) == []


async def test_a_task_that_is_created_expired_ends_so(api, eventually):
    task = await api.create(expire_time=Timestamp(seconds=1))

    async def failure():
        return (await api.get(task.id)).failure.reason

    assert await eventually(failure, what="the end of an expired task") == "EXPIRED"


async def test_a_page_token_is_bound_to_its_call(api, refused):
    for _ in range(3):
        await api.create(queue="mail")
    selector = pb.TaskSelector(queues=["mail"])
    page = await api.tasks.ListTasks(pb.ListTasksRequest(page_size=1, selector=selector))
    token = page.next_page_token
    good = pb.ListTasksRequest(page_size=2, selector=selector, page_token=token)
    assert len((await api.tasks.ListTasks(good)).tasks) == 2
    for spoilt in (
        pb.ListTasksRequest(page_token=token),
        pb.ListTasksRequest(selector=pb.TaskSelector(queues=["other"]), page_token=token),
        pb.ListTasksRequest(selector=selector, view=task_pb2.TASK_VIEW_FULL, page_token=token),
        pb.ListTasksRequest(selector=selector, page_token=token[:-1] + ("A" if token[-1] != "A" else "B")),
        pb.ListTasksRequest(selector=selector, page_token="x"),
    ):
        refusal = await refused(api.tasks.ListTasks(spoilt))
        assert (refusal.code, refusal.reason, refusal.fields) == ("INVALID_ARGUMENT", "INVALID_FIELDS", ["page_token"])


async def test_a_page_stays_below_the_size_that_clients_take(api):
    requests = [
        pb.CreateTaskRequest(task=task_pb2.Task(type="echo", input=task_pb2.Payload(binary=b"x" * 250_000)))
        for _ in range(16)
    ]
    for start in (0, 8):
        await api.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests[start : start + 8]))
    page = await api.tasks.ListTasks(pb.ListTasksRequest(page_size=1000, view=task_pb2.TASK_VIEW_FULL))
    assert 0 < len(page.tasks) < 16
    assert page.next_page_token
    request = pb.ListTasksRequest(page_token=page.next_page_token, view=task_pb2.TASK_VIEW_FULL, page_size=1000)
    rest = await api.tasks.ListTasks(request)
    assert len(page.tasks) + len(rest.tasks) == 16


@pytest.mark.parametrize("when", ["pending", "scheduled"])
async def test_p7_a_task_that_does_not_run_is_cancelled_at_once(api, when):
    schedule_time = Timestamp()
    schedule_time.GetCurrentTime()
    schedule_time.seconds += 3600
    task = await api.create(**({} if when == "pending" else {"schedule_time": schedule_time}))
    cancelled = (await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=task.id, reason="enough"))).task
    assert (cancelled.state, cancelled.version, cancelled.done) == (CANCELLED, 2, True)
    again = (await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=task.id))).task
    assert again == cancelled


async def test_a_repeated_cancel_strikes_the_bell_again(api, monkeypatch):
    strikes = []
    strike = Bell.strike
    task = await api.create()
    monkeypatch.setattr(Bell, "strike", lambda self: strikes.append(strike(self)))

    for count in (1, 2):
        await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=task.id))
        assert len(strikes) == count


async def test_p7_a_running_task_is_asked_and_its_processor_told(api, worker, bus):
    told = asyncio.Queue()
    CancelNotices(bus).listen(worker.id, told.put_nowait)
    task = await api.create()
    (fence,) = await worker.claim(UUID(task.id))
    asked = (await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=task.id))).task
    assert (asked.state, asked.version) == (RUNNING, 3)
    assert asked.HasField("cancel_request_time")
    async with asyncio.timeout(1):
        assert await told.get() == fence
    again = (await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=task.id))).task
    assert (again.version, again.cancel_request_time) == (3, asked.cancel_request_time)
    async with asyncio.timeout(1):
        # The first notice may have got lost.
        assert await told.get() == fence
    await worker.fail(fence, retry_in=0)
    assert (await api.get(task.id)).state == CANCELLED


@pytest.mark.parametrize("ending", ["succeed", "fail"])
async def test_p7_a_finished_task_cannot_be_cancelled(api, worker, refused, ending):
    task = await api.create()
    await getattr(worker, ending)(*await worker.claim(UUID(task.id)))
    before = await api.get(task.id)
    refusal = await refused(api.tasks.CancelTask(pb.CancelTaskRequest(task_id=task.id)))
    state = {"succeed": "TASK_STATE_SUCCEEDED", "fail": "TASK_STATE_FAILED"}[ending]
    assert (refusal.code, refusal.reason) == ("FAILED_PRECONDITION", "TASK_ALREADY_FINISHED")
    assert refusal.metadata == {"task_id": task.id, "state": state}
    (violation,) = refusal.details["PreconditionFailure"].violations
    assert (violation.type, violation.subject) == ("TASK_STATE", task.id)
    assert await api.get(task.id) == before


async def test_a_failed_task_can_be_repeated(api, worker):
    policy = task_pb2.RetryPolicy(max_attempts=5)
    old = await api.create(
        queue="mail",
        input=task_pb2.Payload(text="in", content_type="text/plain"),
        labels={"a": "1"},
        priority=3,
        retry_policy=policy,
        expire_time=Timestamp(seconds=4_000_000_000),
    )
    await worker.fail(*await worker.claim(UUID(old.id)))
    before = await api.get(old.id)
    new = (await api.tasks.RetryTask(pb.RetryTaskRequest(task_id=old.id))).task
    assert (new.retry_of, new.state, new.version, new.attempt_count) == (old.id, PENDING, 1, 0)
    stored = await api.get(new.id)
    assert stored.input == before.input
    for field in ("queue", "type", "labels", "priority", "retry_policy"):
        assert getattr(stored, field) == getattr(before, field), field
    assert abs(stored.expire_time.seconds - before.expire_time.seconds) < 60
    assert not stored.HasField("schedule_time")
    assert not stored.HasField("last_failure")
    assert await api.get(old.id) == before
    twice = (await api.tasks.RetryTask(pb.RetryTaskRequest(task_id=old.id))).task
    assert twice.id != new.id


async def test_p2_a_repeat_with_an_id_can_be_repeated(api, worker, refused):
    old = await api.create()
    other = await api.create()
    for task in (old, other):
        await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=task.id))
    new_task_id = str(new_id())
    request = pb.RetryTaskRequest(task_id=old.id, new_task_id=new_task_id)
    new = (await api.tasks.RetryTask(request)).task
    assert new.id == new_task_id
    await worker.claim(UUID(new.id))
    again = (await api.tasks.RetryTask(request)).task
    assert (again.id, again.state) == (new.id, RUNNING)
    refusal = await refused(api.tasks.RetryTask(pb.RetryTaskRequest(task_id=other.id, new_task_id=new_task_id)))
    assert (refusal.code, refusal.reason, refusal.metadata) == (
        "ALREADY_EXISTS",
        "TASK_CONFLICT",
        {"task_id": new_task_id},
    )


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "SUCCEEDED"])
async def test_a_task_that_did_not_fail_cannot_be_repeated(api, worker, refused, state):
    task = await api.create()
    if state != "PENDING":
        fences = await worker.claim(UUID(task.id))
        if state == "SUCCEEDED":
            await worker.succeed(*fences)
    refusal = await refused(api.tasks.RetryTask(pb.RetryTaskRequest(task_id=task.id)))
    assert (refusal.code, refusal.reason) == ("FAILED_PRECONDITION", "TASK_NOT_RETRYABLE")
    assert refusal.metadata == {"task_id": task.id, "state": f"TASK_STATE_{state}"}
    page = await api.tasks.ListTasks(pb.ListTasksRequest())
    assert len(page.tasks) == 1


@pytest.mark.parametrize(
    "moment",
    [Timestamp(seconds=-62_135_596_800), Timestamp(seconds=253_402_300_799, nanos=999_999_999)],
    ids=["the zero time of Go", "the last one"],
)
async def test_the_ends_of_time_do_not_break_what_reads_them(api, moment):
    created = [await api.create(expire_time=moment)]
    if moment.seconds < 0:
        created.append(await api.create(schedule_time=moment))
    listed = (await api.tasks.ListTasks(pb.ListTasksRequest())).tasks
    assert {task.id for task in listed} == {task.id for task in created}
    for task in created:
        read = await api.get(task.id)
        assert read.expire_time == task.expire_time
        assert read.schedule_time == task.schedule_time
        for time in (read.expire_time, read.schedule_time):
            assert time == Timestamp() or abs(time.ToMicroseconds() - moment.ToMicroseconds()) <= 1


async def test_a_task_that_never_expires_can_be_repeated(api):
    last = Timestamp(seconds=253_402_300_799, nanos=999_999_999)
    old = await api.create(expire_time=last)
    await api.tasks.CancelTask(pb.CancelTaskRequest(task_id=old.id))
    new = (await api.tasks.RetryTask(pb.RetryTaskRequest(task_id=old.id))).task
    assert new.expire_time == old.expire_time


async def test_p2_a_full_queue_gives_a_repeated_create_the_first_task_and_refuses_all_else(api, refused, monkeypatch):
    def request(type_name="echo", **names):
        return pb.CreateTaskRequest(task=task_pb2.Task(type=type_name), **names)

    named = [request(task_id=str(new_id())), request(idempotency_key="order-7")]
    first = [(await api.tasks.CreateTask(one)).task for one in named]

    async def refuse(_self, _tasks):
        raise QueueFull("default", 3)

    monkeypatch.setattr(Admission, "admit", refuse)
    for one, task in zip(named, first, strict=True):
        again = await api.tasks.CreateTask(one)
        assert (again.task, again.deduplicated) == (task, True)
    batch = pb.BatchCreateTasksRequest(requests=[*named, named[0]])
    assert [item.task for item in (await api.tasks.BatchCreateTasks(batch)).responses] == [*first, first[0]]
    batch.requests.append(request(task_id=str(new_id())))
    others = [request(), request("other", task_id=first[0].id), request(task_id=str(new_id()))]
    for call in (api.tasks.BatchCreateTasks(batch), *map(api.tasks.CreateTask, others)):
        assert (await refused(call)).reason == "QUEUE_FULL"


def _echo(text="same", **names):
    return pb.CreateTaskRequest(task=task_pb2.Task(type="echo", input=task_pb2.Payload(text=text)), **names)


async def test_p2_a_known_key_decides_whatever_the_id_beside_it(api, refused):
    first = await api.tasks.CreateTask(_echo(idempotency_key="order-7"))
    other = await api.tasks.CreateTask(_echo("other", task_id=str(new_id())))
    for task_id in (str(new_id()), other.task.id, first.task.id):
        again = await api.tasks.CreateTask(_echo(idempotency_key="order-7", task_id=task_id))
        assert (again.task.id, again.deduplicated) == (first.task.id, True)
    refusal = await refused(api.tasks.CreateTask(_echo("other", idempotency_key="order-7", task_id=other.task.id)))
    assert (refusal.reason, refusal.metadata) == ("TASK_CONFLICT", {"task_id": first.task.id})


async def test_p2_a_new_key_is_bound_to_the_task_of_the_id_beside_it(api, refused):
    first = await api.tasks.CreateTask(_echo(task_id=str(new_id())))
    bound = await api.tasks.CreateTask(_echo(task_id=first.task.id, idempotency_key="order-8"))
    assert (bound.task.id, bound.deduplicated) == (first.task.id, True)
    by_key = await api.tasks.CreateTask(_echo(idempotency_key="order-8"))
    assert (by_key.task.id, by_key.deduplicated) == (first.task.id, True)
    refusal = await refused(api.tasks.CreateTask(_echo("other", task_id=first.task.id, idempotency_key="order-9")))
    assert (refusal.reason, refusal.metadata) == ("TASK_CONFLICT", {"task_id": first.task.id})
