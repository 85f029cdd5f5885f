"""What the programs that hand tasks in have in common."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterable

PAYLOAD = "p" * 100
BATCH = 500
LANES = 4
"""Batches in flight, for peers that know batches: as many as with Taskwire and River."""
_AT_ONCE = 100


def say_start() -> None:
    """Say when the first task is about to be handed in."""
    print(json.dumps({"first_ns": time.time_ns()}), flush=True)


def say_end() -> None:
    """Say when the last one was taken."""
    print(json.dumps({"last_ns": time.time_ns()}), flush=True)


def asked_for() -> int:
    """Return how many tasks to hand in."""
    return int(sys.argv[2])


def batches(count: int) -> Iterable[int]:
    """Split a number of tasks into sizes of batches."""
    return [BATCH] * (count // BATCH) + ([count % BATCH] if count % BATCH else [])


async def one_by_one(count: int, submit: Callable[[str], Awaitable[object]]) -> None:
    """Hand in tasks with a call each, many of them in flight, for peers that know no batch."""
    left = iter(range(count))

    async def lane() -> None:
        for _ in left:
            await submit(PAYLOAD)

    await asyncio.gather(*(lane() for _ in range(_AT_ONCE)))
