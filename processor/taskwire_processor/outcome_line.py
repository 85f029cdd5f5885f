"""A line of outcomes on their way to the database."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

BATCH_MAX = 1000
"""Outcomes in one statement. Larger batches are not cheaper for each, and hold their rows for longer."""


class OutcomeLine(Generic[T]):
    """Stores what it is given in batches: at once when idle, and else whatever gathers during the batch before."""

    def __init__(self, store: Callable[[list[T]], Awaitable[None]]) -> None:
        """Take what stores a batch. It raises nothing and returns when the batch is dealt with."""
        self._store = store
        self._waiting: list[T] = []
        self._storing: list[T] = []
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._storing)

    def __iter__(self) -> Iterator[T]:
        yield from self._storing
        yield from self._waiting

    def add(self, outcome: T) -> None:
        """Put an outcome in the line."""
        if not self._waiting:
            self._filled.set()
            self._emptied.clear()
        self._waiting.append(outcome)

    async def emptied(self) -> None:
        """Wait until everything is dealt with."""
        await self._emptied.wait()

    async def run(self) -> None:
        """Store until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                self._storing = self._waiting[:BATCH_MAX]
                del self._waiting[:BATCH_MAX]
                await self._store(self._storing)
                self._storing = []
            self._emptied.set()
