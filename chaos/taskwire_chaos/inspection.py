"""What the supervisor itself looks at: what is overdue, what Postgres has logged."""

import asyncio

from taskwire_chaos.journal import Idle, Overdue, ServerSaid
from taskwire_chaos.site import Site

POLL_SECONDS = 0.25
_FORBIDDEN = (
    "deadlock detected",
    "canceling statement due to user request",
    "canceling wait for synchronous replication due to user request",
)

_OVERDUE = """
SELECT id::text, CASE state
        WHEN 1 THEN 'has been due'
        WHEN 2 THEN 'has been pending'
        ELSE 'has been held by a processor that is gone'
    END AS what,
    extract(epoch FROM clock_timestamp() - CASE state WHEN 1 THEN due_at ELSE updated_at END)::float8 AS seconds
FROM tasks t
WHERE (state = 1 AND due_at < clock_timestamp() - $1 * interval '1 second')
    OR (state = 2 AND updated_at < clock_timestamp() - $1 * interval '1 second')
    OR (state = 3 AND updated_at < clock_timestamp() - $1 * interval '1 second'
        AND NOT EXISTS (SELECT FROM processors p WHERE p.id = t.processor AND p.lease_until > clock_timestamp()))
"""
_UNFINISHED = """
SELECT id::text, state, extract(epoch FROM clock_timestamp() - updated_at)::float8 AS seconds
FROM tasks WHERE state < 4
"""
_IDLE = """
SELECT application_name FROM pg_stat_activity
WHERE state LIKE 'idle in transaction%' AND clock_timestamp() - state_change > interval '5 seconds'
"""


async def look_for_overdue(site: Site, bound_seconds: float) -> None:
    """Write down what has been owed for longer than `bound_seconds`."""
    async with site.connection() as connection:
        for row in await connection.fetch(_OVERDUE, bound_seconds):
            site.journal.write(Overdue(task=row["id"], what=row["what"], seconds=row["seconds"]))


async def wait_for_the_end(site: Site, bound_seconds: float) -> bool:
    """Wait until every task has ended and tell whether they have; write down those that have not in time."""
    rows = []
    try:
        async with asyncio.timeout(bound_seconds), site.connection() as connection:
            while rows := await connection.fetch(_UNFINISHED):
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        for row in rows:
            what = f"is unfinished in state {row['state']}, and has been"
            site.journal.write(Overdue(task=row["id"], what=what, seconds=row["seconds"]))
        if not rows:
            site.journal.write(Overdue(task="", what="nobody could say what is unfinished", seconds=bound_seconds))
        return False
    return True


async def look_at_connections(site: Site) -> None:
    """Write down who has left a transaction open."""
    async with site.connection() as connection:
        for row in await connection.fetch(_IDLE):
            site.journal.write(Idle(connection=row["application_name"]))


def read_server_log(site: Site) -> None:
    """Write down what Postgres has logged and should not have."""
    for server in (site.postgres, site.standby):
        if server is None:
            continue
        with server.log.open(errors="replace") as log:
            for line in log:
                if any(words in line for words in _FORBIDDEN):
                    site.journal.write(ServerSaid(what=line.strip()))
