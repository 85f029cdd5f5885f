"""Deadlines: of attempts, and of those that were told to stop."""

import asyncio
from datetime import UTC, datetime
from random import Random

import pytest

from taskwire_processor.attempts import Attempts
from taskwire_processor.canceller import Canceller
from taskwire_processor.held import StopReason
from taskwire_processor.runner import wire
from taskwire_processor.slots import Slots
from taskwire_processor.stopper import Stopper
from taskwire_processor.verdict import Judge
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.outcome import Failed, Fence, HandedBack, Stopped
from taskwire_shared.domain.task import ClaimedTask, RetryPolicy

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


class _Outcomes:
    def __init__(self) -> None:
        self.taken: asyncio.Queue[object] = asyncio.Queue()

    def add(self, outcome, held) -> None:
        self.taken.put_nowait(outcome)

    def report(self, fence, fraction, message) -> None:
        self.taken.put_nowait((fence, fraction, message))


class _Runner:
    """Both the runners and the only one of them. It ends a handler that is told to stop only if it is polite."""

    def __init__(self, attempts) -> None:
        self.attempts = attempts
        self.held = {}
        self.was_killed = False
        self.is_polite = True

    def run(self, held) -> None:
        held.runner = self
        self.held[held.key] = held

    def send(self, message) -> None:
        if self.is_polite:
            self.attempts.heard(self, [wire.Unwound(message.key)])

    def withdraw(self, held) -> None:
        pass

    def kill(self, runner) -> None:
        self.was_killed = True
        self.attempts.died(self, -9)


class _World:
    def __init__(self, grace: float = 0.1) -> None:
        self.outcomes = _Outcomes()
        self.slots = Slots(10)
        self.attempts = Attempts(self.slots, Judge(Random(1)), self.outcomes)
        self.runner = _Runner(self.attempts)
        self.stopper = Stopper(self.attempts, self.runner, grace_seconds=grace)
        self.canceller = Canceller(self.attempts, self.stopper)

    def hold(self, *, timeout_ms: int | None = None, attempt: int = 1, task_id=None):
        self.slots.take(1)
        return self.attempts.hold(
            ClaimedTask(
                id=task_id or new_id(),
                attempt=attempt,
                excused=0,
                tenant="default",
                queue="default",
                type="echo",
                input=None,
                retry_policy=RetryPolicy(attempt_timeout_ms=timeout_ms),
                created_at=MOMENT,
                started_at=MOMENT,
                expire_at=None,
                runs_alone=False,
            )
        )

    async def outcome(self):
        return await asyncio.wait_for(self.outcomes.taken.get(), 5)


@pytest.fixture
async def world():
    made = _World()
    running = asyncio.create_task(made.stopper.run())
    yield made
    running.cancel()
    await asyncio.wait((running,))


async def test_attempt_that_takes_too_long_is_stopped(world):
    held = world.hold(timeout_ms=50)
    world.runner.run(held)
    world.stopper.limit(held)
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
