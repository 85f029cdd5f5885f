"""S13: nobody looks whether the connection to NATS hears: no echo, no ping, no look at what the slow claim finds."""

import asyncio
from typing import Any

from taskwire_chaos.planted.replacing import replace


def plant() -> None:
    """See the module."""
    from taskwire_processor.deafness import Deafness
    from taskwire_shared.bus import link

    async def watch(_: Any) -> None:
        await asyncio.Event().wait()

    replace(link.Link, "_watch", lambda _: watch)
    replace(link, "PING_SECONDS", lambda _: 3600)
    replace(Deafness, "judge", lambda _: lambda *_: None)
