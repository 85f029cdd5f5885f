"""Pages of tasks, newest first, that match a selector."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct
from sqlalchemy import ColumnElement, Select, Text, and_, cast, false, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from taskwire_shared.domain import limits
from taskwire_shared.domain.selector import TaskSelector
from taskwire_shared.domain.task import Task, TaskState
from taskwire_shared.store.database import Database
from taskwire_shared.store.rows import BASIC_COLUMNS, FULL_COLUMNS, labels_document, read_columns, to_task
from taskwire_shared.store.tables import tasks

SCAN_ROWS_MAX = 20_000
"""Rows looked at for one page. A page may be short, and even empty, before the end; reading so many takes 50 ms."""
ROW_BYTES = 512
"""What a task takes in a response apart from payloads and texts of callers and handlers, rounded up."""

_UNSUCCESSFUL = frozenset({TaskState.FAILED, TaskState.CANCELLED})
_ID_MS_MAX = (1 << 48) - 1

# One look-up per id: a join might read a whole day, and `= ANY` all days.
_READ = """
SELECT %s FROM unnest($1::uuid[]) AS wanted(id), LATERAL (SELECT * FROM tasks WHERE tasks.id = wanted.id LIMIT 1) AS t
ORDER BY t.id DESC
"""
READ_PAGE = _READ % read_columns(BASIC_COLUMNS)
READ_PAGE_FULL = _READ % read_columns(FULL_COLUMNS)

_dialect = asyncpg_dialect()  # type: ignore[no-untyped-call]

Statement = tuple[str, list[Any]]


class Page(Struct, frozen=True):
    """Some tasks, and where the next ones begin."""

    tasks: list[Task]
    next_before: UUID | None
    """The `before` of the next page; None at the end."""


async def list_tasks(
    db: Database, tenant: str, selector: TaskSelector, *, before: UUID | None, limit: int, full: bool
) -> Page:
    """Return up to `limit` tasks with ids below `before`, newest first, with their payloads when `full`.

    A page also ends after `SCAN_ROWS_MAX` rows that were looked at, and where it would exceed `PAGE_BYTES_MAX`.
    """
    bounds = _bounds(selector, before)
    matching = _compile(_matching(tenant, selector, bounds, limit, full=full))
    last_scanned = _compile(_last_scanned(bounds))

    async def unit(connection: asyncpg.Connection) -> Page:
        # One snapshot for all of it, or rows could be neither looked at nor left for the next page.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rows = await connection.fetch(matching[0], *matching[1])
            ids = _fitting(rows)
            found = await connection.fetch(READ_PAGE_FULL if full else READ_PAGE, ids)
            page = [to_task(row, full=full) for row in found]
            if ids and (len(ids) < len(rows) or len(ids) == limit):
                return Page(page, ids[-1])
            return Page(page, await connection.fetchval(last_scanned[0], *last_scanned[1]))

    return await db.run(unit)


def _fitting(rows: Sequence[asyncpg.Record]) -> list[UUID]:
    """Return the ids of the leading rows that fit into a response, of at least one."""
    ids: list[UUID] = []
    size = 0
    for row in rows:
        size += row["size"]
        if ids and size > limits.PAGE_BYTES_MAX:
            break
        ids.append(row["id"])
    return ids


def _matching(
    tenant: str, selector: TaskSelector, bounds: ColumnElement[bool], limit: int, *, full: bool
) -> Select[tuple[UUID, int]]:
    scanned = select(tasks).where(bounds).order_by(tasks.c.id.desc()).limit(SCAN_ROWS_MAX).subquery("scanned")
    row = scanned.c
    conditions = [row.tenant == tenant]
    if selector.queues:
        conditions.append(row.queue.in_(sorted(selector.queues)))
    if selector.types:
        conditions.append(row.type.in_(sorted(selector.types)))
    if selector.states is not None:
        conditions.append(row.state.in_(sorted(map(int, selector.states))) if selector.states else false())
    if selector.labels:
        conditions.append(row.labels.op("@>")(cast(literal(labels_document(selector.labels)), JSONB)))
    if selector.min_created_at is not None:
        conditions.append(row.created_at >= selector.min_created_at)
    if selector.max_created_at is not None:
        conditions.append(row.created_at < selector.max_created_at)
    texts = [row.labels, row.failure, row.last_failure, row.progress_message]
    payloads = [row.input, row.output] if full else []
    sizes = [func.octet_length(cast(column, Text)) for column in texts] + [func.octet_length(data) for data in payloads]
    size: ColumnElement[int] = literal_column(str(ROW_BYTES))
    for one in sizes:
        size += func.coalesce(one, 0)
    return select(row.id, size.label("size")).where(*conditions).order_by(row.id.desc()).limit(limit)


def _last_scanned(bounds: ColumnElement[bool]) -> Select[tuple[UUID]]:
    return select(tasks.c.id).where(bounds).order_by(tasks.c.id.desc()).offset(SCAN_ROWS_MAX - 1).limit(1)


def _bounds(selector: TaskSelector, before: UUID | None) -> ColumnElement[bool]:
    """Return what an index can tell: the range of ids, and whether a task was unsuccessful."""
    lowest, highest = UUID(int=0), before
    # The time of an id and of its creation differ by as much as callers may choose.
    if selector.min_created_at is not None:
        lowest = _id_floor(selector.min_created_at, -limits.TASK_ID_AGE_SECONDS_MAX)
    if selector.max_created_at is not None:
        ceiling = _id_floor(selector.max_created_at, limits.TASK_ID_AHEAD_SECONDS_MAX + 1)
        highest = ceiling if before is None else min(before, ceiling)
    conditions = [tasks.c.id >= lowest]
    if highest is not None:
        conditions.append(tasks.c.id < highest)
    if selector.states and selector.states <= _UNSUCCESSFUL:
        # As literals, so that the partial index is known to fit.
        conditions.append(tasks.c.state.in_([literal_column("5"), literal_column("6")]))
    return and_(*conditions)


def _id_floor(moment: datetime, shift_seconds: int) -> UUID:
    milliseconds = int((moment.timestamp() + shift_seconds) * 1000)
    return UUID(int=min(max(milliseconds, 0), _ID_MS_MAX) << 80)


def _compile(statement: Select[Any]) -> Statement:
    compiled = statement.compile(dialect=_dialect, compile_kwargs={"render_postcompile": True})
    values = compiled.construct_params()
    return str(compiled), [values[name] for name in compiled.positiontup or ()]
