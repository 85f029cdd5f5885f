"""Every task held against its history, a slice of neighbouring tasks at a time.

A slice is one statement, so that a task and its events are judged in one snapshot, and neither that nor a lock on a day
is held for longer. (A snapshot held for minutes keeps vacuum from the tables that change the fastest; and whoever drops
an old day would wait for us, with everybody else behind.)
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
from msgspec import Struct

from taskwire_shared.domain.audit import Check, Flaw, Flaws
from taskwire_shared.domain.ids import floor_id
from taskwire_shared.store.audit_connection import AuditConnection
from taskwire_shared.store.audit_rules import CONDITIONS, FOLDED

SLICE_TASKS = 20_000
"""In one statement. Five times as many are sorted on disk and take up to twice as long each."""

LIST_DAYS = r"""
SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day, bool_or(p.relname = 'tasks') AS has_tasks,
    (now() AT TIME ZONE 'UTC')::date - to_date(right(c.relname, 8), 'YYYYMMDD') AS age
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE p.oid IN ('tasks'::regclass, 'task_events'::regclass) AND c.relname ~ '_\d{8}$'
GROUP BY 1 ORDER BY 1 DESC
"""

END_OF_SLICE = """
SELECT id, count(*) OVER () AS tasks
FROM (SELECT id FROM tasks WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3) AS slice
ORDER BY id DESC LIMIT 1
"""

_FOLDED = ", ".join(FOLDED)
_ANY_FLAW = "\n    OR ".join(f"({condition.sql})" for condition in CONDITIONS)
_EACH_FLAW = ",\n    ".join(f"('{one.check}', {one.sql}, {one.detail})" for one in CONDITIONS)

# The event before comes whole: a lag() for each of its columns would cost more than all the rest.
AUDIT_SLICE = f"""
SELECT * FROM (
    SELECT flaw.name, flaw.detail, coalesce(t.id, e.task_id) AS id,
        count(*) OVER (PARTITION BY flaw.name) AS count,
        row_number() OVER (PARTITION BY flaw.name ORDER BY coalesce(t.id, e.task_id), e.version) AS number
    FROM (
        SELECT id, {_FOLDED}, updated_at, finished_at, due_at, expire_at, max_attempts, attempt_timeout_ms,
            output IS NOT NULL AS has_output
        FROM tasks WHERE id > $1 AND id <= $2
    ) AS t FULL JOIN (
        SELECT task_id, seq, xid, at, {_FOLDED},
            lag(task_events) OVER history AS before, lead(version) OVER history AS next
        FROM task_events WHERE task_id > $1 AND task_id <= $2
        WINDOW history AS (PARTITION BY task_id ORDER BY version)
    ) AS e ON e.task_id = t.id,
    LATERAL (
        SELECT (e.before).version, (e.before).state, (e.before).attempt, (e.before).excused, (e.before).processor,
            (e.before).cancel_requested_at, (e.before).at, (e.before).seq
    ) AS b,
    LATERAL (VALUES
    {_EACH_FLAW}
    ) AS flaw(name, is_there, detail)
    WHERE ({_ANY_FLAW})
    AND flaw.is_there
) AS flaws
WHERE number <= $3
ORDER BY name, number
"""


class Day(Struct, frozen=True):
    """A day that tasks or events are kept of."""

    day: date
    age: int
    """In days, by the clock of the database; below 0 ahead of today."""
    has_tasks: bool
    """Its events may outlive its tasks for a moment, while it is being dropped."""


class Slice(Struct, frozen=True):
    """Tasks with neighbouring ids."""

    after: UUID
    up_to: UUID
    tasks: int


async def list_days(connection: AuditConnection) -> list[Day]:
    """Return the days that there are, the newest first."""
    rows = await connection.fetch(LIST_DAYS)
    return [Day(row["day"], row["age"], row["has_tasks"]) for row in rows]


async def next_slice(connection: AuditConnection, day: date, after: UUID | None) -> Slice | None:
    """Return the first slice of a day, or the one `after` the last; None behind the last one of the day.

    The last one of a day ends with the day, so that events without tasks are in a slice, too.
    """
    low, high = bounds(day)
    after = after or low
    if after >= high:
        return None
    rows = await connection.fetch(END_OF_SLICE, after, high, SLICE_TASKS)
    tasks: int = rows[0]["tasks"] if rows else 0
    return Slice(after, rows[0]["id"] if tasks == SLICE_TASKS else high, tasks)


async def audit_slice(connection: AuditConnection, tasks: Slice, shown: int) -> list[Flaws]:
    """Return what is wrong in a slice, up to `shown` flaws of each kind."""
    rows = await connection.fetch(AUDIT_SLICE, tasks.after, tasks.up_to, shown)
    return to_flaws(rows)


def bounds(day: date) -> tuple[UUID, UUID]:
    """Return ids that all those of a day lie between. They are no ids themselves."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    low, high = floor_id(midnight), floor_id(midnight + timedelta(days=1))
    return UUID(int=low.int - 1), UUID(int=high.int - 1)


def to_flaws(rows: Sequence[asyncpg.Record]) -> list[Flaws]:
    """Make flaws of rows with name, id, detail and the count of all flaws of that name."""
    by_check: dict[Check, list[Flaw]] = {}
    counts: dict[Check, int] = {}
    for row in rows:
        check = Check(row["name"])
        by_check.setdefault(check, []).append(Flaw(check, str(row["id"]), row["detail"]))
        counts[check] = row["count"]
    return [Flaws(tuple(flaws), counts[check]) for check, flaws in by_check.items()]
