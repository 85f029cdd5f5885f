import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.ports import LOOPBACK
from taskwire_shared.bus import connection, link
from taskwire_shared.bus.bells import Bell
from taskwire_shared.bus.connection import Bus, BusUnavailableError
from taskwire_shared.bus.link import dial
from taskwire_shared.bus.outbox import OUTBOX_MESSAGES_MAX

NOTICE_SECONDS = 12.0
"""For a deaf connection to be found out (5 s), and to be replaced on a busy machine."""


@pytest.fixture
async def server(tmp_path):
    async with EmbeddedNats(tmp_path) as running:
        yield running


class Proxy:
    """Forwards to NATS, and on demand goes on taking bytes without forwarding any."""

    def __init__(self, target):
        self._target = target
        self.is_deaf = False
        self.accepted = 0
        self._writers = set()

    @asynccontextmanager
    async def run(self):
        server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in self._writers:
                writer.close()
            await server.wait_closed()

    async def _serve(self, reader, writer):
        self.accepted += 1
        there_reader, there_writer = await asyncio.open_connection(LOOPBACK, self._target)
        self._writers |= {writer, there_writer}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(reader, there_writer))
            group.create_task(self._pump(there_reader, writer))

    async def _pump(self, reader, writer):
        with suppress(OSError):
            while data := await reader.read(65536):
                if not self.is_deaf:
                    writer.write(data)
        writer.close()


async def rings_through(bus):
    """Strike a bell until it is heard."""
    heard = asyncio.Event()
    listener = Bell(bus).listen(heard.set)
    async with asyncio.timeout(NOTICE_SECONDS):
        while not heard.is_set():
            Bell(bus).strike()
            with suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), 0.1)
    listener.close()


async def until_lost(bus, eventually):
    await eventually(lambda: not bus.is_connected, timeout=NOTICE_SECONDS)


async def test_it_waits_for_a_server_that_is_not_there_yet(tmp_path):
    server = EmbeddedNats(tmp_path)
    await server.start()
    await server.stop()
    async with Bus.open(server.url, "t") as bus:
        assert not bus.is_connected
        assert not bus.publish("t.bell", b"")
        assert bus.dropped == 1
        with pytest.raises(BusUnavailableError):
            await bus.request("t.x", b"")
        await server.start()
        try:
            await rings_through(bus)
        finally:
            await server.stop()


async def test_it_comes_back_after_a_restart(server, eventually):
    async with Bus.open(server.url, "t") as bus:
        await rings_through(bus)
        heard_always = asyncio.Event()
        Bell(bus).listen(heard_always.set)
        await server.stop(signal.SIGKILL)
        await until_lost(bus, eventually)
        await server.start()
        await rings_through(bus)
        async with asyncio.timeout(5):
            await heard_always.wait()
        assert bus.links == 2


async def test_publishing_never_waits_for_a_stopped_server(server, eventually):
    async with Bus.open(server.url, "t") as bus:
        await rings_through(bus)
        os.kill(server.child.pid, signal.SIGSTOP)
        try:
            for _ in range(4 * OUTBOX_MESSAGES_MAX):
                bus.publish("t.load", bytes(1024))
            assert bus.dropped > 0
            await until_lost(bus, eventually)
        finally:
            os.kill(server.child.pid, signal.SIGCONT)
        await rings_through(bus)


async def test_a_connection_that_cannot_be_closed_is_followed_by_another(server, eventually, monkeypatch):
    plain, failures = link.discard, [AttributeError("gone")]

    async def failing(client):
        await plain(client)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(link, "discard", failing)
    async with Bus.open(server.url, "t") as bus:
        await rings_through(bus)
        bus.rebuild()
        await until_lost(bus, eventually)
        await rings_through(bus)
    assert not failures


async def test_a_stopped_server_is_noticed_while_nothing_is_sent(server, eventually):
    async with Bus.open(server.url, "t") as bus:
        await rings_through(bus)
        os.kill(server.child.pid, signal.SIGSTOP)
        try:
            await until_lost(bus, eventually)
        finally:
            os.kill(server.child.pid, signal.SIGCONT)
        await rings_through(bus)


async def test_a_deaf_connection_is_replaced(nats, eventually):
    proxy = Proxy(nats.port)
    async with proxy.run() as port:
        password = urlsplit(nats.url).password
        async with Bus.open(f"nats://taskwire:{password}@{LOOPBACK}:{port}", "t") as bus:
            await rings_through(bus)
            proxy.is_deaf = True
            await until_lost(bus, eventually)
            proxy.is_deaf = False
            await rings_through(bus)
            assert bus.links >= 2


async def test_a_dead_reader_is_noticed(bus, eventually):
    # What an exception in the reader of nats-py leaves behind: connected, and nobody reads.
    bus._link.client._reading_task.cancel()
    await eventually(lambda: bus.links == 2, timeout=NOTICE_SECONDS)
    await rings_through(bus)


async def test_a_connection_can_be_given_up(bus, eventually):
    bus.rebuild()
    await eventually(lambda: bus.links == 2 and bus.is_connected)
    await rings_through(bus)


async def test_an_error_of_the_server_does_not_end_it(bus, eventually):
    # The server closes the connection of who breaks the protocol, and the client would never connect again.
    bus._link.client._transport.write(b"NONSENSE\r\n")
    await eventually(lambda: bus.links == 2 and bus.is_connected, timeout=NOTICE_SECONDS)
    await rings_through(bus)


async def test_what_was_published_before_the_end_is_sent(nats, nats_prefix, bus):
    heard = []
    came = asyncio.Event()
    bus.listen(f"{nats_prefix}.last", lambda message: (heard.append(message.data), came.set()))
    await rings_through(bus)
    async with Bus.open(nats.url, nats_prefix) as other:
        await other.connected()
        other.publish(f"{nats_prefix}.last", b"words")
    async with asyncio.timeout(5):
        await came.wait()
    assert heard == [b"words"]


async def test_nothing_outlives_it(nats, tmp_path):
    before = asyncio.all_tasks()
    async with Bus.open(nats.url, "t") as bus:
        await rings_through(bus)
    async with Bus.open(f"nats://{LOOPBACK}:1", "t"):
        pass
    async with asyncio.timeout(5):
        while asyncio.all_tasks() - before:
            await asyncio.wait(asyncio.all_tasks() - before)


async def test_a_request_without_an_answer_says_so(bus):
    with pytest.raises(BusUnavailableError):
        await bus.request("t.nobody.listens", b"")


async def test_leaving_while_dialling_ends_although_the_client_swallows_that(nats, monkeypatch):
    dialling = asyncio.Event()

    async def dial_and_swallow(urls, outbox):
        dialling.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(NOTICE_SECONDS)
        return await dial(urls, outbox)

    monkeypatch.setattr(connection, "dial", dial_and_swallow)
    async with asyncio.timeout(NOTICE_SECONDS / 2):
        async with Bus.open(nats.url, "left"):
            await dialling.wait()
