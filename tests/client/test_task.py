"""Values say what the messages say, also of what this release does not know."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from taskwire import Failure, Payload, QueueInfo, TaskInfo, TaskPriority, TaskState, WaitReason
from taskwire.task import duration, timestamp
from taskwire.v1 import queue_service_pb2, task_pb2

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (TaskState, task_pb2.TaskState, "TASK_STATE_"),
        (TaskPriority, task_pb2.TaskPriority, "TASK_PRIORITY_"),
        (WaitReason, task_pb2.WaitReason, "WAIT_REASON_"),
    ],
)
def test_enums_are_those_of_the_api(ours, theirs, prefix) -> None:
    expected = {name.removeprefix(prefix): number for name, number in theirs.items() if number}

    assert {member.name: member.value for member in ours if member.value} == expected
    assert ours(42).value == 0


def test_every_field_of_a_task_can_be_read() -> None:
    fields = {field.name for field in task_pb2.Task.DESCRIPTOR.fields}

    # The retry policy is what the caller has chosen; who wants it back reads the message.
    assert fields - {"retry_policy"} <= set(dir(TaskInfo))


def test_task() -> None:
    message = task_pb2.Task(
        id="t",
        state=task_pb2.TASK_STATE_SUCCEEDED,
        done=True,
        output=task_pb2.Payload(text="ü", content_type="text/plain"),
        last_failure=task_pb2.Failure(reason="R", message="m", metadata={"a": "b"}),
        progress=task_pb2.Progress(fraction=0.5, message="half"),
        create_time=timestamp(NOW),
        labels={"k": "v"},
    )
    task = TaskInfo(message)

    assert (task.state, task.done, task.output) == (
        TaskState.SUCCEEDED,
        True,
        Payload("ü".encode(), is_text=True, content_type="text/plain"),
    )
    assert task.last_failure == Failure("R", "m", {"a": "b"})
    assert str(task.last_failure) == "R: m"
    assert (task.create_time, task.finish_time, task.input, task.failure) == (NOW, None, None, None)
    assert task.progress is not None
    assert (task.progress.fraction, task.progress.update_time) == (0.5, None)
    assert (task.labels, task.wait_reason, task.priority) == ({"k": "v"}, WaitReason.NONE, TaskPriority.UNKNOWN)
    assert repr(task) == "<task t '' SUCCEEDED version 0>"


def test_empty_payload_is_not_no_payload() -> None:
    message = task_pb2.Task(input=task_pb2.Payload(text=""), output=task_pb2.Payload(binary=b""))

    assert TaskInfo(message).input == Payload(b"", is_text=True)
    assert TaskInfo(message).output == Payload(b"")


def test_queue() -> None:
    stats = queue_service_pb2.QueueStats(pending_count=3, oldest_pending_time=timestamp(NOW))
    queue = QueueInfo(queue_service_pb2.Queue(name="q", state=queue_service_pb2.QUEUE_STATE_PAUSED, stats=stats))

    assert (queue.name, queue.paused, queue.pending_count, queue.running_count) == ("q", True, 3, 0)
    assert queue.oldest_pending_time == NOW
    assert repr(queue) == "<queue 'q' paused>"
    assert QueueInfo(queue_service_pb2.Queue(name="q")).pending_count is None


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        timestamp(datetime(2026, 1, 1))  # noqa: DTZ001  That it has no zone is the point.


def test_duration_of_seconds() -> None:
    assert duration(1.5).ToMilliseconds() == 1500


@pytest.mark.parametrize("seconds", [math.inf, -math.inf, math.nan, 1e15])
def test_duration_that_cannot_be_written_down_is_refused(seconds) -> None:
    with pytest.raises(ValueError, match=r"are too long|is no number of seconds"):
        duration(seconds)


@pytest.mark.parametrize(
    "moment",
    [
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=12))),
    ],
)
def test_time_beyond_the_years_is_refused(moment) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        timestamp(moment)


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00Z", date(2026, 1, 1), None])
def test_time_is_a_datetime(moment) -> None:
    with pytest.raises(TypeError, match="is not a datetime"):
        timestamp(moment)
