"""Whether the database answers."""

from taskwire_shared.store.database import Database

PROBE = "SELECT 1"


async def probe(db: Database) -> None:
    """Return as soon as the database has answered. Raises BackendUnavailable when it does not."""
    await db.execute(PROBE)
