import asyncio

import pytest

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.telemetry.events import Event
from taskwire_shared.upkeep import rounds
from taskwire_shared.upkeep.rounds import LONG_ROUND_SECONDS, ROUND_PART, SPACED_SECONDS_MAX, Spacing, jittered, repeat


async def run_until_over(round_, over):
    task = asyncio.create_task(repeat(round_, Event.SWEEP_FAILED))
    async with asyncio.timeout(5):
        await over.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize("error", [BackendUnavailable(), RuntimeError("a fault of ours")])
async def test_a_failed_round_is_followed_by_another(error, monkeypatch):
    monkeypatch.setattr(rounds, "RETRY_SECONDS_MIN", 0.001)
    monkeypatch.setattr(rounds, "RETRY_SECONDS_MAX", 0.002)
    calls = 0
    over = asyncio.Event()

    async def fail():
        nonlocal calls
        calls += 1
        if calls == 5:
            over.set()
        raise error

    await run_until_over(fail, over)


async def test_a_round_says_when_to_begin_the_next():
    pauses = [0.0, 0.0, 60.0]
    over = asyncio.Event()

    async def count():
        pause = pauses.pop(0)
        if pause:
            over.set()
        return pause

    await run_until_over(count, over)
    assert pauses == []


def test_jitter_shortens_a_pause_by_up_to_half():
    pauses = {jittered(10) for _ in range(100)}
    assert len(pauses) > 50
    assert all(5 <= pause <= 10 for pause in pauses)


@pytest.mark.parametrize(
    ("took", "pause"),
    [(0.0, 3.0), (LONG_ROUND_SECONDS * 0.99, 3.0), (0.15, 0.15 / ROUND_PART), (60.0, SPACED_SECONDS_MAX)],
)
def test_rounds_that_always_take_long_are_further_apart(took, pause):
    spacing = Spacing()
    spacing.pause(3.0, took)
    assert spacing.pause(3.0, took) == pytest.approx(pause)


def test_a_round_that_took_long_once_changes_nothing():
    spacing = Spacing()
    assert [spacing.pause(3.0, took) for took in (0.0, 30.0, 0.0, 30.0)] == [3.0] * 4
