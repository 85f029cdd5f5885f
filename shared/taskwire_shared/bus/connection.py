"""The connection to NATS as everybody else sees it: always there, sometimes without effect."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Self

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from taskwire_shared.bus.link import Link, dial, notice_cancellation
from taskwire_shared.bus.outbox import Outbox
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

if TYPE_CHECKING:
    from nats.aio.subscription import Subscription

REQUEST_SECONDS = 2.0
FAREWELL_SECONDS = 0.5
"""How long closing waits for what has been published to be sent."""

log = logs.get(__name__)

Hear = Callable[[Msg], None]
"""Called on the event loop: may only take note."""


class BusUnavailableError(Exception):
    """NATS did not answer."""


class Listener:
    """Somebody who listens on a subject, on this connection and on every later one."""

    def __init__(self, bus: "Bus", subject: str, hear: Hear) -> None:
        self.subject = subject
        self._bus = bus
        self._hear = hear
        self._subscription: Subscription | None = None

    async def attach(self, client: Client) -> None:
        """Subscribe on `client`."""
        self._subscription = await client.subscribe(self.subject, cb=self._on_message)

    async def detach(self, client: Client) -> None:
        """Take the subscription back, if it was made on a client that still lives."""
        del client
        if self._subscription is not None:
            with suppress(nats.errors.Error):
                await self._subscription.unsubscribe()

    def close(self) -> None:
        """Listen no longer."""
        self._bus.forget(self)

    async def _on_message(self, message: Msg) -> None:
        try:
            self._hear(message)
        except Exception:
            log.exception(Event.BUS_FAILED, what="listener", subject=self.subject)


class Bus:
    """Publish and listen, whether NATS is there or not.

    While there is no connection, what is published is dropped and counted, and listeners hear nothing; both work again
    by themselves. Nothing here raises because NATS is away, except `request`.
    """

    def __init__(self, urls: Sequence[str], prefix: str) -> None:
        self.prefix = prefix
        self.dropped = 0
        """Messages that were published and not sent."""
        self.links = 0
        """Connections made so far. Grows with each."""
        self._urls = urls
        self._outbox = Outbox()
        self._listeners: set[Listener] = set()
        self._link: Link | None = None
        self._linked = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def open(cls, urls: str | Sequence[str], prefix: str) -> AsyncIterator[Self]:
        """Connect, without waiting for it, and disconnect at the end. `urls` may be a comma list."""
        bus = cls(urls.split(",") if isinstance(urls, str) else urls, prefix)
        keeper = asyncio.create_task(bus._keep_connected(), name="bus-keeper")
        try:
            yield bus
        finally:
            await bus._say_farewell()
            keeper.cancel()
            await asyncio.wait((keeper,))

    @property
    def is_connected(self) -> bool:
        """Tell whether there is a connection that has not been found dead."""
        return self._link is not None and not self._link.down.is_set()

    def publish(self, subject: str, payload: bytes, reply: str = "") -> bool:
        """Send without waiting. False when it was dropped: no connection, or too much is waiting already."""
        if not self.is_connected or not self._outbox.offer(partial(_publish, subject, payload, reply)):
            self.dropped += 1
            return False
        return True

    def listen(self, subject: str, hear: Hear) -> Listener:
        """Call `hear` with every message on `subject` until the listener is closed."""
        listener = Listener(self, subject, hear)
        self._listeners.add(listener)
        if self.is_connected:
            self._outbox.put(listener.attach)
        return listener

    def forget(self, listener: Listener) -> None:
        """Stop calling `listener`."""
        self._listeners.discard(listener)
        if self.is_connected:
            self._outbox.put(listener.detach)

    async def request(self, subject: str, payload: bytes, *, seconds: float = REQUEST_SECONDS) -> bytes:
        """Ask and return the answer, or raise `BusUnavailableError` when there is none within `seconds`."""
        link = self._link
        if link is None or link.down.is_set():
            raise BusUnavailableError
        try:
            answer = await link.client.request(subject, payload, timeout=seconds)
        except (nats.errors.Error, OSError) as error:
            raise BusUnavailableError from error
        notice_cancellation()
        return answer.data

    async def connected(self, after: int = 0) -> int:
        """Wait for a connection later than number `after` and return its number."""
        async with self._linked:
            await self._linked.wait_for(lambda: self.links > after and self.is_connected)
            return self.links

    def rebuild(self) -> None:
        """Throw the connection away and make another: for those who find it deaf."""
        if self._link is not None:
            self._link.down.set()

    async def _keep_connected(self) -> None:
        while True:
            notice_cancellation()
            link = await dial(self._urls, self._outbox)
            self.dropped += self._outbox.clear()
            for listener in self._listeners:
                self._outbox.put(listener.attach)
            self._link = link
            tending = asyncio.create_task(link.tend(), name="bus-link")
            try:
                await self._announce()
                # It may have come while dialling, and been swallowed there although that went well.
                notice_cancellation()
                await asyncio.shield(tending)
            except Exception:
                # Whatever ends a connection must not end the making of the next.
                log.exception(Event.BUS_FAILED, what="link")
            finally:
                self._link = None
                link.down.set()
                await asyncio.wait((tending,))
            log.warning(Event.BUS_DISCONNECTED)

    async def _announce(self) -> None:
        self.links += 1
        log.info(Event.BUS_CONNECTED)
        async with self._linked:
            self._linked.notify_all()

    async def _say_farewell(self) -> None:
        if not self.is_connected:
            return
        is_sent = asyncio.Event()

        async def mark(client: Client) -> None:
            del client
            is_sent.set()

        self._outbox.put(mark)
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await is_sent.wait()


async def _publish(subject: str, payload: bytes, reply: str, client: Client) -> None:
    await client.publish(subject, payload, reply)
