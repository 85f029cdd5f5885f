"""What running attempts have reported of late, for those who watch them."""

from collections.abc import Sequence
from uuid import UUID

from taskwire_shared.domain.task import Progress
from taskwire_shared.store.database import Database
from taskwire_shared.store.history import STATE

RECENT_PROGRESS = f"""
SELECT t.id, t.progress_fraction, t.progress_message, t.progress_at FROM tasks t
WHERE t.id = ANY ($1::uuid[]) AND {STATE} = 3
    AND t.progress_at > clock_timestamp() - make_interval(secs => $2::float8)
"""


async def recent_progress(db: Database, ids: Sequence[UUID], seconds: float) -> dict[UUID, Progress]:
    """Return the newest report of those of `ids` that are RUNNING and have reported within the last `seconds`."""
    rows = await db.fetch(RECENT_PROGRESS, ids, seconds)
    return {
        row["id"]: Progress(row["progress_fraction"], row["progress_message"] or "", row["progress_at"]) for row in rows
    }
