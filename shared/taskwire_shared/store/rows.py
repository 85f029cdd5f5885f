"""The only conversion between rows and values."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from taskwire_shared.domain.ready import Ready, Swept
from taskwire_shared.domain.task import (
    ClaimedTask,
    Failure,
    Payload,
    Progress,
    RetryPolicy,
    Task,
    TaskPriority,
    TaskState,
)

Row = Mapping[str, Any]

BASIC_COLUMNS = (
    "id",
    "tenant",
    "queue",
    "type",
    "priority",
    "state",
    "version",
    "attempt",
    "excused",
    "max_attempts",
    "attempt_timeout_ms",
    "initial_backoff_ms",
    "max_backoff_ms",
    "created_at",
    "updated_at",
    "schedule_at",
    "expire_at",
    "started_at",
    "finished_at",
    "cancel_requested_at",
    "labels",
    "failure",
    "last_failure",
    "progress_fraction",
    "progress_message",
    "progress_at",
    "processor",
    "retry_of",
)
"""Everything but input and output."""
PAYLOAD_COLUMNS = (
    "input",
    "input_is_text",
    "input_content_type",
    "output",
    "output_is_text",
    "output_content_type",
)
FULL_COLUMNS = BASIC_COLUMNS + PAYLOAD_COLUMNS
CLAIMED_COLUMNS = (
    "id",
    "attempt",
    "excused",
    "queue",
    "type",
    "priority",
    "input",
    "input_is_text",
    "input_content_type",
    "max_attempts",
    "attempt_timeout_ms",
    "initial_backoff_ms",
    "max_backoff_ms",
    "created_at",
    "started_at",
    "last_failure",
)
_NUMBERS = frozenset({"created_at", "updated_at", "started_at", "finished_at"})
"""The times that are read as numbers: nearly every row has them. Those that callers choose may be too far away for a
float to tell their microseconds."""

RUNNER_KEY = "runner"
RUNNER_DIED = "died"
"""In the metadata of a `last_failure`: the attempt died with its runner, so that the next one runs alone."""

_NO_POLICY = RetryPolicy()
_NO_LABELS: Mapping[str, str] = {}
_STATES = {int(state): state for state in TaskState}
_PRIORITIES = {int(priority): priority for priority in TaskPriority}
_failures = msgspec.json.Decoder(Failure)
_labels = msgspec.json.Decoder(dict[str, str])
_encoder = msgspec.json.Encoder()


def columns(names: tuple[str, ...], alias: str = "t") -> str:
    """Return a column list for a SELECT or RETURNING within a statement."""
    return ", ".join(f"{alias}.{name}" for name in names)


def read_columns(names: tuple[str, ...], alias: str = "t") -> str:
    """Return a column list whose rows `to_task` and `to_claimed_task` can read."""
    return ", ".join(as_read(name, f"{alias}.{name}") for name in names)


def as_read(name: str, value: str) -> str:
    """Return what selects `value` as the column `name` of such a row.

    The driver takes 0.7 us to make a datetime, and 0.1 us for a number: of a claim that was 1.5 of 1.8 us a row.
    """
    return f"date_part('epoch', {value}) AS {name}" if name in _NUMBERS else f"{value} AS {name}"


def to_task(row: Sequence[Any], *, full: bool = False) -> Task:
    """Make a task of a row that begins with `read_columns` of `BASIC_COLUMNS`, or of `FULL_COLUMNS` when `full`."""
    # Taken apart by position, as below: by name it costs 3.5 us instead of 1.6.
    task_id, tenant, queue, type_name, priority, state, version, attempt, excused, *rest = row
    max_attempts, timeout_ms, initial_ms, max_ms, created_at, updated_at, schedule_at, expire_at, *rest = rest
    started_at, finished_at, cancel_requested_at, labels, failure, last_failure, *rest = rest
    fraction, message, progress_at, processor, retry_of, *rest = rest
    return Task(
        id=task_id,
        tenant=tenant,
        queue=queue,
        type=type_name,
        priority=_PRIORITIES[priority],
        state=_STATES[state],
        version=version,
        attempt=attempt,
        excused=excused,
        retry_policy=_policy(max_attempts, timeout_ms, initial_ms, max_ms),
        created_at=created_at,
        updated_at=updated_at,
        schedule_at=schedule_at,
        expire_at=expire_at,
        started_at=started_at,
        finished_at=finished_at,
        cancel_requested_at=cancel_requested_at,
        labels=_labels.decode(labels) if labels else _NO_LABELS,
        input=_payload(*rest[:3]) if full else None,
        output=_payload(*rest[3:6]) if full else None,
        failure=to_failure(failure),
        last_failure=to_failure(last_failure),
        progress=None if progress_at is None else Progress(fraction, message or "", progress_at),
        processor=processor,
        retry_of=retry_of,
    )


def to_claimed_task(row: Sequence[Any]) -> ClaimedTask:
    """Make a claimed task of a row with `read_columns` of `CLAIMED_COLUMNS`."""
    # By position as well: by name it costs twice as much, 0.9 us of the hottest path there is.
    (
        task_id,
        attempt,
        excused,
        queue,
        type_name,
        priority,
        data,
        is_text,
        content_type,
        max_attempts,
        timeout_ms,
        initial_ms,
        max_ms,
        created_at,
        started_at,
        failure,
    ) = row
    return ClaimedTask(
        id=task_id,
        attempt=attempt,
        excused=excused,
        queue=queue,
        type=type_name,
        priority=_PRIORITIES[priority],
        input=None if data is None else Payload(data, is_text, content_type or ""),
        retry_policy=_policy(max_attempts, timeout_ms, initial_ms, max_ms),
        created_at=created_at,
        started_at=started_at,
        runs_alone=failure is not None and _failures.decode(failure).metadata.get(RUNNER_KEY) == RUNNER_DIED,
    )


def to_swept(rows: Sequence[Row]) -> Swept:
    """Make a sweep's result of rows with id, queue, priority and state."""
    ready = tuple(
        Ready(row["id"], row["queue"], _PRIORITIES[row["priority"]])
        for row in rows
        if row["state"] == TaskState.PENDING
    )
    return Swept(ready=ready, changed=len(rows))


def to_failure(document: str | None) -> Failure | None:
    """Make a failure of a jsonb value."""
    return None if document is None else _failures.decode(document)


def failure_document(failure: Failure) -> str:
    """Make a jsonb value of a failure.

    What jsonb cannot hold (NUL, lone surrogates) is replaced: one such text would take down a whole batch.
    """
    return _encoder.encode(
        Failure(
            reason=storable(failure.reason),
            message=storable(failure.message),
            metadata={storable(key): storable(value) for key, value in failure.metadata.items()},
        )
    ).decode()


def labels_document(labels: Mapping[str, str]) -> str | None:
    """Make a jsonb value of labels, None of no labels."""
    return _encoder.encode(labels).decode() if labels else None


def storable(text: str) -> str:
    """Replace what a text of Postgres cannot hold: NUL and lone surrogates."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def _policy(
    max_attempts: int | None, attempt_timeout_ms: int | None, initial_backoff_ms: int | None, max_backoff_ms: int | None
) -> RetryPolicy:
    if max_attempts is attempt_timeout_ms is initial_backoff_ms is max_backoff_ms is None:
        return _NO_POLICY
    return RetryPolicy(
        max_attempts=max_attempts,
        attempt_timeout_ms=attempt_timeout_ms,
        initial_backoff_ms=initial_backoff_ms,
        max_backoff_ms=max_backoff_ms,
    )


def _payload(data: bytes | None, is_text: bool | None, content_type: str | None) -> Payload | None:
    return None if data is None else Payload(data, bool(is_text), content_type or "")
