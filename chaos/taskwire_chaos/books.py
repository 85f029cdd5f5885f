"""What was in the database at the end, kept as files so that a run can be judged again later."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import asyncpg
import msgspec
from msgspec import Struct

R = TypeVar("R")


class TaskRow(Struct, frozen=True):
    """A row of `tasks`."""

    id: str
    tenant: str
    type: str
    state: int
    version: int
    attempt: int
    excused: int
    max_attempts: int | None
    failure: str | None
    """Its reason."""
    output: str | None
    input: str | None
    key: str | None
    """The label of that name."""
    cancel_requested_at: datetime | None
    created_at: datetime
    expire_at: datetime | None
    due_at: datetime | None


class EventRow(Struct, frozen=True):
    """A row of `task_events`."""

    task_id: str
    version: int
    tenant: str
    state: int
    attempt: int
    excused: int
    at: datetime
    processor: str | None
    cancel_requested_at: datetime | None
    seq: int


class ProcessorRow(Struct, frozen=True):
    """A row of `processors`."""

    id: str
    lease_until: datetime


class Books(Struct, frozen=True):
    """Everything that was in the database."""

    tasks: dict[str, TaskRow]
    events: dict[str, list[EventRow]]
    """By task, in the order of versions."""
    processors: dict[str, ProcessorRow]


_PREFETCH_ROWS = 2_000

_TASKS = """
SELECT id::text, tenant, type, state, version, attempt, excused, max_attempts, failure->>'reason' AS failure,
    convert_from(output, 'UTF8') AS output, convert_from(input, 'UTF8') AS input, labels->>'key' AS key,
    cancel_requested_at, created_at, expire_at, due_at
FROM tasks ORDER BY id
"""
_EVENTS = """
SELECT task_id::text, version, tenant, state, attempt, excused, at, processor::text, cancel_requested_at, seq
FROM task_events ORDER BY task_id, version
"""
_PROCESSORS = "SELECT id::text, lease_until FROM processors"


async def keep_books(connection: asyncpg.Connection, folder: Path) -> None:
    """Write everything into `folder`."""
    folder.mkdir(exist_ok=True)
    # In one snapshot, and by cursor: an hour has hundreds of thousands of rows.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for name, statement in (("tasks", _TASKS), ("events", _EVENTS), ("processors", _PROCESSORS)):
            with (folder / f"{name}.jsonl").open("wb") as file:
                async for row in connection.cursor(statement, prefetch=_PREFETCH_ROWS):
                    file.write(msgspec.json.encode(dict(row)) + b"\n")


def read_books(folder: Path) -> Books:
    """Read what `keep_books` has written."""
    tasks = {row.id: row for row in _read(folder / "tasks.jsonl", TaskRow)}
    # The same few words are in most rows: one of each is enough.
    words: dict[str, str] = {task_id: task_id for task_id in tasks}
    events: dict[str, list[EventRow]] = {}
    for event in _read(folder / "events.jsonl", EventRow):
        one = msgspec.structs.replace(
            event,
            task_id=words.setdefault(event.task_id, event.task_id),
            tenant=words.setdefault(event.tenant, event.tenant),
            processor=event.processor and words.setdefault(event.processor, event.processor),
        )
        events.setdefault(one.task_id, []).append(one)
    return Books(
        tasks=tasks,
        events=events,
        processors={row.id: row for row in _read(folder / "processors.jsonl", ProcessorRow)},
    )


def _read(file: Path, kind: type[R]) -> Iterator[R]:
    decoder = msgspec.json.Decoder(kind)
    with file.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)
