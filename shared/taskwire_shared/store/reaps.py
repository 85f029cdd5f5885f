"""Getting tasks back from processors that are gone."""

from collections.abc import Sequence
from uuid import UUID

from taskwire_shared.domain.outcome import WORKER_LOST, Fence, HandedBack
from taskwire_shared.domain.ready import Swept
from taskwire_shared.store.completions import Settled, settle
from taskwire_shared.store.database import Database
from taskwire_shared.store.history import STATE
from taskwire_shared.store.locked import lock_and_change
from taskwire_shared.store.rows import to_swept
from taskwire_shared.store.verdicts import CARRY_OUT, HELD_COLUMNS, Wish, failure_literal

BURY_AFTER_SECONDS = 3600
"""For so long the row of a dead processor is kept, for people who ask what became of it."""

_LEAST_ID = UUID(int=0)
_GREATEST_ID = UUID(int=2**128 - 1)

# In `tasks_running`, the tasks of the dead lie in the gaps between those of the living. These are stepped over: there
# may be a million entries of theirs, of tasks that ended while an open transaction of somebody else kept them from
# being cleared away, and to look at them all takes a second. Rows are locked in the order of the index and never waited
# for.
LOCK_LOST = f"""
WITH edges AS (
    SELECT id FROM processors WHERE lease_until > now()
    UNION ALL VALUES ('{_LEAST_ID}'::uuid), ('{_GREATEST_ID}'::uuid)
), gaps AS (
    SELECT id AS above, lead(id) OVER (ORDER BY id) AS below FROM edges
)
SELECT lost.id FROM gaps, LATERAL (
    SELECT t.id FROM tasks t
    WHERE t.state = 3 AND t.processor > gaps.above AND t.processor < gaps.below
    ORDER BY t.processor LIMIT $1
    FOR UPDATE OF t SKIP LOCKED
) AS lost
LIMIT $1
"""

# Once more who is alive: between its beginning and its lock, somebody else may have taken a task back, and a processor
# that the statement above did not see may have claimed it.
TAKE_BACK = f"""
WITH held AS (
    SELECT {HELD_COLUMNS}, {Wish.TAKE_BACK:d} AS wish,
        {failure_literal(WORKER_LOST, "the processor stopped renewing its lease")} AS failure,
        NULL::jsonb AS final_failure, NULL::double precision AS retry_in
    FROM tasks t
    WHERE t.id = ANY ($1::uuid[]) AND {STATE} = 3
        AND NOT EXISTS (SELECT FROM processors p WHERE p.id = t.processor AND p.lease_until > now())
    ORDER BY t.id
), {CARRY_OUT}
"""

BURY = f"""
DELETE FROM processors p
WHERE p.lease_until < now() - interval '{BURY_AFTER_SECONDS} seconds'
    AND NOT EXISTS (SELECT FROM tasks t WHERE t.processor = p.id AND t.state = 3)
"""


async def take_back(db: Database, limit: int) -> Swept:
    """End up to `limit` RUNNING attempts whose processor has no live lease.

    The task becomes PENDING, or FAILED when its attempts are used up, or CANCELLED where that was asked for.
    """
    return to_swept(await lock_and_change(db, LOCK_LOST, TAKE_BACK, limit))


async def hand_back_unknown(db: Database, processor: UUID, fences: Sequence[Fence]) -> list[Settled]:
    """Give back tasks that `processor` holds without knowing, since the reply to its claim was lost. Excused."""
    return await settle(db, processor, [HandedBack(fence) for fence in fences])


async def bury(db: Database) -> None:
    """Delete the rows of processors that died long ago and hold nothing."""
    await db.execute(BURY)
