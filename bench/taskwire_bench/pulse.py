"""The machine's own speed: how long the same bit of work takes, again and again, while something else is measured.

A virtual machine gets faster and slower with what its neighbours do. What is measured at a slow moment says less about
the system under test than about the moment.
"""

import asyncio
import time

from msgspec import Struct

PAUSE_SECONDS = 0.5
"""Between two beats: they take 0.3 % of a core."""
_ROUNDS = 20_000
"""Of the loop: some 1 to 2 ms, far longer than it takes to read the clock."""


class Beat(Struct, frozen=True, array_like=True):
    """How long the work took at a moment."""

    at: float
    """In seconds since 1970."""
    cpu_ms: float
    """Of this thread's own time: waiting for a core does not count, what the hypervisor takes away does."""


async def follow(beats: list[Beat]) -> None:
    """Add a beat every half second until cancelled."""
    while True:
        beats.append(beat())
        await asyncio.sleep(PAUSE_SECONDS)


def beat() -> Beat:
    """Do the work once. It blocks for about a millisecond."""
    at, start = time.time(), time.thread_time_ns()
    total = 0
    for number in range(_ROUNDS):
        total += number * number % 7
    return Beat(at, (time.thread_time_ns() - start) / 1e6)
