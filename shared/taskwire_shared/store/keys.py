"""Forgetting idempotency keys that nothing stands behind any more."""

from datetime import UTC, datetime, timedelta

from taskwire_shared.store.creations import KEY_HOURS
from taskwire_shared.store.database import Database

KEYS_MAX = 10_000
"""Keys looked at by one statement, more than one batch of creations can store at the same time."""
_EVER = datetime(1970, 1, 1, tzinfo=UTC)

# By age and page by page, so that old keys whose tasks still exist do not hide the others.
PURGE_KEYS = """
WITH looked_at AS (
    SELECT k.tenant, k.queue, k.key, k.task_id, k.created_at FROM idempotency_keys k
    WHERE k.created_at >= $1 AND k.created_at < now() - $2::interval
    ORDER BY k.created_at LIMIT $3
    FOR UPDATE SKIP LOCKED
), purged AS (
    DELETE FROM idempotency_keys k USING looked_at l
    WHERE k.tenant = l.tenant AND k.queue = l.queue AND k.key = l.key
        AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = l.task_id)
    RETURNING 1
)
SELECT (SELECT count(*) FROM purged) AS purged, (SELECT count(*) FROM looked_at) AS looked_at,
    (SELECT max(created_at) FROM looked_at) AS newest
"""


async def purge_keys(db: Database, *, retention: timedelta, page: int = KEYS_MAX) -> int:
    """Delete the keys whose tasks are gone and return how many these were.

    Tasks are kept for `retention`, so that younger keys need not be looked at.
    """
    # A task may have been created a day after the time in its id, by which its day is dropped.
    age = max(retention - timedelta(days=1), timedelta(hours=KEY_HOURS))
    purged: int = 0
    after = _EVER
    while True:
        row = await db.fetchrow(PURGE_KEYS, after, age, page)
        assert row is not None
        purged += int(row["purged"])
        if row["looked_at"] < page or row["newest"] == after:
            return purged
        after = row["newest"]
