"""The attempts in hand."""

import asyncio

from taskwire_processor.held import StopReason
from taskwire_processor.runner import wire
from taskwire_shared.domain.outcome import RunnerLost, Succeeded


async def test_lost_attempt_says_nothing_and_does_not_hide_its_successor(world):
    lost = world.hold()
    world.runner.is_polite = False
    world.runner.run(lost)
    world.stopper.stop(lost, StopReason.LOST)
    again = world.hold(attempt=2, task_id=lost.task.id)
    world.runner.run(again)
    assert world.attempts.find(again.fence) is again
    world.attempts.heard(world.runner, [wire.Reported(lost.key, 0.5, ""), wire.Unwound(lost.key)])
    assert world.attempts.find(lost.fence) is None
    world.attempts.heard(world.runner, [wire.Reported(again.key, 0.5, "half"), wire.Reported(77, 0.5, "")])

    assert await world.outcome() == (again.fence, 0.5, "half")
    assert list(world.attempts) == [again]
    assert world.outcomes.taken.empty()


async def test_attempt_is_held_from_claim_to_outcome(world):
    held = world.hold()
    world.runner.run(held)
    waiting = asyncio.create_task(world.attempts.emptied())
    assert (len(world.attempts), world.slots.free, list(world.attempts)) == (1, 9, [held])
    world.attempts.heard(world.runner, [wire.Returned(held.key, None, is_text=False, content_type="")])
    # Said twice: the second time means nothing.
    world.attempts.heard(world.runner, [wire.Unwound(held.key)])
    await asyncio.wait_for(waiting, 5)

    assert await world.outcome() == Succeeded(held.fence, None)
    assert (len(world.attempts), world.slots.free) == (0, 10)
    assert world.outcomes.taken.empty()


async def test_death_of_a_runner_ends_all_it_held(world):
    held = [world.hold() for _ in range(3)]
    for one in held:
        world.runner.run(one)
    world.attempts.died(world.runner, 1)
    outcomes = [await world.outcome() for _ in held]

    assert all(isinstance(outcome, RunnerLost) for outcome in outcomes)
    assert [outcome.fence for outcome in outcomes] == [one.fence for one in held]
    assert world.slots.free == 10
