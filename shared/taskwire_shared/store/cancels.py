"""Asking for a task to be stopped."""

from uuid import UUID

from taskwire_shared.domain.task import Task
from taskwire_shared.store.database import Database
from taskwire_shared.store.history import CHANGED_COLUMNS, NOTE_CHANGES, NOW
from taskwire_shared.store.rows import BASIC_COLUMNS, columns, read_columns, storable, to_task

_MORE_COLUMNS = columns(tuple(name for name in BASIC_COLUMNS if f"t.{name}" not in CHANGED_COLUMNS.split(", ")))

CANCEL = f"""
WITH changed AS (
    UPDATE tasks t SET
        state = CASE t.state WHEN 3 THEN 3 ELSE 6 END,
        version = t.version + 1,
        updated_at = {NOW},
        cancel_requested_at = {NOW},
        cancel_reason = $3,
        finished_at = CASE t.state WHEN 3 THEN NULL ELSE {NOW} END,
        due_at = CASE t.state WHEN 3 THEN t.due_at END
    WHERE t.id = $1 AND t.tenant = $2 AND t.state <= 3 AND t.cancel_requested_at IS NULL
    RETURNING {CHANGED_COLUMNS}, {_MORE_COLUMNS}
), noted AS ({NOTE_CHANGES})
SELECT {read_columns(BASIC_COLUMNS, "changed")} FROM changed
"""

READ = f"SELECT {read_columns(BASIC_COLUMNS)} FROM tasks t WHERE t.id = $1 AND t.tenant = $2"


async def cancel(db: Database, tenant: str, task_id: UUID, reason: str) -> Task | None:
    """Cancel a task that waits, or ask a RUNNING one to stop; None when `tenant` has no such task.

    A task that has ended, or was asked before, is left alone. It is returned as it is then, without payloads; RUNNING
    means that its processor is to be told.
    """
    row = await db.fetchrow(CANCEL, task_id, tenant, storable(reason))
    if row is None:
        row = await db.fetchrow(READ, task_id, tenant)
    return None if row is None else to_task(row)
