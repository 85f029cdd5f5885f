"""The stream of rings is made as the settings say."""

import pytest

from taskwire_dev.nats import EmbeddedNats
from taskwire_shared.bus.connection import Bus
from taskwire_shared.bus.ring_stream import RefusedError, RingStream


async def test_a_single_server_keeps_one_replica(bus):
    await RingStream(bus).ensure()


async def test_replicas_are_asked_for(bus):
    # The server of the tests is alone, and says so.
    with pytest.raises(RefusedError, match="replicas > 1"):
        await RingStream(bus, replicas=3).ensure()


async def test_p3_a_consumer_whose_store_is_corrupt_is_made_anew(tmp_path, eventually):
    async with EmbeddedNats(tmp_path / "nats") as nats:
        for corrupt in (True, False):
            async with Bus.open((nats.url,), "t") as bus:
                await eventually(lambda bus=bus: bus.is_connected)
                await RingStream(bus).ensure()
                await RingStream(bus).ensure_consumer("some", "t.ring.some")
            if corrupt:
                await nats.stop()
                [state] = nats.home.rglob("obs/some/o.dat")
                state.write_bytes(bytes(10))
                await nats.start()
