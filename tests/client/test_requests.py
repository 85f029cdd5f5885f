"""What a caller asks for arrives in the messages of the API."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from taskwire import NewTask, Payload, Selector, TaskPriority, TaskState
from taskwire.requests import create_request
from taskwire.v1 import task_pb2

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_everything_arrives() -> None:
    new = NewTask(
        type="greet",
        input=Payload(b"<a/>", is_text=True, content_type="text/xml"),
        queue="mail",
        priority=TaskPriority.LOW,
        delay=timedelta(minutes=1),
        expire_time=NOW + timedelta(days=1),
        max_attempts=5,
        attempt_timeout=2.5,
        initial_backoff=timedelta(seconds=1),
        max_backoff=60,
        labels={"a": "b"},
    )
    task = create_request(new, NOW).task

    assert (task.type, task.queue, task.priority) == ("greet", "mail", task_pb2.TASK_PRIORITY_LOW)
    assert (task.input.text, task.input.content_type) == ("<a/>", "text/xml")
    assert task.schedule_time.ToDatetime(UTC) == NOW + timedelta(minutes=1)
    assert task.expire_time.ToDatetime(UTC) == NOW + timedelta(days=1)
    assert task.retry_policy.max_attempts == 5
    assert task.retry_policy.attempt_timeout.ToTimedelta() == timedelta(seconds=2.5)
    assert task.retry_policy.initial_backoff.ToTimedelta() == timedelta(seconds=1)
    assert task.retry_policy.max_backoff.ToTimedelta() == timedelta(seconds=60)
    assert dict(task.labels) == {"a": "b"}


def test_what_is_not_given_is_left_to_the_service() -> None:
    assert create_request(NewTask(type="x"), NOW).task == task_pb2.Task(type="x")


@pytest.mark.parametrize(
    "new",
    [
        NewTask(type="x", schedule_time=datetime(2026, 1, 1)),  # noqa: DTZ001  That it has no zone is the point.
        NewTask(type="x", delay=1, schedule_time=NOW),
        NewTask(type="x", input=float("nan")),
        NewTask(type="x", delay=math.inf),
        NewTask(type="x", delay=math.nan),
        NewTask(type="x", delay=1e12),
        NewTask(type="x", delay=timedelta.max),
        NewTask(type="x", attempt_timeout=1e15),
        NewTask(type="x", expire_time=datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))),
        NewTask(type="x", task_id=""),
        NewTask(type="x", idempotency_key=""),
        NewTask(type="x", task_id="", idempotency_key="k"),
    ],
)
def test_what_cannot_be_meant_is_refused(new) -> None:
    with pytest.raises(ValueError):
        create_request(new, NOW)


@pytest.mark.parametrize(
    "new",
    [
        NewTask(type="x", schedule_time="2026-01-01T00:00:00Z"),
        NewTask(type="x", schedule_time=date(2026, 1, 1)),
        NewTask(type="x", delay="5"),
    ],
)
def test_what_is_of_another_type_is_refused(new) -> None:
    with pytest.raises(TypeError):
        create_request(new, NOW)


@pytest.mark.parametrize("name", [{"task_id": "mine"}, {"idempotency_key": "k"}])
def test_p2_delay_would_make_another_task_of_a_named_one(name) -> None:
    with pytest.raises(ValueError, match="give schedule_time instead of delay"):
        create_request(NewTask(type="x", delay=60, **name), NOW)

    at_a_time = NewTask(type="x", schedule_time=NOW, **name)
    assert create_request(at_a_time, NOW) == create_request(at_a_time, NOW + timedelta(seconds=1))


def test_selector_arrives() -> None:
    selector = Selector(
        queues=["a"],
        types=("b",),
        states={TaskState.FAILED},
        labels={"k": "v"},
        min_create_time=NOW,
        max_create_time=NOW,
    )
    message = selector.to_message()

    assert (message.queues, message.types, message.states) == (["a"], ["b"], [task_pb2.TASK_STATE_FAILED])
    assert dict(message.labels) == {"k": "v"}
    assert message.min_create_time.ToDatetime(UTC) == message.max_create_time.ToDatetime(UTC) == NOW


def test_selector_is_used_as_often_as_one_likes() -> None:
    selector = Selector(
        queues=(name for name in ["a"]), types=iter(["b"]), states=map(TaskState, [TaskState.FAILED.value])
    )

    assert selector.to_message() == selector.to_message()
    assert (selector.queues, selector.types, selector.states) == (("a",), ("b",), (TaskState.FAILED,))


@pytest.mark.parametrize("field", ["queues", "types", "states"])
def test_selector_takes_no_word_for_its_letters(field) -> None:
    with pytest.raises(TypeError, match=rf"{field} takes many values: \['mail'\]"):
        Selector(**{field: "mail"})
