"""What is owed at a time: to start it, to expire it, to end an attempt that takes too long."""

from taskwire_shared.domain import defaults
from taskwire_shared.domain.outcome import ATTEMPT_TIMED_OUT
from taskwire_shared.domain.ready import Swept
from taskwire_shared.store.database import Database
from taskwire_shared.store.locked import lock_and_change
from taskwire_shared.store.rows import to_swept
from taskwire_shared.store.verdicts import CARRY_OUT, HELD_COLUMNS, Wish, failure_literal

_DOUBLINGS_MAX = 40
"""As in `domain.retry`: past any `max_backoff`, and far from overflowing."""

# Exponential with full jitter, as `domain.retry.backoff_seconds` computes it.
_BACKOFF_SECONDS = f"""
random() * least(
    coalesce(t.max_backoff_ms, {defaults.MAX_BACKOFF_MS}),
    coalesce(t.initial_backoff_ms, {defaults.INITIAL_BACKOFF_MS})
        * power(2, least(t.attempt - t.excused - 1, {_DOUBLINGS_MAX}))
) / 1000
"""

# Rows are locked in the order of the index and never waited for. `now()` is stable, so that it bounds the index scan.
LOCK_DUE = "SELECT t.id FROM tasks t WHERE t.due_at <= now() ORDER BY t.due_at LIMIT $1 FOR UPDATE OF t SKIP LOCKED"

# `now()` is when the transaction began, as for the lock.
START_DUE = f"""
WITH held AS (
    SELECT {HELD_COLUMNS},
        CASE
            WHEN t.state = 3 THEN {Wish.RETRY:d}
            WHEN t.expire_at <= now() THEN {Wish.EXPIRE:d}
            ELSE {Wish.START:d}
        END AS wish,
        CASE t.state WHEN 3 THEN {failure_literal(ATTEMPT_TIMED_OUT, "the attempt took too long")} END AS failure,
        NULL::jsonb AS final_failure,
        CASE t.state WHEN 3 THEN {_BACKOFF_SECONDS} END AS retry_in
    FROM tasks t
    WHERE t.id = ANY ($1::uuid[])
    ORDER BY t.id
), {CARRY_OUT}
"""

NEXT_DUE = "SELECT min(due_at) - clock_timestamp() FROM tasks WHERE due_at IS NOT NULL"


async def start_due(db: Database, limit: int) -> Swept:
    """Do what is due for up to `limit` tasks, the longest overdue first.

    SCHEDULED becomes PENDING; what has expired, FAILED; an attempt whose time is long up is retried, FAILED, or
    CANCELLED where that was asked for.
    """
    return to_swept(await lock_and_change(db, LOCK_DUE, START_DUE, limit))


async def seconds_to_next_due(db: Database) -> float | None:
    """Return the time until something is due, negative when overdue; None when nothing ever will be."""
    pause = await db.fetchval(NEXT_DUE)
    return None if pause is None else float(pause.total_seconds())
