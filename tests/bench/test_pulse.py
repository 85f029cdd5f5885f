"""The pulse says how long the same work takes, and takes little itself."""

import asyncio
import time

from taskwire_bench import pulse
from taskwire_bench.pulse import Beat


def test_a_beat_counts_the_time_of_its_own_thread() -> None:
    before, cpu_before = time.time(), time.thread_time()

    beat = pulse.beat()

    assert before <= beat.at <= time.time()
    assert 0 < beat.cpu_ms <= (time.thread_time() - cpu_before) * 1000


async def test_beats_are_added_until_cancelled() -> None:
    beats: list[Beat] = []

    following = asyncio.create_task(pulse.follow(beats))
    async with asyncio.timeout(10):
        while len(beats) < 2:
            await asyncio.wait((following,), timeout=pulse.PAUSE_SECONDS / 5)
    following.cancel()
    await asyncio.wait((following,), timeout=5)

    assert following.cancelled()
    assert beats[1].at - beats[0].at >= pulse.PAUSE_SECONDS
