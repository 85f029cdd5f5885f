"""S8: a lease ends by the clock of the processor and not by that of the database."""

import time
from typing import Any

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_shared.store import processors

    async def register(db: Any, processor: Any, lease_seconds: float) -> None:
        await db.execute(
            "INSERT INTO processors (id, started_at, lease_until, concurrency, queues, types, host)"
            " VALUES ($1, clock_timestamp(), to_timestamp($2), $3, $4, $5, $6)",
            processor.id,
            time.time() + lease_seconds,
            processor.concurrency,
            None if processor.queues is None else list(processor.queues),
            list(processor.types),
            processor.host,
        )

    async def renew(db: Any, processor: Any, lease_seconds: float) -> bool:
        found = await db.fetchval(
            "UPDATE processors SET lease_until = to_timestamp($2) WHERE id = $1 RETURNING true",
            processor,
            time.time() + lease_seconds,
        )
        return found is not None

    replace(processors, "register", lambda _: register)
    replace(processors, "renew", lambda _: renew)
