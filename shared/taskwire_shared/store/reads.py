"""One task, as it is now."""

from uuid import UUID

from taskwire_shared.domain.task import Task, TaskState, WaitReason
from taskwire_shared.store.database import Database
from taskwire_shared.store.rows import BASIC_COLUMNS, FULL_COLUMNS, read_columns, to_task

_TASK = "SELECT %s FROM tasks t WHERE t.id = $1 AND t.tenant = $2"
GET_TASK = _TASK % read_columns(BASIC_COLUMNS)
GET_TASK_FULL = _TASK % read_columns(FULL_COLUMNS)

WHAT_HOLDS_UP = """
SELECT
    coalesce((SELECT q.paused FROM queues q WHERE q.tenant = $1 AND q.name = $2), false) AS paused,
    EXISTS (
        SELECT FROM processors p
        WHERE p.lease_until > clock_timestamp() AND (p.queues IS NULL OR $2 = ANY (p.queues)) AND $3 = ANY (p.types)
    ) AS served
"""


async def get_task(db: Database, tenant: str, task_id: UUID, *, full: bool) -> Task | None:
    """Return a task of `tenant`, with its payloads when `full`, or None where there is none."""
    row = await db.fetchrow(GET_TASK_FULL if full else GET_TASK, task_id, tenant)
    return None if row is None else to_task(row, full=full)


async def wait_reason(db: Database, task: Task) -> WaitReason:
    """Tell why `task`, as just read, has not started."""
    if task.state == TaskState.SCHEDULED:
        return WaitReason.BACKOFF if task.attempt else WaitReason.SCHEDULED
    if task.state != TaskState.PENDING:
        return WaitReason.NONE
    row = await db.fetchrow(WHAT_HOLDS_UP, task.tenant, task.queue, task.type)
    assert row is not None
    if row["paused"]:
        return WaitReason.QUEUE_PAUSED
    return WaitReason.IN_LINE if row["served"] else WaitReason.NO_PROCESSOR
