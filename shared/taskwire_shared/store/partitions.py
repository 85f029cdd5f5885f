"""The days that `tasks` and `task_events` are divided into."""

from datetime import UTC, date, datetime, timedelta

import asyncpg

from taskwire_shared.domain.ids import floor_id
from taskwire_shared.store.database import Database

DAYS_BEHIND = 1
"""Ids chosen by callers may be 24 h old."""
DAYS_AHEAD = 7
LOCK_SECONDS = 2
"""How long attaching a day waits for its turn: whoever queues behind us waits as long."""
PARENTS = {"tasks": "id", "task_events": "task_id"}
"""The partitioned tables and the column that divides each."""

# Any number will do, as long as nobody else takes it. Held for one transaction, while a day is made.
_ADVISORY_LOCK = 0x7461736B_64617973

# In the schema of their parents: another one may hold tables of the same names. Read from the catalogue and not by
# `to_regclass`, which may answer from a cache what was so before we waited for our turn.
FIND_DAYS = """
SELECT c.relname FROM pg_class c JOIN pg_class p ON p.relnamespace = c.relnamespace
WHERE p.oid = 'tasks'::regclass AND c.relname = ANY ($1::text[])
"""

# A column of the parent only, so that partitions get no default of their own for it.
_LIKE = "INCLUDING ALL EXCLUDING IDENTITY"

# Vacuum and analyze at 5 % of change instead of 20 % and 10 %, so that statistics and the partial indexes keep up with
# tens of thousands of changes a second.
_BUSY = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05"
_STORAGE = {
    # A task is changed twice or more, soon after it was stored: with room for that on its page, a life of three
    # statements takes 2,180 bytes of WAL instead of 2,550, and 7 % less of Postgres.
    "tasks": f"{_BUSY}, fillfactor = 45",
    "task_events": _BUSY,
}


def partition_name(parent: str, day: date) -> str:
    """Return the name of the table that holds one day (UTC) of `parent`."""
    return f"{parent}_{day:%Y%m%d}"


async def ensure_partitions(
    db: Database, *, today: date | None = None, days_ahead: int = DAYS_AHEAD, days_behind: int = DAYS_BEHIND
) -> list[str]:
    """Make the days around `today` (UTC; the server's by default) that do not exist yet, and return their names.

    Safe to run in many processes at once.

    Raises:
        BackendUnavailable: A day could not be attached since others kept the parent locked; repeat later.
    """
    first = (today or (await db.now()).date()) - timedelta(days=days_behind)
    days = [first + timedelta(days=number) for number in range(days_behind + 1 + days_ahead)]
    wanted = {partition_name(parent, day): (parent, day) for day in days for parent in PARENTS}
    found = {row["relname"] for row in await db.fetch(FIND_DAYS, list(wanted))}
    missing = [name for name in wanted if name not in found]
    return [name for name in missing if await _ensure(db, name, *wanted[name])]


async def _ensure(db: Database, name: str, parent: str, day: date) -> bool:
    async def unit(connection: asyncpg.Connection) -> bool:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY_LOCK)
            if await connection.fetch(FIND_DAYS, [name]):
                return False
            await _make(connection, name, parent, day)
            return True

    return await db.run(unit)


async def _make(connection: asyncpg.Connection, name: str, parent: str, day: date) -> None:
    # `CREATE ... PARTITION OF` would lock the parent exclusively. A table like it, with a CHECK that proves where its
    # rows belong, is attached under a lock that reads and writes go on beside.
    column = PARENTS[parent]
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    low, high = floor_id(midnight), floor_id(midnight + timedelta(days=1))
    await connection.execute(f"CREATE TABLE {name} (LIKE {parent} {_LIKE}) WITH ({_STORAGE[parent]})")
    await connection.execute(
        f"ALTER TABLE {name} ADD CONSTRAINT {name}_day CHECK ({column} >= '{low}' AND {column} < '{high}')"
    )
    await connection.execute(f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}')")
    await connection.execute(f"ALTER TABLE {name} DROP CONSTRAINT {name}_day")
