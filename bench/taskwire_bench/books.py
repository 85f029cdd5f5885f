"""The database as an auditor sees it: whether all is done, and what is really there afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from taskwire_bench.failure import Dishonest

_POLL_SECONDS = 0.25
"""How often the end is looked for. The figures do not depend on it: the database knows when it was. A look steps over
what has left the indexes since the pass began: with one each 0.05 s they took 0.9 us of each task."""

# Both are answered by the partial indexes, whatever else is in the tables.
_BUSY = "SELECT EXISTS (SELECT FROM tasks WHERE state = 2) OR EXISTS (SELECT FROM tasks WHERE state = 3)"
_TASKS = """
SELECT count(*) AS tasks, count(*) FILTER (WHERE state = 4) AS succeeded, min(created_at) AS first_created,
    max(created_at) AS last_created, max(finished_at) AS last_finished,
    count(*) FILTER (WHERE version = 3 AND attempt = 1) AS undisturbed, count(output) AS results
FROM tasks WHERE id >= $1
"""
_EVENTS = """
SELECT count(*) AS events, count(*) FILTER (WHERE state = 2 AND version = 1) AS created,
    count(*) FILTER (WHERE state = 3 AND version = 2) AS claimed,
    count(*) FILTER (WHERE state = 4 AND version = 3) AS succeeded
FROM task_events WHERE task_id >= $1
"""


class Audit(Struct, frozen=True, kw_only=True):
    """What was found after a run, all of it there."""

    tasks: int
    events: int
    repeated: int
    """Tasks that took more than one attempt."""
    first_created: datetime
    last_created: datetime
    last_finished: datetime


class Books:
    """Looks into one database."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str) -> AsyncIterator["Books"]:
        """Connect until the block ends."""
        connection = await asyncpg.connect(database_url, server_settings={"application_name": "taskwire bench"})
        try:
            # For the two looks that happen while something is measured. The audit reads whole tables anyway.
            await connection.execute("SET enable_seqscan = off")
            yield cls(connection)
        finally:
            await connection.close()

    async def clear(self) -> None:
        """Empty the tables, and write down what was put off, so that no run pays for another."""
        await self._connection.execute("TRUNCATE tasks, task_events, idempotency_keys")
        await self.write_down()

    async def write_down(self) -> None:
        """Let Postgres write down what it has put off."""
        await self._connection.execute("CHECKPOINT")

    async def wait_until_done(self, *, patience_seconds: float) -> None:
        """Wait until no task waits or runs. Raises Dishonest when that does not happen in time."""
        try:
            async with asyncio.timeout(patience_seconds):
                while await self._connection.fetchval(_BUSY):
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise Dishonest(f"tasks were still waiting or running after {patience_seconds:.0f} s") from None

    async def audit(self, expected: int, *, since: UUID) -> Audit:
        """Count what is there of the tasks with ids from `since` on.

        Raises:
            Dishonest: Something is missing, or too much.
        """
        tasks = await self._connection.fetchrow(_TASKS, since)
        events = await self._connection.fetchrow(_EVENTS, since)
        found = (tasks["tasks"], tasks["succeeded"], tasks["results"], events["created"], events["succeeded"])
        if found != (expected,) * 5 or events["claimed"] != expected or events["events"] < 3 * expected:
            raise Dishonest(f"of {expected} tasks there are {dict(tasks)} and of their events {dict(events)}")
        return Audit(
            tasks=tasks["tasks"],
            events=events["events"],
            repeated=tasks["tasks"] - tasks["undisturbed"],
            first_created=tasks["first_created"],
            last_created=tasks["last_created"],
            last_finished=tasks["last_finished"],
        )

    async def count(self, *, since: UUID) -> int:
        """Return how many tasks there are with ids from `since` on."""
        return int(await self._connection.fetchval("SELECT count(*) FROM tasks WHERE id >= $1", since))

    async def outputs(self, *, since: UUID) -> dict[str, bytes]:
        """Return the result of every task by its id."""
        rows = await self._connection.fetch("SELECT id, output FROM tasks WHERE id >= $1 AND state = 4", since)
        return {str(row["id"]): row["output"] for row in rows}

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run any statement and return its rows."""
        return list(await self._connection.fetch(statement, *arguments))
