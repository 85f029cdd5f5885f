"""One end of the connection between control and a runner."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from taskwire_processor.runner import wire

Incoming = TypeVar("Incoming")
Outgoing = TypeVar("Outgoing")


class Link(asyncio.Protocol, Generic[Incoming, Outgoing]):
    """Sends what gathered during a turn of the loop as one write, and hands on what arrives in batches.

    Nothing waits here: what is under way is bounded by the attempts that control lets run, whose payloads are bounded.
    """

    def __init__(
        self,
        reader: wire.FrameReader[Incoming],
        *,
        receive: Callable[[list[Incoming]], None],
        lost: Callable[[], None],
    ) -> None:
        """Take what to do with messages, and what to do once when the other end is gone or talks nonsense."""
        self._loop = asyncio.get_running_loop()
        self._reader = reader
        self._receive = receive
        self._lost = lost
        self._transport: asyncio.WriteTransport | None = None
        self._outbox: list[Outgoing] = []

    def send(self, message: Outgoing) -> None:
        """Send a message with the next turn of the loop. It is dropped where the other end is gone."""
        if not self._outbox:
            self._loop.call_soon(self.flush)
        self._outbox.append(message)

    def flush(self) -> None:
        """Write what has gathered."""
        outbox, self._outbox = self._outbox, []
        if outbox and self._transport is not None and not self._transport.is_closing():
            self._transport.write(wire.encode(outbox))

    def close(self) -> None:
        """Close this end, what was sent before included."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close this end without what has not been sent."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (called by the loop)."""
        # A stream's protocol gets a transport to write to; those of uvloop do not derive from this class.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand on what is complete (called by the loop)."""
        try:
            messages = self._reader.feed(data)
        except wire.BrokenFrame:
            self.abort()
            return
        if messages:
            self._receive(messages)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason is told by the exit status
        """Say that the other end is gone (called by the loop)."""
        self._transport = None
        self._lost()
