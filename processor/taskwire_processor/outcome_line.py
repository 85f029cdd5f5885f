"""A line of outcomes on their way to the database."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain
from typing import Generic, TypeVar

T = TypeVar("T")

BATCH_MAX = 1000
"""Outcomes in one statement. Larger batches are not cheaper for each, and hold their rows for longer."""
STORES_MAX = 4
"""Batches on their way at once: as many as claims. With one, two cores were 13 % idle at the fullest load, with two
7 %, for 3 % more tasks/s (medians of 9 passes of 60,000 and 100,000 tasks by turns), while a processor had 2,000 slots,
which two claims fill. With slots for four claims a third and a fourth made 2 % more each (5 passes of 100,000)."""
FULL_BATCH = 500
"""From here on a batch need not wait for the one before it: the fixed cost of a commit no longer matters."""


class OutcomeLine(Generic[T]):
    """Stores what it is given in batches: at once when idle, and else whatever gathers during the batch before."""

    def __init__(self, store: Callable[[list[T]], Awaitable[None]], *, shrunk: Callable[[], None]) -> None:
        """Take what stores a batch, raises nothing and returns when that is dealt with, and who is told afterwards."""
        self._store = store
        self._shrunk = shrunk
        self._waiting: list[T] = []
        self._storing: list[list[T]] = []
        self._moved = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._waiting) + sum(map(len, self._storing))

    def __iter__(self) -> Iterator[T]:
        yield from chain(*self._storing, self._waiting)

    def add(self, outcome: T) -> None:
        """Put an outcome in the line."""
        if not self._waiting:
            self._moved.set()
            self._emptied.clear()
        self._waiting.append(outcome)
        if len(self._waiting) == FULL_BATCH:
            self._moved.set()

    async def emptied(self) -> None:
        """Wait until everything is dealt with."""
        await self._emptied.wait()

    async def run(self) -> None:
        """Store until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._moved.wait()
                self._moved.clear()
                while self._may_store():
                    group.create_task(self._store_batch(self._take()))

    def _may_store(self) -> bool:
        if len(self._storing) >= STORES_MAX:
            return False
        return len(self._waiting) >= (FULL_BATCH if self._storing else 1)

    def _take(self) -> list[T]:
        batch = self._waiting[:BATCH_MAX]
        del self._waiting[:BATCH_MAX]
        self._storing.append(batch)
        return batch

    async def _store_batch(self, batch: list[T]) -> None:
        await self._store(batch)
        self._storing.remove(batch)
        self._moved.set()
        if not (self._waiting or self._storing):
            self._emptied.set()
        self._shrunk()
