"""S12: the lease is renewed from a thread of its own, which goes on when the loop that does the work stands still."""

import asyncio
import os
import threading
from typing import Any

import asyncpg

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_processor.leaseholder import Leaseholder
    from taskwire_shared.store import processors

    async def renew_for_ever(processor: Any, seconds: float) -> None:
        connection = await asyncpg.connect(os.environ["TASKWIRE_DATABASE_URL"])
        while True:
            await connection.execute(processors.RENEW, processor, seconds)
            await asyncio.sleep(seconds / 10)

    async def hold(leaseholder: Any) -> None:
        lease = leaseholder._lease
        beat = lambda: asyncio.run(renew_for_ever(lease.processor.id, lease._seconds))  # noqa: E731
        threading.Thread(target=beat, daemon=True).start()
        while True:
            await asyncio.sleep(lease.pause_seconds)
            await leaseholder._square_up()

    replace(Leaseholder, "hold", lambda _: hold)
