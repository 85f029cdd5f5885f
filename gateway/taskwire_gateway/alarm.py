"""What a watch waits on: a ring, or a deadline, whichever is first."""

import asyncio


class Alarm:
    """Wakes one waiter. Lighter than an event and a time-out, of which each of 20,000 watches would need its own.

    A ring while nobody waits is not kept: look at the state before waiting.
    """

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the waiter, if there is one."""
        if self._waiter is not None:
            _wake(self._waiter)

    async def wait(self, deadline: float) -> None:
        """Wait until somebody rings or the clock of the loop reaches `deadline`."""
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = loop.call_at(deadline, _wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
