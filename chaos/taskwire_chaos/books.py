"""What was in the database at the end, kept as files so that a run can be judged again later."""

from collections.abc import Sequence
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
    for name, statement in (("tasks", _TASKS), ("events", _EVENTS), ("processors", _PROCESSORS)):
        rows = [dict(row) for row in await connection.fetch(statement)]
        (folder / f"{name}.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def read_books(folder: Path) -> Books:
    """Read what `keep_books` has written."""
    events: dict[str, list[EventRow]] = {}
    for event in _read(folder / "events.jsonl", EventRow):
        events.setdefault(event.task_id, []).append(event)
    return Books(
        tasks={row.id: row for row in _read(folder / "tasks.jsonl", TaskRow)},
        events=events,
        processors={row.id: row for row in _read(folder / "processors.jsonl", ProcessorRow)},
    )


def _read(file: Path, kind: type[R]) -> Sequence[R]:
    return [msgspec.json.decode(line, type=kind) for line in file.read_bytes().splitlines()]
