"""What bad input gets: code, reason, details, and no change."""

import time
from uuid import UUID, uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from taskwire.v1 import queue_service_pb2 as queue_pb
from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_shared.domain import limits
from taskwire_shared.domain.ids import id_at, new_id
from taskwire_shared.store.database import Database

NUL = "a\0b"
NOW = int(time.time())
INVALID = ("INVALID_ARGUMENT", "INVALID_FIELDS")


@pytest.fixture
async def rows(database_url):
    """Give a function that counts everything that a call can change."""
    return lambda: _count(database_url)


async def _count(url):
    async with Database.open(url) as db:
        row = await db.fetchrow(
            "SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM task_events),"
            " (SELECT count(*) FROM queues), (SELECT count(*) FROM idempotency_keys)"
        )
        return tuple(row)


@pytest.fixture(scope="module")
async def shared(shared_gateway):
    """Run one gateway for all tests that change nothing."""
    async with shared_gateway("validation") as running:
        yield running


@pytest.fixture
async def untouched(shared):
    """Give a gateway and see that the test changes nothing."""
    api, url = shared
    yield api
    assert await _count(url) == (0, 0, 0, 0)


def _task(**fields):
    return pb.CreateTaskRequest(task=task_pb2.Task(**{"type": "echo", **fields}))


def _at(seconds):
    return str(id_at(int((time.time() + seconds) * 1000)))


def _policy(**fields):
    return _task(retry_policy=task_pb2.RetryPolicy(**fields))


LONG = "x" * 300
BAD_CREATES = {
    "no task": (lambda: pb.CreateTaskRequest(), ["task"]),
    "no type": (lambda: _task(type=""), ["task.type"]),
    "long type": (lambda: _task(type="x" * 129), ["task.type"]),
    "NUL in type": (lambda: _task(type=NUL), ["task.type"]),
    "newline in type": (lambda: _task(type="a\n"), ["task.type"]),
    "upper-case queue": (lambda: _task(queue="Mail"), ["task.queue"]),
    "queue with newline": (lambda: _task(queue="mail\n"), ["task.queue"]),
    "queue with digit first": (lambda: _task(queue="1mail"), ["task.queue"]),
    "long queue": (lambda: _task(queue="q" * 64), ["task.queue"]),
    "queue in other digits": (lambda: _task(queue="mail٣"), ["task.queue"]),
    "id that is none": (lambda: pb.CreateTaskRequest(task=_task().task, task_id="7"), ["task_id"]),
    "id of version 4": (lambda: pb.CreateTaskRequest(task=_task().task, task_id=str(uuid4())), ["task_id"]),
    "id in upper case": (
        lambda: pb.CreateTaskRequest(task=_task().task, task_id=f"{_at(0)[:-1]}F"),
        ["task_id"],
    ),
    "id in braces": (lambda: pb.CreateTaskRequest(task=_task().task, task_id=f"{{{_at(0)}}}"), ["task_id"]),
    "id too old": (lambda: pb.CreateTaskRequest(task=_task().task, task_id=_at(-24 * 3600 - 60)), ["task_id"]),
    "id of the future": (lambda: pb.CreateTaskRequest(task=_task().task, task_id=_at(360)), ["task_id"]),
    "long key": (lambda: pb.CreateTaskRequest(task=_task().task, idempotency_key="k" * 129), ["idempotency_key"]),
    "key beyond ASCII": (lambda: pb.CreateTaskRequest(task=_task().task, idempotency_key="é"), ["idempotency_key"]),
    "key with a tab": (lambda: pb.CreateTaskRequest(task=_task().task, idempotency_key="a\tb"), ["idempotency_key"]),
    "big binary": (lambda: _task(input=task_pb2.Payload(binary=b"x" * 262_145)), ["task.input.binary"]),
    "big text": (lambda: _task(input=task_pb2.Payload(text="é" * 131_073)), ["task.input.text"]),
    "NUL in content type": (lambda: _task(input=task_pb2.Payload(content_type=NUL)), ["task.input.content_type"]),
    "long content type": (lambda: _task(input=task_pb2.Payload(content_type=LONG)), ["task.input.content_type"]),
    "unknown priority": (lambda: _task(priority=9), ["task.priority"]),
    "negative priority": (lambda: _task(priority=-1), ["task.priority"]),
    "schedule in 366 days": (
        lambda: _task(schedule_time=Timestamp(seconds=NOW + 366 * 86_400)),
        ["task.schedule_time"],
    ),
    "schedule out of range": (lambda: _task(schedule_time=Timestamp(seconds=1 << 60)), ["task.schedule_time"]),
    "schedule with odd nanos": (lambda: _task(schedule_time=Timestamp(nanos=-1)), ["task.schedule_time"]),
    "expiry out of range": (lambda: _task(expire_time=Timestamp(seconds=-(1 << 60))), ["task.expire_time"]),
    "101 attempts": (lambda: _policy(max_attempts=101), ["task.retry_policy.max_attempts"]),
    "-1 attempts": (lambda: _policy(max_attempts=-1), ["task.retry_policy.max_attempts"]),
    "no timeout": (lambda: _policy(attempt_timeout=Duration()), ["task.retry_policy.attempt_timeout"]),
    "negative backoff": (lambda: _policy(initial_backoff=Duration(seconds=-1)), ["task.retry_policy.initial_backoff"]),
    "backoff of years": (
        lambda: _policy(max_backoff=Duration(seconds=366 * 86_400)),
        ["task.retry_policy.max_backoff"],
    ),
    "mixed signs": (
        lambda: _policy(max_backoff=Duration(seconds=1, nanos=-1)),
        ["task.retry_policy.max_backoff"],
    ),
    "duration out of range": (
        lambda: _policy(max_backoff=Duration(seconds=1 << 62)),
        ["task.retry_policy.max_backoff"],
    ),
    "17 labels": (lambda: _task(labels={str(number): "" for number in range(17)}), ["task.labels"]),
    "long label key": (lambda: _task(labels={"k" * 64: "v"}), [f"task.labels['{'k' * 40}']"]),
    "long label": (lambda: _task(labels={"k": "v" * 256}), ["task.labels['k']"]),
    "NUL in label": (lambda: _task(labels={"k": NUL}), ["task.labels['k']"]),
    "NUL in label key": (lambda: _task(labels={NUL: "v"}), ["task.labels['a\\x00b']"]),
    "everything at once": (
        lambda: pb.CreateTaskRequest(
            task=task_pb2.Task(queue="Q", priority=7, labels={"k": NUL}), task_id="x", idempotency_key="\0"
        ),
        ["task_id", "idempotency_key", "task.queue", "task.type", "task.priority", "task.labels['k']"],
    ),
}


@pytest.mark.parametrize("case", BAD_CREATES)
async def test_a_bad_create_is_refused_with_every_violation(untouched, refused, case):
    make, fields = BAD_CREATES[case]
    refusal = await refused(untouched.tasks.CreateTask(make()))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, fields)
    assert all(violation.description for violation in refusal.details["BadRequest"].field_violations)


async def test_what_is_at_the_limit_is_accepted(api):
    policy = task_pb2.RetryPolicy(
        max_attempts=100,
        attempt_timeout=Duration(nanos=1_000_000),
        initial_backoff=Duration(),
        max_backoff=Duration(seconds=365 * 86_400),
    )
    task = task_pb2.Task(
        queue="q" * 63,
        type="é" * 128,
        input=task_pb2.Payload(text="\0" + "x" * 262_143, content_type="c" * 255),
        priority=task_pb2.TASK_PRIORITY_HIGH,
        schedule_time=Timestamp(seconds=int(time.time()) + 364 * 86_400, nanos=1_000),
        expire_time=Timestamp(seconds=253_402_300_799),
        retry_policy=policy,
        labels={f"{number:063}": "v" * 255 for number in range(16)},
    )
    request = pb.CreateTaskRequest(task=task, task_id=_at(-24 * 3600 + 60), idempotency_key="~" * 128)
    created = (await api.tasks.CreateTask(request)).task
    got = await api.get(created.id)
    for field in ("queue", "type", "input", "priority", "schedule_time", "expire_time", "retry_policy", "labels"):
        assert getattr(got, field) == getattr(task, field), field


@pytest.mark.parametrize("payload", [task_pb2.Payload(), task_pb2.Payload(text=""), task_pb2.Payload(binary=b"")])
async def test_an_empty_payload_is_a_payload(api, payload):
    task = await api.create(input=payload)
    got = await api.get(task.id)
    assert got.HasField("input")
    assert got.input.text == ""


@pytest.mark.parametrize("count", [0, 1_001])
async def test_a_batch_of_too_few_or_too_many_is_refused(untouched, refused, count):
    batch = pb.BatchCreateTasksRequest(requests=[_task()] * count)
    refusal = await refused(untouched.tasks.BatchCreateTasks(batch))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, ["requests"])


async def test_a_batch_of_1000_is_stored_in_order(api, rows):
    ids = [str(new_id()) for _ in range(1_000)]
    requests = [pb.CreateTaskRequest(task=task_pb2.Task(type="t" * 128), task_id=task_id) for task_id in ids]
    response = await api.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests))
    assert [item.task.id for item in response.responses] == ids
    assert not any(item.deduplicated for item in response.responses)
    assert await rows() == (1_000, 1_000, 1, 0)


async def test_one_bad_item_refuses_its_batch_and_is_named(untouched, refused):
    requests = [_task() for _ in range(5)]
    requests[3] = _task(queue="NO")
    refusal = await refused(untouched.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests)))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, ["requests[3].task.queue"])


async def test_of_many_violations_20_are_shown_and_all_are_counted(untouched, refused):
    requests = [_task(type="", labels={"k" * 64: NUL}) for _ in range(1_000)]
    refusal = await refused(untouched.tasks.BatchCreateTasks(pb.BatchCreateTasksRequest(requests=requests)))
    assert (refusal.code, refusal.reason) == INVALID
    assert len(refusal.fields) <= 20
    assert refusal.metadata == {"violation_count": "3000"}
    assert refusal.size <= 4_096


async def test_a_batch_whose_response_would_not_fit_is_refused(untouched, refused):
    labels = {f"{number:02}": "v" * 255 for number in range(15)}
    batch = pb.BatchCreateTasksRequest(requests=[_task(type="x" * 64, labels=labels) for _ in range(1_000)])
    assert batch.ByteSize() < limits.MESSAGE_BYTES_MAX
    refusal = await refused(untouched.tasks.BatchCreateTasks(batch))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, ["requests"])


async def test_a_message_of_5_mib_is_refused_by_the_library(untouched, refused):
    batch = pb.BatchCreateTasksRequest(
        requests=[_task(input=task_pb2.Payload(binary=b"x" * 250_000)) for _ in range(21)]
    )
    assert (await refused(untouched.tasks.BatchCreateTasks(batch))).code == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x0a\x05ab", b"\x0a\x03\x1a\x01\xff", b"\x0a\x05\x1a\x03\xed\xa0\x80"])
async def test_undecodable_bytes_are_an_invalid_argument(untouched, refused, data):
    refusal = await refused(untouched.raw("CreateTask", data))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, [""])


async def test_unknown_fields_and_output_only_fields_are_ignored(api):
    task = task_pb2.Task(
        type="echo", id="x", state=task_pb2.TASK_STATE_FAILED, done=True, version=9, attempt_count=4, retry_of="y"
    )
    response = pb.CreateTaskResponse.FromString(
        await api.raw("CreateTask", pb.CreateTaskRequest(task=task).SerializeToString() + b"\xf8\x07\x01")
    )
    got = await api.get(response.task.id)
    assert (got.state, got.done, got.version, got.attempt_count, got.retry_of) == (2, False, 1, 0, "")


async def test_an_unknown_method_is_left_to_the_library(untouched, refused):
    assert (await refused(untouched.raw("DropTasks", b""))).code == "UNIMPLEMENTED"
    assert (await refused(untouched.raw("GetTask", b"", service="NoService"))).code == "UNIMPLEMENTED"


MALFORMED = [
    "",
    "x",
    str(UUID(int=0)),
    "9858534a-7784-406d-b406-558cdebefca0",
    "0198A000-0000-7000-8000-000000000000",
    "a\0",
]


@pytest.mark.parametrize("task_id", MALFORMED)
async def test_a_malformed_id_is_refused_everywhere(untouched, refused, task_id):
    for call in (
        untouched.tasks.GetTask(pb.GetTaskRequest(task_id=task_id)),
        untouched.tasks.CancelTask(pb.CancelTaskRequest(task_id=task_id)),
        untouched.tasks.RetryTask(pb.RetryTaskRequest(task_id=task_id)),
        untouched.tasks.WatchTask(pb.WatchTaskRequest(task_id=task_id)),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, ["task_id"])


async def test_an_unknown_id_is_not_found_everywhere(untouched, refused):
    task_id = str(new_id())
    for call in (
        untouched.tasks.GetTask(pb.GetTaskRequest(task_id=task_id)),
        untouched.tasks.CancelTask(pb.CancelTaskRequest(task_id=task_id)),
        untouched.tasks.RetryTask(pb.RetryTaskRequest(task_id=task_id)),
        untouched.tasks.WatchTask(pb.WatchTaskRequest(task_id=task_id)),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == ("NOT_FOUND", "TASK_NOT_FOUND")
        assert refusal.metadata == {"task_id": task_id}
        assert refusal.details["ResourceInfo"].resource_name == task_id


async def test_other_fields_of_calls_about_one_task(untouched, refused):
    task_id = str(new_id())
    cases = [
        (untouched.tasks.GetTask(pb.GetTaskRequest(task_id=task_id, view=9)), ["view"]),
        (untouched.tasks.WatchTask(pb.WatchTaskRequest(task_id=task_id, view=9)), ["view"]),
        (untouched.tasks.CancelTask(pb.CancelTaskRequest(task_id=task_id, reason="x" * 257)), ["reason"]),
        (untouched.tasks.CancelTask(pb.CancelTaskRequest(task_id="x", reason=NUL)), ["task_id", "reason"]),
        (untouched.tasks.RetryTask(pb.RetryTaskRequest(task_id=task_id, new_task_id="x")), ["new_task_id"]),
        (untouched.tasks.RetryTask(pb.RetryTaskRequest(task_id=task_id, new_task_id=task_id)), ["new_task_id"]),
        (untouched.tasks.RetryTask(pb.RetryTaskRequest(task_id=task_id, new_task_id=_at(-90_000))), ["new_task_id"]),
    ]
    for call, fields in cases:
        refusal = await refused(call)
        assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, fields)


BAD_SELECTORS = {
    "17 queues": (pb.TaskSelector(queues=["q"] * 17), ["selector.queues"]),
    "bad queue": (pb.TaskSelector(queues=["q", "Q"]), ["selector.queues[1]"]),
    "17 types": (pb.TaskSelector(types=["t"] * 17), ["selector.types"]),
    "bad types": (pb.TaskSelector(types=[NUL, ""]), ["selector.types[0]", "selector.types[1]"]),
    "17 states": (pb.TaskSelector(states=[1] * 17), ["selector.states"]),
    "5 labels": (pb.TaskSelector(labels={str(number): "" for number in range(5)}), ["selector.labels"]),
    "bad label": (pb.TaskSelector(labels={"k": NUL}), ["selector.labels['k']"]),
    "bad times": (
        pb.TaskSelector(min_create_time=Timestamp(nanos=-1), max_create_time=Timestamp(seconds=1 << 60)),
        ["selector.min_create_time", "selector.max_create_time"],
    ),
}


@pytest.mark.parametrize("case", BAD_SELECTORS)
async def test_a_selector_beyond_the_limits_is_refused(untouched, refused, case):
    selector, fields = BAD_SELECTORS[case]
    for call in (
        untouched.tasks.ListTasks(pb.ListTasksRequest(selector=selector)),
        untouched.tasks.WatchTasks(pb.WatchTasksRequest(selector=selector)),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, fields)


async def test_a_negative_page_size_is_refused(untouched, refused):
    for call in (
        untouched.tasks.ListTasks(pb.ListTasksRequest(page_size=-1, view=7)),
        untouched.queues.ListQueues(queue_pb.ListQueuesRequest(page_size=-1)),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason, refusal.fields[0]) == (*INVALID, "page_size")


@pytest.mark.parametrize("method", ["GetQueue", "PauseQueue", "ResumeQueue"])
async def test_a_queue_that_is_not_there(untouched, refused, method):
    request = getattr(queue_pb, f"{method}Request")
    refusal = await refused(getattr(untouched.queues, method)(request(queue="nowhere")))
    assert (refusal.code, refusal.reason, refusal.metadata) == ("NOT_FOUND", "QUEUE_NOT_FOUND", {"queue": "nowhere"})
    assert refusal.details["ResourceInfo"].resource_name == "nowhere"
    for name in ("", "No", NUL):
        refusal = await refused(getattr(untouched.queues, method)(request(queue=name)))
        assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, ["queue"])
