"""Taking ready tasks: PENDING to RUNNING, for a processor whose lease is alive."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import asyncpg
from msgspec import Struct

from taskwire_shared.domain import defaults
from taskwire_shared.domain.task import ClaimedTask
from taskwire_shared.store.database import Database
from taskwire_shared.store.day import ids_by_day, on_their_day
from taskwire_shared.store.history import CHANGED_COLUMNS, NOTE_CHANGES, NOW, STATE, found_by_id
from taskwire_shared.store.locked import change_locked, hold_briefly
from taskwire_shared.store.queues import served_queues
from taskwire_shared.store.rows import CLAIMED_COLUMNS, read_columns, to_claimed_task

BEYOND_GRACE_SECONDS = 5.0
"""After an attempt's time and the grace of its handler, until the sweeper ends it: the processor does so itself."""
DUE_SLACK_SECONDS = defaults.CANCEL_GRACE_SECONDS + BEYOND_GRACE_SECONDS
"""Both together, where a processor gives no other grace."""

# `now()` is when this statement began: stable, so that it can be part of an index condition.
_OPEN = """
(t.expire_at IS NULL OR t.expire_at > now())
AND (t.tenant, t.queue) NOT IN (SELECT q.tenant, q.name FROM queues q WHERE q.paused)
"""
_CLAIMABLE = f"""
{_OPEN}
AND EXISTS (SELECT FROM processors p WHERE p.id = $1 AND p.lease_until > clock_timestamp())
"""

CLAIM = f"""
WITH held AS (
    SELECT t.id FROM tasks t
    WHERE t.id = ANY ($2::uuid[]) AND {STATE} = 2 AND t.type = ANY ($3::text[]) AND {_CLAIMABLE}
    ORDER BY t.id LIMIT $4
    FOR UPDATE OF t SKIP LOCKED
), changed AS (
    UPDATE tasks t SET
        state = 3, version = t.version + 1, attempt = t.attempt + 1, processor = $1,
        started_at = {NOW}, updated_at = {NOW},
        due_at = {NOW} + (t.attempt_timeout_ms * 0.001 + $5::double precision) * interval '1 second',
        progress_fraction = NULL, progress_message = NULL, progress_at = NULL
    FROM held
    WHERE {found_by_id("held")}
    RETURNING {CHANGED_COLUMNS}, t.queue, t.type, t.priority, t.input, t.input_is_text, t.input_content_type,
        t.max_attempts, t.attempt_timeout_ms, t.initial_backoff_ms, t.max_backoff_ms, t.created_at
), noted AS ({NOTE_CHANGES})
SELECT {read_columns(CLAIMED_COLUMNS, "changed")} FROM changed
"""

# Of each queue and type the first rows by the index, then the first of them all. Rows are locked in the order of the
# index and never waited for, so that two claimers cannot block each other; what is locked in vain is free right after.
# The ids are in the index as well, so that nothing outside of the slice is looked at in the table. They are compared as
# rows so that the server does not also leave out days by them.
#
# That they are claimed by another statement has its reason: see `day`.
LOCK_WAITING = f"""
SELECT first.id
FROM unnest($2::text[]) AS queue(name), unnest($3::text[]) AS type(name),
LATERAL (
    SELECT t.id, t.priority FROM tasks t
    WHERE t.state = 2 AND t.queue = queue.name AND t.type = type.name
        AND (t.id, t.queue) >= ($5, '') AND (t.id, t.queue) < ($6, '') AND {_CLAIMABLE}
    ORDER BY t.priority DESC, t.id LIMIT $4
    FOR UPDATE OF t SKIP LOCKED
) AS first
ORDER BY first.priority DESC, first.id LIMIT $4
"""


STILL_WAITING = f"""
SELECT t.id FROM tasks t
WHERE t.id = ANY ($1::uuid[]) AND {STATE} = 2 AND {_OPEN}
"""


class Slice(Struct, frozen=True):
    """The ids from `start` up to, but not with, `end`: the tasks of some time, since an id begins with its time."""

    start: UUID
    end: UUID


EVERYTHING = Slice(UUID(int=0), UUID(int=2**128 - 1))

STEP_SECONDS_MAX = 2.0
"""For one statement of a slow claim: meanwhile rows are locked that others want."""


class CutOff(Exception):
    """To look at what waits took longer than it may. Nothing was claimed."""


async def claim_rung(
    db: Database,
    processor: UUID,
    ids: Sequence[UUID],
    types: Sequence[str],
    limit: int,
    due_slack_seconds: float = DUE_SLACK_SECONDS,
) -> list[ClaimedTask]:
    """Claim up to `limit` of the tasks `ids` for `processor`.

    `due_slack_seconds` after its time is up, an attempt is ended by others. It has to cover the processor's grace.
    Left out are those that are not PENDING, of other types than `types`, of a paused queue, expired, or being changed
    by somebody else at this moment. Returns nothing when the processor's lease has passed.
    """
    claimed: list[ClaimedTask] = []
    for part in ids_by_day(ids):
        claim = partial(_claim, db, processor, part, types, limit - len(claimed), due_slack_seconds)
        claimed += await on_their_day(CLAIM, part, claim)
    return claimed


async def _claim(
    db: Database,
    processor: UUID,
    ids: Sequence[UUID],
    types: Sequence[str],
    limit: int,
    due_slack_seconds: float,
    statement: str,
) -> list[ClaimedTask]:
    rows = await db.fetch(statement, processor, ids, types, limit, due_slack_seconds)
    return [to_claimed_task(row) for row in rows]


async def still_waiting(db: Database, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Return those of `ids` that somebody could claim."""
    return frozenset(row["id"] for row in await db.fetch(STILL_WAITING, ids))


async def claim_waiting(
    db: Database,
    processor: UUID,
    queues: Sequence[str] | None,
    types: Sequence[str],
    limit: int,
    slice_: Slice = EVERYTHING,
    due_slack_seconds: float = DUE_SLACK_SECONDS,
    *,
    seconds: float = STEP_SECONDS_MAX,
) -> list[ClaimedTask]:
    """Claim up to `limit` tasks that wait in `queues` (None for all), the most urgent and oldest of `slice_` first.

    The slow path, for what no ring has brought. The same are left out as by `claim_rung`.

    Raises:
        CutOff: To find them took longer than `seconds`.
    """
    open_queues = sorted(await served_queues(db, queues))
    if not open_queues:
        return []

    async def unit(connection: asyncpg.Connection) -> list[asyncpg.Record] | None:
        async with connection.transaction():
            await hold_briefly(connection)
            await _allow(connection, seconds)
            try:
                locked = await connection.fetch(
                    LOCK_WAITING, processor, open_queues, types, limit, slice_.start, slice_.end
                )
            except asyncpg.QueryCanceledError:
                return None
            if not locked:
                return []
            await _allow(connection, STEP_SECONDS_MAX)
            ids = [row["id"] for row in locked]
            return await change_locked(
                connection, CLAIM, ids, lambda some: (processor, some, types, len(some), due_slack_seconds)
            )

    rows = await db.run(unit)
    if rows is None:
        raise CutOff
    return [to_claimed_task(row) for row in rows]


async def _allow(connection: asyncpg.Connection, seconds: float) -> None:
    """Limit each of the next statements of a transaction."""
    await connection.execute(f"SET LOCAL statement_timeout = '{seconds * 1000:.0f}ms'")
