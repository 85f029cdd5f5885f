"""A processor that is alive and deaf."""

from datetime import UTC, datetime

import pytest

from taskwire_processor.deafness import REBUILDS_MAX, SILENT_SECONDS_MAX, Deafness
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import ClaimedTask, RetryPolicy

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class _World:
    """Bus, ear and ringer in one."""

    def __init__(self) -> None:
        self.is_connected = True
        self.signs = 0
        self.rebuilt = 0
        self.rung = 0
        self.now = 0.0

    def rebuild(self) -> None:
        self.rebuilt += 1

    def ring(self, ready) -> None:
        self.rung += len(list(ready))


def _task(age_seconds: float, attempt: int = 1) -> ClaimedTask:
    return ClaimedTask(
        id=new_id(),
        attempt=attempt,
        excused=0,
        queue="default",
        type="echo",
        input=None,
        retry_policy=RetryPolicy(),
        created_at=NOW - age_seconds,
        started_at=NOW,
        runs_alone=False,
    )


@pytest.fixture
async def world():
    return _World()


@pytest.fixture
async def deafness(world):
    made = Deafness(world, world, world)
    made._clock = lambda: world.now
    made.asked_for(0)
    return made


async def test_connection_is_rebuilt_a_few_times_then_hopeless(world, deafness):
    deafness.judge([_task(10)])
    assert (world.rebuilt, world.rung) == (0, 1)
    world.now += SILENT_SECONDS_MAX
    deafness.judge([_task(10)])
    assert (world.rebuilt, world.rung) == (1, 2)
    for _ in range(REBUILDS_MAX):
        world.now += SILENT_SECONDS_MAX
        deafness.judge([_task(10)])

    assert world.rebuilt == REBUILDS_MAX
    assert deafness.is_hopeless.is_set()


async def test_one_sign_clears_the_suspicion(world, deafness):
    for _ in range(100):
        world.now += SILENT_SECONDS_MAX
        world.signs += 1
        deafness.judge([_task(10)])

    assert (world.rebuilt, deafness.is_hopeless.is_set()) == (0, False)


async def test_who_asks_for_nothing_hears_nothing(world, deafness):
    for _ in range(100):
        world.now += SILENT_SECONDS_MAX
        deafness.asked_for(0)
        deafness.judge([_task(10)])

    assert world.rebuilt == 0


@pytest.mark.parametrize("found", [[], [_task(0.1)], [_task(120)], [_task(10, attempt=2)]])
async def test_what_need_not_have_been_rung_proves_nothing(world, deafness, found):
    for _ in range(100):
        world.now += SILENT_SECONDS_MAX
        deafness.judge(found)

    assert world.rebuilt == 0


async def test_lost_connection_is_not_deafness(world, deafness):
    world.is_connected = False
    for _ in range(100):
        world.now += SILENT_SECONDS_MAX
        deafness.judge([_task(10)])

    assert world.rebuilt == 0
