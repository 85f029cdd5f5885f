"""The handlers of the measured processors."""

import time

import taskwire


@taskwire.handler("length")
async def length(payload: bytes) -> str:
    """Return the length of the payload: the same work as that of every peer."""
    return str(len(payload))


@taskwire.handler("stamp")
async def stamp() -> str:
    """Return the moment at which the handler started, in nanoseconds since 1970."""
    return str(time.time_ns())
