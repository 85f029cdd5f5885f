import asyncio
import signal
import socket

import nats as client
import pytest

from taskwire_dev import nats as nats_module
from taskwire_dev.failure import StartFailed
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.ports import LOOPBACK


@pytest.fixture
async def running(tmp_path):
    async with EmbeddedNats(tmp_path / "nats") as started:
        yield started


async def publish(running, text):
    connection = await client.connect(running.url)
    stream = connection.jetstream()
    await stream.add_stream(name="KEPT", subjects=["kept"])
    await stream.publish("kept", text)
    await connection.close()


async def count(running):
    connection = await client.connect(running.url)
    streams = await connection.jetstream().streams_info()
    await connection.close()
    return sum(stream.state.messages for stream in streams)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_streams_and_port_outlive_the_server(running, number):
    await publish(running, b"hello")
    port = running.port

    await running.stop(number)
    await running.start()

    assert running.port == port
    assert await count(running) == 1


async def test_wiped_it_starts_empty(running):
    await publish(running, b"hello")

    await running.stop()
    running.wipe()
    await running.start()

    assert await count(running) == 0


async def test_it_cannot_be_wiped_while_it_runs(running):
    with pytest.raises(RuntimeError):
        running.wipe()


async def test_it_asks_for_the_password(running):
    reader, writer = await asyncio.open_connection(LOOPBACK, running.port)
    writer.write(b'CONNECT {"verbose": false}\r\nPING\r\n')
    answers = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert b"'Authorization Violation'" in answers


async def test_an_orphan_is_stopped_before_its_store_is_opened_again(tmp_path):
    orphan = EmbeddedNats(tmp_path)
    await orphan.start()
    await publish(orphan, b"hello")

    async with EmbeddedNats(tmp_path) as second:
        assert orphan.child.exit_code is not None or await orphan.child.ended() is not None
        assert await count(second) == 1
    await orphan.stop()


async def test_a_taken_port_is_replaced(tmp_path):
    with socket.socket() as thief:
        thief.bind((LOOPBACK, 0))
        thief.listen()
        async with EmbeddedNats(tmp_path, port=thief.getsockname()[1]) as running:
            assert running.port != thief.getsockname()[1]


async def test_a_file_in_place_of_the_store_is_a_clear_message(tmp_path):
    (tmp_path / "store").write_text("garbage")

    with pytest.raises(StartFailed, match="NATS cannot use the folder"):
        await EmbeddedNats(tmp_path).start()


async def test_a_missing_wheel_is_a_clear_message(tmp_path, monkeypatch):
    monkeypatch.setattr(nats_module, "_WHEEL", "no-such-wheel")
    monkeypatch.setattr(nats_module, "_PROGRAM", "no-such-program")

    with pytest.raises(StartFailed, match=r'from a clone: pip install "\.\[embedded\]"'):
        await EmbeddedNats(tmp_path).start()
