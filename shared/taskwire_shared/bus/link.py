"""One connection to NATS, from its dialling to its end, which nothing survives.

The client of nats-py can reconnect by itself, but has ways to die without a word: its reader stops at any exception it
does not know, a `flush` that timed out makes it stop later, and a permanent error closes it for good. So it is used for
one connection only, an echo through the server tells whether it still hears, and whatever is wrong has one cure: a new
one.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from taskwire_shared.bus.outbox import Outbox
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

CONNECT_SECONDS = 3.0
"""For one attempt over all servers. A stopped server accepts connections and says nothing."""
RETRY_SECONDS = 0.25
CLOSE_SECONDS = 1.0
PING_SECONDS = 5
FLUSH_SECONDS = 2.0
"""How long a publish may wait for a full socket. Then the echo has been missing for some time, too."""
PENDING_BYTES_MAX = 4 * 1024 * 1024
"""In the client's own buffer, before it waits for the socket."""
ECHO_SECONDS = 1.0
ECHOES_MISSED_MAX = 4
"""So a deaf connection is replaced within 5 s. Counted in rounds, so that a process that stood still blames nobody."""
LOOP_TURNS = 20
"""Turns of the loop that an echo which has arrived needs at most to get from the socket to its callback."""

log = logs.get(__name__)


class Link:
    """A live connection with its sender and its watchdog."""

    def __init__(self, client: Client, outbox: Outbox) -> None:
        self.client = client
        self.down = asyncio.Event()
        self._outbox = outbox
        self._has_echoed = False

    async def tend(self) -> None:
        """Send what is in the outbox until the connection fails, is deaf or `down` is set, then close it."""
        sender = asyncio.create_task(self._send(), name="bus-sender")
        watchdog = asyncio.create_task(self._watch(), name="bus-watchdog")
        try:
            await self.down.wait()
        finally:
            # The client swallows a cancellation that hits it at the wrong moment: the flag ends the loops all the same.
            self.down.set()
            self._outbox.wake()
            await discard(self.client)
            for task in (sender, watchdog):
                task.cancel()
            await asyncio.wait((sender, watchdog), timeout=FLUSH_SECONDS + CLOSE_SECONDS)

    async def _send(self) -> None:
        while not self.down.is_set():
            await self._outbox.filled()
            while not self.down.is_set() and (send := self._outbox.take()):
                try:
                    await send(self.client)
                except Exception:
                    log.warning(Event.BUS_FAILED, what="send", exc_info=True)
                    self.down.set()

    async def _watch(self) -> None:
        try:
            await self._count_echoes()
        except nats.errors.Error:
            log.warning(Event.BUS_FAILED, what="echo", exc_info=True)
        finally:
            self.down.set()

    async def _count_echoes(self) -> None:
        inbox = self.client.new_inbox()
        await self.client.subscribe(inbox, cb=self._hear_echo)
        missed = 0
        while missed < ECHOES_MISSED_MAX and not self.down.is_set():
            self._has_echoed = False
            self._outbox.put(lambda client: client.publish(inbox))
            await asyncio.sleep(ECHO_SECONDS)
            for _ in range(LOOP_TURNS):
                await asyncio.sleep(0)
            missed = 0 if self._has_echoed else missed + 1
        if missed >= ECHOES_MISSED_MAX:
            log.warning(Event.BUS_DEAF)

    async def _hear_echo(self, message: Msg) -> None:
        del message
        self._has_echoed = True


async def dial(urls: Sequence[str], outbox: Outbox) -> Link:
    """Connect to one of `urls`, trying for ever."""
    was_refused = False
    while True:
        link = await _try_to_dial(urls, outbox)
        if link is not None:
            return link
        if not was_refused:
            log.warning(Event.BUS_UNREACHABLE)
        was_refused = True
        notice_cancellation()
        await asyncio.sleep(RETRY_SECONDS)


async def _try_to_dial(urls: Sequence[str], outbox: Outbox) -> Link | None:
    client = Client()
    link = Link(client, outbox)

    async def on_closed() -> None:
        link.down.set()

    async def on_error(error: Exception) -> None:
        # Awaited by the reader of the client, which would not survive an exception from here.
        log.debug(Event.BUS_FAILED, what="connection", exc_info=error)

    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await client.connect(
                servers=list(urls),
                name="taskwire",
                allow_reconnect=False,
                reconnect_time_wait=1,
                connect_timeout=1,
                ping_interval=PING_SECONDS,
                flush_timeout=FLUSH_SECONDS,
                pending_size=PENDING_BYTES_MAX,
                closed_cb=on_closed,
                error_cb=on_error,
            )
    except asyncio.CancelledError:
        await discard(client)
        raise
    except Exception as error:
        # Whatever a server or something in its place says must not end the attempts.
        log.debug(Event.BUS_UNREACHABLE, exc_info=error)
        await discard(client)
        return None
    return link


def notice_cancellation() -> None:
    """Raise CancelledError where a cancellation of this task was asked for and swallowed by what it awaited.

    The client does that, and so does `asyncio.wait_for` of Python 3.11 when what it waits for is done that very moment.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def discard(client: Client) -> None:
    """Close `client`, politely for a moment, then by force."""
    # In a task of its own, since the client swallows the cancellation that a timeout would be.
    closing = asyncio.create_task(_close(client), name="bus-closing")
    try:
        await asyncio.wait((closing,), timeout=CLOSE_SECONDS)
    finally:
        # A stopped server never takes what is left in the socket, and the client would wait for that without an end.
        writer = getattr(getattr(client, "_transport", None), "_io_writer", None)
        if writer is not None:
            # A transport of asyncio that has lost its connection with something unsent fails at this, being gone.
            with suppress(AttributeError):
                writer.transport.abort()
        closing.cancel()
        await asyncio.wait((closing,), timeout=CLOSE_SECONDS)


async def _close(client: Client) -> None:
    with suppress(Exception):
        await client.close()
