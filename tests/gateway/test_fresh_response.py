"""Bytes written at once say what messages made one by one would."""

from datetime import UTC, datetime, timedelta

from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.convert import created_message
from taskwire_gateway.fresh_response import fresh_batch_response, fresh_response
from taskwire_gateway.validation import RESPONSE_BYTES_MAX
from taskwire_shared.domain import limits
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import NewTask, RetryPolicy, TaskPriority
from taskwire_shared.store.creations import is_plain

NOW = datetime(2026, 5, 4, 3, 2, 1, 987_654, tzinfo=UTC)

KINDS = (
    {},
    {"queue": "mail"},
    {"type": "a type that is longer than the others"},
    {"priority": TaskPriority.HIGH},
    {"labels": {"nul": "0" * 36}},
    {"retry_policy": RetryPolicy(max_attempts=2)},
    {"schedule_at": NOW + timedelta(hours=1)},
    {"expire_at": NOW + timedelta(hours=1)},
    {"retry_of": new_id()},
)


def _new(**fields):
    given = {"queue": "default", "type": "echo", "tenant": "t", "request_hash": b""}
    return NewTask(id=new_id(), **{**given, **fields})


def test_every_task_is_described_in_its_place():
    runs = [fields for fields in KINDS for _ in range(3)]
    tasks = [_new(**fields) for fields in (*KINDS * 2, *runs)]
    response = pb.BatchCreateTasksResponse.FromString(fresh_batch_response(tasks, NOW))
    assert [item.task for item in response.responses] == [created_message(task, NOW) for task in tasks]
    assert not any(item.deduplicated for item in response.responses)


def test_the_largest_plain_batch_has_a_response_that_fits():
    largest = [
        _new(
            queue="q" * limits.QUEUE_CHARS_MAX,
            type="\N{GRINNING FACE}" * limits.TYPE_CHARS_MAX,
            priority=TaskPriority.HIGH,
        )
        for _ in range(limits.BATCH_TASKS_MAX)
    ]
    assert all(is_plain(task) for task in largest)
    assert len(fresh_batch_response(largest, NOW)) < RESPONSE_BYTES_MAX


def test_a_single_task_is_described_as_in_a_batch():
    for moment in (NOW, NOW + timedelta(microseconds=13)):
        for task in [_new(**fields) for fields in KINDS * 2]:
            response = pb.CreateTaskResponse.FromString(fresh_response(task, moment))
            assert response == pb.CreateTaskResponse(task=created_message(task, moment))
