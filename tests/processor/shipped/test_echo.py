"""The handler `echo`."""

from taskwire import Payload
from taskwire_processor.shipped.echo import echo


async def test_echo_returns_its_input():
    assert await echo(Payload(b"\x00\xff")) == Payload(b"\x00\xff")
    assert await echo(None) is None
