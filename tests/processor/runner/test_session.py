"""The life of a runner, within the test."""

import asyncio
import socket

import pytest

from taskwire_processor.runner import wire
from taskwire_processor.runner.link import Link
from taskwire_processor.runner.session import Session


class _Control:
    def __init__(self) -> None:
        self.said: asyncio.Queue[wire.FromRunner] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.loads = asyncio.Event()
        self.link = Link(wire.reader_in_control(), receive=self._receive, lost=self.lost.set)

    def _receive(self, messages) -> None:
        for message in messages:
            self.said.put_nowait(message)

    async def hears(self):
        return await asyncio.wait_for(self.said.get(), 5)


@pytest.fixture
async def control(monkeypatch):
    # The log of the test process is left alone.
    monkeypatch.setattr("taskwire_shared.telemetry.logs.configure", lambda *_: None)
    made = _Control()
    ours, theirs = socket.socketpair()
    for connection in (ours, theirs):
        connection.setblocking(False)
    await asyncio.get_running_loop().create_unix_connection(lambda: made.link, sock=ours)
    session = asyncio.create_task(Session(theirs, loaded=made.loads.set).run())
    yield made
    made.link.close()
    await asyncio.wait_for(session, 5)


async def test_session_loads_what_it_is_told_to(control):
    control.link.send(wire.Setup(("taskwire_processor.shipped",), 1, "info", ""))
    loaded = await control.hears()

    assert {offer.type for offer in loaded.offers} == {"crunch", "echo", "flaky", "sleep"}
    assert control.loads.is_set()


async def test_session_says_why_it_cannot(control):
    control.link.send(wire.Setup(("taskwire_processor.nowhere",), 1, "info", ""))
    said = await control.hears()

    assert "taskwire_processor.nowhere" in said.message
    assert not control.loads.is_set()
    await asyncio.wait_for(control.lost.wait(), 5)
