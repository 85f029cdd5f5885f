"""What the service says about tasks and queues, as values.

A value wraps the message that came over the wire and reads it on demand, so that following a feed of thousands of
tasks costs what is looked at. The message itself is at hand as `message`, and must not be changed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Self

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct

from taskwire.payload import Payload
from taskwire.v1 import queue_service_pb2, task_pb2


class _Open(IntEnum):
    """An enum that the service may add values to: a number not known here becomes the first member."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next(iter(cls)) if isinstance(value, int) else None


class TaskState(_Open):
    """Where a task is in its life."""

    UNKNOWN = 0
    """A state that this release does not know. Ask `TaskInfo.done`."""
    SCHEDULED = 1
    PENDING = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    CANCELLED = 6


class TaskPriority(_Open):
    """How urgent a task is within its queue."""

    UNKNOWN = 0
    LOW = 1
    NORMAL = 2
    HIGH = 3


class WaitReason(_Open):
    """Why a task has not started."""

    NONE = 0
    """It does not wait, or was not read by `Client.get`."""
    SCHEDULED = 1
    BACKOFF = 2
    QUEUE_PAUSED = 3
    NO_PROCESSOR = 4
    IN_LINE = 5


class Failure(Struct, frozen=True):
    """Why an attempt or a task failed."""

    reason: str
    message: str
    metadata: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason


class Progress(Struct, frozen=True):
    """What a running attempt reports of itself."""

    fraction: float
    message: str
    update_time: datetime | None


class TaskInfo(Struct, frozen=True, repr_omit_defaults=True):
    """A task at one version."""

    message: task_pb2.Task
    deduplicated: bool = False
    """Whether the `create` that returned this found the task stored by an earlier call."""

    def __repr__(self) -> str:
        return f"<task {self.id} {self.type!r} {self.state.name} version {self.version}>"

    @property
    def id(self) -> str:
        """The identifier, a UUID of version 7."""
        return self.message.id

    @property
    def queue(self) -> str:
        """The queue that the task belongs to."""
        return self.message.queue

    @property
    def type(self) -> str:
        """The name of the handler."""
        return self.message.type

    @property
    def priority(self) -> TaskPriority:
        """How urgent the task is within its queue."""
        return TaskPriority(self.message.priority)

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the creator gave it."""
        return dict(self.message.labels)

    @property
    def state(self) -> TaskState:
        """Where the task is in its life."""
        return TaskState(self.message.state)

    @property
    def done(self) -> bool:
        """Whether the task has reached its final state."""
        return self.message.done

    @property
    def version(self) -> int:
        """1 when it is created, and one more with each change."""
        return self.message.version

    @property
    def attempt_count(self) -> int:
        """The attempts started, excused ones left out."""
        return self.message.attempt_count

    @property
    def input(self) -> Payload | None:
        """The argument of the handler. None also where it was not asked for."""
        return _payload(self.message.input) if self.message.HasField("input") else None

    @property
    def output(self) -> Payload | None:
        """What the handler returned. None also where it was not asked for."""
        return _payload(self.message.output) if self.message.HasField("output") else None

    @property
    def failure(self) -> Failure | None:
        """Why the task failed for good."""
        return _failure(self.message.failure) if self.message.HasField("failure") else None

    @property
    def last_failure(self) -> Failure | None:
        """Why the most recent attempt failed."""
        return _failure(self.message.last_failure) if self.message.HasField("last_failure") else None

    @property
    def progress(self) -> Progress | None:
        """How far the running attempt says it has come."""
        if not self.message.HasField("progress"):
            return None
        progress = self.message.progress
        return Progress(progress.fraction, progress.message, _time(progress, "update_time"))

    @property
    def create_time(self) -> datetime | None:
        """When the task was stored."""
        return _time(self.message, "create_time")

    @property
    def update_time(self) -> datetime | None:
        """When the task last changed."""
        return _time(self.message, "update_time")

    @property
    def schedule_time(self) -> datetime | None:
        """The time before which the next attempt is not started."""
        return _time(self.message, "schedule_time")

    @property
    def expire_time(self) -> datetime | None:
        """The time after which no attempt is started any more."""
        return _time(self.message, "expire_time")

    @property
    def start_time(self) -> datetime | None:
        """When the most recent attempt started."""
        return _time(self.message, "start_time")

    @property
    def finish_time(self) -> datetime | None:
        """When the task reached its final state."""
        return _time(self.message, "finish_time")

    @property
    def cancel_request_time(self) -> datetime | None:
        """When cancellation was first asked for."""
        return _time(self.message, "cancel_request_time")

    @property
    def processor(self) -> str:
        """The processor that holds the task or held it last, empty before the first attempt."""
        return self.message.processor

    @property
    def retry_of(self) -> str:
        """The task that this one repeats, empty otherwise."""
        return self.message.retry_of

    @property
    def wait_reason(self) -> WaitReason:
        """Why the task has not started. Only from `Client.get`."""
        return WaitReason(self.message.wait_reason)


class QueueInfo(Struct, frozen=True):
    """A queue, a moment ago. The counts are estimates, and None where they were not asked for (in lists)."""

    message: queue_service_pb2.Queue

    def __repr__(self) -> str:
        return f"<queue {self.name!r}{' paused' if self.paused else ''}>"

    @property
    def name(self) -> str:
        """The name."""
        return self.message.name

    @property
    def paused(self) -> bool:
        """Whether tasks are kept but not started."""
        return self.message.state == queue_service_pb2.QUEUE_STATE_PAUSED

    @property
    def scheduled_count(self) -> int | None:
        """The tasks waiting for their time."""
        return self.message.stats.scheduled_count if self.message.HasField("stats") else None

    @property
    def pending_count(self) -> int | None:
        """The tasks ready to start."""
        return self.message.stats.pending_count if self.message.HasField("stats") else None

    @property
    def running_count(self) -> int | None:
        """The tasks in progress."""
        return self.message.stats.running_count if self.message.HasField("stats") else None

    @property
    def processor_count(self) -> int | None:
        """The processors that serve the queue."""
        return self.message.stats.processor_count if self.message.HasField("stats") else None

    @property
    def oldest_pending_time(self) -> datetime | None:
        """When the oldest task that is ready to start was created."""
        return _time(self.message.stats, "oldest_pending_time")


def timestamp(moment: datetime) -> Timestamp:
    """Convert a time that knows its zone. Raises ValueError for one that does not, TypeError for no datetime."""
    if not isinstance(moment, datetime):
        raise TypeError(f"{moment!r} is not a datetime")
    # A zone may also be there and not know its offset.
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone: use datetime.now(UTC) or .astimezone()")
    message = Timestamp()
    try:
        message.FromDatetime(moment.astimezone(UTC))
    except OverflowError as error:
        raise ValueError(f"{moment!r} is not within the years 1 to 9999 of UTC") from error
    return message


def duration(value: timedelta | float) -> Duration:
    """Convert a timedelta or a number of seconds. Raises ValueError for what is too long."""
    message = Duration()
    message.FromTimedelta(span(value))
    return message


def span(value: timedelta | float) -> timedelta:
    """Return a timedelta or a number of seconds as a timedelta. Raises ValueError for what is too long or no number."""
    try:
        return value if isinstance(value, timedelta) else timedelta(seconds=value)
    except OverflowError as error:
        raise ValueError(f"{value!r} seconds are too long") from error
    except ValueError as error:
        raise ValueError(f"{value!r} is no number of seconds") from error


def _time(message: task_pb2.Task | task_pb2.Progress | queue_service_pb2.QueueStats, field: str) -> datetime | None:
    # The stubs know which names HasField takes, one by one; here the name is a variable.
    if not message.HasField(field):  # type: ignore[arg-type]
        return None
    value: Timestamp = getattr(message, field)
    return value.ToDatetime(tzinfo=UTC)


def _payload(message: task_pb2.Payload) -> Payload:
    is_text = message.WhichOneof("data") == "text"
    data = message.text.encode() if is_text else message.binary
    return Payload(data, is_text=is_text, content_type=message.content_type)


def _failure(message: task_pb2.Failure) -> Failure:
    return Failure(message.reason, message.message, dict(message.metadata))
