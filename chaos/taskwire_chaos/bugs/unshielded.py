"""S14: work on the database is cancelled with the call that has asked for it."""

from typing import Any

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_shared.store.database import Database

    async def run(database: Any, unit: Any) -> Any:
        return await database._run(unit)

    replace(Database, "run", lambda _: run)
