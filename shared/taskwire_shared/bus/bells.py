"""The bell: something has moved, go and look."""

import asyncio
from collections.abc import Callable

from taskwire_shared.bus.connection import Bus, Listener

STRIKE_SECONDS = 0.005
"""The least time between two strikes. The first is struck at once; whoever comes too soon shares the next."""


class Bell:
    """Tells every gateway that tasks have moved. A lost strike is made good by the timers of those who listen."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._subject = f"{bus.prefix}.bell"
        self._quiet_until = 0.0
        self._is_due = False

    def strike(self) -> None:
        """Strike, now or within 5 ms. Call it after the commit, from the event loop."""
        if self._is_due:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._quiet_until:
            self._strike_now()
        else:
            self._is_due = True
            loop.call_at(self._quiet_until, self._strike_now)

    def listen(self, hear: Callable[[], None]) -> Listener:
        """Call `hear` at every strike by anybody, also by this process, until the listener is closed."""
        return self._bus.listen(self._subject, lambda _: hear())

    def _strike_now(self) -> None:
        self._is_due = False
        self._quiet_until = asyncio.get_running_loop().time() + STRIKE_SECONDS
        self._bus.publish(self._subject, b"")


class QueueNews:
    """Tells every processor that a queue has come into being, so that it need not wait for its next look."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._subject = f"{bus.prefix}.queue"

    def announce(self, queue: str) -> None:
        """Say that `queue` has tasks for the first time, or again."""
        self._bus.publish(self._subject, queue.encode())

    def listen(self, hear: Callable[[str], None]) -> Listener:
        """Call `hear` with the name of every announced queue until the listener is closed."""
        return self._bus.listen(self._subject, lambda message: hear(message.data.decode(errors="replace")))
