"""Passing on what callers have asked for."""

from taskwire_processor import canceller
from taskwire_processor.held import StopReason
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Fence, Stopped


async def test_cancel_of_what_is_not_here_is_harmless(world):
    held = world.hold()
    world.canceller.cancel(Fence(held.task.id, held.task.attempt + 1))
    world.canceller.cancel(Fence(new_id(), 1))

    assert held.stop is None


async def test_cancel_outweighs_an_earlier_reason(world):
    world.runner.is_polite = False
    held = world.hold()
    world.runner.run(held)
    world.stopper.stop(held, StopReason.DRAINED)
    world.canceller.cancel(held.fence)
    world.canceller.cancel(held.fence)

    assert await world.outcome() == Stopped(held.fence)


async def test_notice_that_overtakes_the_answer_to_the_claim_counts(world):
    task_id = new_id()
    world.canceller.cancel(Fence(task_id, 1))
    held, other = world.hold(task_id=task_id), world.hold()
    for one in (held, other):
        world.runner.run(one)
        world.canceller.catch_up([one])

    assert await world.outcome() == Stopped(held.fence)
    assert other.stop is None


async def test_newest_of_too_many_early_notices_are_kept(world, monkeypatch):
    monkeypatch.setattr(canceller, "EARLY_NOTICES_MAX", 2)
    ids = [new_id() for _ in range(3)]
    for task_id in ids:
        world.canceller.cancel(Fence(task_id, 1))
    oldest, *others = (world.hold(task_id=task_id) for task_id in ids)
    for one in (oldest, *others):
        world.runner.run(one)
        world.canceller.catch_up([one])

    assert oldest.stop is None
    assert [one.stop for one in others] == [StopReason.CANCELLED] * 2
