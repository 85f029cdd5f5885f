"""The proxy passes everything on, and does to a link what it is told to."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from taskwire_chaos.proxy import Proxy, Way

SECONDS = 5.0
SHORT_SECONDS = 0.2
"""For what must not come; it would come within a millisecond."""


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, Proxy("a link", "127.0.0.1", server.sockets[0].getsockname()[1]) as made:
        yield made


@pytest.fixture
async def link(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield reader, writer
    writer.transport.abort()


Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _say(link: Link, data: bytes, seconds: float = SECONDS) -> bytes:
    reader, writer = link
    writer.write(data)
    async with asyncio.timeout(seconds):
        return await reader.readexactly(len(data))


async def test_everything_comes_through(link: Link) -> None:
    assert await _say(link, b"hello" * 100_000) == b"hello" * 100_000


@pytest.mark.parametrize("way", list(Way))
async def test_a_stalled_direction_flows_again(proxy: Proxy, link: Link, way: Way) -> None:
    await _say(link, b"before")
    proxy.stall(way)
    with pytest.raises(TimeoutError):
        await _say(link, b"held", SHORT_SECONDS)

    proxy.heal()

    async with asyncio.timeout(SECONDS):
        assert await link[0].readexactly(4) == b"held"


async def test_a_reset_breaks_the_connection(proxy: Proxy, link: Link) -> None:
    await _say(link, b"before")

    proxy.reset()

    with pytest.raises(ConnectionError):
        await _say(link, b"after")


async def test_a_black_hole_swallows_and_breaks_what_was_in_it(proxy: Proxy, link: Link) -> None:
    await _say(link, b"before")
    proxy.black_hole()
    with pytest.raises(TimeoutError):
        await _say(link, b"lost", SHORT_SECONDS)

    proxy.heal()

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await _say(link, b"after")
    again = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await _say(again, b"again") == b"again"
    again[1].transport.abort()


async def test_a_delay_holds_every_message(proxy: Proxy, link: Link) -> None:
    proxy.delay_seconds = 0.1
    loop = asyncio.get_running_loop()
    started = loop.time()

    await _say(link, b"slow")

    assert loop.time() - started >= 0.2
