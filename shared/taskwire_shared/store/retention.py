"""Letting old days go: as a whole where everything in them has been final for long, row by row where something has not.

Whatever goes raises the floor of the feed in the same transaction, so that a reader who would have needed it is told.
"""

from datetime import UTC, date, datetime, timedelta

import asyncpg
from msgspec import Struct

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.store.database import Database
from taskwire_shared.store.partitions import PARENTS, partition_name

LOCK_MILLISECONDS = 500
"""How long dropping waits for its turn: whoever queues behind us waits as long. It is tried again with the next run."""
LATE_DAYS = 2
"""How much longer a day may wait to be dropped as a whole before what is old in it is deleted row by row."""
THIN_TASKS = 500
"""Tasks deleted by one statement."""
THIN_BATCHES_MAX = 200
"""In one run, so that it ends."""
NEWEST_EVENTS = 1_000
"""Of a day, of which the youngest tells when something last happened in it. Transactions are numbered when they begin
to write and not when they end, so the very last number need not be the latest time."""

LIST_DAYS = r"""
SELECT p.relname AS parent, to_date(right(c.relname, 8), 'YYYYMMDD') AS day
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE p.relname = ANY ($1::text[]) AND c.relname ~ '_\d{8}$'
ORDER BY day, parent DESC
"""

# SCHEDULED tasks are always due some time. Three indexes, none of which holds a row that is final.
HAS_LIVE_TASKS = """
SELECT EXISTS (SELECT FROM {tasks} WHERE state = 2) OR EXISTS (SELECT FROM {tasks} WHERE state = 3)
    OR EXISTS (SELECT FROM {tasks} WHERE due_at IS NOT NULL)
"""
NEWEST_EVENT = "SELECT max(at) FROM (SELECT at FROM {task_events} ORDER BY xid DESC LIMIT $1) AS newest"

RAISE_FLOOR = """
UPDATE installation SET feed_floor = greatest(
    feed_floor,
    ((SELECT xid FROM {task_events} ORDER BY xid DESC LIMIT 1)::text::numeric + 1)::text::xid8
)
"""

THIN = """
WITH old AS (
    SELECT t.id FROM {tasks} t WHERE t.state >= 4 AND t.finished_at < $1
    ORDER BY t.id LIMIT $2 FOR UPDATE SKIP LOCKED
), events AS (
    DELETE FROM {task_events} e USING old WHERE e.task_id = old.id RETURNING e.xid
), floor AS (
    UPDATE installation SET feed_floor = ((SELECT max(xid::text::numeric) FROM events) + 1)::text::xid8
    WHERE feed_floor <= (SELECT max(xid::text::numeric) FROM events)::text::xid8
), gone AS (
    DELETE FROM {tasks} t USING old WHERE t.id = old.id RETURNING 1
)
SELECT count(*) FROM gone
"""


class Forgotten(Struct, frozen=True):
    """What one run has let go."""

    days: tuple[str, ...] = ()
    """Names of tables that were dropped."""
    tasks: int = 0
    """Tasks deleted row by row."""


async def forget_old_tasks(db: Database, *, retention: timedelta, now: datetime | None = None) -> Forgotten:
    """Drop and thin the days that are past `retention` at `now` (the server's by default).

    Safe to run in many processes at once. What cannot be locked soon is left for the next run.

    Raises:
        BackendUnavailable: The database does not answer.
    """
    # Not by our own clock: one that is a week ahead would drop what has just ended.
    cutoff = (now or await db.now()) - retention
    dropped: list[str] = []
    thinned = 0
    days: dict[date, set[str]] = {}
    for row in await db.fetch(LIST_DAYS, list(PARENTS)):
        days.setdefault(row["day"], set()).add(row["parent"])
    for day, parents in days.items():
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        if end > cutoff:
            break
        try:
            if await _is_over(db, day, parents, cutoff):
                dropped += await _drop(db, day, parents)
            elif end < cutoff - timedelta(days=LATE_DAYS):
                thinned += await _thin(db, day, cutoff)
        except asyncpg.UndefinedTableError:
            # Another process has just dropped it.
            continue
    return Forgotten(tuple(dropped), thinned)


async def _is_over(db: Database, day: date, parents: set[str], cutoff: datetime) -> bool:
    if "tasks" in parents and await db.fetchval(_of(HAS_LIVE_TASKS, day)):
        return False
    if "task_events" not in parents:
        return True
    newest = await db.fetchval(_of(NEWEST_EVENT, day), NEWEST_EVENTS)
    return newest is None or newest < cutoff


async def _drop(db: Database, day: date, parents: set[str]) -> list[str]:
    """Drop the tasks, raising the floor, and then the events: nobody can be left with tasks that lack their history."""
    dropped: list[str] = []
    for parent in ("tasks", "task_events"):
        if parent not in parents:
            continue
        if not await _drop_table(db, day, parent, raises_floor="task_events" in parents):
            break
        dropped.append(partition_name(parent, day))
    return dropped


async def _drop_table(db: Database, day: date, parent: str, *, raises_floor: bool) -> bool:
    async def unit(connection: asyncpg.Connection) -> None:
        # One table to a transaction: dropping locks its parent against everybody, and two such locks could deadlock.
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
            if raises_floor:
                await connection.execute(_of(RAISE_FLOOR, day))
            await connection.execute(f"DROP TABLE {partition_name(parent, day)}")

    try:
        await db.run(unit)
    except BackendUnavailable as error:
        if isinstance(error.__cause__, asyncpg.LockNotAvailableError):
            # Others use it.
            return False
        raise
    return True


async def _thin(db: Database, day: date, cutoff: datetime) -> int:
    thinned = 0
    for _ in range(THIN_BATCHES_MAX):
        count: int = await db.fetchval(_of(THIN, day), cutoff, THIN_TASKS)
        thinned += count
        if count < THIN_TASKS:
            break
    return thinned


def _of(statement: str, day: date) -> str:
    return statement.format(**{parent: partition_name(parent, day) for parent in PARENTS})
