"""What a caller asks for, as values, and how it becomes the messages of the API."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import force_setattr

from taskwire.ids import fresh_task_id
from taskwire.payload import Payload
from taskwire.task import TaskPriority, TaskState, duration, span, timestamp
from taskwire.v1 import task_pb2, task_service_pb2


class NewTask(Struct, frozen=True, kw_only=True):
    """A task to create. What is None is left to the service."""

    type: str
    input: Any = None
    """None, str (text), bytes (binary), `Payload`, or anything that msgspec writes as JSON."""
    queue: str | None = None
    priority: TaskPriority | None = None
    delay: timedelta | float | None = None
    """How long to wait before the first attempt, seconds or a timedelta. Instead of `schedule_time`.

    Not with `task_id` or `idempotency_key`: it counts from now, so repeating the same call would be another task.
    """
    schedule_time: datetime | None = None
    expire_time: datetime | None = None
    max_attempts: int | None = None
    attempt_timeout: timedelta | float | None = None
    initial_backoff: timedelta | float | None = None
    max_backoff: timedelta | float | None = None
    labels: Mapping[str, str] = {}
    task_id: str | None = None
    """A UUIDv7 of the caller's own. With neither this nor `idempotency_key`, the client makes one."""
    idempotency_key: str | None = None

    @property
    def names_itself(self) -> bool:
        """Whether the caller has named the task, so that the same call again is meant to be the same task."""
        return self.task_id is not None or self.idempotency_key is not None


class Selector(Struct, frozen=True, kw_only=True):
    """Which tasks: every field that is set must match, and a field of many values matches with one of them.

    Raises TypeError for a str in place of many values.
    """

    queues: Iterable[str] = ()
    types: Iterable[str] = ()
    states: Iterable[TaskState] = ()
    labels: Mapping[str, str] = {}
    min_create_time: datetime | None = None
    max_create_time: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("queues", "types", "states"):
            values = getattr(self, name)
            if isinstance(values, str):
                raise TypeError(f"{name} takes many values: [{values!r}], not {values!r}")
            # Once and for all: an iterator would be empty the second time, and nothing given means everything.
            force_setattr(self, name, tuple(values))

    def to_message(self) -> task_service_pb2.TaskSelector:
        """Convert to the message of the API."""
        message = task_service_pb2.TaskSelector(
            queues=self.queues,
            types=self.types,
            states=[task_pb2.TaskState.ValueType(state) for state in self.states],
            labels=self.labels,
        )
        if self.min_create_time is not None:
            message.min_create_time.CopyFrom(timestamp(self.min_create_time))
        if self.max_create_time is not None:
            message.max_create_time.CopyFrom(timestamp(self.max_create_time))
        return message


EVERY_TASK = Selector()


def create_request(new: NewTask, now: datetime) -> task_service_pb2.CreateTaskRequest:
    """Convert `new`. The request always names its task, so that repeating it is safe.

    Without an identifier or a key of the caller's it gets a fresh identifier, the same in every repetition of the
    request. With a key it gets none: whoever uses the same key elsewhere would send another identifier for the same
    task, and the key alone already makes the repetition safe.

    Raises ValueError or TypeError for what cannot be written down.
    """
    given_id, key = named("task_id", new.task_id), named("idempotency_key", new.idempotency_key)
    task_id = given_id if new.names_itself else fresh_task_id()
    return task_service_pb2.CreateTaskRequest(task=_task(new, now), task_id=task_id, idempotency_key=key)


def named(field: str, value: str | None) -> str:
    """Return `value` as the API has it. Raises ValueError for an empty one: it names nothing, and would go unseen."""
    if value is not None and not value:
        raise ValueError(f"{field} must not be empty; leave it out to have none")
    return value or ""


def _task(new: NewTask, now: datetime) -> task_pb2.Task:
    task = task_pb2.Task(type=new.type, queue=new.queue or "", labels=new.labels)
    if new.priority is not None:
        task.priority = task_pb2.TaskPriority.ValueType(new.priority)
    payload = Payload.of(new.input)
    if payload is not None:
        task.input.CopyFrom(_payload(payload))
    start = _schedule_time(new, now)
    if start is not None:
        task.schedule_time.CopyFrom(timestamp(start))
    if new.expire_time is not None:
        task.expire_time.CopyFrom(timestamp(new.expire_time))
    _set_retry_policy(task, new)
    return task


def _schedule_time(new: NewTask, now: datetime) -> datetime | None:
    if new.delay is None:
        return new.schedule_time
    if new.schedule_time is not None:
        raise ValueError("give delay or schedule_time, not both")
    if new.names_itself:
        raise ValueError(
            "with task_id or idempotency_key give schedule_time instead of delay: a delay counts from now, so that "
            "the same call again would be another task"
        )
    delay = span(new.delay)
    try:
        return now + delay
    except OverflowError as error:
        raise ValueError(f"a delay of {delay.days} days is too long") from error


def _set_retry_policy(task: task_pb2.Task, new: NewTask) -> None:
    if new.max_attempts is not None:
        task.retry_policy.max_attempts = new.max_attempts
    if new.attempt_timeout is not None:
        task.retry_policy.attempt_timeout.CopyFrom(duration(new.attempt_timeout))
    if new.initial_backoff is not None:
        task.retry_policy.initial_backoff.CopyFrom(duration(new.initial_backoff))
    if new.max_backoff is not None:
        task.retry_policy.max_backoff.CopyFrom(duration(new.max_backoff))


def _payload(payload: Payload) -> task_pb2.Payload:
    if payload.is_text:
        return task_pb2.Payload(text=payload.text, content_type=payload.content_type)
    return task_pb2.Payload(binary=payload.data, content_type=payload.content_type)
