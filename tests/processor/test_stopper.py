"""Deadlines: of attempts, and of those that were told to stop."""

import asyncio

import pytest

from taskwire_processor.held import StopReason
from taskwire_shared.domain.outcome import Failed, HandedBack, Stopped


async def test_attempt_that_takes_too_long_is_stopped(world):
    held = world.hold(timeout_ms=50)
    world.runner.run(held)
    world.stopper.limit([held])
    outcome = await world.outcome()

    assert isinstance(outcome, Failed)
    assert outcome.failure.reason == "ATTEMPT_TIMED_OUT"
    assert (len(world.attempts), world.slots.free, world.runner.was_killed) == (0, 10, False)


async def test_one_that_does_not_stop_is_ended_and_innocents_excused(world):
    world.runner.is_polite = False
    culprit, innocent = world.hold(), world.hold()
    for held in (culprit, innocent):
        world.runner.run(held)
    world.canceller.cancel(culprit.fence)
    outcomes = {await world.outcome(), await world.outcome()}

    assert outcomes == {Stopped(culprit.fence), HandedBack(innocent.fence)}
    assert world.runner.was_killed


async def test_one_that_has_no_runner_yet_is_let_go_at_once(world):
    held = world.hold()
    world.canceller.cancel(held.fence)

    assert await world.outcome() == Stopped(held.fence)
    await asyncio.wait_for(world.attempts.emptied(), 5)


async def test_one_that_found_no_runner_in_its_time_is_handed_back(world):
    held = world.hold(timeout_ms=50)
    world.stopper.limit([held])

    assert await world.outcome() == HandedBack(held.fence)


@pytest.mark.parametrize("earlier", [StopReason.CANCELLED, StopReason.TIMED_OUT, StopReason.DRAINED])
async def test_p4_one_that_is_lost_has_no_outcome_whatever_it_was_told_before(world, earlier):
    world.runner.is_polite = False
    held = world.hold()
    world.runner.run(held)
    world.stopper.stop(held, earlier)
    world.stopper.stop(held, StopReason.LOST)
    await asyncio.wait_for(world.attempts.emptied(), 5)

    assert world.outcomes.taken.empty()
