"""The stream of rings is made as the settings say."""

import pytest

from taskwire_shared.bus.ring_stream import RefusedError, RingStream


async def test_a_single_server_keeps_one_replica(bus):
    await RingStream(bus).ensure()


async def test_replicas_are_asked_for(bus):
    # The server of the tests is alone, and says so.
    with pytest.raises(RefusedError, match="replicas > 1"):
        await RingStream(bus, replicas=3).ensure()
