"""What the supervisor itself looks at: what is overdue, how promptly tasks start at rest, what Postgres has logged."""

import asyncio
from random import Random
from uuid import UUID

from taskwire.client import Client
from taskwire.errors import TaskwireError
from taskwire.ids import fresh_task_id
from taskwire_chaos.handlers import Wish
from taskwire_chaos.journal import Call, Idle, Overdue, Prompt, Reply, ServerSaid
from taskwire_chaos.site import Site

PROMPTS = 15
PROMPT_SECONDS = 15.0
"""How long one of them may take before it counts as never started."""
POLL_SECONDS = 0.25
_FORBIDDEN = ("deadlock detected", "canceling statement due to user request")

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
        return False
    return True


async def try_promptness(site: Site, random: Random) -> None:
    """Create tasks one by one at rest, and write down how long each waited for its start."""
    async with Client(site.addresses[0]) as client:
        for _ in range(PROMPTS):
            await asyncio.sleep(random.uniform(0.05, 0.35))
            await _try_once(site, client)


async def _try_once(site: Site, client: Client) -> None:
    task_id = fresh_task_id()
    site.journal.write(Call(op=task_id, method="create", tasks=(task_id,), content=task_id, kind="brief"))
    try:
        await client.create("chaos.work", Wish(ms=0, tag=task_id), task_id=task_id, max_attempts=30)
        async with asyncio.timeout(PROMPT_SECONDS):
            await client.wait(task_id)
    except (TaskwireError, TimeoutError):
        site.journal.write(Reply(op=task_id, verdict="unknown"))
        site.journal.write(Prompt(task=task_id, seconds=PROMPT_SECONDS))
        return
    site.journal.write(Reply(op=task_id, verdict="ok", tasks=(task_id,)))
    async with site.connection() as connection:
        waited = await connection.fetchval(
            "SELECT extract(epoch FROM started_at - created_at)::float8 FROM tasks WHERE id = $1", UUID(task_id)
        )
    site.journal.write(Prompt(task=task_id, seconds=waited))


async def look_at_connections(site: Site) -> None:
    """Write down who has left a transaction open."""
    async with site.connection() as connection:
        for row in await connection.fetch(_IDLE):
            site.journal.write(Idle(connection=row["application_name"]))


def read_server_log(site: Site) -> None:
    """Write down what Postgres has logged and should not have."""
    with site.postgres.log.open(errors="replace") as log:
        for line in log:
            if any(words in line for words in _FORBIDDEN):
                site.journal.write(ServerSaid(what=line.strip()))
