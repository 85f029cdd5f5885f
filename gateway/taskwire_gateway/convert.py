"""Protobuf messages to values and back. What comes in has been validated."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from taskwire.v1 import queue_service_pb2, task_pb2
from taskwire.v1 import task_service_pb2 as pb
from taskwire_gateway.request_hash import request_hash
from taskwire_shared.domain.queue import Queue, QueueStats
from taskwire_shared.domain.selector import EVERY_TASK, TaskSelector
from taskwire_shared.domain.task import (
    DEFAULT_QUEUE,
    Failure,
    NewTask,
    Payload,
    Progress,
    RetryPolicy,
    Seconds,
    Task,
    TaskPriority,
    TaskState,
    WaitReason,
)
from taskwire_shared.identifiers import fresh_identifiers, identifier

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# The driver of the database takes the very ends for -infinity and infinity, and reads these as times without a zone.
_FIRST = datetime.min.replace(tzinfo=UTC) + _MICROSECOND
_LAST = datetime.max.replace(tzinfo=UTC) - _MICROSECOND
_FIRST_US, _LAST_US = (_FIRST - _EPOCH) // _MICROSECOND, (_LAST - _EPOCH) // _MICROSECOND
_DEFAULT_POLICY = RetryPolicy()
_STATES = {int(state): state for state in TaskState}
_PRIORITIES = {0: TaskPriority.NORMAL, **{int(priority): priority for priority in TaskPriority}}


def new_task(tenant: str, request: pb.CreateTaskRequest) -> NewTask:
    """Make the task that a create asks for. Fields that only the service sets are ignored."""
    task = request.task
    payload = payload_value(task.input) if task.HasField("input") else None
    policy = _retry_policy(task.retry_policy) if task.HasField("retry_policy") else _DEFAULT_POLICY
    schedule_us = _microseconds(task.schedule_time) if task.HasField("schedule_time") else None
    expire_us = _microseconds(task.expire_time) if task.HasField("expire_time") else None
    queue = task.queue or DEFAULT_QUEUE
    priority = _PRIORITIES[task.priority]
    labels = dict(task.labels)
    return NewTask(
        id=identifier(request.task_id) if request.task_id else next(fresh_identifiers()),
        tenant=tenant,
        queue=queue,
        type=task.type,
        request_hash=request_hash(
            queue=queue,
            type_name=task.type,
            priority=priority,
            payload=payload,
            retry_policy=policy,
            schedule_us=schedule_us,
            expire_us=expire_us,
            labels=labels,
        ),
        priority=priority,
        input=payload,
        retry_policy=policy,
        schedule_at=_moment(schedule_us),
        expire_at=_moment(expire_us),
        labels=labels,
        idempotency_key=request.idempotency_key or None,
    )


def repeated_task(old: Task, identifier: UUID, made_at: datetime) -> NewTask:
    """Make a task like `old`, to be started at once.

    What the caller chose stays, but a time to start is in the past by now, and the time to expire keeps its distance
    from the creation. `made_at` must follow from `identifier`, or a repeated call would have other content.
    """
    expire_at = old.expire_at and _moved(old.expire_at, made_at - datetime.fromtimestamp(old.created_at, UTC))
    labels = dict(old.labels)
    return NewTask(
        id=identifier,
        tenant=old.tenant,
        queue=old.queue,
        type=old.type,
        request_hash=request_hash(
            queue=old.queue,
            type_name=old.type,
            priority=old.priority,
            payload=old.input,
            retry_policy=old.retry_policy,
            schedule_us=None,
            expire_us=None if expire_at is None else (expire_at - _EPOCH) // _MICROSECOND,
            labels=labels,
            retry_of=old.id,
        ),
        priority=old.priority,
        input=old.input,
        retry_policy=old.retry_policy,
        expire_at=expire_at,
        labels=labels,
        retry_of=old.id,
    )


def selector_value(selector: pb.TaskSelector) -> TaskSelector:
    """Return what the caller picks. States that do not exist pick nothing."""
    if not selector.ByteSize():
        return EVERY_TASK
    known = frozenset(_STATES[state] for state in selector.states if state in _STATES)
    return TaskSelector(
        queues=frozenset(selector.queues),
        types=frozenset(selector.types),
        states=known if selector.states else None,
        labels=dict(selector.labels),
        min_created_at=_moment(_microseconds(selector.min_create_time))
        if selector.HasField("min_create_time")
        else None,
        max_created_at=_moment(_microseconds(selector.max_create_time))
        if selector.HasField("max_create_time")
        else None,
    )


def payload_value(payload: task_pb2.Payload) -> Payload:
    """Return the payload as bytes, remembering whether it was text."""
    if payload.WhichOneof("data") == "text":
        return Payload(payload.text.encode(), True, payload.content_type)
    return Payload(payload.binary, False, payload.content_type)


def created_message(task: NewTask, created_at: datetime) -> task_pb2.Task:
    """Describe a task that has just been stored, from what was stored."""
    waits = task.schedule_at is not None and task.schedule_at > created_at
    message = task_pb2.Task()
    _put_identity(message, task)
    message.state = TaskState.SCHEDULED if waits else TaskState.PENDING  # type: ignore[assignment]
    message.version = 1
    _put_time(message.create_time, created_at)
    _put_time(message.update_time, created_at)
    _put_choices(message, task)
    return message


def task_message(
    task: Task,
    *,
    full: bool = False,
    with_output: bool = False,
    wait_reason: WaitReason = WaitReason.NONE,
) -> task_pb2.Task:
    """Describe a stored task: BASIC, with its output where asked for, or with its input as well (`full`)."""
    message = task_pb2.Task()
    _put_identity(message, task)
    message.state = task.state  # type: ignore[assignment]
    message.done = task.state.is_final
    message.attempt_count = task.attempt_count
    message.version = task.version
    _put_seconds(message.create_time, task.created_at)
    _put_seconds(message.update_time, task.updated_at)
    _put_choices(message, task)
    _put_course(message, task)
    if full and task.input is not None:
        message.input.CopyFrom(payload_message(task.input))
    if (full or with_output) and task.output is not None:
        message.output.CopyFrom(payload_message(task.output))
    if wait_reason:
        message.wait_reason = wait_reason  # type: ignore[assignment]
    return message


def payload_message(payload: Payload) -> task_pb2.Payload:
    """Describe a payload in the form in which it came."""
    if payload.is_text:
        return task_pb2.Payload(text=payload.data.decode(), content_type=payload.content_type)
    return task_pb2.Payload(binary=payload.data, content_type=payload.content_type)


def progress_message(progress: Progress) -> task_pb2.Progress:
    """Describe what a running attempt reported."""
    return task_pb2.Progress(
        fraction=progress.fraction, message=progress.message, update_time=timestamp(progress.updated_at)
    )


def queue_message(queue: Queue) -> queue_service_pb2.Queue:
    """Describe a queue."""
    state = queue_service_pb2.QUEUE_STATE_PAUSED if queue.paused else queue_service_pb2.QUEUE_STATE_ACTIVE
    stats = None if queue.stats is None else _stats_message(queue.stats)
    return queue_service_pb2.Queue(name=queue.name, state=state, stats=stats)


def timestamp(moment: datetime) -> Timestamp:
    """Return `moment` as a message. Cheaper than `FromDatetime`, which is made for naive times as well."""
    message = Timestamp()
    _put_time(message, moment)
    return message


# A field after the other, and times in place: to make a message of every time and hand all of it to the constructor,
# which copies it, costs 7 instead of 3 us a task. (The enumerations of the domain have the numbers of the API, which
# the types of generated code cannot know.)


def _put_identity(message: task_pb2.Task, task: NewTask | Task) -> None:
    """Put what every task has from the beginning."""
    message.id = str(task.id)
    message.queue = task.queue
    message.type = task.type
    message.priority = task.priority  # type: ignore[assignment]


def _put_choices(message: task_pb2.Task, task: NewTask | Task) -> None:
    """Put what the caller chose and mostly leaves out."""
    if task.labels:
        message.labels.update(task.labels)
    if task.schedule_at is not None:
        _put_time(message.schedule_time, task.schedule_at)
    if task.expire_at is not None:
        _put_time(message.expire_time, task.expire_at)
    if task.retry_policy != _DEFAULT_POLICY:
        message.retry_policy.CopyFrom(_retry_policy_message(task.retry_policy))
    if task.retry_of is not None:
        message.retry_of = str(task.retry_of)


def _put_course(message: task_pb2.Task, task: Task) -> None:
    """Put what has become of the task since it was stored."""
    if task.started_at is not None:
        _put_seconds(message.start_time, task.started_at)
    if task.finished_at is not None:
        _put_seconds(message.finish_time, task.finished_at)
    if task.cancel_requested_at is not None:
        _put_time(message.cancel_request_time, task.cancel_requested_at)
    if task.processor is not None:
        message.processor = str(task.processor)
    if task.failure is not None:
        message.failure.CopyFrom(_failure_message(task.failure))
    if task.last_failure is not None:
        message.last_failure.CopyFrom(_failure_message(task.last_failure))
    if task.progress is not None:
        message.progress.CopyFrom(progress_message(task.progress))


def _put_time(place: Timestamp, moment: datetime) -> None:
    since = moment - _EPOCH
    place.seconds = since.days * 86_400 + since.seconds
    place.nanos = since.microseconds * 1000


def _put_seconds(place: Timestamp, moment: Seconds) -> None:
    seconds = int(moment)
    place.seconds = seconds
    place.nanos = round((moment - seconds) * 1e6) * 1000


def _failure_message(failure: Failure) -> task_pb2.Failure:
    return task_pb2.Failure(reason=failure.reason, message=failure.message, metadata=failure.metadata)


def _stats_message(stats: QueueStats) -> queue_service_pb2.QueueStats:
    oldest = stats.oldest_pending_at
    return queue_service_pb2.QueueStats(
        scheduled_count=stats.scheduled,
        pending_count=stats.pending,
        running_count=stats.running,
        oldest_pending_time=None if oldest is None else timestamp(oldest),
        processor_count=stats.processors,
        sample_time=timestamp(stats.sampled_at),
    )


def _retry_policy(policy: task_pb2.RetryPolicy) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=policy.max_attempts or None,
        attempt_timeout_ms=_milliseconds(policy.attempt_timeout) if policy.HasField("attempt_timeout") else None,
        initial_backoff_ms=_milliseconds(policy.initial_backoff) if policy.HasField("initial_backoff") else None,
        max_backoff_ms=_milliseconds(policy.max_backoff) if policy.HasField("max_backoff") else None,
    )


def _retry_policy_message(policy: RetryPolicy) -> task_pb2.RetryPolicy:
    spans = {
        "attempt_timeout": policy.attempt_timeout_ms,
        "initial_backoff": policy.initial_backoff_ms,
        "max_backoff": policy.max_backoff_ms,
    }
    return task_pb2.RetryPolicy(
        max_attempts=policy.max_attempts or 0,
        **{name: _duration(ms) for name, ms in spans.items() if ms is not None},
    )


def _milliseconds(span: Duration) -> int:
    return span.seconds * 1000 + span.nanos // 1_000_000


def _duration(ms: int) -> Duration:
    return Duration(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def _microseconds(moment: Timestamp) -> int:
    return moment.seconds * 1_000_000 + moment.nanos // 1000


def _moment(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    return _EPOCH + timedelta(microseconds=min(max(microseconds, _FIRST_US), _LAST_US))


def _moved(moment: datetime, span: timedelta) -> datetime:
    """Return the time `span` after `moment`, or the first or last that there is."""
    return moment + min(max(span, _FIRST - moment), _LAST - moment)
