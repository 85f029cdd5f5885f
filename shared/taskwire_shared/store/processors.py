"""The processors that are alive, and what each of them holds."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from taskwire_shared.store.database import Database
from taskwire_shared.store.day import ids_by_day, on_their_day
from taskwire_shared.store.history import STATE

REGISTER = """
INSERT INTO processors (id, started_at, lease_until, concurrency, queues, types, host)
VALUES ($1, clock_timestamp(), clock_timestamp() + $2 * interval '1 second', $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until
"""
RENEW = """
UPDATE processors SET lease_until = clock_timestamp() + $2 * interval '1 second'
WHERE id = $1 AND lease_until > clock_timestamp()
RETURNING true
"""
_HOLDING = "SELECT t.id, t.attempt, t.cancel_requested_at IS NOT NULL AS cancel_requested, t.started_at FROM tasks t"
READ_HOLDINGS = f"{_HOLDING} WHERE t.processor = $1 AND t.state = 3"
READ_HELD = f"{_HOLDING} WHERE t.id = ANY ($2::uuid[]) AND t.processor = $1 AND {STATE} = 3"
DEREGISTER = "DELETE FROM processors WHERE id = $1"


class Processor(Struct, frozen=True, kw_only=True):
    """What a processor says of itself."""

    id: UUID
    queues: Sequence[str] | None
    """None serves them all."""
    types: Sequence[str]
    concurrency: int
    host: str


class Holding(Struct, frozen=True):
    """A task that is RUNNING under a processor, as the database sees it."""

    task_id: UUID
    attempt: int
    cancel_requested: bool
    started_at: datetime


class Holdings(Struct, frozen=True):
    """Everything that is RUNNING under a processor."""

    now: datetime
    """The time of the database, to compare `started_at` with."""
    held: list[Holding]


async def register(db: Database, processor: Processor, lease_seconds: float) -> None:
    """Begin a lease under a fresh id. May be repeated where it is not known whether it has begun."""
    await db.execute(
        REGISTER,
        processor.id,
        lease_seconds,
        processor.concurrency,
        None if processor.queues is None else list(processor.queues),
        list(processor.types),
        processor.host,
    )


async def renew(db: Database, processor: UUID, lease_seconds: float) -> bool:
    """Prolong a lease. False when it has passed already: the id is dead then, and its tasks are being taken back."""
    return await db.fetchval(RENEW, processor, lease_seconds) is not None


async def holdings(db: Database, processor: UUID) -> Holdings:
    """Return everything that is RUNNING under `processor`.

    While any transaction of anybody is open, this steps over everything that has run here since it began.
    """
    now = await db.fetchval("SELECT clock_timestamp()")
    return Holdings(now=now, held=_to_holdings(await db.fetch(READ_HOLDINGS, processor)))


async def held(db: Database, processor: UUID, ids: Sequence[UUID]) -> list[Holding]:
    """Return those of `ids` that are RUNNING under `processor`."""
    found: list[Holding] = []
    for part in ids_by_day(ids):
        found += await on_their_day(READ_HELD, part, partial(_read_held, db, processor, part))
    return found


async def _read_held(db: Database, processor: UUID, ids: Sequence[UUID], statement: str) -> list[Holding]:
    return _to_holdings(await db.fetch(statement, processor, ids))


async def deregister(db: Database, processor: UUID) -> None:
    """End a lease. What is still RUNNING under it is taken back at once, and these attempts count."""
    await db.execute(DEREGISTER, processor)


def _to_holdings(rows: Sequence[Record]) -> list[Holding]:
    return [Holding(row["id"], row["attempt"], row["cancel_requested"], row["started_at"]) for row in rows]
