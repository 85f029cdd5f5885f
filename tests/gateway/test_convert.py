"""Messages to values and back; what makes two creates the same."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from stored import as_created

from taskwire.v1 import task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.convert import created_message, new_task, selector_value, task_message, timestamp
from taskwire_gateway.request_hash import selector_bytes
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.selector import EVERY_TASK
from taskwire_shared.domain.task import TaskPriority, TaskState

NOW = datetime(2026, 5, 4, 3, 2, 1, 987_654, tzinfo=UTC)

FULL = {
    "queue": "mail",
    "type": "echo",
    "input": task_pb2.Payload(text="é", content_type="text/plain"),
    "priority": task_pb2.TASK_PRIORITY_LOW,
    "schedule_time": Timestamp(seconds=2_000_000_000, nanos=1_000),
    "expire_time": Timestamp(seconds=2_000_000_001),
    "retry_policy": task_pb2.RetryPolicy(
        max_attempts=2, attempt_timeout=Duration(seconds=1, nanos=500_000_000), max_backoff=Duration(seconds=9)
    ),
    "labels": {"b": "2", "a": "1"},
}


def _new(**fields):
    return new_task("t", pb.CreateTaskRequest(task=task_pb2.Task(**fields)))


@pytest.mark.parametrize("fields", [{"type": "echo"}, FULL], ids=["least", "full"])
def test_a_new_task_is_described_as_if_it_had_been_read_back(fields):
    new = _new(**fields)
    assert created_message(new, NOW) == task_message(as_created(new, NOW))


def test_everything_chosen_comes_back():
    message = task_message(as_created(_new(**FULL), NOW), full=True)
    for name, value in FULL.items():
        assert getattr(message, name) == (dict(value) if isinstance(value, dict) else value), name
    assert message.state == TaskState.SCHEDULED


def test_what_is_left_out_takes_its_default():
    new = _new(type="echo")
    assert (new.queue, new.priority, new.input, new.labels) == ("default", TaskPriority.NORMAL, None, {})
    same = _new(type="echo", queue="default", priority=task_pb2.TASK_PRIORITY_NORMAL)
    assert same.request_hash == new.request_hash
    assert same.id != new.id


def test_names_and_the_order_of_labels_do_not_count():
    task = task_pb2.Task(**FULL)
    named = pb.CreateTaskRequest(task=task, task_id=str(new_id()), idempotency_key="k")
    other = task_pb2.Task(**{**FULL, "labels": {}})
    other.labels["a"] = "1"
    other.labels["b"] = "2"
    assert new_task("t", named).request_hash == _new(**FULL).request_hash
    assert new_task("t", pb.CreateTaskRequest(task=other)).request_hash == _new(**FULL).request_hash


CHANGES = {
    "queue": "q",
    "type": "other",
    "input": task_pb2.Payload(binary="é".encode(), content_type="text/plain"),
    "priority": task_pb2.TASK_PRIORITY_HIGH,
    "schedule_time": Timestamp(seconds=2_000_000_000),
    "expire_time": Timestamp(seconds=2_000_000_002),
    "retry_policy": task_pb2.RetryPolicy(max_attempts=2),
    "labels": {"a": "1"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_everything_else_counts(name):
    assert _new(**{**FULL, name: CHANGES[name]}).request_hash != _new(**FULL).request_hash


def test_hashes_are_stored_and_must_not_change():
    assert _new(type="echo").request_hash.hex() == "97f86b7c595935da554a708a3a10ce83"
    assert _new(**FULL).request_hash.hex() == "efc1878c16ec6723625ce02fc2c75790"


@pytest.mark.parametrize(
    "moment", [NOW, datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC)]
)
def test_times_are_exact_to_the_microsecond(moment):
    expected = Timestamp()
    expected.FromDatetime(moment)
    assert timestamp(moment) == expected


@given(st.integers(0, 2**32 * 1_000_000 - 1))
def test_times_of_our_own_are_exact_to_the_microsecond(microseconds):
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    message = task_message(as_created(_new(type="echo"), moment))
    assert message.create_time == message.update_time == timestamp(moment)


def test_a_selector_is_what_it_says():
    assert selector_value(pb.TaskSelector()) is EVERY_TASK
    selector = pb.TaskSelector(
        queues=["b", "a"], types=["t"], states=[2, 0, 77], labels={"k": "v"}, min_create_time=timestamp(NOW)
    )
    value = selector_value(selector)
    assert (value.queues, value.types, value.states) == ({"a", "b"}, {"t"}, {TaskState.PENDING})
    assert (dict(value.labels), value.min_created_at, value.max_created_at) == ({"k": "v"}, NOW, None)
    assert selector_value(pb.TaskSelector(states=[77])).states == frozenset()


def test_selectors_that_pick_the_same_have_one_encoding():
    one = selector_value(pb.TaskSelector(queues=["a", "b"], states=[2, 3, 3]))
    two = selector_value(pb.TaskSelector(queues=["b", "a", "a"], states=[3, 2, 99]))
    assert selector_bytes(one) == selector_bytes(two)
    later = selector_value(pb.TaskSelector(queues=["a", "b"], states=[2, 3], min_create_time=timestamp(NOW)))
    latest = selector_value(
        pb.TaskSelector(queues=["a", "b"], states=[2, 3], min_create_time=timestamp(NOW + timedelta(microseconds=1)))
    )
    nothing = selector_value(pb.TaskSelector(states=[99]))
    assert len({selector_bytes(value) for value in (one, later, latest, nothing, EVERY_TASK)}) == 5
