"""An ear beside all others, which notes which tasks were rung for."""

import asyncio
from contextlib import suppress

from nats.aio.client import Client
from nats.aio.msg import Msg

from taskwire_chaos.journal import Journal, Rung
from taskwire_shared.bus.rings import MalformedRingError, unpack

_RETRY_SECONDS = 0.2


async def note_rings(url: str, prefix: str, journal: Journal) -> None:
    """Write down every ring until cancelled. Those sent while NATS is away are missed, here as everywhere."""

    async def hear(message: Msg) -> None:
        with suppress(MalformedRingError):
            journal.write(Rung(tasks=tuple(map(str, unpack(message.data)))))

    async def ignore(_: Exception) -> None:
        """Say nothing: that NATS goes away is what this is about."""

    while True:
        client = Client()
        try:
            await client.connect(url, allow_reconnect=False, connect_timeout=1, error_cb=ignore, ping_interval=5)
            await client.subscribe(f"{prefix}.ring.>", cb=hear)
            while client.is_connected:
                await asyncio.sleep(_RETRY_SECONDS)
        except Exception:  # noqa: BLE001, S110 - Whatever a server that is being broken makes of the client.
            pass
        finally:
            with suppress(Exception):
                async with asyncio.timeout(1):
                    await client.close()
        await asyncio.sleep(_RETRY_SECONDS)
