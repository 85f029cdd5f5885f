"""`echo`: returns its input."""

from taskwire import Payload, handler


@handler("echo")
async def echo(payload: Payload | None) -> Payload | None:
    """Return the input unchanged."""
    return payload
