"""Lets time pass by hand: what is ahead is set into the past, as it would be in a row to which it had come."""

from datetime import timedelta
from uuid import UUID

from taskwire_shared.store.database import Database

FAR = timedelta(days=1)
"""No time that a task is given comes by itself."""

# What a task is due at follows from its other times, except while it runs.
_DUE = """
UPDATE tasks SET due_at = CASE state WHEN 1 THEN least(schedule_at, expire_at) WHEN 2 THEN expire_at ELSE due_at END
WHERE id = $1
"""
_EVENT = """
UPDATE task_events e SET schedule_at = t.schedule_at FROM tasks t
WHERE t.id = $1 AND e.task_id = t.id AND e.version = t.version
"""


async def set_schedule(db: Database, task: UUID, ahead: timedelta) -> None:
    """Let a SCHEDULED task start at another time."""
    await db.execute("UPDATE tasks SET schedule_at = now() + $2::interval WHERE id = $1", task, ahead)
    await db.execute(_DUE, task)
    await db.execute(_EVENT, task)


async def end_attempt(db: Database, task: UUID) -> None:
    """Let the time of a RUNNING attempt be over."""
    await db.execute("UPDATE tasks SET due_at = now() - interval '1 s' WHERE id = $1", task)


async def expire(db: Database, task: UUID) -> None:
    """Let a task's expiry be over."""
    await db.execute("UPDATE tasks SET expire_at = now() - interval '2 s' WHERE id = $1", task)
    await db.execute(_DUE, task)


async def end_lease(db: Database, holder: UUID) -> None:
    """Let a processor's lease be over."""
    await db.execute("UPDATE processors SET lease_until = now() - interval '1 s' WHERE id = $1", holder)
