"""A line of outcomes."""

import asyncio

import pytest

from taskwire_processor.outcome_line import BATCH_MAX, FULL_BATCH, STORES_MAX, OutcomeLine


class _Store:
    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.shrunk = 0

    def note(self) -> None:
        self.shrunk += 1

    async def __call__(self, batch: list[int]) -> None:
        self.batches.append(batch)
        self.began.set()
        await self.go_on.wait()


@pytest.fixture
async def store():
    return _Store()


async def test_stores_at_once_when_idle_and_gathers_meanwhile(store):
    line = OutcomeLine(store, shrunk=store.note)
    running = asyncio.create_task(line.run())
    line.add(1)
    await asyncio.wait_for(store.began.wait(), 5)
    for number in (2, 3, 4):
        line.add(number)
    assert (list(line), len(line)) == ([1, 2, 3, 4], 4)
    store.go_on.set()
    await asyncio.wait_for(line.emptied(), 5)
    running.cancel()

    assert store.batches == [[1], [2, 3, 4]]
    assert list(line) == []


async def test_full_batches_do_not_wait_for_those_before_them_up_to_a_number(store):
    line = OutcomeLine(store, shrunk=store.note)
    running = asyncio.create_task(line.run())
    line.add(0)
    await asyncio.wait_for(store.began.wait(), 5)
    for full in range(STORES_MAX):
        store.began.clear()
        for number in range(FULL_BATCH):
            line.add(number)
            # The line wakes up at the first of them, and has to once more at the last.
            await asyncio.sleep(0)
        if full + 1 < STORES_MAX:
            await asyncio.wait_for(store.began.wait(), 5)

    assert [len(batch) for batch in store.batches] == [1] + [FULL_BATCH] * (STORES_MAX - 1)
    assert len(line) == len(list(line)) == 1 + STORES_MAX * FULL_BATCH
    store.go_on.set()
    await asyncio.wait_for(line.emptied(), 5)
    running.cancel()

    assert [len(batch) for batch in store.batches] == [1] + [FULL_BATCH] * STORES_MAX


async def test_batches_are_bounded(store):
    store.go_on.set()
    line = OutcomeLine(store, shrunk=store.note)
    for number in range(BATCH_MAX + 1):
        line.add(number)
    running = asyncio.create_task(line.run())
    await asyncio.wait_for(line.emptied(), 5)
    running.cancel()

    assert [len(batch) for batch in store.batches] == [BATCH_MAX, 1]
    assert store.shrunk == len(store.batches)
