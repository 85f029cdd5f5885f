"""The queues: which there are, whether they are held, and how full they are."""

from collections.abc import Sequence

import asyncpg
from asyncpg import Record
from msgspec import Struct

from taskwire_shared.domain.queue import Queue, QueueStats
from taskwire_shared.domain.task import TaskState
from taskwire_shared.store.database import STATEMENT_SECONDS, Database

COUNTED_TASKS_MAX = 2_000_000
"""Of each state in a count, of one queue or of all: twice what a queue may hold. Counting so many takes about a second.
Where several queues are as full as that, the counts of all are too low, and let in more."""

GET_QUEUE = "SELECT tenant, name, paused FROM queues WHERE tenant = $1 AND name = $2"
LIST_QUEUES = "SELECT tenant, name, paused FROM queues WHERE tenant = $1 AND name > $2 ORDER BY name LIMIT $3"
SET_PAUSED = "UPDATE queues SET paused = $3 WHERE tenant = $1 AND name = $2 RETURNING tenant, name, paused"
COUNT_QUEUES = "SELECT count(*) FROM queues WHERE tenant = $1"
EXISTING_QUEUES = "SELECT name FROM queues WHERE tenant = $1 AND name = ANY ($2::text[])"
SERVED_QUEUES = """
SELECT DISTINCT name FROM queues WHERE NOT paused AND ($1::text[] IS NULL OR name = ANY ($1::text[]))
"""

# Each count has an index of its own. A task that is SCHEDULED is always due some time, so that index finds it.
STATS = f"""
SELECT
    (SELECT count(*) FROM (
        SELECT FROM tasks WHERE due_at IS NOT NULL AND state = 1 AND tenant = $1 AND queue = $2
        LIMIT {COUNTED_TASKS_MAX}) AS s) AS scheduled,
    (SELECT count(*) FROM (
        SELECT FROM tasks WHERE state = 2 AND queue = $2 AND tenant = $1 LIMIT {COUNTED_TASKS_MAX}) AS p) AS pending,
    (SELECT count(*) FROM (
        SELECT FROM tasks WHERE state = 3 AND tenant = $1 AND queue = $2 LIMIT {COUNTED_TASKS_MAX}) AS r) AS running,
    (SELECT min(created_at) FROM (
        SELECT created_at FROM tasks WHERE state = 2 AND queue = $2 AND tenant = $1
        LIMIT {COUNTED_TASKS_MAX}) AS o) AS oldest_pending_at,
    (SELECT count(*) FROM processors
        WHERE lease_until > clock_timestamp() AND (queues IS NULL OR $2 = ANY (queues))) AS processors,
    clock_timestamp() AS sampled_at
"""

SAMPLED_PAGES = 2_000
"""In an estimate: 6 ms of a quiet server's time. A million tasks that wait among ten million others are on 180 of
these, and so told to about a tenth; among 300 million others they are on seven, and one more or less is 150,000."""

DEPTHS = f"""
SELECT tenant, queue, 1 AS state, count(*) FROM (
    SELECT tenant, queue FROM tasks WHERE due_at IS NOT NULL AND state = 1 LIMIT {COUNTED_TASKS_MAX}
) AS s GROUP BY tenant, queue
UNION ALL
SELECT tenant, queue, 2, count(*) FROM (
    SELECT tenant, queue FROM tasks WHERE state = 2 LIMIT {COUNTED_TASKS_MAX}
) AS p GROUP BY tenant, queue
UNION ALL
SELECT tenant, queue, 3, count(*) FROM (
    SELECT tenant, queue FROM tasks WHERE state = 3 LIMIT {COUNTED_TASKS_MAX}
) AS r GROUP BY tenant, queue
"""

COUNT_PAGES = """
SELECT sum(pg_relation_size(relid)) / current_setting('block_size')::integer
FROM pg_partition_tree('tasks') WHERE isleaf
"""
ESTIMATED_DEPTHS = """
SELECT tenant, queue, state, count(*) FROM tasks TABLESAMPLE SYSTEM ($1::real) WHERE state IN (1, 2, 3)
GROUP BY tenant, queue, state
"""


class Depth(Struct, frozen=True, gc=False):
    """How many tasks of a queue are in one state, out of SCHEDULED, PENDING and RUNNING."""

    tenant: str
    queue: str
    state: TaskState
    count: int


async def get_queue(db: Database, tenant: str, name: str) -> Queue | None:
    """Return a queue with a sample of how full it is, or None where there is none."""
    row = await db.fetchrow(GET_QUEUE, tenant, name)
    if row is None:
        return None
    stats = await db.fetchrow(STATS, tenant, name)
    assert stats is not None
    return _to_queue(row, QueueStats(**dict(stats)))


async def list_queues(db: Database, tenant: str, *, after: str, limit: int) -> list[Queue]:
    """Return queues by name, those behind `after`, without samples."""
    return [_to_queue(row) for row in await db.fetch(LIST_QUEUES, tenant, after, limit)]


async def pause_queue(db: Database, tenant: str, name: str) -> Queue | None:
    """Let no more tasks of a queue start, and return it, or None where there is none."""
    return await _set_paused(db, tenant, name, paused=True)


async def resume_queue(db: Database, tenant: str, name: str) -> Queue | None:
    """Let tasks of a queue start again, and return it, or None where there is none."""
    return await _set_paused(db, tenant, name, paused=False)


async def count_queues(db: Database, tenant: str) -> int:
    """Return how many queues a tenant has."""
    count: int = await db.fetchval(COUNT_QUEUES, tenant)
    return count


async def existing_queues(db: Database, tenant: str, names: Sequence[str]) -> frozenset[str]:
    """Return which of `names` are queues of `tenant`."""
    rows = await db.fetch(EXISTING_QUEUES, tenant, names)
    return frozenset(row["name"] for row in rows)


async def served_queues(db: Database, only: Sequence[str] | None = None) -> frozenset[str]:
    """Return the names of the queues that are not paused, out of `only` when given.

    A name is left out when every tenant that has it has paused it.
    """
    rows = await db.fetch(SERVED_QUEUES, None if only is None else list(only))
    return frozenset(row["name"] for row in rows)


async def depths(db: Database, *, seconds: float = STATEMENT_SECONDS) -> list[Depth] | None:
    """Count the tasks of every queue that have not ended, or return None where the server takes longer than `seconds`.

    About a second for a million tasks that wait, or that have run since the oldest open transaction of anybody began.
    """

    async def unit(connection: asyncpg.Connection) -> list[Depth] | None:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL statement_timeout = '{seconds * 1000:.0f}ms'")
                return [_to_depth(row) for row in await connection.fetch(DEPTHS)]
        except asyncpg.QueryCanceledError:
            return None

    return await db.run(unit)


async def estimated_depths(db: Database) -> list[Depth]:
    """Estimate what `depths` counts from some pages of the tables: quick, and rough.

    Each page stands for all that were left out. Where the tables are large, a queue may seem to hold many times what it
    does, or nothing.
    """
    percent = min(100.0, 100.0 * SAMPLED_PAGES / max(1.0, float(await db.fetchval(COUNT_PAGES))))
    return [_to_depth(row, 100.0 / percent) for row in await db.fetch(ESTIMATED_DEPTHS, percent)]


async def _set_paused(db: Database, tenant: str, name: str, *, paused: bool) -> Queue | None:
    row = await db.fetchrow(SET_PAUSED, tenant, name, paused)
    return None if row is None else _to_queue(row)


def _to_depth(row: Record, weight: float = 1.0) -> Depth:
    return Depth(row["tenant"], row["queue"], TaskState(row["state"]), round(row["count"] * weight))


def _to_queue(row: Record, stats: QueueStats | None = None) -> Queue:
    return Queue(tenant=row["tenant"], name=row["name"], paused=row["paused"], stats=stats)
