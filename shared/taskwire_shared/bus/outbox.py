"""What is to be sent: handed over without waiting, bounded, and dropped rather than kept for later."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from nats.aio.client import Client

OUTBOX_MESSAGES_MAX = 50_000
"""A second of the fullest load measured. Who is further behind is deaf, and the hints are stale."""

Send = Callable[[Client], Awaitable[object]]


class Outbox:
    """A line of things to send, for one sender."""

    def __init__(self) -> None:
        self._waiting: deque[Send] = deque()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, send: Send) -> bool:
        """Put `send` in the line, or say that the line is full."""
        if len(self._waiting) >= OUTBOX_MESSAGES_MAX:
            return False
        self.put(send)
        return True

    def put(self, send: Send) -> None:
        """Put `send` in the line, however long it is: for what is few and must not be dropped."""
        self._waiting.append(send)
        self._filled.set()

    def wake(self) -> None:
        """Let the sender look around even though nothing has come."""
        self._filled.set()

    def clear(self) -> int:
        """Throw everything away and say how much that was."""
        count = len(self._waiting)
        self._waiting.clear()
        return count

    async def filled(self) -> None:
        """Wait until there is something, or somebody calls `wake`."""
        await self._filled.wait()
        self._filled.clear()

    def take(self) -> Send | None:
        """Take the next one, if there is one."""
        return self._waiting.popleft() if self._waiting else None
