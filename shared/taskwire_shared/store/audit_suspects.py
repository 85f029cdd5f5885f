"""What may be overdue: whether it is shows when it is still there after its time.

One look says little on a system at work: there is always something that has just become due, or just lost its
processor. So a look returns suspects, and only those that a later look returns as well are late.
"""

from collections.abc import Sequence

import asyncpg
from msgspec import Struct

from taskwire_shared.domain.audit import Check
from taskwire_shared.domain.task import TaskState
from taskwire_shared.store.audit_connection import AuditConnection

SUSPECTS_MAX = 1_000
"""Of each kind. Those that are dealt with first are taken, so that a long line that moves has none in common with
itself a while later."""
LINES_MAX = 2_000
"""Pairs of a queue and a type that have tasks waiting."""

# In the order in which the sweeper takes them back.
WITHOUT_LEASE = """
SELECT t.id, t.version, t.processor, p.lease_until
FROM tasks t LEFT JOIN processors p ON p.id = t.processor
WHERE t.state = 3 AND (p.id IS NULL OR p.lease_until <= now())
ORDER BY t.id LIMIT $1
"""

# In the order in which the sweeper does it.
OVERDUE = "SELECT id, version, state, due_at FROM tasks WHERE due_at <= now() ORDER BY due_at LIMIT $1"

# Each step looks for the next pair, so that it costs as many look-ups as there are pairs, and not as many as there are
# tasks. `free` is a processor that serves the pair and runs nothing at all: one that runs something may have its
# reasons not to start a task of a type that needs a process to itself.
LINES = """
WITH RECURSIVE line AS (
    (SELECT queue, type FROM tasks WHERE state = 2 ORDER BY queue, type LIMIT 1)
    UNION ALL
    SELECT next.queue, next.type FROM line, LATERAL (
        SELECT queue, type FROM tasks
        WHERE state = 2 AND (tasks.queue, tasks.type) > (line.queue, line.type) ORDER BY queue, type LIMIT 1
    ) AS next
), lines AS MATERIALIZED (SELECT * FROM line LIMIT $1), alive AS MATERIALIZED (
    SELECT p.*, NOT EXISTS (SELECT FROM tasks t WHERE t.processor = p.id AND t.state = 3) AS is_idle
    FROM processors p WHERE p.lease_until > now()
)
SELECT lines.queue, lines.type, first.id, first.version, first.updated_at,
    EXISTS (SELECT FROM queues q WHERE q.name = lines.queue) AS is_known,
    EXISTS (SELECT FROM alive WHERE alive.queues IS NULL OR lines.queue = ANY (alive.queues)) AS queue_is_served,
    served.by > 0 AS is_served, served.by_idle > 0 AS is_idle
FROM lines, LATERAL (
    SELECT t.id, t.version, t.updated_at FROM tasks t
    WHERE t.state = 2 AND t.queue = lines.queue AND t.type = lines.type AND (t.expire_at IS NULL OR t.expire_at > now())
        AND (t.tenant, t.queue) NOT IN (SELECT q.tenant, q.name FROM queues q WHERE q.paused)
    ORDER BY t.priority DESC, t.id LIMIT 1
) AS first, LATERAL (
    SELECT count(*) AS by, count(*) FILTER (WHERE is_idle) AS by_idle FROM alive
    WHERE (alive.queues IS NULL OR lines.queue = ANY (alive.queues)) AND lines.type = ANY (alive.types)
) AS served
"""

SERVED_QUEUES = """
SELECT q.name, bool_or(NOT EXISTS (SELECT FROM tasks t WHERE t.processor = p.id AND t.state = 3)) AS by_idle
FROM queues q JOIN processors p ON p.lease_until > now() AND (p.queues IS NULL OR q.name = ANY (p.queues))
WHERE NOT q.paused
GROUP BY q.name
"""


class Suspect(Struct, frozen=True):
    """Something that is wrong if it lasts."""

    check: Check
    subject: str
    mark: str
    """What would be different if anything had happened to it."""
    detail: str
    is_warning: bool = False


async def look_for_suspects(connection: AuditConnection) -> list[Suspect]:
    """Return what may be overdue, all as of one moment."""
    async with connection.look():
        return [*await _without_lease(connection), *await _overdue(connection), *await _waiting(connection)]


async def served_queues(connection: AuditConnection) -> dict[str, bool]:
    """Return the queues that a live processor serves, and of each whether one of these runs nothing at the moment."""
    return {row["name"]: row["by_idle"] for row in await connection.fetch(SERVED_QUEUES)}


async def _without_lease(connection: AuditConnection) -> Sequence[Suspect]:
    return [
        Suspect(
            Check.LEASES,
            str(row["id"]),
            f"version {row['version']}",
            f"running for processor {row['processor']}, "
            + (f"whose lease ended at {row['lease_until']:%F %T} UTC" if row["lease_until"] else "which is gone"),
        )
        for row in await connection.fetch(WITHOUT_LEASE, SUSPECTS_MAX)
    ]


async def _overdue(connection: AuditConnection) -> Sequence[Suspect]:
    return [
        Suspect(
            Check.DEBTS,
            str(row["id"]),
            f"version {row['version']}",
            f"{TaskState(row['state']).name}, and something was due at {row['due_at']:%F %T} UTC",
        )
        for row in await connection.fetch(OVERDUE, SUSPECTS_MAX)
    ]


async def _waiting(connection: AuditConnection) -> Sequence[Suspect]:
    rows = await connection.fetch(LINES, LINES_MAX)
    return [suspect for suspect in map(_judge_line, rows) if suspect is not None]


def _judge_line(row: asyncpg.Record) -> Suspect | None:
    line = f"{row['type']!r} in queue {row['queue']!r}"
    version = f"{row['id']} version {row['version']}"
    since = f"pending since {row['updated_at']:%F %T} UTC"
    if not row["is_known"]:
        return Suspect(Check.LINES, str(row["id"]), version, f"first of {line}, {since}: there is no such queue")
    if not row["is_served"]:
        # Whichever task is the first: what matters is that nobody comes.
        who = "has this type" if row["queue_is_served"] else "serves this queue"
        return Suspect(Check.LINES, line, "", f"no processor {who}; the first task is {since}", is_warning=True)
    if row["is_idle"]:
        return Suspect(Check.LINES, str(row["id"]), version, f"first of {line}, {since}, and a processor is idle")
    return None
