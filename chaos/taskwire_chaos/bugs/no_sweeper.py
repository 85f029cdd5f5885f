"""S2: nobody starts what is due and nobody takes back what the dead have held."""

import asyncio
from typing import Any

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_shared.upkeep.sweeper import Sweeper

    async def run(_: Any) -> None:
        await asyncio.Event().wait()

    replace(Sweeper, "run", lambda _: run)
