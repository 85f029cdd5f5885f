import asyncio

import pytest

from taskwire_dev.ports import LOOPBACK
from taskwire_shared.bus.link import dial, discard
from taskwire_shared.bus.outbox import OUTBOX_MESSAGES_MAX, Outbox


@pytest.fixture
async def link(nats):
    outbox = Outbox()
    async with asyncio.timeout(5):
        link = await dial([nats.url], outbox)
    link.outbox = outbox
    yield link
    await discard(link.client)


@pytest.fixture
async def tended(link):
    task = asyncio.create_task(link.tend())
    yield link
    link.down.set()
    async with asyncio.timeout(5):
        await task


async def test_what_is_in_the_outbox_is_sent_in_order(tended):
    sent = []
    all_sent = asyncio.Event()

    async def send(number, client):
        assert client is tended.client
        sent.append(number)
        if number == 99:
            all_sent.set()

    for number in range(100):
        tended.outbox.offer(lambda client, number=number: send(number, client))
    async with asyncio.timeout(5):
        await all_sent.wait()
    assert sent == list(range(100))


async def test_a_failure_to_send_ends_the_link(link):
    async def fail(client):
        raise RuntimeError("on purpose")

    link.outbox.offer(fail)
    async with asyncio.timeout(5):
        await link.tend()
    assert link.client.is_closed


async def test_a_link_ends_when_it_is_told_to(link):
    link.down.set()
    async with asyncio.timeout(5):
        await link.tend()
    assert link.client.is_closed


async def test_what_greets_like_no_server_is_not_connected_to(nats):
    greetings = [b"HTTP/1.1 200 OK\r\n\r\n", b"INFO nonsense\r\n", b"INFO {}\r\n-ERR\r\n", b""]
    greeted = asyncio.Event()

    async def greet(reader, writer):
        if greetings:
            writer.write(greetings.pop())
        else:
            greeted.set()
        writer.close()

    server = await asyncio.start_server(greet, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    dialling = asyncio.create_task(dial([f"nats://{LOOPBACK}:{port}"], Outbox()))
    async with asyncio.timeout(30):
        await greeted.wait()
    assert not dialling.done()
    dialling.cancel()
    await asyncio.wait([dialling])
    server.close()


async def test_another_server_is_taken_when_one_is_not_there(nats):
    async with asyncio.timeout(10):
        link = await dial([f"nats://{LOOPBACK}:1", nats.url], Outbox())
    await discard(link.client)


def test_a_full_outbox_takes_no_more_but_what_must_not_be_dropped():
    async def send(client):
        pass

    outbox = Outbox()
    for _ in range(OUTBOX_MESSAGES_MAX):
        assert outbox.offer(send)
    assert not outbox.offer(send)
    outbox.put(send)
    assert outbox.clear() == OUTBOX_MESSAGES_MAX + 1
    assert outbox.take() is None
