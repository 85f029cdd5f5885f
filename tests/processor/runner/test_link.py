"""The connection between control and a runner."""

import asyncio
import socket

import pytest

from taskwire_processor.runner import wire
from taskwire_processor.runner.link import Link


class _End:
    def __init__(self) -> None:
        self.heard: list[wire.FromRunner] = []
        self.batches = 0
        self.came = asyncio.Event()
        self.lost = asyncio.Event()
        self.link: Link[wire.FromRunner, wire.FromRunner] = Link(
            wire.reader_in_control(), receive=self._receive, lost=self.lost.set
        )

    def _receive(self, messages: list[wire.FromRunner]) -> None:
        self.heard += messages
        self.batches += 1
        self.came.set()


async def _connect() -> tuple[_End, _End]:
    ends = (_End(), _End())
    for end, connection in zip(ends, socket.socketpair(), strict=True):
        connection.setblocking(False)
        link = end.link
        await asyncio.get_running_loop().create_unix_connection(lambda link=link: link, sock=connection)
    return ends


async def test_what_is_sent_in_one_turn_arrives_together() -> None:
    ours, theirs = await _connect()
    messages = [wire.Unwound(key) for key in range(100)]
    for message in messages:
        ours.link.send(message)
    await asyncio.wait_for(theirs.came.wait(), 5)
    ours.link.close()
    await asyncio.wait_for(theirs.lost.wait(), 5)

    assert theirs.heard == messages
    assert theirs.batches == 1


async def test_closing_sends_what_was_said_before() -> None:
    ours, theirs = await _connect()
    ours.link.send(wire.Unwound(1))
    ours.link.close()
    await asyncio.wait_for(theirs.lost.wait(), 5)
    await asyncio.wait_for(ours.lost.wait(), 5)

    assert theirs.heard == [wire.Unwound(1)]


async def test_sending_to_nobody_is_harmless() -> None:
    ours, theirs = await _connect()
    theirs.link.close()
    await asyncio.wait_for(ours.lost.wait(), 5)
    ours.link.send(wire.Unwound(1))
    ours.link.flush()
    ours.link.close()


async def test_nonsense_ends_the_connection() -> None:
    end = _End()
    one, other = socket.socketpair()
    one.setblocking(False)
    await asyncio.get_running_loop().create_unix_connection(lambda: end.link, sock=one)
    with other:
        other.sendall(b"\xff\xff\xff\xffnonsense")
        await asyncio.wait_for(end.lost.wait(), 5)

    assert end.heard == []


@pytest.mark.parametrize("size", [256 * 1024])
async def test_large_payloads_pass(size: int) -> None:
    ours, theirs = await _connect()
    messages = [wire.Returned(key, bytes(size), is_text=False, content_type="") for key in range(20)]
    for message in messages:
        ours.link.send(message)
    async with asyncio.timeout(10):
        while len(theirs.heard) < len(messages):
            await theirs.came.wait()
            theirs.came.clear()
    ours.link.close()
    await asyncio.wait_for(theirs.lost.wait(), 5)

    assert theirs.heard == messages
